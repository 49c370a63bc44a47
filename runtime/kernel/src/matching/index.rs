//! The patterns of all traces as one tree, so that the work for a goal depends on its own length and not on how many traces there are.
//! Made from the traces and from nothing else; it says which patterns fit, and what they mean is read in the trace.

use super::pattern::{Part, Piece, Said, parts};
use super::synonym::Synonyms;
use crate::tool::Type;
use std::collections::BTreeMap;

/// Synonyms that one match may use.
const SYNONYMS_MAX: usize = 2;
/// Patterns that are compared in full to find the nearest.
const NEAR_MAX: usize = 48;

/// The patterns.
#[derive(Debug)]
pub(super) struct Index {
    /// Words by number.
    words: BTreeMap<String, u32>,
    /// The tree; the first node is its root.
    nodes: Vec<Node>,
    /// All patterns ever added; `None` where the trace is gone.
    patterns: Vec<Option<Known>>,
    /// Patterns by trace.
    by_trace: BTreeMap<String, Vec<u32>>,
    /// Patterns by word.
    by_word: BTreeMap<u32, Vec<u32>>,
}

#[derive(Debug, Default)]
struct Node {
    words: Vec<(u32, u32)>,
    slots: Vec<(Type, u32)>,
    ends: Vec<u32>,
}

/// A pattern and whose it is.
#[derive(Debug)]
struct Known {
    trace: String,
    parts: Vec<Part>,
}

/// A pattern that accounts for every piece of a goal.
pub(super) struct Fit<'a> {
    /// The trace.
    pub trace: &'a str,
    /// Slots and the pieces that fill them.
    pub bound: Vec<(&'a str, &'a Piece)>,
    /// Synonyms that were needed, by their number.
    pub synonyms: Vec<usize>,
}

/// A place in the walk through the tree.
#[derive(Clone)]
struct At {
    node: usize,
    piece: usize,
    bound: Vec<usize>,
    synonyms: Vec<usize>,
}

impl Default for Index {
    fn default() -> Index {
        Index {
            words: BTreeMap::new(),
            nodes: vec![Node::default()],
            patterns: Vec::new(),
            by_trace: BTreeMap::new(),
            by_word: BTreeMap::new(),
        }
    }
}

impl Index {
    /// Adds a pattern of a trace; a slot that the trace does not declare makes it one that nothing fits.
    pub fn add(&mut self, trace: &str, slots: &[(String, Type)], pattern: &str) {
        let parts = parts(pattern);
        let declared = |part: &Part| match part {
            Part::Word(_) => true,
            Part::Slot(name) => slots.iter().any(|(slot, _)| slot == name),
        };
        if parts.is_empty() || !parts.iter().all(declared) {
            return;
        }
        let number = u32::try_from(self.patterns.len()).unwrap_or(u32::MAX);
        let mut node = 0;
        for part in &parts {
            node = match part {
                Part::Word(word) => {
                    let word = self.number(word);
                    let patterns = self.by_word.entry(word).or_default();
                    if patterns.last() != Some(&number) {
                        patterns.push(number);
                    }
                    self.child_by_word(node, word)
                }
                Part::Slot(name) => match slots.iter().find(|(slot, _)| slot == name) {
                    Some((_, kind)) => self.child_by_slot(node, kind),
                    None => return,
                },
            };
        }
        self.nodes[node].ends.push(number);
        self.by_trace.entry(trace.to_owned()).or_default().push(number);
        self.patterns.push(Some(Known {
            trace: trace.to_owned(),
            parts,
        }));
    }

    /// Forgets all patterns of a trace.
    pub fn remove(&mut self, trace: &str) {
        for number in self.by_trace.remove(trace).unwrap_or_default() {
            self.patterns[number as usize] = None;
        }
    }

    fn number(&mut self, word: &str) -> u32 {
        let next = u32::try_from(self.words.len()).unwrap_or(u32::MAX);
        *self.words.entry(word.to_owned()).or_insert(next)
    }

    fn child_by_word(&mut self, node: usize, word: u32) -> usize {
        match self.nodes[node].words.binary_search_by_key(&word, |(word, _)| *word) {
            Ok(at) => self.nodes[node].words[at].1 as usize,
            Err(at) => {
                let child = self.grow();
                self.nodes[node].words.insert(at, (word, child));
                child as usize
            }
        }
    }

    fn child_by_slot(&mut self, node: usize, kind: &Type) -> usize {
        if let Some((_, child)) = self.nodes[node].slots.iter().find(|(known, _)| known == kind) {
            return *child as usize;
        }
        let child = self.grow();
        self.nodes[node].slots.push((kind.clone(), child));
        child as usize
    }

    fn grow(&mut self) -> u32 {
        self.nodes.push(Node::default());
        u32::try_from(self.nodes.len() - 1).unwrap_or(u32::MAX)
    }

    /// All patterns that account for every piece, those without synonyms first.
    pub fn fits<'a>(&'a self, pieces: &'a [Piece], said: Said<'_>, synonyms: &Synonyms) -> Vec<Fit<'a>> {
        let mut fits = Vec::new();
        let mut open = vec![At {
            node: 0,
            piece: 0,
            bound: Vec::new(),
            synonyms: Vec::new(),
        }];
        while let Some(at) = open.pop() {
            if at.piece == pieces.len() {
                fits.extend(self.ends(&at, pieces));
                continue;
            }
            self.steps(&at, pieces, said, synonyms, &mut open);
        }
        fits.sort_by(|a, b| (a.synonyms.len(), a.trace).cmp(&(b.synonyms.len(), b.trace)));
        fits
    }

    /// The places that lie one piece, or one synonym, further.
    fn steps(&self, at: &At, pieces: &[Piece], said: Said<'_>, synonyms: &Synonyms, open: &mut Vec<At>) {
        let piece = &pieces[at.piece];
        if let Some(node) = self.along(at.node, &piece.words) {
            open.push(At {
                node,
                piece: at.piece + 1,
                ..at.clone()
            });
        }
        for (kind, node) in &self.nodes[at.node].slots {
            if said.fits(piece, kind) {
                let mut bound = at.bound.clone();
                bound.push(at.piece);
                open.push(At {
                    node: *node as usize,
                    piece: at.piece + 1,
                    bound,
                    synonyms: at.synonyms.clone(),
                });
            }
        }
        if at.synonyms.len() == SYNONYMS_MAX {
            return;
        }
        for (number, count, other) in synonyms.said_at(pieces, at.piece) {
            if let Some(node) = self.along(at.node, other) {
                let mut used = at.synonyms.clone();
                used.push(number);
                open.push(At {
                    node,
                    piece: at.piece + count,
                    bound: at.bound.clone(),
                    synonyms: used,
                });
            }
        }
    }

    /// Where these words lead.
    fn along(&self, node: usize, words: &[String]) -> Option<usize> {
        words.iter().try_fold(node, |node, word| {
            let word = self.words.get(word)?;
            let children = &self.nodes[node].words;
            let at = children.binary_search_by_key(word, |(word, _)| *word).ok()?;
            Some(children[at].1 as usize)
        })
    }

    fn ends<'a>(&'a self, at: &At, pieces: &'a [Piece]) -> Vec<Fit<'a>> {
        let mut fits = Vec::new();
        for number in &self.nodes[at.node].ends {
            let Some(known) = &self.patterns[*number as usize] else {
                continue;
            };
            let names = known.parts.iter().filter_map(|part| match part {
                Part::Slot(name) => Some(name.as_str()),
                Part::Word(_) => None,
            });
            let bound: Vec<(&str, &Piece)> = names.zip(at.bound.iter().map(|piece| &pieces[*piece])).collect();
            // A slot that stands twice is filled with the same words twice.
            let agrees = bound.iter().enumerate().all(|(index, (name, piece))| {
                let mut before = bound[..index].iter();
                before.all(|(other, words)| other != name || words.words == piece.words)
            });
            if agrees {
                fits.push(Fit {
                    trace: &known.trace,
                    bound,
                    synonyms: at.synonyms.clone(),
                });
            }
        }
        fits
    }

    /// The pattern that is most alike, below the threshold for following: twice the longest common sequence of parts over both lengths,
    /// in thousandths, capped at 900, since a word that differs is never accounted for.
    pub fn nearest(&self, pieces: &[Piece]) -> (u32, Option<&str>) {
        let mut shared: BTreeMap<u32, u32> = BTreeMap::new();
        for word in pieces.iter().flat_map(|piece| &piece.words) {
            for pattern in self.words.get(word).and_then(|word| self.by_word.get(word)).into_iter().flatten() {
                *shared.entry(*pattern).or_default() += 1;
            }
        }
        let goal: Vec<Option<&str>> = pieces
            .iter()
            .flat_map(|piece| match piece.readings.as_slice() {
                [] => piece.words.iter().map(|word| Some(word.as_str())).collect(),
                _ => vec![None],
            })
            .collect();
        let mut near: Vec<(u32, usize, &Known)> = shared
            .iter()
            .filter_map(|(pattern, count)| {
                let known = self.patterns[*pattern as usize].as_ref()?;
                Some((*count, known.parts.len().abs_diff(goal.len()), known))
            })
            .collect();
        near.sort_by(|a, b| (b.0, a.1, &a.2.trace).cmp(&(a.0, b.1, &b.2.trace)));
        near.truncate(NEAR_MAX);
        let mut best: (u32, Option<&str>) = (0, None);
        for (_, _, known) in near {
            let score = likeness(&known.parts, &goal);
            if score > best.0 {
                best = (score, Some(&known.trace));
            }
        }
        best
    }
}

/// `None` in the goal is a span, which any slot is like.
fn likeness(pattern: &[Part], goal: &[Option<&str>]) -> u32 {
    let alike = |part: &Part, other: &Option<&str>| match (part, other) {
        (Part::Slot(_), None) => true,
        (Part::Word(word), Some(other)) => word == other,
        _ => false,
    };
    let mut row = vec![0_u32; goal.len() + 1];
    for part in pattern {
        let mut diagonal = 0;
        for (column, other) in goal.iter().enumerate() {
            let above = row[column + 1];
            row[column + 1] = if alike(part, other) {
                diagonal + 1
            } else {
                above.max(row[column])
            };
            diagonal = above;
        }
    }
    let both = u32::try_from(pattern.len() + goal.len()).unwrap_or(u32::MAX).max(1);
    (row[goal.len()] * 2_000 / both).min(900)
}
