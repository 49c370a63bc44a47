//! The protocol as tables: what a device answers to each message, byte for byte, as `workspace/PROTOCOL.md` says.

use llmos_firmware_bridge::sim::simulated::Simulated;
use llmos_firmware_bridge::sim::{Faults, SimKind};
use llmos_firmware_bridge::topic::Subject;
use llmos_follower::Millis;

fn device() -> Simulated {
    let mut device = Simulated::new(SimKind::Arm, 0, 4, Faults::default(), 5);
    device.handle_tick(0);
    while device.poll().is_some() {}
    device
}

/// Sends one message and returns what comes back on `ack`.
fn ask(device: &mut Simulated, now: Millis, subject: Subject, payload: &str, retained: bool) -> String {
    device.handle_message(now, subject, payload.as_bytes(), retained);
    let acks: Vec<String> = std::iter::from_fn(|| device.poll())
        .filter(|message| message.subject == Subject::Ack)
        .map(|message| String::from_utf8(message.payload).expect("text"))
        .collect();
    acks.join(" ")
}

fn command(seq: u32, id: u64, expires_ms: u64, tool: &str, args: &str) -> String {
    format!(r#"{{"session":7,"seq":{seq},"id":{id},"expires_ms":{expires_ms},"tool":"{tool}","args":{args}}}"#)
}

const UP: &str = r#"{"direction":"up","distance":0.1}"#;

fn leased() -> Simulated {
    let mut device = device();
    let granted = ask(&mut device, 10, Subject::Lease, r#"{"session":7,"ttl_ms":1500}"#, false);
    assert_eq!(granted, r#"{"lease":7,"granted":true,"boot":5,"uptime_ms":10,"seq":0}"#);
    device
}

fn check(device: &mut Simulated, now: Millis, payload: &str, retained: bool, expected: &str) {
    let found = ask(device, now, Subject::Cmd, payload, retained);
    assert!(
        found.contains(expected) && !found.is_empty(),
        "{payload}\nexpected {expected}\nfound    {found}"
    );
}

#[test]
fn every_reason_has_its_command() {
    let yes = r#""accepted":true"#;
    let no = |reason: &str| format!(r#""accepted":false,"reason":"{reason}""#);
    check(
        &mut device(),
        20,
        &command(1, 1, 9_000, "move", UP),
        false,
        &no("no_lease"),
    );
    check(&mut leased(), 20, &command(1, 1, 9_000, "move", UP), false, yes);
    check(
        &mut leased(),
        20,
        &command(1, 1, 9_000, "move", UP),
        true,
        &no("retained"),
    );
    check(&mut leased(), 20, &command(1, 1, 19, "move", UP), false, &no("expired"));
    check(
        &mut leased(),
        20,
        &command(0, 1, 9_000, "move", UP),
        false,
        &no("stale_sequence"),
    );
    check(
        &mut leased(),
        20,
        &command(1, 1, 9_000, "jump", "{}"),
        false,
        &no("unknown_tool"),
    );
    for args in [
        "{}",
        r#"{"direction":"up"}"#,
        r#"{"direction":"sideways","distance":0.1}"#,
        r#"{"direction":"up","distance":"0.1"}"#,
        r#"{"direction":"up","distance":-0.1}"#,
        r#"{"direction":"up","distance":0.1,"speed":1}"#,
        r#"{"direction":"up","distance":{"m":0.1}}"#,
        r#"{"direction":"up","distance":1e300}"#,
        r#"{"direction":"up","distance":null}"#,
    ] {
        check(
            &mut leased(),
            20,
            &command(1, 1, 9_000, "move", args),
            false,
            &no("bad_argument"),
        );
    }
    for to in ["[5,0,1]", "[0.8,0,-0.5]", "[0.8,0,0.5]", "[0.8,0,3.5]"] {
        let args = format!(r#"{{"to":{to}}}"#);
        check(
            &mut leased(),
            20,
            &command(1, 1, 9_000, "move_to", &args),
            false,
            &no("envelope"),
        );
    }
    check(
        &mut leased(),
        20,
        &command(1, 1, 9_000, "speed", r#"{"value":0.6}"#),
        false,
        &no("envelope"),
    );
    let mut device = leased();
    check(&mut device, 20, &command(1, 1, 9_000, "move", UP), false, yes);
    check(&mut device, 25, &command(2, 2, 9_000, "move", UP), false, &no("busy"));
}

#[test]
fn a_resend_gets_the_same_answer_and_a_repeat_does_nothing() {
    let mut device = leased();
    let first = command(1, 1, 9_000, "move", UP);
    check(&mut device, 20, &first, false, r#""accepted":true"#);
    check(&mut device, 30, &first, false, r#""accepted":true"#);
    for now in (40..1_000).step_by(20) {
        device.handle_tick(now);
    }
    assert_eq!(
        device.status().map(|status| (status.busy, status.done)),
        Some((false, 1))
    );
    check(&mut device, 1_000, &first, false, r#""accepted":true"#);
    assert_eq!(device.status().map(|status| status.busy), Some(false));
    check(
        &mut device,
        1_010,
        &command(1, 2, 9_000, "move", UP),
        false,
        "stale_sequence",
    );
    // A command that was refused stays refused, though it could be done by now.
    check(&mut device, 1_020, &command(2, 2, 1_000, "move", UP), false, "expired");
    check(&mut device, 1_030, &command(2, 2, 1_000, "move", UP), false, "expired");
    check(&mut device, 1_040, &command(2, 2, 9_000, "move", UP), false, "expired");
}

#[test]
fn without_its_host_a_device_goes_to_its_safe_state() {
    let mut device = leased();
    check(
        &mut device,
        20,
        &command(1, 1, 9_000, "move", UP),
        false,
        r#""accepted":true"#,
    );
    let answer = ask(&mut device, 30, Subject::Lease, r#"{"session":7,"ttl_ms":0}"#, false);
    assert_eq!(answer, r#"{"lease":7,"granted":false,"boot":5,"uptime_ms":30,"seq":1}"#);
    let status = device.status().expect("a device");
    assert!(
        !status.busy
            && status
                .failed
                .is_some_and(|(seq, failure)| (seq, failure.as_str()) == (1, "lease_lost"))
    );
    // The sequence goes on where it was, for whoever holds the lease next.
    let granted = ask(&mut device, 40, Subject::Lease, r#"{"session":8,"ttl_ms":1500}"#, false);
    assert_eq!(granted, r#"{"lease":8,"granted":true,"boot":5,"uptime_ms":40,"seq":1}"#);
    check(&mut device, 50, &command(2, 2, 9_000, "move", UP), false, "no_lease");
}

#[test]
fn without_its_connection_a_device_goes_to_its_safe_state_at_once() {
    let mut device = leased();
    check(
        &mut device,
        20,
        &command(1, 1, 9_000, "move", UP),
        false,
        r#""accepted":true"#,
    );
    device.handle_disconnected(30);
    let status = device.status().expect("a device");
    let failed = status.failed.map(|(seq, failure)| (seq, failure.as_str()));
    assert_eq!((status.busy, failed), (false, Some((1, "lease_lost"))));
    // The lease ended with it: what comes from its holder is too late, until it asks anew.
    check(&mut device, 40, &command(2, 2, 9_000, "move", UP), false, "no_lease");
}

#[test]
fn anything_on_the_stop_topic_stops_but_a_reset_by_a_person() {
    for payload in [
        "",
        "{",
        r#"{"reset":true}"#,
        r#"{"reset":true,"by":"cron"}"#,
        r#"{"id":1,"reason":"x"}"#,
    ] {
        let mut device = leased();
        device.handle_message(20, Subject::Stop, payload.as_bytes(), false);
        assert!(device.status().is_some_and(|status| status.stopped), "{payload}");
        check(&mut device, 30, &command(1, 1, 9_000, "move", UP), false, "latched");
        device.handle_message(40, Subject::Stop, br#"{"reset":true,"by":"person"}"#, true);
        assert!(
            device.status().is_some_and(|status| status.stopped),
            "a retained reset is ignored"
        );
        device.handle_message(40, Subject::Stop, br#"{"reset":true,"by":"person"}"#, false);
        assert!(device.status().is_some_and(|status| !status.stopped), "{payload}");
    }
}

#[test]
fn garbage_is_answered_with_an_event_and_no_acknowledgement() {
    for payload in [
        "",
        "null",
        "[]",
        "{}",
        r#"{"session":-1}"#,
        "\u{0}",
        r#"{"session":7,"seq":1,"id":1,"expires_ms":1,"tool":1,"args":{}}"#,
    ] {
        let mut device = leased();
        assert_eq!(ask(&mut device, 20, Subject::Cmd, payload, false), "", "{payload}");
        assert_eq!(ask(&mut device, 20, Subject::Lease, payload, false), "", "{payload}");
    }
}

#[test]
fn the_state_is_what_the_page_shows() {
    let mut device = Simulated::new(SimKind::Arm, 0, 4, Faults::default(), 5);
    device.handle_tick(0);
    let state = device.poll().expect("a state");
    assert!(state.retain);
    let text = String::from_utf8(state.payload).expect("text");
    assert!(
        text.starts_with(r#"{"boot":5,"uptime_ms":0,"busy":false,"done":0,"failed":null,"stopped":false,"entities":{"#),
        "{text}"
    );
    assert!(
        text.contains(r#""red cube":{"kind":"object","position":[0.8,0.3,0.02],"in":null}"#),
        "{text}"
    );
    assert!(text.contains(r#""position":[0.8,0,1.2]"#), "{text}");
}
