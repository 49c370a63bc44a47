//! Plans calls for a goal, with a small quantized model on this machine.
//!
//! The world outside sees one synchronous trait, [`Planner`], and plain types: tools, a goal, spans of that goal that code
//! recognised, and the calls that the model chose. Every output is an index or a byte range of the goal, so a plan can name
//! no tool, number or object that the request does not hold.
//!
//! This crate must not know devices, manifests, policy, files of a workspace, clocks or tokio; and nobody outside it may
//! know candle, GGUF or token ids (but [`LocalModel::score`], which exists to compare us with other engines).

mod arch;
mod control;
mod draft;
mod error;
mod gguf;
mod grammar;
mod json;
mod local;
mod processor;
mod prompt;
mod request;
mod sample;
mod session;
mod snapshot;
#[cfg(test)]
#[path = "../tests/support/mod.rs"]
mod support;
mod thread;
mod tokenizer;
mod weights;

pub use control::TOOLS_MAX;
pub use error::{Fault, ModelError};
#[cfg(feature = "embedded-model")]
pub use local::IN_THE_BOX;
pub use local::{LocalModel, ModelInfo};
pub use request::{
    Argument, Call, Example, Outcome, ParameterKind, ParameterSpec, PlanReply, PlanRequest, Span, SpanKind, Tokens,
    ToolSpec,
};
pub use sample::Shortcuts;

/// Environment variables to start the process with, unless the person has set them; nobody can set them later.
///
/// One thread for the tensor library. A small model plans on one thread anyway, but with a pool of two the other one
/// spins until the plan is there: on two cores that builds kept busy, a warm plan took 12 ms so and 4 ms with this
/// variable (97 ms when each product was split). The numbers computed are the same bits.
pub const ENVIRONMENT: [(&str, &str); 1] = [("CANDLE_NUM_THREADS", "1")];

/// Plans calls for a goal.
pub trait Planner {
    /// The calls that meet `request.goal`, or why there are none.
    ///
    /// # Errors
    /// When the request does not fit the model (context, tool count, a span outside the goal) or the model itself fails.
    /// A goal that no tool can meet is not an error: see [`Outcome`].
    fn plan(&mut self, request: &PlanRequest<'_>) -> Result<PlanReply, ModelError>;
}
