//! Why a model or a request was not accepted. Messages say what was expected, what was found, where, and what to do.

/// Why a model did not load or did not plan.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The binary was built without the model in the box.
    #[error("this build holds no model: build with the feature `embedded-model`, or give a GGUF file with --model")]
    NotEmbedded,
    /// The file could not be read.
    #[error("cannot read the model {path}: {source}; check the path and its permissions")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
}
