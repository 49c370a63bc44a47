//! YAML as a tree in which every node knows where it stands, so that a reader can report *all* mistakes of a document with line and
//! column instead of the first. It must not know what the keys mean.

use super::Diagnostic;
use granit_parser::{Event, Marker, Parser, ScalarStyle, Span};

/// A place in a document: line and column count from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The column, in characters.
    pub column: u32,
}

impl Place {
    /// The place of a byte of a text.
    #[must_use]
    pub fn of_byte(text: &str, byte: usize) -> Place {
        let before = text.get(..byte).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Place {
            line: count(line),
            column: count(column),
        }
    }
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

/// Levels of nesting that are read.
const DEPTH_MAX: usize = 64;

/// Lines before the YAML in its document, added to every place.
pub(super) fn read(yaml: &str, lines_before: u32) -> Result<Node, Diagnostic> {
    let mut tree = Tree {
        lines_before,
        open: Vec::new(),
        root: None,
    };
    for event in Parser::new_from_str(yaml) {
        match event {
            Ok((event, span)) => tree.take(event, &span)?,
            Err(error) => {
                let what = error.info();
                return Err(tree.error(error.marker(), format!("this is not YAML that can be read: {what}")));
            }
        }
    }
    Ok(tree.root.unwrap_or(Node {
        place: Place {
            line: lines_before + 1,
            column: 1,
        },
        kind: Kind::Null,
    }))
}

/// A tree that is being built.
struct Tree {
    lines_before: u32,
    /// Lists and mappings that are not at their end.
    open: Vec<Open>,
    root: Option<Node>,
}

/// A list, or a mapping with the key whose value comes next.
struct Open {
    place: Place,
    inside: Inside,
}

enum Inside {
    List(Vec<Node>),
    Map(Vec<(Key, Node)>, Option<Key>),
}

impl Tree {
    fn take(&mut self, event: Event<'_>, span: &Span) -> Result<(), Diagnostic> {
        let place = self.place(&span.start);
        match event {
            Event::Scalar(text, style, ..) => {
                let plain = style == ScalarStyle::Plain;
                let kind = match text.as_ref() {
                    "" | "~" | "null" | "Null" | "NULL" if plain => Kind::Null,
                    "True" | "TRUE" if plain => Kind::Scalar("true".to_owned()),
                    "False" | "FALSE" if plain => Kind::Scalar("false".to_owned()),
                    _ => Kind::Scalar(text.into_owned()),
                };
                self.put(Node { place, kind })
            }
            Event::SequenceStart(..) => self.begin(span, Inside::List(Vec::new())),
            Event::MappingStart(..) => self.begin(span, Inside::Map(Vec::new(), None)),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open { place, inside }) => self.put(Node {
                    place,
                    kind: match inside {
                        Inside::List(list) => Kind::List(list),
                        Inside::Map(map, _) => Kind::Map(map),
                    },
                }),
                None => Ok(()),
            },
            Event::Alias(_) | Event::UnresolvedAlias(_) => Err(self.error(
                &span.start,
                "an alias (*name) is not read here; write out what it stands for",
            )),
            Event::DocumentStart(..) if self.root.is_some() => {
                Err(self.error(&span.start, "a second document begins here; a file holds one"))
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, span: &Span, inside: Inside) -> Result<(), Diagnostic> {
        if self.open.len() == DEPTH_MAX {
            return Err(self.error(&span.start, format!("this is nested more than {DEPTH_MAX} levels deep")));
        }
        let place = self.place(&span.start);
        self.open.push(Open { place, inside });
        Ok(())
    }

    /// Puts a node where the innermost list or mapping expects one.
    fn put(&mut self, node: Node) -> Result<(), Diagnostic> {
        match self.open.last_mut().map(|open| &mut open.inside) {
            None => self.root = Some(node),
            Some(Inside::List(list)) => list.push(node),
            Some(Inside::Map(map, key)) => {
                if let Some(key) = key.take() {
                    map.push((key, node));
                } else {
                    *key = Some(new_key(map, node)?);
                }
            }
        }
        Ok(())
    }

    fn place(&self, at: &Marker) -> Place {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Place {
            line: number(at.line()).saturating_add(self.lines_before),
            column: number(at.col()).saturating_add(1),
        }
    }

    fn error(&self, at: &Marker, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(self.place(at), message)
    }
}

fn new_key(map: &[(Key, Node)], node: Node) -> Result<Key, Diagnostic> {
    let place = node.place;
    match node.kind {
        Kind::Scalar(name) if map.iter().any(|(known, _)| known.name == name) => Err(Diagnostic::error(
            place,
            format!("the key \"{name}\" stands here twice"),
        )),
        Kind::Scalar(name) => Ok(Key { place, name }),
        _ => Err(Diagnostic::error(place, "a key should be a text")),
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

    /// Where the value of a key stands; of one that is missing, where the mapping begins.
    #[must_use]
    pub fn place_of(&self, name: &str) -> Place {
        let entry = self.entries.iter().find(|(key, ..)| key.name == name);
        entry.map_or(self.place, |(_, value, _)| value.place)
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
        diagnostics.extend(self.left(known, "is not known here and has no effect", Diagnostic::warning));
    }

    /// The same where a key that has no effect would let something through: an error.
    pub fn finish_strictly(self, known: &str, diagnostics: &mut Vec<Diagnostic>) {
        diagnostics.extend(self.left(
            known,
            "is not known here, and a limit without effect is an error",
            Diagnostic::error,
        ));
    }

    fn left(
        self,
        known: &str,
        why: &str,
        diagnostic: fn(Place, String) -> Diagnostic,
    ) -> impl Iterator<Item = Diagnostic> {
        let left = self.entries.into_iter().filter(|(_, _, taken)| !taken);
        left.map(move |(key, ..)| diagnostic(key.place, format!("\"{}\" {why}; known are {known}", key.name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(yaml: &str) -> (u32, u32, String) {
        let diagnostic = read(yaml, 1).expect_err(yaml);
        (diagnostic.place.line, diagnostic.place.column, diagnostic.message)
    }

    #[test]
    fn words_stay_as_written_and_nothing_is_nothing() {
        let node = read("a: on\nb: 0.50\nc: ~\nd: \"null\"\ne: [True, no]\n", 0).expect("YAML");
        let Kind::Map(map) = node.kind else { panic!("a mapping") };
        let scalar = |text: &str| Kind::Scalar(text.to_owned());
        let kinds: Vec<Kind> = map[..4].iter().map(|(_, node)| node.kind.clone()).collect();
        assert_eq!(kinds, [scalar("on"), scalar("0.50"), Kind::Null, scalar("null")]);
        let Kind::List(list) = &map[4].1.kind else {
            panic!("a list")
        };
        assert_eq!((&list[0].kind, &list[1].kind), (&scalar("true"), &scalar("no")));
        assert_eq!(list[1].place, Place { line: 5, column: 11 });
    }

    #[test]
    fn what_is_not_read_is_named_where_it_stands() {
        for (yaml, line, column, words) in [
            ("a: 1\nb: 2\na: 3\n", 4, 1, "\"a\" stands here twice"),
            ("a: &x 1\nb: *x\n", 3, 4, "alias"),
            ("a: 1\n---\nb: 2\n", 3, 1, "second document"),
            ("? [a]\n: 1\n", 2, 3, "a key should be a text"),
            ("a: [1\n", 2, 4, "not YAML"),
        ] {
            let (at, from, message) = found(yaml);
            assert_eq!((at, from), (line, column), "{yaml}: {message}");
            assert!(message.contains(words), "{yaml}: {message}");
        }
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        assert!(found(&deep).2.contains("64 levels"));
        assert!(read("", 1).is_ok_and(|node| node.kind == Kind::Null));
    }
}
