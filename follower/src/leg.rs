//! How a long motion is cut into legs. A leg is a proportion of the whole, so that rounding never adds up. This file must not know when a
//! leg is sent or whether it is allowed.

use crate::envelope::{Route, VIA_MAX};
use crate::error::Reject;
use crate::program::{ARGUMENTS_MAX, Split, Step};
use crate::value::{Point, Symbol, Value, distance, proportion};
use heapless::Vec;

/// How close a device must come to the end of a leg that is not the last, in micrometres.
pub const LEG_TOLERANCE: i64 = 20_000;
/// Legs that one step may be cut into.
pub const LEGS_MAX: i64 = 256;

/// Arguments with their parameters' names.
pub type Arguments = Vec<(Symbol, Value), ARGUMENTS_MAX>;

/// Points of a way: its start, what it leads over, its end.
const POINTS_MAX: usize = VIA_MAX + 2;

/// A step's motion, cut into legs; a step that moves nothing is one leg without a path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Legs {
    pub next: i64,
    pub count: i64,
    /// Whether the device was interrupted in the next leg, and stands anywhere on it.
    pub interrupted: bool,
    /// The straight stretches of the way, one after the other: where each ends, and how many legs it is cut into.
    stretches: [(Point, i64); POINTS_MAX],
    /// Points of the way, its start among them; none where nothing moves.
    points: usize,
}

impl Legs {
    /// One leg, which goes nowhere.
    pub const ONE: Legs = Legs {
        next: 0,
        count: 1,
        interrupted: false,
        stretches: [([0; 3], 0); POINTS_MAX],
        points: 0,
    };

    /// Cuts the way from `start` to `end`, or `None` where it is too long to measure.
    pub fn cut(step: &Step, start: Point, end: Point) -> Option<Legs> {
        Legs::cut_over(step, start, Route::default(), end)
    }

    /// Cuts the way from `start` over the points of a route to `end`, or `None` where it is too long to measure.
    pub fn cut_over(step: &Step, start: Point, route: Route, end: Point) -> Option<Legs> {
        let mut legs = Legs { count: 0, ..Legs::ONE };
        let mut from = start;
        for point in core::iter::once(&start).chain(route.points()).chain([&end]) {
            let length = distance(from, *point)?;
            let count = match legs.points {
                0 => 0,
                _ if step.split != Split::Never && step.leg_max > 0 => {
                    (length.saturating_add(step.leg_max - 1) / step.leg_max).clamp(1, LEGS_MAX)
                }
                _ => 1,
            };
            *legs.stretches.get_mut(legs.points)? = (*point, count);
            legs.points += 1;
            legs.count += count;
            from = *point;
        }
        Some(legs)
    }

    pub fn is_last(&self) -> bool {
        self.next + 1 >= self.count
    }

    /// Whether the way leads over more than its two ends.
    pub fn is_detour(&self) -> bool {
        self.points > 2
    }

    /// Where the whole way ends; `None` where nothing moves.
    pub fn end(&self) -> Option<Point> {
        self.point_at(self.count)
    }

    /// Where the next leg begins; `None` where nothing moves, or nobody knows because it was interrupted.
    pub fn start(&self) -> Option<Point> {
        self.point_at(self.next).filter(|_| !self.interrupted)
    }

    /// Where the next leg ends; `None` where nothing moves.
    pub fn target(&self) -> Option<Point> {
        self.point_at(self.next + 1)
    }

    /// The point after so many legs.
    fn point_at(&self, legs: i64) -> Option<Point> {
        let ways = self.stretches.get(..self.points)?;
        let mut from = ways.first()?.0;
        let mut left = legs;
        for (to, count) in ways {
            if left <= *count {
                return Some(core::array::from_fn(|axis| {
                    let way = to[axis].saturating_sub(from[axis]);
                    from[axis].saturating_add(part(way, left, *count))
                }));
            }
            left -= count;
            from = *to;
        }
        Some(from)
    }

    /// Whether a device at this place has come to the end of the next leg.
    pub fn is_reached(&self, at: Option<Point>) -> bool {
        let gap = at.zip(self.target()).and_then(|(at, target)| distance(at, target));
        gap.is_some_and(|gap| gap <= LEG_TOLERANCE)
    }

    /// The arguments of the next leg, from those of the whole.
    pub fn arguments(&self, split: Split, whole: &Arguments) -> Result<Arguments, Reject> {
        let mut arguments = whole.clone();
        let (Some(target), true) = (self.target(), self.count > 1) else {
            return Ok(arguments);
        };
        let (Split::Toward(index) | Split::Along(index)) = split else {
            return Ok(arguments);
        };
        let (_, value) = arguments.get_mut(usize::from(index)).ok_or(Reject::OutOfRange)?;
        *value = match (split, *value) {
            (Split::Along(_), Value::Number(whole)) => {
                Value::Number(part(whole, self.next + 1, self.count) - part(whole, self.next, self.count))
            }
            (Split::Toward(_), _) => Value::Point(target),
            _ => return Err(Reject::Type),
        };
        Ok(arguments)
    }
}

/// The share of a whole that the first `legs` of `count` have; of nothing, all.
fn part(whole: i64, legs: i64, count: i64) -> i64 {
    // legs <= count, so the quotient is never larger than `whole`.
    proportion(whole, legs, count).unwrap_or(whole)
}
