//! Finds mentions of known things: by full name, by synonym, by head noun and adjectives, by "the red one".
//!
//! It knows the names that the world has now and how English shortens them. It invents nothing: a noun that no name has is
//! no mention, and an adjective that no name has ("the green cube" where there are only red ones) makes it none either,
//! because the person means something that is not there. Which of several candidates is meant is not decided here.

use super::number::simple;
use super::quantity::is_measured;
use super::words::{Line, WordKind, words};
use super::{Direction, Meaning, Reading};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Adjectives read before one head noun at most.
const ADJECTIVES_MAX: usize = 6;

/// What a name names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NameKind {
    /// A thing that can be acted upon.
    Entity,
    /// A place to go to or to put things in.
    Place,
}

/// A thing or place that is known now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Name {
    /// The canonical name, like "red cube" or "bin A"; mentions are reported by it.
    pub name: String,
    /// Other names for the same.
    pub also: Vec<String>,
    /// Thing or place.
    pub kind: NameKind,
}

/// What is known by name in the world right now: what the devices report and the manifests declare.
#[derive(Debug, Clone, Default)]
pub struct Lexicon {
    names: Vec<Name>,
    patterns: Vec<Pattern>,
    /// Patterns by the stem of their first word, and by that of their head noun.
    by_first: BTreeMap<String, Vec<usize>>,
    by_head: BTreeMap<String, Vec<usize>>,
    /// Patterns by each adjective, for "the red one"; its keys are all the adjectives there are.
    by_adjective: BTreeMap<String, Vec<usize>>,
}

/// One way to say one name.
#[derive(Debug, Clone)]
struct Pattern {
    /// Index of the name.
    name: usize,
    /// Stems of all its words.
    stems: Vec<String>,
    /// "big" and "red" of "big red cube 2".
    adjectives: Vec<String>,
    /// "2" of "cube 2", "a" of "bin A".
    designator: Option<String>,
}

impl Lexicon {
    /// Builds the lexicon. A name without any letter or digit is never found; of equal names both are candidates.
    #[must_use]
    pub fn new(names: impl IntoIterator<Item = Name>) -> Self {
        let mut lexicon = Self {
            names: names.into_iter().collect(),
            ..Self::default()
        };
        for index in 0..lexicon.names.len() {
            let name = &lexicon.names[index];
            let spellings: Vec<String> = std::iter::once(&name.name).chain(&name.also).cloned().collect();
            for spelling in spellings {
                lexicon.add(index, &spelling);
            }
        }
        lexicon
    }

    /// What the canonical `name` names, if it is known.
    #[must_use]
    pub fn kind(&self, name: &str) -> Option<NameKind> {
        self.names
            .iter()
            .find(|known| known.name == name)
            .map(|known| known.kind)
    }

    /// The names, in the order they were given.
    #[must_use]
    pub fn names(&self) -> &[Name] {
        &self.names
    }

    fn add(&mut self, name: usize, spelling: &str) {
        let spelled = words(spelling);
        let solid = spelled.iter().filter(|word| word.kind != WordKind::Mark);
        let stems: Vec<String> = solid.map(|word| stem(&word.normal)).collect();
        let Some(first) = stems.first() else { return };
        let index = self.patterns.len();
        self.by_first.entry(first.clone()).or_default().push(index);
        let described = !stems
            .iter()
            .any(|stem| matches!(stem.as_str(), "of" | "in" | "on" | "at" | "by" | "the" | "to"));
        let designated = stems.len() > 1 && stems.last().is_some_and(|last| is_designator(last));
        let head = stems.len() - 1 - usize::from(designated);
        let adjectives = if described { stems[..head].to_vec() } else { Vec::new() };
        if described {
            self.by_head.entry(stems[head].clone()).or_default().push(index);
        }
        for adjective in &adjectives {
            self.by_adjective.entry(adjective.clone()).or_default().push(index);
        }
        let designator = designated.then(|| stems[head + 1].clone());
        self.patterns.push(Pattern {
            name,
            stems,
            adjectives,
            designator,
        });
    }

    /// The canonical names of `patterns`, each once, in the order of the lexicon.
    fn candidates(&self, patterns: impl Iterator<Item = usize>) -> Vec<String> {
        let names: BTreeSet<usize> = patterns.map(|pattern| self.patterns[pattern].name).collect();
        names.into_iter().map(|name| self.names[name].name.clone()).collect()
    }
}

/// Reads the mention that starts at word `at`, its article excluded.
pub(super) fn mention(lexicon: &Lexicon, line: &Line<'_>, at: usize) -> Option<Reading> {
    let joined_before = at.checked_sub(1).is_some_and(|before| line.past_joiner(before) == at);
    let before = if joined_before {
        at.checked_sub(2).map_or("", |at| line.normal(at))
    } else {
        line.before(at)
    };
    if line.continues_word(at) || is_distinguishing(before) {
        return None;
    }
    let full = by_full_name(lexicon, line, at);
    let described = by_description(lexicon, line, at);
    match (full, described) {
        // What is said of it is true of nothing that is known.
        (Some(full), None) if relative(lexicon, line, full.end).is_some() => None,
        (Some(full), Some(described)) => Some(if described.end > full.end { described } else { full }),
        (full, described) => full.or(described),
    }
}

fn by_full_name(lexicon: &Lexicon, line: &Line<'_>, at: usize) -> Option<Reading> {
    let patterns = lexicon.by_first.get(&stem(line.normal(at)))?;
    let ends = |index: usize| spelled_end(&lexicon.patterns[index].stems, line, at);
    let end = patterns.iter().filter_map(|index| ends(*index)).max()?;
    let fitting = patterns.iter().copied().filter(|index| ends(*index) == Some(end));
    let candidates = lexicon.candidates(fitting);
    let bare_head = lexicon.by_head.get(&stem(line.normal(end - 1)));
    if is_identifier(line, end)
        || bare_head.is_some_and(|same_head| designator(lexicon, same_head, line, end).is_some())
    {
        return None;
    }
    Some(named(line, end, candidates))
}

/// Where `stems` end if they all stand at `at`; a plural counts as its singular.
fn spelled_end(stems: &[String], line: &Line<'_>, at: usize) -> Option<usize> {
    let mut next = at;
    for (index, expected) in stems.iter().enumerate() {
        let place = if index > 0 { line.past_joiner(next) } else { next };
        if stem(line.normal(place)) != *expected {
            return None;
        }
        let last_of_several = index > 0 && index + 1 == stems.len();
        if last_of_several && is_designator(expected) && !designates(line, place) {
            return None;
        }
        next = place + 1;
    }
    (!line.continues_word(next)).then_some(next)
}

/// Adjectives that names have, then a head noun and its designator, or "one".
fn by_description(lexicon: &Lexicon, line: &Line<'_>, at: usize) -> Option<Reading> {
    let mut adjectives = Vec::new();
    let mut next = at;
    while adjectives.len() < ADJECTIVES_MAX {
        if !is_adjective(lexicon, line.normal(next)) {
            break;
        }
        adjectives.push(stem(line.normal(next)));
        next = line.past_joiner(next + 1);
    }
    let stands_in = matches!(
        line.normal(next),
        "one" | "ones" | "thing" | "things" | "object" | "objects" | "item" | "items"
    );
    if stands_in && !lexicon.by_head.contains_key(&stem(line.normal(next))) {
        if is_measured(line, next) || (Direction::at(line, at).is_some() && !is_determiner(line.before(at))) {
            return None;
        }
        let mut end = next + 1;
        if let Some((more, past)) = relative(lexicon, line, end) {
            adjectives.extend(more);
            end = past;
        }
        let patterns = lexicon.by_adjective.get(adjectives.first()?)?;
        return fitting(lexicon, line, patterns, &adjectives, None, end);
    }
    if let Some(patterns) = lexicon.by_head.get(&stem(line.normal(next))) {
        let designator = designator(lexicon, patterns, line, next + 1);
        let mut end = designator.as_ref().map_or(next + 1, |(_, end)| *end);
        if let Some((more, past)) = relative(lexicon, line, end) {
            adjectives.extend(more);
            end = past;
        }
        return fitting(
            lexicon,
            line,
            patterns,
            &adjectives,
            designator.as_ref().map(|(designator, _)| designator.as_str()),
            end,
        );
    }
    if is_determiner(line.before(at))
        && !adjectives.is_empty()
        && let Some(patterns) = shared_head(lexicon, line, next)
    {
        return fitting(lexicon, line, patterns, &adjectives, None, next);
    }
    // "the orange" alone: the last adjective is a head noun too.
    let last = next.checked_sub(1).filter(|last| *last >= at)?;
    let patterns = lexicon.by_head.get(&stem(line.normal(last)))?;
    adjectives.pop();
    fitting(lexicon, line, patterns, &adjectives, None, last + 1)
}

/// "that is red", "which is big and red": the adjectives of a relative clause, and the word after it.
fn relative(lexicon: &Lexicon, line: &Line<'_>, at: usize) -> Option<(Vec<String>, usize)> {
    let opens = matches!(line.normal(at), "that" | "which") && matches!(line.normal(at + 1), "is" | "are");
    let mut adjectives = Vec::new();
    let mut next = at + 2;
    while opens && adjectives.len() < ADJECTIVES_MAX && is_adjective(lexicon, line.normal(next)) {
        adjectives.push(stem(line.normal(next)));
        next += 1;
        if line.normal(next) == "and" && is_adjective(lexicon, line.normal(next + 1)) {
            next += 1;
        }
    }
    (!adjectives.is_empty()).then_some((adjectives, next))
}

/// "red" in "the red and the blue cube": the head noun comes with the adjectives after it.
fn shared_head<'l>(lexicon: &'l Lexicon, line: &Line<'_>, at: usize) -> Option<&'l [usize]> {
    let mut next = at;
    for _ in 0..ADJECTIVES_MAX {
        next += usize::from(line.normal(next) == ",");
        next += usize::from(matches!(line.normal(next), "and" | "or"));
        if next == at {
            return None;
        }
        next += usize::from(is_determiner(line.normal(next)));
        let first = next;
        while is_adjective(lexicon, line.normal(next)) {
            next += 1;
        }
        if next == first {
            return None;
        }
        if let Some(patterns) = lexicon.by_head.get(&stem(line.normal(next))) {
            return Some(patterns);
        }
    }
    None
}

fn is_adjective(lexicon: &Lexicon, word: &str) -> bool {
    lexicon.by_adjective.contains_key(&stem(word)) || is_distinguishing(word)
}

fn fitting(
    lexicon: &Lexicon,
    line: &Line<'_>,
    patterns: &[usize],
    adjectives: &[String],
    designator: Option<&str>,
    end: usize,
) -> Option<Reading> {
    let fits = |pattern: &Pattern| {
        adjectives
            .iter()
            .all(|adjective| pattern.adjectives.contains(adjective))
            && (designator.is_none() || pattern.designator.as_deref() == designator)
    };
    let candidates = lexicon.candidates(patterns.iter().copied().filter(|index| fits(&lexicon.patterns[*index])));
    (!candidates.is_empty() && !line.continues_word(end) && !is_identifier(line, end))
        .then(|| named(line, end, candidates))
}

/// `cube_7` is one identifier, not a cube.
fn is_identifier(line: &Line<'_>, end: usize) -> bool {
    line.normal(end) == "_" && line.past_joiner(end) != end
}

fn named(line: &Line<'_>, end: usize, candidates: Vec<String>) -> Reading {
    let last = line.normal(end - 1);
    let plural = stem(last) != last && simple(last).is_none();
    Reading {
        end,
        meanings: vec![Meaning::Named { candidates, plural }],
    }
}

/// The designator after a head noun at `at`, whether or not some name has it: "bin C" is no other bin.
fn designator(lexicon: &Lexicon, same_head: &[usize], line: &Line<'_>, at: usize) -> Option<(String, usize)> {
    let place = line.past_joiner(at);
    let word = stem(line.normal(place));
    let known = same_head
        .iter()
        .filter_map(|index| lexicon.patterns[*index].designator.as_ref());
    let (has_it, numbered, lettered) = known.fold((false, false, false), |(has, numbered, lettered), designator| {
        let digit = designator.starts_with(|c: char| c.is_ascii_digit());
        (has || *designator == word, numbered || digit, lettered || !digit)
    });
    let digit = word.starts_with(|c: char| c.is_ascii_digit());
    let comparable = if digit {
        numbered || lettered
    } else {
        (lettered || line.raw(place) != "a") && !matches!(line.normal(place), "i" | "x" | "y" | "z")
    };
    let accepted = is_designator(&word) && designates(line, place) && (has_it || comparable);
    let article = line.raw(place) == "a" && !has_it && line.is(place + 1, WordKind::Letters);
    (accepted && !article).then_some((word, place + 1))
}

fn is_determiner(word: &str) -> bool {
    matches!(
        word,
        "the" | "this" | "that" | "my" | "your" | "its" | "these" | "those" | "a"
    )
}

/// A single letter or a number tells things of one kind apart.
fn is_designator(stem: &str) -> bool {
    let mut chars = stem.chars();
    match (chars.next(), chars.next()) {
        (Some(only), None) => only.is_alphanumeric(),
        (Some(_), Some(_)) => stem.bytes().all(|b| b.is_ascii_digit()),
        (None, _) => false,
    }
}

/// Whether the word at `at` designates here: "bin a" does, "bin a metre away" and "cube 3 cm" do not.
fn designates(line: &Line<'_>, at: usize) -> bool {
    !is_measured(line, at)
}

/// Colours, sizes and the like: before a head noun they always tell it apart from others.
pub(super) fn is_distinguishing(word: &str) -> bool {
    const WORDS: [&str; 62] = [
        "red",
        "green",
        "blue",
        "yellow",
        "orange",
        "purple",
        "violet",
        "pink",
        "brown",
        "black",
        "white",
        "grey",
        "gray",
        "silver",
        "gold",
        "golden",
        "cyan",
        "magenta",
        "turquoise",
        "teal",
        "beige",
        "dark",
        "bright",
        "pale",
        "big",
        "bigger",
        "biggest",
        "large",
        "larger",
        "largest",
        "small",
        "smaller",
        "smallest",
        "little",
        "tiny",
        "huge",
        "tall",
        "taller",
        "tallest",
        "short",
        "shorter",
        "shortest",
        "round",
        "square",
        "wooden",
        "metal",
        "plastic",
        "glass",
        "other",
        "another",
        "different",
        "upper",
        "lower",
        "top",
        "bottom",
        "middle",
        "old",
        "empty",
        "full",
        "broken",
        "heavy",
        "transparent",
    ];
    WORDS.contains(&word)
}

/// The form under which words compare: singular, digits for number words, British grey.
fn stem(word: &str) -> String {
    if let Some(value) = simple(word) {
        return value.to_string();
    }
    match word {
        "ones" => return "1".to_owned(),
        "gray" => return "grey".to_owned(),
        "shelves" => return "shelf".to_owned(),
        "knives" => return "knife".to_owned(),
        "leaves" => return "leaf".to_owned(),
        "people" => return "person".to_owned(),
        _ => {}
    }
    let singular = ["ies", "xes", "ches", "shes", "sses", "s"].iter().find_map(|ending| {
        let base = word.strip_suffix(ending).filter(|base| base.chars().count() > 1)?;
        Some(match *ending {
            "ies" => format!("{base}y"),
            "s" if base.ends_with(['s', 'u', 'i']) => word.to_owned(),
            "s" => base.to_owned(),
            other => format!("{base}{}", &other[..other.len() - 2]),
        })
    });
    singular.unwrap_or_else(|| word.to_owned())
}
