//! Tables: a goal and what is read from it.

mod mentions;
mod quantities;

use super::*;
use proptest::prelude::*;

fn name(name: &str, also: &[&str], kind: NameKind) -> Name {
    Name {
        name: name.to_owned(),
        also: also.iter().map(|other| (*other).to_owned()).collect(),
        kind,
    }
}

fn lexicon() -> Lexicon {
    use NameKind::{Entity, Place};
    Lexicon::new([
        name("red cube", &["red block"], Entity),
        name("blue cube", &[], Entity),
        name("big blue ball", &["marble"], Entity),
        name("gripper", &["claw"], Entity),
        name("lamp 1", &[], Entity),
        name("lamp 2", &[], Entity),
        name("kitchen light", &[], Entity),
        name("coffee_mug", &["cup"], Entity),
        name("bin A", &["left bin"], Place),
        name("bin B", &[], Place),
        name("home", &[], Place),
        name("top of the shelf", &[], Place),
    ])
}

fn show(meaning: &Meaning) -> String {
    match meaning {
        Meaning::Quantity { dimension, micro } => print_quantity(*dimension, *micro),
        Meaning::Number { micro } => print_number(*micro),
        Meaning::Range {
            dimension: Some(dimension),
            low,
            high,
        } => {
            format!(
                "{} .. {}",
                print_quantity(*dimension, *low),
                print_quantity(*dimension, *high)
            )
        }
        Meaning::Range {
            dimension: None,
            low,
            high,
        } => format!("{} .. {}", print_number(*low), print_number(*high)),
        Meaning::Ordinal { position } => format!("#{position}"),
        Meaning::Count { times } => format!("x{times}"),
        Meaning::Point { micro } => format!("({})", micro.map(print_number).join(", ")),
        Meaning::Named { candidates, plural } => {
            format!("<{}>{}", candidates.join("|"), if *plural { "*" } else { "" })
        }
        Meaning::Pronoun(pronoun) => format!("{pronoun:?}"),
        Meaning::Direction(direction) => direction.word().to_owned(),
    }
}

/// The spans of `goal` as "text=meaning", a taken-back one behind a tilde.
fn spans(goal: &Goal) -> String {
    let show = |span: &Span| {
        format!(
            "{}{}={}",
            if span.superseded { "~" } else { "" },
            goal.words_of(span),
            show(&span.meaning)
        )
    };
    goal.spans.iter().map(show).collect::<Vec<_>>().join("; ")
}

/// Reads each goal of `cases` and compares its spans; reports all that differ.
fn check(cases: &[(&str, &str)]) {
    let lexicon = lexicon();
    let differing: Vec<String> = cases
        .iter()
        .map(|(goal, expected)| (goal, *expected, spans(&read(goal, &lexicon))))
        .filter(|(_, expected, found)| expected != found)
        .map(|(goal, expected, found)| format!("{goal:?}\n  expected {expected}\n  found    {found}"))
        .collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn the_main_job() {
    check(&[
        (
            "pick up the red cube and put it in bin A",
            "red cube=<red cube>; it=It; bin A=<bin A>",
        ),
        ("move the arm 30 cm to the left", "30 cm=0.3 m; left=left"),
        ("move to (5,0,1)", "(5,0,1)=(5, 0, 1)"),
        ("move left, no, right", "~left=left; right=right"),
    ]);
}

proptest! {
    /// Any text gives a goal, and every span lies in it on character boundaries.
    #[test]
    fn any_text_is_read_without_a_panic(text in any::<String>()) {
        let goal = read(&text, &lexicon());
        for span in &goal.spans {
            prop_assert!(span.start < span.end && text.get(span.start..span.end).is_some(), "{span:?}");
        }
        let _ = content(&goal);
    }

    /// The same for texts that are nearly goals.
    #[test]
    fn nearly_goals_are_read_without_a_panic(
        words in proptest::collection::vec("(move|the|red cube|half|a|not|no|,|and|minus|[0-9]{1,25}|[.]5|m/s|°|cm|it|back|twice|-|\\(|\\)|x=)", 0..20),
        joiner in "( |)",
    ) {
        let text = words.join(&joiner);
        let goal = read(&text, &lexicon());
        for span in &goal.spans {
            prop_assert!(text.get(span.start..span.end).is_some_and(|part| !part.is_empty()), "{span:?}");
        }
    }

    /// What is printed is read as the same.
    #[test]
    fn printed_quantities_are_read_back(micro in -1_000_000_000_000_000_i64..1_000_000_000_000_000) {
        for dimension in ["length", "angle", "duration", "speed", "temperature", "ratio", "volume", "mass"] {
            let dimension = Dimension::parse(dimension).expect("a dimension");
            let text = print_quantity(dimension, micro);
            prop_assert_eq!(parse_quantity(&text), Ok((dimension, micro)), "{}", text);
        }
    }
}
