//! The main job: plan with the model in the box, carry out, prove, keep; then follow without a model.

use crate::support::Llmos;

const GOAL: &str = "pick up the red cube and put it in bin A";

#[test]
fn the_first_run_learns_and_the_second_follows() {
    let llmos = Llmos::new();
    let (first, code) = llmos.json(&["run", GOAL]);
    assert_eq!(
        (code, first["status"].as_str(), first["mode"].as_str()),
        (0, Some("done"), Some("LEARNER")),
        "{first}"
    );
    assert!(first["model_calls"].as_u64() > Some(0), "{first}");
    let tools: Vec<&str> = first["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .filter_map(|step| step["tool"].as_str())
        .collect();
    assert_eq!(tools, ["arm.pick", "arm.place"]);
    let (second, code) = llmos.json(&["run", GOAL]);
    assert_eq!(
        (code, second["status"].as_str(), second["mode"].as_str()),
        (0, Some("done"), Some("FOLLOWER")),
        "{second}"
    );
    assert_eq!(second["model_calls"], 0);
    assert_eq!(second["digest"], first["digest"]);
    let id = first["trace"].as_str().expect("a trace");
    let text = std::fs::read_to_string(llmos.workspace().join(format!("traces/{id}.md"))).expect("the trace is a file");
    assert!(text.contains("{object}") && text.contains("{at}"), "{text}");
    let (replay, code) = llmos.json(&["replay", id]);
    assert_eq!(
        (code, &replay["digest"], &replay["model_calls"]),
        (0, &first["digest"], &serde_json::json!(0)),
        "{replay}"
    );
    let (other, _) = llmos.json(&["run", "Please pick up the blue cube and put it in bin B"]);
    assert_eq!(
        (other["status"].as_str(), other["model_calls"].as_u64()),
        (Some("done"), Some(0)),
        "{other}"
    );
    assert_ne!(other["digest"], first["digest"]);
}

#[test]
fn other_slots_follow_the_same_trace() {
    let llmos = Llmos::new();
    let (first, _) = llmos.json(&["run", "move the arm 30 cm to the left"]);
    let (second, _) = llmos.json(&["run", "move the arm 12 cm to the right"]);
    assert_eq!(first["status"], "done", "{first}");
    assert_eq!(
        (second["status"].as_str(), second["mode"].as_str()),
        (Some("done"), Some("FOLLOWER")),
        "{second}"
    );
    assert_eq!(second["trace"], first["trace"]);
    assert_eq!(second["steps"][0]["arguments"]["distance"], "0.12 m");
    assert_eq!(second["steps"][0]["arguments"]["direction"], "right");
}

#[test]
fn a_near_trace_helps_the_model() {
    let llmos = Llmos::new();
    let (first, _) = llmos.json(&["run", "move the arm 30 cm to the left"]);
    assert_eq!(
        (first["status"].as_str(), first["mode"].as_str()),
        (Some("done"), Some("LEARNER")),
        "{first}"
    );
    let (near, _) = llmos.json(&["run", "shift the arm 12 cm to the right"]);
    assert_eq!(
        (near["status"].as_str(), near["mode"].as_str()),
        (Some("done"), Some("MIXED")),
        "{near}"
    );
    let arguments = &near["steps"][0]["arguments"];
    assert_eq!(
        (arguments["direction"].as_str(), arguments["distance"].as_str()),
        (Some("right"), Some("0.12 m")),
        "{near}"
    );
    // What one process computed for its tools, the next one has on disk.
    let (again, _) = llmos.json(&["run", "--mode", "learner", "move the arm 30 cm to the left"]);
    assert!(again["tokens"]["cached"].as_u64() > Some(100), "{again}");
}

#[test]
fn what_must_not_move_does_not_move() {
    let llmos = Llmos::new();
    for (goal, status, code) in [
        ("do not move the arm", "no_tool", 6),
        ("go to (5, 0, 1)", "refused", 3),
        ("brew a coffee", "no_tool", 6),
        ("pick up the cube", "needs_answer", 4),
        ("Fahre den Arm bitte nach links", "needs_answer", 4),
    ] {
        let (report, found) = llmos.json(&["run", goal]);
        assert_eq!(
            (report["status"].as_str(), found),
            (Some(status), code),
            "{goal}: {report}"
        );
        let commands: u64 = report["steps"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|step| step["commands"].as_u64())
            .sum();
        assert_eq!(commands, 0, "{goal}: {report}");
    }
}

#[test]
fn what_already_holds_takes_no_step() {
    let llmos = Llmos::new();
    let (report, code) = llmos.json(&["run", "open the gripper"]);
    assert_eq!((code, report["status"].as_str()), (0, Some("done")), "{report}");
    assert_eq!(report["steps"], serde_json::json!([]));
    assert!(
        report["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("already")),
        "{report}"
    );
}

#[test]
fn the_one_device_that_may_do_it_is_meant() {
    let llmos = Llmos::new();
    let (report, code) = llmos.json(&["run", "go to (1, 1, 1.5)"]);
    assert_eq!(
        (code, report["steps"][0]["tool"].as_str()),
        (0, Some("arm.go_to")),
        "{report}"
    );
}

#[test]
fn references_are_resolved_and_what_a_call_needs_comes_first() {
    let llmos = Llmos::new();
    let tools = |report: &serde_json::Value| -> Vec<String> {
        let steps = report["steps"].as_array().expect("steps");
        steps
            .iter()
            .map(|step| step["tool"].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    let (report, _) = llmos.json(&["run", "pick up the green ball, then put it back"]);
    assert_eq!(
        (report["status"].as_str(), tools(&report)),
        (Some("done"), vec!["arm.pick".to_owned(), "arm.place".to_owned()]),
        "{report}"
    );
    let (report, _) = llmos.json(&[
        "run",
        "grab the red cube, put it on the shelf, and then put it back where it was",
    ]);
    assert_eq!(report["status"], "done", "{report}");
    assert_eq!(
        tools(&report),
        ["arm.pick", "arm.place", "arm.pick", "arm.place"],
        "{report}"
    );
    let (report, _) = llmos.json(&["run", "put the blue cube on the shelf"]);
    assert_eq!(
        (report["status"].as_str(), tools(&report)),
        (Some("done"), vec!["arm.pick".to_owned(), "arm.place".to_owned()]),
        "{report}"
    );
}

#[test]
fn a_second_very_different_device_works_with_the_same_code() {
    let llmos = Llmos::new();
    let (report, code) = llmos.json(&["run", "turn on the light of the greenhouse"]);
    assert_eq!(
        (code, report["steps"][0]["tool"].as_str()),
        (0, Some("greenhouse.light")),
        "{report}"
    );
    assert_eq!(report["steps"][0]["observed"], "met");
}

#[test]
fn given_tools_are_planned_in_their_own_terms() {
    let llmos = Llmos::new();
    let tools = llmos.home().join("tools.json");
    let text = r#"[{"type":"function","function":{"name":"move","description":"Move the arm by a distance in a direction","parameters":{"type":"object",
        "properties":{"direction":{"type":"string","enum":["left","right","up","down"]},"distance":{"type":"number","x-unit":"m"}},"required":["direction","distance"]}}}]"#;
    std::fs::write(&tools, text).expect("a file");
    let (plan, code) = llmos.json(&[
        "plan",
        "--tools",
        tools.to_str().expect("a path"),
        "move the arm 30 cm to the left",
    ]);
    assert_eq!(code, 0, "{plan}");
    assert_eq!(
        plan["calls"],
        serde_json::json!([{ "name": "move", "arguments": { "direction": "left", "distance": 0.3 } }]),
        "{plan}"
    );
    let goals = llmos.home().join("goals.txt");
    std::fs::write(&goals, "move up half a meter\ndo not move\n").expect("a file");
    let output = llmos.run(&[
        "plan",
        "--json",
        "--tools",
        tools.to_str().expect("a path"),
        "--goals",
        goals.to_str().expect("a path"),
    ]);
    let lines: Vec<serde_json::Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["calls"][0]["arguments"]["distance"], 0.5, "{}", lines[0]);
    assert_eq!(lines[1]["calls"], serde_json::json!([]));
}

#[test]
fn a_trace_is_replayed_often_and_punctually() {
    let llmos = Llmos::new();
    let (first, _) = llmos.json(&["run", "go to (-0.8, 1, 1.5)"]);
    assert_eq!(first["status"], "done", "{first}");
    let id = first["trace"].as_str().expect("a trace");
    let (replayed, code) = llmos.json(&["replay", id, "--timing", "--repeat", "3"]);
    assert_eq!((code, replayed["replays"].as_u64()), (0, Some(3)), "{replayed}");
    assert_eq!(
        (&replayed["digest"], &replayed["model_calls"]),
        (&first["digest"], &0.into())
    );
    let timing = &replayed["timing"];
    let commands = first["steps"][0]["commands"].as_u64().expect("commands");
    assert!(commands > 2, "{first}");
    assert_eq!(timing["offered_to_published"]["count"], 3 * commands, "{timing}");
    assert_eq!(timing["between_legs"]["count"], 3 * (commands - 1), "{timing}");
    assert_eq!(timing["between_legs_jitter"]["count"], 3 * (commands - 1), "{timing}");
    let figure = |name: &str| timing["offered_to_published"][name].as_f64().expect("a figure");
    assert!(
        0.0 < figure("p50_us") && figure("p50_us") <= figure("max_us"),
        "{timing}"
    );
    let (plain, _) = llmos.json(&["replay", id]);
    assert_eq!(plain["timing"], serde_json::Value::Null, "nobody asked");
}
