//! The envelope once more: slow, in rationals of any size, and by other ways than the code's. What is closest is not computed; instead every
//! point of a path where it can begin or cease to be inside a zone is tried. Limits are read as a list of reasons, not as a sequence.

use llmos_follower::envelope::{COORDINATE_MAX, START_TOLERANCE};
use llmos_follower::{Breach, Envelope, Motion, Point, Shape};
use num_bigint::BigInt;
use num_rational::BigRational;

type Q = BigRational;

fn q(value: i64) -> Q {
    Q::from(BigInt::from(value))
}

fn square(value: &Q) -> Q {
    value * value
}

/// A point anywhere.
type Place = [Q; 3];

fn place(point: Point) -> Place {
    point.map(q)
}

/// The point at `t` of the segment.
fn on(from: &Place, to: &Place, t: &Q) -> Place {
    std::array::from_fn(|axis| &from[axis] + (&to[axis] - &from[axis]) * t)
}

/// Whether a point lies inside or on the zone, grown by `by`.
fn contains(shape: Shape, by: &Q, p: &Place) -> bool {
    let gap = |axis: usize, from: Point| &p[axis] - q(from[axis]);
    let between = |axis: usize, low: i64, high: i64| p[axis] >= q(low) - by && p[axis] <= q(high) + by;
    match shape {
        Shape::Sphere { center, radius } => {
            let sum = (0..3).map(|axis| square(&gap(axis, center))).sum::<Q>();
            sum <= square(&(q(radius) + by))
        }
        Shape::Box { min, max } => (0..3).all(|axis| between(axis, min[axis], max[axis])),
        Shape::Cylinder { base, radius, height } => {
            let sum = square(&gap(0, base)) + square(&gap(1, base));
            sum <= square(&(q(radius) + by)) && between(2, base[2], base[2] + height)
        }
        Shape::Floor { z } => p[2] <= q(z) + by,
    }
}

/// Every `t` at which a segment can enter, leave or come closest to the zone.
fn turning_points(shape: Shape, by: &Q, from: &Place, to: &Place) -> Vec<Q> {
    let mut list = vec![q(0), q(1)];
    let mut crosses = |axis: usize, at: Q| {
        let run = &to[axis] - &from[axis];
        if run != q(0) {
            list.push((at - &from[axis]) / run);
        }
    };
    let closest = |axes: usize, center: Point| {
        let run = |axis: usize| &to[axis] - &from[axis];
        let length: Q = (0..axes).map(|axis| square(&run(axis))).sum();
        let along: Q = (0..axes).map(|axis| run(axis) * (q(center[axis]) - &from[axis])).sum();
        (length != q(0)).then(|| along / length)
    };
    match shape {
        Shape::Sphere { center, .. } => list.extend(closest(3, center)),
        Shape::Box { min, max } => {
            for axis in 0..3 {
                crosses(axis, q(min[axis]) - by);
                crosses(axis, q(max[axis]) + by);
            }
        }
        Shape::Cylinder { base, height, .. } => {
            crosses(2, q(base[2]) - by);
            crosses(2, q(base[2] + height) + by);
            list.extend(closest(2, base));
        }
        Shape::Floor { .. } => {}
    }
    list.retain(|t| *t >= q(0) && *t <= q(1));
    list
}

fn can_be_measured(shape: Shape, by: i64) -> bool {
    let near = |axis: &i64| (-COORDINATE_MAX..=COORDINATE_MAX).contains(axis);
    let length = |length: i64| (0..=COORDINATE_MAX).contains(&length);
    length(by)
        && match shape {
            Shape::Sphere { center, radius } => center.iter().all(near) && length(radius),
            Shape::Box { min, max } => {
                min.iter().chain(&max).all(near) && min.iter().zip(&max).all(|(low, high)| low <= high)
            }
            Shape::Cylinder { base, radius, height } => base.iter().all(near) && length(radius) && length(height),
            Shape::Floor { z } => near(&z),
        }
}

/// Whether any point of the segment lies inside or on the zone grown by `by`.
pub fn touches(shape: Shape, by: i64, from: Point, to: Point) -> bool {
    !can_be_measured(shape, by) || touches_at(shape, by, &place(from), &place(to))
}

fn touches_at(shape: Shape, by: i64, from: &Place, to: &Place) -> bool {
    let by = q(by);
    let mut ts = turning_points(shape, &by, from, to).into_iter();
    ts.any(|t| contains(shape, &by, &on(from, to, &t)))
}

/// The square root rounded up.
fn root_up(square: &Q) -> BigInt {
    let whole = square.ceil().to_integer();
    let root = whole.sqrt();
    if &root * &root < whole { root + 1 } else { root }
}

fn distance_squared(a: Point, b: Point) -> Q {
    (0..3).map(|axis| square(&(q(a[axis]) - q(b[axis])))).sum()
}

fn whole(value: &BigInt) -> Option<i64> {
    i64::try_from(value.clone()).ok()
}

/// Everything that is wrong with a path.
pub fn path(envelope: &Envelope, from: Point, to: Point, by: i64) -> Vec<Breach> {
    let near = |point: Point| {
        point
            .iter()
            .all(|axis| (-COORDINATE_MAX..=COORDINATE_MAX).contains(axis))
    };
    if !near(from) || !near(to) {
        return vec![Breach::Coordinate];
    }
    let by = envelope.margin.max(0).saturating_add(by);
    let mut found = outside(envelope, by, &place(to), to);
    for (zone, shape) in (0_u8..).zip(&envelope.keep_out) {
        if touches(*shape, by, from, to) {
            found.push(Breach::KeepOut { zone });
        }
    }
    found
}

fn outside(envelope: &Envelope, by: i64, to: &Place, at: Point) -> Vec<Breach> {
    let mut found = Vec::new();
    for (axis, (low, high)) in (0_u8..).zip(envelope.bounds.iter().flatten()) {
        let axis_at = &to[usize::from(axis)];
        if *axis_at < q(*low) + q(by) || *axis_at > q(*high) - q(by) {
            found.push(Breach::Bounds {
                axis,
                at: at[usize::from(axis)],
            });
        }
    }
    found
}

/// `v^2 / 2a` in micrometres, exactly.
fn stop(envelope: &Envelope, speed: i64) -> Option<Q> {
    let brake = envelope.acceleration_max.filter(|limit| *limit > 0)?;
    Some(square(&q(speed)) / (q(2) * q(brake)))
}

/// Whether the way that a device goes on from `end`, in the direction of `run`, by `way`, is free. The square root is taken too large by less
/// than a millionth of a micrometre, so what is tried is never longer than the truth.
fn goes_on_freely(envelope: &Envelope, from: Point, end: Point, run: &Place, way: &Q) -> bool {
    let length: Q = run.iter().map(square).sum();
    if length == q(0) {
        return true;
    }
    let length = root_fine(&length);
    let stand: Place = std::array::from_fn(|axis| q(end[axis]) + &run[axis] * way / &length);
    let by = envelope.margin.max(0);
    let inside = stand
        .iter()
        .all(|axis| *axis >= q(-COORDINATE_MAX) && *axis <= q(COORDINATE_MAX));
    let free = |shape: &Shape| can_be_measured(*shape, by) && !touches_at(*shape, by, &place(from), &stand);
    // What was pushed out of the bounds may come back as far as it gets, and not go further out.
    let back = (0..3)
        .zip(envelope.bounds.iter().flatten())
        .all(|(axis, (low, high)): (usize, _)| {
            let (low, high) = (q(*low) + q(by), q(*high) - q(by));
            stand[axis] >= low.min(q(from[axis])) && stand[axis] <= high.max(q(from[axis]))
        });
    inside && back && envelope.keep_out.iter().all(free)
}

/// The square root, too large by less than a millionth.
fn root_fine(square: &Q) -> Q {
    Q::from(root_up(&(square * q(1_000_000_000_000)))) / q(1_000_000)
}

/// What a way needs to be free for a device that is moving on.
pub fn runs_freely(envelope: &Envelope, at: Point, velocity: Point, react_ms: u32) -> bool {
    if velocity == [0; 3] {
        return true;
    }
    let run = place(velocity);
    let speed_squared: Q = run.iter().map(square).sum();
    let fast = |limit: i64| speed_squared > square(&q(limit.max(0)));
    let Some(brake) = envelope.acceleration_max.filter(|limit| *limit > 0) else {
        return false;
    };
    let speed = root_fine(&speed_squared) - q(1) / q(1_000_000);
    let way = &speed_squared / (q(2) * q(brake)) + speed * q(i64::from(react_ms)) / q(1_000);
    !envelope.speed_max.is_some_and(fast) && goes_on_freely(envelope, at, at, &run, &way)
}

/// Every reason to refuse a motion, but for a way that goes on behind its end.
pub fn reasons(envelope: &Envelope, motion: &Motion) -> Vec<Breach> {
    let mut found = Vec::new();
    if envelope.rate_max.is_some_and(|rate| motion.recent >= rate.commands) {
        found.push(Breach::TooOften { recent: motion.recent });
    }
    let limits_turns = envelope.turn_max.or(envelope.turn_speed_max).is_some();
    let moves = [
        motion.to.is_some(),
        motion.drives,
        motion.speed.is_some(),
        motion.acceleration.is_some(),
        motion.turn_speed.is_some(),
        motion.turn.is_some() && limits_turns,
    ];
    if moves.contains(&true) {
        if motion.jumped {
            found.push(Breach::Jumped);
        }
        let age_ms = motion.state_age_ms;
        if age_ms > envelope.state_age_ms_max {
            found.push(Breach::StateTooOld { age_ms });
        }
    }
    let mut limit = |value: Option<i64>, most: Option<i64>, breach: fn(i64) -> Breach| {
        if let (Some(value), Some(most)) = (value, most)
            && i128::from(value).abs() > i128::from(most).max(0)
        {
            found.push(breach(value));
        }
    };
    limit(motion.speed, envelope.speed_max, |speed| Breach::TooFast { speed });
    limit(motion.acceleration, envelope.acceleration_max, |acceleration| {
        Breach::TooHard { acceleration }
    });
    limit(motion.turn, envelope.turn_max, |angle| Breach::TurnTooFar { angle });
    limit(motion.turn_speed, envelope.turn_speed_max, |speed| {
        Breach::TurnTooFast { speed }
    });
    limit(motion.duration, envelope.duration_max, |duration| Breach::TooLong {
        duration,
    });
    if (motion.to.is_some() || motion.drives) && motion.from.is_none() {
        found.push(Breach::PositionUnknown);
    }
    if let (Some(from), Some(to)) = (motion.from, motion.to) {
        found.extend(way(envelope, motion, from, to));
    }
    if let (Some(from), true) = (motion.from, motion.drives) {
        found.extend(drive(envelope, motion, from));
    }
    found
}

fn way(envelope: &Envelope, motion: &Motion, from: Point, to: Point) -> Vec<Breach> {
    let mut found = path(envelope, from, to, 0);
    if let Some(start) = motion.start {
        let distance = distance_squared(from, start);
        if distance > square(&q(START_TOLERANCE)) {
            let distance = whole(&root_up(&distance));
            found.push(Breach::Elsewhere { distance });
        }
    }
    if let Some(limit) = envelope.step_max {
        let length = distance_squared(from, to);
        // A step has the slack of a position.
        if length > square(&(q(limit.max(0)) + q(10_000))) {
            let length = whole(&root_up(&length));
            found.push(Breach::StepTooLong { length });
        }
    }
    found
}

fn drive(envelope: &Envelope, motion: &Motion, from: Point) -> Vec<Breach> {
    let Some(speed) = motion.speed.or(envelope.speed_max) else {
        return vec![Breach::StopUnknown];
    };
    let Some(braking) = stop(envelope, speed) else {
        return vec![Breach::StopUnknown];
    };
    let fastest = envelope.speed_max.unwrap_or(speed).max(speed.saturating_abs());
    let moved = q(fastest) * q(i64::from(motion.state_age_ms)) / q(1_000);
    // Both are rounded up; a way that is longer than all there is counts as that.
    let far = BigInt::from(4 * COORDINATE_MAX);
    let moved = if moved < q(0) { q(0) - moved } else { moved };
    let up = |way: Q| way.ceil().to_integer().min(far.clone());
    let distance = whole(&(up(braking) + up(moved))).expect("short");
    if path(envelope, from, from, distance).is_empty() {
        Vec::new()
    } else {
        vec![Breach::CannotStop { distance }]
    }
}

/// Whether a motion to a point may stop too late, and the breach that says so.
pub fn overruns(envelope: &Envelope, motion: &Motion) -> Option<Breach> {
    motion.from.and(motion.to)?;
    let distance = stop(envelope, motion.speed?)?.ceil().to_integer();
    let distance = distance.min(BigInt::from(4 * COORDINATE_MAX));
    Some(Breach::CannotStop {
        distance: whole(&distance)?,
    })
}

/// Whether the stretch behind the end of a motion, in which the device brakes, is free.
pub fn stops_freely(envelope: &Envelope, motion: &Motion) -> bool {
    let (Some(from), Some(to), Some(speed)) = (motion.from, motion.to, motion.speed) else {
        return true;
    };
    let Some(way) = stop(envelope, speed) else { return true };
    let run: Place = std::array::from_fn(|axis| q(to[axis]) - q(from[axis]));
    goes_on_freely(envelope, from, to, &run, &way)
}
