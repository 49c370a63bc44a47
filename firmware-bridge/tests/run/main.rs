//! A device that runs programs by itself: every way in which a run ends, and what it must never do.

mod bench;

use bench::{ARM, Bench, HOME, LEASE_MS, SESSION, Sketch, bytes, cm, crc, errand};
use llmos_firmware_bridge::device::{Failure, Input, OnHostLoss, Outcome, Output, Refusal, RunCommand};
use llmos_firmware_bridge::sim::Xorshift;
use llmos_follower::{Compensation, Handoff, Observed, OnError, Op, Output as Followed, Program, Rate, Symbol, Value};

const DIRECTION: Symbol = Symbol::of("direction");
const DISTANCE: Symbol = Symbol::of("distance");

fn handoff(why: Handoff) -> Outcome {
    Outcome::Handoff {
        why,
        compensation: Compensation::None,
    }
}

fn far(bench: &Bench) -> i64 {
    bench.trail.iter().map(|at| at[0]).max().unwrap_or(0)
}

/// Runs a program on the device, and lets a host follow it on another; both must end alike.
fn check_like_a_host(program: &Program, slots: &[Value], faults: &str) -> Outcome {
    let bytes = Some(bytes(program));
    let mut host = Bench::with(bytes.clone(), faults, |_| {});
    let expected = match host.follow_as_a_host(program, slots) {
        Followed::Finished { observed, digest } => Outcome::Finished { observed, digest },
        Followed::Handoff { why, compensation, .. } => Outcome::Handoff { why, compensation },
        Followed::Stopped { .. } => Outcome::Stopped,
        other => panic!("no end: {other:?}"),
    };
    let mut device = Bench::with(bytes, faults, |_| {});
    assert_eq!(device.run(slots), Ok(()));
    let report = device.finish();
    assert_eq!(report.outcome, expected);
    assert_eq!(device.position(), host.position());
    assert_eq!(report.commands, host.begun, "as many commands");
    expected
}

#[test]
fn a_device_does_what_a_host_would_have_done() {
    let finished = check_like_a_host(&errand(), &[cm(100)], "");
    let Outcome::Finished { observed, digest } = finished else {
        panic!("{finished:?}")
    };
    assert_eq!(observed, Observed::Met);
    let other = check_like_a_host(&errand(), &[cm(99)], "");
    assert!(
        matches!(other, Outcome::Finished { digest: d, .. } if d != digest),
        "another slot, another digest"
    );
    // An axis that stalls once is tried again; one that always does ends the run.
    assert!(matches!(
        check_like_a_host(&errand(), &[cm(30)], "stall@1"),
        Outcome::Finished { .. }
    ));
    assert_eq!(
        check_like_a_host(&errand(), &[cm(30)], "stall"),
        handoff(Handoff::DeviceFailed)
    );
    // A start condition that does not hold ends the run before it begins.
    let mut sketch = Sketch::default();
    sketch.set("gripper", "closed");
    sketch.0.start.push((ARM, sketch.0.steps[0].ensure)).expect("room");
    sketch.0.code[1] = Op::Const(Value::Symbol(Symbol::of("closed")));
    sketch.0.start[0].1 = sketch.code(&[Op::Const(Value::Bool(false))]);
    assert_eq!(check_like_a_host(&sketch.0, &[], ""), handoff(Handoff::StartState));
}

#[test]
fn what_fails_is_skipped_compensated_or_stopped_as_on_the_host() {
    let mut skipping = Sketch::default();
    skipping.move_along("right", Op::Const(cm(30))).on_error = OnError::Skip;
    skipping.set("tool", "on");
    let skipped = check_like_a_host(&skipping.0, &[], "stall@1");
    assert!(
        matches!(
            skipped,
            Outcome::Finished {
                observed: Observed::Skipped,
                ..
            }
        ),
        "{skipped:?}"
    );

    let mut undoing = Sketch::default();
    undoing.set("tool", "on");
    undoing.move_along("right", Op::Const(cm(30)));
    undoing.set("gripper", "closed");
    undoing.compensate(1);
    let undone = Outcome::Handoff {
        why: Handoff::DeviceFailed,
        compensation: Compensation::Done,
    };
    assert_eq!(check_like_a_host(&undoing.0, &[], "stall@1"), undone);

    let mut stopping = Sketch::default();
    stopping.move_along("right", Op::Const(cm(30))).on_error = OnError::Stop;
    assert_eq!(check_like_a_host(&stopping.0, &[], "stall@1"), Outcome::Stopped);
}

#[test]
fn what_a_program_asks_for_and_the_device_does_not_have_fails() {
    let mut sketch = Sketch::default();
    sketch.set("tool", "on");
    sketch.set("laser", "on").on_error = OnError::Retry(2);
    assert_eq!(check_like_a_host(&sketch.0, &[], ""), handoff(Handoff::DeviceFailed));
}

#[test]
fn a_report_is_kept_until_a_host_has_it() {
    let mut bench = Bench::new(&errand());
    assert_eq!(bench.run(&[cm(20)]), Ok(()));
    let run = bench.device.running().expect("it runs");
    let report = bench.finish();
    assert_eq!((report.run, report.session, report.step), (run, SESSION, 5));
    assert_eq!(report.crc, crc(&bytes(&errand())));
    assert!(report.ms > 1_000 && report.commands == 4, "{report:?}");
    assert_eq!(
        (bench.device.status().done, bench.device.status().busy),
        (bench.seq, false)
    );
    assert_eq!(bench.run(&[cm(20)]), Err(Refusal::ReportWaiting));
    // Of another run, by a stranger, or kept by the broker: no.
    let forget = |session, run, retained| Input::Forget { session, run, retained };
    for input in [
        forget(SESSION, run + 1, false),
        forget(SESSION + 1, run, false),
        forget(SESSION, run, true),
    ] {
        bench.put(input);
        assert_eq!(bench.device.run_report(), Some(&report));
    }
    // Every host that comes is told.
    bench.host = false;
    bench.pass_ms(1_000);
    bench.lease(SESSION + 1);
    assert!(
        matches!(bench.said[..], [Output::Lease { granted: true, .. }, Output::Run, ..]),
        "{:?}",
        bench.said
    );
    bench.lease(SESSION);
    assert!(!bench.said.contains(&Output::Run), "who does not hold it is not told");
    bench.pass_ms(1_000);
    bench.lease(SESSION);
    assert!(bench.said.contains(&Output::Run));
    bench.put(forget(SESSION, run, false));
    assert_eq!(bench.device.run_report(), None);
    bench.pass_ms(1_000);
    bench.lease(SESSION);
    assert!(!bench.said.contains(&Output::Run), "nothing is left to tell");
    // The gripper is closed now.
    bench.host = true;
    assert_eq!(bench.run(&[cm(20)]), Ok(()));
    assert_eq!(bench.finish().outcome, handoff(Handoff::StartState));
    assert_eq!(bench.device.status().failed, Some((bench.seq, Failure::Program)));
}

#[test]
fn a_host_that_goes_away_is_waited_for_as_long_as_its_lease() {
    let mut bench = Bench::new(&errand());
    assert_eq!(bench.run(&[cm(100)]), Ok(()));
    bench.pass_ms(700);
    let then = bench.now;
    bench.host = false;
    bench.pass_ms(u64::from(LEASE_MS) + 20);
    let report = *bench.device.run_report().expect("it has ended");
    assert_eq!((report.outcome, report.step), (Outcome::HostLost, 0));
    assert!(u64::from(report.ms) <= then + u64::from(LEASE_MS), "{report:?}");
    let stood = bench.position();
    bench.pass_ms(2_000);
    assert_eq!(bench.position(), stood, "nothing moves any more");
    assert!(far(&bench) < HOME[0] + 1_000_000, "it did not come to the end");
    assert_eq!(bench.device.status().failed, Some((bench.seq, Failure::LeaseLost)));
}

#[test]
fn a_run_that_is_to_be_finished_needs_no_host() {
    let mut with_host = Bench::new(&errand());
    assert_eq!(with_host.run(&[cm(100)]), Ok(()));
    let expected = with_host.finish().outcome;
    for lost in [Input::Tick, Input::Disconnected, give_back()] {
        let mut bench = Bench::new(&errand());
        let finish = |run: &mut RunCommand<'_>| run.on_host_loss = OnHostLoss::Finish;
        assert_eq!(bench.run_as(finish, &[cm(100)]), Ok(()));
        bench.pass_ms(300);
        bench.host = false;
        bench.put(lost);
        bench.pass_ms(1_000);
        assert!(bench.device.running().is_some(), "{lost:?}: it goes on");
        // A host that comes in the meantime can look, and can stop it.
        bench.lease(SESSION + 1);
        assert!(bench.device.status().busy);
        let report = bench.finish();
        assert_eq!(report.outcome, expected, "{lost:?}");
        assert_eq!(far(&bench), HOME[0] + 1_000_000);
        bench.lease(SESSION + 2);
        assert!(bench.said.contains(&Output::Run), "{lost:?}: the next host is told");
    }
}

const fn give_back() -> Input<'static> {
    Input::Lease {
        session: SESSION,
        ttl_ms: 0,
        retained: false,
    }
}

#[test]
fn without_its_owners_word_a_device_does_not_go_on_alone() {
    let mut bench = Bench::new(&errand());
    bench.device.programs().0.alone = false;
    let finish = |run: &mut RunCommand<'_>| run.on_host_loss = OnHostLoss::Finish;
    assert_eq!(bench.run_as(finish, &[cm(10)]), Err(Refusal::NeedsHost));
    assert_eq!(bench.run(&[cm(10)]), Ok(()));
}

#[test]
fn a_stop_ends_a_run_and_stands() {
    for finish in [false, true] {
        let mut bench = Bench::new(&errand());
        let how = |run: &mut RunCommand<'_>| {
            run.on_host_loss = if finish { OnHostLoss::Finish } else { OnHostLoss::Stop };
        };
        assert_eq!(bench.run_as(how, &[cm(100)]), Ok(()));
        bench.pass_ms(300);
        bench.host = !finish;
        bench.put(Input::Stop);
        let stood = bench.position();
        assert!(bench.said.contains(&Output::Run));
        assert_eq!(
            bench.device.run_report().map(|report| report.outcome),
            Some(Outcome::Stopped)
        );
        bench.pass_ms(2_000);
        bench.lease(SESSION);
        assert_eq!(bench.position(), stood);
        assert_eq!(bench.run(&[cm(10)]), Err(Refusal::Latched));
        bench.put(Input::Reset);
        bench.pass_ms(1_000);
        assert_eq!(bench.position(), stood, "a reset begins nothing");
    }
}

#[test]
fn a_way_that_leaves_the_envelope_is_not_begun() {
    // Four legs, of which the last would leave the bounds.
    let mut bench = Bench::new(&errand());
    assert_eq!(bench.run(&[cm(140)]), Ok(()));
    let report = bench.finish();
    assert_eq!((report.outcome, report.commands), (handoff(Handoff::Refused), 0));
    assert_eq!(bench.position(), HOME);
    // In the middle of a program: what was before it is done, and nothing more.
    let mut sketch = Sketch::default();
    sketch.move_along("right", Op::Const(cm(50)));
    sketch.go_to([0, 0, 500_000]);
    sketch.set("tool", "on");
    let mut bench = Bench::new(&sketch.0);
    assert_eq!(bench.run(&[]), Ok(()));
    let report = bench.finish();
    assert_eq!((report.outcome, report.step), (handoff(Handoff::Refused), 1));
    assert_eq!(bench.position(), [1_300_000, 0, 1_200_000]);
}

#[test]
fn a_program_has_no_higher_rate_than_a_host() {
    let mut sketch = Sketch::default();
    for word in ["on", "off", "on", "off"] {
        sketch.set("tool", word);
    }
    let mut bench = Bench::with(Some(bytes(&sketch.0)), "", |bent| {
        bent.envelope.rate_max = Some(Rate {
            commands: 3,
            per_ms: 20_000,
        });
    });
    assert_eq!(bench.run(&[]), Ok(()));
    let report = bench.finish();
    assert!(
        matches!(report.outcome, Outcome::Finished { .. }),
        "{:?}",
        report.outcome
    );
    assert_eq!(report.commands, 4);
    assert!(
        (20_000..21_000).contains(&report.ms),
        "the fourth waits for its turn: {} ms",
        report.ms
    );
}

#[test]
fn nobody_drives_on_from_a_place_that_cannot_be() {
    let mut sketch = Sketch::default();
    sketch.pause(1_000_000);
    sketch.move_along("right", Op::Const(cm(10)));
    for (jump, expected) in [(0, None), (1_000_000, Some(handoff(Handoff::Refused)))] {
        let mut bench = Bench::new(&sketch.0);
        assert_eq!(bench.run(&[]), Ok(()));
        bench.pass_ms(900);
        // A metre in no time: whatever moved it, it was not the arm.
        bench.shift.set(jump);
        bench.pass_ms(10);
        bench.shift.set(0);
        let outcome = bench.finish().outcome;
        match expected {
            Some(expected) => assert_eq!(outcome, expected),
            None => assert!(matches!(outcome, Outcome::Finished { .. }), "{outcome:?}"),
        }
    }
}

#[test]
fn a_plant_need_say_only_once_that_it_is_through() {
    let mut bench = Bench::with(Some(bytes(&errand())), "", |bent| bent.terse = true);
    bench.tick_ms = 1;
    assert_eq!(bench.run(&[cm(10)]), Ok(()));
    let report = bench.finish();
    assert!(matches!(report.outcome, Outcome::Finished { .. }), "{report:?}");
    assert!(report.ms < 2_000, "it waits for nothing that has been said: {report:?}");
}

#[test]
fn one_thing_at_a_time() {
    let mut bench = Bench::new(&errand());
    let right = [(DIRECTION, Value::Symbol(Symbol::of("right"))), (DISTANCE, cm(10))];
    assert_eq!(bench.command(Symbol::of("move"), &right), Ok(()));
    assert_eq!(bench.run(&[cm(10)]), Err(Refusal::Busy));
    bench.pass_ms(1_000);
    assert_eq!(bench.run(&[cm(10)]), Ok(()));
    bench.pass_ms(100);
    assert_eq!(bench.command(Symbol::of("move"), &right), Err(Refusal::Busy));
    assert_eq!(bench.run(&[cm(10)]), Err(Refusal::Busy));
    assert!(matches!(bench.finish().outcome, Outcome::Finished { .. }));
}

#[test]
fn a_run_is_begun_once() {
    let mut bench = Bench::new(&errand());
    let again = |run: &mut RunCommand<'_>| (run.seq, run.id) = (1, 9);
    assert_eq!(bench.run_as(again, &[cm(10)]), Ok(()));
    bench.pass_ms(100);
    assert_eq!(bench.run_as(again, &[cm(10)]), Ok(()), "a resend has the same answer");
    let anew = |run: &mut RunCommand<'_>| run.id = 9;
    assert_eq!(bench.run_as(anew, &[cm(10)]), Ok(()), "under another number as well");
    let report = bench.finish();
    assert_eq!(bench.run_as(anew, &[cm(10)]), Ok(()));
    bench.put(Input::Forget {
        session: SESSION,
        run: 9,
        retained: false,
    });
    assert_eq!(bench.run_as(anew, &[cm(10)]), Ok(()));
    bench.pass_ms(1_000);
    assert_eq!((bench.device.running(), bench.device.run_report()), (None, None));
    assert_eq!(report.commands, 4);
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let good = bytes(&errand());
    let mut flipped = good.clone();
    flipped[20] ^= 1;
    let mut newer = good.clone();
    newer[0] += 1;
    let mut sketch = Sketch::default();
    sketch.set("tool", "on").device = Symbol::of("pump");
    let other_device = bytes(&sketch.0);
    let ten = [cm(10)];
    let none = |_: &mut RunCommand<'_>| {};
    for (what, store, slots, change, expected) in [
        (
            "no program",
            None,
            &ten[..],
            &none as &dyn Fn(&mut RunCommand<'_>),
            Refusal::NoProgram,
        ),
        (
            "another program",
            Some(good.clone()),
            &ten,
            &|run| run.crc ^= 1,
            Refusal::NoProgram,
        ),
        ("a flipped bit", Some(flipped), &ten, &none, Refusal::BadProgram),
        ("a newer version", Some(newer), &ten, &none, Refusal::BadProgram),
        (
            "cut off",
            Some(good[..good.len() - 9].to_vec()),
            &ten,
            &none,
            Refusal::BadProgram,
        ),
        ("another device", Some(other_device), &[], &none, Refusal::OtherDevice),
        ("no slot", Some(good.clone()), &[], &none, Refusal::UnboundSlot),
        (
            "a slot too many",
            Some(good.clone()),
            &[cm(1), cm(1)],
            &none,
            Refusal::UnboundSlot,
        ),
        (
            "unreadable slots",
            Some(good.clone()),
            &ten,
            &|run| run.slots = None,
            Refusal::BadArgument,
        ),
        (
            "kept by the broker",
            Some(good.clone()),
            &ten,
            &|run| run.retained = true,
            Refusal::Retained,
        ),
        (
            "a stranger",
            Some(good.clone()),
            &ten,
            &|run| run.session += 1,
            Refusal::NoLease,
        ),
        (
            "an old number",
            Some(good.clone()),
            &ten,
            &|run| run.seq = 0,
            Refusal::StaleSequence,
        ),
        (
            "too late",
            Some(good.clone()),
            &ten,
            &|run| run.expires_ms = 0,
            Refusal::Expired,
        ),
    ] {
        let mut bench = Bench::with(store, "", |_| {});
        bench.pass_ms(100);
        assert_eq!(bench.run_as(change, slots), Err(expected), "{what}");
        assert_eq!(bench.device.running(), None, "{what}");
        assert_eq!(bench.device.run_report(), None, "{what}");
        bench.pass_ms(500);
        assert_eq!(bench.position(), HOME, "{what}");
        // It answers as before.
        bench.device.programs().0.bytes = Some(good.clone());
        assert_eq!(bench.run(&ten), Ok(()), "after {what}");
        assert!(
            matches!(bench.finish().outcome, Outcome::Finished { .. }),
            "after {what}"
        );
    }
}

#[test]
fn what_cannot_be_followed_moves_nothing() {
    let (good, ten) = (bytes(&errand()), [cm(10)]);
    // Eight more readings fit beside the arm's own 24, and not nine.
    for (noise, expected) in [(8, Ok(())), (9, Err(Refusal::NoRoom))] {
        let mut bench = Bench::with(Some(good.clone()), "", |bent| bent.noise = noise);
        assert_eq!(bench.run(&ten), expected);
    }
    // A slot of another type is no length.
    let mut bench = Bench::new(&errand());
    assert_eq!(bench.run(&[Value::Bool(true)]), Ok(()));
    assert_eq!(bench.finish().outcome, handoff(Handoff::Program));
    assert_eq!(bench.position(), HOME);
}

#[test]
fn a_program_that_changes_underneath_ends_the_run() {
    for bytes in [None, Some(bytes(&Program::default()))] {
        let mut bench = Bench::new(&errand());
        assert_eq!(bench.run(&[cm(100)]), Ok(()));
        bench.pass_ms(300);
        bench.device.programs().0.bytes = bytes;
        bench.pass_ms(20);
        let stood = bench.position();
        assert_eq!(bench.finish().outcome, handoff(Handoff::Program));
        bench.pass_ms(1_000);
        assert_eq!(bench.position(), stood, "it stands still");
    }
}

/// Runs, commands, stops, resets and leases in any order: at most one thing is done at a time, nothing moves while a stop stands or when
/// nobody may have it move, and every run that was begun leaves a report.
#[test]
fn whatever_comes_in_a_run_ends_as_it_must() {
    let mut ends = [0_u32; 4];
    for seed in 0..60 {
        storm(seed, &mut ends);
    }
    assert!(ends.iter().all(|count| *count > 10), "every end was seen: {ends:?}");
}

fn storm(seed: u64, ends: &mut [u32; 4]) {
    let mut chance = Xorshift::new(seed);
    let mut bench = Bench::new(&errand());
    bench.host = false;
    let mut begun = None;
    for round in 0..150 {
        let at = format!("seed {seed}, round {round}");
        bench.now += chance.below(60);
        let before = bench.position();
        match chance.below(16) {
            0 => bench.put(Input::Stop),
            1 => bench.put(Input::Reset),
            2..8 => bench.lease(SESSION),
            8 => bench.put(Input::Disconnected),
            9 | 10 => {
                let finish = chance.below(2) == 0;
                let how = |run: &mut RunCommand<'_>| {
                    if finish {
                        run.on_host_loss = OnHostLoss::Finish;
                    }
                };
                let waiting = bench.device.run_report().is_some() || bench.device.running().is_some();
                if bench.run_as(how, &[cm(5)]).is_ok() {
                    assert!(!waiting, "{at}: one run at a time");
                    assert!(!bench.device.status().stopped, "{at}: a stop stands");
                    begun = Some((1_000 + u64::from(bench.seq), finish));
                }
            }
            11 => {
                let open = [(Symbol::of("state"), Value::Symbol(Symbol::of("open")))];
                let answer = bench.command(Symbol::of("gripper"), &open);
                assert!(
                    answer.is_err() || bench.device.running().is_none(),
                    "{at}: one thing at a time"
                );
            }
            _ => bench.pass_ms(200),
        }
        let held = bench.device.is_held_by(SESSION);
        let running = bench.device.running();
        let alone = begun.is_some_and(|(run, finish)| finish && running == Some(run));
        assert!(running.is_none() || held || alone, "{at}: nobody is there");
        assert!(
            running.is_none() || !bench.device.status().stopped,
            "{at}: it was stopped"
        );
        if bench.device.status().stopped {
            let stood = bench.position();
            bench.pass_ms(50);
            assert_eq!(bench.position(), stood, "{at}: a stop stands");
        }
        assert!(
            (before[0] - bench.position()[0]).abs() <= 150_000,
            "{at}: no faster than it can"
        );
        if let (Some((run, _)), None) = (begun, bench.device.running()) {
            let report = *bench.device.run_report().expect("a run that was begun leaves a report");
            assert_eq!(report.run, run, "{at}");
            ends[match report.outcome {
                Outcome::Finished { .. } => 0,
                Outcome::Handoff { .. } => 1,
                Outcome::Stopped => 2,
                Outcome::HostLost => 3,
            }] += 1;
            bench.lease(SESSION);
            bench.put(Input::Forget {
                session: SESSION,
                run,
                retained: false,
            });
            assert_eq!(bench.device.run_report(), None, "{at}");
            begun = None;
        }
    }
}
