//! Real failure: a device that slips, stalls, falls silent or talks nonsense ends in `failed`, seen by read-back, and is never followed.

use crate::support::Llmos;

fn check(fault: &str, goal: &str, reason: &str) {
    let llmos = Llmos::new();
    let (report, code) = llmos.json(&["run", "--fault", fault, goal]);
    assert_eq!(
        (report["status"].as_str(), code),
        (Some("failed"), 1),
        "{fault}: {report}"
    );
    assert!(
        report["reason"].as_str().is_some_and(|text| text.contains(reason)),
        "{fault}: {report}"
    );
    let (again, _) = llmos.json(&["run", "--dry-run", goal]);
    assert_eq!(again["mode"], "LEARNER", "a failed run is never followed: {again}");
}

#[test]
fn a_slipping_grip_is_seen_by_read_back() {
    check(
        "slip",
        "pick up the red cube and put it in bin A",
        "state does not show the effect",
    );
}

#[test]
fn a_stalled_axis_fails_the_step() {
    check("stall", "move the arm 30 cm to the left", "stalled");
}

#[test]
fn a_silent_device_is_lost() {
    check("silent", "move the arm 30 cm to the left", "lost");
}

#[test]
fn nonsense_is_no_state() {
    check("nonsense", "move the arm 30 cm to the left", "lost");
}

#[test]
fn a_device_that_acknowledges_twice_does_no_harm() {
    let llmos = Llmos::new();
    let (report, code) = llmos.json(&["run", "--fault", "double_ack", "move the arm 30 cm to the left"]);
    assert_eq!((report["status"].as_str(), code), (Some("done"), 0), "{report}");
}

#[test]
fn a_kill_in_the_middle_leaves_a_readable_workspace() {
    let llmos = Llmos::new();
    for wait_ms in [200, 700, 1_100] {
        let mut child = llmos
            .command(&["run", "pick up the red cube and put it in bin A"])
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("the program starts");
        std::thread::sleep(std::time::Duration::from_millis(wait_ms));
        child.kill().expect("it is killed");
        child.wait().expect("it ends");
    }
    let (check, code) = llmos.json(&["trace", "check"]);
    assert_eq!((check["errors"].as_u64(), code), (Some(0), 0), "{check}");
    // Where a command was under way nobody knows what became of it: the simulated arm is gone with the program.
    let (report, _) = llmos.json(&["run", "--settled", "arm=no", "move the arm 30 cm to the left"]);
    assert_eq!(report["status"], "done", "{report}");
}

#[test]
fn a_device_that_restarts_in_the_middle_is_waited_for() {
    let goal = "pick up the red cube and put it in bin A";
    for fault in ["restart@1", "restart@4", "restart@7"] {
        let llmos = Llmos::new();
        let (report, code) = llmos.json(&["run", "--fault", fault, goal]);
        assert_eq!(
            (report["status"].as_str(), code),
            (Some("done"), 0),
            "{fault}: {report}"
        );
        assert_eq!(report["digest"], "32747bf84b97a12d", "{fault}: {report}");
    }
    // One that does it again and again is given up.
    check("restart", goal, "restarted");
}

#[test]
fn a_relative_motion_during_a_restart_is_asked_about() {
    let llmos = Llmos::new();
    let (report, code) = llmos.json(&[
        "run",
        "--haste",
        "1",
        "--fault",
        "restart@1",
        "move the arm 30 cm to the left",
    ]);
    assert_eq!((report["status"].as_str(), code), (Some("failed"), 1), "{report}");
    assert!(
        report["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("is not known")),
        "{report}"
    );
    let (report, code) = llmos.json(&["run", "move the arm 10 cm to the right"]);
    assert_eq!((report["status"].as_str(), code), (Some("needs_answer"), 4), "{report}");
}

/// A sample of the fault matrix; `llmos bench faults` is all of it. How long is too long is asked generously: other tests run beside this one.
#[test]
fn faults_end_as_declared_and_leave_the_device_at_rest() {
    let llmos = Llmos::new();
    for (fault, device, status, moves) in [
        ("hook-crashes", "arm", "refused", false),
        ("model-hangs", "lamp", "environment", false),
        ("device-silent", "arm", "failed", true),
        ("state-out-of-range", "base", "failed", true),
        ("state-out-of-range", "lamp", "failed", true),
    ] {
        let (matrix, _) = llmos.json(&["bench", "faults", "--only", fault, "--devices", device]);
        let run = &matrix["runs"][0];
        assert_eq!(run["status"], status, "{matrix}");
        assert_eq!(run["moved"], moves, "{matrix}");
        assert!(run["safe_ms"].as_u64().unwrap_or(0) < 5_000, "{matrix}");
        assert_eq!(moves, run["commands"].as_u64() > Some(0), "{matrix}");
        let complaint = run["complaint"].as_str().unwrap_or_default();
        assert!(
            complaint.is_empty() || complaint.contains("moved for more than"),
            "{matrix}"
        );
    }
}
