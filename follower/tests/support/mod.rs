//! Programs small enough to read, and a world small enough to predict.
#![expect(dead_code, reason = "each test uses a part")]

pub mod arbitrary;

use llmos_follower::state::POSITION;
use llmos_follower::{
    Call, Checkpoint, Follower, Input, Kind, MICRO, Offer, OnError, Op, Output, Program, Progress, Range, Reading,
    Readings, Split, Step, Symbol, Value, World,
};

/// The device of the programs.
pub const ARM: Symbol = Symbol::of("arm");
/// Another one.
pub const PUMP: Symbol = Symbol::of("pump");
const HERE: Symbol = Symbol::NONE;

/// Names that the tests use.
pub const NAMES: [&str; 17] = [
    "arm",
    "pump",
    "move",
    "set",
    "wait",
    "look",
    "position",
    "distance",
    "time",
    "valve",
    "flow",
    "level",
    "left",
    "right",
    "direction",
    "cup",
    "holding",
];

/// The name of a symbol, where it is one of ours.
pub fn name(symbol: Symbol) -> Option<&'static str> {
    NAMES.into_iter().find(|name| Symbol::of(name) == symbol)
}

/// A number of units.
pub fn number(units: i64) -> Op {
    Op::Const(Value::Number(units * MICRO))
}

/// What the device itself reports now.
pub fn reading(field: &str) -> Op {
    Op::Reading {
        owner: HERE,
        field: Symbol::of(field),
    }
}

/// What it reported when the step began.
pub fn before(field: &str) -> Op {
    Op::Before {
        owner: HERE,
        field: Symbol::of(field),
    }
}

/// A program under construction. Every step of [`Sketch::set`] is a command that gives a field a value, and has done it when the device
/// reports that value.
#[derive(Default)]
pub struct Sketch(pub Program);

impl Sketch {
    /// Adds code.
    pub fn code(&mut self, ops: &[Op]) -> Range {
        let start = u16::try_from(self.0.code.len()).expect("small");
        self.0.code.extend_from_slice(ops).expect("room for code");
        Range {
            start,
            len: u16::try_from(ops.len()).expect("small"),
        }
    }

    /// Begins a call with one argument.
    pub fn call(&mut self, field: &str, value: &[Op]) -> &mut Call {
        let arguments = [(Symbol::of(field), self.code(value))].into_iter().collect();
        let call = Call {
            device: ARM,
            tool: Symbol::of("set"),
            arguments,
            ..Call::default()
        };
        self.0.calls.push(call).expect("room for a call");
        self.0.calls.last_mut().expect("just pushed")
    }

    /// Adds a step of the last call.
    pub fn step(&mut self, step: Step) -> &mut Step {
        let call = u8::try_from(self.0.calls.len() - 1).expect("small");
        let step = Step {
            device: ARM,
            call,
            timeout_ms: 1_000,
            ..step
        };
        self.0.steps.push(step).expect("room for a step");
        self.0.steps.last_mut().expect("just pushed")
    }

    /// Adds a command of the last call.
    pub fn set(&mut self, field: &str, value: &[Op], on_error: OnError) -> &mut Step {
        let value = self.code(value);
        let ensure = self.code(&[reading(field), Op::Argument(0), Op::Eq]);
        self.step(Step {
            kind: Kind::Command,
            tool: Symbol::of("set"),
            arguments: [(Symbol::of(field), value)].into_iter().collect(),
            ensure,
            on_error,
            ..Step::default()
        })
    }
}

/// How the world answers a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// The fields get their values.
    Done,
    /// The gate says no.
    Refused,
    /// The device says no.
    Failed,
    /// The device goes away.
    Lost,
}

/// A run in a world where time goes on by 10 ms whenever nothing else happens.
pub struct Rehearsal<'a> {
    pub program: &'a Program,
    pub readings: Readings,
    pub now: u64,
    /// What was said, a line each.
    pub said: Vec<String>,
    /// The checkpoint after each completed step, and the world as it was then.
    pub checkpoints: Vec<(Checkpoint, Readings)>,
}

impl<'a> Rehearsal<'a> {
    /// A world in which the arm reports these fields.
    pub fn new(program: &'a Program, fields: &[(&str, i64)]) -> Rehearsal<'a> {
        let mut rehearsal = Rehearsal {
            program,
            readings: Readings::default(),
            now: 0,
            said: Vec::new(),
            checkpoints: Vec::new(),
        };
        for (field, value) in fields {
            rehearsal.report(Symbol::of(field), Value::Number(value * MICRO));
        }
        rehearsal
    }

    /// The arm reports a value.
    pub fn report(&mut self, field: Symbol, value: Value) {
        let mut all: Vec<Reading> = self
            .readings
            .iter()
            .filter(|known| known.field != field)
            .copied()
            .collect();
        all.push(Reading {
            device: ARM,
            owner: HERE,
            field,
            value,
        });
        self.readings.replace(ARM, all).expect("room");
    }

    /// Follows from the beginning.
    pub fn follow(&mut self, slots: &[Value], answer: impl FnMut(&Offer) -> Answer) {
        let follower = Follower::new(self.program, slots).expect("a good program");
        self.go_on(follower, answer, |_, _| {});
    }

    /// Follows to the end; `meanwhile` may change the world after every 10 ms.
    pub fn go_on(
        &mut self,
        mut follower: Follower,
        mut answer: impl FnMut(&Offer) -> Answer,
        mut meanwhile: impl FnMut(u64, &mut Rehearsal<'a>),
    ) {
        for _ in 0..10_000 {
            let program = self.program;
            while let Some(output) = follower.poll(World {
                program,
                readings: &self.readings,
            }) {
                self.said.push(said(&output));
                match output {
                    Output::Command(offer) => {
                        let answer = answer(&offer);
                        self.answer(&mut follower, &offer, answer);
                    }
                    Output::StepDone { .. } => self
                        .checkpoints
                        .push((follower.checkpoint().clone(), self.readings.clone())),
                    _ => {}
                }
            }
            if follower.is_over() {
                return;
            }
            self.now += 10;
            meanwhile(self.now, self);
            self.tell(&mut follower, Input::Tick);
        }
        panic!("it never ends: {:?}", self.said);
    }

    fn answer(&mut self, follower: &mut Follower, offer: &Offer, answer: Answer) {
        match answer {
            Answer::Refused => self.tell(follower, Input::Refused),
            Answer::Failed => {
                self.tell(follower, Input::Sent);
                self.tell(follower, Input::Failed);
            }
            Answer::Lost => {
                self.tell(follower, Input::Sent);
                self.tell(follower, Input::Lost);
            }
            Answer::Done => {
                self.tell(follower, Input::Sent);
                self.tell(follower, Input::Acknowledged);
                for (field, value) in &offer.arguments {
                    self.report(*field, *value);
                }
                self.tell(follower, Input::State(Progress::Finished));
            }
        }
    }

    fn tell(&self, follower: &mut Follower, input: Input) {
        let world = World {
            program: self.program,
            readings: &self.readings,
        };
        follower.handle(world, self.now, input);
    }
}

fn said(output: &Output) -> String {
    match output {
        Output::Command(offer) => {
            let (field, value) = offer.arguments[0];
            let Value::Number(micro) = value else {
                panic!("a number")
            };
            format!("{} = {}", name(field).expect("a known name"), micro / MICRO)
        }
        Output::StepDone { step, observed, .. } => format!("step {step} {observed:?}"),
        Output::CallDone { call, observed } => format!("call {call} {observed:?}"),
        Output::Finished { observed, .. } => format!("finished {observed:?}"),
        Output::Handoff {
            step,
            why,
            compensation,
            ..
        } => format!("handoff {step} {why:?}, compensation {compensation:?}"),
        Output::Stopped { step, .. } => format!("stopped {step}"),
    }
}

/// `move(distance)`: the device ends `distance` further along x, in legs of at most half a metre.
pub fn move_right(micrometres: i64, on_error: OnError) -> Program {
    let mut sketch = Sketch::default();
    let target = [
        before("position"),
        Op::Const(Value::Point([1_000_000, 0, 0])),
        Op::Argument(0),
        Op::Mul,
        Op::Add,
    ];
    sketch.call("distance", &[Op::Const(Value::Number(micrometres))]).tool = Symbol::of("move");
    let target_range = sketch.code(&target);
    let mut ensure = vec![Op::Reading {
        owner: HERE,
        field: POSITION,
    }];
    ensure.extend(target);
    ensure.push(Op::Near(5_000));
    let ensure = sketch.code(&ensure);
    let arguments = sketch.0.calls[0].arguments.clone();
    sketch.step(Step {
        kind: Kind::Command,
        tool: Symbol::of("move"),
        arguments,
        target: target_range,
        ensure,
        split: Split::Along(0),
        leg_max: 500_000,
        on_error,
        ..Step::default()
    });
    sketch.0
}

/// Everything that a program can have: a start state, slots, a result that is kept and used, a compensation, waits, a skipped call and
/// one that depends on it.
pub fn everything() -> Program {
    let mut sketch = Sketch::default();
    sketch.0.slots = 1;
    let start = sketch.code(&[reading("valve"), number(0), Op::Eq]);
    sketch.0.start.push((ARM, start)).expect("room");
    sketch.call("valve", &[Op::Slot(0)]);
    let opened = sketch.code(&[before("level")]);
    sketch.set("valve", &[Op::Slot(0)], OnError::Retry(1)).keep = Some((2, opened));
    let pause = sketch.code(&[number(2)]);
    sketch
        .step(Step {
            tool: Symbol::of("wait"),
            kind: Kind::Pause(pause),
            ..Step::default()
        })
        .timeout_ms = 2_000;
    let full = sketch.code(&[reading("level"), Op::Result(2), number(3), Op::Add, Op::AtLeast]);
    sketch.step(Step {
        tool: Symbol::of("wait"),
        kind: Kind::Until,
        ensure: full,
        ..Step::default()
    });
    sketch.call("flow", &[number(1)]);
    sketch.set("flow", &[number(1)], OnError::Skip);
    sketch.call("flow", &[number(2)]).depends_on = 0b10;
    sketch.set("flow", &[number(2)], OnError::Handoff);
    sketch.call("valve", &[number(0)]);
    sketch.step(Step {
        tool: Symbol::of("look"),
        ..Step::default()
    });
    let undo = Range { start: 7, len: 1 };
    sketch.set("valve", &[number(0)], OnError::Compensate(undo));
    sketch.set("flow", &[number(0)], OnError::Retry(2));
    sketch.0.compensating = 1;
    sketch.0
}
