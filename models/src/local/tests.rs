//! Our arithmetic against another implementation's: `tests/fixtures/tiny-random.json`, made by the recipe in f32 over the
//! same weights, which both draw from a seed.

use std::io::Cursor;

use serde::Deserialize;

use super::{LocalModel, Way};
use crate::arch::{Head, dot};
use crate::grammar::Choice;
use crate::prompt::Prompt;
use crate::request::{ParameterKind, ParameterSpec, PlanRequest, ToolSpec};
use crate::sample::{Chooser, Shortcuts};
use crate::session::Sequence;
use crate::support::{recipe_model, weights_digest};
use crate::weights::Origin;

#[derive(Deserialize)]
struct Fixture {
    seed: u64,
    /// Of the drawn weights, one tensor behind the other.
    sha256: String,
    tokens: Vec<u32>,
    logprobs: Vec<f32>,
    pointer: Vec<Pointer>,
    /// The goal's first token, and the one behind its last.
    goal: (usize, usize),
    sense: Vec<Cosine>,
    /// The scores of the first tool and of its first option, for the request below.
    decisions: (Vec<f32>, Vec<f32>),
    text: Vec<Text>,
}

#[derive(Deserialize)]
struct Pointer {
    head: String,
    s: usize,
    p: usize,
    score: f32,
}

/// Between what the decision after a token is about, and words.
#[derive(Deserialize)]
struct Cosine {
    s: usize,
    words: Vec<u32>,
    value: f32,
}

#[derive(Deserialize)]
struct Text {
    text: String,
    ids: Vec<u32>,
}

fn fixture(origin: Origin) -> (LocalModel, Fixture) {
    let expected: Fixture =
        serde_json::from_str(include_str!("../../tests/fixtures/tiny-random.json")).expect("the fixture's fields");
    let draft = recipe_model(expected.seed);
    assert_eq!(
        weights_digest(&draft, &["sense.scale"]),
        expected.sha256,
        "both sides draw the same weights"
    );
    let model = LocalModel::load(&mut Cursor::new(draft.bytes()), "recipe", origin).expect("the fixture's model");
    (model, expected)
}

fn largest_difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    found
        .iter()
        .zip(expected)
        .map(|(found, expected)| (found - expected).abs())
        .fold(0.0, f32::max)
}

/// The root of the mean square of the differences, as a share of that of the numbers expected.
fn relative_difference(found: &[f32], expected: &[f32]) -> f32 {
    let squares = |numbers: &mut dyn Iterator<Item = f32>| numbers.map(|number| number * number).sum::<f32>();
    let differences = squares(&mut found.iter().zip(expected).map(|(found, expected)| found - expected));
    (differences / squares(&mut expected.iter().copied())).sqrt()
}

/// The largest differences of log-probabilities and of cosines of senses, and the pointer scores, found and expected.
fn differences(origin: Origin) -> (f32, f32, [Vec<f32>; 2]) {
    let (mut model, expected) = fixture(origin);
    let words = largest_difference(&model.score(&expected.tokens).expect("scores"), &expected.logprobs);
    let pointers = model.planner.pointers().expect("pointer heads");
    let mut sequence = Sequence::new(&model.network, Some(pointers));
    sequence
        .extend(&model.network, Some(pointers), &expected.tokens)
        .expect("states");
    let score = |pointer: &Pointer| {
        let head = match pointer.head.as_str() {
            "tool" => Head::Tool,
            "start" => Head::Start,
            "about" => Head::About,
            _ => Head::End,
        };
        sequence.points_at(pointers, head, pointer.s, pointer.p)
    };
    let found: Vec<f32> = expected.pointer.iter().map(score).collect();
    let scores: Vec<f32> = expected.pointer.iter().map(|pointer| pointer.score).collect();
    (words, cosines(&model, &expected), [found, scores])
}

fn chooser(model: &LocalModel) -> Chooser<'_> {
    let Way::Points {
        pointers,
        sense,
        caution,
    } = &model.planner
    else {
        panic!("a model that points")
    };
    Chooser {
        network: &model.network,
        pointers,
        sense,
        caution: *caution,
        shortcuts: Shortcuts::default(),
    }
}

fn cosines(model: &LocalModel, expected: &Fixture) -> f32 {
    let chooser = chooser(model);
    let pointers = chooser.pointers;
    let (first, last) = expected.goal;
    let goal = &expected.tokens[first..last];
    let found = expected.sense.iter().map(|case| {
        let mut sequence = Sequence::new(&model.network, Some(pointers));
        sequence
            .extend(&model.network, Some(pointers), &expected.tokens[..=case.s])
            .expect("states");
        let about = chooser.about(goal, first, &sequence, case.s).expect("a meaning");
        dot(&about, &chooser.meaning(&case.words).expect("a meaning"))
    });
    let wanted: Vec<f32> = expected.sense.iter().map(|case| case.value).collect();
    assert!(wanted.len() > 4, "cases");
    largest_difference(&found.collect::<Vec<_>>(), &wanted)
}

/// The request of the recipe's `decisions`.
fn request(tools: &[ToolSpec]) -> PlanRequest<'_> {
    PlanRequest {
        tools,
        goal: "Move the arm 30 cm the other way",
        spans: &[],
        example: None,
        calls_max: 4,
    }
}

fn listed() -> Vec<ToolSpec> {
    let parameter = |name: &str, kind, required| ParameterSpec {
        name: name.into(),
        kind,
        required,
    };
    let options = |words: &[&str]| ParameterKind::Enumeration(words.iter().map(|word| (*word).to_owned()).collect());
    let tool = |name: &str, does: &str, parameters| ToolSpec {
        name: name.into(),
        does: does.into(),
        parameters,
    };
    vec![
        tool(
            "lamp",
            "switch the lamp on or off",
            vec![parameter("state", options(&["on", "off"]), true)],
        ),
        tool(
            "move_arm",
            "move the arm in a direction by a distance",
            vec![
                parameter("direction", options(&["left", "right", "zorbelwise"]), true),
                parameter("distance", ParameterKind::Quantity("length".into()), false),
            ],
        ),
        tool("stop", "stop at once", vec![]),
    ]
}

/// The largest difference of the scores that decide: pointers, words, and senses with their scales, from a written prompt.
fn deciding(origin: Origin) -> f32 {
    let (model, expected) = fixture(origin);
    let chooser = chooser(&model);
    let pointers = chooser.pointers;
    let tools = listed();
    let request = request(&tools);
    let prompt = Prompt::write(&request, &model.tokenizer).expect("a prompt");
    let scores = |choices: &[Choice]| {
        let mut sequence = Sequence::new(&model.network, Some(pointers));
        chooser
            .scores_after(&request, &prompt, &mut sequence, choices)
            .expect("scores")
    };
    let (tool, option) = &expected.decisions;
    largest_difference(&scores(&[]), tool).max(largest_difference(&scores(&[Choice::Tool(1)]), option))
}

#[test]
fn decisions_have_the_scores_of_the_recipe() {
    let exact = deciding(Origin::Plain);
    assert!(exact <= 2e-4, "scores differ by {exact}");
    let rounded = deciding(Origin::File);
    assert!(rounded <= 0.5, "scores differ by {rounded}");
}

#[test]
fn exact_products_give_the_numbers_of_the_recipe() {
    let (words, cosines, [found, expected]) = differences(Origin::Plain);
    let pointers = largest_difference(&found, &expected);
    assert!(cosines <= 1e-5, "cosines differ by {cosines}");
    assert!(words <= 1e-4, "log-probabilities differ by {words}");
    assert!(pointers <= 1e-4, "pointer scores differ by {pointers}");
}

/// The kernels round the states to eight bits before each product, about 0.7 % of their size; random weights, whose
/// log-probabilities go down to -11, show it at its worst.
#[test]
fn rounded_products_stay_near_them() {
    let (words, cosines, [found, expected]) = differences(Origin::File);
    let largest = largest_difference(&found, &expected);
    assert!(largest <= 0.033, "a pointer score differs by {largest}");
    let pointers = relative_difference(&found, &expected);
    assert!(cosines <= 0.05, "cosines differ by {cosines}");
    assert!(words <= 0.25, "log-probabilities differ by {words}");
    assert!(pointers <= 0.04, "pointer scores differ by {pointers} of their size");
}

#[test]
fn texts_become_the_tokens_of_the_recipe() {
    let (model, expected) = fixture(Origin::File);
    for case in &expected.text {
        assert_eq!(model.tokenize(&case.text).expect("tokens"), case.ids, "{:?}", case.text);
    }
}
