//! One decoder for the architectures that we run: grouped attention with rotation in f32, gated feed-forward, norms before
//! both. A [`Family`] says in what they differ.
//!
//! It multiplies quantised matrices with the tensor library's kernels and does the rest itself: at a few million weights
//! the work between the products costs as much as they do. Matrices that read the same input are stacked when the file is
//! loaded, so that one product gives queries, keys and values, and one gives gate and up; the working space of a pass is
//! kept for the next.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use candle_core::quantized::QTensor;
use candle_core::{Device, Tensor};

use super::Dimensions;
use super::layers::{Cache, Linear, Pairs, Rotation, add, normalise, product, swiglu};
use crate::error::{Fault, ModelError};
use crate::gguf::{Gguf, Value};
use crate::weights::{WeightError, Weights};

/// Rows in one pass, if none of them must see a later one: bounds the working memory of a long prompt; results do not depend on it.
const ROWS_MAX: usize = 256;

/// What tells one architecture from another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Family {
    /// `general.architecture`, and the beginning of its metadata keys.
    pub name: &'static str,
    /// Queries and keys of each head are normed before they are rotated.
    pub norms_heads: bool,
    /// Which numbers of a head are rotated together.
    pub pairs: Pairs,
}

/// All that we run. `qwen3`: Yang et al. 2025. `llama`: Touvron et al. 2023, whose files hold queries and keys in an order
/// that puts the two numbers of a pair next to each other; Llama 3's scaled frequencies come as a tensor of divisors.
pub(super) const FAMILIES: [Family; 2] = [
    Family {
        name: "qwen3",
        norms_heads: true,
        pairs: Pairs::Halves,
    },
    Family {
        name: "llama",
        norms_heads: false,
        pairs: Pairs::Neighbours,
    },
];

/// A loaded network.
#[derive(Debug)]
pub(crate) struct Network {
    dimensions: Dimensions,
    embedding: Arc<QTensor>,
    layers: Vec<Layer>,
    output_norm: Vec<f32>,
    /// The embedding itself where the file ties them.
    output: Arc<QTensor>,
    rotation: Rotation,
    space: Mutex<Space>,
}

#[derive(Debug)]
struct Layer {
    attention_norm: Vec<f32>,
    /// Queries, keys and values.
    attention_input: Linear,
    /// Of queries and keys, where the family norms them.
    head_norms: Option<(Vec<f32>, Vec<f32>)>,
    attention_output: Linear,
    feed_forward_norm: Vec<f32>,
    gate_up: Linear,
    down: Linear,
}

/// Working space of a pass, kept so that a token does not pay for allocations.
#[derive(Debug, Default)]
struct Space {
    /// What goes into a product.
    input: Vec<f32>,
    /// Sine and cosine of each row's pairs.
    angles: Vec<(f32, f32)>,
    /// The weights of one head's attention.
    weights: Vec<f32>,
}

impl Layer {
    fn load(
        weights: &mut Weights<'_>,
        family: Family,
        layer: usize,
        dimensions: &Dimensions,
    ) -> Result<Self, WeightError> {
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
        let head_norms = if family.norms_heads {
            Some((
                weights.vector(&name("attn_q_norm"), head)?,
                weights.vector(&name("attn_k_norm"), head)?,
            ))
        } else {
            None
        };
        Ok(Self {
            attention_norm: weights.vector(&name("attn_norm"), width)?,
            attention_input: Linear::new(weights.stack(&attention, width)?, width),
            head_norms,
            attention_output: Linear::new(vec![output], heads * head),
            feed_forward_norm: weights.vector(&name("ffn_norm"), width)?,
            gate_up: Linear::new(weights.stack(&gate_up, width)?, width),
            down: Linear::new(vec![down], feed_forward),
        })
    }
}

/// What the header says the network is, with every tensor that it needs there and in shape; no weight has been read.
pub(crate) struct Design {
    family: Family,
    dimensions: Dimensions,
}

impl Design {
    /// Chooses the architecture by the file's metadata.
    pub fn read(gguf: &Gguf) -> Result<Self, Fault> {
        let key = "general.architecture";
        let named = gguf.text(key)?;
        let family = FAMILIES.iter().find(|family| family.name == named).copied();
        let Some(family) = family else {
            let known = FAMILIES.map(|family| format!("`{}`", family.name)).join(" or ");
            return Err(Fault::new(key, known, format!("`{named}`")));
        };
        let dimensions = Dimensions::read(gguf, family.name)?;
        refuse_variants(gguf, family, &dimensions)?;
        let design = Self { family, dimensions };
        design.check_tensors(gguf)?;
        Ok(design)
    }

    /// Tokens that the network tells apart.
    pub fn rows(&self) -> usize {
        self.dimensions.vocabulary
    }

    fn check_tensors(&self, gguf: &Gguf) -> Result<(), Fault> {
        let Dimensions {
            width,
            heads,
            kv_heads,
            head,
            feed_forward,
            vocabulary,
            ..
        } = self.dimensions;
        gguf.tensor("token_embd.weight", &[vocabulary, width])?;
        gguf.tensor("output_norm.weight", &[width])?;
        if gguf.tensors().contains_key("output.weight") {
            gguf.tensor("output.weight", &[vocabulary, width])?;
        }
        let mut parts: Vec<(&str, Vec<usize>)> = vec![
            ("attn_norm", vec![width]),
            ("attn_q", vec![heads * head, width]),
            ("attn_k", vec![kv_heads * head, width]),
            ("attn_v", vec![kv_heads * head, width]),
            ("attn_output", vec![width, heads * head]),
            ("ffn_norm", vec![width]),
            ("ffn_gate", vec![feed_forward, width]),
            ("ffn_up", vec![feed_forward, width]),
            ("ffn_down", vec![width, feed_forward]),
        ];
        if self.family.norms_heads {
            parts.extend([("attn_q_norm", vec![head]), ("attn_k_norm", vec![head])]);
        }
        for layer in 0..self.dimensions.layers {
            for (part, dimensions) in &parts {
                gguf.tensor(&format!("blk.{layer}.{part}.weight"), dimensions)?;
            }
        }
        Ok(())
    }
}

impl Network {
    /// Loads the weights of a design.
    pub fn load(design: Design, weights: &mut Weights<'_>) -> Result<Self, WeightError> {
        let Design { family, dimensions } = design;
        let Dimensions { width, vocabulary, .. } = dimensions;
        let embedding = Arc::new(weights.matrix("token_embd.weight", vocabulary, width)?);
        let output = if weights.holds("output.weight") {
            Arc::new(weights.matrix("output.weight", vocabulary, width)?)
        } else {
            Arc::clone(&embedding)
        };
        let layers = (0..dimensions.layers).map(|layer| Layer::load(weights, family, layer, &dimensions));
        let layers = layers.collect::<Result<_, _>>()?;
        let mut rotation = Rotation::new(dimensions.head, dimensions.rope_base, family.pairs);
        let divisors = "rope_freqs.weight";
        if weights.holds(divisors) {
            rotation.divide(&weights.vector(divisors, dimensions.head / 2)?);
        }
        Ok(Self {
            embedding,
            layers,
            output_norm: weights.vector("output_norm.weight", width)?,
            output,
            rotation,
            dimensions,
            space: Mutex::default(),
        })
    }

    /// Its sizes.
    pub fn dimensions(&self) -> &Dimensions {
        &self.dimensions
    }

    /// An empty memory for this network.
    pub fn cache(&self) -> Cache {
        let dimensions = &self.dimensions;
        Cache::new(dimensions.layers, dimensions.kv_heads, dimensions.head)
    }

    /// The final hidden state, after the last norm, of each of `tokens`: `[tokens, width]`. They go behind what `cache`
    /// holds and are remembered there. The caller sees to it that they fit the context and the vocabulary.
    pub fn forward(&self, tokens: &[u32], cache: &mut Cache) -> Result<Vec<f32>, ModelError> {
        self.forward_seeing(tokens, &[], cache)
    }

    /// The same, where each of the `wholes`, stretches of `tokens` in order, sees all of itself besides what stands before:
    /// a prefix decoder (Raffel et al. 2020).
    pub fn forward_seeing(
        &self,
        tokens: &[u32],
        wholes: &[Range<usize>],
        cache: &mut Cache,
    ) -> Result<Vec<f32>, ModelError> {
        // A poisoned lock guards nothing: every pass writes the space before it reads it.
        let mut space = self.space.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut hidden = Vec::with_capacity(tokens.len() * self.dimensions.width);
        let mut first = 0;
        while first < tokens.len() {
            let end = piece_end(first, tokens.len(), wholes);
            let reach = |row: usize| {
                let whole = wholes.iter().find(|whole| whole.contains(&(first + row)));
                whole.map_or(row + 1, |whole| whole.end - first)
            };
            hidden.extend(self.forward_piece(&tokens[first..end], reach, cache, &mut space)?);
            first = end;
        }
        Ok(hidden)
    }

    /// `reach` says for each row how many of the rows it sees.
    fn forward_piece(
        &self,
        tokens: &[u32],
        reach: impl Fn(usize) -> usize,
        cache: &mut Cache,
        space: &mut Space,
    ) -> Result<Vec<f32>, ModelError> {
        let mut state = rows(&self.embedding, tokens)?;
        let first = cache.len();
        space.angles.clear();
        for position in first..first + tokens.len() {
            space.angles.extend(self.rotation.at(position));
        }
        for (index, layer) in self.layers.iter().enumerate() {
            self.attention(index, layer, &mut state, &reach, cache, space)?;
            self.feed_forward(layer, &mut state, space)?;
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
        reach: &impl Fn(usize) -> usize,
        cache: &mut Cache,
        space: &mut Space,
    ) -> Result<(), ModelError> {
        let Dimensions {
            heads,
            kv_heads,
            head,
            norm_epsilon,
            ..
        } = self.dimensions;
        let (queries_end, keys_end) = (heads * head, (heads + kv_heads) * head);
        let Space { input, angles, weights } = space;
        refill(input, state);
        normalise(input, &layer.attention_norm, norm_epsilon);
        let mut projected = layer.attention_input.forward(input)?;
        let row_width = (heads + 2 * kv_heads) * head;
        for (projected, angles) in projected.chunks_exact_mut(row_width).zip(angles.chunks_exact(head / 2)) {
            let (queries, keys) = projected.split_at_mut(queries_end);
            let (keys, values) = keys.split_at_mut(keys_end - queries_end);
            if let Some((query_norm, key_norm)) = &layer.head_norms {
                normalise(queries, query_norm, norm_epsilon);
                normalise(keys, key_norm, norm_epsilon);
            }
            self.rotation.rotate(queries, angles);
            self.rotation.rotate(keys, angles);
            cache.push(index, keys, values);
        }
        input.clear();
        input.resize(projected.len() / row_width * queries_end, 0.0);
        let rows = projected
            .chunks_exact(row_width)
            .zip(input.chunks_exact_mut(queries_end));
        for (row, (projected, seen)) in rows.enumerate() {
            let queries = &projected[..queries_end];
            cache.attend(index, cache.len() + reach(row), queries, seen, weights);
        }
        add(state, &layer.attention_output.forward(input)?);
        Ok(())
    }

    fn feed_forward(&self, layer: &Layer, state: &mut [f32], space: &mut Space) -> Result<(), ModelError> {
        let input = &mut space.input;
        refill(input, state);
        normalise(input, &layer.feed_forward_norm, self.dimensions.norm_epsilon);
        let gate_up = layer.gate_up.forward(input)?;
        swiglu(&gate_up, self.dimensions.feed_forward, input);
        add(state, &layer.down.forward(input)?);
        Ok(())
    }

    /// Scores of the whole vocabulary for each hidden state: `[states, vocabulary]`.
    pub fn logits(&self, mut hidden: Vec<f32>) -> Result<Vec<f32>, ModelError> {
        product(&self.output, &mut hidden, self.dimensions.width)
    }

    /// The rows of the output matrix of these tokens, `[tokens, width]`: their dot products with a hidden state are
    /// the logits, so that a choice among five tokens does not cost the whole vocabulary.
    pub fn output_rows(&self, tokens: &[u32]) -> Result<Vec<f32>, ModelError> {
        rows(&self.output, tokens)
    }
}

/// Where the piece that begins at `first` ends: after at most `ROWS_MAX` rows, but never within a stretch that sees itself.
fn piece_end(first: usize, length: usize, wholes: &[Range<usize>]) -> usize {
    let end = length.min(first + ROWS_MAX);
    let cut = wholes.iter().find(|whole| whole.start < end && end < whole.end);
    cut.map_or(end, |whole| if whole.start > first { whole.start } else { whole.end })
}

/// Variants of an architecture that would compute something else than this file does.
fn refuse_variants(gguf: &Gguf, family: Family, dimensions: &Dimensions) -> Result<(), Fault> {
    let key = |name: &str| format!("{}.{name}", family.name);
    let rotated = key("rope.dimension_count");
    if gguf.value(&rotated).is_some() {
        let found = gguf.positive(&rotated, dimensions.head)?;
        if found != dimensions.head {
            let expected = format!("{}, the size of a head", dimensions.head);
            return Err(Fault::new(rotated, expected, found.to_string()));
        }
    }
    let scaling = key("rope.scaling.type");
    match gguf.value(&scaling) {
        None => {}
        Some(Value::Text(kind)) if kind == "none" => {}
        _ => return Err(Fault::new(scaling, "`none`", "a scaling that is not built in")),
    }
    let experts = key("expert_count");
    match gguf.value(&experts) {
        None | Some(Value::Unsigned(0)) => Ok(()),
        _ => Err(Fault::new(experts, "0", "a mixture of experts")),
    }
}

fn refill(to: &mut Vec<f32>, from: &[f32]) {
    to.clear();
    to.extend_from_slice(from);
}

/// Rows of a quantised matrix as plain numbers, without the matrix as plain numbers.
pub(super) fn rows(matrix: &QTensor, tokens: &[u32]) -> Result<Vec<f32>, ModelError> {
    let rows = matrix.embedding(&Tensor::new(tokens, &Device::Cpu)?)?;
    Ok(rows.flatten_all()?.to_vec1()?)
}
