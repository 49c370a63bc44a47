//! A run as lines that can be executed again. Every input is recorded with its time, every output as it came; a state that repeats the
//! one before is recorded as such. [`verify`] feeds the inputs to a fresh kernel and compares its outputs byte for byte. It must not
//! know where the lines are kept.

use crate::kernel::{Kernel, Settings};
use crate::message::{Input, Output};
use llmos_follower::Millis;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use thiserror::Error;

/// The version of the lines.
const VERSION: u32 = 1;

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
    /// The first line is not there or of another version.
    #[error("the journal does not begin with version {VERSION}; it was written by another version of llmos")]
    NoBeginning,
    /// The kernel said something else.
    #[error("line {line}: executing the inputs again gives another output\n  recorded: {recorded}\n  now:      {now}")]
    Different { line: usize, recorded: String, now: String },
}

/// Executes a journal again.
///
/// # Errors
/// The first [`Mismatch`].
pub fn verify(lines: impl IntoIterator<Item = String>) -> Result<Verified, Mismatch> {
    let mut lines = lines.into_iter().enumerate().map(|(index, text)| (index + 1, text));
    let Some((_, first)) = lines.next() else {
        return Err(Mismatch::NoBeginning);
    };
    let Ok(Line::Begin {
        version: VERSION,
        settings,
    }) = serde_json::from_str(&first)
    else {
        return Err(Mismatch::NoBeginning);
    };
    let mut kernel = Kernel::new(settings);
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
