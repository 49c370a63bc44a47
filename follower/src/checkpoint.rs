//! What of a run outlasts a step: enough to go on at the next one after an interruption, and to end with the digest of a run that was
//! never interrupted. This file must not know time, commands or how a step came to succeed.

use crate::code::{Scope, evaluate};
use crate::error::{Handoff, Reject};
use crate::listing::Listing;
use crate::program::{ARGUMENTS_MAX, CALLS_MAX, Call, RESULTS_MAX, SLOTS_MAX, Step};
use crate::state::Reading;
use crate::value::{Digest, Value};
use heapless::Vec;
use serde::{Deserialize, Serialize};

/// Bytes of the largest checkpoint in postcard.
pub const CHECKPOINT_BYTES_MAX: usize = 441;

/// How a step's or call's success was seen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Observed {
    /// The device's state meets the postcondition.
    Met,
    /// The step only reads, or lets time pass.
    Read,
    /// The program says to go on without it, or it depends on a call that was skipped.
    Skipped,
    /// Acknowledged, but nothing can be read back.
    Unverified,
}

impl Observed {
    /// The weaker of two. A read says nothing about the world being changed, so it never weakens.
    #[must_use]
    pub fn and(self, other: Observed) -> Observed {
        match (self, other) {
            (Observed::Read, other) | (other, Observed::Read) => other,
            (a, b) => a.max(b),
        }
    }
}

/// What a step's end may be judged by.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    /// What is reported now.
    pub now: &'a [Reading],
    /// What was reported when the step began.
    pub before: &'a [Reading],
    /// The arguments of the step.
    pub arguments: &'a [Value],
}

/// A run between two steps. It belongs to one program, and says nothing about which: keep the two together.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The step to begin with.
    pub step: u8,
    /// The values of the program's slots.
    pub slots: Vec<Value, SLOTS_MAX>,
    /// What earlier steps kept.
    pub results: [Option<Value>; RESULTS_MAX],
    /// How well each call was observed so far; `None` where it has not begun.
    pub observed: [Option<Observed>; CALLS_MAX],
    /// The calls that were skipped: bit n stands for call n.
    pub skipped: u32,
    /// The digest of the calls that are done.
    pub digest: Digest,
}

impl Checkpoint {
    /// Whether the program says to skip this call, because a call that it depends on was skipped.
    fn skips(&self, call: &Call) -> bool {
        call.depends_on & self.skipped != 0
    }

    /// Whether a step of this call is passed over: a part of the call was skipped already, or a call that it depends on.
    pub(crate) fn skips_step<L: Listing>(&self, program: &L, step: &Step) -> bool {
        let call = || program.call(usize::from(step.call));
        self.skipped != 0 && (self.skipped & bit(step.call) != 0 || call().is_some_and(|call| self.skips(&call)))
    }

    /// Goes on behind `step`, and says whether it was the last of its call. Where that is not possible, nothing has changed: it is changed in
    /// place and set back, since a copy of the whole is more than a small machine's stack should hold.
    ///
    /// # Errors
    /// [`Handoff::Postcondition`] where the call does not keep what it promised; others where a value can't be computed.
    pub(crate) fn pass<L: Listing>(
        &mut self,
        program: &L,
        step: &Step,
        seen: Seen<'_>,
        observed: Observed,
    ) -> Result<bool, Handoff> {
        let result = match step.keep {
            Some((register, range)) if observed != Observed::Skipped => {
                let scope = Scope {
                    device: step.device,
                    now: seen.now,
                    before: seen.before,
                    arguments: seen.arguments,
                    slots: &self.slots,
                    results: &self.results,
                };
                Some((register, evaluate(program, range, &scope)?))
            }
            _ => None,
        };
        let (digest, skipped, calls) = (self.digest, self.skipped, self.observed);
        let swapped = result.map(|(register, value)| (register, self.swap(register, Some(value))));
        if observed == Observed::Skipped {
            self.skipped |= bit(step.call);
        }
        if let Some(call) = self.observed.get_mut(usize::from(step.call)) {
            *call = Some(call.map_or(observed, |before| before.and(observed)));
        }
        let following = program.main_step(usize::from(self.step) + 1);
        let closes = following.is_none_or(|following| following.call != step.call);
        if closes && let Err(why) = self.close(program, step.call, seen.now) {
            (self.digest, self.skipped, self.observed) = (digest, skipped, calls);
            if let Some((register, old)) = swapped {
                self.swap(register, old);
            }
            return Err(why);
        }
        self.step += 1;
        Ok(closes)
    }

    /// Puts a value into a register and returns what was there.
    fn swap(&mut self, register: u8, value: Option<Value>) -> Option<Value> {
        let result = self.results.get_mut(usize::from(register));
        result.and_then(|result| core::mem::replace(result, value))
    }

    /// Checks what the whole call promised and adds it to the digest. A call that was skipped for another's sake promised nothing.
    fn close<L: Listing>(&mut self, program: &L, index: u8, readings: &[Reading]) -> Result<(), Handoff> {
        let call = program.call(usize::from(index)).ok_or(Handoff::Program)?;
        if self.skips(&call) {
            return Ok(());
        }
        self.digest.write(&call.device.0.to_le_bytes());
        self.digest.write(&call.tool.0.to_le_bytes());
        let mut values: Vec<Value, ARGUMENTS_MAX> = Vec::new();
        let scope = Scope {
            slots: &self.slots,
            results: &self.results,
            ..Scope::of(call.device, readings)
        };
        for (parameter, range) in &call.arguments {
            let value = evaluate(program, *range, &scope)?;
            self.digest.write(&parameter.0.to_le_bytes());
            value.bytes(|bytes| self.digest.write(bytes));
            // As many values as arguments, and both have the same capacity.
            let _ = values.push(value);
        }
        if call.ensure.is_empty() {
            return Ok(());
        }
        let scope = Scope {
            arguments: &values,
            ..scope
        };
        if evaluate(program, call.ensure, &scope) == Ok(Value::Bool(true)) {
            self.skipped &= !bit(index);
            if let Some(observed) = self.observed.get_mut(usize::from(index)) {
                *observed = Some(Observed::Met);
            }
        } else if self.skipped & bit(index) == 0 {
            return Err(Handoff::Postcondition);
        }
        Ok(())
    }

    /// How well a call was observed.
    pub(crate) fn observed(&self, call: u8) -> Observed {
        let observed = self.observed.get(usize::from(call)).copied().flatten();
        observed.unwrap_or(Observed::Unverified)
    }
}

/// A value that can't be computed in the middle of a run is a handoff: the world lacks it, or the program is wrong.
impl From<Reject> for Handoff {
    fn from(reject: Reject) -> Handoff {
        match reject {
            Reject::NoReading | Reject::UnsetResult => Handoff::Missing,
            _ => Handoff::Program,
        }
    }
}

fn bit(call: u8) -> u32 {
    1_u32.checked_shl(u32::from(call)).unwrap_or(0)
}
