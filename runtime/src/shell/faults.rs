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
//!                  tear:log:N      .. of the operations with this name: create, write, sync, rename, open, remove, create folder, publish, log
//!                  hang:model:N    the model never answers its query N
//!                  list            every operation is said on stderr, with its number
//! ```
//!
//! Lines that are only logged count only by their name: how often that is depends on the clock. It must not know what is written or why.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Where the plan is read from.
pub const VARIABLE: &str = "LLMOS_TEST_FAULT";

/// The operations that count only by their names.
const LOG: &str = "log";
const MODEL: &str = "model";
/// All operations.
const NAMES: [&str; 10] = [
    "create",
    "write",
    "sync",
    "rename",
    "open",
    "remove",
    "create folder",
    "publish",
    MODEL,
    LOG,
];

/// What happens at the chosen operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    KillBefore,
    Tear,
    KillAfter,
    Full,
    Short,
    Broken,
    Hang,
}

/// Which operations are struck.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Plan {
    Nothing,
    List,
    /// The operation of this number, from 1, among those with a name; with `lasts` all after it too.
    At {
        fault: Fault,
        name: Option<&'static str>,
        number: u64,
        lasts: bool,
    },
}

thread_local! {
    /// All files are written by one thread; the model's thread counts for itself.
    static PLAN: Cell<Plan> = Cell::new(from_environment());
    static COUNT: Cell<u64> = const { Cell::new(0) };
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
            "hang" => Fault::Hang,
            _ => return None,
        };
        let (name, number) = match number.rsplit_once(':') {
            Some((word, number)) => (Some(NAMES.into_iter().find(|name| *name == word)?), number),
            None => (None, number),
        };
        let lasts = number.ends_with('+');
        let number = number.trim_end_matches('+').parse().ok()?;
        Some(Plan::At {
            fault,
            name,
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
}

/// Operations that this thread's plan has counted.
#[cfg(test)]
pub fn count() -> u64 {
    COUNT.get()
}

/// Does one operation, or what the plan says instead.
pub fn act<T>(what: &str, path: &Path, operation: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let fault = begin(what, path);
    match fault {
        Some(Fault::KillBefore | Fault::Tear) => std::process::abort(),
        Some(Fault::Full | Fault::Short) => return Err(io::ErrorKind::StorageFull.into()),
        Some(Fault::Broken) => return Err(broken()),
        Some(Fault::KillAfter | Fault::Hang) | None => {}
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

/// Does nothing, or never returns.
pub fn hang(what: &str) {
    if begin(what, Path::new("")) == Some(Fault::Hang) {
        loop {
            std::thread::park();
        }
    }
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
        Some(Fault::KillAfter | Fault::Hang) | None => {}
    }
    let done = file.write_all(bytes);
    end(fault);
    done
}

fn begin(what: &str, path: &Path) -> Option<Fault> {
    let plan = PLAN.get();
    let name = match plan {
        Plan::Nothing => return None,
        Plan::List => None,
        Plan::At { name, .. } => name,
    };
    if !name.map_or(what != LOG && what != MODEL, |name| name == what) {
        return None;
    }
    let count = COUNT.get() + 1;
    COUNT.set(count);
    match plan {
        Plan::At {
            fault, number, lasts, ..
        } if count == number || (lasts && count > number) => Some(fault),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_name_a_plan_or_none() {
        let at = |fault, name, number, lasts| {
            Some(Plan::At {
                fault,
                name,
                number,
                lasts,
            })
        };
        assert_eq!(Plan::parse("tear:7"), at(Fault::Tear, None, 7, false));
        assert_eq!(Plan::parse("full:log:12+"), at(Fault::Full, Some(LOG), 12, true));
        assert_eq!(Plan::parse("hang:model:1"), at(Fault::Hang, Some(MODEL), 1, false));
        assert_eq!(Plan::parse("list"), Some(Plan::List));
        for words in ["", "tear", "tear:", "tear:x", "burn:7", "tear:nothing:7", "tear:-1"] {
            assert_eq!(Plan::parse(words), None, "{words}");
        }
    }
}
