//! Work that was kept gives the same bits as work done again.

mod support;

use llmos_models::{
    Argument, Call, Example, LocalModel, ModelError, Outcome, ParameterKind, ParameterSpec, PlanReply, PlanRequest,
    Planner, Shortcuts, Span, SpanKind, Tokens, ToolSpec,
};

fn model() -> LocalModel {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), support::random_model(7).bytes()).expect("written");
    LocalModel::open(file.path()).expect("a model")
}

fn tools() -> Vec<ToolSpec> {
    let parameter = |name: &str, kind| ParameterSpec {
        name: name.into(),
        kind,
        required: true,
    };
    let directions = ["left", "right", "up", "down"].map(str::to_owned).to_vec();
    vec![
        ToolSpec {
            name: "move".into(),
            does: "Move the arm by a distance".into(),
            parameters: vec![
                parameter("direction", ParameterKind::Enumeration(directions)),
                parameter("distance", ParameterKind::Quantity("length".into())),
            ],
        },
        ToolSpec {
            name: "say_aloud".into(),
            does: "Say a text".into(),
            parameters: vec![parameter("words", ParameterKind::Text)],
        },
        ToolSpec {
            name: "stop".into(),
            does: "Stop everything".into(),
            parameters: vec![],
        },
    ]
}

/// The distance that a goal states, if it does.
fn spans(goal: &str) -> Vec<Span> {
    let span = |start| Span {
        start,
        end: start + 5,
        kind: SpanKind::Quantity("length".into()),
    };
    goal.find("30 cm").map(span).into_iter().collect()
}

fn plan(model: &mut LocalModel, tools: &[ToolSpec], goal: &str) -> PlanReply {
    let spans = spans(goal);
    model
        .plan(&PlanRequest {
            tools,
            goal,
            spans: &spans,
            example: None,
            calls_max: 4,
        })
        .expect("a plan")
}

/// Of a vocabulary of bytes, with the space before it and its two marks: what is computed anew for each goal.
fn goal_tokens(goal: &str) -> usize {
    goal.len() + 3
}

fn without_cache(mut reply: PlanReply) -> PlanReply {
    reply.tokens.cached = 0;
    reply
}

#[test]
fn a_kept_tool_list_gives_the_same_plan_as_a_fresh_one() {
    let (tools, mut kept, mut fresh) = (tools(), model(), model());
    let other = &tools[..2];
    let goals = [
        "move the arm 30 cm to the left",
        "say hello to the people",
        "move the arm 30 cm up",
        "move the arm 30 cm up and stop",
        "stop",
        "stop",
    ];
    for goal in goals.iter().chain(&goals) {
        fresh.forget();
        let expected = plan(&mut fresh, &tools, goal);
        assert_eq!(expected.tokens.cached, 0);
        assert_eq!(without_cache(plan(&mut kept, &tools, goal)), expected, "{goal}");
        // Another tool list in between must not disturb the first.
        plan(&mut kept, other, goal);
    }
    let goal = "stop it now";
    let again = plan(&mut kept, &tools, goal).tokens;
    assert_eq!(
        again.prompt - again.cached,
        goal_tokens(goal),
        "all but the goal is reused"
    );
}

#[test]
fn a_prompt_that_does_not_fit_says_by_how_much() {
    let goal = "move ".repeat(2_000);
    let request = PlanRequest {
        tools: &tools(),
        goal: &goal,
        spans: &[],
        example: None,
        calls_max: 4,
    };
    let error = model().plan(&request).expect_err("too long");
    assert!(matches!(error, ModelError::ContextOverflow { needed, context_max: 1_024, .. } if needed > 2_000));
    let message = error.to_string();
    assert!(message.contains("more than the 1024 that the model holds"), "{message}");
}

#[test]
fn without_tools_nothing_is_computed() {
    let reply = plan(&mut model(), &[], "move the arm");
    assert_eq!(reply.outcome, Outcome::NoTool);
    assert_eq!((reply.tokens.generated, reply.tokens.forced), (0, 1));
}

#[test]
fn scores_do_not_depend_on_what_follows() {
    let mut model = model();
    let tokens: Vec<u32> = (0..600).map(|index| (index * 37 + 11) % 320).collect();
    let whole = model.score(&tokens).expect("scores");
    for length in [2, 3, 17, 256, 257, 599] {
        assert_eq!(
            model.score(&tokens[..length]).expect("scores"),
            whole[..length - 1],
            "{length} tokens"
        );
    }
    assert!(model.score(&[1]).is_err());
    assert!(model.score(&[1, 320]).is_err());
}

#[test]
fn an_example_goes_before_the_goal_and_must_fit_the_tools() {
    let (tools, mut model) = (tools(), model());
    let past = "go 5 cm up then say hi there";
    let span = |text: &str| {
        let start = past.find(text).expect("text of the past goal");
        Argument::Span {
            start,
            end: start + text.len(),
        }
    };
    let calls = vec![
        Call {
            tool: 0,
            arguments: vec![Argument::Option(2), span("5 cm")],
        },
        Call {
            tool: 1,
            arguments: vec![span("hi there")],
        },
    ];
    let mut ask = |example: &Example| {
        model.plan(&PlanRequest {
            tools: &tools,
            goal: "stop",
            spans: &[],
            example: Some(example),
            calls_max: 2,
        })
    };
    let right = Example {
        goal: past.into(),
        calls,
    };
    let tokens = ask(&right).expect("a plan").tokens;
    assert_eq!(
        ask(&right).expect("a plan").tokens,
        Tokens {
            cached: tokens.prompt - goal_tokens("stop"),
            ..tokens
        },
        "kept whole"
    );
    let lies: [fn(&mut Example); 4] = [
        |example| example.calls[0].tool = 3,
        |example| example.calls[1].arguments.clear(),
        |example| example.calls[0].arguments[0] = Argument::Option(4),
        |example| example.calls[1].arguments[0] = Argument::Span { start: 3, end: 300 },
    ];
    for lie in lies {
        let mut wrong = right.clone();
        lie(&mut wrong);
        assert!(matches!(ask(&wrong), Err(ModelError::BadExample { .. })), "{wrong:?}");
    }
}

/// Every way of saving work gives the plan that plain greedy choosing gives, token for token.
#[test]
fn shortcuts_change_the_cost_and_not_the_plan() {
    let plain = Shortcuts {
        kept_prefix: false,
        jump_forward: false,
        draft: false,
    };
    let ways = [
        Shortcuts {
            jump_forward: true,
            ..plain
        },
        Shortcuts { draft: true, ..plain },
        Shortcuts {
            kept_prefix: true,
            ..plain
        },
        Shortcuts::default(),
    ];
    let tools = tools();
    let past = "go 5 cm up then say hi there";
    let example = |calls: Vec<Call>| Example {
        goal: past.into(),
        calls,
    };
    let moved = |option: usize| Call {
        tool: 0,
        arguments: vec![Argument::Option(option), Argument::Span { start: 3, end: 7 }],
    };
    let said = Call {
        tool: 1,
        arguments: vec![Argument::Span { start: 20, end: 28 }],
    };
    let stopped = Call {
        tool: 2,
        arguments: vec![],
    };
    let examples = [
        example(vec![]),
        example(vec![moved(1)]),
        example(vec![moved(3), said.clone()]),
        example(vec![stopped, said, moved(0)]),
    ];
    let goals = [
        "move the arm 30 cm to the left",
        "say hello to the people",
        "stop",
        "30 cm up then stop",
    ];
    let mut models = [model(), model(), model(), model(), model()];
    let mut drafted = 0;
    for (example, goal) in examples.iter().flat_map(|example| goals.map(|goal| (example, goal))) {
        let spans = spans(goal);
        let request = PlanRequest {
            tools: &tools,
            goal,
            spans: &spans,
            example: Some(example),
            calls_max: 4,
        };
        models[4].set_shortcuts(plain);
        let expected = models[4].plan(&request).expect("a plan");
        for (model, shortcuts) in models.iter_mut().zip(ways) {
            model.set_shortcuts(shortcuts);
            let reply = model.plan(&request).expect("a plan");
            drafted += reply.tokens.drafted;
            let found = (
                &reply.calls,
                reply.outcome,
                reply.confidence.to_bits(),
                reply.tokens.generated,
            );
            let plainly = (
                &expected.calls,
                expected.outcome,
                expected.confidence.to_bits(),
                expected.tokens.generated,
            );
            assert_eq!(found, plainly, "{goal} with {shortcuts:?}");
        }
    }
    assert!(
        drafted > 0,
        "some draft was right, so that the comparison says something"
    );
}

fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

#[test]
fn a_snapshot_gives_the_next_process_the_same_plan() {
    let folder = tempfile::tempdir().expect("a folder");
    let (tools, goal) = (tools(), "move the arm 30 cm to the left");
    let expected = plan(&mut model(), &tools, goal);
    let with_snapshots = || {
        let mut model = model();
        model.keep_snapshots(folder.path().to_owned());
        plan(&mut model, &tools, goal)
    };
    assert_eq!(with_snapshots(), expected, "the first computes");
    let saved = files(folder.path());
    assert_eq!(saved.len(), 1, "and saves, without leftovers: {saved:?}");
    let second = with_snapshots();
    assert!(second.tokens.cached > 32, "{:?}", second.tokens);
    assert_eq!(without_cache(second), expected);

    let right = std::fs::read(&saved[0]).expect("the snapshot");
    for position in [0, 8, 40, right.len() / 2, right.len() - 1] {
        let mut wrong = right.clone();
        wrong[position] ^= 4;
        std::fs::write(&saved[0], &wrong).expect("written");
        assert_eq!(with_snapshots(), expected, "byte {position} differs: computed again");
        assert!(
            std::fs::read(&saved[0]).expect("the snapshot") == right,
            "and saved anew"
        );
    }
    std::fs::write(&saved[0], &right[..100]).expect("written");
    assert_eq!(with_snapshots(), expected, "cut short");

    let mut other = LocalModel::randomised(None, 3).expect("another model");
    other.keep_snapshots(folder.path().to_owned());
    assert_eq!(
        plan(&mut other, &tools, goal).tokens.cached,
        0,
        "a snapshot is of one model only"
    );
}

#[test]
fn where_no_snapshot_can_be_written_the_model_goes_on() {
    let file = tempfile::NamedTempFile::new().expect("a file where the folder should be");
    let mut model = model();
    model.keep_snapshots(file.path().to_owned());
    assert_eq!(
        plan(&mut model, &tools(), "stop"),
        plan(&mut self::model(), &tools(), "stop")
    );
}

/// The folder in which the child of the next test may write a little, and its model.
const SMALL_DISK: &str = "LLMOS_TEST_SMALL_DISK";
const MODEL: &str = "LLMOS_TEST_MODEL";

/// The test starts itself again as a process that the operating system lets write files of half a kilobyte, as a full disk would.
#[cfg(unix)]
#[test]
fn on_a_full_disk_the_model_goes_on_and_leaves_no_part_of_a_snapshot() {
    if let (Some(folder), Some(file)) = (std::env::var_os(SMALL_DISK), std::env::var_os(MODEL)) {
        return plan_on_a_small_disk(std::path::PathBuf::from(folder), std::path::Path::new(&file));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), support::random_model(1).bytes()).expect("a model");
    let child = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$0\" --exact \"$1\""])
        .arg(std::env::current_exe().expect("this program"))
        .arg("on_a_full_disk_the_model_goes_on_and_leaves_no_part_of_a_snapshot")
        .env(SMALL_DISK, folder.path())
        .env(MODEL, file.path())
        .output()
        .expect("a child");
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
    assert_eq!(files(folder.path()), Vec::<std::path::PathBuf>::new());
}

#[cfg(unix)]
fn plan_on_a_small_disk(folder: std::path::PathBuf, file: &std::path::Path) {
    let large = std::fs::write(folder.join("large"), vec![0; 1 << 16]);
    assert!(large.is_err(), "the disk should be full");
    std::fs::remove_file(folder.join("large")).expect("what little was written");
    let [mut model, mut other] = [(); 2].map(|()| LocalModel::open(file).expect("a model"));
    model.keep_snapshots(folder);
    let goal = "move the arm 30 cm to the left";
    assert_eq!(plan(&mut model, &tools(), goal), plan(&mut other, &tools(), goal));
}
