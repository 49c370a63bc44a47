//! What holds for any text, and the notation of manifests.

use super::super::*;
use super::{lexicon, name, spans};
use proptest::prelude::*;

/// Texts made of the pieces that readers look for, which random characters hardly ever form.
fn goal_like() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        "99999999999999999999999",
        "9223372036854.775807",
        ".5",
        "m/s",
        "minus",
        "twice",
        "x=",
        "move",
        "left",
        "no",
        ",",
        ".",
        "the",
        "red",
        "cube",
        "bin",
        "a",
        "A",
        "one",
        "ones",
        "half",
        "of",
        "and",
        "a",
        "quarter",
        "5",
        "-",
        "\u{2212}",
        "3.5",
        "1,000",
        "1,5",
        "/",
        "m",
        "s",
        "per",
        "degrees",
        "celsius",
        "\u{b0}",
        "%",
        "(",
        ")",
        "x",
        "y",
        "z",
        "=",
        "do",
        "not",
        "don\u{2019}t",
        "never",
        "without",
        "it",
        "back",
        "there",
        "hundred",
        "twenty",
        "point",
        "between",
        "from",
        "to",
        "by",
        "I mean",
        "scratch that",
        "2nd",
        "_",
        "\u{bd}",
        "\u{e9}",
        "\u{1f916}",
        "in",
        "second",
        "dozen",
        "times",
        "\"",
        "'",
        "5'",
        "ft",
        "e3",
        "1e3",
        "that is",
        "and the",
        "her",
    ];
    let piece = (
        prop::sample::select(PIECES),
        prop::sample::select(&["", " ", " ", " "][..]),
    );
    prop::collection::vec(piece, 0..40)
        .prop_map(|pieces| pieces.into_iter().flat_map(|(piece, gap)| [piece, gap]).collect())
}

/// Checks every promise about places in the text.
fn check_places(text: &str) {
    let goal = read(text, &lexicon());
    assert_eq!(goal.text, text);
    let inside = |start: usize, end: usize| start < end && text.get(start..end).is_some();
    assert!(goal.words.iter().all(|word| inside(word.start, word.end)), "{text:?}");
    assert!(
        goal.words.windows(2).all(|pair| pair[0].end <= pair[1].start),
        "{text:?}"
    );
    assert!(goal.spans.iter().all(|span| inside(span.start, span.end)), "{text:?}");
    for pair in goal.spans.windows(2) {
        let same = pair[0].start == pair[1].start && pair[0].end == pair[1].end;
        assert!(same || pair[0].end <= pair[1].start, "{text:?}");
    }
    let edges = |at: usize, edge: fn(&Word) -> usize| goal.words.iter().any(|word| edge(word) == at);
    assert!(
        goal.spans
            .iter()
            .all(|span| edges(span.start, |word| word.start) && edges(span.end, |word| word.end)),
        "{text:?}"
    );
    for denial in &goal.denials {
        assert!(
            inside(denial.scope.start, denial.scope.end) && inside(denial.cue.start, denial.cue.end),
            "{text:?}"
        );
    }
    assert!(
        goal.revisions
            .iter()
            .all(|revision| inside(revision.start, revision.end)),
        "{text:?}"
    );
    assert_eq!(goal.denials.is_empty(), goal.negation == Negation::None, "{text:?}");
    check_content(&goal);
    assert_eq!(read(text, &lexicon()), goal, "the same text gives the same goal");
}

/// Content is in order, and shows each standing span exactly once.
fn check_content(goal: &Goal) {
    let shown: Vec<usize> = content(goal)
        .into_iter()
        .filter_map(|item| {
            if let Item::Span { readings } = item {
                Some(readings)
            } else {
                None
            }
        })
        .flatten()
        .collect();
    let standing: Vec<usize> = (0..goal.spans.len())
        .filter(|index| !goal.spans[*index].superseded)
        .collect();
    assert_eq!(shown, standing, "{:?}", goal.text);
}

proptest! {
    #[test]
    fn any_text_is_read_and_spans_lie_in_it(text in any::<String>()) {
        check_places(&text);
    }

    #[test]
    fn goal_like_text_is_read_and_spans_lie_in_it(text in goal_like()) {
        check_places(&text);
    }

    #[test]
    fn what_is_printed_is_read_back(index in 0..Dimension::ALL.len(), micro in any::<i64>()) {
        let dimension = Dimension::ALL[index];
        prop_assert_eq!(parse_quantity(&print_quantity(dimension, micro)), Ok((dimension, micro)));
        prop_assert_eq!(parse_number(&print_number(micro)), Ok(micro));
    }

    #[test]
    fn a_printed_quantity_in_a_goal_is_that_quantity(index in 0..Dimension::ALL.len(), micro in -1_000_000_000..1_000_000_000_i64) {
        let printed = print_quantity(Dimension::ALL[index], micro);
        let goal = read(&format!("set it to {printed} now"), &lexicon());
        let found = goal.spans.iter().find(|span| goal.words_of(span) == printed).map(|span| span.meaning.clone());
        prop_assert_eq!(found, Some(Meaning::Quantity { dimension: Dimension::ALL[index], micro }));
    }

    #[test]
    fn points_and_ranges_are_read_back(x in any::<i64>(), y in any::<i64>(), z in any::<i64>()) {
        let point = [x, y, z].map(print_number).join(", ");
        prop_assert_eq!(parse_point(&point), Ok([x, y, z]));
        prop_assert_eq!(parse_point(&format!("({point}) m")), Ok([x, y, z]));
        let range = format!("{}..{} m", print_number(x.min(y)), print_number(x.max(y)));
        prop_assert_eq!(parse_range(&range), Ok((Dimension::Length, x.min(y), x.max(y))));
    }

    #[test]
    fn manifests_never_panic(text in any::<String>(), like in goal_like()) {
        for text in [text, like] {
            let _ = (parse_quantity(&text), parse_range(&text), parse_point(&text), parse_number(&text));
        }
    }
}

#[test]
fn extremes_are_printed_and_read() {
    for dimension in Dimension::ALL {
        for micro in [i64::MIN, -1, 0, 1, i64::MAX] {
            assert_eq!(
                parse_quantity(&print_quantity(dimension, micro)),
                Ok((dimension, micro))
            );
        }
        assert_eq!(Dimension::parse(dimension.name()), Some(dimension));
    }
    assert_eq!(Dimension::parse("taste"), None);
}

#[test]
fn manifests_are_held_to_the_whole_text() {
    let read = |text| parse_quantity(text).ok();
    assert_eq!(read("5 mm"), Some((Dimension::Length, 5_000)));
    assert_eq!(read("0.5 m/s"), Some((Dimension::Speed, 500_000)));
    assert_eq!(read("45 deg"), Some((Dimension::Angle, 45_000_000)));
    for wrong in [
        "",
        "5",
        "m",
        "5 parsecs",
        "5 mm left",
        "about 5 mm",
        "5 mm 5 mm",
        "1,5 m",
        "NaN m",
        "1e m",
        "1e99 m",
        "5\" 6\" m",
        "99999999999999 m",
    ] {
        assert!(parse_quantity(wrong).is_err(), "{wrong:?}");
    }
    let message = parse_quantity("5 parsecs").err();
    assert_eq!(
        message.as_deref(),
        Some("expected a number with a unit, like `0.3 m`, found `5 parsecs` where `parsecs` is no unit that is known")
    );
}

#[test]
fn ranges_and_points_of_manifests() {
    assert_eq!(parse_range("-2..2 m"), Ok((Dimension::Length, -2_000_000, 2_000_000)));
    assert_eq!(parse_range("10 cm .. 1 m"), Ok((Dimension::Length, 100_000, 1_000_000)));
    assert_eq!(parse_range("0..100 %"), Ok((Dimension::Ratio, 0, 1_000_000)));
    assert_eq!(
        parse_range("60..80 degF"),
        Ok((Dimension::Temperature, 15_555_556, 26_666_667))
    );
    for wrong in ["2 m", "2..-2 m", "1 s..2 m", "..2 m", "1..", "1..2", "a..2 m"] {
        assert!(parse_range(wrong).is_err(), "{wrong:?}");
    }
    assert_eq!(parse_point("0, 0, 0.4 m"), Ok([0, 0, 400_000]));
    assert_eq!(parse_point("100,200,300 mm"), Ok([100_000, 200_000, 300_000]));
    assert_eq!(parse_point("(1, 1, 1.5)"), Ok([1_000_000, 1_000_000, 1_500_000]));
    for wrong in ["", "1, 2", "1, 2, 3, 4", "1, 2, 3 s", "1, 2, x", "1 2 3"] {
        assert!(parse_point(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn long_texts_are_read_in_good_time() {
    let long = |piece: &str| piece.repeat(64_000 / piece.len());
    for piece in [
        "no, ",
        "not ",
        "left no right ",
        "one hundred ",
        "5 ",
        "5-",
        "1,",
        "(1,",
        "red ",
        "a ",
        "do not, ",
        "i mean 5 m ",
        "x 1 y ",
        "'",
        "n't",
        "9",
        "bin a ",
        "between 5 and ",
        "2m",
        "half ",
        "point ",
    ] {
        let goal = read(&long(piece), &lexicon());
        assert!(goal.spans.iter().all(|span| span.end <= goal.text.len()), "{piece:?}");
    }
}

#[test]
fn spans_share_a_place_or_do_not_touch_where_names_meet_numbers() {
    let world = Lexicon::new([
        name("level 5", &[], NameKind::Place),
        name("second shelf", &[], NameKind::Place),
    ]);
    assert_eq!(spans(&read("go to level 5", &world)), "level 5=<level 5>");
    assert_eq!(spans(&read("go to level 5 m", &world)), "level=<level 5>; 5 m=5 m");
    assert_eq!(
        spans(&read("go to the second shelf", &world)),
        "second shelf=<second shelf>"
    );
}
