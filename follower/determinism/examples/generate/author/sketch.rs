//! A program under construction: calls as a person would name them, with the conditions that a manifest would give them.

use llmos_follower::state::POSITION;
use llmos_follower::{Call, Kind, MICRO, OnError, Op, Program, Range, Split, Step, Symbol, Value, wire};

/// The device that does everything.
pub const ARM: Symbol = Symbol::of("arm");
/// The device itself, as the owner of a reading.
pub const SELF: Symbol = Symbol::NONE;
/// Directions; the slanted ones have no exact length in millionths, so that products round.
pub const DIRECTIONS: [(&str, [i64; 3]); 6] = [
    ("left", [-MICRO, 0, 0]),
    ("right", [MICRO, 0, 0]),
    ("up", [0, 0, MICRO]),
    ("down", [0, 0, -MICRO]),
    ("slant", [-707_107, 707_107, 0]),
    ("steep", [577_351, -577_349, -577_350]),
];

/// A constant number.
pub const fn number(micro: i64) -> Op {
    Op::Const(Value::Number(micro))
}

/// A constant name.
pub fn word(name: &str) -> Op {
    Op::Const(Value::Symbol(Symbol::of(name)))
}

/// What the device reports now.
pub fn reading(field: &str) -> Op {
    Op::Reading {
        owner: SELF,
        field: Symbol::of(field),
    }
}

/// What it reported when the step began.
pub fn before(field: &str) -> Op {
    Op::Before {
        owner: SELF,
        field: Symbol::of(field),
    }
}

/// The program.
#[derive(Default)]
pub struct Sketch {
    /// As far as it is there; steps that compensate are kept apart until the end.
    pub program: Program,
    undo: Vec<Step>,
    /// Indices into `program.steps`, with their stretch of `undo`.
    undone: Vec<(usize, Range)>,
}

fn range(start: usize, len: usize) -> Range {
    let small = |number| u16::try_from(number).expect("a small program");
    Range {
        start: small(start),
        len: small(len),
    }
}

impl Sketch {
    /// Adds code.
    pub fn code(&mut self, ops: &[Op]) -> Range {
        let at = range(self.program.code.len(), ops.len());
        self.program.code.extend_from_slice(ops).expect("room for code");
        at
    }

    /// The cases of the directions.
    pub fn directions(&mut self) -> Range {
        let at = range(self.program.cases.len(), DIRECTIONS.len());
        for (name, way) in DIRECTIONS {
            let case = (Symbol::of(name), Value::Point(way));
            self.program.cases.push(case).expect("room for cases");
        }
        at
    }

    /// Begins a call. Its arguments are what tells one run from another.
    pub fn call(&mut self, tool: &str, arguments: &[(&str, Op)]) -> &mut Call {
        let arguments = arguments.iter().map(|(name, op)| (Symbol::of(name), self.code(&[*op])));
        let call = Call {
            device: ARM,
            tool: Symbol::of(tool),
            arguments: arguments.collect(),
            ..Call::default()
        };
        self.program.calls.push(call).expect("room for a call");
        self.program.calls.last_mut().expect("just pushed")
    }

    /// Adds a step of the last call.
    pub fn step(&mut self, tool: &str, step: Step) -> &mut Step {
        let call = u8::try_from(self.program.calls.len() - 1).expect("few calls");
        let step = Step {
            device: ARM,
            tool: Symbol::of(tool),
            call,
            timeout_ms: 2_000,
            ..step
        };
        self.program.steps.push(step).expect("room for a step");
        self.program.steps.last_mut().expect("just pushed")
    }

    /// A command that gives a field a value; done when the device reports it.
    pub fn set(&mut self, field: &str, value: &[Op]) -> &mut Step {
        let value = self.code(value);
        let ensure = self.code(&[reading(field), Op::Argument(0), Op::Eq]);
        let arguments = [(Symbol::of(field), value)].into_iter().collect();
        self.step(
            "set",
            Step {
                kind: Kind::Command,
                arguments,
                ensure,
                ..Step::default()
            },
        )
    }

    /// A command along a direction.
    pub fn go(&mut self, direction: &[Op], distance: &[Op], leg_max: i64) -> &mut Step {
        let cases = self.directions();
        let way = [Op::Argument(0), Op::Map(cases), Op::Argument(1), Op::Mul, Op::Add];
        let target = self.code(&[&[reading("position")], &way[..]].concat());
        let arrived = [reading("position"), before("position")];
        let ensure = self.code(&[&arrived[..], &way, &[Op::Near(5_000)]].concat());
        let arguments = [("direction", direction), ("distance", distance)];
        let arguments = arguments
            .map(|(name, code)| (Symbol::of(name), self.code(code)))
            .into_iter()
            .collect();
        let split = Split::Along(1);
        self.step(
            "move",
            Step {
                kind: Kind::Command,
                arguments,
                ensure,
                target,
                split,
                leg_max,
                ..Step::default()
            },
        )
    }

    /// A command to a point.
    pub fn go_to(&mut self, to: &[Op], leg_max: i64) -> &mut Step {
        let target = self.code(&[Op::Argument(0)]);
        let ensure = self.code(&[reading("position"), Op::Argument(0), Op::Near(5_000)]);
        let arguments = [(Symbol::of("to"), self.code(to))].into_iter().collect();
        let split = Split::Toward(0);
        self.step(
            "move_to",
            Step {
                kind: Kind::Command,
                arguments,
                ensure,
                target,
                split,
                leg_max,
                ..Step::default()
            },
        )
    }

    /// A command that turns; done when the heading says so, full turns aside.
    pub fn turn(&mut self, angle: &[Op]) -> &mut Step {
        let angle = self.code(angle);
        let ensure = self.code(&[
            reading("heading"),
            before("heading"),
            Op::Argument(0),
            Op::Add,
            Op::NearTurn(1_000_000),
        ]);
        let arguments = [(Symbol::of("angle"), angle)].into_iter().collect();
        self.step(
            "turn",
            Step {
                kind: Kind::Command,
                arguments,
                ensure,
                ..Step::default()
            },
        )
    }

    /// Waits for a duration, in microseconds.
    pub fn pause(&mut self, duration: &[Op]) -> &mut Step {
        let duration = self.code(duration);
        self.step(
            "wait",
            Step {
                kind: Kind::Pause(duration),
                ..Step::default()
            },
        )
    }

    /// Waits for a condition.
    pub fn until(&mut self, condition: &[Op]) -> &mut Step {
        let ensure = self.code(condition);
        self.step(
            "wait",
            Step {
                kind: Kind::Until,
                ensure,
                ..Step::default()
            },
        )
    }

    /// Looks, and keeps a value for later.
    pub fn look(&mut self, register: u8, value: &[Op]) -> &mut Step {
        let keep = Some((register, self.code(value)));
        self.step(
            "look",
            Step {
                kind: Kind::Read,
                keep,
                ..Step::default()
            },
        )
    }

    /// What must hold before the last step.
    pub fn require(&mut self, condition: &[Op]) {
        let require = self.code(condition);
        self.last().require = require;
    }

    /// What must hold before the first step.
    pub fn start(&mut self, condition: &[Op]) {
        let condition = self.code(condition);
        self.program.start.push((ARM, condition)).expect("room for a start");
    }

    /// The last step.
    pub fn last(&mut self) -> &mut Step {
        self.program.steps.last_mut().expect("a step")
    }

    /// Turns the last `count` steps into what compensates for the step before them.
    pub fn compensate(&mut self, count: usize) {
        let main = self.program.steps.len() - count;
        let steps: Vec<Step> = self.program.steps[main..].to_vec();
        self.program.steps.truncate(main);
        self.undone.push((main - 1, range(self.undo.len(), count)));
        self.undo.extend(steps);
    }

    /// The program, with its compensating steps at the end.
    pub fn done(mut self) -> Program {
        let main = self.program.steps.len();
        for (step, undo) in self.undone {
            let at = range(main + usize::from(undo.start), usize::from(undo.len));
            self.program.steps[step].on_error = OnError::Compensate(at);
        }
        self.program.compensating = u8::try_from(self.undo.len()).expect("few steps");
        self.program.steps.extend(self.undo);
        self.program
    }
}

/// A program's wire bytes.
pub fn bytes(program: &Program) -> Vec<u8> {
    assert_eq!(program.check(), Ok(()), "the author wrote nonsense");
    let mut buffer = vec![0; wire::BYTES_MAX];
    wire::encode(program, &mut buffer).expect("room").to_vec()
}

/// Where the arm is, as a reading's field.
pub const PLACE: Symbol = POSITION;
