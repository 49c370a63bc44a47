//! The network: tokens go in, the hidden state of every position comes out.
//!
//! A [`Cache`] holds what attention remembers and can be cut back to any length, so that a prompt pays only for the tokens
//! that differ from the last one. Results do not depend on how the tokens were cut into pieces. Nothing here knows what a
//! token means.

mod decoder;
mod layers;
mod pointer;
mod sense;
#[cfg(test)]
mod tests;

use crate::error::Fault;
use crate::gguf::Gguf;

pub(crate) use decoder::{Design, Network};
pub(crate) use layers::{Cache, dot, softmax};
pub(crate) use pointer::{Head, Pointers};
pub(crate) use sense::Sense;

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
            rope_base: rope_base(gguf, &key("rope.freq_base"))?,
            norm_epsilon: narrow(gguf.positive_float(&key("attention.layer_norm_rms_epsilon"), 1.0)?),
        })
    }
}

/// Files of the first Llama models leave it out and mean 10,000.
fn rope_base(gguf: &Gguf, key: &str) -> Result<f32, Fault> {
    match gguf.value(key) {
        None => Ok(10_000.0),
        Some(_) => Ok(narrow(gguf.positive_float(key, 1e12)?)),
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
