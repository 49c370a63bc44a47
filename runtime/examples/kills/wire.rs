//! What the host and the keeper of the device say to each other, a line each.

use llmos_kernel::intent::{Intent, Outcome};
use llmos_kernel::message::Status;
use serde::{Deserialize, Serialize};

/// From the host.
#[derive(Debug, Serialize, Deserialize)]
pub enum Said {
    /// A run begins; its date names it.
    Begins { run: String },
    /// It publishes these, topic and payload, and waits for what comes.
    Publishes { now: u64, messages: Vec<(String, String)> },
    /// An earlier run was broken off.
    BrokenOff { intent: Intent, outcome: Outcome },
    /// The run that is under way goes on with this one, under its name.
    TakenUp { run: String },
    /// What the program would have told its person: from here on it counts as acknowledged.
    Reports {
        run: String,
        status: Status,
        trace: Option<String>,
    },
}

/// To the host: topics and payloads.
pub type Heard = Vec<(String, String)>;
