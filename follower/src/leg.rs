//! How a long motion is cut into legs. A leg is a proportion of the whole, so that rounding never adds up. This file must not know when a
//! leg is sent or whether it is allowed.

use crate::error::Reject;
use crate::program::{ARGUMENTS_MAX, Split, Step};
use crate::value::{Point, Symbol, Value, distance};
use heapless::Vec;

/// How close a device must come to the end of a leg that is not the last, in micrometres.
pub const LEG_TOLERANCE: i64 = 20_000;
/// Legs that one step may be cut into.
pub const LEGS_MAX: i64 = 256;

/// Arguments with their parameters' names.
pub type Arguments = Vec<(Symbol, Value), ARGUMENTS_MAX>;

/// A step's motion, cut into legs; a step that moves nothing is one leg without a path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Legs {
    pub next: i64,
    pub count: i64,
    path: Option<(Point, Point)>,
}

impl Legs {
    /// One leg, which goes nowhere.
    pub const ONE: Legs = Legs {
        next: 0,
        count: 1,
        path: None,
    };

    /// Cuts the way from `start` to `end`, or `None` where it is too long to measure.
    pub fn cut(step: &Step, start: Point, end: Point) -> Option<Legs> {
        let length = distance(start, end)?;
        let count = if step.split != Split::Never && step.leg_max > 0 {
            length.saturating_add(step.leg_max - 1) / step.leg_max
        } else {
            1
        };
        Some(Legs {
            next: 0,
            count: count.clamp(1, LEGS_MAX),
            path: Some((start, end)),
        })
    }

    pub fn is_last(&self) -> bool {
        self.next + 1 >= self.count
    }

    /// Where the next leg ends; `None` where nothing moves.
    pub fn target(&self) -> Option<Point> {
        let (start, end) = self.path?;
        Some(core::array::from_fn(|axis| {
            let way = end[axis].saturating_sub(start[axis]);
            start[axis].saturating_add(self.part(way, self.next + 1))
        }))
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
                Value::Number(self.part(whole, self.next + 1) - self.part(whole, self.next))
            }
            (Split::Toward(_), _) => Value::Point(target),
            _ => return Err(Reject::Type),
        };
        Ok(arguments)
    }

    fn part(&self, whole: i64, legs: i64) -> i64 {
        // legs <= count, so the quotient is never larger than `whole`.
        i64::try_from(i128::from(whole) * i128::from(legs) / i128::from(self.count)).unwrap_or(whole)
    }
}
