//! Words that were observed to ask for the same deed. Where one trace answers to "pick up {object}" and to "grab {object}", any trace that
//! does the same deed answers to either word. They are read off the traces' patterns and kept nowhere else: a synonym goes when its
//! pattern does.

use super::pattern::{Part, Piece, parts};
use crate::text::trace::{Trace, slot_of};
use std::collections::BTreeMap;

/// Words of one side of a synonym at most.
const WORDS_MAX: usize = 3;
/// Patterns of one trace that are compared with each other.
const PATTERNS_MAX: usize = 32;

/// Words that deny, order, count, choose or point: a device does something else when one of them changes, so they are part of no
/// synonym.
const DECIDING: &str = "not no never nothing none without except but only instead or then before after first last next again once twice times undo reverse \
repeat until while if when unless both all every each another any half one two three more less it them this that these those there here";
/// Words that mean too little alone to be the synonym of another.
const PARTICLES: &str = "on off in out up down over to into onto at by for with of from through along around away toward towards near and be is are do";

/// Words that lean on what stands before or behind them, so that a synonym neither begins nor ends with one.
const LEANING: &str = "to in at for of with by from into onto and be is are";

/// Two ways to say the same.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Synonym {
    /// What was said first.
    pub one: Vec<String>,
    /// What was said, too.
    pub other: Vec<String>,
    /// The deed: every step with its constants, such as `arm.gripper(state: open)`.
    pub deed: Vec<String>,
    /// The trace whose patterns show it.
    pub trace: String,
}

/// All synonyms.
#[derive(Debug, Default)]
pub(super) struct Synonyms {
    /// By number; `None` where the trace is gone.
    list: Vec<Option<Synonym>>,
    by_trace: BTreeMap<String, Vec<usize>>,
    /// Number and side, by the first word of that side.
    by_first: BTreeMap<String, Vec<(usize, bool)>>,
}

impl Synonyms {
    /// Adds what the patterns of a trace show.
    pub fn add(&mut self, trace: &Trace) {
        for synonym in read_off(trace) {
            let number = self.list.len();
            for (words, first) in [(&synonym.one, true), (&synonym.other, false)] {
                if let Some(word) = words.first() {
                    self.by_first.entry(word.clone()).or_default().push((number, first));
                }
            }
            self.by_trace.entry(trace.id.clone()).or_default().push(number);
            self.list.push(Some(synonym));
        }
    }

    /// Forgets what the patterns of a trace showed.
    pub fn remove(&mut self, trace: &str) {
        for number in self.by_trace.remove(trace).unwrap_or_default() {
            self.list[number] = None;
        }
    }

    /// All of them, in the order in which they were learned.
    pub fn iter(&self) -> impl Iterator<Item = &Synonym> {
        self.list.iter().flatten()
    }

    /// One of them.
    pub fn get(&self, number: usize) -> Option<&Synonym> {
        self.list.get(number)?.as_ref()
    }

    /// The synonyms that are said from this piece on: their number, how many pieces they cover, and the words that stand for the same.
    pub fn said_at<'a>(
        &'a self,
        pieces: &'a [Piece],
        at: usize,
    ) -> impl Iterator<Item = (usize, usize, &'a [String])> + 'a {
        let first = pieces[at].words.first().and_then(|word| self.by_first.get(word));
        first.into_iter().flatten().filter_map(move |(number, is_one)| {
            let synonym = self.get(*number)?;
            let (said, other) = if *is_one {
                (&synonym.one, &synonym.other)
            } else {
                (&synonym.other, &synonym.one)
            };
            let plain = pieces[at..].iter().take(said.len());
            let same = plain.clone().count() == said.len()
                && plain
                    .zip(said)
                    .all(|(piece, word)| piece.words.as_slice() == [word.clone()]);
            same.then_some((*number, said.len(), other.as_slice()))
        })
    }
}

/// What a trace does, step by step, with constants but without what its slots hold.
pub(super) fn deed(trace: &Trace) -> Vec<String> {
    let step = |step: &crate::text::trace::TraceStep| {
        let arguments: Vec<String> = step
            .arguments
            .iter()
            .map(|(name, value)| format!("{name}: {}", if slot_of(value).is_some() { "_" } else { value }))
            .collect();
        format!("{}.{}({})", step.device, step.tool, arguments.join(", "))
    };
    trace.steps.iter().map(step).collect()
}

/// Where two patterns differ in one place, by words alone, these words ask for the same.
fn read_off(trace: &Trace) -> Vec<Synonym> {
    if trace.patterns.len() < 2 {
        return Vec::new();
    }
    let patterns: Vec<Vec<Part>> = trace
        .patterns
        .iter()
        .take(PATTERNS_MAX)
        .map(|text| parts(text))
        .collect();
    let mut found: Vec<Synonym> = Vec::new();
    for (index, other) in patterns.iter().enumerate() {
        for one in &patterns[..index] {
            let Some((one, other)) = difference(one, other) else {
                continue;
            };
            if !found.iter().any(|known| known.one == one && known.other == other) {
                found.push(Synonym {
                    one,
                    other,
                    deed: deed(trace),
                    trace: trace.id.clone(),
                });
            }
        }
    }
    found
}

fn difference(one: &[Part], other: &[Part]) -> Option<(Vec<String>, Vec<String>)> {
    let before = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let (one, other) = (&one[before..], &other[before..]);
    let after = one
        .iter()
        .rev()
        .zip(other.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    if before + after == 0 {
        return None;
    }
    let (one, other) = (words(&one[..one.len() - after])?, words(&other[..other.len() - after])?);
    // What both sides say is context that only looks like a part of the difference.
    (!one.iter().any(|word| other.contains(word))).then_some((one, other))
}

/// The words of one side, if they may be a synonym.
fn words(parts: &[Part]) -> Option<Vec<String>> {
    let words: Option<Vec<String>> = parts
        .iter()
        .map(|part| match part {
            Part::Word(word) => Some(word.clone()),
            Part::Slot(_) => None,
        })
        .collect();
    let words = words.filter(|words| (1..=WORDS_MAX).contains(&words.len()))?;
    let among = |list: &str, word: &String| list.split_whitespace().any(|known| known == word);
    let decides = words
        .iter()
        .any(|word| among(DECIDING, word) || !word.chars().all(char::is_alphabetic));
    let leans = [words.first(), words.last()]
        .into_iter()
        .flatten()
        .any(|word| among(LEANING, word));
    let tells = words.iter().any(|word| !among(PARTICLES, word));
    (tells && !decides && !leans).then_some(words)
}
