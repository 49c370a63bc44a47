//! The fuzzer: bytes that make new paths through a target are kept and changed further (libFuzzer). `LLMOS_FUZZ` names the target; see
//! `README.md` beside this file.
#![no_main]

mod targets;

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static TARGET: LazyLock<targets::Target> = LazyLock::new(|| {
    let name = std::env::var("LLMOS_FUZZ").unwrap_or_default();
    let found = targets::TARGETS.iter().find(|(known, _)| *known == name);
    let known: Vec<&str> = targets::TARGETS.iter().map(|(name, _)| *name).collect();
    found.unwrap_or_else(|| panic!("LLMOS_FUZZ={name:?}: expected one of {}", known.join(", "))).1
});

fuzz_target!(|bytes: &[u8]| TARGET(bytes));
