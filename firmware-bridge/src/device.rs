//! The device side: what stands between the network and a plant, the same on a microcontroller and in a simulation.
//!
//! ```text
//! bytes ── transport and codec (not here) ──> Input ── Device ── lease, sequence, expiry, latch, envelope ──> Plant
//! bytes <── transport and codec (not here) ── Output <── Device <── status, failures ──────────────────────── Plant
//! ```
//!
//! `handle(now, input)`, then drain `poll()`. `now` is the device's own uptime. A command is carried out at most once: its sequence number
//! is used up by the first answer, whatever that answer is, and a resend gets the same answer again. Whoever loses the host, or is told to
//! stop, halts first and reports afterwards. A program that lies in the device is followed here by itself, as a host would follow it; while it
//! runs, nothing else is begun, and what came of it is kept until a host has it. No allocation, no JSON, no floats, bounded work per call. It must not know topics,
//! payloads, manifests, or what a tool means.

mod plant;
mod reason;
mod run;

pub use plant::{Arguments, Intent, Plant, PlantStatus, Sink, Told};
pub use reason::{Failure, Refusal};
pub use run::{OnHostLoss, Outcome, Programs, READINGS_MAX, RunCommand, RunReport};

use heapless::Deque;
use llmos_follower::{Breach, Handoff, Millis, Motion, Point, Symbol, Value, Watch};
use run::Running;

/// The longest lease a device grants, in milliseconds.
pub const LEASE_MS_MAX: u32 = 60_000;
/// How often a device that acts reports, in milliseconds.
pub const REPORT_MS_ACTING: Millis = 100;
/// How often a device that rests reports, in milliseconds.
pub const REPORT_MS_RESTING: Millis = 500;
/// How long a plant that goes on by itself may be left to itself: it is looked at with every report, in milliseconds.
const REACT_MS: u32 = 100;
/// Answers that may wait to be drained.
const OUTPUTS_MAX: usize = 8;

/// A command as it came in.
#[derive(Clone, Copy, Debug)]
pub struct Command<'a> {
    /// Who sends it.
    pub session: u32,
    /// Rises with every command of a boot.
    pub seq: u32,
    /// The same for a resend.
    pub id: u64,
    /// The uptime after which it must not be begun, in milliseconds.
    pub expires_ms: Millis,
    /// Whether the broker had kept it.
    pub retained: bool,
    /// The tool.
    pub tool: Symbol,
    /// The arguments; `None` where the codec could not read them.
    pub arguments: Option<&'a [(Symbol, Value)]>,
}

/// What comes in.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A host asks for the lease, keeps it, or gives it back with 0 ms.
    Lease {
        /// Who asks.
        session: u32,
        /// For how long, in milliseconds.
        ttl_ms: u32,
        /// Whether the broker had kept it; then it is ignored.
        retained: bool,
    },
    /// A command.
    Command(Command<'a>),
    /// The program that lies here is to be run.
    Run(RunCommand<'a>),
    /// The holder of the lease has the report of this run now, so it need not be kept.
    Forget {
        /// Who says so.
        session: u32,
        /// The run.
        run: u64,
        /// Whether the broker had kept it; then it is ignored.
        retained: bool,
    },
    /// Stop, whoever says so.
    Stop,
    /// A person ends the stop.
    Reset,
    /// The device's own connection is gone: whoever holds the lease can't be heard any more, so it has ended.
    Disconnected,
    /// Nothing but time.
    Tick,
}

/// What goes out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Output {
    /// The answer to a lease.
    Lease {
        /// Who asked.
        session: u32,
        /// Whether it holds the lease now.
        granted: bool,
        /// The last sequence number that was used up.
        seq: u32,
    },
    /// The answer to a command, or to a run.
    Ack {
        /// Who sent it.
        session: u32,
        /// Its sequence number.
        seq: u32,
        /// Its id.
        id: u64,
        /// Whether it was begun.
        answer: Result<(), Refusal>,
    },
    /// A command that was begun has failed.
    Fault {
        /// Its sequence number.
        seq: u32,
        /// Why.
        failure: Failure,
    },
    /// The state should be reported now: [`Device::status`] and [`Plant::readings`].
    Report,
    /// What came of a run should be told now: [`Device::run_report`]. Said when it ends, and again to every host that takes the lease until one
    /// has it.
    Run,
}

/// The part of a report that every device has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Status {
    /// Which boot this is.
    pub boot: u32,
    /// Time since boot, in milliseconds.
    pub uptime_ms: Millis,
    /// Whether a command is being carried out.
    pub busy: bool,
    /// Sequence number of the last command that ended well.
    pub done: u32,
    /// The last command, if it failed.
    pub failed: Option<(u32, Failure)>,
    /// Whether a stop is latched.
    pub stopped: bool,
}

#[derive(Clone, Copy, Debug)]
struct Lease {
    session: u32,
    until: Millis,
}

/// The last command that used up a sequence number, and what was answered.
#[derive(Clone, Copy, Debug)]
struct Answered {
    session: u32,
    seq: u32,
    id: u64,
    answer: Result<(), Refusal>,
}

/// One device.
#[derive(Debug)]
pub struct Device<P, S = ()> {
    plant: P,
    programs: S,
    boot: u32,
    lease: Option<Lease>,
    holder: Option<u32>,
    answered: Option<Answered>,
    seq: u32,
    active: Option<u32>,
    done: u32,
    failed: Option<(u32, Failure)>,
    stopped: bool,
    running: Option<Running>,
    /// The session and the id of the last run that was begun.
    ran: Option<(u32, u64)>,
    report: Option<RunReport>,
    watch: Watch,
    now: Millis,
    report_at: Millis,
    outputs: Deque<Output, OUTPUTS_MAX>,
}

impl<P: Plant> Device<P> {
    /// A device without programs that has just booted. `boot` must differ from the boot before.
    #[must_use]
    pub fn new(plant: P, boot: u32) -> Device<P> {
        Device::with_programs(plant, boot, ())
    }
}

impl<P: Plant, S: Programs> Device<P, S> {
    /// A device that has just booted. `boot` must differ from the boot before.
    #[must_use]
    pub fn with_programs(plant: P, boot: u32, programs: S) -> Device<P, S> {
        Device {
            plant,
            programs,
            boot,
            lease: None,
            holder: None,
            answered: None,
            seq: 0,
            active: None,
            done: 0,
            failed: None,
            stopped: false,
            running: None,
            ran: None,
            report: None,
            watch: Watch::default(),
            now: 0,
            report_at: 0,
            outputs: Deque::new(),
        }
    }

    /// Takes one input at uptime `now`; outputs are drained with [`Device::poll`].
    pub fn handle(&mut self, now: Millis, input: Input<'_>) {
        self.now = self.now.max(now);
        self.advance();
        match input {
            Input::Lease { retained: true, .. } | Input::Tick => {}
            Input::Lease {
                session,
                ttl_ms,
                retained: false,
            } => self.handle_lease(session, ttl_ms),
            Input::Command(command) => self.handle_command(&command),
            Input::Run(run) => self.handle_run(&run),
            Input::Forget { session, run, retained } => self.handle_forget(session, run, retained),
            Input::Disconnected => self.end_lease(),
            Input::Stop => {
                self.stopped = true;
                self.abandon(Failure::Stopped);
                self.report_at = self.now;
            }
            Input::Reset => {
                self.stopped = false;
                self.report_at = self.now;
            }
        }
    }

    /// The next output, or `None` until the next input.
    pub fn poll(&mut self) -> Option<Output> {
        if let Some(output) = self.outputs.pop_front() {
            return Some(output);
        }
        if self.report_at > self.now {
            return None;
        }
        let pause = if self.active.is_some() || self.runs() {
            REPORT_MS_ACTING
        } else {
            REPORT_MS_RESTING
        };
        self.report_at = self.now + pause;
        Some(Output::Report)
    }

    /// When [`Input::Tick`] is due at the latest.
    #[must_use]
    pub fn next_deadline(&self) -> Millis {
        let due = self
            .lease
            .map_or(self.report_at, |lease| self.report_at.min(lease.until));
        self.running.as_ref().map_or(due, |running| due.min(running.look_at))
    }

    /// The part of a report that every device has.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            boot: self.boot,
            uptime_ms: self.now,
            busy: self.active.is_some(),
            done: self.done,
            failed: self.failed,
            stopped: self.stopped,
        }
    }

    /// The plant.
    #[must_use]
    pub fn plant(&self) -> &P {
        &self.plant
    }

    /// The plant, when the device ends.
    #[must_use]
    pub fn into_plant(self) -> P {
        self.plant
    }

    /// The plant and the programs, when the device ends.
    #[must_use]
    pub fn into_parts(self) -> (P, S) {
        (self.plant, self.programs)
    }

    /// Where the programs are, to be changed for the plant that they are meant for, and whether the device is busy: then the program that may be
    /// run must stay as it is.
    pub fn programs(&mut self) -> (&mut S, &P, bool) {
        (&mut self.programs, &self.plant, self.active.is_some())
    }

    /// The run that goes on now: its id.
    #[must_use]
    pub fn running(&self) -> Option<u64> {
        self.running.as_ref().map(|running| running.name().1)
    }

    /// What came of the last run, until a host has it.
    #[must_use]
    pub fn run_report(&self) -> Option<&RunReport> {
        self.report.as_ref()
    }

    /// Whether this session holds the lease.
    #[must_use]
    pub fn is_held_by(&self, session: u32) -> bool {
        self.lease.is_some_and(|lease| lease.session == session)
    }

    /// Whether the plant moves by itself, with or without a command.
    fn runs(&self) -> bool {
        self.plant.velocity().is_some_and(|velocity| velocity != [0; 3])
    }

    /// Looks at where the plant is: whether it can have come there, and whether it can still stop in time.
    fn watch_position(&mut self) {
        let Some(at) = self.plant.position() else { return };
        let (time, envelope) = (self.plant.time(self.now), self.plant.envelope());
        self.watch.note_position(time, at, envelope);
        if let Some(velocity) = self.plant.velocity()
            && envelope.check_running(at, velocity, REACT_MS).is_err()
        {
            self.abandon(Failure::Envelope);
        }
    }

    /// What time alone does: the lease runs out, the plant goes on.
    fn advance(&mut self) {
        if self.lease.is_some_and(|lease| self.now >= lease.until) {
            self.end_lease();
        }
        let status = self.plant.step(self.now);
        self.watch_position();
        if self.running.is_some() {
            return self.go_on(status);
        }
        match (self.active, status) {
            (None, _) | (_, PlantStatus::Busy) => {}
            (Some(seq), PlantStatus::Done) => {
                self.active = None;
                self.done = seq;
                self.report_at = self.now;
            }
            (Some(_), PlantStatus::Failed(failure)) => self.abandon(failure),
        }
    }

    /// Lets the program go on.
    fn go_on(&mut self, status: PlantStatus) {
        let Some(running) = self.running.as_mut() else { return };
        let outcome = running.look(self.now, status, &mut self.plant, &self.programs, &mut self.watch);
        match outcome {
            None => {}
            Some(outcome @ Outcome::Finished { .. }) => {
                // With nobody there, nothing goes on.
                if self.lease.is_none() && self.runs() {
                    self.plant.halt(self.now);
                }
                self.done = self.active.take().unwrap_or(self.done);
                self.end_run(outcome);
                self.report_at = self.now;
            }
            Some(outcome) => {
                self.end_run(outcome);
                self.abandon(Failure::Program);
            }
        }
    }

    /// The run is over; its report is kept.
    fn end_run(&mut self, outcome: Outcome) {
        if let Some(running) = self.running.take() {
            self.report = Some(running.report(self.now, outcome));
            self.queue(Output::Run);
        }
    }

    /// Without a host, nothing goes on but a run that is to be finished.
    fn end_lease(&mut self) {
        self.lease = None;
        let finishes = |running: &Running| running.on_host_loss == OnHostLoss::Finish;
        if self.running.as_ref().is_some_and(finishes) {
            return;
        }
        if self.active.is_some() || self.runs() {
            self.abandon(Failure::LeaseLost);
        }
    }

    /// The safe state; a command that was being carried out has failed, and a run is over.
    fn abandon(&mut self, failure: Failure) {
        self.plant.halt(self.now);
        self.end_run(match failure {
            Failure::Stopped => Outcome::Stopped,
            Failure::LeaseLost => Outcome::HostLost,
            Failure::Stalled | Failure::Envelope | Failure::Plant | Failure::Program => {
                Outcome::handoff(Handoff::DeviceFailed)
            }
        });
        if let Some(seq) = self.active.take() {
            self.failed = Some((seq, failure));
            self.queue(Output::Fault { seq, failure });
        }
        self.report_at = self.now;
    }

    fn handle_lease(&mut self, session: u32, ttl_ms: u32) {
        let others = self.lease.is_some_and(|lease| lease.session != session);
        let fresh = self.lease.is_none();
        if !others {
            self.take_lease(session, ttl_ms);
        }
        let granted = self.lease.is_some_and(|lease| lease.session == session);
        self.queue(Output::Lease {
            session,
            granted,
            seq: self.seq,
        });
        // Only whoever knows that it holds the lease takes a report over.
        if fresh && granted && self.report.is_some() {
            self.queue(Output::Run);
        }
    }

    fn take_lease(&mut self, session: u32, ttl_ms: u32) {
        let until = self.now + Millis::from(ttl_ms.min(LEASE_MS_MAX));
        let fresh = self.lease.is_none();
        if ttl_ms == 0 {
            return self.end_lease();
        }
        self.lease = Some(Lease { session, until });
        if fresh {
            // A new holder should not have to wait for the next report.
            self.holder = Some(session);
            self.report_at = self.now;
        }
    }

    fn handle_command(&mut self, command: &Command<'_>) {
        let Command { session, seq, id, .. } = *command;
        self.answer(session, seq, id, command.retained, |device| device.begin(command));
    }

    fn handle_run(&mut self, run: &RunCommand<'_>) {
        let RunCommand { session, seq, id, .. } = *run;
        self.answer(session, seq, id, run.retained, |device| device.begin_run(run));
    }

    fn handle_forget(&mut self, session: u32, run: u64, retained: bool) {
        let known = self.report.is_some_and(|report| report.run == run);
        if known && !retained && self.is_held_by(session) {
            self.report = None;
        }
    }

    /// Answers what uses up a sequence number. It is begun at most once.
    fn answer(
        &mut self,
        session: u32,
        seq: u32,
        id: u64,
        retained: bool,
        begin: impl FnOnce(&mut Self) -> Result<(), Refusal>,
    ) {
        let answer = match self.answered {
            _ if retained => Err(Refusal::Retained),
            Some(last) if (last.session, last.seq, last.id) == (session, seq, id) => last.answer,
            // A stranger must not use up sequence numbers; what was once the holder's own message must, so that it can't come alive later.
            _ if self.holder != Some(session) => Err(Refusal::NoLease),
            _ if seq <= self.seq => Err(Refusal::StaleSequence),
            _ => {
                self.seq = seq;
                let answer = begin(self);
                self.answered = Some(Answered {
                    session,
                    seq,
                    id,
                    answer,
                });
                answer
            }
        };
        self.queue(Output::Ack {
            session,
            seq,
            id,
            answer,
        });
    }

    /// Whether this session may begin anything now.
    fn may_begin(&self, session: u32, expires_ms: Millis) -> Result<(), Refusal> {
        if !self.is_held_by(session) {
            return Err(Refusal::NoLease);
        }
        if self.now > expires_ms {
            return Err(Refusal::Expired);
        }
        if self.stopped {
            return Err(Refusal::Latched);
        }
        Ok(())
    }

    fn begin(&mut self, command: &Command<'_>) -> Result<(), Refusal> {
        self.may_begin(command.session, command.expires_ms)?;
        if self.active.is_some() {
            return Err(Refusal::Busy);
        }
        let arguments = Arguments(command.arguments.ok_or(Refusal::BadArgument)?);
        let intent = self.plant.intent(command.tool, arguments)?;
        check(&self.plant, &self.watch, self.now, None, &intent).map_err(|_| Refusal::Envelope)?;
        self.watch.note_command(self.now);
        self.plant.start(self.now, command.tool, arguments);
        self.active = Some(command.seq);
        self.failed = None;
        self.report_at = self.now;
        Ok(())
    }

    /// Begins a run. The same run is begun once, however often it is asked for.
    fn begin_run(&mut self, run: &RunCommand<'_>) -> Result<(), Refusal> {
        self.may_begin(run.session, run.expires_ms)?;
        if self.ran == Some((run.session, run.id)) {
            return Ok(());
        }
        if self.active.is_some() {
            return Err(Refusal::Busy);
        }
        if self.report.is_some() {
            return Err(Refusal::ReportWaiting);
        }
        let running = Running::new(self.now, run, &self.plant, &self.programs)?;
        self.ran = Some(running.name());
        self.running = Some(running);
        self.active = Some(run.seq);
        self.failed = None;
        self.report_at = self.now;
        Ok(())
    }

    fn queue(&mut self, output: Output) {
        let full = self.outputs.push_back(output).is_err();
        debug_assert!(
            !full,
            "an input queues at most five outputs; drain them before the next"
        );
    }
}

/// The device's own envelope, which is asked whoever has asked another before. `start` is where the motion was planned to begin, if that was
/// said.
fn check<P: Plant>(plant: &P, watch: &Watch, now: Millis, start: Option<Point>, intent: &Intent) -> Result<(), Breach> {
    let (envelope, from) = (plant.envelope(), plant.position());
    envelope.check(&Motion {
        from,
        start,
        to: intent.to,
        speed: intent.speed,
        drives: false,
        acceleration: intent.acceleration,
        turn: intent.turn,
        turn_speed: intent.turn_speed,
        duration: intent.duration,
        state_age_ms: 0,
        recent: watch.recent(now, envelope.rate_max),
        jumped: watch.has_jumped(),
    })?;
    match intent.velocity {
        Some(velocity) => {
            let from = from.ok_or(Breach::PositionUnknown)?;
            if watch.has_jumped() {
                return Err(Breach::Jumped);
            }
            envelope.check_running(from, velocity, REACT_MS)
        }
        None => Ok(()),
    }
}
