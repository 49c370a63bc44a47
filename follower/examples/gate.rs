//! How long the envelope takes for one command on this machine: `cargo run --release -p llmos-follower --example gate`.
//!
//! The envelope is full: every limit, and 16 zones of all shapes that no path touches, so that each is looked at. A sample is the mean of ten
//! checks, so that the clock's own time does not count. The watch's two notes and a detour are shown as well.
#![expect(clippy::print_stdout, reason = "a program that prints figures")]

use llmos_follower::envelope::{Rate, ZONES_MAX};
use llmos_follower::{Envelope, Motion, Point, Shape, Watch};
use std::hint::black_box;
use std::time::Instant;

const M: i64 = 1_000_000;
const SAMPLES: usize = 100_000;
const TIMES: u32 = 10;

fn main() {
    let envelope = full();
    let from = [-3 * M, 0, 2 * M];
    let motions: Vec<Motion> = (0..64).map(|turn| motion(from, turn)).collect();
    for motion in &motions {
        assert_eq!(envelope.check(motion), Ok(()), "every check is made to its end");
    }
    let mut next = motions.iter().cycle();
    show("check (the whole gate may take 5000 ns)", SAMPLES, || {
        let motion = next.next().copied().unwrap_or_default();
        black_box(black_box(&envelope).check(black_box(&motion))).is_ok()
    });
    let mut watch = Watch::default();
    let mut now = 0;
    show("watch", SAMPLES, || {
        now += 50;
        watch.note_command(now);
        watch.note_position(now, black_box(from), &envelope);
        black_box(watch.recent(now, envelope.rate_max)) > 0
    });
    let (west, east) = ([-4 * M, 3 * M, M], [9 * M / 2, 3 * M, M]);
    show("detour, once where a way is barred", 200, || {
        black_box(envelope.detour(black_box(west), black_box(east))).is_some()
    });
}

/// Sixteen zones: pillars, balls and boxes in a row at y = 3 m, and floors.
fn full() -> Envelope {
    let mut envelope = Envelope {
        bounds: Some([(-5 * M, 5 * M); 3]),
        margin: M / 20,
        step_max: Some(8 * M),
        speed_max: Some(M),
        acceleration_max: Some(M),
        turn_max: Some(90 * M),
        turn_speed_max: Some(45 * M),
        duration_max: Some(60 * M),
        rate_max: Some(Rate {
            commands: 20,
            per_ms: 1_000,
        }),
        state_age_ms_max: 2_000,
        detours: true,
        ..Envelope::default()
    };
    for index in 0..i64::try_from(ZONES_MAX).unwrap_or(0) {
        let (x, y) = (index * M / 2 - 3 * M, 3 * M);
        let (radius, height) = (M / 5, 2 * M);
        let shape = match index % 4 {
            0 => Shape::Sphere {
                center: [x, y, M],
                radius,
            },
            1 => Shape::Box {
                min: [x - radius, y - radius, 0],
                max: [x + radius, y + radius, height],
            },
            2 => Shape::Cylinder {
                base: [x, y, 0],
                radius,
                height,
            },
            _ => Shape::Floor { z: -index * M / 10 },
        };
        // There are as many as fit.
        let _ = envelope.keep_out.push(shape);
    }
    envelope
}

/// A motion that asks for everything, in one of 64 directions.
fn motion(from: Point, turn: i64) -> Motion {
    Motion {
        from: Some(from),
        start: Some(from),
        to: Some([3 * M, turn * M / 64, 2 * M + turn * M / 128]),
        speed: Some(M / 2),
        acceleration: Some(M / 2),
        turn: Some(45 * M),
        turn_speed: Some(30 * M),
        duration: Some(5 * M),
        state_age_ms: 100,
        recent: 3,
        ..Motion::default()
    }
}

fn show(what: &str, samples: usize, mut act: impl FnMut() -> bool) {
    let mut spent = Vec::with_capacity(samples);
    let mut yes = 0_u32;
    for _ in 0..samples {
        let begin = Instant::now();
        for _ in 0..TIMES {
            yes += u32::from(act());
        }
        spent.push(begin.elapsed().as_nanos() / u128::from(TIMES));
    }
    spent.sort_unstable();
    let at = |percent: usize| spent[(spent.len() - 1) * percent / 100];
    println!("{what}: p50 {} ns, p99 {} ns; {yes} times yes", at(50), at(99));
}
