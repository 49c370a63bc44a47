//! What is read from a goal: tables through one `check`, and properties that hold for any text.

mod mentions;
mod properties;
mod quantities;
mod sentences;

use super::*;

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
    ]);
}

#[test]
fn a_small_world_knows_only_its_names() {
    let goal = read("put the red cube in bin A", &Lexicon::default());
    assert_eq!(spans(&goal), "");
    assert_eq!(goal.words.len(), 7);
}

#[test]
fn equal_names_are_both_candidates_and_keep_their_kind() {
    let twins = Lexicon::new([
        name("dock", &[], NameKind::Place),
        name("charger", &["dock"], NameKind::Entity),
        name("---", &[], NameKind::Entity),
    ]);
    assert_eq!(spans(&read("go to the dock", &twins)), "dock=<dock|charger>");
    assert_eq!(twins.kind("charger"), Some(NameKind::Entity));
    assert_eq!(twins.kind("moon"), None);
    assert_eq!(twins.names().len(), 3);
}
