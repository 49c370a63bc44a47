//! The record of a slot as bytes, and what a signature covers. Both are frozen: a device of tomorrow must know what one of today has written.
//!
//! ```text
//! 0 "LLMP" | 4 layout 1, flags (bit 0: signed), 0, 0 | 8 name | 12 device | 16 revision | 20 size | 24 checksum | 28 signature, 64 | 92 zeros | 124 CRC-32 of 0..124
//! ```
//!
//! Numbers are 32 bits, little-endian. The CRC is in the last word, so a record that was cut off is none.

use crate::program::{Description, Signature};
use llmos_follower::{Symbol, wire};

/// Bytes of a record.
pub const RECORD_BYTES: usize = 128;
const MAGIC: [u8; 8] = *b"LLMP\x01\0\0\0";
const SIGNED: u8 = 1;
const SUMMED: usize = RECORD_BYTES - 4;
/// What no other message begins with that the same key may sign.
const PURPOSE: [u8; 16] = *b"llmos program 1\0";

/// What a slot says about its program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record {
    /// What the upload had announced.
    pub description: Description,
}

impl Record {
    /// The record at the beginning of a slot; `None` where there is no whole one.
    pub fn read(slot: &[u8]) -> Option<Record> {
        let (record, _) = slot.split_first_chunk::<RECORD_BYTES>()?;
        let (body, sum) = record.split_last_chunk::<4>()?;
        if wire::checksum(body) != u32::from_le_bytes(*sum) {
            return None;
        }
        let (magic, body) = body.split_first_chunk::<8>()?;
        let flags = magic.get(5).copied()?;
        let known = magic
            .iter()
            .zip(MAGIC)
            .enumerate()
            .all(|(at, (a, b))| at == 5 || *a == b);
        if !known || flags & !SIGNED != 0 {
            return None;
        }
        let (name, body) = word(body)?;
        let (device, body) = word(body)?;
        let (revision, body) = word(body)?;
        let (size, body) = word(body)?;
        let (crc, body) = word(body)?;
        let (r, body) = body.split_first_chunk::<32>()?;
        let (s, _) = body.split_first_chunk::<32>()?;
        Some(Record {
            description: Description {
                name: Symbol(name),
                device: Symbol(device),
                revision,
                size,
                crc,
                signature: (flags == SIGNED).then_some([*r, *s]),
            },
        })
    }

    /// The record as bytes.
    pub fn bytes(&self) -> [u8; RECORD_BYTES] {
        let Description {
            name,
            device,
            revision,
            size,
            crc,
            signature,
        } = self.description;
        let mut magic = MAGIC;
        if let (Some(flags), true) = (magic.get_mut(5), signature.is_some()) {
            *flags = SIGNED;
        }
        let [r, s]: Signature = signature.unwrap_or_default();
        let words = [name.0, device.0, revision, size, crc].map(u32::to_le_bytes);
        let content = magic
            .iter()
            .chain(words.as_flattened())
            .chain(&r)
            .chain(&s)
            .copied()
            .chain(core::iter::repeat(0));
        let mut bytes = [0; RECORD_BYTES];
        for (byte, value) in bytes.iter_mut().zip(content.take(SUMMED)) {
            *byte = value;
        }
        let sum = wire::checksum(bytes.get(..SUMMED).unwrap_or_default()).to_le_bytes();
        if let Some(last) = bytes.last_chunk_mut::<4>() {
            *last = sum;
        }
        bytes
    }
}

fn word(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (word, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*word), rest))
}

/// What stands before the program's bytes in what is signed: a purpose of 16 bytes, then name, device, revision and size. So a signature
/// is good for one program on one device as one revision.
#[must_use]
pub fn preamble(description: &Description) -> [u8; 32] {
    let Description {
        name,
        device,
        revision,
        size,
        ..
    } = *description;
    let words = [name.0, device.0, revision, size].map(u32::to_le_bytes);
    let mut bytes = [0; 32];
    for (byte, value) in bytes.iter_mut().zip(PURPOSE.iter().chain(words.as_flattened())) {
        *byte = *value;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description(signature: Option<Signature>) -> Description {
        Description {
            name: Symbol(0x0102_0304),
            device: Symbol::of("lamp"),
            revision: 7,
            size: 79,
            crc: 0x0e26_6296,
            signature,
        }
    }

    #[test]
    fn a_record_is_frozen() {
        let bytes = Record {
            description: description(None),
        }
        .bytes();
        let expected = [
            0x4c, 0x4c, 0x4d, 0x50, 1, 0, 0, 0, 4, 3, 2, 1, 0x3b, 0xef, 0xf0, 0x6b, 7, 0, 0, 0, 79, 0, 0, 0, 0x96,
            0x62, 0x26, 0x0e,
        ];
        assert_eq!(bytes[..28], expected);
        assert_eq!(bytes[28..SUMMED], [0; SUMMED - 28]);
        assert_eq!(
            preamble(&description(None)),
            *b"llmos program 1\0\x04\x03\x02\x01\x3b\xef\xf0\x6b\x07\0\0\0\x4f\0\0\0"
        );
    }

    #[test]
    fn a_record_survives_and_one_flipped_bit_does_not() {
        for signature in [None, Some([[7; 32], [9; 32]])] {
            let record = Record {
                description: description(signature),
            };
            let bytes = record.bytes();
            assert_eq!(Record::read(&bytes), Some(record));
            for bit in 0..RECORD_BYTES * 8 {
                let mut bytes = bytes;
                bytes[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(Record::read(&bytes), None, "bit {bit}");
            }
            for end in 0..RECORD_BYTES {
                let mut cut = [0xff; RECORD_BYTES];
                cut[..end].copy_from_slice(&bytes[..end]);
                assert_eq!(Record::read(&cut), None, "cut at {end}");
            }
        }
        assert_eq!(Record::read(&[0xff; RECORD_BYTES]), None);
        assert_eq!(Record::read(&[0; RECORD_BYTES]), None);
    }
}
