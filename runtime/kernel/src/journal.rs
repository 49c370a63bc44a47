//! A run as lines that can be executed again. Every input is recorded with its time, every output as it came; a state that repeats the
//! one before is recorded as such, and documents by the name of their snapshot, which is kept elsewhere and once. [`verify`] feeds the inputs to a fresh kernel and compares its outputs byte for byte. It must not
//! know where the lines are kept.

use crate::kernel::{Kernel, Settings};
use crate::message::{Input, Output};
use llmos_follower::Millis;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use thiserror::Error;

/// The version of the lines.
const VERSION: u32 = 2;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Begin {
        version: u32,
        settings: Settings,
    },
    In {
        at: Millis,
        input: Input,
    },
    /// Documents, in their order: the name of the snapshot that holds them.
    Documents {
        at: Millis,
        snapshot: String,
    },
    /// The last recorded input of this device, again.
    Again {
        at: Millis,
        device: String,
    },
    Out(Output),
}

/// Turns inputs and outputs into lines.
#[derive(Debug, Default)]
pub struct Recorder {
    last: BTreeMap<String, Input>,
}

impl Recorder {
    /// The first line.
    #[must_use]
    pub fn begin(settings: &Settings) -> String {
        line(&Line::Begin {
            version: VERSION,
            settings: settings.clone(),
        })
    }

    /// The line of documents that a snapshot holds, in its order.
    #[must_use]
    pub fn documents(at: Millis, snapshot: &str) -> String {
        let snapshot = snapshot.to_owned();
        line(&Line::Documents { at, snapshot })
    }

    /// The line of an input.
    pub fn input(&mut self, at: Millis, input: &Input) -> String {
        if let Input::Device { device, .. } = input {
            if self.last.get(device) == Some(input) {
                return line(&Line::Again {
                    at,
                    device: device.clone(),
                });
            }
            self.last.insert(device.clone(), input.clone());
        }
        line(&Line::In {
            at,
            input: input.clone(),
        })
    }

    /// The line of an output.
    #[must_use]
    pub fn output(output: &Output) -> String {
        line(&Line::Out(output.clone()))
    }
}

fn line(line: &Line) -> String {
    // The types hold nothing that JSON can't: no maps with other keys than text, no floats.
    serde_json::to_string(line).unwrap_or_default()
}

/// A journal that was executed again with the same outputs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verified {
    /// Inputs that were fed.
    pub inputs: usize,
    /// Outputs that were compared.
    pub outputs: usize,
}

/// Why a journal is not the record of a run.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[expect(missing_docs, reason = "the fields are named for what they hold")]
pub enum Mismatch {
    /// A line is not a journal line.
    #[error(
        "line {line} is no journal line: {why}; a journal is written by llmos run, and a torn last line means a crash"
    )]
    Unreadable { line: usize, why: String },
    /// The first line is not there.
    #[error("this is no journal: its first line does not say how it begins; a journal is written by llmos run")]
    NoBeginning,
    /// Another llmos has written it.
    #[error(
        "this journal is of version {found}, and this llmos reads version {VERSION}; verify it with the llmos that wrote it"
    )]
    OtherVersion { found: u32 },
    /// The documents of a snapshot are not there.
    #[error("line {line}: the documents of this run can't be read: {why}")]
    NoDocuments { line: usize, why: String },
    /// The kernel said something else.
    #[error("line {line}: executing the inputs again gives another output\n  recorded: {recorded}\n  now:      {now}")]
    Different { line: usize, recorded: String, now: String },
}

/// The snapshot that a line names, if it names one. Whoever keeps the snapshots asks.
#[must_use]
pub fn snapshot_of(line: &str) -> Option<String> {
    // Most lines are something else, and long.
    if !line.starts_with("{\"documents\"") {
        return None;
    }
    match serde_json::from_str(line) {
        Ok(Line::Documents { snapshot, .. }) => Some(snapshot),
        _ => None,
    }
}

/// The documents of a snapshot, paths and texts, or why they can't be had.
pub type Documents = Result<Vec<(String, String)>, String>;

/// Which version a journal's first line says.
#[derive(Deserialize)]
struct Beginning {
    begin: Version,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

fn begin(first: &str) -> Result<Settings, Mismatch> {
    let Ok(Beginning {
        begin: Version { version },
    }) = serde_json::from_str(first)
    else {
        return Err(Mismatch::NoBeginning);
    };
    if version != VERSION {
        return Err(Mismatch::OtherVersion { found: version });
    }
    match serde_json::from_str(first) {
        Ok(Line::Begin { settings, .. }) => Ok(settings),
        _ => Err(Mismatch::NoBeginning),
    }
}

/// Executes a journal again. `snapshot` finds the documents of a snapshot by its name.
///
/// # Errors
/// The first [`Mismatch`].
pub fn verify(
    lines: impl IntoIterator<Item = String>,
    snapshot: impl Fn(&str) -> Documents,
) -> Result<Verified, Mismatch> {
    let mut lines = lines.into_iter().enumerate().map(|(index, text)| (index + 1, text));
    let Some((_, first)) = lines.next() else {
        return Err(Mismatch::NoBeginning);
    };
    let mut kernel = Kernel::new(begin(&first)?);
    let mut last: BTreeMap<String, Input> = BTreeMap::new();
    let mut verified = Verified { inputs: 0, outputs: 0 };
    for (number, text) in lines {
        let unreadable = |why: String| Mismatch::Unreadable { line: number, why };
        match serde_json::from_str::<Line>(&text).map_err(|error| unreadable(error.to_string()))? {
            Line::Begin { .. } => return Err(unreadable("a second beginning".to_owned())),
            Line::In { at, input } => {
                silent(&mut kernel, number)?;
                if let Input::Device { device, .. } = &input {
                    last.insert(device.clone(), input.clone());
                }
                kernel.handle(at, input);
                verified.inputs += 1;
            }
            Line::Documents { at, snapshot: name } => {
                let documents = snapshot(&name).map_err(|why| Mismatch::NoDocuments { line: number, why })?;
                silent(&mut kernel, number)?;
                for (path, text) in documents {
                    kernel.handle(at, Input::Document { path, text });
                    verified.inputs += 1;
                }
            }
            Line::Again { at, device } => {
                silent(&mut kernel, number)?;
                let input = last
                    .get(&device)
                    .cloned()
                    .ok_or_else(|| unreadable(format!("{device} has said nothing yet")))?;
                kernel.handle(at, input);
                verified.inputs += 1;
            }
            Line::Out(_) => {
                let now = kernel
                    .poll()
                    .map_or_else(|| "nothing".to_owned(), |output| Recorder::output(&output));
                if now != text {
                    return Err(Mismatch::Different {
                        line: number,
                        recorded: text,
                        now,
                    });
                }
                verified.outputs += 1;
            }
        }
    }
    silent(&mut kernel, 0)?;
    Ok(verified)
}

/// An output that the journal does not have is a difference too.
fn silent(kernel: &mut Kernel, line: usize) -> Result<(), Mismatch> {
    match kernel.poll() {
        None => Ok(()),
        Some(output) => Err(Mismatch::Different {
            line,
            recorded: "nothing".to_owned(),
            now: Recorder::output(&output),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    fn complaint(text: &str) -> String {
        let none = |name: &str| Err(format!("there is no {name}"));
        verify(lines(text), none).expect_err("it is no record").to_string()
    }

    #[test]
    fn documents_are_fed_from_their_snapshot() {
        let begin = Recorder::begin(&Settings::default());
        let documents = Recorder::documents(3, "abc");
        assert_eq!(snapshot_of(&documents).as_deref(), Some("abc"));
        assert_eq!(snapshot_of(&begin), None);
        let shelf = |name: &str| -> Documents {
            assert_eq!(name, "abc");
            let policy = ("policy.toml".to_owned(), String::new());
            Ok(vec![policy.clone(), policy])
        };
        let verified = verify([begin, documents], shelf).expect("it verifies");
        assert_eq!(verified, Verified { inputs: 2, outputs: 0 });
    }

    #[test]
    fn what_is_no_record_is_refused_with_the_reason() {
        let begin = Recorder::begin(&Settings::default());
        let old = begin.replace("\"version\":2", "\"version\":1");
        assert_ne!(old, begin);
        for (text, expected) in [
            (String::new(), "no journal"),
            ("{}".to_owned(), "no journal"),
            (old, "version 1, and this llmos reads version 2"),
            (format!("{begin}\n{}", Recorder::documents(0, "abc")), "there is no abc"),
            (format!("{begin}\n{{\"in\""), "torn last line"),
        ] {
            assert!(complaint(&text).contains(expected), "{expected}: {}", complaint(&text));
        }
    }
}
