//! YAML as a tree in which every node knows where it stands, so that a reader can report *all* mistakes of a document with line and
//! column instead of the first. It must not know what the keys mean.

use super::Diagnostic;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};
use std::fmt;

/// A place in a document: line and column count from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The column, in characters.
    pub column: u32,
}

/// A node and its place.
#[derive(Clone, PartialEq, Debug)]
pub struct Node {
    /// Where it begins.
    pub place: Place,
    /// What it is.
    pub kind: Kind,
}

/// What a node is. Scalars stay text: what they mean depends on the key.
#[derive(Clone, PartialEq, Debug)]
pub enum Kind {
    /// Nothing.
    Null,
    /// Text, a number or a truth, as written.
    Scalar(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the document.
    Map(Vec<(Key, Node)>),
}

/// A key and its place.
#[derive(Clone, PartialEq, Debug)]
pub struct Key {
    /// Where it begins.
    pub place: Place,
    /// Its text.
    pub name: String,
}

/// Lines before the YAML in its document, added to every place.
pub(super) fn read(yaml: &str, lines_before: u32) -> Result<Node, Diagnostic> {
    // YAML 1.2: on, off, yes and no are words, as people mean them in a list of options.
    let options = serde_saphyr::options! { strict_booleans: true };
    match serde_saphyr::from_str_with_options::<Spanned<Raw>>(yaml, options) {
        Ok(raw) => Ok(place_node(raw, lines_before)),
        Err(error) => {
            let place = error.location().map_or(
                Place {
                    line: lines_before + 1,
                    column: 1,
                },
                |at| place(at, lines_before),
            );
            let text = error.to_string();
            let first = text
                .lines()
                .next()
                .unwrap_or("not YAML")
                .trim_start_matches("error: ")
                .to_owned();
            Err(Diagnostic::error(
                place,
                format!("this is not YAML that can be read: {first}"),
            ))
        }
    }
}

enum Raw {
    Null,
    Scalar(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

fn place(at: Location, lines_before: u32) -> Place {
    let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    Place {
        line: number(at.line()).saturating_add(lines_before),
        column: number(at.column()),
    }
}

fn place_node(raw: Spanned<Raw>, before: u32) -> Node {
    let kind = match raw.value {
        Raw::Null => Kind::Null,
        Raw::Scalar(text) => Kind::Scalar(text),
        Raw::List(list) => Kind::List(list.into_iter().map(|item| place_node(item, before)).collect()),
        Raw::Map(map) => Kind::Map(
            map.into_iter()
                .map(|(key, value)| {
                    (
                        Key {
                            place: place(key.referenced, before),
                            name: key.value,
                        },
                        place_node(value, before),
                    )
                })
                .collect(),
        ),
    };
    Node {
        place: place(raw.referenced, before),
        kind,
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("YAML")
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Scalar(text.to_owned()))
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Raw, E> {
        Ok(Raw::Scalar(truth.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Raw, E> {
        Ok(Raw::Scalar(number.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Raw, E> {
        Ok(Raw::Scalar(number.to_string()))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Raw, E> {
        if number.is_finite() {
            Ok(Raw::Scalar(number.to_string()))
        } else {
            Err(E::custom("a finite number was expected"))
        }
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = access.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut map: Vec<(Spanned<String>, Spanned<Raw>)> = Vec::new();
        while let Some((key, value)) = access.next_entry::<Spanned<String>, Spanned<Raw>>()? {
            if map.iter().any(|(known, _)| known.value == key.value) {
                return Err(A::Error::custom(format!("the key \"{}\" stands here twice", key.value)));
            }
            map.push((key, value));
        }
        Ok(Raw::Map(map))
    }
}

/// A mapping that is being read: every key is taken once, and what is left over is reported.
pub struct Fields<'a> {
    place: Place,
    entries: Vec<(&'a Key, &'a Node, bool)>,
}

impl<'a> Fields<'a> {
    /// The fields of a mapping; anything else is reported and reads as empty.
    pub fn of(node: &'a Node, what: &str, diagnostics: &mut Vec<Diagnostic>) -> Fields<'a> {
        let entries = match &node.kind {
            Kind::Map(map) => map.iter().map(|(key, value)| (key, value, false)).collect(),
            Kind::Null => Vec::new(),
            _ => {
                diagnostics.push(Diagnostic::error(
                    node.place,
                    format!("{what} should be a mapping (key: value)"),
                ));
                Vec::new()
            }
        };
        Fields {
            place: node.place,
            entries,
        }
    }

    /// Where the mapping begins.
    #[must_use]
    pub fn place(&self) -> Place {
        self.place
    }

    /// The value of a key.
    pub fn take(&mut self, name: &str) -> Option<&'a Node> {
        let entry = self.entries.iter_mut().find(|(key, ..)| key.name == name)?;
        entry.2 = true;
        Some(entry.1)
    }

    /// The first key that nobody took yet, with its value.
    pub fn take_next(&mut self) -> Option<(&'a Key, &'a Node)> {
        let entry = self.entries.iter_mut().find(|(.., taken)| !taken)?;
        entry.2 = true;
        Some((entry.0, entry.1))
    }

    /// The text of a key.
    pub fn text(&mut self, name: &str, diagnostics: &mut Vec<Diagnostic>) -> Option<(&'a str, Place)> {
        let node = self.take(name)?;
        if let Kind::Scalar(text) = &node.kind {
            Some((text, node.place))
        } else {
            diagnostics.push(Diagnostic::error(node.place, format!("\"{name}\" should be a text")));
            None
        }
    }

    /// The text of a key that must be there.
    pub fn required(&mut self, name: &str, diagnostics: &mut Vec<Diagnostic>) -> Option<(&'a str, Place)> {
        if !self.entries.iter().any(|(key, ..)| key.name == name) {
            diagnostics.push(Diagnostic::error(self.place, format!("\"{name}:\" is missing here")));
        }
        self.text(name, diagnostics)
    }

    /// Reports every key that nobody took: a warning, since a newer version may know it.
    pub fn finish(self, known: &str, diagnostics: &mut Vec<Diagnostic>) {
        for (key, _, taken) in self.entries {
            if !taken {
                let message = format!(
                    "\"{}\" is not known here and has no effect; known are {known}",
                    key.name
                );
                diagnostics.push(Diagnostic::warning(key.place, message));
            }
        }
    }
}
