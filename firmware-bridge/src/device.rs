//! The device side: lease, sequence, expiry, latch and envelope in front of a plant.

/// Why a device does not accept a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The sender does not hold the lease.
    NoLease,
    /// The sequence number is not above the last one.
    StaleSequence,
    /// The command came after its expiry.
    Expired,
    /// The command was retained by the broker, so it may be of any age.
    Retained,
    /// A stop is latched; a person has to reset it.
    Latched,
    /// Another command is still being carried out.
    Busy,
    /// The device has no such tool.
    UnknownTool,
    /// An argument is missing, of the wrong type or out of range.
    BadArgument,
    /// The motion would leave the device's own envelope.
    Envelope,
    /// The plant cannot do it now.
    Plant,
}
