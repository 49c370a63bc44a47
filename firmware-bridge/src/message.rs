//! The JSON of our protocol: one definition of every message, used by the host's link and by the devices that this crate simulates.
//! `workspace/PROTOCOL.md` is its specification.
//!
//! Numbers become whole micro-units as they are read. This file must not know when a message is sent, or what an answer leads to.

use crate::device::Told;
use crate::packet::Head;
use crate::plain::{Named, Plain};
use crate::program::json::{RanMessage, ReplyMessage};
use llmos_follower::Symbol;
use llmos_follower::program::ARGUMENTS_MAX;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Longest payload that is read, in bytes.
pub const PAYLOAD_LEN_MAX: usize = 64 * 1024;
/// Readings that one state may hold.
pub const READINGS_MAX: usize = 256;
/// Longest name or text in a reading, in bytes.
pub const TEXT_LEN_MAX: usize = 256;

/// A payload that is not what the protocol says. The text says what was expected and what was found.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(String);

impl Malformed {
    pub(crate) fn new(what: impl Into<String>) -> Malformed {
        let mut what: String = what.into();
        if let Some((end, _)) = what.char_indices().nth(200) {
            what.truncate(end);
        }
        Malformed(what)
    }
}

/// `lease`, host to device.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LeaseMessage {
    /// Who asks.
    pub session: u32,
    /// For how long, in milliseconds; 0 gives the lease back.
    pub ttl_ms: u32,
}

/// `cmd`, host to device.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CommandMessage {
    /// Who sends.
    pub session: u32,
    /// Rises with every command.
    pub seq: u32,
    /// The same for a resend.
    pub id: u64,
    /// The device's uptime after which the command must not be begun, in milliseconds.
    pub expires_ms: u64,
    /// The tool.
    pub tool: String,
    /// The arguments, in base units.
    pub args: Map<String, Value>,
}

impl CommandMessage {
    /// The arguments as a device computes with them; `None` where one is nothing that a device understands, or there are too many.
    #[must_use]
    pub fn arguments(&self) -> Option<heapless::Vec<(Symbol, llmos_follower::Value), ARGUMENTS_MAX>> {
        let mut arguments = heapless::Vec::new();
        for (name, json) in &self.args {
            match Plain::from_json(json) {
                Ok(Plain::Nothing) | Err(_) => return None,
                Ok(plain) => arguments.push((Symbol::of(name), plain.to_value())).ok()?,
            }
        }
        Some(arguments)
    }
}

/// `ack`, device to host.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AckMessage {
    /// The answer to a lease.
    Lease {
        /// The session that asked.
        lease: u32,
        /// Whether it holds the lease now.
        granted: bool,
        /// Which boot of the device this is.
        boot: u32,
        /// The device's uptime, in milliseconds.
        uptime_ms: u64,
        /// The last sequence number that was used up.
        seq: u32,
    },
    /// The answer to a command.
    Command {
        /// The session that sent it.
        session: u32,
        /// Its sequence number.
        seq: u32,
        /// Its id.
        id: u64,
        /// Whether it was begun.
        accepted: bool,
        /// Why not: one of the protocol's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// The device's uptime, in milliseconds.
        uptime_ms: u64,
    },
    /// The answer to a request about programs.
    Program(ReplyMessage),
    /// What came of a run, told without being asked.
    Ran {
        /// The report.
        ran: RanMessage,
    },
}

/// The last command of a device, where it failed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FailedMessage {
    /// Its sequence number.
    pub seq: u32,
    /// Why.
    pub reason: String,
}

/// `state`, device to host, retained.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct StateMessage {
    /// Which boot of the device this is.
    pub boot: u32,
    /// The device's uptime, in milliseconds.
    pub uptime_ms: u64,
    /// Whether a command is being carried out.
    pub busy: bool,
    /// Sequence number of the last command that ended well.
    pub done: u32,
    /// The last command, where it failed.
    pub failed: Option<FailedMessage>,
    /// Whether a stop is latched.
    pub stopped: bool,
    /// What the device reports of other things.
    #[serde(default)]
    pub entities: Map<String, Value>,
    /// What it reports of itself.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

/// `event`, device to host.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EventMessage {
    /// The device's uptime, in milliseconds.
    pub uptime_ms: u64,
    /// What a person should know.
    pub text: String,
}

/// `stop`, host to device: the latch. Anything that is not a reset stops.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StopMessage {
    /// Names this stop in logs.
    pub id: u64,
    /// Why, for a person.
    pub reason: String,
}

/// `stop`, host to device: the end of a latch.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ResetMessage {
    /// Always true.
    pub reset: bool,
    /// Always `person`.
    pub by: String,
}

impl ResetMessage {
    /// The only reset there is.
    #[must_use]
    pub fn by_person() -> ResetMessage {
        ResetMessage {
            reset: true,
            by: "person".to_owned(),
        }
    }

    /// Whether a payload on the stop topic is a reset; everything else, readable or not, is a stop.
    #[must_use]
    pub fn is_in(payload: &[u8]) -> bool {
        serde_json::from_slice::<ResetMessage>(payload).is_ok_and(|message| message == ResetMessage::by_person())
    }
}

/// Reads one message.
///
/// # Errors
/// [`Malformed`] for a payload that is too long, no JSON, or another message.
pub fn read<T: for<'a> Deserialize<'a>>(what: &str, payload: &[u8]) -> Result<T, Malformed> {
    if payload.len() > PAYLOAD_LEN_MAX {
        return Err(Malformed::new(format!(
            "{what}: expected at most {PAYLOAD_LEN_MAX} bytes, found {}",
            payload.len()
        )));
    }
    serde_json::from_slice(payload).map_err(|error| {
        // Only the neighbourhood of the fault, whatever the payload's length.
        let at = if error.line() == 1 {
            error.column().min(payload.len())
        } else {
            0
        };
        let part = &payload[at.saturating_sub(30)..payload.len().min(at + 30)];
        Malformed::new(format!("{what}: {error}, near {:?}", String::from_utf8_lossy(part)))
    })
}

/// Writes one message.
#[must_use]
pub fn write<T: Serialize>(message: &T) -> Vec<u8> {
    // Every message is a plain struct with string keys, which serde_json always writes.
    serde_json::to_vec(message).unwrap_or_default()
}

impl StateMessage {
    /// A state without readings.
    #[must_use]
    pub fn of(head: &Head) -> StateMessage {
        let failed = head.failed.map(|(seq, failure)| FailedMessage {
            seq,
            reason: failure.as_str().to_owned(),
        });
        StateMessage {
            boot: head.boot,
            uptime_ms: head.uptime_ms,
            busy: head.busy,
            done: head.done,
            failed,
            stopped: head.stopped,
            entities: Map::new(),
            fields: Map::new(),
        }
    }

    /// Adds a reading as a plant tells it; the owner is empty for the device itself.
    pub fn put(&mut self, owner: &str, field: &str, told: Told<'_>) {
        let value = Plain::from(told).to_json();
        if owner.is_empty() {
            self.fields.insert(field.to_owned(), value);
        } else if let Value::Object(entity) = self.entities.entry(owner).or_insert_with(|| Value::Object(Map::new())) {
            entity.insert(field.to_owned(), value);
        }
    }

    /// The readings of a state, in the order of the message.
    ///
    /// # Errors
    /// [`Malformed`] for the first value that is none of number, point, text, truth or null, or is out of range: a device that
    /// reports one thing wrong is not believed in the others.
    pub fn readings(&self) -> Result<Vec<Named>, Malformed> {
        let mut readings = Vec::new();
        for (field, value) in &self.fields {
            push(&mut readings, "", field, value)?;
        }
        for (owner, fields) in &self.entities {
            let Value::Object(fields) = fields else {
                return Err(Malformed::new(format!(
                    "state: entity {owner:?}: expected an object, found {fields}"
                )));
            };
            if owner.is_empty() {
                return Err(Malformed::new("state: an entity has an empty name"));
            }
            for (field, value) in fields {
                push(&mut readings, owner, field, value)?;
            }
        }
        Ok(readings)
    }
}

fn push(readings: &mut Vec<Named>, owner: &str, field: &str, value: &Value) -> Result<(), Malformed> {
    let place = if owner.is_empty() {
        format!("state: {field}")
    } else {
        format!("state: {owner}: {field}")
    };
    if readings.len() == READINGS_MAX {
        return Err(Malformed::new(format!(
            "state: expected at most {READINGS_MAX} readings, found more at {place}"
        )));
    }
    if owner.len() > TEXT_LEN_MAX || field.is_empty() || field.len() > TEXT_LEN_MAX {
        return Err(Malformed::new(format!(
            "{place}: expected names of 1 to {TEXT_LEN_MAX} bytes"
        )));
    }
    let value = Plain::from_json(value).map_err(|error| Malformed::new(format!("{place}: {error}")))?;
    readings.push(Named {
        owner: owner.to_owned(),
        field: field.to_owned(),
        value,
    });
    Ok(())
}
