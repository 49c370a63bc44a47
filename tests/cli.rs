//! Bad input: a clear message, the right exit code, no panic, nothing half-written.

use crate::support::Llmos;

fn check(llmos: &Llmos, arguments: &[&str], code: i32, message: &str) {
    let (complaint, found) = llmos.complaint(arguments);
    assert_eq!(found, code, "{arguments:?}: {complaint}");
    assert!(
        complaint.contains(message),
        "{arguments:?}: expected \"{message}\" in: {complaint}"
    );
    assert!(!complaint.contains("panicked"), "{arguments:?}: {complaint}");
}

#[test]
fn wrong_command_lines_are_usage() {
    let llmos = Llmos::new();
    check(&llmos, &["fly"], 2, "fly");
    check(&llmos, &["run", "--fast", "x"], 2, "--fast");
    check(&llmos, &["plan", " "], 2, "1 to 4096 bytes");
    let long = "move ".repeat(2_000);
    check(&llmos, &["run", &long], 2, "1 to 4096 bytes");
    check(&llmos, &["run", "--broker", "http://x", "home"], 2, "mqtt://");
    check(&llmos, &["run", "--broker", "mqtt://u:p@x", "home"], 2, "password");
    check(
        &llmos,
        &["device", "sim", "dragon", "--broker", "mqtt://127.0.0.1:1"],
        2,
        "arm, base, greenhouse",
    );
    check(&llmos, &["run", "--fault", "gremlin", "home"], 2, "gremlin");
    check(&llmos, &["stop"], 2, "--broker");
}

#[cfg(unix)]
#[test]
fn a_goal_that_is_not_utf8_is_usage() {
    use std::os::unix::ffi::OsStrExt;
    let llmos = Llmos::new();
    let output = llmos
        .command(&["run"])
        .arg(std::ffi::OsStr::from_bytes(b"move \xff"))
        .output()
        .expect("the program starts");
    assert_eq!(
        output.status.code(),
        Some(2),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn what_is_missing_is_environment() {
    let llmos = Llmos::new();
    check(
        &llmos,
        &["run", "--broker", "mqtt://127.0.0.1:1", "home"],
        5,
        "can't be reached",
    );
    check(&llmos, &["run", "--workspace", "nowhere", "home"], 5, "llmos init");
    check(&llmos, &["trace", "show", "nothing"], 5, "trace ls");
    let model = llmos.home().join("cut.gguf");
    std::fs::write(&model, b"GGUF\x03\0\0\0").expect("a file");
    check(
        &llmos,
        &["model", "show", "--model", model.to_str().expect("a path")],
        5,
        "",
    );
    let (report, code) = llmos.json(&[
        "run",
        "--model",
        model.to_str().expect("a path"),
        "open the gripper then close it",
    ]);
    assert_eq!((report["status"].as_str(), code), (Some("environment"), 5), "{report}");
}

#[test]
fn a_manifest_shows_all_its_mistakes_with_their_places() {
    let llmos = Llmos::new();
    let workspace = llmos.home().join("ws");
    let path = workspace.to_str().expect("a path");
    assert_eq!(llmos.run(&["init", path]).status.code(), Some(0));
    let text = std::fs::read_to_string(workspace.join("devices/arm.md")).expect("the template");
    let broken = text
        .replace("max_step: \"0.5 m\"", "max_step: \"0.5 kg\"")
        .replace("home: \"0.8, 0, 1.2 m\"", "home: \"0.1, 0, 0.5 m\"")
        .replace("after: gripper == state", "after: grip == state");
    std::fs::write(workspace.join("devices/arm.md"), broken).expect("a file");
    let output = llmos.run(&["device", "check", "--workspace", path]);
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{lines}");
    assert!(
        lines.contains("devices/arm.md:10:") && lines.contains("mass"),
        "{lines}"
    );
    assert!(
        lines.contains("\"home\" can never be reached") && lines.contains("person"),
        "{lines}"
    );
    let (report, code) = llmos.json(&["run", "--workspace", path, "pick up the red cube"]);
    assert_ne!(code, 0, "a device with a broken manifest does not act: {report}");
}

#[test]
fn help_has_examples_for_every_verb_that_needs_them() {
    let llmos = Llmos::new();
    for arguments in [&["--help"][..], &["run", "--help"], &["plan", "--help"]] {
        let output = llmos.run(arguments);
        assert_eq!(output.status.code(), Some(0));
        assert!(
            String::from_utf8_lossy(&output.stdout).contains("Examples:"),
            "{arguments:?}"
        );
    }
}

#[test]
fn one_process_owns_a_workspace() {
    let llmos = Llmos::new();
    let path = llmos.home().join("ws");
    assert_eq!(
        llmos.run(&["init", path.to_str().expect("a path")]).status.code(),
        Some(0)
    );
    let lock = std::fs::File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path.join(".lock"))
        .expect("a lock file");
    lock.try_lock().expect("the lock is free");
    check(
        &llmos,
        &["run", "--workspace", path.to_str().expect("a path"), "home"],
        5,
        "another llmos owns",
    );
}

#[test]
fn a_hook_can_only_say_no() {
    let llmos = Llmos::new();
    let path = llmos.home().join("ws");
    let workspace = path.to_str().expect("a path");
    assert_eq!(llmos.run(&["init", workspace]).status.code(), Some(0));
    for hooks in [
        "programs = [\"false\"]\n[[pre_tool_use]]\nmatcher = \"arm.*\"\ncommand = [\"false\"]\n",
        "programs = [\"no-such-program-anywhere\"]\n[[pre_tool_use]]\ncommand = [\"no-such-program-anywhere\"]\n",
        "programs = [\"sleep\"]\n[[pre_tool_use]]\nmatcher = \"*\"\ncommand = [\"sleep\", \"5\"]\ntimeout_ms = 100\n",
        "[[pre_tool_use]]\nmatcher = \"*\"\ncommand = [\"true\"]\n",
        "programs = [\"sh\"]\n[[pre_tool_use]]\ncommand = [\"sh\", \"-c\", \"exit 0\"]\n",
        "[[pre_tool_use]]\nbuiltin = \"budget\"\nbudget = { commands_per_run = 0 }\n",
        "pre_tool_use = 7\n",
    ] {
        std::fs::write(path.join("hooks.toml"), hooks).expect("a file");
        let (report, code) = llmos.json(&["run", "--workspace", workspace, "move the arm 30 cm to the left"]);
        assert_eq!(
            (report["status"].as_str(), code),
            (Some("refused"), 3),
            "{hooks}: {report}"
        );
        assert_eq!(report["steps"][0]["commands"], 0, "{hooks}: {report}");
    }
    std::fs::write(
        path.join("hooks.toml"),
        "programs = [\"true\"]\n[[pre_tool_use]]\nmatcher = \"*\"\ncommand = [\"true\"]\n",
    )
    .expect("a file");
    let (report, _) = llmos.json(&["run", "--workspace", workspace, "move the arm 30 cm to the left"]);
    assert_eq!(report["status"], "done", "{report}");
    std::fs::write(path.join("policy.toml"), "").expect("a file");
    let (report, code) = llmos.json(&["run", "--workspace", workspace, "move the arm 30 cm to the left"]);
    assert_eq!(
        (report["status"].as_str(), code),
        (Some("refused"), 3),
        "what no rule allows is denied: {report}"
    );
}

#[test]
fn a_trace_is_compiled_to_a_program_and_written_whole() {
    let llmos = Llmos::new();
    let path = llmos.home().join("ws");
    let workspace = path.to_str().expect("a path");
    assert_eq!(llmos.run(&["init", workspace]).status.code(), Some(0));
    let trace = |timeout: &str| {
        let text = format!(
            "---\ntrace: put\ngoal: put the red cube in bin A\npatterns: [ \"put {{object}} in {{at}}\" ]\nslots: {{ object: entity, at: place }}\nsteps:\n  - arm.pick: {{ object: \"{{object}}\" }}\n    timeout: \"{timeout}\"\n  - arm.place: {{ object: \"{{object}}\", at: \"{{at}}\" }}\nstatus: done\nmode: LEARNER\n---\n"
        );
        std::fs::write(path.join("traces/put.md"), text).expect("a file");
    };
    trace("9 s");
    let bytes = llmos.home().join("put.bin");
    let out = bytes.to_str().expect("a path");
    let output = llmos.run(&["trace", "compile", "put", "--workspace", workspace, "--out", out]);
    let lines = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{lines}");
    assert!(
        lines.contains("slots 2") && lines.contains("arm.pick object=slot0") && lines.contains("at=slot1"),
        "{lines}"
    );
    let program = llmos_follower::wire::decode(&std::fs::read(&bytes).expect("the bytes")).expect("a program");
    assert_eq!((program.calls.len(), program.slots), (2, 2));
    // Slots that nobody binds are an error, and so is a wait that the manifest does not allow.
    assert_eq!(
        llmos_follower::Follower::new(&program, &[]).err(),
        Some(llmos_follower::Reject::UnboundSlot)
    );
    trace("1 min");
    std::fs::remove_file(&bytes).expect("it is removed");
    let (complaint, code) = llmos.complaint(&["trace", "compile", "put", "--workspace", workspace, "--out", out]);
    assert_ne!(code, 0, "{complaint}");
    let shown = format!(
        "{complaint}{}",
        String::from_utf8_lossy(&llmos.run(&["trace", "check", "--workspace", workspace]).stdout)
    );
    assert!(
        shown.contains("traces/put.md:8:") && shown.contains("at most the 15 s"),
        "{shown}"
    );
    assert!(!bytes.exists(), "nothing is written of a trace with an error");
    check(
        &llmos,
        &["trace", "compile", "none", "--workspace", workspace],
        5,
        "trace ls",
    );
}

#[test]
fn forty_foreign_tools_are_searched() {
    let llmos = Llmos::new();
    let file = llmos.home().join("tools.json");
    let mut tools: Vec<serde_json::Value> = (0..40)
        .map(|n| serde_json::json!({ "name": format!("valve_{n}"), "description": format!("Open valve {n}") }))
        .collect();
    tools.push(serde_json::json!({
        "name": "heat", "description": "Heat the plate to a temperature",
        "parameters": { "type": "object", "required": ["to"], "properties": {
            "to": { "type": "object", "required": ["temperature"], "properties": {
                "temperature": { "type": "number", "x-unit": "°C", "maximum": 80 } } } } },
    }));
    std::fs::write(&file, serde_json::json!(tools).to_string()).expect("a file");
    let path = file.to_str().expect("a path");
    let (plan, code) = llmos.json(&["plan", "--tools", path, "heat the plate to 140 °F"]);
    assert_eq!(code, 0, "{plan}");
    let expected = serde_json::json!([{ "name": "heat", "arguments": { "to": { "temperature": 60 } } }]);
    assert_eq!(plan["calls"], expected, "{plan}");
    let (hot, code) = llmos.json(&["plan", "--tools", path, "heat the plate to 90 °C"]);
    assert_eq!(code, 4, "{hot}");
    assert!(
        hot["question"]
            .as_str()
            .is_some_and(|why| why.contains("maximum is 80 °C")),
        "{hot}"
    );
}

#[test]
fn the_bench_prints_figures_for_each_way_of_working() {
    let llmos = Llmos::new();
    let (bench, code) = llmos.json(&["model", "bench", "--rounds", "1", "--threads", "1"]);
    assert_eq!(code, 0, "{bench}");
    let rows = bench["threads"][0]["plans"].as_array().expect("rows");
    assert_eq!(rows.len(), 5, "{bench}");
    assert!(rows.iter().all(|row| row["p50_ms"].as_f64() > Some(0.0)), "{bench}");
    let cached = |way: usize| rows[way]["cached"].as_f64();
    assert!(
        cached(0) > cached(2),
        "the kept tool list is taken away in one way: {bench}"
    );
}
