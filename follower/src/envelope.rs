//! The safety envelope: one source for the host's gate and the device's own check, so that neither can be looser than the other.
//!
//! Geometry is exact: a path is the *segment* between two points, compared with zones in 128-bit integers, without a square root and
//! without rounding. Coordinates beyond [`COORDINATE_MAX`] are refused first, which keeps every product inside 128 bits. This file
//! must not know tools, manifests or messages.

use crate::value::{Point, distance};
use heapless::Vec;
use serde::{Deserialize, Serialize};

/// Zones that an envelope may keep out of.
pub const ZONES_MAX: usize = 16;
/// The largest coordinate, in micrometres (500 m): with it, `|ap|^2 * |ab|^2` stays below 2^127.
pub const COORDINATE_MAX: i64 = 500_000_000;

/// A stretch of space, in micrometres.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are named for what they hold")]
pub enum Shape {
    /// Everything closer to `center` than `radius`.
    Sphere { center: Point, radius: i64 },
    /// Everything between two corners, `min <= max` on every axis.
    Box { min: Point, max: Point },
    /// Everything closer than `radius` to the vertical line that rises from `base` by `height`.
    Cylinder { base: Point, radius: i64, height: i64 },
}

/// What a device may do.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Envelope {
    /// Lowest and highest coordinate of each axis.
    pub bounds: Option<[(i64, i64); 3]>,
    /// Space that no path may touch.
    pub keep_out: Vec<Shape, ZONES_MAX>,
    /// Longest single motion, in micrometres.
    pub step_max: Option<i64>,
    /// Largest commanded speed, in micrometres a second.
    pub speed_max: Option<i64>,
    /// Oldest report that a motion may be based on, in milliseconds.
    pub state_age_ms_max: u32,
}

/// A command as geometry sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Motion {
    /// Where the device is, if it reports that.
    pub from: Option<Point>,
    /// Where the command takes it; `None` where it moves nothing.
    pub to: Option<Point>,
    /// The largest speed among the arguments.
    pub speed: Option<i64>,
    /// Age of the last report, in milliseconds.
    pub state_age_ms: u32,
}

/// Why a motion is not allowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are named for what they hold")]
pub enum Breach {
    /// A coordinate is beyond [`COORDINATE_MAX`].
    Coordinate,
    /// The end lies outside the bounds of this axis.
    Bounds { axis: u8 },
    /// The path touches this zone.
    KeepOut { zone: u8 },
    /// The motion is longer than a step may be.
    StepTooLong,
    /// The commanded speed is too large.
    TooFast,
    /// The last report is too old to move on.
    StateTooOld,
    /// The device has not said where it is.
    PositionUnknown,
}

impl Envelope {
    /// Checks one command. One that moves nothing and names no speed needs no fresh state: a lamp reports when it changes, and not before.
    ///
    /// # Errors
    /// The first [`Breach`].
    pub fn check(&self, motion: &Motion) -> Result<(), Breach> {
        let moves = motion.to.is_some() || motion.speed.is_some();
        if moves && motion.state_age_ms > self.state_age_ms_max {
            return Err(Breach::StateTooOld);
        }
        if let (Some(speed), Some(limit)) = (motion.speed, self.speed_max)
            && speed.unsigned_abs() > limit.unsigned_abs()
        {
            return Err(Breach::TooFast);
        }
        let Some(to) = motion.to else { return Ok(()) };
        let from = motion.from.ok_or(Breach::PositionUnknown)?;
        self.check_path(from, to)?;
        match self.step_max {
            Some(limit) if distance(from, to).is_none_or(|length| length > limit + STEP_SLACK) => {
                Err(Breach::StepTooLong)
            }
            _ => Ok(()),
        }
    }

    /// Checks the segment from `from` to `to` against coordinates, bounds and zones. The start may lie outside the bounds (a device that
    /// was pushed out may come back); it may not lie in a zone.
    ///
    /// # Errors
    /// The first [`Breach`].
    pub fn check_path(&self, from: Point, to: Point) -> Result<(), Breach> {
        if from
            .iter()
            .chain(&to)
            .any(|axis| axis.unsigned_abs() > COORDINATE_MAX.unsigned_abs())
        {
            return Err(Breach::Coordinate);
        }
        if let Some(bounds) = &self.bounds {
            for (axis, (low, high)) in (0_u8..).zip(bounds) {
                if to[usize::from(axis)] < *low || to[usize::from(axis)] > *high {
                    return Err(Breach::Bounds { axis });
                }
            }
        }
        match (0_u8..).zip(&self.keep_out).find(|(_, zone)| zone.is_touched(from, to)) {
            Some((zone, _)) => Err(Breach::KeepOut { zone }),
            None => Ok(()),
        }
    }
}

/// Rounding of a leg's length: legs are cut in whole micrometres and start where the device really is.
const STEP_SLACK: i64 = 10_000;

impl Shape {
    /// Whether any point of the segment lies inside or on the zone.
    #[must_use]
    pub fn is_touched(&self, from: Point, to: Point) -> bool {
        match *self {
            Shape::Sphere { center, radius } => sphere_is_touched(center, radius, from, to),
            Shape::Box { min, max } => clip(from, to, &[0, 1, 2], min, max).is_some(),
            Shape::Cylinder { base, radius, height } => cylinder_is_touched(base, radius, height, from, to),
        }
    }
}

fn sphere_is_touched(center: Point, radius: i64, from: Point, to: Point) -> bool {
    let a: [i128; 3] = core::array::from_fn(|axis| i128::from(center[axis]) - i128::from(from[axis]));
    let d: [i128; 3] = core::array::from_fn(|axis| i128::from(to[axis]) - i128::from(from[axis]));
    let (along, length) = (dot(&a, &d), dot(&d, &d));
    let limit = i128::from(radius) * i128::from(radius);
    if along <= 0 {
        return dot(&a, &a) <= limit;
    }
    if along >= length {
        let b: [i128; 3] = core::array::from_fn(|axis| a[axis] - d[axis]);
        return dot(&b, &b) <= limit;
    }
    // |a x d|^2 = |a|^2 |d|^2 - (a . d)^2, the squared distance to the line times |d|^2.
    dot(&a, &a) * length - along * along <= limit * length
}

fn dot<const N: usize>(a: &[i128; N], b: &[i128; N]) -> i128 {
    (0..N).map(|axis| a[axis] * b[axis]).sum()
}

/// A parameter along the segment, `0 <= num/den <= 1`, `den > 0`.
#[derive(Clone, Copy)]
struct At {
    num: i128,
    den: i128,
}

impl At {
    fn is_after(self, other: At) -> bool {
        self.num * other.den > other.num * self.den
    }
}

/// The stretch of the segment that lies between `min` and `max` on the given axes (Liang and Barsky 1984, in fractions).
fn clip(from: Point, to: Point, axes: &[usize], min: Point, max: Point) -> Option<(At, At)> {
    let (mut enter, mut leave) = (At { num: 0, den: 1 }, At { num: 1, den: 1 });
    for &axis in axes {
        let start = i128::from(from[axis]);
        let run = i128::from(to[axis]) - start;
        let (low, high) = (i128::from(min[axis]) - start, i128::from(max[axis]) - start);
        if run == 0 {
            if low > 0 || high < 0 {
                return None;
            }
            continue;
        }
        let (near, far) = if run > 0 { (low, high) } else { (-high, -low) };
        let (near, far) = (
            At {
                num: near,
                den: run.abs(),
            },
            At {
                num: far,
                den: run.abs(),
            },
        );
        if near.is_after(enter) {
            enter = near;
        }
        if leave.is_after(far) {
            leave = far;
        }
    }
    if enter.is_after(leave) {
        None
    } else {
        Some((enter, leave))
    }
}

fn cylinder_is_touched(base: Point, radius: i64, height: i64, from: Point, to: Point) -> bool {
    let top = [base[0], base[1], base[2].saturating_add(height)];
    let Some((enter, leave)) = clip(from, to, &[2], base, top) else {
        return false;
    };
    let a: [i128; 2] = core::array::from_fn(|axis| i128::from(from[axis]) - i128::from(base[axis]));
    let d: [i128; 2] = core::array::from_fn(|axis| i128::from(to[axis]) - i128::from(from[axis]));
    let limit = i128::from(radius) * i128::from(radius);
    let inside = |at: At| {
        let point: [i128; 2] = core::array::from_fn(|axis| a[axis] * at.den + d[axis] * at.num);
        dot(&point, &point) <= limit * at.den * at.den
    };
    if inside(enter) || inside(leave) {
        return true;
    }
    // The closest approach to the axis, if it falls between the two ends.
    let (along, length) = (-dot(&a, &d), dot(&d, &d));
    if length == 0 || along <= 0 {
        return false;
    }
    let nearest = At {
        num: along,
        den: length,
    };
    let between = nearest.is_after(enter) && leave.is_after(nearest);
    let cross = a[0] * d[1] - a[1] * d[0];
    between && cross * cross <= limit * length
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const M: i64 = 1_000_000;

    fn envelope(zone: Shape) -> Envelope {
        let mut envelope = Envelope {
            bounds: Some([(-2 * M, 2 * M), (-2 * M, 2 * M), (0, 3 * M)]),
            state_age_ms_max: 1_000,
            ..Envelope::default()
        };
        envelope.keep_out.push(zone).expect("room for one zone");
        envelope
    }

    fn check(shape: Shape, from: Point, to: Point, expected: Result<(), Breach>) {
        assert_eq!(
            envelope(shape).check_path(from, to),
            expected,
            "{shape:?} from {from:?} to {to:?}"
        );
    }

    #[test]
    fn a_path_through_a_zone_is_seen_though_both_ends_are_free() {
        let sphere = Shape::Sphere {
            center: [0, 0, M],
            radius: M / 2,
        };
        check(sphere, [-M, 0, M], [M, 0, M], Err(Breach::KeepOut { zone: 0 }));
        check(sphere, [-M, M / 2, M], [M, M / 2, M], Err(Breach::KeepOut { zone: 0 }));
        check(sphere, [-M, M / 2 + 1, M], [M, M / 2 + 1, M], Ok(()));
        let cuboid = Shape::Box {
            min: [-M / 4, -M / 4, 0],
            max: [M / 4, M / 4, M],
        };
        check(cuboid, [-M, -M, M / 2], [M, M, M / 2], Err(Breach::KeepOut { zone: 0 }));
        check(cuboid, [-M, -M, M + 1], [M, M, M + 1], Ok(()));
        let cylinder = Shape::Cylinder {
            base: [0, 0, 0],
            radius: M / 4,
            height: M,
        };
        check(cylinder, [-M, 0, 2 * M], [M, 0, 0], Err(Breach::KeepOut { zone: 0 }));
        check(cylinder, [-M, 0, 2 * M], [M, 0, M + 1], Ok(()));
        check(cylinder, [M / 8, 0, 2 * M], [M / 8, 0, M + 1], Ok(()));
        check(
            cylinder,
            [M / 8, 0, 2 * M],
            [M / 8, 0, M / 2],
            Err(Breach::KeepOut { zone: 0 }),
        );
    }

    #[test]
    fn ends_outside_the_bounds_are_refused_by_axis() {
        let far = Shape::Sphere {
            center: [0, 0, 100 * M],
            radius: 1,
        };
        check(far, [0, 0, M], [5 * M, 0, M], Err(Breach::Bounds { axis: 0 }));
        check(far, [0, 0, M], [0, 0, -M / 2], Err(Breach::Bounds { axis: 2 }));
        check(far, [0, 0, M], [i64::MIN, 0, M], Err(Breach::Coordinate));
        check(far, [0, 0, -M], [0, 0, M], Ok(()));
    }

    #[test]
    fn speed_step_and_age_are_limits_of_their_own() {
        let envelope = Envelope {
            step_max: Some(M / 2),
            speed_max: Some(M),
            state_age_ms_max: 100,
            ..Envelope::default()
        };
        let still = Motion::default();
        assert_eq!(envelope.check(&still), Ok(()));
        assert_eq!(
            envelope.check(&Motion {
                state_age_ms: 101,
                ..still
            }),
            Ok(())
        );
        assert_eq!(
            envelope.check(&Motion {
                state_age_ms: 101,
                speed: Some(1),
                ..still
            }),
            Err(Breach::StateTooOld)
        );
        assert_eq!(
            envelope.check(&Motion {
                state_age_ms: 101,
                from: Some([0; 3]),
                to: Some([0; 3]),
                ..still
            }),
            Err(Breach::StateTooOld)
        );
        assert_eq!(
            envelope.check(&Motion {
                speed: Some(-M - 1),
                ..still
            }),
            Err(Breach::TooFast)
        );
        let motion = Motion {
            from: Some([0; 3]),
            to: Some([0, M, 0]),
            ..still
        };
        assert_eq!(envelope.check(&motion), Err(Breach::StepTooLong));
        assert_eq!(
            envelope.check(&Motion { from: None, ..motion }),
            Err(Breach::PositionUnknown)
        );
    }

    fn coordinate() -> impl Strategy<Value = i64> {
        prop_oneof![-3 * M..3 * M, -COORDINATE_MAX..=COORDINATE_MAX]
    }

    fn point() -> impl Strategy<Value = Point> {
        [coordinate(), coordinate(), coordinate()]
    }

    fn shape() -> impl Strategy<Value = Shape> {
        prop_oneof![
            (point(), 1..COORDINATE_MAX).prop_map(|(center, radius)| Shape::Sphere { center, radius }),
            (point(), point()).prop_map(|(a, b)| Shape::Box {
                min: core::array::from_fn(|axis| a[axis].min(b[axis])),
                max: core::array::from_fn(|axis| a[axis].max(b[axis])),
            }),
            (point(), 1..COORDINATE_MAX, 1..COORDINATE_MAX).prop_map(|(base, radius, height)| Shape::Cylinder {
                base,
                radius,
                height
            }),
        ]
    }

    /// Whether one point lies inside, written without the segment's algebra.
    fn contains(shape: Shape, p: Point) -> bool {
        let gap = |axis: usize, from: Point| i128::from(p[axis]) - i128::from(from[axis]);
        match shape {
            Shape::Sphere { center, radius } => {
                (0..3).map(|axis| gap(axis, center).pow(2)).sum::<i128>() <= i128::from(radius).pow(2)
            }
            Shape::Box { min, max } => (0..3).all(|axis| p[axis] >= min[axis] && p[axis] <= max[axis]),
            Shape::Cylinder { base, radius, height } => {
                (0..2).map(|axis| gap(axis, base).pow(2)).sum::<i128>() <= i128::from(radius).pow(2)
                    && p[2] >= base[2]
                    && p[2] <= base[2] + height
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// No sampled point of an allowed path lies in the zone.
        #[test]
        fn an_untouched_zone_contains_no_point_of_the_path(shape in shape(), from in point(), to in point()) {
            if !shape.is_touched(from, to) {
                for part in 0..=64_i64 {
                    let on = core::array::from_fn(|axis| from[axis] + (to[axis] - from[axis]) * part / 64);
                    // Rounding to whole micrometres may leave the segment; only the exact ends count strictly.
                    if part == 0 || part == 64 || (0..3).all(|axis| (to[axis] - from[axis]) * part % 64 == 0) {
                        prop_assert!(!contains(shape, on), "{on:?}");
                    }
                }
            }
        }

        /// A zone is touched from either direction alike.
        #[test]
        fn touching_is_symmetric(shape in shape(), from in point(), to in point()) {
            prop_assert_eq!(shape.is_touched(from, to), shape.is_touched(to, from));
        }
    }
}
