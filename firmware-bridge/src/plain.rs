//! Values as the host reads and writes them: with their spelling, where [`llmos_follower::Value`] only keeps a hash of it.
//!
//! Numbers are whole micro-units from the moment a message is read, so that a journal replays the same bits. This file must not know
//! which device or tool a value belongs to.

use crate::device::Told;
use crate::message::{Malformed, TEXT_LEN_MAX};
use llmos_follower::{MICRO, Symbol, Value};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value as Json};

/// The largest number that is read, in base units. Beyond 4e9, JSON's doubles hold fewer than six decimals.
pub const NUMBER_MAX: f64 = 9e12;

/// What a message says something is worth.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plain {
    /// A truth.
    Bool(bool),
    /// A quantity or number, in micro-units of its base unit.
    Number(i64),
    /// A position or displacement, in micrometres.
    Point([i64; 3]),
    /// An entity, an enumeration's option, or any other text.
    Text(String),
    /// Nothing: `null`.
    Nothing,
}

/// One reading with the names it was reported under.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Named {
    /// The entity that the reading belongs to; empty for the device itself.
    pub owner: String,
    /// The field's name.
    pub field: String,
    /// Its value.
    pub value: Plain,
}

impl Plain {
    /// Reads a JSON value.
    ///
    /// # Errors
    /// [`Malformed`] for an object, a list that is not three numbers, a number beyond [`NUMBER_MAX`], or a long text.
    pub fn from_json(json: &Json) -> Result<Plain, Malformed> {
        match json {
            Json::Null => Ok(Plain::Nothing),
            Json::Bool(truth) => Ok(Plain::Bool(*truth)),
            Json::Number(number) => micro(number).map(Plain::Number),
            Json::String(text) if text.len() <= TEXT_LEN_MAX => Ok(Plain::Text(text.clone())),
            Json::Array(list) => match list.as_slice() {
                [Json::Number(x), Json::Number(y), Json::Number(z)] => {
                    Ok(Plain::Point([micro(x)?, micro(y)?, micro(z)?]))
                }
                _ => Err(Malformed::new(format!(
                    "expected three numbers in a list, found {json}"
                ))),
            },
            Json::String(_) => Err(Malformed::new(format!(
                "expected a text of at most {TEXT_LEN_MAX} bytes"
            ))),
            Json::Object(_) => Err(Malformed::new(
                "expected a number, point, text, truth or null, found an object",
            )),
        }
    }

    /// Writes a JSON value, numbers in base units with at most six decimals.
    #[must_use]
    pub fn to_json(&self) -> Json {
        match self {
            Plain::Bool(truth) => Json::Bool(*truth),
            Plain::Number(micro) => number(*micro),
            Plain::Point(point) => Json::Array(point.iter().map(|axis| number(*axis)).collect()),
            Plain::Text(text) => Json::String(text.clone()),
            Plain::Nothing => Json::Null,
        }
    }

    /// The value as a device computes with it; nothing is the empty symbol.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match self {
            Plain::Bool(truth) => Value::Bool(*truth),
            Plain::Number(micro) => Value::Number(*micro),
            Plain::Point(point) => Value::Point(*point),
            Plain::Text(text) => Value::Symbol(Symbol::of(text)),
            Plain::Nothing => Value::Symbol(Symbol::NONE),
        }
    }
}

impl From<Told<'_>> for Plain {
    fn from(told: Told<'_>) -> Plain {
        match told {
            Told::Bool(truth) => Plain::Bool(truth),
            Told::Number(micro) => Plain::Number(micro),
            Told::Point(point) => Plain::Point(point),
            Told::Text(text) => Plain::Text(text.to_owned()),
            Told::Nothing => Plain::Nothing,
        }
    }
}

/// A JSON number as micro-units, rounded to the nearest.
fn micro(number: &Number) -> Result<i64, Malformed> {
    let outside = || Malformed::new(format!("expected a number between -9e12 and 9e12, found {number}"));
    if let Some(whole) = number.as_i64() {
        return whole
            .checked_mul(MICRO)
            .filter(|_| whole.unsigned_abs() <= 9_000_000_000_000)
            .ok_or_else(outside);
    }
    let value = number
        .as_f64()
        .filter(|value| value.abs() <= NUMBER_MAX)
        .ok_or_else(outside)?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "checked: 9e12 times 1e6 fits into 63 bits"
    )]
    #[expect(clippy::cast_precision_loss, reason = "a million is exact")]
    let micro = (value * MICRO as f64).round() as i64;
    Ok(micro)
}

fn number(micro: i64) -> Json {
    if micro % MICRO == 0 {
        return Json::Number((micro / MICRO).into());
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "a correctly rounded quotient prints as the shortest decimal that reads back"
    )]
    let value = micro as f64 / MICRO as f64;
    Number::from_f64(value).map_or(Json::Null, Json::Number)
}

/// Micro-units as exact decimal text, without trailing zeros.
#[must_use]
pub fn decimal(micro: i64) -> String {
    let (whole, part) = (micro.unsigned_abs() / 1_000_000, micro.unsigned_abs() % 1_000_000);
    let sign = if micro < 0 { "-" } else { "" };
    if part == 0 {
        return format!("{sign}{whole}");
    }
    let digits = format!("{part:06}");
    format!("{sign}{whole}.{}", digits.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: Option<&Plain>) {
        let found = serde_json::from_str::<Json>(json)
            .ok()
            .and_then(|json| Plain::from_json(&json).ok());
        assert_eq!(found.as_ref(), expected, "{json}");
    }

    #[test]
    fn values_are_read_exactly_or_not_at_all() {
        check("0.3", Some(&Plain::Number(300_000)));
        check("-0.000001", Some(&Plain::Number(-1)));
        check("1e-7", Some(&Plain::Number(0)));
        check("4e9", Some(&Plain::Number(4_000_000_000_000_000)));
        check("9000000000000", Some(&Plain::Number(9_000_000_000_000_000_000)));
        check("9000000000001", None);
        check("1e13", None);
        check("1e400", None);
        check("NaN", None);
        check("[0.8,0,1.2]", Some(&Plain::Point([800_000, 0, 1_200_000])));
        check("[0.8,0]", None);
        check("[0.8,0,\"1\"]", None);
        check("{}", None);
        check("null", Some(&Plain::Nothing));
        check("true", Some(&Plain::Bool(true)));
        check("\"red cube\"", Some(&Plain::Text("red cube".to_owned())));
        check(&format!("\"{}\"", "x".repeat(257)), None);
    }

    #[test]
    fn values_are_written_as_short_decimals_that_read_back() {
        for micro in [0, 1, -1, 300_000, -1_234_567, 123_456_789_012, 4_000_000_000_000_001] {
            let plain = Plain::Number(micro);
            assert_eq!(Plain::from_json(&plain.to_json()), Ok(plain.clone()), "{micro}");
            assert_eq!(
                serde_json::from_str::<Json>(&decimal(micro))
                    .map(|json| Plain::from_json(&json))
                    .ok(),
                Some(Ok(plain))
            );
        }
        assert_eq!(
            Plain::Point([300_000, -2_000_000, 1]).to_json().to_string(),
            "[0.3,-2,1e-6]"
        );
        assert_eq!(decimal(-1_200_000), "-1.2");
    }
}
