//! Bindings for devices that exist: what is published for a call, and what is read back, as tables.

use llmos_firmware_bridge::binding::{Problem, Shape, Surface, ToolSurface, overlaps};
use llmos_firmware_bridge::{Binding, Plain};

const LAMP: &str = r#"{
  "command": {
    "switch": { "topic": "zigbee2mqtt/lamp/set", "payload": "{\"state\":\"{state}\"}",
                "parameters": { "state": { "map": { "on": "ON", "off": "OFF" } } } },
    "dim": { "topic": "zigbee2mqtt/lamp/set", "payload": "{\"brightness\":{level}}",
             "parameters": { "level": { "scale": 254, "whole": true } } },
    "label": { "topic": "zigbee2mqtt/lamp/set", "payload": "{\"note\":\"a {text} b\",\"raw\":{text}}" },
    "power": { "topic": "cmnd/plug/POWER", "payload": "{state}" },
    "drive": { "topic": "ros/cmd", "payload": "{\"linear\":{\"x\":{to.x},\"y\":{to.y}},\"all\":{to}}" }
  },
  "state": [
    { "topic": "zigbee2mqtt/lamp", "pointer": "/state", "field": "light", "kind": "text", "map": { "ON": "on", "OFF": "off" } },
    { "topic": "zigbee2mqtt/lamp", "pointer": "/brightness", "field": "level", "kind": "number", "scale": 254 },
    { "topic": "stat/plug/POWER", "field": "power", "kind": "bool" }
  ]
}"#;

fn lamp() -> Binding {
    let (binding, problems) = Binding::read(LAMP);
    assert_eq!(problems, Vec::new());
    binding
}

fn check(tool: &str, name: &str, value: Plain, expected: Result<&str, &str>) {
    match (lamp().encode(tool, &[(name.to_owned(), value)]), expected) {
        (Ok((_, payload)), Ok(wanted)) => assert_eq!(String::from_utf8(payload).as_deref(), Ok(wanted), "{tool}"),
        (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{tool}: {error}"),
        (found, _) => panic!("{tool}: expected {expected:?}, found {found:?}"),
    }
}

fn text(text: &str) -> Plain {
    Plain::Text(text.to_owned())
}

#[test]
fn calls_are_written_in_the_device_s_words_and_units() {
    check("switch", "state", text("on"), Ok(r#"{"state":"ON"}"#));
    check("switch", "state", text("purple"), Err("not among"));
    check("switch", "other", text("on"), Err("no value"));
    check("dim", "level", Plain::Number(500_000), Ok(r#"{"brightness":127}"#));
    check("power", "state", text("ON"), Ok("ON"));
    check(
        "drive",
        "to",
        Plain::Point([500_000, -1_000_000, 0]),
        Ok(r#"{"linear":{"x":0.5,"y":-1},"all":[0.5,-1,0]}"#),
    );
    check("fly", "to", text("moon"), Err("no command binding"));
}

#[test]
fn values_never_become_structure() {
    let hostile = r#"x","admin":true,"y":"\"#;
    let expected = serde_json::json!({ "note": format!("a {hostile} b"), "raw": hostile }).to_string();
    check("label", "text", text(hostile), Ok(&expected));
    let hole = "{text} {state}";
    let expected = serde_json::json!({ "note": format!("a {hole} b"), "raw": hole }).to_string();
    check("label", "text", text(hole), Ok(&expected));
    check("power", "state", text("ON\nOFF"), Err("control"));
}

/// The errors of a binding, as `path: message`.
fn errors(problems: &[Problem]) -> Vec<String> {
    let errors = problems.iter().filter(|problem| problem.is_error);
    errors
        .map(|problem| format!("{}: {}", problem.path, problem.message))
        .collect()
}

#[test]
fn bad_bindings_are_explained_where_they_are_bad() {
    for (text, path, words) in [
        ("{", "", "expected JSON"),
        ("[]", "", "expected a mapping"),
        (
            r#"{"comand":{}}"#,
            "/comand",
            "known are command, state, online, ask, stop",
        ),
        (
            r#"{"command":{"a":{"topic":"a/+","payload":"x"}}}"#,
            "/command/a/topic",
            "fixed topic",
        ),
        (
            r#"{"command":{"a":{"topic":"llmos/v1/arm/cmd","payload":"x"}}}"#,
            "/command/a/topic",
            "outside llmos",
        ),
        (
            r#"{"command":{"a":{"payload":"x"}}}"#,
            "/command/a",
            "\"topic:\" is missing",
        ),
        (
            r#"{"command":{"a":{"topic":"a","payload":"{\"x\":{y}"}}}"#,
            "/command/a/payload",
            "expected JSON",
        ),
        (
            r#"{"command":{"a/b":{"topic":"a","payload":"x","paramters":{}}}}"#,
            "/command/a~1b/paramters",
            "known are",
        ),
        (
            r#"{"command":{"a":{"topic":"a","payload":"{y}","parameters":{"y":{"map":{"on":"high"},"kind":"number"}}}}}"#,
            "/command/a/parameters/y/map/on",
            "expected a number",
        ),
        (
            r#"{"command":{"a":{"topic":"a","payload":"{y}","parameters":{"y":{"scale":"0"}}}}}"#,
            "/command/a/parameters/y/scale",
            "expected a number between",
        ),
        (
            r#"{"command":{"a":{"topic":"a","payload":"x","stream":{"every":"5 ms","lasts":"t","end":"y"}}}}"#,
            "/command/a/stream/every",
            "20 ms to 1 s",
        ),
        (
            r#"{"command":{"a":{"topic":"a","payload":"x","stream":{"every":"100 ms","lasts":"t"}}}}"#,
            "/command/a/stream",
            "\"end:\" is missing",
        ),
        (
            r#"{"command":{"a":{"topic":"a","payload":"x","stream":{"every":"100 ms","lasts":"t","end":"{t}"}}}}"#,
            "/command/a/stream/end",
            "without parameters",
        ),
        (
            r#"{"state":[{"topic":"a","pointer":"x","field":"f","kind":"text"}]}"#,
            "/state/0/pointer",
            "a path",
        ),
        (
            r#"{"state":[{"topic":"a","field":"f","kind":"colour"}]}"#,
            "/state/0/kind",
            "expected number, text",
        ),
        (
            r#"{"state":[{"topic":"a","field":"f","kind":"text","every":"often"}]}"#,
            "/state/0/every",
            "100 ms",
        ),
        (r#"{"state":{"topic":"a"}}"#, "/state", "should be a list"),
        (
            r#"{"online":{"topic":"a","yes":"1","no":"1"}}"#,
            "/online/no",
            "the same word",
        ),
        (r#"{"stop":{"topic":""}}"#, "/stop/topic", "fixed topic"),
        (
            r#"{"ask":[{"topic":"a","payload":["x"]}]}"#,
            "/ask/0/payload",
            "should be a text",
        ),
    ] {
        let (_, problems) = Binding::read(text);
        let found = errors(&problems);
        let wanted = |line: &String| line.starts_with(&format!("{path}: ")) && line.contains(words);
        assert!(found.iter().any(wanted), "{text}: {found:?}");
    }
}

fn options(words: &[&str]) -> Shape {
    Shape::Options(words.iter().map(|word| (*word).to_owned()).collect())
}

/// A lamp and a base, as their tools need them.
fn surface() -> Surface {
    let tool = |name: &str, parameters: Vec<(&str, Shape)>| ToolSurface {
        name: name.to_owned(),
        parameters: parameters
            .into_iter()
            .map(|(name, shape)| (name.to_owned(), shape))
            .collect(),
        timeout_ms: 15_000,
    };
    Surface {
        tools: vec![
            tool("switch", vec![("power", options(&["on", "off"]))]),
            tool("drive", vec![("distance", Shape::Number(Some((0, 2_000_000))))]),
        ],
        readings: vec![("state".to_owned(), options(&["on", "off"]))],
    }
}

/// A binding that fits, with one thing written differently.
fn altered(from: &str, to: &str) -> Vec<Problem> {
    let text = r#"{
        "command": {
            "switch": { "topic": "lamp/set", "payload": "{power}", "parameters": { "power": { "map": { "on": "ON", "off": "OFF" } } } },
            "drive": { "topic": "base/set", "payload": "go", "stream": { "every": "100 ms", "lasts": "distance", "scale": 5, "end": "stop" } }
        },
        "state": [ { "topic": "lamp", "field": "state", "kind": "text", "map": { "ON": "on", "OFF": "off" } } ]
    }"#;
    assert!(text.contains(from), "{from}");
    let (binding, problems) = Binding::read(&text.replacen(from, to, 1));
    assert_eq!(problems, Vec::new(), "{to}");
    binding.check(&surface())
}

#[test]
fn a_binding_that_does_not_fit_its_tools_is_explained() {
    assert_eq!(altered("lamp", "lamp"), Vec::new());
    for (from, to, path, words) in [
        (
            "\"switch\"",
            "\"toggle\"",
            "/command",
            "the tool \"switch\" publishes nothing",
        ),
        ("\"switch\"", "\"toggle\"", "/command/toggle", "no tool \"toggle\""),
        (
            "{power}",
            "{pwer}",
            "/command/switch/payload",
            "{pwer} is no parameter of \"switch\"; there are power",
        ),
        ("{power}", "ON", "/command/switch/payload", "\"power\" is never sent"),
        (
            "\"power\":",
            "\"pwer\":",
            "/command/switch/parameters/pwer",
            "no parameter",
        ),
        (
            ", \"off\": \"OFF\"",
            "",
            "/command/switch/parameters/power/map",
            "the option \"off\"",
        ),
        (
            "\"on\": \"ON\"",
            "\"on\": \"ON\", \"dim\": \"DIM\"",
            "/command/switch/parameters/power/map",
            "\"dim\" is no option",
        ),
        (
            "\"distance\"",
            "\"length\"",
            "/command/drive/stream/lasts",
            "no parameter of \"drive\"",
        ),
        (
            "5, \"end\"",
            "10, \"end\"",
            "/command/drive/stream/lasts",
            "longer than the tool's timeout of 15 s",
        ),
        (
            "5, \"end\"",
            "1000, \"end\"",
            "/command/drive/stream/lasts",
            "at most 600 s",
        ),
        ("5, \"end\"", "-5, \"end\"", "/command/drive/stream/scale", "negative"),
        (
            "\"field\": \"state\"",
            "\"field\": \"level\"",
            "/state",
            "nothing here reports \"state\"",
        ),
        (
            "\"kind\": \"text\"",
            "\"kind\": \"number\"",
            "/state/0/kind",
            "expected text",
        ),
        (
            "\"OFF\": \"off\"",
            "\"OFF\": \"dark\"",
            "/state/0/map",
            "\"dark\" is no option of \"state\"",
        ),
        (
            "\"topic\": \"lamp\"",
            "\"topic\": \"lamp/set\"",
            "/state/0/topic",
            "our own words",
        ),
    ] {
        let found = errors(&altered(from, to));
        let wanted = |line: &String| line.starts_with(&format!("{path}: ")) && line.contains(words);
        assert!(found.iter().any(wanted), "{from} -> {to}: {found:?}");
    }
    let twice = "[ { \"topic\": \"lamp\", \"field\": \"state\", \"kind\": \"text\" }, {";
    assert!(errors(&altered("[ {", twice))[0].starts_with("/state/1/field: \"state\" is read twice"));
    let spare = "[ { \"topic\": \"lamp\", \"field\": \"spare\", \"kind\": \"text\" }, {";
    let found = altered("[ {", spare);
    assert!(
        found.len() == 1 && !found[0].is_error,
        "a reading too many is a warning: {found:?}"
    );
}

#[test]
fn two_devices_do_not_share_a_command() {
    let lamp = lamp();
    let found = overlaps(&lamp, "other", &lamp);
    assert!(
        found.iter().all(|problem| problem.message.contains("\"other\"")),
        "{found:?}"
    );
    assert_eq!(found.len(), lamp.command.len());
    assert_eq!(overlaps(&lamp, "none", &Binding::default()), Vec::new());
}

#[test]
fn an_optional_parameter_that_is_not_given_leaves_its_field_out() {
    let (binding, _) = Binding::read(
        r#"{"command":{"dim":{"topic":"a","payload":"{\"brightness\":{level},\"transition\":{time}}"},
            "say":{"topic":"a","payload":"{\"text\":\"in {time}\"}"}}}"#,
    );
    let level = ("level".to_owned(), Plain::Number(100_000_000));
    let time = ("time".to_owned(), Plain::Number(2_000_000));
    let written = |tool: &str, arguments: &[(String, Plain)]| {
        let encoded = binding.encode(tool, arguments).map_err(|error| error.to_string());
        encoded.map(|(_, payload)| String::from_utf8_lossy(&payload).into_owned())
    };
    assert_eq!(
        written("dim", std::slice::from_ref(&level)).as_deref(),
        Ok(r#"{"brightness":100}"#)
    );
    assert_eq!(
        written("dim", &[level, time]).as_deref(),
        Ok(r#"{"brightness":100,"transition":2}"#)
    );
    assert!(
        written("say", &[]).is_err_and(|error| error.contains("has no value")),
        "a part of a text can't be left out"
    );
}

#[test]
fn words_and_truths_become_numbers_and_words() {
    let (binding, problems) = Binding::read(
        r#"{"command":{"tone":{"topic":"a","payload":"{\"color_temp\":{white}}","parameters":{"white":{"map":{"warm":370,"cool":"-0.2"},"kind":"number"}}},
            "set":{"topic":"a","payload":"{open}","parameters":{"open":{"map":{"true":"OPEN","false":"CLOSE"}}}}}}"#,
    );
    assert_eq!(problems, Vec::new());
    let written = |tool: &str, name: &str, value: Plain| {
        let encoded = binding
            .encode(tool, &[(name.to_owned(), value)])
            .expect("it is written");
        String::from_utf8_lossy(&encoded.1).into_owned()
    };
    assert_eq!(written("tone", "white", text("warm")), r#"{"color_temp":370}"#);
    assert_eq!(written("tone", "white", text("cool")), r#"{"color_temp":-0.2}"#);
    assert_eq!(written("set", "open", Plain::Bool(false)), "CLOSE");
}

#[test]
fn a_pose_is_read_as_points_and_angles() {
    let (binding, problems) = Binding::read(
        r#"{"state":[{"topic":"odom","pointer":"/pose/position","field":"position","kind":"point"},
            {"topic":"odom","pointer":"/pose/orientation","field":"heading","kind":"heading"},
            {"topic":"odom","pointer":"/pose/orientation","field":"ahead","kind":"ahead"}]}"#,
    );
    assert_eq!(problems, Vec::new());
    let read = |payload: &str| {
        let readings = binding
            .decode("odom", payload.as_bytes())
            .map_err(|error| error.to_string());
        readings.map(|list| list.into_iter().map(|named| named.value).collect::<Vec<_>>())
    };
    let quarter =
        r#"{"pose":{"position":{"x":1.5,"y":-2,"z":0},"orientation":{"x":0,"y":0,"z":0.707107,"w":0.707107}}}"#;
    assert_eq!(
        read(quarter),
        Ok(vec![
            Plain::Point([1_500_000, -2_000_000, 0]),
            Plain::Number(90_000_000),
            Plain::Point([0, 1_000_000, 0])
        ])
    );
    assert_eq!(
        read(r#"{"pose":{"position":[1,2,3]}}"#),
        Ok(vec![Plain::Point([1_000_000, 2_000_000, 3_000_000])])
    );
    assert!(
        read(r#"{"pose":{"position":{"x":1,"y":2}}}"#).is_err_and(|error| error.contains("expected numbers x, y, z"))
    );
    let none = r#"{"pose":{"orientation":{"x":0,"y":0,"z":0,"w":0}}}"#;
    assert!(read(none).is_err_and(|error| error.contains("length one")));
}

#[test]
fn readings_come_back_in_ours() {
    let read = |topic: &str, payload: &[u8]| {
        let readings = lamp().decode(topic, payload).map_err(|error| error.to_string());
        readings.map(|list| {
            list.into_iter()
                .map(|reading| (reading.field, reading.value))
                .collect::<Vec<_>>()
        })
    };
    assert_eq!(
        read("zigbee2mqtt/lamp", br#"{"state":"ON","brightness":127}"#),
        Ok(vec![
            ("light".to_owned(), text("on")),
            ("level".to_owned(), Plain::Number(500_000))
        ])
    );
    assert_eq!(read("zigbee2mqtt/lamp", br#"{"linkquality":3}"#), Ok(vec![]));
    assert_eq!(
        read("stat/plug/POWER", b"ON"),
        Ok(vec![("power".to_owned(), Plain::Bool(true))])
    );
    assert!(read("stat/plug/POWER", b"maybe").is_err_and(|error| error.contains("expected on or off")));
    assert!(read("zigbee2mqtt/lamp", b"{").is_err_and(|error| error.contains("expected JSON")));
    assert!(
        read("zigbee2mqtt/lamp", br#"{"brightness":"bright"}"#).is_err_and(|error| error.contains("expected a number"))
    );
}
