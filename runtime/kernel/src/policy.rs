//! The one gate. Every command, whoever asked for it, passes [`judge`]: pure, deny by default, fail closed. It joins three things: the
//! workspace's policy (who may call what), the provenance of the arguments, and the device's envelope. Hooks come after it and can
//! only tighten. It must not know modes: a plan, a replay and a person at the prompt are all alike here.

use crate::goal;
use crate::message::Caller;
use crate::tool::{Device, Tool, Type};
use llmos_follower::envelope::{CALM_MS, START_TOLERANCE};
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

/// A breach in words: the limit, the value that was found, and the device's own names.
#[must_use]
pub fn breach_text(device: &Device, breach: Breach) -> String {
    let (name, envelope) = (&device.name, &device.envelope);
    let limit = |value: &str, limit: Option<i64>, unit: &str| match limit {
        Some(limit) => format!(
            "{value} is more than {} {unit}, the limit of {name}",
            goal::print_number(limit)
        ),
        None => format!("{value} is more than {name} may do"),
    };
    let value = |micro: i64, unit: &str| format!("{} {unit}", goal::print_number(micro.saturating_abs()));
    match breach {
        Breach::Coordinate => "a coordinate is further than 500 m from the origin".to_owned(),
        Breach::Bounds { axis, at } => bounds_text(device, axis, at),
        Breach::KeepOut { zone } => {
            let zone = device.zones.get(usize::from(zone)).map_or("unnamed", String::as_str);
            match envelope.margin {
                0 => format!("the path touches the keep-out zone \"{zone}\""),
                margin => format!(
                    "the path touches the keep-out zone \"{zone}\" or its margin of {} m",
                    goal::print_number(margin)
                ),
            }
        }
        Breach::StepTooLong { length } => format!(
            "the move is longer than the largest step of {name} ({}) and can't be split",
            limit(
                &length.map_or("its length".to_owned(), |length| value(length, "m")),
                envelope.step_max,
                "m"
            )
        ),
        Breach::TooFast { speed } => limit(&value(speed, "m/s"), envelope.speed_max, "m/s"),
        Breach::TooHard { acceleration } => limit(&value(acceleration, "m/s2"), envelope.acceleration_max, "m/s2"),
        Breach::TurnTooFar { angle } => limit(&value(angle, "degrees"), envelope.turn_max, "degrees by one command"),
        Breach::TurnTooFast { speed } => limit(&value(speed, "deg/s"), envelope.turn_speed_max, "deg/s"),
        Breach::TooLong { duration } => limit(&value(duration, "s"), envelope.duration_max, "s"),
        Breach::TooOften { recent } => match envelope.rate_max {
            Some(rate) => format!(
                "{name} was sent {recent} commands within {} ms, and may be sent {}",
                rate.per_ms, rate.commands
            ),
            None => format!("{name} was sent too many commands"),
        },
        Breach::CannotStop { distance } => format!(
            "at this speed {name} needs up to {} to stop, and would leave its bounds or touch a keep-out zone",
            value(distance, "m")
        ),
        Breach::StopUnknown => format!("{name} would go on, and its limits don't say how fast and how hard it brakes"),
        Breach::StateTooOld { age_ms: u32::MAX } => format!("{name} has not reported its state; no motion without it"),
        Breach::StateTooOld { age_ms } => format!(
            "the last report of {name} is {age_ms} ms old, older than {} ms; no motion without a fresh state",
            envelope.state_age_ms_max
        ),
        Breach::Jumped => format!(
            "the position that {name} reports jumped further than it can have moved; no motion until it is plausible for {CALM_MS} ms"
        ),
        Breach::Elsewhere { distance } => format!(
            "{name} is not where this motion was planned to begin: {} away, and {} m are allowed",
            distance.map_or("too far".to_owned(), |distance| value(distance, "m")),
            goal::print_number(START_TOLERANCE)
        ),
        Breach::PositionUnknown => format!("{name} does not report its position"),
    }
}

fn bounds_text(device: &Device, axis: u8, at: i64) -> String {
    let (name, envelope) = (&device.name, &device.envelope);
    let letter = ["x", "y", "z"].get(usize::from(axis)).copied().unwrap_or("?");
    let bounds = envelope
        .bounds
        .and_then(|bounds| bounds.get(usize::from(axis)).copied());
    let at = goal::print_number(at);
    let Some((low, high)) = bounds else {
        return format!("{letter} = {at} m would leave the bounds of {name}");
    };
    let (low, high) = (goal::print_number(low), goal::print_number(high));
    match envelope.margin {
        0 => format!("{letter} = {at} m would leave {low} .. {high} m, the bounds of {name}"),
        margin => format!(
            "{letter} = {at} m would leave {low} .. {high} m, the bounds of {name}, or come closer to them than {} m",
            goal::print_number(margin)
        ),
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
