//! Programs as bytes: one version byte, postcard, CRC-32 (ISO-HDLC), little-endian. Decoding is bounded by the program's capacities and
//! checks every index, so hostile bytes end in a [`Reject`] and never in a panic. Frozen: `tests/versions` holds bytes of every version.

use crate::error::Reject;
use crate::program::Program;
use crc::{CRC_32_ISO_HDLC, Crc};

/// The version this build writes.
pub const CURRENT: u8 = 1;
/// The oldest version this build reads.
pub const MIN: u8 = 1;

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// Writes `program` into `buffer`, returning the part that was used.
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
/// [`Reject::Truncated`], [`Reject::Checksum`], [`Reject::Version`], [`Reject::Malformed`], or [`Reject::OutOfRange`] for a program
/// that points outside itself.
pub fn decode(bytes: &[u8]) -> Result<Program, Reject> {
    let (body, sum) = bytes.split_last_chunk::<4>().ok_or(Reject::Truncated)?;
    if CRC.checksum(body) != u32::from_le_bytes(*sum) {
        return Err(Reject::Checksum);
    }
    let (version, body) = body.split_first().ok_or(Reject::Truncated)?;
    if !(MIN..=CURRENT).contains(version) {
        return Err(Reject::Version);
    }
    let (program, rest) = postcard::take_from_bytes::<Program>(body).map_err(|_| Reject::Malformed)?;
    if !rest.is_empty() {
        return Err(Reject::Malformed);
    }
    program.check()?;
    Ok(program)
}
