//! A plan: typed calls in which every argument says where it came from. What the model points at and what a trace's slots bind both
//! become a [`Plan`]; `compile` makes it a program. There is no way to build an [`Argument`] without its provenance.

use crate::goal::{self, Dimension};
use crate::options::{Options, WAIT};
use crate::tool::Type;
use llmos_follower::Point;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Calls in order.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Plan {
    /// The calls.
    pub calls: Vec<PlannedCall>,
    /// What must hold before the first call: a device and a condition about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub start: Vec<(String, String)>,
}

impl Plan {
    /// Calls without a condition for the start.
    #[must_use]
    pub fn of(calls: Vec<PlannedCall>) -> Plan {
        Plan {
            calls,
            start: Vec::new(),
        }
    }

    /// The calls that may send a command: all but the waits, and those that compensate.
    pub fn acts(&self) -> impl Iterator<Item = &PlannedCall> {
        let undoing = self.calls.iter().flat_map(|call| &call.compensate);
        let calls = self.calls.iter().filter(|call| call.options.wait.is_none());
        calls.chain(undoing)
    }
}

/// One call of a tool.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PlannedCall {
    /// The device.
    pub device: String,
    /// Its tool or macro.
    pub tool: String,
    /// The arguments, in the order of the tool's parameters; optional ones may be missing at the end.
    pub arguments: Vec<Argument>,
    /// What a trace says beyond that.
    #[serde(default, skip_serializing_if = "Options::is_empty")]
    pub options: Options,
    /// What to do when it fails and its options say so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub compensate: Vec<PlannedCall>,
}

impl PlannedCall {
    /// A call without options.
    #[must_use]
    pub fn new(device: impl Into<String>, tool: impl Into<String>, arguments: Vec<Argument>) -> PlannedCall {
        PlannedCall {
            device: device.into(),
            tool: tool.into(),
            arguments,
            options: Options::default(),
            compensate: Vec::new(),
        }
    }
}

/// An argument and where it came from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Argument {
    /// The parameter.
    pub parameter: String,
    /// The value.
    pub value: Given,
    /// Where it came from.
    pub source: Source,
}

/// A value that somebody or something stated.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Given {
    /// A quantity, in micro-units of the dimension's base unit.
    Quantity(Dimension, i64),
    /// A number, in millionths.
    Number(i64),
    /// A truth.
    Boolean(bool),
    /// An option of an enumeration.
    Option(String),
    /// Something that the device reports, by name.
    Entity(String),
    /// Something or some place that has a position, by name.
    Named(String),
    /// Where the named entity was when the run began ("put it back").
    Start(String),
    /// What an earlier call kept under this name.
    Result(String),
    /// Coordinates, in micrometres.
    Point(Point),
    /// Words.
    Text(String),
}

/// Where an argument came from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the fields are named for what they hold")]
pub enum Source {
    /// These words of the goal (byte range).
    Goal { start: usize, end: usize, words: String },
    /// The device's state, reached through these words.
    State { words: String },
    /// An option that the model chose from the manifest's list.
    Manifest,
    /// A slot of a trace, bound from the goal.
    Slot { name: String, words: String },
    /// A constant of a trace, which was observed to succeed.
    Trace,
    /// An answer of the person.
    Answer,
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Goal { words, .. } => write!(formatter, "goal \"{words}\""),
            Source::State { words } => write!(formatter, "state, for \"{words}\""),
            Source::Manifest => formatter.write_str("manifest option"),
            Source::Slot { name, words } => write!(formatter, "slot {name} = \"{words}\""),
            Source::Trace => formatter.write_str("trace"),
            Source::Answer => formatter.write_str("answer"),
        }
    }
}

impl fmt::Display for Given {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Given::Quantity(dimension, micro) => formatter.write_str(&goal::print_quantity(*dimension, *micro)),
            Given::Number(micro) => formatter.write_str(&goal::print_number(*micro)),
            Given::Boolean(truth) => write!(formatter, "{truth}"),
            Given::Option(text) | Given::Entity(text) | Given::Named(text) | Given::Text(text) => {
                formatter.write_str(text)
            }
            Given::Start(name) => write!(formatter, "start of {name}"),
            Given::Result(name) => write!(formatter, "result of {name}"),
            Given::Point(point) => formatter.write_str(&print_point(*point)),
        }
    }
}

/// The name in `result of NAME`.
#[must_use]
pub fn result_of(text: &str) -> Option<&str> {
    text.strip_prefix("result of ")
}

/// Milliseconds as people write them.
pub(crate) fn print_ms(ms: u32) -> String {
    goal::print_quantity(Dimension::Duration, i64::from(ms) * 1_000)
}

/// `(0.8, 0, 1.2)`, in metres.
#[must_use]
pub fn print_point(point: Point) -> String {
    let [x, y, z] = point.map(goal::print_number);
    format!("({x}, {y}, {z})")
}

impl Given {
    /// Reads what [`Given`]'s `Display` writes, for a parameter of this type.
    ///
    /// # Errors
    /// What was expected and found.
    pub fn parse(text: &str, kind: &Type) -> Result<Given, String> {
        if let Some(name) = result_of(text) {
            return Ok(Given::Result(name.to_owned()));
        }
        match kind {
            Type::Quantity(dimension) => match goal::parse_quantity(text)? {
                (found, micro) if found == *dimension => Ok(Given::Quantity(found, micro)),
                (found, _) => Err(format!(
                    "expected a {}, found the {} \"{text}\"",
                    dimension.name(),
                    found.name()
                )),
            },
            Type::Number | Type::Integer => Ok(Given::Number(goal::parse_number(text)?)),
            Type::Boolean => text
                .parse()
                .map(Given::Boolean)
                .map_err(|_| format!("expected true or false, found \"{text}\"")),
            Type::Enumeration(options) if options.iter().any(|option| option == text) => {
                Ok(Given::Option(text.to_owned()))
            }
            Type::Enumeration(options) => Err(format!("expected one of {}, found \"{text}\"", options.join(", "))),
            Type::Entity => Ok(Given::Entity(text.to_owned())),
            Type::Text => Ok(Given::Text(text.to_owned())),
            Type::Place | Type::Point => match text.strip_prefix("start of ") {
                Some(name) => Ok(Given::Start(name.to_owned())),
                None if text.starts_with('(') => {
                    goal::parse_point(text.trim_start_matches('(').trim_end_matches(')')).map(Given::Point)
                }
                None => Ok(Given::Named(text.to_owned())),
            },
        }
    }
}

impl fmt::Display for PlannedCall {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(wait) = &self.options.wait {
            return write!(formatter, "{}.{WAIT}({wait})", self.device);
        }
        write!(formatter, "{}.{}", self.device, self.tool)?;
        let list: Vec<String> = self
            .arguments
            .iter()
            .map(|a| format!("{}: {}", a.parameter, a.value))
            .collect();
        write!(formatter, "({})", list.join(", "))
    }
}
