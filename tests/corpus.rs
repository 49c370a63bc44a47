//! Every target of the fuzzer is given everything that was ever kept for it, and some changes of that, with every build.

#[path = "fuzz/targets.rs"]
mod targets;

use llmos_firmware_bridge::sim::Xorshift;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use targets::{TARGETS, Target};

/// Changes of each kept input.
const CHANGES: u64 = 60;
/// Longest input that is changed, in bytes: the large ones are there for their size.
const CHANGED_LEN_MAX: usize = 8 * 1024;

fn kept(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/fuzz/corpus")
        .join(target);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .flatten()
        .map(|entry| {
            let bytes = std::fs::read(entry.path()).expect("a file");
            (entry.file_name().to_string_lossy().into_owned(), bytes)
        })
        .collect();
    files.sort();
    files
}

/// What the fuzzer found: an input a line, as `fuzz/found.py` writes it.
fn found(target: &str) -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../tests/fuzz/found/{target}.txt"));
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines = text.split(|byte| *byte == b'\n');
    lines.filter(|line| !line.is_empty()).map(plain).collect()
}

/// A line with its %XX as the bytes that they stand for.
fn plain(line: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = line;
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).filter(|_| *first == b'%');
        let byte = digits.map(|digits| {
            let digits = str::from_utf8(digits).expect("two digits");
            u8::from_str_radix(digits, 16).expect("two digits")
        });
        bytes.push(byte.unwrap_or(*first));
        rest = &after[byte.map_or(0, |_| 2)..];
    }
    bytes
}

/// A byte more, less, other, or a stretch twice.
fn change(bytes: &mut Vec<u8>, chance: &mut Xorshift) {
    let mut below = |most: usize| usize::try_from(chance.below(most.max(1) as u64)).unwrap_or(0);
    let at = below(bytes.len());
    match below(5) {
        0 if !bytes.is_empty() => {
            bytes.remove(at);
        }
        1 => bytes.insert(at, u8::try_from(below(256)).unwrap_or(0)),
        2 => {
            let end = (at + below(40)).min(bytes.len());
            let stretch = bytes[at..end].to_vec();
            bytes.splice(at..at, stretch);
        }
        3 => bytes.truncate(at),
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = u8::try_from(below(256)).unwrap_or(0);
            }
        }
    }
}

fn check(target: Target, name: &str, bytes: &[u8]) {
    let borne = catch_unwind(AssertUnwindSafe(|| target(bytes))).is_ok();
    assert!(borne, "{name}: {:?}", String::from_utf8_lossy(bytes));
}

#[test]
fn every_kept_input_and_its_changes_are_borne() {
    for (name, target) in TARGETS {
        let files = kept(name);
        assert!(!files.is_empty(), "{name} has a corpus");
        for (number, (file, bytes)) in (1..).zip(files) {
            check(target, &format!("{name}/{file}"), &bytes);
            if bytes.len() > CHANGED_LEN_MAX {
                continue;
            }
            let mut chance = Xorshift::new(number);
            let mut changed = bytes.clone();
            for round in 0..CHANGES {
                if round % 6 == 0 {
                    changed.clone_from(&bytes);
                }
                change(&mut changed, &mut chance);
                check(target, &format!("{name}/{file}, changed"), &changed);
            }
        }
        let found = found(name);
        assert!(!found.is_empty(), "{name}: something was found");
        for (number, bytes) in (1..).zip(found) {
            check(target, &format!("found/{name}.txt:{number}"), &bytes);
        }
    }
}
