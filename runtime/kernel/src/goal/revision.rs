//! Finds corrections ("no", "I mean", "sorry") and marks what they take back.
//!
//! What follows a correction replaces the nearest earlier span of the same kind: a direction a direction, a length a length,
//! a place a place. It only marks; nothing is rewritten, and a correction that replaces nothing is none.

use super::clause::{is_sentence_end, is_verb};
use super::names::Lexicon;
use super::words::Line;
use super::{Dimension, Direction, Found, Meaning, NameKind};
use std::ops::Range;

/// Spans looked at before and behind one correction.
const LOOK_MAX: usize = 16;

/// Marks the spans that corrections take back; returns the words of those corrections.
pub(super) fn revise(lexicon: &Lexicon, line: &Line<'_>, found: &mut [Found]) -> Vec<Range<usize>> {
    let mut revisions = Vec::new();
    let (mut at, mut sentence) = (0, 0);
    while at < line.words.len() {
        if is_sentence_end(line.normal(at)) {
            sentence = at + 1;
        }
        let Some(mark) = mark(line, at, sentence) else {
            at += 1;
            continue;
        };
        if take_back(lexicon, line, &mark, found) {
            let taken = mark.everything.unwrap_or(mark.start);
            revisions.push(taken..mark.end);
            sentence = mark.end;
        }
        at = mark.end;
    }
    revisions
}

/// The words of a correction.
struct Mark {
    start: usize,
    end: usize,
    /// "scratch that" takes back all of its sentence, which starts at this word.
    everything: Option<usize>,
}

/// Reads one or more correcting words in a row: "no", "wait, no", "sorry, I mean".
fn mark(line: &Line<'_>, at: usize, sentence: usize) -> Option<Mark> {
    let (mut end, mut everything) = one(line, at)?;
    while let Some((next, all)) = one(line, past_pause(line, end)) {
        (end, everything) = (next, everything || all);
    }
    Some(Mark {
        start: at,
        end,
        everything: everything.then_some(sentence),
    })
}

fn one(line: &Line<'_>, at: usize) -> Option<(usize, bool)> {
    let pause_before = at == 0 || is_pause(line.before(at)) || is_sentence_end(line.before(at));
    let pause_after = is_pause(line.normal(at + 1));
    let plain = |len| Some((at + len, false));
    match (line.normal(at), line.normal(at + 1)) {
        ("i", "mean" | "meant") | ("make", "that") | ("or", "rather") => plain(2),
        ("scratch" | "forget" | "cancel", "that") => Some((at + 2, true)),
        ("sorry" | "oops" | "correction" | "whoops", _) | ("no", "wait" | "sorry" | "no") => plain(1),
        ("actually" | "rather", next) if pause_before && next != "than" => plain(1),
        ("wait", next) if pause_before && (pause_after || next == "no") => plain(1),
        ("no", next) if at > 0 && (pause_before || pause_after || Direction::at(line, at - 1).is_some()) => {
            (pause_after
                || Direction::at(line, at + 1).is_some()
                || matches!(next, "the" | "to")
                || is_verb(next) && !next.ends_with("ing"))
            .then_some((at + 1, false))
        }
        _ => None,
    }
}

fn is_pause(word: &str) -> bool {
    matches!(word, "," | "-" | "\u{2013}" | "\u{2014}" | "..." | "\u{2026}" | ":")
}

fn past_pause(line: &Line<'_>, at: usize) -> usize {
    at + usize::from(is_pause(line.normal(at)))
}

/// Marks what `mark` takes back; `false` if there is nothing.
fn take_back(lexicon: &Lexicon, line: &Line<'_>, mark: &Mark, found: &mut [Found]) -> bool {
    let behind = found.partition_point(|found| found.start < mark.end);
    let before = found.partition_point(|found| found.end <= mark.start);
    if let Some(sentence) = mark.everything {
        let first = found.partition_point(|found| found.start < sentence);
        found[first..behind]
            .iter_mut()
            .for_each(|earlier| earlier.superseded = true);
        return mark.start > sentence;
    }
    let clause_end = (mark.end..line.words.len())
        .take(4 * LOOK_MAX)
        .find(|at| ends_correction(line, *at, mark.end));
    let clause_end = clause_end.unwrap_or(line.words.len());
    let mut any = false;
    for index in (behind..found.len()).take(LOOK_MAX) {
        if found[index].start >= clause_end {
            break;
        }
        let kinds = kinds(lexicon, &found[index]);
        let earlier = (before.saturating_sub(LOOK_MAX)..before).rev();
        let same = |earlier: &usize| {
            !found[*earlier].superseded
                && self::kinds(lexicon, &found[*earlier])
                    .iter()
                    .any(|kind| kinds.contains(kind))
        };
        if let Some(earlier) = earlier.into_iter().find(same) {
            found[earlier].superseded = true;
            any = true;
        }
    }
    any
}

/// Whether the correction that starts at `start` has ended before word `at`.
fn ends_correction(line: &Line<'_>, at: usize, start: usize) -> bool {
    let word = line.normal(at);
    let next_mark = at > start + 1 && one(line, at).is_some();
    is_sentence_end(word)
        || matches!(word, "then" | "but")
        || next_mark
        || (word == "and" && is_verb(line.normal(at + 1)))
}

/// What can replace what.
#[derive(PartialEq)]
enum Kind {
    Direction,
    Quantity(Dimension),
    Number,
    Order,
    Count,
    Point,
    Thing,
    Place,
}

fn kinds(lexicon: &Lexicon, found: &Found) -> Vec<Kind> {
    found
        .meanings
        .iter()
        .filter_map(|meaning| kind(lexicon, meaning))
        .collect()
}

fn kind(lexicon: &Lexicon, meaning: &Meaning) -> Option<Kind> {
    Some(match meaning {
        Meaning::Quantity { dimension, .. } => Kind::Quantity(*dimension),
        Meaning::Range { dimension, .. } => dimension.map_or(Kind::Number, Kind::Quantity),
        Meaning::Number { .. } => Kind::Number,
        Meaning::Ordinal { .. } => Kind::Order,
        Meaning::Count { .. } => Kind::Count,
        Meaning::Point { .. } => Kind::Point,
        Meaning::Direction(_) => Kind::Direction,
        Meaning::Named { candidates, .. } => match candidates.first().and_then(|name| lexicon.kind(name))? {
            NameKind::Entity => Kind::Thing,
            NameKind::Place => Kind::Place,
        },
        Meaning::Pronoun(_) => return None,
    })
}
