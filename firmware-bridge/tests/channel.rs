//! The host's link against a whole simulated device over a channel that loses, repeats, delays and reorders, in memory and in simulated
//! time. A failing run prints its seed; the seed is the whole run.

use llmos_firmware_bridge::device::Status;
use llmos_firmware_bridge::sim::simulated::Simulated;
use llmos_firmware_bridge::sim::{Air, Faults, SimKind, Weather};
use llmos_firmware_bridge::topic::Topic;
use llmos_firmware_bridge::{
    DeviceName, Kind, Link, LinkConfig, LinkEvent, LinkInput, LinkOutput, Loss, Plain, Refusal,
};
use llmos_follower::{Millis, Progress};

const STORM: Weather = Weather {
    lost_of_1000: 150,
    repeated_of_1000: 200,
    delay_ms_max: 400,
};

#[derive(Clone)]
struct Letter {
    topic: String,
    payload: Vec<u8>,
    to_device: bool,
}

/// A host, a device, and the weather between them.
struct World {
    now: Millis,
    link: Link,
    device: Simulated,
    air: Air<Letter>,
    events: Vec<LinkEvent>,
    /// How often the device went from resting to acting, seen from behind.
    begun: u32,
    last: Option<Status>,
}

impl World {
    fn new(seed: u64, weather: Weather, faults: &str) -> World {
        let faults = Faults::parse(faults).expect("a fault");
        let mut world = World {
            now: 0,
            link: Link::new(config(7)),
            device: Simulated::new(SimKind::Arm, 0, 4, faults, 100),
            air: Air::new(seed, weather),
            events: Vec::new(),
            begun: 0,
            last: None,
        };
        world.tell(LinkInput::Connected);
        world
    }

    /// This host is gone without a word, and another one takes its place.
    fn next_host(&mut self, session: u32) {
        self.link = Link::new(config(session));
        self.events.clear();
        self.air = Air::new(session.into(), Weather::CALM);
        self.tell(LinkInput::Connected);
    }

    fn tell(&mut self, input: LinkInput<'_>) {
        self.link.handle(self.now, input);
        while let Some(output) = self.link.poll() {
            match output {
                LinkOutput::Publish { topic, payload, .. } => self.send(&topic, &payload, true),
                LinkOutput::Event(event) => self.events.push(event),
                LinkOutput::Subscribe(_) => {}
            }
        }
    }

    fn send(&mut self, topic: &str, payload: &[u8], to_device: bool) {
        let letter = Letter {
            topic: topic.to_owned(),
            payload: payload.to_vec(),
            to_device,
        };
        self.air.send(self.now, &letter);
    }

    fn pass_ms(&mut self, ms: u64) {
        for _ in 0..ms / 5 {
            self.now += 5;
            let now = self.now;
            while let Some(message) = self.air.arrived(now) {
                if message.to_device {
                    let topic = Topic::parse(&message.topic).expect("one of our topics");
                    self.device.handle_message(now, topic.subject, &message.payload, false);
                } else {
                    self.tell(LinkInput::Message {
                        topic: &message.topic,
                        payload: &message.payload,
                        retained: false,
                    });
                }
                self.drain_device();
            }
            self.device.handle_tick(now);
            self.drain_device();
            if self.link.next_deadline().is_some_and(|deadline| deadline <= now) {
                self.tell(LinkInput::Tick);
            }
        }
    }

    fn drain_device(&mut self) {
        while let Some(message) = self.device.poll() {
            let topic = Topic::new(&name(), message.subject).to_string();
            self.send(&topic, &message.payload, false);
        }
        let status = self.device.status().expect("a device");
        let was_busy = self.last.is_some_and(|last| last.busy && last.boot == status.boot);
        self.begun += u32::from(status.busy && !was_busy);
        self.last = Some(status);
    }

    fn wait_for(&mut self, what: &str, wanted: impl Fn(&LinkEvent) -> bool) -> LinkEvent {
        for _ in 0..4_000 {
            if let Some(at) = self.events.iter().position(&wanted) {
                return self.events.drain(..=at).next_back().expect("an event");
            }
            self.pass_ms(5);
        }
        panic!("no {what} within 20 s");
    }

    /// Raises the arm by 10 cm. What was heard before says nothing about this command.
    fn lift(&mut self, id: u64) {
        self.events.clear();
        let arguments = vec![
            ("direction".to_owned(), Plain::Text("up".to_owned())),
            ("distance".to_owned(), Plain::Number(100_000)),
        ];
        self.tell(LinkInput::Command {
            id,
            tool: "move",
            arguments,
        });
    }
}

fn config(session: u32) -> LinkConfig {
    LinkConfig {
        device: name(),
        session,
        heartbeat_ms: 1_500,
        expiry_ms: 2_000,
        kind: Kind::Native,
    }
}

fn name() -> DeviceName {
    DeviceName::parse("arm").expect("a name")
}

fn is_leased(event: &LinkEvent) -> bool {
    matches!(event, LinkEvent::Leased { .. })
}

fn is_finished(event: &LinkEvent) -> bool {
    matches!(event, LinkEvent::State(report) if report.progress == Progress::Finished)
}

fn ends(event: &LinkEvent, id: u64) -> bool {
    match event {
        LinkEvent::Lost(_) => true,
        LinkEvent::Rejected { id: of, .. } | LinkEvent::Failed { id: of, .. } => *of == id,
        LinkEvent::State(_) => is_finished(event),
        _ => false,
    }
}

#[test]
fn in_a_storm_nothing_is_done_twice_and_everything_ends() {
    let mut done = 0;
    for seed in 0..300 {
        // The panic itself was printed where it happened.
        let finished = std::panic::catch_unwind(|| storm(seed)).ok();
        done += finished.unwrap_or_else(|| panic!("seed {seed}"));
    }
    // A storm in which nothing ever gets through would prove nothing.
    assert!((300..1_500).contains(&done), "{done} of 1,500 commands were done");
}

/// Five commands; how many of them were done.
fn storm(seed: u64) -> u32 {
    let mut done = 0;
    let mut world = World::new(seed, STORM, "");
    world.wait_for("lease", is_leased);
    for id in 1..=5 {
        let before = world.begun;
        world.lift(id);
        let end = world.wait_for("end", |event| ends(event, id));
        let again = matches!(end, LinkEvent::Lost(_));
        // What is still in the air must not begin anything either.
        world.pass_ms(3_000);
        assert!(world.begun <= before + 1, "seed {seed}: command {id} was begun twice");
        if is_finished(&end) {
            done += 1;
            assert_eq!(
                world.begun,
                before + 1,
                "seed {seed}: command {id} is said to be done and was never begun"
            );
        }
        let lost_since = world.events.iter().any(|event| matches!(event, LinkEvent::Lost(_)));
        if again || lost_since {
            world.wait_for("lease", is_leased);
        }
    }
    done
}

#[test]
fn a_calm_run_is_acknowledged_and_done() {
    let mut world = World::new(1, Weather::CALM, "");
    world.wait_for("lease", is_leased);
    world.lift(1);
    assert_eq!(
        world.wait_for("ack", |event| ends(event, 1)
            || matches!(event, LinkEvent::Acknowledged { .. })),
        LinkEvent::Acknowledged { id: 1 }
    );
    let LinkEvent::State(report) = world.wait_for("end", is_finished) else {
        panic!("no report")
    };
    let position = report
        .readings
        .iter()
        .find(|reading| reading.owner.is_empty() && reading.field == "position");
    assert_eq!(
        position.map(|reading| reading.value.clone()),
        Some(Plain::Point([800_000, 0, 1_300_000]))
    );
    world.pass_ms(10_000);
    let bad = world.events.iter().find(|event| !matches!(event, LinkEvent::State(_)));
    assert_eq!(bad, None, "a quiet link stays up");
}

#[test]
fn a_stop_latches_until_a_person_resets_it() {
    let mut world = World::new(1, Weather::CALM, "");
    world.wait_for("lease", is_leased);
    world.lift(1);
    world.pass_ms(20);
    world.tell(LinkInput::Stop { reason: "test" });
    assert_eq!(
        world.wait_for("failure", |event| ends(event, 1)),
        LinkEvent::Failed {
            id: 1,
            reason: "stopped".to_owned()
        }
    );
    world.wait_for(
        "latch",
        |event| matches!(event, LinkEvent::State(report) if report.stopped),
    );
    world.lift(2);
    assert_eq!(
        world.wait_for("rejection", |event| ends(event, 2) && !is_finished(event)),
        LinkEvent::Rejected {
            id: 2,
            reason: Refusal::Latched
        }
    );
    let begun = world.begun;
    world.tell(LinkInput::Reset);
    world.pass_ms(1_000);
    assert_eq!(world.begun, begun, "a reset resumes nothing");
    world.events.clear();
    world.lift(3);
    world.wait_for("end", is_finished);
}

#[test]
fn a_stop_gets_through_a_storm() {
    for seed in 0..100 {
        let mut world = World::new(
            seed,
            Weather {
                lost_of_1000: 500,
                ..STORM
            },
            "",
        );
        world.tell(LinkInput::Stop { reason: "test" });
        world.pass_ms(5_500);
        assert!(
            world.device.status().is_some_and(|status| status.stopped),
            "seed {seed}"
        );
    }
}

fn check_fault(fault: &str, expected: &[LinkEvent]) {
    let mut world = World::new(1, Weather::CALM, fault);
    world.wait_for("lease", is_leased);
    world.lift(1);
    world.pass_ms(8_000);
    for event in expected {
        assert!(
            world.events.contains(event),
            "{fault}: expected {event:?}, found {:?}",
            world.events
        );
    }
}

#[test]
fn every_fault_of_a_device_has_its_event() {
    check_fault("silent", &[LinkEvent::Lost(Loss::Silent)]);
    check_fault(
        "restart@1",
        &[
            LinkEvent::Lost(Loss::Restarted),
            LinkEvent::Leased { boot: 101, seq: 1 },
        ],
    );
    check_fault(
        "nonsense",
        &[LinkEvent::Acknowledged { id: 1 }, LinkEvent::Lost(Loss::Silent)],
    );
    check_fault(
        "stall",
        &[LinkEvent::Failed {
            id: 1,
            reason: "stalled".to_owned(),
        }],
    );
    let mut world = World::new(1, Weather::CALM, "double_ack");
    world.wait_for("lease", is_leased);
    world.lift(1);
    world.pass_ms(2_000);
    let acks = world
        .events
        .iter()
        .filter(|event| matches!(event, LinkEvent::Acknowledged { .. }))
        .count();
    assert_eq!(acks, 1, "the second acknowledgement is no news");
}

/// What a command's sequence number and the device's account say to a host that comes after the one that sent it.
#[test]
fn a_device_accounts_for_its_last_command_to_the_next_host() {
    let mut world = World::new(1, Weather::CALM, "");
    let LinkEvent::Leased { boot, seq } = world.wait_for("lease", is_leased) else {
        panic!("no lease")
    };
    assert_eq!((boot, seq), (100, 0));
    // Two at once: the second is rejected here, and takes a number all the same.
    world.lift(1);
    world.lift(2);
    world.pass_ms(3_000);
    world.lift(3);
    world.pass_ms(50);
    // The host is gone in the middle of its third command, and another comes.
    world.next_host(8);
    let LinkEvent::Leased { boot, seq } = world.wait_for("lease", is_leased) else {
        panic!("no lease")
    };
    assert_eq!((boot, seq), (100, 3), "the third command has the third number");
    let accounts = |event: &LinkEvent| matches!(event, LinkEvent::State(report) if report.account.is_some());
    let LinkEvent::State(report) = world.wait_for("account", accounts) else {
        panic!("no account")
    };
    let account = report.account.expect("an account");
    assert_eq!(
        (account.boot, account.done, account.failed),
        (100, 3, None),
        "it was finished after its host had gone"
    );
}

#[test]
fn nobody_accounts_to_a_host_without_the_lease() {
    let mut world = World::new(1, Weather::CALM, "");
    world.wait_for("lease", is_leased);
    world.lift(1);
    world.pass_ms(100);
    world.next_host(8);
    // The first host's lease still runs, and so its command may.
    world.pass_ms(1_000);
    assert!(world.events.iter().any(is_finished), "it reports");
    let early = world
        .events
        .iter()
        .find(|event| matches!(event, LinkEvent::State(report) if report.account.is_some()));
    assert_eq!(early, None);
}

#[test]
fn nonsense_is_named() {
    let mut world = World::new(1, Weather::CALM, "nonsense");
    world.wait_for("lease", is_leased);
    world.lift(1);
    world.pass_ms(1_000);
    let what: Vec<String> = world
        .events
        .iter()
        .filter_map(|event| match event {
            LinkEvent::Nonsense { what } => Some(what.clone()),
            _ => None,
        })
        .collect();
    assert!(
        what.iter().any(|what| what.contains("NaN")) && what.iter().any(|what| what.contains("position")),
        "{what:?}"
    );
}

#[test]
fn a_second_host_waits_until_the_first_gives_the_lease_back() {
    let mut world = World::new(1, Weather::CALM, "");
    world.wait_for("lease", is_leased);
    let stranger = br#"{"session":8,"ttl_ms":1500}"#;
    world.device.handle_message(
        world.now,
        Topic::parse("llmos/v1/arm/lease").expect("a topic").subject,
        stranger,
        false,
    );
    let ack = std::iter::from_fn(|| world.device.poll()).find(|message| message.payload.starts_with(br#"{"lease":8"#));
    let ack = String::from_utf8(ack.expect("an answer").payload).expect("text");
    assert!(ack.contains(r#""granted":false"#), "{ack}");
    world.tell(LinkInput::Release);
    world.pass_ms(50);
    world.device.handle_message(
        world.now,
        Topic::parse("llmos/v1/arm/lease").expect("a topic").subject,
        stranger,
        false,
    );
    let ack = std::iter::from_fn(|| world.device.poll()).find(|message| message.payload.starts_with(br#"{"lease":8"#));
    let ack = String::from_utf8(ack.expect("an answer").payload).expect("text");
    assert!(ack.contains(r#""granted":true"#), "{ack}");
}

/// What a host believes last of reports that come in this order, once it has sent its first command.
fn believed(states: &[&str]) -> Option<LinkEvent> {
    let mut world = World::new(1, Weather::CALM, "");
    world.wait_for("lease", is_leased);
    world.lift(1);
    for fields in states {
        let payload = format!(r#"{{"boot":100,"uptime_ms":60000,"stopped":false,{fields}}}"#);
        world.tell(LinkInput::Message {
            topic: "llmos/v1/arm/state",
            payload: payload.as_bytes(),
            retained: false,
        });
    }
    let states = world.events.into_iter().rev();
    states.into_iter().find(|event| matches!(event, LinkEvent::State(_)))
}

#[test]
fn reports_of_one_millisecond_are_told_apart_by_sequence() {
    let begun = r#""busy":true,"done":0,"failed":null,"tool":"off""#;
    let ended = r#""busy":false,"done":1,"failed":null,"tool":"on""#;
    let failed = r#""busy":false,"done":0,"failed":{"seq":1,"reason":"stalled"},"tool":"stuck""#;
    for (last, turns) in [
        (begun, vec![vec![begun], vec![begun, begun]]),
        (
            ended,
            vec![vec![begun, ended], vec![ended, begun], vec![begun, ended, begun]],
        ),
        (failed, vec![vec![begun, failed], vec![failed, begun]]),
    ] {
        let expected = believed(&[last]);
        assert!(expected.is_some());
        for turn in turns {
            assert_eq!(believed(&turn), expected, "{turn:?}");
        }
    }
    assert_ne!(believed(&[begun]), believed(&[ended]));
}

#[test]
fn a_link_that_wants_to_be_called_has_something_to_do_then() {
    let mut world = World::new(1, Weather::CALM, "");
    world.wait_for("lease", is_leased);
    world.lift(1);
    // Nothing comes back from here on, so every deadline that there is passes.
    for _ in 0..50 {
        let due = world
            .link
            .next_deadline()
            .expect("a link that is connected always waits for something");
        world.now = world.now.max(due);
        world.tell(LinkInput::Tick);
        let next = world.link.next_deadline();
        assert!(next > Some(world.now), "due at {due}, and again at {next:?}");
    }
    assert!(world.events.iter().any(|event| matches!(event, LinkEvent::Lost(_))));
}
