//! A goal and a pattern in the parts that are compared: content words, spans, slots.

use crate::goal::{self, Goal, Item, Lexicon, Meaning, NameKind};
use crate::tool::Type;

/// One content word or span of a goal.
pub(super) struct Piece {
    /// Its words in their normal form.
    pub words: Vec<String>,
    /// Indices into the goal's spans: all readings of the same words; none for a plain word.
    pub readings: Vec<usize>,
    /// First byte in the goal.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// The goal's pieces in order.
pub(super) fn pieces(goal: &Goal) -> Vec<Piece> {
    goal::content(goal)
        .into_iter()
        .map(|item| match item {
            Item::Word { start, end, normal } => Piece {
                words: vec![normal],
                readings: Vec::new(),
                start,
                end,
            },
            Item::Span { readings } => {
                let span = &goal.spans[readings[0]];
                let inside = goal
                    .words
                    .iter()
                    .filter(|word| word.start >= span.start && word.end <= span.end);
                Piece {
                    words: inside.map(|word| word.normal.clone()).collect(),
                    start: span.start,
                    end: span.end,
                    readings,
                }
            }
        })
        .collect()
}

/// A part of a pattern.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Part {
    /// This word.
    Word(String),
    /// Whatever fills the slot of this name.
    Slot(String),
}

/// A placeholder that no goal contains and that reads as one word.
const SLOT: &str = "qzslotq";

/// The names of a pattern's slots, in order.
pub(super) fn slots_of(pattern: &str) -> impl Iterator<Item = &str> {
    let rest = pattern.split('{').skip(1);
    rest.filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
}

/// A pattern in its parts, read by the same rules as a goal.
pub(super) fn parts(pattern: &str) -> Vec<Part> {
    let (mut text, mut rest) = (String::new(), pattern);
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        rest = after.split_once('}').map_or(after, |(_, after)| {
            text.push_str(SLOT);
            after
        });
    }
    text.push_str(rest);
    let mut names = slots_of(pattern);
    let words = pieces(&goal::read(&text, &Lexicon::default()))
        .into_iter()
        .flat_map(|piece| piece.words);
    words
        .filter_map(|word| {
            if word == SLOT {
                names.next().map(|name| Part::Slot(name.to_owned()))
            } else {
                Some(Part::Word(word))
            }
        })
        .collect()
}

/// What a slot's filler is looked up in.
#[derive(Clone, Copy)]
pub(super) struct Said<'a> {
    /// The goal.
    pub goal: &'a Goal,
    /// What can be named now.
    pub lexicon: &'a Lexicon,
}

impl Said<'_> {
    /// Whether a piece can fill a slot of this type.
    pub fn fits(&self, piece: &Piece, kind: &Type) -> bool {
        if let Type::Enumeration(_) = kind {
            return self.option_of(piece, kind).is_some();
        }
        let mut readings = piece.readings.iter();
        readings.any(|index| self.reading_fits(&self.goal.spans[*index].meaning, kind)) || *kind == Type::Text
    }

    /// Whether one meaning of a piece can fill a slot of this type.
    pub fn reading_fits(&self, meaning: &Meaning, kind: &Type) -> bool {
        match (kind, meaning) {
            (Type::Quantity(expected), Meaning::Quantity { dimension, .. }) => dimension == expected,
            (Type::Integer, Meaning::Number { .. }) => meaning.is_integer(),
            (Type::Number, Meaning::Number { .. })
            | (Type::Place | Type::Point, Meaning::Point { .. } | Meaning::Named { .. }) => true,
            // A place is no thing: "put bin A in the red cube" does not follow "put the red cube in bin A".
            (Type::Entity, Meaning::Named { candidates, .. }) => candidates.iter().any(|name| self.is_thing(name)),
            _ => false,
        }
    }

    /// The candidates of a mention that can fill a slot of this type.
    pub fn candidates<'c>(&self, candidates: &'c [String], kind: &Type) -> Vec<&'c String> {
        let thing = |name: &&String| *kind != Type::Entity || self.is_thing(name);
        candidates.iter().filter(thing).collect()
    }

    fn is_thing(&self, name: &str) -> bool {
        let mut names = self.lexicon.names().iter();
        names.any(|known| known.name == name && known.kind == NameKind::Entity)
    }

    /// The option that a piece names: by its word, or as a direction.
    pub fn option_of(&self, piece: &Piece, kind: &Type) -> Option<String> {
        let Type::Enumeration(options) = kind else { return None };
        let said = piece.words.join(" ");
        let mut readings = piece.readings.iter();
        let direction = readings.find_map(|index| match &self.goal.spans[*index].meaning {
            Meaning::Direction(direction) => Some(direction.word()),
            _ => None,
        });
        let mut options = options.iter();
        options
            .find(|option| **option == said || direction == Some(option.as_str()))
            .cloned()
    }
}
