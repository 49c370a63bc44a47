//! The `topics` of a device that speaks its own: JSON for the bridge, which owns the form of bindings, and where each part of it stands,
//! so that a mistake that the bridge finds has a line and a column. It must not know what the keys mean.

use super::document;
use super::node::{Kind, Node, Place};
use serde_json::{Map, Value, json};

/// The tree as JSON. Every scalar is text, also where it looks like a number.
pub(super) fn json(node: &Node) -> Value {
    match &node.kind {
        Kind::Null => json!(null),
        Kind::Scalar(text) => json!(text),
        Kind::List(list) => list.iter().map(json).collect(),
        Kind::Map(map) => {
            let entries = map.iter().map(|(key, value)| (key.name.clone(), json(value)));
            entries.collect::<Map<_, _>>().into()
        }
    }
}

/// Where each part of a manifest's `topics` stands, by its JSON pointer (RFC 6901): a value where it is a scalar, otherwise its
/// key. `topics` itself is the empty pointer. Empty for a document without them.
#[must_use]
pub fn places(text: &str) -> Vec<(String, Place)> {
    let (document, _) = document::read(text);
    let mut places = Vec::new();
    let connect = child(&document.node, "connect");
    if let Some((place, topics)) = connect.and_then(|(_, connect)| child(connect, "topics")) {
        note(String::new(), place, topics, &mut places);
    }
    places
}

/// Where a manifest names its serial port; the beginning for a document that names none.
#[must_use]
pub fn place_of_port(text: &str) -> Place {
    let (document, _) = document::read(text);
    let connect = child(&document.node, "connect");
    let port = connect.and_then(|(_, connect)| child(connect, "serial"));
    port.map_or(Place { line: 1, column: 1 }, |(_, port)| port.place)
}

fn child<'a>(node: &'a Node, name: &str) -> Option<(Place, &'a Node)> {
    let Kind::Map(map) = &node.kind else { return None };
    let (key, node) = map.iter().find(|(key, _)| key.name == name)?;
    Some((key.place, node))
}

fn note(path: String, key: Place, node: &Node, places: &mut Vec<(String, Place)>) {
    match &node.kind {
        Kind::Null | Kind::Scalar(_) => {}
        Kind::List(list) => {
            for (index, item) in list.iter().enumerate() {
                note(format!("{path}/{index}"), item.place, item, places);
            }
        }
        Kind::Map(map) => {
            for (key, value) in map {
                let name = key.name.replace('~', "~0").replace('/', "~1");
                note(format!("{path}/{name}"), key.place, value, places);
            }
        }
    }
    let is_scalar = matches!(node.kind, Kind::Scalar(_));
    places.push((path, if is_scalar { node.place } else { key }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_has_its_place_and_its_text() {
        let text = "---\ndevice: x\nconnect:\n  topics:\n    command: { a/b: { topic: t, whole: true } }\n    ask: [ { topic: 7 } ]\n---\n";
        let mut places: Vec<(String, u32, u32)> = places(text)
            .into_iter()
            .map(|(path, place)| (path, place.line, place.column))
            .collect();
        places.sort();
        let expected = [
            ("", 4, 3),
            ("/ask", 6, 5),
            ("/ask/0", 6, 12),
            ("/ask/0/topic", 6, 21),
            ("/command", 5, 5),
            ("/command/a~1b", 5, 16),
            ("/command/a~1b/topic", 5, 30),
            ("/command/a~1b/whole", 5, 40),
        ];
        assert_eq!(
            places,
            expected.map(|(path, line, column)| (path.to_owned(), line, column))
        );
        let (document, _) = document::read(text);
        let topics = child(&document.node, "connect").and_then(|(_, node)| child(node, "topics"));
        let json = json(topics.expect("topics").1);
        assert_eq!(json["command"]["a/b"]["whole"], "true");
        assert_eq!(json["ask"][0]["topic"], "7");
        assert_eq!(super::places("---\ndevice: x\n---\n"), Vec::new());
    }
}
