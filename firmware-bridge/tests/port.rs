//! A device behind a serial port, in memory: what it answers, what a flood or a blocked line does to it, and what it says about noise.

use llmos_firmware_bridge::device::{Arguments, Device, Input, Intent, Plant, PlantStatus, Refusal, Sink, Told};
use llmos_firmware_bridge::frame::{Decoder, FRAME_LEN_MAX, Heard, encode};
use llmos_firmware_bridge::packet::{
    CommandPacket, FromDevice, Head, ToDevice, ToHost, ping, read_from_device, read_report, stop, write,
};
use llmos_firmware_bridge::port::{BYTES_MAX, Line, Port, ProgramChannel};
use llmos_firmware_bridge::topic::DeviceName;
use llmos_follower::{Envelope, Millis, Point, Symbol, Value};
use std::collections::VecDeque;

const M: i64 = 1_000_000;

/// A slide that goes to a point, 1 mm a millisecond.
struct Slide {
    envelope: Envelope,
    at: i64,
    to: i64,
    now: Millis,
    /// How many more readings it has.
    more: usize,
}

impl Plant for Slide {
    fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    fn position(&self) -> Option<Point> {
        Some([self.at, 0, 0])
    }

    fn intent(&self, tool: Symbol, arguments: Arguments<'_>) -> Result<Intent, Refusal> {
        if tool != Symbol::of("go") {
            return Err(Refusal::UnknownTool);
        }
        Ok(Intent {
            to: Some([arguments.number(Symbol::of("to"), 0, M)?, 0, 0]),
            ..Intent::default()
        })
    }

    fn start(&mut self, now: Millis, _: Symbol, arguments: Arguments<'_>) {
        self.now = now;
        self.to = arguments.number(Symbol::of("to"), 0, M).unwrap_or(self.at);
    }

    fn step(&mut self, now: Millis) -> PlantStatus {
        let way = 1_000 * i64::try_from(now - self.now).unwrap_or(i64::MAX);
        self.now = now;
        self.at += (self.to - self.at).clamp(-way, way);
        if self.at == self.to {
            PlantStatus::Done
        } else {
            PlantStatus::Busy
        }
    }

    fn halt(&mut self, _: Millis) {
        self.to = self.at;
    }

    fn readings(&self, sink: &mut Sink<'_>) {
        sink("", "position", Told::Point([self.at, 0, 0]));
        for _ in 0..self.more {
            sink("some thing", "of a certain length", Told::Text("word"));
        }
    }
}

/// Both directions; the device's writes find this much room for each call of `serve`.
#[derive(Default)]
struct Cable {
    down: VecDeque<u8>,
    up: Vec<u8>,
    room: usize,
}

impl Line for Cable {
    fn read(&mut self) -> Option<u8> {
        self.down.pop_front()
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        let len = bytes.len().min(self.room);
        self.room -= len;
        self.up.extend_from_slice(&bytes[..len]);
        len
    }
}

/// What is said in the program channel comes back reversed.
#[derive(Default)]
struct Echo(VecDeque<Vec<u8>>);

impl ProgramChannel<Slide> for Echo {
    fn take(&mut self, _: Millis, _: &mut Device<Slide>, payload: &[u8]) {
        self.0.push_back(payload.iter().rev().copied().collect());
    }

    fn answer(&mut self, _: Millis, _: &mut Device<Slide>, payload: &mut [u8; 240]) -> Option<usize> {
        let next = self.0.pop_front()?;
        payload[..next.len()].copy_from_slice(&next);
        Some(next.len())
    }
}

struct Board<const REPORT: usize = 1_024> {
    port: Port<REPORT>,
    device: Device<Slide>,
    cable: Cable,
    echo: Echo,
    now: Millis,
    /// Bytes that the line takes in a millisecond.
    pace: usize,
}

impl<const REPORT: usize> Board<REPORT> {
    fn new(more: usize) -> Board<REPORT> {
        let envelope = Envelope {
            bounds: Some([(0, M / 2), (-M, M), (-M, M)]),
            ..Envelope::default()
        };
        let slide = Slide {
            envelope,
            at: 0,
            to: 0,
            now: 0,
            more,
        };
        Board {
            port: Port::new(DeviceName::parse("slide").expect("a name")),
            device: Device::new(slide, 5),
            cable: Cable::default(),
            echo: Echo::default(),
            now: 0,
            pace: 12,
        }
    }

    fn hear(&mut self, packet: &[u8]) {
        let mut frame = [0; FRAME_LEN_MAX];
        let len = encode(packet, &mut frame).expect("a packet");
        self.cable.down.extend(&frame[..len]);
    }

    fn hear_message(&mut self, message: &ToDevice<'_>) {
        let mut packet = [0; 250];
        let len = write(message, &mut packet).expect("it fits");
        self.hear(&packet[..len]);
    }

    fn lease(&mut self, ttl_ms: u32) {
        self.hear_message(&ToDevice::Lease { session: 7, ttl_ms });
    }

    fn go(&mut self, seq: u32, to: i64) {
        self.hear_message(&ToDevice::Command(CommandPacket {
            session: 7,
            seq,
            id: u64::from(seq),
            expires_ms: 100_000,
            tool: Symbol::of("go"),
            arguments: Some([(Symbol::of("to"), Value::Number(to))].into_iter().collect()),
        }));
    }

    fn pass(&mut self, time: Millis) {
        for _ in 0..time {
            self.now += 1;
            self.cable.room = self.pace;
            self.port
                .serve(self.now, &mut self.device, &mut self.cable, &mut self.echo);
        }
    }

    /// What the device has said, as words; reports are `#seq of the last command that ended well@position`.
    fn said(&mut self) -> Vec<String> {
        let (mut decoder, mut said, mut report) = (Decoder::default(), Vec::new(), Vec::new());
        for byte in std::mem::take(&mut self.cable.up) {
            match decoder.feed(byte) {
                Heard::Nothing => {}
                Heard::Noise => said.push("noise".to_owned()),
                Heard::Packet(packet) => said.extend(word(packet, &mut report)),
            }
        }
        said
    }
}

fn word(packet: &[u8], blob: &mut Vec<u8>) -> Option<String> {
    Some(match read_from_device(packet).expect("sense") {
        FromDevice::Pong(pong) => format!(
            "{} boot {} stopped {} token {}",
            pong.name, pong.boot, pong.stopped, pong.token
        ),
        FromDevice::Message(ToHost::Lease { granted, .. }) => format!("lease {granted}"),
        FromDevice::Message(ToHost::Ack { seq, refusal, .. }) => {
            format!("ack {seq} {}", refusal.map_or("yes", Refusal::as_str))
        }
        FromDevice::Message(ToHost::Fault { seq, failure, .. }) => format!("fault {seq} {}", failure.as_str()),
        FromDevice::Message(ToHost::Line { counts, .. }) => format!(
            "noise {} unreadable {} dropped {}",
            counts.noise, counts.unreadable, counts.dropped
        ),
        FromDevice::Message(ToHost::Program(payload)) => format!("program {payload:?}"),
        FromDevice::Message(ToHost::Report { part, end, bytes, .. }) => {
            if part == 0 {
                blob.clear();
            }
            blob.extend_from_slice(bytes);
            let missing = end?;
            let (mut at, mut readings) = ([0; 3], 0);
            let Head { done, .. } = read_report(blob, |reading| {
                readings += 1;
                if let Told::Point(point) = reading.value {
                    at = point;
                }
            })
            .expect("a report");
            format!("#{done}@{} {readings} missing {missing}", at[0])
        }
    })
}

#[test]
fn a_host_finds_out_whom_it_talks_to() {
    let mut board: Board = Board::new(0);
    board.pass(100);
    assert_eq!(board.said(), ["#0@0 1 missing 0"], "it reports by itself");
    board.hear(&ping(9));
    board.pass(5);
    assert_eq!(board.said(), ["slide boot 5 stopped false token 9"]);
    // Another version is told which ones there are, and can still stop it.
    board.hear(&[2, 1, 2, 3]);
    board.pass(5);
    assert_eq!(
        board.said(),
        ["slide boot 5 stopped false token 0", "noise 0 unreadable 1 dropped 0"]
    );
    board.hear(&[b'!', 1, 0, 0, 0, 77, 78, 79]);
    board.pass(5);
    assert!(board.device.status().stopped);
    assert_eq!(board.said()[0], "slide boot 5 stopped true token 1");
}

#[test]
fn a_command_is_carried_out_and_what_it_did_is_told() {
    let mut board: Board = Board::new(0);
    board.lease(1_000);
    board.go(1, 50_000);
    board.go(1, 50_000);
    board.go(2, 60_000);
    board.pass(80);
    let said = board.said();
    for expected in ["lease true", "ack 1 yes", "ack 2 busy", "#1@50000 1 missing 0"] {
        assert!(said.iter().any(|said| said == expected), "{expected}: {said:?}");
    }
    assert_eq!(
        said.iter().filter(|said| *said == "ack 1 yes").count(),
        2,
        "a resend: {said:?}"
    );
    board.go(3, 900_000);
    board.hear_message(&ToDevice::Command(CommandPacket {
        session: 7,
        seq: 4,
        id: 4,
        expires_ms: 100_000,
        tool: Symbol::of("go"),
        arguments: None,
    }));
    board.pass(20);
    let said = board.said();
    assert!(said.contains(&"ack 3 envelope".to_owned()), "{said:?}");
    assert!(said.contains(&"ack 4 bad_argument".to_owned()), "{said:?}");
    // The host is gone in the middle.
    board.lease(200);
    board.go(5, 400_000);
    board.pass(2_000);
    let said = board.said();
    assert!(said.contains(&"fault 5 lease_lost".to_owned()), "{said:?}");
    assert!(!board.device.status().busy && board.device.plant().at < 400_000);
    board.hear_message(&ToDevice::Program(&[1, 2, 3]));
    board.pass(5);
    assert!(board.said().contains(&"program [3, 2, 1]".to_owned()));
}

#[test]
fn a_report_of_many_parts_is_of_one_moment() {
    let mut board: Board = Board::new(20);
    board.lease(60_000);
    board.go(1, 300_000);
    board.pass(1_000);
    let reports: Vec<String> = board.said().into_iter().filter(|said| said.starts_with('#')).collect();
    assert!(reports.len() >= 5, "{reports:?}");
    assert!(
        reports.iter().all(|report| report.ends_with("21 missing 0")),
        "{reports:?}"
    );
    assert!(
        reports.last().is_some_and(|last| last.starts_with("#1@300000")),
        "{reports:?}"
    );
    let mut small: Board<64> = Board::new(20);
    small.pass(1_000);
    assert_eq!(small.said()[0], "#0@0 2 missing 19", "it says what it leaves out");
}

#[test]
fn noise_is_counted_and_told_but_not_too_often() {
    let mut board: Board = Board::new(0);
    for round in 0..300_u16 {
        board
            .cable
            .down
            .extend([1, 2, 3, 4, 5, 6, 7, round.to_le_bytes()[0], 0, 0, 9, 0]);
        board.pass(10);
    }
    assert!(board.port.counts().noise >= 500, "{:?}", board.port.counts());
    let told = board.said().iter().filter(|said| said.starts_with("noise ")).count();
    assert!((3..=4).contains(&told), "{told} in three seconds");
    board.hear(&ping(1));
    board.pass(20);
    assert!(board.said().iter().any(|said| said.starts_with("slide")));
}

#[test]
fn whoever_floods_neither_stops_it_nor_keeps_it_from_stopping() {
    let mut board: Board = Board::new(20);
    board.lease(60_000);
    board.go(1, 450_000);
    board.pass(10);
    let (mut seq, mut reads) = (1, 0);
    for _ in 0..300 {
        while board.cable.down.len() < 4 * BYTES_MAX {
            seq += 1;
            match seq % 4 {
                0 => board.hear(&ping(seq)),
                1 => board.lease(60_000),
                2 => board.go(seq, 1_000),
                _ => board.cable.down.extend([3, 1, 0]),
            }
        }
        let before = board.cable.down.len();
        board.pass(1);
        reads = reads.max(before - board.cable.down.len());
    }
    assert_eq!(reads, BYTES_MAX, "work is bounded, and what there is to read is read");
    assert!(board.device.status().busy, "it goes on");
    assert!(board.device.plant().at > 250_000, "at its own pace");
    let reports = board.said().iter().filter(|said| said.starts_with('#')).count();
    assert!(reports >= 2, "{reports} reports in 300 ms");
    assert!(board.port.counts().dropped > 100, "{:?}", board.port.counts());
    board.cable.down.clear();
    board.hear(&stop(1));
    board.pass(1);
    assert!(board.device.status().stopped && !board.device.status().busy);
}

#[test]
fn a_line_that_takes_nothing_does_not_keep_it_from_stopping() {
    let mut board: Board = Board::new(20);
    board.pace = 0;
    board.lease(60_000);
    board.go(1, 450_000);
    for _ in 0..50 {
        board.lease(60_000);
    }
    board.pass(100);
    assert!(board.device.status().busy && board.cable.up.is_empty());
    board.hear(&stop(3));
    board.pass(1);
    assert!(board.device.status().stopped && !board.device.status().busy);
    // What was waiting is said when there is room again, the newest at least.
    board.pace = 12;
    board.pass(300);
    let said = board.said();
    assert!(
        said.contains(&"slide boot 5 stopped true token 3".to_owned()),
        "{said:?}"
    );
    assert!(said.contains(&"fault 1 stopped".to_owned()), "{said:?}");
    let mut device = board.device;
    device.handle(board.now, Input::Reset);
    assert!(!device.status().stopped);
}
