//! Where a robot looks, out of the quaternion that ROS reports, in whole numbers alone, so that every machine computes the same.
//! `geometry_msgs/Quaternion` is `{x, y, z, w}`; ROS turns counterclockwise about +z, and 0 looks along +x (REP 103). It must not know
//! topics or readings.

use llmos_follower::{MICRO, Point};

/// `atan(2^-i)` in nanodegrees, the turns of CORDIC (Volder, 1959). Thirty of them leave less than a ten-millionth of a degree.
const TURNS: [i64; 30] = [
    45_000_000_000,
    26_565_051_177,
    14_036_243_468,
    7_125_016_349,
    3_576_334_375,
    1_789_910_608,
    895_173_710,
    447_614_171,
    223_810_500,
    111_905_677,
    55_952_892,
    27_976_453,
    13_988_227,
    6_994_114,
    3_497_057,
    1_748_528,
    874_264,
    437_132,
    218_566,
    109_283,
    54_642,
    27_321,
    13_660,
    6_830,
    3_415,
    1_708,
    854,
    427,
    213,
    107,
];

/// The direction that a body looks along, projected on the ground, as a vector of length one in micro-units; `None` where it looks
/// straight up or down, or the quaternion is none.
#[must_use]
pub fn ahead([x, y, z, w]: [i64; 4]) -> Option<Point> {
    if [x, y, z, w]
        .iter()
        .any(|part| part.unsigned_abs() > 2 * MICRO.unsigned_abs())
    {
        return None;
    }
    let [x, y, z, w] = [x, y, z, w].map(i128::from);
    // A unit quaternion has length one; what a sensor reports may be a little off, and anything else is none.
    let square = x * x + y * y + z * z + w * w;
    let unit = i128::from(MICRO) * i128::from(MICRO);
    if !(unit / 2..=unit * 2).contains(&square) {
        return None;
    }
    let (east, north) = (w * w + x * x - y * y - z * z, 2 * (w * z + x * y));
    // At most 4e12 each, so the squares stay far below the end of the type.
    let length = llmos_follower::value::isqrt((east * east + north * north).unsigned_abs());
    let length = i128::try_from(length).ok().filter(|length| *length > unit / 1_000)?;
    let share = |part: i128| i64::try_from((part * i128::from(MICRO) + part.signum() * length / 2) / length).ok();
    Some([share(east)?, share(north)?, 0])
}

/// The angle of that direction from +x, counterclockwise, in micro-degrees between -180 and 180 degrees.
#[must_use]
pub fn heading(quaternion: [i64; 4]) -> Option<i64> {
    let [east, north, _] = ahead(quaternion)?;
    // Wide enough that thirty halvings lose nothing that counts.
    let (mut x, mut y) = (east.abs() << 30, north.abs() << 30);
    let mut angle = 0;
    for (halvings, turn) in TURNS.iter().enumerate() {
        let (across, along) = (x >> halvings, y >> halvings);
        if y > 0 {
            (x, y, angle) = (x + along, y - across, angle + turn);
        } else {
            (x, y, angle) = (x - along, y + across, angle - turn);
        }
    }
    let angle = (angle + 500) / 1_000;
    let angle = if east < 0 { 180 * MICRO - angle } else { angle };
    Some(if north < 0 { -angle } else { angle })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The quaternion of a heading in degrees, as a robot would compute it.
    #[expect(clippy::cast_possible_truncation, reason = "at most a million")]
    fn turned(degrees: f64) -> [i64; 4] {
        let half = (degrees / 2.0).to_radians();
        [
            0,
            0,
            (half.sin() * 1e6).round() as i64,
            (half.cos() * 1e6).round() as i64,
        ]
    }

    #[test]
    fn every_heading_comes_back() {
        for tenth in -1_799..=1_800 {
            let degrees = f64::from(tenth) / 10.0;
            let found = heading(turned(degrees)).expect("a heading");
            let off = (found - i64::from(tenth) * 100_000).rem_euclid(360 * MICRO);
            assert!(off.min(360 * MICRO - off) < 300, "{degrees}: {found}");
            let [x, y, _] = ahead(turned(degrees)).expect("a direction");
            assert!((x * x + y * y - MICRO * MICRO).abs() < 4 * MICRO, "{degrees}: {x} {y}");
        }
        assert_eq!(heading(turned(0.0)), Some(0));
        assert_eq!(ahead(turned(90.0)), Some([0, MICRO, 0]));
    }

    #[test]
    fn what_is_no_attitude_has_no_heading() {
        for none in [[0; 4], [i64::MAX; 4], [3 * MICRO, 0, 0, 0], [0, 707_107, 0, 707_107]] {
            assert_eq!(heading(none), None, "{none:?}");
        }
    }
}
