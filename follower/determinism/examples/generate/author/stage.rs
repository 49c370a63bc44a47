//! Plays a program against a small world that makes mistakes on demand, and writes down what happened: that is the script.

use super::chance::Chance;
use super::sketch::{ARM, PLACE, SELF};
use llmos_determinism::{Answer, Case, Event, Rehearsal, Witness};
use llmos_follower::{Breach, MICRO, Offer, Output, Point, Progress, Symbol, Value};

/// Events of one script.
const EVENTS_MAX: usize = 300;

/// What goes wrong with a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Nothing.
    None,
    /// Nobody answers.
    NoAck,
    /// The device says no.
    Fails,
    /// The device goes away.
    Lost,
    /// It ends this far from where it should, on every axis.
    Slips(i64),
    /// It never ends.
    Stuck,
    /// The link was interrupted, and nobody knows how far it came.
    Again,
    /// Power is lost in the middle.
    PowerCut,
    /// Power is lost in the middle, and the command goes on.
    PowerCutSent,
    /// A person stops it.
    Stop,
    /// It reports a place that it can't have come to.
    Jumps,
    /// It stops reporting where it is.
    Blind,
    /// Its reports are old.
    Late,
}

/// Everything that goes wrong, for chance to choose from.
pub const FAULTS: [Fault; 13] = [
    Fault::NoAck,
    Fault::Fails,
    Fault::Lost,
    Fault::Slips(3_000),
    Fault::Slips(30_000),
    Fault::Stuck,
    Fault::Again,
    Fault::PowerCut,
    Fault::PowerCutSent,
    Fault::Stop,
    Fault::Jumps,
    Fault::Blind,
    Fault::Late,
];

/// Sees which command is under way.
#[derive(Default)]
struct Eye {
    offered: Option<Offer>,
    sent: Option<Offer>,
}

impl Witness for Eye {
    fn output(&mut self, output: &Output) {
        self.sent = None;
        self.offered = match output {
            Output::Command(offer) => Some(offer.clone()),
            _ => None,
        };
    }

    fn verdict(&mut self, verdict: Result<(), Breach>) {
        if verdict.is_ok() {
            self.sent = self.offered.take();
        }
    }
}

struct Stage<'a, F> {
    rehearsal: Rehearsal<'a, Eye>,
    events: Vec<Event>,
    chance: Chance,
    fault: F,
    at: Point,
    heading: i64,
    level: i64,
    blind: bool,
}

/// Plays a case whose script is still empty, and returns the script. `fault` says what goes wrong with the command of that number.
pub fn play(case: &Case<'_>, seed: u64, fault: impl FnMut(usize, &mut Chance) -> Fault) -> Vec<Event> {
    let mut eye = Eye::default();
    let Ok(rehearsal) = Rehearsal::begin(case, &mut eye) else {
        return Vec::new();
    };
    let mut stage = Stage {
        rehearsal,
        events: Vec::new(),
        chance: Chance(seed),
        fault,
        at: [800_000, 0, 1_200_000],
        heading: 350 * MICRO,
        level: 2 * MICRO,
        blind: false,
    };
    stage.perform();
    stage.events
}

impl<F: FnMut(usize, &mut Chance) -> Fault> Stage<'_, F> {
    fn perform(&mut self) {
        let cube = Symbol::of("red cube");
        self.say(SELF, "position", Some(Value::Point(self.at)));
        self.say(SELF, "heading", Some(Value::Number(self.heading)));
        self.say(SELF, "level", Some(Value::Number(self.level)));
        self.say(SELF, "valve", Some(Value::Symbol(Symbol::of("closed"))));
        self.say(SELF, "lamp", Some(Value::Bool(false)));
        self.say(cube, "position", Some(Value::Point([433_333, -366_667, 20_001])));
        self.answer(0, Answer::Tick);
        let mut commands = 0;
        while !self.rehearsal.follower().is_over() && self.events.len() < EVENTS_MAX {
            let sent = self.rehearsal.witness().sent.clone();
            match sent.filter(|_| self.rehearsal.follower().has_sent()) {
                Some(offer) => {
                    let fault = (self.fault)(commands, &mut self.chance);
                    commands += 1;
                    self.command(&offer, fault);
                }
                None => self.wait(),
            }
        }
        // Whatever comes after the end changes nothing.
        self.answer(10, Answer::Acknowledged);
        self.answer(10, Answer::State(Progress::Finished));
    }

    fn feed(&mut self, event: Event) {
        self.events.push(event);
        // A refused checkpoint ends the run, and the digest says so.
        let _ = self.rehearsal.feed(event);
    }

    fn say(&mut self, owner: Symbol, field: &str, value: Option<Value>) {
        let field = if field == "position" { PLACE } else { Symbol::of(field) };
        self.feed(Event::Tell {
            device: ARM,
            owner,
            field,
            value,
        });
    }

    fn answer(&mut self, after_ms: u32, answer: Answer) {
        if after_ms > 0 {
            self.feed(Event::Wait(after_ms));
        }
        self.feed(Event::Answer(answer));
    }

    /// It reports where it is, unless it has gone blind.
    fn refresh(&mut self) {
        if !self.blind {
            self.say(SELF, "position", Some(Value::Point(self.at)));
        }
    }

    fn report(&mut self, after_ms: u32, progress: Progress) {
        self.feed(Event::Wait(after_ms));
        self.refresh();
        self.answer(0, Answer::State(progress));
    }

    /// A report that was on its way for long.
    fn report_late(&mut self, after_ms: u32, progress: Progress) {
        self.answer(after_ms, Answer::State(progress));
    }

    fn command(&mut self, offer: &Offer, fault: Fault) {
        let soon = self.chance.small(3, 60);
        match fault {
            Fault::NoAck => {
                self.feed(Event::Wait(3_001));
                self.refresh();
                return self.answer(0, Answer::Tick);
            }
            Fault::Fails => return self.answer(soon, Answer::Failed),
            Fault::Lost => return self.answer(soon, Answer::Lost),
            _ => self.answer(soon, Answer::Acknowledged),
        }
        self.halfway(offer);
        match fault {
            Fault::Stuck => {
                self.report(900, Progress::Busy);
                self.answer(2_500, Answer::Tick);
            }
            Fault::Again => self.answer(300, Answer::Again),
            Fault::PowerCut => self.feed(Event::Resume),
            Fault::Stop => self.answer(5, Answer::Stop),
            Fault::Jumps => {
                self.at[1] += 40 * MICRO;
                self.say(SELF, "position", Some(Value::Point(self.at)));
                self.report(20, Progress::Unknown);
                self.answer(2_100, Answer::Tick);
            }
            Fault::Blind => {
                self.blind = true;
                self.say(SELF, "position", None);
                self.report(20, Progress::Finished);
                self.answer(700, Answer::Tick);
            }
            Fault::Slips(by) => {
                self.arrive(offer, by);
                self.report(80, Progress::Finished);
                if self.rehearsal.follower().has_sent() {
                    self.answer(601, Answer::Tick);
                }
            }
            fault => {
                if fault == Fault::PowerCutSent {
                    self.feed(Event::ResumeSent);
                }
                self.arrive(offer, 0);
                let through = self.chance.one_of(&[Progress::Finished, Progress::Unknown]);
                if fault == Fault::Late {
                    self.report_late(1_900, through);
                } else {
                    self.report(80, through);
                }
            }
        }
    }

    /// A report from the middle of a motion.
    fn halfway(&mut self, offer: &Offer) {
        let Some(target) = offer.target else { return };
        for (at, to) in self.at.iter_mut().zip(target) {
            *at += (to - *at) / 2;
        }
        self.say(SELF, "position", Some(Value::Point(self.at)));
        self.report(200, Progress::Busy);
    }

    /// What the command brings about, `by` micrometres beside it.
    fn arrive(&mut self, offer: &Offer, by: i64) {
        if let Some(target) = offer.target {
            self.at = target.map(|axis| axis + by);
            return self.say(SELF, "position", Some(Value::Point(self.at)));
        }
        for (parameter, value) in &offer.arguments {
            match (offer.tool == Symbol::of("turn"), value) {
                (true, Value::Number(angle)) => {
                    self.heading = (self.heading + angle).rem_euclid(360 * MICRO);
                    self.say(SELF, "heading", Some(Value::Number(self.heading)));
                }
                _ => self.feed(Event::Tell {
                    device: ARM,
                    owner: SELF,
                    field: *parameter,
                    value: Some(*value),
                }),
            }
        }
    }

    /// Time passes, and the level rises.
    fn wait(&mut self) {
        let after_ms = self.chance.small(100, 400);
        if self.chance.once_in(2) {
            self.level += 700_001;
            self.say(SELF, "level", Some(Value::Number(self.level)));
            self.report(after_ms, Progress::Unknown);
        } else {
            self.answer(after_ms, Answer::Tick);
        }
    }
}
