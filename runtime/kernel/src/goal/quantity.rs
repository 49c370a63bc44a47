//! Reads quantities: a number with its unit, compounds, ranges and counts.
//!
//! It knows how a number and a unit make one quantity and which words around them change the reading; it knows no names
//! of things. A quantity whose unit goes on in a way that is not known ("5 m²", "5 litres per minute") is not read at
//! all, since five litres would be another thing.

use super::exact::Exact;
use super::number::{Form, Number, number, simple};
use super::point::point;
use super::units::{Dimension, Measure, measure};
use super::words::{Line, WordKind};
use super::{Direction, Meaning, Reading};

/// A quantity in base units and the word after it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    pub(super) value: Exact,
    pub(super) measure: Measure,
    pub(super) end: usize,
}

/// Reads what is said in numbers at word `at`: a point, a range, a count, a quantity or a bare number.
pub(super) fn reading(line: &Line<'_>, at: usize) -> Option<Reading> {
    if line.continues_word(at) {
        return None;
    }
    point(line, at)
        .or_else(|| range(line, at))
        .or_else(|| count(line, at))
        .or_else(|| measured(line, at).and_then(|measured| quantity(line, at, measured)))
        .or_else(|| bare_number(line, at))
}

/// Whether something other than a bare number starts at `at`; then its first word is no designator ("bin a metre away").
pub(super) fn is_measured(line: &Line<'_>, at: usize) -> bool {
    reading(line, at).is_some_and(|reading| !matches!(reading.meanings.first(), Some(Meaning::Number { .. })))
}

/// Reads a number with its unit, compounds included.
pub(super) fn measured(line: &Line<'_>, at: usize) -> Option<Measured> {
    let first = part(line, at)?;
    let whole = compound(line, at, and_a_half(line, first));
    (!goes_on(line, whole.end)).then_some(whole)
}

fn quantity(line: &Line<'_>, at: usize, measured: Measured) -> Option<Reading> {
    let micro = measured.value.micro()?;
    let dimension = measured.measure.dimension;
    let mut meanings = vec![Meaning::Quantity { dimension, micro }];
    if measured.measure.bare_degrees && !is_turned(line, at, measured.end) {
        meanings.push(Meaning::Quantity {
            dimension: Dimension::Temperature,
            micro,
        });
    }
    Some(Reading {
        end: measured.end,
        meanings,
    })
}

/// Degrees between "turn" or a direction and the next one can only be an angle.
fn is_turned(line: &Line<'_>, at: usize, end: usize) -> bool {
    let by = usize::from(line.before(at) == "by");
    let before = at.checked_sub(1 + by);
    let directed = before.is_some_and(|before| Direction::at(line, before).is_some());
    let verb = before.map_or("", |before| line.normal(before));
    directed || matches!(verb, "turn" | "rotate" | "spin" | "tilt" | "swing") || Direction::at(line, end).is_some()
}

/// One number and one unit: "30 cm", "a metre", "half an hour", "a couple of seconds", "5-inch".
fn part(line: &Line<'_>, at: usize) -> Option<Measured> {
    if let Some(one) = article(line, at) {
        return Some(one);
    }
    let number = number(line, at)?;
    let unit_at = unit_place(line, &number);
    let measure = measure(line, unit_at).filter(|_| !is_preposition(line, unit_at))?;
    if measure.dimension == Dimension::Frequency && number.form == Form::Batch {
        return None;
    }
    // "warmer by 9 degrees fahrenheit" is a difference, and a difference has no zero to start from.
    let shift = if line.before(at) == "by" {
        Exact::ZERO
    } else {
        measure.shift
    };
    let value = number.value.plus(shift)?.times(measure.scale)?;
    Some(Measured {
        value,
        measure,
        end: measure.end,
    })
}

/// "a metre", "an hour"; "a second" only where no thing follows that could be the second one, and none where it says how often, as in
/// "seven a minute".
fn article(line: &Line<'_>, at: usize) -> Option<Measured> {
    const AFTER_A_SECOND: [&str; 22] = [
        "", ".", ",", ";", "!", "?", ")", "and", "then", "or", "but", "before", "after", "later", "to", "from",
        "while", "until", "for", "at", "in", "please",
    ];
    if !matches!(line.normal(at), "a" | "an") {
        return None;
    }
    let measure = measure(line, line.past_joiner(at + 1)).filter(|measure| measure.spelled_out)?;
    let often = matches!(line.before(at), "times" | "twice" | "once") || line.before(at).parse::<f64>().is_ok();
    if measure.dimension == Dimension::Duration
        && (often || at > 0 && number(line, at - 1).is_some_and(|count| count.end == at))
    {
        return None;
    }
    if line.normal(at + 1) == "second" && !AFTER_A_SECOND.contains(&line.normal(measure.end)) {
        return None;
    }
    let value = Exact::ONE.plus(measure.shift)?.times(measure.scale)?;
    Some(Measured {
        value,
        measure,
        end: measure.end,
    })
}

/// Where the unit of `number` stands: after a hyphen, "of" or "of a" where its form takes one.
fn unit_place(line: &Line<'_>, number: &Number) -> usize {
    let mut at = number.end;
    if matches!(number.form, Form::Fraction | Form::Batch) && line.normal(at) == "of" {
        at += 1;
    }
    if number.form == Form::Fraction && matches!(line.normal(at), "a" | "an" | "one") {
        at += 1;
    }
    line.past_joiner(at)
}

/// "in" after a number is the inch only where no place can follow: "5in", "5 in left", "5 in.", "5 in to the left".
fn is_preposition(line: &Line<'_>, at: usize) -> bool {
    if line.normal(at) != "in" || line.glued(at) {
        return false;
    }
    let next = line.normal(at + 1);
    let ends = next.is_empty() || line.is(at + 1, WordKind::Mark);
    !(ends
        || matches!(next, "to" | "from" | "and" | "then" | "above" | "below" | "per")
        || Direction::at(line, at + 1).is_some())
}

/// "a metre and a half", "two hours and a quarter".
fn and_a_half(line: &Line<'_>, first: Measured) -> Measured {
    let extended = || {
        let fraction = number(line, first.end + 1).filter(|part| part.form == Form::Fraction)?;
        let own_unit = line.normal(fraction.end) == "of" || measure(line, unit_place(line, &fraction)).is_some();
        let value = first.value.plus(fraction.value.times(first.measure.scale)?)?;
        (!own_unit && first.measure.shift == Exact::ZERO).then_some(Measured {
            value,
            end: fraction.end,
            ..first
        })
    };
    if line.normal(first.end) == "and" {
        extended().unwrap_or(first)
    } else {
        first
    }
}

/// "2m 30s", "1 hour and 30 minutes", "5 feet 3 inches": ever smaller units of one dimension.
fn compound(line: &Line<'_>, at: usize, first: Measured) -> Measured {
    let mut whole = as_minutes(line, first).unwrap_or(first);
    while let Some(next) = smaller_part(line, at, whole) {
        whole = next;
    }
    whole
}

fn smaller_part(line: &Line<'_>, start: usize, whole: Measured) -> Option<Measured> {
    use Dimension::{Duration, Length, Mass};
    let and = usize::from(line.normal(whole.end) == "and");
    let at = whole.end + and;
    if line.is(at, WordKind::Mark) || matches!(line.normal(at), "a" | "an" | "half" | "minus" | "negative") {
        return None;
    }
    let mut next = part(line, at)?;
    if whole.measure.dimension == Duration && next.measure.dimension == Length && line.normal(next.end - 1) == "m" {
        next = in_minutes(next)?;
    }
    // "right 1 m and 20 cm up" are two moves.
    let two_moves =
        and == 1 && start > 0 && Direction::at(line, start - 1).is_some() && Direction::at(line, next.end).is_some();
    let fits = matches!(next.measure.dimension, Length | Duration | Mass)
        && next.measure.dimension == whole.measure.dimension
        && next.measure.scale.is_less_than(whole.measure.scale)
        && !two_moves;
    let sign = if whole.value.is_less_than(Exact::ZERO) {
        next.value.negated()?
    } else {
        next.value
    };
    let value = whole.value.plus(sign)?;
    fits.then_some(Measured {
        value,
        measure: next.measure,
        end: next.end,
    })
}

/// "2m 30s": before seconds, `m` counts minutes.
fn as_minutes(line: &Line<'_>, first: Measured) -> Option<Measured> {
    let is_m = line.normal(first.end - 1) == "m" && first.measure.dimension == Dimension::Length;
    let seconds = part(line, first.end).filter(|next| next.measure.dimension == Dimension::Duration && is_m)?;
    (seconds.measure.scale == Exact::ONE)
        .then(|| in_minutes(first))
        .flatten()
}

fn in_minutes(metres: Measured) -> Option<Measured> {
    let minute = Exact::whole(60);
    let measure = Measure {
        dimension: Dimension::Duration,
        scale: minute,
        ..metres.measure
    };
    Some(Measured {
        value: metres.value.times(minute)?,
        measure,
        end: metres.end,
    })
}

/// Whether the unit that ends at `end` is only the beginning of another one.
fn goes_on(line: &Line<'_>, end: usize) -> bool {
    let digits = line.is(end, WordKind::Digits) && line.continues_word(end);
    let glued_letters = line.glued(end) && line.is(end, WordKind::Letters);
    let power = matches!(line.normal(end), "\u{b2}" | "\u{b3}" | "^") && line.glued(end);
    let slash = line.normal(end) == "/" && line.glued(end) && line.glued(end + 1);
    let per = line.normal(end) == "per" && measure(line, end + 1).is_some();
    digits || glued_letters || power || slash || per || matches!(line.normal(end), "squared" | "cubed")
}

/// "5-10 cm", "between 5 and 10 cm".
fn range(line: &Line<'_>, at: usize) -> Option<Reading> {
    let low = number(line, at)?;
    let low_unit = measure(line, low.end);
    let dash_at = low_unit.map_or(low.end, |unit| unit.end);
    let dash =
        matches!(line.normal(dash_at), "-" | "\u{2013}" | "\u{2014}") && line.glued(dash_at) == line.glued(dash_at + 1);
    let between = line.before(at) == "between" && line.normal(dash_at) == "and";
    let plain = low.form == Form::Digits && line.is(dash_at + 1, WordKind::Digits);
    if !(between || (dash && plain)) {
        return None;
    }
    let high = number(line, dash_at + 1)?;
    let high_unit = measure(line, high.end);
    let end = high_unit.map_or(high.end, |unit| unit.end);
    let unit = high_unit.or(low_unit);
    if goes_on(line, end) || low_unit.is_some_and(|low| unit.is_none_or(|unit| unit.dimension != low.dimension)) {
        return None;
    }
    let a = in_base(low.value, low_unit.or(unit))?;
    let b = in_base(high.value, unit)?;
    let dimension = unit.map(|unit| unit.dimension);
    Some(Reading {
        end,
        meanings: vec![Meaning::Range {
            dimension,
            low: a.min(b),
            high: a.max(b),
        }],
    })
}

fn in_base(value: Exact, unit: Option<Measure>) -> Option<i64> {
    match unit {
        Some(unit) => value.plus(unit.shift)?.times(unit.scale)?.micro(),
        None => value.micro(),
    }
}

/// "twice", "three times"; "once" only at the end of a clause, since elsewhere it means "as soon as".
fn count(line: &Line<'_>, at: usize) -> Option<Reading> {
    if let Some(end) = halfway(line, at) {
        let meaning = Meaning::Quantity {
            dimension: Dimension::Ratio,
            micro: 500_000,
        };
        return Some(Reading {
            end,
            meanings: vec![meaning],
        });
    }
    let (times, end) = match line.normal(at) {
        "once" => (1, at + 1),
        "twice" => (2, at + 1),
        "thrice" => (3, at + 1),
        _ => {
            let number = number(line, at).filter(|number| line.normal(number.end) == "times")?;
            (u32::try_from(number.value.as_whole()?).ok()?, number.end + 1)
        }
    };
    let as_soon_as = line.normal(at) == "once"
        && line.is(end, WordKind::Letters)
        && !matches!(line.normal(end), "and" | "then" | "more");
    (!as_soon_as).then(|| Reading {
        end,
        meanings: vec![Meaning::Count { times }],
    })
}

/// "halfway", "half way", "half-way".
fn halfway(line: &Line<'_>, at: usize) -> Option<usize> {
    let second = line.past_joiner(at + 1);
    match (line.normal(at), line.normal(second)) {
        ("halfway", _) => Some(at + 1),
        ("half", "way") => Some(second + 1),
        _ => None,
    }
}

/// A number without unit. A fraction is also a ratio; after "from", the unit of the other end counts for both.
fn bare_number(line: &Line<'_>, at: usize) -> Option<Reading> {
    let number = number(line, at)?;
    let unit_at = unit_place(line, &number);
    // With a unit it would have been a quantity, so something was wrong with it.
    let spoiled = measure(line, unit_at).is_some() && !is_preposition(line, unit_at);
    if spoiled || line.continues_word(number.end) || is_one_of_several(line, at, &number) || goes_on(line, number.end) {
        return None;
    }
    if let Some(other) = other_end(line, at, &number) {
        let micro = in_base(number.value, Some(other))?;
        let meanings = vec![Meaning::Quantity {
            dimension: other.dimension,
            micro,
        }];
        return Some(Reading {
            end: number.end,
            meanings,
        });
    }
    let micro = number.value.micro()?;
    let mut meanings = vec![Meaning::Number { micro }];
    if number.form == Form::Fraction {
        meanings.push(Meaning::Quantity {
            dimension: Dimension::Ratio,
            micro,
        });
    }
    Some(Reading {
        end: number.end,
        meanings,
    })
}

/// "from 10 to 50 percent": the unit of the other end.
fn other_end(line: &Line<'_>, at: usize, number: &Number) -> Option<Measure> {
    let from_to = line.before(at) == "from" && line.normal(number.end) == "to";
    from_to
        .then(|| measured(line, number.end + 1))
        .flatten()
        .map(|other| other.measure)
}

/// "the one", "this one", "one of them" stand for a thing and count nothing.
fn is_one_of_several(line: &Line<'_>, at: usize, number: &Number) -> bool {
    const BEFORE: [&str; 18] = [
        "the", "this", "that", "which", "another", "each", "every", "no", "last", "other", "first", "second", "third",
        "next", "same", "left", "right", "any",
    ];
    let one = simple(line.normal(at)) == Some(1) && number.end == at + 1;
    one && (BEFORE.contains(&line.before(at))
        || line.normal(at + 1) == "of"
        || super::names::is_distinguishing(line.before(at)))
}
