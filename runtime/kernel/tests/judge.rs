//! The gate by itself: one command, one verdict. Each row changes one thing of a command that passes.

use llmos_follower::{Offer, Symbol, Value};
use llmos_kernel::goal::Dimension;
use llmos_kernel::message::Caller;
use llmos_kernel::message::Request;
use llmos_kernel::motion::{self, Known};
use llmos_kernel::plan::{Argument, Given, PlannedCall, Source};
use llmos_kernel::policy::{Agreed, Ask, Asking, Policy, judge};
use llmos_kernel::text::manifest;
use llmos_kernel::tool::Device;

const RIG: &str = r#"---
device: rig
description: Something of everything
connect: { mqtt: llmos }
limits: { bounds: { x: "-2..2 m", y: "-2..2 m", z: "0..3 m" }, max_speed: "1 m/s", max_acceleration: "2 m/s2", max_turn: "90 deg", max_turn_speed: "45 deg/s", max_duration: "10 s" }
reports: { position: point }
tools:
  - all: { far: "length 0..2 m", count: "integer 1..5", share: "number -1..1", on: boolean, side: left|right, thing: entity }
    does: Take arguments of many types
  - go: { at: place, spot: point, note?: text }
    does: Take the other types
  - run: { pace: speed, push: acceleration, time: duration }
    does: Ask for what the envelope limits
  - spin: { by: angle, rate: angular_speed, slow: angular_speed }
    does: Ask for rotations
  - cruise: { pace: speed }
    does: Drive on
    drives: true
macros:
  - tour: { pace: speed }
    does: Drive there and on
    steps:
      - run: { pace: pace, push: 1 m/s2, time: 2 s }
      - cruise: { pace: pace }
---
"#;
const ALLOW: &str = "[[rule]]\neffect = \"allow\"\nwho = [\"person\"]\n";
const M: i64 = 1_000_000;

fn rig() -> Device {
    let (device, found) = manifest::read(RIG);
    device.unwrap_or_else(|| panic!("{found:?}"))
}

fn offer(tool: &str, arguments: &[(&str, Value)]) -> Offer {
    Offer {
        step: 0,
        leg: 0,
        legs: 1,
        device: Symbol::of("rig"),
        tool: Symbol::of(tool),
        arguments: arguments
            .iter()
            .map(|(name, value)| (Symbol::of(name), *value))
            .collect(),
        start: None,
        target: None,
        end: None,
    }
}

struct Gate<'a> {
    policy: &'a str,
    who: Caller,
    confirmed: bool,
    sourced: bool,
    age_ms: u32,
}

const OPEN: Gate<'_> = Gate {
    policy: ALLOW,
    who: Caller::Person,
    confirmed: false,
    sourced: true,
    age_ms: 0,
};

fn verdict(gate: &Gate<'_>, offer: &Offer) -> Result<(), String> {
    let device = rig();
    let known = Known {
        at: Some([0, 0, M]),
        age_ms: gate.age_ms,
        watch: None,
        now: 0,
    };
    let asking = Asking {
        callers: vec![gate.who],
        minute: None,
    };
    let call = PlannedCall::new("rig", "all", Vec::new());
    let ask = Ask {
        asking: &asking,
        agreed: Agreed {
            yes: gate.confirmed,
            people: &[],
        },
        device: &device,
        call: &call,
        offer,
        sourced: gate.sourced,
        motion: motion::of(&device, offer, known),
    };
    judge(&Policy::read(gate.policy).0, &ask)
}

fn name(word: &str) -> Value {
    Value::Symbol(Symbol::of(word))
}

fn good() -> Vec<(&'static str, Value)> {
    vec![
        ("far", Value::Number(M)),
        ("count", Value::Number(3 * M)),
        ("share", Value::Number(M / 2)),
        ("on", Value::Bool(true)),
        ("side", name("left")),
        ("thing", name("cup")),
    ]
}

#[test]
fn every_argument_is_there_of_its_type_and_in_its_range() {
    assert_eq!(verdict(&OPEN, &offer("all", &good())), Ok(()));
    for (parameter, value, words) in [
        ("far", Value::Number(0), ""),
        ("far", Value::Number(2 * M), ""),
        (
            "far",
            Value::Number(2 * M + 1),
            "far = 2.000001 m is outside 0 m .. 2 m",
        ),
        ("far", Value::Number(-1), "outside"),
        ("far", Value::Bool(true), "far of all should be length"),
        ("far", Value::Point([M; 3]), "should be length"),
        ("count", Value::Number(5 * M), ""),
        ("count", Value::Number(M / 2 * 3), "count of all should be integer"),
        ("count", Value::Number(6 * M), "count = 6 is outside 1 .. 5"),
        ("share", Value::Number(-M), ""),
        ("share", Value::Number(-M - 1), "share = -1.000001 is outside -1 .. 1"),
        ("share", name("half"), "should be number"),
        ("on", Value::Bool(false), ""),
        ("on", Value::Number(1), "should be boolean"),
        ("side", name("right"), ""),
        ("side", name("up"), "should be left|right"),
        ("side", Value::Number(0), "should be left|right"),
        ("thing", Value::Symbol(Symbol::NONE), "should be entity"),
        ("thing", Value::Number(0), "should be entity"),
    ] {
        let mut arguments = good();
        for argument in &mut arguments {
            if argument.0 == parameter {
                argument.1 = value;
            }
        }
        match verdict(&OPEN, &offer("all", &arguments)) {
            Ok(()) => assert!(words.is_empty(), "{parameter} = {value:?}"),
            Err(why) => assert!(
                !words.is_empty() && why.contains(words),
                "{parameter} = {value:?}: {why}"
            ),
        }
    }
    for missing in 0..good().len() {
        let mut arguments = good();
        let (parameter, _) = arguments.remove(missing);
        assert_eq!(
            verdict(&OPEN, &offer("all", &arguments)),
            Err(format!("all lacks {parameter}"))
        );
    }
    let spot = ("spot", Value::Point([M; 3]));
    for (at, note, words) in [
        (Value::Point([0; 3]), None, ""),
        (Value::Point([0; 3]), Some(name("why")), ""),
        (
            Value::Point([0; 3]),
            Some(Value::Symbol(Symbol::NONE)),
            "should be text",
        ),
        (name("home"), None, "at of go should be place"),
        (Value::Number(0), None, "at of go should be place"),
    ] {
        let note = note.map(|note| ("note", note));
        let arguments: Vec<_> = [("at", at), spot].into_iter().chain(note).collect();
        match verdict(&OPEN, &offer("go", &arguments)) {
            Ok(()) => assert!(words.is_empty(), "{arguments:?}"),
            Err(why) => assert!(!words.is_empty() && why.contains(words), "{arguments:?}: {why}"),
        }
    }
    let mut more = good();
    more[5].0 = "force";
    assert_eq!(
        verdict(&OPEN, &offer("all", &more)),
        Err("all has no such parameter".to_owned())
    );
    assert_eq!(
        verdict(&OPEN, &offer("none", &good())),
        Err("rig has no such tool".to_owned())
    );
}

#[test]
fn policy_and_provenance_are_asked() {
    let passes = |gate: Gate<'_>| verdict(&gate, &offer("all", &good()));
    let said = |gate: Gate<'_>, words: &str| {
        let why = passes(gate).expect_err(words);
        assert!(why.contains(words), "{why}");
    };
    said(Gate { sourced: false, ..OPEN }, "where it came from");
    said(Gate { policy: "", ..OPEN }, "does not allow");
    said(
        Gate {
            who: Caller::Http,
            ..OPEN
        },
        "does not allow",
    );
    for (pattern, allowed) in [
        ("device = \"rig\"", true),
        ("device = \"jig\"", false),
        ("tool = \"all\"", true),
        ("tool = \"home\"", false),
    ] {
        let policy = format!("{ALLOW}{pattern}\n");
        assert_eq!(
            passes(Gate {
                policy: &policy,
                ..OPEN
            })
            .is_ok(),
            allowed,
            "{pattern}"
        );
    }
    let confirm = ALLOW.replace("allow", "confirm");
    said(
        Gate {
            policy: &confirm,
            ..OPEN
        },
        "a person must agree to rig.all first",
    );
    assert_eq!(
        passes(Gate {
            policy: &confirm,
            confirmed: true,
            ..OPEN
        }),
        Ok(())
    );
    let deny = ALLOW.replace("allow", "deny");
    said(
        Gate {
            policy: &deny,
            confirmed: true,
            ..OPEN
        },
        "does not allow",
    );
    let first = format!("{deny}{ALLOW}");
    said(Gate { policy: &first, ..OPEN }, "does not allow");
}

#[test]
fn what_the_envelope_limits_is_found_among_the_arguments() {
    let number = |name: &'static str, value: i64| (name, Value::Number(value));
    let run = |pace, push, time| {
        offer(
            "run",
            &[number("pace", pace), number("push", push), number("time", time)],
        )
    };
    let spin = |by, rate, slow| offer("spin", &[number("by", by), number("rate", rate), number("slow", slow)]);
    for (offer, words) in [
        (run(M, 2 * M, 10 * M), ""),
        (run(-M - 1, 2 * M, 10 * M), "m/s is more than 1 m/s"),
        (run(M, -2 * M - 1, 10 * M), "m/s2 is more than 2 m/s2"),
        (run(M, 2 * M, 10 * M + 1), "s is more than 10 s"),
        (spin(90 * M, 45 * M, M), ""),
        (spin(-90 * M - 1, 45 * M, M), "degrees is more than 90 degrees"),
        (spin(90 * M, -45 * M - 1, M), "deg/s is more than 45 deg/s"),
        // The larger of two counts, whichever comes first.
        (spin(0, M, 45 * M + 1), "deg/s is more than 45 deg/s"),
    ] {
        match verdict(&OPEN, &offer) {
            Ok(()) => assert!(words.is_empty(), "{:?}", offer.arguments),
            Err(why) => assert!(!words.is_empty() && why.contains(words), "{:?}: {why}", offer.arguments),
        }
    }
    let stale = Gate { age_ms: 2_001, ..OPEN };
    assert_eq!(verdict(&stale, &offer("all", &good())), Ok(()), "nothing moves");
    for offer in [run(0, 0, 0), spin(0, 0, 0), offer("cruise", &[number("pace", 0)])] {
        let why = verdict(&stale, &offer).expect_err("it moves");
        assert!(why.contains("2001 ms old"), "{why}");
    }
    // At 1 m/s it needs 25 cm to stop, and a metre is free below it.
    assert_eq!(verdict(&OPEN, &offer("cruise", &[number("pace", M)])), Ok(()));
    let late = Gate { age_ms: 900, ..OPEN };
    let why = verdict(&late, &offer("cruise", &[number("pace", M)])).expect_err("it may have moved");
    assert!(why.contains("1.15 m to stop"), "{why}");
}

/// The verdict of an allowing rule with these limits on a call as it was planned, and on a command with the same values.
fn narrowed(rule: &str, tool: &str, said: &[(&str, Given)]) -> (Result<(), String>, Result<(), String>) {
    let (device, text) = (rig(), format!("{ALLOW}{rule}\n"));
    let (policy, found) = Policy::read(&text);
    assert_eq!(found, [], "{rule}");
    let asking = Asking {
        callers: vec![Caller::Person],
        minute: None,
    };
    let named = device.tool(tool).expect("a tool");
    let ruling = policy.ruling(&asking, &device, named).expect("it is allowed");
    let argument = |(name, value): &(&str, Given)| Argument {
        parameter: (*name).to_owned(),
        value: value.clone(),
        source: Source::Trace,
    };
    let call = PlannedCall::new("rig", tool, said.iter().map(argument).collect());
    let value = |given: &Given| match given {
        Given::Quantity(_, micro) | Given::Number(micro) => Some(Value::Number(*micro)),
        Given::Boolean(truth) => Some(Value::Bool(*truth)),
        Given::Option(word) | Given::Entity(word) | Given::Text(word) => Some(name(word)),
        _ => None,
    };
    let values = said.iter().filter_map(|(name, given)| Some((*name, value(given)?)));
    let sent = offer(tool, &values.collect::<Vec<_>>());
    (
        ruling.check_call(&device, named, &call),
        ruling.check_offer(named, named, &sent, None),
    )
}

#[test]
fn what_a_rule_narrows_is_held_in_the_plan_and_again_in_the_command() {
    let pace = |milli: i64| ("pace", Given::Quantity(Dimension::Speed, milli * 1_000));
    let by = ("by", Given::Quantity(Dimension::Angle, 3 * M));
    let turning = |name, degrees: i64| (name, Given::Quantity(Dimension::AngularSpeed, degrees * M));
    let slow = "limits = { slow = \"0..10 deg/s\" }";
    for (rule, tool, said, words) in [
        // Of several arguments, the one that is meant; of several tools, those that have it.
        ("limits = { pace = \"0..0.5 m/s\" }", "cruise", vec![pace(500)], ""),
        ("limits = { pace = \"0..0.5 m/s\" }", "cruise", vec![pace(501)], "pace"),
        ("limits = { pace = \"0..0.5 m/s\" }", "spin", vec![by.clone()], ""),
        (
            slow,
            "spin",
            vec![by.clone(), turning("rate", 20), turning("slow", 10)],
            "",
        ),
        (
            slow,
            "spin",
            vec![by.clone(), turning("rate", 5), turning("slow", 11)],
            "slow",
        ),
        ("limits = { max_speed = \"0.5 m/s\" }", "cruise", vec![pace(500)], ""),
        (
            "limits = { pace = \"0..1 s\" }",
            "cruise",
            vec![pace(500)],
            "limited to 0 s .. 1 s",
        ),
    ] {
        let (planned, sent) = narrowed(rule, tool, &said);
        for verdict in [planned, sent] {
            match verdict {
                Ok(()) => assert_eq!(words, "", "{rule} {tool} {said:?}"),
                Err(why) => assert!(
                    !words.is_empty() && why.contains(words),
                    "{rule} {tool} {said:?}: {why}"
                ),
            }
        }
    }
    // What a device alone will know is looked at when it is there: in the command, which a macro is not.
    let rule = "limits = { pace = \"0..0.5 m/s\" }";
    let later = [("pace", Given::Result("measured".to_owned()))];
    assert_eq!(narrowed(rule, "cruise", &later).0, Ok(()));
    assert!(narrowed(rule, "tour", &later).0.is_err());
    // A value of another kind than the parameter's is none that the rule allows.
    let late = [("pace", Given::Quantity(Dimension::Duration, 1_000))];
    assert!(narrowed(rule, "cruise", &late).0.is_err());
    // A plan that leaves out what is narrowed has not said what it is.
    assert!(narrowed(rule, "cruise", &[]).0.is_err());
    let why = narrowed("limits = { max_speed = \"0.5 m/s\" }", "cruise", &[pace(501)]).0;
    assert!(why.is_err_and(|why| why.contains("faster than 0.5 m/s")));
}

#[test]
fn every_kind_of_value_is_narrowed_in_the_plan_and_in_the_command() {
    let word = |text: &str, kind: fn(String) -> Given| kind(text.to_owned());
    for (tool, name, allowed, good, bad) in [
        ("all", "count", "\"1..3\"", Given::Number(3 * M), Given::Number(4 * M)),
        ("all", "on", "[\"true\"]", Given::Boolean(true), Given::Boolean(false)),
        (
            "all",
            "side",
            "[\"left\"]",
            word("left", Given::Option),
            word("right", Given::Option),
        ),
        (
            "all",
            "thing",
            "[\"cup\"]",
            word("cup", Given::Entity),
            word("knife", Given::Entity),
        ),
        (
            "go",
            "note",
            "[\"low\"]",
            word("low", Given::Text),
            word("loud", Given::Text),
        ),
    ] {
        let rule = format!("limits = {{ {name} = {allowed} }}");
        assert_eq!(narrowed(&rule, tool, &[(name, good)]), (Ok(()), Ok(())), "{rule}");
        let (planned, sent) = narrowed(&rule, tool, &[(name, bad)]);
        for verdict in [planned, sent] {
            assert!(verdict.is_err_and(|why| why.contains(name)), "{rule}");
        }
    }
}

#[test]
fn commands_of_a_macro_are_held_to_the_rules_about_it_and_about_its_steps() {
    let device = rig();
    let asking = Asking {
        callers: vec![Caller::Person],
        minute: None,
    };
    let sent = |rules: &str, call: &str, step: &str, arguments: &[(&str, Value)]| {
        let (policy, found) = Policy::read(rules);
        assert_eq!(found, [], "{rules}");
        let (call, tool) = (device.tool(call).expect("a tool"), device.tool(step).expect("a tool"));
        let ruling = policy.ruling(&asking, &device, call).expect("it is allowed");
        ruling.check_offer(call, tool, &offer(step, arguments), None)
    };
    let about = |tool: &str, limits: &str| format!("{ALLOW}tool = \"{tool}\"\nlimits = {{ {limits} }}\n{ALLOW}");
    let (pace, slower) = (("pace", Value::Number(M)), "pace = \"0..0.5 m/s\"");
    for (rules, call, step, arguments, allowed) in [
        // What was said for the macro was compared as it was said; what its steps add was not.
        (about("tour", slower), "tour", "cruise", [pace], true),
        (
            about("tour", "push = \"0..1 m/s2\""),
            "tour",
            "run",
            [("push", Value::Number(M))],
            true,
        ),
        (
            about("tour", "push = \"0..1 m/s2\""),
            "tour",
            "run",
            [("push", Value::Number(M + 1))],
            false,
        ),
        // A rule about a step holds there, whoever uses it, and not for another step.
        (about("cruise", slower), "tour", "cruise", [pace], false),
        (about("cruise", slower), "tour", "run", [pace], true),
        (about("cruise", slower), "cruise", "cruise", [pace], false),
        // A place by name is coordinates in the command.
        (
            about("go", "at = [\"bench\"]"),
            "go",
            "go",
            [("at", Value::Point([0, 0, M]))],
            true,
        ),
        (
            about("go", "note = [\"loud\"]"),
            "go",
            "go",
            [("note", name("loud"))],
            true,
        ),
        (
            about("go", "note = [\"loud\"]"),
            "go",
            "go",
            [("note", name("low"))],
            false,
        ),
    ] {
        let verdict = sent(&rules, call, step, &arguments);
        assert_eq!(
            verdict.is_ok(),
            allowed,
            "{rules} {call} {step} {arguments:?}: {verdict:?}"
        );
    }
}

#[test]
fn the_time_of_day_goes_on_while_a_run_does() {
    let at = |minute, elapsed_minutes: u64| {
        let mut request = Request::new("go", Caller::Person);
        request.minute = minute;
        Asking::of(&request, elapsed_minutes * 60_000).minute
    };
    assert_eq!((at(Some(600), 0), at(Some(600), 59)), (Some(600), Some(659)));
    assert_eq!((at(Some(1_439), 1), at(Some(10), 1_440)), (Some(0), Some(10)));
    assert_eq!(at(Some(0), 70_000), Some(880), "after seven weeks");
    assert_eq!(at(None, 10), None);
}
