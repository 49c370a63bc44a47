//! What of a policy can't mean what it says, given the devices that are there: names of nothing, limits of parameters that no tool has, limits
//! that don't narrow anything. The gate refuses what it can't compare in any case; this tells it before somebody waits for it.

use super::rule::{Allowed, Policy, Rule};
use crate::text::Diagnostic;
use crate::tool::{Device, Parameter, Tool, Type};

impl Policy {
    /// What is wrong or has no effect, with the line of its rule.
    #[must_use]
    pub fn check(&self, devices: &[Device]) -> Vec<Diagnostic> {
        self.rules.iter().flat_map(|rule| check_rule(rule, devices)).collect()
    }
}

fn check_rule(rule: &Rule, devices: &[Device]) -> Vec<Diagnostic> {
    let fits = |pattern: &str, name: &str| pattern == "*" || pattern == name;
    let about: Vec<(&Device, &Tool)> = devices
        .iter()
        .filter(|device| fits(&rule.device, &device.name))
        .flat_map(|device| device.tools.iter().map(move |tool| (device, tool)))
        .filter(|(_, tool)| fits(&rule.tool, &tool.name))
        .collect();
    if about.is_empty() {
        let message = format!(
            "this rule is about nothing: there is no {}.{} here",
            rule.device, rule.tool
        );
        return vec![Diagnostic::warning(rule.place, message)];
    }
    let mut found = Vec::new();
    for (name, allowed) in &rule.limits.parameters {
        let limited: Vec<&Parameter> = about
            .iter()
            .flat_map(|(device, tool)| parameters(device, tool))
            .filter(|parameter| parameter.name == *name)
            .collect();
        if limited.is_empty() {
            let message = format!("no tool that this rule is about has a parameter \"{name}\" to limit");
            found.push(Diagnostic::error(rule.place, message));
        } else if let Some(other) = limited.iter().find(|parameter| !compares(allowed, &parameter.kind)) {
            let message = format!(
                "\"{name}\" is a {} and can't be limited to {}",
                other.kind.word(),
                allowed.text()
            );
            found.push(Diagnostic::error(rule.place, message));
        } else if limited.iter().all(|parameter| is_wider(allowed, parameter)) {
            let message =
                format!("the limit of \"{name}\" narrows nothing: the manifest allows no more than that anyway");
            found.push(Diagnostic::warning(rule.place, message));
        }
    }
    found
}

/// The parameters of a tool, and of the steps that it is made of.
fn parameters<'d>(device: &'d Device, tool: &'d Tool) -> impl Iterator<Item = &'d Parameter> {
    let steps = super::ruling::steps_of(tool).filter_map(|step| device.tool(step));
    std::iter::once(tool).chain(steps).flat_map(|tool| &tool.parameters)
}

fn compares(allowed: &Allowed, kind: &Type) -> bool {
    match (allowed, kind) {
        (Allowed::Quantity(wanted, ..), Type::Quantity(found)) => wanted == found,
        (Allowed::Number(..), Type::Number | Type::Integer)
        | (Allowed::Words(_), Type::Boolean | Type::Entity | Type::Place | Type::Text) => true,
        (Allowed::Words(words), Type::Enumeration(options)) => words.iter().all(|word| options.contains(word)),
        _ => false,
    }
}

fn is_wider(allowed: &Allowed, parameter: &Parameter) -> bool {
    match (allowed, parameter.limit, &parameter.kind) {
        (Allowed::Quantity(_, low, high) | Allowed::Number(low, high), Some((least, most)), _) => {
            low <= &least && &most <= high
        }
        (Allowed::Words(words), _, Type::Enumeration(options)) => options.iter().all(|option| words.contains(option)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::manifest;

    fn check(rest: &str) -> Vec<String> {
        let (arm, _) = manifest::read(include_str!("../../../../workspace/devices/arm.md"));
        let (house, _) = manifest::read(include_str!("../../../../workspace/devices/greenhouse.md"));
        let text = format!("[[rule]]\neffect = \"allow\"\nwho = [\"person\"]\n{rest}\n");
        let (policy, found) = Policy::read(&text);
        assert_eq!(found, []);
        let devices = [arm.expect("a device"), house.expect("a device")];
        let found = policy.check(&devices).into_iter();
        found
            .map(|diagnostic| crate::text::show("policy.toml", &diagnostic))
            .collect()
    }

    #[test]
    fn what_can_not_mean_what_it_says_is_told() {
        for (rest, expected) in [
            ("device = \"amr\"", "warning: this rule is about nothing"),
            ("tool = \"fly\"", "warning: this rule is about nothing"),
            (
                "limits = { distnace = \"0..1 m\" }",
                "error: no tool that this rule is about has a parameter \"distnace\"",
            ),
            ("limits = { distance = \"0..1 s\" }", "error: \"distance\" is a length"),
            ("limits = { distance = [\"far\"] }", "error: \"distance\" is a length"),
            ("limits = { direction = [\"lfet\"] }", "error: \"direction\""),
            (
                "limits = { opening = \"-1..200 %\" }",
                "warning: the limit of \"opening\" narrows nothing",
            ),
            (
                "tool = \"gripper\"\nlimits = { state = [\"closed\", \"open\"] }",
                "warning: the limit of \"state\" narrows nothing",
            ),
        ] {
            let found = check(rest);
            assert!(found.len() == 1 && found[0].contains(expected), "{rest}: {found:?}");
            assert!(found[0].starts_with("policy.toml:1:1: "), "{found:?}");
        }
        for rest in [
            "",
            "limits = { distance = \"0..1 m\", direction = [\"left\"], opening = \"0..50 %\", object = [\"red cube\"] }",
            "tool = \"home\"\nlimits = { bounds = { x = \"0..1 m\" } }",
        ] {
            assert_eq!(check(rest), Vec::<String>::new(), "{rest}");
        }
    }
}
