//! Models that were not made for planning write JSON, and can write nothing that the request does not hold. The weights are
//! random, so every choice that the grammar leaves is taken somewhere.

mod support;

use llmos_models::{
    Argument, Call, Example, LocalModel, ModelError, Outcome, ParameterKind, ParameterSpec, PlanReply, PlanRequest,
    Planner, Shortcuts, Span, SpanKind, ToolSpec,
};
use support::{Draft, Storage, parity_model};

fn open(draft: &Draft) -> LocalModel {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), draft.bytes()).expect("written");
    LocalModel::open(file.path()).expect("a model")
}

/// A model of an architecture whose vocabulary has these control tokens in place of its first ones.
fn speaking(architecture: &str, seed: u64, controls: &[&str]) -> LocalModel {
    let mut draft = parity_model(architecture, Storage::Q8, seed, None);
    let mut tokens = support::vocabulary();
    for (token, control) in tokens.iter_mut().zip(controls) {
        (*control).clone_into(token);
    }
    draft.set("tokenizer.ggml.tokens", 9, &support::strings(&tokens));
    open(&draft)
}

fn parameter(name: &str, kind: ParameterKind) -> ParameterSpec {
    ParameterSpec {
        name: name.trim_end_matches('?').into(),
        kind,
        required: !name.ends_with('?'),
    }
}

fn tools() -> Vec<ToolSpec> {
    let tool = |name: &str, parameters| ToolSpec {
        name: name.into(),
        does: format!("{name} something"),
        parameters,
    };
    let directions = ["left", "right \"now\"", "up"].map(str::to_owned).to_vec();
    vec![
        tool(
            "move",
            vec![
                parameter("direction", ParameterKind::Enumeration(directions)),
                parameter("distance", ParameterKind::Quantity("length".into())),
                parameter("slowly?", ParameterKind::Boolean),
            ],
        ),
        tool(
            "carry",
            vec![
                parameter("object", ParameterKind::Entity),
                parameter("to", ParameterKind::Place),
            ],
        ),
        tool("say", vec![parameter("text", ParameterKind::Text)]),
        tool(
            "heat",
            vec![parameter("to", ParameterKind::Quantity("temperature".into()))],
        ),
        tool("stop", vec![]),
    ]
}

const GOAL: &str = "move 30 cm up, say \"h\u{e9}llo\" and carry the red cube to bin A 30 cm";

fn spans() -> Vec<Span> {
    let at = |text: &str, nth: usize, kind: SpanKind| {
        let (start, found) = GOAL.match_indices(text).nth(nth).expect("a part of the goal");
        Span {
            start,
            end: start + found.len(),
            kind,
        }
    };
    vec![
        at("30 cm", 0, SpanKind::Quantity("length".into())),
        at("30 cm", 1, SpanKind::Quantity("length".into())),
        at("red cube", 0, SpanKind::Entity),
        at("bin A", 0, SpanKind::Place),
    ]
}

fn request<'a>(tools: &'a [ToolSpec], spans: &'a [Span], example: Option<&'a Example>) -> PlanRequest<'a> {
    PlanRequest {
        tools,
        goal: GOAL,
        spans,
        example,
        calls_max: 3,
    }
}

/// Everything that a reply names is in the request.
fn check(request: &PlanRequest<'_>, reply: &PlanReply) {
    assert!(reply.calls.len() <= request.calls_max, "{reply:?}");
    for call in &reply.calls {
        let parameters = &request.tools[call.tool].parameters;
        assert_eq!(call.arguments.len(), parameters.len(), "{reply:?}");
        for (argument, parameter) in call.arguments.iter().zip(parameters) {
            match *argument {
                Argument::Absent => assert!(!parameter.required, "{reply:?}"),
                Argument::Option(index) => {
                    let count = match &parameter.kind {
                        ParameterKind::Boolean => 2,
                        ParameterKind::Enumeration(options) => options.len(),
                        _ => 0,
                    };
                    assert!(index < count, "{reply:?}");
                }
                Argument::Span { start, end } if parameter.kind == ParameterKind::Text => {
                    assert!(!request.goal[start..end].trim().is_empty(), "{reply:?}");
                }
                Argument::Span { start, end } => {
                    let known = request.spans.iter().any(|span| (span.start, span.end) == (start, end));
                    assert!(known, "{reply:?}");
                }
            }
        }
    }
}

#[test]
fn whatever_the_weights_a_plan_names_only_what_the_request_holds() {
    let (tools, spans) = (tools(), spans());
    let formats: [&[&str]; 3] = [
        &[],
        &["<|im_start|>", "<|im_end|>", "<think>", "</think>"],
        &[
            "<|begin_of_text|>",
            "<|start_header_id|>",
            "<|end_header_id|>",
            "<|eot_id|>",
        ],
    ];
    let mut outcomes = Vec::new();
    for (seed, controls) in (0..12).flat_map(|seed| formats.map(|controls| (seed, controls))) {
        let architecture = if seed % 2 == 0 { "qwen3" } else { "llama" };
        let mut model = speaking(architecture, seed, controls);
        assert!(!model.info().plans);
        let request = request(&tools, &spans, None);
        let reply = model.plan(&request).expect("a plan");
        check(&request, &reply);
        let saved = reply.tokens.forced > reply.tokens.generated;
        assert!(saved || reply.calls.is_empty(), "{:?}", reply.tokens);
        // A heater cannot be called: the goal states no temperature.
        assert!(reply.calls.iter().all(|call| call.tool != 3), "{reply:?}");
        outcomes.push(reply.outcome);
        let mut again = model.plan(&request).expect("a plan");
        assert!(again.tokens.cached > reply.tokens.cached);
        again.tokens.cached = reply.tokens.cached;
        assert_eq!(again, reply, "from the kept state");
    }
    let distinct = |wanted: fn(&Outcome) -> bool| outcomes.iter().any(wanted);
    assert!(distinct(|outcome| *outcome == Outcome::Planned), "{outcomes:?}");
    assert!(
        distinct(|outcome| matches!(outcome, Outcome::Ask { .. })),
        "{outcomes:?}"
    );
}

#[test]
fn jumping_over_forced_tokens_changes_nothing_but_the_cost() {
    let (tools, spans) = (tools(), spans());
    for seed in 0..6 {
        let mut model = speaking("qwen3", seed, &["<|im_start|>", "<|im_end|>"]);
        let request = request(&tools, &spans, None);
        let jumped = model.plan(&request).expect("a plan");
        model.set_shortcuts(Shortcuts {
            jump_forward: false,
            kept_prefix: false,
            ..Shortcuts::default()
        });
        assert_eq!(model.plan(&request).expect("a plan"), jumped, "seed {seed}");
    }
}

#[test]
fn an_example_is_a_turn_of_the_conversation() {
    let (tools, spans) = (tools(), spans());
    let example = Example {
        goal: "go 5 cm left".into(),
        calls: vec![Call {
            tool: 0,
            arguments: vec![
                Argument::Option(0),
                Argument::Span { start: 3, end: 7 },
                Argument::Absent,
            ],
        }],
    };
    let mut model = speaking("llama", 3, &[]);
    let without = model.plan(&request(&tools, &spans, None)).expect("a plan");
    let with = model.plan(&request(&tools, &spans, Some(&example))).expect("a plan");
    assert!(with.tokens.prompt > without.tokens.prompt + 20);
    check(&request(&tools, &spans, Some(&example)), &with);
}

#[test]
fn no_tools_and_no_room_are_said() {
    let mut model = speaking("qwen3", 1, &[]);
    let reply = model.plan(&request(&[], &[], None)).expect("a reply");
    assert_eq!((reply.outcome, reply.tokens.generated), (Outcome::NoTool, 0));
    let long = ToolSpec {
        name: "long".into(),
        does: "word ".repeat(2_000),
        parameters: vec![],
    };
    let error = model.plan(&request(&[long], &[], None)).expect_err("too long");
    assert!(matches!(error, ModelError::ContextOverflow { .. }), "{error}");
}
