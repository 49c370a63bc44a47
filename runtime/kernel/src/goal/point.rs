//! Reads points: three coordinates, in brackets, as a bare list, or by the names of the axes.
//!
//! It knows how coordinates are written and nothing of frames or of where things are. Coordinates without unit are
//! metres; one unit at the end counts for all of them. Three quantities that are no lengths are no point.

use super::exact::Exact;
use super::number::{Form, number};
use super::units::{Dimension, Measure, measure};
use super::words::{Line, WordKind};
use super::{Meaning, Reading};

#[derive(Clone, Copy)]
struct Coordinate {
    value: Exact,
    unit: Option<Measure>,
    end: usize,
}

/// Reads the point that starts at word `at`.
pub(super) fn point(line: &Line<'_>, at: usize) -> Option<Reading> {
    match line.normal(at) {
        "(" | "[" => bracketed(line, at),
        "x" | "y" | "z" => by_axes(line, at),
        _ => bare(line, at),
    }
}

/// "(1, 1, 1.5)", "[10; 20; 30] cm", "(10 cm, 20 cm, 30 cm)".
fn bracketed(line: &Line<'_>, at: usize) -> Option<Reading> {
    let (list, end) = three(line, at + 1)?;
    if !matches!(line.normal(end), ")" | "]") {
        return None;
    }
    let shared = measure(line, end + 1).filter(|unit| unit.dimension == Dimension::Length);
    reading(&list, shared, shared.map_or(end + 1, |unit| unit.end))
}

/// "1.0, 0.5, 1.5", "1, 2, 3 m". After a plural it is a list ("lamps 1, 2, 3"), and three lengths are three lengths
/// unless something says that a point follows.
fn bare(line: &Line<'_>, at: usize) -> Option<Reading> {
    const POINTERS: [&str; 8] = [
        "to",
        "at",
        "point",
        "position",
        "coordinates",
        "target",
        "location",
        "is",
    ];
    let (list, end) = three(line, at)?;
    let before = line.before(at);
    let is_part_of_longer_list = before == "," || (line.normal(end) == "," && number(line, end + 1).is_some());
    let announced = POINTERS.contains(&before) || before == ":" || before == "=";
    let enumerates = (before.ends_with('s') && !announced) || list[..2].iter().any(|c| c.unit.is_some() && !announced);
    if is_part_of_longer_list || enumerates || !digits(line, at) || line.continues_word(end) {
        return None;
    }
    reading(&list, None, end)
}

fn digits(line: &Line<'_>, at: usize) -> bool {
    number(line, at).is_some_and(|first| first.form == Form::Digits)
}

/// Three coordinates with commas or semicolons between them.
fn three(line: &Line<'_>, at: usize) -> Option<([Coordinate; 3], usize)> {
    let separated = |at: usize| matches!(line.normal(at), "," | ";").then_some(at + 1);
    let first = coordinate(line, at)?;
    let second = coordinate(line, separated(first.end)?)?;
    let third = coordinate(line, separated(second.end)?)?;
    Some(([first, second, third], third.end))
}

fn coordinate(line: &Line<'_>, at: usize) -> Option<Coordinate> {
    let number = number(line, at)?;
    let unit = measure(line, number.end).filter(|_| line.normal(number.end) != "in" || line.glued(number.end));
    if unit.is_some_and(|unit| unit.dimension != Dimension::Length) || line.is(number.end, WordKind::Digits) {
        return None;
    }
    Some(Coordinate {
        value: number.value,
        unit,
        end: unit.map_or(number.end, |unit| unit.end),
    })
}

/// "x=1 y=0.5 z=1", "x: 1, y: 2, z: 3", "z 1 and x 0 and y 2 cm": each axis once, in any order.
fn by_axes(line: &Line<'_>, at: usize) -> Option<Reading> {
    let mut found: [Option<Coordinate>; 3] = [None; 3];
    let mut next = at;
    for turn in 0..3 {
        if turn > 0 && matches!(line.normal(next), "," | "and" | ";") {
            next += 1;
        }
        let axis = ["x", "y", "z"].iter().position(|axis| *axis == line.normal(next))?;
        let sign = usize::from(matches!(line.normal(next + 1), "=" | ":" | "is"));
        let coordinate = coordinate(line, next + 1 + sign)?;
        if found[axis].replace(coordinate).is_some() {
            return None;
        }
        next = coordinate.end;
    }
    let [Some(x), Some(y), Some(z)] = found else {
        return None;
    };
    reading(&[x, y, z], None, next)
}

/// The point in metres; `shared` or else the unit said last is that of coordinates without one.
fn reading(list: &[Coordinate; 3], shared: Option<Measure>, end: usize) -> Option<Reading> {
    let said_last = list
        .iter()
        .max_by_key(|coordinate| coordinate.end)
        .and_then(|coordinate| coordinate.unit);
    let mut micro = [0; 3];
    for (place, coordinate) in micro.iter_mut().zip(list) {
        let scale = coordinate
            .unit
            .or(shared)
            .or(said_last)
            .map_or(Exact::ONE, |unit| unit.scale);
        *place = coordinate.value.times(scale)?.micro()?;
    }
    Some(Reading {
        end,
        meanings: vec![Meaning::Point { micro }],
    })
}
