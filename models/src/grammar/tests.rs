//! Whoever chooses, and however badly, the plan is one that the request allows.

use proptest::prelude::*;

use super::{Choice, Grammar, words};
use crate::control;
use crate::prompt::{Prompt, Stretch};
use crate::request::{Argument, Call, Outcome, ParameterKind, ParameterSpec, PlanRequest, Span, SpanKind, ToolSpec};
use crate::tokenizer::Token;

/// A prompt whose goal has one token for each word, with the space before it, as the real tokenizer often does.
fn prompt(goal: &str, tools: &[ToolSpec]) -> Prompt {
    let mut tokens = Vec::new();
    let mut start = 0;
    for (id, word) in (100..).zip(goal.split_inclusive(' ')) {
        tokens.push(Token {
            id,
            start,
            end: start + word.len(),
        });
        start += word.len();
    }
    let letters = |word: &&str| word.bytes().map(u32::from).collect();
    let options = |parameter: &ParameterSpec| parameter.kind.options().iter().map(letters).collect();
    Prompt {
        tokens: Vec::new(),
        tools_end: 0,
        tools: Vec::new(),
        heads: tools
            .iter()
            .map(|tool| (0..tool.parameters.len()).map(|_| vec![control::PARAM, 99]).collect())
            .collect(),
        options: tools
            .iter()
            .map(|tool| tool.parameters.iter().map(options).collect())
            .collect(),
        goal_start: 0,
        goal: Stretch { tokens },
    }
}

fn parameter(name: &str, kind: ParameterKind, required: bool) -> ParameterSpec {
    ParameterSpec {
        name: name.into(),
        kind,
        required,
    }
}

fn tool(parameters: Vec<ParameterSpec>) -> ToolSpec {
    ToolSpec {
        name: "tool".into(),
        does: "Do something".into(),
        parameters,
    }
}

fn length() -> ParameterKind {
    ParameterKind::Quantity("length".into())
}

fn span(goal: &str, text: &str, kind: SpanKind) -> Span {
    let start = goal.find(text).expect("text of the goal");
    Span {
        start,
        end: start + text.len(),
        kind,
    }
}

/// Takes the choices one after the other, each of which must be allowed.
fn plan(request: &PlanRequest<'_>, choices: &[Choice]) -> (Vec<Call>, Option<Call>, Option<Outcome>) {
    let prompt = prompt(request.goal, request.tools);
    let mut grammar = Grammar::new(request, &prompt);
    for choice in choices {
        let allowed = grammar.allowed();
        assert!(allowed.contains(choice), "{choice:?} is not among {allowed:?}");
        grammar.take(*choice);
    }
    let outcome = grammar.outcome();
    let (calls, open) = grammar.into_calls();
    (calls, open, outcome)
}

#[test]
fn a_span_is_used_once_in_a_call_and_again_in_the_next() {
    let goal = "bring the cube to the box";
    let tools = [tool(vec![
        parameter("what", ParameterKind::Entity, true),
        parameter("to", ParameterKind::Place, true),
    ])];
    let spans = [span(goal, "cube", SpanKind::Entity), span(goal, "box", SpanKind::Place)];
    let request = PlanRequest {
        tools: &tools,
        goal,
        spans: &spans,
        example: None,
        calls_max: 4,
    };
    let prompt = prompt(goal, &tools);
    let mut grammar = Grammar::new(&request, &prompt);
    for _ in 0..2 {
        grammar.take(Choice::Tool(0));
        assert_eq!(grammar.allowed(), [Choice::Start(2), Choice::Ask]);
        grammar.take(Choice::Start(2));
        assert_eq!(grammar.allowed(), [Choice::Last(2)]);
        grammar.take(Choice::Last(2));
        assert_eq!(grammar.allowed(), [Choice::Start(5), Choice::Ask], "the cube is used");
        grammar.take(Choice::Start(5));
        grammar.take(Choice::Last(5));
    }
    assert_eq!(grammar.allowed(), [Choice::Tool(0), Choice::End]);
}

#[test]
fn a_call_that_is_said_over_and_over_stands_twice() {
    let tools = [tool(vec![]), tool(vec![])];
    let request = PlanRequest {
        tools: &tools,
        goal: "ring, then dance",
        spans: &[],
        example: None,
        calls_max: 6,
    };
    let planned = |called: [usize; 7]| {
        let (calls, _, outcome) = plan(&request, &called.map(Choice::Tool));
        let called: Vec<usize> = calls.iter().map(|call| call.tool).collect();
        (called, outcome)
    };
    assert_eq!(planned([1; 7]), (vec![1, 1], Some(Outcome::Planned)));
    for other in [[0, 1, 1, 1, 1, 1, 1], [0, 0, 1, 1, 1, 1, 0], [0, 1, 0, 1, 1, 1, 1]] {
        assert_eq!(planned(other), (other[..6].to_vec(), Some(Outcome::TooLong)));
    }
}

#[test]
fn only_the_right_dimension_fits() {
    let goal = "turn 30 degrees and go 30 cm";
    let tools = [tool(vec![parameter("distance", length(), false)])];
    let angle = SpanKind::Quantity("angle".into());
    let spans = [
        span(goal, "30 degrees", angle),
        span(goal, "30 cm", SpanKind::Quantity("length".into())),
    ];
    let request = PlanRequest {
        tools: &tools,
        goal,
        spans: &spans,
        example: None,
        calls_max: 4,
    };
    let prompt = prompt(goal, &tools);
    let mut grammar = Grammar::new(&request, &prompt);
    grammar.take(Choice::Tool(0));
    assert_eq!(grammar.allowed(), [Choice::Start(5), Choice::Skip]);
}

#[test]
fn the_next_argument_is_announced() {
    let up = ParameterKind::Enumeration(vec!["up".into(), "upper".into()]);
    let tools = [tool(vec![
        parameter("way", up, true),
        parameter("distance", length(), false),
    ])];
    let request = PlanRequest {
        tools: &tools,
        goal: "go",
        spans: &[],
        example: None,
        calls_max: 1,
    };
    let upper = [Choice::Tool(0), Choice::Option(1), Choice::Skip, Choice::End];
    let arguments = [Argument::Option(1), Argument::Absent];
    assert_eq!(plan(&request, &upper).0[0].arguments, arguments);
    let prompt = prompt(request.goal, request.tools);
    let mut grammar = Grammar::new(&request, &prompt);
    let announced = [control::PARAM, 99];
    let said = |tokens: &[u32]| [tokens, &announced[..]].concat();
    assert_eq!(grammar.tokens(Choice::Tool(0)), said(&[control::tool(0)]));
    grammar.take(Choice::Tool(0));
    assert_eq!(grammar.allowed(), [Choice::Option(0), Choice::Option(1), Choice::Ask]);
    assert_eq!(grammar.tokens(Choice::Option(0)), said(&b"up".map(u32::from)));
    grammar.take(Choice::Option(0));
    assert_eq!(grammar.tokens(Choice::Skip), [control::SKIP], "the call is complete");
}

#[test]
fn text_is_whole_words_without_the_punctuation_around_them() {
    let goal = "say \"the dinner is ready\", please";
    let tools = [tool(vec![parameter("words", ParameterKind::Text, true)])];
    let request = PlanRequest {
        tools: &tools,
        goal,
        spans: &[],
        example: None,
        calls_max: 1,
    };
    let choices = [Choice::Tool(0), Choice::Start(1), Choice::Last(4), Choice::End];
    let (calls, _, outcome) = plan(&request, &choices);
    let Argument::Span { start, end } = calls[0].arguments[0] else {
        panic!("a span")
    };
    assert_eq!(&goal[start..end], "the dinner is ready");
    assert_eq!(outcome, Some(Outcome::Planned));
}

#[test]
fn asking_leaves_the_call_open() {
    let tools = [tool(vec![
        parameter("way", ParameterKind::Boolean, false),
        parameter("distance", length(), true),
    ])];
    let request = PlanRequest {
        tools: &tools,
        goal: "go",
        spans: &[],
        example: None,
        calls_max: 1,
    };
    let (calls, open, outcome) = plan(&request, &[Choice::Tool(0), Choice::Skip, Choice::Ask]);
    assert_eq!(outcome, Some(Outcome::Ask { tool: 0, parameter: 1 }));
    assert_eq!(
        (calls, open),
        (
            vec![],
            Some(Call {
                tool: 0,
                arguments: vec![Argument::Absent]
            })
        )
    );
}

#[test]
fn words_are_found_in_any_text() {
    let found = |text: &'static str| {
        words(text)
            .into_iter()
            .map(|(start, end)| &text[start..end])
            .collect::<Vec<_>>()
    };
    assert_eq!(
        found("  (a, b) -- c's \u{201c}d\u{201d}!\t\u{e9}t\u{e9}\u{2003}x "),
        ["a", "b", "c's", "d", "\u{e9}t\u{e9}", "x"]
    );
    assert!(found(" ... ").is_empty());
}

fn any_kind() -> impl Strategy<Value = ParameterKind> {
    prop_oneof![
        Just(length()),
        Just(ParameterKind::Quantity("angle".into())),
        Just(ParameterKind::Number),
        Just(ParameterKind::Integer),
        Just(ParameterKind::Boolean),
        prop::collection::vec("[ab]{0,3}", 0..4).prop_map(ParameterKind::Enumeration),
        Just(ParameterKind::Text),
        Just(ParameterKind::Entity),
        Just(ParameterKind::Place),
    ]
}

fn any_tools() -> impl Strategy<Value = Vec<ToolSpec>> {
    let parameters = prop::collection::vec((any_kind(), any::<bool>()), 0..4);
    let tool = parameters.prop_map(|list| {
        tool(
            list.into_iter()
                .map(|(kind, required)| parameter("p", kind, required))
                .collect(),
        )
    });
    prop::collection::vec(tool, 0..5)
}

fn any_span_kind() -> impl Strategy<Value = SpanKind> {
    prop_oneof![
        Just(SpanKind::Quantity("length".into())),
        Just(SpanKind::Number),
        Just(SpanKind::Integer),
        Just(SpanKind::Entity),
        Just(SpanKind::Place),
    ]
}

/// What the request says about one argument, without the grammar's own words for it.
fn is_listed(request: &PlanRequest<'_>, parameter: &ParameterSpec, argument: Argument) -> bool {
    let Argument::Span { start, end } = argument else {
        return match argument {
            Argument::Option(index) => index < parameter.kind.options().len(),
            _ => !parameter.required,
        };
    };
    let is = |kind: SpanKind| request.spans.contains(&Span { start, end, kind });
    match &parameter.kind {
        ParameterKind::Quantity(dimension) => is(SpanKind::Quantity(dimension.clone())),
        ParameterKind::Number => is(SpanKind::Number) || is(SpanKind::Integer),
        ParameterKind::Integer => is(SpanKind::Integer),
        ParameterKind::Entity => is(SpanKind::Entity),
        ParameterKind::Place => is(SpanKind::Place) || is(SpanKind::Entity),
        ParameterKind::Text => {
            let words = words(request.goal);
            words.iter().any(|word| word.0 == start) && words.iter().any(|word| word.1 == end) && start < end
        }
        ParameterKind::Boolean | ParameterKind::Enumeration(_) => false,
    }
}

proptest! {
    #[test]
    fn every_walk_ends_in_a_listed_plan(
        tools in any_tools(),
        goal in "[a-c\u{e9}]{1,4}( [a-c.,]{1,4}){0,8}",
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any_span_kind()), 0..8),
        calls_max in 0usize..4,
        rolls in prop::collection::vec(any::<prop::sample::Index>(), 200),
    ) {
        let cuts: Vec<usize> = (0..=goal.len()).filter(|cut| goal.is_char_boundary(*cut)).collect();
        let span = |(from, to, kind): (prop::sample::Index, prop::sample::Index, SpanKind)| {
            let (from, to) = (*from.get(&cuts), *to.get(&cuts));
            (from != to).then(|| Span { start: from.min(to), end: from.max(to), kind })
        };
        let spans: Vec<Span> = places.into_iter().filter_map(span).collect();
        let request = PlanRequest { tools: &tools, goal: &goal, spans: &spans, example: None, calls_max };
        let prompt = prompt(&goal, &tools);
        let mut grammar = Grammar::new(&request, &prompt);
        // Four parameters of at most four choices, and the tool.
        let steps_max = (calls_max + 1) * 17 + 1;
        let mut steps = 0;
        while grammar.outcome().is_none() {
            let allowed = grammar.allowed();
            prop_assert!(!allowed.is_empty(), "stuck after {steps} steps");
            let choice = *rolls[steps % rolls.len()].get(&allowed);
            grammar.tokens(choice);
            grammar.take(choice);
            steps += 1;
            prop_assert!(steps <= steps_max, "still going after {steps} steps");
        }
        let (calls, _) = grammar.into_calls();
        prop_assert!(calls.len() <= calls_max);
        for call in &calls {
            let parameters = &tools[call.tool].parameters;
            prop_assert_eq!(call.arguments.len(), parameters.len());
            for (parameter, argument) in parameters.iter().zip(&call.arguments) {
                prop_assert!(is_listed(&request, parameter, *argument), "{:?} of {:?}", argument, parameter);
            }
            let spans: Vec<_> = call.arguments.iter().filter_map(|argument| match argument {
                Argument::Span { start, end } => Some((*start, *end)),
                _ => None,
            }).collect();
            for (index, one) in spans.iter().enumerate() {
                prop_assert!(spans[index + 1..].iter().all(|two| one.1 <= two.0 || two.1 <= one.0), "{spans:?} overlap");
            }
        }
    }
}

#[test]
fn words_are_cut_as_the_training_cuts_them() {
    let cut =
        |text: &'static str| -> Vec<&str> { words(text).into_iter().map(|(start, end)| &text[start..end]).collect() };
    assert_eq!(
        cut("go to (1, 1.5, -2), then stop."),
        ["go", "to", "(1, 1.5, -2)", "then", "stop"]
    );
    assert_eq!(
        cut("[140,100] and [a, b] (now) 30%!"),
        ["[140,100]", "and", "a", "b", "now", "30%"]
    );
    assert_eq!(cut("  (1, 2"), ["1", "2"]);
    assert_eq!(cut("\"don't\" \u{e9}t\u{e9}?"), ["don't", "\u{e9}t\u{e9}"]);
}
