//! A compiled plan, trace or skill: one type for all three, and the only thing that the follower executes.
//!
//! A [`Program`] is a list of primitive [`Step`]s, grouped into the logical [`Call`]s that a person would name. What a step needs to
//! compute (arguments, preconditions, postconditions, the point where a motion ends) is postfix code in one shared pool, so that a
//! condition which many steps share is stored once. Every limit is a constant. This file must not know how a program is written down,
//! sent or executed.

use crate::code::{Op, Range};
use crate::error::Reject;
use crate::listing::{self, Listing};
use crate::value::{Symbol, Value};
use heapless::Vec;
use serde::{Deserialize, Serialize};

/// Steps in a program, those that compensate included.
pub const STEPS_MAX: usize = 64;
/// Logical calls in a program.
pub const CALLS_MAX: usize = 24;
/// Arguments of a step or call.
pub const ARGUMENTS_MAX: usize = 6;
/// Operations in a program's pool.
pub const CODE_MAX: usize = 512;
/// Cases of all mappings of a program.
pub const CASES_MAX: usize = 128;
/// Slots of a program.
pub const SLOTS_MAX: usize = 8;
/// Registers for the results of steps.
pub const RESULTS_MAX: usize = 4;
/// Devices whose state is checked before the first step.
pub const STARTS_MAX: usize = 8;
/// Steps that compensate for one step.
pub const COMPENSATION_MAX: usize = 8;

/// How a motion longer than the envelope's step is cut into legs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Split {
    /// It is not; a longer one is refused.
    #[default]
    Never,
    /// The argument is the point to go to: legs are points on the way.
    Toward(u8),
    /// The argument is the length to go: legs are parts of it.
    Along(u8),
}

/// What to do when a step does not succeed. What the gate refuses is never tried again nor passed over, and a lost device is waited for
/// by nobody: both end the run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum OnError {
    /// Hand off from this step.
    #[default]
    Handoff,
    /// Do the step again, at most this many times, then hand off.
    Retry(u8),
    /// Go on without it and without what is left of its call: half a call is no call. One that compensates is passed over alone.
    Skip,
    /// End the run.
    Stop,
    /// Carry out these steps of the program, then hand off from this step.
    Compensate(Range),
}

/// What a step does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Kind {
    /// Looks at what the device reports, and sends nothing.
    #[default]
    Read,
    /// Sends a command and waits for its effect.
    Command,
    /// Sends nothing for a duration: code that gives microseconds, at most the step's timeout.
    Pause(Range),
    /// Sends nothing until the postcondition holds, at most for the step's timeout.
    Until,
}

/// One thing to do with one device, with what must hold before and after it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Step {
    /// The device that acts, or that is looked at.
    pub device: Symbol,
    /// Its primitive tool.
    pub tool: Symbol,
    /// The logical call that this step is a part of.
    pub call: u8,
    /// What it does.
    pub kind: Kind,
    /// Arguments: parameter and expression.
    pub arguments: Vec<(Symbol, Range), ARGUMENTS_MAX>,
    /// Must hold before the step.
    pub require: Range,
    /// Must hold after the step; empty where nothing can be observed.
    pub ensure: Range,
    /// The point where the device will be after the step; empty where the step moves nothing.
    pub target: Range,
    /// How a long motion is cut.
    pub split: Split,
    /// The longest leg, in micrometres; 0 where there is no limit.
    pub leg_max: i64,
    /// Time from acknowledgement to the observed end, in milliseconds.
    pub timeout_ms: u32,
    /// What to do when it does not succeed.
    pub on_error: OnError,
    /// The register and the expression whose value it keeps for later steps, computed when it has succeeded.
    pub keep: Option<(u8, Range)>,
}

/// What a person would name: one call of a tool or macro, carried out by one or more steps.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Call {
    /// The device.
    pub device: Symbol,
    /// The tool or macro.
    pub tool: Symbol,
    /// Arguments: parameter and expression. They are in the digest, so what a device measured should not be among them.
    pub arguments: Vec<(Symbol, Range), ARGUMENTS_MAX>,
    /// Must hold after the last step of the call.
    pub ensure: Range,
    /// Earlier calls without which this one makes no sense: bit n stands for call n. Where one of them was skipped, so is this one.
    pub depends_on: u32,
}

/// A compiled plan, trace or skill.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Program {
    /// How many slots must be bound.
    pub slots: u8,
    /// What must hold of a device before the first step.
    pub start: Vec<(Symbol, Range), STARTS_MAX>,
    /// The logical calls, in order.
    pub calls: Vec<Call, CALLS_MAX>,
    /// The steps: those of the calls in their order, then those that only compensate.
    pub steps: Vec<Step, STEPS_MAX>,
    /// How many of the last steps only compensate.
    pub compensating: u8,
    /// The pool of operations.
    pub code: Vec<Op, CODE_MAX>,
    /// The pool of mapping cases.
    pub cases: Vec<(Symbol, Value), CASES_MAX>,
}

impl Program {
    /// The steps that are carried out as long as nothing fails.
    #[must_use]
    pub fn main(&self) -> &[Step] {
        let count = self.steps.len().saturating_sub(usize::from(self.compensating));
        self.steps.get(..count).unwrap_or_default()
    }

    /// Whether every step, call and start condition is about this device, so that the device can follow the program alone.
    #[must_use]
    pub fn is_for(&self, device: Symbol) -> bool {
        Listing::is_for(self, device)
    }

    /// Checks that execution can neither leave the program nor go round in it: [`listing::check`].
    ///
    /// # Errors
    /// Those of [`listing::check`].
    pub fn check(&self) -> Result<(), Reject> {
        listing::check(self)
    }
}
