//! Keeps what the network computed for a prompt, so that the next goal pays only for its own tokens.
//!
//! A sequence is a run of tokens with the attention memory and pointer rows of each of them; it can be cut back to any
//! length. A few sequences are kept, because a tree of agents plans with several tool lists in turn. The result equals a
//! fresh computation bit for bit. Of what the tokens say it knows only where a goal begins and ends.

use crate::arch::{Cache, Head, Network, Pointers, dot};
use crate::control;
use crate::error::ModelError;
use crate::snapshot::Snapshots;

/// Tool lists remembered at once; at the default's size each costs a few megabytes.
const SEQUENCES_MAX: usize = 4;

/// Tokens that went through the network, and what came out.
#[derive(Debug, Clone)]
pub(crate) struct Sequence {
    tokens: Vec<u32>,
    cache: Cache,
    /// One row of pointer queries and keys for each token.
    pointers: Vec<f32>,
    /// The states of the tokens that went through last, up to the end.
    states: Vec<f32>,
    /// Numbers in a state, and in a row of pointers.
    width: usize,
    row: usize,
}

impl Sequence {
    pub fn new(network: &Network, pointers: Option<&Pointers>) -> Self {
        Self {
            tokens: Vec::new(),
            cache: network.cache(),
            pointers: Vec::new(),
            states: Vec::new(),
            width: network.dimensions().width,
            row: pointers.map_or(0, Pointers::row),
        }
    }

    /// Tokens that went through.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// The tokens that went through.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Bytes that [`Sequence::dump`] writes for so many tokens.
    pub fn bytes(&self, length: usize) -> usize {
        4 * length * (1 + self.row + self.cache.width())
    }

    /// Writes the first `length` tokens with all that was remembered of them.
    pub fn dump(&self, length: usize, out: &mut Vec<u8>) {
        out.reserve(self.bytes(length));
        out.extend(self.tokens[..length].iter().flat_map(|token| token.to_le_bytes()));
        let numbers = self.pointers[..length * self.row].iter();
        out.extend(numbers.flat_map(|number| number.to_le_bytes()));
        for run in self.cache.runs(length) {
            out.extend(run.iter().flat_map(|number| number.to_le_bytes()));
        }
    }

    /// Takes what [`Sequence::dump`] wrote of exactly these tokens; whether it was that.
    pub fn restore(&mut self, tokens: &[u32], bytes: &[u8]) -> bool {
        let (words, rest) = bytes.as_chunks::<4>();
        let length = tokens.len();
        let written = words
            .iter()
            .zip(tokens)
            .all(|(word, token)| *word == token.to_le_bytes());
        if bytes.len() != self.bytes(length) || !rest.is_empty() || !written {
            return false;
        }
        let mut numbers = words[length..].iter().map(|word| f32::from_le_bytes(*word));
        self.pointers = numbers.by_ref().take(length * self.row).collect();
        self.cache.refill(length, &mut numbers);
        self.tokens = tokens.to_vec();
        self.states.clear();
        true
    }

    /// Sends tokens through the network, behind those that went before. For a network with pointers a goal sees itself whole, so
    /// that it must come in one piece.
    pub fn extend(&mut self, network: &Network, pointers: Option<&Pointers>, tokens: &[u32]) -> Result<(), ModelError> {
        let context_max = network.dimensions().context_max;
        let needed = self.tokens.len() + tokens.len();
        if needed > context_max {
            return Err(ModelError::ContextOverflow {
                what: "the prompt with its plan",
                needed,
                context_max,
            });
        }
        let Some(pointers) = pointers else {
            self.states = network.forward(tokens, &mut self.cache)?;
            self.tokens.extend_from_slice(tokens);
            return Ok(());
        };
        self.states = network.forward_seeing(tokens, &control::goals(tokens), &mut self.cache)?;
        self.pointers.extend(pointers.forward(&mut self.states)?);
        self.tokens.extend_from_slice(tokens);
        Ok(())
    }

    /// How much the token at `from` points at the one at `to`.
    pub fn points_at(&self, pointers: &Pointers, head: Head, from: usize, to: usize) -> f32 {
        let part = |position: usize| &self.pointers[position * self.row..(position + 1) * self.row];
        pointers.score(head, part(from), part(to))
    }

    /// The state of the last token.
    pub fn last_state(&self) -> &[f32] {
        &self.states[self.states.len().saturating_sub(self.width)..]
    }

    /// The logit of a token after the one at `from`, given its row of the output matrix. States are kept of the last
    /// extension only.
    pub fn logit(&self, from: usize, output_row: &[f32]) -> f32 {
        let first = self.tokens.len() - self.states.len() / self.width;
        let start = (from - first) * self.width;
        dot(&self.states[start..start + self.width], output_row)
    }

    /// Forgets the tokens from `length` on.
    pub fn truncate(&mut self, length: usize) {
        let cut = self.tokens.len().saturating_sub(length);
        self.states.truncate(self.states.len().saturating_sub(cut * self.width));
        self.tokens.truncate(length);
        self.pointers.truncate(length * self.row);
        self.cache.truncate(length);
    }

    fn shared(&self, tokens: &[u32]) -> usize {
        self.tokens
            .iter()
            .zip(tokens)
            .take_while(|(held, wanted)| held == wanted)
            .count()
    }
}

/// The sequences of the last few tool lists, the latest at the end.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    sequences: Vec<Sequence>,
}

impl Sessions {
    /// A sequence that holds a beginning of `prompt`, as long as can be but short of its last token, whose state is
    /// needed. A sequence that differs within the first `tools_end` tokens belongs to
    /// another tool list and stays for that list's next goal.
    ///
    /// The sequence is taken out: [`Sessions::keep`] puts it back, and a failed one is thus dropped and not reused.
    pub fn resume(
        &mut self,
        network: &Network,
        pointers: Option<&Pointers>,
        prompt: &[u32],
        tools_end: usize,
        snapshots: Option<&Snapshots>,
    ) -> Sequence {
        let nearest = (0..self.sequences.len()).max_by_key(|&index| self.sequences[index].shared(prompt));
        let shared = nearest.map_or(0, |nearest| self.sequences[nearest].shared(prompt));
        if shared < tools_end {
            let saved = snapshots.and_then(|saved| saved.load(network, pointers, &prompt[..tools_end]));
            if let Some(sequence) = saved {
                return sequence;
            }
        }
        let Some(nearest) = nearest else {
            return Sequence::new(network, pointers);
        };
        let mut shared = shared.min(prompt.len().saturating_sub(1));
        if pointers.is_some() {
            // Half a goal is of no use: its tokens have seen the other half.
            let goals = control::goals(prompt);
            let cut = goals.iter().find(|goal| goal.start < shared && shared < goal.end);
            shared = cut.map_or(shared, |goal| goal.start);
        }
        let mut sequence = if shared >= tools_end {
            self.sequences.remove(nearest)
        } else {
            self.sequences[nearest].clone()
        };
        sequence.truncate(shared);
        sequence
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
