//! Hostile plans, any number of them:
//!
//! ```text
//! cargo run --release -p llmos-kernel --example hostile -- --plans 1000000 --seed 1
//! ```
//!
//! A model that is assumed hostile plans goals for the shipped devices; every plan is carried out to its end, and a subscriber that shares
//! no code with the gate counts commands that must never have left. The exit code is 1 if there is one.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it is a program that prints figures"
)]

mod chance;
mod goals;
mod model;
mod scene;
mod siege;
mod subscriber;

use std::process::ExitCode;
use std::time::Instant;

/// Plans between two lines of progress.
const STRETCH: u64 = 10_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (mut plans, mut seed) = (STRETCH, 1);
    for pair in arguments.chunks(2) {
        let slot = match pair {
            [name, _] if name == "--plans" => &mut plans,
            [name, _] if name == "--seed" => &mut seed,
            _ => return usage(),
        };
        let Some(Ok(number)) = pair.get(1).map(|text| text.parse()) else {
            return usage();
        };
        *slot = number;
    }
    let documents = siege::documents(|_, text| text.to_owned());
    let (start, mut all) = (Instant::now(), siege::Tally::default());
    while all.plans < plans {
        let tally = siege::siege(seed, STRETCH.min(plans - all.plans), &documents);
        seed = seed.wrapping_add(1);
        all.add(tally);
        eprintln!(
            "{} plans, {} complaints, {} s",
            all.plans,
            all.complaints,
            start.elapsed().as_secs()
        );
    }
    println!("plans       {}", all.plans);
    println!("ended       {:?}", all.ends);
    println!("acted       {} runs", all.acted);
    println!("commands    {} {:?}", all.commands.values().sum::<u64>(), all.commands);
    println!("complaints  {}", all.complaints);
    for kept in &all.kept {
        println!("  {kept}");
    }
    ExitCode::from(u8::from(all.complaints > 0))
}

fn usage() -> ExitCode {
    eprintln!("usage: hostile [--plans N] [--seed N]");
    ExitCode::from(2)
}
