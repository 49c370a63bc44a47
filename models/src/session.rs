//! Keeps what the network computed for a prompt, so that the next goal pays only for its own tokens.
//!
//! A sequence is a run of tokens with the attention memory and pointer rows of each of them; it can be cut back to any
//! length. A few sequences are kept, because a tree of agents plans with several tool lists in turn. The result equals a
//! fresh computation bit for bit. It must not know what the tokens say.

use crate::arch::{Cache, Head, Network, Pointers, dot};
use crate::error::ModelError;

/// Tool lists remembered at once; at the default's size each costs a few megabytes.
const SEQUENCES_MAX: usize = 4;

/// Tokens that went through the network, and what came out.
#[derive(Debug, Clone)]
pub(crate) struct Sequence {
    tokens: Vec<u32>,
    cache: Cache,
    /// One row of pointer queries and keys for each token.
    pointers: Vec<f32>,
    /// The state of the last token that went through.
    hidden: Vec<f32>,
}

impl Sequence {
    pub fn new(network: &Network) -> Self {
        Self {
            tokens: Vec::new(),
            cache: network.cache(),
            pointers: Vec::new(),
            hidden: Vec::new(),
        }
    }

    /// Sends tokens through the network, behind those that went before.
    pub fn extend(&mut self, network: &Network, pointers: &Pointers, tokens: &[u32]) -> Result<(), ModelError> {
        let context_max = network.dimensions().context_max;
        let needed = self.tokens.len() + tokens.len();
        if needed > context_max {
            return Err(ModelError::ContextOverflow {
                what: "the prompt with its plan",
                needed,
                context_max,
            });
        }
        let hidden = network.forward(tokens, &mut self.cache)?;
        let width = network.dimensions().width;
        self.hidden = hidden
            .get(hidden.len().saturating_sub(width)..)
            .unwrap_or_default()
            .to_vec();
        self.pointers.extend(pointers.forward(hidden)?);
        self.tokens.extend_from_slice(tokens);
        Ok(())
    }

    /// How much the last token points at the one at `position`.
    pub fn points_at(&self, pointers: &Pointers, head: Head, position: usize) -> f32 {
        let row = pointers.row();
        let last = self.tokens.len() - 1;
        pointers.score(
            head,
            &self.pointers[last * row..],
            &self.pointers[position * row..(position + 1) * row],
        )
    }

    /// The logit of a token after the last, given its row of the output matrix.
    pub fn logit(&self, output_row: &[f32]) -> f32 {
        dot(&self.hidden, output_row)
    }

    fn shared(&self, tokens: &[u32]) -> usize {
        self.tokens
            .iter()
            .zip(tokens)
            .take_while(|(held, wanted)| held == wanted)
            .count()
    }

    fn truncate(&mut self, length: usize, row: usize) {
        self.tokens.truncate(length);
        self.pointers.truncate(length * row);
        self.cache.truncate(length);
    }
}

/// The sequences of the last few tool lists, the latest at the end.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    sequences: Vec<Sequence>,
}

impl Sessions {
    /// A sequence that holds a beginning of `prompt`, as long as can be but short of its last token, whose state is
    /// needed; with the number of tokens it holds. A sequence that differs within the first `tools_end` tokens belongs to
    /// another tool list and stays for that list's next goal.
    ///
    /// The sequence is taken out: [`Sessions::keep`] puts it back, and a failed one is thus dropped and not reused.
    pub fn resume(
        &mut self,
        network: &Network,
        pointers: &Pointers,
        prompt: &[u32],
        tools_end: usize,
    ) -> (Sequence, usize) {
        let nearest = (0..self.sequences.len()).max_by_key(|&index| self.sequences[index].shared(prompt));
        let Some(nearest) = nearest else {
            return (Sequence::new(network), 0);
        };
        let shared = self.sequences[nearest]
            .shared(prompt)
            .min(prompt.len().saturating_sub(1));
        let mut sequence = if shared >= tools_end {
            self.sequences.remove(nearest)
        } else {
            self.sequences[nearest].clone()
        };
        sequence.truncate(shared, pointers.row());
        (sequence, shared)
    }

    /// Remembers a sequence, and forgets the one unused for longest if there are too many.
    pub fn keep(&mut self, sequence: Sequence) {
        if self.sequences.len() == SEQUENCES_MAX {
            self.sequences.remove(0);
        }
        self.sequences.push(sequence);
    }

    pub fn clear(&mut self) {
        self.sequences.clear();
    }
}
