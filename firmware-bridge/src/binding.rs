//! Devices that exist already and speak their own topics (`Zigbee2MQTT`, Tasmota, Home Assistant, a ROS bridge): a template per tool, and
//! pointers that read their state back.
//!
//! Everything here is data, so that a manifest can carry it: [`Binding::read`] reads it, [`Binding::check`] holds it against the tools
//! that it serves. It must not know when a command is sent or whether it may be.

mod check;
mod pose;
mod read;
mod template;

pub use check::{Shape, Surface, ToolSurface, overlaps};
pub use template::Template;

use crate::device::Refusal;
use crate::message::{Malformed, PAYLOAD_LEN_MAX};
use crate::plain::{Named, Plain};
use llmos_follower::MICRO;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// How long one command may be repeated at most, in milliseconds.
pub const STREAM_MS_MAX: u64 = 600_000;

/// Something that is wrong with a binding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Where, as a JSON pointer into the binding: `/command/switch/payload`.
    pub path: String,
    /// Whether the device can't be used with it.
    pub is_error: bool,
    /// What was expected, what was found, what to do.
    pub message: String,
}

/// How tools and readings of a foreign device map to its topics.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Binding {
    /// What each tool publishes.
    pub command: BTreeMap<String, CommandBinding>,
    /// Where each reading is found.
    pub state: Vec<StateBinding>,
    /// Where it says whether it is there, if it does.
    pub online: Option<OnlineBinding>,
    /// Published after every connection, and where a command shows no effect, to make the device report.
    pub ask: Vec<Fixed>,
    /// Published on the stop path, where the device has such a thing. It must mean the same when it comes again.
    pub stop: Option<Fixed>,
}

/// A message without parameters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fixed {
    /// The topic.
    pub topic: String,
    /// The payload.
    pub payload: String,
}

/// What a tool publishes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommandBinding {
    /// The topic, without parameters.
    pub topic: String,
    /// The payload. `{name}` stands for a parameter, `{name.x}` for one axis of a point; in JSON, `{name}` outside quotes is the value
    /// itself and inside quotes a part of the text.
    pub payload: Template,
    /// How parameters are rewritten first.
    pub parameters: BTreeMap<String, Rewrite>,
    /// For a device that acts only as long as it is told so.
    pub stream: Option<Stream>,
}

/// A command that is repeated for a time and then ended, such as a velocity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stream {
    /// How often it is published, in milliseconds.
    pub every_ms: u32,
    /// The parameter that says how long.
    pub lasts: String,
    /// Seconds for one base unit of that parameter: 1 for a duration, 5 for metres at 0.2 m/s.
    pub scale: Scale,
    /// The payload that ends it.
    pub end: String,
}

/// How a parameter is rewritten on its way to the device.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rewrite {
    /// The device's words for ours.
    pub map: BTreeMap<String, String>,
    /// Whether those words are numbers.
    pub is_number: bool,
    /// The device's units in one base unit: 254 where a ratio of 1 is sent as 254.
    pub scale: Scale,
    /// Whether the device wants whole numbers.
    pub whole: bool,
}

/// Where a reading is found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StateBinding {
    /// The topic.
    pub topic: String,
    /// A JSON pointer (RFC 6901), or empty where the payload is plain text.
    pub pointer: String,
    /// The name of the reading.
    pub field: String,
    /// What it is.
    pub kind: ReadingKind,
    /// The device's units in one base unit.
    pub scale: Scale,
    /// Our words for the device's.
    pub map: BTreeMap<String, String>,
    /// How often the device reports it at least, in milliseconds. Three of these in silence, and it counts as lost.
    pub every_ms: Option<u32>,
}

/// Where a device, or its broker, says whether it is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OnlineBinding {
    /// The topic.
    pub topic: String,
    /// A JSON pointer, or empty where the payload is plain text.
    pub pointer: String,
    /// The word for being there.
    pub yes: String,
    /// The word for being gone.
    pub no: String,
}

/// What a reading is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadingKind {
    /// A quantity.
    Number,
    /// A word.
    Text,
    /// A truth: `true`, or one of the texts on, true, 1.
    Bool,
    /// A position: `{x, y, z}` or three numbers in a list.
    Point,
    /// The angle on the ground that a quaternion `{x, y, z, w}` looks along, from +x counterclockwise.
    Heading,
    /// The same as a vector of length one.
    Ahead,
}

/// A factor in micro-units; written as a plain number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scale(i64);

impl Default for Scale {
    fn default() -> Self {
        Scale(MICRO)
    }
}

impl Scale {
    /// Reads a factor, of either sign.
    ///
    /// # Errors
    /// [`Malformed`] for anything but a number between 0.000001 and 1e9.
    pub fn parse(text: &str) -> Result<Scale, Malformed> {
        let bad = || Malformed::new(format!("expected a number between 0.000001 and 1e9, found {text:?}"));
        let factor = text.parse::<f64>().map_err(|_| bad())?;
        if !factor.is_finite() || factor.abs() < 1e-6 || factor.abs() > 1e9 {
            return Err(bad());
        }
        #[expect(clippy::cast_possible_truncation, reason = "checked: at most 1e15")]
        Ok(Scale((factor * 1e6).round() as i64))
    }

    /// Base units to the device's.
    #[must_use]
    pub fn outwards(self, micro: i64) -> Option<i64> {
        ratio(micro, self.0, MICRO)
    }

    /// The device's units to base units.
    fn inwards(self, micro: i64) -> Option<i64> {
        ratio(micro, MICRO, self.0)
    }
}

/// `value * num / den`, rounded to the nearest.
fn ratio(value: i64, num: i64, den: i64) -> Option<i64> {
    let (num, den) = if den < 0 {
        (-i128::from(num), -i128::from(den))
    } else {
        (i128::from(num), i128::from(den))
    };
    let product = i128::from(value) * num;
    i64::try_from((2 * product + den).div_euclid(2 * den)).ok()
}

/// Why a command cannot be written.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EncodeError {
    /// The binding has no such tool.
    #[error("tool {0:?} has no command binding: add one under command")]
    Tool(String),
    /// A parameter is missing or cannot be written at its place.
    #[error("{0}")]
    Argument(Malformed),
}

impl EncodeError {
    /// The protocol's word for it.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        match self {
            EncodeError::Tool(_) => Refusal::UnknownTool,
            EncodeError::Argument(_) => Refusal::BadArgument,
        }
    }
}

impl Binding {
    /// The topics that readings come from, each once.
    pub fn state_topics(&self) -> impl Iterator<Item = &str> {
        let first = |(index, state): &(usize, &StateBinding)| {
            self.state[..*index].iter().all(|other| other.topic != state.topic)
        };
        self.state
            .iter()
            .enumerate()
            .filter(first)
            .map(|(_, state)| state.topic.as_str())
    }

    /// Topic and payload of one call.
    ///
    /// # Errors
    /// [`EncodeError`].
    pub fn encode(&self, tool: &str, arguments: &[(String, Plain)]) -> Result<(String, Vec<u8>), EncodeError> {
        let command = self
            .command
            .get(tool)
            .ok_or_else(|| EncodeError::Tool(tool.to_owned()))?;
        let mut values = BTreeMap::new();
        for (name, value) in arguments {
            let value = match command.parameters.get(name) {
                Some(rewrite) => rewrite.apply(name, value).map_err(EncodeError::Argument)?,
                None => value.clone(),
            };
            values.insert(name.as_str(), value);
        }
        let payload = command.payload.fill(&values).map_err(EncodeError::Argument)?;
        Ok((command.topic.clone(), payload.into_bytes()))
    }

    /// The readings in one message; a pointer that leads nowhere is a part that this message does not report.
    ///
    /// # Errors
    /// [`Malformed`] for a payload that is not what the binding says.
    pub fn decode(&self, topic: &str, payload: &[u8]) -> Result<Vec<Named>, Malformed> {
        if payload.len() > PAYLOAD_LEN_MAX {
            return Err(Malformed::new(format!(
                "{topic}: expected at most {PAYLOAD_LEN_MAX} bytes, found {}",
                payload.len()
            )));
        }
        let mut readings = Vec::new();
        let mut document = None;
        for state in self.state.iter().filter(|state| state.topic == topic) {
            let value = found(topic, &state.pointer, payload, &mut document)?;
            if let Some(value) = value {
                let value = state
                    .read(&value)
                    .map_err(|error| Malformed::new(format!("{topic}: {}: {error}", state.field)))?;
                readings.push(Named {
                    owner: String::new(),
                    field: state.field.clone(),
                    value,
                });
            }
        }
        Ok(readings)
    }
}

/// What a message has at this pointer; the document is only read once.
fn found(topic: &str, pointer: &str, payload: &[u8], document: &mut Option<Json>) -> Result<Option<Json>, Malformed> {
    if pointer.is_empty() {
        let text = std::str::from_utf8(payload).map_err(|_| Malformed::new(format!("{topic}: expected UTF-8 text")))?;
        return Ok(Some(Json::String(text.trim().to_owned())));
    }
    if document.is_none() {
        let parsed = serde_json::from_slice::<Json>(payload);
        *document = Some(parsed.map_err(|error| Malformed::new(format!("{topic}: expected JSON: {error}")))?);
    }
    Ok(document.as_ref().and_then(|json| json.pointer(pointer)).cloned())
}

impl OnlineBinding {
    /// Whether a message says that the device is there; `None` where it says nothing about that.
    #[must_use]
    pub fn read(&self, payload: &[u8]) -> Option<bool> {
        let value = found(&self.topic, &self.pointer, payload, &mut None).ok()??;
        let word = word_of(&value);
        match word {
            _ if word == self.yes => Some(true),
            _ if word == self.no => Some(false),
            _ => None,
        }
    }
}

impl CommandBinding {
    /// How long a call is repeated, in milliseconds; `None` for a command that is sent once.
    ///
    /// # Errors
    /// [`Malformed`] where that is not between a millisecond and [`STREAM_MS_MAX`].
    pub fn lasts_ms(&self, arguments: &[(String, Plain)]) -> Result<Option<u64>, Malformed> {
        let Some(stream) = &self.stream else { return Ok(None) };
        let argument = arguments.iter().find(|(name, _)| *name == stream.lasts);
        let micro = match argument {
            Some((_, Plain::Number(micro))) => stream.scale.outwards(*micro),
            _ => None,
        };
        let ms = micro.and_then(|micro| u64::try_from(micro / 1_000).ok());
        match ms.filter(|ms| (1..=STREAM_MS_MAX).contains(ms)) {
            Some(ms) => Ok(Some(ms)),
            None => Err(Malformed::new(format!(
                "{}: no time of 1 ms to 10 min comes of it",
                stream.lasts
            ))),
        }
    }
}

impl Rewrite {
    fn apply(&self, name: &str, value: &Plain) -> Result<Plain, Malformed> {
        match value {
            Plain::Text(_) | Plain::Bool(_) if !self.map.is_empty() => {
                let word = match value {
                    Plain::Bool(truth) => truth.to_string(),
                    Plain::Text(word) => word.clone(),
                    _ => String::new(),
                };
                let known = self.map.get(&word);
                let known =
                    known.ok_or_else(|| Malformed::new(format!("{name}: {word:?} is not among the mapped words")))?;
                if self.is_number {
                    return number_of(known);
                }
                Ok(Plain::Text(known.clone()))
            }
            Plain::Number(micro) => {
                let scaled = self
                    .scale
                    .outwards(*micro)
                    .ok_or_else(|| Malformed::new(format!("{name}: too large")))?;
                let whole = if self.whole {
                    ratio(scaled, 1, MICRO).and_then(|n| n.checked_mul(MICRO))
                } else {
                    Some(scaled)
                };
                whole
                    .map(Plain::Number)
                    .ok_or_else(|| Malformed::new(format!("{name}: too large")))
            }
            other => Ok(other.clone()),
        }
    }
}

impl StateBinding {
    fn read(&self, json: &Json) -> Result<Plain, Malformed> {
        if json.is_null() {
            return Ok(Plain::Nothing);
        }
        let text = word_of(json);
        match self.kind {
            ReadingKind::Number => match number_of(&text)? {
                Plain::Number(micro) => self.scale.inwards(micro).map(Plain::Number),
                _ => None,
            }
            .ok_or_else(|| Malformed::new(format!("the scaled number is out of range: {text}"))),
            ReadingKind::Point => {
                let axes = axes(json, ["x", "y", "z"])?.map(|micro| self.scale.inwards(micro));
                match axes {
                    [Some(x), Some(y), Some(z)] => Ok(Plain::Point([x, y, z])),
                    _ => Err(Malformed::new(format!("the scaled point is out of range: {text}"))),
                }
            }
            ReadingKind::Heading | ReadingKind::Ahead => {
                let quaternion = axes(json, ["x", "y", "z", "w"])?;
                let value = match self.kind {
                    ReadingKind::Heading => pose::heading(quaternion).map(Plain::Number),
                    _ => pose::ahead(quaternion).map(Plain::Point),
                };
                value.ok_or_else(|| Malformed::new(format!("expected a quaternion of length one, found {text}")))
            }
            ReadingKind::Text => Plain::from_json(&Json::String(self.map.get(&text).cloned().unwrap_or(text))),
            ReadingKind::Bool => {
                let word = self.map.get(&text).cloned().unwrap_or(text).to_ascii_lowercase();
                match word.as_str() {
                    "true" | "on" | "1" => Ok(Plain::Bool(true)),
                    "false" | "off" | "0" => Ok(Plain::Bool(false)),
                    _ => Err(Malformed::new(format!(
                        "expected on or off, true or false, found {word:?}"
                    ))),
                }
            }
        }
    }
}

/// A JSON value as a word: text without its quotes, anything else as it is written.
fn word_of(json: &Json) -> String {
    match json {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A number in text, in micro-units.
fn number_of(text: &str) -> Result<Plain, Malformed> {
    let number = serde_json::from_str::<Json>(text).ok().filter(Json::is_number);
    let number = number.ok_or_else(|| Malformed::new(format!("expected a number, found {text:?}")))?;
    Plain::from_json(&number)
}

/// Numbers by name, or in a list, in micro-units.
fn axes<const N: usize>(json: &Json, names: [&str; N]) -> Result<[i64; N], Malformed> {
    let mut axes = [0; N];
    for (index, (axis, name)) in axes.iter_mut().zip(names).enumerate() {
        let number = json.get(name).or_else(|| json.get(index));
        match number.map(Plain::from_json) {
            Some(Ok(Plain::Number(micro))) => *axis = micro,
            _ => {
                return Err(Malformed::new(format!(
                    "expected numbers {}, found {json}",
                    names.join(", ")
                )));
            }
        }
    }
    Ok(axes)
}
