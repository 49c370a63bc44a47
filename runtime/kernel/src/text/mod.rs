//! Markdown documents and the types behind them. Every parser here is total: it returns what it could read *and* a list of
//! [`Diagnostic`]s with positions, and never panics; every printer is stable. A document with an error is never executed. This room
//! must not know files: text comes in, text goes out.

pub mod document;
pub mod expression;
pub mod manifest;
pub mod node;
pub mod topics;
pub mod trace;

pub use node::Place;
use serde::{Deserialize, Serialize};

/// Whether a finding keeps a document from being used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The document is not used.
    Error,
    /// The document is used; something in it has no effect or no guarantee.
    Warning,
}

/// A finding about a document, with its place.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Where.
    pub place: Place,
    /// How bad.
    pub severity: Severity,
    /// What was expected, what was found, what to do.
    pub message: String,
}

impl Diagnostic {
    /// A finding that keeps the document from being used.
    #[must_use]
    pub fn error(place: Place, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            place,
            severity: Severity::Error,
            message: message.into(),
        }
    }

    /// A finding that does not.
    #[must_use]
    pub fn warning(place: Place, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            place,
            severity: Severity::Warning,
            message: message.into(),
        }
    }

    /// Whether it keeps the document from being used.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// `path:line:column: error: message`, the form that editors jump to.
#[must_use]
pub fn show(path: &str, diagnostic: &Diagnostic) -> String {
    let Place { line, column } = diagnostic.place;
    let word = if diagnostic.is_error() { "error" } else { "warning" };
    format!("{path}:{line}:{column}: {word}: {}", diagnostic.message)
}

/// Whether any finding keeps the document from being used.
#[must_use]
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(Diagnostic::is_error)
}
