//! A model that runs in this process: from its file to a [`Planner`].
//!
//! It must not know what the calls are for.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{ModelError, PlanReply, PlanRequest, Planner};

/// What `llmos model show` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// `general.name` of the file.
    pub name: String,
    /// `general.architecture`.
    pub architecture: String,
    /// Number of weights.
    pub parameters: u64,
    /// Type of most weights, such as `Q8_0`.
    pub quantisation: String,
    /// Tokens that fit in one sequence.
    pub context_max: usize,
    /// Number of tokens known.
    pub vocabulary: usize,
    /// Size of the file.
    pub file_bytes: u64,
    /// SHA-256 of the file, in hexadecimal.
    pub digest: String,
}

/// A model that runs in this process.
#[derive(Debug)]
pub struct LocalModel {
    info: ModelInfo,
}

impl LocalModel {
    /// Loads a GGUF file and warms it up.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let _ = path;
        Err(ModelError::NotEmbedded)
    }

    /// Loads the model in the box and warms it up.
    pub fn embedded() -> Result<Self, ModelError> {
        Err(ModelError::NotEmbedded)
    }

    /// The model of `path` (or the one in the box) with random weights of the same shapes: the control that shows that
    /// the network plans, and not the code around it.
    pub fn randomised(path: Option<&Path>, seed: u64) -> Result<Self, ModelError> {
        let _ = (path, seed);
        Err(ModelError::NotEmbedded)
    }

    /// What was loaded.
    #[must_use]
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// The natural log-probability of each token after the first, given those before it.
    pub fn score(&mut self, tokens: &[u32]) -> Result<Vec<f32>, ModelError> {
        let _ = tokens;
        Err(ModelError::NotEmbedded)
    }

    /// The model's own tokens of a text, as [`LocalModel::score`] takes them.
    pub fn tokenize(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        let _ = text;
        Err(ModelError::NotEmbedded)
    }
}

impl Planner for LocalModel {
    fn plan(&mut self, request: &PlanRequest<'_>) -> Result<PlanReply, ModelError> {
        let _ = request;
        Err(ModelError::NotEmbedded)
    }
}
