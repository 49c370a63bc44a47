//! Devices that exist already and speak their own topics (`Zigbee2MQTT`, Tasmota, a ROS bridge): a template per tool, and pointers that
//! read their state back.
//!
//! A template that is JSON is filled in as a *document*, not as text: a value can become a value or a part of a string, and never
//! structure. Everything here is data, so that a manifest can carry it. It must not know when a command is sent or whether it may be.

use crate::device::Refusal;
use crate::message::{Malformed, PAYLOAD_LEN_MAX};
use crate::plain::{Named, Plain, decimal};
use llmos_follower::MICRO;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// How tools and readings of a foreign device map to its topics.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Binding {
    /// What each tool publishes.
    pub command: BTreeMap<String, CommandBinding>,
    /// Where each reading is found.
    pub state: Vec<StateBinding>,
    /// Published after every connection, to make the device report.
    pub ask: Vec<Fixed>,
    /// Published on the stop path, where the device has such a thing.
    pub stop: Option<Fixed>,
}

/// A message without parameters.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fixed {
    /// The topic.
    pub topic: String,
    /// The payload.
    pub payload: String,
}

/// What a tool publishes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandBinding {
    /// The topic, without parameters.
    pub topic: String,
    /// The payload. `{name}` stands for a parameter, `{name.x}` for one axis of a point; in JSON, `{name}` outside quotes is the value
    /// itself and inside quotes a part of the text.
    pub payload: String,
    /// How parameters are rewritten first.
    #[serde(default)]
    pub parameters: BTreeMap<String, Rewrite>,
}

/// How a parameter is rewritten on its way to the device.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rewrite {
    /// The device's words for ours.
    pub map: BTreeMap<String, String>,
    /// The device's units in one base unit: 254 where a ratio of 1 is sent as 254.
    pub scale: Scale,
    /// Whether the device wants whole numbers.
    pub whole: bool,
}

/// Where a reading is found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateBinding {
    /// The topic.
    pub topic: String,
    /// A JSON pointer (RFC 6901), or empty where the payload is plain text.
    #[serde(default)]
    pub pointer: String,
    /// The name of the reading.
    pub field: String,
    /// What it is.
    pub kind: ReadingKind,
    /// The device's units in one base unit.
    #[serde(default)]
    pub scale: Scale,
    /// Our words for the device's.
    #[serde(default)]
    pub map: BTreeMap<String, String>,
}

/// What a reading is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadingKind {
    /// A quantity.
    Number,
    /// A word.
    Text,
    /// A truth: `true`, or one of the texts on, true, 1.
    Bool,
}

/// A factor in micro-units; written as a plain number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Scale(i64);

impl Default for Scale {
    fn default() -> Self {
        Scale(MICRO)
    }
}

impl TryFrom<f64> for Scale {
    type Error = Malformed;

    fn try_from(factor: f64) -> Result<Scale, Malformed> {
        if !factor.is_finite() || factor.abs() < 1e-6 || factor.abs() > 1e9 {
            return Err(Malformed::new(format!(
                "scale: expected a number between 0.000001 and 1e9, found {factor}"
            )));
        }
        #[expect(clippy::cast_possible_truncation, reason = "checked: at most 1e15")]
        Ok(Scale((factor * 1e6).round() as i64))
    }
}

impl From<Scale> for f64 {
    fn from(scale: Scale) -> f64 {
        #[expect(
            clippy::cast_precision_loss,
            reason = "at most 1e15 micro-units, which a double holds"
        )]
        let micro = scale.0 as f64;
        micro / 1e6
    }
}

impl Scale {
    /// Base units to the device's.
    fn outwards(self, micro: i64) -> Option<i64> {
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
    /// The template itself is wrong.
    #[error("{0}")]
    Template(Malformed),
}

impl EncodeError {
    /// The protocol's word for it.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        match self {
            EncodeError::Tool(_) => Refusal::UnknownTool,
            EncodeError::Argument(_) => Refusal::BadArgument,
            EncodeError::Template(_) => Refusal::Plant,
        }
    }
}

impl Binding {
    /// Everything that is wrong with the binding itself.
    #[must_use]
    pub fn check(&self) -> Vec<Malformed> {
        let mut problems = Vec::new();
        for (tool, command) in &self.command {
            if let Err(error) = Template::parse(&command.payload) {
                problems.push(Malformed::new(format!("command {tool}: {error}")));
            }
            problems.extend(topic_problem(&command.topic));
        }
        for state in &self.state {
            problems.extend(topic_problem(&state.topic));
            if !state.pointer.is_empty() && !state.pointer.starts_with('/') {
                let problem = format!(
                    "state {}: pointer: expected / and a path, or nothing, found {:?}",
                    state.field, state.pointer
                );
                problems.push(Malformed::new(problem));
            }
        }
        for fixed in self.ask.iter().chain(&self.stop) {
            problems.extend(topic_problem(&fixed.topic));
        }
        problems
    }

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
        let template = Template::parse(&command.payload).map_err(EncodeError::Template)?;
        let mut values = BTreeMap::new();
        for (name, value) in arguments {
            let value = match command.parameters.get(name) {
                Some(rewrite) => rewrite.apply(name, value).map_err(EncodeError::Argument)?,
                None => value.clone(),
            };
            values.insert(name.as_str(), value);
        }
        let payload = template.fill(&values).map_err(EncodeError::Argument)?;
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
            let value = if state.pointer.is_empty() {
                let text = std::str::from_utf8(payload)
                    .map_err(|_| Malformed::new(format!("{topic}: expected UTF-8 text")))?;
                Some(Json::String(text.trim().to_owned()))
            } else {
                if document.is_none() {
                    let parsed = serde_json::from_slice::<Json>(payload);
                    document =
                        Some(parsed.map_err(|error| Malformed::new(format!("{topic}: expected JSON: {error}")))?);
                }
                document.as_ref().and_then(|json| json.pointer(&state.pointer)).cloned()
            };
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

fn topic_problem(topic: &str) -> Option<Malformed> {
    let bad = topic.is_empty() || topic.contains(['+', '#', '{', '}', '\0']) || topic.starts_with("llmos/");
    bad.then(|| {
        Malformed::new(format!(
            "topic: expected a fixed topic outside llmos/, without + # {{ }}, found {topic:?}"
        ))
    })
}

impl Rewrite {
    fn apply(&self, name: &str, value: &Plain) -> Result<Plain, Malformed> {
        match value {
            Plain::Text(word) if !self.map.is_empty() => {
                let known = self.map.get(word).cloned();
                known
                    .map(Plain::Text)
                    .ok_or_else(|| Malformed::new(format!("{name}: {word:?} is not among the mapped words")))
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
        let text = match json {
            Json::String(text) => text.clone(),
            other => other.to_string(),
        };
        match self.kind {
            ReadingKind::Number => {
                let number = serde_json::from_str::<Json>(&text).ok().filter(Json::is_number);
                let number = number.ok_or_else(|| Malformed::new(format!("expected a number, found {text:?}")))?;
                match Plain::from_json(&number)? {
                    Plain::Number(micro) => self.scale.inwards(micro).map(Plain::Number),
                    _ => None,
                }
                .ok_or_else(|| Malformed::new(format!("the scaled number is out of range: {text}")))
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

/// A payload with holes.
enum Template {
    /// A document; a hole that stood outside quotes is the string `\0{name}`.
    Json(Json),
    /// Plain text.
    Text(String),
}

impl Template {
    fn parse(payload: &str) -> Result<Template, Malformed> {
        let mut marked = String::new();
        let mut quoted = false;
        let mut rest = payload;
        while let Some(next) = rest.chars().next() {
            if !quoted && let Some((hole, after)) = leading_hole(rest) {
                marked.extend(["\"\\u0000{", hole, "}\""]);
                rest = after;
                continue;
            }
            if quoted && next == '\\' {
                let two = rest.char_indices().nth(2).map_or(rest.len(), |(at, _)| at);
                marked.push_str(&rest[..two]);
                rest = &rest[two..];
                continue;
            }
            quoted ^= next == '"';
            marked.push(next);
            rest = &rest[next.len_utf8()..];
        }
        let structured =
            payload.trim_start().starts_with(['{', '[', '"']) && leading_hole(payload.trim_start()).is_none();
        match serde_json::from_str(&marked) {
            Ok(document) if structured => Ok(Template::Json(document)),
            Err(error) if structured => Err(Malformed::new(format!(
                "payload: expected JSON with {{holes}}: {error}"
            ))),
            _ => Ok(Template::Text(payload.to_owned())),
        }
    }

    fn fill(&self, values: &BTreeMap<&str, Plain>) -> Result<String, Malformed> {
        match self {
            Template::Json(document) => fill_json(document, values).map(|json| json.to_string()),
            Template::Text(text) => fill_text(text, values),
        }
    }
}

/// The name in `{name}` or `{name.x}` at the start of `text`, and what follows.
fn leading_hole(text: &str) -> Option<(&str, &str)> {
    let (hole, after) = text.strip_prefix('{')?.split_once('}')?;
    let name = hole
        .strip_suffix(".x")
        .or(hole.strip_suffix(".y"))
        .or(hole.strip_suffix(".z"))
        .unwrap_or(hole);
    let plain = name
        .bytes()
        .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    (plain && name.starts_with(|first: char| first.is_ascii_lowercase())).then_some((hole, after))
}

fn value_of(hole: &str, values: &BTreeMap<&str, Plain>) -> Result<Plain, Malformed> {
    let missing = || Malformed::new(format!("parameter {hole:?} of the payload has no value"));
    if let Some(value) = values.get(hole) {
        return Ok(value.clone());
    }
    let (name, axis) = hole.rsplit_once('.').ok_or_else(missing)?;
    match (values.get(name), axis) {
        (Some(Plain::Point(point)), "x") => Ok(Plain::Number(point[0])),
        (Some(Plain::Point(point)), "y") => Ok(Plain::Number(point[1])),
        (Some(Plain::Point(point)), "z") => Ok(Plain::Number(point[2])),
        _ => Err(missing()),
    }
}

fn fill_json(json: &Json, values: &BTreeMap<&str, Plain>) -> Result<Json, Malformed> {
    Ok(match json {
        Json::String(text) => match text.strip_prefix('\0').and_then(leading_hole) {
            Some((hole, "")) => value_of(hole, values)?.to_json(),
            _ => Json::String(fill_text(text, values)?),
        },
        Json::Array(list) => Json::Array(
            list.iter()
                .map(|item| fill_json(item, values))
                .collect::<Result<_, _>>()?,
        ),
        Json::Object(fields) => {
            let filled = fields
                .iter()
                .map(|(name, value)| Ok((name.clone(), fill_json(value, values)?)));
            Json::Object(filled.collect::<Result<_, Malformed>>()?)
        }
        other => other.clone(),
    })
}

fn fill_text(text: &str, values: &BTreeMap<&str, Plain>) -> Result<String, Malformed> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if let Some((hole, after)) = leading_hole(rest) {
            let value = match value_of(hole, values)? {
                Plain::Text(word) if word.chars().any(char::is_control) => {
                    return Err(Malformed::new(format!(
                        "parameter {hole:?}: control characters cannot be sent"
                    )));
                }
                Plain::Text(word) => word,
                Plain::Number(micro) => decimal(micro),
                Plain::Bool(truth) => truth.to_string(),
                Plain::Point(point) => point.map(decimal).join(","),
                Plain::Nothing => return Err(Malformed::new(format!("parameter {hole:?} is nothing"))),
            };
            filled.push_str(&value);
            rest = after;
            continue;
        }
        filled.push(next);
        rest = &rest[next.len_utf8()..];
    }
    Ok(filled)
}
