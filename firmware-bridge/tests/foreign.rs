//! The link to a device with topics of its own, driven by hand and by the simulated devices, with time passed in: what it publishes, when,
//! by which connection, and what it says of the device.

use llmos_firmware_bridge::link::{Loss, foreign};
use llmos_firmware_bridge::sim::{Faults, ForeignKind, ForeignSim};
use llmos_firmware_bridge::{
    Binding, Channel, DeviceName, Kind, Link, LinkConfig, LinkEvent, LinkInput, LinkOutput, Plain, Refusal,
};
use llmos_follower::{Millis, Progress};

const BASE: &str = r#"{
  "command": { "drive": { "topic": "rover/cmd_vel", "payload": "{\"linear\":{\"x\":{direction}}}",
    "parameters": { "direction": { "map": { "forward": "0.2", "back": "-0.2" }, "kind": "number" } },
    "stream": { "every": "100 ms", "lasts": "distance", "scale": 5, "end": "{\"linear\":{\"x\":0}}" } } },
  "state": [ { "topic": "rover/odom", "pointer": "/pose/pose/position", "field": "position", "kind": "point", "every": "500 ms" } ]
}"#;
const LAMP: &str = r#"{
  "command": { "switch": { "topic": "zigbee2mqtt/lamp/set", "payload": "{\"state\":\"{power}\"}" } },
  "state": [ { "topic": "zigbee2mqtt/lamp", "pointer": "/state", "field": "state", "kind": "text" } ],
  "ask": [ { "topic": "zigbee2mqtt/lamp/get", "payload": "{\"state\":\"\"}" } ]
}"#;
const PUMP: &str = r#"{
  "command": { "mode": { "topic": "pump/mode/set", "payload": "{mode}" } },
  "state": [ { "topic": "pump/mode", "field": "mode", "kind": "text" } ],
  "online": { "topic": "pump/availability", "yes": "online", "no": "offline" },
  "stop": { "topic": "pump/mode/set", "payload": "off" }
}"#;

/// A link and everything that it has published and said.
struct Bench {
    link: Link,
    published: Vec<(Millis, Channel, String)>,
    events: Vec<LinkEvent>,
}

impl Bench {
    /// A link that is connected at time 0.
    fn new(binding: &str) -> Bench {
        let (binding, problems) = Binding::read(binding);
        assert_eq!(problems, Vec::new());
        let link = Link::new(LinkConfig {
            device: DeviceName::parse("rover").expect("a name"),
            session: 1,
            heartbeat_ms: 500,
            expiry_ms: 2_000,
            kind: Kind::Foreign(Box::new(binding)),
        });
        let mut bench = Bench {
            link,
            published: Vec::new(),
            events: Vec::new(),
        };
        bench.handle(0, LinkInput::Connected);
        bench
    }

    fn handle(&mut self, now: Millis, input: LinkInput<'_>) {
        self.link.handle(now, input);
        while let Some(output) = self.link.poll() {
            match output {
                LinkOutput::Publish {
                    topic,
                    payload,
                    channel,
                } => {
                    let line = format!("{topic} {}", String::from_utf8_lossy(&payload));
                    self.published.push((now, channel, line));
                }
                LinkOutput::Event(event) => self.events.push(event),
                LinkOutput::Subscribe(_) => {}
            }
        }
    }

    fn message(&mut self, now: Millis, topic: &str, payload: &str, retained: bool) {
        let payload = payload.as_bytes();
        self.handle(
            now,
            LinkInput::Message {
                topic,
                payload,
                retained,
            },
        );
    }

    fn odometry(&mut self, now: Millis, x: &str) {
        let payload = format!(r#"{{"pose":{{"pose":{{"position":{{"x":{x},"y":0,"z":0}}}}}}}}"#);
        self.message(now, "rover/odom", &payload, false);
    }

    fn command(&mut self, now: Millis, tool: &str, arguments: &[(&str, Plain)]) {
        let arguments = arguments
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        self.handle(now, LinkInput::Command { id: 7, tool, arguments });
    }

    fn drive(&mut self, now: Millis, micrometres: i64) {
        let direction = Plain::Text("forward".to_owned());
        self.command(
            now,
            "drive",
            &[("direction", direction), ("distance", Plain::Number(micrometres))],
        );
    }

    /// Lets time pass until then, looking only when the link wants it.
    fn pass(&mut self, until: Millis) {
        while let Some(at) = self.link.next_deadline().filter(|at| *at <= until) {
            self.handle(at, LinkInput::Tick);
        }
    }

    /// What was published from then on, without the channels.
    fn since(&self, from: Millis) -> Vec<(Millis, &str)> {
        let lines = self.published.iter().filter(|(at, ..)| *at >= from);
        lines.map(|(at, _, line)| (*at, line.as_str())).collect()
    }

    /// What the device last is said to report.
    fn last_state(&self) -> Option<(Progress, Plain)> {
        self.events.iter().rev().find_map(|event| match event {
            LinkEvent::State(report) => Some((report.progress, report.readings[0].value.clone())),
            _ => None,
        })
    }
}

const GO: &str = r#"rover/cmd_vel {"linear":{"x":0.2}}"#;
const END: &str = r#"rover/cmd_vel {"linear":{"x":0}}"#;

#[test]
fn a_velocity_is_repeated_and_ended() {
    let mut bench = Bench::new(BASE);
    bench.odometry(0, "0");
    bench.drive(1_000, 60_000);
    assert!(bench.events.contains(&LinkEvent::Acknowledged { id: 7 }));
    bench.odometry(1_050, "0.01");
    assert_eq!(bench.last_state().map(|(progress, _)| progress), Some(Progress::Busy));
    bench.drive(1_060, 60_000);
    let busy = LinkEvent::Rejected {
        id: 7,
        reason: Refusal::Busy,
    };
    assert!(bench.events.contains(&busy), "one at a time: {:?}", bench.events);
    bench.pass(1_299);
    assert_eq!(bench.since(1_000), [(1_000, GO), (1_100, GO), (1_200, GO)]);
    bench.odometry(1_310, "0.06");
    assert_eq!(
        bench.last_state().map(|(progress, _)| progress),
        Some(Progress::Unknown),
        "it may coast"
    );
    bench.pass(1_400);
    let ends: Vec<_> = bench.published.iter().filter(|(at, ..)| *at >= 1_300).collect();
    assert!(ends.iter().all(|(_, _, line)| line == END), "{ends:?}");
    assert!(ends.iter().any(|(_, channel, _)| *channel == Channel::Stop), "{ends:?}");
    assert!(
        ends.iter().any(|(_, channel, _)| *channel == Channel::Normal),
        "{ends:?}"
    );
    bench.odometry(1_900, "0.06");
    bench.pass(2_900);
    let ends = bench.since(1_300).len();
    assert_eq!(ends, 2 * usize::try_from(foreign::STOP_SENDS).expect("a few"));
}

#[test]
fn whatever_ends_the_run_ends_the_motion() {
    let mid_way = |input: LinkInput<'_>| {
        let mut bench = Bench::new(BASE);
        bench.odometry(0, "0");
        bench.drive(1_000, 1_000_000);
        bench.pass(1_200);
        bench.handle(1_210, input);
        bench.pass(9_000);
        bench
    };
    for input in [
        LinkInput::Stop { reason: "a person" },
        LinkInput::Release,
        LinkInput::Disconnected,
    ] {
        let bench = mid_way(input.clone());
        let after = bench.since(1_210);
        assert_eq!(after.first(), Some(&(1_210, END)), "{input:?}");
        assert!(after.iter().all(|(_, line)| *line == END), "{input:?}: {after:?}");
        let (_, channel, _) = bench
            .published
            .iter()
            .find(|(at, ..)| *at == 1_210)
            .expect("it is ended");
        assert_eq!(*channel, Channel::Stop, "{input:?}: by the connection that never waits");
    }
    // A connection that comes back brings the end along, before anything else.
    let mut bench = mid_way(LinkInput::Disconnected);
    bench.handle(9_500, LinkInput::Connected);
    assert_eq!(bench.since(9_500).first(), Some(&(9_500, END)));
}

#[test]
fn a_base_that_says_no_more_where_it_is_is_stopped_and_lost() {
    let mut bench = Bench::new(BASE);
    bench.odometry(900, "0");
    bench.drive(1_000, 1_000_000);
    bench.pass(2_350);
    assert!(!bench.events.contains(&LinkEvent::Lost(Loss::Silent)));
    bench.pass(2_410);
    assert!(bench.events.contains(&LinkEvent::Lost(Loss::Silent)));
    bench.pass(9_000);
    let (lines, first) = (bench.since(0), |(_, line): &(Millis, &str)| *line == END);
    let first_end = lines.iter().position(first).expect("it is ended");
    assert!(lines[first_end].0 <= 2_410, "with the loss: {lines:?}");
    assert!(lines[first_end..].iter().all(first), "{lines:?}");
    bench.drive(9_000, 1_000);
    assert!(bench.events.contains(&LinkEvent::Rejected {
        id: 7,
        reason: Refusal::NoLease
    }));
    bench.events.clear();
    bench.odometry(9_100, "0.4");
    assert!(
        matches!(bench.events[..], [LinkEvent::Leased { .. }, LinkEvent::State(_)]),
        "{:?}",
        bench.events
    );
}

#[test]
fn a_time_that_is_none_is_no_command() {
    for distance in [0, -1, i64::MAX, 1_000_000_000] {
        let mut bench = Bench::new(BASE);
        bench.drive(10, distance);
        let rejected = LinkEvent::Rejected {
            id: 7,
            reason: Refusal::BadArgument,
        };
        assert!(bench.events.contains(&rejected), "{distance}: {:?}", bench.events);
        assert_eq!(bench.since(10), Vec::new(), "{distance}");
    }
}

#[test]
fn what_the_broker_has_kept_counts_only_where_nothing_newer_can_be_had() {
    let mut base = Bench::new(BASE);
    base.message(
        10,
        "rover/odom",
        r#"{"pose":{"pose":{"position":{"x":1,"y":0,"z":0}}}}"#,
        true,
    );
    assert_eq!(base.last_state(), None, "it reports by itself");
    let mut lamp = Bench::new(LAMP);
    lamp.message(10, "zigbee2mqtt/lamp", r#"{"state":"ON"}"#, true);
    assert_eq!(lamp.last_state(), None, "it can be asked");
    lamp.message(20, "zigbee2mqtt/lamp", r#"{"state":"OFF"}"#, false);
    assert_eq!(
        lamp.last_state(),
        Some((Progress::Unknown, Plain::Text("OFF".to_owned())))
    );
    let mut pump = Bench::new(PUMP);
    pump.message(10, "pump/mode", "heat", true);
    assert_eq!(
        pump.last_state(),
        Some((Progress::Unknown, Plain::Text("heat".to_owned())))
    );
}

#[test]
fn a_device_that_reports_nothing_is_asked_again() {
    const ASK: &str = r#"zigbee2mqtt/lamp/get {"state":""}"#;
    let mut lamp = Bench::new(LAMP);
    assert_eq!(lamp.since(0), [(0, ASK)]);
    lamp.message(50, "zigbee2mqtt/lamp", r#"{"state":"OFF"}"#, false);
    lamp.command(100, "switch", &[("power", Plain::Text("ON".to_owned()))]);
    lamp.message(200, "zigbee2mqtt/lamp", r#"{"linkquality":3}"#, false);
    lamp.pass(20_000);
    let asked: Vec<Millis> = lamp
        .since(101)
        .iter()
        .filter(|(_, line)| *line == ASK)
        .map(|(at, _)| *at)
        .collect();
    assert_eq!(
        asked,
        [1_100, 2_100, 3_100, 4_100, 5_100],
        "a message about something else is no answer"
    );
    lamp.command(30_000, "switch", &[("power", Plain::Text("ON".to_owned()))]);
    lamp.pass(31_500);
    lamp.message(31_500, "zigbee2mqtt/lamp", r#"{"state":"ON"}"#, false);
    lamp.pass(40_000);
    assert_eq!(lamp.since(31_000), [(31_000, ASK)], "an answer ends it");
}

#[test]
fn a_device_that_is_never_heard_is_not_commanded() {
    let mut lamp = Bench::new(LAMP);
    lamp.message(100, "zigbee2mqtt/lamp", r#"{"STATE":"ON"}"#, false);
    lamp.pass(foreign::PRESENCE_MS - 1);
    assert_eq!(
        lamp.events,
        [LinkEvent::Leased { boot: 0, seq: 0 }],
        "nothing that the binding reads"
    );
    lamp.pass(foreign::PRESENCE_MS);
    assert_eq!(lamp.events[1..], [LinkEvent::Lost(Loss::Unheard)]);
    lamp.message(9_000, "zigbee2mqtt/lamp", r#"{"state":"ON"}"#, false);
    assert!(
        matches!(
            lamp.events[2..],
            [LinkEvent::Online, LinkEvent::Leased { .. }, LinkEvent::State(_)]
        ),
        "{:?}",
        lamp.events
    );
    lamp.pass(99_000);
    assert_eq!(
        lamp.events.len(),
        5,
        "one that reports when it changes may be silent as long as it likes"
    );
}

#[test]
fn a_device_that_says_whether_it_is_there_is_believed() {
    let mut pump = Bench::new(PUMP);
    let rejected = LinkEvent::Rejected {
        id: 7,
        reason: Refusal::NoLease,
    };
    pump.command(10, "mode", &[("mode", Plain::Text("heat".to_owned()))]);
    assert_eq!(pump.events, std::slice::from_ref(&rejected), "it has not said so yet");
    pump.pass(foreign::PRESENCE_MS);
    assert_eq!(pump.events[1..], [LinkEvent::Lost(Loss::Unannounced)]);
    pump.message(4_050, "pump/availability", "perhaps", true);
    assert_eq!(pump.events.len(), 2, "a word that is neither says nothing");
    pump.message(4_100, "pump/availability", "online", true);
    assert_eq!(pump.events[2..], [LinkEvent::Leased { boot: 0, seq: 0 }]);
    pump.command(4_200, "mode", &[("mode", Plain::Text("heat".to_owned()))]);
    assert_eq!(pump.since(4_200), [(4_200, "pump/mode/set heat")]);
    pump.message(4_300, "pump/availability", "offline", false);
    pump.command(4_400, "mode", &[("mode", Plain::Text("cool".to_owned()))]);
    assert_eq!(pump.events[4..], [LinkEvent::Offline, rejected]);
}

#[test]
fn a_stop_is_sent_again_and_where_there_is_none_nothing_is() {
    let mut pump = Bench::new(PUMP);
    pump.handle(100, LinkInput::Stop { reason: "a person" });
    pump.pass(5_000);
    let stops: Vec<_> = pump
        .published
        .iter()
        .filter(|(_, channel, _)| *channel == Channel::Stop)
        .collect();
    assert_eq!(stops.len(), usize::try_from(foreign::STOP_SENDS).expect("a few"));
    assert!(
        stops.iter().all(|(_, _, line)| line == "pump/mode/set off"),
        "{stops:?}"
    );
    let mut lamp = Bench::new(LAMP);
    lamp.handle(100, LinkInput::Stop { reason: "a person" });
    lamp.pass(5_000);
    assert_eq!(lamp.since(100), Vec::new());
    let mut base = Bench::new(BASE);
    base.odometry(0, "0");
    base.handle(100, LinkInput::Stop { reason: "a person" });
    assert_eq!(base.since(100)[0], (100, END), "whoever made it move");
}

/// Where a base without a watchdog stands after this, two metres ahead of it, ten seconds later.
fn stands(meanwhile: impl Fn(&mut Bench, Millis)) -> i64 {
    let mut bench = Bench::new(BASE);
    let faults = Faults::parse("no_watchdog").expect("a fault");
    let mut base = ForeignSim::new(ForeignKind::RosBase, "rover", faults);
    base.handle_connected(0);
    for now in (0..12_000).step_by(10) {
        if now == 500 {
            bench.drive(now, 2_000_000);
        }
        meanwhile(&mut bench, now);
        bench.handle(now, LinkInput::Tick);
        for (_, _, line) in bench.published.drain(..) {
            let (topic, payload) = line.split_once(' ').expect("a topic and a payload");
            base.handle_message(now, topic, payload.as_bytes());
        }
        base.handle_tick(now);
        while let Some(message) = base.poll(now) {
            bench.message(now, &message.topic, &String::from_utf8_lossy(&message.payload), false);
        }
    }
    match bench.last_state() {
        Some((_, Plain::Point([x, ..]))) => x,
        other => panic!("no position: {other:?}"),
    }
}

#[test]
fn a_base_without_a_watchdog_goes_as_far_as_it_is_told_and_no_further() {
    let near = |x: i64, wanted: i64| (x - wanted).abs() < 20_000;
    let whole = stands(|_, _| {});
    assert!(near(whole, 2_000_000), "{whole}");
    let stopped = stands(|bench, now| {
        if now == 1_500 {
            bench.handle(now, LinkInput::Stop { reason: "a person" });
        }
    });
    assert!(near(stopped, 200_000), "{stopped}");
    let released = stands(|bench, now| {
        if now == 2_500 {
            bench.handle(now, LinkInput::Release);
        }
    });
    assert!(near(released, 400_000), "{released}");
}
