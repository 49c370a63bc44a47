//! A payload with holes. JSON is filled in as a *document*, not as text: a value can become a value or a part of a string, and never
//! structure. It must not know topics, or what a parameter means.

use crate::message::Malformed;
use crate::plain::{Plain, decimal};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;

/// A payload with holes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Template {
    /// A document; a hole that stood outside quotes is the string `\0{name}`.
    Json(Json),
    /// Plain text.
    Text(String),
}

impl Template {
    /// Reads `{name}` as a parameter and `{name.x}` as one axis of a point.
    ///
    /// # Errors
    /// A payload that begins like JSON and is none.
    pub fn parse(payload: &str) -> Result<Template, Malformed> {
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

    /// The names of the parameters that stand in it, each once.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        match self {
            Template::Json(document) => json_names(document, &mut names),
            Template::Text(text) => text_names(text, &mut names),
        }
        names.sort();
        names.dedup();
        names
    }

    /// The payload with these values.
    ///
    /// # Errors
    /// A parameter without a value, except where a whole JSON field is one optional parameter: such a field is left out.
    pub(super) fn fill(&self, values: &BTreeMap<&str, Plain>) -> Result<String, Malformed> {
        match self {
            Template::Json(document) => fill_json(document, values).map(|json| json.to_string()),
            Template::Text(text) => fill_text(text, values),
        }
    }
}

fn json_names(json: &Json, names: &mut Vec<String>) {
    match json {
        Json::String(text) => text_names(text, names),
        Json::Array(list) => list.iter().for_each(|item| json_names(item, names)),
        Json::Object(fields) => fields.values().for_each(|value| json_names(value, names)),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

fn text_names(text: &str, names: &mut Vec<String>) {
    for (at, _) in text.match_indices('{') {
        if let Some((hole, _)) = leading_hole(&text[at..]) {
            names.push(hole.split('.').next().unwrap_or(hole).to_owned());
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
            let mut filled = Map::new();
            for (name, value) in fields {
                if !is_left_out(value, values) {
                    filled.insert(name.clone(), fill_json(value, values)?);
                }
            }
            Json::Object(filled)
        }
        other => other.clone(),
    })
}

/// Whether a field is nothing but a parameter that the call does not give. Only optional ones may be missing: the gate has seen to that.
fn is_left_out(value: &Json, values: &BTreeMap<&str, Plain>) -> bool {
    let hole = value
        .as_str()
        .and_then(|text| text.strip_prefix('\0'))
        .and_then(leading_hole);
    hole.is_some_and(|(hole, rest)| rest.is_empty() && !values.contains_key(hole.split('.').next().unwrap_or(hole)))
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
