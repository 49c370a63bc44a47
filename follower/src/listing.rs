//! A program as it is read: entry by entry, by value, wherever it lies. The follower only ever looks at a program through a [`Listing`], so
//! that the same code follows a [`Program`] in a host's memory and the bytes in a microcontroller's flash
//! ([`InPlace`](crate::place::InPlace)).
//!
//! Every accessor is total: an entry that is not there is `None`. What a program must keep to be followed at all is checked here, once for both
//! kinds. This file must not know how a program is written down or executed.

use crate::code::{Op, Range};
use crate::error::Reject;
use crate::program::{
    ARGUMENTS_MAX, COMPENSATION_MAX, Call, Kind, OnError, Program, RESULTS_MAX, SLOTS_MAX, Split, Step,
};
use crate::value::{Symbol, Value};

/// How many entries a program's lists have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Slots that must be bound.
    pub slots: u8,
    /// Conditions before the first step.
    pub starts: u8,
    /// Logical calls.
    pub calls: u8,
    /// Steps, those that compensate included.
    pub steps: u8,
    /// How many of the last steps only compensate.
    pub compensating: u8,
    /// Operations in the pool.
    pub code: u16,
    /// Cases in the pool.
    pub cases: u16,
}

impl Counts {
    /// The steps that are carried out as long as nothing fails: the first ones.
    #[must_use]
    pub const fn main(self) -> usize {
        self.steps.saturating_sub(self.compensating) as usize
    }
}

/// A program that can be read entry by entry.
pub trait Listing {
    /// How many entries there are.
    fn counts(&self) -> Counts;

    /// A device whose state is checked before the first step, and what must hold of it.
    fn start(&self, index: usize) -> Option<(Symbol, Range)>;

    /// A logical call.
    fn call(&self, index: usize) -> Option<Call>;

    /// A step.
    fn step(&self, index: usize) -> Option<Step>;

    /// A stretch of the pool of operations, in order; `None` where it leaves the pool.
    fn code(&self, range: Range) -> Option<impl Iterator<Item = Op>>;

    /// A stretch of the pool of cases, in order; `None` where it leaves the pool.
    fn cases(&self, range: Range) -> Option<impl Iterator<Item = (Symbol, Value)>>;

    /// Whether this can be followed: [`check`], or nothing where that was done before.
    ///
    /// # Errors
    /// Those of [`check`].
    fn check(&self) -> Result<(), Reject>;

    /// One of the steps that are carried out as long as nothing fails.
    fn main_step(&self, index: usize) -> Option<Step> {
        if index < self.counts().main() {
            self.step(index)
        } else {
            None
        }
    }

    /// Whether every step, call and start condition is about this device, so that the device can follow the program alone.
    fn is_for(&self, device: Symbol) -> bool {
        let counts = self.counts();
        let same = |found: Option<Symbol>| found == Some(device);
        (0..usize::from(counts.steps)).all(|at| same(self.step(at).map(|step| step.device)))
            && (0..usize::from(counts.calls)).all(|at| same(self.call(at).map(|call| call.device)))
            && (0..usize::from(counts.starts)).all(|at| same(self.start(at).map(|(device, _)| device)))
    }
}

impl Listing for Program {
    fn counts(&self) -> Counts {
        // Every capacity is below the type's, so nothing is cut off.
        let byte = |count: usize| u8::try_from(count).unwrap_or(u8::MAX);
        let word = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
        Counts {
            slots: self.slots,
            starts: byte(self.start.len()),
            calls: byte(self.calls.len()),
            steps: byte(self.steps.len()),
            compensating: self.compensating,
            code: word(self.code.len()),
            cases: word(self.cases.len()),
        }
    }

    fn start(&self, index: usize) -> Option<(Symbol, Range)> {
        self.start.get(index).copied()
    }

    fn call(&self, index: usize) -> Option<Call> {
        self.calls.get(index).cloned()
    }

    fn step(&self, index: usize) -> Option<Step> {
        self.steps.get(index).cloned()
    }

    fn code(&self, range: Range) -> Option<impl Iterator<Item = Op>> {
        Some(self.code.get(range.indices())?.iter().copied())
    }

    fn cases(&self, range: Range) -> Option<impl Iterator<Item = (Symbol, Value)>> {
        Some(self.cases.get(range.indices())?.iter().copied())
    }

    fn check(&self) -> Result<(), Reject> {
        check(self)
    }
}

/// Checks that every index lies in its pool and that calls come in an order, so that execution can neither leave the program nor go round
/// in it.
///
/// # Errors
/// [`Reject::OutOfRange`] for an index outside its pool, [`Reject::Order`] for a call without a step, steps out of order, or a call that
/// depends on itself or a later one.
pub fn check(program: &impl Listing) -> Result<(), Reject> {
    let counts = program.counts();
    let calls = || (0..usize::from(counts.calls)).map(|at| program.call(at));
    let steps = || (0..usize::from(counts.steps)).map(|at| program.step(at));
    let whole = usize::from(counts.slots) <= SLOTS_MAX
        && counts.compensating <= counts.steps
        && code_is_inside(program, counts)
        && (0..usize::from(counts.starts)).all(|at| {
            let start = program.start(at);
            start.is_some_and(|(_, range)| is_inside(range, counts))
        })
        && calls()
            .all(|call| call.is_some_and(|call| are_inside(&call.arguments, counts) && is_inside(call.ensure, counts)))
        && steps().all(|step| step.is_some_and(|step| step_is_inside(&step, counts)));
    if !whole {
        return Err(Reject::OutOfRange);
    }
    let mut early = (0_u32..).zip(calls());
    let early = early.all(|(at, call)| call.is_some_and(|call| call.depends_on.checked_shr(at) == Some(0)));
    let mut main = steps().take(counts.main());
    let compensated = main.all(|step| step.is_some_and(|step| is_compensated_well(program, &step)));
    let undoing = steps().skip(counts.main()).flatten().all(|step| {
        step.keep.is_none() && matches!(step.on_error, OnError::Handoff | OnError::Retry(_) | OnError::Skip)
    });
    if early && compensated && undoing && has_steps_in_order(steps().take(counts.main()).flatten(), counts) {
        Ok(())
    } else {
        Err(Reject::Order)
    }
}

fn is_inside(range: Range, counts: Counts) -> bool {
    range.indices().end <= usize::from(counts.code)
}

fn are_inside(list: &[(Symbol, Range)], counts: Counts) -> bool {
    list.iter().all(|(_, range)| is_inside(*range, counts))
}

fn code_is_inside(program: &impl Listing, counts: Counts) -> bool {
    let all = Range {
        start: 0,
        len: counts.code,
    };
    program
        .code(all)
        .is_some_and(|mut code| code.all(|op| op_is_inside(op, counts)))
}

fn op_is_inside(op: Op, counts: Counts) -> bool {
    match op {
        Op::Map(cases) => cases.indices().end <= usize::from(counts.cases),
        Op::Slot(slot) => slot < counts.slots,
        Op::Result(register) => usize::from(register) < RESULTS_MAX,
        Op::Argument(index) => usize::from(index) < ARGUMENTS_MAX,
        _ => true,
    }
}

fn step_is_inside(step: &Step, counts: Counts) -> bool {
    let split = match step.split {
        Split::Never => true,
        Split::Toward(index) | Split::Along(index) => usize::from(index) < step.arguments.len(),
    };
    let pause = match step.kind {
        Kind::Pause(duration) => is_inside(duration, counts),
        Kind::Read | Kind::Command | Kind::Until => true,
    };
    let compensation = match step.on_error {
        OnError::Compensate(steps) => {
            steps.indices().start >= counts.main() && steps.indices().end <= usize::from(counts.steps)
        }
        _ => true,
    };
    let keep = step
        .keep
        .is_none_or(|(register, range)| usize::from(register) < RESULTS_MAX && is_inside(range, counts));
    let code = [step.require, step.ensure, step.target];
    step.call < counts.calls
        && are_inside(&step.arguments, counts)
        && code.iter().all(|range| is_inside(*range, counts))
        && (split && pause && compensation && keep)
}

/// A compensation is short and acts for the call that failed, so that its commands have a call to answer for at the gate.
fn is_compensated_well(program: &impl Listing, step: &Step) -> bool {
    let OnError::Compensate(range) = step.on_error else {
        return true;
    };
    let mut steps = range.indices().map(|at| program.step(at));
    (1..=COMPENSATION_MAX).contains(&usize::from(range.len))
        && steps.all(|other| other.is_some_and(|other| other.call == step.call))
}

/// Every call has steps, and no step belongs to an earlier call than the step before it.
fn has_steps_in_order(main: impl Iterator<Item = Step>, counts: Counts) -> bool {
    let mut open = 0; // Calls that have begun.
    for step in main {
        match usize::from(step.call) {
            call if call == open => open += 1,
            call if call + 1 == open => {}
            _ => return false,
        }
    }
    open == usize::from(counts.calls)
}
