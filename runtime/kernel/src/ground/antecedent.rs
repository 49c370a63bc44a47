//! What a pronoun of a goal stands for: what the plan named last, or the goal before it.

use super::{Grounding, spans_at};
use crate::goal::{Meaning, Pronoun, Span};
use crate::plan::Given;
use crate::tool::Type;

impl Grounding<'_> {
    /// What a pronoun stands for among the texts of the call before: for "her" a person, for "it" rather a thing than where it is or
    /// what is said; the parameters' names tell.
    pub(super) fn spoken_of(&self, pronoun: &str) -> Option<(usize, usize)> {
        const PEOPLE: [&str; 14] = [
            "person",
            "people",
            "who",
            "whom",
            "name",
            "guest",
            "user",
            "recipient",
            "patient",
            "human",
            "leader",
            "visitor",
            "customer",
            "beneficiary",
        ];
        const PLACES_AND_WORDS: [&str; 29] = [
            "text",
            "message",
            "words",
            "speech",
            "sentence",
            "announcement",
            "question",
            "topic",
            "content",
            "place",
            "location",
            "where",
            "spot",
            "destination",
            "dest",
            "at",
            "from",
            "source",
            "origin",
            "surface",
            "area",
            "position",
            "site",
            "room",
            "goal",
            "container",
            "furniture",
            "into",
            "onto",
        ];
        let named = |words: &[&str], name: &str| name.split(['_', ' ', '-']).any(|part| words.contains(&part));
        let person = matches!(pronoun.to_lowercase().as_str(), "he" | "she" | "him" | "her");
        let fits = |name: &str| {
            if person {
                named(&PEOPLE, name)
            } else {
                !named(&PLACES_AND_WORDS, name)
            }
        };
        let found = self.said.iter().find(|(name, ..)| fits(name));
        let other = if person { self.said.last() } else { self.said.first() };
        found.or(other).map(|(_, start, end)| (*start, *end))
    }

    /// Whether the goal's words stand for a thing, as "it" does.
    pub(super) fn is_pronoun(&self, start: usize, end: usize) -> bool {
        let thing = |pronoun: &Pronoun| !matches!(pronoun, Pronoun::There | Pronoun::Back);
        spans_at(self.goal, start, end).any(|span| matches!(&span.meaning, Meaning::Pronoun(pronoun) if thing(pronoun)))
    }

    /// "it" is the last thing that the plan named, or the last one that the goal named before it; "there" the last place.
    pub(super) fn pronoun(&self, kind: &Type, pronoun: Pronoun, span: &Span) -> Result<Option<Given>, String> {
        let unknown = || unknown(&self.words(span.start, span.end));
        let thing = || {
            self.thing
                .clone()
                .or_else(|| self.mentioned_before(span.start))
                .ok_or_else(unknown)
        };
        let place = matches!(kind, Type::Place | Type::Point);
        Ok(match pronoun {
            Pronoun::Back if place => Some(Given::Start(thing()?)),
            Pronoun::There if place => Some(self.place.clone().ok_or_else(unknown)?),
            Pronoun::It | Pronoun::Them | Pronoun::That | Pronoun::This if place => Some(Given::Named(thing()?)),
            Pronoun::It | Pronoun::Them | Pronoun::That | Pronoun::This if *kind == Type::Entity => {
                Some(Given::Entity(thing()?))
            }
            _ => None,
        })
    }

    /// The last single thing that the goal names before a byte.
    fn mentioned_before(&self, byte: usize) -> Option<String> {
        let before = self
            .goal
            .spans
            .iter()
            .filter(|span| !span.superseded && span.end <= byte);
        before.rev().find_map(|span| match &span.meaning {
            Meaning::Named { candidates, .. } => match candidates.as_slice() {
                [name] => Some(name.clone()),
                _ => None,
            },
            _ => None,
        })
    }
}

/// Asks what a pronoun stands for.
fn unknown(words: &str) -> String {
    format!("what does \"{words}\" mean here? please name it")
}
