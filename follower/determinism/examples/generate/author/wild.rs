//! Programs made by chance that make no sense, and that every check lets through: the values are extreme, types do not fit, and what
//! happens meanwhile has nothing to do with them.

use super::chance::Chance;
use super::hand::room;
use super::{Draft, sketch};
use llmos_determinism::{Answer, Event};
use llmos_follower::program::{ARGUMENTS_MAX, RESULTS_MAX};
use llmos_follower::{Call, Kind, OnError, Op, Program, Progress, Range, Split, Step, Symbol, Value};

const CASES: u64 = 12;
const CODE: u32 = 40;
const SLOTS: u32 = 2;
const NAMES: [&str; 6] = ["position", "level", "heading", "flow", "lamp", "valve"];

fn name(chance: &mut Chance) -> Symbol {
    Symbol::of(chance.one_of(&NAMES))
}

fn value(chance: &mut Chance) -> Value {
    match chance.between(0, 5) {
        0 => Value::Bool(chance.once_in(2)),
        1 => Value::Point([chance.any(), chance.any(), chance.any()]),
        2 => Value::Symbol(name(chance)),
        _ => Value::Number(chance.any()),
    }
}

fn byte(chance: &mut Chance, below: usize) -> u8 {
    u8::try_from(chance.between(0, i64::try_from(below).expect("small") - 1)).expect("small")
}

fn op(chance: &mut Chance) -> Op {
    match chance.between(0, 15) {
        0..=4 => Op::Const(value(chance)),
        5 => Op::Argument(byte(chance, ARGUMENTS_MAX)),
        6 => Op::Slot(byte(chance, 2)),
        7 => Op::Result(byte(chance, RESULTS_MAX)),
        8 => Op::Reading {
            owner: Symbol::NONE,
            field: name(chance),
        },
        9 => Op::Before {
            owner: Symbol::NONE,
            field: name(chance),
        },
        10 if chance.once_in(2) => Op::Near(chance.any()),
        10 => Op::NearTurn(chance.any()),
        11 => Op::Map(Range { start: 0, len: 3 }),
        _ => chance.one_of(&[
            Op::Add,
            Op::Sub,
            Op::Mul,
            Op::Eq,
            Op::AtMost,
            Op::AtLeast,
            Op::And,
            Op::Or,
            Op::Not,
        ]),
    }
}

fn range(chance: &mut Chance) -> Range {
    if chance.once_in(3) {
        return Range::EMPTY;
    }
    let start = chance.small(0, CODE - 6);
    let len = chance.small(1, 6);
    Range {
        start: u16::try_from(start).expect("small"),
        len: u16::try_from(len).expect("small"),
    }
}

fn step(chance: &mut Chance, call: u8) -> Step {
    let arguments: Vec<(Symbol, Range)> = (0..chance.between(1, 3))
        .map(|_| (name(chance), range(chance)))
        .collect();
    Step {
        device: sketch::ARM,
        tool: name(chance),
        call,
        kind: match chance.between(0, 4) {
            0 => Kind::Read,
            1 => Kind::Until,
            2 => Kind::Pause(range(chance)),
            _ => Kind::Command,
        },
        split: chance.one_of(&[Split::Never, Split::Toward(0), Split::Along(0)]),
        arguments: arguments.into_iter().collect(),
        require: Range::EMPTY,
        ensure: range(chance),
        target: if chance.once_in(2) { range(chance) } else { Range::EMPTY },
        leg_max: chance.any(),
        timeout_ms: chance.small(0, 3_000),
        on_error: chance.one_of(&[OnError::Handoff, OnError::Retry(2), OnError::Skip, OnError::Skip]),
        keep: if chance.once_in(3) {
            Some((byte(chance, RESULTS_MAX), range(chance)))
        } else {
            None
        },
    }
}

fn program(chance: &mut Chance) -> Program {
    let mut program = Program {
        slots: u8::try_from(SLOTS).expect("small"),
        ..Program::default()
    };
    program.code.extend((0..CODE).map(|_| op(chance)));
    program.cases.extend((0..3).map(|_| (name(chance), value(chance))));
    for call in 0..6 {
        let arguments = [(name(chance), range(chance))].into_iter().collect();
        let depends_on = if call > 0 && chance.once_in(2) {
            1 << (call - 1)
        } else {
            0
        };
        let call_of = Call {
            device: sketch::ARM,
            tool: name(chance),
            arguments,
            ensure: Range::EMPTY,
            depends_on,
        };
        program.calls.push(call_of).expect("room for a call");
        for _ in 0..chance.between(1, 3) {
            program.steps.push(step(chance, call)).expect("room for a step");
        }
    }
    program
}

fn event(chance: &mut Chance) -> Event {
    match chance.between(0, 9) {
        0 => Event::Wait(chance.small(0, 2_000)),
        1 => Event::Tell {
            device: sketch::ARM,
            owner: Symbol::NONE,
            field: name(chance),
            value: if chance.once_in(5) { None } else { Some(value(chance)) },
        },
        2 => Event::Answer(chance.one_of(&[Answer::Again, Answer::Failed])),
        3 => Event::Resume,
        4 | 5 => Event::Answer(Answer::Acknowledged),
        6 => Event::Answer(Answer::Tick),
        _ => Event::Answer(Answer::State(chance.one_of(&[
            Progress::Busy,
            Progress::Finished,
            Progress::Unknown,
        ]))),
    }
}

/// The cases.
pub fn cases() -> Vec<Draft> {
    (1..=CASES)
        .map(|seed| {
            let mut chance = Chance(1_000 + seed);
            let program = program(&mut chance);
            let slots = (0..SLOTS).map(|_| value(&mut chance)).collect();
            let told = NAMES.map(|field| Event::Tell {
                device: sketch::ARM,
                owner: Symbol::NONE,
                field: Symbol::of(field),
                value: Some(value(&mut chance)),
            });
            Draft {
                name: format!("wild-{seed}"),
                wire: sketch::bytes(&program),
                slots,
                envelope: room(),
                script: told.into_iter().chain((0..60).map(|_| event(&mut chance))).collect(),
            }
        })
        .collect()
}
