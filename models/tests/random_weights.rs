//! A network that knows nothing still makes only plans that the request allows.
//!
//! The weights come from the run's seed, which a failure prints; the same property over all choices, without a network,
//! is tested beside the grammar.

mod support;

use llmos_models::{
    Argument, LocalModel, Outcome, ParameterKind, ParameterSpec, PlanReply, PlanRequest, Planner, Span, SpanKind,
    ToolSpec,
};
use support::Dice;

const WORDS: &str =
    "move the red cube to bin 30 cm left then put it on shelf 4, say \"hello\" \u{e9}t\u{e9} (1, 2, 3) <plan> <t1>";

fn kind(dice: &mut Dice) -> ParameterKind {
    match dice.roll(8) {
        0 => ParameterKind::Quantity("length".into()),
        1 => ParameterKind::Number,
        2 => ParameterKind::Integer,
        3 => ParameterKind::Boolean,
        4 => ParameterKind::Enumeration(vec!["left".into(), "Right_Side".into(), "left".into()]),
        5 => ParameterKind::Text,
        6 => ParameterKind::Entity,
        _ => ParameterKind::Place,
    }
}

fn tool(dice: &mut Dice, index: usize) -> ToolSpec {
    let parameters = (0..dice.roll(4))
        .map(|number| ParameterSpec {
            name: format!("p_{number}"),
            kind: kind(dice),
            required: dice.roll(2) == 0,
        })
        .collect();
    ToolSpec {
        name: format!("tool_{index}"),
        does: "Move the red cube".into(),
        parameters,
    }
}

fn span(dice: &mut Dice, goal: &str) -> Option<Span> {
    let cuts: Vec<usize> = (0..=goal.len()).filter(|cut| goal.is_char_boundary(*cut)).collect();
    let (from, to) = (cuts[dice.roll(cuts.len())], cuts[dice.roll(cuts.len())]);
    let kind = match dice.roll(5) {
        0 => SpanKind::Quantity("length".into()),
        1 => SpanKind::Number,
        2 => SpanKind::Integer,
        3 => SpanKind::Entity,
        _ => SpanKind::Place,
    };
    (from != to).then(|| Span {
        start: from.min(to),
        end: from.max(to),
        kind,
    })
}

fn check(request: &PlanRequest<'_>, reply: &PlanReply, seed: u64) {
    let context = format!("seed {seed}: {request:?} gave {reply:?}");
    assert!(reply.calls.len() <= request.calls_max, "{context}");
    assert!(reply.confidence > 0.0 && reply.confidence <= 1.0, "{context}");
    assert_eq!(
        reply.outcome == Outcome::NoTool,
        reply.calls.is_empty() && reply.outcome == Outcome::NoTool,
        "{context}"
    );
    assert_eq!(
        reply.unfinished.is_some(),
        matches!(reply.outcome, Outcome::Ask { .. }),
        "{context}"
    );
    for call in &reply.calls {
        let parameters = &request.tools[call.tool].parameters;
        assert_eq!(call.arguments.len(), parameters.len(), "{context}");
        for (parameter, argument) in parameters.iter().zip(&call.arguments) {
            match (argument, &parameter.kind) {
                (Argument::Absent, _) => assert!(!parameter.required, "{context}"),
                (Argument::Option(index), ParameterKind::Boolean) => assert!(*index < 2, "{context}"),
                (Argument::Option(index), ParameterKind::Enumeration(options)) => {
                    assert!(*index < options.len(), "{context}");
                }
                (Argument::Span { start, end }, ParameterKind::Text) => {
                    assert!(!request.goal[*start..*end].trim().is_empty(), "{context}");
                }
                (Argument::Span { start, end }, _) => {
                    assert!(
                        request
                            .spans
                            .iter()
                            .any(|span| (span.start, span.end) == (*start, *end)),
                        "{context}"
                    );
                }
                (Argument::Option(_), _) => panic!("an option of no enumeration: {context}"),
            }
        }
    }
}

#[test]
fn any_request_gets_a_valid_plan() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), support::random_model(11).bytes()).expect("written");
    for seed in 0..4 {
        let mut model = LocalModel::randomised(Some(file.path()), seed).expect("a model");
        let mut dice = Dice(seed);
        for _ in 0..60 {
            let count = dice.roll(7);
            let tools: Vec<ToolSpec> = (0..count).map(|index| tool(&mut dice, index)).collect();
            let words: Vec<&str> = WORDS.split(' ').collect();
            let goal = (0..dice.roll(14))
                .map(|_| words[dice.roll(words.len())])
                .collect::<Vec<_>>()
                .join(" ");
            let spans: Vec<Span> = (0..dice.roll(8)).filter_map(|_| span(&mut dice, &goal)).collect();
            let request = PlanRequest {
                tools: &tools,
                goal: &goal,
                spans: &spans,
                example: None,
                calls_max: dice.roll(5),
            };
            let reply = model
                .plan(&request)
                .unwrap_or_else(|error| panic!("seed {seed}, {request:?}: {error}"));
            check(&request, &reply, seed);
        }
    }
}
