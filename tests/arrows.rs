//! The arrows of the floor plan: which of our crates may know which.

use std::collections::BTreeSet;
use std::process::Command;

const ALLOWED: [(&str, &str); 8] = [
    // A corpus and its runner; only tests, and the firmware that carries it out on a microcontroller, know it.
    ("llmos-determinism", "llmos-follower"),
    ("llmos-firmware-bridge", "llmos-follower"),
    ("llmos-kernel", "llmos-follower"),
    ("llmos", "llmos-kernel"),
    ("llmos", "llmos-models"),
    ("llmos", "llmos-firmware-bridge"),
    ("llmos", "llmos-follower"),
    // The tests' own arrow, from the binary to itself, is none.
    ("llmos", "llmos"),
];

/// The arrows between our crates that the plan does not allow.
fn forbidden(metadata: &serde_json::Value) -> BTreeSet<(String, String)> {
    let packages = metadata["packages"].as_array().expect("packages");
    let ours = |name: &str| name == "llmos" || name.starts_with("llmos-");
    let arrows = packages
        .iter()
        .filter(|package| package["name"].as_str().is_some_and(ours))
        .flat_map(|package| {
            let from = package["name"].as_str().unwrap_or_default().to_owned();
            let to = package["dependencies"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|dependency| dependency["name"].as_str());
            to.filter(|name| ours(name))
                .map(move |name| (from.clone(), name.to_owned()))
                .collect::<Vec<_>>()
        });
    arrows
        .filter(|(from, to)| !ALLOWED.contains(&(from.as_str(), to.as_str())))
        .collect()
}

#[test]
fn our_crates_know_only_whom_they_may() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let metadata = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    assert_eq!(forbidden(&metadata), BTreeSet::new());
}

#[test]
fn a_forbidden_arrow_is_seen() {
    let twin = serde_json::json!({ "packages": [{ "name": "llmos-kernel", "dependencies": [{ "name": "llmos-models" }, { "name": "llmos-follower" }] }] });
    assert_eq!(
        forbidden(&twin),
        BTreeSet::from([("llmos-kernel".to_owned(), "llmos-models".to_owned())])
    );
}
