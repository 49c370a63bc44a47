//! What is said about runs that a device does alone, from a program that it keeps itself.

use llmos_follower::{Compensation, Handoff, Observed};
use serde::{Deserialize, Serialize};

/// A trace is to be run by its device alone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Aboard {
    /// The device.
    pub device: String,
    /// The checksum of the program that the device says it keeps; `None` where it keeps none.
    pub installed: Option<u32>,
    /// The trace's slots, each with what was said for it.
    pub slots: Vec<(String, String)>,
    /// Whether the device goes on to the end when this host goes away.
    pub finish: bool,
    /// Whether the run is left to the device once it has begun.
    pub detach: bool,
}

/// What a device tells of a run that it did alone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ran {
    /// The session that began it.
    pub session: u32,
    /// Whether that was this one.
    pub mine: bool,
    /// The command that began it.
    pub run: u64,
    /// The checksum of the program.
    pub crc: u32,
    /// The main step that it came to.
    pub step: u8,
    /// Commands that its plant was given.
    pub commands: u32,
    /// From the first step to the end, in milliseconds.
    pub ms: u64,
    /// How it ended.
    pub end: RanEnd,
    /// When the report came, as text.
    pub date: String,
}

/// How a run ended that a device did alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the fields are named for what they hold")]
pub enum RanEnd {
    /// Every call is done.
    Finished { observed: Observed, digest: u64 },
    /// The world was not as a step needs it.
    Handoff { why: Handoff, compensation: Compensation },
    /// A stop came.
    Stopped,
    /// The host went away, and the run was to stop then.
    HostLost,
}
