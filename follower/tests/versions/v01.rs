//! Version 1.

use super::super::support::move_right;
use llmos_follower::{OnError, wire};

const BYTES: &str = "010001b5cfbcc3039480acc20101e2a8ccf5020001000001b5cfbcc3039480acc2010001e2a8ccf50200010000060701050200c0843de8070102010d0001c0cf2404008a9cbd9a09000280897a000001000a0803008a9cbd9a0904008a9cbd9a09000280897a000001000a080c904e00ca21cfc5";

#[test]
fn version_1_is_read_and_written_as_ever() {
    let program = move_right(300_000, OnError::Retry(2));
    let frozen: Vec<u8> = (0..BYTES.len() / 2)
        .map(|at| u8::from_str_radix(&BYTES[at * 2..at * 2 + 2], 16).expect("hexadecimal"))
        .collect();
    assert_eq!(wire::decode(&frozen), Ok(program.clone()));
    let mut buffer = [0; 4_096];
    assert_eq!(wire::encode(&program, &mut buffer), Ok(&mut frozen.clone()[..]));
}
