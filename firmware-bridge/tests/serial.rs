//! A device on a pseudo-terminal: the host's pump against the device's port, and against a client that was written from the protocol page.
#![cfg(unix)]

use llmos_firmware_bridge::frame::{FRAME_LEN_MAX, encode};
use llmos_firmware_bridge::io::serial::{self, SerialEvent, SerialHandle};
use llmos_firmware_bridge::io::{BusEvent, SerialAddress};
use llmos_firmware_bridge::link::{Kind, Link, LinkConfig, LinkEvent, LinkInput, LinkOutput, Report};
use llmos_firmware_bridge::packet::ping;
use llmos_firmware_bridge::plain::Plain;
use llmos_firmware_bridge::sim::{Faults, Memory, SerialOptions, SimHandle, SimKind, run_serial};
use llmos_firmware_bridge::topic::DeviceName;
use llmos_follower::Millis;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

fn arm(at: Option<PathBuf>, fault: &str) -> (SimHandle, SerialAddress) {
    let options = SerialOptions {
        kind: SimKind::Arm,
        device: DeviceName::parse("arm").expect("a name"),
        at,
        seed: 0,
        haste: 4,
        faults: Faults::parse(fault).expect("a fault"),
        memory: Memory::default(),
    };
    let (arm, path) = run_serial(options).expect("a pseudo-terminal");
    (arm, SerialAddress { path, baud: 115_200 })
}

/// One device's link over one line.
struct Host {
    handle: SerialHandle,
    events: mpsc::Receiver<SerialEvent>,
    link: Link,
    began: Instant,
    happened: Vec<LinkEvent>,
    broken: Vec<String>,
}

impl Host {
    fn new(address: &SerialAddress, device: &str) -> Host {
        let device = DeviceName::parse(device).expect("a name");
        let (sender, events) = mpsc::channel(64);
        Host {
            handle: serial::connect(address, &device, sender),
            events,
            link: Link::new(LinkConfig {
                device,
                session: 7,
                heartbeat_ms: 1_500,
                expiry_ms: 2_000,
                kind: Kind::Native,
            }),
            began: Instant::now(),
            happened: Vec::new(),
            broken: Vec::new(),
        }
    }

    fn now(&self) -> Millis {
        Millis::try_from(self.began.elapsed().as_millis()).expect("a short test")
    }

    fn tell(&mut self, input: LinkInput<'_>) {
        self.link.handle(self.now(), input);
        while let Some(output) = self.link.poll() {
            match output {
                LinkOutput::Subscribe(_) => {}
                // What is not sent now is sent again, or missed, which the test sees.
                LinkOutput::Publish { topic, payload, .. } => drop(self.handle.publish(&topic, &payload)),
                LinkOutput::Event(event) => self.happened.push(event),
            }
        }
    }

    fn act(&mut self, id: u64, tool: &str, arguments: &[(&str, Plain)]) {
        let arguments = arguments
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        let arguments = arguments.collect();
        self.tell(LinkInput::Command { id, tool, arguments });
    }

    /// Lets things happen until one is so, and returns it; what came before it is forgotten.
    async fn wait_for(&mut self, what: &str, wanted: impl Fn(&LinkEvent) -> bool) -> LinkEvent {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(at) = self.happened.iter().position(&wanted) {
                return self.happened.drain(..=at).next_back().expect("it is there");
            }
            let last = self.happened.last();
            assert!(Instant::now() < end, "no {what}: {last:?} {:?}", self.broken);
            match tokio::time::timeout(Duration::from_millis(20), self.events.recv()).await {
                Ok(Some(SerialEvent { event, .. })) => match event {
                    BusEvent::Connected => self.tell(LinkInput::Connected),
                    BusEvent::Disconnected(why) => {
                        self.broken.push(why);
                        self.tell(LinkInput::Disconnected);
                    }
                    BusEvent::Message { topic, payload, .. } => {
                        let (topic, payload, retained) = (&topic, &payload, false);
                        self.tell(LinkInput::Message {
                            topic,
                            payload,
                            retained,
                        });
                    }
                },
                Ok(None) => panic!("the pump ended"),
                Err(_) => self.tell(LinkInput::Tick),
            }
        }
    }

    async fn wait_until_broken(&mut self, part: &str) {
        let end = Instant::now() + Duration::from_secs(20);
        while !self.broken.iter().any(|why| why.contains(part)) {
            assert!(Instant::now() < end, "not {part}: {:?}", self.broken);
            if let Ok(Some(SerialEvent {
                event: BusEvent::Disconnected(why),
                ..
            })) = tokio::time::timeout(Duration::from_millis(20), self.events.recv()).await
            {
                self.broken.push(why);
            }
        }
    }
}

fn is_leased(event: &LinkEvent) -> bool {
    matches!(event, LinkEvent::Leased { .. })
}

fn is_stopped(event: &LinkEvent) -> bool {
    matches!(event, LinkEvent::State(report) if report.stopped)
}

fn reading(report: &Report, owner: &str, field: &str) -> Option<Plain> {
    let named = report
        .readings
        .iter()
        .find(|named| named.owner == owner && named.field == field)?;
    Some(named.value.clone())
}

fn up(micro: i64) -> [(&'static str, Plain); 2] {
    [
        ("direction", Plain::Text("up".to_owned())),
        ("distance", Plain::Number(micro)),
    ]
}

#[tokio::test]
async fn a_host_drives_an_arm_on_a_line_as_on_a_broker() {
    let (_arm, address) = arm(None, "");
    let mut host = Host::new(&address, "arm");
    host.wait_for("online", |event| *event == LinkEvent::Online).await;
    host.wait_for("lease", is_leased).await;
    host.act(1, "move", &up(100_000));
    host.wait_for("acknowledgement", |event| *event == LinkEvent::Acknowledged { id: 1 })
        .await;
    let there = Some(Plain::Point([800_000, 0, 1_300_000]));
    let state = host
        .wait_for(
            "arrival",
            |event| matches!(event, LinkEvent::State(report) if reading(report, "", "position") == there),
        )
        .await;
    let LinkEvent::State(report) = state else {
        panic!("a state")
    };
    assert_eq!(
        reading(&report, "red cube", "kind"),
        Some(Plain::Text("object".to_owned()))
    );
    assert_eq!(reading(&report, "", "holding"), Some(Plain::Nothing));
    assert!(matches!(reading(&report, "", "moving"), Some(Plain::Bool(_))));
    host.wait_for("end", |event| {
        matches!(event, LinkEvent::State(report) if report.account.as_ref().is_some_and(|account| account.done == 1))
    })
    .await;
    for (id, tool, arguments, reason) in [
        (2, "fly", vec![], "UnknownTool"),
        (3, "move", up(9_000_000).to_vec(), "Envelope"),
        (4, "move", vec![("distance", Plain::Nothing)], "BadArgument"),
    ] {
        host.act(id, tool, &arguments);
        host.wait_for(
            reason,
            |event| matches!(event, LinkEvent::Rejected { id: found, reason: why } if (*found, format!("{why:?}").as_str()) == (id, reason)),
        )
        .await;
    }
    host.act(5, "move", &up(400_000));
    host.wait_for("acknowledgement", |event| *event == LinkEvent::Acknowledged { id: 5 })
        .await;
    host.tell(LinkInput::Stop { reason: "test" });
    let failed = LinkEvent::Failed {
        id: 5,
        reason: "stopped".to_owned(),
    };
    host.wait_for("failure", |event| *event == failed).await;
    host.tell(LinkInput::Reset);
    host.wait_for(
        "reset",
        |event| matches!(event, LinkEvent::State(report) if !report.stopped),
    )
    .await;
    host.tell(LinkInput::Release);
    host.handle.close().await;
    let mut next = Host::new(&address, "arm");
    next.wait_for("lease", is_leased).await;
    assert!(
        next.began.elapsed() < Duration::from_millis(1_400),
        "the lease was given back"
    );
}

#[tokio::test]
async fn a_swapped_cable_is_found_out() {
    let (_arm, address) = arm(None, "");
    let mut host = Host::new(&address, "base");
    host.wait_until_broken("expected the device \"base\"").await;
    assert!(host.broken[0].contains("found \"arm\""), "{:?}", host.broken);
    assert!(!host.handle.is_connected());
}

#[tokio::test]
async fn a_port_has_one_owner_and_anybody_may_stop_what_is_behind_it() {
    let (_arm, address) = arm(None, "");
    let mut host = Host::new(&address, "arm");
    host.wait_for("lease", is_leased).await;
    let mut second = Host::new(&address, "arm");
    second.wait_until_broken("another program uses").await;
    // By its link, as it would over a broker ..
    second.tell(LinkInput::Stop { reason: "test" });
    host.wait_for("stop", is_stopped).await;
    host.tell(LinkInput::Reset);
    host.wait_for(
        "reset",
        |event| matches!(event, LinkEvent::State(report) if !report.stopped),
    )
    .await;
    // .. and with nothing but the port.
    serial::stop(&address).expect("it is sent");
    host.wait_for("stop", is_stopped).await;
    assert_eq!(host.broken, Vec::<String>::new(), "its owner was not disturbed");
    let nowhere = SerialAddress {
        path: "/nowhere".to_owned(),
        ..address.clone()
    };
    for (address, part) in [
        (nowhere, "there is no /nowhere"),
        (
            SerialAddress {
                path: "/dev/null".to_owned(),
                ..address.clone()
            },
            "no serial port",
        ),
    ] {
        let error = serial::stop(&address).expect_err("nobody is there");
        assert!(error.to_string().contains(part), "{error}");
        let mut host = Host::new(&address, "arm");
        host.wait_until_broken(part).await;
    }
}

#[tokio::test]
async fn a_device_that_was_unplugged_is_found_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let place = dir.path().join("arm");
    let (first, address) = arm(Some(place.clone()), "");
    let mut host = Host::new(&address, "arm");
    host.wait_for("lease", is_leased).await;
    host.act(1, "move", &up(400_000));
    first.stop();
    host.wait_for("loss", |event| matches!(event, LinkEvent::Lost(_))).await;
    assert!(host.broken[0].contains("unplugged"), "{:?}", host.broken);
    assert!(
        !place.exists() && place.symlink_metadata().is_err(),
        "its name went with it"
    );
    let (_second, _) = arm(Some(place), "");
    host.wait_for("lease", is_leased).await;
}

#[tokio::test]
async fn a_noisy_line_is_slower_and_not_wrong() {
    for seed in 0..3 {
        let options = SerialOptions {
            kind: SimKind::Greenhouse,
            device: DeviceName::parse("greenhouse").expect("a name"),
            at: None,
            seed,
            haste: 4,
            faults: Faults::parse("noise").expect("a fault"),
            memory: Memory::default(),
        };
        let (_greenhouse, path) = run_serial(options).expect("a pseudo-terminal");
        let mut host = Host::new(&SerialAddress { path, baud: 115_200 }, "greenhouse");
        host.wait_for("lease", is_leased).await;
        for id in 1..=10_u64 {
            let state = if id % 2 == 0 { "off" } else { "on" };
            // A command that gets lost is sent again, and carried out once.
            host.act(id, "light", &[("state", Plain::Text(state.to_owned()))]);
            host.wait_for("acknowledgement", |event| *event == LinkEvent::Acknowledged { id })
                .await;
            let lit = Some(Plain::Text(state.to_owned()));
            host.wait_for(
                "effect",
                |event| matches!(event, LinkEvent::State(report) if reading(report, "", "light") == lit),
            )
            .await;
        }
        assert_eq!(host.broken, Vec::<String>::new());
    }
}

#[tokio::test]
async fn whoever_floods_the_line_does_not_keep_the_device_from_stopping() {
    let (_arm, address) = arm(None, "");
    let mut host = Host::new(&address, "arm");
    host.wait_for("lease", is_leased).await;
    host.act(1, "move", &up(400_000));
    host.wait_for("acknowledgement", |event| *event == LinkEvent::Acknowledged { id: 1 })
        .await;
    let mut port = std::fs::OpenOptions::new()
        .write(true)
        .open(&address.path)
        .expect("a port");
    let written = Arc::new(AtomicU32::new(0));
    let enough = Arc::new(AtomicBool::new(false));
    let flood = std::thread::spawn({
        let (written, enough) = (Arc::clone(&written), Arc::clone(&enough));
        move || {
            let mut frame = [0; FRAME_LEN_MAX];
            let len = encode(&ping(1), &mut frame).expect("a frame");
            while !enough.load(Ordering::Relaxed) {
                // Another program that knows nothing of locks, or a bug in this one.
                port.write_all(&frame[..len]).expect("a port");
                written.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    // The line takes no more: its writer stands still in the middle of a write.
    let mut before = 0;
    loop {
        std::thread::sleep(Duration::from_millis(10));
        let now = written.load(Ordering::Relaxed);
        if now > 1_000 && now == before {
            break;
        }
        before = now;
    }
    host.act(2, "move", &up(400_000));
    let began = Instant::now();
    host.tell(LinkInput::Stop { reason: "test" });
    host.wait_for("stop", is_stopped).await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    enough.store(true, Ordering::Relaxed);
    flood.join().expect("a thread");
    host.wait_for("report", |event| matches!(event, LinkEvent::State(_)))
        .await;
}

#[test]
fn a_client_written_from_the_page_alone_works() {
    if !Command::new("python3")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
    {
        // Past the test's capture, so that nobody takes silence for success.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: no python3; install it to run the protocol page's serial client"
        );
        return;
    }
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../workspace/PROTOCOL.md");
    let page = std::fs::read_to_string(page).expect("the protocol page");
    let (_, code) = page.rsplit_once("```python\n").expect("an example");
    let (code, _) = code.split_once("```").expect("an end of the example");
    let (_arm, address) = arm(None, "");
    let output = Command::new("python3")
        .args(["-c", code, &address.path])
        .output()
        .expect("python3 runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("name arm versions 1 1 boot "), "{said}");
    assert!(lines.contains(&"ack True 1 5 True 0"), "{said}");
    assert_eq!(
        lines.last(),
        Some(&"state False 1 None False [0.8, 0.0, 1.3] open object"),
        "{said}"
    );
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("state True 0 None False [0.8, 0.0, 1.")),
        "{said}"
    );
}
