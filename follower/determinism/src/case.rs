//! A case as bytes: postcard, one case after the other, the script of each as a list of events of its own. This file must not know what
//! becomes of a case.

use heapless::Vec;
use llmos_follower::program::SLOTS_MAX;
use llmos_follower::{Envelope, Motion, Point, Progress, Symbol, Value};
use serde::{Deserialize, Serialize};

/// A program and what happens while it is followed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Case<'a> {
    /// What it is about, in one word.
    pub name: &'a str,
    /// The program's wire bytes, or bytes that are none.
    pub wire: &'a [u8],
    /// The values of its slots.
    pub slots: Vec<Value, SLOTS_MAX>,
    /// What the gate holds its commands to.
    pub envelope: Envelope,
    /// The events, written one after the other.
    pub script: &'a [u8],
}

/// One thing that happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Event {
    /// So many milliseconds pass.
    Wait(u32),
    /// From now on a device reports this, or does not report it any more.
    Tell {
        /// The device.
        device: Symbol,
        /// The entity, or [`Symbol::NONE`].
        owner: Symbol,
        /// The field.
        field: Symbol,
        /// What it reports.
        value: Option<Value>,
    },
    /// The follower hears something.
    Answer(Answer),
    /// Power is lost and comes back: another follower goes on from the checkpoint.
    Resume,
    /// The same while a command is under way: the world shows whether it had its effect.
    ResumeSent,
    /// The gate is asked about a motion that no program asks for.
    Weigh(Weighed),
    /// The gate is asked about a device that moves by itself.
    Run {
        /// Where it is.
        at: Point,
        /// How fast, in micrometres a second.
        velocity: Point,
        /// How long it is left to itself, in milliseconds.
        react_ms: u32,
    },
    /// The gate is asked for a way around.
    Way {
        /// From here.
        from: Point,
        /// To there.
        to: Point,
    },
}

/// What a follower hears. The gate's own answers are not here: the runner asks the gate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "they are the follower's inputs")]
pub enum Answer {
    Acknowledged,
    State(Progress),
    Failed,
    Lost,
    Again,
    Stop,
    Tick,
}

/// A motion as bytes; the fields are those of [`Motion`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of a motion")]
pub struct Weighed {
    pub from: Option<Point>,
    pub start: Option<Point>,
    pub to: Option<Point>,
    pub speed: Option<i64>,
    pub drives: bool,
    pub acceleration: Option<i64>,
    pub turn: Option<i64>,
    pub turn_speed: Option<i64>,
    pub duration: Option<i64>,
    pub state_age_ms: u32,
    pub recent: u16,
    pub jumped: bool,
}

impl From<Weighed> for Motion {
    fn from(weighed: Weighed) -> Motion {
        Motion {
            from: weighed.from,
            start: weighed.start,
            to: weighed.to,
            speed: weighed.speed,
            drives: weighed.drives,
            acceleration: weighed.acceleration,
            turn: weighed.turn,
            turn_speed: weighed.turn_speed,
            duration: weighed.duration,
            state_age_ms: weighed.state_age_ms,
            recent: weighed.recent,
            jumped: weighed.jumped,
        }
    }
}

/// The cases of a corpus. It ends early where the bytes are no corpus; whoever counts notices.
#[derive(Clone, Debug)]
pub struct Cases<'a>(&'a [u8]);

impl<'a> Cases<'a> {
    /// Reads a corpus.
    #[must_use]
    pub fn of(corpus: &'a [u8]) -> Cases<'a> {
        Cases(corpus)
    }
}

impl<'a> Iterator for Cases<'a> {
    type Item = Case<'a>;

    fn next(&mut self) -> Option<Case<'a>> {
        let (case, rest) = postcard::take_from_bytes(self.0).ok()?;
        self.0 = rest;
        Some(case)
    }
}

/// The events of a script.
pub fn events(mut script: &[u8]) -> impl Iterator<Item = Event> {
    core::iter::from_fn(move || {
        let (event, rest) = postcard::take_from_bytes(script).ok()?;
        script = rest;
        Some(event)
    })
}
