//! What a trace may say about a call beyond its tool and arguments: what must hold, how long it may take, what happens when it fails.
//! Everything here comes on top of the manifest and can only narrow it. Conditions stay text, as the person wrote them; types and code
//! are `compile`'s.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The options of a call; none of them is the rule.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Must hold before the call, too.
    pub before: Option<String>,
    /// Must hold at the end of the call, too.
    pub after: Option<String>,
    /// Time for each command, in milliseconds.
    pub timeout_ms: Option<u32>,
    /// What to do when it does not succeed.
    pub on_error: Option<OnFailure>,
    /// The calls without which it makes no sense, counted from 1.
    pub depends_on: Vec<u8>,
    /// A name for later calls, and the reading that it stands for when this one has succeeded.
    pub keep: Option<(String, String)>,
    /// No call but a wait.
    pub wait: Option<Wait>,
}

impl Options {
    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Options::default()
    }
}

/// What to do when a call does not succeed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Do the step again, at most this many times.
    Retry(u8),
    /// Go on without the call.
    Skip,
    /// End the run.
    Stop,
    /// Hand off from here.
    Handoff,
    /// Carry out the compensating calls, then hand off from here.
    Compensate,
}

/// A wait.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// For so long, in milliseconds.
    For(u32),
    /// Until this holds, at most for the timeout.
    Until(String),
}

/// What a wait is called where tools have names.
pub const WAIT: &str = "wait";

impl OnFailure {
    /// Reads what `Display` writes.
    ///
    /// # Errors
    /// What is known, and what was found.
    pub fn parse(text: &str) -> Result<OnFailure, String> {
        match text {
            "skip" => Ok(OnFailure::Skip),
            "stop" => Ok(OnFailure::Stop),
            "hand off" => Ok(OnFailure::Handoff),
            "compensate" => Ok(OnFailure::Compensate),
            _ => {
                let times = text.strip_prefix("retry ").and_then(|times| times.parse::<u8>().ok());
                times.filter(|times| *times > 0).map(OnFailure::Retry).ok_or_else(|| {
                    format!("expected retry 2 (1 to 255 times), skip, stop, hand off or compensate, found \"{text}\"")
                })
            }
        }
    }
}

impl fmt::Display for OnFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OnFailure::Retry(times) => write!(formatter, "retry {times}"),
            OnFailure::Skip => formatter.write_str("skip"),
            OnFailure::Stop => formatter.write_str("stop"),
            OnFailure::Handoff => formatter.write_str("hand off"),
            OnFailure::Compensate => formatter.write_str("compensate"),
        }
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wait::For(ms) => write!(formatter, "for {}", crate::plan::print_ms(*ms)),
            Wait::Until(condition) => write!(formatter, "until {condition}"),
        }
    }
}
