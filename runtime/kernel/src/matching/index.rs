//! The patterns of all traces as one tree, so that the work for a goal depends on its own length and not on how many traces there are.
//! Made from the traces and from nothing else; it says which patterns fit, and what they mean is read in the trace.

use super::pattern::{Part, Piece, Said, parts};
use super::synonym::Synonyms;
use crate::text::trace::Trace;
use crate::tool::Type;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Synonyms that one match may use.
const SYNONYMS_MAX: usize = 2;
/// Patterns that are compared in full to find the nearest.
const NEAR_MAX: usize = 48;

/// Patterns that are looked at for the nearest before only rarer words count.
const POSTINGS_MAX: usize = 4_096;

/// The patterns.
#[derive(Debug)]
pub(super) struct Index {
    /// Words by number.
    words: BTreeMap<String, u32>,
    /// Types of slots by number.
    kinds: Vec<Type>,
    /// The tree; the first node is its root. Each node's edges are sorted.
    nodes: Vec<Vec<(Edge, u32)>>,
    /// All patterns ever added, by trace and by place in it; `None` where the trace is gone.
    patterns: Vec<Option<(Arc<str>, u32)>>,
    /// The first pattern of each trace; its others follow.
    by_trace: BTreeMap<Arc<str>, u32>,
    /// Patterns by word.
    by_word: Vec<Vec<u32>>,
}

/// What leads from one node to the next, or ends a pattern; what it leads to is a node, or that pattern.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Edge {
    Word(u32),
    Slot(u32),
    End,
}

/// A pattern that accounts for every piece of a goal.
pub(super) struct Fit<'a> {
    /// The trace.
    pub trace: &'a str,
    /// Which of its patterns, from 0.
    pub pattern: usize,
    /// The pieces that fill the pattern's slots, in order.
    pub bound: Vec<usize>,
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
            kinds: Vec::new(),
            nodes: vec![Vec::new()],
            patterns: Vec::new(),
            by_trace: BTreeMap::new(),
            by_word: Vec::new(),
        }
    }
}

impl Index {
    /// Adds the patterns of a trace that is not there yet. One with a slot that the trace does not declare fits nothing.
    pub fn add(&mut self, trace: &Trace) {
        let id: Arc<str> = Arc::from(trace.id.as_str());
        self.by_trace.insert(Arc::clone(&id), number(self.patterns.len()));
        for (place, pattern) in trace.patterns.iter().enumerate() {
            self.add_pattern(&parts(pattern), &trace.slots);
            self.patterns.push(Some((Arc::clone(&id), number(place))));
        }
    }

    fn add_pattern(&mut self, parts: &[Part], slots: &[(String, Type)]) {
        let pattern = number(self.patterns.len());
        let edges: Option<Vec<Edge>> = parts
            .iter()
            .map(|part| match part {
                Part::Word(word) => Some(Edge::Word(self.word(word))),
                Part::Slot(name) => {
                    let (_, kind) = slots.iter().find(|(slot, _)| slot == name)?;
                    Some(Edge::Slot(self.kind(kind)))
                }
            })
            .collect();
        let Some(edges) = edges.filter(|edges| !edges.is_empty()) else {
            return;
        };
        let mut node = 0;
        for edge in edges {
            if let Edge::Word(word) = edge {
                let patterns = &mut self.by_word[word as usize];
                if patterns.last() != Some(&pattern) {
                    patterns.push(pattern);
                }
            }
            node = self.child(node, edge);
        }
        self.nodes[node].push((Edge::End, pattern));
    }

    /// The patterns of a trace, by their place in it, and the traces that have the same.
    pub fn same(&self, trace: &Trace) -> Vec<(usize, &str)> {
        let mut found = Vec::new();
        for (place, pattern) in trace.patterns.iter().enumerate() {
            let node = parts(pattern).iter().try_fold(0, |node, part| {
                let edge = match part {
                    Part::Word(word) => Edge::Word(*self.words.get(word)?),
                    Part::Slot(name) => {
                        let (_, kind) = trace.slots.iter().find(|(slot, _)| slot == name)?;
                        Edge::Slot(number(self.kinds.iter().position(|known| known == kind)?))
                    }
                };
                self.next(node, edge)
            });
            let ends = node
                .into_iter()
                .flat_map(|node| &self.nodes[node])
                .filter(|(edge, _)| *edge == Edge::End);
            let traces = ends.filter_map(|(_, pattern)| self.patterns[*pattern as usize].as_ref());
            found.extend(traces.map(|(id, _)| (place, &**id)));
        }
        found
    }

    fn next(&self, node: usize, edge: Edge) -> Option<usize> {
        let edges = &self.nodes[node];
        let at = edges.binary_search_by_key(&edge, |(edge, _)| *edge).ok()?;
        Some(edges[at].1 as usize)
    }

    /// Forgets all patterns of a trace.
    pub fn remove(&mut self, trace: &str) {
        let Some(first) = self.by_trace.remove(trace) else {
            return;
        };
        let mine = |pattern: &&mut Option<(Arc<str>, u32)>| pattern.as_ref().is_some_and(|(id, _)| **id == *trace);
        self.patterns[first as usize..]
            .iter_mut()
            .take_while(mine)
            .for_each(|pattern| *pattern = None);
    }

    fn word(&mut self, word: &str) -> u32 {
        if let Some(known) = self.words.get(word) {
            return *known;
        }
        let next = number(self.words.len());
        self.words.insert(word.to_owned(), next);
        self.by_word.push(Vec::new());
        next
    }

    fn kind(&mut self, kind: &Type) -> u32 {
        let known = self.kinds.iter().position(|known| known == kind);
        number(known.unwrap_or_else(|| {
            self.kinds.push(kind.clone());
            self.kinds.len() - 1
        }))
    }

    fn child(&mut self, node: usize, edge: Edge) -> usize {
        match self.nodes[node].binary_search_by_key(&edge, |(edge, _)| *edge) {
            Ok(at) => self.nodes[node][at].1 as usize,
            Err(at) => {
                let child = self.nodes.len();
                self.nodes.push(Vec::new());
                self.nodes[node].insert(at, (edge, number(child)));
                child
            }
        }
    }

    /// All patterns that account for every piece, those without synonyms first.
    pub fn fits(&self, pieces: &[Piece], said: Said<'_>, synonyms: &Synonyms) -> Vec<Fit<'_>> {
        let mut fits = Vec::new();
        let mut open = vec![At {
            node: 0,
            piece: 0,
            bound: Vec::new(),
            synonyms: Vec::new(),
        }];
        while let Some(at) = open.pop() {
            if at.piece == pieces.len() {
                fits.extend(self.ends(&at));
                continue;
            }
            self.steps(&at, pieces, said, synonyms, &mut open);
        }
        fits.sort_by(|a, b| (a.synonyms.len(), a.trace, a.pattern).cmp(&(b.synonyms.len(), b.trace, b.pattern)));
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
        for (edge, node) in &self.nodes[at.node] {
            if let Edge::Slot(kind) = edge
                && said.fits(piece, &self.kinds[*kind as usize])
            {
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
        words
            .iter()
            .try_fold(node, |node, word| self.next(node, Edge::Word(*self.words.get(word)?)))
    }

    fn ends(&self, at: &At) -> impl Iterator<Item = Fit<'_>> {
        let edges = self.nodes[at.node].iter().filter(|(edge, _)| *edge == Edge::End);
        let (bound, synonyms) = (at.bound.clone(), at.synonyms.clone());
        edges.filter_map(move |(_, pattern)| {
            let (trace, place) = self.patterns[*pattern as usize].as_ref()?;
            Some(Fit {
                trace,
                pattern: *place as usize,
                bound: bound.clone(),
                synonyms: synonyms.clone(),
            })
        })
    }

    /// The patterns that share most words with the pieces: trace and place in it. Where many share the common ones, only rarer words
    /// count.
    pub fn near(&self, pieces: &[Piece]) -> Vec<(&str, usize)> {
        let words = pieces.iter().flat_map(|piece| &piece.words);
        let mut lists: Vec<&[u32]> = words
            .filter_map(|word| self.words.get(word))
            .map(|word| self.by_word[*word as usize].as_slice())
            .collect();
        lists.sort_by_key(|list| list.len());
        let (mut shared, mut looked): (BTreeMap<u32, u32>, usize) = (BTreeMap::new(), 0);
        for list in lists {
            if looked > 0 && looked + list.len() > POSTINGS_MAX {
                break;
            }
            looked += list.len();
            for pattern in list.iter().take(POSTINGS_MAX) {
                *shared.entry(*pattern).or_default() += 1;
            }
        }
        let live = shared.iter().filter_map(|(pattern, count)| {
            let (trace, place) = self.patterns[*pattern as usize].as_ref()?;
            Some((*count, &**trace, *place as usize))
        });
        let mut near: Vec<(u32, &str, usize)> = live.collect();
        near.sort_by(|a, b| (b.0, a.1, a.2).cmp(&(a.0, b.1, b.2)));
        near.truncate(NEAR_MAX);
        near.into_iter().map(|(_, trace, place)| (trace, place)).collect()
    }
}

/// Numbers of nodes, words and patterns are small, so that a hundred thousand traces stay cheap.
fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// How alike a pattern and a goal are, below the threshold for following: twice the longest common sequence of parts over both lengths,
/// in thousandths, capped at 900, since a word that differs is never accounted for.
pub(super) fn likeness(pattern: &[Part], pieces: &[Piece]) -> u32 {
    // `None` is a span, which any slot is like.
    let goal: Vec<Option<&str>> = pieces
        .iter()
        .flat_map(|piece| match piece.readings.as_slice() {
            [] => piece.words.iter().map(|word| Some(word.as_str())).collect(),
            _ => vec![None],
        })
        .collect();
    let alike = |part: &Part, other: Option<&str>| match (part, other) {
        (Part::Slot(_), None) => true,
        (Part::Word(word), Some(other)) => word == other,
        _ => false,
    };
    let mut row = vec![0_u32; goal.len() + 1];
    for part in pattern {
        let mut diagonal = 0;
        for (column, other) in goal.iter().enumerate() {
            let above = row[column + 1];
            row[column + 1] = if alike(part, *other) {
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
