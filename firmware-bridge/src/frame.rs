//! Frames: how packets survive a serial line that loses, cuts, glues and flips bytes.
//!
//! ```text
//! 00 | COBS( packet: 1 to 250 bytes | CRC-32: 4 bytes, little-endian ) | 00
//! ```
//!
//! A zero byte stands only at the borders of a frame, so whoever has lost the thread finds it again at the next zero: noise costs the
//! frames that it hits and never the next whole one, because each brings a zero of its own at *both* ends. The checksum is
//! CRC-32/ISO-HDLC, the one of program files, and not one of 16 bits: a frame moves a robot, and of damaged frames one in four
//! billion may pass, not one in 65,536. COBS (Cheshire, Baker: Consistent Overhead Byte Stuffing, 1999) is the `cobs` crate's; a
//! content of at most 254 bytes costs exactly one byte more.
//!
//! Without allocation; every byte takes bounded work. This file must not know what a packet says or who sends it.

use cobs::{CobsEncoder, DecodeResult, DecoderState};
use crc::{CRC_32_ISO_HDLC, Crc};

/// Longest packet in a frame, in bytes; the shortest is one byte.
pub const PACKET_LEN_MAX: usize = 250;
/// Longest frame with its two zeros, in bytes.
pub const FRAME_LEN_MAX: usize = CONTENT_LEN_MAX + 3;
/// Longest content: packet and checksum.
const CONTENT_LEN_MAX: usize = PACKET_LEN_MAX + 4;

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// Writes a packet as a frame and returns the frame's length; `None` for a packet of no or more than [`PACKET_LEN_MAX`] bytes.
#[must_use]
pub fn encode(packet: &[u8], frame: &mut [u8; FRAME_LEN_MAX]) -> Option<usize> {
    if packet.is_empty() || packet.len() > PACKET_LEN_MAX {
        return None;
    }
    let (first, rest) = frame.split_first_mut()?;
    *first = 0;
    let mut stuffed = CobsEncoder::new(rest);
    stuffed.push(packet).ok()?;
    stuffed.push(&CRC.checksum(packet).to_le_bytes()).ok()?;
    let end = stuffed.finalize();
    *rest.get_mut(end)? = 0;
    Some(end + 2)
}

/// What a byte has completed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard<'a> {
    /// Nothing yet.
    Nothing,
    /// A packet whose checksum is right.
    Packet(&'a [u8]),
    /// Something that was no frame, up to this zero.
    Noise,
}

/// Finds packets in a stream of bytes.
#[derive(Debug)]
pub struct Decoder {
    stuffed: DecoderState,
    /// What came since the last zero is no frame any more.
    spoiled: bool,
    content: [u8; CONTENT_LEN_MAX],
    len: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Decoder {
            stuffed: DecoderState::Idle,
            spoiled: false,
            content: [0; CONTENT_LEN_MAX],
            len: 0,
        }
    }
}

impl Decoder {
    /// Takes the next byte of the line.
    pub fn feed(&mut self, byte: u8) -> Heard<'_> {
        if byte != 0 && self.spoiled {
            return Heard::Nothing;
        }
        match self.stuffed.feed(byte) {
            _ if byte == 0 && self.spoiled => {
                self.begin();
                Heard::Noise
            }
            Ok(DecodeResult::NoData) => Heard::Nothing,
            Ok(DecodeResult::DataContinue(byte)) => {
                match self.content.get_mut(self.len) {
                    Some(place) => {
                        *place = byte;
                        self.len += 1;
                    }
                    None => self.spoiled = true,
                }
                Heard::Nothing
            }
            Ok(DecodeResult::DataComplete) => self.complete(),
            Err(_) => {
                self.begin();
                Heard::Noise
            }
        }
    }

    fn begin(&mut self) {
        self.stuffed = DecoderState::Idle;
        self.spoiled = false;
        self.len = 0;
    }

    /// A zero came where a frame may end.
    fn complete(&mut self) -> Heard<'_> {
        let len = self.len;
        self.begin();
        let content = self.content.get(..len).unwrap_or_default();
        match content.split_last_chunk::<4>() {
            Some((packet, sum)) if !packet.is_empty() && CRC.checksum(packet).to_le_bytes() == *sum => {
                Heard::Packet(packet)
            }
            _ => Heard::Noise,
        }
    }
}
