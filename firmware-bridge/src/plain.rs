//! Values as the host reads and writes them: with their spelling, where [`llmos_follower::Value`] only keeps a hash of it.
//!
//! Numbers are whole micro-units from the moment a message is read, so that a journal replays the same bits. This file must not know
//! which device or tool a value belongs to.

use serde::{Deserialize, Serialize};

/// What a message says something is worth.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plain {
    /// A truth.
    Bool(bool),
    /// A quantity or number, in micro-units of its base unit.
    Number(i64),
    /// A position or displacement, in micrometres.
    Point([i64; 3]),
    /// An entity, an enumeration's option, or any other text.
    Text(String),
    /// Nothing: `null`.
    Nothing,
}

/// One reading with the names it was reported under.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Named {
    /// The entity that the reading belongs to; empty for the device itself.
    pub owner: String,
    /// The field's name.
    pub field: String,
    /// Its value.
    pub value: Plain,
}
