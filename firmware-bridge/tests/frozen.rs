//! The bytes of version 1 on a serial line, for ever. If a test here fails, the code is wrong, not the test.

use llmos_firmware_bridge::device::{Failure, Refusal, Told};
use llmos_firmware_bridge::packet::{
    CommandPacket, Counts, FromDevice, FromHost, Head, Pong, Reading, ToDevice, ToHost, Unreadable, ping,
    read_from_device, read_from_host, read_report, stop, write,
};
use llmos_follower::{Symbol, Value};

fn hex(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.join(" ")
}

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = hex.split_whitespace();
    pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hex")).collect()
}

#[track_caller]
fn to_device(message: &ToDevice<'_>, expected: &str) {
    let mut packet = [0; 250];
    let len = write(message, &mut packet).expect("it fits");
    assert_eq!(hex(&packet[..len]), expected);
    assert_eq!(read_from_host(&packet[..len]), Ok(FromHost::Message(message.clone())));
}

#[track_caller]
fn to_host(message: &ToHost<'_>, expected: &str) {
    let mut packet = [0; 250];
    let len = write(message, &mut packet).expect("it fits");
    assert_eq!(hex(&packet[..len]), expected);
    assert_eq!(
        read_from_device(&packet[..len]),
        Ok(FromDevice::Message(message.clone()))
    );
}

#[test]
fn the_handshake() {
    assert_eq!(hex(&ping(0x0403_0201)), "3f 01 02 03 04");
    assert_eq!(hex(&stop(0x0403_0201)), "21 01 02 03 04");
    assert_eq!(
        read_from_host(&bytes("3f 01 02 03 04")),
        Ok(FromHost::Ping(0x0403_0201))
    );
    assert_eq!(
        read_from_host(&bytes("3f 01 02 03 04 99")),
        Ok(FromHost::Ping(0x0403_0201))
    );
    assert_eq!(read_from_host(&bytes("3f 01 02 03")), Err(Unreadable::Malformed));
    for (packet, token) in [
        ("21", 0),
        ("21 05", 0),
        ("21 05 00 00 00", 5),
        ("21 05 00 00 00 ff ff", 5),
    ] {
        assert_eq!(read_from_host(&bytes(packet)), Ok(FromHost::Stop(token)), "{packet}");
    }
    let pong = Pong {
        token: 0x0403_0201,
        oldest: 1,
        newest: 3,
        boot: 0x0807_0605,
        stopped: true,
        name: "arm",
    };
    let expected = "3d 01 02 03 04 01 03 05 06 07 08 01 03 61 72 6d";
    let mut packet = [0; 250];
    let len = pong.write(&mut packet).expect("it fits");
    assert_eq!(hex(&packet[..len]), expected);
    assert_eq!(read_from_device(&bytes(expected)), Ok(FromDevice::Pong(pong)));
    // A later version may say more behind it.
    assert_eq!(
        read_from_device(&bytes(&format!("{expected} 99"))),
        Ok(FromDevice::Pong(pong))
    );
}

#[test]
fn what_a_host_says() {
    to_device(
        &ToDevice::Lease {
            session: 0xdead_beef,
            ttl_ms: 1_500,
        },
        "01 00 ef fd b6 f5 0d dc 0b",
    );
    let arguments = [
        (Symbol(0x0102_0304), Value::Bool(true)),
        (Symbol(2), Value::Number(-300_000)),
        (Symbol(3), Value::Point([800_000, 0, -1])),
        (Symbol(4), Value::Symbol(Symbol(5))),
    ];
    let command = CommandPacket {
        session: 7,
        seq: 42,
        id: 108,
        expires_ms: 54_310,
        tool: Symbol::of("move"),
        arguments: Some(arguments.into_iter().collect()),
    };
    to_device(
        &ToDevice::Command(command.clone()),
        "01 01 07 2a 6c a6 a8 03 94 80 ac c2 01 01 04 84 86 88 08 00 01 02 01 bf cf 24 03 02 80 d4 61 00 01 04 03 05",
    );
    to_device(
        &ToDevice::Command(CommandPacket {
            arguments: None,
            ..command
        }),
        "01 01 07 2a 6c a6 a8 03 94 80 ac c2 01 00",
    );
    to_device(&ToDevice::Reset, "01 02");
    to_device(&ToDevice::Program(&[0xaa, 0]), "01 03 02 aa 00");
}

#[test]
fn what_a_device_says() {
    to_host(
        &ToHost::Lease {
            session: 7,
            granted: true,
            boot: 5,
            uptime_ms: 52_310,
            seq: 41,
        },
        "01 00 07 01 05 d6 98 03 29",
    );
    to_host(
        &ToHost::Ack {
            session: 7,
            seq: 42,
            id: 108,
            uptime_ms: 52_330,
            refusal: None,
        },
        "01 01 07 2a 6c ea 98 03 00",
    );
    to_host(
        &ToHost::Fault {
            uptime_ms: 1,
            seq: 42,
            failure: Failure::Stopped,
        },
        "01 02 01 2a 00",
    );
    to_host(
        &ToHost::Report {
            report: 9,
            part: 0,
            end: None,
            bytes: &[1, 2],
        },
        "01 03 09 00 00 02 01 02",
    );
    to_host(
        &ToHost::Report {
            report: 9,
            part: 1,
            end: Some(3),
            bytes: &[],
        },
        "01 03 09 01 01 03 00",
    );
    to_host(
        &ToHost::Line {
            uptime_ms: 1,
            counts: Counts {
                noise: 2,
                unreadable: 3,
                dropped: 300,
            },
        },
        "01 04 01 02 03 ac 02",
    );
    to_host(&ToHost::Program(&[0xaa]), "01 05 01 aa");
}

#[test]
fn every_refusal_and_failure_has_its_number() {
    for (number, refusal) in (0_u8..).zip(Refusal::ALL) {
        let expected = format!("01 01 00 00 00 00 01 {number:02x}");
        to_host(
            &ToHost::Ack {
                session: 0,
                seq: 0,
                id: 0,
                uptime_ms: 0,
                refusal: Some(refusal),
            },
            &expected,
        );
    }
    let failures = [
        Failure::Stopped,
        Failure::LeaseLost,
        Failure::Stalled,
        Failure::Envelope,
        Failure::Plant,
        Failure::Program,
    ];
    for (number, failure) in (0_u8..).zip(failures) {
        let expected = format!("01 02 00 00 {number:02x}");
        to_host(
            &ToHost::Fault {
                uptime_ms: 0,
                seq: 0,
                failure,
            },
            &expected,
        );
    }
}

#[test]
fn a_report() {
    let head = Head {
        boot: 5,
        uptime_ms: 1_000,
        busy: true,
        done: 41,
        failed: Some((42, Failure::Stalled)),
        stopped: false,
    };
    let readings = [
        ("", "position", Told::Point([800_000, 0, -1])),
        ("", "holding", Told::Nothing),
        ("", "gripper", Told::Text("open")),
        ("red cube", "hot", Told::Bool(true)),
        ("red cube", "mass", Told::Number(-1)),
    ];
    let mut buffer = [0; 256];
    let mut blob = postcard::to_slice(&head, &mut buffer).expect("it fits").to_vec();
    for (owner, field, value) in readings {
        let reading = Reading { owner, field, value };
        blob.extend_from_slice(postcard::to_slice(&reading, &mut buffer).expect("it fits"));
    }
    assert_eq!(
        hex(&blob),
        "05 e8 07 01 29 01 2a 02 00 00 08 70 6f 73 69 74 69 6f 6e 02 80 d4 61 00 01 00 07 68 6f 6c 64 69 6e 67 04 \
         00 07 67 72 69 70 70 65 72 03 04 6f 70 65 6e 08 72 65 64 20 63 75 62 65 03 68 6f 74 00 01 \
         08 72 65 64 20 63 75 62 65 04 6d 61 73 73 01 01"
    );
    let mut found = Vec::new();
    let read = read_report(&blob, |reading| {
        found.push((reading.owner, reading.field, reading.value));
    });
    assert_eq!((read, found.as_slice()), (Ok(head), readings.as_slice()));
    assert_eq!(read_report(&blob[..blob.len() - 1], |_| {}), Err(Unreadable::Malformed));
}

#[test]
fn what_is_none_of_these_is_refused() {
    for packet in [
        "",
        "00",
        "20",
        "40",
        "01",
        "01 04",
        "01 00 01",
        "01 02 00",
        "01 03 05 00",
        "ff",
    ] {
        assert_eq!(read_from_host(&bytes(packet)), Err(Unreadable::Malformed), "{packet}");
    }
    for packet in [
        "",
        "3d",
        "3d 01 02 03 04 01 01 00 00 00 00 00 01",
        "01 06",
        "01 02 01 2a 06",
        "3f 01 02 03 04",
    ] {
        assert_eq!(read_from_device(&bytes(packet)), Err(Unreadable::Malformed), "{packet}");
    }
    // Seven arguments.
    let seven = "01 01 07 2a 6c 00 01 01 07 01 00 00 02 00 00 03 00 00 04 00 00 05 00 00 06 00 00 07 00 00";
    assert_eq!(read_from_host(&bytes(seven)), Err(Unreadable::Malformed));
    assert_eq!(read_from_host(&bytes("02 00")), Err(Unreadable::Version(2)));
    assert_eq!(read_from_device(&bytes("1f")), Err(Unreadable::Version(31)));
}
