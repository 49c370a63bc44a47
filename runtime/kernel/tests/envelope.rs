//! The envelope through a manifest and the kernel: limits are read, mistakes named with their line, a breach said in words with its limit and
//! its value, a barred way led around where the manifest allows it.

use llmos_follower::{Breach, Progress};
use llmos_kernel::kernel::{Kernel, Settings};
use llmos_kernel::message::{Caller, Event, Fact, Input, Named, News, Output, Report, Request, State, Status, Verdict};
use llmos_kernel::policy::breach_text;
use llmos_kernel::text::manifest;

const CART: &str = r#"---
device: cart
description: Cart in a hall
connect: { mqtt: llmos }
limits:
  bounds: { x: "-5..5 m", y: "-5..5 m", z: "-1..1 m" }
  keep_out: [ { cylinder: "0, 0, -1 m", radius: "0.5 m", height: "2 m", name: pillar } ]
  margin: "10 cm"
  detours: true
  max_speed: "0.5 m/s"
  max_acceleration: "0.25 m/s2"
  max_turn: "90 deg"
  max_turn_speed: "45 deg/s"
  max_duration: "10 s"
  max_rate: "20 Hz"
  max_step: "1 m"
places: { west: "-2, 0, 0 m", east: "2, 0, 0 m", edge: "4.5, 0, 0 m" }
reports: { position: point, speed: speed, heading: angle }
tools:
  - go_to: { to: place }
    does: Drive the cart to a place
    after: position == to +- 5 cm
    idempotent: true
  - cruise: { pace: speed }
    does: Let the cart roll on at a speed
    drives: true
    after: speed == pace +- 1 cm/s
  - turn: { by: angle }
    does: Turn the cart
    after: heading == by +- 1 deg
  - beep: { time: duration }
    does: Beep for a time
---
"#;
const POLICY: &str = "[[rule]]\neffect = \"allow\"\nwho = [\"person\"]\n";
const GO: &str = "---\ntrace: go\ngoal: drive the cart to the place east\npatterns:\n  - \"drive cart to place {to}\"\nslots: { to: place }\nsteps:\n  - cart.go_to: { to: \"{to}\" }\nstatus: done\nmode: LEARNER\n---\n";
const ROLL: &str = "---\ntrace: roll\ngoal: roll at 0.2 m/s\npatterns:\n  - \"roll at {pace}\"\nslots: { pace: speed }\nsteps:\n  - cart.cruise: { pace: \"{pace}\" }\nstatus: done\nmode: LEARNER\n---\n";
const TURN: &str = "---\ntrace: turn\ngoal: turn by 30 degrees\npatterns:\n  - \"turn by {by}\"\nslots: { by: angle }\nsteps:\n  - cart.turn: { by: \"{by}\" }\nstatus: done\nmode: LEARNER\n---\n";
const BEEP: &str = "---\ntrace: beep\ngoal: beep for 2 s\npatterns:\n  - \"beep for {time}\"\nslots: { time: duration }\nsteps:\n  - cart.beep: { time: \"{time}\" }\nstatus: done\nmode: LEARNER\n---\n";
const HOOT: &str = "---\ntrace: hoot\ngoal: hoot and roll at 0.2 m/s\npatterns:\n  - \"hoot and roll at {pace}\"\nslots: { pace: speed }\nsteps:\n  - cart.beep: { time: 1 s }\n  - cart.cruise: { pace: \"{pace}\" }\nstatus: done\nmode: LEARNER\n---\n";

/// The line and words of each finding.
fn found(text: &str) -> Vec<(u32, String)> {
    let (device, findings) = manifest::read(text);
    let list: Vec<_> = findings
        .iter()
        .map(|found| (found.place.line, found.message.clone()))
        .collect();
    assert!(
        device.is_some() || !list.is_empty(),
        "a device that is not read has a reason"
    );
    list
}

#[test]
fn every_limit_is_read() {
    let (device, _) = manifest::read(CART);
    let envelope = device.expect("a cart").envelope;
    assert_eq!((envelope.margin, envelope.detours), (100_000, true));
    assert_eq!(
        (envelope.speed_max, envelope.acceleration_max),
        (Some(500_000), Some(250_000))
    );
    assert_eq!(
        (envelope.turn_max, envelope.turn_speed_max),
        (Some(90_000_000), Some(45_000_000))
    );
    assert_eq!(
        (envelope.duration_max, envelope.step_max),
        (Some(10_000_000), Some(1_000_000))
    );
    for (text, commands, per_ms) in [
        ("20 Hz", 20, 1_000),
        ("1 Hz", 1, 1_000),
        ("0.5 Hz", 1, 2_000),
        ("0.3 Hz", 1, 3_334),
    ] {
        let (device, found) = manifest::read(&CART.replace("20 Hz", text));
        let rate = device
            .and_then(|device| device.envelope.rate_max)
            .unwrap_or_else(|| panic!("{found:?}"));
        assert_eq!((rate.commands, rate.per_ms), (commands, per_ms), "{text}");
    }
    let floor = CART.replace(
        "{ cylinder: \"0, 0, -1 m\", radius: \"0.5 m\", height: \"2 m\", name: pillar }",
        "{ floor: \"-20 cm\", name: ground }",
    );
    let device = manifest::read(&floor).0.expect("a cart");
    assert_eq!(
        device.envelope.keep_out[..],
        [llmos_follower::Shape::Floor { z: -200_000 }]
    );
    assert_eq!(device.zones, ["ground"]);
}

#[test]
fn limits_that_contradict_each_other_are_found_with_their_line() {
    assert_eq!(
        found(CART).iter().map(|(line, _)| *line).collect::<Vec<_>>(),
        [31],
        "beep can't be proved"
    );
    for (from, to, line, words) in [
        ("\"2, 0, 0 m\"", "\"0.55, 0, 0 m\"", 17, "margin of 0.1 m"),
        (
            "\"4.5, 0, 0 m\"",
            "\"4.95, 0, 0 m\"",
            17,
            "come closer to them than 0.1 m",
        ),
        (
            "\"-1..1 m\" }",
            "\"0..10 cm\" }",
            6,
            "leaves nothing of the bounds of z",
        ),
        ("\"-5..5 m\", y", "\"5..-5 m\", y", 6, "lower end first"),
        ("radius: \"0.5 m\"", "radius: \"20 m\"", 7, "covers all of the bounds"),
        ("radius: \"0.5 m\"", "radius: \"600 m\"", 7, "more than 500 m"),
        (
            "{ cylinder: \"0, 0, -1 m\",",
            "{ floor: \"2 s\",",
            7,
            "a floor is a height",
        ),
        (
            "{ cylinder: \"0, 0, -1 m\",",
            "{ floor: \"3 m\",",
            7,
            "covers all of the bounds",
        ),
        (
            "{ cylinder: \"0, 0, -1 m\",",
            "{ ball: \"0, 0, -1 m\",",
            7,
            "or { floor: LENGTH }",
        ),
        ("\"10 cm\"", "\"10 s\"", 8, "\"margin\" should be a positive length"),
        ("detours: true", "detours: maybe", 9, "true or false"),
        (
            "\"0.25 m/s2\"",
            "\"0.25 m/s\"",
            11,
            "\"max_acceleration\" should be a positive acceleration",
        ),
        ("\"90 deg\"", "\"90 m\"", 12, "\"max_turn\" should be a positive angle"),
        ("\"45 deg/s\"", "\"45 deg\"", 13, "\"max_turn_speed\""),
        ("\"10 s\"", "\"10 m\"", 14, "\"max_duration\""),
        ("\"20 Hz\"", "\"33 Hz\"", 15, "at most 32"),
        ("\"20 Hz\"", "\"1.5 Hz\"", 15, "whole number"),
        ("max_step: \"1 m\"", "heartbeat: \"2 min\"", 16, "at most 60000 ms"),
        ("max_step: \"1 m\"", "heartbeat: \"0.0001 s\"", 16, "at least 1 ms"),
        ("max_step: \"1 m\"", "command_expiry: \"0.0001 s\"", 16, "at least 1 ms"),
        ("  max_speed: \"0.5 m/s\"\n", "", 23, "has no max_speed"),
        ("  max_acceleration: \"0.25 m/s2\"\n", "", 23, "has no max_acceleration"),
        (
            "{ pace: speed }",
            "{ pace: \"speed 1..2 m/s\" }",
            24,
            "no call of it could pass",
        ),
        (
            "{ by: angle }",
            "{ by: \"angle 100..120 deg\" }",
            28,
            "no call of it could pass",
        ),
        (
            "{ time: duration }",
            "{ time: \"duration 20..30 s\" }",
            31,
            "max_duration is 10 s",
        ),
        (
            "reports: { position: point, ",
            "reports: { place: point, ",
            24,
            "no position: point",
        ),
    ] {
        let text = CART.replacen(from, to, 1);
        assert_ne!(text, CART, "{from}");
        let found = found(&text);
        let named = found.iter().any(|(at, message)| *at == line && message.contains(words));
        assert!(named, "{from} -> {to}: {found:?}");
    }
}

#[test]
fn a_misspelt_limit_is_no_limit_and_so_no_manifest() {
    for (from, to, line) in [
        ("  max_turn: ", "  max_trun: ", 12),
        ("height: \"2 m\", name: pillar", "height: \"2 m\", nmae: pillar", 7),
        ("z: \"-1..1 m\" }", "z: \"-1..1 m\", a: \"0..1 m\" }", 6),
    ] {
        let text = CART.replacen(from, to, 1);
        assert_ne!(text, CART, "{from}");
        let (device, _) = manifest::read(&text);
        assert!(device.is_none(), "{to}");
        let found = found(&text);
        let named = found
            .iter()
            .any(|(at, message)| *at == line && message.contains("a limit without effect"));
        assert!(named, "{to}: {found:?}");
    }
}

#[test]
fn limits_that_lack_or_do_nothing_are_found() {
    let still = CART.replace(
        "  keep_out: [ { cylinder: \"0, 0, -1 m\", radius: \"0.5 m\", height: \"2 m\", name: pillar } ]\n",
        "",
    );
    assert!(
        found(&still)
            .iter()
            .any(|(_, message)| message.contains("no keep_out zone to go around"))
    );
    let spin = CART
        .replace("  max_turn_speed: \"45 deg/s\"\n", "")
        .replace("{ by: angle }", "{ by: angular_speed }");
    assert!(
        found(&spin)
            .iter()
            .any(|(_, message)| message.contains("an angular speed, and \"limits:\" has no max_turn_speed"))
    );
}

#[test]
fn every_breach_has_its_words_with_limit_and_value() {
    let cart = manifest::read(CART).0.expect("a cart");
    for (breach, words) in [
        (Breach::Coordinate, &["500 m"][..]),
        (
            Breach::Bounds { axis: 1, at: 6_000_000 },
            &["y = 6 m", "-5 .. 5 m", "0.1 m"],
        ),
        (Breach::KeepOut { zone: 0 }, &["\"pillar\"", "0.1 m"]),
        (
            Breach::StepTooLong {
                length: Some(2_000_000),
            },
            &["2 m", "1 m", "can't be split"],
        ),
        (Breach::StepTooLong { length: None }, &["its length", "1 m"]),
        (Breach::TooFast { speed: -600_000 }, &["0.6 m/s", "0.5 m/s"]),
        (Breach::TooHard { acceleration: 300_000 }, &["0.3 m/s2", "0.25 m/s2"]),
        (Breach::TurnTooFar { angle: 91_000_000 }, &["91 degrees", "90 degrees"]),
        (Breach::TurnTooFast { speed: 50_000_000 }, &["50 deg/s", "45 deg/s"]),
        (Breach::TooLong { duration: 11_000_000 }, &["11 s", "10 s"]),
        (Breach::TooOften { recent: 21 }, &["21 commands", "1000 ms", "20"]),
        (Breach::CannotStop { distance: 500_000 }, &["0.5 m", "to stop"]),
        (Breach::StopUnknown, &["brakes"]),
        (Breach::StateTooOld { age_ms: 2_500 }, &["2500 ms", "2000 ms"]),
        (Breach::StateTooOld { age_ms: u32::MAX }, &["has not reported"]),
        (Breach::Jumped, &["jumped", "500 ms"]),
        (Breach::Elsewhere { distance: Some(40_000) }, &["0.04 m", "0.03 m"]),
        (Breach::Elsewhere { distance: None }, &["too far"]),
        (Breach::PositionUnknown, &["position"]),
    ] {
        let text = breach_text(&cart, breach);
        assert!(words.iter().all(|word| text.contains(word)), "{breach:?}: {text}");
    }
    let mut plain = cart;
    plain.envelope.margin = 0;
    assert!(breach_text(&plain, Breach::KeepOut { zone: 0 }).ends_with("\"pillar\""));
    assert!(breach_text(&plain, Breach::Bounds { axis: 0, at: 6_000_000 }).ends_with("the bounds of cart"));
}

/// A cart that does at once what it is told.
struct Cart {
    at: [i64; 3],
    /// The last number that it was given, which it reports as its speed and its heading.
    value: i64,
    way: Vec<[i64; 3]>,
    commands: usize,
}

impl Cart {
    fn at(at: [i64; 3]) -> Cart {
        Cart {
            at,
            value: 0,
            way: Vec::new(),
            commands: 0,
        }
    }

    fn news(&self) -> News {
        let named = |field: &str, value: Fact| Named {
            owner: String::new(),
            field: field.to_owned(),
            value,
        };
        News::State(State {
            progress: Some(Progress::Finished),
            stopped: false,
            account: None,
            readings: vec![
                named("position", Fact::Point(self.at)),
                named("speed", Fact::Number(self.value)),
                named("heading", Fact::Number(self.value)),
            ],
        })
    }

    fn obey(&mut self, value: &Fact) {
        self.commands += 1;
        match value {
            Fact::Point(to) => {
                self.at = *to;
                self.way.push(*to);
            }
            Fact::Number(value) => self.value = *value,
            _ => {}
        }
    }
}

fn told(kernel: &mut Kernel, now: u64, news: News) {
    let device = "cart".to_owned();
    kernel.handle(now, Input::Device { device, news });
}

fn kernel(manifest: &str) -> Kernel {
    let mut kernel = Kernel::new(Settings::default());
    let documents = [
        ("devices/cart.md", manifest),
        ("policy.toml", POLICY),
        ("traces/go.md", GO),
        ("traces/roll.md", ROLL),
        ("traces/turn.md", TURN),
        ("traces/beep.md", BEEP),
        ("traces/hoot.md", HOOT),
    ];
    for (path, text) in documents {
        let (path, text) = (path.to_owned(), text.to_owned());
        kernel.handle(0, Input::Document { path, text });
    }
    told(&mut kernel, 0, News::Online);
    kernel
}

/// Follows a goal to its end; reports come every 200 ms.
fn run(kernel: &mut Kernel, begin: u64, cart: &mut Cart, goal: &str) -> Report {
    kernel.handle(begin, Input::Goal(Request::new(goal, Caller::Person)));
    for now in (begin..begin + 100_000).step_by(200) {
        let mut inputs = Vec::new();
        while let Some(output) = kernel.poll() {
            match output {
                Output::Hook { request, .. } => inputs.push(Input::Verdict {
                    request,
                    verdict: Verdict::Pass,
                }),
                Output::Command { command, arguments, .. } => {
                    cart.obey(&arguments[0].1);
                    let (device, news) = ("cart".to_owned(), News::Acknowledged { command });
                    inputs.push(Input::Device { device, news });
                }
                Output::Store { request, .. } | Output::Append { request, .. } | Output::Amend { request, .. } => {
                    inputs.push(Input::Stored { request, error: None });
                }
                Output::Done(report) => return *report,
                Output::Generate { .. } => panic!("{goal}: no model is asked"),
                _ => {}
            }
        }
        if inputs.is_empty() {
            told(kernel, now, cart.news());
        }
        for input in inputs {
            kernel.handle(now, input);
        }
        kernel.handle(now, Input::Tick);
    }
    panic!("{goal}: the run does not end");
}

const EAST: &str = "drive the cart to the place east";

fn ran(manifest: &str, at: [i64; 3], goal: &str) -> (Report, Cart) {
    let (mut kernel, mut cart) = (kernel(manifest), Cart::at(at));
    told(&mut kernel, 1, cart.news());
    let report = run(&mut kernel, 2, &mut cart, goal);
    (report, cart)
}

#[test]
fn a_barred_way_is_led_around_where_that_is_allowed() {
    let west = [-2_000_000, 0, 0];
    let (report, cart) = ran(CART, west, EAST);
    assert_eq!(report.status, Status::Done, "{}", report.reason);
    assert_eq!(cart.at, [2_000_000, 0, 0]);
    let envelope = manifest::read(CART).0.expect("a cart").envelope;
    let mut from = west;
    for to in &cart.way {
        assert_eq!(envelope.check_path(from, *to), Ok(()), "{:?}", cart.way);
        let length = llmos_follower::value::distance(from, *to).expect("short");
        assert!(length <= 1_010_000, "each leg is a step: {:?}", cart.way);
        from = *to;
    }
    assert!(cart.way.iter().any(|at| at[1] != 0), "{:?}", cart.way);
    // The digest is that of the call, whichever way it was carried out.
    let (straight, _) = ran(CART, [1_000_000, 0, 0], EAST);
    assert_eq!(report.digest, straight.digest);

    let (report, cart) = ran(&CART.replace("detours: true", "detours: false"), west, EAST);
    assert_eq!((report.status, cart.commands), (Status::Refused, 0));
    assert!(report.reason.contains("pillar"), "{}", report.reason);
    let walled = CART.replace(
        "keep_out: [",
        "keep_out: [ { box: \"-10 cm, -5 m, -1 m\", to: \"10 cm, 5 m, 1 m\", name: wall }, ",
    );
    let (report, cart) = ran(&walled, west, EAST);
    assert_eq!(
        (report.status, cart.commands),
        (Status::Refused, 0),
        "no way leads around"
    );
    assert!(report.reason.contains("wall"), "{}", report.reason);
}

#[test]
fn limits_of_motion_are_kept_by_the_gate() {
    for (goal, at, words) in [
        ("roll at 0.2 m/s", [0, 3_000_000, 0], ""),
        ("roll at 0.6 m/s", [0, 3_000_000, 0], "0.6 m/s is more than 0.5 m/s"),
        ("roll at 0.5 m/s", [0, 4_500_000, 0], "to stop"),
        ("turn by 30 degrees", [0, 3_000_000, 0], ""),
        ("turn by 100 degrees", [0, 3_000_000, 0], "100 degrees is more than 90"),
        ("beep for 2 s", [0, 3_000_000, 0], ""),
        ("beep for 11 s", [0, 3_000_000, 0], "11 s is more than 10 s"),
    ] {
        let (report, cart) = ran(CART, at, goal);
        assert_eq!(
            report.status == Status::Refused,
            !words.is_empty(),
            "{goal}: {}",
            report.reason
        );
        assert_eq!(cart.commands == 0, !words.is_empty(), "{goal}");
        assert!(report.reason.contains(words), "{goal}: {}", report.reason);
    }
    // What a later command asks for is seen before the first one leaves.
    let (report, cart) = ran(CART, [0, 3_000_000, 0], "hoot and roll at 0.6 m/s");
    assert_eq!(
        (report.status, cart.commands),
        (Status::Refused, 0),
        "{}",
        report.reason
    );
    assert!(
        report.reason.contains("0.6 m/s is more than 0.5 m/s"),
        "{}",
        report.reason
    );
}

#[test]
fn a_second_command_too_soon_waits_for_its_turn() {
    let slow = CART.replace("20 Hz", "0.1 Hz");
    let (mut kernel, mut cart) = (kernel(&slow), Cart::at([0, 3_000_000, 0]));
    told(&mut kernel, 1, cart.news());
    let beeped = run(&mut kernel, 2, &mut cart, "beep for 2 s");
    assert_eq!(beeped.status, Status::Unverified, "{}", beeped.reason);
    let waited = run(&mut kernel, 4_000, &mut cart, "beep for 2 s");
    assert_eq!((waited.status, cart.commands), (Status::Unverified, 2));
    assert!(
        (6_000..7_500).contains(&waited.ms),
        "its turn is 10 s after the first was sent: {} ms",
        waited.ms
    );
    // What ends a run ends one that waits, too, and nothing is sent after that.
    let (status, reason) = halted(&mut kernel, 14_000, &cart, Input::Stop { device: None });
    assert_eq!(status, Status::Stopped, "{reason}");
    let why = "gone".to_owned();
    let (device, news) = ("cart".to_owned(), News::Offline { why });
    let (status, reason) = halted(&mut kernel, 15_000, &cart, Input::Device { device, news });
    assert!(
        status == Status::Failed && reason.contains("gone"),
        "{status:?}: {reason}"
    );
    told(&mut kernel, 40_000, News::Online);
    let later = run(&mut kernel, 40_000, &mut cart, "beep for 2 s");
    assert_eq!(
        (later.status, later.ms, cart.commands),
        (Status::Unverified, beeped.ms, 3)
    );
}

/// What becomes of a beep that waits for its turn when something happens.
fn halted(kernel: &mut Kernel, begin: u64, cart: &Cart, happens: Input) -> (Status, String) {
    told(kernel, begin, cart.news());
    kernel.handle(begin, Input::Goal(Request::new("beep for 2 s", Caller::Person)));
    let mut happens = Some(happens);
    let mut waits = false;
    for now in (begin..begin + 20_000).step_by(200) {
        let mut inputs = Vec::new();
        while let Some(output) = kernel.poll() {
            match output {
                Output::Tell(Event::Paced { .. }) => waits = true,
                Output::Store { request, .. } | Output::Append { request, .. } | Output::Amend { request, .. } => {
                    inputs.push(Input::Stored { request, error: None });
                }
                Output::Command { .. } => panic!("it was its turn only later"),
                Output::Done(report) => return (report.status, report.reason),
                _ => {}
            }
        }
        inputs.extend(happens.take_if(|_| waits));
        inputs.push(Input::Tick);
        for input in inputs {
            kernel.handle(now, input);
        }
    }
    panic!("the run does not end");
}

#[test]
fn a_position_that_jumped_moves_nothing_until_it_is_plausible() {
    let begun = |reports: &[(u64, i64)], leased_at: Option<usize>| {
        let mut kernel = kernel(CART);
        let mut cart = Cart::at([0; 3]);
        for (index, (now, y)) in reports.iter().enumerate() {
            if leased_at == Some(index) {
                told(&mut kernel, *now, News::Leased { boot: 1, seq: 0 });
            }
            cart.at = [0, *y, 0];
            told(&mut kernel, *now, cart.news());
        }
        let begin = reports.last().map_or(0, |(now, _)| *now);
        (run(&mut kernel, begin, &mut cart, "roll at 0.2 m/s"), cart.commands)
    };
    let (report, commands) = begun(&[(0, 3_000_000), (1_000, -3_000_000)], None);
    assert_eq!((report.status, commands), (Status::Refused, 0));
    assert!(report.reason.contains("jumped"), "{}", report.reason);
    let (report, commands) = begun(&[(0, 3_000_000), (1_000, -3_000_000), (1_500, -3_000_000)], None);
    assert_eq!((report.status, commands), (Status::Done, 1), "{}", report.reason);
    let (report, _) = begun(&[(0, 3_000_000), (1_000, -3_000_000)], Some(1));
    assert_eq!(
        report.status,
        Status::Done,
        "what was retained before the lease may be old: {}",
        report.reason
    );
}

/// The cart is sent east, and on its way its sensors break; how the run ends.
fn broken_sensor(manifest: &str, breaks: impl Fn(&mut Cart)) -> Report {
    let (mut kernel, mut cart) = (kernel(manifest), Cart::at([1_000_000, 0, 0]));
    told(&mut kernel, 1, cart.news());
    kernel.handle(2, Input::Goal(Request::new(EAST, Caller::Person)));
    let (mut stopped, mut sent) = (0, 0);
    for now in (100..5_000).step_by(100) {
        while let Some(output) = kernel.poll() {
            match output {
                Output::Hook { request, .. } | Output::Review { request, .. } => {
                    let verdict = Verdict::Pass;
                    kernel.handle(now, Input::Verdict { request, verdict });
                }
                Output::Store { request, .. } | Output::Append { request, .. } => {
                    kernel.handle(now, Input::Stored { request, error: None });
                }
                Output::Command { command, .. } => {
                    sent += 1;
                    told(&mut kernel, now, News::Acknowledged { command });
                    breaks(&mut cart);
                }
                Output::StopDevice { .. } => stopped += 1,
                Output::Done(report) => {
                    assert_eq!((report.status, sent), (Status::Failed, 1), "{}", report.reason);
                    assert!(stopped > 0, "it is told to stop");
                    return *report;
                }
                _ => {}
            }
        }
        told(&mut kernel, now, cart.news());
        kernel.handle(now, Input::Tick);
    }
    panic!("the run does not end");
}

#[test]
fn a_position_from_nowhere_in_the_middle_of_a_motion_stops_the_device() {
    let report = broken_sensor(CART, |cart| cart.at = [1_000_000_000_000, 0, 0]);
    assert!(report.reason.contains("can't have come to"), "{}", report.reason);
}

#[test]
fn a_report_out_of_the_range_of_the_manifest_proves_nothing_and_stops_the_device() {
    let ranged = CART.replace("speed: speed, ", "speed: \"speed 0..1 m/s\", ");
    // It is where it should be, and says that it drives at 7 m/s.
    let report = broken_sensor(&ranged, |cart| {
        cart.at = [2_000_000, 0, 0];
        cart.value = 7_000_000;
    });
    assert!(
        report.reason.contains("speed = 7 m/s is outside 0 m/s .. 1 m/s"),
        "{}",
        report.reason
    );
}
