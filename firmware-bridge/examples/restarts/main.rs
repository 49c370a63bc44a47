//! Restarts a real mosquitto again and again under two devices and their hosts, and counts what must never happen:
//!
//! ```text
//! cargo run --release -p llmos-firmware-bridge --example restarts -- --restarts 1000 [--seed 1] [--up-ms 300]
//! ```
//!
//! One pair has clean sessions, the other asks the broker to keep theirs. SIGKILL and SIGTERM take turns. Each host sends commands without
//! pause, each with a number of its own, each twice, and the one before once more; and each plant writes down every number it is told: what it was told twice, and what it
//! acknowledged without ever having been told, is seen there and nowhere else. The exit code is 1 where anything is counted, and 5
//! where there is no mosquitto.

mod rounds;

use rounds::{Plan, rounds};
use std::io::{self, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str, default: u64| {
        let at = arguments.iter().position(|argument| argument == name);
        let text = at.and_then(|at| arguments.get(at + 1));
        text.and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let plan = Plan {
        restarts: number("--restarts", 20),
        seed: number("--seed", 1),
        up_ms_max: number("--up-ms", 300),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let found = runtime.and_then(|runtime| runtime.block_on(rounds(plan)));
    let (text, code) = match found {
        Ok(tally) => (tally.to_string(), u8::from(tally.is_bad())),
        Err(error) => (format!("nothing was measured: {error}; is mosquitto installed?"), 5),
    };
    // A reader that has left needs no answer.
    let _ = writeln!(io::stdout(), "{text}");
    ExitCode::from(code)
}
