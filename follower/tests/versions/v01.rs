//! Version 1. Only this test ever wrote it, so no build reads it any more; it must be refused as what it is.

use llmos_follower::{Reject, wire};

const BYTES: &str = "010001b5cfbcc3039480acc20101e2a8ccf5020001000001b5cfbcc3039480acc2010001e2a8ccf50200010000060701050200c0843de8070102010d0001c0cf2404008a9cbd9a09000280897a000001000a0803008a9cbd9a0904008a9cbd9a09000280897a000001000a080c904e00ca21cfc5";

#[test]
fn version_1_is_refused_by_its_name() {
    assert_eq!(wire::decode(&super::bytes(BYTES)), Err(Reject::Version));
}
