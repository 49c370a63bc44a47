//! Where a device keeps its program: two slots of flash, and a record that is written last.
//!
//! ```text
//! slot:  record, 128 bytes (name, device, revision, size, checksum, signature, its own CRC) | program, up to its size | not used
//! ```
//!
//! An upload goes into the slot that is not in use. Its first chunk erases the old record, the commitment checks the whole program where it
//! lies and then writes the new record; of two slots with a whole record, the one with the higher revision counts. So the record is the
//! pointer: before its last word is there, nothing has changed, and power may go at any moment. Every page is erased before it is written,
//! every word is written once, and a call does a bounded amount of work: at most one chunk, or one look at a whole program.
//!
//! **What is checked at the commitment, and at every boot again:** size, checksum, the signature where the device's configuration wants one,
//! version, [`llmos_follower::Program::check`], that all of it is for this device, that the tools with constant arguments exist and take them, that what these
//! ask for (speed, acceleration, rotation, duration) and every constant target lie within the device's own envelope. **What only a run can
//! tell** is checked when it happens: slots, what depends on readings, the way to a target, the rate of commands.
//!
//! No allocation. This file must not know messages, transports, leases, or when a program is run.

mod record;
mod scrutiny;

pub use record::{RECORD_BYTES, preamble};
pub use scrutiny::scrutinise;

use crate::device::{Plant, Programs};
use crate::program::{
    Answer, Ask, CHUNK_ALIGN, CHUNK_BYTES_MAX, Description, Installed, Objection, StoreStatus, Upload,
};
use llmos_follower::{Symbol, wire};
use record::Record;

/// Flash that holds two slots of the same size, as NOR flash does it: erasing a page sets all of its bits, writing only clears bits. A
/// board implements this.
///
/// Power may go at any moment: a page that is being erased, or the words that are being written, may then hold anything; others must not
/// change. Both calls may take their time, since nothing moves meanwhile, but not longer than the board's watchdog allows.
pub trait Flash {
    /// Bytes that are erased at once; a multiple of 16, at least [`RECORD_BYTES`].
    const PAGE_BYTES: usize;
    /// Bytes of a slot; a multiple of a page. With 33 KiB, no program is too large.
    const SLOT_BYTES: usize;

    /// A whole slot, to read. Programs are followed where they lie, so this is memory.
    fn slot(&self, slot: Slot) -> &[u8];

    /// Sets every byte of a page of a slot to `0xff`.
    ///
    /// # Errors
    /// The page may hold anything.
    fn erase(&mut self, slot: Slot, page: usize) -> Result<(), FlashError>;

    /// Writes into erased words. `offset` and the number of bytes are multiples of 16, whatever is smaller on a board fits into that.
    ///
    /// # Errors
    /// The words may hold anything.
    fn write(&mut self, slot: Slot, offset: usize, bytes: &[u8]) -> Result<(), FlashError>;
}

/// One of the two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slot {
    /// The first.
    A,
    /// The second.
    B,
}

impl Slot {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Slot {
        match self {
            Slot::A => Slot::B,
            Slot::B => Slot::A,
        }
    }
}

/// The flash did not do what it was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlashError;

/// What a device's own configuration says about programs. No message can change it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoreConfig {
    /// The device's name: a program for another one is not taken.
    pub device: Symbol,
    /// Whether a run may go on to its end when the host is gone. Nothing that moves should, unless somebody has thought about it.
    pub finishes_alone: bool,
    /// Only programs signed with this ed25519 key are taken; `None` takes all. Without the feature `signed` nobody can look at a signature,
    /// and a device with a key takes nothing.
    pub key: Option<[u8; 32]>,
}

impl StoreConfig {
    /// A device that takes programs without a signature, and does not run them alone.
    #[must_use]
    pub const fn open(device: Symbol) -> StoreConfig {
        StoreConfig {
            device,
            finishes_alone: false,
            key: None,
        }
    }
}

/// An upload under way.
#[derive(Clone, Copy, Debug)]
struct Uploading {
    description: Description,
    slot: Slot,
    received: usize,
}

/// The store. It lives as long as its device.
#[derive(Debug)]
pub struct Store<F> {
    flash: F,
    config: StoreConfig,
    active: Option<(Slot, Installed)>,
    /// The highest revision that any record holds.
    highest: u32,
    upload: Option<Uploading>,
}

impl<F: Flash> Store<F> {
    /// Looks at both slots after a boot. A program that this device would not take now is not run either.
    #[must_use]
    pub fn open<P: Plant>(flash: F, config: StoreConfig, plant: &P) -> Store<F> {
        let mut store = Store {
            flash,
            config,
            active: None,
            highest: 0,
            upload: None,
        };
        for slot in [Slot::A, Slot::B] {
            let Some(Record { description }) = Record::read(store.flash.slot(slot)) else {
                continue;
            };
            store.highest = store.highest.max(description.revision);
            let higher = store
                .active
                .is_none_or(|(_, installed)| description.revision > installed.revision);
            if higher && store.check(slot, &description, plant).is_ok() {
                store.active = Some((slot, installed(&description)));
            }
        }
        store
    }

    /// What is installed.
    #[must_use]
    pub fn installed(&self) -> Option<Installed> {
        self.active.map(|(_, installed)| installed)
    }

    /// What there is to know about it.
    #[must_use]
    pub fn status(&self) -> StoreStatus {
        StoreStatus {
            installed: self.installed(),
            revision_min: self.highest.saturating_add(1),
            upload: self.upload.map(|upload| Upload {
                crc: upload.description.crc,
                received: narrow(upload.received),
            }),
            capacity: narrow(Store::<F>::CAPACITY),
            chunk_max: CHUNK_BYTES_MAX,
            versions: (wire::MIN, wire::CURRENT),
            signed: self.config.key.is_some(),
        }
    }

    /// The flash, when the device ends.
    #[must_use]
    pub fn into_flash(self) -> F {
        self.flash
    }

    /// Does what a host that holds the lease asks for. `acting` says whether a command or program is being carried out: then nothing is
    /// changed. What is not about the store ([`Ask::Run`], [`Ask::Report`], [`Ask::Forget`]) changes nothing either.
    pub fn handle<P: Plant>(&mut self, plant: &P, acting: bool, ask: &Ask<'_>) -> Answer {
        let done = match ask {
            Ask::Status | Ask::Run(_) | Ask::Report | Ask::Forget { .. } => Ok(()),
            _ if acting => Err(Objection::Busy),
            Ask::Begin(description) => self.begin(description),
            Ask::Chunk { crc, offset, bytes } => self.take(*crc, *offset, bytes),
            Ask::Commit { crc } => self.commit(*crc, plant),
            Ask::Abort => {
                self.upload = None;
                Ok(())
            }
        };
        match done {
            Ok(()) => Answer::Store(self.status()),
            Err(objection) => Answer::Refused(objection),
        }
    }

    /// Bytes of the largest program.
    const CAPACITY: usize = {
        let room = F::SLOT_BYTES.saturating_sub(RECORD_BYTES);
        if room < wire::BYTES_MAX { room } else { wire::BYTES_MAX }
    };

    /// Writes nothing: flash wears out, and a host may begin as often as it likes.
    fn begin(&mut self, description: &Description) -> Result<(), Objection> {
        if let Some(upload) = &self.upload
            && upload.description == *description
        {
            return Ok(());
        }
        let size = description.size as usize;
        if description.device != self.config.device {
            return Err(Objection::Device);
        }
        if size == 0 || size > Store::<F>::CAPACITY {
            return Err(Objection::TooLarge);
        }
        if description.signature.is_none() && self.config.key.is_some() {
            return Err(Objection::Unsigned);
        }
        if self.installed() == Some(installed(description)) {
            // It is there already: nothing is left to send.
            self.upload = None;
            return Ok(());
        }
        if description.revision <= self.highest {
            return Err(Objection::Revision);
        }
        self.upload = Some(Uploading {
            description: *description,
            slot: self.spare(),
            received: 0,
        });
        Ok(())
    }

    /// The slot that an upload may overwrite: never the one in use, and rather not the one that remembers the highest revision.
    fn spare(&self) -> Slot {
        if let Some((active, _)) = self.active {
            return active.other();
        }
        let revision = |slot| Record::read(self.flash.slot(slot)).map_or(0, |record| record.description.revision);
        if revision(Slot::A) > revision(Slot::B) {
            Slot::B
        } else {
            Slot::A
        }
    }

    fn take(&mut self, crc: u32, offset: u32, bytes: &[u8]) -> Result<(), Objection> {
        let upload = self.upload.filter(|upload| upload.description.crc == crc);
        let Uploading {
            description,
            slot,
            received,
        } = upload.ok_or(Objection::NoUpload)?;
        let (size, offset) = (description.size as usize, offset as usize);
        let end = offset.saturating_add(bytes.len());
        let aligned = offset.is_multiple_of(CHUNK_ALIGN) && (bytes.len().is_multiple_of(CHUNK_ALIGN) || end == size);
        if bytes.is_empty() || bytes.len() > usize::from(CHUNK_BYTES_MAX) || end > size || !aligned {
            return Err(Objection::Chunk);
        }
        if offset < received {
            // Said again: harmless, if it is the same.
            let known = self.flash.slot(slot).get(RECORD_BYTES + offset..RECORD_BYTES + end);
            let same = end <= received && known == Some(bytes);
            return if same { Ok(()) } else { Err(Objection::Order) };
        }
        if offset > received {
            return Err(Objection::Order);
        }
        if self.keep(slot, offset, bytes).is_err() {
            // What these words hold now can't be written again; the next upload erases them.
            self.upload = None;
            return Err(Objection::Flash);
        }
        if let Some(upload) = &mut self.upload {
            upload.received = end;
        }
        Ok(())
    }

    /// Writes the next bytes of an upload, and erases what they are the first to touch.
    fn keep(&mut self, slot: Slot, offset: usize, bytes: &[u8]) -> Result<(), FlashError> {
        let start = RECORD_BYTES + offset;
        let end = start + bytes.len();
        // The first chunk's page is that of the old record, which goes before anything that it spoke of.
        let from = if offset == 0 { 0 } else { start };
        for page in from.div_ceil(F::PAGE_BYTES)..end.div_ceil(F::PAGE_BYTES) {
            self.flash.erase(slot, page)?;
        }
        let whole = bytes.len() - bytes.len() % CHUNK_ALIGN;
        let (words, rest) = bytes.split_at(whole);
        if !words.is_empty() {
            self.flash.write(slot, start, words)?;
        }
        if !rest.is_empty() {
            let mut last = [0xff; CHUNK_ALIGN];
            for (byte, value) in last.iter_mut().zip(rest) {
                *byte = *value;
            }
            self.flash.write(slot, start + whole, &last)?;
        }
        let written = self.flash.slot(slot).get(start..end) == Some(bytes);
        if written { Ok(()) } else { Err(FlashError) }
    }

    fn commit<P: Plant>(&mut self, crc: u32, plant: &P) -> Result<(), Objection> {
        let upload = self.upload.filter(|upload| upload.description.crc == crc);
        let Some(Uploading {
            description,
            slot,
            received,
        }) = upload
        else {
            // The first time was answered, and the answer was lost.
            let known = self.installed().is_some_and(|installed| installed.crc == crc);
            return if known { Ok(()) } else { Err(Objection::NoUpload) };
        };
        if received != description.size as usize {
            return Err(Objection::Incomplete);
        }
        // Whatever comes of it, these words can't be written again.
        self.upload = None;
        self.check(slot, &description, plant)?;
        let record = Record { description }.bytes();
        let written = self.flash.write(slot, 0, &record).is_ok();
        if !written || self.flash.slot(slot).get(..RECORD_BYTES) != Some(record.as_slice()) {
            return Err(Objection::Flash);
        }
        self.highest = self.highest.max(description.revision);
        self.active = Some((slot, installed(&description)));
        Ok(())
    }

    fn check<P: Plant>(&self, slot: Slot, description: &Description, plant: &P) -> Result<(), Objection> {
        let bytes = program_in(self.flash.slot(slot), description.size).ok_or(Objection::TooLarge)?;
        self.check_signature(description, bytes)?;
        scrutinise(description, bytes, plant)?;
        if description.device == self.config.device {
            Ok(())
        } else {
            Err(Objection::Device)
        }
    }

    fn check_signature(&self, description: &Description, bytes: &[u8]) -> Result<(), Objection> {
        match (&self.config.key, &description.signature) {
            (None, _) => Ok(()),
            (Some(_), None) => Err(Objection::Unsigned),
            (Some(key), Some(signature)) => verify(key, description, bytes, signature),
        }
    }
}

#[cfg(feature = "signed")]
use crate::signature::verify;

#[cfg(not(feature = "signed"))]
const fn verify(_: &[u8; 32], _: &Description, _: &[u8], _: &crate::program::Signature) -> Result<(), Objection> {
    Err(Objection::Signature)
}

impl<F: Flash> Programs for Store<F> {
    fn device(&self) -> Symbol {
        self.config.device
    }

    fn program(&self) -> Option<&[u8]> {
        let (slot, installed) = self.active?;
        program_in(self.flash.slot(slot), installed.size)
    }

    fn finishes_alone(&self) -> bool {
        self.config.finishes_alone
    }
}

fn program_in(slot: &[u8], size: u32) -> Option<&[u8]> {
    let end = RECORD_BYTES.checked_add(size as usize)?;
    slot.get(RECORD_BYTES..end)
}

const fn installed(description: &Description) -> Installed {
    Installed {
        name: description.name,
        revision: description.revision,
        size: description.size,
        crc: description.crc,
    }
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
