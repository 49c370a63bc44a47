//! Faults on demand, for tests: every change on disk and every publish of a command passes here, and one of them can be made to fail, or to
//! be the last thing that this process does. Nothing is done unless the environment says so:
//!
//! ```text
//! LLMOS_TEST_FAULT=kill-before:N   the process ends right before operation N, as by kill -9
//!                  tear:N          .. in the middle of it, where it writes
//!                  kill-after:N    .. right after it
//!                  full:N          operation N finds no space
//!                  short:N         .. after it has written half
//!                  broken:N        operation N finds a broken disk
//!                  full:N+         and so do all after it
//!                  tear:log:N      the same for what is only logged, which is counted apart: how often depends on the clock
//!                  list            every operation is said on stderr, with its number
//! ```
//!
//! It must not know what is written or why.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Where the plan is read from.
pub const VARIABLE: &str = "LLMOS_TEST_FAULT";

/// The operation that is counted apart.
const LOG: &str = "log";

/// What happens at the chosen operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    KillBefore,
    Tear,
    KillAfter,
    Full,
    Short,
    Broken,
}

/// Which operations are struck.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Plan {
    Nothing,
    List,
    /// The operation of this number, from 1; with `lasts` all after it too. What is only logged is counted apart.
    At {
        fault: Fault,
        logs: bool,
        number: u64,
        lasts: bool,
    },
}

thread_local! {
    /// All files are written by one thread.
    static PLAN: Cell<Plan> = Cell::new(from_environment());
    static COUNT: Cell<u64> = const { Cell::new(0) };
    static LOGGED: Cell<u64> = const { Cell::new(0) };
}

impl Plan {
    /// The plan of these words.
    fn parse(words: &str) -> Option<Plan> {
        if words == "list" {
            return Some(Plan::List);
        }
        let (fault, number) = words.split_once(':')?;
        let fault = match fault {
            "kill-before" => Fault::KillBefore,
            "tear" => Fault::Tear,
            "kill-after" => Fault::KillAfter,
            "full" => Fault::Full,
            "short" => Fault::Short,
            "broken" => Fault::Broken,
            _ => return None,
        };
        let (logs, lasts) = (number.starts_with("log:"), number.ends_with('+'));
        let number = number.trim_start_matches("log:").trim_end_matches('+').parse().ok()?;
        Some(Plan::At {
            fault,
            logs,
            number,
            lasts,
        })
    }
}

fn from_environment() -> Plan {
    let Ok(words) = std::env::var(VARIABLE) else {
        return Plan::Nothing;
    };
    Plan::parse(&words).unwrap_or_else(|| {
        let _ = writeln!(
            io::stderr(),
            "warning: {VARIABLE}={words} names no fault; nothing fails on purpose"
        );
        Plan::Nothing
    })
}

/// From here on this thread follows this plan, and counts from 1 again. No words are no plan.
#[cfg(test)]
pub fn plan(words: &str) {
    PLAN.set(Plan::parse(words).unwrap_or(Plan::Nothing));
    COUNT.set(0);
    LOGGED.set(0);
}

/// Operations of this thread since its plan began, logged ones too.
#[cfg(test)]
pub fn count() -> u64 {
    COUNT.get() + LOGGED.get()
}

/// Does one operation, or what the plan says instead.
pub fn act<T>(what: &str, path: &Path, operation: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let fault = begin(what, path);
    match fault {
        Some(Fault::KillBefore | Fault::Tear) => std::process::abort(),
        Some(Fault::Full | Fault::Short) => return Err(io::ErrorKind::StorageFull.into()),
        Some(Fault::Broken) => return Err(broken()),
        Some(Fault::KillAfter) | None => {}
    }
    let done = operation();
    end(fault);
    done
}

/// Writes to a file, or does what the plan says instead.
pub fn write(path: &Path, file: &mut File, bytes: &[u8]) -> io::Result<()> {
    write_as("write", path, file, bytes)
}

/// The same for lines that are only logged.
pub fn log(path: &Path, file: &mut File, bytes: &[u8]) -> io::Result<()> {
    write_as(LOG, path, file, bytes)
}

fn write_as(what: &str, path: &Path, file: &mut File, bytes: &[u8]) -> io::Result<()> {
    let fault = begin(what, path);
    match fault {
        Some(Fault::KillBefore) => std::process::abort(),
        Some(Fault::Full) => return Err(io::ErrorKind::StorageFull.into()),
        Some(Fault::Broken) => return Err(broken()),
        Some(Fault::Tear | Fault::Short) => {
            file.write_all(&bytes[..bytes.len() / 2])?;
            if fault == Some(Fault::Tear) {
                std::process::abort();
            }
            return Err(io::ErrorKind::StorageFull.into());
        }
        Some(Fault::KillAfter) | None => {}
    }
    let done = file.write_all(bytes);
    end(fault);
    done
}

fn begin(what: &str, path: &Path) -> Option<Fault> {
    let plan = PLAN.get();
    if plan == Plan::Nothing {
        return None;
    }
    let counter = if what == LOG { &LOGGED } else { &COUNT };
    let count = counter.get() + 1;
    counter.set(count);
    match plan {
        Plan::At {
            fault,
            logs,
            number,
            lasts,
        } if logs == (what == LOG) && (count == number || (lasts && count > number)) => Some(fault),
        Plan::List => {
            let _ = writeln!(io::stderr(), "operation {count}: {what} {}", path.display());
            None
        }
        Plan::At { .. } | Plan::Nothing => None,
    }
}

fn end(fault: Option<Fault>) {
    if fault == Some(Fault::KillAfter) {
        std::process::abort();
    }
}

fn broken() -> io::Error {
    // EIO; std has no kind for it.
    if cfg!(unix) {
        io::Error::from_raw_os_error(5)
    } else {
        io::Error::other("input/output error")
    }
}
