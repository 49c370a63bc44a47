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
    let (body, rest) = buffer.split_at_mut_checked(used).ok_or(Reject::Truncated)?;
    let sum = rest.first_chunk_mut::<4>().ok_or(Reject::Truncated)?;
    *sum = CRC.checksum(body).to_le_bytes();
    buffer.get_mut(..used + 4).ok_or(Reject::Truncated)
}

/// Reads a program.
///
/// # Errors
/// [`Reject::TooLarge`], [`Reject::Truncated`], [`Reject::Checksum`], [`Reject::Version`], [`Reject::Malformed`], or those of
/// [`Program::check`].
pub fn decode(bytes: &[u8]) -> Result<Program, Reject> {
    let mut rest = open(bytes)?;
    let program = Program {
        slots: rest.one()?,
        start: rest.list()?,
        calls: rest.list()?,
        steps: rest.list()?,
        compensating: rest.one()?,
        code: rest.list()?,
        cases: rest.list()?,
    };
    rest.end()?;
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

/// Looks at length, checksum and version, and returns what lies between them.
///
/// # Errors
/// [`Reject::TooLarge`], [`Reject::Truncated`], [`Reject::Checksum`] or [`Reject::Version`].
pub(crate) fn open(bytes: &[u8]) -> Result<Rest<'_>, Reject> {
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
    Ok(Rest { body, read: 1 })
}

/// Takes one value from the front of some bytes; `None` where there is none.
pub(crate) fn take<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<(T, &'a [u8])> {
    postcard::take_from_bytes(bytes).ok()
}

/// The bytes that are not read yet. Lists are read here and not by serde, which can't say that one is too long.
pub(crate) struct Rest<'a> {
    body: &'a [u8],
    /// How many bytes of the whole were read, those before the body included.
    read: usize,
}

impl<'a> Rest<'a> {
    pub fn one<T: Deserialize<'a>>(&mut self) -> Result<T, Reject> {
        let (value, rest) = take(self.body).ok_or(Reject::Malformed)?;
        self.read += self.body.len().saturating_sub(rest.len());
        self.body = rest;
        Ok(value)
    }

    /// Reads a list: each entry with where it begins in the whole.
    pub fn each<T: Deserialize<'a>>(
        &mut self,
        mut note: impl FnMut(usize, T) -> Result<(), Reject>,
    ) -> Result<(), Reject> {
        let count: u32 = self.one()?;
        for _ in 0..count {
            let at = self.read;
            let value = self.one()?;
            note(at, value)?;
        }
        Ok(())
    }

    fn list<T: Deserialize<'a>, const N: usize>(&mut self) -> Result<Vec<T, N>, Reject> {
        let mut list = Vec::new();
        self.each(|_, value| list.push(value).map_err(|_| Reject::TooLarge))?;
        Ok(list)
    }

    /// Refuses bytes that are left over.
    pub fn end(&self) -> Result<(), Reject> {
        if self.body.is_empty() {
            Ok(())
        } else {
            Err(Reject::Malformed)
        }
    }
}
