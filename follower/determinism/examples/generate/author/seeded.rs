//! Programs made by chance that make sense, in worlds that make mistakes by chance.

use super::Draft;
use super::chance::Chance;
use super::hand::room;
use super::sketch::{DIRECTIONS, Sketch, number, reading, word};
use super::stage::{FAULTS, Fault};
use llmos_follower::{Envelope, MICRO, OnError, Op, Program, Shape, Value};

const CASES: u64 = 26;

fn zone(chance: &mut Chance) -> Shape {
    let center = chance.point(1_500_000);
    let radius = chance.between(50_000, 350_000);
    match chance.between(0, 3) {
        0 => Shape::Sphere { center, radius },
        1 => Shape::Box {
            min: center.map(|axis| axis - radius),
            max: center.map(|axis| axis + radius),
        },
        2 => Shape::Cylinder {
            base: center,
            radius,
            height: chance.between(1, 900_000),
        },
        _ => Shape::Floor {
            z: chance.between(-200_000, 0),
        },
    }
}

fn envelope(chance: &mut Chance) -> Envelope {
    let mut envelope = room();
    for _ in 0..chance.between(0, 4) {
        envelope.keep_out.push(zone(chance)).expect("room for zones");
    }
    envelope.margin = chance.between(0, 30_000);
    envelope.detours = !chance.once_in(4);
    envelope
}

fn on_error(chance: &mut Chance) -> OnError {
    match chance.between(0, 5) {
        0 => OnError::Skip,
        1 => OnError::Stop,
        2 | 3 => OnError::Retry(u8::try_from(chance.between(0, 3)).expect("small")),
        _ => OnError::Handoff,
    }
}

/// One more call. The slot is a distance.
fn call(it: &mut Sketch, chance: &mut Chance) {
    let direction = word(chance.one_of(&DIRECTIONS).0);
    let distance = if chance.once_in(3) {
        Op::Slot(0)
    } else {
        number(chance.between(-500_000, 900_000))
    };
    let legs = chance.one_of(&[0, 90_001, 250_000, 333_333, 500_000]);
    let error = on_error(chance);
    match chance.between(0, 6) {
        0 | 1 => {
            it.call("move", &[("direction", direction), ("distance", distance)]);
            it.go(&[direction], &[distance], legs).on_error = error;
        }
        2 | 3 => {
            let mut to = chance.point(1_400_000);
            to[2] = to[2].abs() + 100_000;
            it.call("go_to", &[("to", Op::Const(Value::Point(to)))]);
            it.go_to(
                &[
                    Op::Const(Value::Point(to)),
                    reading("position"),
                    number(1),
                    Op::Mul,
                    Op::Add,
                ],
                legs,
            )
            .on_error = error;
        }
        4 => {
            let angle = number(chance.between(-200, 200) * 999_999);
            it.call("turn", &[("angle", angle)]);
            it.turn(&[angle]).on_error = error;
        }
        5 => {
            it.call("wait", &[]);
            it.look(0, &[reading("level")]);
            it.until(&[
                reading("level"),
                Op::Result(0),
                number(chance.between(0, 3_000_000)),
                Op::Add,
                Op::AtLeast,
            ]);
            it.pause(&[number(chance.between(0, 2_100_000))]);
        }
        _ => {
            let flow = number(chance.between(-9, 9) * 333_333);
            it.call("set", &[("flow", flow)]);
            it.set("valve", &[word("open")]);
            it.set("flow", &[flow, distance, Op::Mul]).on_error = error;
            if chance.once_in(2) {
                it.set("valve", &[word("closed")]);
                it.compensate(1);
            }
        }
    }
}

fn program(chance: &mut Chance) -> Program {
    let mut it = Sketch::default();
    it.program.slots = 1;
    let calls = chance.small(1, 5);
    for index in 0..calls {
        call(&mut it, chance);
        if index > 0 && chance.once_in(3) {
            it.program.calls[usize::try_from(index).expect("small")].depends_on = 1 << chance.small(0, index - 1);
        }
    }
    it.done()
}

/// The cases.
pub fn cases() -> Vec<Draft> {
    (1..=CASES)
        .map(|seed| {
            let mut chance = Chance(seed);
            let (program, envelope) = (program(&mut chance), envelope(&mut chance));
            let slots = [Value::Number(chance.between(1, 700_000) * MICRO / 1_000_003)];
            let odds = chance.between(3, 16);
            Draft::played_by(
                &format!("seed-{seed}"),
                &program,
                &slots,
                envelope,
                seed,
                |_, chance| {
                    if chance.once_in(odds) {
                        chance.one_of(&FAULTS)
                    } else {
                        Fault::None
                    }
                },
            )
        })
        .collect()
}
