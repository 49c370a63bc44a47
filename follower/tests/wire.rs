//! Programs as bytes: what is written is read, every flipped bit is noticed, nothing panics, and the bytes of each version are frozen.

mod support;
mod versions;

use llmos_follower::{OnError, Reject, wire};
use proptest::prelude::*;
use support::move_right;

fn bytes(distance: i64) -> Vec<u8> {
    let mut buffer = [0; 4_096];
    wire::encode(&move_right(distance, OnError::Retry(2)), &mut buffer)
        .expect("room")
        .to_vec()
}

#[test]
fn what_is_written_is_read() {
    assert_eq!(
        wire::decode(&bytes(300_000)),
        Ok(move_right(300_000, OnError::Retry(2)))
    );
    assert_eq!(
        wire::encode(&move_right(1, OnError::Skip), &mut [0; 16]),
        Err(Reject::Truncated)
    );
}

#[test]
fn every_flipped_bit_and_every_cut_is_noticed() {
    let good = bytes(300_000);
    for at in 0..good.len() * 8 {
        let mut broken = good.clone();
        broken[at / 8] ^= 1 << (at % 8);
        assert!(wire::decode(&broken).is_err(), "bit {at}");
    }
    for length in 0..good.len() {
        assert!(wire::decode(&good[..length]).is_err(), "{length} bytes");
    }
}

proptest! {
    #[test]
    fn hostile_bytes_are_refused_without_a_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = wire::decode(&bytes);
        // The same with a version and a checksum that fit, so that the decoder behind them is reached.
        bytes.insert(0, wire::CURRENT);
        let sum = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&bytes);
        bytes.extend(sum.to_le_bytes());
        if let Ok(program) = wire::decode(&bytes) {
            prop_assert_eq!(program.check(), Ok(()));
        }
    }
}
