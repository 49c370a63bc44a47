//! An upload as a host sees it: ask how the store is, announce, send in chunks, commit, and look whether the program is there.
//!
//! `poll(now)` says what to ask next, `handle(now, reply)` takes what was answered; both until [`Push::ended`]. What is not answered is asked
//! again, a device that is busy is waited for, an upload that was cut off goes on where it was. This file must not know links, topics or
//! files.

use crate::program::{Answer, Ask, CHUNK_ALIGN, Description, Installed, Objection, Reply, StoreStatus};
use crate::signature::SecretKey;
use llmos_follower::{Millis, Symbol};

/// How long a reply may take before it is asked again, in milliseconds.
const REPLY_MS: Millis = 500;
/// How often the same is asked at most.
const ASKS_MAX: u32 = 12;
/// How often a device may be busy before it is given up: every [`REPLY_MS`].
const BUSY_MAX: u32 = 20;
/// How often an upload is begun at most.
const BEGINS_MAX: u32 = 3;

/// What a push came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pushed {
    /// The device has it now, as its own status says.
    Installed(Installed),
    /// It had it already; nothing was sent.
    Known(Installed),
}

/// Why a program is not on its device.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PushError {
    /// The device said no.
    #[error("the device refused it: {}", reason(*.0))]
    Refused(Objection),
    /// Nothing came back.
    #[error("the device does not answer; is it there, and does it keep programs?")]
    NoAnswer,
    /// It does not read this version.
    #[error(
        "the device reads programs of version {0} to {1}, and this one is of version {2}: update the device, or compile with a program of its age"
    )]
    Version(u8, u8, u8),
    /// There is no room.
    #[error("the program has {size} bytes, and the device has room for {capacity}: make the trace shorter")]
    TooLarge {
        /// Bytes of the program.
        size: usize,
        /// Bytes that fit.
        capacity: u32,
    },
    /// The device wants a signature.
    #[error("the device takes signed programs only: name the key with --key")]
    Unsigned,
    /// It was all sent and acknowledged, and the device does not say that it has it.
    #[error("the device acknowledged the program and does not report that it has it")]
    NotThere,
}

/// An objection for a person: what it means, and what to do.
#[must_use]
pub fn reason(objection: Objection) -> &'static str {
    match objection {
        Objection::Retained => "the message was kept by the broker (retained)",
        Objection::NoLease => "another host holds its lease (no_lease)",
        Objection::Busy => "it is carrying out a command or program; try again when it rests (busy)",
        Objection::NoStore => "it keeps no programs (no_store)",
        Objection::TooLarge => "the program is larger than its slot (too_large)",
        Objection::Device => "the program is for another device (device)",
        Objection::Revision => "it has had a newer revision (revision)",
        Objection::Unsigned => "it takes signed programs only: name the key with --key (unsigned)",
        Objection::NoUpload => "no upload is under way (no_upload)",
        Objection::Chunk => "a chunk is empty, too long or not aligned (chunk)",
        Objection::Order => "chunks came in the wrong order (order)",
        Objection::Incomplete => "not all of it has come (incomplete)",
        Objection::Checksum => "what came does not have the announced checksum (checksum)",
        Objection::Version => "it does not read this version of programs (version)",
        Objection::Malformed => "the bytes are no program (malformed)",
        Objection::Program => "the program leads out of itself (program)",
        Objection::Tool => "a step calls a tool, or gives it arguments, that the device itself does not know (tool)",
        Objection::Envelope => "a target or speed lies outside the device's own limits (envelope)",
        Objection::Signature => "the signature is not by the key that it was given (signature)",
        Objection::Flash => "its flash does not hold what was written; it may be worn out (flash)",
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// How is the store?
    Looking,
    Beginning,
    Sending {
        offset: usize,
    },
    Committing,
    /// Is it there?
    Verifying,
}

/// One upload.
#[derive(Debug)]
pub struct Push<'a> {
    bytes: &'a [u8],
    key: Option<&'a SecretKey>,
    description: Description,
    chunk_max: usize,
    stage: Stage,
    /// The id of what was asked last.
    id: u64,
    asks: u32,
    busy: u32,
    begins: u32,
    due: Millis,
    ended: Option<Result<Pushed, PushError>>,
}

impl<'a> Push<'a> {
    /// A push of these bytes. Ids count up from `id`. `name` is that of the trace or skill.
    #[must_use]
    pub fn new(device: &str, name: &str, bytes: &'a [u8], key: Option<&'a SecretKey>, id: u64) -> Push<'a> {
        Push {
            bytes,
            key,
            description: Description {
                name: Symbol::of(name),
                device: Symbol::of(device),
                revision: 0,
                size: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
                crc: bytes.last_chunk().map_or(0, |sum| u32::from_le_bytes(*sum)),
                signature: None,
            },
            chunk_max: CHUNK_ALIGN,
            stage: Stage::Looking,
            id,
            asks: 0,
            busy: 0,
            begins: 0,
            due: 0,
            ended: None,
        }
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn ended(&self) -> Option<&Result<Pushed, PushError>> {
        self.ended.as_ref()
    }

    /// Bytes that the device has acknowledged, of how many.
    #[must_use]
    pub fn progress(&self) -> (usize, usize) {
        let sent = match self.stage {
            Stage::Looking | Stage::Beginning => 0,
            Stage::Sending { offset } => offset,
            Stage::Committing | Stage::Verifying => self.bytes.len(),
        };
        (sent, self.bytes.len())
    }

    /// When [`Push::poll`] has something to ask.
    #[must_use]
    pub fn next_deadline(&self) -> Millis {
        self.due
    }

    /// What is to be asked now, if anything, and the id to ask it with.
    pub fn poll(&mut self, now: Millis) -> Option<(u64, Ask<'a>)> {
        if self.ended.is_some() || now < self.due {
            return None;
        }
        if self.asks == ASKS_MAX {
            self.ended = Some(Err(PushError::NoAnswer));
            return None;
        }
        self.asks += 1;
        self.due = now + REPLY_MS;
        self.id += 1;
        let crc = self.description.crc;
        let ask = match self.stage {
            Stage::Looking | Stage::Verifying => Ask::Status,
            Stage::Beginning => Ask::Begin(self.description),
            Stage::Sending { offset } => {
                let rest = self.bytes.get(offset..).unwrap_or_default();
                Ask::Chunk {
                    crc,
                    offset: u32::try_from(offset).unwrap_or(u32::MAX),
                    bytes: rest.get(..self.chunk_max).unwrap_or(rest),
                }
            }
            Stage::Committing => Ask::Commit { crc },
        };
        Some((self.id, ask))
    }

    /// Takes a reply; one to another request is ignored.
    pub fn handle(&mut self, now: Millis, reply: &Reply) {
        if reply.id != self.id || self.ended.is_some() {
            return;
        }
        self.asks = 0;
        self.due = now;
        match &reply.answer {
            Answer::Store(status) => self.go_on(status),
            Answer::Refused(objection) => self.objected(now, *objection),
            Answer::Report(_) => {}
        }
    }

    fn go_on(&mut self, status: &StoreStatus) {
        let mine = |installed: &Installed| {
            let Description { name, size, crc, .. } = self.description;
            (installed.name, installed.size, installed.crc) == (name, size, crc)
        };
        let there = status.installed.filter(mine);
        match self.stage {
            Stage::Looking => match there {
                Some(installed) => self.ended = Some(Ok(Pushed::Known(installed))),
                None => self.look(status),
            },
            Stage::Beginning | Stage::Sending { .. } => {
                let upload = status.upload.filter(|upload| upload.crc == self.description.crc);
                match upload.map(|upload| upload.received as usize) {
                    // The size was announced, so there is no more to come than there is.
                    Some(received) if received >= self.bytes.len() => self.stage = Stage::Committing,
                    Some(offset) => self.stage = Stage::Sending { offset },
                    None => self.begin_again(Objection::NoUpload),
                }
            }
            Stage::Committing => self.stage = Stage::Verifying,
            Stage::Verifying => {
                self.ended = Some(there.map(Pushed::Installed).ok_or(PushError::NotThere));
            }
        }
    }

    /// What the device says about itself before anything is sent.
    fn look(&mut self, status: &StoreStatus) {
        let (oldest, newest) = status.versions;
        let version = self.bytes.first().copied().unwrap_or(0);
        let size = self.bytes.len();
        let error = if status.signed && self.key.is_none() {
            Some(PushError::Unsigned)
        } else if !(oldest..=newest).contains(&version) {
            Some(PushError::Version(oldest, newest, version))
        } else if size > status.capacity as usize {
            let capacity = status.capacity;
            Some(PushError::TooLarge { size, capacity })
        } else {
            None
        };
        if let Some(error) = error {
            self.ended = Some(Err(error));
            return;
        }
        self.chunk_max = usize::from(status.chunk_max).max(CHUNK_ALIGN);
        self.description.revision = status.revision_min;
        self.description.signature = self.key.map(|key| key.sign(&self.description, self.bytes));
        self.stage = Stage::Beginning;
    }

    fn objected(&mut self, now: Millis, objection: Objection) {
        match objection {
            Objection::Busy if self.busy < BUSY_MAX => {
                self.busy += 1;
                self.due = now + REPLY_MS;
            }
            // It restarted, or another host was quicker.
            Objection::NoUpload | Objection::Order | Objection::Incomplete | Objection::Revision => {
                self.begin_again(objection);
            }
            _ => self.ended = Some(Err(PushError::Refused(objection))),
        }
    }

    fn begin_again(&mut self, objection: Objection) {
        self.begins += 1;
        if self.begins == BEGINS_MAX {
            self.ended = Some(Err(PushError::Refused(objection)));
        } else {
            self.stage = Stage::Looking;
        }
    }
}
