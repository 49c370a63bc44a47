//! Devices that exist already: each example manifest of the template, in a workspace of its own, against the simulated device that was
//! written from that device's documentation. A goal is planned, carried out, read back and followed; what goes wrong ends as declared; and
//! every mistake in such a manifest is named with its place.

use crate::mosquitto::{Running, mosquitto, subscriber};
use crate::support::Llmos;
use serde_json::Value;
use std::path::PathBuf;
use std::process::Stdio;

/// An example, a goal for it, and one that is out of its range.
const EXAMPLES: [(&str, &str, Option<&str>); 4] = [
    (
        "zigbee2mqtt-lamp",
        "set the brightness of the lamp to 40 %",
        Some("set the brightness of the lamp to 0 %"),
    ),
    ("tasmota-plug", "switch the plug on", None),
    (
        "home-assistant-climate",
        "set the temperature to 22 degrees",
        Some("set the temperature to 60 degrees"),
    ),
    ("ros-base", "drive forward 30 cm", Some("drive forward 5 m")),
];

/// A workspace with one device.
struct Bench {
    llmos: Llmos,
    workspace: PathBuf,
}

impl Bench {
    /// The workspace of the template with this example, altered, and no other device.
    fn new(example: &str, alter: impl Fn(&str) -> String) -> Bench {
        let llmos = Llmos::new();
        let workspace = llmos.home().join("ws");
        let made = llmos.run(&["init", workspace.to_str().expect("a path")]);
        assert_eq!(made.status.code(), Some(0));
        let devices = workspace.join("devices");
        for device in ["arm", "base", "greenhouse"] {
            std::fs::remove_file(devices.join(format!("{device}.md"))).expect("the template's device");
        }
        let text = std::fs::read_to_string(devices.join(format!("examples/{example}.md"))).expect("the example");
        std::fs::write(devices.join("mine.md"), alter(&text)).expect("a device");
        Bench { llmos, workspace }
    }

    fn arguments<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        let workspace = self.workspace.to_str().expect("a path");
        arguments.iter().copied().chain(["--workspace", workspace]).collect()
    }

    /// Runs a goal with these faults on the embedded broker.
    fn run(&self, faults: &str, goal: &str) -> (Value, i32) {
        self.llmos.json(&self.arguments(&["run", "--fault", faults, goal]))
    }

    /// The findings of `device check`, and its exit code.
    fn check(&self) -> (Vec<String>, i32) {
        let (document, code) = self.llmos.json(&self.arguments(&["device", "check"]));
        let lines = document["findings"].as_array().expect("findings").iter();
        (lines.filter_map(Value::as_str).map(str::to_owned).collect(), code)
    }
}

/// Shorter patience, for runs that can only fail.
fn impatient(text: &str) -> String {
    assert!(
        !text.contains(" timeout: ") || text.contains("\"6 s\""),
        "the examples wait 6 s"
    );
    text.replace("\"6 s\"", "\"1 s\"")
}

#[test]
fn each_example_is_planned_proved_and_followed() {
    for (example, goal, too_far) in EXAMPLES {
        let bench = Bench::new(example, str::to_owned);
        let (first, code) = bench.run("", goal);
        assert_eq!(
            (first["status"].as_str(), code),
            (Some("done"), 0),
            "{example}: {first}"
        );
        assert_eq!(first["model_calls"], 1, "{example}: {first}");
        assert_eq!(first["steps"][0]["observed"], "met", "{example}: {first}");
        let (again, code) = bench.run("", goal);
        assert_eq!(
            (again["status"].as_str(), code),
            (Some("done"), 0),
            "{example}: {again}"
        );
        assert_eq!(
            (&again["model_calls"], &again["mode"]),
            (&0.into(), &"FOLLOWER".into()),
            "{example}"
        );
        assert_eq!(again["steps"][0]["observed"], "met", "{example}: {again}");
        assert_eq!(first["digest"], again["digest"], "{example}");
        if let Some(goal) = too_far {
            let (refused, code) = bench.run("", goal);
            assert_eq!(
                (refused["status"].as_str(), code),
                (Some("refused"), 3),
                "{example}: {refused}"
            );
            assert_eq!(refused["steps"], Value::Array(Vec::new()), "{example}: nothing is sent");
        }
    }
}

#[test]
fn a_device_that_falls_silent_or_does_not_obey_ends_the_run() {
    for (example, goal, _) in EXAMPLES {
        let bench = Bench::new(example, impatient);
        for fault in ["silent", "refuse"] {
            if (example, fault) == ("ros-base", "refuse") {
                // It takes as long as its tool may, and is tried in the next test.
                continue;
            }
            let (failed, code) = bench.run(fault, goal);
            assert_eq!(
                (failed["status"].as_str(), code),
                (Some("failed"), 1),
                "{example}: {fault}: {failed}"
            );
            let why = failed["reason"].as_str().unwrap_or_default();
            let expected = if example == "ros-base" {
                "reports nothing any more"
            } else {
                "did not finish in time"
            };
            assert!(why.contains(expected), "{example}: {fault}: {why}");
        }
    }
}

#[test]
fn what_the_device_does_is_judged_by_what_it_says_now() {
    // A report that comes late is waited for, and one that changes nothing is asked for.
    let plug = Bench::new("tasmota-plug", str::to_owned);
    let (slow, _) = plug.run("slow", "switch the plug on");
    assert_eq!(slow["status"], "done", "{slow}");
    assert!(slow["ms"].as_u64().is_some_and(|ms| ms >= 3_000), "{slow}");
    let (quiet, _) = plug.run("quiet", "switch the plug on");
    assert_eq!(quiet["status"], "done", "{quiet}");
    // Where the lamp's broker says that it is gone, it gets nothing.
    let online = Bench::new("zigbee2mqtt-lamp", |text| {
        text.replace("#   online:", "    online:")
            .replace("pointer: /state, yes: online", "pointer: /state, yes: here")
    });
    let (gone, code) = online.run("", "turn on the lamp");
    assert_eq!((gone["status"].as_str(), code), (Some("environment"), 5), "{gone}");
    assert!(
        gone["reason"]
            .as_str()
            .is_some_and(|why| why.contains("has not said that it is there")),
        "{gone}"
    );
    let online = Bench::new("zigbee2mqtt-lamp", |text| text.replace("#   online:", "    online:"));
    let (there, _) = online.run("", "turn on the lamp");
    assert_eq!(there["status"], "done", "{there}");
}

#[test]
fn a_base_without_a_watchdog_still_ends_where_it_should() {
    let base = Bench::new("ros-base", str::to_owned);
    let (done, _) = base.run("no_watchdog", "drive forward 30 cm");
    assert_eq!(done["status"], "done", "{done}");
    // One that would have to run through the stairs is not begun.
    let stairs = Bench::new("ros-base", |text| text.replace("2, 2, -1 m", "1, 0, -1 m"));
    let (refused, code) = stairs.run("", "drive forward 1 m");
    assert_eq!((refused["status"].as_str(), code), (Some("refused"), 3), "{refused}");
    assert!(
        refused["reason"].as_str().is_some_and(|why| why.contains("stairs")),
        "{refused}"
    );
}

/// A simulated device as a process of its own.
fn simulate(bench: &Bench, kind: &str, name: &str, broker: &str, faults: &str) -> Running {
    let arguments = [
        "device", "sim", kind, "--name", name, "--broker", broker, "--fault", faults,
    ];
    let mut command = bench.llmos.command(&arguments);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    Running::new(child.expect("the simulated device starts"))
}

#[test]
fn a_plug_on_a_real_broker_is_switched_as_tasmota_wants_it() {
    let Some((_mosquitto, port)) = mosquitto() else { return };
    let broker = format!("mqtt://127.0.0.1:{port}");
    let bench = Bench::new("tasmota-plug", str::to_owned);
    let commands = subscriber(port, &["cmnd/plug/POWER"]);
    let run = |goal: &str| bench.llmos.json(&bench.arguments(&["run", "--broker", &broker, goal]));
    let (absent, code) = run("switch the plug on");
    assert_eq!((absent["status"].as_str(), code), (Some("environment"), 5), "{absent}");
    let plug = simulate(&bench, "tasmota-plug", "plug", &broker, "");
    let (on, code) = run("switch the plug on");
    assert_eq!((on["status"].as_str(), code), (Some("done"), 0), "{on}");
    let switched: Vec<String> = commands
        .lock()
        .expect("a lock")
        .iter()
        .filter(|payload| !payload.is_empty())
        .cloned()
        .collect();
    assert_eq!(switched, ["ON"], "once, and the questions are empty");
    // Killed, its last will says so.
    drop(plug);
    let (gone, code) = run("switch the plug off");
    assert_eq!((gone["status"].as_str(), code), (Some("environment"), 5), "{gone}");
}

#[test]
fn what_the_broker_has_kept_of_a_lamp_that_is_gone_proves_nothing() {
    let Some((_mosquitto, port)) = mosquitto() else { return };
    let broker = format!("mqtt://127.0.0.1:{port}");
    let lamp = Bench::new("zigbee2mqtt-lamp", str::to_owned);
    let states = subscriber(port, &["zigbee2mqtt/lamp"]);
    let run = |goal: &str| lamp.llmos.json(&lamp.arguments(&["run", "--broker", &broker, goal]));
    let gone = simulate(&lamp, "zigbee-lamp", "lamp", &broker, "stale");
    while states.lock().expect("a lock").is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    drop(gone);
    let (stale, code) = run("switch the lamp off");
    assert_eq!((stale["status"].as_str(), code), (Some("environment"), 5), "{stale}");
    assert!(
        stale["reason"]
            .as_str()
            .is_some_and(|why| why.contains("are topics and pointers right?")),
        "{stale}"
    );
    let _there = simulate(&lamp, "zigbee-lamp", "lamp", &broker, "");
    while states.lock().expect("a lock").len() < 2 {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let (off, _) = run("switch the lamp off");
    assert!(
        off["reason"]
            .as_str()
            .is_some_and(|why| why.contains("it is so already")),
        "asked, it says so itself: {off}"
    );
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_drive_with_zero() {
    use crate::ending::{ended, signal, until};
    let Some((_mosquitto, port)) = mosquitto() else { return };
    let broker = format!("mqtt://127.0.0.1:{port}");
    let bench = Bench::new("ros-base", str::to_owned);
    let twists = subscriber(port, &["rover/cmd_vel"]);
    let _base = simulate(&bench, "ros-base", "rover", &broker, "no_watchdog");
    let arguments = bench.arguments(&["run", "--broker", &broker, "drive forward 2 m"]);
    let (child, _) = until(&bench.llmos, &arguments, "acknowledged");
    std::thread::sleep(std::time::Duration::from_millis(700));
    signal(&child, "INT");
    let (status, _) = ended(child);
    assert_eq!(status.code(), Some(1));
    std::thread::sleep(std::time::Duration::from_millis(200));
    let twists = twists.lock().expect("a lock");
    let speeds: Vec<f64> = twists
        .iter()
        .filter_map(|twist| serde_json::from_str::<Value>(twist).ok()?["linear"]["x"].as_f64())
        .collect();
    let first_end = speeds.iter().position(|speed| *speed == 0.0).expect("it is ended");
    assert!(
        (2..60).contains(&first_end),
        "long before the 10 s are over: {speeds:?}"
    );
    assert!(
        speeds[first_end..].iter().all(|speed| *speed == 0.0),
        "and stays ended: {speeds:?}"
    );
}

/// An example, what is written in it, what is written instead, where that is found, and what is said.
const MISTAKES: [(&str, &str, &str, &str, &str); 15] = [
    (
        "zigbee2mqtt-lamp",
        "'{\"state\": \"{power}\"}'",
        "'{\"state\": \"{pwr}\"}'",
        "10:18",
        "{pwr} is no parameter of \"switch\"; there are power",
    ),
    (
        "zigbee2mqtt-lamp",
        "'{\"state\": \"{power}\"}'",
        "'{\"state\": \"{power}\"'",
        "10:18",
        "expected JSON",
    ),
    (
        "zigbee2mqtt-lamp",
        "topic: zigbee2mqtt/lamp/set",
        "topic: zigbee2mqtt/+/set",
        "9:16",
        "expected a fixed topic",
    ),
    (
        "zigbee2mqtt-lamp",
        "on: ON, off: OFF",
        "on: ON",
        "11:32",
        "the option \"off\" of \"power\"",
    ),
    (
        "zigbee2mqtt-lamp",
        "      dim:\n",
        "      dimm:\n",
        "7:5",
        "the tool \"dim\" publishes nothing",
    ),
    (
        "zigbee2mqtt-lamp",
        "      dim:\n",
        "      dimm:\n",
        "12:7",
        "there is no tool \"dimm\"",
    ),
    (
        "zigbee2mqtt-lamp",
        "pointer: /state, field: state",
        "pointer: state, field: state",
        "21:45",
        "expected / and a path",
    ),
    (
        "zigbee2mqtt-lamp",
        "topic: zigbee2mqtt/lamp, pointer: /state",
        "topic: zigbee2mqtt/lamp/set, pointer: /state",
        "21:18",
        "our own words",
    ),
    (
        "zigbee2mqtt-lamp",
        "field: brightness",
        "field: brighness",
        "20:5",
        "nothing here reports \"brightness\"",
    ),
    (
        "zigbee2mqtt-lamp",
        "scale: 254, whole",
        "scale: many, whole",
        "15:39",
        "expected a number",
    ),
    (
        "zigbee2mqtt-lamp",
        "whole: true",
        "hole: true",
        "15:50",
        "\"hole\" is not known here",
    ),
    (
        "ros-base",
        "lasts: distance",
        "lasts: time",
        "14:18",
        "no parameter of \"drive\"",
    ),
    (
        "ros-base",
        "every: \"100 ms\"\n          lasts: angle",
        "every: \"1 ms\"\n          lasts: angle",
        "22:18",
        "20 ms to 1 s",
    ),
    (
        "ros-base",
        "kind: point",
        "kind: number",
        "27:83",
        "expected point or ahead",
    ),
    (
        "ros-base",
        "0..2 m\"",
        "0..4 m\"",
        "14:18",
        "longer than the tool's timeout of 15 s",
    ),
];

#[test]
fn mistakes_in_topics_are_named_with_line_and_column() {
    for (example, from, to, place, words) in MISTAKES {
        let bench = Bench::new(example, |text| {
            assert!(text.contains(from), "{example}: {from}");
            text.replacen(from, to, 1)
        });
        let (lines, code) = bench.check();
        let wanted =
            |line: &String| line.starts_with(&format!("devices/mine.md:{place}: error: ")) && line.contains(words);
        assert!(
            lines.iter().any(wanted),
            "{from} -> {to}: expected {place} {words}: {lines:#?}"
        );
        assert_eq!(code, 1, "{from} -> {to}");
    }
}

#[test]
fn a_device_whose_topics_are_wrong_is_not_used() {
    let bench = Bench::new("tasmota-plug", |text| {
        text.replace("payload: \"{power}\"", "payload: \"{pwr}\"")
    });
    let (report, code) = bench.run("", "switch the plug on");
    assert_eq!((report["status"].as_str(), code), (Some("environment"), 5), "{report}");
    let why = report["reason"].as_str().unwrap_or_default();
    assert!(
        why.contains("see llmos device check") && why.contains("{pwr}"),
        "{report}"
    );
    // A topic or a pointer that is well written and wrong shows when nothing comes.
    for (from, to) in [
        ("stat/plug/RESULT", "stat/plug/RESULTS"),
        ("pointer: /POWER", "pointer: /power"),
    ] {
        let bench = Bench::new("tasmota-plug", |text| {
            let kept: Vec<&str> = text
                .lines()
                .filter(|line| !line.contains("tele/plug/STATE") && !line.contains("ENERGY"))
                .collect();
            let text = kept.join("\n").replace(", load: power, kilowatt_hours: number", "") + "\n";
            text.replace(from, to)
        });
        let (report, code) = bench.run("", "switch the plug on");
        assert_eq!(
            (report["status"].as_str(), code),
            (Some("environment"), 5),
            "{to}: {report}"
        );
        let why = report["reason"].as_str().unwrap_or_default();
        assert!(why.contains("are topics and pointers right?"), "{to}: {report}");
    }
    // Two manifests for one device move it without knowing of each other.
    let twins = Bench::new("tasmota-plug", str::to_owned);
    let text = std::fs::read_to_string(twins.workspace.join("devices/mine.md")).expect("the device");
    std::fs::write(
        twins.workspace.join("devices/twin.md"),
        text.replace("device: plug", "device: twin"),
    )
    .expect("a twin");
    let (lines, code) = twins.check();
    let wanted = |line: &String| {
        line.starts_with("devices/twin.md:8:24: error: ") && line.contains("belongs to the device \"plug\" too")
    };
    assert!(code == 1 && lines.iter().any(wanted), "{lines:#?}");
}

#[test]
fn what_a_device_can_not_guarantee_follows_from_its_manifest() {
    let says = |example: &str, alter: &dyn Fn(&str) -> String, words: &str| {
        let bench = Bench::new(example, alter);
        let (lines, code) = bench.check();
        assert_eq!(code, 0, "{example}: {lines:#?}");
        lines.iter().any(|line| line.contains(words))
    };
    let same: &dyn Fn(&str) -> String = &|text| text.to_owned();
    for (example, ..) in EXAMPLES {
        for words in [
            "no lease: ",
            "no envelope of its own",
            "no expiry",
            "no acknowledgement",
        ] {
            assert!(says(example, same, words), "{example}: {words}");
        }
    }
    let online: &dyn Fn(&str) -> String = &|text| text.replace("#   online:", "    online:");
    assert!(says("zigbee2mqtt-lamp", same, "nothing says that it is gone"));
    assert!(!says("zigbee2mqtt-lamp", online, "nothing says that it is gone"));
    assert!(says("zigbee2mqtt-lamp", same, "no \"stop\""));
    assert!(says(
        "tasmota-plug",
        same,
        "a stop is the message \"OFF\" on cmnd/plug/POWER"
    ));
    assert!(says("home-assistant-climate", same, "it can't be asked"));
    assert!(!says("tasmota-plug", same, "it can't be asked"));
    assert!(says("ros-base", same, "drive lasts until it is told to end") && says("ros-base", same, "watchdog"));
    assert!(!says("ros-base", same, "any time ago"));
    let steady: &dyn Fn(&str) -> String = &|text| text.replace(", every: \"500 ms\"", "");
    assert!(says(
        "ros-base",
        steady,
        "ahead, heading, position may have been reported any time ago"
    ));
    let blind: &dyn Fn(&str) -> String = &|text| text.replace("    after: now.power == power\n", "");
    assert!(says(
        "tasmota-plug",
        blind,
        "plug.switch: its effect can't be read back"
    ));
}

#[test]
fn the_ten_lines_of_the_readme_work() {
    let readme = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(readme).expect("the README");
    let begin = readme.find("    ---\n    device: lamp\n").expect("its lamp");
    let lines: Vec<&str> = readme[begin..]
        .lines()
        .map_while(|line| line.strip_prefix("    "))
        .collect();
    assert!(lines.len() <= 12, "ten lines and two fences: {lines:#?}");
    let bench = Bench::new("zigbee2mqtt-lamp", |_| lines.join("\n") + "\n");
    let (found, code) = bench.check();
    assert_eq!(code, 0, "{found:#?}");
    let bench = Bench::new("zigbee2mqtt-lamp", |_| {
        lines
            .join("\n")
            .replace("device: lamp\n", "device: lamp\nsimulator: zigbee-lamp\n")
            + "\n"
    });
    let (done, _) = bench.run("", "turn on the lamp");
    assert_eq!(
        (&done["status"], &done["steps"][0]["observed"]),
        (&"done".into(), &"met".into()),
        "{done}"
    );
}
