//! The protocol as tables: what a device answers to each message, byte for byte, as `workspace/PROTOCOL.md` says.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use llmos_firmware_bridge::device::Refusal;
use llmos_firmware_bridge::program::Objection;
use llmos_firmware_bridge::sim::simulated::Simulated;
use llmos_firmware_bridge::sim::{Faults, SimFlash, SimKind};
use llmos_firmware_bridge::store::StoreConfig;
use llmos_firmware_bridge::topic::Subject;
use llmos_follower::{Call, Kind, Millis, Op, Program, Range, Step, Symbol, Value, wire};

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

const PAGE: &str = include_str!("../../workspace/PROTOCOL.md");

/// A program of one step, which closes the arm's gripper, as bytes.
fn closes() -> Vec<u8> {
    let (arm, gripper) = (Symbol::of("arm"), Symbol::of("gripper"));
    let mut program = Program::default();
    let closed = Op::Const(Value::Symbol(Symbol::of("closed")));
    program.code.push(closed).expect("room");
    let state = (Symbol::of("state"), Range { start: 0, len: 1 });
    let mut step = Step {
        device: arm,
        tool: gripper,
        kind: Kind::Command,
        timeout_ms: 5_000,
        ..Step::default()
    };
    step.arguments.push(state).expect("room");
    let mut call = Call {
        device: arm,
        tool: gripper,
        ..Call::default()
    };
    call.arguments.push(state).expect("room");
    program.steps.push(step).expect("room");
    program.calls.push(call).expect("room");
    let mut buffer = vec![0; wire::BYTES_MAX];
    wire::encode(&program, &mut buffer).expect("room").to_vec()
}

/// An arm that keeps programs, with its lease.
fn keeper() -> Simulated {
    let config = StoreConfig::open(Symbol::of("arm"));
    let plant = SimKind::Arm.plant(0, 4, Faults::default());
    let mut device = Simulated::with_programs(plant, Faults::default(), 5, SimFlash::new(), config);
    device.handle_tick(0);
    while device.poll().is_some() {}
    let granted = ask(
        &mut device,
        10,
        Subject::Lease,
        r#"{"session":7,"ttl_ms":60000}"#,
        false,
    );
    assert!(granted.contains(r#""granted":true"#), "{granted}");
    device
}

/// Messages as the page shows them, written by hand.
#[test]
fn a_program_is_sent_run_and_told_of_as_the_page_says() {
    let mut device = keeper();
    let mut say = |now, text: &str| ask(&mut device, now, Subject::Program, text, false);
    let bytes = closes();
    let crc = u32::from_le_bytes(*bytes.last_chunk::<4>().expect("a checksum"));
    let size = bytes.len();
    let status = say(20, r#"{"session":9,"id":12,"ask":"status"}"#);
    assert_eq!(
        status,
        r#"{"program":12,"session":9,"accepted":true,"store":{"installed":null,"revision_min":1,"upload":null,"capacity":32768,"chunk_max":192,"versions":[2,2],"signed":false}}"#
    );
    let begin = format!(
        r#"{{"session":7,"id":13,"ask":"begin","name":5,"device":946808757,"revision":3,"size":{size},"crc":{crc}}}"#
    );
    let stranger = say(20, &begin.replace("\"session\":7", "\"session\":9"));
    assert_eq!(
        stranger,
        r#"{"program":13,"session":9,"accepted":false,"reason":"no_lease"}"#
    );
    let announced = say(20, &begin);
    let upload = format!(r#""upload":{{"crc":{crc},"received":0}}"#);
    assert!(announced.contains(&upload), "{announced}");
    let base64 = STANDARD.encode(&bytes);
    let chunk = format!(r#"{{"session":7,"id":14,"ask":"chunk","crc":{crc},"offset":0,"bytes":"{base64}"}}"#);
    let sent = say(20, &chunk);
    assert!(sent.contains(&format!(r#""received":{size}"#)), "{sent}");
    let commit = format!(r#"{{"session":7,"id":15,"ask":"commit","crc":{crc}}}"#);
    let installed = say(20, &commit);
    let expected = format!(r#""installed":{{"name":5,"revision":3,"size":{size},"crc":{crc}}},"revision_min":4"#);
    assert!(installed.contains(&expected), "{installed}");
    let again = say(20, &commit.replace("\"id\":15", "\"id\":16"));
    assert_eq!(
        again,
        installed.replace("\"program\":15", "\"program\":16"),
        "said again"
    );
    let run = |seq: u32, id: u64, crc: u32, loss: &str| {
        format!(
            r#"{{"session":7,"id":{id},"ask":"run","seq":{seq},"expires_ms":9000,"crc":{crc},"on_host_loss":"{loss}","slots":[]}}"#
        )
    };
    let no = |seq, id, reason: &str| {
        format!(r#"{{"session":7,"seq":{seq},"id":{id},"accepted":false,"reason":"{reason}","uptime_ms":30}}"#)
    };
    assert_eq!(say(30, &run(1, 20, crc ^ 1, "stop")), no(1, 20, "no_program"));
    assert_eq!(say(30, &run(2, 21, crc, "finish")), no(2, 21, "needs_host"));
    let slots = run(3, 22, crc, "stop").replace("[]", "[1]");
    assert_eq!(say(30, &slots), no(3, 22, "unbound_slot"));
    let yes = r#"{"session":7,"seq":4,"id":23,"accepted":true,"uptime_ms":30}"#;
    assert_eq!(say(30, &run(4, 23, crc, "stop")), yes);
    assert_eq!(say(30, &run(4, 23, crc, "stop")), yes, "a resend");
    let busy = say(40, &begin.replace("\"revision\":3", "\"revision\":4"));
    assert_eq!(busy, r#"{"program":13,"session":7,"accepted":false,"reason":"busy"}"#);
    let mut told = String::new();
    for now in (50..3_000).step_by(10) {
        device.handle_tick(now);
        while let Some(message) = device.poll() {
            if message.subject == Subject::Ack {
                told += &String::from_utf8(message.payload).expect("text");
            }
        }
    }
    let begins = format!(r#"{{"ran":{{"run":23,"session":7,"crc":{crc},"step":1,"commands":1,"ms":"#);
    assert!(told.starts_with(&begins), "{told}");
    let ends = r#""outcome":"finished","observed":"unverified","digest":""#;
    assert!(told.contains(ends), "{told}");
    let mut say = |now, text: &str| ask(&mut device, now, Subject::Program, text, false);
    let again = say(3_000, &run(5, 24, crc, "stop").replace("9000", "90000"));
    assert!(again.contains(r#""reason":"report_waiting""#), "{again}");
    let report = say(3_000, r#"{"session":9,"id":30,"ask":"report"}"#);
    assert!(
        report.starts_with(r#"{"program":30,"session":9,"accepted":true,"ran":{"run":23,"#),
        "{report}"
    );
    let forgotten = say(3_000, r#"{"session":7,"id":31,"ask":"forget","run":23}"#);
    assert_eq!(forgotten, r#"{"program":31,"session":7,"accepted":true}"#);
    for noise in [
        "",
        "null",
        "{}",
        r#"{"session":7,"id":1,"ask":"dance"}"#,
        &chunk.replace("\"AgAA", "\"?gAA"),
    ] {
        assert_eq!(say(3_000, noise), "", "{noise}");
    }
}

#[test]
fn every_word_of_a_refusal_is_on_the_page() {
    let words = Objection::ALL.iter().map(|objection| objection.as_str());
    for word in words.chain(Refusal::ALL.iter().map(|refusal| refusal.as_str())) {
        assert!(
            PAGE.contains(&format!("`{word}`")),
            "`{word}` is not explained in PROTOCOL.md"
        );
    }
    for ask in ["status", "begin", "chunk", "commit", "abort", "run", "report", "forget"] {
        assert!(PAGE.contains(&format!("| `{ask}` |")), "{ask}");
    }
}
