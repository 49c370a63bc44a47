//! The host's side of the conversation with **one** device, without I/O.
//!
//! ```text
//! Connected ──> subscribe, ask for the lease three times a heartbeat ── ack ──> Leased ── Command ──> publish, resend until acknowledged ── state ──> Report
//! ```
//!
//! `handle(now, input)`, then drain `poll()`; call again at `next_deadline()` with [`LinkInput::Tick`]. It must not know what a tool
//! means, which transport carries a payload, or what time it is.

pub mod foreign;
mod native;
pub mod push;

use crate::binding::Binding;
use crate::device::Refusal;
use crate::message::{Malformed, StateMessage, read};
use crate::plain::{Named, Plain};
use crate::program::{Ask, OnHostLoss, Reply, RunReport};
use crate::topic::DeviceName;
use foreign::Foreign;
use llmos_follower::{Millis, Progress};
use native::Native;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// How often a command is published before the device counts as lost.
pub const SENDS_MAX: u32 = 4;
/// How long an acknowledgement may take before the command is published again, in milliseconds.
pub const RESEND_MS: Millis = 500;
/// The least time without a state that counts as silence, in milliseconds: three reports of a resting device.
pub const SILENCE_MS_MIN: Millis = 1_500;
/// How often a stop is published again until the device reports that it has stopped, in milliseconds.
pub const STOP_RESEND_MS: Millis = 200;
/// How often a stop is published at most.
pub const STOP_SENDS_MAX: u32 = 25;

/// How a device is spoken to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    /// It speaks our protocol.
    Native,
    /// It speaks its own; there is no lease and no acknowledgement, and only its state tells what it does.
    Foreign(Box<Binding>),
}

/// What a link has to know about its device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkConfig {
    /// The device's name.
    pub device: DeviceName,
    /// This host's session: different for every process that may speak to the device.
    pub session: u32,
    /// How long a lease lasts, in milliseconds: so long after the host's last word the device goes to its safe state. It is renewed three
    /// times in that.
    pub heartbeat_ms: u32,
    /// How long after sending a command may still be begun, in milliseconds.
    pub expiry_ms: u32,
    /// How the device is spoken to.
    pub kind: Kind,
}

/// What the outside tells a link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LinkInput<'a> {
    /// The normal connection stands; everything before it is gone.
    Connected,
    /// The normal connection is gone.
    Disconnected,
    /// A message has come in. Topics that are not this device's are ignored.
    Message {
        /// Its topic.
        topic: &'a str,
        /// Its bytes.
        payload: &'a [u8],
        /// Whether the broker had kept it.
        retained: bool,
    },
    /// Send this command. One at a time.
    Command {
        /// Names the command in events; below 2^53.
        id: u64,
        /// The tool.
        tool: &'a str,
        /// The arguments, in base units.
        arguments: Vec<(String, Plain)>,
    },
    /// Ask something about programs; the answer is a [`LinkEvent::Program`], or none. Whoever asks asks again.
    Ask {
        /// Names the request in its answer; below 2^53.
        id: u64,
        /// What is asked for; not a run.
        ask: &'a Ask<'a>,
    },
    /// Run the program that is installed on the device. It takes the place of a command: one at a time, and acknowledged like one.
    Run {
        /// Names the run in events; below 2^53.
        id: u64,
        /// The checksum of the program that is meant.
        crc: u32,
        /// What becomes of it when this host goes away.
        on_host_loss: OnHostLoss,
        /// A value for each of its slots.
        slots: Vec<Plain>,
    },
    /// Stop the device at once, lease or not; repeated until the device reports that it has stopped.
    Stop {
        /// Why, for a person.
        reason: &'a str,
    },
    /// A person ends the stop. Motion does not resume.
    Reset,
    /// Give the lease back, so that the next host need not wait for it to run out.
    Release,
    /// Nothing but time.
    Tick,
}

/// Which connection a message leaves by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// The normal one.
    Normal,
    /// The one that never waits.
    Stop,
}

/// What a link asks for or reports.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LinkOutput {
    /// Subscribe to this topic on the normal connection.
    Subscribe(String),
    /// Publish this, `QoS` 1, not retained.
    Publish {
        /// The topic.
        topic: String,
        /// The bytes.
        payload: Vec<u8>,
        /// Which connection it leaves by.
        channel: Channel,
    },
    /// Something that the kernel should know.
    Event(LinkEvent),
}

/// What a link has learned.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkEvent {
    /// The device is there.
    Online,
    /// The device says, or its last will says, that it is gone.
    Offline,
    /// The lease is ours; commands may be sent. A foreign device counts as leased (boot 0) once connected.
    Leased {
        /// Which boot of the device granted it.
        boot: u32,
        /// The last sequence number that is used up. Each command after this takes the next one, also one that is rejected here.
        seq: u32,
    },
    /// Another host holds the lease. Asking goes on.
    LeaseRefused,
    /// The device's state.
    State(Report),
    /// The device accepted the command. For a foreign device: it was published, nothing more.
    Acknowledged {
        /// The command.
        id: u64,
    },
    /// The command was not accepted; nothing was done.
    Rejected {
        /// The command.
        id: u64,
        /// Why.
        reason: Refusal,
    },
    /// The device began the command and could not finish it.
    Failed {
        /// The command.
        id: u64,
        /// Why: `stopped`, `lease_lost`, `stalled`, `envelope`, `plant`, or the device's own word.
        reason: String,
    },
    /// The device, or the way to it, is lost. The lease is not asked for again before it has run out on the device, so that the device is
    /// in its safe state when [`LinkEvent::Leased`] comes again.
    Lost(Loss),
    /// A message that no sane device sends. It was ignored.
    Nonsense {
        /// What was expected, what was found, and where.
        what: String,
    },
    /// The answer to a request about programs.
    Program(Reply),
    /// What came of a run, this host's or another's. The device tells it again until somebody says [`Ask::Forget`].
    Ran(RunReport),
    /// Something that the device wants a person to know.
    Notice {
        /// The device's words.
        text: String,
    },
}

/// How a device was lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// The connection to the broker, or the serial line, is gone.
    Disconnected,
    /// The device reported that it is gone, or its last will did.
    Offline,
    /// No sane state for a heartbeat (at least [`SILENCE_MS_MIN`]).
    Silent,
    /// A command was not acknowledged, although it was sent again.
    NoAck,
    /// The device runs, but is not the boot that granted the lease.
    Restarted,
    /// The device says that the lease is not ours any more.
    LeaseLost,
    /// A device with topics of its own has not said on its `online` topic that it is there.
    Unannounced,
    /// It has reported nothing that its binding reads.
    Unheard,
}

/// What a device says about itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Whether it is through with the last command of this link.
    pub progress: Progress,
    /// Whether a stop is latched.
    pub stopped: bool,
    /// What it says about its last commands; only from a device that has granted us its lease, so that nothing of another host is still
    /// under way.
    pub account: Option<Account>,
    /// All of its readings; those of entities have an owner.
    pub readings: Vec<Named>,
}

/// What a device says about its last commands, whoever sent them. Sequence numbers rise through a whole boot.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Account {
    /// Which boot of the device this is.
    pub boot: u32,
    /// Sequence number of the last command that ended well; 0 for none.
    pub done: u32,
    /// Sequence number of the last command, and why it failed, if it did.
    pub failed: Option<(u32, String)>,
}

/// The conversation with one device.
#[derive(Debug)]
pub struct Link {
    device: DeviceName,
    side: Side,
}

#[derive(Debug)]
enum Side {
    Native(Box<Native>),
    Foreign(Box<Foreign>),
}

impl Link {
    /// A link that is not connected.
    #[must_use]
    pub fn new(config: LinkConfig) -> Link {
        let LinkConfig {
            device,
            session,
            heartbeat_ms,
            expiry_ms,
            kind,
        } = config;
        let side = match kind {
            Kind::Native => Side::Native(Box::new(Native::new(&device, session, heartbeat_ms, expiry_ms))),
            Kind::Foreign(binding) => Side::Foreign(Box::new(Foreign::new(*binding))),
        };
        Link { device, side }
    }

    /// The device's name.
    #[must_use]
    pub fn device(&self) -> &DeviceName {
        &self.device
    }

    /// Takes one input at a time `now`; outputs are drained with [`Link::poll`].
    pub fn handle(&mut self, now: Millis, input: LinkInput<'_>) {
        match &mut self.side {
            Side::Native(native) => native.handle(now, input),
            Side::Foreign(foreign) => foreign.handle(now, input),
        }
    }

    /// The next output, or `None` until the next input.
    pub fn poll(&mut self) -> Option<LinkOutput> {
        match &mut self.side {
            Side::Native(native) => native.outputs.0.pop_front(),
            Side::Foreign(foreign) => foreign.outputs.0.pop_front(),
        }
    }

    /// When a [`LinkInput::Tick`] is due, if nothing else comes first.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Millis> {
        match &self.side {
            Side::Native(native) => native.next_deadline(),
            Side::Foreign(foreign) => foreign.next_deadline(),
        }
    }
}

/// Reads a native device's `state` payload for someone who only watches: no lease, no progress of an own command.
///
/// # Errors
/// [`Malformed`], with what was expected and found.
pub fn read_report(payload: &[u8]) -> Result<Report, Malformed> {
    let state: StateMessage = read("state", payload)?;
    let progress = if state.busy { Progress::Busy } else { Progress::Finished };
    Ok(Report {
        progress,
        stopped: state.stopped,
        account: None,
        readings: state.readings()?,
    })
}

/// What waits to be drained.
#[derive(Debug, Default)]
struct Outputs(VecDeque<LinkOutput>);

impl Outputs {
    fn event(&mut self, event: LinkEvent) {
        self.0.push_back(LinkOutput::Event(event));
    }

    fn publish(&mut self, topic: String, payload: Vec<u8>, channel: Channel) {
        self.0.push_back(LinkOutput::Publish {
            topic,
            payload,
            channel,
        });
    }

    fn subscribe(&mut self, topic: String) {
        self.0.push_back(LinkOutput::Subscribe(topic));
    }
}
