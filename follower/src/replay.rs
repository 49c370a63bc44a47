//! The only executor. A [`Follower`] walks a program: it computes a step's arguments, offers one command at a time to the gate, waits
//! for the acknowledgement *and* for the device's own state to meet the postcondition, then goes on.
//!
//! ```text
//! Begin ── Output::Command ──> Offered ── Input::Sent ──> Sent ── Input::Acknowledged ──> Acting ── state meets postcondition ──> Begin
//!                                 │ Input::Refused          │ Input::Failed, no ack          │ Input::Failed, timeout, wrong state
//!                                 └─────────────────────────┴────────── retry, skip, stop or hand off ─────────────────────────────┘
//! ```
//!
//! Time and state are passed in; the program is borrowed, so it can live in flash. No allocation, no recursion, and every call does a
//! bounded amount of work. It must not know models, messages, Markdown or policy.

use crate::error::{Handoff, Reject};
use crate::program::{ARGUMENTS_MAX, CALLS_MAX, OnError, Program, Range, SLOTS_MAX, Split, Step, evaluate};
use crate::state::{Readings, Seen};
use crate::value::{Digest, Point, Symbol, Value, distance};
use heapless::{Deque, Vec};
use serde::{Deserialize, Serialize};

/// Milliseconds on a clock that never goes back. The caller owns the clock.
pub type Millis = u64;

/// How long a command may stay unacknowledged, in milliseconds. Resending within it is the link's business.
pub const ACK_MS_MAX: Millis = 3_000;
/// How long a finished device's reports may still differ from the postcondition, in milliseconds.
pub const SETTLE_MS: Millis = 600;
/// How close a device must come to the end of a leg that is not the last, in micrometres.
pub const LEG_TOLERANCE: i64 = 20_000;
/// Legs that one step may be cut into.
pub const LEGS_MAX: i64 = 256;

/// Arguments with their parameters' names.
pub type Arguments = Vec<(Symbol, Value), ARGUMENTS_MAX>;

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
    /// The device accepted the command.
    Acknowledged,
    /// The device reported its state; the readings passed along are the new ones.
    State(Progress),
    /// The device rejected the command or reported that it failed.
    Failed,
    /// The device went away.
    Lost,
    /// A person or the gate ends the run.
    Stop,
    /// Nothing but time.
    Tick,
}

/// How a step's or call's success was seen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Observed {
    /// The device's state meets the postcondition.
    Met,
    /// The step only reads.
    Read,
    /// The program says to go on without it.
    Skipped,
    /// Acknowledged, but nothing can be read back.
    Unverified,
}

/// What the follower asks for or reports.
#[expect(clippy::large_enum_variant, reason = "there is no allocator to box a command with")]
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the fields are named for what they hold")]
pub enum Output {
    /// Send this to the device, if the gate allows it; answer with [`Input::Sent`] or [`Input::Refused`].
    Command(Offer),
    /// A step has succeeded.
    StepDone { step: u8, call: u8, observed: Observed },
    /// The last step of a call has succeeded.
    CallDone { call: u8, observed: Observed },
    /// Every call is done. The digest covers calls with their arguments, and nothing of time or transport.
    Finished { observed: Observed, digest: u64 },
    /// The world is not as this step needs it.
    Handoff { step: u8, call: u8, why: Handoff },
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
    /// Where the device will be afterwards; `None` where the command moves nothing.
    pub target: Option<Point>,
}

/// What a follower looks at, passed with every call.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// The program that is followed.
    pub program: &'a Program,
    /// What the devices report now.
    pub readings: &'a Readings,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Begin,
    Offered,
    Sent { since: Millis },
    Acting { since: Millis, finished: Option<Millis> },
    Over,
}

/// The motion of the current step, cut into legs.
#[derive(Clone, Copy, Debug, Default)]
struct Legs {
    next: i64,
    count: i64,
    path: Option<(Point, Point)>,
}

/// Walks one program once.
#[derive(Debug)]
pub struct Follower {
    phase: Phase,
    step: usize,
    attempts: u8,
    legs: Legs,
    target: Option<Point>,
    slots: Vec<Value, SLOTS_MAX>,
    arguments: Arguments,
    before: Readings,
    observed: [Option<Observed>; CALLS_MAX],
    digest: Digest,
    outputs: Deque<Output, 4>,
}

impl Follower {
    /// A follower at the first step.
    ///
    /// # Errors
    /// [`Reject::OutOfRange`] for a program that points outside itself, [`Reject::UnboundSlot`] where a slot has no value.
    pub fn new(program: &Program, slots: &[Value]) -> Result<Follower, Reject> {
        program.check()?;
        if slots.len() != usize::from(program.slots) {
            return Err(Reject::UnboundSlot);
        }
        Ok(Follower {
            phase: Phase::Begin,
            step: 0,
            attempts: 0,
            legs: Legs::default(),
            target: None,
            slots: Vec::from_slice(slots).map_err(|_| Reject::OutOfRange)?,
            arguments: Vec::new(),
            before: Readings::default(),
            observed: [None; CALLS_MAX],
            digest: Digest::default(),
            outputs: Deque::new(),
        })
    }

    /// Takes one input at a time `now`; outputs are drained with [`Follower::poll`].
    pub fn handle(&mut self, world: World<'_>, now: Millis, input: Input) {
        match (self.phase, input) {
            (Phase::Over, _) => {}
            (_, Input::Stop) => self.stop(world),
            (_, Input::Lost) => self.fail(world, Handoff::Lost),
            (Phase::Offered, Input::Sent) => self.phase = Phase::Sent { since: now },
            (Phase::Offered, Input::Refused) => self.hand_off(world, Handoff::Refused),
            (Phase::Sent { .. }, Input::Acknowledged) => {
                self.phase = Phase::Acting {
                    since: now,
                    finished: None,
                }
            }
            (Phase::Sent { .. } | Phase::Acting { .. }, Input::Failed) => self.fail(world, Handoff::DeviceFailed),
            (Phase::Sent { since }, Input::Tick) if now.saturating_sub(since) > ACK_MS_MAX => {
                self.fail(world, Handoff::NoAck);
            }
            (Phase::Acting { since, finished }, Input::State(progress)) => {
                self.observe(world, now, since, finished, progress);
            }
            (Phase::Acting { since, finished }, Input::Tick) => self.check_time(world, now, since, finished),
            _ => {}
        }
    }

    /// The next output, or `None` until the next input.
    pub fn poll(&mut self, world: World<'_>) -> Option<Output> {
        // Each round either queues an output or moves on by a step, so this ends.
        while self.outputs.is_empty() && self.phase == Phase::Begin {
            self.begin(world);
        }
        self.outputs.pop_front()
    }

    /// Index of the step at hand; the number of steps when all are done.
    #[must_use]
    pub fn step(&self) -> usize {
        self.step
    }

    /// Whether nothing will happen any more once the outputs are drained.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    fn begin(&mut self, world: World<'_>) {
        let Some(step) = world.program.steps.get(self.step) else {
            return self.finish(world);
        };
        if self.legs.next == 0
            && let Err(why) = self.prepare(world, step)
        {
            return self.hand_off(world, why);
        }
        if !step.acts {
            return self.succeed(world, Observed::Read);
        }
        match self.offer(world, step) {
            Ok(offer) => {
                self.target = offer.target;
                self.phase = Phase::Offered;
                self.queue(Output::Command(offer));
            }
            Err(reject) => self.hand_off(world, handoff_of(reject)),
        }
    }

    /// Freezes the state before the step, checks the precondition, computes arguments and legs.
    fn prepare(&mut self, world: World<'_>, step: &Step) -> Result<(), Handoff> {
        self.before = world.readings.clone();
        self.arguments.clear();
        for (parameter, range) in &step.arguments {
            let value = self.compute(world, step, *range).map_err(handoff_of)?;
            self.arguments.push((*parameter, value)).map_err(|_| Handoff::Program)?;
        }
        if !step.require.is_empty() && !self.holds(world, step, step.require).map_err(handoff_of)? {
            return Err(Handoff::Precondition);
        }
        self.legs = Legs {
            next: 0,
            count: 1,
            path: None,
        };
        if step.target.is_empty() {
            return Ok(());
        }
        let Value::Point(end) = self.compute(world, step, step.target).map_err(handoff_of)? else {
            return Err(Handoff::Program);
        };
        let start = world.readings.position(step.device).ok_or(Handoff::Missing)?;
        let length = distance(start, end).ok_or(Handoff::Program)?;
        if step.split != Split::Never && step.leg_max > 0 {
            self.legs.count = length.saturating_add(step.leg_max - 1) / step.leg_max;
        }
        self.legs.count = self.legs.count.clamp(1, LEGS_MAX);
        self.legs.path = Some((start, end));
        Ok(())
    }

    /// The command of the next leg. A leg is a proportion of the whole, so that rounding never adds up.
    fn offer(&self, world: World<'_>, step: &Step) -> Result<Offer, Reject> {
        let mut arguments = self.arguments.clone();
        let (leg, count) = (self.legs.next, self.legs.count);
        let part = |whole: i64, k: i64| whole_part(whole, k, count);
        let target = match self.legs.path {
            None => None,
            Some((_, end)) if count == 1 => Some(end),
            Some((start, end)) => {
                let point: Point = core::array::from_fn(|axis| {
                    start[axis].saturating_add(part(end[axis].saturating_sub(start[axis]), leg + 1))
                });
                match step.split {
                    Split::Toward(index) => set(&mut arguments, index, |_| Ok(Value::Point(point)))?,
                    Split::Along(index) => set(&mut arguments, index, |value| match value {
                        Value::Number(whole) => Ok(Value::Number(part(whole, leg + 1) - part(whole, leg))),
                        _ => Err(Reject::Type),
                    })?,
                    Split::Never => {}
                }
                Some(point)
            }
        };
        debug_assert!(world.program.steps.len() > self.step, "an offer belongs to a step");
        Ok(Offer {
            step: index(self.step),
            leg: u16::try_from(leg).unwrap_or(u16::MAX),
            legs: u16::try_from(count).unwrap_or(u16::MAX),
            device: step.device,
            tool: step.tool,
            arguments,
            target,
        })
    }

    fn observe(&mut self, world: World<'_>, now: Millis, since: Millis, finished: Option<Millis>, progress: Progress) {
        let Some(step) = world.program.steps.get(self.step) else {
            return;
        };
        let through = progress != Progress::Busy;
        if self.legs.next + 1 < self.legs.count {
            let near = self.leg_is_reached(world, step);
            if through && near {
                self.legs.next += 1;
                self.phase = Phase::Begin;
                return;
            }
        } else if step.ensure.is_empty() {
            if through {
                return self.succeed(world, Observed::Unverified);
            }
        } else if through && self.holds(world, step, step.ensure) == Ok(true) {
            return self.succeed(world, Observed::Met);
        }
        if progress == Progress::Finished && finished.is_none() {
            self.phase = Phase::Acting {
                since,
                finished: Some(now),
            };
        }
        self.check_time(world, now, since, finished);
    }

    fn leg_is_reached(&self, world: World<'_>, step: &Step) -> bool {
        match (world.readings.position(step.device), self.target) {
            (Some(at), Some(target)) => distance(at, target).is_some_and(|gap| gap <= LEG_TOLERANCE),
            _ => false,
        }
    }

    fn check_time(&mut self, world: World<'_>, now: Millis, since: Millis, finished: Option<Millis>) {
        let Some(step) = world.program.steps.get(self.step) else {
            return;
        };
        if finished.is_some_and(|at| now.saturating_sub(at) > SETTLE_MS) {
            self.fail(world, Handoff::Postcondition);
        } else if now.saturating_sub(since) > Millis::from(step.timeout_ms) {
            self.fail(world, Handoff::Timeout);
        }
    }

    fn succeed(&mut self, world: World<'_>, observed: Observed) {
        let Some(step) = world.program.steps.get(self.step) else {
            return;
        };
        let call = step.call;
        // A call is as well observed as its weakest acting step.
        if let Some(slot) = self.observed.get_mut(usize::from(call)) {
            *slot = Some(slot.map_or(observed, |before| weaker(before, observed)));
        }
        self.queue(Output::StepDone {
            step: index(self.step),
            call,
            observed,
        });
        let last = world
            .program
            .steps
            .get(self.step + 1)
            .is_none_or(|next| next.call != call);
        self.step += 1;
        self.attempts = 0;
        self.legs = Legs::default();
        self.phase = Phase::Begin;
        if last {
            self.close_call(world, call);
        }
    }

    /// Checks what the whole call promised and adds it to the digest.
    fn close_call(&mut self, world: World<'_>, index: u8) {
        let Some(call) = world.program.calls.get(usize::from(index)) else {
            return;
        };
        let mut observed = self.observed[usize::from(index)].unwrap_or(Observed::Unverified);
        self.digest.write(&call.device.0.to_le_bytes());
        self.digest.write(&call.tool.0.to_le_bytes());
        let mut values: Vec<Value, ARGUMENTS_MAX> = Vec::new();
        for (parameter, range) in &call.arguments {
            let seen = Seen {
                device: call.device,
                now: world.readings,
                before: world.readings,
            };
            let Ok(value) = evaluate(world.program, *range, &[], &self.slots, &seen) else {
                self.step -= 1;
                return self.hand_off(world, Handoff::Program);
            };
            self.digest.write(&parameter.0.to_le_bytes());
            let digest = &mut self.digest;
            value.bytes(|bytes| digest.write(bytes));
            // As many values as arguments, and both have the same capacity.
            let _ = values.push(value);
        }
        if !call.ensure.is_empty() && observed != Observed::Skipped {
            let seen = Seen {
                device: call.device,
                now: world.readings,
                before: world.readings,
            };
            if evaluate(world.program, call.ensure, &values, &self.slots, &seen) != Ok(Value::Bool(true)) {
                self.step -= 1;
                return self.hand_off(world, Handoff::Postcondition);
            }
            observed = Observed::Met;
            self.observed[usize::from(index)] = Some(observed);
        }
        self.queue(Output::CallDone { call: index, observed });
    }

    fn fail(&mut self, world: World<'_>, why: Handoff) {
        let Some(step) = world.program.steps.get(self.step) else {
            return;
        };
        match step.on_error {
            OnError::Retry(times) if self.attempts < times && why != Handoff::Lost => {
                self.attempts += 1;
                self.legs = Legs::default();
                self.phase = Phase::Begin;
            }
            OnError::Skip if why != Handoff::Lost => self.succeed(world, Observed::Skipped),
            OnError::Stop => self.stop(world),
            _ => self.hand_off(world, why),
        }
    }

    fn hand_off(&mut self, world: World<'_>, why: Handoff) {
        self.phase = Phase::Over;
        self.queue(Output::Handoff {
            step: index(self.step),
            call: self.call(world),
            why,
        });
    }

    fn stop(&mut self, world: World<'_>) {
        self.phase = Phase::Over;
        self.queue(Output::Stopped {
            step: index(self.step),
            call: self.call(world),
        });
    }

    fn finish(&mut self, world: World<'_>) {
        self.phase = Phase::Over;
        let calls = &self.observed[..world.program.calls.len().min(CALLS_MAX)];
        let observed = calls.iter().flatten().copied().fold(Observed::Met, weaker);
        self.queue(Output::Finished {
            observed,
            digest: self.digest.finish(),
        });
    }

    fn call(&self, world: World<'_>) -> u8 {
        world.program.steps.get(self.step).map_or(0, |step| step.call)
    }

    fn compute(&self, world: World<'_>, step: &Step, range: Range) -> Result<Value, Reject> {
        let values: Vec<Value, ARGUMENTS_MAX> = self.arguments.iter().map(|(_, value)| *value).collect();
        let seen = Seen {
            device: step.device,
            now: world.readings,
            before: &self.before,
        };
        evaluate(world.program, range, &values, &self.slots, &seen)
    }

    fn holds(&self, world: World<'_>, step: &Step, range: Range) -> Result<bool, Reject> {
        match self.compute(world, step, range)? {
            Value::Bool(truth) => Ok(truth),
            _ => Err(Reject::Type),
        }
    }

    fn queue(&mut self, output: Output) {
        let full = self.outputs.push_back(output).is_err();
        debug_assert!(
            !full,
            "a step queues at most three outputs, and begins only when all are drained"
        );
    }
}

fn index(step: usize) -> u8 {
    u8::try_from(step).unwrap_or(u8::MAX)
}

fn weaker(a: Observed, b: Observed) -> Observed {
    // A read says nothing about the world being changed, so it never weakens.
    match (a, b) {
        (Observed::Read, other) | (other, Observed::Read) => other,
        (a, b) => a.max(b),
    }
}

fn handoff_of(reject: Reject) -> Handoff {
    match reject {
        Reject::NoReading => Handoff::Missing,
        _ => Handoff::Program,
    }
}

fn whole_part(whole: i64, k: i64, of: i64) -> i64 {
    // |k| <= of, so the quotient is never larger than `whole`.
    i64::try_from(i128::from(whole) * i128::from(k) / i128::from(of)).unwrap_or(whole)
}

fn set(arguments: &mut Arguments, index: u8, with: impl Fn(Value) -> Result<Value, Reject>) -> Result<(), Reject> {
    let (_, value) = arguments.get_mut(usize::from(index)).ok_or(Reject::OutOfRange)?;
    *value = with(*value)?;
    Ok(())
}
