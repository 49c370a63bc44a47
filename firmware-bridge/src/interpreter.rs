//! Between the protocol's JSON messages and a serial line's packets: what a link publishes is said in packets, and what a device says
//! is heard as the messages that it would have published. So a link does not know which of the two its device speaks.
//!
//! ```text
//! topic, JSON ── say ──> Said::Stop | Said::Packet        ToHost ── hear ──> subject, JSON
//! ```
//!
//! Names of tools, parameters and options go out as symbols, since that is what a device computes with; readings come in with their
//! spelling. Pure: the parts of a report are kept until the last one has come, and nothing else is. It must not know ports, time, or
//! what a message leads to.

use crate::frame::PACKET_LEN_MAX;
use crate::message::{
    AckMessage, CommandMessage, EventMessage, LeaseMessage, Malformed, ResetMessage, StateMessage, read, write,
};
use crate::packet::{self, CommandPacket, PART_LEN_MAX, ToDevice, ToHost};
use crate::program::json::{from_packet, to_packet};
use crate::topic::{Subject, Topic};
use llmos_follower::Symbol;

/// What a message is on a serial line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Said {
    /// The frozen stop.
    Stop,
    /// A packet of this version.
    Packet(Vec<u8>),
}

/// A message as the device would have published it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Heard {
    /// The last level of its topic.
    pub subject: Subject,
    /// The JSON.
    pub payload: Vec<u8>,
}

/// Interprets for one device, from one connection on.
#[derive(Clone, Debug, Default)]
pub struct Interpreter {
    /// The report that is coming in: its number, the part that comes next, and the parts before it.
    report: Option<(u8, u8, Vec<u8>)>,
    /// How many readings its last report left out.
    missing: u16,
}

impl Interpreter {
    /// What a message to the device is in packets.
    ///
    /// # Errors
    /// [`Malformed`]: it is none that hosts send, or does not fit into a packet.
    pub fn say(topic: &str, payload: &[u8]) -> Result<Said, Malformed> {
        let subject = Topic::parse(topic)
            .map_err(|error| Malformed::new(format!("{topic}: {error}")))?
            .subject;
        let program;
        let message = match subject {
            Subject::Stop if ResetMessage::is_in(payload) => ToDevice::Reset,
            Subject::Stop => return Ok(Said::Stop),
            Subject::Lease => {
                let LeaseMessage { session, ttl_ms } = read("lease", payload)?;
                ToDevice::Lease { session, ttl_ms }
            }
            Subject::Cmd => ToDevice::Command(command(&read("cmd", payload)?)),
            Subject::Program => {
                program = to_packet(payload)?;
                ToDevice::Program(&program)
            }
            other => {
                let what = format!(
                    "{}: expected lease, cmd, program or stop; a serial line has no other",
                    other.as_str()
                );
                return Err(Malformed::new(what));
            }
        };
        let mut packet = [0; PACKET_LEN_MAX];
        let len = packet::write(&message, &mut packet).ok_or_else(|| {
            let what = format!(
                "{}: expected what fits into a packet of {PACKET_LEN_MAX} bytes",
                subject.as_str()
            );
            Malformed::new(what)
        })?;
        Ok(Said::Packet(packet.iter().copied().take(len).collect()))
    }

    /// What a packet of the device is as a message; `None` where it is a part of one that has not come whole.
    ///
    /// # Errors
    /// [`Malformed`]: a report that can't be used.
    pub fn hear(&mut self, message: &ToHost<'_>) -> Result<Option<Heard>, Malformed> {
        let heard = match *message {
            ToHost::Lease {
                session,
                granted,
                boot,
                uptime_ms,
                seq,
            } => heard(
                Subject::Ack,
                &AckMessage::Lease {
                    lease: session,
                    granted,
                    boot,
                    uptime_ms,
                    seq,
                },
            ),
            ToHost::Ack {
                session,
                seq,
                id,
                uptime_ms,
                refusal,
            } => heard(
                Subject::Ack,
                &AckMessage::Command {
                    session,
                    seq,
                    id,
                    accepted: refusal.is_none(),
                    reason: refusal.map(|refusal| refusal.as_str().to_owned()),
                    uptime_ms,
                },
            ),
            ToHost::Fault {
                uptime_ms,
                seq,
                failure,
            } => event(uptime_ms, format!("command {seq} failed: {}", failure.as_str())),
            ToHost::Line { uptime_ms, counts } => event(
                uptime_ms,
                format!(
                    "the serial line since it booted: {} damaged frames, {} packets of another kind, {} answers dropped",
                    counts.noise, counts.unreadable, counts.dropped
                ),
            ),
            ToHost::Report {
                report,
                part,
                end,
                bytes,
            } => return self.hear_part(report, part, end, bytes),
            ToHost::Program(bytes) => Heard {
                subject: Subject::Ack,
                payload: from_packet(bytes)?,
            },
        };
        Ok(Some(heard))
    }

    /// A part of a report. Where one is lost, the whole report is; the next one comes soon.
    fn hear_part(&mut self, report: u8, part: u8, end: Option<u16>, bytes: &[u8]) -> Result<Option<Heard>, Malformed> {
        let mut blob = match self.report.take() {
            _ if part == 0 => Vec::with_capacity(2 * PART_LEN_MAX),
            Some((number, next, blob)) if (number, next) == (report, part) => blob,
            _ => return Ok(None),
        };
        blob.extend_from_slice(bytes);
        let Some(missing) = end else {
            self.report = part.checked_add(1).map(|next| (report, next, blob));
            return Ok(None);
        };
        if missing > 0 {
            let told = std::mem::replace(&mut self.missing, missing) == missing;
            let what = format!(
                "its reports leave out {missing} readings, so none of them is believed: give its port more room, Port<{}> or so",
                4 * blob.len().max(256)
            );
            return if told { Ok(None) } else { Err(Malformed::new(what)) };
        }
        state(&blob).map(Some)
    }
}

fn heard<T: serde::Serialize>(subject: Subject, message: &T) -> Heard {
    Heard {
        subject,
        payload: write(message),
    }
}

fn event(uptime_ms: u64, text: String) -> Heard {
    heard(Subject::Event, &EventMessage { uptime_ms, text })
}

fn command(message: &CommandMessage) -> CommandPacket {
    CommandPacket {
        session: message.session,
        seq: message.seq,
        id: message.id,
        expires_ms: message.expires_ms,
        tool: Symbol::of(&message.tool),
        arguments: message.arguments(),
    }
}

fn state(blob: &[u8]) -> Result<Heard, Malformed> {
    let mut readings = Vec::new();
    let head = packet::read_report(blob, |reading| readings.push(reading));
    let head = head.map_err(|_| {
        let what = format!(
            "state: expected a report in postcard, found {} bytes that are none",
            blob.len()
        );
        Malformed::new(what)
    })?;
    let mut state = StateMessage::of(&head);
    for reading in readings {
        state.put(reading.owner, reading.field, reading.value);
    }
    Ok(heard(Subject::State, &state))
}
