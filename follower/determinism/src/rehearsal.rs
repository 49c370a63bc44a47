//! Follows one case from its first event to its last, and digests everything that is said. The program is followed where it lies, as on a
//! microcontroller, with the room of one: that the same comes out with more room is the follower's own test. This file must not know where a case comes
//! from, nor what its digest should be.

use crate::case::{Answer, Case, Event, events};
use crate::tell;
use heapless::Vec;
use llmos_follower::{
    Breach, Checkpoint, Digest, Index, Input, Millis, Motion, Offer, Output, Point, Reading, Reject, Route, Symbol,
    Value, Walker, Watch, World, checkpoint::CHECKPOINT_BYTES_MAX, state::position_of,
};

/// Readings that all devices of a case report at once, at most.
pub const TOLD_MAX: usize = 16;

/// Looks on: a test that asks what a corpus covers, a meter that counts instructions. It can't change anything.
pub trait Witness {
    /// The follower is about to take an input and give its outputs.
    fn step_begins(&mut self) {}
    /// It has given the last one.
    fn step_ends(&mut self) {}
    /// The gate is about to be asked.
    fn gate_begins(&mut self) {}
    /// It has answered.
    fn gate_ends(&mut self) {}
    /// The follower said something.
    fn output(&mut self, _output: &Output) {}
    /// The gate has judged a motion.
    fn verdict(&mut self, _verdict: Result<(), Breach>) {}
    /// The gate has been asked for a way around.
    fn route(&mut self, _route: Option<Route>) {}
    /// A program, slots or a checkpoint were refused.
    fn reject(&mut self, _reject: Reject) {}
}

impl Witness for () {}

/// What a case comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// The digest of everything that was said.
    pub said: u64,
    /// The run's own digest, where it has finished.
    pub run: Option<u64>,
}

impl core::fmt::Display for Outcome {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(out, "{:016x} ", self.said)?;
        match self.run {
            Some(run) => write!(out, "{run:016x}"),
            None => write!(out, "-"),
        }
    }
}

/// Carries out a case from its first event to its last. What is refused is an outcome, too.
pub fn carry_out<W: Witness>(case: &Case<'_>, witness: &mut W) -> Outcome {
    match Rehearsal::begin(case, witness) {
        Ok(mut rehearsal) => {
            // A checkpoint that is refused is in the digest; nothing goes on after it.
            let _ = events(case.script).try_for_each(|event| rehearsal.feed(event));
            rehearsal.outcome()
        }
        Err(reject) => {
            let mut digest = Digest::default();
            tell::reject(&mut digest, reject);
            Outcome {
                said: digest.finish(),
                run: None,
            }
        }
    }
}

/// A case under way.
pub struct Rehearsal<'a, W> {
    case: &'a Case<'a>,
    witness: &'a mut W,
    index: Index,
    follower: Walker<TOLD_MAX>,
    begun: bool,
    digest: Digest,
    run: Option<u64>,
    now: Millis,
    told: Vec<Reading, TOLD_MAX>,
    reported_at: Millis,
    watch: Watch,
}

impl<'a, W: Witness> Rehearsal<'a, W> {
    /// Reads the program. Nothing has happened yet.
    ///
    /// # Errors
    /// Those of [`Index::of`] and [`Walker::new`].
    pub fn begin(case: &'a Case<'a>, witness: &'a mut W) -> Result<Rehearsal<'a, W>, Reject> {
        let read = Index::of(case.wire).and_then(|index| {
            let program = index.program(case.wire).ok_or(Reject::Checksum)?;
            let follower = Walker::new(&program, &case.slots)?;
            Ok((index, follower))
        });
        let (index, follower) = read.inspect_err(|reject| witness.reject(*reject))?;
        Ok(Rehearsal {
            case,
            witness,
            index,
            follower,
            begun: false,
            digest: Digest::default(),
            run: None,
            now: 0,
            told: Vec::new(),
            reported_at: 0,
            watch: Watch::default(),
        })
    }

    /// What the case comes to so far.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        Outcome {
            said: self.digest.finish(),
            run: self.run,
        }
    }

    /// The follower, to look at.
    #[must_use]
    pub fn follower(&self) -> &Walker<TOLD_MAX> {
        &self.follower
    }

    /// Who looks on.
    #[must_use]
    pub fn witness(&self) -> &W {
        self.witness
    }

    /// Lets one thing happen. What is told before the first answer is there when the run begins.
    ///
    /// # Errors
    /// Those of [`Walker::resume`] and [`Walker::resume_sent`]; the run is over then.
    pub fn feed(&mut self, event: Event) -> Result<(), Reject> {
        if !self.begun && !matches!(event, Event::Wait(_) | Event::Tell { .. }) {
            self.begun = true;
            self.witness.step_begins();
            self.drain();
        }
        match event {
            Event::Wait(ms) => self.now += Millis::from(ms),
            Event::Tell {
                device,
                owner,
                field,
                value,
            } => self.tell(device, owner, field, value),
            Event::Answer(answer) => {
                self.witness.step_begins();
                self.hand(input(answer));
                self.drain();
                self.look();
            }
            Event::Resume | Event::ResumeSent => {
                let resumed = self.resume(event == Event::ResumeSent);
                self.follower = resumed.inspect_err(|reject| {
                    self.witness.reject(*reject);
                    tell::reject(&mut self.digest, *reject);
                })?;
                self.witness.step_begins();
                self.drain();
            }
            Event::Weigh(weighed) => {
                // Whatever it is, it is in the digest.
                let _ = self.judge(&weighed.into());
            }
            Event::Run { at, velocity, react_ms } => {
                let verdict = self.case.envelope.check_running(at, velocity, react_ms);
                self.hear(verdict);
            }
            Event::Way { from, to } => {
                self.find_way(from, to);
            }
        }
        Ok(())
    }

    fn hand(&mut self, input: Input) {
        let Some(program) = self.index.program(self.case.wire) else {
            return;
        };
        let world = World {
            program: &program,
            readings: &self.told,
        };
        self.follower.handle(world, self.now, input);
    }

    fn resume(&mut self, sent: bool) -> Result<Walker<TOLD_MAX>, Reject> {
        let program = self.index.program(self.case.wire).ok_or(Reject::Checksum)?;
        let checkpoint = keep(&mut self.digest, self.follower.checkpoint())?;
        if sent {
            let (before, leg) = (self.follower.before(), self.follower.leg());
            Walker::resume_sent(&program, checkpoint, before, leg, self.now)
        } else {
            Walker::resume(&program, checkpoint)
        }
    }

    /// Takes everything that the follower says, and answers what it offers, until it waits.
    fn drain(&mut self) {
        loop {
            let Some(program) = self.index.program(self.case.wire) else {
                return;
            };
            let world = World {
                program: &program,
                readings: &self.told,
            };
            let output = self.follower.poll(world);
            self.witness.step_ends();
            let Some(output) = output else { return };
            self.witness.output(&output);
            tell::output(&mut self.digest, &output);
            if let Output::Finished { digest, .. } = output {
                self.run = Some(digest);
            }
            let input = match output {
                Output::Command(offer) => Some(self.answer(&offer)),
                _ => None,
            };
            self.witness.step_begins();
            if let Some(input) = input {
                self.hand(input);
            }
        }
    }

    /// What the gate says to an offer.
    fn answer(&mut self, offer: &Offer) -> Input {
        let largest = |name: &str| {
            let arguments = offer
                .arguments
                .iter()
                .filter(|(parameter, _)| *parameter == Symbol::of(name));
            let numbers = arguments.filter_map(|(_, value)| match value {
                Value::Number(number) => Some(*number),
                _ => None,
            });
            numbers.max_by_key(|number| number.unsigned_abs())
        };
        let motion = Motion {
            from: position_of(&self.told, offer.device),
            start: offer.start,
            to: offer.target,
            speed: largest("speed"),
            drives: offer.tool == Symbol::of("drive"),
            acceleration: largest("acceleration"),
            turn: largest("angle"),
            turn_speed: largest("turn speed"),
            duration: largest("duration"),
            state_age_ms: u32::try_from(self.now.saturating_sub(self.reported_at)).unwrap_or(u32::MAX),
            recent: self.watch.recent(self.now, self.case.envelope.rate_max),
            jumped: self.watch.has_jumped(),
        };
        match self.judge(&motion) {
            Ok(()) => {
                self.watch.note_command(self.now);
                Input::Sent
            }
            Err(Breach::KeepOut { .. }) => {
                let ends = motion.from.zip(offer.end);
                let route = ends.and_then(|(from, to)| self.find_way(from, to));
                route.map_or(Input::Refused, Input::Detour)
            }
            Err(_) => Input::Refused,
        }
    }

    fn judge(&mut self, motion: &Motion) -> Result<(), Breach> {
        self.witness.gate_begins();
        let verdict = self.case.envelope.check(motion);
        self.witness.gate_ends();
        self.hear(verdict);
        verdict
    }

    fn hear(&mut self, verdict: Result<(), Breach>) {
        self.witness.verdict(verdict);
        tell::verdict(&mut self.digest, verdict);
    }

    fn find_way(&mut self, from: Point, to: Point) -> Option<Route> {
        let route = self.case.envelope.detour(from, to);
        self.witness.route(route);
        tell::route(&mut self.digest, route);
        route
    }

    fn tell(&mut self, device: Symbol, owner: Symbol, field: Symbol, value: Option<Value>) {
        self.told
            .retain(|known| (known.device, known.owner, known.field) != (device, owner, field));
        if let Some(value) = value {
            let full = self
                .told
                .push(Reading {
                    device,
                    owner,
                    field,
                    value,
                })
                .is_err();
            debug_assert!(!full, "a case reports at most {TOLD_MAX} readings");
        }
        self.reported_at = self.now;
        if let Some(at) = position_of(&self.told, device) {
            self.watch.note_position(self.now, at, &self.case.envelope);
        }
    }

    /// What a host would ask a follower between two inputs.
    fn look(&mut self) {
        let Some(program) = self.index.program(self.case.wire) else {
            return;
        };
        let world = World {
            program: &program,
            readings: &self.told,
        };
        self.digest.write(&[
            u8::from(self.follower.is_over()),
            u8::from(self.follower.has_sent()),
            u8::from(self.follower.shows_effect(world)),
            u8::from(self.follower.is_untouched(world)),
            u8::from(self.watch.has_jumped()),
        ]);
        self.digest.write(&self.follower.leg().to_le_bytes());
    }
}

/// A checkpoint goes through its bytes, as on a disk.
fn keep(digest: &mut Digest, checkpoint: &Checkpoint) -> Result<Checkpoint, Reject> {
    let mut buffer = [0; CHECKPOINT_BYTES_MAX];
    let bytes = postcard::to_slice(checkpoint, &mut buffer).map_err(|_| Reject::TooLarge)?;
    digest.write(bytes);
    postcard::from_bytes(bytes).map_err(|_| Reject::Malformed)
}

fn input(answer: Answer) -> Input {
    match answer {
        Answer::Acknowledged => Input::Acknowledged,
        Answer::State(progress) => Input::State(progress),
        Answer::Failed => Input::Failed,
        Answer::Lost => Input::Lost,
        Answer::Again => Input::Again,
        Answer::Stop => Input::Stop,
        Answer::Tick => Input::Tick,
    }
}
