//! What words mean, as a shortcut to choices: each token of the vocabulary has a vector, longer the more it tells, and runs
//! of words are compared by the cosine of their sums. A tool in words that training never brought together is still found
//! if its words mean what was said. Which words are compared is for others to know.

use candle_core::quantized::QTensor;

use super::decoder::rows;
use super::layers::dot;
use crate::error::ModelError;
use crate::weights::{WeightError, Weights};

#[derive(Debug)]
pub(crate) struct Sense {
    vectors: QTensor,
    size: usize,
    /// What a cosine is worth in the score of a tool, and of an option.
    scales: Scales,
}

/// What a cosine of one adds to a score.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scales {
    pub tool: f32,
    pub option: f32,
}

impl Sense {
    /// The vectors of a file, as long as a pointer.
    pub fn load(weights: &mut Weights<'_>, vocabulary: usize, size: usize) -> Result<Self, WeightError> {
        let vectors = weights.matrix("sense.weight", vocabulary, size)?;
        let scales = weights.vector("sense.scale", 2)?;
        Ok(Self {
            vectors,
            size,
            scales: Scales {
                tool: scales[0],
                option: scales[1],
            },
        })
    }

    pub fn scales(&self) -> Scales {
        self.scales
    }

    /// What the words mean together, each as much as its share: a vector of length one, or zeros for nothing.
    pub fn mean(&self, tokens: &[u32], shares: impl IntoIterator<Item = f32>) -> Result<Vec<f32>, ModelError> {
        let mut sum = vec![0.0; self.size];
        if tokens.is_empty() {
            return Ok(sum);
        }
        let vectors = rows(&self.vectors, tokens)?;
        for (vector, share) in vectors.chunks_exact(self.size).zip(shares) {
            for (to, from) in sum.iter_mut().zip(vector) {
                *to += share * from;
            }
        }
        let length = dot(&sum, &sum).sqrt();
        if length > 0.0 {
            for number in &mut sum {
                *number /= length;
            }
        }
        Ok(sum)
    }
}
