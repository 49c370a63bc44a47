//! Programs written by hand: each kind of step, each way to fail, each way to go on.

use super::Draft;
use super::sketch::{Sketch, before, number, reading, word};
use super::stage::Fault;
use llmos_follower::{Call, Envelope, Kind, MICRO, OnError, Op, Program, Rate, Shape, Step, Symbol, Value};

/// A room with a person in the middle of it.
pub fn room() -> Envelope {
    Envelope {
        bounds: Some([(-2 * MICRO, 2 * MICRO), (-2 * MICRO, 2 * MICRO), (0, 3 * MICRO)]),
        keep_out: [Shape::Sphere {
            center: [0, 0, 400_000],
            radius: 300_000,
        }]
        .into_iter()
        .collect(),
        margin: 10_000,
        step_max: Some(600_000),
        speed_max: Some(500_000),
        acceleration_max: Some(800_000),
        turn_max: Some(180 * MICRO),
        turn_speed_max: Some(90 * MICRO),
        duration_max: Some(60 * MICRO),
        rate_max: Some(Rate {
            commands: 10,
            per_ms: 1_000,
        }),
        state_age_ms_max: 1_500,
        detours: true,
    }
}

/// The same with less patience.
fn hurried() -> Envelope {
    Envelope {
        rate_max: Some(Rate {
            commands: 4,
            per_ms: 1_000,
        }),
        ..room()
    }
}

/// In a box: sixty of them are too much for a stack.
fn sketch(draw: impl FnOnce(&mut Sketch)) -> Box<Program> {
    let mut sketch = Sketch::default();
    draw(&mut sketch);
    Box::new(sketch.done())
}

/// One call: move by a distance in a direction.
fn moving(direction: &str, distance: i64, on_error: OnError) -> Box<Program> {
    sketch(|it| {
        it.call(
            "move",
            &[("direction", word(direction)), ("distance", number(distance))],
        );
        it.go(&[word(direction)], &[number(distance)], 250_000).on_error = on_error;
    })
}

/// One call: to the other side of the person.
fn crossing() -> Box<Program> {
    let there = Op::Const(Value::Point([-800_000, 1, 10_000]));
    sketch(|it| {
        it.call("go_to", &[("to", there)]);
        it.go_to(&[there], 500_000);
    })
}

/// Fetch the cube: a call of five steps that look at an entity, with a slot for which one.
fn fetching() -> Box<Program> {
    let place = Op::ReadingOf {
        field: super::sketch::PLACE,
    };
    let above = Op::Const(Value::Point([0, 0, 150_000]));
    sketch(|it| {
        it.call("pick", &[("object", Op::Slot(0))]);
        it.set("gripper", &[word("open")]);
        it.go_to(&[Op::Slot(0), place, above, Op::Add], 400_000);
        it.go_to(&[Op::Slot(0), place], 400_000);
        let then = Op::BeforeOf {
            field: super::sketch::PLACE,
        };
        it.require(&[Op::Slot(0), place, Op::Slot(0), then, Op::Near(1)]);
        it.set("holding", &[Op::Slot(0)]);
        it.go_to(&[Op::Slot(0), place, above, Op::Add], 400_000);
        let ensure = it.code(&[reading("holding"), Op::Argument(0), Op::Eq]);
        it.program.calls[0].ensure = ensure;
        it.program.slots = 1;
        it.start(&[reading("lamp"), Op::Not]);
    })
}

/// Three calls, of which the last two need the one before.
fn depending(on_error: OnError) -> Box<Program> {
    sketch(|it| {
        it.call("set", &[("valve", word("open"))]);
        it.set("valve", &[word("open")]).on_error = on_error;
        it.call("set", &[("flow", number(3 * MICRO))]).depends_on = 1;
        it.set("flow", &[number(3 * MICRO)]);
        it.call("set", &[("lamp", Op::Const(Value::Bool(true)))]).depends_on = 2;
        it.set("lamp", &[Op::Const(Value::Bool(true))]);
        it.call("turn", &[("angle", number(15_500_000))]);
        it.turn(&[number(15_500_000)]);
    })
}

/// A step with two that compensate for it.
fn undoing() -> Box<Program> {
    sketch(|it| {
        it.call("set", &[("valve", word("open"))]);
        it.set("valve", &[word("open")]);
        it.set("flow", &[number(MICRO)]);
        it.set("flow", &[number(0)]).on_error = OnError::Retry(1);
        it.set("valve", &[word("closed")]);
        it.compensate(2);
    })
}

/// Waiting: for a computed time, for a condition, and what was kept before it.
fn waiting() -> Box<Program> {
    sketch(|it| {
        it.call("wait", &[("duration", Op::Slot(0))]);
        it.look(0, &[reading("level")]);
        it.pause(&[Op::Slot(0), number(1_500_001), Op::Mul]);
        it.until(&[reading("level"), Op::Result(0), number(1_400_000), Op::Add, Op::AtLeast]);
        it.look(1, &[reading("level"), Op::Result(0), Op::Sub]);
        it.call("set", &[("flow", number(7))]);
        it.set("flow", &[Op::Result(1), number(333_333), Op::Mul]);
        it.program.slots = 1;
    })
}

/// Every operation in one condition, and numbers that do not divide.
fn computing() -> Box<Program> {
    sketch(|it| {
        it.call("set", &[("flow", number(-1_234_567))]);
        it.set(
            "flow",
            &[
                number(-1_234_567),
                number(765_432),
                Op::Mul,
                number(-3),
                Op::Mul,
                number(1),
                Op::Add,
            ],
        );
        it.require(&[
            reading("level"),
            number(1),
            Op::AtLeast,
            reading("level"),
            number(99 * MICRO),
            Op::AtMost,
            Op::And,
            reading("lamp"),
            Op::Or,
            reading("lamp"),
            Op::Not,
            Op::And,
        ]);
        it.turn(&[number(-725_000_001)]);
        it.require(&[reading("heading"), before("heading"), Op::NearTurn(0)]);
        it.go(&[word("slant")], &[number(333_331)], 100_000);
        it.go(&[word("steep")], &[number(777_773)], 0).split = llmos_follower::Split::Never;
        it.go(&[word("left")], &[number(-1)], 1);
    })
}

/// Nothing can be read back, and arguments that the gate looks at.
fn unverified(tool: &str, arguments: &[(&str, i64)]) -> Box<Program> {
    sketch(|it| {
        it.call(tool, &[]);
        let arguments = arguments
            .iter()
            .map(|(name, value)| (Symbol::of(name), it.code(&[number(*value)])))
            .collect();
        it.step(
            tool,
            Step {
                kind: Kind::Command,
                arguments,
                ..Step::default()
            },
        );
    })
}

/// A step that can't be computed.
fn nonsense(code: &[Op]) -> Box<Program> {
    sketch(|it| {
        it.call("set", &[]);
        it.set("flow", code);
    })
}

fn commands(count: i64) -> Box<Program> {
    sketch(|it| {
        for at in 0..count {
            it.call("set", &[("flow", number(at))]);
            it.set("flow", &[number(at)]);
        }
    })
}

/// As many steps as there may be.
fn longest() -> Box<Program> {
    sketch(|it| {
        let set = it.code(&[number(MICRO)]);
        let done = it.code(&[reading("flow"), Op::Argument(0), Op::Eq]);
        for _ in 0..16 {
            let call = Call {
                device: super::sketch::ARM,
                tool: Symbol::of("set"),
                ..Call::default()
            };
            it.program.calls.push(call).expect("room for a call");
            for _ in 0..4 {
                let arguments = [(Symbol::of("flow"), set)].into_iter().collect();
                it.step(
                    "set",
                    Step {
                        kind: Kind::Command,
                        arguments,
                        ensure: done,
                        ..Step::default()
                    },
                );
            }
        }
    })
}

/// The cases.
#[expect(clippy::too_many_lines, reason = "it is a table")]
pub fn cases() -> Vec<Draft> {
    let play = |name, program: &Program, faults: &[Fault]| Draft::played(name, program, &[], room(), faults);
    let left = |on_error| moving("left", 300_000, on_error);
    let mut drafts = vec![
        play("moves-in-legs", &moving("slant", 1_111_111, OnError::Handoff), &[]),
        play("moves-one-leg", &moving("up", 200_001, OnError::Handoff), &[]),
        play(
            "slips-within",
            &left(OnError::Handoff),
            &[Fault::None, Fault::Slips(2_000)],
        ),
        play(
            "slips-beyond",
            &left(OnError::Handoff),
            &[Fault::None, Fault::Slips(9_000)],
        ),
        play(
            "tries-again",
            &left(OnError::Retry(2)),
            &[Fault::NoAck, Fault::Fails, Fault::None],
        ),
        play("tries-in-vain", &left(OnError::Retry(2)), &[Fault::Fails; 3]),
        play("stops-on-failure", &left(OnError::Stop), &[Fault::Stuck]),
        play("stopped-midway", &left(OnError::Handoff), &[Fault::Stop]),
        play("stopped-when-lost", &left(OnError::Stop), &[Fault::Lost]),
        play("lost", &left(OnError::Retry(9)), &[Fault::Lost]),
        play(
            "again",
            &moving("right", 700_000, OnError::Handoff),
            &[Fault::None, Fault::Again],
        ),
        play(
            "power-cut",
            &moving("right", 700_000, OnError::Handoff),
            &[Fault::None, Fault::PowerCut],
        ),
        play(
            "power-cut-sent",
            &moving("right", 700_000, OnError::Handoff),
            &[Fault::None, Fault::PowerCutSent],
        ),
        play("jumps", &moving("right", 700_000, OnError::Retry(3)), &[Fault::Jumps]),
        play("blind", &left(OnError::Retry(1)), &[Fault::Blind]),
        play("late", &left(OnError::Handoff), &[Fault::Late]),
        play("out-of-bounds", &moving("right", 1_300_000, OnError::Handoff), &[]),
        play("around-the-person", &crossing(), &[]),
        play(
            "around-the-person-and-cut",
            &crossing(),
            &[Fault::None, Fault::PowerCut],
        ),
        Draft::played(
            "no-way-around",
            &crossing(),
            &[],
            Envelope {
                detours: false,
                ..room()
            },
            &[],
        ),
        play("depends", &depending(OnError::Handoff), &[]),
        play("skips-what-depends", &depending(OnError::Skip), &[Fault::Fails]),
        play("compensates", &undoing(), &[Fault::None, Fault::Fails]),
        play(
            "compensates-at-the-second-try",
            &undoing(),
            &[Fault::None, Fault::Fails, Fault::NoAck],
        ),
        play(
            "compensates-in-vain",
            &undoing(),
            &[Fault::None, Fault::NoAck, Fault::None, Fault::Stuck],
        ),
        Draft::played(
            "computes",
            &computing(),
            &[],
            Envelope {
                turn_max: None,
                step_max: None,
                ..room()
            },
            &[],
        ),
        Draft::played(
            "longest",
            &longest(),
            &[],
            Envelope {
                rate_max: None,
                ..room()
            },
            &[],
        ),
        Draft::played("too-often", &commands(12), &[], hurried(), &[]),
        play("turns-too-far", &unverified("turn", &[("angle", -181 * MICRO)]), &[]),
        play(
            "turns-too-fast",
            &unverified("turn", &[("turn speed", 91 * MICRO)]),
            &[],
        ),
        play("too-fast", &unverified("go", &[("speed", 500_001)]), &[]),
        play(
            "too-hard",
            &unverified("go", &[("speed", 100_000), ("acceleration", 900_000)]),
            &[],
        ),
        play("too-long", &unverified("go", &[("duration", 61 * MICRO)]), &[]),
        play("drives", &unverified("drive", &[("speed", 123_457)]), &[]),
        play("nothing-to-read-back", &unverified("go", &[("speed", 499_999)]), &[]),
        play("divides-nothing", &nonsense(&[word("open"), number(1), Op::Mul]), &[]),
        play("overflows", &nonsense(&[number(i64::MAX), number(1), Op::Add]), &[]),
        play(
            "overflows-in-a-product",
            &nonsense(&[number(i64::MIN), number(-MICRO), Op::Mul]),
            &[],
        ),
        play("takes-from-nothing", &nonsense(&[Op::Add]), &[]),
        play("stacks-too-high", &nonsense(&[number(1); 9]), &[]),
        play("reads-what-is-not-there", &nonsense(&[reading("nowhere")]), &[]),
        play("reads-what-was-not-there", &nonsense(&[before("nowhere")]), &[]),
        play("reads-what-nobody-kept", &nonsense(&[Op::Result(3)]), &[]),
        play(
            "knows-no-such-case",
            &{
                let mut sketch = Sketch::default();
                let cases = sketch.directions();
                sketch.call("set", &[]);
                sketch.set("flow", &[word("sideways"), Op::Map(cases)]);
                sketch.done()
            },
            &[],
        ),
    ];
    drafts.extend(with_slots());
    drafts.extend(with_conditions());
    drafts
}

fn with_slots() -> Vec<Draft> {
    let cube = [Value::Symbol(Symbol::of("red cube"))];
    let second = [Value::Number(1_000_001)];
    let play = |name, program: &Program, slots: &[Value], faults: &[Fault]| {
        Draft::played(name, program, slots, room(), faults)
    };
    vec![
        play("fetches", &fetching(), &cube, &[]),
        play(
            "fetches-around-the-person",
            &fetching(),
            &cube,
            &[Fault::None, Fault::Slips(8_000), Fault::Again],
        ),
        play(
            "fetches-what-is-not-there",
            &fetching(),
            &[Value::Symbol(Symbol::of("ghost"))],
            &[],
        ),
        play("has-no-slots", &fetching(), &[], &[]),
        play("has-a-slot-too-many", &fetching(), &[second[0], second[0]], &[]),
        play("waits", &waiting(), &second, &[]),
        play("waits-too-long", &waiting(), &[Value::Number(9 * MICRO)], &[]),
        play("waits-for-a-word", &waiting(), &cube, &[]),
    ]
}

fn with_conditions() -> Vec<Draft> {
    let barred = |condition: &[Op], start: bool| {
        sketch(|it| {
            it.call("turn", &[]);
            it.turn(&[number(20 * MICRO)]);
            if start {
                it.start(condition);
            } else {
                it.require(condition);
            }
        })
    };
    let never = [reading("level"), number(MICRO), Op::AtMost];
    let wordy = [reading("level")];
    let late = sketch(|it| {
        it.call("wait", &[]);
        it.until(&[reading("level"), number(99 * MICRO), Op::AtLeast])
            .timeout_ms = 1_000;
    });
    let missing = [reading("nowhere"), number(1), Op::Eq];
    let promising = sketch(|it| {
        it.call("turn", &[]);
        it.turn(&[number(20 * MICRO)]);
        let ensure = it.code(&[reading("lamp")]);
        it.program.calls[0].ensure = ensure;
    });
    let play = |name, program: &Program| Draft::played(name, program, &[], room(), &[]);
    vec![
        play("starts-elsewhere", &barred(&never, true)),
        play("starts-with-no-truth", &barred(&wordy, true)),
        play("starts-without", &barred(&missing, true)),
        play("may-not", &barred(&never, false)),
        play("may-not-know", &barred(&missing, false)),
        play("waits-in-vain", &late),
        play("breaks-its-promise", &promising),
    ]
}
