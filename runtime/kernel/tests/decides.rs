//! The kernel without any I/O: documents and news go in by hand, and a scripted model answers. What it must never do is tried here, by goals
//! that only look alike and by a model that is assumed hostile.

mod support;

use llmos_kernel::kernel::{Kernel, Settings};
use llmos_kernel::message::{
    Answer, AnswerCall, Caller, Fact, Input, News, Output, Pointed, Query, QueryExample, Report, Request, State,
    Status, Tokens,
};
use llmos_kernel::mode::Mode;
use llmos_kernel::tool::Type;
use support::{ARM, Arm, Case, Disk, POLICY, named, no_tool, word};

const MOVE: &str = "---\ntrace: move\ngoal: move the arm 30 cm to the left\npatterns:\n  - \"move arm {distance} to {direction}\"\nslots: { distance: length, direction: \"left|right|forward|back|up|down\" }\nsteps:\n  - arm.move: { direction: \"{direction}\", distance: \"{distance}\" }\nstatus: done\nmode: LEARNER\n---\n";
const PUT: &str = "---\ntrace: put\ngoal: pick up the red cube and put it in bin A\npatterns:\n  - \"pick up {object} and put it in {at}\"\nslots: { object: entity, at: place }\nsteps:\n  - arm.pick: { object: \"{object}\" }\n  - arm.place: { object: \"{object}\", at: \"{at}\" }\nstatus: done\nmode: LEARNER\n---\n";

/// The arm at home, with three things and two bins on its desk.
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
        ("blue cube", "object", [900_000, -300_000, 20_000]),
        ("green ball", "object", [1_100_000, 100_000, 20_000]),
        ("bin A", "place", [500_000, 600_000, 100_000]),
        ("bin B", "place", [500_000, -600_000, 100_000]),
    ] {
        readings.push(named(name, "kind", word(kind)));
        readings.push(named(name, "position", Fact::Point(at)));
    }
    State {
        progress: None,
        stopped: false,
        account: None,
        readings,
    }
}

fn kernel(traces: &[&str]) -> Kernel {
    let mut kernel = Kernel::new(Settings::default());
    let mut document = |path: &str, text: &str| {
        kernel.handle(
            0,
            Input::Document {
                path: path.to_owned(),
                text: text.to_owned(),
            },
        );
    };
    document("devices/arm.md", ARM);
    document("policy.toml", POLICY);
    for (index, trace) in traces.iter().enumerate() {
        document(&format!("traces/{index}.md"), trace);
    }
    let device = |news| Input::Device {
        device: "arm".to_owned(),
        news,
    };
    kernel.handle(0, device(News::Online));
    kernel.handle(0, device(News::State(state())));
    assert!(kernel.findings().values().all(Vec::is_empty), "{:?}", kernel.findings());
    kernel
}

/// What a goal led to: the report, and whether any command left.
struct Ended {
    report: Report,
    commands: Vec<Vec<(String, Fact)>>,
}

/// Runs a dry goal to its end with a model that answers as scripted.
fn ask(kernel: &mut Kernel, goal: &str, dry_run: bool, model: impl Fn(&Query) -> Answer) -> Ended {
    ask_with(kernel, goal, dry_run, None, model)
}

/// The same, with tools that come with the goal.
fn ask_with(
    kernel: &mut Kernel,
    goal: &str,
    dry_run: bool,
    tools: Option<&str>,
    model: impl Fn(&Query) -> Answer,
) -> Ended {
    let request = Request {
        dry_run,
        tools: tools.map(str::to_owned),
        ..Request::new(goal, Caller::Person)
    };
    kernel.handle(1, Input::Goal(request));
    let mut commands = Vec::new();
    for now in 2..2_000 {
        let mut inputs = Vec::new();
        while let Some(output) = kernel.poll() {
            match output {
                Output::Generate { request, query } => inputs.push(Input::Generated {
                    request,
                    answer: model(&query),
                }),
                Output::Command { arguments, .. } => commands.push(arguments),
                Output::Hook { request, .. } => inputs.push(Input::Verdict {
                    request,
                    verdict: llmos_kernel::message::Verdict::Pass,
                }),
                Output::Store { request, .. } | Output::Append { request, .. } => {
                    inputs.push(Input::Stored { request, error: None });
                }
                Output::Done(report) => {
                    return Ended {
                        report: *report,
                        commands,
                    };
                }
                _ => {}
            }
        }
        if inputs.is_empty() {
            inputs.push(Input::Stop { device: None });
        }
        for input in inputs {
            kernel.handle(now, input);
        }
    }
    panic!("{goal}: the run does not end");
}

#[test]
fn what_a_trace_accounts_for_is_followed() {
    for goal in [
        "move the arm 30 cm to the left",
        "Please move the arm half a metre to the right.",
        "move the arm by... 12 cm to the back",
        "pick up the blue cube and put it in bin B",
        "could you pick up the green ball and put it in bin A",
    ] {
        let ended = ask(&mut kernel(&[MOVE, PUT]), goal, true, no_tool);
        let followed = ended.report.mode == Some(Mode::Follower);
        assert_eq!(followed, !goal.contains("by..."), "{goal}: {}", ended.report.reason);
        assert!(!followed || ended.report.model_calls == 0);
    }
}

#[test]
fn what_only_looks_alike_is_never_followed() {
    for goal in [
        "do not move the arm 30 cm to the left",
        "don't move the arm 30 cm to the left",
        "never move the arm 30 cm to the left",
        "move the arm 30 cm to the left and open the gripper",
        "move the arm 30 cm to the left twice",
        "move the arm 30 degrees to the left",
        "move the arm 30 seconds to the left",
        "move the arm 30 to the left",
        "move the arm to the left",
        "move the arm 30 cm",
        "move the arm 30 cm from the left",
        "move the gripper 30 cm to the left",
        "turn the arm 30 cm to the left",
        "move the arm 30 cm to the left, no, stop",
        "first move the arm 30 cm to the left",
        "move the arm 30 cm to the left slowly",
        "do not pick up the red cube and put it in bin A",
        "pick up the red cube and put it in bin A and bin B",
        "pick up the red cube and put it on bin A",
        "pick up the red cube and throw it in bin A",
        "pick up the red cube",
        "put the red cube in bin A",
        "pick up the red cube or put it in bin A",
        "put it in bin A and pick up the red cube",
        "pick up bin A and put it in the red cube and open the gripper",
        "pick up the red cube and do not put it in bin A",
    ] {
        let ended = ask(&mut kernel(&[MOVE, PUT]), goal, true, no_tool);
        assert_ne!(
            ended.report.mode,
            Some(Mode::Follower),
            "{goal}: {}",
            ended.report.reason
        );
    }
}

#[test]
fn an_ambiguous_slot_asks() {
    let ended = ask(
        &mut kernel(&[PUT]),
        "pick up the cube and put it in bin A",
        true,
        no_tool,
    );
    assert_eq!(ended.report.status, Status::NeedsAnswer);
    assert!(
        ended
            .report
            .question
            .is_some_and(|question| question.contains("red cube") && question.contains("blue cube"))
    );
}

#[test]
fn a_trace_that_did_not_succeed_is_never_followed() {
    for status in ["failed", "stopped", "unverified", "refused"] {
        let trace = MOVE.replace("status: done", &format!("status: {status}"));
        let ended = ask(&mut kernel(&[&trace]), "move the arm 30 cm to the left", true, no_tool);
        assert_ne!(ended.report.mode, Some(Mode::Follower), "{status}");
    }
}

/// Every call that a model could make of one tool, whether its arguments make sense or not.
fn every_call(query: &Query) -> Vec<AnswerCall> {
    let places = [(0, 4), (0, query.goal.len()), (5, 9), (query.goal.len(), usize::MAX)];
    let mut pointed: Vec<Pointed> = places.map(|(start, end)| Pointed::Span { start, end }).to_vec();
    pointed.extend(query.spans.iter().map(|span| Pointed::Span {
        start: span.start,
        end: span.end,
    }));
    pointed.extend([
        Pointed::Choice(0),
        Pointed::Choice(5),
        Pointed::Choice(usize::MAX),
        Pointed::Absent,
    ]);
    let mut calls = Vec::new();
    for tool in (0..query.tools.len()).chain([usize::MAX]) {
        for first in &pointed {
            for second in &pointed {
                calls.push(AnswerCall {
                    tool,
                    arguments: vec![*first, *second],
                });
            }
        }
    }
    calls
}

/// Whether an argument that left lies in the arm's limits, written without the gate's code.
fn is_within(name: &str, fact: &Fact) -> bool {
    match fact {
        Fact::Point([x, y, z]) => {
            let low = [*x, *y].iter().all(|axis| axis.abs() <= 2_000_000) && (0..=3_000_000).contains(z);
            let squares = [*x, *y, z - 400_000]
                .iter()
                .map(|axis| i128::from(*axis).pow(2))
                .sum::<i128>();
            low && squares > 300_000_i128.pow(2)
        }
        Fact::Number(micro) if name == "value" => micro.abs() <= 500_000,
        Fact::Number(micro) if name == "distance" => *micro == 300_000,
        Fact::Number(_) => false,
        Fact::Bool(_) | Fact::Text(_) | Fact::Nothing => true,
    }
}

#[test]
fn the_check_of_limits_can_fail() {
    assert!(!is_within("to", &Fact::Point([5_000_000, 0, 1_000_000])));
    assert!(!is_within("to", &Fact::Point([0, 0, 400_000])));
    assert!(!is_within("value", &Fact::Number(9_000_000)));
    assert!(is_within("to", &Fact::Point([800_000, 0, 1_200_000])));
}

#[test]
fn a_hostile_model_gets_no_number_out_that_nobody_said() {
    for goal in [
        "move the arm 30 cm to the left",
        "go to (5, 0, 1)",
        "go to (0, 0, 0.4)",
        "do the dishes",
        "set the speed to 9 m/s",
    ] {
        let query = std::cell::RefCell::new(None);
        ask(&mut kernel(&[]), goal, true, |asked| {
            query.replace(Some(asked.clone()));
            no_tool(asked)
        });
        let Some(query) = query.into_inner() else {
            panic!("{goal}: the model was not asked")
        };
        for call in every_call(&query) {
            let answer = Answer::Calls {
                calls: vec![call.clone()],
                tokens: Tokens::default(),
            };
            let ended = ask(&mut kernel(&[]), goal, false, |_| answer.clone());
            for (name, fact) in ended.commands.iter().flatten() {
                assert!(is_within(name, fact), "{goal}: {call:?} sent {name} {fact:?}");
            }
            for argument in ended.report.plan.calls.iter().flat_map(|call| &call.arguments) {
                let shown = argument.value.to_string();
                let number = shown.chars().any(|c| c.is_ascii_digit());
                assert!(
                    !number || ["0.3 m", "(5, 0, 1)", "(0, 0, 0.4)", "9 m/s"].contains(&shown.as_str()),
                    "{goal}: {shown}"
                );
            }
        }
    }
}

/// The example of the query that a goal led to, if one did.
fn example_for(traces: &[&str], goal: &str) -> (Option<Mode>, Option<QueryExample>) {
    let seen = std::cell::RefCell::new(None);
    let ended = ask(&mut kernel(traces), goal, true, |query| {
        seen.replace(query.example.clone());
        no_tool(query)
    });
    (ended.report.mode, seen.into_inner())
}

#[test]
fn a_near_trace_is_shown_to_the_model_with_the_calls_that_met_it() {
    let (mode, example) = example_for(&[MOVE, PUT], "drive the arm 12 cm to the right");
    assert_eq!(mode, Some(Mode::Mixed));
    let example = example.expect("an example");
    assert_eq!(example.goal, "move the arm 30 cm to the left");
    let [call] = example.calls.as_slice() else {
        panic!("one call: {:?}", example.calls);
    };
    assert_eq!(call.arguments[0], Pointed::Choice(0), "left");
    let Pointed::Span { start, end } = call.arguments[1] else {
        panic!("the distance is a span");
    };
    assert_eq!(&example.goal[start..end], "30 cm");
}

#[test]
fn a_far_trace_is_no_example() {
    for goal in ["open the gripper", "pick up the red cube"] {
        let (mode, example) = example_for(&[MOVE], goal);
        assert_eq!((mode, example), (Some(Mode::Learner), None), "{goal}");
    }
    // What the near trace's own goal names is gone, so its calls cannot be shown.
    let gone = PUT.replace("red cube", "glass ball");
    let (mode, example) = example_for(&[&gone], "pick up the blue cube and lay it in bin B");
    assert_eq!((mode, example), (Some(Mode::Learner), None));
    assert_eq!(
        example_for(&[PUT], "pick up the blue cube and lay it in bin B").0,
        Some(Mode::Mixed)
    );
}

/// A model that overlooks a thing or a place that the goal names has not understood it.
#[test]
fn a_name_that_the_plan_leaves_out_is_asked_about() {
    let goal = "pick up the red cube, place it on the shelf, then put it back in bin A";
    let pick = |query: &Query, words: &str| AnswerCall {
        tool: query
            .tools
            .iter()
            .position(|tool| tool.name == "pick")
            .expect("the tool"),
        arguments: vec![{
            let start = query.goal.find(words).expect("words of the goal");
            let end = start + words.len();
            Pointed::Span { start, end }
        }],
    };
    let answers = |query: &Query| Answer::Calls {
        calls: vec![pick(query, "red cube")],
        tokens: Tokens::default(),
    };
    let ended = ask(&mut kernel(&[]), goal, true, answers);
    assert_eq!(ended.report.status, Status::NeedsAnswer, "{}", ended.report.reason);
    assert!(ended.report.reason.contains("bin A"), "{}", ended.report.reason);
    let enough = ask(
        &mut kernel(&[]),
        "pick up the red cube, the red cube please",
        true,
        answers,
    );
    assert_eq!(enough.report.status, Status::Done, "{}", enough.report.reason);
}

/// The words of the goal as a span.
fn pointed(query: &Query, words: &str) -> Pointed {
    let start = query.goal.find(words).expect("words of the goal");
    let end = start + words.len();
    Pointed::Span { start, end }
}

/// Tools of other programs take names as texts and numbers in their own units.
#[test]
fn foreign_tools_get_what_it_means_and_their_units() {
    let tools = r#"[
        {"name":"fetch","parameters":{"type":"object","properties":{"item":{"type":"string"}},"required":["item"]}},
        {"name":"carry","parameters":{"type":"object","properties":{"item":{"type":"string"},"to":{"type":"string"}},"required":["item","to"]}},
        {"name":"lift","parameters":{"type":"object","properties":{
            "height":{"type":"number","description":"how far, in cm"}},"required":["height"]}},
        {"name":"dim","parameters":{"type":"object","properties":{"level_percent":{"type":"integer"}},"required":["level_percent"]}}]"#;
    let goal = "fetch the cup, lift by 20, lift 1 m, dim to half and carry it to the sink";
    let planned = ask_with(&mut kernel(&[]), goal, true, Some(tools), |query| {
        let call = |tool: usize, words: &[&str]| AnswerCall {
            tool,
            arguments: words.iter().map(|words| pointed(query, words)).collect(),
        };
        Answer::Calls {
            calls: vec![
                call(0, &["cup"]),
                call(2, &["20"]),
                call(2, &["1 m"]),
                call(3, &["half"]),
                call(1, &["it", "sink"]),
            ],
            tokens: Tokens::default(),
        }
    });
    assert_eq!(planned.report.status, Status::Done, "{}", planned.report.reason);
    assert_eq!(
        planned.report.calls.as_deref(),
        Some(
            r#"[{"name":"fetch","arguments":{"item":"cup"}},{"name":"lift","arguments":{"height":20}},{"name":"lift","arguments":{"height":100}},{"name":"dim","arguments":{"level_percent":50}},{"name":"carry","arguments":{"item":"cup","to":"sink"}}]"#
        )
    );
}

/// A call as a test writes it: which tool, and the words that its arguments point at.
type Scripted = (usize, &'static [&'static str]);

/// A goal, what the model points at, and what comes of it.
const SAID: &[(&str, &[Scripted], &str)] = &[
    ("press the bell twice", &[(0, &["bell"])], "press(bell) press(bell)"),
    (
        "press the bell three times",
        &[(0, &["bell"]), (0, &["bell"])],
        "press(bell) press(bell) press(bell)",
    ),
    ("press the bell 30 times", &[(0, &["bell"])], "? at most 12 steps"),
    (
        "press the bell twice and circle the tower",
        &[(0, &["bell"]), (0, &["bell"]), (1, &["tower"])],
        "press(bell) press(bell) circle(tower)",
    ),
    (
        "press the bell twice and circle the tower",
        &[(0, &["bell"]), (1, &["tower"])],
        "? the plan found no use for \"twice\"",
    ),
    (
        "circle the tower three times",
        &[(1, &["tower", "three"])],
        "circle(tower, 3)",
    ),
    (
        "circle the tower 12 times",
        &[(1, &["tower", "12"])],
        "circle(tower, 12)",
    ),
    ("spin at 3000 rpm", &[(2, &["3000"])], "spin(3000)"),
    (
        "tell anna not to wait",
        &[(3, &["anna", "not to wait"])],
        "tell(anna, not to wait)",
    ),
    (
        "tell anna dinner is ready, do not press the bell",
        &[(3, &["anna", "dinner is ready"])],
        "? the goal says both",
    ),
    (
        "press the bell without waiting",
        &[(0, &["bell without waiting"])],
        "? the goal says both",
    ),
    ("press the bell, i cannot reach it", &[(0, &["bell"])], "press(bell)"),
    (
        "pull the roll out of the hole and hang it on the nail",
        &[(4, &["hole", "roll"]), (5, &["it", "nail"])],
        "take_out(hole, roll) hang(roll, nail)",
    ),
    ("never go faster than 2 m/s", &[(7, &["2 m/s"])], "speed_limit(2)"),
    (
        "drive 1 m/s and never faster than 2 m/s",
        &[(8, &["1 m/s"]), (7, &["2 m/s"])],
        "drive(1) speed_limit(2)",
    ),
    (
        "never go faster than 2 m/s",
        &[(8, &["2 m/s"])],
        "? the goal sets a limit",
    ),
    (
        "never go at 2 m/s",
        &[(7, &["2 m/s"])],
        "? the goal says what not to do",
    ),
    (
        "press the bell, but no faster than 2 m/s",
        &[(0, &["bell"])],
        "? the goal says both",
    ),
    (
        "it is late, press the bell",
        &[(0, &["bell"]), (0, &["bell"])],
        "press(bell)",
    ),
    (
        "press the bell and press the bell",
        &[(0, &["bell"]), (0, &["bell"])],
        "press(bell) press(bell)",
    ),
    (
        "press the bell, and again",
        &[(0, &["bell"]), (0, &["bell"])],
        "press(bell) press(bell)",
    ),
    (
        "point with the left hand at the boy with his right arm up",
        &[(10, &["left", "boy with his right arm up"])],
        "point(left, boy with his right arm up)",
    ),
    (
        "point at the boy with his right arm up to the left of me",
        &[(10, &["right", "boy with his right arm up"])],
        "? the plan found no use for \"left\"",
    ),
    (
        "point at the boy with the left hand on his right arm",
        &[(10, &["left", "boy with the left hand on his right arm"])],
        "? the goal says right",
    ),
    ("hang it on the nail", &[(5, &["it", "nail"])], "hang(it, nail)"),
    (
        "meet anna at the door and guide her",
        &[(6, &["door", "anna"]), (9, &["her"])],
        "meet(door, anna) guide(anna)",
    ),
    (
        "tell anna that dinner is ready and guide her",
        &[(3, &["anna", "dinner is ready"]), (9, &["her"])],
        "tell(anna, dinner is ready) guide(anna)",
    ),
];

/// What code makes of words that the model only points at: how often, whom, how many turns a minute, and what is handed on.
#[test]
fn counts_pronouns_and_messages_mean_what_they_say() {
    let tools = r#"[
        {"name":"press","parameters":{"type":"object","properties":{"button":{"type":"string"}},"required":["button"]}},
        {"name":"circle","parameters":{"type":"object","properties":{"object":{"type":"string"},"times":{"type":"integer"}},"required":["object"]}},
        {"name":"spin","parameters":{"type":"object","properties":{"value":{"type":"integer"}},"required":["value"]}},
        {"name":"tell","parameters":{"type":"object","properties":{"person":{"type":"string"},"message":{"type":"string"}},"required":["person","message"]}},
        {"name":"take_out","parameters":{"type":"object","properties":{"from":{"type":"string"},"item":{"type":"string"}},"required":["from","item"]}},
        {"name":"hang","parameters":{"type":"object","properties":{"item":{"type":"string"},"hook":{"type":"string"}},"required":["item","hook"]}},
        {"name":"meet","parameters":{"type":"object","properties":{"where":{"type":"string"},"person":{"type":"string"}},"required":["where","person"]}},
        {"name":"speed_limit","description":"set how fast it may go at most","parameters":{"type":"object","properties":{"speed":{"type":"number","x-unit":"m/s"}},"required":["speed"]}},
        {"name":"drive","description":"set the speed","parameters":{"type":"object","properties":{"speed":{"type":"number","x-unit":"m/s"}},"required":["speed"]}},
        {"name":"guide","parameters":{"type":"object","properties":{"person":{"type":"string"}},"required":["person"]}},
        {"name":"point","parameters":{"type":"object","properties":{"hand":{"type":"string","enum":["left","right"]},"at":{"type":"string"}},"required":["hand","at"]}}]"#;
    for (goal, calls, expected) in SAID {
        let planned = ask_with(&mut kernel(&[]), goal, true, Some(tools), |query| {
            let call = |(tool, words): &Scripted| {
                let parameters = &query.tools[*tool].parameters;
                let argument = |(words, (_, kind, _)): (&&str, &(String, Type, bool))| match kind {
                    Type::Enumeration(options) => {
                        Pointed::Choice(options.iter().position(|option| option == words).expect("an option"))
                    }
                    _ => pointed(query, words),
                };
                let mut arguments: Vec<Pointed> = words.iter().zip(parameters).map(argument).collect();
                arguments.resize(parameters.len(), Pointed::Absent);
                AnswerCall { tool: *tool, arguments }
            };
            Answer::Calls {
                calls: calls.iter().map(call).collect(),
                tokens: Tokens::default(),
            }
        });
        let shown = match planned.report.calls.as_deref() {
            Some(calls) => shown(calls),
            None => format!("? {}", planned.report.reason),
        };
        assert!(
            shown.starts_with(expected),
            "{goal}: expected {expected}, found {shown}"
        );
    }
}

/// `name(value, value) name(value)`.
fn shown(calls: &str) -> String {
    let calls: serde_json::Value = serde_json::from_str(calls).expect("JSON");
    let one = |call: &serde_json::Value| {
        let values = call["arguments"].as_object().expect("an object").values();
        let values: Vec<String> = values.map(|value| value.to_string().replace('"', "")).collect();
        format!("{}({})", call["name"].as_str().expect("a name"), values.join(", "))
    };
    let calls: Vec<String> = calls.as_array().expect("a list").iter().map(one).collect();
    calls.join(" ")
}

/// Carries a goal out with an arm at home, and returns the report and what the shell was told to keep.
fn carry_out(kernel: &mut Kernel, goal: &str, model: impl Fn(&Query) -> Answer) -> (Report, Vec<Output>) {
    let case = Case {
        model: &model,
        ..Case::default()
    };
    let ended = support::carry_out(kernel, &mut Arm::new(), &mut Disk::new(), support::request(goal), &case);
    let ended = ended.expect("an end");
    (ended.report, ended.kept)
}

#[test]
fn other_words_for_the_same_deed_become_one_more_pattern() {
    let mut kernel = kernel(&[]);
    let gripper = |query: &Query| Answer::Calls {
        calls: vec![AnswerCall {
            tool: query
                .tools
                .iter()
                .position(|tool| tool.name == "gripper")
                .expect("offered"),
            arguments: vec![Pointed::Choice(1)],
        }],
        tokens: Tokens::default(),
    };
    let (first, kept) = carry_out(&mut kernel, "close the gripper", gripper);
    assert_eq!(
        (first.status, first.mode),
        (Status::Done, Some(Mode::Learner)),
        "{}",
        first.reason
    );
    let stored = kept.iter().find_map(|output| match output {
        Output::Store { text, .. } => Some(text.as_str()),
        _ => None,
    });
    let stored = stored.expect("a trace is kept");
    assert!(
        stored.contains("    observed: met\n") && stored.contains("cost: { tokens: 0, ms: "),
        "{stored}"
    );
    let trace = first.trace.expect("a trace");
    kernel.handle(
        1,
        Input::Device {
            device: "arm".to_owned(),
            news: News::State(state()),
        },
    );
    let (second, kept) = carry_out(&mut kernel, "shut the gripper", gripper);
    assert_eq!(second.mode, Some(Mode::Learner), "{}", second.reason);
    assert_eq!(second.trace.as_ref(), Some(&trace));
    assert!(
        kept.iter().all(|output| !matches!(output, Output::Store { .. })),
        "{kept:?}"
    );
    let amended = kept.iter().find_map(|output| match output {
        Output::Amend {
            path, pattern, note, ..
        } => Some((path.clone(), pattern.clone(), note.clone())),
        _ => None,
    });
    let (path, pattern, note) = amended.expect("one more pattern");
    assert_eq!((path, pattern.as_str()), (format!("traces/{trace}.md"), "shut gripper"));
    assert!(
        note.contains("shut the gripper") && note.contains("2026-11-21"),
        "{note}"
    );
    kernel.handle(
        1,
        Input::Device {
            device: "arm".to_owned(),
            news: News::State(state()),
        },
    );
    let (third, _) = carry_out(&mut kernel, "please shut the gripper", no_tool);
    assert_eq!(
        (third.mode, third.model_calls),
        (Some(Mode::Follower), 0),
        "{}",
        third.reason
    );
    // What it learned of one deed it knows of another that contains it.
    let synonyms: Vec<String> = kernel
        .traces()
        .synonyms()
        .map(|synonym| synonym.deed.join(","))
        .collect();
    assert_eq!(synonyms, ["arm.gripper(state: closed)"]);
}

#[test]
fn a_run_that_was_not_seen_to_succeed_teaches_no_words() {
    let close = "---\ntrace: close\ngoal: close the gripper\npatterns:\n  - close gripper\nslots: {}\nsteps:\n  - arm.gripper: { state: closed }\nstatus: done\nmode: LEARNER\n---\n";
    let mut kernel = kernel(&[close]);
    let open = |query: &Query| Answer::Calls {
        calls: vec![AnswerCall {
            tool: query
                .tools
                .iter()
                .position(|tool| tool.name == "gripper")
                .expect("offered"),
            arguments: vec![Pointed::Choice(0)],
        }],
        tokens: Tokens::default(),
    };
    // Another deed: a trace of its own, or none since it is so already.
    let (report, kept) = carry_out(&mut kernel, "shut the gripper", open);
    assert!(
        kept.iter().all(|output| !matches!(output, Output::Amend { .. })),
        "{report:?}"
    );
    let (refused, kept) = carry_out(&mut kernel, "shut the gripper", no_tool);
    assert_eq!(refused.status, Status::NoTool);
    assert!(kept.is_empty());
}

#[test]
fn what_changed_in_a_manifest_since_is_named() {
    let mut kernel = kernel(&[]);
    let speed = |query: &Query| Answer::Calls {
        calls: vec![AnswerCall {
            tool: query
                .tools
                .iter()
                .position(|tool| tool.name == "gripper")
                .expect("offered"),
            arguments: vec![Pointed::Choice(1)],
        }],
        tokens: Tokens::default(),
    };
    let (first, _) = carry_out(&mut kernel, "close the gripper", speed);
    assert_eq!(first.status, Status::Done, "{}", first.reason);
    let mut changed = |from: &str, to: &str| {
        assert!(ARM.contains(from), "{from}");
        let document = Input::Document {
            path: "devices/arm.md".to_owned(),
            text: ARM.replace(from, to),
        };
        kernel.handle(1, document);
        while kernel.poll().is_some() {}
        let request = Request {
            dry_run: true,
            ..Request::new("close the gripper", Caller::Person)
        };
        kernel.handle(1, Input::Goal(request));
        let warnings = std::iter::from_fn(|| kernel.poll()).filter_map(|output| match output {
            Output::Tell(llmos_kernel::message::Event::Warning { text }) => Some(text),
            _ => None,
        });
        warnings.collect::<Vec<String>>().join("\n")
    };
    assert_eq!(
        changed("Open or close the gripper", "Move the fingers"),
        "",
        "a description changes nothing"
    );
    assert_eq!(changed("Move the arm by a distance", "Shift the arm by a distance"), "");
    let named = changed("max_speed: \"0.5 m/s\"", "max_speed: \"0.4 m/s\"");
    assert!(
        named.contains("arm.limits") && !named.contains("arm.gripper"),
        "{named}"
    );
    let named = changed(
        "after: gripper == state\n    idempotent: true",
        "after: gripper == state",
    );
    assert!(
        named.contains("arm.gripper") && !named.contains("arm.limits"),
        "{named}"
    );
}

#[test]
fn words_are_not_added_to_a_trace_that_also_says_how() {
    let close = "---\ntrace: close\ngoal: close the gripper\npatterns:\n  - close gripper\nslots: {}\nstart: { arm: gripper == open }\nsteps:\n  - arm.gripper: { state: closed }\nstatus: done\nmode: LEARNER\n---\n";
    let mut kernel = kernel(&[close]);
    let shut = |query: &Query| Answer::Calls {
        calls: vec![AnswerCall {
            tool: query
                .tools
                .iter()
                .position(|tool| tool.name == "gripper")
                .expect("offered"),
            arguments: vec![Pointed::Choice(1)],
        }],
        tokens: Tokens::default(),
    };
    let (report, kept) = carry_out(&mut kernel, "shut the gripper", shut);
    assert_eq!(report.status, Status::Done, "{}", report.reason);
    assert_ne!(report.trace.as_deref(), Some("close"));
    assert!(
        kept.iter().any(|output| matches!(output, Output::Store { .. })),
        "{kept:?}"
    );
    assert!(
        !kept.iter().any(|output| matches!(output, Output::Amend { .. })),
        "{kept:?}"
    );
}
