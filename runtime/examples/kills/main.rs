//! Kills a host again and again, and looks after each kill whether anything is lost:
//!
//! ```text
//! cargo run --release -p llmos --example kills -- --kills 10000 [--seed 1] [--twin hasty]
//! ```
//!
//! The host is this program once more, in a process of its own: the real storage rooms, the real kernel, the real link, a planner by rule
//! instead of a model, and virtual time. The device lives in the first process, so it outlives every kill and knows what it really did.
//! Half of the kills come at a numbered operation (`src/shell/faults.rs`), half at any time.
//!
//! Counted are acknowledged traces and uses that are lost or changed, workspaces that can't be read, outcomes that are told wrongly, and
//! commands of which nobody ever heard again. All must be 0, or the exit code is 1. With `--twin hasty` the host says that a document is on
//! disk before it is; that must not pass.

#[path = "../../src/shell"]
mod shell {
    #![expect(dead_code, reason = "the program's own rooms, of which a host needs not all here")]
    pub mod disk;
    pub mod faults;
    pub mod journal;
    pub mod links;
    pub mod shelf;
    pub mod workspace;
}
mod host;
mod keeper;
#[path = "../../src/trouble.rs"]
#[expect(dead_code, reason = "as above")]
mod trouble;
mod wire;

use std::io::{self, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).cloned()
    };
    let number = |name: &str, default| flag(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let twin = flag("--twin");
    if let Some(folder) = flag("--host") {
        let session = u32::try_from(number("--session", 1)).unwrap_or(1);
        host::live(folder.as_ref(), number("--seed", 1), session, twin.is_some());
        return ExitCode::SUCCESS;
    }
    let dir = match tempfile::tempdir() {
        Ok(dir) => dir,
        Err(error) => {
            let _ = writeln!(io::stderr(), "no temporary folder: {error}");
            return ExitCode::from(5);
        }
    };
    let mut keeper = keeper::Keeper::new(&dir.path().join("workspace"), number("--seed", 1), twin);
    let kills = number("--kills", 1_000);
    while keeper.count.kills < kills {
        keeper.round();
        if keeper.count.kills.is_multiple_of(500) {
            keeper.tell();
        }
    }
    keeper.tell();
    ExitCode::from(u8::from(keeper.count.is_bad()))
}
