//! What a follower is told and what it says: the words between it and whoever lets it follow. This file must not know how one leads to the
//! other.

use crate::checkpoint::Observed;
use crate::envelope::Route;
use crate::error::Handoff;
use crate::leg::Arguments;
use crate::program::Program;
use crate::state::Reading;
use crate::value::{Point, Symbol};
use serde::{Deserialize, Serialize};

/// Milliseconds on a clock that never goes back. The caller owns the clock.
pub type Millis = u64;

/// Whether a device is through with the command it was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// It still acts.
    Busy,
    /// It says that it has finished.
    Finished,
    /// It does not say (a device that speaks its own protocol); only its state counts.
    Unknown,
}

/// What the outside tells the follower.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Input {
    /// The gate let the command through, and it is on its way.
    Sent,
    /// The gate did not let the command through.
    Refused,
    /// The straight way is barred, and this one leads around; the legs of the new way are offered instead.
    Detour(Route),
    /// The device accepted the command.
    Acknowledged,
    /// The device reported its state; the readings passed along are the new ones.
    State(Progress),
    /// The device rejected the command or reported that it failed.
    Failed,
    /// The device went away.
    Lost,
    /// The device is back after an interruption. The command did not take effect, or doing it twice does no harm: it is offered once more.
    Again,
    /// A person or the gate ends the run.
    Stop,
    /// Nothing but time.
    Tick,
}

/// What became of the steps that compensate for the one that failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the fields are named for what they hold")]
pub enum Compensation {
    /// There are none, or the device was lost.
    None,
    /// All were carried out.
    Done,
    /// This one failed, and those after it were not tried.
    Failed { step: u8, why: Handoff },
}

/// What the follower asks for or reports.
#[expect(clippy::large_enum_variant, reason = "there is no allocator to box a command with")]
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the fields are named for what they hold")]
pub enum Output {
    /// Send this to the device, if the gate allows it; answer with [`Input::Sent`] or [`Input::Refused`].
    Command(Offer),
    /// A step has succeeded, or one that compensates has.
    StepDone { step: u8, call: u8, observed: Observed },
    /// The last step of a call has succeeded.
    CallDone { call: u8, observed: Observed },
    /// Every call is done. The digest covers calls with their arguments, and nothing of time or transport.
    Finished { observed: Observed, digest: u64 },
    /// The world is not as this step needs it.
    Handoff {
        step: u8,
        call: u8,
        why: Handoff,
        compensation: Compensation,
    },
    /// The run was stopped during this step.
    Stopped { step: u8, call: u8 },
}

/// A command before the gate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Offer {
    /// Index of the step.
    pub step: u8,
    /// Index of the leg, from 0.
    pub leg: u16,
    /// Legs of the step.
    pub legs: u16,
    /// The device.
    pub device: Symbol,
    /// Its tool.
    pub tool: Symbol,
    /// The arguments of this leg.
    pub arguments: Arguments,
    /// Where the device should be before; `None` where the command moves nothing.
    pub start: Option<Point>,
    /// Where the device will be afterwards; `None` where the command moves nothing.
    pub target: Option<Point>,
    /// Where the whole motion ends, if the gate may have it led around what bars its way.
    pub end: Option<Point>,
}

/// What a follower looks at, passed with every call.
#[derive(Debug)]
pub struct World<'a, L = Program> {
    /// The program that is followed.
    pub program: &'a L,
    /// What the devices report now.
    pub readings: &'a [Reading],
}

impl<L> Clone for World<'_, L> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<L> Copy for World<'_, L> {}
