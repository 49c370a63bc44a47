//! The pointer heads: small matrices that let one position of a sequence point at another.
//!
//! Eight of them, stacked into one product: a query and a key for tools, for the start of a span, for its end, and for the
//! words that a decision is about. The score of position `p` seen from position `s` is `dot(query(s), key(p)) / sqrt(size)`.
//! What is pointed at is for others to know.

use super::layers::{Linear, dot};
use crate::error::{Fault, ModelError};
use crate::weights::{WeightError, Weights};

/// What is being pointed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Head {
    Tool,
    Start,
    End,
    About,
}

/// In the order of the rows: a query and a key for each head.
const NAMES: [&str; 8] = [
    "tool.query",
    "tool.key",
    "start.query",
    "start.key",
    "end.query",
    "end.key",
    "about.query",
    "about.key",
];
const SIZE_MAX: usize = 4_096;

#[derive(Debug)]
pub(crate) struct Pointers {
    heads: Linear,
    size: usize,
}

impl Pointers {
    /// The heads of a file.
    pub fn load(weights: &mut Weights<'_>, width: usize) -> Result<Self, WeightError> {
        let names = NAMES.map(|name| format!("pointer.{name}.weight"));
        let first = weights.gguf.tensors().get(&names[0]);
        let size = first.and_then(|tensor| tensor.dimensions.first().copied());
        let Some(size) = size.filter(|size| *size <= SIZE_MAX) else {
            let found = size.map_or("no such tensor".to_owned(), |rows| format!("{rows} rows"));
            let field = format!("tensor {}", names[0]);
            return Err(Fault::new(field, format!("a matrix of at most {SIZE_MAX} rows"), found).into());
        };
        let rows = names.map(|name| (name, size));
        Ok(Self {
            heads: Linear::new(weights.stack(&rows, width)?, width),
            size,
        })
    }

    /// Numbers in a query or a key.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Numbers in one row of [`Pointers::forward`].
    pub fn row(&self) -> usize {
        NAMES.len() * self.size
    }

    /// Queries and keys of each hidden state: `[states, row]`. The states come back as they were.
    pub fn forward(&self, hidden: &mut Vec<f32>) -> Result<Vec<f32>, ModelError> {
        self.heads.forward(hidden)
    }

    /// How much the state of row `from` points at that of row `to`.
    pub fn score(&self, head: Head, from: &[f32], to: &[f32]) -> f32 {
        let query = match head {
            Head::Tool => 0,
            Head::Start => 2,
            Head::End => 4,
            Head::About => 6,
        };
        let part = |index: usize| index * self.size..(index + 1) * self.size;
        #[expect(clippy::cast_precision_loss, reason = "at most SIZE_MAX")]
        let size = self.size as f32;
        dot(&from[part(query)], &to[part(query + 1)]) / size.sqrt()
    }
}
