//! Programs as bytes: one version byte, postcard, CRC-32 (ISO-HDLC), little-endian; `WIRE.md` beside this crate is the specification.
//! Decoding is bounded by the program's capacities and checks every index, so hostile bytes end in a [`Reject`] and never in a panic.
//! Frozen: `tests/versions` holds bytes of every version.

use crate::error::Reject;
use crate::program::Program;
use crate::value::Symbol;
use crc::{CRC_32_ISO_HDLC, Crc};
use heapless::Vec;
use serde::Deserialize;

/// The version this build writes.
pub const CURRENT: u8 = 2;
/// The oldest version this build reads. Nothing but a test has ever written version 1.
pub const MIN: u8 = 2;
/// Bytes of the largest program, version and checksum included.
pub const BYTES_MAX: usize = 32 * 1024;

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// Writes `program` into `buffer`, returning the part that was used. [`BYTES_MAX`] bytes are always enough.
///
/// # Errors
/// [`Reject::Truncated`] where the buffer is too small.
pub fn encode<'a>(program: &Program, buffer: &'a mut [u8]) -> Result<&'a mut [u8], Reject> {
    let (first, rest) = buffer.split_first_mut().ok_or(Reject::Truncated)?;
    *first = CURRENT;
    let used = postcard::to_slice(program, rest).map_err(|_| Reject::Truncated)?.len() + 1;
    let sum = CRC.checksum(&buffer[..used]).to_le_bytes();
    buffer
        .get_mut(used..used + 4)
        .ok_or(Reject::Truncated)?
        .copy_from_slice(&sum);
    Ok(&mut buffer[..used + 4])
}

/// Reads a program.
///
/// # Errors
/// [`Reject::TooLarge`], [`Reject::Truncated`], [`Reject::Checksum`], [`Reject::Version`], [`Reject::Malformed`], or those of
/// [`Program::check`].
pub fn decode(bytes: &[u8]) -> Result<Program, Reject> {
    if bytes.len() > BYTES_MAX {
        return Err(Reject::TooLarge);
    }
    let (body, sum) = bytes.split_last_chunk::<4>().ok_or(Reject::Truncated)?;
    if CRC.checksum(body) != u32::from_le_bytes(*sum) {
        return Err(Reject::Checksum);
    }
    let (version, body) = body.split_first().ok_or(Reject::Truncated)?;
    if !(MIN..=CURRENT).contains(version) {
        return Err(Reject::Version);
    }
    let mut rest = Rest(body);
    let program = Program {
        slots: rest.one()?,
        start: rest.list()?,
        calls: rest.list()?,
        steps: rest.list()?,
        compensating: rest.one()?,
        code: rest.list()?,
        cases: rest.list()?,
    };
    if !rest.0.is_empty() {
        return Err(Reject::Malformed);
    }
    program.check()?;
    Ok(program)
}

/// Reads a program that one device is to follow alone.
///
/// # Errors
/// Those of [`decode`], and [`Reject::Device`] where the program is for another device, or for several.
pub fn decode_for(device: Symbol, bytes: &[u8]) -> Result<Program, Reject> {
    let program = decode(bytes)?;
    if program.is_for(device) {
        Ok(program)
    } else {
        Err(Reject::Device)
    }
}

/// CRC-32 (ISO-HDLC), for what is kept or sent beside a program.
#[must_use]
pub const fn checksum(bytes: &[u8]) -> u32 {
    CRC.checksum(bytes)
}

/// The bytes that are not read yet. Lists are read here and not by serde, which can't say that one is too long.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn one<T: Deserialize<'a>>(&mut self) -> Result<T, Reject> {
        let (value, rest) = postcard::take_from_bytes(self.0).map_err(|_| Reject::Malformed)?;
        self.0 = rest;
        Ok(value)
    }

    fn list<T: Deserialize<'a>, const N: usize>(&mut self) -> Result<Vec<T, N>, Reject> {
        let count: u32 = self.one()?;
        let mut list = Vec::new();
        for _ in 0..count {
            let value = self.one()?;
            list.push(value).map_err(|_| Reject::TooLarge)?;
        }
        Ok(list)
    }
}
