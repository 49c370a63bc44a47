//! What a trace says beyond its calls: compiled with its slots open, refused with the line, and followed by a scripted device.

use llmos_follower::{Kind, Observed, OnError, Op, Program, Symbol, Value, wire};
use llmos_kernel::compile::{compile, compile_trace, planned, spelled};
use llmos_kernel::kernel::{Kernel, Settings};
use llmos_kernel::matching;
use llmos_kernel::message::{
    Answer, Caller, Fact, Input, Named, News, Output, Report, Request, State, Status, Tokens, Verdict,
};
use llmos_kernel::mode::Mode;
use llmos_kernel::options::{OnFailure, Options, Wait};
use llmos_kernel::text::trace::{Cost, Trace, TraceStep};
use llmos_kernel::text::trace::{print, read, read_with_places};
use llmos_kernel::text::{Diagnostic, has_errors};
use llmos_kernel::tool::Type;
use proptest::prelude::*;

const ARM: &str = include_str!("../../../workspace/devices/arm.md");
const POLICY: &str = include_str!("../../../workspace/policy.toml");

/// Every option at once.
const FULL: &str = r#"---
trace: full
version: 1
goal: take the red cube
patterns:
  - "take {object}"
slots: { object: entity }
start: { arm: "gripper == open and tool == off" }
steps:
  - arm.speed: { value: "0.2 m/s" }
    keep: { pace: speed }
    on_error: retry 3
  - arm.pick: { object: "{object}" }
    before: "position == (0.8, 0, 1.2 m) +- 2 m and holding != object"
    after: "gripper == closed"
    timeout: "9 s"
    on_error: compensate
    compensate:
      - arm.gripper: { state: open }
      - arm.home: {}
    depends_on: [ 1 ]
    observed: met
  - wait: { for: "1.5 s" }
  - wait: { until: "holding == nothing or tool == off", device: arm, timeout: "10 s" }
    on_error: skip
  - arm.speed: { value: "result of pace" }
status: done
mode: LEARNER
created: "2026-11-21T00:00:00Z"
manifests: {}
cost: { tokens: 12, ms: 34 }
---
prose
"#;

fn kernel(traces: &[&str]) -> Kernel {
    let mut kernel = Kernel::new(Settings::default());
    let documents = [("devices/arm.md".to_owned(), ARM), ("policy.toml".to_owned(), POLICY)];
    let traces = traces.iter().enumerate();
    for (path, text) in documents
        .into_iter()
        .chain(traces.map(|(index, text)| (format!("traces/{index}.md"), *text)))
    {
        let text = text.to_owned();
        kernel.handle(0, Input::Document { path, text });
    }
    kernel
}

/// The program of a text, or the lines and messages of what is wrong with it.
fn compiled(text: &str) -> Result<Program, Vec<(u32, String)>> {
    let kernel = kernel(&[]);
    let (trace, found) = read_with_places(text);
    let found = match trace {
        Some((trace, places)) => match compile_trace(kernel.devices(), &trace, &places) {
            Ok(program) => return Ok(program),
            Err(found) => found,
        },
        None => found,
    };
    let errors = found.into_iter().filter(Diagnostic::is_error);
    Err(errors.map(|finding| (finding.place.line, finding.message)).collect())
}

#[test]
fn every_option_reads_prints_and_compiles() {
    let (trace, found) = read(FULL);
    assert_eq!(found, []);
    let trace = trace.expect("a trace");
    let printed = print(&trace, "prose\n");
    assert_eq!(read(&printed), (Some(trace.clone()), Vec::new()), "{printed}");
    let program = compiled(FULL).expect("a program");
    let mut buffer = vec![0; wire::BYTES_MAX];
    let bytes = wire::encode(&program, &mut buffer).expect("room");
    assert_eq!(wire::decode_for(Symbol::of("arm"), bytes), Ok(program.clone()));
    let pick = &program.steps[1..6];
    assert!(pick.iter().all(|step| step.timeout_ms == 9_000));
    assert!(
        pick.iter()
            .all(|step| matches!(step.on_error, OnError::Compensate(steps) if steps.len == 2))
    );
    assert!(!pick[0].require.is_empty() && pick[1].require.is_empty());
    assert_eq!(
        (program.steps[0].on_error, program.compensating),
        (OnError::Retry(3), 2)
    );
    assert!(matches!(program.steps[6].kind, Kind::Pause(_)));
    assert_eq!(
        (program.steps[7].kind, program.steps[7].on_error),
        (Kind::Until, OnError::Skip)
    );
    assert_eq!(
        (program.slots, program.start.len(), program.calls[1].depends_on),
        (1, 1, 1)
    );
    let text = spelled(&kernel(&[]).world().names, &trace, &program);
    for part in [
        "slots 1",
        "start  arm: gripper == open and tool == off",
        "arm.pick object=slot0  after: holding == slot0 and gripper == closed  depends on 0",
        "keep result0 = speed",
        "arm.wait  pause: 1.5",
        "compensating",
    ] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
}

#[test]
fn the_example_of_the_specification_compiles() {
    let page = include_str!("../../../workspace/README.md");
    let start = page.find("    start: { arm:").expect("the example");
    let end = start + page[start..].find("\n\n").expect("its end");
    let lines = page[start..end]
        .lines()
        .map(|line| line.strip_prefix("    ").unwrap_or(line));
    let example = lines.collect::<Vec<_>>().join("\n");
    let head = FULL.find("start:").expect("a start");
    let tail = FULL.find("status:").expect("an end");
    let text = format!("{}{example}\n{}", &FULL[..head], &FULL[tail..]);
    assert_eq!(read(&text).1, []);
    assert_eq!(compiled(&text).map(|program| program.calls.len()), Ok(5));
}

/// What is written in its place, the line at which that is found (0: anywhere), and words of what is said.
const WRONG: &[(&str, &str, u32, &str)] = &[
    ("steps:\n", "steps: [\n", 0, "not YAML"),
    ("version: 1", "version: 2", 3, "up to version 1"),
    ("version: 1", "version: one", 3, "whole number"),
    ("gripper == open and", "gripper == open &", 8, "no meaning"),
    ("start: { arm:", "start: { leg:", 8, "no device \"leg\""),
    (
        "tool == off\" }\nsteps",
        "tol == off\" }\nsteps",
        8,
        "neither a parameter",
    ),
    ("arm.pick", "arm.pinch", 13, "no tool \"pinch\""),
    ("{ object: \"{object}\" }", "{ object: \"{thing}\" }", 13, "{thing}"),
    ("object: entity", "object: length", 13, "is length here"),
    ("0.2 m/s", "0.2 m", 10, "expected a speed"),
    ("keep: { pace: speed }", "keep: { pace: weight }", 11, "weight"),
    ("keep: { pace: speed }", "keep: { pace: value }", 11, "no reading"),
    (
        "keep: { pace: speed }",
        "keep: { pace: position }",
        26,
        "expected speed",
    ),
    ("result of pace", "result of pulse", 26, "no earlier step keeps"),
    (
        "arm.speed: { value: \"0.2 m/s\" }",
        "arm.move: { direction: left, distance: \"1 cm\" }",
        12,
        "can't be retried",
    ),
    ("retry 3", "retry 0", 12, "1 to 255"),
    ("retry 3", "give up", 12, "hand off"),
    (
        "and holding != object",
        "and holding != thing and 1",
        14,
        "expected boolean",
    ),
    (
        "after: \"gripper == closed\"",
        "after: \"object == object\"",
        15,
        "proves nothing",
    ),
    (
        "after: \"gripper == closed\"",
        "after: \"position != before.position\"",
        15,
        "look back",
    ),
    ("timeout: \"9 s\"", "timeout: \"9 cm\"", 16, "duration"),
    ("timeout: \"9 s\"", "timeout: \"-9 s\"", 16, "duration"),
    ("on_error: compensate\n", "on_error: stop\n", 19, "goes with"),
    (
        "compensate:\n      - arm.gripper: { state: open }\n      - arm.home: {}\n",
        "compensate: []\n",
        18,
        "1 to 8",
    ),
    (
        "    compensate:\n      - arm.gripper: { state: open }\n      - arm.home: {}\n",
        "",
        13,
        "needs \"compensate:\"",
    ),
    ("- arm.home: {}", "- arm.dance: {}", 20, "no tool \"dance\""),
    (
        "- arm.home: {}\n",
        "- arm.home: {}\n        timeout: \"1 s\"\n",
        21,
        "no options",
    ),
    ("depends_on: [ 1 ]", "depends_on: [ 2 ]", 21, "itself"),
    ("depends_on: [ 1 ]", "depends_on: [ 3 ]", 21, "cycle"),
    ("depends_on: [ 1 ]", "depends_on: [ 0 ]", 21, "counted from 1"),
    ("observed: met", "observed: maybe", 22, "unverified"),
    ("for: \"1.5 s\"", "for: \"1.5 m\"", 23, "duration"),
    ("for: \"1.5 s\"", "how: \"1.5 s\"", 23, "a wait is"),
    (", device: arm, timeout", ", timeout", 24, "a wait is"),
    (
        "holding == nothing or tool == off",
        "nothing == nothing",
        24,
        "proves nothing",
    ),
    ("on_error: skip", "on_error: retry 1", 25, "can't be retried"),
    (
        "on_error: skip",
        "on_error: skip\n    keep: { x: speed }",
        26,
        "beside it",
    ),
    ("tokens: 12", "tokens: many", 31, "whole number"),
    (
        "- arm.gripper: { state: open }\n      - arm.home: {}",
        "- arm.pick: { object: \"{object}\" }\n      - arm.pick: { object: \"{object}\" }",
        19,
        "at most 8 steps",
    ),
];

#[test]
fn what_is_wrong_is_found_where_it_stands() {
    assert_eq!(compiled(FULL).map(|program| program.calls.len()), Ok(5));
    for (from, to, line, words) in WRONG.iter().copied() {
        assert!(FULL.contains(from), "{from}");
        let found = compiled(&FULL.replacen(from, to, 1)).expect_err(to);
        let here = found
            .iter()
            .any(|(at, message)| (*at == line || line == 0) && message.contains(words));
        assert!(here, "{to}: {found:?}");
    }
    // A warning and no error: another version of this program may know the key.
    let (trace, found) = read(&FULL.replace("    observed: met", "    obsrved: met"));
    assert!(trace.is_some() && found.len() == 1 && !has_errors(&found), "{found:?}");
}

#[test]
fn a_program_that_is_too_long_is_an_error_and_no_panic() {
    let steps = |step: &str, count: usize| {
        let start = FULL.find("  - arm.speed").expect("steps");
        let end = FULL.find("status: done").expect("an end");
        format!("{}{}{}", &FULL[..start], step.repeat(count), &FULL[end..])
    };
    let pick = "  - arm.pick: { object: \"{object}\" }\n";
    assert!(compiled(&steps(pick, 12)).is_ok(), "60 steps");
    let found = compiled(&steps(pick, 13)).expect_err("65 steps");
    assert!(
        found.len() == 1 && found[0].0 == 22 && found[0].1.contains("64 steps"),
        "{found:?}"
    );
    let found = compiled(&steps("  - arm.status: {}\n", 25)).expect_err("25 calls");
    assert!(found[0].0 == 34 && found[0].1.contains("at most 24 steps"), "{found:?}");
    let undo = "    on_error: compensate\n    compensate: [ arm.pick: { object: \"{object}\" }, arm.pick: { object: \"{object}\" } ]\n";
    let found = compiled(&steps(&format!("{pick}{undo}"), 1)).expect_err("10 compensating steps");
    assert!(found[0].0 == 12 && found[0].1.contains("at most 8 steps"), "{found:?}");
}

#[test]
fn what_needs_readings_is_no_program_of_its_own() {
    let back = FULL.replace(
        "  - wait: { for: \"1.5 s\" }\n",
        "  - arm.place: { object: \"{object}\", at: \"start of {object}\" }\n",
    );
    let found = compiled(&back).expect_err("readings");
    assert!(
        found.len() == 1 && found[0].0 == 23 && found[0].1.contains("when a run begins"),
        "{found:?}"
    );
    let (trace, places) = read_with_places(&back).0.expect("a trace");
    let checked = llmos_kernel::check::trace(kernel(&[]).world(), &trace, &places);
    assert!(
        checked.len() == 1 && !has_errors(&checked),
        "it can be followed here: {checked:?}"
    );
}

/// A trace of one or more plain steps.
fn plain(pattern: &str, goal: &str, slots: &str, steps: &str) -> String {
    format!(
        "---\ntrace: t\ngoal: \"{goal}\"\npatterns:\n  - \"{pattern}\"\nslots: {{ {slots} }}\nsteps:\n{steps}status: done\nmode: LEARNER\n---\n"
    )
}

fn named(owner: &str, field: &str, value: Fact) -> Named {
    Named {
        owner: owner.to_owned(),
        field: field.to_owned(),
        value,
    }
}

fn word(word: &str) -> Fact {
    Fact::Text(word.to_owned())
}

fn state() -> State {
    let mut readings = vec![
        named("", "position", Fact::Point([800_000, 0, 1_200_000])),
        named("", "gripper", word("open")),
        named("", "holding", Fact::Nothing),
        named("", "tool", word("off")),
        named("", "speed", Fact::Number(500_000)),
    ];
    for (name, kind, at) in [
        ("red cube", "object", [800_000, 300_000, 20_000]),
        ("bin A", "place", [500_000, 600_000, 100_000]),
    ] {
        readings.push(named(name, "kind", word(kind)));
        readings.push(named(name, "position", Fact::Point(at)));
    }
    State {
        account: None,
        progress: None,
        stopped: false,
        readings,
    }
}

/// What a run led to: the report, what was sent as "tool argument ..", and when it was over.
struct Ended {
    report: Report,
    sent: Vec<String>,
    at: u64,
}

impl Ended {
    fn observed(&self) -> Vec<Option<Observed>> {
        self.report.steps.iter().map(|step| step.observed).collect()
    }
}

/// Follows a trace with a device that does what it is told, but fails the commands for which `fails` says so. A tick is 100 ms.
fn follow(kernel: &mut Kernel, goal: &str, fails: impl Fn(&str) -> bool) -> Ended {
    let device = |news| Input::Device {
        device: "arm".to_owned(),
        news,
    };
    let mut state = state();
    kernel.handle(0, device(News::Online));
    kernel.handle(0, device(News::State(state.clone())));
    assert!(kernel.findings().values().all(Vec::is_empty), "{:?}", kernel.findings());
    kernel.handle(
        1,
        Input::Goal(Request {
            date: "2026-11-21T00:00:00Z".to_owned(),
            ..Request::new(goal, Caller::Person)
        }),
    );
    let mut sent = Vec::new();
    for now in (100..60_000).step_by(100) {
        let mut inputs = vec![Input::Tick];
        while let Some(output) = kernel.poll() {
            match output {
                Output::Generate { request, .. } => inputs.push(Input::Generated {
                    request,
                    answer: Answer::NoTool {
                        tokens: Tokens::default(),
                    },
                }),
                Output::Hook { request, .. } => inputs.push(Input::Verdict {
                    request,
                    verdict: Verdict::Pass,
                }),
                Output::Command {
                    command,
                    tool,
                    arguments,
                    ..
                } => {
                    let values = arguments.iter().map(|(_, fact)| llmos_kernel::follow::show(fact));
                    let text = format!("{tool} {}", values.collect::<Vec<_>>().join(" "));
                    inputs.push(device(News::Acknowledged { command }));
                    if fails(&text) {
                        let why = "scripted".to_owned();
                        inputs.push(device(News::Failed { command, why }));
                    } else {
                        carry_out(&mut state, &tool, &arguments);
                        inputs.push(device(News::State(State {
                            progress: Some(llmos_follower::Progress::Finished),
                            ..state.clone()
                        })));
                    }
                    sent.push(text);
                }
                Output::Store { request, .. } | Output::Append { request, .. } | Output::Amend { request, .. } => {
                    inputs.push(Input::Stored { request, error: None });
                }
                Output::Done(report) => {
                    return Ended {
                        report: *report,
                        sent,
                        at: now,
                    };
                }
                _ => {}
            }
        }
        // A report keeps the state young.
        inputs.push(device(News::State(state.clone())));
        for input in inputs {
            kernel.handle(now, input);
        }
    }
    panic!("{goal}: the run does not end: {sent:?}");
}

fn carry_out(state: &mut State, tool: &str, arguments: &[(String, Fact)]) {
    let field = match tool {
        "move_to" => "position",
        other => other,
    };
    for (_, fact) in arguments {
        let mut own = state.readings.iter_mut();
        if let Some(known) = own.find(|known| known.owner.is_empty() && known.field == field) {
            known.value = fact.clone();
        }
    }
}

#[test]
fn a_skipped_call_is_skipped_whole_with_what_depends_on_it() {
    let steps = "  - arm.go_to: { to: \"red cube\" }\n    on_error: skip\n  - arm.tool: { state: \"on\" }\n    depends_on: [ 1 ]\n  - arm.gripper: { state: closed }\n";
    let trace = plain("mark the cube", "mark the cube", "", steps);
    let goal = "mark the cube";
    let good = follow(&mut kernel(&[&trace]), goal, |_| false);
    assert_eq!(good.report.status, Status::Done, "{}", good.report.reason);
    assert_eq!(good.observed(), [Some(Observed::Met); 3]);
    let bad = follow(&mut kernel(&[&trace]), goal, |text| text.starts_with("move_to"));
    let (met, skipped) = (Some(Observed::Met), Some(Observed::Skipped));
    assert_eq!(
        bad.observed(),
        [skipped, skipped, met],
        "{:?} {}",
        bad.sent,
        bad.report.reason
    );
    assert_eq!(bad.sent.last().map(String::as_str), Some("gripper closed"));
    assert!(!bad.sent.iter().any(|text| text.starts_with("tool")), "{:?}", bad.sent);
    // A macro of several steps: after the first that fails none of the others is sent.
    let steps = "  - arm.pick: { object: red cube }\n    on_error: skip\n  - arm.tool: { state: \"on\" }\n";
    let trace = plain("try the cube", "try the cube", "", steps);
    let bad = follow(&mut kernel(&[&trace]), "try the cube", |text| {
        text.starts_with("move_to")
    });
    assert_eq!(bad.observed(), [skipped, met], "{:?} {}", bad.sent, bad.report.reason);
    assert_eq!(bad.sent.iter().filter(|text| text.starts_with("move_to")).count(), 1);
    assert!(!bad.sent.contains(&"gripper closed".to_owned()), "{:?}", bad.sent);
}

const SWITCH: &str = "  - arm.tool: { state: \"on\" }\n  - arm.gripper: { state: closed }\n    on_error: compensate\n    compensate: [ arm.tool: { state: \"off\" } ]\n";

#[test]
fn what_failed_is_compensated_through_the_gate() {
    let trace = plain("switch it", "switch it", "", SWITCH);
    let closing = |text: &str| text == "gripper closed";
    let bad = follow(&mut kernel(&[&trace]), "switch it", closing);
    assert_eq!(bad.sent, ["tool on", "gripper closed", "tool off"]);
    assert_eq!(bad.report.status, Status::Failed);
    assert!(bad.report.reason.contains("was done"), "{}", bad.report.reason);
    let mut known = kernel(&[&trace]);
    let state = News::State(state());
    let device = "arm".to_owned();
    known.handle(0, Input::Device { device, news: state });
    let world = known.world();
    let plan = matching::rebind(&read(&trace).0.expect("a trace"), &world.lexicon(), &world.devices).expect("a plan");
    let program = compile(&plan, &world.devices, &world.readings).expect("a program");
    let answers = |step, call| planned(&plan, &program, &world.devices, step, call).map(ToString::to_string);
    assert_eq!(answers(1, 1).as_deref(), Some("arm.gripper(state: closed)"));
    assert_eq!(answers(2, 1).as_deref(), Some("arm.tool(state: off)"));
    assert_eq!(answers(3, 1), None);
    // The command that compensates answers for itself: where policy denies it, nothing begins.
    let mut strict = kernel(&[&plain(
        "switch it",
        "switch it",
        "",
        &SWITCH.replace("tool: { state: \"off\" }", "speed: { value: \"0.1 m/s\" }"),
    )]);
    let text =
        format!("[[rule]]\neffect = \"deny\"\nwho = [\"person\"]\ndevice = \"arm\"\ntool = \"speed\"\n\n{POLICY}");
    let path = "policy.toml".to_owned();
    strict.handle(0, Input::Document { path, text });
    let denied = follow(&mut strict, "switch it", closing);
    assert_eq!(
        (denied.report.status, denied.sent.len()),
        (Status::Refused, 0),
        "{}",
        denied.report.reason
    );
}

#[test]
fn a_wait_lets_time_pass_and_sends_nothing() {
    let steps = "  - arm.tool: { state: \"on\" }\n  - wait: { for: \"3 s\" }\n  - wait: { until: \"tool == on\", device: arm, timeout: \"1 s\" }\n  - arm.tool: { state: \"off\" }\n";
    let trace = plain("blink it", "blink it", "", steps);
    let ended = follow(&mut kernel(&[&trace]), "blink it", |_| false);
    assert_eq!(ended.report.status, Status::Done, "{}", ended.report.reason);
    assert_eq!(ended.sent, ["tool on", "tool off"]);
    assert!((3_000..6_000).contains(&ended.at), "{}", ended.at);
    let never = trace.replace("until: \"tool == on\"", "until: \"gripper == closed\"");
    let ended = follow(&mut kernel(&[&never]), "blink it", |_| false);
    assert_eq!(
        (ended.report.status, ended.sent.len()),
        (Status::Failed, 1),
        "{}",
        ended.report.reason
    );
}

#[test]
fn a_result_that_was_kept_is_an_argument_later() {
    let steps = "  - arm.tool: { state: \"on\" }\n    keep: { pace: speed }\n  - arm.speed: { value: \"0.1 m/s\" }\n  - arm.speed: { value: \"result of pace\" }\n";
    let trace = plain("slow it", "slow it", "", steps);
    let ended = follow(&mut kernel(&[&trace]), "slow it", |_| false);
    assert_eq!(ended.report.status, Status::Done, "{}", ended.report.reason);
    assert_eq!(ended.sent, ["tool on", "speed 0.1", "speed 0.5"]);
}

#[test]
fn conditions_of_a_trace_narrow_what_may_happen() {
    let steps = "  - arm.tool: { state: \"on\" }\n    before: \"gripper == closed\"\n";
    let trace = plain("light it", "light it", "", steps);
    let ended = follow(&mut kernel(&[&trace]), "light it", |_| false);
    assert_eq!(
        (ended.report.status, ended.sent.len()),
        (Status::Failed, 0),
        "{}",
        ended.report.reason
    );
    let ended = follow(&mut kernel(&[&trace.replace("before", "after")]), "light it", |_| false);
    assert_eq!(
        (ended.report.status, ended.sent.first().map(String::as_str)),
        (Status::Failed, Some("tool on"))
    );
    let start = trace
        .replace("    before: \"gripper == closed\"\n", "")
        .replace("steps:", "start: { arm: gripper == closed }\nsteps:");
    let ended = follow(&mut kernel(&[&start]), "light it", |_| false);
    assert_eq!(
        (ended.report.status, ended.sent.len()),
        (Status::Failed, 0),
        "{}",
        ended.report.reason
    );
    assert!(
        ended.report.reason.contains("before the first step"),
        "{}",
        ended.report.reason
    );
}

/// A program whose slots are filled with these values.
fn filled(program: &Program, values: &[Value]) -> Program {
    let mut program = program.clone();
    program.slots = 0;
    for op in &mut program.code {
        if let Op::Slot(slot) = op {
            *op = Op::Const(values[usize::from(*slot)]);
        }
    }
    program
}

#[test]
fn an_open_program_is_the_planned_one_once_its_slots_are_filled() {
    let symbol = |name| Value::Symbol(Symbol::of(name));
    for (text, values) in [
        (
            plain(
                "move arm {distance} to {direction}",
                "move the arm 30 cm to the left",
                "distance: length, direction: \"left|right|forward|back|up|down\"",
                "  - arm.move: { direction: \"{direction}\", distance: \"{distance}\" }\n",
            ),
            vec![Value::Number(300_000), symbol("left")],
        ),
        (
            plain(
                "pick up {object} and put it in {at}",
                "pick up the red cube and put it in bin A",
                "object: entity, at: place",
                "  - arm.pick: { object: \"{object}\" }\n    after: \"gripper == closed\"\n    on_error: skip\n  - arm.place: { object: \"{object}\", at: \"{at}\" }\n    depends_on: [ 1 ]\n  - arm.home: {}\n",
            ),
            vec![symbol("red cube"), symbol("bin A")],
        ),
    ] {
        let open = compiled(&text).expect("a program");
        let mut kernel = kernel(&[]);
        kernel.handle(
            0,
            Input::Device {
                device: "arm".to_owned(),
                news: News::State(state()),
            },
        );
        let world = kernel.world();
        let trace = read(&text).0.expect("a trace");
        let plan = matching::rebind(&trace, &world.lexicon(), &world.devices).expect("a plan");
        let bound = compile(&plan, &world.devices, &world.readings).expect("a program");
        assert_ne!(open, bound);
        assert_eq!(filled(&open, &values), bound, "{text}");
        let json = serde_json::to_string(&plan).expect("JSON");
        assert_eq!(
            serde_json::from_str::<llmos_kernel::plan::Plan>(&json).expect("a plan"),
            plan
        );
    }
}

/// A step with any of the options, `index` steps after the first; `keeps` says whether it may keep a result.
fn any_step(index: usize, keeps: bool) -> impl Strategy<Value = TraceStep> {
    let text = "\\PC{0,12}";
    let condition =
        || proptest::option::of("(gripper == open|speed <= 2 m/s|not holding == nothing)( and tool == on){0,2}");
    let earlier: Vec<u8> = (1..=u8::try_from(index).expect("few")).collect();
    let on_error = proptest::option::of(prop_oneof![
        (1..=u8::MAX).prop_map(OnFailure::Retry),
        Just(OnFailure::Skip),
        Just(OnFailure::Stop),
        Just(OnFailure::Handoff),
        Just(OnFailure::Compensate),
    ]);
    let observed = proptest::option::of(prop_oneof![
        Just(Observed::Met),
        Just(Observed::Read),
        Just(Observed::Skipped),
        Just(Observed::Unverified)
    ]);
    let call = (
        "[a-z]{1,6}",
        "[a-z_]{1,6}",
        proptest::collection::btree_map("[a-z]{1,5}", text, 0..3),
    );
    let undoing = proptest::collection::vec(call.clone(), 1..4);
    let rest = (
        1..=u32::MAX,
        proptest::option::of("\\PC{1,12}"),
        0..3_u8,
        observed,
        undoing,
    );
    let options = (
        condition(),
        condition(),
        any::<bool>(),
        on_error,
        proptest::sample::subsequence(earlier, 0..=index),
    );
    (call, options, rest).prop_map(move |(call, options, (ms, keep, wait, observed, undoing))| {
        let plain = |(device, tool, arguments): (String, String, std::collections::BTreeMap<String, String>)| {
            // What would name a slot or a result that nobody declares is another test's.
            let said = arguments
                .into_iter()
                .filter(|(_, text)| !text.contains(['{', '}']) && !text.starts_with("result of "));
            TraceStep::new(device, tool, said.collect())
        };
        let (before, after, timed, on_error, depends_on) = options;
        let undoes = on_error == Some(OnFailure::Compensate);
        let mut step = TraceStep {
            observed,
            compensate: if undoes {
                undoing.into_iter().map(plain).collect()
            } else {
                Vec::new()
            },
            ..plain(call)
        };
        step.options = Options {
            on_error,
            depends_on,
            ..Options::default()
        };
        if wait > 0 {
            (step.tool, step.arguments) = ("wait".to_owned(), Vec::new());
            let until = Wait::Until(before.unwrap_or_else(|| "gripper == open".to_owned()));
            step.options.timeout_ms = (wait == 2).then_some(ms);
            step.options.wait = Some(if wait == 1 { Wait::For(ms) } else { until });
        } else {
            step.options.timeout_ms = timed.then_some(ms);
            step.options.keep = keep
                .filter(|_| keeps)
                .map(|name| (format!("{index}{name}"), "speed".to_owned()));
            (step.options.before, step.options.after) = (before, after);
        }
        step
    })
}

fn any_trace() -> impl Strategy<Value = Trace> {
    let steps = (
        any_step(0, true),
        any_step(1, true),
        any_step(2, false),
        any_step(3, true),
    );
    let start = proptest::collection::btree_map("[a-z]{1,8}", "gripper == (open|closed)", 0..4);
    let cost = proptest::option::of((any::<u64>(), any::<u64>()));
    let texts = ("\\PC{1,20}", "\\PC{0,30}", "\\PC{0,20}");
    (steps, start, cost, texts).prop_map(|((a, b, c, d), start, cost, (id, goal, created))| Trace {
        variant_of: (id.len() % 3 == 0).then(|| goal.clone()),
        id,
        goal,
        patterns: vec!["take {object}".to_owned()],
        slots: vec![("object".to_owned(), Type::Entity)],
        start: start.into_iter().collect(),
        steps: vec![a, b, c, d],
        status: Status::Done,
        mode: Mode::Learner,
        created,
        manifests: Vec::new(),
        digest: None,
        cost: cost.map(|(tokens, ms)| Cost { tokens, ms }),
    })
}

proptest! {
    #[test]
    fn any_trace_reads_as_it_was_printed(trace in any_trace()) {
        let text = print(&trace, "");
        let (read, found) = read(&text);
        prop_assert_eq!(found, Vec::new(), "{}", text);
        prop_assert_eq!(read, Some(trace));
    }

    #[test]
    fn any_mutation_of_a_good_trace_is_read_and_compiled_without_a_panic(
        at in 0..FULL.len(), cut in 0..12_usize, text in "[a-z0-9 .:{}\\[\\]\"'=+*-]{0,8}|\\PC{0,4}"
    ) {
        let boundary = |mut at: usize| { while !FULL.is_char_boundary(at) { at -= 1; } at };
        let (start, end) = (boundary(at), boundary((at + cut).min(FULL.len())));
        let mutated = format!("{}{text}{}", &FULL[..start], &FULL[end..]);
        if let Ok(program) = compiled(&mutated) {
            prop_assert_eq!(program.check(), Ok(()));
        }
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in any::<String>()) {
        let _ = read(&text);
        let _ = read(&format!("---\n{text}\n---\n"));
    }
}
