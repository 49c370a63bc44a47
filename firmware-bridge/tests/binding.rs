//! Bindings for devices that exist: what is published for a call, and what is read back, as tables.

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
    let binding: Binding = serde_json::from_str(LAMP).expect("a binding");
    assert_eq!(binding.check(), Vec::new());
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

#[test]
fn bad_bindings_are_explained() {
    for (command, problem) in [
        (r#"{"command":{"a":{"topic":"a/+","payload":"x"}}}"#, "fixed topic"),
        (
            r#"{"command":{"a":{"topic":"a","payload":"{\"x\":{y}"}}}"#,
            "expected JSON",
        ),
        (
            r#"{"command":{"a":{"topic":"llmos/v1/arm/cmd","payload":"x"}}}"#,
            "outside llmos",
        ),
        (
            r#"{"state":[{"topic":"a","pointer":"x","field":"f","kind":"text"}]}"#,
            "pointer",
        ),
    ] {
        let binding: Binding = serde_json::from_str(command).expect("a binding");
        let problems = binding.check();
        assert!(
            problems.iter().any(|found| found.to_string().contains(problem)),
            "{command}: {problems:?}"
        );
    }
    assert!(
        serde_json::from_str::<Binding>(r#"{"comand":{}}"#).is_err(),
        "an unknown key is an error"
    );
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
