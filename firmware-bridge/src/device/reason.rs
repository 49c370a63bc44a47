//! A device's words for what it does not do and what went wrong. They are part of the protocol: new ones are added at the end, and none ever
//! means something else. This file must not know when a device says them.

use serde::{Deserialize, Serialize};

/// Why a device does not accept a command, or does not run a program. The list is closed: it is part of the protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
    /// An argument is missing, unknown, of the wrong type or out of range.
    BadArgument,
    /// The motion would leave the device's own envelope.
    Envelope,
    /// The plant cannot do it now.
    Plant,
    /// There is no program to run, or another one than the one that is meant.
    NoProgram,
    /// The program is damaged, or was written in a version that the device does not read.
    BadProgram,
    /// The program is for another device, or for several.
    OtherDevice,
    /// There are fewer or more values than the program has slots.
    UnboundSlot,
    /// The device's own configuration does not let it go on without a host.
    NeedsHost,
    /// The report of the last run has not been taken over by a host yet.
    ReportWaiting,
    /// The device reports more than it can follow a program with.
    NoRoom,
}

impl Refusal {
    /// Every refusal.
    pub const ALL: [Refusal; 17] = [
        Refusal::NoLease,
        Refusal::StaleSequence,
        Refusal::Expired,
        Refusal::Retained,
        Refusal::Latched,
        Refusal::Busy,
        Refusal::UnknownTool,
        Refusal::BadArgument,
        Refusal::Envelope,
        Refusal::Plant,
        Refusal::NoProgram,
        Refusal::BadProgram,
        Refusal::OtherDevice,
        Refusal::UnboundSlot,
        Refusal::NeedsHost,
        Refusal::ReportWaiting,
        Refusal::NoRoom,
    ];

    /// The protocol's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Refusal::NoLease => "no_lease",
            Refusal::StaleSequence => "stale_sequence",
            Refusal::Expired => "expired",
            Refusal::Retained => "retained",
            Refusal::Latched => "latched",
            Refusal::Busy => "busy",
            Refusal::UnknownTool => "unknown_tool",
            Refusal::BadArgument => "bad_argument",
            Refusal::Envelope => "envelope",
            Refusal::Plant => "plant",
            Refusal::NoProgram => "no_program",
            Refusal::BadProgram => "bad_program",
            Refusal::OtherDevice => "other_device",
            Refusal::UnboundSlot => "unbound_slot",
            Refusal::NeedsHost => "needs_host",
            Refusal::ReportWaiting => "report_waiting",
            Refusal::NoRoom => "no_room",
        }
    }

    /// The refusal of that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Refusal> {
        Refusal::ALL.into_iter().find(|refusal| refusal.as_str() == word)
    }
}

/// Why a command that was begun did not end well.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Failure {
    /// A stop came.
    Stopped,
    /// The lease ran out or was given back.
    LeaseLost,
    /// An axis does not move although it should.
    Stalled,
    /// Going on, it could not have stopped within its own limits.
    Envelope,
    /// Anything else that the plant noticed.
    Plant,
    /// The program that was run handed off; its report says at which step, and why.
    Program,
}

impl Failure {
    /// The protocol's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Failure::Stopped => "stopped",
            Failure::LeaseLost => "lease_lost",
            Failure::Stalled => "stalled",
            Failure::Envelope => "envelope",
            Failure::Plant => "plant",
            Failure::Program => "program",
        }
    }
}
