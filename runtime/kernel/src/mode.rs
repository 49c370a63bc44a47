//! The execution modes and the thresholds between them (`SPEC` A). It must not know how a score is computed.

use serde::{Deserialize, Serialize};

/// How a goal is carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Mode {
    /// A skill's pattern matches: no model.
    Crystallized,
    /// A trace's pattern matches: no model.
    Follower,
    /// A near trace helps the model.
    Mixed,
    /// The model plans from the tools alone.
    Learner,
    /// Several agents or sub-goals.
    Orchestrator,
}

/// A trace is followed at this score or above, in thousandths.
pub const FOLLOW_MIN: u32 = 920;
/// A trace helps the model at this score or above, in thousandths.
pub const MIXED_MIN: u32 = 750;

impl std::fmt::Display for Mode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Mode::Crystallized => "CRYSTALLIZED",
            Mode::Follower => "FOLLOWER",
            Mode::Mixed => "MIXED",
            Mode::Learner => "LEARNER",
            Mode::Orchestrator => "ORCHESTRATOR",
        })
    }
}
