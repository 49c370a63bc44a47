//! Quantities, ranges and points as manifests write them, and the canonical form that we print.
//!
//! The same readers as for goals, held to the whole text: what is left over is an error that says what was expected.
//! `parse_quantity(print_quantity(d, x)) == (d, x)` for every dimension and every value.

use super::Meaning;
use super::exact::{Exact, MICRO};
use super::number::number;
use super::point::point;
use super::quantity::measured;
use super::units::{Dimension, measure};
use super::words::{Line, words};

/// Reads a whole text like "0.5 m/s" into its dimension and micro-units of the base unit, rounded to the nearest.
///
/// `degC` and `degF` are temperatures, and `deg` is an angle. The error is a sentence for the person who wrote the text.
pub fn parse_quantity(text: &str) -> Result<(Dimension, i64), String> {
    let words = words(text);
    let line = Line { text, words: &words };
    let found = measured(&line, 0).filter(|found| found.end == words.len());
    let found = found.ok_or_else(|| expected(&line, "a number with a unit, like `0.3 m`"))?;
    let micro = found.value.micro().ok_or_else(|| too_large(text))?;
    Ok((found.measure.dimension, micro))
}

/// Reads a whole text like "-2..2 m" or "10 cm .. 1 m" into its dimension and both ends; a lower end above the upper is an error.
pub fn parse_range(text: &str) -> Result<(Dimension, i64, i64), String> {
    let (low, high) = text
        .split_once("..")
        .ok_or_else(|| format!("expected a range like `-2..2 m`, found `{text}`"))?;
    let (dimension, high_micro) = parse_quantity(high.trim())?;
    let (low_dimension, low_micro) = match parse_quantity(low.trim()) {
        Ok(own) => own,
        Err(error) => with_unit_of(low.trim(), high.trim()).ok_or(error)?,
    };
    if dimension != low_dimension {
        return Err(format!(
            "expected one dimension in a range, found {} and {} in `{text}`",
            low_dimension.name(),
            dimension.name()
        ));
    }
    if low_micro > high_micro {
        return Err(format!("expected the lower end first, found `{text}`"));
    }
    Ok((dimension, low_micro, high_micro))
}

/// Reads a whole text like "0, 0, 0.4 m" or "(1, 1, 1.5)" into metres times one million.
pub fn parse_point(text: &str) -> Result<[i64; 3], String> {
    let trimmed = text.trim();
    // Inside brackets a comma never separates thousands.
    let bracketed = if trimmed.starts_with(['(', '[']) {
        trimmed.to_owned()
    } else {
        format!("({trimmed})")
    };
    let words = words(&bracketed);
    let line = Line {
        text: &bracketed,
        words: &words,
    };
    let found = point(&line, 0).filter(|found| found.end == words.len());
    match found.as_ref().and_then(|found| found.meanings.first()) {
        Some(Meaning::Point { micro }) => Ok(*micro),
        _ => Err(format!("expected three lengths like `0, 0, 0.4 m`, found `{text}`")),
    }
}

/// Reads a whole text like "0.5", "-3" or "1,000" into micro-units: a number without a unit.
pub fn parse_number(text: &str) -> Result<i64, String> {
    let words = words(text);
    let found = number(&Line { text, words: &words }, 0).filter(|found| found.end == words.len());
    let found = found.ok_or_else(|| format!("expected a number without a unit, found `{text}`"))?;
    found.value.micro().ok_or_else(|| too_large(text))
}

/// Writes the shortest exact form in the usual unit: "0.3 m", "45 deg", "70 %", "21 degC".
#[must_use]
pub fn print_quantity(dimension: Dimension, micro: i64) -> String {
    match dimension {
        Dimension::Ratio => format!("{} %", print_decimal(i128::from(micro) * 100)),
        _ => format!("{} {}", print_decimal(i128::from(micro)), dimension.base_unit()),
    }
}

/// Writes a bare number of micro-units as a decimal: 1 500 000 is "1.5".
#[must_use]
pub fn print_number(micro: i64) -> String {
    print_decimal(i128::from(micro))
}

fn print_decimal(micro: i128) -> String {
    let sign = if micro < 0 { "-" } else { "" };
    let (whole, fraction) = (micro.abs() / MICRO, micro.abs() % MICRO);
    let decimals = format!("{fraction:06}");
    let decimals = decimals.trim_end_matches('0');
    if decimals.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{decimals}")
    }
}

/// The lower end of a range, which may leave its unit to the upper one.
fn with_unit_of(low: &str, high: &str) -> Option<(Dimension, i64)> {
    let high_words = words(high);
    let high_line = Line {
        text: high,
        words: &high_words,
    };
    let unit = measure(&high_line, number(&high_line, 0)?.end)?;
    let low_words = words(low);
    let bare = number(
        &Line {
            text: low,
            words: &low_words,
        },
        0,
    )
    .filter(|bare| bare.end == low_words.len())?;
    let micro = bare
        .value
        .plus(unit.shift)
        .and_then(|value| Exact::times(value, unit.scale))?
        .micro()?;
    Some((unit.dimension, micro))
}

fn expected(line: &Line<'_>, what: &str) -> String {
    let rest = number(line, 0)
        .and_then(|number| line.words.get(number.end))
        .map(|word| &line.text[word.start..]);
    match rest {
        Some(rest) => format!(
            "expected {what}, found `{}` where `{rest}` is no unit that is known",
            line.text
        ),
        None => format!("expected {what}, found `{}`", line.text),
    }
}

fn too_large(text: &str) -> String {
    format!("expected a quantity within nine trillion base units, found `{text}`")
}
