//! The program is killed, and its disk fails, at every operation in turn. What it has reported is still there and whole, nothing half
//! written counts, and the next run works and says what became of the one before.

use crate::mosquitto::{mosquitto, simulate, subscriber};
use crate::support::Llmos;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Where faults are asked for (`runtime/src/shell/faults.rs`).
const FAULT: &str = "LLMOS_TEST_FAULT";
/// One is learned, one follows it, and one more is learned.
const GOALS: &str = "move the arm 30 cm to the left\nmove the arm 12 cm to the right\nclose the gripper\n";
const NEXT: &str = "move the arm 10 cm to the left";
/// Cases at the same time; each waits more than it computes.
const THREADS: usize = 8;

/// Goals line by line, with a fault.
fn run(llmos: &Llmos, fault: &str) -> Output {
    let mut child = llmos
        .command(&["run", "--json", "--haste", "100"])
        .env(FAULT, fault)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // It may be dead before it has read them.
    let _ = child.stdin.take().expect("its stdin").write_all(GOALS.as_bytes());
    child.wait_with_output().expect("it ends")
}

/// The operations of a run without faults, in their order: what each does, and to what.
fn operations() -> Vec<String> {
    let output = run(&Llmos::new(), "list");
    let said = String::from_utf8_lossy(&output.stderr);
    let operations = said.lines().filter(|line| line.starts_with("operation "));
    let operations: Vec<String> = operations.map(str::to_owned).collect();
    for what in ["create", "write", "sync", "rename", "open", "publish", "create folder"] {
        assert!(
            operations.iter().any(|line| line.contains(&format!(": {what} "))),
            "{what}: {said}"
        );
    }
    operations
}

/// Every file below a folder, with its path from there.
fn files(root: &Path, folder: &str, found: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(root.join(folder)).into_iter().flatten().flatten() {
        let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            files(root, &name, found);
        } else {
            found.insert(
                name,
                String::from_utf8_lossy(&std::fs::read(entry.path()).expect("a file")).into_owned(),
            );
        }
    }
}

/// The reports that were printed.
fn reports(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let reports = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("a document a line"));
    reports.filter(|report: &Value| report["goal"].is_string()).collect()
}

/// What was reported is kept, and nothing else is broken.
fn check_kept(llmos: &Llmos, output: &Output, case: &str) {
    let mut kept = BTreeMap::new();
    files(&llmos.workspace(), "traces", &mut kept);
    let ledger = kept.remove("traces/ledger.jsonl").unwrap_or_default();
    let torn = ledger
        .lines()
        .filter(|line| serde_json::from_str::<Value>(line).is_err())
        .count();
    let ends = ledger.is_empty() || ledger.ends_with('\n');
    assert!(torn == 0 || (torn == 1 && !ends), "{case}: {ledger}");
    for report in reports(output) {
        let Some(id) = report["trace"].as_str() else { continue };
        let text = kept
            .get(&format!("traces/{id}.md"))
            .unwrap_or_else(|| panic!("{case}: {id} is lost"));
        assert!(
            text.starts_with(&format!("---\ntrace: \"{id}\"\n")) && text.contains("\n---\n"),
            "{case}: {text}"
        );
        let (goal, used) = (report["goal"].as_str().expect("a goal"), format!("\"trace\":\"{id}\""));
        assert!(
            ledger.lines().any(|line| line.contains(&used) && line.contains(goal)),
            "{case}: {ledger}"
        );
    }
    if llmos.workspace().exists() {
        let (check, code) = llmos.json(&["trace", "check"]);
        assert_eq!((check["errors"].as_u64(), code), (Some(0), 0), "{case}: {check}");
        let is_trace = |name: &&String| Path::new(name).extension().is_some_and(|ext| ext == "md");
        let count = format!("{} traces can be followed", kept.keys().filter(is_trace).count());
        assert!(
            check["findings"].to_string().contains(&count),
            "{case}: {count}: {check}"
        );
    }
}

/// The goal of the run whose last command was announced and not ended.
fn open_intent(llmos: &Llmos) -> Option<String> {
    let text = std::fs::read_to_string(llmos.workspace().join("journal/intents.jsonl")).ok()?;
    let mut whole = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    whole.next_back()?["intent"]["goal"].as_str().map(str::to_owned)
}

/// The next run works, tells of the one before if there is something to tell, and clears up.
fn check_next(llmos: &Llmos, case: &str) {
    let open = open_intent(llmos);
    let next = |more: &[&str]| {
        let arguments = [&["run", "--json", "--haste", "100"], more, &[NEXT]].concat();
        let output = llmos.run(&arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let report: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{case}: {error}: {said}"));
        (report, said)
    };
    let (mut report, said) = next(&[]);
    // The simulated arm lived in the process that was killed, so it can't know.
    let expected = open.map(|goal| format!("warning: the run \"{goal}\" of "));
    assert_eq!(said.contains("was broken off"), expected.is_some(), "{case}: {said}");
    if let Some(expected) = expected {
        assert!(said.contains(&expected) && said.contains("restarted"), "{case}: {said}");
        assert_eq!(report["status"], "needs_answer", "{case}: nobody knows: {report}");
        report = next(&["--settled", "arm=no"]).0;
    }
    assert_eq!(report["status"], "done", "{case}: {report} {said}");
    assert_eq!(open_intent(llmos), None, "{case}");
    let (verified, code) = llmos.json(&["journal", "verify", llmos.journal().to_str().expect("a path")]);
    assert_eq!(code, 0, "{case}: {verified}");
    assert_eq!(temporaries(llmos), Vec::<String>::new(), "{case}");
}

fn temporaries(llmos: &Llmos) -> Vec<String> {
    let mut all = BTreeMap::new();
    for folder in ["traces", "journal"] {
        files(&llmos.workspace(), folder, &mut all);
    }
    all.into_keys().filter(|name| name.contains(".tmp")).collect()
}

/// Runs all cases, some at a time, and returns how often `case` said yes.
fn each(cases: &[String], case: impl Fn(&str) -> bool + Sync) -> usize {
    let (next, hits) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(text) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    hits.fetch_add(usize::from(case(text)), Ordering::Relaxed);
                }
            });
        }
    });
    hits.into_inner()
}

#[cfg(unix)]
#[test]
fn a_kill_at_every_operation_loses_nothing_that_was_reported() {
    use std::os::unix::process::ExitStatusExt;
    let operations = operations();
    let mut cases = Vec::new();
    for (number, operation) in (1..).zip(&operations) {
        cases.push(format!("kill-before:{number}"));
        if operation.contains(": write ") {
            cases.push(format!("tear:{number}"));
        }
    }
    cases.push(format!("kill-after:{}", operations.len()));
    let certain = cases.len();
    // How often the journal is written depends on the clock, so the last of these may not strike.
    cases.extend([1, 2, 7, 20, 33].map(|number| format!("tear:log:{number}")));
    let reported = AtomicUsize::new(0);
    let killed = each(&cases, |fault| {
        let llmos = Llmos::new();
        let output = run(&llmos, fault);
        reported.fetch_add(reports(&output).len(), Ordering::Relaxed);
        check_kept(&llmos, &output, fault);
        check_next(&llmos, fault);
        output.status.signal() == Some(6)
    });
    assert!(
        (certain..=cases.len()).contains(&killed),
        "{killed} of {} were killed",
        cases.len()
    );
    assert!(
        reported.into_inner() > operations.len() / 4,
        "a run that reports nothing can't lose anything"
    );
}

/// The next run's word on a run of `NEXT` that was killed there, on an arm that lives on.
#[cfg(unix)]
fn check_outcome(fault: &str, expected: &str) {
    let Some((_mosquitto, port)) = mosquitto() else { return };
    let llmos = Llmos::new();
    let broker = format!("mqtt://127.0.0.1:{port}");
    let workspace = llmos.home().join("ws");
    let path = workspace.to_str().expect("a path");
    assert_eq!(llmos.run(&["init", path]).status.code(), Some(0));
    for other in ["base", "greenhouse"] {
        std::fs::remove_file(workspace.join(format!("devices/{other}.md"))).expect("the template's device");
    }
    let _arm = simulate(&llmos, "arm", &broker);
    let arguments = ["run", "--json", "--workspace", path, "--broker", &broker, NEXT];
    let killed = llmos.command(&arguments).env(FAULT, fault).output().expect("it starts");
    assert_eq!(killed.status.code(), None, "{fault}: it was killed");
    // The arm still holds the lease of the run that was killed; the next one waits for it.
    let next = llmos.run(&arguments);
    let said = String::from_utf8_lossy(&next.stderr);
    assert_eq!(next.status.code(), Some(0), "{fault}: {said}");
    let intro = format!("note: the run \"{NEXT}\" of ");
    assert!(said.contains(&intro) && said.contains(expected), "{fault}: {said}");
    let last = llmos.run(&arguments);
    let said = String::from_utf8_lossy(&last.stderr);
    assert!(!said.contains("broken off"), "{fault}: it is told once: {said}");
}

#[cfg(unix)]
#[test]
fn a_device_that_lives_on_knows_what_became_of_the_command() {
    check_outcome("kill-before:publish:1", "arm reports that it never began this command");
    // The first file that is opened is for the intent, the second for the ledger: by then the arm has finished.
    check_outcome("kill-before:open:2", "arm reports that it finished this command");
}

#[test]
fn a_disk_that_fails_at_any_operation_is_said_and_leaves_nothing_half_done() {
    let operations = operations();
    let mut cases = Vec::new();
    for (number, operation) in (1..).zip(&operations) {
        if operation.contains(": publish ") {
            continue;
        }
        cases.push(format!("full:{number}+"));
        cases.push(format!("broken:{number}"));
        if operation.contains(": write ") {
            cases.push(format!("short:{number}"));
        }
    }
    let spoken = each(&cases, |fault| {
        let llmos = Llmos::new();
        let output = run(&llmos, fault);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!said.contains("panicked"), "{fault}: {said}");
        let reports = reports(&output);
        // Nothing can be begun without a workspace, and nothing is sent that can't be written down; all else is only kept or not.
        let code = output.status.code();
        let statuses: Vec<&str> = reports.iter().filter_map(|report| report["status"].as_str()).collect();
        match statuses.last() {
            None => assert_eq!(code, Some(5), "{fault}: {said}"),
            Some(last) => assert_eq!(code, Some(if *last == "done" { 0 } else { 5 }), "{fault}: {said}"),
        }
        assert!(
            statuses.iter().all(|status| ["done", "environment"].contains(status)),
            "{fault}: {statuses:?}"
        );
        check_kept(&llmos, &output, fault);
        if !fault.ends_with('+') {
            assert_eq!(temporaries(&llmos), Vec::<String>::new(), "{fault}");
        }
        let all = format!("{said}{}", String::from_utf8_lossy(&output.stdout));
        assert!(
            all.contains("no storage space") || all.contains("os error 5"),
            "{fault}: {all}"
        );
        true
    });
    assert_eq!(spoken, cases.len());
}

/// A workspace with the arm alone.
#[cfg(unix)]
fn arm_alone(llmos: &Llmos) -> String {
    let workspace = llmos.home().join("ws");
    let path = workspace.to_str().expect("a path").to_owned();
    assert_eq!(llmos.run(&["init", &path]).status.code(), Some(0));
    for other in ["base", "greenhouse"] {
        std::fs::remove_file(workspace.join(format!("devices/{other}.md"))).expect("the template's device");
    }
    path
}

/// Kills a run there, asks for it again, and returns the commands that were published for both, each once.
#[cfg(unix)]
fn check_resumed(goal: &str, fault: &str, again: &[&str], digest: Option<&str>) -> Option<Vec<String>> {
    let (_mosquitto, port) = mosquitto()?;
    let llmos = Llmos::new();
    let (path, broker) = (arm_alone(&llmos), format!("mqtt://127.0.0.1:{port}"));
    let seen = subscriber(port, &["llmos/v1/arm/cmd"]);
    let _arm = simulate(&llmos, "arm", &broker);
    let common = ["run", "--json", "--workspace", &path, "--broker", &broker];
    // A hook that takes its time, so that a kill from outside comes in the middle.
    let slow = "programs = [\"sleep\"]\n[[pre_tool_use]]\nmatcher = \"*\"\ncommand = [\"sleep\", \"0.2\"]\n";
    if fault == "SIGKILL" {
        std::fs::write(Path::new(&path).join("hooks.toml"), slow).expect("hooks");
    }
    let mut killed = llmos.command(&[&common[..], &[goal]].concat());
    let code = if fault == "SIGKILL" {
        let sent = || seen.lock().expect("a lock").len();
        let mut child = killed
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        while sent() < 3 {
            assert!(
                matches!(child.try_wait(), Ok(None)),
                "it ended before it could be killed"
            );
            thread::sleep(std::time::Duration::from_millis(5));
        }
        child.kill().expect("it is killed");
        child.wait().expect("its end").code()
    } else {
        killed.env(FAULT, fault).output().expect("it starts").status.code()
    };
    assert_eq!(code, None, "{fault}: it was killed");
    let output = llmos.run(&[&common[..], again].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{fault}: {error}: {said}"));
    assert_eq!(report["status"], "done", "{fault}: {report} {said}");
    assert!(
        report["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("taken up at step")),
        "{fault}: {report}"
    );
    assert_eq!(report["model_calls"], 0, "{fault}: {report}");
    if digest.is_some() {
        assert_eq!(report["digest"].as_str(), digest, "{fault}: {report}");
    }
    let commands = seen.lock().expect("a lock").clone();
    let mut once: Vec<String> = Vec::new();
    for command in commands {
        let message: Value = serde_json::from_str(&command).expect("a command");
        let text = format!("{} {} {}", message["seq"], message["tool"], message["args"]);
        if !once.contains(&text) {
            once.push(text);
        }
    }
    Some(once)
}

#[cfg(unix)]
#[test]
fn a_run_that_is_killed_in_the_middle_goes_on_and_ends_with_the_same_digest() {
    const JOB: &str = "pick up the red cube and put it in bin A";
    for (fault, again) in [
        ("kill-before:publish:1", &[JOB][..]),
        ("kill-before:publish:4", &["--resume"][..]),
        ("kill-after:publish:6", &[JOB][..]),
        ("kill-before:publish:9", &["--resume"][..]),
        // The last command has ended, and its end is not yet written.
        ("kill-before:open:12", &[JOB][..]),
        ("SIGKILL", &[JOB][..]),
    ] {
        check_resumed(JOB, fault, again, Some("32747bf84b97a12d"));
    }
}

#[cfg(unix)]
#[test]
fn a_motion_that_is_relative_is_not_repeated() {
    let goal = "move the arm 30 cm to the left";
    for fault in ["kill-before:publish:1", "kill-before:open:2"] {
        let Some(commands) = check_resumed(goal, fault, &[goal], Some("2ec9584c41bb159a")) else {
            return;
        };
        assert_eq!(commands.len(), 1, "{fault}: {commands:?}");
    }
}
