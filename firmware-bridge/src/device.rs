//! The device side: what stands between the network and a plant, the same on a microcontroller and in a simulation.
//!
//! ```text
//! bytes ── transport and codec (not here) ──> Input ── Device ── lease, sequence, expiry, latch, envelope ──> Plant
//! bytes <── transport and codec (not here) ── Output <── Device <── status, failures ──────────────────────── Plant
//! ```
//!
//! `handle(now, input)`, then drain `poll()`. `now` is the device's own uptime. A command is carried out at most once: its sequence number
//! is used up by the first answer, whatever that answer is, and a resend gets the same answer again. Whoever loses the host, or is told to
//! stop, halts first and reports afterwards. No allocation, no JSON, no floats, bounded work per call. It must not know topics,
//! payloads, manifests, or what a tool means.

use heapless::Deque;
use llmos_follower::{Breach, Envelope, Millis, Motion, Point, Symbol, Value, Watch};
use serde::{Deserialize, Serialize};

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

/// Why a device does not accept a command. The list is closed: it is part of the protocol, on a serial line by each one's place in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The sender does not hold the lease.
    NoLease,
    /// The sequence number is not above the last one.
    StaleSequence,
    /// The command came after its expiry.
    Expired,
    /// The command was retained by the broker, so it may be of any age.
    Retained,
    /// A stop is latched; a person has to reset it.
    Latched,
    /// Another command is still being carried out.
    Busy,
    /// The device has no such tool.
    UnknownTool,
    /// An argument is missing, unknown, of the wrong type or out of range.
    BadArgument,
    /// The motion would leave the device's own envelope.
    Envelope,
    /// The plant cannot do it now.
    Plant,
}

impl Refusal {
    /// Every refusal.
    pub const ALL: [Refusal; 10] = [
        Refusal::NoLease,
        Refusal::StaleSequence,
        Refusal::Expired,
        Refusal::Retained,
        Refusal::Latched,
        Refusal::Busy,
        Refusal::UnknownTool,
        Refusal::BadArgument,
        Refusal::Envelope,
        Refusal::Plant,
    ];

    /// The protocol's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Refusal::NoLease => "no_lease",
            Refusal::StaleSequence => "stale_sequence",
            Refusal::Expired => "expired",
            Refusal::Retained => "retained",
            Refusal::Latched => "latched",
            Refusal::Busy => "busy",
            Refusal::UnknownTool => "unknown_tool",
            Refusal::BadArgument => "bad_argument",
            Refusal::Envelope => "envelope",
            Refusal::Plant => "plant",
        }
    }

    /// The refusal of that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Refusal> {
        Refusal::ALL.into_iter().find(|refusal| refusal.as_str() == word)
    }
}

/// Why a command that was begun did not end well. The list is only ever appended to: on a serial line a failure is its place in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Failure {
    /// A stop came.
    Stopped,
    /// The lease ran out or was given back.
    LeaseLost,
    /// An axis does not move although it should.
    Stalled,
    /// Going on, it could not have stopped within its own limits.
    Envelope,
    /// Anything else that the plant noticed.
    Plant,
}

impl Failure {
    /// The protocol's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Failure::Stopped => "stopped",
            Failure::LeaseLost => "lease_lost",
            Failure::Stalled => "stalled",
            Failure::Envelope => "envelope",
            Failure::Plant => "plant",
        }
    }
}

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

/// A reading's value as a plant tells it, with its spelling. The list is only ever appended to, as it is sent by its place.
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
    /// The answer to a command.
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
pub struct Device<P> {
    plant: P,
    boot: u32,
    lease: Option<Lease>,
    holder: Option<u32>,
    answered: Option<Answered>,
    seq: u32,
    active: Option<u32>,
    done: u32,
    failed: Option<(u32, Failure)>,
    stopped: bool,
    watch: Watch,
    now: Millis,
    report_at: Millis,
    outputs: Deque<Output, OUTPUTS_MAX>,
}

impl<P: Plant> Device<P> {
    /// A device that has just booted. `boot` must differ from the boot before.
    #[must_use]
    pub fn new(plant: P, boot: u32) -> Device<P> {
        Device {
            plant,
            boot,
            lease: None,
            holder: None,
            answered: None,
            seq: 0,
            active: None,
            done: 0,
            failed: None,
            stopped: false,
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
        self.lease
            .map_or(self.report_at, |lease| self.report_at.min(lease.until))
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

    /// Without a host, nothing goes on.
    fn end_lease(&mut self) {
        self.lease = None;
        if self.active.is_some() || self.runs() {
            self.abandon(Failure::LeaseLost);
        }
    }

    /// The safe state; a command that was being carried out has failed.
    fn abandon(&mut self, failure: Failure) {
        self.plant.halt(self.now);
        if let Some(seq) = self.active.take() {
            self.failed = Some((seq, failure));
            self.queue(Output::Fault { seq, failure });
        }
        self.report_at = self.now;
    }

    fn handle_lease(&mut self, session: u32, ttl_ms: u32) {
        let others = self.lease.is_some_and(|lease| lease.session != session);
        if !others {
            self.take_lease(session, ttl_ms);
        }
        let granted = self.lease.is_some_and(|lease| lease.session == session);
        self.queue(Output::Lease {
            session,
            granted,
            seq: self.seq,
        });
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
        let answer = match self.answered {
            _ if command.retained => Err(Refusal::Retained),
            Some(last) if (last.session, last.seq, last.id) == (session, seq, id) => last.answer,
            // A stranger must not use up sequence numbers; what was once the holder's own message must, so that it can't come alive later.
            _ if self.holder != Some(session) => Err(Refusal::NoLease),
            _ if seq <= self.seq => Err(Refusal::StaleSequence),
            _ => {
                self.seq = seq;
                let answer = self.begin(command);
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

    fn begin(&mut self, command: &Command<'_>) -> Result<(), Refusal> {
        if self.lease.is_none_or(|lease| lease.session != command.session) {
            return Err(Refusal::NoLease);
        }
        if self.now > command.expires_ms {
            return Err(Refusal::Expired);
        }
        if self.stopped {
            return Err(Refusal::Latched);
        }
        if self.active.is_some() {
            return Err(Refusal::Busy);
        }
        let arguments = Arguments(command.arguments.ok_or(Refusal::BadArgument)?);
        let intent = self.plant.intent(command.tool, arguments)?;
        self.check(&intent).map_err(|_| Refusal::Envelope)?;
        self.watch.note_command(self.now);
        self.plant.start(self.now, command.tool, arguments);
        self.active = Some(command.seq);
        self.failed = None;
        self.report_at = self.now;
        Ok(())
    }

    /// The device's own envelope, which is asked whoever has asked another before.
    fn check(&self, intent: &Intent) -> Result<(), Breach> {
        let (envelope, from) = (self.plant.envelope(), self.plant.position());
        envelope.check(&Motion {
            from,
            start: None,
            to: intent.to,
            speed: intent.speed,
            drives: false,
            acceleration: intent.acceleration,
            turn: intent.turn,
            turn_speed: intent.turn_speed,
            duration: intent.duration,
            state_age_ms: 0,
            recent: self.watch.recent(self.now, envelope.rate_max),
            jumped: self.watch.has_jumped(),
        })?;
        match intent.velocity {
            Some(velocity) => {
                let from = from.ok_or(Breach::PositionUnknown)?;
                if self.watch.has_jumped() {
                    return Err(Breach::Jumped);
                }
                envelope.check_running(from, velocity, REACT_MS)
            }
            None => Ok(()),
        }
    }

    fn queue(&mut self, output: Output) {
        let full = self.outputs.push_back(output).is_err();
        debug_assert!(
            !full,
            "an input queues at most three outputs; drain them before the next"
        );
    }
}
