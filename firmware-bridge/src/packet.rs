//! What host and device say to each other on a serial line, as bytes: the messages of our protocol, without JSON and without allocation.
//!
//! ```text
//! 3f token                    ping: who are you?                      frozen for ever
//! 21 token                    stop, whatever follows                  frozen for ever
//! 3d token oldest newest ..   the answer to both                      frozen for ever
//! VERSION postcard            everything else, VERSION from 01 to 1f
//! ```
//!
//! The first byte says which. The three frozen packets never change, so a host of any version can find out whom it talks to, and anybody
//! can stop anything. `workspace/PROTOCOL.md` is the specification, and the frozen bytes are in `tests/frozen.rs`: where that test fails,
//! the code is wrong. Variants and fields are only ever appended, with a new version.
//!
//! A name that a device computes with is a [`Symbol`]; a name that a person may read travels as it is spelled. This file must not know
//! how packets are framed, when one is sent, or what an answer leads to.

use crate::device::{Failure, Refusal, Status, Told};
use heapless::Vec;
use llmos_follower::program::ARGUMENTS_MAX;
use llmos_follower::{Symbol, Value};
use serde::{Deserialize, Serialize};

/// The version that this build writes.
pub const VERSION: u8 = 1;
/// The oldest version that this build reads.
pub const VERSION_MIN: u8 = 1;
/// The largest version there can be; what is above is frozen or nothing.
const VERSION_MAX: u8 = 0x1f;
/// Longest payload of the program channel in one packet, in bytes.
pub const PROGRAM_LEN_MAX: usize = 240;
/// Longest part of a report in one packet, in bytes.
pub const PART_LEN_MAX: usize = 240;

const PING: u8 = b'?';
const STOP: u8 = b'!';
const PONG: u8 = b'=';

/// Longest ping or stop, in bytes.
pub const HAIL_LEN: usize = 5;

/// Why a packet says nothing to us, although it arrived whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unreadable {
    /// Its first byte is that of another version.
    Version(u8),
    /// It is none of ours: another first byte, a message that is cut or goes on, a text that is no UTF-8.
    Malformed,
}

/// A command as it travels.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CommandPacket {
    /// Who sends.
    pub session: u32,
    /// Rises with every command.
    pub seq: u32,
    /// The same for a resend.
    pub id: u64,
    /// The device's uptime after which the command must not be begun, in milliseconds.
    pub expires_ms: u64,
    /// The tool.
    pub tool: Symbol,
    /// The arguments, in micro-units; `None` where there are some that no packet carries, so that the device refuses with its own words.
    pub arguments: Option<Vec<(Symbol, Value), ARGUMENTS_MAX>>,
}

/// Host to device, version 1.
#[expect(
    clippy::large_enum_variant,
    reason = "without an allocator a command has its room here"
)]
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum ToDevice<'a> {
    /// Asks for the lease, keeps it, or gives it back with 0 ms.
    Lease {
        /// Who asks.
        session: u32,
        /// For how long, in milliseconds.
        ttl_ms: u32,
    },
    /// One command.
    Command(CommandPacket),
    /// A person ends the stop.
    Reset,
    /// A message of the program channel; its bytes are that channel's.
    Program(&'a [u8]),
}

/// Device to host, version 1.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum ToHost<'a> {
    /// The answer to a lease.
    Lease {
        /// Who asked.
        session: u32,
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
    Ack {
        /// Who sent it.
        session: u32,
        /// Its sequence number.
        seq: u32,
        /// Its id.
        id: u64,
        /// The device's uptime, in milliseconds.
        uptime_ms: u64,
        /// Why it was not begun; `None` where it was.
        refusal: Option<Refusal>,
    },
    /// A command that was begun has failed.
    Fault {
        /// The device's uptime, in milliseconds.
        uptime_ms: u64,
        /// The command's sequence number.
        seq: u32,
        /// Why.
        failure: Failure,
    },
    /// A part of a report. The parts of one report, put together, are a [`Head`] and then [`Reading`]s up to the end.
    Report {
        /// Which report this belongs to; counts up and begins anew after 255.
        report: u8,
        /// Which part, from 0.
        part: u8,
        /// Only in the last part: how many readings found no room in the device. Any but 0 makes the report useless.
        end: Option<u16>,
        /// At most [`PART_LEN_MAX`] bytes.
        bytes: &'a [u8],
    },
    /// How the line was; sent when a number has changed, at most once a second.
    Line {
        /// The device's uptime, in milliseconds.
        uptime_ms: u64,
        /// The numbers.
        counts: Counts,
    },
    /// A message of the program channel; its bytes are that channel's.
    Program(&'a [u8]),
}

/// What went wrong on a line since the device booted; each number stays at its largest rather than begin anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Stretches between two zeros that were no frame.
    pub noise: u32,
    /// Packets that arrived whole and could not be read.
    pub unreadable: u32,
    /// Answers that were not sent because others were waiting; the host asks again.
    pub dropped: u32,
}

/// The beginning of a report.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Head {
    /// Which boot of the device this is.
    pub boot: u32,
    /// The device's uptime, in milliseconds.
    pub uptime_ms: u64,
    /// Whether a command is being carried out.
    pub busy: bool,
    /// Sequence number of the last command that ended well.
    pub done: u32,
    /// The last command, if it failed.
    pub failed: Option<(u32, Failure)>,
    /// Whether a stop is latched.
    pub stopped: bool,
}

impl Head {
    /// What a device says of itself.
    #[must_use]
    pub fn of(status: &Status) -> Head {
        Head {
            boot: status.boot,
            uptime_ms: status.uptime_ms,
            busy: status.busy,
            done: status.done,
            failed: status.failed,
            stopped: status.stopped,
        }
    }
}

/// One reading in a report, with its spelling.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reading<'a> {
    /// The entity that it belongs to; empty for the device itself.
    pub owner: &'a str,
    /// The field's name.
    pub field: &'a str,
    /// Its value.
    #[serde(borrow)]
    pub value: Told<'a>,
}

/// Who a device is: the frozen answer to a ping and to a stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pong<'a> {
    /// The token of what it answers.
    pub token: u32,
    /// The oldest version that the device reads.
    pub oldest: u8,
    /// The newest, which it prefers.
    pub newest: u8,
    /// Which boot of the device this is.
    pub boot: u32,
    /// Whether a stop is latched.
    pub stopped: bool,
    /// The device's name, at most 32 bytes.
    pub name: &'a str,
}

/// What a device reads.
#[expect(
    clippy::large_enum_variant,
    reason = "without an allocator a command has its room here"
)]
#[derive(Clone, PartialEq, Debug)]
pub enum FromHost<'a> {
    /// Who are you? The token comes back.
    Ping(u32),
    /// Stop. The token comes back; 0 where it is missing.
    Stop(u32),
    /// A message of this version.
    Message(ToDevice<'a>),
}

/// What a host reads.
#[derive(Clone, PartialEq, Debug)]
pub enum FromDevice<'a> {
    /// Who it is.
    Pong(Pong<'a>),
    /// A message of this version.
    Message(ToHost<'a>),
}

/// A ping. What follows its five bytes in a later version is ignored.
#[must_use]
pub fn ping(token: u32) -> [u8; HAIL_LEN] {
    hail(PING, token)
}

/// A stop. Whatever follows its first byte, it stops.
#[must_use]
pub fn stop(token: u32) -> [u8; HAIL_LEN] {
    hail(STOP, token)
}

fn hail(kind: u8, token: u32) -> [u8; HAIL_LEN] {
    let [a, b, c, d] = token.to_le_bytes();
    [kind, a, b, c, d]
}

/// Reads what a host sent.
///
/// # Errors
/// [`Unreadable`].
pub fn read_from_host(packet: &[u8]) -> Result<FromHost<'_>, Unreadable> {
    match packet.split_first() {
        Some((&PING, rest)) => match rest.first_chunk::<4>() {
            Some(token) => Ok(FromHost::Ping(u32::from_le_bytes(*token))),
            None => Err(Unreadable::Malformed),
        },
        Some((&STOP, rest)) => {
            let token = rest.first_chunk::<4>().copied().unwrap_or_default();
            Ok(FromHost::Stop(u32::from_le_bytes(token)))
        }
        _ => message(packet).map(FromHost::Message),
    }
}

/// Reads what a device sent.
///
/// # Errors
/// [`Unreadable`].
pub fn read_from_device(packet: &[u8]) -> Result<FromDevice<'_>, Unreadable> {
    match packet.split_first() {
        Some((&PONG, rest)) => pong(rest).map(FromDevice::Pong).ok_or(Unreadable::Malformed),
        _ => message(packet).map(FromDevice::Message),
    }
}

fn pong(rest: &[u8]) -> Option<Pong<'_>> {
    let (token, rest) = rest.split_first_chunk::<4>()?;
    let (&[oldest, newest], rest) = rest.split_first_chunk::<2>()?;
    let (boot, rest) = rest.split_first_chunk::<4>()?;
    let (&[flags, len], rest) = rest.split_first_chunk::<2>()?;
    let name = core::str::from_utf8(rest.get(..usize::from(len))?).ok()?;
    Some(Pong {
        token: u32::from_le_bytes(*token),
        oldest,
        newest,
        boot: u32::from_le_bytes(*boot),
        stopped: flags & 1 == 1,
        name,
    })
}

fn message<'a, T: Deserialize<'a>>(packet: &'a [u8]) -> Result<T, Unreadable> {
    match packet.split_first() {
        Some((&VERSION, rest)) => match postcard::take_from_bytes(rest) {
            Ok((message, [])) => Ok(message),
            _ => Err(Unreadable::Malformed),
        },
        Some((&version @ 1..=VERSION_MAX, _)) => Err(Unreadable::Version(version)),
        _ => Err(Unreadable::Malformed),
    }
}

/// Writes a message of this version and returns its length; `None` where it does not fit.
#[must_use]
pub fn write<T: Serialize>(message: &T, packet: &mut [u8]) -> Option<usize> {
    let (version, rest) = packet.split_first_mut()?;
    *version = VERSION;
    Some(postcard::to_slice(message, rest).ok()?.len() + 1)
}

impl Pong<'_> {
    /// Writes the answer and returns its length; `None` where it does not fit, or the name is longer than 255 bytes.
    #[must_use]
    pub fn write(&self, packet: &mut [u8]) -> Option<usize> {
        let len = u8::try_from(self.name.len()).ok()?;
        let [t0, t1, t2, t3] = self.token.to_le_bytes();
        let [b0, b1, b2, b3] = self.boot.to_le_bytes();
        let flags = u8::from(self.stopped);
        let head = [
            PONG,
            t0,
            t1,
            t2,
            t3,
            self.oldest,
            self.newest,
            b0,
            b1,
            b2,
            b3,
            flags,
            len,
        ];
        let (front, rest) = packet.split_first_chunk_mut::<13>()?;
        *front = head;
        for (place, byte) in rest.get_mut(..usize::from(len))?.iter_mut().zip(self.name.bytes()) {
            *place = byte;
        }
        Some(head.len() + usize::from(len))
    }
}

/// Reads a report that was put together from its parts.
///
/// # Errors
/// [`Unreadable::Malformed`] where a part of it can't be read; what was passed on before is worth nothing then.
pub fn read_report<'a>(bytes: &'a [u8], mut sink: impl FnMut(Reading<'a>)) -> Result<Head, Unreadable> {
    let (head, mut rest) = postcard::take_from_bytes::<Head>(bytes).map_err(|_| Unreadable::Malformed)?;
    while !rest.is_empty() {
        let (reading, behind) = postcard::take_from_bytes(rest).map_err(|_| Unreadable::Malformed)?;
        sink(reading);
        rest = behind;
    }
    Ok(head)
}
