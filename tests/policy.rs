//! Policy and hooks as a person meets them: files in a workspace, a run over a broker, exit codes.

use crate::support::Llmos;
use serde_json::Value;
use std::path::PathBuf;

const GOAL: &str = "move the arm 30 cm to the left";

/// A workspace with these two files.
struct Place {
    llmos: Llmos,
    path: PathBuf,
}

impl Place {
    fn new() -> Place {
        let llmos = Llmos::new();
        let path = llmos.home().join("ws");
        assert_eq!(
            llmos.run(&["init", path.to_str().expect("a path")]).status.code(),
            Some(0)
        );
        Place { llmos, path }
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.path.join(file), text).expect("a file");
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path.join(file)).unwrap_or_default()
    }

    fn json(&self, arguments: &[&str]) -> (Value, i32) {
        let workspace = ["--workspace", self.path.to_str().expect("a path")];
        let arguments: Vec<&str> = arguments.iter().chain(&workspace).copied().collect();
        self.llmos.json(&arguments)
    }

    /// How a run of a goal ends, with its exit code.
    fn run(&self, arguments: &[&str]) -> (String, i32, Value) {
        let (report, code) = self.json(&[&["run"], arguments].concat());
        (report["status"].as_str().unwrap_or_default().to_owned(), code, report)
    }
}

#[test]
fn who_must_be_asked_and_is_not_there_is_a_question() {
    let place = Place::new();
    let (status, code, report) = place.run(&["--confirm", GOAL]);
    assert_eq!((status.as_str(), code), ("needs_answer", 4), "{report}");
    place.write(
        "policy.toml",
        "people = [\"ada\", \"grace\"]\n[[rule]]\neffect = \"confirm\"\nwho = [\"person\"]\npeople = 2\n",
    );
    let (status, code, report) = place.run(&[GOAL]);
    assert_eq!((status.as_str(), code), ("needs_answer", 4), "{report}");
    assert!(
        report["question"]
            .as_str()
            .is_some_and(|question| question.contains("carry out arm.move")),
        "{report}"
    );
    assert!(report["steps"].as_array().is_some_and(Vec::is_empty), "{report}");
}

#[test]
fn limits_and_hours_of_a_rule_are_told_with_their_line() {
    let place = Place::new();
    let rule = "[[rule]]\neffect = \"allow\"\nwho = [\"person\"]\n";
    place.write(
        "policy.toml",
        &format!("{rule}limits = {{ distance = \"0..20 cm\" }}\n"),
    );
    let (status, code, report) = place.run(&[GOAL]);
    assert_eq!((status.as_str(), code), ("refused", 3), "{report}");
    assert!(
        report["reason"]
            .as_str()
            .is_some_and(|why| why.contains("policy.toml line 1: distance = 0.3 m")),
        "{report}"
    );
    assert_eq!(place.run(&["move the arm 20 cm to the left"]).0, "done");
    place.write("policy.toml", &format!("{rule}quiet = \"00:00-23:59\"\n"));
    let (status, _, report) = place.run(&["move the arm 20 cm to the right"]);
    // Once in a day of such minutes this is another minute.
    let awake = report["reason"]
        .as_str()
        .is_some_and(|why| why.contains("quiet hours 00:00-23:59"));
    assert!((status == "refused" && awake) || status == "done", "{report}");
    place.write("policy.toml", &format!("{rule}quiet = \"ten to six\"\n"));
    let (status, _, report) = place.run(&[GOAL]);
    assert_eq!(status, "refused");
    assert!(
        report["reason"]
            .as_str()
            .is_some_and(|why| why.contains("policy.toml:4:9")),
        "{report}"
    );
}

#[test]
fn the_policy_explains_itself() {
    let place = Place::new();
    let (all, code) = place.json(&["policy", "explain"]);
    assert_eq!(code, 0, "{all}");
    assert!(all["tools"].as_array().is_some_and(|tools| tools.len() > 15), "{all}");
    place.write(
        "policy.toml",
        "[[rule]]\neffect = \"allow\"\nwho = [\"person\", \"http\"]\ndevice = \"arm\"\nquiet = \"22:00-06:00\"\nlimits = { distance = \"0..20 cm\" }\n",
    );
    place.write("hooks.toml", "[[pre_tool_use]]\nbuiltin = \"security\"\n");
    let explain = |rest: &[&str]| {
        let (document, code) = place.json(&[&["policy", "explain"], rest].concat());
        assert_eq!(code, 0, "{document}");
        document["tools"][0].clone()
    };
    let noon = explain(&["--at", "12:00", "arm.move"]);
    assert_eq!(noon["effect"], "allow", "{noon}");
    for (key, expected) in [
        (
            "rules",
            "line 1: allow for person; distance 0 m .. 0.2 m; quiet 22:00-06:00",
        ),
        ("manifest", "keeps out of: person"),
        ("hooks", "line 1: PreToolUse security"),
    ] {
        let found = noon[key]
            .as_array()
            .is_some_and(|rows| rows.iter().any(|row| row == expected));
        assert!(found, "{expected}: {noon}");
    }
    assert_eq!(explain(&["--at", "23:00", "arm.move"])["effect"], "deny");
    assert_eq!(
        explain(&["--who", "agent", "--at", "12:00", "arm.move"])["effect"],
        "deny"
    );
    let child = explain(&["--who", "http", "--for", "agent", "--at", "12:00", "arm.move"]);
    assert!(
        child["why"].as_str().is_some_and(|why| why.contains("agent")),
        "a child of an agent is none the better: {child}"
    );
    assert_eq!(explain(&["greenhouse.light"])["effect"], "deny");
    assert_eq!(
        place.json(&["policy", "explain", "--who", "cron", "--at", "12:00"]).1,
        0
    );
    for wrong in [&["arm.fly"][..], &["--who", "ghost"], &["--at", "25:00"]] {
        let (complaint, code) = place.llmos.complaint(
            &[
                &["policy", "explain", "--workspace", place.path.to_str().expect("a path")],
                wrong,
            ]
            .concat(),
        );
        assert_eq!(code, 2, "{wrong:?}: {complaint}");
    }
    place.write("policy.toml", "[[rule]\n");
    let (broken, code) = place.json(&["policy", "explain", "arm.move"]);
    assert_eq!(
        (code, broken["tools"][0]["effect"].as_str()),
        (1, Some("deny")),
        "{broken}"
    );
    let output = place
        .llmos
        .run(&["device", "check", "--workspace", place.path.to_str().expect("a path")]);
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(lines.contains("policy.toml:1:8: error"), "{lines}");
}

#[test]
fn built_in_hooks_keep_their_books() {
    let place = Place::new();
    place.write(
        "hooks.toml",
        "[[pre_tool_use]]\nbuiltin = \"security\"\n[[pre_tool_use]]\nbuiltin = \"cost\"\n[[pre_tool_use]]\nbuiltin = \"budget\"\nbudget = { commands_per_hour = 1 }\n[[pre_tool_use]]\nbuiltin = \"trace\"\n[[post_tool_use]]\nbuiltin = \"memory\"\n",
    );
    let (status, _, report) = place.run(&[GOAL]);
    assert_eq!(status, "done", "{report}");
    assert_eq!(place.read("traces/calls.jsonl").lines().count(), 1);
    assert!(
        place
            .read("memory/session.md")
            .contains("arm.move (direction: left, distance: 0.3 m): met"),
        "{}",
        place.read("memory/session.md")
    );
    let costs: Value = serde_json::from_str(&place.read("traces/costs.jsonl")).expect("one line");
    assert_eq!(
        (&costs["commands"], &costs["status"]),
        (&1.into(), &"done".into()),
        "{costs}"
    );
    assert!(
        costs["moving_ms"].as_u64() > Some(0) && costs["tokens"].as_u64() > Some(0),
        "{costs}"
    );
    let (status, code, report) = place.run(&[GOAL]);
    assert_eq!(
        (status.as_str(), code),
        ("refused", 3),
        "another process knows what the hour has cost: {report}"
    );
    assert!(
        report["reason"]
            .as_str()
            .is_some_and(|why| why.contains("commands_per_hour = 1, spent 1")),
        "{report}"
    );
}

#[cfg(unix)]
fn script(place: &Place, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    let path = place.path.join("hook");
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("a file");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("it may be started");
}

#[cfg(unix)]
#[test]
fn what_a_hook_says_afterwards_ends_the_run() {
    let place = Place::new();
    script(
        &place,
        "echo '{\"decision\": \"deny\", \"reason\": \"the lamp is red\"}'",
    );
    place.write(
        "hooks.toml",
        "programs = [\"./hook\"]\n[[post_tool_use]]\ncommand = [\"./hook\"]\n",
    );
    let (status, code, report) = place.run(&["close the gripper, then move the arm 30 cm to the left"]);
    assert_eq!((status.as_str(), code), ("refused", 3), "{report}");
    assert!(
        report["reason"]
            .as_str()
            .is_some_and(|why| why.contains("the lamp is red")),
        "{report}"
    );
    assert_eq!(
        report["steps"].as_array().map(Vec::len),
        Some(1),
        "the second call is never begun: {report}"
    );
}

#[cfg(unix)]
#[test]
fn a_stop_is_told_and_waits_for_no_hook() {
    let place = Place::new();
    script(&place, "cat > told; sleep 30");
    place.write(
        "hooks.toml",
        "programs = [\"./hook\"]\n[[on_stop]]\ncommand = [\"./hook\"]\ntimeout_ms = 60000\n[[on_stop]]\nbuiltin = \"trace\"\n",
    );
    let start = std::time::Instant::now();
    // A device that stalls is told to stop.
    let (status, code, report) = place.run(&["--fault", "silent", GOAL]);
    assert_eq!((status.as_str(), code), ("failed", 1), "{report}");
    assert!(start.elapsed().as_secs() < 25, "{:?}", start.elapsed());
    let told: Value = serde_json::from_str(&place.read("told")).expect("the hook was told");
    assert_eq!(
        (&told["event"], &told["device"]),
        (&"OnStop".into(), &"arm".into()),
        "{told}"
    );
    assert!(place.read("traces/calls.jsonl").contains("OnStop"));
}

#[cfg(unix)]
#[test]
fn a_policy_that_tightens_while_a_hook_thinks_holds_at_once() {
    let place = Place::new();
    // The hook stands for a person with an editor.
    script(&place, "cat > /dev/null; : > policy.toml; sleep 1.5");
    place.write(
        "hooks.toml",
        "programs = [\"./hook\"]\n[[pre_tool_use]]\ncommand = [\"./hook\"]\ntimeout_ms = 10000\n",
    );
    let (status, code, report) = place.run(&[GOAL]);
    assert_eq!((status.as_str(), code), ("refused", 3), "{report}");
    assert_eq!(report["steps"][0]["commands"], 0, "{report}");
    let journal = std::fs::read_dir(place.path.join("journal"))
        .expect("a folder")
        .flatten();
    let journal = journal.map(|entry| entry.path()).find(|path| {
        path.file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"2"))
    });
    let journal = journal.expect("a journal");
    let (verified, code) = place.json(&["journal", "verify", journal.to_str().expect("a path")]);
    assert_eq!(
        code, 0,
        "a run in which the policy has changed is executed again, too: {verified}"
    );
}
