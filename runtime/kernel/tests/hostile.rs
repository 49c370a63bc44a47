//! A sample of the hostile plans of `examples/hostile`, and twins that show that the subscriber would hear what must never leave.

#[path = "../examples/hostile/chance.rs"]
mod chance;
#[path = "../examples/hostile/goals.rs"]
mod goals;
#[path = "../examples/hostile/model.rs"]
mod model;
#[path = "../examples/hostile/scene.rs"]
mod scene;
#[path = "../examples/hostile/siege.rs"]
mod siege;
#[path = "../examples/hostile/subscriber.rs"]
mod subscriber;

use siege::{Tally, documents, siege};

const SEED: u64 = 2_026;
const PLANS: u64 = 3_000;

fn shipped(_: &str, text: &str) -> String {
    text.to_owned()
}

#[test]
fn a_hostile_model_gets_nothing_out_that_must_not_leave() {
    let mut tally = Tally::default();
    tally.add(siege(SEED, PLANS, &documents(shipped)));
    assert_eq!(tally.complaints, 0, "seed {SEED}: {:#?}", tally.kept);
    assert!(tally.plans >= PLANS);
    // Silence would prove nothing: much of what was honest was carried out, on every device.
    assert!(tally.acted > PLANS / 5, "{tally:?}");
    for tool in [
        "arm.move",
        "arm.move_to",
        "arm.speed",
        "base.drive",
        "base.go_to",
        "greenhouse.water",
        "greenhouse.heater",
    ] {
        assert!(
            tally.commands.get(tool).is_some_and(|count| *count > 0),
            "{tool}: {tally:?}"
        );
    }
    for end in ["done", "refused", "needsanswer", "failed"] {
        assert!(tally.ends.contains_key(end), "{end}: {tally:?}");
    }
}

/// With a gate that knows wider limits than the subscriber, the subscriber complains.
fn heard(file: &str, from: &str, to: &str, expected: &str) {
    let altered = documents(|path, text| {
        if path == format!("devices/{file}.md") {
            assert!(text.contains(from), "{path} has no {from}");
            text.replace(from, to)
        } else {
            text.to_owned()
        }
    });
    let tally = siege(SEED, PLANS, &altered);
    assert!(tally.complaints > 0, "{to}: nothing was heard");
    assert!(
        tally.kept.iter().any(|kept| kept.contains(expected)),
        "{to}: {:#?}",
        tally.kept
    );
}

#[test]
fn a_gate_with_wider_bounds_is_heard() {
    heard("arm", "x: \"-2..2 m\"", "x: \"-20..20 m\"", "is outside -2..2");
}

#[test]
fn a_gate_without_the_person_is_heard() {
    let zone = "  keep_out: [ { sphere: \"0, 0, 0.4 m\", radius: \"0.3 m\", name: person } ]\n";
    heard("arm", zone, "", "closer than 0.3 m");
}

#[test]
fn a_gate_with_another_speed_is_heard() {
    heard(
        "arm",
        "max_speed: \"0.5 m/s\"",
        "max_speed: \"50 m/s\"",
        "faster than 0.5 m/s",
    );
}

#[test]
fn a_gate_with_wider_ranges_is_heard() {
    heard(
        "greenhouse",
        "duration 1 s..600 s",
        "duration 0 s..6000000 s",
        "is outside 1000000..600000000",
    );
}
