//! The safety envelope: one source for the host's gate and the device's own check, so that neither can be looser than the other.
//!
//! A command is a [`Motion`]: what it asks for, and what is known about the device at that moment. [`Envelope::check`] compares the two with
//! the limits, in whole numbers and without rounding in the device's favour. What only a history can tell (how many commands have just
//! been sent, whether the device's position jumped) is kept by a [`Watch`]. This file must not know tools, manifests or messages.

mod detour;
mod shape;
mod watch;

pub use detour::{Route, VIA_MAX};
pub use shape::Shape;
pub use watch::{CALM_MS, COMMANDS_MAX, Watch};

use crate::leg::LEG_TOLERANCE;
use crate::value::{Point, distance, distance_up, quotient_up};
use heapless::Vec;
use serde::{Deserialize, Serialize};
use shape::is_near;

/// Zones that an envelope may keep out of.
pub const ZONES_MAX: usize = 16;
/// The largest coordinate, in micrometres (500 m): with it, `|ap|^2 * |ab|^2` stays below 2^127, zones grown by as much included.
pub const COORDINATE_MAX: i64 = 500_000_000;
/// Rounding and noise of a position, in micrometres: legs are cut in whole micrometres and start where the device really is.
pub const POSITION_SLACK: i64 = 10_000;
/// How far from a motion's planned start a device may be, in micrometres: it came to the end of the last leg within its tolerance.
pub const START_TOLERANCE: i64 = LEG_TOLERANCE + POSITION_SLACK;

/// The zones of an envelope that is written down as a constant, so that it lies in flash. More than [`ZONES_MAX`] do not compile.
#[must_use]
pub const fn zones<const N: usize>(zones: [Shape; N]) -> Vec<Shape, ZONES_MAX> {
    Vec::from_array(zones)
}

/// What a device may do. A limit that is not set does not limit; one that is negative allows nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Envelope {
    /// Lowest and highest coordinate of each axis.
    pub bounds: Option<[(i64, i64); 3]>,
    /// Space that no path may touch.
    pub keep_out: Vec<Shape, ZONES_MAX>,
    /// What zones grow and bounds shrink by, in micrometres, for the size and the inaccuracy of the device.
    pub margin: i64,
    /// Longest single motion, in micrometres.
    pub step_max: Option<i64>,
    /// Largest speed, in micrometres a second.
    pub speed_max: Option<i64>,
    /// What the device speeds up or brakes with at most, in micrometres a second squared.
    pub acceleration_max: Option<i64>,
    /// Largest rotation by one command, in microdegrees.
    pub turn_max: Option<i64>,
    /// Largest speed of rotation, in microdegrees a second.
    pub turn_speed_max: Option<i64>,
    /// Longest duration that a command may ask for, in microseconds.
    pub duration_max: Option<i64>,
    /// How many commands may be begun in how long.
    pub rate_max: Option<Rate>,
    /// Oldest report that a motion may be based on, in milliseconds.
    pub state_age_ms_max: u32,
    /// Whether a way that is barred by a zone may be replaced by one around it.
    pub detours: bool,
}

/// So many commands in any stretch of time as long as this.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Rate {
    /// Commands, at most [`COMMANDS_MAX`].
    pub commands: u16,
    /// The stretch of time, in milliseconds.
    pub per_ms: u32,
}

/// A command as the envelope sees it. Of several arguments of a kind, the largest counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Motion {
    /// Where the device is, if it reports that.
    pub from: Option<Point>,
    /// Where the motion was planned to begin, if that was said.
    pub start: Option<Point>,
    /// Where the command takes it; `None` where it moves nothing.
    pub to: Option<Point>,
    /// The speed it asks for, in micrometres a second.
    pub speed: Option<i64>,
    /// Whether the device goes on at that speed, in a direction that is not said, until it is told otherwise.
    pub drives: bool,
    /// The acceleration it asks for, in micrometres a second squared.
    pub acceleration: Option<i64>,
    /// The angle it asks for, in microdegrees.
    pub turn: Option<i64>,
    /// The speed of rotation it asks for, in microdegrees a second.
    pub turn_speed: Option<i64>,
    /// The duration it asks for, in microseconds.
    pub duration: Option<i64>,
    /// Age of the last report, in milliseconds.
    pub state_age_ms: u32,
    /// Commands that were begun within the [`Rate`]'s time before this one.
    pub recent: u16,
    /// Whether the reported position has jumped and has not been plausible for long enough since.
    pub jumped: bool,
}

/// Why a motion is not allowed, with the value that was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are named for what they hold")]
pub enum Breach {
    /// A coordinate is beyond [`COORDINATE_MAX`].
    Coordinate,
    /// The end lies outside the bounds of this axis, or closer to them than the margin.
    Bounds { axis: u8, at: i64 },
    /// The path touches this zone or its margin.
    KeepOut { zone: u8 },
    /// The motion is longer than a step may be; `None` where it can't be measured.
    StepTooLong { length: Option<i64> },
    /// The speed is too large.
    TooFast { speed: i64 },
    /// The acceleration is too large.
    TooHard { acceleration: i64 },
    /// The rotation is too large.
    TurnTooFar { angle: i64 },
    /// The rotation is too fast.
    TurnTooFast { speed: i64 },
    /// The duration is too long.
    TooLong { duration: i64 },
    /// Too many commands were begun just before this one.
    TooOften { recent: u16 },
    /// At this speed, the device can't stop before it touches a zone or leaves the bounds; the distance that it needs, in micrometres.
    CannotStop { distance: i64 },
    /// The device would go on at a speed, and nothing says how fast or how hard it can brake.
    StopUnknown,
    /// The last report is too old to move on.
    StateTooOld { age_ms: u32 },
    /// The reported position jumped further than the device can have moved.
    Jumped,
    /// The device is not where the motion was planned to begin; how far away, in micrometres, or `None` where that can't be measured.
    Elsewhere { distance: Option<i64> },
    /// The device has not said where it is.
    PositionUnknown,
}

impl Envelope {
    /// Checks one command. One that moves nothing and names no speed needs no fresh state: a lamp reports when it changes, and not before. An
    /// angle is a rotation where rotations have a limit, and else may be a colour.
    ///
    /// # Errors
    /// The first [`Breach`].
    pub fn check(&self, motion: &Motion) -> Result<(), Breach> {
        // No more are remembered than that, so a rate can't allow more.
        if let Some(rate) = self.rate_max
            && usize::from(motion.recent) >= usize::from(rate.commands).min(COMMANDS_MAX)
        {
            return Err(Breach::TooOften { recent: motion.recent });
        }
        if self.moves(motion) {
            self.check_state(motion)?;
        }
        within(motion.speed, self.speed_max, |speed| Breach::TooFast { speed })?;
        within(motion.acceleration, self.acceleration_max, |acceleration| {
            Breach::TooHard { acceleration }
        })?;
        within(motion.turn, self.turn_max, |angle| Breach::TurnTooFar { angle })?;
        within(motion.turn_speed, self.turn_speed_max, |speed| Breach::TurnTooFast {
            speed,
        })?;
        within(motion.duration, self.duration_max, |duration| Breach::TooLong {
            duration,
        })?;
        if let Some(to) = motion.to {
            self.check_way(motion, to)?;
        }
        if motion.drives {
            self.check_drive(motion)?;
        }
        Ok(())
    }

    /// Checks the segment from `from` to `to` against coordinates, bounds and zones, with the margin. The start may lie outside the bounds (a
    /// device that was pushed out may come back); it may not lie in a zone.
    ///
    /// # Errors
    /// The first [`Breach`].
    pub fn check_path(&self, from: Point, to: Point) -> Result<(), Breach> {
        self.check_wide_path(from, to, 0)
    }

    /// Checks a device that is moving at `velocity` (micrometres a second on each axis): where it stands still once it has reacted and braked,
    /// and all of the way there, must be allowed.
    ///
    /// # Errors
    /// [`Breach::TooFast`], [`Breach::StopUnknown`] or [`Breach::CannotStop`].
    pub fn check_running(&self, at: Point, velocity: Point, react_ms: u32) -> Result<(), Breach> {
        if velocity == [0; 3] {
            return Ok(());
        }
        let speed = distance_up(velocity, [0; 3]).unwrap_or(i64::MAX);
        within(Some(speed), self.speed_max, |speed| Breach::TooFast { speed })?;
        let distance = self.stop_distance(speed).ok_or(Breach::StopUnknown)?;
        let distance = distance.saturating_add(travel(speed, react_ms));
        ahead(at, velocity, distance)
            .and_then(|end| self.check_wide_path(at, end, ROUNDING).ok())
            .ok_or(Breach::CannotStop { distance })
    }

    /// How far a device goes on while it brakes, `v^2 / 2a`, in micrometres, rounded up; `None` where nothing says how hard it can.
    #[must_use]
    pub fn stop_distance(&self, speed: i64) -> Option<i64> {
        let brake = self.acceleration_max.filter(|limit| *limit > 0)?;
        let speed = u128::from(speed.unsigned_abs());
        Some(at_most_far(quotient_up(
            speed * speed,
            2 * u128::from(brake.unsigned_abs()),
        )))
    }

    /// Whether a command moves the device, so that it needs to know where that is.
    fn moves(&self, motion: &Motion) -> bool {
        let turns = motion.turn.is_some() && (self.turn_max.is_some() || self.turn_speed_max.is_some());
        motion.to.is_some()
            || motion.drives
            || motion.speed.is_some()
            || motion.acceleration.is_some()
            || motion.turn_speed.is_some()
            || turns
    }

    fn check_state(&self, motion: &Motion) -> Result<(), Breach> {
        if motion.state_age_ms > self.state_age_ms_max {
            return Err(Breach::StateTooOld {
                age_ms: motion.state_age_ms,
            });
        }
        if motion.jumped { Err(Breach::Jumped) } else { Ok(()) }
    }

    fn check_way(&self, motion: &Motion, to: Point) -> Result<(), Breach> {
        let from = motion.from.ok_or(Breach::PositionUnknown)?;
        if let Some(start) = motion.start {
            let distance = distance_up(from, start);
            if distance.is_none_or(|distance| distance > START_TOLERANCE) {
                return Err(Breach::Elsewhere { distance });
            }
        }
        self.check_path(from, to)?;
        if let Some(distance) = motion.speed.and_then(|speed| self.stop_distance(speed))
            && let Some(end) = ahead(to, core::array::from_fn(|axis| to[axis] - from[axis]), distance)
        {
            // Both ends are near, so the difference fits.
            let stops = self.check_wide_path(from, end, ROUNDING);
            stops.map_err(|_| Breach::CannotStop { distance })?;
        }
        let length = distance_up(from, to);
        match self.step_max {
            Some(limit) if length.is_none_or(|length| length > limit.max(0).saturating_add(POSITION_SLACK)) => {
                Err(Breach::StepTooLong { length })
            }
            _ => Ok(()),
        }
    }

    /// Nobody says where it will go, so everything within its stopping distance must be free. It may have moved since its last report.
    fn check_drive(&self, motion: &Motion) -> Result<(), Breach> {
        let from = motion.from.ok_or(Breach::PositionUnknown)?;
        let speed = motion.speed.or(self.speed_max).ok_or(Breach::StopUnknown)?;
        let fastest = self.speed_max.unwrap_or(speed).max(speed.saturating_abs());
        let stop = self.stop_distance(speed).ok_or(Breach::StopUnknown)?;
        let distance = stop.saturating_add(travel(fastest, motion.state_age_ms));
        self.check_wide_path(from, from, distance)
            .map_err(|_| Breach::CannotStop { distance })
    }

    /// Checks a path that is `by` micrometres wide to each side, beyond the margin.
    fn check_wide_path(&self, from: Point, to: Point, by: i64) -> Result<(), Breach> {
        if !is_near(from) || !is_near(to) {
            return Err(Breach::Coordinate);
        }
        let by = self.margin.max(0).saturating_add(by);
        for ((axis, at), (low, high)) in (0_u8..).zip(to).zip(self.bounds.iter().flatten()) {
            if at < low.saturating_add(by) || at > high.saturating_sub(by) {
                return Err(Breach::Bounds { axis, at });
            }
        }
        self.check_zones(from, to, by)
    }

    /// Checks a path against the zones, grown by `by` micrometres.
    fn check_zones(&self, from: Point, to: Point, by: i64) -> Result<(), Breach> {
        match (0_u8..)
            .zip(&self.keep_out)
            .find(|(_, zone)| zone.is_touched(from, to, by))
        {
            Some((zone, _)) => Err(Breach::KeepOut { zone }),
            None => Ok(()),
        }
    }
}

/// A point that is computed along a direction lies this close to it, in micrometres: the path is checked so wide.
const ROUNDING: i64 = 2;
/// A way of this length is as good as endless: from anywhere, its end is beyond [`COORDINATE_MAX`].
const FAR: i64 = 4 * COORDINATE_MAX;

fn at_most_far(length: u128) -> i64 {
    i64::try_from(length).map_or(FAR, |length| length.min(FAR))
}

/// How far a device comes at a speed, rounded up.
fn travel(speed: i64, ms: u32) -> i64 {
    at_most_far(quotient_up(u128::from(speed.unsigned_abs()) * u128::from(ms), 1_000))
}

/// The point `way` further in a direction, rounded outwards; `None` without a direction. `way` is at most [`FAR`] twice.
fn ahead(from: Point, direction: Point, way: i64) -> Option<Point> {
    // Rounded down, so that the point is rather too far away than too near.
    let length = distance(direction, [0; 3]).filter(|length| *length > 0)?;
    Some(core::array::from_fn(|axis| {
        let way = u128::from(direction[axis].unsigned_abs()) * u128::from(way.unsigned_abs());
        let way =
            at_most_far(quotient_up(way, u128::from(length.unsigned_abs()))).saturating_mul(direction[axis].signum());
        from[axis].saturating_add(way)
    }))
}

/// Whether a value is as small as its limit, in either direction.
fn within(value: Option<i64>, limit: Option<i64>, breach: impl FnOnce(i64) -> Breach) -> Result<(), Breach> {
    match (value, limit) {
        (Some(value), Some(limit)) if value.unsigned_abs() > limit.max(0).unsigned_abs() => Err(breach(value)),
        _ => Ok(()),
    }
}
