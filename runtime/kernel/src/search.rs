//! Finds the few tools that matter for a goal when there are more than fit into the prompt, without a model.
//!
//! Stemmed words of a tool's device, name, description, parameters and options are weighed by how rare they are and how long the
//! text is (BM25, Robertson and Zaragoza 2009); a goal's word also finds the words that mean nearly the same (`search/synonyms.txt`)
//! and, weaker, those that share its letters. To that comes how near the goal as a whole is to the tool's meaning (`sense`), which
//! finds the lamp when it is too dark to read, and counts most. What the goal states in numbers favours the tools that take such numbers. A goal of
//! several clauses is searched clause by clause, so that each gets its tools. Whole numbers only: the same everywhere. It must not
//! know plans or traces.

mod sense;

use crate::goal::{Dimension, Goal, Meaning};
use crate::tool::{Parameter, Type};
use sense::Sense;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// Tools that fit into the prompt.
pub const TOOLS_MAX: usize = 12;

/// A tool as far as search reads it.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The device, or nothing.
    pub device: &'a str,
    /// Its name.
    pub name: &'a str,
    /// What it does.
    pub does: &'a str,
    /// What it takes.
    pub parameters: &'a [Parameter],
}

/// How much a word counts by where it stands, in percent.
mod weight {
    pub(super) const DEVICE: u64 = 130;
    pub(super) const NAME: u64 = 150;
    pub(super) const DOES: u64 = 100;
    pub(super) const PARAMETER: u64 = 40;
    pub(super) const OPTION: u64 = 80;
    /// A word that means nearly the same as one of the goal.
    pub(super) const SYNONYM: u64 = 55;
    /// All letters of a word, for one that nothing else accounts for.
    pub(super) const LETTERS: u64 = 45;
    /// A tool that takes what the goal states, or that cannot be called with what it states.
    pub(super) const TAKES: u64 = 160;
    /// What a clause says, and the whole goal around it.
    pub(super) const CLAUSE: i64 = 2;
    pub(super) const CONTEXT: i64 = 1;
    /// A tool that means the same as the goal, word for word.
    pub(super) const SENSE: u64 = 90;
}

/// The indices of the `most` tools nearest to the goal, in their own order, so that the same tools make the same prompt. The tools
/// of `sure` are among them in any case.
#[must_use]
pub fn nearest(goal: &Goal, tools: &[Candidate<'_>], sure: &[usize], most: usize) -> Vec<usize> {
    if tools.len() <= most {
        return (0..tools.len()).collect();
    }
    let index = Index::new(tools);
    let rankings: Vec<Vec<usize>> = clauses(goal).iter().map(|clause| index.ranking(clause)).collect();
    let mut chosen: BTreeSet<usize> = sure.iter().copied().take(most).collect();
    // One from each clause in turn: the best of all come first, and no clause goes empty.
    for place in 0..tools.len() {
        for ranking in &rankings {
            if chosen.len() < most {
                chosen.insert(ranking[place]);
            }
        }
    }
    chosen.into_iter().collect()
}

/// What a clause asks for: its words, and what it states in numbers.
struct Clause {
    words: Vec<String>,
    sense: Sense,
    states: Vec<Stated>,
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum Stated {
    Quantity(Dimension),
    Number,
    Point,
}

/// The goal cut at what joins clauses; and, where there are several, the goal as a whole first.
fn clauses(goal: &Goal) -> Vec<Clause> {
    let mut cuts: Vec<(usize, usize)> = Vec::new();
    let mut start = 0;
    for word in &goal.words {
        let joins = matches!(
            word.normal.as_str(),
            "and"
                | "then"
                | ","
                | "."
                | ";"
                | "!"
                | "?"
                | "before"
                | "after"
                | "afterwards"
                | "finally"
                | "once"
                | "when"
        );
        let inside = goal
            .spans
            .iter()
            .any(|span| span.start < word.start && word.end < span.end);
        if joins && !inside {
            cuts.push((start, word.start));
            start = word.end;
        }
    }
    cuts.push((start, goal.text.len()));
    let mut found: Vec<Clause> = cuts
        .into_iter()
        .map(|(start, end)| clause(goal, start, end))
        .filter(|clause| clause.words.iter().any(|word| !is_filler(word)))
        .collect();
    if found.len() != 1 {
        found.insert(0, clause(goal, 0, goal.text.len()));
    }
    found
}

fn clause(goal: &Goal, start: usize, end: usize) -> Clause {
    let inside = |from: usize, to: usize| start <= from && to <= end;
    let states = goal.spans.iter().filter(|span| inside(span.start, span.end));
    let states = states.filter_map(|span| match span.meaning {
        Meaning::Quantity { dimension, .. } => Some(Stated::Quantity(dimension)),
        Meaning::Number { .. } => Some(Stated::Number),
        Meaning::Point { .. } => Some(Stated::Point),
        _ => None,
    });
    let text = goal.text.get(start..end).unwrap_or_default();
    Clause {
        words: words(text),
        // "Something creeps in the garden, light it up": what a clause speaks of may have been named before.
        sense: Sense::of([(text, weight::CLAUSE), (&goal.text, weight::CONTEXT)]),
        states: states.collect(),
    }
}

/// Words that say nothing about which tool is meant.
fn is_filler(word: &str) -> bool {
    const FILLER: [&str; 62] = [
        "a",
        "an",
        "the",
        "to",
        "of",
        "in",
        "at",
        "by",
        "for",
        "with",
        "from",
        "into",
        "onto",
        "it",
        "that",
        "this",
        "these",
        "those",
        "my",
        "your",
        "our",
        "me",
        "you",
        "i",
        "we",
        "us",
        "is",
        "are",
        "be",
        "can",
        "could",
        "would",
        "will",
        "please",
        "pleas",
        "thank",
        "now",
        "so",
        "then",
        "and",
        "or",
        "do",
        "doe",
        "did",
        "have",
        "has",
        "want",
        "need",
        "like",
        "kindly",
        "immediately",
        "right_now",
        "just",
        "hey",
        "ok",
        "okay",
        "well",
        "um",
        "uh",
        "hmm",
        "there",
        "here",
    ];
    FILLER.contains(&word)
}

/// Lower-case words without their endings.
fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let parts = lower.split(|c: char| !c.is_alphanumeric());
    parts.filter(|part| !part.is_empty()).map(stem).collect()
}

/// A word without the endings of English inflection: fewer mistakes than a full stemmer, and enough to join "moves" and "moving".
fn stem(word: &str) -> String {
    let enough = |rest: &str| rest.len() >= 3 && rest.bytes().any(|byte| b"aeiouy".contains(&byte));
    let undouble = |rest: &str| {
        let bytes = rest.as_bytes();
        match bytes {
            [.., a, b] if a == b && !b"lsz".contains(b) => rest[..rest.len() - 1].to_owned(),
            _ => rest.to_owned(),
        }
    };
    for ending in ["ing", "ed"] {
        if let Some(rest) = word.strip_suffix(ending).filter(|rest| enough(rest)) {
            return undouble(rest).trim_end_matches('e').to_owned();
        }
    }
    for (ending, left) in [
        ("ies", "y"),
        ("sses", "ss"),
        ("xes", "x"),
        ("ches", "ch"),
        ("shes", "sh"),
    ] {
        if let Some(rest) = word.strip_suffix(ending) {
            return format!("{rest}{left}");
        }
    }
    let word = match word.strip_suffix('s') {
        Some(rest) if rest.len() >= 3 && !rest.ends_with(['s', 'u', 'i']) => rest,
        _ => word,
    };
    match word.strip_suffix('e') {
        Some(rest) if rest.len() >= 3 => rest.to_owned(),
        _ => word.to_owned(),
    }
}

/// Each word of the lexicon with the words of its groups; of a phrase, the stems of its words joined by `_`.
static SYNONYMS: LazyLock<BTreeMap<String, BTreeSet<String>>> = LazyLock::new(|| {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let lines = include_str!("search/synonyms.txt").lines();
    for line in lines.filter(|line| !line.starts_with('#')) {
        let group: Vec<String> = line
            .split(' ')
            .map(|word| word.split('_').map(stem).collect::<Vec<_>>().join("_"))
            .collect();
        for word in &group {
            let others = group.iter().filter(|other| *other != word).cloned();
            found.entry(word.clone()).or_default().extend(others);
        }
    }
    found
});

/// The words of all tools, with their weights.
struct Index {
    /// For each tool its words and, in percent, how much each counts there.
    documents: Vec<BTreeMap<String, u64>>,
    /// For each tool the sum of its weights.
    lengths: Vec<u64>,
    average: u64,
    /// In how many tools a word stands.
    frequency: BTreeMap<String, u64>,
    senses: Vec<Sense>,
    takes: Vec<Vec<Stated>>,
    needs: Vec<Vec<Stated>>,
}

impl Index {
    fn new(tools: &[Candidate<'_>]) -> Index {
        let documents: Vec<BTreeMap<String, u64>> = tools.iter().map(document).collect();
        let mut frequency: BTreeMap<String, u64> = BTreeMap::new();
        for word in documents.iter().flat_map(BTreeMap::keys) {
            *frequency.entry(word.clone()).or_default() += 1;
        }
        let lengths: Vec<u64> = documents.iter().map(|document| document.values().sum()).collect();
        let average = (lengths.iter().sum::<u64>() / lengths.len().max(1) as u64).max(1);
        let stated = |required: bool| {
            let of = |tool: &Candidate<'_>| {
                let taken = tool.parameters.iter().filter(|p| p.required || !required);
                taken.filter_map(|p| stated(&p.kind)).collect()
            };
            tools.iter().map(of).collect()
        };
        Index {
            documents,
            lengths,
            average,
            frequency,
            senses: tools.iter().map(sense_of).collect(),
            takes: stated(false),
            needs: stated(true),
        }
    }

    /// All tools, the nearest to a clause first.
    fn ranking(&self, clause: &Clause) -> Vec<usize> {
        let wanted = self.wanted(clause);
        let mut ranked: Vec<(u64, usize)> = (0..self.documents.len())
            .map(|tool| (self.score(tool, &wanted, clause), tool))
            .collect();
        ranked.sort_by_key(|(score, tool)| (std::cmp::Reverse(*score), *tool));
        ranked.into_iter().map(|(_, tool)| tool).collect()
    }

    /// Groups of words, one for each word of the clause: itself, and in percent what else would do.
    fn wanted(&self, clause: &Clause) -> Vec<BTreeMap<&str, u64>> {
        let pairs = clause.words.windows(2).map(|pair| pair.join("_"));
        let mut groups = Vec::new();
        for word in clause.words.iter().cloned().chain(pairs) {
            if is_filler(&word) {
                continue;
            }
            let mut group: BTreeMap<&str, u64> = BTreeMap::new();
            let mut add = |found: &str, percent: u64| {
                if let Some((known, _)) = self.frequency.get_key_value(found) {
                    let held = group.entry(known.as_str()).or_default();
                    *held = percent.max(*held);
                }
            };
            add(&word, 100);
            for synonym in SYNONYMS.get(&word).into_iter().flatten() {
                add(synonym, weight::SYNONYM);
                if let Some((head, _)) = synonym.split_once('_') {
                    add(head, weight::SYNONYM / 2);
                }
            }
            if !self.frequency.contains_key(&word) && !word.contains('_') && word.len() >= 4 {
                for known in self.frequency.keys() {
                    let alike = likeness(&word, known);
                    if alike >= 50 {
                        add(known, alike * weight::LETTERS / 100);
                    }
                }
            }
            if !group.is_empty() {
                groups.push(group);
            }
        }
        groups
    }

    /// BM25 with k1 = 1.2 and b = 0.5 over the groups, of each the best word, in thousandths.
    fn score(&self, tool: usize, wanted: &[BTreeMap<&str, u64>], clause: &Clause) -> u64 {
        let document = &self.documents[tool];
        let norm = 60 + 60 * self.lengths[tool] / self.average;
        let mut score = 0;
        for group in wanted {
            let best = group.iter().filter_map(|(word, percent)| {
                let weight = document.get(*word)?;
                let saturated = weight * 220 / (weight + norm);
                Some(percent * self.rarity(word) * saturated / 10_000)
            });
            score += best.max().unwrap_or(0);
        }
        let takes = clause
            .states
            .iter()
            .filter(|stated| self.takes[tool].contains(stated))
            .count() as u64;
        let lacks = self.needs[tool].iter().any(|need| !clause.states.contains(need));
        score += takes * weight::TAKES * 10;
        score += clause.sense.likeness(&self.senses[tool]).max(0).cast_unsigned() * weight::SENSE;
        if lacks { score * 4 / 5 } else { score }
    }

    /// How rare a word is: the logarithm of the tools by those that hold it, in thousandths.
    fn rarity(&self, word: &str) -> u64 {
        let held = self.frequency.get(word).copied().unwrap_or(1).max(1);
        let count = self.documents.len() as u64;
        log2((2 * count + 2) * 1_000 / (2 * held + 1))
    }
}

/// 1,000 times the binary logarithm of a number of thousandths, at least 1,000; linear between powers of two.
fn log2(thousandths: u64) -> u64 {
    let number = thousandths.max(2_000);
    let whole = (number / 1_000).ilog2();
    let base = 1_000 << whole;
    u64::from(whole) * 1_000 + (number - base) * 1_000 / base
}

fn stated(kind: &Type) -> Option<Stated> {
    match kind {
        Type::Quantity(dimension) => Some(Stated::Quantity(*dimension)),
        Type::Number | Type::Integer => Some(Stated::Number),
        Type::Point => Some(Stated::Point),
        Type::Boolean | Type::Enumeration(_) | Type::Entity | Type::Place | Type::Text => None,
    }
}

fn document(tool: &Candidate<'_>) -> BTreeMap<String, u64> {
    let mut document: BTreeMap<String, u64> = BTreeMap::new();
    let mut add = |text: &str, weight: u64| {
        let words = words(text);
        let pairs: Vec<String> = words.windows(2).map(|pair| pair.join("_")).collect();
        for word in words.into_iter().chain(pairs) {
            if !is_filler(&word) {
                let held = document.entry(word).or_default();
                *held = weight.max(*held) + weight.min(*held) / 4;
            }
        }
    };
    add(tool.device, weight::DEVICE);
    add(tool.name, weight::NAME);
    add(tool.does, weight::DOES);
    for parameter in tool.parameters {
        add(&parameter.name, weight::PARAMETER);
        match &parameter.kind {
            Type::Enumeration(options) => options.iter().for_each(|option| add(option, weight::OPTION)),
            kind => add(&kind.word(), weight::PARAMETER),
        }
    }
    document
}

/// What a tool means: all its words, as much as they count by where they stand.
fn sense_of(tool: &Candidate<'_>) -> Sense {
    let weigh = |text, weight: u64| (text, weight.cast_signed());
    let named = [
        weigh(tool.device, weight::DEVICE),
        weigh(tool.name, weight::NAME),
        weigh(tool.does, weight::DOES),
    ];
    let parameters = tool.parameters.iter().flat_map(|parameter| {
        let options = match &parameter.kind {
            Type::Enumeration(options) => options.as_slice(),
            _ => &[],
        };
        let options = options.iter().map(|option| weigh(option, weight::OPTION));
        options.chain([weigh(&parameter.name, weight::PARAMETER)])
    });
    Sense::of(named.into_iter().chain(parameters))
}

/// How many letter trigrams two words share, in percent of both (Dice's coefficient).
fn likeness(left: &str, right: &str) -> u64 {
    let grams = |word: &str| -> BTreeSet<[char; 3]> {
        let framed: Vec<char> = format!(" {word} ").chars().collect();
        framed.windows(3).filter_map(|window| window.try_into().ok()).collect()
    };
    if right.contains('_') || left.chars().next() != right.chars().next() {
        return 0;
    }
    let (left, right) = (grams(left), grams(right));
    let shared = left.intersection(&right).count() as u64;
    200 * shared / (left.len() + right.len()).max(1) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_fall_away() {
        for (word, expected) in [
            ("moves", "mov"),
            ("moving", "mov"),
            ("move", "mov"),
            ("stopped", "stop"),
            ("watches", "watch"),
            ("batteries", "battery"),
            ("bus", "bus"),
            ("glass", "glass"),
            ("ring", "ring"),
            ("red", "red"),
            ("fill", "fill"),
            ("filling", "fill"),
        ] {
            assert_eq!(stem(word), expected, "{word}");
        }
    }

    #[test]
    fn logarithms_grow() {
        assert_eq!(log2(2_000), 1_000);
        assert_eq!(log2(8_000), 3_000);
        assert!(log2(12_000) > log2(11_000));
        assert_eq!(log2(0), 1_000);
    }
}
