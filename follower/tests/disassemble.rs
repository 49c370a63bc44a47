//! What a program looks like as text.

mod support;

use llmos_follower::{Kind, MICRO, OnError, Op, Program, Range, Step, Symbol, Value, disassemble};
use support::{Sketch, before, everything, move_right, name, number, reading};

fn check(program: &Program, expected: &str) {
    let mut text = String::new();
    disassemble(program, &name, &mut text).expect("a string has room");
    assert_eq!(text, expected, "it reads:\n{text}");
}

#[test]
fn a_motion_is_a_line_for_the_call_and_one_for_the_step() {
    check(
        &move_right(300_000, OnError::Retry(2)),
        "call 0  arm.move distance=0.3\n  \
         0  arm.move distance=0.3  after: near(position, before.position + (1, 0, 0) * $distance, 0.005)  \
         target: before.position + (1, 0, 0) * $distance  legs of 0.5  timeout 1 s  on error retry 2\n",
    );
}

#[test]
fn everything_has_its_word() {
    check(
        &everything(),
        "slots 1\n\
         start  arm: valve == 0\n\
         call 0  arm.set valve=slot0\n  \
         0  arm.set valve=slot0  after: valve == $valve  keep result2 = before.level  timeout 1 s  on error retry 1\n  \
         1  arm.wait  pause: 2  timeout 2 s\n  \
         2  arm.wait  wait  after: level >= result2 + 3  timeout 1 s\n\
         call 1  arm.set flow=1\n  \
         3  arm.set flow=1  after: flow == $flow  timeout 1 s  on error skip\n\
         call 2  arm.set flow=2  depends on 1\n  \
         4  arm.set flow=2  after: flow == $flow  timeout 1 s\n\
         call 3  arm.set valve=0\n  \
         5  arm.look  read  timeout 1 s\n  \
         6  arm.set valve=0  after: valve == $valve  timeout 1 s  on error compensate 7..8\n\
         compensating\n  \
         7  arm.set flow=0  after: flow == $flow  timeout 1 s  on error retry 2\n",
    );
}

/// One step whose precondition is this code.
fn formula(ops: &[Op], expected: &str) {
    let mut sketch = Sketch::default();
    let cases = [("left", -MICRO), ("right", MICRO)];
    let cases = cases.map(|(case, value)| (Symbol::of(case), Value::Number(value)));
    sketch.0.cases.extend_from_slice(&cases).expect("room");
    sketch.call("time", &[number(1)]);
    let require = sketch.code(ops);
    sketch.step(Step {
        kind: Kind::Command,
        tool: Symbol::of("look"),
        require,
        ..Step::default()
    });
    check(
        &sketch.0,
        &format!("call 0  arm.set time=1\n  0  arm.look  before: {expected}  timeout 1 s\n"),
    );
}

#[test]
fn formulas_have_the_brackets_they_need_and_no_others() {
    let (a, b, c) = (reading("level"), reading("flow"), number(3));
    formula(&[a, b, Op::Sub, c, Op::Sub], "level - flow - 3");
    formula(&[a, b, c, Op::Sub, Op::Sub], "level - (flow - 3)");
    formula(&[a, b, Op::Add, c, Op::Mul], "(level + flow) * 3");
    formula(&[a, b, c, Op::Mul, Op::Add], "level + flow * 3");
    formula(&[a, b, Op::Eq, c, Op::Eq], "(level == flow) == 3");
    formula(
        &[a, b, Op::AtMost, Op::Not, b, c, Op::AtLeast, Op::Or],
        "not level <= flow or flow >= 3",
    );
    formula(&[a, b, Op::Or, c, Op::And, Op::Not], "not ((level or flow) and 3)");
    formula(&[a, Op::Not, b, Op::Eq], "(not level) == flow");
    formula(
        &[a, b, Op::Add, c, Op::NearTurn(-250_000)],
        "near_turn(level + flow, 3, -0.25)",
    );
    let object = Op::Const(Value::Symbol(Symbol::of("cup")));
    let field = Symbol::of("position");
    formula(
        &[object, Op::ReadingOf { field }, object, Op::BeforeOf { field }, Op::Eq],
        "cup.position == before.cup.position",
    );
    let owner = Symbol::of("cup");
    formula(
        &[Op::Reading { owner, field }, Op::Before { owner, field }, Op::Eq],
        "cup.position == before.cup.position",
    );
    let nothing = Op::Const(Value::Symbol(Symbol::NONE));
    formula(&[reading("holding"), nothing, Op::Eq], "holding == nothing");
    let direction = reading("direction");
    let map = Op::Map(Range { start: 0, len: 2 });
    formula(
        &[direction, map, before("level"), Op::Mul],
        "map(direction, left: -1, right: 1) * before.level",
    );
    formula(
        &[Op::Argument(3), Op::Const(Value::Bool(true)), Op::Eq],
        "$argument3 == true",
    );
    formula(&[Op::Const(Value::Number(i64::MIN))], "-9223372036854.775808");
    formula(&[Op::Const(Value::Symbol(Symbol(0xab)))], "0x000000ab");
    // What is no formula is shown as it is.
    formula(&[Op::Add], "postfix [Add]");
    formula(&[Op::Result(1), Op::Result(1)], "postfix [Result(1), Result(1)]");
}
