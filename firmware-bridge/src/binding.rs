//! Devices that exist already and speak their own topics: a template per tool, and pointers that read their state back.

use serde::{Deserialize, Serialize};

/// How tools and readings of a foreign device map to its topics.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Binding {}
