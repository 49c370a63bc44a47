//! Zones and the exact test whether a straight path touches one. A path is the *segment* between two points, compared with a zone in
//! 128-bit integers, without a square root and without rounding. This file must not know limits or commands.

use super::COORDINATE_MAX;
use crate::value::Point;
use serde::{Deserialize, Serialize};

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
    /// Everything at this height and below.
    Floor { z: i64 },
}

impl Shape {
    /// Whether any point of the segment lies inside or on the zone, once that is grown by `by` micrometres. Boxes grow corner by corner and
    /// cylinders by radius and at both ends, so that every point closer than `by` is inside, and a few that are further at the edges. A zone
    /// that reaches beyond [`COORDINATE_MAX`] can't be measured and counts as touched. The segment must lie within it.
    #[must_use]
    pub fn is_touched(&self, from: Point, to: Point, by: i64) -> bool {
        match self.grown(by) {
            Some(Shape::Sphere { center, radius }) => sphere_is_touched(center, radius, from, to),
            Some(Shape::Box { min, max }) => clip(&core::array::from_fn::<_, 3, _>(|axis| Axis {
                from: from[axis],
                to: to[axis],
                min: min[axis],
                max: max[axis],
            }))
            .is_some(),
            Some(Shape::Cylinder { base, radius, height }) => cylinder_is_touched(base, radius, height, from, to),
            Some(Shape::Floor { z }) => from[2].min(to[2]) <= z,
            None => true,
        }
    }

    /// The smallest box around the zone, or `None` for one that has no end.
    pub(super) fn extent(&self) -> Option<(Point, Point)> {
        match *self {
            Shape::Sphere { center, radius } => {
                Some((center.map(|axis| axis - radius), center.map(|axis| axis + radius)))
            }
            Shape::Box { min, max } => Some((min, max)),
            Shape::Cylinder { base, radius, height } => Some((
                [base[0] - radius, base[1] - radius, base[2]],
                [base[0] + radius, base[1] + radius, base[2] + height],
            )),
            Shape::Floor { .. } => None,
        }
    }

    /// The zone with `by` around it, or `None` where it can't be measured.
    pub(super) fn grown(&self, by: i64) -> Option<Shape> {
        if !(0..=COORDINATE_MAX).contains(&by) || !self.is_measurable() {
            return None;
        }
        Some(match *self {
            Shape::Sphere { center, radius } => Shape::Sphere {
                center,
                radius: radius + by,
            },
            Shape::Box { min, max } => Shape::Box {
                min: min.map(|axis| axis - by),
                max: max.map(|axis| axis + by),
            },
            Shape::Cylinder { base, radius, height } => Shape::Cylinder {
                base: [base[0], base[1], base[2] - by],
                radius: radius + by,
                height: height + 2 * by,
            },
            Shape::Floor { z } => Shape::Floor { z: z + by },
        })
    }

    fn is_measurable(&self) -> bool {
        let length = |length: i64| (0..=COORDINATE_MAX).contains(&length);
        match *self {
            Shape::Sphere { center, radius } => is_near(center) && length(radius),
            Shape::Box { min, max } => is_near(min) && is_near(max) && (0..3).all(|axis| min[axis] <= max[axis]),
            Shape::Cylinder { base, radius, height } => is_near(base) && length(radius) && length(height),
            Shape::Floor { z } => is_near([z; 3]),
        }
    }
}

/// Whether geometry covers this point.
pub(super) fn is_near(point: Point) -> bool {
    point
        .iter()
        .all(|axis| axis.unsigned_abs() <= COORDINATE_MAX.unsigned_abs())
}

fn sphere_is_touched(center: Point, radius: i64, from: Point, to: Point) -> bool {
    let a: [i128; 3] = core::array::from_fn(|axis| i128::from(center[axis]) - i128::from(from[axis]));
    let d: [i128; 3] = core::array::from_fn(|axis| i128::from(to[axis]) - i128::from(from[axis]));
    let (along, length) = (dot(&a, &d), dot(&d, &d));
    let limit = times(i128::from(radius), i128::from(radius));
    if along <= 0 {
        return dot(&a, &a) <= limit;
    }
    if along >= length {
        let b: [i128; 3] = core::array::from_fn(|axis| a[axis] - d[axis]);
        return dot(&b, &b) <= limit;
    }
    // |a x d|^2 = |a|^2 |d|^2 - (a . d)^2, the squared distance to the line times |d|^2.
    times(dot(&a, &a), length) - times(along, along) <= times(limit, length)
}

fn dot(a: &[i128], b: &[i128]) -> i128 {
    a.iter().zip(b).map(|(a, b)| times(*a, *b)).sum()
}

/// `a * b`, which a small machine makes of many multiplications: it is there once. No product of coordinates leaves the type.
#[cfg_attr(target_pointer_width = "32", inline(never))]
const fn times(a: i128, b: i128) -> i128 {
    a * b
}

/// A parameter along the segment, `0 <= num/den <= 1`, `den > 0`.
#[derive(Clone, Copy)]
struct At {
    num: i128,
    den: i128,
}

impl At {
    fn is_after(self, other: At) -> bool {
        times(self.num, other.den) > times(other.num, self.den)
    }
}

/// A segment and a zone, seen along one axis.
struct Axis {
    from: i64,
    to: i64,
    min: i64,
    max: i64,
}

/// The stretch of the segment that lies between `min` and `max` on all of these axes (Liang and Barsky 1984, in fractions).
fn clip(axes: &[Axis]) -> Option<(At, At)> {
    let (mut enter, mut leave) = (At { num: 0, den: 1 }, At { num: 1, den: 1 });
    for axis in axes {
        let start = i128::from(axis.from);
        let run = i128::from(axis.to) - start;
        let (low, high) = (i128::from(axis.min) - start, i128::from(axis.max) - start);
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
    let upright = Axis {
        from: from[2],
        to: to[2],
        min: base[2],
        max: base[2] + height,
    };
    let Some((enter, leave)) = clip(&[upright]) else {
        return false;
    };
    let a: [i128; 2] = core::array::from_fn(|axis| i128::from(from[axis]) - i128::from(base[axis]));
    let d: [i128; 2] = core::array::from_fn(|axis| i128::from(to[axis]) - i128::from(from[axis]));
    let limit = times(i128::from(radius), i128::from(radius));
    let inside = |at: At| {
        let point: [i128; 2] = core::array::from_fn(|axis| times(a[axis], at.den) + times(d[axis], at.num));
        dot(&point, &point) <= times(times(limit, at.den), at.den)
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
    let cross = times(a[0], d[1]) - times(a[1], d[0]);
    between && times(cross, cross) <= times(limit, length)
}
