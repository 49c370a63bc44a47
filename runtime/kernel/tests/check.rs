//! What keeps a trace from being followed is found with its line.

use llmos_kernel::check;
use llmos_kernel::kernel::{Kernel, Settings};
use llmos_kernel::message::Input;
use llmos_kernel::text::trace::read_with_places;

const ARM: &str = include_str!("../../../workspace/devices/arm.md");
const MOVE: &str = "---
trace: move
goal: move the arm 30 cm to the left
patterns:
  - \"move arm {distance} to {direction}\"
  - \"shift arm {distance} {direction}\"
slots: { distance: length, direction: \"left|right|forward|back|up|down\" }
steps:
  - arm.move: { direction: \"{direction}\", distance: \"{distance}\" }
  - arm.speed: { value: \"0.2 m/s\" }
status: done
mode: LEARNER
---
";

/// The line and message of each finding about `text` in a workspace with the arm and `others`.
fn found(text: &str, others: &[&str]) -> Vec<(u32, String)> {
    let mut kernel = Kernel::new(Settings::default());
    let documents = [("devices/arm.md".to_owned(), ARM)]
        .into_iter()
        .chain(
            others
                .iter()
                .enumerate()
                .map(|(index, text)| (format!("traces/{index}.md"), *text)),
        )
        .chain([("traces/mine.md".to_owned(), text)]);
    for (path, text) in documents {
        let text = text.to_owned();
        kernel.handle(0, Input::Document { path, text });
    }
    let (trace, mut findings) = read_with_places(text);
    if let Some((trace, places)) = trace {
        findings.extend(check::trace(kernel.world(), &trace, &places));
    }
    findings
        .into_iter()
        .map(|finding| (finding.place.line, finding.message))
        .collect()
}

#[test]
fn what_does_not_fit_the_manifests_is_named_with_its_line() {
    assert_eq!(found(MOVE, &[]), []);
    for (from, to, line, words) in [
        ("arm.move", "leg.move", 9, "no device \"leg\""),
        ("arm.move", "arm.shove", 9, "no tool \"shove\""),
        ("{ value:", "{ rate:", 10, "no parameter \"rate\""),
        ("0.2 m/s", "0.2 m", 10, "expected a speed"),
        ("direction: \"{direction}\", ", "", 9, "needs \"direction\""),
        (
            "distance: length",
            "distance: duration",
            9,
            "is duration here, and length in the manifest",
        ),
        ("distance: length", "distance: lenght", 7, "is no type"),
        ("shift arm {distance}", "shift arm {far}", 6, "{far}"),
        ("shift arm {distance}", "shift arm", 6, "{distance}"),
        ("status: done", "status: finished", 11, "status"),
        (
            "mode: LEARNER",
            "mode: LEARNER\nmanifests: { arm.limits: \"00\" }",
            1,
            "arm.limits changed",
        ),
    ] {
        let found = found(&MOVE.replace(from, to), &[]);
        assert!(
            found.iter().any(|(at, message)| *at == line && message.contains(words)),
            "{to}: {found:?}"
        );
    }
}

#[test]
fn two_traces_with_one_pattern_are_named() {
    let other = MOVE.replace("trace: move", "trace: other");
    assert_eq!(found(MOVE, &[&other]), [], "the same deed twice is no question");
    let other = other.replace("0.2 m/s", "0.3 m/s");
    let found = found(MOVE, &[&other]);
    let lines: Vec<u32> = found.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [5, 6], "{found:?}");
    assert!(found[0].1.contains("other has this pattern"), "{found:?}");
}

#[test]
fn a_megabyte_of_prose_and_more() {
    let prose = format!("{MOVE}{}", "words and words\n".repeat(60_000));
    assert_eq!(found(&prose, &[]), []);
    let more = format!("{MOVE}{}", "words and words\n".repeat(70_000));
    assert!(
        found(&more, &[])[0].1.contains("at most"),
        "a longer document is refused whole"
    );
}
