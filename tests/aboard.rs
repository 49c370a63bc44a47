//! Programs on a device, end to end: learned here, pushed, run there with the host gone in the middle, and handed over when one returns. A
//! device is a process of its own on a broker; its flash is a file, so that it can be switched off.
#![cfg(unix)]

use crate::ending::{ended, signal, until};
use crate::mosquitto::{Running, subscriber};
use crate::support::Llmos;
use llmos_firmware_bridge::io::broker;
use serde_json::Value;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const GOAL: &str = "pick up the red cube and put it in bin A";
const SLOTS: [&str; 2] = ["object=red cube", "at=bin A"];

/// A broker, a person's workspace, and what the arm reports.
struct House {
    llmos: Llmos,
    broker: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl House {
    fn new() -> House {
        let port = broker::start().expect("the embedded broker");
        let llmos = Llmos::new();
        let seen = subscriber(port, &["llmos/v1/arm/state"]);
        let broker = format!("mqtt://127.0.0.1:{port}");
        // Only the arm is there; nobody waits for the others.
        assert_eq!(llmos.run(&["init", "data/llmos/workspace"]).status.code(), Some(0));
        for other in ["base", "greenhouse"] {
            let path = llmos.workspace().join(format!("devices/{other}.md"));
            std::fs::remove_file(path).expect("the template's device");
        }
        House { llmos, broker, seen }
    }

    /// Switches the arm on: it stands at home, with the cube on the desk, and has what its flash holds.
    fn arm(&self, more: &[&str]) -> Running {
        self.arm_at("8", more)
    }

    /// The same, so many times as fast as life.
    fn arm_at(&self, haste: &str, more: &[&str]) -> Running {
        let flash = self.llmos.home().join("arm.flash");
        let flash = flash.to_str().expect("a path");
        let mut arguments = vec![
            "device",
            "sim",
            "arm",
            "--broker",
            &self.broker,
            "--haste",
            haste,
            "--flash",
            flash,
        ];
        arguments.extend(more);
        let mut command = self.llmos.command(&arguments);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let arm = Running::new(child.expect("the simulated device starts"));
        let since = self.seen.lock().expect("a lock").len();
        self.wait_for(since, "report", |_| true);
        arm
    }

    fn json(&self, arguments: &[&str]) -> (Value, i32) {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--broker", &self.broker]).collect();
        self.llmos.json(&arguments)
    }

    /// What was said to a person, and the exit code.
    fn said(&self, arguments: &[&str]) -> (String, i32) {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--broker", &self.broker]).collect();
        let output = self.llmos.run(&arguments);
        let text = [output.stdout, output.stderr].concat();
        (
            String::from_utf8_lossy(&text).into_owned(),
            output.status.code().unwrap_or(-1),
        )
    }

    /// Learns the main job; the trace and its digest.
    fn learned(&self) -> (String, Value) {
        let _arm = self.arm(&[]);
        let (report, _) = self.json(&["run", GOAL]);
        assert_eq!(report["status"], "done", "{report}");
        let id = report["trace"].as_str().expect("a trace").to_owned();
        (id, report["digest"].clone())
    }

    /// The first report after so many that is so.
    fn wait_for(&self, since: usize, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + Duration::from_secs(30);
        let mut next = since;
        while Instant::now() < end {
            let seen = self.seen.lock().expect("a lock").clone();
            for text in seen.get(next..).unwrap_or_default() {
                let state: Value = serde_json::from_str(text).expect("a state");
                if wanted(&state) {
                    return state;
                }
                next += 1;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("no {what}");
    }

    fn now(&self) -> usize {
        self.seen.lock().expect("a lock").len()
    }

    fn ledger(&self) -> Vec<Value> {
        let path = self.llmos.workspace().join("traces/ledger.jsonl");
        let text = std::fs::read_to_string(path).expect("a ledger");
        text.lines()
            .map(|line| serde_json::from_str(line).expect("a line"))
            .collect()
    }
}

fn is_done(state: &Value) -> bool {
    state["busy"] == false && state["entities"]["red cube"]["in"] == "bin A"
}

#[test]
fn a_program_is_pushed_once_outlives_its_device_and_does_what_was_learned() {
    let house = House::new();
    let (id, digest) = house.learned();
    let arm = house.arm(&[]);
    let (pushed, code) = house.json(&["skill", "push", "arm", &id]);
    assert_eq!(
        (code, pushed["revision"].as_u64(), pushed["sent"].as_bool()),
        (0, Some(1), Some(true)),
        "{pushed}"
    );
    let (again, _) = house.json(&["skill", "push", "arm", &id]);
    assert_eq!(
        (again["revision"].as_u64(), again["sent"].as_bool(), &again["crc"]),
        (Some(1), Some(false), &pushed["crc"]),
        "{again}"
    );
    // Switched off and on again.
    drop(arm);
    let arm = house.arm(&[]);
    let (report, code) = house.json(&["device", "run", &id, SLOTS[0], SLOTS[1]]);
    assert_eq!(
        (
            report["status"].as_str(),
            code,
            &report["digest"],
            &report["model_calls"]
        ),
        (Some("done"), 0, &digest, &0.into()),
        "{report}"
    );
    let journal = house.llmos.journal();
    let (verified, code) = house
        .llmos
        .json(&["journal", "verify", journal.to_str().expect("a path")]);
    assert_eq!(code, 0, "{verified}");
    let uses = house.ledger();
    assert_eq!(uses.len(), 2, "{uses:?}");
    assert!(
        uses[1]["run"].as_str().is_some_and(|run| run.starts_with("arm-")),
        "{uses:?}"
    );
    // The device is not asked twice about what is written down.
    drop(arm);
    let _arm = house.arm(&[]);
    let (other, code) = house.json(&["device", "run", "arm", &id, "object=blue cube", "at=shelf"]);
    assert_eq!((other["status"].as_str(), code), (Some("done"), 0), "{other}");
    assert_ne!(other["digest"], digest);
    assert_eq!(house.ledger().len(), 3);
}

#[test]
fn a_run_goes_on_without_its_host_and_is_handed_over_once() {
    let house = House::new();
    let (id, digest) = house.learned();
    let arm = house.arm(&["--alone"]);
    assert_eq!(house.said(&["skill", "push", "arm", &id]).1, 0);
    let since = house.now();
    let left = [
        "device",
        "run",
        &id,
        SLOTS[0],
        SLOTS[1],
        "--on-loss",
        "finish",
        "--detach",
    ];
    let (report, code) = house.json(&left);
    assert_eq!((report["status"].as_str(), code), (Some("unverified"), 0), "{report}");
    house.wait_for(since, "end of the run", is_done);
    assert_eq!(house.ledger().len(), 1, "nobody was there to hear it");
    let (text, _) = house.said(&["run", "close the gripper"]);
    let digest = digest.as_str().expect("a digest");
    assert!(text.contains("by itself: done") && text.contains(digest), "{text}");
    let (text, _) = house.said(&["run", "open the gripper"]);
    assert!(!text.contains("by itself"), "it is told once: {text}");
    let uses = house.ledger();
    let alone: Vec<&Value> = uses.iter().filter(|used| used["run"].is_string()).collect();
    assert_eq!(
        (alone.len(), alone[0]["status"].as_str()),
        (1, Some("done")),
        "{uses:?}"
    );
    assert_eq!(alone[0]["trace"], id.as_str());

    // The same with a host that is killed in the middle of it, on an arm that is slow enough for a busy machine to do that.
    drop(arm);
    let _arm = house.arm_at("1", &["--alone"]);
    let since = house.now();
    let mut run = vec!["device", "run", &id, SLOTS[0], SLOTS[1], "--on-loss", "finish"];
    run.extend(["--broker", &house.broker]);
    let (child, _) = until(&house.llmos, &run, "acknowledged");
    house.wait_for(since, "grip", |state| state["holding"] == "red cube");
    signal(&child, "KILL");
    ended(child);
    assert_eq!(house.ledger().len(), uses.len(), "it is killed before the end");
    house.wait_for(since, "end of the run", is_done);
    // The dead host still holds the lease for as long as its heartbeat is.
    thread::sleep(Duration::from_millis(1_600));
    let (text, _) = house.said(&["run", "close the gripper"]);
    assert!(text.contains("by itself: done") && text.contains(digest), "{text}");
}

#[test]
fn what_is_still_to_be_told_does_not_keep_the_next_run_away() {
    let house = House::new();
    let arm = house.arm(&["--alone"]);
    let (learned, _) = house.json(&["run", "move the arm 5 cm up"]);
    let id = learned["trace"].as_str().expect("a trace").to_owned();
    assert_eq!(house.said(&["skill", "push", "arm", &id]).1, 0);
    for round in 1..=4 {
        let up = ["device", "run", &id, "direction=up", "distance=5 cm"];
        let left = [&up[..], &["--on-loss", "finish", "--detach"]].concat();
        let (report, code) = house.json(&left);
        assert_eq!((report["status"].as_str(), code), (Some("unverified"), 0), "{report}");
        let (report, code) = house.json(&["device", "run", &id, "direction=down", "distance=5 cm"]);
        assert_eq!(
            (report["status"].as_str(), code),
            (Some("done"), 0),
            "{round}: {report}"
        );
        let alone = house.ledger().iter().filter(|used| used["run"].is_string()).count();
        assert_eq!(alone, 2 * round, "both are written down, once");
    }
    drop(arm);
}

#[test]
fn a_run_that_is_to_stop_with_its_host_stops() {
    let house = House::new();
    let (id, _) = house.learned();
    // It may not go on alone, whatever it is asked.
    let arm = house.arm_at("1", &[]);
    assert_eq!(house.said(&["skill", "push", "arm", &id]).1, 0);
    let (text, code) = house.said(&["device", "run", &id, SLOTS[0], SLOTS[1], "--on-loss", "finish"]);
    assert!(code == 1 && text.contains("needs_host"), "{code}: {text}");
    let since = house.now();
    let run = ["device", "run", &id, SLOTS[0], SLOTS[1], "--broker", &house.broker];
    let (child, _) = until(&house.llmos, &run, "acknowledged");
    house.wait_for(since, "grip", |state| state["holding"] == "red cube");
    let killed = Instant::now();
    signal(&child, "KILL");
    ended(child);
    let state = house.wait_for(since, "safe state", |state| {
        state["busy"] == false && state["failed"]["reason"] == "lease_lost"
    });
    assert!(killed.elapsed() < Duration::from_secs(4), "{:?}", killed.elapsed());
    assert_eq!(state["holding"], "red cube", "what is held stays held");
    let (text, _) = house.said(&["run", "open the gripper"]);
    assert!(text.contains("the host went away"), "{text}");
    let uses = house.ledger();
    let alone = uses.iter().find(|used| used["run"].is_string()).expect("its line");
    assert_eq!(alone["status"], "stopped", "{uses:?}");

    // Ctrl-C stops the device first, and the run says so.
    drop(arm);
    let _arm = house.arm_at("1", &[]);
    let since = house.now();
    let (child, _) = until(&house.llmos, &run, "acknowledged");
    house.wait_for(since, "motion", |state| state["busy"] == true);
    signal(&child, "INT");
    let (status, _) = ended(child);
    assert_eq!(status.code(), Some(1));
    house.wait_for(since, "stop", |state| state["stopped"] == true);
}

#[test]
fn what_must_not_get_onto_a_device_does_not() {
    let house = House::new();
    let (id, _) = house.learned();
    let (made, code) = house.llmos.json(&["key", "new", "mine.key"]);
    assert_eq!(code, 0, "{made}");
    assert_eq!(house.llmos.run(&["key", "new", "theirs.key"]).status.code(), Some(0));
    let (text, code) = house.llmos.complaint(&["key", "new", "mine.key"]);
    assert!(code == 5 && text.contains("never overwritten"), "{text}");
    let public = made["public"].as_str().expect("a key");
    let _arm = house.arm(&["--key", public]);
    let check = |arguments: &[&str], expected: i32, words: &str| {
        let (text, code) = house.said(arguments);
        assert!(
            code == expected && text.contains(words),
            "{arguments:?}: {code}: {text}"
        );
    };
    let push = ["skill", "push", "arm", &id];
    check(&push, 3, "signed programs only");
    check(&[&push[..], &["--key", "theirs.key"]].concat(), 3, "(signature)");
    check(&["device", "run", &id, SLOTS[0], SLOTS[1]], 5, "keeps no program");
    check(&[&push[..], &["--key", "mine.key"]].concat(), 0, "revision 1");
    check(&["skill", "push", "base", &id], 2, "no device \"base\"");
    check(&["skill", "push", "arm", "nothing"], 5, "no trace \"nothing\"");
    check(&["device", "run", &id, SLOTS[0]], 4, "say once what \"at\" is");
    check(&["device", "run", &id, "object=dog", SLOTS[1]], 4, "reports no \"dog\"");
    check(&["device", "run", "arm", &id, "red cube"], 2, "a device and a trace");
    check(&["device", "run", &id, "--detach"], 2, "--on-loss finish");
    let embedded = house.llmos.complaint(&["skill", "push", "arm", &id]);
    assert!(embedded.1 == 2 && embedded.0.contains("--broker"), "{embedded:?}");
    // What the trace says now is not what the device has.
    let path = house.llmos.workspace().join(format!("traces/{id}.md"));
    let text = std::fs::read_to_string(&path).expect("the trace");
    std::fs::write(&path, text.replace("arm.place: {", "arm.home: {}\n  - arm.place: {")).expect("written");
    check(&["device", "run", &id, SLOTS[0], SLOTS[1]], 5, "another program");
    check(&[&push[..], &["--key", "mine.key"]].concat(), 0, "revision 2");
}
