//! A command as the envelope sees it: which of its arguments are a speed, an angle or a duration, where the device is, and what its recent past
//! says. It must not know policy or provenance, and decides nothing.

use crate::goal::Dimension;
use crate::tool::{Device, Tool, Type};
use llmos_follower::{Motion, Offer, Point, Symbol, Value, Watch};

/// What is known about a device when a command is judged.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// Where it is, if it reports that.
    pub at: Option<Point>,
    /// Age of its last report, in milliseconds.
    pub age_ms: u32,
    /// Its recent past.
    pub watch: Option<&'a Watch>,
    /// The time, in milliseconds.
    pub now: llmos_follower::Millis,
}

/// The command as the envelope sees it.
#[must_use]
pub fn of(device: &Device, offer: &Offer, known: Known<'_>) -> Motion {
    let tool = device.tools.iter().find(|tool| Symbol::of(&tool.name) == offer.tool);
    let asked = |dimension| tool.and_then(|tool| largest(tool, offer, dimension));
    let rate = device.envelope.rate_max;
    Motion {
        from: known.at,
        start: offer.start,
        to: offer.target,
        speed: asked(Dimension::Speed),
        drives: tool.is_some_and(|tool| tool.drives),
        acceleration: asked(Dimension::Acceleration),
        turn: asked(Dimension::Angle),
        turn_speed: asked(Dimension::AngularSpeed),
        duration: asked(Dimension::Duration),
        state_age_ms: known.age_ms,
        recent: known.watch.map_or(0, |watch| watch.recent(known.now, rate)),
        jumped: known.watch.is_some_and(Watch::has_jumped),
    }
}

/// The largest quantity of a dimension among a command's arguments, in either direction.
fn largest(tool: &Tool, offer: &Offer, dimension: Dimension) -> Option<i64> {
    let asked = offer.arguments.iter().filter_map(|(symbol, value)| {
        let mut parameters = tool.parameters.iter();
        let parameter = parameters.find(|parameter| Symbol::of(&parameter.name) == *symbol)?;
        match value {
            Value::Number(micro) if parameter.kind == Type::Quantity(dimension) => Some(*micro),
            _ => None,
        }
    });
    asked.max_by_key(|micro| micro.unsigned_abs())
}
