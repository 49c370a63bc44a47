//! The crate is what it says: a program that has neither `std` nor an allocator links it and runs. Its two broken twins, which use one of
//! them, do not link.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::{Command, Output};

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/link");
const TARGET: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/link");

fn build(features: &str) -> Output {
    Command::new(env!("CARGO"))
        .current_dir(PROGRAM)
        .args(["rustc", "--offline", "--locked", "--quiet", "--target-dir", TARGET])
        .args(["--features", features])
        // rustc links no C library on its own here; this one brings `main`'s caller and `memcpy`.
        .args(["--", "-Clink-arg=-lc"])
        // What the outer build was told is not meant for this one.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .expect("cargo runs")
}

#[test]
fn it_links_and_runs_without_std_and_without_an_allocator() {
    for (feature, why) in [("alloc", "no global memory allocator"), ("std", "duplicate lang item")] {
        let built = build(feature);
        let said = String::from_utf8_lossy(&built.stderr);
        assert!(!built.status.success(), "with {feature} it must not link");
        assert!(
            said.contains(why),
            "with {feature} it fails for another reason:\n{said}"
        );
    }
    let built = build("");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let ran = Command::new(Path::new(TARGET).join("debug/link"))
        .status()
        .expect("it starts");
    assert!(ran.success(), "{ran}");
}
