//! A goal as the sequence that patterns are matched against: plain words, and spans in place of the words they cover.
//!
//! Only words that never change what is asked for are left out: courtesy, articles, sentence marks, and what a correction
//! took back. Prepositions, negation, order words and directions stay; dropping one of them would follow the wrong trace.

use super::Goal;
use super::words::{Line, WordKind};
use serde::{Deserialize, Serialize};

/// One part of a goal, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// A word that no span covers, in its normal form.
    Word {
        /// First byte in the text.
        start: usize,
        /// One past its last byte.
        end: usize,
        /// Lower case, contractions resolved.
        normal: String,
    },
    /// Words that a span covers.
    Span {
        /// Indices into [`Goal::spans`]: all readings of the same words, the likelier first.
        readings: Vec<usize>,
    },
}

/// The goal without courtesy, articles, marks and what was taken back; contractions are two words.
#[must_use]
pub fn content(goal: &Goal) -> Vec<Item> {
    let line = Line {
        text: &goal.text,
        words: &goal.words,
    };
    let mut items = Vec::new();
    let (mut at, mut next_span, mut next_revision) = (0, 0, 0);
    while let Some(word) = goal.words.get(at) {
        while goal
            .revisions
            .get(next_revision)
            .is_some_and(|revision| revision.end <= word.start)
        {
            next_revision += 1;
        }
        if let Some(span) = goal.spans.get(next_span).filter(|span| span.start <= word.start) {
            let readings: Vec<usize> = (next_span..goal.spans.len())
                .take_while(|index| goal.spans[*index].start == span.start)
                .collect();
            next_span += readings.len();
            at += goal.words[at..]
                .iter()
                .take_while(|word| word.end <= span.end)
                .count()
                .max(1);
            if !span.superseded {
                items.push(Item::Span { readings });
            }
            continue;
        }
        let revision = goal
            .revisions
            .get(next_revision)
            .is_some_and(|revision| revision.start <= word.start);
        let courtesy = courtesy(&line, at);
        if courtesy == 0 && !revision && !is_weightless(&line, at) {
            items.push(Item::Word {
                start: word.start,
                end: word.end,
                normal: word.normal.clone(),
            });
        }
        at += courtesy.max(1);
    }
    items
}

/// How many words of courtesy start at `at`.
fn courtesy(line: &Line<'_>, at: usize) -> usize {
    const PHRASES: [&[&str]; 33] = [
        &["could", "you"],
        &["can", "you"],
        &["would", "you"],
        &["will", "you"],
        &["if", "you", "would"],
        &["if", "you", "please"],
        &["i", "want", "you", "to"],
        &["i", "would", "like", "you", "to"],
        &["i", "need", "you", "to"],
        &["be", "so", "kind", "as", "to"],
        &["let", "us"],
        &["let", "'s"],
        &["thank", "you"],
        &["for", "me"],
        &["right", "now"],
        &["right", "away"],
        &["go", "ahead", "and"],
        &["please"],
        &["kindly"],
        &["sorry"],
        &["actually"],
        &["now"],
        &["just"],
        &["ok"],
        &["okay"],
        &["hey"],
        &["thanks"],
        &["um"],
        &["uh"],
        &["uhm"],
        &["er"],
        &["erm"],
        &["hmm"],
    ];
    /// Said before anything else, they open a sentence; elsewhere they may mean something ("the well").
    const OPENERS: [&[&str]; 7] = [
        &["well"],
        &["so"],
        &["oh"],
        &["alright"],
        &["right", "then"],
        &["robot", ","],
        &["computer", ","],
    ];
    let said = |phrase: &&&[&str]| {
        phrase
            .iter()
            .enumerate()
            .all(|(offset, word)| line.normal(at + offset) == *word)
    };
    let slight = |before: usize| {
        let word = line.normal(before);
        let alone = |phrase: &&[&str]| phrase.first() == Some(&word) && phrase.len() < 3;
        line.is(before, WordKind::Mark) || word == "then" || PHRASES.iter().chain(&OPENERS).any(alone)
    };
    let openers = OPENERS.iter().filter(|_| (0..at).all(slight));
    PHRASES
        .iter()
        .chain(openers)
        .find(said)
        .map_or(0, |phrase| phrase.len())
}

/// Articles, possessive endings and sentence marks.
fn is_weightless(line: &Line<'_>, at: usize) -> bool {
    match line.normal(at) {
        "the" | "a" | "an" | "'s" | "hi" | "hello" => true,
        mark if line.is(at, WordKind::Mark) => mark
            .chars()
            .all(|c| ".,;:!?\"'()[]-\u{2013}\u{2014}\u{2026}\u{2019}\u{2018}\u{201c}\u{201d}".contains(c)),
        _ => false,
    }
}
