//! One decoder per architecture behind one enum: tokens go in, the hidden state of every position comes out.
//!
//! A [`Cache`] holds what attention remembers and can be cut back to any length, so that a prompt pays only for the tokens
//! that differ from the last one. Results do not depend on how the tokens were cut into pieces. Nothing here knows what a
//! token means.

mod layers;
mod pointer;
mod qwen3;
#[cfg(test)]
mod tests;

use crate::error::{Fault, ModelError};
use crate::gguf::Gguf;
use crate::weights::{WeightError, Weights};

pub(crate) use layers::{Cache, dot, softmax};
pub(crate) use pointer::{Head, Pointers};

/// Limits on what a file may ask for, far above any model for the edge.
mod limit {
    pub(super) const LAYERS: usize = 256;
    pub(super) const WIDTH: usize = 32_768;
    pub(super) const HEADS: usize = 512;
    pub(super) const HEAD: usize = 1_024;
    pub(super) const CONTEXT: usize = 1 << 20;
    pub(super) const VOCABULARY: usize = 1 << 20;
}

/// The sizes of a decoder.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Dimensions {
    pub layers: usize,
    pub width: usize,
    pub heads: usize,
    pub kv_heads: usize,
    /// Numbers in one head.
    pub head: usize,
    pub feed_forward: usize,
    pub vocabulary: usize,
    pub context_max: usize,
    pub rope_base: f32,
    pub norm_epsilon: f32,
}

impl Dimensions {
    fn read(gguf: &Gguf, prefix: &str) -> Result<Self, Fault> {
        let key = |name: &str| format!("{prefix}.{name}");
        let width = gguf.positive(&key("embedding_length"), limit::WIDTH)?;
        let heads = gguf.positive(&key("attention.head_count"), limit::HEADS)?;
        let kv_heads = gguf.positive(&key("attention.head_count_kv"), heads)?;
        if heads % kv_heads != 0 {
            let expected = format!("a divisor of the {heads} heads");
            return Err(Fault::new(
                key("attention.head_count_kv"),
                expected,
                kv_heads.to_string(),
            ));
        }
        let head = head_size(gguf, &key("attention.key_length"), width, heads)?;
        if gguf.value(&key("attention.value_length")).is_some() {
            let value = gguf.positive(&key("attention.value_length"), limit::HEAD)?;
            if value != head {
                return Err(Fault::new(
                    key("attention.value_length"),
                    format!("{head} as for keys"),
                    value.to_string(),
                ));
            }
        }
        let embedding = gguf.tensors().get("token_embd.weight");
        let Some([vocabulary, _]) = embedding.map(|tensor| tensor.dimensions.as_slice()) else {
            return Err(Fault::new("tensor token_embd.weight", "a matrix", "none"));
        };
        if *vocabulary > limit::VOCABULARY {
            let expected = format!("at most {} rows", limit::VOCABULARY);
            return Err(Fault::new("tensor token_embd.weight", expected, vocabulary.to_string()));
        }
        Ok(Self {
            layers: gguf.positive(&key("block_count"), limit::LAYERS)?,
            width,
            heads,
            kv_heads,
            head,
            feed_forward: gguf.positive(&key("feed_forward_length"), limit::WIDTH * 8)?,
            vocabulary: *vocabulary,
            context_max: gguf.positive(&key("context_length"), limit::CONTEXT)?,
            rope_base: narrow(gguf.positive_float(&key("rope.freq_base"), 1e12)?),
            norm_epsilon: narrow(gguf.positive_float(&key("attention.layer_norm_rms_epsilon"), 1.0)?),
        })
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the file's number was an f32, and the decoder computes in f32"
)]
fn narrow(number: f64) -> f32 {
    number as f32
}

fn head_size(gguf: &Gguf, key: &str, width: usize, heads: usize) -> Result<usize, Fault> {
    let head = if gguf.value(key).is_some() {
        gguf.positive(key, limit::HEAD)?
    } else {
        width / heads
    };
    if head == 0 || head % 2 != 0 {
        return Err(Fault::new(
            key,
            "an even number above 0, since rotation works on pairs",
            head.to_string(),
        ));
    }
    Ok(head)
}

/// A loaded network of one of the architectures that we run.
#[derive(Debug)]
pub(crate) enum Network {
    Qwen3(qwen3::Qwen3),
}

impl Network {
    /// Chooses the architecture by the file's metadata and loads it.
    pub fn load(weights: &mut Weights<'_>) -> Result<Self, WeightError> {
        let key = "general.architecture";
        match weights.gguf.text(key)? {
            "qwen3" => Ok(Self::Qwen3(qwen3::Qwen3::load(weights)?)),
            other => Err(Fault::new(key, "`qwen3`", format!("`{other}`")).into()),
        }
    }

    pub fn dimensions(&self) -> &Dimensions {
        match self {
            Self::Qwen3(network) => network.dimensions(),
        }
    }

    /// An empty memory for this network.
    pub fn cache(&self) -> Cache {
        let dimensions = self.dimensions();
        Cache::new(dimensions.layers, dimensions.kv_heads, dimensions.head)
    }

    /// The final hidden state, after the last norm, of each of `tokens`: `[tokens, width]`. They go behind what `cache`
    /// holds and are remembered there. The caller sees to it that they fit the context and the vocabulary.
    pub fn forward(&self, tokens: &[u32], cache: &mut Cache) -> Result<Vec<f32>, ModelError> {
        match self {
            Self::Qwen3(network) => network.forward(tokens, cache),
        }
    }

    /// Scores of the whole vocabulary for each hidden state: `[states, vocabulary]`.
    pub fn logits(&self, hidden: Vec<f32>) -> Result<Vec<f32>, ModelError> {
        match self {
            Self::Qwen3(network) => network.logits(hidden),
        }
    }

    /// The rows of the output matrix of these tokens, `[tokens, width]`: their dot products with a hidden state are
    /// the logits, so that a choice among five tokens does not cost the whole vocabulary.
    pub fn output_rows(&self, tokens: &[u32]) -> Result<Vec<f32>, ModelError> {
        match self {
            Self::Qwen3(network) => network.output_rows(tokens),
        }
    }
}
