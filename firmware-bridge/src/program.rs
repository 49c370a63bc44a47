//! What host and device say to each other about programs: an upload in chunks, its commitment, a run, and what came of it.
//!
//! These types are the protocol. A device that is small reads and writes them as postcard ([`read`], [`write()`]), inside the packets of its
//! serial line; over MQTT the same things are JSON (`json`), on the topics `program` and `ack`. No allocation. This file must not know
//! where a program is kept, what it does, or how a message travels.

#[cfg(feature = "host")]
pub mod json;

pub use crate::device::{OnHostLoss, Outcome, RunReport};

use heapless::Vec;
use llmos_follower::program::SLOTS_MAX;
use llmos_follower::{Symbol, Value};
use serde::{Deserialize, Serialize};

/// Bytes of a program that one chunk may carry. A device may ask for less ([`StoreStatus::chunk_max`]).
pub const CHUNK_BYTES_MAX: u16 = 192;
/// Every chunk but the last is as long as a multiple of this, so that it begins and ends where flash can be programmed, in bytes.
pub const CHUNK_ALIGN: usize = 16;
/// Bytes of the largest request or reply in postcard: what a packet of a serial line carries.
pub const MESSAGE_BYTES_MAX: usize = 240;

/// The id of a reply that nobody asked for: what came of a run. No request has it.
pub const UNASKED: u64 = 0;

/// The two halves of an ed25519 signature.
pub type Signature = [[u8; 32]; 2];

/// Host to device.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Request<'a> {
    /// Who asks. It must hold the lease for everything that changes something.
    pub session: u32,
    /// Names the request in its reply; the same for a resend. Below 2^53.
    pub id: u64,
    /// What is asked for.
    #[serde(borrow)]
    pub ask: Ask<'a>,
}

/// What a host asks for. Everything but [`Ask::Run`] may be said twice without harm.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Ask<'a> {
    /// What is installed, and how far an upload is. Needs no lease.
    Status,
    /// An upload begins, or one that was cut off goes on.
    Begin(Description),
    /// The next bytes of it.
    Chunk {
        /// The checksum that its beginning announced.
        crc: u32,
        /// Where they belong.
        offset: u32,
        /// At most [`CHUNK_BYTES_MAX`].
        bytes: &'a [u8],
    },
    /// All has been sent: check it, and make it the installed program.
    Commit {
        /// The checksum that its beginning announced.
        crc: u32,
    },
    /// The upload is given up.
    Abort,
    /// Run the installed program.
    Run(Run),
    /// What came of the last run. Needs no lease.
    Report,
    /// The report of this run is kept by the host now, so the device need not keep it.
    Forget {
        /// The run.
        run: u64,
    },
}

/// A program, before its bytes come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Description {
    /// The name of the trace or skill.
    pub name: Symbol,
    /// The device it is for.
    pub device: Symbol,
    /// Rises with every program that this device gets: a lower one is refused.
    pub revision: u32,
    /// Bytes, version and checksum included.
    pub size: u32,
    /// The program's own checksum: its last four bytes, as a number.
    pub crc: u32,
    /// Signature of the program's [preamble](crate::store::preamble) and bytes.
    pub signature: Option<Signature>,
}

/// A run of the installed program. It uses up a sequence number as a command does, and is answered as one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Run {
    /// Rises with every command and run of a boot.
    pub seq: u32,
    /// The device's uptime after which it must not be begun, in milliseconds.
    pub expires_ms: u64,
    /// The checksum of the program that is meant: another one is not run.
    pub crc: u32,
    /// What becomes of it when the host goes away.
    pub on_host_loss: OnHostLoss,
    /// A value for each of its slots.
    pub slots: Vec<Value, SLOTS_MAX>,
}

/// Device to host.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reply {
    /// Who asked.
    pub session: u32,
    /// The request.
    pub id: u64,
    /// The answer.
    pub answer: Answer,
}

/// The answer to a request. A [`Ask::Run`] is answered as a command is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Answer {
    /// It was done, and this is how the store is now.
    Store(StoreStatus),
    /// It was not, and nothing has changed.
    Refused(Objection),
    /// The last run; `None` where there was none, or it is forgotten.
    Report(Option<RunReport>),
}

/// What a device's store holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct StoreStatus {
    /// The program that would be run.
    pub installed: Option<Installed>,
    /// The lowest revision that would be taken next.
    pub revision_min: u32,
    /// The upload under way.
    pub upload: Option<Upload>,
    /// Bytes of the largest program.
    pub capacity: u32,
    /// Bytes of the longest chunk; a multiple of [`CHUNK_ALIGN`].
    pub chunk_max: u16,
    /// The oldest and the newest version of programs that it reads.
    pub versions: (u8, u8),
    /// Whether only programs with a signature of its key are taken.
    pub signed: bool,
}

/// A program that is installed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Installed {
    /// Its name.
    pub name: Symbol,
    /// Its revision.
    pub revision: u32,
    /// Its bytes.
    pub size: u32,
    /// Its checksum.
    pub crc: u32,
}

/// An upload that has begun.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Upload {
    /// The checksum that was announced.
    pub crc: u32,
    /// Bytes that have come.
    pub received: u32,
}

/// Why a device does not do what was asked about programs. The list is closed: it is part of the protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Objection {
    /// The message was retained by the broker, so it may be of any age.
    Retained,
    /// The sender does not hold the lease.
    NoLease,
    /// A command or program is being carried out.
    Busy,
    /// The device keeps no programs.
    NoStore,
    /// The program is empty or larger than a slot.
    TooLarge,
    /// It is for another device, or for several.
    Device,
    /// The revision is lower than one that was installed, or the same with other bytes.
    Revision,
    /// This device takes signed programs only.
    Unsigned,
    /// There is no such upload.
    NoUpload,
    /// A chunk is empty, too long, not aligned, or goes beyond the end.
    Chunk,
    /// Chunks are missing before this one, or it says something else than the first time.
    Order,
    /// Not all bytes have come.
    Incomplete,
    /// The bytes do not have the checksum that was announced.
    Checksum,
    /// Written in a version that this device does not read.
    Version,
    /// Bytes that are no program.
    Malformed,
    /// A program that leads out of itself: an index outside its pool, or steps out of order.
    Program,
    /// A step calls a tool that this device does not have, or with arguments that it never takes.
    Tool,
    /// A constant target or speed lies outside the device's own envelope.
    Envelope,
    /// The signature is not that of this program, or not by the key of this device.
    Signature,
    /// The flash does not hold what was written.
    Flash,
}

impl Objection {
    /// Every objection.
    pub const ALL: [Objection; 20] = [
        Objection::Retained,
        Objection::NoLease,
        Objection::Busy,
        Objection::NoStore,
        Objection::TooLarge,
        Objection::Device,
        Objection::Revision,
        Objection::Unsigned,
        Objection::NoUpload,
        Objection::Chunk,
        Objection::Order,
        Objection::Incomplete,
        Objection::Checksum,
        Objection::Version,
        Objection::Malformed,
        Objection::Program,
        Objection::Tool,
        Objection::Envelope,
        Objection::Signature,
        Objection::Flash,
    ];

    /// The protocol's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Objection::Retained => "retained",
            Objection::NoLease => "no_lease",
            Objection::Busy => "busy",
            Objection::NoStore => "no_store",
            Objection::TooLarge => "too_large",
            Objection::Device => "device",
            Objection::Revision => "revision",
            Objection::Unsigned => "unsigned",
            Objection::NoUpload => "no_upload",
            Objection::Chunk => "chunk",
            Objection::Order => "order",
            Objection::Incomplete => "incomplete",
            Objection::Checksum => "checksum",
            Objection::Version => "version",
            Objection::Malformed => "malformed",
            Objection::Program => "program",
            Objection::Tool => "tool",
            Objection::Envelope => "envelope",
            Objection::Signature => "signature",
            Objection::Flash => "flash",
        }
    }

    /// The objection of that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Objection> {
        Objection::ALL.into_iter().find(|objection| objection.as_str() == word)
    }
}

/// Reads a request from postcard; `None` for bytes that are none, or are left over.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<Request<'_>> {
    match postcard::take_from_bytes(bytes) {
        Ok((request, [])) => Some(request),
        _ => None,
    }
}

/// Reads a reply from postcard; `None` for bytes that are none, or are left over.
#[must_use]
pub fn read_reply(bytes: &[u8]) -> Option<Reply> {
    match postcard::take_from_bytes(bytes) {
        Ok((reply, [])) => Some(reply),
        _ => None,
    }
}

/// Writes a request or reply as postcard and returns the part of the buffer that was used; `None` where the buffer is too small.
/// [`MESSAGE_BYTES_MAX`] bytes are always enough, but for a run with eight points of which some lie far beyond any envelope.
#[must_use]
pub fn write<'b, T: Serialize>(message: &T, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    postcard::to_slice(message, buffer).ok().map(|used| &*used)
}

#[cfg(test)]
mod tests {
    use super::*;
    use llmos_follower::Observed;
    use llmos_follower::envelope::COORDINATE_MAX;

    fn check_round(request: &Request<'_>, bytes_max: usize) {
        let mut buffer = [0; MESSAGE_BYTES_MAX];
        let bytes = write(request, &mut buffer).expect("it fits");
        assert!(bytes.len() <= bytes_max, "{} bytes: {request:?}", bytes.len());
        assert_eq!(read(bytes).as_ref(), Some(request));
        for end in 0..bytes.len() {
            assert_eq!(read(bytes.get(..end).unwrap_or_default()), None, "cut at {end}");
        }
    }

    #[test]
    fn requests_survive_postcard_and_the_largest_fit() {
        let ask = |ask| Request {
            session: u32::MAX,
            id: u64::MAX,
            ask,
        };
        let description = Description {
            name: Symbol(u32::MAX),
            device: Symbol(u32::MAX),
            revision: u32::MAX,
            size: u32::MAX,
            crc: u32::MAX,
            signature: Some([[0xff; 32]; 2]),
        };
        check_round(&ask(Ask::Begin(description)), 120);
        let chunk = Ask::Chunk {
            crc: u32::MAX,
            offset: u32::MAX,
            bytes: &[0xff; CHUNK_BYTES_MAX as usize],
        };
        check_round(&ask(chunk), MESSAGE_BYTES_MAX);
        let slots = [Value::Point([-COORDINATE_MAX; 3]); SLOTS_MAX];
        let run = Run {
            seq: u32::MAX,
            expires_ms: u64::MAX,
            crc: u32::MAX,
            on_host_loss: OnHostLoss::Finish,
            slots: Vec::from_slice(&slots).expect("as many as fit"),
        };
        check_round(&ask(Ask::Run(run)), MESSAGE_BYTES_MAX);
        for small in [
            Ask::Status,
            Ask::Commit { crc: 1 },
            Ask::Abort,
            Ask::Report,
            Ask::Forget { run: 1 },
        ] {
            check_round(&ask(small), 30);
        }
    }

    #[test]
    fn replies_survive_postcard() {
        let installed = Installed {
            name: Symbol(7),
            revision: 3,
            size: 812,
            crc: 9,
        };
        let status = StoreStatus {
            installed: Some(installed),
            revision_min: 4,
            upload: Some(Upload { crc: 1, received: 256 }),
            capacity: 32 * 1024,
            chunk_max: 256,
            versions: (2, 2),
            signed: true,
        };
        let report = RunReport {
            run: 108,
            session: 9,
            crc: 9,
            step: 9,
            commands: 9,
            ms: 4_000,
            outcome: Outcome::Finished {
                observed: Observed::Met,
                digest: u64::MAX,
            },
        };
        for answer in [
            Answer::Store(status),
            Answer::Refused(Objection::Flash),
            Answer::Report(Some(report)),
            Answer::Report(None),
        ] {
            let reply = Reply {
                session: 9,
                id: 1,
                answer,
            };
            let mut buffer = [0; MESSAGE_BYTES_MAX];
            let bytes = write(&reply, &mut buffer).expect("it fits");
            assert_eq!(read_reply(bytes), Some(reply));
        }
    }

    #[test]
    fn every_objection_has_its_own_word() {
        for objection in Objection::ALL {
            assert_eq!(Objection::parse(objection.as_str()), Some(objection));
        }
        assert_eq!(Objection::parse("Flash"), None);
    }
}
