//! The one gate. Every command, whoever asked for it, passes [`judge`]: pure, deny by default, fail closed. It joins three things: the
//! workspace's policy (who may call what, how and when), the provenance of the arguments, and the device's envelope. Hooks come after it and
//! can only tighten. It must not know modes: a plan, a replay and a person at the prompt are all alike here.

mod check;
pub mod rule;
pub mod ruling;

pub use rule::{Effect, Policy, Rule};
pub use ruling::{Asking, Consent, Ruling};

use crate::goal;
use crate::plan::PlannedCall;
use crate::tool::{Device, Tool, Type};
use llmos_follower::envelope::{CALM_MS, START_TOLERANCE};
use llmos_follower::{Breach, Motion, Offer, Symbol, Value};

/// A command before the gate, with all that the gate looks at.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// Who asked for the run.
    pub asking: &'a Asking,
    /// Who agreed to it.
    pub agreed: Agreed<'a>,
    /// The device.
    pub device: &'a Device,
    /// The call that the command belongs to.
    pub call: &'a PlannedCall,
    /// The command.
    pub offer: &'a Offer,
    /// Whether every argument of the call says where it came from.
    pub sourced: bool,
    /// The command as geometry sees it.
    pub motion: Motion,
}

/// Who agreed to a run.
#[derive(Clone, Copy, Debug)]
pub struct Agreed<'a> {
    /// Whether somebody at the terminal said yes.
    pub yes: bool,
    /// The people who agreed by name.
    pub people: &'a [String],
}

impl Agreed<'_> {
    /// Whether that is enough. Only people count that the policy lists now.
    #[must_use]
    pub fn meets(&self, consent: Consent, policy: &Policy) -> bool {
        match consent {
            Consent::None => true,
            Consent::Yes => self.yes,
            Consent::People(wanted) => {
                let listed = policy.people.iter().filter(|name| self.people.contains(name));
                listed.count() >= usize::from(wanted)
            }
        }
    }
}

/// Judges one command.
///
/// # Errors
/// Why not, in words for the person.
pub fn judge(policy: &Policy, ask: &Ask<'_>) -> Result<(), String> {
    let device = ask.device;
    let tool = device
        .tools
        .iter()
        .find(|tool| Symbol::of(&tool.name) == ask.offer.tool);
    let tool = tool.ok_or_else(|| format!("{} has no such tool", device.name))?;
    let call = device.tool(&ask.call.tool);
    let call = call.ok_or_else(|| format!("{} has no tool \"{}\" any more", device.name, ask.call.tool))?;
    let ruling = policy.ruling(ask.asking, device, call)?;
    if !ask.agreed.meets(ruling.consent, policy) {
        let who = match ruling.consent {
            Consent::None | Consent::Yes => "a person".to_owned(),
            Consent::People(wanted) => format!("{wanted} listed people"),
        };
        return Err(format!("{who} must agree to {}.{} first", device.name, call.name));
    }
    if !ask.sourced {
        return Err("an argument does not say where it came from".to_owned());
    }
    ruling.check_call(device, call, ask.call)?;
    ruling.check_offer(call, tool, ask.offer, ask.motion.speed)?;
    check_arguments(tool, ask.offer)?;
    device
        .envelope
        .check(&ask.motion)
        .map_err(|breach| breach_text(device, breach))
}

pub(crate) fn show_number(micro: i64) -> String {
    goal::print_number(micro)
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
