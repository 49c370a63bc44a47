//! The pure rooms stay pure, files stay readable, and every file says why it exists.

use std::fs;
use std::path::{Path, PathBuf};

/// Rooms without clocks, chance, files, sockets or threads.
const PURE: [&str; 20] = [
    "follower/src",
    "runtime/kernel/src",
    "firmware-bridge/src/topic.rs",
    "firmware-bridge/src/link.rs",
    "firmware-bridge/src/binding.rs",
    "firmware-bridge/src/binding",
    "firmware-bridge/src/link",
    "firmware-bridge/src/desk.rs",
    "firmware-bridge/src/device.rs",
    "firmware-bridge/src/program.rs",
    "firmware-bridge/src/program",
    "firmware-bridge/src/store.rs",
    "firmware-bridge/src/store",
    "firmware-bridge/src/device",
    "firmware-bridge/src/frame.rs",
    "firmware-bridge/src/interpreter.rs",
    "firmware-bridge/src/packet.rs",
    "firmware-bridge/src/port.rs",
    "firmware-bridge/src/sim/weather.rs",
    "runtime/src/shell/links.rs",
];
const IMPURE: [&str; 9] = [
    "Instant::now",
    "SystemTime",
    "rand::",
    "std::fs",
    "std::net",
    "std::thread",
    "std::process",
    "tokio",
    "thread_rng",
];
const LINES_MAX: usize = 800;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace")
        .to_owned()
}

fn sources(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_file() {
        found.push(path.to_owned());
        return;
    }
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() || path.extension().is_some_and(|ext| ext == "rs") {
            sources(&path, found);
        }
    }
}

/// The lines that count: no comments, and nothing from the file's tests on.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
        .map(|line| line.split("//").next().unwrap_or_default())
}

fn impure(text: &str) -> Vec<&'static str> {
    IMPURE
        .iter()
        .filter(|word| code(text).any(|line| line.contains(**word)))
        .copied()
        .collect()
}

fn has_floats(text: &str) -> bool {
    code(text).any(|line| line.contains("f32") || line.contains("f64"))
}

fn untidy(text: &str) -> Vec<&'static str> {
    let mut found = Vec::new();
    if !text.trim_start().starts_with("//!") {
        found.push("it does not say why it exists (//!)");
    }
    if code(text).count() > LINES_MAX {
        found.push("it is longer than 800 lines");
    }
    let stubs = ["todo", "unimplemented", "dbg"].map(|word| format!("{word}!("));
    if code(text).any(|line| stubs.iter().any(|stub| line.contains(stub))) {
        found.push("it holds a stub");
    }
    found
}

#[test]
fn pure_rooms_are_pure() {
    for room in PURE {
        let mut files = Vec::new();
        sources(&root().join(room), &mut files);
        assert!(!files.is_empty(), "{room} is not there any more; mend this list");
        for file in files {
            let text = fs::read_to_string(&file).expect("a source");
            assert_eq!(impure(&text), Vec::<&str>::new(), "{}", file.display());
            assert!(
                !room.starts_with("follower") || !has_floats(&text),
                "{} computes with floats",
                file.display()
            );
        }
    }
}

#[test]
fn sources_are_tidy() {
    let mut files = Vec::new();
    for room in [
        "follower/src",
        "firmware-bridge/src",
        "models/src",
        "runtime/src",
        "runtime/kernel/src",
        "tests",
    ] {
        sources(&root().join(room), &mut files);
    }
    for file in files {
        let text = fs::read_to_string(&file).expect("a source");
        // A file of nothing but tests is as long as its table.
        let own = if file.ends_with("tests.rs") {
            text.lines().take(LINES_MAX).collect::<Vec<_>>().join("\n")
        } else {
            text
        };
        assert_eq!(untidy(&own), Vec::<&str>::new(), "{}", file.display());
    }
}

#[test]
fn these_checks_can_fail() {
    assert_eq!(impure("fn a() { std::fs::read(x); }"), ["std::fs"]);
    assert_eq!(impure("// std::fs\n#[cfg(test)]\nuse std::fs;"), Vec::<&str>::new());
    assert!(has_floats("let x: f64 = 1.0;"));
    let stub = format!("fn a() {{ {}!() }}", "todo");
    assert_eq!(untidy(&stub).len(), 2);
    assert_eq!(untidy(&format!("//! Long.\n{}", "x\n".repeat(801))).len(), 1);
}
