//! Reads words that point: pronouns, directions and ordinals.
//!
//! The same letters often do other work ("pick up", "right now", "the left bin", "that the", "first, move"); such uses are
//! no spans here and stay plain words. What a pronoun refers to is not known in this room.

use super::names::{Lexicon, mention};
use super::quantity::is_measured;
use super::words::{Line, WordKind};
use super::{Meaning, Reading};
use serde::{Deserialize, Serialize};

/// A word that stands for something said before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pronoun {
    /// "it", "him", "her": the last thing.
    It,
    /// "them", "they", "these", "those": the last things.
    Them,
    /// "that", "that one".
    That,
    /// "this", "this one".
    This,
    /// "there": the last place.
    There,
    /// "back", "where it was": where the thing was before.
    Back,
}

/// A direction word; its sense (which axis) is the device's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each variant is its own word")]
pub enum Direction {
    Left,
    Right,
    Forward,
    Back,
    Up,
    Down,
    North,
    South,
    East,
    West,
    Northeast,
    Northwest,
    Southeast,
    Southwest,
    Clockwise,
    Counterclockwise,
}

impl Direction {
    /// The normal form, as manifests write it in enumerations.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Right => "right",
            Self::Forward => "forward",
            Self::Back => "back",
            Self::Up => "up",
            Self::Down => "down",
            Self::North => "north",
            Self::South => "south",
            Self::East => "east",
            Self::West => "west",
            Self::Northeast => "northeast",
            Self::Northwest => "northwest",
            Self::Southeast => "southeast",
            Self::Southwest => "southwest",
            Self::Clockwise => "clockwise",
            Self::Counterclockwise => "counterclockwise",
        }
    }

    /// The direction that `word` (in lower case) names in one of its usual forms.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "left" | "leftward" | "leftwards" => Self::Left,
            "right" | "rightward" | "rightwards" => Self::Right,
            "forward" | "forwards" | "ahead" => Self::Forward,
            "back" | "backward" | "backwards" => Self::Back,
            "up" | "upward" | "upwards" => Self::Up,
            "down" | "downward" | "downwards" => Self::Down,
            "north" | "northward" | "northwards" => Self::North,
            "south" | "southward" | "southwards" => Self::South,
            "east" | "eastward" | "eastwards" => Self::East,
            "west" | "westward" | "westwards" => Self::West,
            "northeast" => Self::Northeast,
            "northwest" => Self::Northwest,
            "southeast" => Self::Southeast,
            "southwest" => Self::Southwest,
            "clockwise" => Self::Clockwise,
            "counterclockwise" | "anticlockwise" => Self::Counterclockwise,
            _ => return None,
        })
    }

    /// The direction at word `at` and the word after it, whatever work the word does there.
    pub(super) fn at(line: &Line<'_>, at: usize) -> Option<(Self, usize)> {
        let second = line.past_joiner(at + 1);
        let joined = match (line.normal(at), line.normal(second)) {
            ("counter" | "anti", "clockwise") => Some(Self::Counterclockwise),
            ("north", "east") => Some(Self::Northeast),
            ("north", "west") => Some(Self::Northwest),
            ("south", "east") => Some(Self::Southeast),
            ("south", "west") => Some(Self::Southwest),
            ("straight", "ahead") => Some(Self::Forward),
            _ => None,
        };
        match joined {
            Some(direction) => Some((direction, second + 1)),
            None => Self::parse(line.normal(at)).map(|direction| (direction, at + 1)),
        }
    }
}

/// Reads the pronoun or direction that starts at word `at`; `verb` is the verb of the clause so far.
pub(super) fn pointing(lexicon: &Lexicon, line: &Line<'_>, at: usize, verb: &str) -> Option<Reading> {
    if line.continues_word(at) {
        return None;
    }
    let one = |end, meaning| {
        Some(Reading {
            end,
            meanings: vec![meaning],
        })
    };
    if let Some(end) = where_it_was(line, at) {
        return one(end, Meaning::Pronoun(Pronoun::Back));
    }
    if line.normal(at) == "back" {
        return back(line, at, verb);
    }
    if let Some((pronoun, end)) = pronoun(lexicon, line, at) {
        return one(end, Meaning::Pronoun(pronoun));
    }
    let (direction, end) = Direction::at(line, at)?;
    let works_otherwise =
        is_adjective(line, at, end) || is_particle(line, at, direction, verb) || is_adverb(line, at, direction);
    if works_otherwise {
        None
    } else {
        one(end, Meaning::Direction(direction))
    }
}

fn pronoun(lexicon: &Lexicon, line: &Line<'_>, at: usize) -> Option<(Pronoun, usize)> {
    let next = line.normal(at + 1);
    let counts = || matches!(next, "once" | "twice" | "thrice") || line.normal(at + 2) == "times";
    let determines = || mention(lexicon, line, at + 1).is_some() || (is_measured(line, at + 1) && !counts());
    let asks = matches!(line.before(at), "is" | "are" | "was" | "were") && !next.is_empty();
    match line.normal(at) {
        "it" | "him" | "he" | "she" => Some((Pronoun::It, at + 1)),
        "her" if !determines() => Some((Pronoun::It, at + 1)),
        "them" | "they" => Some((Pronoun::Them, at + 1)),
        "these" | "those" if next == "ones" => Some((Pronoun::Them, at + 2)),
        "these" | "those" if !determines() => Some((Pronoun::Them, at + 1)),
        "that" if next == "one" => Some((Pronoun::That, at + 2)),
        "this" if next == "one" => Some((Pronoun::This, at + 2)),
        "that" if is_conjunction(line, at) || matches!(line.before(at), "after" | "before") => None,
        "that" if !determines() => Some((Pronoun::That, at + 1)),
        "this" if !determines() => Some((Pronoun::This, at + 1)),
        "there" if !asks && !matches!(next, "is" | "are" | "was" | "were") => Some((Pronoun::There, at + 1)),
        _ => None,
    }
}

/// "make sure that the ..", "the cube that is red", "the one that you ..".
fn is_conjunction(line: &Line<'_>, at: usize) -> bool {
    let next = matches!(
        line.normal(at + 1),
        "is" | "are"
            | "was"
            | "were"
            | "has"
            | "have"
            | "the"
            | "you"
            | "i"
            | "it"
            | "there"
            | "no"
            | "stands"
            | "lies"
            | "can"
    );
    next && at > 0
}

fn where_it_was(line: &Line<'_>, at: usize) -> Option<usize> {
    let start = if line.normal(at) == "back" { at + 1 } else { at };
    let start = start + usize::from(start > at && line.normal(start) == "to");
    let said = line.normal(start) == "where"
        && matches!(line.normal(start + 1), "it" | "they")
        && matches!(line.normal(start + 2), "was" | "were" | "came" | "belongs");
    let from = usize::from(line.normal(start + 3) == "from");
    let before = usize::from(line.normal(start + 3 + from) == "before");
    said.then_some(start + 3 + from + before)
}

/// "back" is a direction beside a distance, a place after "put it", and both in "go back".
fn back(line: &Line<'_>, at: usize, verb: &str) -> Option<Reading> {
    let next = at + 1;
    let direction = Meaning::Direction(Direction::Back);
    let place = Meaning::Pronoun(Pronoun::Back);
    let by = usize::from(line.normal(next) == "by");
    let measured_after = is_measured(line, next + by);
    let measured_before = at > 0 && super::units::measure(line, at - 1).is_some_and(|unit| unit.end == at && at > 1);
    let meanings = if is_adjective(line, at, next) {
        return None;
    } else if line.normal(next) == "up" && (at == 0 || verb.is_empty()) {
        return Some(Reading {
            end: next + 1,
            meanings: vec![direction],
        });
    } else if measured_after || measured_before || matches!(line.before(at), "the" | "backwards") {
        vec![direction]
    } else if matches!(
        verb,
        "put" | "place" | "return" | "bring" | "take" | "give" | "set" | "lay" | "drop"
    ) {
        vec![place]
    } else {
        vec![direction, place]
    };
    Some(Reading { end: next, meanings })
}

/// "the left bin", "the back of the box": the direction tells a thing apart.
fn is_adjective(line: &Line<'_>, at: usize, end: usize) -> bool {
    const AFTER: [&str; 24] = [
        "and", "then", "by", "to", "until", "for", "from", "with", "at", "or", "but", "before", "after", "while",
        "please", "side", "now", "again", "slowly", "quickly", "a", "over", "on", "in",
    ];
    let determined = matches!(line.before(at), "the" | "your" | "my" | "its" | "this" | "that");
    let ends = !line.is(end, WordKind::Letters) || AFTER.contains(&line.normal(end)) || is_measured(line, end);
    let of_relation = line.normal(end) == "of" && line.normal(at) != "back";
    determined && !ends && !of_relation
}

/// "pick up", "put it down", "shut down": the word belongs to the verb.
fn is_particle(line: &Line<'_>, at: usize, direction: Direction, verb: &str) -> bool {
    const WITH_UP: [&str; 15] = [
        "pick", "set", "wake", "warm", "heat", "clean", "hurry", "power", "start", "open", "line", "hold", "speed",
        "grab", "tidy",
    ];
    const WITH_DOWN: [&str; 10] = [
        "put", "set", "lay", "shut", "slow", "cool", "calm", "power", "break", "place",
    ];
    let measured = is_measured(line, at + 1 + usize::from(line.normal(at + 1) == "by"));
    let belongs = match direction {
        Direction::Up => WITH_UP.contains(&verb) || WITH_UP.contains(&line.before(at)),
        Direction::Down => WITH_DOWN.contains(&verb) || WITH_DOWN.contains(&line.before(at)),
        _ => false,
    };
    belongs && line.normal(at).len() <= 4 && !measured
}

/// "right now", "right, move up", "all right", "go ahead and": no direction is meant.
fn is_adverb(line: &Line<'_>, at: usize, direction: Direction) -> bool {
    const AFTER_RIGHT: [&str; 9] = [
        "now", "away", "after", "before", "above", "below", "next", "there", "here",
    ];
    let next = line.normal(at + 1);
    match direction {
        Direction::Right => {
            let opens = at == 0 && next == "," && line.is(at + 2, WordKind::Letters);
            opens || AFTER_RIGHT.contains(&next) || line.before(at) == "all"
        }
        Direction::Forward => (line.before(at), line.normal(at), next) == ("go", "ahead", "and"),
        _ => false,
    }
}

/// Reads the ordinal at word `at`: "2nd", or "second" where a determiner makes it tell things apart.
pub(super) fn ordinal(line: &Line<'_>, at: usize) -> Option<Reading> {
    const WORDS: [&str; 12] = [
        "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh",
        "twelfth",
    ];
    let reading = |position: u32, end| Reading {
        end,
        meanings: vec![Meaning::Ordinal { position }],
    };
    if line.is(at, WordKind::Digits) && line.glued(at + 1) && matches!(line.normal(at + 1), "st" | "nd" | "rd" | "th") {
        return line.normal(at).parse().ok().map(|position| reading(position, at + 2));
    }
    let determined = matches!(line.before(at), "the" | "a" | "my" | "your" | "its" | "this" | "that");
    let index = WORDS
        .iter()
        .position(|word| *word == line.normal(at))
        .filter(|_| determined)?;
    let end = at + 1 + usize::from(matches!(line.normal(at + 1), "one" | "ones"));
    u32::try_from(index + 1).ok().map(|position| reading(position, end))
}
