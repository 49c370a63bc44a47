//! Limits one by one, at the value that is still allowed and the first that is not; the watch over a device's recent past; ways around.

use llmos_follower::envelope::{COMMANDS_MAX, COORDINATE_MAX, VIA_MAX, ZONES_MAX};
use llmos_follower::leg::LEG_TOLERANCE;
use llmos_follower::{Breach, Envelope, Motion, Point, Rate, Route, Shape, Watch};

const M: i64 = 1_000_000;

fn room(zones: &[Shape]) -> Envelope {
    Envelope {
        bounds: Some([(-2 * M, 2 * M), (-2 * M, 2 * M), (0, 3 * M)]),
        keep_out: zones.iter().copied().collect(),
        state_age_ms_max: 1_000,
        detours: true,
        ..Envelope::default()
    }
}

fn check(envelope: &Envelope, motion: Motion, expected: Result<(), Breach>) {
    assert_eq!(envelope.check(&motion), expected, "{motion:?}");
}

fn check_path(shape: Shape, from: Point, to: Point, expected: Result<(), Breach>) {
    let found = room(&[shape]).check_path(from, to);
    assert_eq!(found, expected, "{shape:?} from {from:?} to {to:?}");
}

const BALL: Shape = Shape::Sphere {
    center: [0, 0, M],
    radius: M / 2,
};

fn still() -> Motion {
    Motion::default()
}

fn way(from: Point, to: Point) -> Motion {
    Motion {
        from: Some(from),
        to: Some(to),
        ..still()
    }
}

#[test]
fn a_path_through_a_zone_is_seen_though_both_ends_are_free() {
    let kept = Err(Breach::KeepOut { zone: 0 });
    check_path(BALL, [-M, 0, M], [M, 0, M], kept);
    check_path(BALL, [-M, M / 2, M], [M, M / 2, M], kept);
    check_path(BALL, [-M, M / 2 + 1, M], [M, M / 2 + 1, M], Ok(()));
    let cuboid = Shape::Box {
        min: [-M / 4, -M / 4, 0],
        max: [M / 4, M / 4, M],
    };
    check_path(cuboid, [-M, -M, M / 2], [M, M, M / 2], kept);
    check_path(cuboid, [-M, -M, M + 1], [M, M, M + 1], Ok(()));
    let cylinder = Shape::Cylinder {
        base: [0, 0, 0],
        radius: M / 4,
        height: M,
    };
    check_path(cylinder, [-M, 0, 2 * M], [M, 0, 0], kept);
    check_path(cylinder, [-M, 0, 2 * M], [M, 0, M + 1], Ok(()));
    check_path(cylinder, [M / 8, 0, 2 * M], [M / 8, 0, M + 1], Ok(()));
    check_path(cylinder, [M / 8, 0, 2 * M], [M / 8, 0, M / 2], kept);
    let floor = Shape::Floor { z: M / 10 };
    check_path(floor, [-M, 0, M], [M, 0, M / 10], kept);
    check_path(floor, [-M, 0, M / 10], [M, 0, M], kept);
    check_path(floor, [-M, 0, M], [M, 0, M / 10 + 1], Ok(()));
}

#[test]
fn a_zone_that_cannot_be_measured_counts_as_touched() {
    let far = COORDINATE_MAX + 1;
    let (center, base, radius, height) = ([0; 3], [0; 3], M, M);
    for shape in [
        Shape::Sphere {
            center: [far, 0, 0],
            radius,
        },
        Shape::Sphere {
            center: [0, -far, 0],
            radius,
        },
        Shape::Sphere {
            center: [0, 0, i64::MIN],
            radius,
        },
        Shape::Sphere { center, radius: far },
        Shape::Sphere { center, radius: -1 },
        Shape::Box {
            min: [-far, 0, 0],
            max: [0; 3],
        },
        Shape::Box {
            min: [0; 3],
            max: [0, 0, far],
        },
        Shape::Box {
            min: [0; 3],
            max: [0, 0, -1],
        },
        Shape::Cylinder {
            base: [0, far, 0],
            radius,
            height,
        },
        Shape::Cylinder {
            base,
            radius: far,
            height,
        },
        Shape::Cylinder {
            base,
            radius,
            height: far,
        },
        Shape::Cylinder {
            base,
            radius,
            height: -1,
        },
        Shape::Floor { z: -far },
        Shape::Floor { z: i64::MAX },
    ] {
        let away = [100 * M; 3];
        assert!(shape.is_touched(away, away, 0), "{shape:?}");
    }
    let ball = Shape::Sphere { center, radius };
    let away = [COORDINATE_MAX; 3];
    assert!(!ball.is_touched(away, away, 100 * M));
    assert!(ball.is_touched(away, away, far) && ball.is_touched(away, away, -1));
}

#[test]
fn ends_outside_the_bounds_are_refused_by_axis() {
    let envelope = room(&[]);
    let bounds = |axis, at| Err(Breach::Bounds { axis, at });
    for (to, expected) in [
        ([5 * M, 0, M], bounds(0, 5 * M)),
        ([0, -2 * M - 1, M], bounds(1, -2 * M - 1)),
        ([0, 0, -M / 2], bounds(2, -M / 2)),
        ([0, 0, 3 * M], Ok(())),
        ([i64::MIN, 0, M], Err(Breach::Coordinate)),
        ([0, 0, COORDINATE_MAX + 1], Err(Breach::Coordinate)),
        ([0, 0, COORDINATE_MAX], bounds(2, COORDINATE_MAX)),
    ] {
        assert_eq!(envelope.check_path([0, 0, M], to), expected, "{to:?}");
    }
    // What was pushed out may come back.
    assert_eq!(envelope.check_path([0, 0, -M], [0, 0, M]), Ok(()));
}

#[test]
fn a_margin_widens_zones_and_narrows_bounds() {
    let envelope = Envelope {
        margin: M / 10,
        ..room(&[BALL])
    };
    let edge = M / 2 + M / 10;
    assert_eq!(
        envelope.check_path([-M, edge, M], [M, edge, M]),
        Err(Breach::KeepOut { zone: 0 })
    );
    assert_eq!(envelope.check_path([-M, edge + 1, M], [M, edge + 1, M]), Ok(()));
    let high = 3 * M - M / 10;
    assert_eq!(envelope.check_path([M, M, M], [M, M, high]), Ok(()));
    assert_eq!(
        envelope.check_path([M, M, M], [M, M, high + 1]),
        Err(Breach::Bounds { axis: 2, at: high + 1 })
    );
    let wider = Envelope {
        margin: -M,
        ..room(&[BALL])
    };
    assert_eq!(
        wider.check_path([-M, M / 2, M], [M, M / 2, M]),
        Err(Breach::KeepOut { zone: 0 }),
        "a margin below nothing is none"
    );
}

#[test]
fn every_limit_holds_in_both_directions() {
    type Asks = fn(Option<i64>) -> Motion;
    type Limits = fn(Option<i64>) -> Envelope;
    type Row = (Asks, Limits, fn(i64) -> Breach);
    let table: [Row; 5] = [
        (
            |speed| Motion { speed, ..still() },
            |speed_max| Envelope {
                speed_max,
                ..Envelope::default()
            },
            |speed| Breach::TooFast { speed },
        ),
        (
            |acceleration| Motion {
                acceleration,
                ..still()
            },
            |acceleration_max| Envelope {
                acceleration_max,
                ..Envelope::default()
            },
            |acceleration| Breach::TooHard { acceleration },
        ),
        (
            |turn| Motion { turn, ..still() },
            |turn_max| Envelope {
                turn_max,
                ..Envelope::default()
            },
            |angle| Breach::TurnTooFar { angle },
        ),
        (
            |turn_speed| Motion { turn_speed, ..still() },
            |turn_speed_max| Envelope {
                turn_speed_max,
                ..Envelope::default()
            },
            |speed| Breach::TurnTooFast { speed },
        ),
        (
            |duration| Motion { duration, ..still() },
            |duration_max| Envelope {
                duration_max,
                ..Envelope::default()
            },
            |duration| Breach::TooLong { duration },
        ),
    ];
    for (asks, limits, breach) in table {
        for value in [M, -M, 0] {
            check(&limits(Some(M)), asks(Some(value)), Ok(()));
        }
        for value in [M + 1, -M - 1, i64::MAX, i64::MIN] {
            check(&limits(Some(M)), asks(Some(value)), Err(breach(value)));
            check(&limits(None), asks(Some(value)), Ok(()));
        }
        check(&limits(Some(-M)), asks(Some(1)), Err(breach(1)));
        check(&limits(Some(0)), asks(None), Ok(()));
    }
}

#[test]
fn what_moves_needs_a_fresh_and_plausible_state() {
    let envelope = Envelope {
        turn_speed_max: Some(M),
        ..room(&[])
    };
    let old = |motion| Motion {
        state_age_ms: 1_001,
        ..motion
    };
    let moving = [
        way([0, 0, M], [0, 0, M]),
        Motion {
            from: Some([0, 0, M]),
            drives: true,
            ..still()
        },
        Motion {
            speed: Some(0),
            ..still()
        },
        Motion {
            acceleration: Some(0),
            ..still()
        },
        Motion {
            turn: Some(0),
            ..still()
        },
        Motion {
            turn_speed: Some(0),
            ..still()
        },
    ];
    for motion in moving {
        check(&envelope, old(motion), Err(Breach::StateTooOld { age_ms: 1_001 }));
        check(&envelope, Motion { jumped: true, ..motion }, Err(Breach::Jumped));
        if !motion.drives {
            let fresh = Motion {
                state_age_ms: 1_000,
                ..motion
            };
            check(&envelope, fresh, Ok(()));
        }
    }
    // A lamp reports when it changes, and its hue is an angle.
    let lamp = Envelope::default();
    for motion in [
        still(),
        Motion {
            turn: Some(M),
            ..still()
        },
        Motion {
            duration: Some(M),
            ..still()
        },
    ] {
        check(&lamp, old(Motion { jumped: true, ..motion }), Ok(()));
    }
    let turret = Envelope {
        turn_max: Some(M),
        ..Envelope::default()
    };
    let turn = Motion {
        turn: Some(M),
        ..still()
    };
    check(&turret, old(turn), Err(Breach::StateTooOld { age_ms: 1_001 }));
}

#[test]
fn a_motion_has_a_length_and_a_start() {
    let envelope = Envelope {
        step_max: Some(M / 2),
        ..room(&[])
    };
    let slack = 10_000;
    let far = M / 2 + slack + 1;
    check(&envelope, way([0, 0, M], [0, M / 2 + slack, M]), Ok(()));
    check(
        &envelope,
        way([0, 0, M], [0, far, M]),
        Err(Breach::StepTooLong { length: Some(far) }),
    );
    let nowhere = Motion {
        from: None,
        ..way([0, 0, M], [0, 0, M])
    };
    check(&envelope, nowhere, Err(Breach::PositionUnknown));
    let beside = |distance| Motion {
        start: Some([distance, 0, M]),
        ..way([0, 0, M], [0, 0, M])
    };
    // The 20 mm of a leg and the slack of a position.
    check(&envelope, beside(30_000), Ok(()));
    let distance = Some(30_001);
    check(&envelope, beside(30_001), Err(Breach::Elsewhere { distance }));
    check(&envelope, beside(i64::MIN), Err(Breach::Elsewhere { distance: None }));
}

#[test]
fn so_many_commands_and_no_more() {
    let rate = Rate {
        commands: 2,
        per_ms: 1_000,
    };
    let envelope = Envelope {
        rate_max: Some(rate),
        ..Envelope::default()
    };
    let after = |recent| Motion { recent, ..still() };
    check(&envelope, after(1), Ok(()));
    check(&envelope, after(2), Err(Breach::TooOften { recent: 2 }));
    check(&Envelope::default(), after(u16::MAX), Ok(()));
    let beyond_memory = Envelope {
        rate_max: Some(Rate {
            commands: u16::MAX,
            per_ms: 1_000,
        }),
        ..Envelope::default()
    };
    check(&beyond_memory, after(31), Ok(()));
    check(&beyond_memory, after(32), Err(Breach::TooOften { recent: 32 }));

    let mut watch = Watch::default();
    let recent = |watch: &Watch, now| watch.recent(now, Some(rate));
    assert_eq!(recent(&watch, 0), 0);
    watch.note_command(100);
    watch.note_command(400);
    assert_eq!((recent(&watch, 400), recent(&watch, 1_099)), (2, 2));
    assert_eq!((recent(&watch, 1_100), recent(&watch, 1_400)), (1, 0));
    assert_eq!(watch.recent(400, None), 0);
    let free = |watch: &Watch, now| watch.free_at(now, Some(rate));
    assert_eq!(free(&watch, 400), 1_100, "the eldest of two makes room");
    assert_eq!((free(&watch, 1_100), free(&watch, 5_000)), (1_100, 5_000));
    assert_eq!(watch.free_at(400, None), 400);
    for (commands, at) in [(0, 400), (1, 1_400), (2, 1_100), (3, 400), (u16::MAX, 400)] {
        let rate = Rate {
            commands,
            per_ms: 1_000,
        };
        assert_eq!(watch.free_at(400, Some(rate)), at, "{commands}");
    }
    // The oldest is forgotten first, and as many are remembered as a rate may allow.
    for now in 0..100 {
        watch.note_command(10_000 + now);
    }
    assert_eq!(usize::from(recent(&watch, 10_100)), COMMANDS_MAX);
    watch.forget_position();
    assert_eq!(usize::from(recent(&watch, 10_100)), COMMANDS_MAX);
}

#[test]
fn a_position_that_jumps_is_not_believed_until_it_is_calm() {
    let envelope = Envelope {
        speed_max: Some(M),
        ..Envelope::default()
    };
    let seen = |reports: &[(u64, i64)]| {
        let mut watch = Watch::default();
        for (now, x) in reports {
            watch.note_position(*now, [*x, 0, 0], &envelope);
        }
        watch
    };
    let slack = 10_000;
    assert!(!seen(&[(0, 0), (100, M / 10 + slack)]).has_jumped());
    assert!(seen(&[(0, 0), (100, M / 10 + slack + 1)]).has_jumped());
    assert!(seen(&[(0, 0), (100, -M)]).has_jumped());
    assert!(
        seen(&[(0, 0), (100, i64::MIN)]).has_jumped(),
        "further than can be measured"
    );
    assert!(
        !seen(&[(1_000, M)]).has_jumped(),
        "the first report is compared with nothing"
    );
    // Calm: plausible reports, the last of them 500 ms after the jump.
    assert!(seen(&[(0, 0), (100, M), (599, M)]).has_jumped());
    assert!(!seen(&[(0, 0), (100, M), (600, M)]).has_jumped());
    assert!(seen(&[(0, 0), (100, M), (600, -M)]).has_jumped());
    assert!(
        seen(&[(0, 0), (100, M), (200, -M), (600, -M)]).has_jumped(),
        "it counts from the last jump"
    );
    let mut watch = seen(&[(0, 0), (100, M)]);
    watch.forget_position();
    assert!(!watch.has_jumped());
    watch.note_position(101, [0; 3], &envelope);
    assert!(!watch.has_jumped(), "a new beginning");
    // Without a largest speed only a place where nothing can be is not believed.
    let any = Envelope::default();
    let mut watch = Watch::default();
    for (now, x, jumped) in [
        (0, 0, false),
        (100, COORDINATE_MAX, false),
        (200, -COORDINATE_MAX - 1, true),
        (699, 0, true),
        (700, 0, false),
    ] {
        watch.note_position(now, [x, 0, 0], &any);
        assert_eq!(watch.has_jumped(), jumped, "{x} at {now}");
    }

    // A report may be as old as the envelope allows, and the device has gone on since.
    let late = Envelope {
        state_age_ms_max: 1_000,
        ..envelope.clone()
    };
    for (x, jumps) in [(M + slack, false), (M + slack + 1, true)] {
        let mut watch = Watch::default();
        watch.note_position(0, [0; 3], &late);
        watch.note_position(0, [x, 0, 0], &late);
        assert_eq!(watch.has_jumped(), jumps, "{x}");
    }
    let mut watch = Watch::default();
    let unlimited = Envelope::default();
    watch.note_position(0, [0; 3], &unlimited);
    watch.note_position(1, [M, 0, 0], &unlimited);
    assert!(!watch.has_jumped(), "without a largest speed nothing is implausible");
}

/// 1 m/s^2: at 1 m/s, half a metre to stop.
fn braking(zones: &[Shape]) -> Envelope {
    Envelope {
        acceleration_max: Some(M),
        speed_max: Some(M),
        ..room(zones)
    }
}

#[test]
fn a_device_must_be_able_to_stop() {
    let envelope = braking(&[BALL]);
    assert_eq!(envelope.stop_distance(M), Some(M / 2));
    assert_eq!(envelope.stop_distance(-M), Some(M / 2));
    assert_eq!(envelope.stop_distance(1), Some(1), "rounded up");
    assert_eq!(Envelope::default().stop_distance(M), None);
    let never = |acceleration_max| Envelope {
        acceleration_max,
        ..Envelope::default()
    };
    assert_eq!(never(Some(0)).stop_distance(M), None);
    assert_eq!(never(Some(-M)).stop_distance(M), None);

    // Along a way: what lies behind its end counts, in its direction only.
    let distance = M / 2;
    let drive = |x: i64, speed| Motion {
        speed,
        ..way([-2 * M, 0, M], [x, 0, M])
    };
    check(&envelope, drive(-M - 3, Some(M)), Ok(()));
    check(&envelope, drive(-M, Some(M)), Err(Breach::CannotStop { distance }));
    check(&envelope, drive(-M, Some(-M)), Err(Breach::CannotStop { distance }));
    check(&envelope, drive(-M, None), Ok(()));
    check(&envelope, drive(-M, Some(M / 2)), Ok(()));
    let stays = Motion {
        speed: Some(M),
        ..way([-M / 2 - 1, 0, M], [-M / 2 - 1, 0, M])
    };
    check(&envelope, stays, Ok(()));
}

#[test]
fn a_device_that_drives_on_needs_room_all_around() {
    let envelope = braking(&[]);
    let drive = |x: i64, state_age_ms| Motion {
        from: Some([x, 0, M]),
        speed: Some(M),
        drives: true,
        state_age_ms,
        ..still()
    };
    let cannot = |distance| Err(Breach::CannotStop { distance });
    check(&envelope, drive(2 * M - M / 2, 0), Ok(()));
    check(&envelope, drive(2 * M - M / 2 + 1, 0), cannot(M / 2));
    check(&envelope, drive(2 * M - M / 2, 100), cannot(M / 2 + M / 10));
    check(&envelope, drive(2 * M - M / 2 - M / 10, 100), Ok(()));
    let ball = braking(&[Shape::Sphere {
        center: [0, 0, M],
        radius: M / 4,
    }]);
    check(&ball, drive(M / 4 + M / 2 + 1, 0), Ok(()));
    check(&ball, drive(M / 4 + M / 2, 0), cannot(M / 2));
    // Without a speed it may be the largest; it may have come with that.
    check(
        &envelope,
        Motion {
            speed: None,
            ..drive(2 * M - M / 2 + 1, 0)
        },
        cannot(M / 2),
    );
    check(
        &envelope,
        Motion {
            speed: Some(0),
            ..drive(2 * M - 1, 100)
        },
        cannot(M / 10),
    );
    check(
        &envelope,
        Motion {
            from: None,
            ..drive(0, 0)
        },
        Err(Breach::PositionUnknown),
    );
    let blind = Envelope {
        acceleration_max: None,
        ..envelope.clone()
    };
    check(&blind, drive(0, 0), Err(Breach::StopUnknown));
    let endless = Envelope {
        speed_max: None,
        ..envelope
    };
    check(
        &endless,
        Motion {
            speed: None,
            ..drive(0, 0)
        },
        Err(Breach::StopUnknown),
    );
    check(&endless, drive(0, 0), Ok(()));
    check(&endless, drive(2 * M - M / 2, 100), cannot(M / 2 + M / 10));
}

#[test]
fn a_device_that_runs_stops_before_it_touches() {
    let envelope = braking(&[BALL]);
    let runs = |x, velocity, react_ms| envelope.check_running([x, 0, M], velocity, react_ms);
    let ahead = [M, 0, 0];
    assert_eq!(runs(-M - 3, ahead, 0), Ok(()));
    assert_eq!(runs(-M, ahead, 0), Err(Breach::CannotStop { distance: M / 2 }));
    assert_eq!(runs(-M - M / 10 - 3, ahead, 100), Ok(()));
    assert_eq!(
        runs(-M - M / 10, ahead, 100),
        Err(Breach::CannotStop {
            distance: M / 2 + M / 10
        })
    );
    assert_eq!(runs(-M, [-M, 0, 0], 0), Ok(()), "it runs away from it");
    assert_eq!(runs(-M, [0; 3], u32::MAX), Ok(()));
    assert_eq!(runs(0, [0; 3], 0), Ok(()), "it stands");
    assert_eq!(runs(-M, [M + 1, 0, 0], 0), Err(Breach::TooFast { speed: M + 1 }));
    assert_eq!(runs(-M, [M, 1, 0], 0), Err(Breach::TooFast { speed: M + 1 }));
    assert_eq!(runs(-M, [i64::MIN; 3], 0), Err(Breach::TooFast { speed: i64::MAX }));
    assert_eq!(
        Envelope::default().check_running([0; 3], ahead, 0),
        Err(Breach::StopUnknown)
    );
    assert_eq!(envelope.check_running([M, M, M], [0, M, 0], 0), Ok(()));
    assert_eq!(
        envelope.check_running([M, 3 * M / 2 + 1, M], [0, M, 0], 0),
        Err(Breach::CannotStop { distance: M / 2 })
    );
}

#[test]
fn a_way_without_end_leads_out_of_everything() {
    let never = Envelope {
        acceleration_max: Some(1),
        ..Envelope::default()
    };
    let distance = 4 * COORDINATE_MAX;
    assert_eq!(never.stop_distance(i64::MIN), Some(distance));
    let west = [-COORDINATE_MAX, 0, 0];
    for velocity in [[M, 0, 0], [i64::MAX, 0, 0], [M, M, M]] {
        let found = never.check_running(west, velocity, u32::MAX);
        let cannot = matches!(found, Err(Breach::CannotStop { distance: way }) if way >= distance);
        assert!(cannot, "{velocity:?}: {found:?}");
    }
    let fast = Motion {
        speed: Some(M),
        ..way([0; 3], [1, 0, 0])
    };
    check(&never, fast, Err(Breach::CannotStop { distance }));
}

/// The points of the way around, each leg of which was checked.
fn around(envelope: &Envelope, from: Point, to: Point) -> Option<Vec<Point>> {
    let route = envelope.detour(from, to)?;
    let points: Vec<Point> = [from]
        .into_iter()
        .chain(route.points().iter().copied())
        .chain([to])
        .collect();
    for way in points.windows(2) {
        assert_eq!(envelope.check_path(way[0], way[1]), Ok(()), "{points:?}");
    }
    Some(route.points().to_vec())
}

#[test]
fn a_way_around_is_found_and_is_the_shortest() {
    let pillar = Shape::Cylinder {
        base: [0, M / 10, 0],
        radius: M / 2,
        height: 3 * M,
    };
    let away = M / 2 + LEG_TOLERANCE + 5_000;
    let below = M / 10 - away;
    // The pillar stands a little behind the way, so the shorter way leads before it.
    let envelope = room(&[pillar]);
    assert_eq!(
        around(&envelope, [-M, 0, M], [M, 0, M]),
        Some(vec![[-away, below, M], [away, below, M]])
    );
    assert_eq!(
        around(&envelope, [M, 0, M], [-M, 0, M]),
        Some(vec![[away, below, M], [-away, below, M]])
    );
    // Over a table that fills the room from side to side.
    let table = Shape::Box {
        min: [-M / 4, -2 * M, 0],
        max: [M / 4, 2 * M, M],
    };
    let up = M + LEG_TOLERANCE + 5_000;
    let side = M / 4 + LEG_TOLERANCE + 5_000;
    assert_eq!(
        around(&room(&[table]), [-M, 0, M / 2], [M, 0, M / 2]),
        None,
        "its corners are outside the bounds"
    );
    let wide = Envelope {
        bounds: Some([(-5 * M, 5 * M), (-5 * M, 5 * M), (0, 3 * M)]),
        ..room(&[table])
    };
    let over = around(&wide, [-M, 2 * M, M / 2], [M, 2 * M, M / 2]).expect("a way");
    assert!(
        over.iter()
            .all(|via| via[0].abs() == side && (via[1] == 2 * M + LEG_TOLERANCE + 5_000 || via[2] == up)),
        "{over:?}"
    );
}

#[test]
fn no_way_around_where_none_is_allowed_or_there() {
    let ends = ([-M, 0, M], [M, 0, M]);
    let allowed = room(&[BALL]);
    assert!(allowed.detour(ends.0, ends.1).is_some());
    let strict = Envelope {
        detours: false,
        ..allowed.clone()
    };
    assert_eq!(strict.detour(ends.0, ends.1), None);
    assert_eq!(allowed.detour(ends.0, [-M, M, M]), None, "the straight way is free");
    assert_eq!(allowed.detour(ends.0, [5 * M, 0, M]), None, "out of bounds");
    assert_eq!(allowed.detour(ends.0, [0, 0, M]), None, "the end lies in the zone");
    assert_eq!(allowed.detour([0, 0, M], ends.1), None, "the start lies in the zone");
    let wall = Shape::Box {
        min: [-M / 4, -2 * M, 0],
        max: [M / 4, 2 * M, 3 * M],
    };
    assert_eq!(room(&[wall]).detour(ends.0, ends.1), None);
    let floor = Shape::Floor { z: M };
    assert_eq!(room(&[floor]).detour([-M, 0, 2 * M], [M, 0, M]), None);
    let endless = Envelope {
        margin: i64::MAX,
        ..allowed
    };
    assert_eq!(endless.detour(ends.0, ends.1), None);
    assert_eq!(
        Route::of(&[[0; 3]; VIA_MAX]).map(|route| route.points().len()),
        Some(VIA_MAX)
    );
    assert_eq!(Route::of(&[[0; 3]; VIA_MAX + 1]), None);
}

#[test]
fn a_way_around_several_zones_is_found() {
    let pillar = |x: i64, y: i64| Shape::Cylinder {
        base: [x, y, 0],
        radius: M / 2,
        height: 3 * M,
    };
    // Two pillars side by side, and a third behind the gap that they leave.
    let envelope = Envelope {
        margin: 20_000,
        bounds: Some([(-5 * M, 5 * M), (-5 * M, 5 * M), (0, 3 * M)]),
        ..room(&[pillar(0, M), pillar(0, -M), pillar(3 * M / 2, 0)])
    };
    let via = around(&envelope, [-2 * M, M / 4, M], [3 * M, 0, M]).expect("a way");
    assert!(via.len() >= 2, "{via:?}");
}

#[test]
fn a_way_around_as_many_zones_as_there_may_be_is_found() {
    let zones: Vec<Shape> = (0..16)
        .map(|index| Shape::Sphere {
            center: [(index - 8) * M / 2, 0, 0],
            radius: M / 5,
        })
        .collect();
    assert_eq!(zones.len(), ZONES_MAX);
    let envelope = Envelope {
        bounds: None,
        ..room(&zones)
    };
    assert!(around(&envelope, [-5 * M, 0, 0], [5 * M, 0, 0]).is_some());
}

#[test]
fn a_gap_that_is_too_narrow_for_a_leg_is_no_way_around() {
    let block = Shape::Box {
        min: [-M / 2, -M / 2, 0],
        max: [M / 2, M, 3 * M],
    };
    let below = |gap: i64| Shape::Box {
        min: [-M / 10, -2 * M, 0],
        max: [M / 10, -M / 2 - gap, 3 * M],
    };
    let ends = ([-M, 0, M], [M, 0, M]);
    let side = |zones: &[Shape]| -> Vec<bool> {
        let via = around(&room(zones), ends.0, ends.1).expect("a way");
        via.iter().map(|via| via[1] < 0).collect()
    };
    assert_eq!(side(&[block, below(M / 10)]), [true, true], "the short way");
    // The line between the corners is free, and 10 mm beside it is the other zone: a leg may end 20 mm beside its corner.
    assert_eq!(side(&[block, below(35_000)]), [false, false], "the long way");
}
