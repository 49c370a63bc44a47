//! The pieces that decoders share: products with quantised matrices, norms, rotation, and attention over a cache that can
//! be cut. Plain loops over contiguous numbers; each row is computed in the same order whatever comes with it, so that
//! pieces of a prompt give the same bits as the whole.

use candle_core::quantized::QTensor;
use candle_core::{CpuStorage, CustomOp1, Layout};
use pulp::Arch;

use crate::error::ModelError;

/// Matrices that multiply the same input; their results stand side by side in each row.
#[derive(Debug)]
pub(super) struct Linear {
    parts: Vec<QTensor>,
    inputs: usize,
    outputs: usize,
}

impl Linear {
    /// All `parts` are `[rows, inputs]`.
    pub fn new(parts: Vec<QTensor>, inputs: usize) -> Self {
        let outputs = parts.iter().map(rows_of).sum();
        Self { parts, inputs, outputs }
    }

    /// `[rows, inputs]` to `[rows, outputs]`. The input is lent to the tensor library, which wants to own it, and comes
    /// back as it was.
    pub fn forward(&self, input: &mut Vec<f32>) -> Result<Vec<f32>, ModelError> {
        if let [only] = self.parts.as_slice() {
            return product(only, input, self.inputs);
        }
        let mut output = vec![0.0; input.len() / self.inputs * self.outputs];
        let mut column = 0;
        for part in &self.parts {
            let width = rows_of(part);
            let result = product(part, input, self.inputs)?;
            for (to, from) in output.chunks_exact_mut(self.outputs).zip(result.chunks_exact(width)) {
                to[column..column + width].copy_from_slice(from);
            }
            column += width;
        }
        Ok(output)
    }
}

fn rows_of(matrix: &QTensor) -> usize {
    matrix.shape().dims().first().copied().unwrap_or(0)
}

/// The tensor library's kernel without the tensor around it: `[rows, columns]` times a matrix.
pub(super) fn product(matrix: &QTensor, input: &mut Vec<f32>, columns: usize) -> Result<Vec<f32>, ModelError> {
    let rows = input.len() / columns;
    let lent = CpuStorage::F32(std::mem::take(input));
    let result = matrix.cpu_fwd(&lent, &Layout::contiguous((rows, columns)));
    if let CpuStorage::F32(returned) = lent {
        *input = returned;
    }
    match result? {
        (CpuStorage::F32(output), _) => Ok(output),
        _ => Err(ModelError::Internal {
            part: "tensors",
            reason: "a product of F32 numbers is not F32".into(),
        }),
    }
}

/// Scales each stretch of `weight.len()` numbers to a root mean square of one, then by `weight` (Zhang and Sennrich 2019).
pub(super) fn normalise(numbers: &mut [f32], weight: &[f32], epsilon: f32) {
    Arch::new().dispatch(|| {
        for row in numbers.chunks_exact_mut(weight.len()) {
            let scale = 1.0 / (dot(row, row) / length(row) + epsilon).sqrt();
            for (number, weight) in row.iter_mut().zip(weight) {
                *number *= scale * weight;
            }
        }
    });
}

fn length(row: &[f32]) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "rows have at most 2^15 numbers")]
    let length = row.len() as f32;
    length
}

const LANES: usize = 16;

/// Sums in 16 lanes, so that the compiler can use whatever vectors the machine has; the lanes are the same on every machine,
/// and so are the bits.
#[expect(
    clippy::inline_always,
    reason = "must be compiled for the vectors of the closure that it stands in"
)]
#[inline(always)]
pub(crate) fn dot(left: &[f32], right: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (left_wide, left_rest) = left.as_chunks::<LANES>();
    let (right_wide, right_rest) = right.as_chunks::<LANES>();
    for (left, right) in left_wide.iter().zip(right_wide) {
        for lane in 0..LANES {
            lanes[lane] += left[lane] * right[lane];
        }
    }
    let rest: f32 = left_rest.iter().zip(right_rest).map(|(left, right)| left * right).sum();
    lanes.iter().sum::<f32>() + rest
}

/// Which two numbers of a head are rotated together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pairs {
    /// Number `i` with number `i + head / 2`.
    Halves,
    /// Number `2 i` with number `2 i + 1`.
    Neighbours,
}

/// Rotates pairs of numbers by an angle that grows with the position (Su et al. 2021).
#[derive(Debug)]
pub(super) struct Rotation {
    frequencies: Vec<f32>,
    pairs: Pairs,
}

impl Rotation {
    pub fn new(head: usize, base: f32, pairs: Pairs) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "heads have at most 2^10 numbers")]
        let frequency = |pair: usize| 1.0 / base.powf((2 * pair) as f32 / head as f32);
        let frequencies = (0..head / 2).map(frequency).collect();
        Self { frequencies, pairs }
    }

    /// Slows each pair down by a divisor of its own.
    pub fn divide(&mut self, divisors: &[f32]) {
        for (frequency, divisor) in self.frequencies.iter_mut().zip(divisors) {
            *frequency /= divisor;
        }
    }

    /// Sine and cosine of each pair's angle at `position`, computed once per position and used by all its heads.
    pub fn at(&self, position: usize) -> impl Iterator<Item = (f32, f32)> {
        #[expect(clippy::cast_precision_loss, reason = "contexts have at most 2^20 positions")]
        let position = position as f32;
        self.frequencies
            .iter()
            .map(move |frequency| (position * frequency).sin_cos())
    }

    /// Rotates all heads of a row.
    pub fn rotate(&self, heads: &mut [f32], angles: &[(f32, f32)]) {
        for head in heads.chunks_exact_mut(2 * angles.len()) {
            match self.pairs {
                Pairs::Halves => {
                    let (low, high) = head.split_at_mut(angles.len());
                    for ((low, high), angle) in low.iter_mut().zip(high).zip(angles) {
                        turn(low, high, *angle);
                    }
                }
                Pairs::Neighbours => {
                    let (pairs, _) = head.as_chunks_mut::<2>();
                    for ([low, high], angle) in pairs.iter_mut().zip(angles) {
                        turn(low, high, *angle);
                    }
                }
            }
        }
    }
}

fn turn(low: &mut f32, high: &mut f32, (sine, cosine): (f32, f32)) {
    (*low, *high) = (*low * cosine - *high * sine, *low * sine + *high * cosine);
}

/// `gate * sigmoid(gate) * up` over rows of gates followed by ups (Shazeer 2020), into `output`.
pub(super) fn swiglu(gate_up: &[f32], width: usize, output: &mut Vec<f32>) {
    output.clear();
    for row in gate_up.chunks_exact(2 * width) {
        let (gate, up) = row.split_at(width);
        output.extend(gate.iter().zip(up).map(|(gate, up)| gate / (1.0 + (-gate).exp()) * up));
    }
}

pub(super) fn add(to: &mut [f32], what: &[f32]) {
    for (to, what) in to.iter_mut().zip(what) {
        *to += what;
    }
}

/// Keys and values of all positions so far, one contiguous run for each layer and head.
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    keys: Vec<Vec<f32>>,
    values: Vec<Vec<f32>>,
    kv_heads: usize,
    head: usize,
    length: usize,
}

impl Cache {
    pub fn new(layers: usize, kv_heads: usize, head: usize) -> Self {
        let runs = vec![Vec::new(); layers * kv_heads];
        Self {
            keys: runs.clone(),
            values: runs,
            kv_heads,
            head,
            length: 0,
        }
    }

    /// Positions held.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Numbers remembered of one position.
    pub fn width(&self) -> usize {
        (self.keys.len() + self.values.len()) * self.head
    }

    /// The first `length` positions of every run, in a fixed order.
    pub fn runs(&self, length: usize) -> impl Iterator<Item = &[f32]> {
        let all = self.keys.iter().chain(&self.values);
        all.map(move |run| &run[..length * self.head])
    }

    /// Takes the numbers of [`Cache::runs`].
    pub fn refill(&mut self, length: usize, numbers: &mut impl Iterator<Item = f32>) {
        for run in self.keys.iter_mut().chain(&mut self.values) {
            run.clear();
            run.extend(numbers.by_ref().take(length * self.head));
        }
        self.length = length;
    }

    /// Forgets the positions from `length` on.
    pub fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
        for run in self.keys.iter_mut().chain(&mut self.values) {
            run.truncate(self.length * self.head);
        }
    }

    /// Appends one position's keys and values to a layer.
    pub(super) fn push(&mut self, layer: usize, keys: &[f32], values: &[f32]) {
        let first = layer * self.kv_heads;
        let runs = self.keys[first..].iter_mut().zip(&mut self.values[first..]);
        for (heads, (to_keys, to_values)) in keys
            .chunks_exact(self.head)
            .zip(values.chunks_exact(self.head))
            .zip(runs)
        {
            to_keys.extend_from_slice(heads.0);
            to_values.extend_from_slice(heads.1);
        }
    }

    /// All layers have the keys and values of `positions` more.
    pub(super) fn grow(&mut self, positions: usize) {
        self.length += positions;
    }

    /// What one row's query heads see in the first `visible` positions of a layer, written to `output`; several query
    /// heads share one key head. `weights` is working space.
    pub(super) fn attend(
        &self,
        layer: usize,
        visible: usize,
        queries: &[f32],
        output: &mut [f32],
        weights: &mut Vec<f32>,
    ) {
        let shared = queries.len() / (self.kv_heads * self.head);
        let heads = queries.chunks_exact(self.head).zip(output.chunks_exact_mut(self.head));
        Arch::new().dispatch(|| {
            for (index, (query, output)) in heads.enumerate() {
                let run = layer * self.kv_heads + index / shared;
                let seen = visible * self.head;
                look(
                    &self.keys[run][..seen],
                    &self.values[run][..seen],
                    query,
                    output,
                    weights,
                );
            }
        });
    }
}

/// One head's attention: the values, weighed by how well their keys fit the query.
#[expect(
    clippy::inline_always,
    reason = "must be compiled for the vectors of the closure that it stands in"
)]
#[inline(always)]
fn look(keys: &[f32], values: &[f32], query: &[f32], output: &mut [f32], weights: &mut Vec<f32>) {
    let head = query.len();
    let scale = 1.0 / length(query).sqrt();
    weights.clear();
    // A loop and not an iterator's `extend`, which would be compiled apart, without the vectors.
    for key in keys.chunks_exact(head) {
        weights.push(dot(query, key) * scale);
    }
    softmax(weights);
    output.fill(0.0);
    for (value, weight) in values.chunks_exact(head).zip(weights.iter()) {
        for (output, value) in output.iter_mut().zip(value) {
            *output += weight * value;
        }
    }
}

/// Turns scores into shares of one.
#[expect(
    clippy::inline_always,
    reason = "must be compiled for the vectors of the closure that it stands in"
)]
#[inline(always)]
pub(crate) fn softmax(scores: &mut [f32]) {
    let max = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for score in scores.iter_mut() {
        *score = (*score - max).exp();
        sum += *score;
    }
    for score in scores {
        *score /= sum;
    }
}
