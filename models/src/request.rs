//! What goes in and out of a planner: plain values, valid on any model.
//!
//! Nothing here knows tokens or tensors. Byte ranges are half-open and count bytes of the goal as the caller gave it.

use serde::{Deserialize, Serialize};

/// One goal to plan, with all that the plan may refer to.
#[derive(Debug, Clone, Copy)]
pub struct PlanRequest<'a> {
    /// The tools to choose from, at most [`crate::TOOLS_MAX`]; keep their order stable between goals, so that their
    /// part of the prompt is computed once.
    pub tools: &'a [ToolSpec],
    /// The words of the person.
    pub goal: &'a str,
    /// What code recognised in the goal: the only numbers, entities and places that an argument can be.
    pub spans: &'a [Span],
    /// A similar goal of the past with its calls (mode MIXED): it is shown to the model, and its calls are the draft of the
    /// plan.
    pub example: Option<&'a Example>,
    /// A plan longer than this ends as [`Outcome::TooLong`], unless it is one call said over and over: then two of those stay.
    pub calls_max: usize,
}

/// A tool as the model reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// `move`, or `arm move` where two devices have a tool of the same name; underscores read as spaces.
    pub name: String,
    /// One short sentence.
    pub does: String,
    /// In the order in which a call gives its arguments.
    pub parameters: Vec<ParameterSpec>,
}

/// One parameter of a tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterSpec {
    /// Underscores read as spaces.
    pub name: String,
    /// What an argument can be.
    pub kind: ParameterKind,
    /// An optional parameter may be [`Argument::Absent`].
    pub required: bool,
}

/// What an argument can be.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ParameterKind {
    /// A quantity of this dimension: `length`, `angle`, `duration`, `speed`, `temperature`, `ratio`, `volume`, `mass`.
    Quantity(String),
    /// A number without a unit; an integer is one too.
    Number,
    /// A whole number.
    Integer,
    /// `true` or `false`: an enumeration with these two options in this order.
    Boolean,
    /// One of these words, in manifest order.
    Enumeration(Vec<String>),
    /// Any run of whole words of the goal.
    Text,
    /// Something that a device reports, or a pronoun for it.
    Entity,
    /// Coordinates, a named place, or an entity.
    Place,
}

impl ParameterKind {
    /// Whether a span may stand for an argument.
    pub(crate) fn accepts(&self, found: &SpanKind) -> bool {
        match self {
            Self::Quantity(dimension) => matches!(found, SpanKind::Quantity(found) if found == dimension),
            Self::Number => matches!(found, SpanKind::Number | SpanKind::Integer),
            Self::Integer => matches!(found, SpanKind::Integer),
            Self::Entity => matches!(found, SpanKind::Entity),
            Self::Place => matches!(found, SpanKind::Place | SpanKind::Entity),
            Self::Boolean | Self::Enumeration(_) | Self::Text => false,
        }
    }
}

/// A stretch of the goal that code recognised, and what it may stand for. A stretch with two readings is two spans.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// What it may stand for.
    pub kind: SpanKind,
}

/// What a span may stand for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SpanKind {
    /// A number with a unit of this dimension.
    Quantity(String),
    /// A number without a unit that is not whole.
    Number,
    /// A whole number without a unit.
    Integer,
    /// A mention of an entity; pronouns are mentions, code resolves them.
    Entity,
    /// Coordinates or a named place.
    Place,
}

/// A goal of the past and the calls that met it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// The words of the past goal.
    pub goal: String,
    /// Its calls: tools are indices into the tools of the request, spans are bytes of the past goal.
    pub calls: Vec<Call>,
}

/// One call of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Index into the tools of the request.
    pub tool: usize,
    /// One for each parameter of the tool, in its order.
    pub arguments: Vec<Argument>,
}

/// Where the value of an argument stands. The model never states a value itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Argument {
    /// These bytes of the goal.
    Span {
        /// First byte.
        start: usize,
        /// One past the last byte.
        end: usize,
    },
    /// This option of the enumeration; of a boolean 0 is true and 1 is false.
    Option(usize),
    /// An optional parameter that the goal does not mention.
    Absent,
}

/// How planning ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The calls meet the goal, as far as the model can tell.
    Planned,
    /// No tool here can do that.
    NoTool,
    /// The goal does not state a required parameter of the call that would come next; ask for it.
    Ask {
        /// Index into the tools of the request.
        tool: usize,
        /// Index into the parameters of that tool.
        parameter: usize,
    },
    /// The model was not done after `calls_max` calls: the calls are a beginning and must not run.
    TooLong,
}

/// What planning cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Tokens of the prompt, the cached ones among them.
    pub prompt: usize,
    /// Tokens of the prompt whose state was kept from an earlier goal.
    pub cached: usize,
    /// Tokens that the model chose.
    pub generated: usize,
    /// Tokens of the plan that only one choice was left for, so that nothing was computed to choose them.
    pub forced: usize,
    /// Tokens among the generated that the draft had right, so that they were checked together and not one by one.
    pub drafted: usize,
}

/// A plan, or why there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanReply {
    /// The complete calls, in order.
    pub calls: Vec<Call>,
    /// Of the call that [`Outcome::Ask`] stopped: its tool and the arguments before the missing one.
    pub unfinished: Option<Call>,
    /// How planning ended.
    pub outcome: Outcome,
    /// What it cost.
    pub tokens: Tokens,
    /// The product of the probabilities of all choices, 0 to 1: how sure the model was of the whole plan.
    pub confidence: f32,
}
