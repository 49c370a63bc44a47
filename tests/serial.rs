//! The program with an arm on a serial line, a pseudo-terminal with a simulated arm behind it as a process of its own: the same runs, traces
//! and digests as over a broker, on a good line and a bad one, and what becomes of a run when the cable, the host or a person ends it.
#![cfg(unix)]

use crate::support::Llmos;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

const GOAL: &str = "pick up the red cube and put it in bin A";
const LIFT: &str = "move the arm 150 cm up";

/// A simulated arm; it is unplugged with the test.
struct Arm(Child);

impl Drop for Arm {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn port(llmos: &Llmos) -> PathBuf {
    llmos.home().join("arm")
}

fn plug_in(llmos: &Llmos, more: &[&str]) -> Arm {
    let port = port(llmos);
    let port = port.to_str().expect("a path");
    let arguments = [&["device", "sim", "arm", "--json", "--serial", port], more].concat();
    let mut child = llmos
        .command(&arguments)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("its output");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    let said: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(said["serial"], port, "{line}");
    Arm(child)
}

/// A workspace whose arm is on a serial line. The other devices stay where they are, on the embedded broker.
fn lined() -> Llmos {
    let llmos = Llmos::new();
    assert_eq!(llmos.run(&["device", "ls"]).status.code(), Some(0));
    let path = llmos.workspace().join("devices/arm.md");
    let text = std::fs::read_to_string(&path).expect("a manifest");
    let on_line = format!("connect: {{ serial: {}, baud: 115200 }}", port(&llmos).display());
    let text = text.replace("connect: { mqtt: llmos }", &on_line);
    assert!(text.contains(&on_line), "{text}");
    let kept = text.lines().filter(|line| !line.starts_with("simulator:"));
    std::fs::write(&path, kept.collect::<Vec<_>>().join("\n")).expect("a manifest");
    llmos
}

/// The steps of a run's trace, with everything that does not name a time.
fn steps(llmos: &Llmos, report: &Value) -> String {
    let id = report["trace"].as_str().expect("a trace");
    let text = std::fs::read_to_string(llmos.workspace().join(format!("traces/{id}.md"))).expect("the trace");
    let (_, steps) = text.split_once("steps:").expect("steps");
    steps.split("status:").next().unwrap_or_default().to_owned()
}

fn started(llmos: &Llmos, goal: &str) -> Child {
    llmos
        .command(&["run", "--json", goal])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts")
}

fn ended(run: Child) -> (Value, i32) {
    let output = run.wait_with_output().expect("the program ends");
    let text = String::from_utf8_lossy(&output.stdout);
    let report = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    (report, output.status.code().unwrap_or(-1))
}

/// How high the arm is, as it reports to somebody who only looks.
fn height(llmos: &Llmos) -> f64 {
    let output = llmos.run(&["device", "watch", "arm", "--json", "--seconds", "2"]);
    let text = String::from_utf8_lossy(&output.stdout);
    let last: Value = serde_json::from_str(text.lines().last().expect("a line")).expect("JSON");
    last["arm"]["readings"]["position"][2]
        .as_f64()
        .unwrap_or_else(|| panic!("no position: {text}"))
}

#[test]
fn the_main_job_is_learned_and_followed_over_a_line_as_over_a_broker() {
    let broker = Llmos::new();
    let (over_mqtt, _) = broker.json(&["run", GOAL]);
    let llmos = lined();
    let arm = plug_in(&llmos, &[]);
    let (first, code) = llmos.json(&["run", GOAL]);
    assert_eq!(
        (code, first["status"].as_str(), first["mode"].as_str()),
        (0, Some("done"), Some("LEARNER")),
        "{first}"
    );
    assert_eq!(first["digest"], over_mqtt["digest"], "{first}\n{over_mqtt}");
    assert_eq!(steps(&llmos, &first), steps(&broker, &over_mqtt));
    drop(arm);
    let _arm = plug_in(&llmos, &[]);
    let (second, code) = llmos.json(&["run", GOAL]);
    assert_eq!(
        (code, second["status"].as_str(), second["mode"].as_str()),
        (0, Some("done"), Some("FOLLOWER")),
        "{second}"
    );
    assert_eq!(
        (&second["digest"], &second["model_calls"]),
        (&first["digest"], &0.into())
    );
    // Beside it, the embedded broker's devices are there as ever.
    let (other, code) = llmos.json(&["run", "turn on the light of the greenhouse"]);
    assert_eq!((code, other["status"].as_str()), (0, Some("done")), "{other}");
}

#[test]
fn a_program_is_pushed_over_a_line_and_runs_without_its_host() {
    let llmos = lined();
    let flash = llmos.home().join("arm.flash");
    let memory = ["--alone", "--flash", flash.to_str().expect("a path")];
    let arm = plug_in(&llmos, &memory);
    let (learned, _) = llmos.json(&["run", GOAL]);
    let id = learned["trace"].as_str().expect("a trace").to_owned();
    let (pushed, code) = llmos.json(&["skill", "push", "arm", &id]);
    assert_eq!(
        (code, pushed["revision"].as_u64(), pushed["sent"].as_bool()),
        (0, Some(1), Some(true)),
        "{pushed}"
    );
    // Unplugged, and plugged in with the cube on the desk: the program is in its flash. On a bad line, as lines are.
    drop(arm);
    let arm = plug_in(&llmos, &[&memory[..], &["--fault", "noise"]].concat());
    let slots = ["object=red cube", "at=bin A"];
    let (report, code) = llmos.json(&["device", "run", &id, slots[0], slots[1]]);
    assert_eq!(
        (report["status"].as_str(), code, &report["digest"]),
        (Some("done"), 0, &learned["digest"]),
        "{report}"
    );
    drop(arm);
    let _arm = plug_in(&llmos, &memory);
    let left = [
        "device",
        "run",
        &id,
        slots[0],
        slots[1],
        "--on-loss",
        "finish",
        "--detach",
    ];
    let (report, code) = llmos.json(&left);
    assert_eq!((report["status"].as_str(), code), (Some("unverified"), 0), "{report}");
    // Nobody is there for as long as it takes; then somebody is told.
    sleep(Duration::from_secs(4));
    let output = llmos.run(&["run", "close the gripper"]);
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let digest = learned["digest"].as_str().expect("a digest");
    assert!(text.contains("by itself: done") && text.contains(digest), "{text}");
}

#[test]
fn on_a_bad_line_a_run_succeeds_or_says_why() {
    let llmos = lined();
    let mut succeeded = 0;
    let mut digest = None;
    for seed in ["0", "3", "5", "7"] {
        let arm = plug_in(&llmos, &["--fault", "noise", "--seed", seed]);
        let (report, code) = llmos.json(&["run", "--mode", "learner", GOAL]);
        if report["status"] == "done" {
            assert_eq!(code, 0, "{report}");
            assert_eq!(
                digest.get_or_insert(report["digest"].clone()),
                &report["digest"],
                "{report}"
            );
            succeeded += 1;
        } else {
            assert_eq!((report["status"].as_str(), code), (Some("failed"), 1), "{report}");
            let reason = report["reason"].as_str().unwrap_or_default();
            assert!(reason.contains("lost"), "{report}");
        }
        drop(arm);
    }
    assert!(succeeded >= 2, "{succeeded} of 4: a line that bad is no line");
}

#[test]
fn a_cable_that_is_pulled_fails_the_run() {
    let llmos = lined();
    let arm = plug_in(&llmos, &["--haste", "1"]);
    let run = started(&llmos, LIFT);
    sleep(Duration::from_millis(1_500));
    drop(arm);
    let (report, code) = ended(run);
    assert_eq!((report["status"].as_str(), code), (Some("failed"), 1), "{report}");
    let reason = report["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("lost") && reason.contains("serial line"), "{report}");
}

#[test]
fn a_host_that_dies_leaves_the_arm_safe() {
    let llmos = lined();
    let _arm = plug_in(&llmos, &["--haste", "1"]);
    let mut run = started(&llmos, LIFT);
    sleep(Duration::from_millis(1_500));
    run.kill().expect("it runs");
    run.wait().expect("it ends");
    // The lease runs out 1.5 s after the host's last word.
    sleep(Duration::from_millis(1_700));
    let then = height(&llmos);
    assert!((1.2..2.7).contains(&then), "it is on its way: {then}");
    assert!((height(&llmos) - then).abs() < 1e-9, "and stays there");
}

#[test]
fn anybody_stops_an_arm_whose_port_another_program_owns() {
    let llmos = lined();
    let _arm = plug_in(&llmos, &["--haste", "1"]);
    let run = started(&llmos, LIFT);
    sleep(Duration::from_millis(1_500));
    let (stopped, code) = llmos.json(&["stop", "arm"]);
    // As long as the owner is there, only it hears the device.
    let status = stopped["status"].as_str();
    assert!(code == 0 && matches!(status, Some("done" | "unverified")), "{stopped}");
    let (report, code) = ended(run);
    let reason = report["reason"].as_str().unwrap_or_default();
    assert!(code == 1 && reason.contains("stopped"), "{report}");
    assert!(height(&llmos) < 2.7);
    // Nothing moves until a person resets it.
    let (refused, code) = llmos.json(&["run", LIFT]);
    assert_ne!(code, 0, "{refused}");
    let (reset, code) = llmos.json(&["reset", "arm"]);
    assert_eq!((reset["status"].as_str(), code), (Some("done"), 0), "{reset}");
    let (again, code) = llmos.json(&["stop"]);
    assert_eq!((again["status"].as_str(), code), (Some("done"), 0), "{again}");
    assert_eq!(
        again["devices"],
        serde_json::json!(["arm"]),
        "those on the embedded broker are not there"
    );
}

#[test]
fn what_is_not_there_or_somebody_else_is_said() {
    let llmos = lined();
    let (report, code) = llmos.json(&["run", LIFT]);
    assert_eq!((report["status"].as_str(), code), (Some("environment"), 5), "{report}");
    let reason = report["reason"].as_str().unwrap_or_default();
    assert!(
        reason.contains("there is no") && reason.contains("plugged in"),
        "{report}"
    );
    let (stop, code) = llmos.json(&["stop", "arm"]);
    assert_eq!((stop["status"].as_str(), code), (Some("environment"), 5), "{stop}");

    let _other = plug_in(&llmos, &["--name", "left-arm"]);
    let (report, code) = llmos.json(&["run", LIFT]);
    assert_eq!((report["status"].as_str(), code), (Some("environment"), 5), "{report}");
    let reason = report["reason"].as_str().unwrap_or_default();
    assert!(
        reason.contains("expected the device \"arm\"") && reason.contains("left-arm"),
        "{report}"
    );
    let (refusal, code) = llmos.complaint(&["device", "sim", "tasmota-plug", "--serial"]);
    assert!(code == 2 && refusal.contains("topics of its own"), "{refusal}");
    let (refusal, code) = llmos.complaint(&["device", "sim", "arm", "--serial", "--fault", "silent"]);
    assert!(code == 2 && refusal.contains("noise"), "{refusal}");
}

#[test]
fn a_manifest_says_how_a_line_is_meant() {
    let llmos = lined();
    let path = llmos.workspace().join("devices/arm.md");
    let good = std::fs::read_to_string(&path).expect("a manifest");
    let on_line = good
        .lines()
        .find(|line| line.starts_with("connect:"))
        .expect("a line")
        .to_owned();
    for (connect, expected) in [
        (
            "connect: { serial: ttyUSB0 }",
            ":4:20: error: \"serial\" should be the whole path",
        ),
        (
            "connect: { serial: /dev/ttyUSB0, baud: fast }",
            ":4:40: error: \"baud\" should be a whole number from 300 to 4000000",
        ),
        (
            "connect: { serial: /dev/ttyUSB0, baud: 50 }",
            ":4:40: error: \"baud\" should be",
        ),
        (
            "connect: { serial: /dev/ttyUSB0, mqtt: llmos }",
            ":4:10: error: a device is on MQTT or on a serial line",
        ),
        (
            "connect: { serial: [ /dev/ttyUSB0 ] }",
            ":4:20: error: \"serial\" should be a text",
        ),
        (
            "connect: { serial: /dev/ttyUSB0, bauds: 9600 }",
            ":4:34: warning: \"bauds\" is not known here",
        ),
    ] {
        std::fs::write(&path, good.replace(&on_line, connect)).expect("a manifest");
        let output = llmos.run(&["device", "check"]);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains(&format!("devices/arm.md{expected}")), "{connect}: {text}");
        assert_eq!(
            output.status.code(),
            Some(i32::from(expected.contains("error"))),
            "{connect}: {text}"
        );
    }
    // Two devices on one port.
    std::fs::write(&path, &good).expect("a manifest");
    std::fs::write(
        llmos.workspace().join("devices/brm.md"),
        good.replace("device: arm", "device: brm"),
    )
    .expect("a manifest");
    let output = llmos.run(&["device", "check"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("devices/brm.md:4:20: error: ") && text.contains("is the port of arm already"),
        "{text}"
    );
    assert_eq!(output.status.code(), Some(1), "{text}");
    std::fs::remove_file(llmos.workspace().join("devices/brm.md")).expect("a manifest");

    let output = llmos.run(&["device", "check"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("arm: one program at a time owns") && text.contains("past every gate"),
        "{text}"
    );
    let (list, _) = llmos.json(&["device", "ls"]);
    let arm = list["devices"]
        .as_array()
        .expect("devices")
        .iter()
        .find(|device| device["device"] == "arm");
    let way = arm.and_then(|arm| arm["connect"].as_str()).unwrap_or_default();
    assert!(way.starts_with("serial ") && way.ends_with("115200 baud"), "{list}");
    let _arm = plug_in(&llmos, &[]);
    let (doctor, _) = llmos.json(&["doctor"]);
    let checks = doctor["checks"].as_array().expect("checks");
    let reports = checks.iter().find(|check| {
        check["text"]
            .as_str()
            .is_some_and(|text| text.starts_with("arm reports on"))
    });
    assert_eq!(
        reports.map(|check| check["found"].as_str()),
        Some(Some("ok")),
        "{doctor}"
    );
}
