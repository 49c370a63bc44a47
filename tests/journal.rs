//! A recorded run is executed again from its inputs alone; broken twins show that the check can fail.

use crate::support::Llmos;

#[test]
fn a_run_is_executed_again_byte_for_byte() {
    let llmos = Llmos::new();
    let (report, _) = llmos.json(&["run", "move the arm 30 cm to the left"]);
    assert_eq!(report["status"], "done", "{report}");
    let journal = llmos.journal();
    let (verified, code) = llmos.json(&["journal", "verify", journal.to_str().expect("a path")]);
    assert_eq!(code, 0, "{verified}");
    assert!(verified["outputs"].as_u64() > Some(10), "{verified}");

    let text = std::fs::read_to_string(&journal).expect("the journal");
    for (broken, what) in [
        (
            text.replace("\"tool\":\"move\"", "\"tool\":\"spin\""),
            "a changed output",
        ),
        (
            text.replacen(
                "\"tool\":\"move\",\"arguments\":[[\"direction\",{\"text\":\"left\"}]",
                "\"tool\":\"move\",\"arguments\":[[\"direction\",{\"text\":\"right\"}]",
                1,
            ),
            "a changed argument",
        ),
        (
            text.lines()
                .filter(|line| !line.contains("\"goal\""))
                .collect::<Vec<_>>()
                .join("\n"),
            "a missing input",
        ),
        (
            text.lines()
                .filter(|line| !line.contains("\"command\":{"))
                .collect::<Vec<_>>()
                .join("\n"),
            "a missing output",
        ),
    ] {
        assert_ne!(broken, text, "{what}");
        let twin = llmos.home().join("twin.jsonl");
        std::fs::write(&twin, broken).expect("a file");
        let (complaint, code) = llmos.complaint(&["journal", "verify", twin.to_str().expect("a path")]);
        assert_eq!(code, 1, "{what}: {complaint}");
    }
}
