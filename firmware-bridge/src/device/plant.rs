//! What a board has to implement: motors, sensors and the rest of the world, seen from the device. This file must not know leases, messages or
//! programs.

use super::{Failure, Refusal};
use llmos_follower::{Envelope, Millis, Point, Symbol, Value};
use serde::{Deserialize, Serialize};

/// Where a command would take the plant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Intent {
    /// Where it ends; `None` where it moves nothing.
    pub to: Option<Point>,
    /// The speed it asks for, in micrometres a second.
    pub speed: Option<i64>,
    /// The velocity that it goes on with until it is told otherwise, in micrometres a second on each axis.
    pub velocity: Option<Point>,
    /// The acceleration it asks for, in micrometres a second squared.
    pub acceleration: Option<i64>,
    /// The angle it turns by, in microdegrees.
    pub turn: Option<i64>,
    /// The speed of rotation it asks for, in microdegrees a second.
    pub turn_speed: Option<i64>,
    /// The duration it asks for, in microseconds.
    pub duration: Option<i64>,
}

/// How far a plant is with its command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PlantStatus {
    /// It still acts.
    Busy,
    /// It is through.
    Done,
    /// It gave up.
    Failed(Failure),
}

/// A reading's value as a plant tells it, with its spelling.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Told<'a> {
    /// A truth.
    Bool(bool),
    /// A quantity, in micro-units of its base unit.
    Number(i64),
    /// A position, in micrometres.
    Point(Point),
    /// A name or option.
    Text(&'a str),
    /// Nothing.
    Nothing,
}

/// Takes readings: owner (empty for the device itself), field, value.
pub type Sink<'a> = dyn FnMut(&str, &str, Told<'_>) + 'a;

/// Motors, sensors and the rest of the world: what a board has to implement.
pub trait Plant {
    /// The limits that this device keeps, whoever asks.
    fn envelope(&self) -> &Envelope;

    /// Where it is; `None` for a plant that moves nothing through space.
    fn position(&self) -> Option<Point>;

    /// How fast it moves now, in micrometres a second on each axis, for a plant that goes on by itself. Its envelope must say what it brakes
    /// with: a plant that can't be known to stop in time is halted.
    fn velocity(&self) -> Option<Point> {
        None
    }

    /// The plant's own time at an uptime; only that of a hastened simulation is another.
    fn time(&self, uptime: Millis) -> Millis {
        uptime
    }

    /// Checks a command without doing anything.
    ///
    /// # Errors
    /// [`Refusal::UnknownTool`], [`Refusal::BadArgument`] or [`Refusal::Plant`].
    fn intent(&self, tool: Symbol, arguments: Arguments<'_>) -> Result<Intent, Refusal>;

    /// Begins a command that [`Plant::intent`] has passed and the envelope allows.
    fn start(&mut self, now: Millis, tool: Symbol, arguments: Arguments<'_>);

    /// Lets time pass. The answer counts only while a command is being carried out.
    fn step(&mut self, now: Millis) -> PlantStatus;

    /// The safe state: nothing moves, what is held stays held.
    fn halt(&mut self, now: Millis);

    /// Tells everything that it reports.
    fn readings(&self, sink: &mut Sink<'_>);
}

/// The arguments of a command, read by name and type.
#[derive(Clone, Copy, Debug)]
pub struct Arguments<'a>(pub &'a [(Symbol, Value)]);

impl Arguments<'_> {
    /// Refuses parameters other than these.
    ///
    /// # Errors
    /// [`Refusal::BadArgument`].
    pub fn only(&self, names: &[Symbol]) -> Result<(), Refusal> {
        let known = self.0.iter().all(|(name, _)| names.contains(name));
        if known && self.0.len() == names.len() {
            Ok(())
        } else {
            Err(Refusal::BadArgument)
        }
    }

    /// A quantity between two limits, in micro-units.
    ///
    /// # Errors
    /// [`Refusal::BadArgument`].
    pub fn number(&self, name: Symbol, low: i64, high: i64) -> Result<i64, Refusal> {
        match self.find(name)? {
            Value::Number(number) if (low..=high).contains(&number) => Ok(number),
            _ => Err(Refusal::BadArgument),
        }
    }

    /// A position.
    ///
    /// # Errors
    /// [`Refusal::BadArgument`].
    pub fn point(&self, name: Symbol) -> Result<Point, Refusal> {
        match self.find(name)? {
            Value::Point(point) => Ok(point),
            _ => Err(Refusal::BadArgument),
        }
    }

    /// An option or name.
    ///
    /// # Errors
    /// [`Refusal::BadArgument`].
    pub fn symbol(&self, name: Symbol) -> Result<Symbol, Refusal> {
        match self.find(name)? {
            Value::Symbol(symbol) => Ok(symbol),
            _ => Err(Refusal::BadArgument),
        }
    }

    fn find(&self, name: Symbol) -> Result<Value, Refusal> {
        self.0
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| *value)
            .ok_or(Refusal::BadArgument)
    }
}
