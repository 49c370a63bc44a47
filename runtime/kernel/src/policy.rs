//! The one gate. Every command, whoever asked for it, passes [`judge`]: pure, deny by default, fail closed. It joins three things: the
//! workspace's policy (who may call what), the provenance of the arguments, and the device's envelope. Hooks come after it and can
//! only tighten. It must not know modes: a plan, a replay and a person at the prompt are all alike here.

use crate::goal;
use crate::message::Caller;
use crate::tool::{Device, Tool, Type};
use llmos_follower::{Breach, Motion, Offer, Symbol, Value};
use serde::Deserialize;

/// `policy.toml`: rules in order; the first that fits decides; none means no.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The rules.
    #[serde(default)]
    pub rule: Vec<Rule>,
}

/// One rule.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// `allow`, `confirm` or `deny`.
    pub effect: Effect,
    /// Who it is about.
    pub who: Vec<Caller>,
    /// The device, or `*`.
    #[serde(default = "any")]
    pub device: String,
    /// The tool or macro, or `*`.
    #[serde(default = "any")]
    pub tool: String,
}

/// What a rule says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Yes.
    Allow,
    /// Yes, once a person has agreed.
    Confirm,
    /// No.
    Deny,
}

fn any() -> String {
    "*".to_owned()
}

impl Policy {
    /// Reads `policy.toml`.
    ///
    /// # Errors
    /// What is wrong and where, as the TOML parser says it. A policy that can't be read allows nothing.
    pub fn read(text: &str) -> Result<Policy, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// What the policy says about a call.
    #[must_use]
    pub fn effect(&self, who: Caller, device: &str, tool: &str) -> Effect {
        let fits = |pattern: &str, name: &str| pattern == "*" || pattern == name;
        let rule = self
            .rule
            .iter()
            .find(|rule| rule.who.contains(&who) && fits(&rule.device, device) && fits(&rule.tool, tool));
        rule.map_or(Effect::Deny, |rule| rule.effect)
    }
}

/// A command before the gate, with all that the gate looks at.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// Who asked for the run.
    pub who: Caller,
    /// Whether a person agreed to this run.
    pub confirmed: bool,
    /// The device.
    pub device: &'a Device,
    /// The tool or macro that the person's plan names.
    pub call: &'a str,
    /// The command.
    pub offer: &'a Offer,
    /// Whether every argument of the call says where it came from.
    pub sourced: bool,
    /// The command as geometry sees it.
    pub motion: Motion,
}

/// Judges one command.
///
/// # Errors
/// Why not, in words for the person.
pub fn judge(policy: &Policy, ask: &Ask<'_>) -> Result<(), String> {
    let Some(tool) = ask
        .device
        .tools
        .iter()
        .find(|tool| Symbol::of(&tool.name) == ask.offer.tool)
    else {
        return Err(format!("{} has no such tool", ask.device.name));
    };
    match policy.effect(ask.who, &ask.device.name, ask.call) {
        Effect::Allow => {}
        Effect::Confirm if ask.confirmed => {}
        Effect::Confirm => {
            return Err(format!(
                "policy.toml wants a person to agree to {}.{}; run with --confirm",
                ask.device.name, ask.call
            ));
        }
        Effect::Deny => {
            return Err(format!(
                "policy.toml allows {:?} no {}.{}",
                ask.who, ask.device.name, ask.call
            ));
        }
    }
    if !ask.sourced {
        return Err("an argument does not say where it came from".to_owned());
    }
    check_arguments(tool, ask.offer)?;
    ask.device
        .envelope
        .check(&ask.motion)
        .map_err(|breach| breach_text(ask.device, breach))
}

/// Whether every argument is there, of its type and within the manifest's range.
fn check_arguments(tool: &Tool, offer: &Offer) -> Result<(), String> {
    for (symbol, value) in &offer.arguments {
        let parameter = tool
            .parameters
            .iter()
            .find(|parameter| Symbol::of(&parameter.name) == *symbol);
        let parameter = parameter.ok_or_else(|| format!("{} has no such parameter", tool.name))?;
        let fits = match (&parameter.kind, value) {
            (Type::Quantity(_) | Type::Number, Value::Number(_))
            | (Type::Boolean, Value::Bool(_))
            | (Type::Place | Type::Point, Value::Point(_)) => true,
            (Type::Integer, Value::Number(micro)) => micro % llmos_follower::MICRO == 0,
            (Type::Enumeration(options), Value::Symbol(symbol)) => {
                options.iter().any(|option| Symbol::of(option) == *symbol)
            }
            (Type::Entity | Type::Text, Value::Symbol(symbol)) => !symbol.is_none(),
            _ => false,
        };
        if !fits {
            return Err(format!(
                "{} of {} should be {}",
                parameter.name,
                tool.name,
                parameter.kind.word()
            ));
        }
        check_range(&parameter.name, &parameter.kind, parameter.limit, *value)?;
    }
    let missing = tool
        .parameters
        .iter()
        .find(|p| p.required && !offer.arguments.iter().any(|(s, _)| Symbol::of(&p.name) == *s));
    missing.map_or(Ok(()), |parameter| {
        Err(format!("{} lacks {}", tool.name, parameter.name))
    })
}

/// Whether a value lies within the manifest's range.
///
/// # Errors
/// The range and the value, in words.
pub fn check_range(name: &str, kind: &Type, limit: Option<(i64, i64)>, value: Value) -> Result<(), String> {
    let (Some((low, high)), Value::Number(micro)) = (limit, value) else {
        return Ok(());
    };
    if (low..=high).contains(&micro) {
        return Ok(());
    }
    let show = |micro| match kind {
        Type::Quantity(dimension) => goal::print_quantity(*dimension, micro),
        _ => goal::print_number(micro),
    };
    Err(format!(
        "{name} = {} is outside {} .. {}",
        show(micro),
        show(low),
        show(high)
    ))
}

/// The largest speed among a command's arguments.
#[must_use]
pub fn commanded_speed(device: &Device, offer: &Offer) -> Option<i64> {
    let tool = device.tools.iter().find(|tool| Symbol::of(&tool.name) == offer.tool)?;
    let speeds = offer.arguments.iter().filter_map(|(symbol, value)| {
        let parameter = tool
            .parameters
            .iter()
            .find(|parameter| Symbol::of(&parameter.name) == *symbol)?;
        match (&parameter.kind, value) {
            (Type::Quantity(goal::Dimension::Speed), Value::Number(micro)) => Some(*micro),
            _ => None,
        }
    });
    speeds.max_by_key(|micro| micro.unsigned_abs())
}

/// A breach in words, with the device's own names.
#[must_use]
pub fn breach_text(device: &Device, breach: Breach) -> String {
    match breach {
        Breach::Coordinate => "a coordinate is further than 500 m from the origin".to_owned(),
        Breach::Bounds { axis } => {
            let name = ["x", "y", "z"].get(usize::from(axis)).copied().unwrap_or("?");
            match device
                .envelope
                .bounds
                .and_then(|bounds| bounds.get(usize::from(axis)).copied())
            {
                Some((low, high)) => format!(
                    "{name} would leave {} .. {} m, the bounds of {}",
                    goal::print_number(low),
                    goal::print_number(high),
                    device.name
                ),
                None => format!("{name} would leave the bounds of {}", device.name),
            }
        }
        Breach::KeepOut { zone } => {
            let name = device.zones.get(usize::from(zone)).map_or("unnamed", String::as_str);
            format!("the path touches the keep-out zone \"{name}\"")
        }
        Breach::StepTooLong => format!(
            "the move is longer than the largest step of {} and can't be split",
            device.name
        ),
        Breach::TooFast => match device.envelope.speed_max {
            Some(limit) => format!(
                "faster than {} m/s, the limit of {}",
                goal::print_number(limit),
                device.name
            ),
            None => "too fast".to_owned(),
        },
        Breach::StateTooOld => format!(
            "the last report of {} is older than {} ms; no motion without a fresh state",
            device.name, device.envelope.state_age_ms_max
        ),
        Breach::PositionUnknown => format!("{} does not report its position", device.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(text: &str) -> Policy {
        Policy::read(text).expect("a policy")
    }

    #[test]
    fn what_no_rule_allows_is_denied() {
        let empty = policy("");
        assert_eq!(empty.effect(Caller::Person, "arm", "move"), Effect::Deny);
        let some = policy(
            "[[rule]]\neffect = \"deny\"\nwho = [\"person\"]\ntool = \"home\"\n[[rule]]\neffect = \"allow\"\nwho = [\"person\"]\ndevice = \"arm\"\n",
        );
        assert_eq!(some.effect(Caller::Person, "arm", "move"), Effect::Allow);
        assert_eq!(some.effect(Caller::Person, "arm", "home"), Effect::Deny);
        assert_eq!(some.effect(Caller::Person, "lamp", "light"), Effect::Deny);
        assert_eq!(some.effect(Caller::Http, "arm", "move"), Effect::Deny);
    }

    #[test]
    fn a_policy_with_an_unknown_key_is_refused() {
        assert!(Policy::read("[[rule]]\neffect = \"allow\"\nwho = [\"person\"]\ndevcie = \"arm\"\n").is_err());
        assert!(Policy::read("[[rule]]\neffect = \"permit\"\nwho = [\"person\"]\n").is_err());
    }
}
