//! What steps can do beyond a command: compensate, wait, keep results, depend on each other, begin only where the world is right, and go
//! on after an interruption.

mod support;

use llmos_follower::checkpoint::CHECKPOINT_BYTES_MAX;
use llmos_follower::{
    Checkpoint, Digest, Follower, Handoff, Input, Kind, MICRO, Observed, OnError, Op, Output, Program, Progress, Range,
    Reject, Step, Symbol, Value, World,
};
use support::{ARM, Answer, PUMP, Rehearsal, Sketch, before, everything, number, reading};

fn check(program: &Program, fields: &[(&str, i64)], answers: &[Answer], expected: &[&str]) {
    let mut rehearsal = Rehearsal::new(program, fields);
    let mut answers = answers.iter();
    rehearsal.follow(&[], |_| answers.next().copied().unwrap_or(Answer::Done));
    assert_eq!(rehearsal.said, expected);
}

/// Opens the valve, then sets the flow; where that fails, `undo` closes both.
fn watering(undo: OnError) -> Program {
    let mut sketch = Sketch::default();
    sketch.call("flow", &[number(5)]);
    sketch.set("valve", &[number(1)], OnError::Handoff);
    sketch.set("flow", &[number(5)], OnError::Compensate(Range { start: 2, len: 2 }));
    sketch.set("flow", &[number(0)], undo);
    sketch.set("valve", &[number(0)], OnError::Handoff);
    sketch.0.compensating = 2;
    sketch.0
}

#[test]
fn a_failed_step_is_compensated_and_then_handed_off() {
    use Answer::{Done, Failed, Lost, Refused};
    let begin = ["valve = 1", "step 0 Met", "flow = 5"];
    let fails = |undo: OnError, answers: &[Answer], expected: &[&str]| {
        let expected: Vec<&str> = begin.iter().chain(expected).copied().collect();
        check(&watering(undo), &[], answers, &expected);
    };
    let undone = ["flow = 0", "step 2 Met", "valve = 0", "step 3 Met"];
    let with = |last: &'static str| -> Vec<&str> { undone.into_iter().chain([last]).collect() };
    fails(
        OnError::Handoff,
        &[Done, Failed],
        &with("handoff 1 DeviceFailed, compensation Done"),
    );
    // What the gate refuses is compensated as well: the valve is open.
    fails(
        OnError::Handoff,
        &[Done, Refused],
        &with("handoff 1 Refused, compensation Done"),
    );
    fails(OnError::Handoff, &[Done, Lost], &["handoff 1 Lost, compensation None"]);
    fails(
        OnError::Retry(1),
        &[Done, Failed, Failed],
        &[
            "flow = 0",
            "flow = 0",
            "step 2 Met",
            "valve = 0",
            "step 3 Met",
            "handoff 1 DeviceFailed, compensation Done",
        ],
    );
    fails(
        OnError::Skip,
        &[Done, Failed, Failed],
        &[
            "flow = 0",
            "step 2 Skipped",
            "valve = 0",
            "step 3 Met",
            "handoff 1 DeviceFailed, compensation Done",
        ],
    );
    // The gate judges what compensates like any other command.
    fails(
        OnError::Retry(9),
        &[Done, Failed, Refused],
        &[
            "flow = 0",
            "handoff 1 DeviceFailed, compensation Failed { step: 2, why: Refused }",
        ],
    );
    fails(
        OnError::Handoff,
        &[Done, Failed, Done, Lost],
        &[
            "flow = 0",
            "step 2 Met",
            "valve = 0",
            "handoff 1 DeviceFailed, compensation Failed { step: 3, why: Lost }",
        ],
    );
    check(
        &watering(OnError::Handoff),
        &[],
        &[],
        &[
            "valve = 1",
            "step 0 Met",
            "flow = 5",
            "step 1 Met",
            "call 0 Met",
            "finished Met",
        ],
    );
}

#[test]
fn a_call_that_does_not_keep_its_promise_is_compensated() {
    let mut program = watering(OnError::Handoff);
    let mut sketch = Sketch(program.clone());
    let promise = sketch.code(&[reading("level"), number(9), Op::Eq]);
    program = sketch.0;
    program.calls[0].ensure = promise;
    check(
        &program,
        &[("level", 1)],
        &[],
        &[
            "valve = 1",
            "step 0 Met",
            "flow = 5",
            "flow = 0",
            "step 2 Met",
            "valve = 0",
            "step 3 Met",
            "handoff 1 Postcondition, compensation Done",
        ],
    );
}

fn waiting(kind: impl Fn(&mut Sketch) -> (Kind, Range)) -> Program {
    let mut sketch = Sketch::default();
    sketch.call("time", &[number(1)]);
    let (kind, ensure) = kind(&mut sketch);
    sketch.step(Step {
        tool: Symbol::of("wait"),
        kind,
        ensure,
        ..Step::default()
    });
    sketch.set("valve", &[number(1)], OnError::Handoff);
    sketch.0
}

/// When the valve's command was offered, and what was said.
fn waited(program: &Program, level_rises_at: u64) -> (Option<u64>, Vec<String>) {
    let mut rehearsal = Rehearsal::new(program, &[("level", 0)]);
    let follower = Follower::new(program, &[]).expect("a good program");
    let now = std::cell::Cell::new(0);
    let mut offered = None;
    rehearsal.go_on(
        follower,
        |_| {
            offered = Some(now.get());
            Answer::Done
        },
        |at, world| {
            now.set(at);
            if at == level_rises_at {
                world.report(Symbol::of("level"), Value::Number(MICRO));
            }
        },
    );
    (offered, rehearsal.said)
}

#[test]
fn a_pause_lasts_as_long_as_it_says_and_sends_nothing() {
    let pause = |micros: i64| {
        waiting(move |sketch| {
            let duration = sketch.code(&[Op::Const(Value::Number(micros))]);
            (Kind::Pause(duration), Range::EMPTY)
        })
    };
    let said = ["step 0 Read", "valve = 1", "step 1 Met", "call 0 Met", "finished Met"];
    // Nothing was known of the time before the first tick, at 10 ms; rounded up, 500.001 ms are 501 ms.
    assert_eq!(
        waited(&pause(500_000), 0),
        (Some(510), said.map(str::to_owned).to_vec())
    );
    assert_eq!(waited(&pause(500_001), 0).0, Some(520));
    assert_eq!(waited(&pause(0), 0).0, Some(10));
    // Longer than the timeout, and before now.
    for wrong in [1_000_001, -1, i64::MAX] {
        let expected = vec!["handoff 0 Program, compensation None".to_owned()];
        assert_eq!(waited(&pause(wrong), 0), (None, expected));
    }
}

#[test]
fn a_wait_ends_with_its_condition_or_with_its_time() {
    let program = waiting(|sketch| (Kind::Until, sketch.code(&[reading("level"), number(1), Op::AtLeast])));
    assert_eq!(waited(&program, 700).0, Some(700));
    let (offered, said) = waited(&program, 5_000);
    assert_eq!(
        (offered, said),
        (None, vec!["handoff 0 Timeout, compensation None".to_owned()])
    );
    check(
        &program,
        &[("level", 1)],
        &[],
        &["step 0 Met", "valve = 1", "step 1 Met", "call 0 Met", "finished Met"],
    );
}

#[test]
fn a_kept_result_outlives_the_state_it_was_computed_from() {
    let mut sketch = Sketch::default();
    sketch.call("level", &[number(7)]);
    let rise = sketch.code(&[reading("level"), before("level"), Op::Sub]);
    sketch.set("level", &[number(7)], OnError::Handoff).keep = Some((1, rise));
    sketch.set("level", &[number(0)], OnError::Handoff);
    sketch.set("flow", &[Op::Result(1), number(1), Op::Add], OnError::Handoff);
    check(
        &sketch.0,
        &[("level", 3)],
        &[],
        &[
            "level = 7",
            "step 0 Met",
            "level = 0",
            "step 1 Met",
            "flow = 5",
            "step 2 Met",
            "call 0 Met",
            "finished Met",
        ],
    );
    // Half a call is no call: what is left of it is skipped with the step.
    sketch.0.steps[0].on_error = OnError::Skip;
    check(
        &sketch.0,
        &[("level", 3)],
        &[Answer::Failed],
        &[
            "level = 7",
            "step 0 Skipped",
            "step 1 Skipped",
            "step 2 Skipped",
            "call 0 Skipped",
            "finished Skipped",
        ],
    );
    // A skipped step keeps nothing, and nothing can be made of that.
    sketch.call("flow", &[number(1)]);
    sketch.0.steps[1].call = 1;
    sketch.0.steps[2].call = 1;
    check(
        &sketch.0,
        &[("level", 3)],
        &[Answer::Failed],
        &[
            "level = 7",
            "step 0 Skipped",
            "call 0 Skipped",
            "level = 0",
            "step 1 Met",
            "handoff 2 Missing, compensation None",
        ],
    );
    let readings = llmos_follower::Readings::default();
    let unset = llmos_follower::evaluate(
        &sketch.0,
        sketch.0.steps[2].arguments[0].1,
        &llmos_follower::Scope::of(ARM, &readings),
    );
    assert_eq!(unset, Err(Reject::UnsetResult));
}

#[test]
fn a_call_that_does_not_end_well_leaves_no_trace_in_the_checkpoint() {
    let mut sketch = Sketch::default();
    sketch.call("flow", &[number(1)]);
    sketch.set("flow", &[number(1)], OnError::Handoff);
    let promised = sketch.code(&[reading("level"), number(9), Op::Eq]);
    sketch.call("level", &[number(1)]).ensure = promised;
    let level = sketch.code(&[reading("level")]);
    sketch.set("level", &[number(1)], OnError::Handoff).keep = Some((1, level));
    let program = sketch.0;
    let mut rehearsal = Rehearsal::new(&program, &[("flow", 1), ("level", 1)]);
    let mut follower = Follower::new(&program, &[]).expect("a good program");
    let (mut offered, mut kept, mut last) = (0, follower.checkpoint().clone(), None);
    for _ in 0..10 {
        let world = World {
            program: &program,
            readings: &rehearsal.readings,
        };
        while let Some(output) = follower.poll(world) {
            if let Output::Command(_) = output {
                offered += 1;
                kept = follower.checkpoint().clone();
            }
            last = Some(output);
        }
        rehearsal.now += 10;
        for input in [Input::Sent, Input::Acknowledged, Input::State(Progress::Finished)] {
            follower.handle(world, rehearsal.now, input);
        }
    }
    let why = match last {
        Some(Output::Handoff { why, .. }) => Some(why),
        _ => None,
    };
    assert_eq!((offered, why), (2, Some(Handoff::Postcondition)));
    assert_eq!((kept.step, kept.observed[0]), (1, Some(Observed::Met)));
    assert_eq!(follower.checkpoint(), &kept);
}

#[test]
fn nothing_begins_in_another_start_state() {
    let mut sketch = Sketch::default();
    let dry = sketch.code(&[reading("level"), number(0), Op::Eq]);
    sketch.0.start.push((ARM, dry)).expect("room");
    sketch.call("valve", &[number(1)]);
    sketch.set("valve", &[number(1)], OnError::Skip);
    let begun = ["valve = 1", "step 0 Met", "call 0 Met", "finished Met"];
    check(&sketch.0, &[("level", 0)], &[], &begun);
    check(
        &sketch.0,
        &[("level", 1)],
        &[],
        &["handoff 0 StartState, compensation None"],
    );
    check(&sketch.0, &[], &[], &["handoff 0 Missing, compensation None"]);
    // Each condition is about its own device.
    sketch.0.start[0].0 = PUMP;
    check(
        &sketch.0,
        &[("level", 0)],
        &[],
        &["handoff 0 Missing, compensation None"],
    );
}

/// Four calls; the second may be skipped, the third depends on it, the fourth on the third or on nothing.
fn chain(fourth: u32) -> Program {
    let mut sketch = Sketch::default();
    for (value, depends_on) in [(1, 0), (2, 0), (3, 0b10), (4, fourth)] {
        sketch.call("level", &[number(value)]).depends_on = depends_on;
        sketch.set("level", &[number(value)], OnError::Skip);
    }
    sketch.0
}

#[test]
fn what_depends_on_a_skipped_call_is_skipped_and_says_so() {
    let begin = ["level = 1", "step 0 Met", "call 0 Met", "level = 2"];
    let skipped = |program: &Program, expected: &[&str]| {
        let expected: Vec<&str> = begin.iter().chain(expected).copied().collect();
        check(program, &[], &[Answer::Done, Answer::Failed], &expected);
    };
    let second_and_third = ["step 1 Skipped", "call 1 Skipped", "step 2 Skipped", "call 2 Skipped"];
    let end = ["step 3 Skipped", "call 3 Skipped", "finished Skipped"];
    skipped(&chain(0b100), &[second_and_third.as_slice(), &end].concat());
    let end = ["level = 4", "step 3 Met", "call 3 Met", "finished Skipped"];
    skipped(&chain(0b001), &[second_and_third.as_slice(), &end].concat());
    // A call whose own promise holds was not skipped, whatever its steps were.
    let mut sketch = Sketch(chain(0));
    let promise = sketch.code(&[reading("level"), number(1), Op::Eq]);
    sketch.0.calls[1].ensure = promise;
    let end = ["step 1 Skipped", "call 1 Met", "level = 3", "step 2 Met", "call 2 Met"];
    let more = ["level = 4", "step 3 Met", "call 3 Met", "finished Met"];
    skipped(&sketch.0, &[end.as_slice(), &more].concat());
}

/// Follows everything there is from a checkpoint; the flow never works, and the level rises half a second after the pause,
/// or after the beginning.
fn follow_everything(program: &Program, from: Option<(Checkpoint, llmos_follower::Readings)>) -> Rehearsal<'_> {
    let mut rehearsal = Rehearsal::new(program, &[("valve", 0), ("level", 4)]);
    let follower = match from {
        None => Follower::new(program, &[Value::Number(MICRO)]),
        Some((checkpoint, readings)) => {
            rehearsal.readings = readings;
            Follower::resume(program, checkpoint)
        }
    };
    let answer = |offer: &llmos_follower::Offer| {
        if offer.arguments[0].0 == Symbol::of("flow") {
            Answer::Failed
        } else {
            Answer::Done
        }
    };
    rehearsal.go_on(follower.expect("a good program"), answer, |now, world| {
        let paused = world.said.last().is_none_or(|said| said == "step 1 Read");
        if paused && now % 500 == 0 {
            world.report(Symbol::of("level"), Value::Number(8 * MICRO));
        }
    });
    rehearsal
}

#[test]
fn a_run_that_goes_on_ends_like_one_that_was_never_interrupted() {
    let program = everything();
    let whole = follow_everything(&program, None);
    let last = |said: &[String]| said.last().cloned();
    assert_eq!(
        last(&whole.said).as_deref(),
        Some("finished Skipped"),
        "{:?}",
        whole.said
    );
    assert_eq!(whole.checkpoints.len(), program.main().len());
    let digest = |run: &Rehearsal<'_>| run.checkpoints.last().map(|(kept, _)| kept.digest);
    for (k, (kept, readings)) in whole.checkpoints.iter().enumerate() {
        assert_eq!(usize::from(kept.step), k + 1, "one checkpoint a step");
        let mut buffer = [0; CHECKPOINT_BYTES_MAX];
        let bytes = postcard::to_slice(kept, &mut buffer).expect("room");
        let kept: Checkpoint = postcard::from_bytes(bytes).expect("what was written");
        let resumed = follow_everything(&program, Some((kept.clone(), readings.clone())));
        assert_eq!(last(&resumed.said), last(&whole.said), "from step {k}");
        let end = digest(&resumed).unwrap_or(kept.digest);
        assert_eq!(Some(end), digest(&whole), "from step {k}");
        let after = whole
            .said
            .iter()
            .position(|said| said.starts_with(&format!("step {k} ")))
            .expect("said");
        let rest = whole.said[after + 1..].iter().filter(|said| !said.starts_with("call"));
        let said = resumed.said.iter().filter(|said| !said.starts_with("call"));
        assert!(rest.eq(said), "from step {k}: {:?}", resumed.said);
    }
    // The digest is of what was done: another slot, another digest.
    let mut other = Rehearsal::new(&program, &[("valve", 0), ("level", 4)]);
    let follower = Follower::new(&program, &[Value::Number(2 * MICRO)]).expect("a good program");
    other.go_on(
        follower,
        |_| Answer::Done,
        |_, world| world.report(Symbol::of("level"), Value::Number(8 * MICRO)),
    );
    assert_ne!(digest(&other), digest(&whole));
}

#[test]
fn a_checkpoint_that_does_not_fit_is_refused() {
    let program = everything();
    let fits = Checkpoint {
        slots: [Value::Bool(true)].into_iter().collect(),
        ..Checkpoint::default()
    };
    assert!(Follower::resume(&program, fits.clone()).is_ok());
    let behind = Checkpoint { step: 8, ..fits };
    assert_eq!(Follower::resume(&program, behind).err(), Some(Reject::OutOfRange));
    let unbound = Checkpoint::default();
    assert_eq!(Follower::resume(&program, unbound).err(), Some(Reject::UnboundSlot));
}

#[test]
fn the_largest_checkpoint_is_as_large_as_we_say() {
    let long = Value::Point([i64::MIN; 3]);
    let mut digest = Digest::default();
    while digest.finish() >> 63 == 0 {
        digest.write(&[1]);
    }
    let checkpoint = Checkpoint {
        step: u8::MAX,
        slots: [long; 8].into_iter().collect(),
        results: [Some(long); 4],
        observed: [Some(Observed::Unverified); 24],
        skipped: u32::MAX,
        digest,
    };
    let mut buffer = [0; 2 * CHECKPOINT_BYTES_MAX];
    let used = postcard::to_slice(&checkpoint, &mut buffer).expect("room").len();
    assert_eq!(used, CHECKPOINT_BYTES_MAX);
}

#[test]
fn programs_that_leave_themselves_or_go_round_are_refused() {
    let refused = |expected: Reject, broken: &dyn Fn(&mut Program)| {
        let mut program = everything();
        assert_eq!(program.check(), Ok(()));
        broken(&mut program);
        assert_eq!(program.check(), Err(expected));
        assert_eq!(Follower::new(&program, &[Value::Bool(true)]).err(), Some(expected));
    };
    let far = Range { start: 500, len: 13 };
    let main = 7;
    refused(Reject::OutOfRange, &|program| program.slots = 9);
    refused(Reject::OutOfRange, &|program| program.slots = 0);
    refused(Reject::OutOfRange, &|program| program.compensating = 9);
    refused(Reject::OutOfRange, &|program| program.code[0] = Op::Result(4));
    refused(Reject::OutOfRange, &|program| program.code[0] = Op::Argument(6));
    refused(Reject::OutOfRange, &|program| {
        program.code[0] = Op::Map(Range { start: 0, len: 1 });
    });
    refused(Reject::OutOfRange, &|program| program.start[0].1 = far);
    refused(Reject::OutOfRange, &|program| program.calls[1].ensure = far);
    refused(Reject::OutOfRange, &|program| program.calls[1].arguments[0].1 = far);
    refused(Reject::OutOfRange, &|program| program.steps[0].require = far);
    refused(Reject::OutOfRange, &|program| program.steps[0].target = far);
    refused(Reject::OutOfRange, &|program| {
        program.steps[0].keep = Some((4, Range::EMPTY));
    });
    refused(Reject::OutOfRange, &|program| program.steps[0].keep = Some((0, far)));
    refused(Reject::OutOfRange, &|program| program.steps[1].kind = Kind::Pause(far));
    refused(Reject::OutOfRange, &|program| program.steps[6].call = 4);
    refused(Reject::OutOfRange, &|program| {
        program.steps[0].split = llmos_follower::Split::Along(1);
    });
    let jumps_to = |start: u16, len: u16| {
        move |program: &mut Program| program.steps[6].on_error = OnError::Compensate(Range { start, len })
    };
    // Beyond the end, and back into what has been done.
    refused(Reject::OutOfRange, &jumps_to(main, 2));
    refused(Reject::OutOfRange, &jumps_to(main - 1, 1));
    refused(Reject::Order, &jumps_to(main, 0));
    refused(Reject::Order, &|program| program.calls[2].depends_on = 0b100);
    refused(Reject::Order, &|program| program.calls[2].depends_on = 0b1000);
    refused(Reject::Order, &|program| program.calls[2].depends_on = 1 << 31);
    refused(Reject::Order, &|program| program.steps[3].call = 2);
    refused(Reject::Order, &|program| program.steps.swap(0, 3));
    refused(Reject::OutOfRange, &|program| program.compensating = 0);
    refused(Reject::Order, &|program| program.compensating = 2);
    // What compensates acts for the call that failed, keeps nothing, and neither stops nor is compensated itself.
    refused(Reject::Order, &|program| program.steps[7].call = 2);
    refused(Reject::Order, &|program| {
        program.steps[7].keep = Some((0, Range::EMPTY));
    });
    refused(Reject::Order, &|program| program.steps[7].on_error = OnError::Stop);
    refused(Reject::Order, &|program| {
        program.steps[7].on_error = OnError::Compensate(Range { start: main, len: 1 });
    });
}

#[test]
fn a_program_is_for_one_device_or_for_several() {
    let mut program = everything();
    assert!(program.is_for(ARM) && !program.is_for(PUMP));
    program.steps[7].device = PUMP;
    assert!(!program.is_for(ARM) && !program.is_for(PUMP));
    let mut started = everything();
    started.start[0].0 = PUMP;
    assert!(!started.is_for(ARM));
}
