//! How a run ends that nobody waits for: Ctrl-C, a reader that leaves, a person who only looks. What was begun is stopped first, and what
//! others have begun is left alone.
#![cfg(unix)]

use crate::mosquitto::{Running, mosquitto, simulate, subscriber};
use crate::support::Llmos;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const GOAL: &str = "pick up the red cube and put it in bin A";

/// The program with piped output, once a line of it holds `text`.
pub fn until(llmos: &Llmos, arguments: &[&str], text: &str) -> (Child, String) {
    let mut child = llmos
        .command(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut seen = String::new();
    let mut lines = BufReader::new(child.stdout.take().expect("its stdout"));
    while !seen.contains(text) {
        let before = seen.len();
        lines.read_line(&mut seen).expect("a line");
        assert_ne!(seen.len(), before, "it ended without saying \"{text}\":\n{seen}");
    }
    // The rest is read too, or the program would wait for a reader.
    thread::spawn(move || lines.read_to_string(&mut String::new()));
    (child, seen)
}

pub fn signal(child: &Child, name: &str) {
    let status = Command::new("kill")
        .args(["-s", name, &child.id().to_string()])
        .status();
    assert!(status.expect("kill runs").success());
}

pub fn ended(mut child: Child) -> (ExitStatus, Duration) {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("its status") {
            return (status, begun.elapsed());
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "it does not end");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_signal_stops_the_device_first() {
    let llmos = Llmos::new();
    for name in ["INT", "TERM"] {
        let (child, _) = until(&llmos, &["run", "--haste", "1", GOAL], "acknowledged");
        signal(&child, name);
        let (status, time) = ended(child);
        assert_eq!(status.code(), Some(1), "{name}");
        assert!(time < Duration::from_secs(2), "{name}: {time:?}");
        let (verified, code) = llmos.json(&["journal", "verify", llmos.journal().to_str().expect("a path")]);
        assert_eq!(code, 0, "{name}: {verified}");
        let text = std::fs::read_to_string(llmos.journal()).expect("the journal");
        assert!(
            text.contains("\"stop_device\""),
            "{name}: the stop leaves before the program does"
        );
    }
}

#[test]
fn a_reader_that_leaves_stops_nothing() {
    let llmos = Llmos::new();
    let mut child = llmos
        .command(&["run", "move the arm 30 cm to the left"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{complaint}");
    assert!(!complaint.contains("panicked"), "{complaint}");
}

#[test]
fn goals_come_line_by_line_and_a_bad_line_spoils_no_other() {
    let llmos = Llmos::new();
    let mut child = llmos
        .command(&["run", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let lines = b"move the arm 30 cm to the left\n\nmove \xff\nmove the arm 12 cm to the right\n";
    std::io::Write::write_all(&mut child.stdin.take().expect("its stdin"), lines).expect("it listens");
    let output = child.wait_with_output().expect("it ends");
    let reports: Vec<serde_json::Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("a document a line"))
        .collect();
    let modes: Vec<&str> = reports.iter().filter_map(|report| report["mode"].as_str()).collect();
    assert_eq!(modes, ["LEARNER", "FOLLOWER"], "{reports:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("UTF-8"));
}

#[test]
fn without_a_terminal_nobody_agrees() {
    let llmos = Llmos::new();
    let (report, code) = llmos.json(&["run", "--confirm", "move the arm 30 cm to the left"]);
    assert_eq!((report["status"].as_str(), code), (Some("needs_answer"), 4), "{report}");
    assert_eq!(report["steps"], serde_json::json!([]), "{report}");
}

#[test]
fn a_doctor_looks_at_every_part() {
    let llmos = Llmos::new();
    let (report, code) = llmos.json(&["doctor"]);
    let parts: Vec<&str> = report["checks"]
        .as_array()
        .expect("checks")
        .iter()
        .filter_map(|c| c["check"].as_str())
        .collect();
    assert_eq!(code, 0, "{report}");
    for part in ["workspace", "documents", "model", "broker", "device", "mosquitto"] {
        assert!(parts.contains(&part), "{part}: {report}");
    }
    let (report, code) = llmos.json(&["doctor", "--broker", "mqtt://127.0.0.1:1"]);
    assert_eq!((report["failed"].as_u64(), code), (Some(1), 5), "{report}");
}

#[test]
fn who_only_looks_takes_no_device_and_stops_none() {
    let Some((_mosquitto, port)) = mosquitto() else { return };
    let llmos = Llmos::new();
    let broker = format!("mqtt://127.0.0.1:{port}");
    let seen = subscriber(port, &["llmos/v1/+/lease", "llmos/v1/+/cmd", "llmos/v1/+/stop"]);
    let _arm: Running = simulate(&llmos, "arm", &broker);
    let (watch, _) = until(&llmos, &["device", "watch", "arm", "--broker", &broker], "position");
    let (plan, code) = llmos.json(&["plan", "--broker", &broker, "move the arm 30 cm to the left"]);
    assert_eq!(code, 0, "{plan}");
    signal(&watch, "INT");
    assert_eq!(ended(watch).0.code(), Some(0));
    assert_eq!(
        *seen.lock().expect("a lock"),
        Vec::<String>::new(),
        "nothing was published"
    );
}
