//! The unit in which a tool of another program counts, from what its schema tells people: `distance_cm`, `minutes`, "the angle in
//! degrees", "speed (m/s)". It must not know the goal.

use crate::goal::{self, Dimension};
use serde_json::Value;

/// Endings of names that are units; shorter ones than a word are units only there and in brackets.
const ENDINGS: [(&str, &str); 22] = [
    ("m", "m"),
    ("cm", "cm"),
    ("mm", "mm"),
    ("km", "km"),
    ("s", "s"),
    ("sec", "s"),
    ("secs", "s"),
    ("min", "min"),
    ("mins", "min"),
    ("h", "h"),
    ("deg", "deg"),
    ("rad", "rad"),
    ("kg", "kg"),
    ("g", "g"),
    ("l", "l"),
    ("ml", "ml"),
    ("mps", "m/s"),
    ("kmh", "km/h"),
    ("pct", "percent"),
    ("percentage", "percent"),
    ("celsius", "celsius"),
    ("fahrenheit", "fahrenheit"),
];

/// The dimension of a unit, and the micro-units of the base unit in one of it.
pub(super) fn scale(unit: &str) -> Option<(Dimension, i64)> {
    match goal::parse_quantity(&format!("1 {unit}")) {
        Ok((dimension, scale)) if scale > 0 => Some((dimension, scale)),
        _ => None,
    }
}

/// The unit that the name or the description of a number tells, if one does.
pub(super) fn told(name: &str, schema: &Value) -> Option<String> {
    let description = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    let description = description.to_lowercase();
    let name = name.to_lowercase().replace(['_', '-'], " ");
    let unit = in_brackets(&description)
        .or_else(|| behind_in(&description))
        .or_else(|| name.rsplit(' ').next().and_then(word))?;
    // Degrees of heat are not degrees of an angle.
    let is_heat = ["temperature", "heat", "thermostat", "warm", "cold"]
        .iter()
        .any(|word| name.contains(word) || description.contains(word));
    if is_heat && scale(&unit).is_some_and(|(dimension, _)| dimension == Dimension::Angle) {
        return Some("celsius".to_owned());
    }
    Some(unit)
}

/// A word that is a unit by itself.
fn word(text: &str) -> Option<String> {
    let text = text.trim_matches(|c: char| !c.is_alphanumeric() && c != '%' && c != '°');
    let ending = ENDINGS.iter().find(|(ending, _)| *ending == text);
    match ending {
        Some((_, unit)) => Some((*unit).to_owned()),
        None => (text.chars().count() > 3 || text.contains(['%', '°']))
            .then(|| scale(text))
            .flatten()
            .map(|_| text.to_owned()),
    }
}

fn in_brackets(description: &str) -> Option<String> {
    let (_, rest) = description.split_once('(')?;
    let (inside, _) = rest.split_once(')')?;
    scale(inside)
        .filter(|_| inside.chars().any(char::is_alphabetic) || inside.contains(['%', '°']))
        .map(|_| inside.to_owned())
        .or_else(|| word(inside))
}

/// "in meters", "in degrees Celsius", "in m/s".
fn behind_in(description: &str) -> Option<String> {
    let words: Vec<&str> = description.split_whitespace().collect();
    let behind = words.iter().enumerate().filter(|(_, word)| **word == "in");
    behind
        .filter_map(|(index, _)| {
            let rest = words.get(index + 1..)?;
            let clean = |word: &str| word.trim_end_matches(['.', ',', ';', ':', ')']).to_owned();
            let most = rest.len().min(3);
            let longer = (2..=most).rev().find_map(|count| {
                let text = rest[..count]
                    .iter()
                    .map(|word| clean(word))
                    .collect::<Vec<_>>()
                    .join(" ");
                scale(&text).map(|_| text)
            });
            longer.or_else(|| word(&clean(rest.first()?))).or_else(|| {
                let text = clean(rest.first()?);
                text.contains('/').then(|| scale(&text)).flatten().map(|_| text)
            })
        })
        .next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn units_are_told_by_names_and_descriptions() {
        for (name, description, unit) in [
            ("distance", "How far to drive, in meters.", Some("meters")),
            ("distance_cm", "", Some("cm")),
            ("minutes", "", Some("minutes")),
            ("angle", "Angle in degrees (positive is left)", Some("degrees")),
            ("temperature", "Target temperature in degrees", Some("celsius")),
            ("temperature", "Target in degrees Celsius", Some("degrees celsius")),
            ("speed", "Speed (m/s)", Some("m/s")),
            ("speed", "Speed in meters per second", Some("meters per second")),
            ("level", "Brightness in percent", Some("percent")),
            ("brightness_pct", "", Some("percent")),
            ("count", "How many items in a row", None),
            ("number", "The number in the list", None),
            ("x", "x coordinate in the map frame", None),
            ("floor", "", None),
        ] {
            let schema = json!({ "type": "number", "description": description });
            assert_eq!(told(name, &schema).as_deref(), unit, "{name}: {description}");
        }
    }
}
