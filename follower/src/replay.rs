//! The only executor. A [`Follower`] walks a program: it computes a step's arguments, offers one command at a time to the gate, waits
//! for the acknowledgement *and* for the device's own state to meet the postcondition, then goes on.
//!
//! ```text
//! Begin ── Output::Command ──> Offered ── Input::Sent ──> Sent ── Input::Acknowledged ──> Acting ── state meets postcondition ──> Begin
//!   │                             │ Input::Refused          │ Input::Failed, no ack          │ Input::Failed, timeout, wrong state
//!   └─ Waiting ──> Begin          └─────────────────────────┴────── retry, skip, stop, compensate or hand off ─────────────────────┘
//! ```
//!
//! A step that fails and has a compensation is followed by its compensating steps, through the same states and the same gate; then the
//! run hands off from the step that failed. After every completed step [`Follower::checkpoint`] is what a later run needs to go on.
//!
//! Time and state are passed in; the program is read entry by entry, so it can stay in flash. No allocation, no recursion, and every call does a
//! bounded amount of work. It must not know models, messages, Markdown or policy.

use crate::checkpoint::{Checkpoint, Observed, Seen};
use crate::code::{Range, Scope, evaluate};
use crate::envelope::Route;
use crate::error::{Handoff, Reject};
use crate::leg::{Arguments, Legs};
use crate::listing::Listing;
use crate::program::{ARGUMENTS_MAX, Kind, OnError, Split, Step};
use crate::state::{READINGS_MAX, Reading, Table, find, position_of};
use crate::value::{Point, Value};
use heapless::{Deque, Vec};

pub use crate::exchange::{Compensation, Input, Millis, Offer, Output, Progress, World};

/// How long a command may stay unacknowledged, in milliseconds. Resending within it is the link's business.
pub const ACK_MS_MAX: Millis = 3_000;
/// How long a finished device's reports may still differ from the postcondition, in milliseconds.
pub const SETTLE_MS: Millis = 600;
/// Outputs that may wait to be drained.
const EVENTS_MAX: usize = 4;

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Before the first step.
    Start,
    /// Before a step or a leg.
    Begin,
    Offered,
    Sent {
        since: Millis,
    },
    Acting {
        since: Millis,
        finished: Option<Millis>,
    },
    /// Without a command, until the pause is over or, where there is none, the postcondition holds. A wait that begins before the first
    /// input counts from that input.
    Waiting {
        since: Option<Millis>,
        pause_ms: Option<Millis>,
    },
    Over,
}

/// A step that failed, while it is compensated.
#[derive(Clone, Copy, Debug)]
struct Failure {
    why: Handoff,
    /// The compensating step at hand.
    next: usize,
    /// The one after the last.
    end: usize,
}

/// An output that waits: as little as it takes to make one.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// The command of the leg at hand is to be offered.
    Offered,
    StepDone {
        step: u8,
        call: u8,
        observed: Observed,
    },
    CallDone {
        call: u8,
        observed: Observed,
    },
    /// All is done. What was observed and the digest are in the checkpoint, and stay as they are.
    Finished,
    Handoff {
        step: u8,
        call: u8,
        why: Handoff,
        compensation: Compensation,
    },
    Stopped {
        step: u8,
        call: u8,
    },
}

/// A follower on the host.
pub type Follower = Walker<READINGS_MAX>;

/// Walks one program once. It has room for so many readings: those from before the step at hand.
#[derive(Debug)]
pub struct Walker<const N: usize> {
    kept: Checkpoint,
    failure: Option<Failure>,
    phase: Phase,
    attempts: u8,
    legs: Legs,
    arguments: Arguments,
    before: Table<N>,
    now: Option<Millis>,
    events: Deque<Event, EVENTS_MAX>,
}

impl<const N: usize> Walker<N> {
    /// A follower at the first step.
    ///
    /// # Errors
    /// Those of [`Follower::resume`].
    pub fn new<L: Listing>(program: &L, slots: &[Value]) -> Result<Walker<N>, Reject> {
        let slots = Vec::from_slice(slots).map_err(|_| Reject::UnboundSlot)?;
        let checkpoint = Checkpoint {
            slots,
            ..Checkpoint::default()
        };
        Walker::resume(program, checkpoint)
    }

    /// A follower that goes on where another stopped. A step that had begun is begun anew: whoever resumes must know that its command did
    /// not take effect, or that doing it twice does no harm. The start state is only checked at step 0.
    ///
    /// # Errors
    /// Those of [`Listing::check`], [`Reject::OutOfRange`] for a checkpoint behind the last step, [`Reject::UnboundSlot`] where a slot has
    /// no value.
    pub fn resume<L: Listing>(program: &L, checkpoint: Checkpoint) -> Result<Walker<N>, Reject> {
        program.check()?;
        if usize::from(checkpoint.step) > program.counts().main() {
            return Err(Reject::OutOfRange);
        }
        if checkpoint.slots.len() != usize::from(program.counts().slots) {
            return Err(Reject::UnboundSlot);
        }
        Ok(Walker {
            phase: if checkpoint.step == 0 {
                Phase::Start
            } else {
                Phase::Begin
            },
            kept: checkpoint,
            failure: None,
            attempts: 0,
            legs: Legs::ONE,
            arguments: Vec::new(),
            before: Table::new(),
            now: None,
            events: Deque::new(),
        })
    }

    /// A follower that goes on where another had sent the command of a leg: what the devices report from now on decides whether that had its
    /// effect. `before` is what they reported when the step began.
    ///
    /// # Errors
    /// Those of [`Follower::resume`]; [`Reject::OutOfRange`] where there is no such step or leg, [`Reject::NoReading`] where the step could not
    /// have begun with `before`.
    pub fn resume_sent<L: Listing>(
        program: &L,
        checkpoint: Checkpoint,
        before: &[Reading],
        leg: u16,
        now: Millis,
    ) -> Result<Walker<N>, Reject> {
        let mut follower = Walker::resume(program, checkpoint)?;
        let world = World {
            program,
            readings: before,
        };
        let step = follower.current(world).filter(|step| step.kind == Kind::Command);
        let step = step.ok_or(Reject::OutOfRange)?;
        follower.prepare(world, &step).map_err(|_| Reject::NoReading)?;
        follower.legs.next = i64::from(leg);
        if follower.legs.next >= follower.legs.count {
            return Err(Reject::OutOfRange);
        }
        follower.phase = Phase::Acting {
            since: now,
            finished: None,
        };
        Ok(follower)
    }

    /// Takes one input at a time `now`; outputs are drained with [`Follower::poll`].
    pub fn handle<L: Listing>(&mut self, world: World<'_, L>, now: Millis, input: Input) {
        self.now = Some(now);
        match (self.phase, input) {
            (Phase::Over, _) => {}
            (_, Input::Stop) => self.stop(world),
            (_, Input::Lost) => self.fail(world, Handoff::Lost),
            (Phase::Offered, Input::Sent) => self.phase = Phase::Sent { since: now },
            (Phase::Offered, Input::Refused) => self.give_up(world, Handoff::Refused),
            (Phase::Offered | Phase::Sent { .. } | Phase::Acting { .. }, Input::Again) => {
                self.legs.interrupted = true;
                self.phase = Phase::Begin;
            }
            (Phase::Offered, Input::Detour(route)) => self.lead_around(world, route),
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
            (Phase::Waiting { since, pause_ms }, Input::State(_) | Input::Tick) => {
                self.wait(world, now, since.unwrap_or(now), pause_ms);
            }
            _ => {}
        }
    }

    fn reach_output<L: Listing>(&mut self, world: World<'_, L>) {
        // Each round queues an output or waits for an input, so this ends.
        while self.events.is_empty() && matches!(self.phase, Phase::Start | Phase::Begin) {
            self.begin(world);
        }
    }

    /// Whether the next output is a command. Until it is polled it is not computed, so whoever has to wait with it does so here.
    pub fn offers<L: Listing>(&mut self, world: World<'_, L>) -> bool {
        self.reach_output(world);
        matches!(self.events.front(), Some(Event::Offered))
    }

    /// The next output, or `None` until the next input.
    pub fn poll<L: Listing>(&mut self, world: World<'_, L>) -> Option<Output> {
        loop {
            self.reach_output(world);
            let output = match self.events.pop_front()? {
                Event::Offered => match self.offer(world) {
                    Ok(offer) => Output::Command(offer),
                    // The step has failed, which is an output or the beginning of another step.
                    Err(reject) => {
                        self.fail(world, reject.into());
                        continue;
                    }
                },
                Event::StepDone { step, call, observed } => Output::StepDone { step, call, observed },
                Event::CallDone { call, observed } => Output::CallDone { call, observed },
                Event::Finished => self.finished(world),
                Event::Handoff {
                    step,
                    call,
                    why,
                    compensation,
                } => Output::Handoff {
                    step,
                    call,
                    why,
                    compensation,
                },
                Event::Stopped { step, call } => Output::Stopped { step, call },
            };
            return Some(output);
        }
    }

    /// Index of the step at hand; the number of the main steps when all are done.
    #[must_use]
    pub fn step(&self) -> usize {
        self.failure.map_or(usize::from(self.kept.step), |failure| failure.next)
    }

    /// What a later run needs to go on after the last completed step.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.kept
    }

    /// Whether a command is under way.
    #[must_use]
    pub fn has_sent(&self) -> bool {
        matches!(self.phase, Phase::Sent { .. } | Phase::Acting { .. })
    }

    /// What the devices reported when the step at hand began.
    #[must_use]
    pub fn before(&self) -> &[Reading] {
        &self.before
    }

    /// Index of the leg at hand, from 0.
    #[must_use]
    pub fn leg(&self) -> u16 {
        u16::try_from(self.legs.next).unwrap_or(u16::MAX)
    }

    /// Where the motion of the step at hand ends, its last leg included; `None` where it moves nothing.
    #[must_use]
    pub fn end(&self) -> Option<Point> {
        self.legs.end()
    }

    /// Whether the devices report the effect of the command that is under way: the end of its leg, or what the step promises.
    #[must_use]
    pub fn shows_effect<L: Listing>(&self, world: World<'_, L>) -> bool {
        let Some(step) = self.current(world).filter(|_| self.has_sent()) else {
            return false;
        };
        if self.legs.is_last() {
            return !step.ensure.is_empty() && self.holds(world, &step, step.ensure) == Ok(true);
        }
        self.legs.is_reached(position_of(world.readings, step.device))
    }

    /// Whether nothing has changed, since the step at hand began, of what its success would show in. Only ever true before the second leg.
    #[must_use]
    pub fn is_untouched<L: Listing>(&self, world: World<'_, L>) -> bool {
        let Some(step) = self.current(world).filter(|_| self.legs.next == 0) else {
            return false;
        };
        let looks_at = |reading: &&Reading| {
            let mut code = world.program.code(step.ensure).into_iter().flatten();
            reading.device == step.device && code.any(|op| op.field() == Some(reading.field))
        };
        let mut seen = self.before.iter().filter(looks_at).peekable();
        let now = |reading: &Reading| find(world.readings, reading.device, reading.owner, reading.field);
        seen.peek().is_some() && seen.all(|reading| now(reading) == Some(reading.value))
    }

    /// Whether nothing will happen any more once the outputs are drained.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    #[cfg_attr(target_pointer_width = "32", inline(never))]
    fn begin<L: Listing>(&mut self, world: World<'_, L>) {
        if matches!(self.phase, Phase::Start) {
            self.phase = Phase::Begin;
            if let Err(why) = self.check_start(world) {
                return self.hand_off(world, why, Compensation::None);
            }
        }
        let Some(step) = self.current(world) else {
            self.phase = Phase::Over;
            return self.queue(Event::Finished);
        };
        if self.failure.is_none() && self.kept.skips_step(world.program, &step) {
            return self.succeed(world, Observed::Skipped);
        }
        if self.legs.next == 0
            && let Err(why) = self.prepare(world, &step)
        {
            return self.fail(world, why);
        }
        match step.kind {
            Kind::Read => self.succeed(world, Observed::Read),
            Kind::Command => {
                self.phase = Phase::Offered;
                self.queue(Event::Offered);
            }
            Kind::Until => self.begin_wait(world, None),
            Kind::Pause(duration) => match self.pause_ms(world, &step, duration) {
                Ok(pause_ms) => self.begin_wait(world, Some(pause_ms)),
                Err(why) => self.fail(world, why),
            },
        }
    }

    fn check_start<L: Listing>(&self, world: World<'_, L>) -> Result<(), Handoff> {
        for at in 0..usize::from(world.program.counts().starts) {
            let (device, range) = world.program.start(at).ok_or(Handoff::Program)?;
            let scope = Scope {
                slots: &self.kept.slots,
                ..Scope::of(device, world.readings)
            };
            match evaluate(world.program, range, &scope)? {
                Value::Bool(true) => {}
                Value::Bool(false) => return Err(Handoff::StartState),
                _ => return Err(Handoff::Program),
            }
        }
        Ok(())
    }

    /// Freezes the state before the step, computes arguments, checks the precondition, cuts the motion.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    fn prepare<L: Listing>(&mut self, world: World<'_, L>, step: &Step) -> Result<(), Handoff> {
        self.before.copy_from(world.readings).map_err(|_| Handoff::Missing)?;
        self.arguments.clear();
        for (parameter, range) in &step.arguments {
            let value = self.compute(world, step, *range)?;
            self.arguments.push((*parameter, value)).map_err(|_| Handoff::Program)?;
        }
        if !step.require.is_empty() && !self.holds(world, step, step.require)? {
            return Err(Handoff::Precondition);
        }
        self.legs = Legs::ONE;
        if !step.target.is_empty() {
            let Value::Point(end) = self.compute(world, step, step.target)? else {
                return Err(Handoff::Program);
            };
            let start = position_of(world.readings, step.device).ok_or(Handoff::Missing)?;
            self.legs = Legs::cut(step, start, end).ok_or(Handoff::Program)?;
        }
        Ok(())
    }

    /// The command of the next leg.
    #[cfg_attr(target_pointer_width = "32", inline(never))]
    fn offer<L: Listing>(&self, world: World<'_, L>) -> Result<Offer, Reject> {
        let step = self.current(world).ok_or(Reject::OutOfRange)?;
        Ok(Offer {
            step: index(self.step()),
            leg: u16::try_from(self.legs.next).unwrap_or(u16::MAX),
            legs: u16::try_from(self.legs.count).unwrap_or(u16::MAX),
            device: step.device,
            tool: step.tool,
            arguments: self.legs.arguments(step.split, &self.arguments)?,
            start: self.legs.start(),
            target: self.legs.target(),
            end: self.legs.end().filter(|_| self.may_detour(&step)),
        })
    }

    /// Only a way to a point can be led around; a way along a direction can't, and none is led around twice.
    fn may_detour(&self, step: &Step) -> bool {
        matches!(step.split, Split::Toward(_)) && !self.legs.is_detour()
    }

    /// Goes on with the legs of a way around, from where the device is.
    fn lead_around<L: Listing>(&mut self, world: World<'_, L>, route: Route) {
        let Some(step) = self.current(world) else { return };
        let at = position_of(world.readings, step.device);
        let end = self.legs.end();
        let end = end.filter(|_| self.may_detour(&step) && !route.points().is_empty());
        let legs = at.zip(end).and_then(|(at, end)| Legs::cut_over(&step, at, route, end));
        let Some(legs) = legs else {
            return self.give_up(world, Handoff::Refused);
        };
        self.legs = legs;
        self.queue(Event::Offered);
    }

    /// How long a pause lasts, rounded up to milliseconds.
    fn pause_ms<L: Listing>(&self, world: World<'_, L>, step: &Step, duration: Range) -> Result<Millis, Handoff> {
        match self.compute(world, step, duration)? {
            Value::Number(micros) => match Millis::try_from(micros).map(|micros| micros.div_ceil(1_000)) {
                Ok(pause_ms) if pause_ms <= Millis::from(step.timeout_ms) => Ok(pause_ms),
                _ => Err(Handoff::Program),
            },
            _ => Err(Handoff::Program),
        }
    }

    fn begin_wait<L: Listing>(&mut self, world: World<'_, L>, pause_ms: Option<Millis>) {
        self.phase = Phase::Waiting {
            since: self.now,
            pause_ms,
        };
        if let Some(now) = self.now {
            self.wait(world, now, now, pause_ms);
        }
    }

    fn wait<L: Listing>(&mut self, world: World<'_, L>, now: Millis, since: Millis, pause_ms: Option<Millis>) {
        let Some(step) = self.current(world) else { return };
        let waited = now.saturating_sub(since);
        self.phase = Phase::Waiting {
            since: Some(since),
            pause_ms,
        };
        match pause_ms {
            Some(pause_ms) if waited >= pause_ms => self.succeed(world, Observed::Read),
            None if self.holds(world, &step, step.ensure) == Ok(true) => self.succeed(world, Observed::Met),
            None if waited > Millis::from(step.timeout_ms) => self.fail(world, Handoff::Timeout),
            Some(_) | None => {}
        }
    }

    fn observe<L: Listing>(
        &mut self,
        world: World<'_, L>,
        now: Millis,
        since: Millis,
        finished: Option<Millis>,
        progress: Progress,
    ) {
        let Some(step) = self.current(world) else { return };
        let through = progress != Progress::Busy;
        if !self.legs.is_last() {
            if through && self.legs.is_reached(position_of(world.readings, step.device)) {
                self.legs.next += 1;
                self.legs.interrupted = false;
                self.phase = Phase::Begin;
                return;
            }
        } else if step.ensure.is_empty() {
            if through {
                return self.succeed(world, Observed::Unverified);
            }
        } else if through && self.holds(world, &step, step.ensure) == Ok(true) {
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

    fn check_time<L: Listing>(&mut self, world: World<'_, L>, now: Millis, since: Millis, finished: Option<Millis>) {
        let Some(step) = self.current(world) else { return };
        if finished.is_some_and(|at| now.saturating_sub(at) > SETTLE_MS) {
            self.fail(world, Handoff::Postcondition);
        } else if now.saturating_sub(since) > Millis::from(step.timeout_ms) {
            self.fail(world, Handoff::Timeout);
        }
    }

    /// Goes on to the next step. A step has not succeeded while the call that it closes has not.
    fn succeed<L: Listing>(&mut self, world: World<'_, L>, observed: Observed) {
        let Some(step) = self.current(world) else { return };
        let done = Event::StepDone {
            step: index(self.step()),
            call: step.call,
            observed,
        };
        if self.failure.is_some() {
            self.queue(done);
            self.begin_next();
            return self.compensated(world);
        }
        let values = self.values();
        let seen = Seen {
            now: world.readings,
            before: &self.before,
            arguments: &values,
        };
        match self.kept.pass(world.program, &step, seen, observed) {
            Ok(closes) => {
                self.queue(done);
                self.begin_next();
                if closes {
                    let observed = self.kept.observed(step.call);
                    self.queue(Event::CallDone {
                        call: step.call,
                        observed,
                    });
                }
            }
            Err(why) => self.give_up(world, why),
        }
    }

    fn begin_next(&mut self) {
        self.attempts = 0;
        self.legs = Legs::ONE;
        self.phase = Phase::Begin;
    }

    /// Goes on to the next compensating step; after the last, the run is handed off.
    fn compensated<L: Listing>(&mut self, world: World<'_, L>) {
        let Some(failure) = self.failure.as_mut() else { return };
        failure.next += 1;
        if failure.next == failure.end {
            let why = failure.why;
            self.hand_off(world, why, Compensation::Done);
        }
    }

    /// Tries again or goes on without the step, where the program says so and the failure allows it.
    fn fail<L: Listing>(&mut self, world: World<'_, L>, why: Handoff) {
        let Some(step) = self.current(world) else { return };
        let tried = matches!(
            why,
            Handoff::Postcondition | Handoff::NoAck | Handoff::Timeout | Handoff::DeviceFailed
        );
        let unfit = matches!(why, Handoff::Precondition | Handoff::Missing);
        match step.on_error {
            OnError::Retry(times) if tried && self.attempts < times => {
                self.attempts += 1;
                self.legs = Legs::ONE;
                self.phase = Phase::Begin;
            }
            OnError::Skip if tried || unfit => self.succeed(world, Observed::Skipped),
            OnError::Stop if tried || unfit || why == Handoff::Lost => self.stop(world),
            _ => self.give_up(world, why),
        }
    }

    /// Compensates where the program says how and a device is there to do it; then, or else, hands off.
    fn give_up<L: Listing>(&mut self, world: World<'_, L>, why: Handoff) {
        if let Some(failure) = self.failure {
            let step = index(failure.next);
            return self.hand_off(world, failure.why, Compensation::Failed { step, why });
        }
        match self.current(world).map(|step| step.on_error) {
            Some(OnError::Compensate(steps)) if why != Handoff::Lost => {
                let core::ops::Range { start: next, end } = steps.indices();
                self.failure = Some(Failure { why, next, end });
                self.begin_next();
            }
            _ => self.hand_off(world, why, Compensation::None),
        }
    }

    fn hand_off<L: Listing>(&mut self, world: World<'_, L>, why: Handoff, compensation: Compensation) {
        self.phase = Phase::Over;
        self.failure = None;
        self.queue(Event::Handoff {
            step: self.kept.step,
            call: self.call(world),
            why,
            compensation,
        });
    }

    fn stop<L: Listing>(&mut self, world: World<'_, L>) {
        self.phase = Phase::Over;
        self.queue(Event::Stopped {
            step: index(self.step()),
            call: self.call(world),
        });
    }

    fn finished<L: Listing>(&self, world: World<'_, L>) -> Output {
        let calls = self
            .kept
            .observed
            .iter()
            .take(usize::from(world.program.counts().calls));
        Output::Finished {
            observed: calls.flatten().copied().fold(Observed::Met, Observed::and),
            digest: self.kept.digest.finish(),
        }
    }

    /// The step at hand: a main one, or one that compensates.
    fn current<L: Listing>(&self, world: World<'_, L>) -> Option<Step> {
        match self.failure {
            Some(failure) => world.program.step(failure.next),
            None => world.program.main_step(usize::from(self.kept.step)),
        }
    }

    fn call<L: Listing>(&self, world: World<'_, L>) -> u8 {
        self.current(world).map_or(0, |step| step.call)
    }

    fn values(&self) -> Vec<Value, ARGUMENTS_MAX> {
        let mut values = Vec::new();
        for (_, value) in &self.arguments {
            // As many values as arguments, and both have the same capacity.
            let _ = values.push(*value);
        }
        values
    }

    fn scope<'a, L: Listing>(&'a self, world: World<'a, L>, step: &Step, arguments: &'a [Value]) -> Scope<'a> {
        Scope {
            device: step.device,
            now: world.readings,
            before: &self.before,
            arguments,
            slots: &self.kept.slots,
            results: &self.kept.results,
        }
    }

    fn compute<L: Listing>(&self, world: World<'_, L>, step: &Step, range: Range) -> Result<Value, Reject> {
        evaluate(world.program, range, &self.scope(world, step, &self.values()))
    }

    fn holds<L: Listing>(&self, world: World<'_, L>, step: &Step, range: Range) -> Result<bool, Reject> {
        match self.compute(world, step, range)? {
            Value::Bool(truth) => Ok(truth),
            _ => Err(Reject::Type),
        }
    }

    fn queue(&mut self, event: Event) {
        let full = self.events.push_back(event).is_err();
        debug_assert!(
            !full,
            "a step queues at most two outputs, and begins only when all are drained"
        );
    }
}

fn index(step: usize) -> u8 {
    u8::try_from(step).unwrap_or(u8::MAX)
}
