//! The unit in which a tool of another program counts, from what its schema tells people: `distance_cm`, `minutes`, "the angle in
//! degrees", "speed (m/s)". Where it is not plain, there is none, since a wrong unit is worse than a question. It must not know the
//! goal.

use crate::goal::{self, Dimension};
use serde_json::Value;

/// Symbols that are units behind another word of a name (`distance_cm`), in brackets and behind "in"; with case, since `MW` is not `mW`.
const SYMBOLS: [(&str, &str); 32] = [
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
    ("m/s", "m/s"),
    ("km/h", "km/h"),
    ("kmh", "km/h"),
    ("pct", "percent"),
    ("%", "percent"),
    ("rpm", "rpm"),
    ("Hz", "Hz"),
    ("kHz", "kHz"),
    ("W", "W"),
    ("kW", "kW"),
    ("MW", "MW"),
    ("V", "V"),
    ("A", "A"),
    ("N", "N"),
    ("Pa", "Pa"),
];

/// Words that are units wherever they stand; `second`, `rotation` or `foot` may be something else.
const WORDS: [&str; 40] = [
    "meters",
    "metres",
    "centimeters",
    "centimetres",
    "millimeters",
    "millimetres",
    "kilometers",
    "kilometres",
    "inches",
    "feet",
    "seconds",
    "minutes",
    "hours",
    "days",
    "degrees",
    "radians",
    "percent",
    "percentage",
    "kilograms",
    "grams",
    "liters",
    "litres",
    "milliliters",
    "millilitres",
    "celsius",
    "kph",
    "mph",
    "watts",
    "volts",
    "pascals",
    "rpm",
    "hertz",
    "kilowatts",
    "megawatts",
    "amperes",
    "amps",
    "newtons",
    "joules",
    "lux",
    "psi",
];

/// Words that make another unit of the one before them, or say what is counted.
const GOES_ON: [&str; 10] = [
    "per",
    "squared",
    "cubed",
    "of",
    "/",
    "f",
    "k",
    "fahrenheit",
    "kelvin",
    "from",
];

/// The dimension of a unit, and the micro-units of the base unit in one of it.
pub(super) fn scale(unit: &str) -> Option<(Dimension, i64)> {
    match goal::parse_quantity(&format!("1 {unit}")) {
        Ok((dimension, scale)) if scale > 0 => Some((dimension, scale)),
        _ => None,
    }
}

/// The unit that the name or the description of a number tells, if one does; it has a scale. `does` is the tool's description where
/// this is its only number, and speaks for a number that has none.
pub(super) fn told(name: &str, schema: &Value, does: &str) -> Option<String> {
    let own = schema.get("description").and_then(Value::as_str);
    let description = own.unwrap_or_default();
    let does = if own.is_some() { "" } else { does };
    let name = name.replace(['_', '-'], " ");
    let unit = in_brackets(description)
        .or_else(|| behind_in(description))
        .or_else(|| at_the_end(&name))
        .or_else(|| in_brackets(does))
        .or_else(|| behind_in(does))?;
    let (dimension, _) = scale(&unit)?;
    let heat = |text: &str| {
        let words = text.split(|c: char| !c.is_alphanumeric());
        words
            .map(str::to_lowercase)
            .any(|word| matches!(word.as_str(), "temperature" | "heat" | "thermostat" | "temp"))
    };
    // Degrees of heat are not degrees of an angle.
    if dimension == Dimension::Angle && (heat(&name) || heat(description) || heat(does)) {
        return Some("celsius".to_owned());
    }
    Some(unit)
}

/// One word that is a unit: a word of the list, or a symbol as it is written.
fn word(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    if lower == "percentage" {
        return Some("percent".to_owned());
    }
    if WORDS.contains(&lower.as_str()) {
        return scale(&lower).map(|_| lower);
    }
    symbol(text)
}

fn symbol(text: &str) -> Option<String> {
    let known = SYMBOLS.iter().find(|(symbol, _)| *symbol == text);
    known.map(|(_, unit)| (*unit).to_owned())
}

/// `speed (m/s)`, but neither `item(s)` nor `lower bound (min)`.
fn in_brackets(description: &str) -> Option<String> {
    let (before, rest) = description.split_once(" (")?;
    let (inside, _) = rest.split_once(')')?;
    let bound = before.to_lowercase();
    if matches!(inside, "min" | "max") && (bound.contains("bound") || bound.contains("limit") || bound.contains("imum"))
    {
        return None;
    }
    word(inside)
}

/// "in meters", "in degrees Celsius", "in meters per second"; nothing where the unit goes on in a way that is not known.
fn behind_in(description: &str) -> Option<String> {
    let clean = |word: &str| word.trim_matches(['(', ')', '.', ',', ';', ':']).to_owned();
    let words: Vec<String> = description.split_whitespace().map(clean).collect();
    let behind = (0..words.len()).filter(|index| words[*index].eq_ignore_ascii_case("in"));
    behind.map(|index| &words[index + 1..]).find_map(|rest| {
        (1..=rest.len().min(5)).rev().find_map(|count| {
            let goes_on = rest
                .get(count)
                .is_some_and(|next| GOES_ON.contains(&next.to_lowercase().as_str()));
            if goes_on {
                return None;
            }
            match &rest[..count] {
                [only] => word(only),
                several => {
                    word(&several[0])?;
                    let text = several.join(" ").to_lowercase();
                    scale(&text).map(|_| text)
                }
            }
        })
    })
}

/// `minutes`, `timer minutes`, `distance cm`; but not `g`, which may be green.
fn at_the_end(name: &str) -> Option<String> {
    match name.rsplit_once(' ') {
        Some((_, last)) => word(last),
        None => word(name).filter(|_| WORDS.contains(&name.to_lowercase().as_str())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn units_are_told_by_names_and_descriptions() {
        for (name, description, unit) in [
            ("distance", "How far to drive, in meters.", Some("meters")),
            ("distance", "Distance (in meters)", Some("meters")),
            ("distance_cm", "", Some("cm")),
            ("minutes", "", Some("minutes")),
            ("angle", "Angle in degrees (positive is left)", Some("degrees")),
            ("temperature", "Target temperature in degrees", Some("celsius")),
            ("temperature", "Target in degrees Celsius", Some("degrees celsius")),
            ("speed", "Speed (m/s)", Some("m/s")),
            ("speed", "Speed in meters per second", Some("meters per second")),
            ("level", "Brightness in percent", Some("percent")),
            ("brightness_pct", "", Some("percent")),
            ("heading", "Heading of the swarm in degrees", Some("degrees")),
            ("duration", "Duration (s)", Some("s")),
            ("count", "How many items in a row", None),
            ("number", "The number in the list", None),
            ("x", "x coordinate in the map frame", None),
            ("floor", "", None),
            ("temperature", "Temperature in degrees Fahrenheit", None),
            ("temp_fahrenheit", "", None),
            ("rotation", "", None),
            ("second", "The second operand", None),
            ("g", "green", None),
            ("min", "", None),
            ("count", "Number of item(s)", None),
            ("low", "Lower bound (min)", None),
            (
                "acceleration",
                "in meters per second squared",
                Some("meters per second squared"),
            ),
            ("flow", "in liters per minute", None),
            ("power", "Power (MW)", Some("MW")),
            ("rpm", "", Some("rpm")),
            ("speed", "Speed of the spindle in rpm", Some("rpm")),
            ("power", "The power in megawatts", Some("megawatts")),
            ("voltage", "volts", None),
            ("turns", "each in turn", None),
        ] {
            let schema = json!({ "type": "number", "description": description });
            assert_eq!(
                told(name, &schema, "in hours").as_deref(),
                unit,
                "{name}: {description}"
            );
        }
        let bare = json!({ "type": "number" });
        let power = "Set the power of the turbine in megawatts";
        assert_eq!(told("power", &bare, power).as_deref(), Some("megawatts"));
        assert_eq!(
            told("distance_cm", &bare, "Drive a distance in meters").as_deref(),
            Some("cm")
        );
        assert_eq!(told("power", &bare, "").as_deref(), None);
    }
}
