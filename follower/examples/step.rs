//! How long one step of the follower takes on this machine: `cargo run --release -p llmos-follower --example step`.
//!
//! A round is one input and all the outputs that follow from it: `handle`, then `poll` until nothing comes. The rounds are those of a program
//! of 24 motions that report their state three times each, with 64 readings to look through. The clock's own time is in the figures.
#![expect(clippy::print_stdout, reason = "a program that prints figures")]

#[path = "../tests/support/mod.rs"]
mod support;

use llmos_follower::program::CALLS_MAX;
use llmos_follower::state::POSITION;
use llmos_follower::{Follower, Input, OnError, Output, Program, Progress, Reading, Readings, Symbol, Value, World};
use std::time::Instant;

const RUNS: usize = 2_000;
const READINGS: u32 = 64;

fn main() {
    let program = motions();
    let mut rounds = Vec::new();
    for _ in 0..RUNS {
        follow(&program, &mut rounds);
    }
    rounds.sort_unstable();
    let at = |percent: usize| rounds[(rounds.len() - 1) * percent / 100];
    println!(
        "{} rounds of handle and poll: p50 {} ns, p99 {} ns (target: at most 1000 ns)",
        rounds.len(),
        at(50),
        at(99)
    );
}

/// The same motion as often as there is room for calls.
fn motions() -> Program {
    let mut program = support::move_right(300_000, OnError::Retry(2));
    for index in 1..CALLS_MAX {
        let (call, mut step) = (program.calls[0].clone(), program.steps[0].clone());
        step.call = u8::try_from(index).expect("small");
        program.calls.push(call).expect("room for a call");
        program.steps.push(step).expect("room for a step");
    }
    program
}

fn state(x: i64) -> Readings {
    let mut readings = Readings::default();
    let others = (1..READINGS).map(|owner| Reading {
        device: support::ARM,
        owner: Symbol(owner),
        field: POSITION,
        value: Value::Point([x; 3]),
    });
    let own = Reading {
        device: support::ARM,
        owner: Symbol::NONE,
        field: POSITION,
        value: Value::Point([x, 0, 0]),
    };
    // The device's own place comes last, where it takes longest to find.
    readings.replace(support::ARM, others.chain([own])).expect("room");
    readings
}

fn follow(program: &Program, rounds: &mut Vec<u128>) {
    let mut follower = Follower::new(program, &[]).expect("a good program");
    let mut offered = false;
    for step in 0..CALLS_MAX {
        let x = i64::try_from(step).expect("small") * 300_000;
        let (before, after) = (state(x), state(x + 300_000));
        let states = [
            (&before, Input::Tick),
            (&before, Input::Sent),
            (&before, Input::Acknowledged),
            (&before, Input::State(Progress::Busy)),
            (&before, Input::State(Progress::Busy)),
            (&after, Input::State(Progress::Finished)),
        ];
        for (readings, input) in states {
            let world = World { program, readings };
            let begin = Instant::now();
            follower.handle(world, 0, input);
            while let Some(output) = follower.poll(world) {
                offered |= matches!(output, Output::Command(_));
            }
            rounds.push(begin.elapsed().as_nanos());
        }
    }
    assert!(offered && follower.is_over(), "the run ended early");
}
