//! Frames on a bad line: what was sent whole is found, and nothing is found that was not sent.

use llmos_firmware_bridge::frame::{Decoder, FRAME_LEN_MAX, Heard, PACKET_LEN_MAX, encode};
use proptest::collection::vec;
use proptest::prelude::*;

fn framed(packet: &[u8]) -> Vec<u8> {
    let mut frame = [0; FRAME_LEN_MAX];
    let len = encode(packet, &mut frame).expect("a packet of the right length");
    frame[..len].to_vec()
}

/// The packets in a stream, and how often there was something else.
fn found(stream: impl IntoIterator<Item = u8>) -> (Vec<Vec<u8>>, u32) {
    let (mut decoder, mut packets, mut noise) = (Decoder::default(), Vec::new(), 0);
    for byte in stream {
        match decoder.feed(byte) {
            Heard::Nothing => {}
            Heard::Noise => noise += 1,
            Heard::Packet(packet) => packets.push(packet.to_vec()),
        }
    }
    (packets, noise)
}

/// Numbers from a seed (xorshift, Marsaglia 2003).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap_or_default() % limit.max(1)
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap_or_default()
    }
}

/// Whether `few` are some of `all`, in their order.
fn is_part_of(few: &[Vec<u8>], all: &[Vec<u8>]) -> bool {
    let mut all = all.iter();
    few.iter().all(|one| all.any(|other| other == one))
}

#[test]
fn a_frame_is_what_the_page_says() {
    // CRC-32 of "llmos" by another program: python3 -c 'import zlib; print(hex(zlib.crc32(b"llmos")))'
    assert_eq!(
        framed(b"llmos"),
        [0, 10, b'l', b'l', b'm', b'o', b's', 0x77, 0x2a, 0x76, 0x80, 0]
    );
    assert_eq!(framed(&[0, 0])[..4], [0, 1, 1, 5]);
    let mut frame = [0; FRAME_LEN_MAX];
    assert_eq!(encode(&[], &mut frame), None);
    assert_eq!(encode(&[1; PACKET_LEN_MAX + 1], &mut frame), None);
    assert_eq!(encode(&[1; PACKET_LEN_MAX], &mut frame), Some(FRAME_LEN_MAX));
}

#[test]
fn a_full_block_may_end_in_either_way() {
    // Encoders differ in what they write after 254 bytes without a zero; both are read.
    let packet = (0..=u8::MAX).find_map(|last| {
        let mut packet = [7; PACKET_LEN_MAX];
        packet[0] = last;
        let frame = framed(&packet);
        (frame.len() == FRAME_LEN_MAX && frame[1] == 0xff).then_some((packet, frame))
    });
    let (packet, mut frame) = packet.expect("a checksum without a zero");
    assert_eq!(found(frame.clone()), (vec![packet.to_vec()], 0));
    frame.insert(frame.len() - 1, 1);
    assert_eq!(found(frame), (vec![packet.to_vec()], 0));
}

proptest! {
    #[test]
    fn any_packet_goes_there_and_back(packet in vec(any::<u8>(), 1..=PACKET_LEN_MAX)) {
        let frame = framed(&packet);
        prop_assert_eq!(frame.len(), packet.len() + 7);
        prop_assert!(frame[1..frame.len() - 1].iter().all(|byte| *byte != 0));
        prop_assert_eq!(found(frame), (vec![packet], 0));
    }

    #[test]
    fn noise_between_frames_hides_none(parts in vec((vec(any::<u8>(), 1..40), vec(any::<u8>(), 0..600)), 1..12)) {
        let stream = parts.iter().flat_map(|(packet, noise)| [framed(packet), noise.clone()].concat());
        let packets: Vec<Vec<u8>> = parts.iter().map(|(packet, _)| packet.clone()).collect();
        prop_assert_eq!(found(stream).0, packets);
    }

    #[test]
    fn any_one_flipped_bit_costs_the_frame_and_no_other(packet in vec(any::<u8>(), 1..=PACKET_LEN_MAX), bit in any::<u16>()) {
        let good = framed(&packet);
        let mut bad = good.clone();
        let bit = usize::from(bit) % (8 * bad.len());
        bad[bit / 8] ^= 1 << (bit % 8);
        let (packets, _) = found([good.clone(), bad, good].concat());
        prop_assert_eq!(packets, vec![packet; 2]);
    }
}

/// Damages a stream at one place in every `every` bytes, and says which bytes of it are left as they were.
fn damage(stream: &[u8], every: usize, chance: &mut Chance) -> (Vec<u8>, Vec<bool>) {
    let (mut out, mut whole) = (Vec::new(), vec![true; stream.len()]);
    let mut at = 0;
    while at < stream.len() {
        if chance.below(every) != 0 {
            out.push(stream[at]);
            at += 1;
            continue;
        }
        // What stands beside a damaged byte is no border any more.
        let mut spoil = |from: usize, to: usize| whole[from..to.min(stream.len())].fill(false);
        match chance.below(4) {
            // Flipped.
            0 => {
                out.push(stream[at] ^ (1 << chance.below(8)));
                spoil(at, at + 1);
                at += 1;
            }
            // Lost.
            1 => {
                spoil(at, at + 1);
                at += 1;
            }
            // Cut, as much as two frames.
            2 => {
                let len = 1 + chance.below(2 * FRAME_LEN_MAX);
                spoil(at, at + len);
                at += len;
            }
            // Come from nowhere.
            _ => {
                for _ in 0..=chance.below(50) {
                    out.push(chance.byte());
                }
                spoil(at, at + 1);
                out.push(stream[at]);
                at += 1;
            }
        }
    }
    (out, whole)
}

#[test]
fn a_bad_line_loses_what_it_hits_and_makes_nothing_up() {
    for seed in 1..=60_u64 {
        let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let (mut sent, mut stream, mut borders) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..200 {
            let packet: Vec<u8> = (0..=chance.below(PACKET_LEN_MAX)).map(|_| chance.byte()).collect();
            let frame = framed(&packet);
            borders.push(stream.len()..stream.len() + frame.len());
            stream.extend(frame);
            sent.push(packet);
        }
        let every = 20 << chance.below(7);
        let (damaged, whole) = damage(&stream, every, &mut chance);
        let (packets, _) = found(damaged);
        assert!(is_part_of(&packets, &sent), "seed {seed}: something was made up");
        let untouched: Vec<Vec<u8>> = borders
            .into_iter()
            .zip(&sent)
            .filter(|(frame, _)| whole[frame.clone()].iter().all(|whole| *whole))
            .map(|(_, packet)| packet.clone())
            .collect();
        assert!(is_part_of(&untouched, &packets), "seed {seed}: a whole frame was lost");
        assert!(packets.len() < sent.len(), "seed {seed}: nothing was damaged");
    }
}

#[test]
fn noise_alone_says_nothing() {
    let mut chance = Chance(7);
    // Zeros are twenty times as frequent as in pure noise, so that there are as many candidates as possible.
    let noise = (0..2_000_000).map(|_| if chance.below(12) == 0 { 0 } else { chance.byte() });
    let (packets, strays) = found(noise);
    assert_eq!(packets, Vec::<Vec<u8>>::new());
    assert!(strays > 50_000, "{strays} candidates are too few to say anything");
}
