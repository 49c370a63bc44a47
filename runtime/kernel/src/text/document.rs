//! A Markdown document is YAML frontmatter between two `---` lines and prose below. The parts are slices of the person's text, so a
//! machine edit of one part leaves every byte of the other as it was.

use super::node::{self, Kind, Node};
use super::{Diagnostic, Place};

/// Bytes that a document may have; a longer one is refused whole.
pub const DOCUMENT_BYTES_MAX: usize = 1 << 20;

/// A document in its parts.
#[derive(Clone, PartialEq, Debug)]
pub struct Document<'a> {
    /// The text between the two `---` lines.
    pub frontmatter: &'a str,
    /// Everything after the second one.
    pub body: &'a str,
    /// The frontmatter as a tree.
    pub node: Node,
}

/// Splits and reads a document. On an error the tree is empty.
#[must_use]
pub fn read(text: &str) -> (Document<'_>, Vec<Diagnostic>) {
    let start = Place { line: 1, column: 1 };
    let empty = |frontmatter, body| Document {
        frontmatter,
        body,
        node: Node {
            place: start,
            kind: Kind::Null,
        },
    };
    if text.len() > DOCUMENT_BYTES_MAX {
        let message = format!(
            "the document has {} bytes; at most {DOCUMENT_BYTES_MAX} are read",
            text.len()
        );
        return (empty("", ""), vec![Diagnostic::error(start, message)]);
    }
    let Some((frontmatter, body)) = split(text) else {
        let message =
            "expected a line \"---\" first and a second one where the YAML ends; put the settings between them";
        return (empty("", text), vec![Diagnostic::error(start, message)]);
    };
    match node::read(frontmatter, 1) {
        Ok(node) => (
            Document {
                frontmatter,
                body,
                node,
            },
            Vec::new(),
        ),
        Err(diagnostic) => (empty(frontmatter, body), vec![diagnostic]),
    }
}

fn split(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let rest = rest.strip_prefix("---\n").or_else(|| rest.strip_prefix("---\r\n"))?;
    let mut at = 0;
    for line in rest.split_inclusive('\n') {
        if line.trim_end() == "---" {
            return Some((&rest[..at], &rest[at + line.len()..]));
        }
        at += line.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn places_count_from_the_documents_first_line() {
        let (_, found) = read("---\na: 1\nb: [1\n---\nprose\n");
        assert_eq!(found.len(), 1);
        assert!(found[0].place.line >= 3, "{found:?}");
        let (_, found) = read("no frontmatter");
        assert!(found[0].message.contains("---"), "{found:?}");
        let (_, found) = read("---\na: 1\na: 2\n---\n");
        assert!(found[0].message.contains('a'), "{found:?}");
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in any::<String>()) {
            let _ = read(&text);
            let _ = read(&format!("---\n{text}\n---\n"));
        }
    }
}
