//! A program small enough to read: move right by an argument, in legs of at most half a metre.

use llmos_follower::state::POSITION;
use llmos_follower::{Call, OnError, Op, Program, Range, Split, Step, Symbol, Value};

/// The device of the program.
pub const ARM: Symbol = Symbol::of("arm");
const HERE: Symbol = Symbol::NONE;

fn range(start: u16, len: u16) -> Range {
    Range { start, len }
}

/// `move(distance)`: the device ends `distance` further along x.
pub fn move_right(micrometres: i64, on_error: OnError) -> Program {
    let mut program = Program::default();
    let target = [
        Op::Before {
            owner: HERE,
            field: POSITION,
        },
        Op::Const(Value::Point([1_000_000, 0, 0])),
        Op::Argument(0),
        Op::Mul,
        Op::Add,
    ];
    let mut code = vec![Op::Const(Value::Number(micrometres))];
    code.extend(target);
    code.push(Op::Reading {
        owner: HERE,
        field: POSITION,
    });
    code.extend(target);
    code.push(Op::Near(5_000));
    program.code.extend_from_slice(&code).expect("room");
    let arguments = [(Symbol::of("distance"), range(0, 1))].into_iter().collect();
    let call = Call {
        device: ARM,
        tool: Symbol::of("move"),
        arguments,
        ensure: Range::EMPTY,
    };
    let step = Step {
        device: ARM,
        tool: Symbol::of("move"),
        call: 0,
        arguments: call.arguments.clone(),
        require: Range::EMPTY,
        target: range(1, 5),
        ensure: range(6, 7),
        split: Split::Along(0),
        leg_max: 500_000,
        timeout_ms: 1_000,
        on_error,
        acts: true,
    };
    program.calls.push(call).expect("room");
    program.steps.push(step).expect("room");
    program
}
