//! Why a model or a request was not accepted. Messages say what was expected, what was found, where, and what to do.

use std::fmt;

/// What is wrong with a model file, without the name of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The header field, metadata key or tensor.
    pub field: String,
    /// What would have been right.
    pub expected: String,
    /// What stands there.
    pub found: String,
}

impl Fault {
    pub(crate) fn new(field: impl Into<String>, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            expected: expected.into(),
            found: found.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, found {}", self.field, self.expected, self.found)
    }
}

/// Why a model did not load or did not plan.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The binary was built without the model in the box.
    #[error("this build holds no model: build with the feature `embedded-model`, or give a GGUF file with --model")]
    NotEmbedded,
    /// The file could not be read.
    #[error("cannot read the model {path}: {source}; check the path and its permissions")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A directory, a pipe or a device stands where the file should be.
    #[error("cannot read the model {path}: expected a regular file, found {found}; give the path of a GGUF file")]
    NotAFile {
        /// The path.
        path: String,
        /// What is there.
        found: &'static str,
    },
    /// The file is not a GGUF file that this crate can run.
    #[error("cannot use the model {path}: {fault}; fetch or export the file again")]
    Malformed {
        /// The file.
        path: String,
        /// The field, what was expected, what was found.
        fault: Fault,
    },
    /// More tokens than the model can hold at once.
    #[error(
        "{what} needs {needed} tokens, {} more than the {context_max} that the model holds; \
         shorten the goal or offer fewer tools",
        needed.saturating_sub(*context_max)
    )]
    ContextOverflow {
        /// The prompt, or the plan after it.
        what: &'static str,
        /// Tokens that would be needed.
        needed: usize,
        /// Tokens that fit.
        context_max: usize,
    },
    /// More tools than the model has index tokens for.
    #[error("the request offers {found} tools, the model can tell {max} apart; search for the tools that matter first")]
    TooManyTools {
        /// Tools in the request.
        found: usize,
        /// Tools that fit.
        max: usize,
    },
    /// A span is empty, reversed, outside the text or cuts a character.
    #[error(
        "the span {start}..{end} is no stretch of {what}, which has {bytes} bytes; give byte offsets on character boundaries"
    )]
    BadSpan {
        /// The goal, or the example's goal.
        what: &'static str,
        /// First byte.
        start: usize,
        /// One past the last byte.
        end: usize,
        /// Bytes of the text.
        bytes: usize,
    },
    /// A call of the example does not fit the tools of the request.
    #[error(
        "call {call} of the example does not fit the tools: {reason}; drop the example or offer the tools it was made with"
    )]
    BadExample {
        /// Index of the call.
        call: usize,
        /// What does not fit.
        reason: String,
    },
    /// A token id outside the vocabulary, or no token at all.
    #[error("cannot score the tokens: {reason}; ids go from 0 to {} and at least two are needed", vocabulary.saturating_sub(1))]
    BadTokens {
        /// What is wrong.
        reason: String,
        /// Number of tokens the model knows.
        vocabulary: usize,
    },
    /// The tools of the request give no grammar that can be followed.
    #[error("the tools give no grammar that can be followed: {reason}; simplify the tool that it names")]
    Grammar {
        /// What the grammar engine said.
        reason: String,
    },
    /// The weights lead to infinities or not-a-number.
    #[error(
        "the model computed a number that is not finite for {choosing}; its weights are damaged: fetch the file again"
    )]
    NotFinite {
        /// The decision at hand.
        choosing: &'static str,
    },
    /// The tensor library or the tokenizer refused; not expected for a file that loaded.
    #[error("the model failed inside {part}: {reason}; this is a bug, please report it with the model's digest")]
    Internal {
        /// `tensors` or `tokenizer`.
        part: &'static str,
        /// What it said.
        reason: String,
    },
}

impl From<candle_core::Error> for ModelError {
    fn from(error: candle_core::Error) -> Self {
        Self::Internal {
            part: "tensors",
            reason: error.to_string(),
        }
    }
}
