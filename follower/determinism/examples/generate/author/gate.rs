//! Questions to the gate, in rooms full of zones: motions, devices that move by themselves, ways around; ordinary ones and extreme ones.

use super::Draft;
use super::chance::Chance;
use super::hand::room;
use super::sketch;
use llmos_determinism::{Event, Weighed};
use llmos_follower::{Envelope, Program, Shape};

const ROOMS: u64 = 6;
const QUESTIONS: usize = 60;

fn zones(chance: &mut Chance, envelope: &mut Envelope) {
    envelope.keep_out.clear();
    for kind in 0..chance.between(1, 6) {
        let center = chance.point(1_200_000);
        let radius = chance.between(20_000, 300_000);
        let shape = match kind {
            0 | 4 => Shape::Box {
                min: center.map(|axis| axis - radius),
                max: center.map(|axis| axis + radius / 3),
            },
            1 => Shape::Sphere { center, radius },
            2 => Shape::Cylinder {
                base: center,
                radius,
                height: chance.between(0, 1_000_000),
            },
            3 if chance.once_in(2) => Shape::Floor { z: -1_100_000 },
            _ => Shape::Sphere {
                center: center.map(|axis| axis * 100),
                radius: radius * 90,
            },
        };
        envelope.keep_out.push(shape).expect("room for zones");
    }
}

fn maybe<T>(chance: &mut Chance, draw: impl FnOnce(&mut Chance) -> T) -> Option<T> {
    if chance.once_in(3) { None } else { Some(draw(chance)) }
}

fn weighed(chance: &mut Chance) -> Weighed {
    let side = chance.one_of(&[400_000, 1_300_000, 1_300_000, 600_000_000]);
    let from = maybe(chance, |chance| chance.point(side));
    let reach = chance.between(1, 700_000);
    let near = from.map(|from| {
        let way = chance.point(reach);
        [0, 1, 2].map(|axis: usize| from[axis] + way[axis])
    });
    let limit = chance.one_of(&[0, 0, 0, 3]);
    let number = |chance: &mut Chance, usual: i64| match chance.between(0, 4) + limit {
        0 => Some(chance.any()),
        1 => Some(chance.between(-usual, usual)),
        _ => None,
    };
    Weighed {
        from,
        start: if chance.once_in(6) {
            from.map(|from| from.map(|axis| axis + chance.between(0, 40_000)))
        } else {
            None
        },
        to: if chance.once_in(8) {
            Some([chance.any(), chance.any(), chance.any()])
        } else {
            near
        },
        speed: number(chance, 600_000),
        drives: chance.once_in(7),
        acceleration: number(chance, 900_000),
        turn: number(chance, 190_000_000),
        turn_speed: number(chance, 95_000_000),
        duration: number(chance, 70_000_000),
        state_age_ms: if chance.once_in(9) { 1_501 } else { chance.small(0, 300) },
        recent: u16::try_from(chance.small(0, 11)).expect("small"),
        jumped: chance.once_in(15),
    }
}

fn question(chance: &mut Chance, at: usize) -> Event {
    match at % 6 {
        0 => Event::Run {
            at: chance.point(1_900_000),
            velocity: chance.point(350_000),
            react_ms: chance.small(0, 400),
        },
        1 => Event::Way {
            from: chance.point(1_300_000),
            to: chance.point(1_300_000),
        },
        _ => Event::Weigh(weighed(chance)),
    }
}

/// A wall so broad that the way around it has two corners.
fn wall() -> Draft {
    let mut envelope = room();
    envelope.keep_out.clear();
    let wall = Shape::Box {
        min: [-100_000, -600_000, 0],
        max: [100_000, 600_000, 2_980_000],
    };
    envelope.keep_out.push(wall).expect("room for a zone");
    let way = |from, to| Event::Way { from, to };
    Draft {
        name: "wall".to_owned(),
        wire: sketch::bytes(&Program::default()),
        slots: Vec::new(),
        envelope,
        script: vec![
            way([-500_000, 0, 1_000_000], [500_000, 0, 1_000_000]),
            way([-500_001, 77_777, 1_000_001], [433_333, -99_999, 1_333_331]),
            way([500_000, 0, 10_000], [-900_000, 1, 10_001]),
        ],
    }
}

/// The cases.
pub fn cases() -> Vec<Draft> {
    let rooms = (1..=ROOMS).map(|seed| {
        let mut chance = Chance(2_000 + seed);
        let mut envelope = room();
        zones(&mut chance, &mut envelope);
        if seed % 3 == 0 {
            envelope.acceleration_max = None;
        }
        envelope.bounds = Some([(-1_900_000, 1_900_000); 3]);
        let script = (0..QUESTIONS).map(|at| question(&mut chance, at)).collect();
        let wire = sketch::bytes(&Program::default());
        Draft {
            name: format!("gate-{seed}"),
            wire,
            slots: Vec::new(),
            envelope,
            script,
        }
    });
    rooms.chain([wall()]).collect()
}
