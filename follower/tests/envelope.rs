//! The envelope against `exact`, which says the same in another way: on a grid, where paths graze zones exactly and values meet their limits,
//! and anywhere else. A few thousand cases each; with `LLMOS_CASES=250000 cargo test --release -p llmos-follower --test envelope` it is a million.

mod exact;

use llmos_follower::envelope::{COORDINATE_MAX, Rate, VIA_MAX, ZONES_MAX};
use llmos_follower::leg::LEG_TOLERANCE;
use llmos_follower::{Breach, Envelope, Motion, Point, Shape};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

const M: i64 = 1_000_000;
/// Cases of each check, where `LLMOS_CASES` does not say how many.
const CASES: u32 = 2_000;

fn cases() -> u32 {
    let given = std::env::var("LLMOS_CASES").ok();
    given.map_or(CASES, |text| text.parse().expect("LLMOS_CASES is a number"))
}

/// On the grid, beside it by one, anywhere in the room, anywhere at all.
fn coordinate() -> impl Strategy<Value = i64> {
    prop_oneof![
        8 => (-8..=8_i64).prop_map(|quarter| quarter * M / 4),
        2 => (-8..=8_i64, -1..=1_i64).prop_map(|(quarter, beside)| quarter * M / 4 + beside),
        4 => -3 * M..3 * M,
        1 => -COORDINATE_MAX - 1..=COORDINATE_MAX + 1,
    ]
}

fn point() -> impl Strategy<Value = Point> {
    [coordinate(), coordinate(), coordinate()]
}

fn length() -> impl Strategy<Value = i64> {
    prop_oneof![
        6 => (0..=6_i64).prop_map(|quarter| quarter * M / 4),
        3 => 0..2 * M,
        1 => prop_oneof![-1..=1_i64, COORDINATE_MAX - 1..=COORDINATE_MAX + 1],
    ]
}

fn shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        (point(), length()).prop_map(|(center, radius)| Shape::Sphere { center, radius }),
        (point(), point()).prop_map(|(a, b)| Shape::Box {
            min: std::array::from_fn(|axis| a[axis].min(b[axis])),
            max: std::array::from_fn(|axis| a[axis].max(b[axis])),
        }),
        (point(), point()).prop_map(|(min, max)| Shape::Box { min, max }),
        (point(), length(), length()).prop_map(|(base, radius, height)| Shape::Cylinder { base, radius, height }),
        coordinate().prop_map(|z| Shape::Floor { z }),
    ]
}

/// A limit or a value that is likely to meet one.
fn number() -> impl Strategy<Value = i64> {
    prop_oneof![
        6 => (-4..=4_i64, -1..=1_i64).prop_map(|(half, beside)| half * M / 2 + beside),
        2 => -3 * M..3 * M,
        1 => prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(1_i64 << 40)],
    ]
}

fn maybe(number: impl Strategy<Value = i64>) -> impl Strategy<Value = Option<i64>> {
    prop_oneof![2 => Just(None), 3 => number.prop_map(Some)]
}

fn bounds() -> impl Strategy<Value = Option<[(i64, i64); 3]>> {
    let axis = || (coordinate(), coordinate()).prop_map(|(a, b)| (a.min(b), a.max(b)));
    prop_oneof![
        1 => Just(None),
        1 => Just(Some([(-2 * M, 2 * M); 3])),
        1 => [axis(), axis(), axis()].prop_map(Some),
    ]
}

fn zones(most: usize) -> impl Strategy<Value = heapless::Vec<Shape, ZONES_MAX>> {
    proptest::collection::vec(shape(), 0..=most).prop_map(|list| list.into_iter().collect())
}

prop_compose! {
    fn envelope(most: usize)(
        bounds in bounds(),
        keep_out in zones(most),
        margin in prop_oneof![3 => Just(0), 2 => length()],
        limits in [maybe(number()), maybe(number()), maybe(number()), maybe(number()), maybe(number()), maybe(number())],
        rate in proptest::option::of(0..4_u16),
        state_age_ms_max in prop_oneof![Just(0), Just(1_000), Just(u32::MAX)],
    ) -> Envelope {
        let [step_max, speed_max, acceleration_max, turn_max, turn_speed_max, duration_max] = limits;
        Envelope {
            bounds, keep_out, margin, step_max, speed_max, acceleration_max, turn_max, turn_speed_max, duration_max,
            rate_max: rate.map(|commands| Rate { commands, per_ms: 1_000 }),
            state_age_ms_max,
            detours: true,
        }
    }
}

prop_compose! {
    fn motion()(
        from in proptest::option::weighted(0.9, point()),
        start in proptest::option::weighted(0.3, point()),
        aside in proptest::option::weighted(0.7, prop_oneof![Just(0), 29_999..=30_001_i64]),
        to in proptest::option::weighted(0.7, point()),
        drives in proptest::bool::weighted(0.3),
        asked in [maybe(number()), maybe(number()), maybe(number()), maybe(number()), maybe(number())],
        state_age_ms in prop_oneof![4 => Just(0), 2 => 999..=1_001_u32, 1 => Just(u32::MAX)],
        recent in prop_oneof![3 => Just(0), 1 => 0..5_u16],
        jumped in proptest::bool::weighted(0.1),
    ) -> Motion {
        let [speed, acceleration, turn, turn_speed, duration] = asked;
        // Most plans begin where the device is, give or take.
        let near = aside.and_then(|aside| from.map(|from| [from[0], from[1] + aside, from[2]]));
        Motion {
            from, start: near.or(start).filter(|_| start.is_some()), to, drives,
            speed, acceleration, turn, turn_speed, duration, state_age_ms, recent, jumped,
        }
    }
}

fn touching((shape, by, from, to): (Shape, i64, Point, Point)) -> Result<(), TestCaseError> {
    let near = |point: Point| point.iter().all(|axis| axis.abs() <= COORDINATE_MAX);
    if near(from) && near(to) {
        let touched = shape.is_touched(from, to, by);
        prop_assert_eq!(touched, exact::touches(shape, by, from, to));
        prop_assert_eq!(touched, shape.is_touched(to, from, by), "backwards");
    }
    Ok(())
}

fn checking((envelope, motion): (Envelope, Motion)) -> Result<(), TestCaseError> {
    let reasons = exact::reasons(&envelope, &motion);
    match envelope.check(&motion) {
        Ok(()) => {
            prop_assert_eq!(&reasons, &[]);
            prop_assert!(exact::stops_freely(&envelope, &motion), "it can't stop in time");
        }
        // What is computed along a direction is rounded to the safe side.
        Err(breach) => prop_assert!(
            reasons.contains(&breach) || exact::overruns(&envelope, &motion) == Some(breach),
            "{:?} is not among {:?}",
            breach,
            reasons
        ),
    }
    Ok(())
}

fn pathing((envelope, from, to): (Envelope, Point, Point)) -> Result<(), TestCaseError> {
    let reasons = exact::path(&envelope, from, to, 0);
    match envelope.check_path(from, to) {
        Ok(()) => prop_assert_eq!(reasons, []),
        Err(breach) => prop_assert!(reasons.contains(&breach), "{:?} is not among {:?}", breach, reasons),
    }
    Ok(())
}

fn running((envelope, at, velocity, react_ms): (Envelope, Point, Point, u32)) -> Result<(), TestCaseError> {
    if envelope.check_running(at, velocity, react_ms).is_ok() {
        prop_assert!(exact::runs_freely(&envelope, at, velocity, react_ms));
    }
    Ok(())
}

fn detouring((envelope, from, to): (Envelope, Point, Point)) -> Result<(), TestCaseError> {
    let barred = matches!(envelope.check_path(from, to), Err(Breach::KeepOut { .. }));
    let Some(route) = envelope.detour(from, to) else {
        return Ok(());
    };
    prop_assert!(barred, "nothing bars the way");
    prop_assert_eq!(envelope.detour(from, to), Some(route), "another route");
    let via = route.points();
    prop_assert!(!via.is_empty() && via.len() <= VIA_MAX);
    let points: Vec<Point> = std::iter::once(from).chain(via.iter().copied()).chain([to]).collect();
    for way in points.windows(2) {
        prop_assert_eq!(exact::path(&envelope, way[0], way[1], 0), [], "{:?}", way);
    }
    // A leg ends beside its corner, within its tolerance; the next is still free.
    for way in via.windows(2) {
        let touches = |zone: &Shape| exact::touches(*zone, envelope.margin.max(0) + LEG_TOLERANCE, way[0], way[1]);
        prop_assert!(!envelope.keep_out.iter().any(touches), "{:?} is too close", way);
    }
    Ok(())
}

fn velocity() -> impl Strategy<Value = Point> {
    let axis = || prop_oneof![2 => Just(0), 3 => number()];
    [axis(), axis(), axis()]
}

fn react_ms() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), Just(100), Just(u32::MAX)]
}

/// Runs one property; proptest prints the seed and the smallest case where it does not hold.
fn hold<S: Strategy>(cases: u32, strategy: S, property: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = Config {
        failure_persistence: None,
        ..Config::with_cases(cases)
    };
    if let Err(error) = TestRunner::new(config).run(&strategy, property) {
        panic!("{error}");
    }
}

#[test]
fn every_check_agrees_with_exact_arithmetic() {
    let cases = cases();
    hold(
        cases,
        (shape(), prop_oneof![Just(0), length()], point(), point()),
        touching,
    );
    hold(cases, (envelope(2), motion()), checking);
    hold(cases, (envelope(3), point(), point()), pathing);
    hold(cases, (envelope(2), point(), velocity(), react_ms()), running);
}

#[test]
fn a_detour_touches_nothing() {
    hold(cases() / 4, (envelope(3), point(), point()), detouring);
}
