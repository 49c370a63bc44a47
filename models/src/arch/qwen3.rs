//! The Qwen3 decoder (Yang et al. 2025): grouped attention with normed heads, rotation in f32, gated feed-forward.
//!
//! It multiplies quantised matrices with the tensor library's kernels and does the rest itself: at a few million weights
//! the work between the products costs as much as they do. Matrices that read the same input are stacked when the file is
//! loaded, so that one product gives queries, keys and values, and one gives gate and up.

use std::sync::Arc;

use candle_core::quantized::QTensor;
use candle_core::{CpuStorage, Device, Tensor};

use super::Dimensions;
use super::layers::{Cache, Linear, Rotation, add, normalise, product, rotate, swiglu};
use crate::error::ModelError;
use crate::weights::{WeightError, Weights};

/// Rows in one pass: bounds the working memory of a long prompt; results do not depend on it.
const ROWS_MAX: usize = 256;

#[derive(Debug)]
pub(crate) struct Qwen3 {
    dimensions: Dimensions,
    embedding: Arc<QTensor>,
    layers: Vec<Layer>,
    output_norm: Vec<f32>,
    /// The embedding itself where the file ties them.
    output: Arc<QTensor>,
    rotation: Rotation,
}

#[derive(Debug)]
struct Layer {
    attention_norm: Vec<f32>,
    /// Queries, keys and values.
    attention_input: Linear,
    query_norm: Vec<f32>,
    key_norm: Vec<f32>,
    attention_output: Linear,
    feed_forward_norm: Vec<f32>,
    gate_up: Linear,
    down: Linear,
}

impl Layer {
    fn load(weights: &mut Weights<'_>, layer: usize, dimensions: &Dimensions) -> Result<Self, WeightError> {
        let Dimensions {
            width,
            heads,
            kv_heads,
            head,
            feed_forward,
            ..
        } = *dimensions;
        let name = |part: &str| format!("blk.{layer}.{part}.weight");
        let attention = [
            (name("attn_q"), heads * head),
            (name("attn_k"), kv_heads * head),
            (name("attn_v"), kv_heads * head),
        ];
        let gate_up = [(name("ffn_gate"), feed_forward), (name("ffn_up"), feed_forward)];
        let output = weights.matrix(&name("attn_output"), width, heads * head)?;
        let down = weights.matrix(&name("ffn_down"), width, feed_forward)?;
        Ok(Self {
            attention_norm: weights.vector(&name("attn_norm"), width)?,
            attention_input: Linear::new(weights.stack(&attention, width)?, width),
            query_norm: weights.vector(&name("attn_q_norm"), head)?,
            key_norm: weights.vector(&name("attn_k_norm"), head)?,
            attention_output: Linear::new(vec![output], heads * head),
            feed_forward_norm: weights.vector(&name("ffn_norm"), width)?,
            gate_up: Linear::new(weights.stack(&gate_up, width)?, width),
            down: Linear::new(vec![down], feed_forward),
        })
    }
}

impl Qwen3 {
    pub fn load(weights: &mut Weights<'_>) -> Result<Self, WeightError> {
        let dimensions = Dimensions::read(weights.gguf, "qwen3")?;
        let Dimensions { width, vocabulary, .. } = dimensions;
        let embedding = Arc::new(weights.matrix("token_embd.weight", vocabulary, width)?);
        let output = if weights.holds("output.weight") {
            Arc::new(weights.matrix("output.weight", vocabulary, width)?)
        } else {
            Arc::clone(&embedding)
        };
        let layers = (0..dimensions.layers).map(|layer| Layer::load(weights, layer, &dimensions));
        Ok(Self {
            embedding,
            layers: layers.collect::<Result<_, _>>()?,
            output_norm: weights.vector("output_norm.weight", width)?,
            output,
            rotation: Rotation::new(dimensions.head, dimensions.rope_base),
            dimensions,
        })
    }

    pub fn dimensions(&self) -> &Dimensions {
        &self.dimensions
    }

    pub fn forward(&self, tokens: &[u32], cache: &mut Cache) -> Result<Vec<f32>, ModelError> {
        let mut hidden = Vec::with_capacity(tokens.len() * self.dimensions.width);
        for piece in tokens.chunks(ROWS_MAX) {
            hidden.extend(self.forward_piece(piece, cache)?);
        }
        Ok(hidden)
    }

    fn forward_piece(&self, tokens: &[u32], cache: &mut Cache) -> Result<Vec<f32>, ModelError> {
        let mut state = rows(&self.embedding, tokens)?;
        let first = cache.len();
        let angles: Vec<_> = (first..first + tokens.len())
            .map(|position| self.rotation.at(position))
            .collect();
        for (index, layer) in self.layers.iter().enumerate() {
            self.attention(index, layer, &mut state, &angles, cache)?;
            self.feed_forward(layer, &mut state)?;
        }
        cache.grow(tokens.len());
        normalise(&mut state, &self.output_norm, self.dimensions.norm_epsilon);
        Ok(state)
    }

    fn attention(
        &self,
        index: usize,
        layer: &Layer,
        state: &mut [f32],
        angles: &[Vec<(f32, f32)>],
        cache: &mut Cache,
    ) -> Result<(), ModelError> {
        let Dimensions {
            heads,
            kv_heads,
            head,
            norm_epsilon,
            ..
        } = self.dimensions;
        let (queries_end, keys_end) = (heads * head, (heads + kv_heads) * head);
        let mut input = state.to_vec();
        normalise(&mut input, &layer.attention_norm, norm_epsilon);
        let mut projected = layer.attention_input.forward(input)?;
        let mut seen = vec![0.0; angles.len() * queries_end];
        let mut weights = Vec::new();
        let row_width = (heads + 2 * kv_heads) * head;
        let rows = projected
            .chunks_exact_mut(row_width)
            .zip(seen.chunks_exact_mut(queries_end))
            .zip(angles);
        for (row, ((projected, seen), angles)) in rows.enumerate() {
            let (queries, keys) = projected.split_at_mut(queries_end);
            let (keys, values) = keys.split_at_mut(keys_end - queries_end);
            normalise(queries, &layer.query_norm, norm_epsilon);
            normalise(keys, &layer.key_norm, norm_epsilon);
            rotate(queries, angles);
            rotate(keys, angles);
            cache.push(index, keys, values);
            cache.attend(index, cache.len() + row + 1, queries, seen, &mut weights);
        }
        add(state, &layer.attention_output.forward(seen)?);
        Ok(())
    }

    fn feed_forward(&self, layer: &Layer, state: &mut [f32]) -> Result<(), ModelError> {
        let mut input = state.to_vec();
        normalise(&mut input, &layer.feed_forward_norm, self.dimensions.norm_epsilon);
        let gate_up = layer.gate_up.forward(input)?;
        add(
            state,
            &layer.down.forward(swiglu(&gate_up, self.dimensions.feed_forward))?,
        );
        Ok(())
    }

    pub fn logits(&self, hidden: Vec<f32>) -> Result<Vec<f32>, ModelError> {
        let rows = hidden.len() / self.dimensions.width;
        product(&self.output, &CpuStorage::F32(hidden), rows, self.dimensions.width)
    }

    pub fn output_rows(&self, tokens: &[u32]) -> Result<Vec<f32>, ModelError> {
        rows(&self.output, tokens)
    }
}

/// Rows of a quantised matrix as plain numbers, without the matrix as plain numbers.
fn rows(matrix: &QTensor, tokens: &[u32]) -> Result<Vec<f32>, ModelError> {
    let rows = matrix.embedding(&Tensor::new(tokens, &Device::Cpu)?)?;
    Ok(rows.flatten_all()?.to_vec1()?)
}
