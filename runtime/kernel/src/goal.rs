//! The words of a goal as typed spans: quantities with units, points, mentions of known things, pronouns, directions,
//! negation and corrections.
//!
//! Every number that reaches a device must have been said by somebody, so this room reads what was said, exactly and with
//! its place in the text, and the rest of the house points at it. It is pure: the same text and the same [`Lexicon`] give
//! the same [`Goal`], and any text gives one. It must not know tools, devices, plans or what a goal is for; it does not choose
//! among readings, and it never completes what a person left out.
//!
//! # Grammar
//!
//! A text is cut into words (letters, numbers in digits, single marks); a contraction is two words. At each word the
//! longest reading wins, a mention of a name before a number of the same length, and reading goes on behind it. So two
//! spans either have the same range or do not touch.
//!
//! ```text
//! number     = [sign] ( digits [fraction] | cardinal ["point" digit+] | fraction | batch ) [and-fraction] [scale]
//! sign       = "-" | "minus" | "negative" | "+"            a hyphen only where it touches a number and nothing before it
//! digits     = "5" | "0.5" | ".5" | "1,000"                "1,5" is no number: English has no decimal comma; "1,5 m" is not 5 m
//! cardinal   = "five" | "twenty-five" | "a hundred and twenty" | "two thousand" | ...
//! fraction   = "half" | "a quarter" | "two thirds" | "1/2" | "½" | ...
//! batch      = "a couple" | "a dozen"
//! quantity   = number ["-"] unit | fraction ["of"] ["a"] unit | batch ["of"] unit | "a" unit-name
//! compound   = quantity (["and"] smaller-quantity)*  | quantity "and" fraction      "2m 30s", "5 feet 3 inches", "an hour and a half"
//! unit       = a row of the table in `units` | length "per" duration | angle "per" duration | ... "per second squared"
//! range      = number "-" quantity | "between" number "and" quantity
//! count      = number "times" | "once" | "twice"
//! point      = "(" c "," c "," c ")" [unit] | c "," c "," c | "x" ["="] c "y" ["="] c "z" ["="] c      c = number [length unit]
//! mention    = name | adjective* head [designator] | adjective+ "one"
//! ```
//!
//! A span covers these words and no others: the article of "a metre" says how many and is inside, that of "the 30 cm" is not.
//!
//! # Two readings of the same words
//!
//! Some words honestly mean two things; both spans are given, with the same range, the likelier first:
//! - "21 degrees", "21°": an angle, then a temperature in °C. With "celsius" only the temperature, with "per second" only the
//!   angular speed, before a direction word or after "turn" only the angle.
//! - "half", "3/4" without a unit: a number, then a ratio.
//! - "go back": the direction, then the pronoun. "back 20 cm" is only the direction, "put it back" only the pronoun.
//!
//! `m` is the metre, except in a duration: "2m 30s", "1h 5m". A temperature after "by" is a difference: "by 9 °F" is 5 °C.

mod clause;
mod content;
mod denial;
mod exact;
mod language;
mod names;
mod notation;
mod number;
mod point;
mod pointing;
mod quantity;
mod revision;
#[cfg(test)]
mod tests;
mod units;
mod words;

pub use content::{Item, content};
pub use denial::{Denial, Negation};
pub use language::Language;
pub use names::{Lexicon, Name, NameKind};
pub use notation::{parse_number, parse_point, parse_quantity, parse_range, print_number, print_quantity};
pub use pointing::{Direction, Pronoun};
pub use units::Dimension;
pub use words::{Word, WordKind};

use serde::{Deserialize, Serialize};
use std::ops::Range;
use words::Line;

/// A goal and everything in it that is typed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Goal {
    /// The goal as given.
    pub text: String,
    /// Its words in order, marks included.
    pub words: Vec<Word>,
    /// The typed spans by place; alternative readings of the same words follow one another, the likelier first.
    pub spans: Vec<Span>,
    /// Whether the goal as a whole, or a part of it, is denied.
    pub negation: Negation,
    /// Where something is denied, in order.
    pub denials: Vec<Denial>,
    /// Byte ranges of words that take back what was said before ("no", "I mean"), where they did.
    pub revisions: Vec<Range<usize>>,
    /// English, or a language that we do not read.
    pub language: Language,
}

/// A typed part of the text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// First byte, on a character boundary.
    pub start: usize,
    /// One past the last byte, on a character boundary.
    pub end: usize,
    /// What it means.
    pub meaning: Meaning,
    /// Taken back by a later correction: "left" in "move left, no, right".
    pub superseded: bool,
}

/// What a span means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// A number with a unit.
    Quantity {
        /// What it measures.
        dimension: Dimension,
        /// Micro-units of the base unit of the dimension.
        micro: i64,
    },
    /// A number without a unit, times one million.
    Number {
        /// One million is one.
        micro: i64,
    },
    /// "5-10 cm": neither end is the quantity, so it binds to none.
    Range {
        /// What it measures, if a unit was said.
        dimension: Option<Dimension>,
        /// The lower end in micro-units.
        low: i64,
        /// The upper end in micro-units.
        high: i64,
    },
    /// "the second", "3rd".
    Ordinal {
        /// One is the first.
        position: u32,
    },
    /// "twice", "three times".
    Count {
        /// How often.
        times: u32,
    },
    /// Three coordinates.
    Point {
        /// Metres times one million: x, y, z.
        micro: [i64; 3],
    },
    /// A mention of known things or places.
    Named {
        /// The canonical names that fit, in the order of the lexicon; at least one.
        candidates: Vec<String>,
        /// Said in the plural: all of them may be meant.
        plural: bool,
    },
    /// A word for something said before.
    Pronoun(Pronoun),
    /// A direction word.
    Direction(Direction),
}

impl Meaning {
    /// The value of a bare number without decimals.
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Number { micro } if micro % 1_000_000 == 0 => Some(micro / 1_000_000),
            _ => None,
        }
    }

    /// Whether this is a bare number without decimals.
    #[must_use]
    pub fn is_integer(&self) -> bool {
        self.as_integer().is_some()
    }
}

impl Goal {
    /// The words of a span as written.
    #[must_use]
    pub fn words_of(&self, span: &Span) -> &str {
        self.text.get(span.start..span.end).unwrap_or("")
    }

    /// The spans that no correction took back.
    pub fn standing(&self) -> impl Iterator<Item = &Span> {
        self.spans.iter().filter(|span| !span.superseded)
    }

    /// Whether what is denied is to go beyond a value: "never above 30 °C", "no faster than 1 m/s".
    #[must_use]
    pub fn is_limit(&self, denial: &Denial) -> bool {
        let before = |start: usize| {
            self.words
                .iter()
                .rev()
                .find(|word| word.end <= start)
                .map(|word| word.normal.as_str())
        };
        let values = self.standing().filter(|span| {
            let value = matches!(span.meaning, Meaning::Quantity { .. } | Meaning::Number { .. });
            value && denial.scope.start <= span.start && span.end <= denial.scope.end
        });
        values.into_iter().any(|span| {
            matches!(
                before(span.start),
                Some("than" | "above" | "below" | "over" | "under" | "beyond" | "past" | "exceed" | "exceeds")
            )
        })
    }

    /// Whether the byte range lies inside something that is denied.
    #[must_use]
    pub fn is_denied(&self, range: &Range<usize>) -> bool {
        self.denials
            .iter()
            .any(|denial| denial.scope.start <= range.start && range.end <= denial.scope.end)
    }
}

/// A reading at some word: where it ends (one past its last word) and what it may mean, the likelier first.
struct Reading {
    end: usize,
    meanings: Vec<Meaning>,
}

/// A reading and the word where it starts.
struct Found {
    start: usize,
    end: usize,
    meanings: Vec<Meaning>,
    superseded: bool,
}

impl Goal {
    /// The number that "three times" and "3000 rpm" are for what counts without a unit: the byte where it ends, and its value times one
    /// million. Revolutions a minute are the only unit of their dimension that people say.
    #[must_use]
    pub fn counted(&self, span: &Span) -> Option<(usize, i64)> {
        const DEGREES_A_SECOND: i64 = 6;
        let words = self.text.get(span.start..span.end)?;
        let micro = match span.meaning {
            Meaning::Count { times } => i64::from(times) * llmos_follower::MICRO,
            Meaning::Quantity {
                dimension: Dimension::AngularSpeed,
                micro,
            } if words.to_lowercase().ends_with("rpm") => micro / DEGREES_A_SECOND,
            _ => return None,
        };
        let number = words.trim_end_matches(char::is_alphabetic).trim_end();
        let length = if number.is_empty() { words.len() } else { number.len() };
        (micro % llmos_follower::MICRO == 0).then_some((span.start + length, micro))
    }
}

/// Reads `goal` by the names in `lexicon`.
#[must_use]
pub fn read(goal: &str, lexicon: &Lexicon) -> Goal {
    let words = words::words(goal);
    let line = Line {
        text: goal,
        words: &words,
    };
    let mut found = find(lexicon, &line);
    let revisions = revision::revise(lexicon, &line, &mut found);
    let denials = denial::denials(&line, &revisions);
    let negation = denial::negation(&line, &denials);
    let bytes = |range: &Range<usize>| byte_range(&line, range);
    Goal {
        text: goal.to_owned(),
        language: language::language(&line, &found),
        negation,
        denials: denials
            .iter()
            .map(|denial| Denial {
                cue: bytes(&denial.cue),
                scope: bytes(&denial.scope),
            })
            .collect(),
        revisions: revisions.iter().map(bytes).collect(),
        spans: found.iter().flat_map(|found| spans_of(&line, found)).collect(),
        words,
    }
}

/// All readings in order; none touches another.
fn find(lexicon: &Lexicon, line: &Line<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    let mut verb = "";
    let mut at = 0;
    while at < line.words.len() {
        if let Some(Reading { end, meanings }) = longest(lexicon, line, at, verb) {
            found.push(Found {
                start: at,
                end,
                meanings,
                superseded: false,
            });
            at = end.max(at + 1);
            continue;
        }
        let word = line.normal(at);
        if clause::is_break(word) {
            verb = "";
        } else if clause::is_verb(word) {
            verb = word;
        }
        at += 1;
    }
    found
}

fn longest(lexicon: &Lexicon, line: &Line<'_>, at: usize, verb: &str) -> Option<Reading> {
    let numeric = quantity::reading(line, at).or_else(|| pointing::ordinal(line, at));
    let name = names::mention(lexicon, line, at);
    match (name, numeric) {
        (Some(name), Some(numeric)) => Some(if numeric.end > name.end { numeric } else { name }),
        (Some(reading), None) | (None, Some(reading)) => Some(reading),
        (None, None) => pointing::pointing(lexicon, line, at, verb),
    }
}

fn spans_of(line: &Line<'_>, found: &Found) -> Vec<Span> {
    let Range { start, end } = byte_range(line, &(found.start..found.end));
    let span = |meaning: &Meaning| Span {
        start,
        end,
        meaning: meaning.clone(),
        superseded: found.superseded,
    };
    found.meanings.iter().map(span).collect()
}

/// The bytes of a range of words.
fn byte_range(line: &Line<'_>, range: &Range<usize>) -> Range<usize> {
    let start = line.words.get(range.start).map_or(line.text.len(), |word| word.start);
    let end = range
        .end
        .checked_sub(1)
        .and_then(|last| line.words.get(last))
        .map_or(start, |word| word.end);
    start..end.max(start)
}
