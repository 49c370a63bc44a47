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
//! Time and state are passed in; the program is borrowed, so it can live in flash. No allocation, no recursion, and every call does a
//! bounded amount of work. It must not know models, messages, Markdown or policy.

use crate::checkpoint::{Checkpoint, Observed};
use crate::code::{Range, Scope, evaluate};
use crate::envelope::Route;
use crate::error::{Handoff, Reject};
use crate::leg::{Arguments, Legs};
use crate::program::{ARGUMENTS_MAX, Kind, OnError, Program, Split, Step};
use crate::state::{Reading, Readings};
use crate::value::{Point, Symbol, Value};
use heapless::{Deque, Vec};
use serde::{Deserialize, Serialize};

/// Milliseconds on a clock that never goes back. The caller owns the clock.
pub type Millis = u64;

/// How long a command may stay unacknowledged, in milliseconds. Resending within it is the link's business.
pub const ACK_MS_MAX: Millis = 3_000;
/// How long a finished device's reports may still differ from the postcondition, in milliseconds.
pub const SETTLE_MS: Millis = 600;

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
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// The program that is followed.
    pub program: &'a Program,
    /// What the devices report now.
    pub readings: &'a Readings,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
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

/// Walks one program once.
#[derive(Debug)]
pub struct Follower {
    kept: Checkpoint,
    failure: Option<Failure>,
    phase: Phase,
    attempts: u8,
    legs: Legs,
    arguments: Arguments,
    before: Readings,
    now: Option<Millis>,
    outputs: Deque<Output, 4>,
}

impl Follower {
    /// A follower at the first step.
    ///
    /// # Errors
    /// Those of [`Follower::resume`].
    pub fn new(program: &Program, slots: &[Value]) -> Result<Follower, Reject> {
        let slots = Vec::from_slice(slots).map_err(|_| Reject::UnboundSlot)?;
        let checkpoint = Checkpoint {
            slots,
            ..Checkpoint::default()
        };
        Follower::resume(program, checkpoint)
    }

    /// A follower that goes on where another stopped. A step that had begun is begun anew: whoever resumes must know that its command did
    /// not take effect, or that doing it twice does no harm. The start state is only checked at step 0.
    ///
    /// # Errors
    /// Those of [`Program::check`], [`Reject::OutOfRange`] for a checkpoint behind the last step, [`Reject::UnboundSlot`] where a slot has
    /// no value.
    pub fn resume(program: &Program, checkpoint: Checkpoint) -> Result<Follower, Reject> {
        program.check()?;
        if usize::from(checkpoint.step) > program.main().len() {
            return Err(Reject::OutOfRange);
        }
        if checkpoint.slots.len() != usize::from(program.slots) {
            return Err(Reject::UnboundSlot);
        }
        Ok(Follower {
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
            before: Readings::default(),
            now: None,
            outputs: Deque::new(),
        })
    }

    /// A follower that goes on where another had sent the command of a leg: what the devices report from now on decides whether that had its
    /// effect. `before` is what they reported when the step began.
    ///
    /// # Errors
    /// Those of [`Follower::resume`]; [`Reject::OutOfRange`] where there is no such step or leg, [`Reject::NoReading`] where the step could not
    /// have begun with `before`.
    pub fn resume_sent(
        program: &Program,
        checkpoint: Checkpoint,
        before: &Readings,
        leg: u16,
        now: Millis,
    ) -> Result<Follower, Reject> {
        let mut follower = Follower::resume(program, checkpoint)?;
        let world = World {
            program,
            readings: before,
        };
        let step = follower.current(world).filter(|step| step.kind == Kind::Command);
        let step = step.ok_or(Reject::OutOfRange)?;
        follower.prepare(world, step).map_err(|_| Reject::NoReading)?;
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
    pub fn handle(&mut self, world: World<'_>, now: Millis, input: Input) {
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

    /// The next output, or `None` until the next input.
    pub fn poll(&mut self, world: World<'_>) -> Option<Output> {
        // Each round queues an output or waits for an input, so this ends.
        while self.outputs.is_empty() && matches!(self.phase, Phase::Start | Phase::Begin) {
            self.begin(world);
        }
        self.outputs.pop_front()
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
    pub fn before(&self) -> &Readings {
        &self.before
    }

    /// Index of the leg at hand, from 0.
    #[must_use]
    pub fn leg(&self) -> u16 {
        u16::try_from(self.legs.next).unwrap_or(u16::MAX)
    }

    /// Whether the devices report the effect of the command that is under way: the end of its leg, or what the step promises.
    #[must_use]
    pub fn shows_effect(&self, world: World<'_>) -> bool {
        let Some(step) = self.current(world).filter(|_| self.has_sent()) else {
            return false;
        };
        if self.legs.is_last() {
            return !step.ensure.is_empty() && self.holds(world, step, step.ensure) == Ok(true);
        }
        self.legs.is_reached(world.readings.position(step.device))
    }

    /// Whether nothing has changed, since the step at hand began, of what its success would show in. Only ever true before the second leg.
    #[must_use]
    pub fn is_untouched(&self, world: World<'_>) -> bool {
        let Some(step) = self.current(world).filter(|_| self.legs.next == 0) else {
            return false;
        };
        let code = world.program.code.get(step.ensure.indices()).unwrap_or_default();
        let looks_at = |reading: &&Reading| {
            reading.device == step.device && code.iter().any(|op| op.field() == Some(reading.field))
        };
        let mut seen = self.before.iter().filter(looks_at).peekable();
        let now = |reading: &Reading| world.readings.get(reading.device, reading.owner, reading.field);
        seen.peek().is_some() && seen.all(|reading| now(reading) == Some(reading.value))
    }

    /// Whether nothing will happen any more once the outputs are drained.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    fn begin(&mut self, world: World<'_>) {
        if self.phase == Phase::Start {
            self.phase = Phase::Begin;
            if let Err(why) = self.check_start(world) {
                return self.hand_off(world, why, Compensation::None);
            }
        }
        let Some(step) = self.current(world) else {
            return self.finish(world);
        };
        if self.failure.is_none() && self.kept.skips_step(world.program, step) {
            return self.succeed(world, Observed::Skipped);
        }
        if self.legs.next == 0
            && let Err(why) = self.prepare(world, step)
        {
            return self.fail(world, why);
        }
        match step.kind {
            Kind::Read => self.succeed(world, Observed::Read),
            Kind::Command => match self.offer(step) {
                Ok(offer) => {
                    self.phase = Phase::Offered;
                    self.queue(Output::Command(offer));
                }
                Err(reject) => self.fail(world, reject.into()),
            },
            Kind::Until => self.begin_wait(world, None),
            Kind::Pause(duration) => match self.pause_ms(world, step, duration) {
                Ok(pause_ms) => self.begin_wait(world, Some(pause_ms)),
                Err(why) => self.fail(world, why),
            },
        }
    }

    fn check_start(&self, world: World<'_>) -> Result<(), Handoff> {
        for (device, range) in &world.program.start {
            let scope = Scope {
                slots: &self.kept.slots,
                ..Scope::of(*device, world.readings)
            };
            match evaluate(world.program, *range, &scope)? {
                Value::Bool(true) => {}
                Value::Bool(false) => return Err(Handoff::StartState),
                _ => return Err(Handoff::Program),
            }
        }
        Ok(())
    }

    /// Freezes the state before the step, computes arguments, checks the precondition, cuts the motion.
    fn prepare(&mut self, world: World<'_>, step: &Step) -> Result<(), Handoff> {
        self.before.copy_from(world.readings);
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
            let start = world.readings.position(step.device).ok_or(Handoff::Missing)?;
            self.legs = Legs::cut(step, start, end).ok_or(Handoff::Program)?;
        }
        Ok(())
    }

    /// The command of the next leg.
    fn offer(&self, step: &Step) -> Result<Offer, Reject> {
        Ok(Offer {
            step: index(self.step()),
            leg: u16::try_from(self.legs.next).unwrap_or(u16::MAX),
            legs: u16::try_from(self.legs.count).unwrap_or(u16::MAX),
            device: step.device,
            tool: step.tool,
            arguments: self.legs.arguments(step.split, &self.arguments)?,
            start: self.legs.start(),
            target: self.legs.target(),
            end: self.legs.end().filter(|_| self.may_detour(step)),
        })
    }

    /// Only a way to a point can be led around; a way along a direction can't, and none is led around twice.
    fn may_detour(&self, step: &Step) -> bool {
        matches!(step.split, Split::Toward(_)) && !self.legs.is_detour()
    }

    /// Goes on with the legs of a way around, from where the device is.
    fn lead_around(&mut self, world: World<'_>, route: Route) {
        let Some(step) = self.current(world) else { return };
        let at = world.readings.position(step.device);
        let end = self.legs.end();
        let end = end.filter(|_| self.may_detour(step) && !route.points().is_empty());
        let legs = at.zip(end).and_then(|(at, end)| Legs::cut_over(step, at, route, end));
        let Some(legs) = legs else {
            return self.give_up(world, Handoff::Refused);
        };
        self.legs = legs;
        match self.offer(step) {
            Ok(offer) => self.queue(Output::Command(offer)),
            Err(reject) => self.fail(world, reject.into()),
        }
    }

    /// How long a pause lasts, rounded up to milliseconds.
    fn pause_ms(&self, world: World<'_>, step: &Step, duration: Range) -> Result<Millis, Handoff> {
        match self.compute(world, step, duration)? {
            Value::Number(micros) => match Millis::try_from(micros).map(|micros| micros.div_ceil(1_000)) {
                Ok(pause_ms) if pause_ms <= Millis::from(step.timeout_ms) => Ok(pause_ms),
                _ => Err(Handoff::Program),
            },
            _ => Err(Handoff::Program),
        }
    }

    fn begin_wait(&mut self, world: World<'_>, pause_ms: Option<Millis>) {
        self.phase = Phase::Waiting {
            since: self.now,
            pause_ms,
        };
        if let Some(now) = self.now {
            self.wait(world, now, now, pause_ms);
        }
    }

    fn wait(&mut self, world: World<'_>, now: Millis, since: Millis, pause_ms: Option<Millis>) {
        let Some(step) = self.current(world) else { return };
        let waited = now.saturating_sub(since);
        self.phase = Phase::Waiting {
            since: Some(since),
            pause_ms,
        };
        match pause_ms {
            Some(pause_ms) if waited >= pause_ms => self.succeed(world, Observed::Read),
            None if self.holds(world, step, step.ensure) == Ok(true) => self.succeed(world, Observed::Met),
            None if waited > Millis::from(step.timeout_ms) => self.fail(world, Handoff::Timeout),
            Some(_) | None => {}
        }
    }

    fn observe(&mut self, world: World<'_>, now: Millis, since: Millis, finished: Option<Millis>, progress: Progress) {
        let Some(step) = self.current(world) else { return };
        let through = progress != Progress::Busy;
        if !self.legs.is_last() {
            if through && self.legs.is_reached(world.readings.position(step.device)) {
                self.legs.next += 1;
                self.legs.interrupted = false;
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

    fn check_time(&mut self, world: World<'_>, now: Millis, since: Millis, finished: Option<Millis>) {
        let Some(step) = self.current(world) else { return };
        if finished.is_some_and(|at| now.saturating_sub(at) > SETTLE_MS) {
            self.fail(world, Handoff::Postcondition);
        } else if now.saturating_sub(since) > Millis::from(step.timeout_ms) {
            self.fail(world, Handoff::Timeout);
        }
    }

    /// Goes on to the next step. A step has not succeeded while the call that it closes has not.
    fn succeed(&mut self, world: World<'_>, observed: Observed) {
        let Some(step) = self.current(world) else { return };
        let done = Output::StepDone {
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
        let scope = self.scope(world, step, &values);
        let after = self.kept.after(world.program, step, &scope, observed);
        match after {
            Ok((kept, closes)) => {
                self.kept = kept;
                self.queue(done);
                self.begin_next();
                if closes {
                    let observed = self.kept.observed(step.call);
                    self.queue(Output::CallDone {
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
    fn compensated(&mut self, world: World<'_>) {
        let Some(failure) = self.failure.as_mut() else { return };
        failure.next += 1;
        if failure.next == failure.end {
            let why = failure.why;
            self.hand_off(world, why, Compensation::Done);
        }
    }

    /// Tries again or goes on without the step, where the program says so and the failure allows it.
    fn fail(&mut self, world: World<'_>, why: Handoff) {
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
    fn give_up(&mut self, world: World<'_>, why: Handoff) {
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

    fn hand_off(&mut self, world: World<'_>, why: Handoff, compensation: Compensation) {
        self.phase = Phase::Over;
        self.failure = None;
        self.queue(Output::Handoff {
            step: self.kept.step,
            call: self.call(world),
            why,
            compensation,
        });
    }

    fn stop(&mut self, world: World<'_>) {
        self.phase = Phase::Over;
        self.queue(Output::Stopped {
            step: index(self.step()),
            call: self.call(world),
        });
    }

    fn finish(&mut self, world: World<'_>) {
        self.phase = Phase::Over;
        let calls = self.kept.observed.iter().take(world.program.calls.len());
        self.queue(Output::Finished {
            observed: calls.flatten().copied().fold(Observed::Met, Observed::and),
            digest: self.kept.digest.finish(),
        });
    }

    /// The step at hand: a main one, or one that compensates.
    fn current<'a>(&self, world: World<'a>) -> Option<&'a Step> {
        match self.failure {
            Some(failure) => world.program.steps.get(failure.next),
            None => world.program.main().get(usize::from(self.kept.step)),
        }
    }

    fn call(&self, world: World<'_>) -> u8 {
        self.current(world).map_or(0, |step| step.call)
    }

    fn values(&self) -> Vec<Value, ARGUMENTS_MAX> {
        self.arguments.iter().map(|(_, value)| *value).collect()
    }

    fn scope<'a>(&'a self, world: World<'a>, step: &Step, arguments: &'a [Value]) -> Scope<'a> {
        Scope {
            device: step.device,
            now: world.readings,
            before: &self.before,
            arguments,
            slots: &self.kept.slots,
            results: &self.kept.results,
        }
    }

    fn compute(&self, world: World<'_>, step: &Step, range: Range) -> Result<Value, Reject> {
        evaluate(world.program, range, &self.scope(world, step, &self.values()))
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
            "a step queues at most two outputs, and begins only when all are drained"
        );
    }
}

fn index(step: usize) -> u8 {
    u8::try_from(step).unwrap_or(u8::MAX)
}
