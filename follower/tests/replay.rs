//! What the follower asks for and when it believes it, step by step.

mod support;

use llmos_follower::state::POSITION;
use llmos_follower::{
    Follower, Handoff, Input, Observed, Offer, OnError, Op, Output, Point, Program, Progress, Range, Reading, Readings,
    Route, Split, Symbol, Value, World,
};
use support::{ARM, move_right};

/// The readings of an arm at this x.
fn at(x: i64) -> Readings {
    let mut readings = Readings::default();
    let position = Reading {
        device: ARM,
        owner: Symbol::NONE,
        field: POSITION,
        value: Value::Point([x, 0, 0]),
    };
    readings.replace(ARM, [position]).expect("room");
    readings
}

/// Feeds inputs with the arm at a place and returns all outputs as text.
fn check(on_error: OnError, distance: i64, inputs: &[(u64, i64, Input)], expected: &[&str]) {
    let program = move_right(distance, on_error);
    let mut follower = Follower::new(&program, &[]).expect("a good program");
    let mut said = Vec::new();
    let mut drain = |follower: &mut Follower, x: i64| {
        let readings = at(x);
        while let Some(output) = follower.poll(World {
            program: &program,
            readings: &readings,
        }) {
            said.push(match output {
                Output::Command(offer) => {
                    let Value::Number(part) = offer.arguments[0].1 else {
                        panic!("a distance")
                    };
                    format!(
                        "move {part} to {:?} leg {} of {}",
                        offer.target.map(|target| target[0]),
                        offer.leg,
                        offer.legs
                    )
                }
                Output::StepDone { observed, .. } => format!("step {observed:?}"),
                Output::CallDone { observed, .. } => format!("call {observed:?}"),
                Output::Finished { observed, .. } => format!("finished {observed:?}"),
                Output::Handoff { why, .. } => format!("handoff {why:?}"),
                Output::Stopped { .. } => "stopped".to_owned(),
            });
        }
    };
    drain(&mut follower, 0);
    for (now, x, input) in inputs {
        let readings = at(*x);
        follower.handle(
            World {
                program: &program,
                readings: &readings,
            },
            *now,
            *input,
        );
        drain(&mut follower, *x);
    }
    assert_eq!(said, expected);
}

const FINISHED: Input = Input::State(Progress::Finished);
const BUSY: Input = Input::State(Progress::Busy);

#[test]
fn success_needs_acknowledgement_and_state() {
    check(
        OnError::Handoff,
        300_000,
        &[
            (0, 0, Input::Sent),
            (1, 300_000, FINISHED),
            (2, 0, Input::Acknowledged),
            (3, 150_000, BUSY),
            (4, 300_000, FINISHED),
        ],
        &[
            "move 300000 to Some(300000) leg 0 of 1",
            "step Met",
            "call Met",
            "finished Met",
        ],
    );
}

#[test]
fn a_long_motion_is_cut_and_its_legs_add_up() {
    check(
        OnError::Handoff,
        1_000_001,
        &[
            (0, 0, Input::Sent),
            (1, 0, Input::Acknowledged),
            (2, 333_333, FINISHED),
            (3, 333_333, Input::Sent),
            (4, 333_333, Input::Acknowledged),
            (5, 666_667, FINISHED),
            (6, 666_667, Input::Sent),
            (7, 666_667, Input::Acknowledged),
            (8, 1_000_001, FINISHED),
        ],
        &[
            "move 333333 to Some(333333) leg 0 of 3",
            "move 333334 to Some(666667) leg 1 of 3",
            "move 333334 to Some(1000001) leg 2 of 3",
            "step Met",
            "call Met",
            "finished Met",
        ],
    );
}

#[test]
fn a_finished_device_in_the_wrong_place_has_failed() {
    check(
        OnError::Handoff,
        300_000,
        &[
            (0, 0, Input::Sent),
            (1, 0, Input::Acknowledged),
            (2, 100_000, FINISHED),
            (500, 100_000, Input::Tick),
            (700, 100_000, Input::Tick),
        ],
        &["move 300000 to Some(300000) leg 0 of 1", "handoff Postcondition"],
    );
}

#[test]
fn silence_and_refusal_end_the_step() {
    let offered = "move 300000 to Some(300000) leg 0 of 1";
    check(
        OnError::Handoff,
        300_000,
        &[(0, 0, Input::Refused)],
        &[offered, "handoff Refused"],
    );
    check(
        OnError::Handoff,
        300_000,
        &[(0, 0, Input::Sent), (4_000, 0, Input::Tick)],
        &[offered, "handoff NoAck"],
    );
    check(
        OnError::Handoff,
        300_000,
        &[(0, 0, Input::Sent), (1, 0, Input::Acknowledged), (1_002, 10, BUSY)],
        &[offered, "handoff Timeout"],
    );
    check(
        OnError::Handoff,
        300_000,
        &[(0, 0, Input::Sent), (1, 0, Input::Lost)],
        &[offered, "handoff Lost"],
    );
    check(
        OnError::Handoff,
        300_000,
        &[(0, 0, Input::Sent), (1, 0, Input::Stop), (2, 300_000, FINISHED)],
        &[offered, "stopped"],
    );
}

#[test]
fn retry_skip_and_stop_do_what_they_say() {
    let offered = "move 300000 to Some(300000) leg 0 of 1";
    let failed = [
        (0, 0, Input::Sent),
        (1, 0, Input::Failed),
        (2, 0, Input::Sent),
        (3, 0, Input::Failed),
    ];
    check(
        OnError::Retry(1),
        300_000,
        &failed,
        &[offered, offered, "handoff DeviceFailed"],
    );
    check(
        OnError::Skip,
        300_000,
        &failed,
        &[offered, "step Skipped", "call Skipped", "finished Skipped"],
    );
    check(OnError::Stop, 300_000, &failed, &[offered, "stopped"]);
}

#[test]
fn the_digest_is_of_the_calls_and_of_nothing_else() {
    let digest = |distance: i64, pause: u64| {
        let program = move_right(distance, OnError::Handoff);
        let mut follower = Follower::new(&program, &[]).expect("a good program");
        let mut found = None;
        for (now, x, input) in [
            (0, 0, Input::Tick),
            (pause, 0, Input::Sent),
            (pause * 2, 0, Input::Acknowledged),
            (pause * 3, distance, FINISHED),
        ] {
            let readings = at(x);
            let world = World {
                program: &program,
                readings: &readings,
            };
            while let Some(output) = follower.poll(world) {
                found = if let Output::Finished { digest, .. } = output {
                    Some(digest)
                } else {
                    found
                };
            }
            follower.handle(world, now, input);
            while let Some(output) = follower.poll(world) {
                found = if let Output::Finished { digest, observed } = output {
                    assert_eq!(observed, Observed::Met);
                    Some(digest)
                } else {
                    found
                };
            }
        }
        found.expect("it finishes")
    };
    assert_eq!(digest(300_000, 1), digest(300_000, 97));
    assert_ne!(digest(300_000, 1), digest(300_001, 1));
}

#[test]
fn a_command_is_offered_once_more_when_the_device_is_back() {
    check(
        OnError::Handoff,
        300_000,
        &[
            (0, 0, Input::Again),
            (1, 0, Input::Sent),
            (2, 0, Input::Again),
            (3, 0, Input::Sent),
            (4, 0, Input::Acknowledged),
            (5, 0, Input::Again),
            (6, 0, Input::Sent),
            (7, 0, Input::Acknowledged),
            (8, 300_000, FINISHED),
            (9, 300_000, Input::Again),
        ],
        &[
            "move 300000 to Some(300000) leg 0 of 1",
            "move 300000 to Some(300000) leg 0 of 1",
            "move 300000 to Some(300000) leg 0 of 1",
            "move 300000 to Some(300000) leg 0 of 1",
            "step Met",
            "call Met",
            "finished Met",
        ],
    );
}

#[test]
fn another_follower_goes_on_from_a_command_that_was_sent() {
    let program = move_right(1_000_001, OnError::Handoff);
    let kept = Follower::new(&program, &[])
        .expect("a good program")
        .checkpoint()
        .clone();
    let resumed = |leg| Follower::resume_sent(&program, kept.clone(), &at(0), leg, 0);
    let ended = |leg: u16, x: i64| {
        let mut follower = resumed(leg).expect("a leg");
        let readings = at(x);
        let world = World {
            program: &program,
            readings: &readings,
        };
        let seen = (follower.shows_effect(world), follower.is_untouched(world));
        follower.handle(world, 1, FINISHED);
        let next = follower.poll(world).map(|output| match output {
            Output::Command(offer) => format!("leg {}", offer.leg),
            Output::StepDone { observed, .. } => format!("{observed:?}"),
            other => format!("{other:?}"),
        });
        (seen, next)
    };
    let leg = |number: u16| Some(format!("leg {number}"));
    assert_eq!(ended(0, 333_333), ((true, false), leg(1)));
    assert_eq!(ended(1, 666_667), ((true, false), leg(2)));
    assert_eq!(ended(2, 1_000_001), ((true, false), Some("Met".to_owned())));
    // Nothing has happened, or something else has: that is not decided here.
    assert_eq!(ended(0, 0), ((false, true), None));
    assert_eq!(ended(1, 0), ((false, false), None));
    assert_eq!(ended(0, 100_000), ((false, false), None));
    assert!(resumed(3).is_err(), "there is no such leg");
    let nowhere = Readings::default();
    assert!(Follower::resume_sent(&program, kept.clone(), &nowhere, 0, 0).is_err());
    let behind = llmos_follower::Checkpoint { step: 1, ..kept };
    assert!(Follower::resume_sent(&program, behind, &at(0), 0, 0).is_err());
}

/// A step that goes to a point in legs of half a metre.
fn go_to(point: Point) -> Program {
    let mut program = move_right(0, OnError::Handoff);
    program.code.clear();
    for op in [Op::Const(Value::Point(point)), Op::Argument(0)] {
        program.code.push(op).expect("room");
    }
    let (whole, argument) = (Range { start: 0, len: 1 }, Range { start: 1, len: 1 });
    let to = Symbol::of("to");
    for arguments in [&mut program.calls[0].arguments, &mut program.steps[0].arguments] {
        arguments.clear();
        arguments.push((to, whole)).expect("room");
    }
    program.calls[0].ensure = Range::default();
    let step = &mut program.steps[0];
    (step.target, step.split) = (argument, Split::Toward(0));
    (step.ensure, step.require) = (Range::default(), Range::default());
    program
}

fn place(at: Point) -> Readings {
    let mut readings = Readings::default();
    let position = Reading {
        device: ARM,
        owner: Symbol::NONE,
        field: POSITION,
        value: Value::Point(at),
    };
    readings.replace(ARM, [position]).expect("room");
    readings
}

/// Goes along with every offer, after a detour where one is offered first; returns the offers and the last output.
fn led(program: &Program, from: Point, route: Option<Route>) -> (Vec<Offer>, Output) {
    let mut follower = Follower::new(program, &[]).expect("a good program");
    let (mut readings, mut offers, mut now) = (place(from), Vec::new(), 0);
    follower.handle(
        World {
            program,
            readings: &readings,
        },
        now,
        Input::Tick,
    );
    let mut route = route;
    while let Some(output) = follower.poll(World {
        program,
        readings: &readings,
    }) {
        now += 100;
        let inputs = match (output, route.take()) {
            (Output::Command(_), Some(route)) => vec![Input::Detour(route)],
            (Output::Command(offer), None) => {
                readings = place(offer.target.expect("it moves"));
                offers.push(offer);
                vec![Input::Sent, Input::Acknowledged, FINISHED]
            }
            (Output::StepDone { .. } | Output::CallDone { .. }, _) => Vec::new(),
            (last, _) => return (offers, last),
        };
        for input in inputs {
            follower.handle(
                World {
                    program,
                    readings: &readings,
                },
                now,
                input,
            );
        }
    }
    panic!("the run does not end");
}

#[test]
fn a_way_is_led_around_in_legs_to_the_same_end() {
    let end = [1_000_000, 0, 0];
    let program = go_to(end);
    let (straight, last) = led(&program, [0; 3], None);
    assert!(matches!(last, Output::Finished { .. }), "{last:?}");
    let targets = |offers: &[Offer]| {
        offers
            .iter()
            .map(|offer| offer.target.expect("it moves"))
            .collect::<Vec<_>>()
    };
    assert_eq!(targets(&straight), [[500_000, 0, 0], end]);
    assert_eq!(
        straight.iter().map(|offer| offer.end).collect::<Vec<_>>(),
        [Some(end); 2]
    );
    let starts: Vec<_> = straight.iter().map(|offer| offer.start.expect("it moves")).collect();
    assert_eq!(starts, [[0; 3], [500_000, 0, 0]]);

    let route = Route::of(&[[0, 700_000, 0], [1_000_000, 700_000, 0]]).expect("two points");
    let (around, last) = led(&program, [0; 3], Some(route));
    let expected = [
        [0, 350_000, 0],
        [0, 700_000, 0],
        [500_000, 700_000, 0],
        [1_000_000, 700_000, 0],
        [1_000_000, 350_000, 0],
        end,
    ];
    assert_eq!(targets(&around), expected);
    for (index, offer) in around.iter().enumerate() {
        assert_eq!((usize::from(offer.leg), offer.legs), (index, 6));
        assert_eq!(offer.arguments[0].1, Value::Point(expected[index]));
        assert_eq!(offer.start, Some(if index == 0 { [0; 3] } else { expected[index - 1] }));
        assert_eq!(offer.end, None, "no way is led around twice");
    }
    let digest = |program: &Program, route| match led(program, [0; 3], route).1 {
        Output::Finished { digest, .. } => digest,
        other => panic!("{other:?}"),
    };
    assert!(matches!(last, Output::Finished { .. }), "{last:?}");
    assert_eq!(digest(&program, None), digest(&program, Some(route)));
}

#[test]
fn a_way_that_may_not_be_led_around_is_refused() {
    let route = Route::of(&[[0, 700_000, 0]]).expect("one point");
    let refused = |program: &Program, route| {
        let (offers, last) = led(program, [0; 3], Some(route));
        assert!(offers.is_empty());
        assert!(
            matches!(
                last,
                Output::Handoff {
                    why: Handoff::Refused,
                    ..
                }
            ),
            "{last:?}"
        );
    };
    refused(&move_right(1_000_000, OnError::Handoff), route);
    refused(&go_to([1_000_000, 0, 0]), Route::default());
}
