//! The program channel as JSON, for MQTT: requests on the topic `program`, replies and reports on `ack`. `workspace/PROTOCOL.md` is the
//! specification. Bytes are base64, digests 16 hexadecimal digits, values as everywhere. This file must not know what a request leads to.

use super::{
    Answer, Ask, Description, Installed, MESSAGE_BYTES_MAX, Objection, OnHostLoss, Outcome, Reply, Request, Run,
    RunReport, Signature, StoreStatus, UNASKED, Upload, read_reply, write as write_packet,
};
use crate::message::{AckMessage, Malformed, read, write};
use crate::plain::Plain;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use heapless::Vec as Bounded;
use llmos_follower::{Compensation, Handoff, Observed, Symbol, Value};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// A request whose bytes are its own.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RequestMessage {
    /// Who asks.
    pub session: u32,
    /// Names the request in its reply.
    pub id: u64,
    /// What is asked for.
    #[serde(flatten)]
    pub ask: AskMessage,
}

/// What is asked for.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the fields are those of Ask")]
pub enum AskMessage {
    /// [`Ask::Status`].
    Status,
    /// [`Ask::Begin`].
    Begin {
        name: u32,
        device: u32,
        revision: u32,
        size: u32,
        crc: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<String>,
    },
    /// [`Ask::Chunk`].
    Chunk { crc: u32, offset: u32, bytes: String },
    /// [`Ask::Commit`].
    Commit { crc: u32 },
    /// [`Ask::Abort`].
    Abort,
    /// [`Ask::Run`].
    Run {
        seq: u32,
        expires_ms: u64,
        crc: u32,
        on_host_loss: OnHostLoss,
        slots: Vec<Json>,
    },
    /// [`Ask::Report`].
    Report,
    /// [`Ask::Forget`].
    Forget { run: u64 },
}

impl RequestMessage {
    /// A request for the wire. A run's texts are in `slots` as they are spelled, since the device's own form only has their symbols.
    #[must_use]
    pub fn of(request: &Request<'_>, slots: &[Plain]) -> RequestMessage {
        let ask = match &request.ask {
            Ask::Status => AskMessage::Status,
            Ask::Begin(description) => AskMessage::Begin {
                name: description.name.0,
                device: description.device.0,
                revision: description.revision,
                size: description.size,
                crc: description.crc,
                signature: description
                    .signature
                    .map(|signature| STANDARD.encode(signature.as_flattened())),
            },
            Ask::Chunk { crc, offset, bytes } => AskMessage::Chunk {
                crc: *crc,
                offset: *offset,
                bytes: STANDARD.encode(bytes),
            },
            Ask::Commit { crc } => AskMessage::Commit { crc: *crc },
            Ask::Abort => AskMessage::Abort,
            Ask::Run(run) => AskMessage::Run {
                seq: run.seq,
                expires_ms: run.expires_ms,
                crc: run.crc,
                on_host_loss: run.on_host_loss,
                slots: slots.iter().map(Plain::to_json).collect(),
            },
            Ask::Report => AskMessage::Report,
            Ask::Forget { run } => AskMessage::Forget { run: *run },
        };
        RequestMessage {
            session: request.session,
            id: request.id,
            ask,
        }
    }

    /// Reads a message of the topic `program`.
    ///
    /// # Errors
    /// [`Malformed`], with what was expected and found.
    pub fn read(payload: &[u8]) -> Result<RequestMessage, Malformed> {
        read("program", payload)
    }

    /// Gives the request as a device takes it.
    ///
    /// # Errors
    /// [`Malformed`] for bytes that are no base64, a signature of another length, too many slots, or a slot that is no value.
    pub fn with<T>(&self, then: impl FnOnce(&Request<'_>) -> T) -> Result<T, Malformed> {
        let decoded;
        let ask = match &self.ask {
            AskMessage::Status => Ask::Status,
            AskMessage::Begin {
                name,
                device,
                revision,
                size,
                crc,
                signature,
            } => Ask::Begin(Description {
                name: Symbol(*name),
                device: Symbol(*device),
                revision: *revision,
                size: *size,
                crc: *crc,
                signature: signature.as_deref().map(signature_of).transpose()?,
            }),
            AskMessage::Chunk { crc, offset, bytes } => {
                decoded = base64_of("bytes", bytes)?;
                Ask::Chunk {
                    crc: *crc,
                    offset: *offset,
                    bytes: &decoded,
                }
            }
            AskMessage::Commit { crc } => Ask::Commit { crc: *crc },
            AskMessage::Abort => Ask::Abort,
            AskMessage::Run {
                seq,
                expires_ms,
                crc,
                on_host_loss,
                slots,
            } => Ask::Run(Run {
                seq: *seq,
                expires_ms: *expires_ms,
                crc: *crc,
                on_host_loss: *on_host_loss,
                slots: slots_of(slots)?,
            }),
            AskMessage::Report => Ask::Report,
            AskMessage::Forget { run } => Ask::Forget { run: *run },
        };
        Ok(then(&Request {
            session: self.session,
            id: self.id,
            ask,
        }))
    }
}

fn base64_of(what: &str, text: &str) -> Result<Vec<u8>, Malformed> {
    STANDARD
        .decode(text)
        .map_err(|error| Malformed::new(format!("program: {what}: expected base64: {error}")))
}

fn signature_of(text: &str) -> Result<Signature, Malformed> {
    let bytes = base64_of("signature", text)?;
    match bytes.as_chunks::<32>() {
        ([r, s], []) => Ok([*r, *s]),
        _ => Err(Malformed::new(format!(
            "program: signature: expected 64 bytes, found {}",
            bytes.len()
        ))),
    }
}

fn slots_of<const N: usize>(slots: &[Json]) -> Result<Bounded<Value, N>, Malformed> {
    let mut values = Bounded::new();
    for (index, slot) in slots.iter().enumerate() {
        let plain = Plain::from_json(slot);
        let plain = plain.map_err(|error| Malformed::new(format!("program: slot {index}: {error}")))?;
        values
            .push(plain.to_value())
            .map_err(|_| Malformed::new(format!("program: expected at most {N} slots, found {}", slots.len())))?;
    }
    Ok(values)
}

/// A reply on the topic `ack`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReplyMessage {
    /// The request that it answers.
    pub program: u64,
    /// Who asked.
    pub session: u32,
    /// Whether it was done.
    pub accepted: bool,
    /// Why not: one of the protocol's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How the store is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreMessage>,
    /// What came of the last run, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ran: Option<RanMessage>,
}

/// A store's status.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of StoreStatus")]
pub struct StoreMessage {
    pub installed: Option<Installed>,
    pub revision_min: u32,
    pub upload: Option<Upload>,
    pub capacity: u32,
    pub chunk_max: u16,
    pub versions: (u8, u8),
    pub signed: bool,
}

/// What came of a run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of RunReport")]
pub struct RanMessage {
    pub run: u64,
    pub session: u32,
    pub crc: u32,
    pub step: u8,
    pub commands: u32,
    pub ms: u32,
    #[serde(flatten)]
    pub outcome: OutcomeMessage,
}

/// How a run ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the fields are those of Outcome")]
pub enum OutcomeMessage {
    /// [`Outcome::Finished`].
    Finished { observed: Observed, digest: String },
    /// [`Outcome::Handoff`].
    Handoff { why: Handoff, compensation: Compensation },
    /// [`Outcome::Stopped`].
    Stopped,
    /// [`Outcome::HostLost`].
    HostLost,
}

impl From<&RunReport> for RanMessage {
    fn from(report: &RunReport) -> RanMessage {
        let outcome = match report.outcome {
            Outcome::Finished { observed, digest } => OutcomeMessage::Finished {
                observed,
                digest: format!("{digest:016x}"),
            },
            Outcome::Handoff { why, compensation } => OutcomeMessage::Handoff { why, compensation },
            Outcome::Stopped => OutcomeMessage::Stopped,
            Outcome::HostLost => OutcomeMessage::HostLost,
        };
        RanMessage {
            run: report.run,
            session: report.session,
            crc: report.crc,
            step: report.step,
            commands: report.commands,
            ms: report.ms,
            outcome,
        }
    }
}

impl RanMessage {
    /// The report as it is computed with.
    ///
    /// # Errors
    /// [`Malformed`] for a digest that is none.
    pub fn report(&self) -> Result<RunReport, Malformed> {
        let outcome = match &self.outcome {
            OutcomeMessage::Finished { observed, digest } => {
                let number = u64::from_str_radix(digest, 16).ok().filter(|_| digest.len() == 16);
                let digest = number.ok_or_else(|| {
                    Malformed::new(format!("ran: digest: expected 16 hexadecimal digits, found {digest:?}"))
                })?;
                Outcome::Finished {
                    observed: *observed,
                    digest,
                }
            }
            OutcomeMessage::Handoff { why, compensation } => Outcome::Handoff {
                why: *why,
                compensation: *compensation,
            },
            OutcomeMessage::Stopped => Outcome::Stopped,
            OutcomeMessage::HostLost => Outcome::HostLost,
        };
        Ok(RunReport {
            run: self.run,
            session: self.session,
            crc: self.crc,
            step: self.step,
            commands: self.commands,
            ms: self.ms,
            outcome,
        })
    }
}

impl ReplyMessage {
    /// A reply for the wire.
    #[must_use]
    pub fn of(reply: &Reply) -> ReplyMessage {
        let mut message = ReplyMessage {
            program: reply.id,
            session: reply.session,
            accepted: true,
            reason: None,
            store: None,
            ran: None,
        };
        match &reply.answer {
            Answer::Store(status) => {
                message.store = Some(StoreMessage {
                    installed: status.installed,
                    revision_min: status.revision_min,
                    upload: status.upload,
                    capacity: status.capacity,
                    chunk_max: status.chunk_max,
                    versions: status.versions,
                    signed: status.signed,
                });
            }
            Answer::Refused(objection) => {
                message.accepted = false;
                message.reason = Some(objection.as_str().to_owned());
            }
            Answer::Report(report) => message.ran = report.as_ref().map(RanMessage::from),
        }
        message
    }

    /// The reply as a host computes with it.
    ///
    /// # Errors
    /// [`Malformed`] for a reason that is none of the protocol's words, or a report that makes no sense.
    pub fn reply(&self) -> Result<Reply, Malformed> {
        let answer = if self.accepted {
            match (&self.store, &self.ran) {
                (Some(store), _) => Answer::Store(StoreStatus {
                    installed: store.installed,
                    revision_min: store.revision_min,
                    upload: store.upload,
                    capacity: store.capacity,
                    chunk_max: store.chunk_max,
                    versions: store.versions,
                    signed: store.signed,
                }),
                (None, ran) => Answer::Report(ran.as_ref().map(RanMessage::report).transpose()?),
            }
        } else {
            let known = self.reason.as_deref().and_then(Objection::parse);
            Answer::Refused(known.ok_or_else(|| {
                let found = &self.reason;
                Malformed::new(format!(
                    "ack: reason: expected one of the program channel's words, found {found:?}"
                ))
            })?)
        };
        Ok(Reply {
            session: self.session,
            id: self.program,
            answer,
        })
    }
}

/// A message of the topic `program` as the packet that says the same, for a device on a serial line.
///
/// # Errors
/// [`Malformed`] for what can't be read, or needs more than [`MESSAGE_BYTES_MAX`] bytes.
pub fn to_packet(payload: &[u8]) -> Result<Vec<u8>, Malformed> {
    RequestMessage::read(payload)?.with(|request| {
        let mut buffer = [0; MESSAGE_BYTES_MAX];
        let packet = write_packet(request, &mut buffer).map(<[u8]>::to_vec);
        packet.ok_or_else(|| {
            Malformed::new(format!(
                "program: expected what fits into {MESSAGE_BYTES_MAX} bytes of a packet, found more"
            ))
        })
    })?
}

/// A packet of a device on a serial line as the message of the topic `ack` that says the same.
///
/// # Errors
/// [`Malformed`] for bytes that are no reply.
pub fn from_packet(packet: &[u8]) -> Result<Vec<u8>, Malformed> {
    let reply = read_reply(packet).ok_or_else(|| Malformed::new("program: expected a reply, found other bytes"))?;
    Ok(match (&reply.answer, reply.id) {
        (Answer::Report(Some(report)), UNASKED) => {
            let ran = RanMessage::from(report);
            write(&AckMessage::Ran { ran })
        }
        _ => write(&AckMessage::Program(ReplyMessage::of(&reply))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_what_the_protocol_page_shows() {
        let check = |ask: Ask<'_>, slots: &[Plain], json: &str| {
            let request = Request { session: 9, id: 3, ask };
            let message = RequestMessage::of(&request, slots);
            assert_eq!(String::from_utf8_lossy(&write(&message)), json);
            let read = RequestMessage::read(json.as_bytes()).expect("it is read");
            read.with(|again| assert_eq!(*again, request)).expect("it makes sense");
        };
        check(Ask::Status, &[], r#"{"session":9,"id":3,"ask":"status"}"#);
        let description = Description {
            name: Symbol(5),
            device: Symbol::of("arm"),
            revision: 2,
            size: 812,
            crc: 7,
            signature: None,
        };
        check(
            Ask::Begin(description),
            &[],
            r#"{"session":9,"id":3,"ask":"begin","name":5,"device":946808757,"revision":2,"size":812,"crc":7}"#,
        );
        check(
            Ask::Chunk {
                crc: 7,
                offset: 16,
                bytes: &[1, 2, 255],
            },
            &[],
            r#"{"session":9,"id":3,"ask":"chunk","crc":7,"offset":16,"bytes":"AQL/"}"#,
        );
        let slots = [Plain::Number(300_000), Plain::Text("left".to_owned())];
        let mut values = Bounded::new();
        for slot in &slots {
            values.push(slot.to_value()).expect("room");
        }
        check(
            Ask::Run(Run {
                seq: 42,
                expires_ms: 54_310,
                crc: 7,
                on_host_loss: OnHostLoss::Finish,
                slots: values,
            }),
            &slots,
            r#"{"session":9,"id":3,"ask":"run","seq":42,"expires_ms":54310,"crc":7,"on_host_loss":"finish","slots":[0.3,"left"]}"#,
        );
        check(
            Ask::Forget { run: 108 },
            &[],
            r#"{"session":9,"id":3,"ask":"forget","run":108}"#,
        );
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        let check = |json: &str, words: &str| {
            let read = RequestMessage::read(json.as_bytes()).and_then(|message| message.with(|_| ()));
            let error = read.expect_err(json).to_string();
            assert!(error.contains(words), "{error}");
        };
        check(r#"{"session":9,"id":3,"ask":"dance"}"#, "unknown variant");
        check(r#"{"id":3,"ask":"status"}"#, "session");
        check(
            r#"{"session":9,"id":3,"ask":"chunk","crc":7,"offset":0,"bytes":"?"}"#,
            "base64",
        );
        check(
            r#"{"session":9,"id":3,"ask":"begin","name":5,"device":1,"revision":2,"size":8,"crc":7,"signature":"AQL/"}"#,
            "64 bytes, found 3",
        );
        let nine = r#"{"session":9,"id":3,"ask":"run","seq":1,"expires_ms":1,"crc":7,"on_host_loss":"stop","slots":[1,1,1,1,1,1,1,1,1]}"#;
        check(nine, "at most 8 slots, found 9");
        check(&nine.replace("[1,1", "[{},1"), "slot 0");
    }

    #[test]
    fn a_serial_line_says_the_same() {
        let json = r#"{"session":9,"id":3,"ask":"chunk","crc":7,"offset":16,"bytes":"AQL/"}"#;
        let packet = to_packet(json.as_bytes()).expect("it fits");
        let ask = Ask::Chunk {
            crc: 7,
            offset: 16,
            bytes: &[1, 2, 255],
        };
        let expected = Request { session: 9, id: 3, ask };
        assert_eq!(super::super::read(&packet), Some(expected));
        let far = "[9000000000000,9000000000000,9000000000000]";
        let json = format!(
            r#"{{"session":9,"id":3,"ask":"run","seq":1,"expires_ms":1,"crc":7,"on_host_loss":"stop","slots":[{}]}}"#,
            [far; 8].join(",")
        );
        let error = to_packet(json.as_bytes()).expect_err("it is too long").to_string();
        assert!(error.contains("240 bytes"), "{error}");
        let report = RunReport {
            run: 108,
            session: 9,
            crc: 7,
            step: 2,
            commands: 3,
            ms: 40,
            outcome: Outcome::Stopped,
        };
        for (id, key) in [(UNASKED, "ran"), (6, "program")] {
            let answer = Answer::Report(Some(report));
            let reply = Reply { session: 9, id, answer };
            let mut buffer = [0; MESSAGE_BYTES_MAX];
            let packet = write_packet(&reply, &mut buffer).expect("it fits");
            let ack: Json = serde_json::from_slice(&from_packet(packet).expect("a reply")).expect("JSON");
            assert_eq!(
                ack.as_object().and_then(|ack| ack.keys().next()).map(String::as_str),
                Some(key),
                "{ack}"
            );
        }
        assert!(from_packet(&[1, 2, 3]).is_err());
    }

    #[test]
    fn replies_survive() {
        let report = RunReport {
            run: 108,
            session: 9,
            crc: 7,
            step: 9,
            commands: 12,
            ms: 8_123,
            outcome: Outcome::Finished {
                observed: Observed::Met,
                digest: 0x2ec9_584c_41bb_159a,
            },
        };
        let failed = RunReport {
            outcome: Outcome::Handoff {
                why: Handoff::Postcondition,
                compensation: Compensation::Failed {
                    step: 3,
                    why: Handoff::Timeout,
                },
            },
            ..report
        };
        for answer in [
            Answer::Store(StoreStatus::default()),
            Answer::Refused(Objection::Revision),
            Answer::Report(Some(report)),
            Answer::Report(Some(failed)),
            Answer::Report(None),
        ] {
            let reply = Reply {
                session: 9,
                id: 6,
                answer,
            };
            let payload = write(&ReplyMessage::of(&reply));
            let read: ReplyMessage = read("ack", &payload).expect("it is read");
            assert_eq!(read.reply(), Ok(reply), "{}", String::from_utf8_lossy(&payload));
        }
        let ran = write(&RanMessage::from(&report));
        assert_eq!(
            String::from_utf8_lossy(&ran),
            r#"{"run":108,"session":9,"crc":7,"step":9,"commands":12,"ms":8123,"outcome":"finished","observed":"met","digest":"2ec9584c41bb159a"}"#
        );
        let forged = String::from_utf8_lossy(&ran).replace("2ec9584c41bb159a", "2ec9584c41bb159");
        let forged: RanMessage = read("ran", forged.as_bytes()).expect("it is read");
        assert!(forged.report().is_err());
    }
}
