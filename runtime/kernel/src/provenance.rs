//! Whether an argument says where it came from, and whether that is true: the words are there, they mean that value, and no other number of
//! the call claims them too. The gate asks this for every command, whoever made the plan. It must not know how a plan came about.

use crate::goal::{Goal, Meaning, Span};
use crate::plan::{Argument, Given, PlannedCall, Source};

/// Whether every argument of a call has a source, and no two numbers have the same one. `followed` says whether a trace is followed, whose
/// constants were observed to succeed.
#[must_use]
pub fn is_sourced(goal: &Goal, followed: bool, call: &PlannedCall) -> bool {
    let numbers = call.arguments.iter().filter(|argument| !is_word(&argument.value));
    let mut spans: Vec<(usize, usize)> = numbers
        .filter_map(|argument| match argument.source {
            Source::Goal { start, end, .. } => Some((start, end)),
            _ => None,
        })
        .collect();
    let count = spans.len();
    spans.sort_unstable();
    spans.dedup();
    let each = |argument: &Argument| has_source(goal, followed, argument);
    spans.len() == count && call.arguments.iter().all(each)
}

/// Whether the words that an argument claims to come from are there and mean that value.
fn has_source(goal: &Goal, followed: bool, argument: &Argument) -> bool {
    let said = |words: &str| !words.is_empty() && goal.text.contains(words);
    match (&argument.source, &argument.value) {
        (Source::Goal { start, end, words }, value) => {
            !words.is_empty()
                && goal.text.get(*start..*end) == Some(words.as_str())
                && is_meant(goal, *start, *end, value)
        }
        (Source::Slot { words, .. }, value) => {
            let named = |span: &&Span| goal.text.get(span.start..span.end) == Some(words.as_str());
            let computed = || {
                let mut spans = goal.spans.iter().filter(named);
                let counted = |span: &Span| {
                    let number = goal.counted(span).map(|(end, _)| (span.start, end));
                    number.is_some_and(|(start, end)| {
                        goal.text.get(start..end) == Some(words.as_str()) && is_meant(goal, start, end, value)
                    })
                };
                spans.any(|span| is_meant(goal, span.start, span.end, value)) || goal.spans.iter().any(counted)
            };
            said(words) && (is_word(value) || computed())
        }
        (Source::State { words }, value) => said(words) && is_word(value),
        (Source::Manifest, Given::Option(_) | Given::Boolean(_)) => true,
        (Source::Trace, _) => followed,
        (Source::Manifest | Source::Answer, _) => false,
    }
}

/// Whether a value is a name or a word, which is looked up and not computed.
fn is_word(value: &Given) -> bool {
    match value {
        Given::Quantity(..) | Given::Number(_) | Given::Point(_) | Given::Result(_) => false,
        Given::Boolean(_)
        | Given::Option(_)
        | Given::Entity(_)
        | Given::Named(_)
        | Given::Start(_)
        | Given::Text(_) => true,
    }
}

/// Whether a number or point stands at this place of the goal. Names and words are looked up, not computed; what an earlier call kept is
/// said by no word.
fn is_meant(goal: &Goal, start: usize, end: usize, value: &Given) -> bool {
    let mut spans = goal.spans.iter().filter(|span| span.start == start && span.end == end);
    match value {
        Given::Quantity(wanted, number) => {
            spans.any(|span| matches!(&span.meaning, Meaning::Quantity { dimension, micro } if dimension == wanted && micro == number))
        }
        Given::Number(number) => {
            let counted = goal.spans.iter().filter(|span| span.start == start).filter_map(|span| goal.counted(span));
            spans.any(|span| matches!(&span.meaning, Meaning::Number { micro } if micro == number))
                || counted.into_iter().any(|found| found == (end, *number))
        }
        Given::Point(point) => spans.any(|span| matches!(&span.meaning, Meaning::Point { micro } if micro == point)),
        Given::Result(_) => false,
        value => is_word(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::goal::{self, Dimension, Lexicon, Name, NameKind};

    const GOAL: &str = "move the arm 30 cm to the left and then 20 cm up to the red cube at (1, 1, 1.5)";

    fn goal() -> Goal {
        let cube = Name {
            name: "red cube".to_owned(),
            also: Vec::new(),
            kind: NameKind::Entity,
        };
        goal::read(GOAL, &Lexicon::new(vec![cube]))
    }

    /// Whether an argument with these words of the goal as its source passes; `shift` moves the claimed place.
    fn passes(value: Given, words: &str, shift: usize) -> bool {
        let start = GOAL.find(words).expect("words of the goal") + shift;
        let source = Source::Goal {
            start,
            end: start + words.len(),
            words: words.to_owned(),
        };
        call(&[(value, source)], false)
    }

    fn call(arguments: &[(Given, Source)], followed: bool) -> bool {
        let arguments = arguments.iter().map(|(value, source)| Argument {
            parameter: "distance".to_owned(),
            value: value.clone(),
            source: source.clone(),
        });
        is_sourced(&goal(), followed, &PlannedCall::new("arm", "move", arguments.collect()))
    }

    fn length(micro: i64) -> Given {
        Given::Quantity(Dimension::Length, micro)
    }

    #[test]
    fn what_was_said_passes() {
        assert!(passes(length(300_000), "30 cm", 0));
        assert!(passes(length(200_000), "20 cm", 0));
        assert!(passes(
            Given::Point([1_000_000, 1_000_000, 1_500_000]),
            "(1, 1, 1.5)",
            0
        ));
        assert!(passes(Given::Entity("red cube".to_owned()), "red cube", 0));
        assert!(call(&[(Given::Option("left".to_owned()), Source::Manifest)], false));
    }

    #[test]
    fn a_forged_source_is_none() {
        assert!(!passes(length(300_001), "30 cm", 0), "a micrometre more");
        assert!(!passes(length(-300_000), "30 cm", 0), "the other way");
        assert!(!passes(length(30_000_000), "30 cm", 0), "another unit");
        assert!(
            !passes(Given::Quantity(Dimension::Angle, 300_000), "30 cm", 0),
            "another dimension"
        );
        assert!(
            !passes(Given::Number(30_000_000), "30 cm", 0),
            "only a part of what was said"
        );
        assert!(
            !passes(Given::Number(30_000_000), "30", 0),
            "the same, pointed at exactly"
        );
        assert!(!passes(length(200_000), "30 cm", 0), "said elsewhere");
        assert!(!passes(length(300_000), "30 cm", 1), "the place is another");
        assert!(
            !passes(length(300_000), "30 cm", GOAL.len()),
            "the place is beyond the end"
        );
        assert!(!passes(
            Given::Point([1_000_000, 1_000_000, 1_500_001]),
            "(1, 1, 1.5)",
            0
        ));
        assert!(
            !passes(Given::Result("pace".to_owned()), "30 cm", 0),
            "nothing was kept by saying it"
        );
        let empty = Source::Goal {
            start: 3,
            end: 3,
            words: String::new(),
        };
        assert!(
            !call(&[(Given::Entity("red cube".to_owned()), empty)], false),
            "no words"
        );
    }

    #[test]
    fn a_number_is_computed_from_words_and_from_nothing_else() {
        let slot = |words: &str| Source::Slot {
            name: "distance".to_owned(),
            words: words.to_owned(),
        };
        let state = Source::State {
            words: "red cube".to_owned(),
        };
        assert!(call(&[(length(300_000), slot("30 cm"))], true));
        assert!(!call(&[(length(310_000), slot("30 cm"))], true));
        assert!(!call(&[(length(300_000), slot("31 cm"))], true));
        assert!(!call(&[(length(300_000), slot(""))], true));
        for source in [state, Source::Manifest, Source::Answer, Source::Trace] {
            assert!(!call(&[(length(300_000), source.clone())], false), "{source}");
        }
        assert!(
            call(&[(length(300_000), Source::Trace)], true),
            "a constant of a trace that is followed"
        );
    }

    #[test]
    fn a_span_is_used_once_in_a_call() {
        let start = GOAL.find("30 cm").expect("words of the goal");
        let source = || Source::Goal {
            start,
            end: start + 5,
            words: "30 cm".to_owned(),
        };
        assert!(call(&[(length(300_000), source())], false));
        assert!(!call(
            &[(length(300_000), source()), (length(300_000), source())],
            false
        ));
    }
}
