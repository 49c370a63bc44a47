//! Flash for simulated devices: memory that behaves like NOR flash, and is kept in a file where one is named, so that a program outlives its
//! device's process. It must not know what is written.

use crate::store::{Flash, FlashError, RECORD_BYTES, Slot};
use llmos_follower::wire::BYTES_MAX;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

const PAGE_BYTES: usize = 1024;
const SLOT_BYTES: usize = (BYTES_MAX + RECORD_BYTES).next_multiple_of(PAGE_BYTES);
const ERASED: u8 = 0xff;

/// Two slots that any program fits into.
#[derive(Debug)]
pub struct SimFlash {
    slots: [Vec<u8>; 2],
    file: Option<File>,
}

impl SimFlash {
    /// Erased flash that is forgotten with its device.
    #[must_use]
    pub fn new() -> SimFlash {
        SimFlash {
            slots: [vec![ERASED; SLOT_BYTES], vec![ERASED; SLOT_BYTES]],
            file: None,
        }
    }

    /// Flash in a file, which is made where there is none.
    ///
    /// # Errors
    /// The file can't be read or made, or it has another size.
    pub fn open(path: &Path) -> io::Result<SimFlash> {
        let mut flash = SimFlash::new();
        let mut options = OpenOptions::new();
        let mut file = options.read(true).write(true).create(true).truncate(false).open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let (whole, found) = (2 * SLOT_BYTES, bytes.len());
        if found == 0 {
            file.write_all(&vec![ERASED; whole])?;
            file.sync_data()?;
        } else if found == whole {
            flash.slots = [bytes[..SLOT_BYTES].to_vec(), bytes[SLOT_BYTES..].to_vec()];
        } else {
            let message = format!("expected a simulated flash of {whole} bytes, found {found}; name another file");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        flash.file = Some(file);
        Ok(flash)
    }

    fn save(&mut self, slot: Slot, offset: usize, length: usize) -> Result<(), FlashError> {
        let index = index(slot);
        let Some(file) = &mut self.file else { return Ok(()) };
        let place = (index * SLOT_BYTES + offset) as u64;
        let mut write = || {
            file.seek(SeekFrom::Start(place))?;
            file.write_all(&self.slots[index][offset..offset + length])?;
            file.sync_data()
        };
        write().map_err(|error| {
            tracing::warn!(%error, "the simulated flash can't be written");
            FlashError
        })
    }
}

impl Default for SimFlash {
    fn default() -> SimFlash {
        SimFlash::new()
    }
}

fn index(slot: Slot) -> usize {
    match slot {
        Slot::A => 0,
        Slot::B => 1,
    }
}

impl Flash for SimFlash {
    const PAGE_BYTES: usize = PAGE_BYTES;
    const SLOT_BYTES: usize = SLOT_BYTES;

    fn slot(&self, slot: Slot) -> &[u8] {
        &self.slots[index(slot)]
    }

    fn erase(&mut self, slot: Slot, page: usize) -> Result<(), FlashError> {
        let start = page * PAGE_BYTES;
        let bytes = self.slots[index(slot)].get_mut(start..start + PAGE_BYTES);
        bytes.ok_or(FlashError)?.fill(ERASED);
        self.save(slot, start, PAGE_BYTES)
    }

    fn write(&mut self, slot: Slot, offset: usize, bytes: &[u8]) -> Result<(), FlashError> {
        let words = self.slots[index(slot)].get_mut(offset..offset + bytes.len());
        for (word, value) in words.ok_or(FlashError)?.iter_mut().zip(bytes) {
            // Writing only ever clears bits.
            *word &= value;
        }
        self.save(slot, offset, bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_keeps_what_was_written_and_one_of_another_size_is_refused() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("arm.flash");
        let mut flash = SimFlash::open(&path).expect("it is made");
        flash.erase(Slot::B, 1).expect("it is erased");
        flash.write(Slot::B, PAGE_BYTES, &[0x5a; 16]).expect("it is written");
        flash.write(Slot::B, PAGE_BYTES, &[0xf0; 16]).expect("bits are cleared");
        let again = SimFlash::open(&path).expect("it is there");
        assert_eq!(
            again.slot(Slot::B)[PAGE_BYTES..PAGE_BYTES + 17],
            *b"PPPPPPPPPPPPPPPP\xff"
        );
        assert!(again.slot(Slot::A).iter().all(|byte| *byte == ERASED));
        std::fs::write(&path, b"something else").expect("a file");
        let error = SimFlash::open(&path).expect_err("it is no flash").to_string();
        assert!(error.contains("found 14"), "{error}");
    }
}
