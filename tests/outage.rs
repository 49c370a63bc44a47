//! The broker dies, or the host, in the middle of a motion: the arm is in its safe state in time, stays there, and the run says what
//! happened. Seen by somebody else on the broker, and with TLS and passwords as on a network.
#![cfg(unix)]

use crate::mosquitto::{Running, mosquitto, mosquitto_on, simulate_at, subscriber};
use crate::support::Llmos;
use serde_json::Value;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// The arm's fastest, in metres a second, as its manifest says.
const SPEED: f64 = 0.5;
/// The arm's heartbeat, and how long after it the arm may still move.
const HEARTBEAT: Duration = Duration::from_millis(1_500);
const SAFE: Duration = Duration::from_millis(500);
/// How often an arm that moves reports.
const REPORT: Duration = Duration::from_millis(100);

type Seen = Arc<Mutex<Vec<String>>>;

fn newest(seen: &Seen) -> Option<Value> {
    let seen = seen.lock().expect("a lock");
    seen.last().map(|text| serde_json::from_str(text).expect("a state"))
}

/// The newest report that is so.
fn wait_for(seen: &Seen, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let end = Instant::now() + Duration::from_secs(20);
    while Instant::now() < end {
        if let Some(state) = newest(seen).filter(|state| wanted(state)) {
            return state;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("no {what}; the newest is {:?}", newest(seen));
}

fn height(state: &Value) -> f64 {
    state["position"][2].as_f64().expect("a position")
}

/// A slow arm on this broker, and a run that lifts it, once it is well on its way; also where it began.
fn lifting(llmos: &Llmos, port: u16, seen: &Seen) -> (Running, Child) {
    let broker = format!("mqtt://127.0.0.1:{port}");
    let arm = simulate_at(llmos, "arm", &broker, "1");
    let begun = height(&wait_for(seen, "report", |state| state["busy"] == false));
    let run = llmos
        .command(&["run", "--json", "--broker", &broker, "move the arm 150 cm up"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    wait_for(seen, "motion", |state| {
        state["busy"] == true && height(state) > begun + 0.05
    });
    (arm, run)
}

fn is_in_safe_state(state: &Value) -> bool {
    state["busy"] == false && state["failed"]["reason"] == "lease_lost"
}

/// It stays where it is from now on.
fn stays(seen: &Seen) {
    let at = height(&newest(seen).expect("a state"));
    thread::sleep(Duration::from_millis(1_200));
    let later = newest(seen).expect("a state");
    assert!((height(&later) - at).abs() < 1e-6, "it moves again: {later}");
}

#[test]
fn a_broker_that_dies_in_a_motion_leaves_the_arm_safe_and_the_run_failed() {
    let Some((broker, port)) = mosquitto() else { return };
    let llmos = Llmos::new();
    let seen = subscriber(port, &["llmos/v1/arm/state"]);
    let (_arm, run) = lifting(&llmos, port, &seen);
    let before = newest(&seen).expect("a state");
    drop(broker);
    let output = run.wait_with_output().expect("the program ends");
    let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    assert_eq!(
        (report["status"].as_str(), output.status.code()),
        (Some("failed"), Some(1)),
        "{report}"
    );
    let reason = report["reason"].as_str().unwrap_or_default();
    assert!(
        reason.contains("lost") && reason.contains("connection to the broker"),
        "{report}"
    );

    let _broker = mosquitto_on(port);
    let seen = subscriber(port, &["llmos/v1/arm/state"]);
    let after = wait_for(&seen, "report", |state| {
        state["uptime_ms"].as_u64() > before["uptime_ms"].as_u64()
    });
    assert!(is_in_safe_state(&after), "{after}");
    let way = height(&after) - height(&before);
    let most = SPEED * (SAFE + REPORT).as_secs_f64();
    assert!(
        (0.0..most).contains(&way),
        "it went on for {way} m, and may for {most} m: {before} {after}"
    );
    stays(&seen);
}

#[test]
fn a_host_that_dies_in_a_motion_leaves_the_arm_safe_within_its_heartbeat() {
    let Some((_broker, port)) = mosquitto() else { return };
    let llmos = Llmos::new();
    let seen = subscriber(port, &["llmos/v1/arm/state"]);
    let (_arm, mut run) = lifting(&llmos, port, &seen);
    run.kill().expect("it is killed");
    let killed = Instant::now();
    run.wait().expect("it ends");
    wait_for(&seen, "safe state", is_in_safe_state);
    let took = killed.elapsed();
    assert!(took <= HEARTBEAT + SAFE, "{took:?}");
    stays(&seen);
}
