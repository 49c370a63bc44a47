//! The whole way over real sockets: a host's bus and link drive a simulated arm through a broker, the embedded one and, where it is
//! installed, a real mosquitto.

use llmos_firmware_bridge::io::{BrokerUrl, Bus, BusEvent, BusHandle, broker};
use llmos_firmware_bridge::sim::{self, Faults, Memory, SimKind, SimOptions, Simulator};
use llmos_firmware_bridge::{
    Channel, DeviceName, Kind, Link, LinkConfig, LinkEvent, LinkInput, LinkOutput, Loss, Plain, Refusal, Report,
};
use llmos_follower::{Millis, Progress};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

#[path = "mqtt/access.rs"]
mod access;
#[path = "mqtt/hostile.rs"]
mod hostile;
#[path = "mqtt/mosquitto.rs"]
mod mosquitto;
#[path = "mqtt/outage.rs"]
mod outage;
#[path = "../examples/restarts/rounds.rs"]
mod rounds;
#[path = "mqtt/tls.rs"]
mod tls;

/// A host with one link, as a shell would run it.
struct Host {
    bus: BusHandle,
    events: mpsc::Receiver<BusEvent>,
    link: Link,
    began: Instant,
    heard: Vec<LinkEvent>,
    /// Why the connection ended last.
    ended: String,
    next: u64,
}

impl Host {
    fn new(url: &BrokerUrl, device: &DeviceName) -> Host {
        let (bus, events) = Bus::connect(url, &format!("test-host-{device}"));
        let link = Link::new(LinkConfig {
            device: device.clone(),
            session: 42,
            heartbeat_ms: 900,
            expiry_ms: 2_000,
            kind: Kind::Native,
        });
        Host {
            bus,
            events,
            link,
            began: Instant::now(),
            heard: Vec::new(),
            ended: String::new(),
            next: 0,
        }
    }

    fn now(&self) -> Millis {
        Millis::try_from(self.began.elapsed().as_millis()).expect("a short test")
    }

    fn tell(&mut self, input: LinkInput<'_>) {
        self.link.handle(self.now(), input);
        while let Some(output) = self.link.poll() {
            match output {
                LinkOutput::Subscribe(topic) => self.bus.subscribe(&topic),
                LinkOutput::Publish {
                    topic,
                    payload,
                    channel: Channel::Normal,
                } => drop(self.bus.publish(&topic, payload)),
                LinkOutput::Publish {
                    topic,
                    payload,
                    channel: Channel::Stop,
                } => drop(self.bus.publish_stop(&topic, payload)),
                LinkOutput::Event(event) => self.heard.push(event),
            }
        }
    }

    async fn turn(&mut self) {
        let wait = self
            .link
            .next_deadline()
            .map_or(50, |due| due.saturating_sub(self.now()).min(50));
        match tokio::time::timeout(Duration::from_millis(wait), self.events.recv()).await {
            Ok(Some(BusEvent::Connected)) => self.tell(LinkInput::Connected),
            Ok(Some(BusEvent::Disconnected(why))) => {
                self.ended = why;
                self.tell(LinkInput::Disconnected);
            }
            Ok(Some(BusEvent::Message {
                topic,
                payload,
                retained,
            })) => {
                self.tell(LinkInput::Message {
                    topic: &topic,
                    payload: &payload,
                    retained,
                });
            }
            Ok(None) => panic!("the bus ended"),
            Err(_) => self.tell(LinkInput::Tick),
        }
    }

    async fn wait_for(&mut self, what: &str, wanted: impl Fn(&LinkEvent) -> bool) -> LinkEvent {
        let give_up = Instant::now() + Duration::from_secs(15);
        while Instant::now() < give_up {
            if let Some(at) = self.heard.iter().position(&wanted) {
                return self.heard.drain(..=at).next_back().expect("an event");
            }
            self.turn().await;
        }
        panic!("no {what} within 15 s; heard {:?}; {}", self.heard, self.ended);
    }

    /// Sends a command and waits until the device's state says that it is done.
    async fn act(&mut self, tool: &str, arguments: &[(&str, Plain)]) -> Report {
        self.next += 1;
        let id = self.next;
        let arguments = arguments
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        self.heard.clear();
        self.tell(LinkInput::Command { id, tool, arguments });
        self.wait_for("acknowledgement", |event| *event == LinkEvent::Acknowledged { id })
            .await;
        let done =
            |event: &LinkEvent| matches!(event, LinkEvent::State(report) if report.progress == Progress::Finished);
        match self.wait_for("end", done).await {
            LinkEvent::State(report) => report,
            other => panic!("{other:?}"),
        }
    }
}

fn reading(report: &Report, owner: &str, field: &str) -> Option<Plain> {
    let found = report
        .readings
        .iter()
        .find(|reading| (reading.owner.as_str(), reading.field.as_str()) == (owner, field));
    found.map(|reading| reading.value.clone())
}

fn point(x: i64, y: i64, z: i64) -> Plain {
    Plain::Point([x * 10_000, y * 10_000, z * 10_000])
}

fn word(text: &str) -> Plain {
    Plain::Text(text.to_owned())
}

fn start_arm(url: &BrokerUrl, device: &DeviceName) -> sim::SimHandle {
    start_arm_with(url, device, 20)
}

/// An arm at the pace of life.
fn start_slow_arm(url: &BrokerUrl, device: &DeviceName) -> sim::SimHandle {
    start_arm_with(url, device, 1)
}

fn start_arm_with(url: &BrokerUrl, device: &DeviceName, haste: u32) -> sim::SimHandle {
    let options = SimOptions {
        simulator: Simulator::Native(SimKind::Arm),
        device: device.clone(),
        broker: url.clone(),
        seed: 0,
        haste,
        faults: Faults::default(),
        memory: Memory::default(),
    };
    sim::run(options).expect("a simulation")
}

fn is_leased(event: &LinkEvent) -> bool {
    matches!(event, LinkEvent::Leased { .. })
}

/// The main job, a stop, a goodbye.
async fn check_round_trip(url: BrokerUrl, name: &str) {
    let device = DeviceName::parse(name).expect("a name");
    let arm = start_arm(&url, &device);
    let mut host = Host::new(&url, &device);
    host.wait_for("lease", is_leased).await;
    for to in [point(80, 0, 80), point(80, 30, 50), point(80, 30, 2)] {
        host.act("move_to", &[("to", to)]).await;
    }
    let report = host.act("gripper", &[("state", word("closed"))]).await;
    assert_eq!(reading(&report, "", "holding"), Some(word("red cube")));
    host.act(
        "move",
        &[("direction", word("up")), ("distance", Plain::Number(300_000))],
    )
    .await;
    for to in [point(50, 60, 40), point(50, 60, 10)] {
        host.act("move_to", &[("to", to)]).await;
    }
    let report = host.act("gripper", &[("state", word("open"))]).await;
    assert_eq!(reading(&report, "red cube", "in"), Some(word("bin A")));
    assert_eq!(reading(&report, "", "holding"), Some(Plain::Nothing));

    host.tell(LinkInput::Stop { reason: "test" });
    host.wait_for(
        "latch",
        |event| matches!(event, LinkEvent::State(report) if report.stopped),
    )
    .await;
    host.tell(LinkInput::Reset);
    host.wait_for(
        "reset",
        |event| matches!(event, LinkEvent::State(report) if !report.stopped),
    )
    .await;
    host.act("tool", &[("state", word("on"))]).await;

    tokio::task::spawn_blocking(move || arm.stop()).await.expect("an end");
    host.wait_for("loss", |event| *event == LinkEvent::Lost(Loss::Offline))
        .await;
    host.bus.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_drives_the_arm_over_the_embedded_broker() {
    let port = tokio::task::spawn_blocking(broker::start)
        .await
        .expect("a thread")
        .expect("a broker");
    check_round_trip(BrokerUrl::local(port), "arm-embedded").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_finds_what_was_kept() {
    let port = tokio::task::spawn_blocking(broker::start)
        .await
        .expect("a thread")
        .expect("a broker");
    let url = BrokerUrl::local(port);
    let device = DeviceName::parse("arm-kept").expect("a name");
    let arm = start_arm(&url, &device);
    let mut first = Host::new(&url, &device);
    first.wait_for("lease", is_leased).await;
    first.tell(LinkInput::Release);
    first.bus.close().await;
    let mut second = Host::new(&url, &device);
    second.wait_for("presence", |event| *event == LinkEvent::Online).await;
    second.wait_for("lease", is_leased).await;
    drop(arm);
}

#[expect(clippy::print_stderr, reason = "a test that cannot run says so aloud")]
fn skip(why: &str) {
    eprintln!("SKIPPED: {why}");
}

/// Another program that dies with the test: a mosquitto of our own on a free port, or the example device.
struct Program {
    port: u16,
    child: Child,
}

/// A broker of our own; `None`, said aloud, where the machine has none.
fn start_mosquitto(port: Option<u16>) -> Option<Program> {
    let free = || {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|socket| socket.local_addr())
            .map(|at| at.port())
    };
    let port = port.or_else(|| free().ok())?;
    let found = Command::new("mosquitto")
        .args(["-p", &port.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(child) = found else {
        skip("no mosquitto on PATH; install it to run this test against a real broker");
        return None;
    };
    let mosquitto = Program { port, child };
    let give_up = Instant::now() + Duration::from_secs(5);
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        assert!(Instant::now() < give_up, "mosquitto does not listen on port {port}");
        std::thread::sleep(Duration::from_millis(20));
    }
    Some(mosquitto)
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_drives_the_arm_over_mosquitto() {
    let Some(mosquitto) = start_mosquitto(None) else {
        return;
    };
    check_round_trip(BrokerUrl::local(mosquitto.port), "arm-mosquitto").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_comes_back_finds_both_sides_again() {
    let Some(mosquitto) = start_mosquitto(None) else {
        return;
    };
    let port = mosquitto.port;
    let url = BrokerUrl::local(port);
    let device = DeviceName::parse("arm-restart").expect("a name");
    let arm = start_arm(&url, &device);
    let mut host = Host::new(&url, &device);
    host.wait_for("lease", is_leased).await;
    let mut mosquitto = Some(mosquitto);
    for _ in 0..3 {
        mosquitto.take();
        host.wait_for("loss", |event| *event == LinkEvent::Lost(Loss::Disconnected))
            .await;
        mosquitto = start_mosquitto(Some(port));
        host.wait_for("lease", is_leased).await;
        host.act("tool", &[("state", word("on"))]).await;
    }
    drop(arm);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_not_there_is_named() {
    // Port 1 is never a broker; connecting to it is refused at once.
    let (bus, mut events) = Bus::connect(&BrokerUrl::local(1), "test-nobody");
    let event = tokio::time::timeout(Duration::from_secs(6), events.recv())
        .await
        .expect("in time");
    assert!(
        matches!(event, Some(BusEvent::Disconnected(ref reason)) if !reason.is_empty()),
        "{event:?}"
    );
    assert!(
        bus.publish("a", Vec::new())
            .is_err_and(|error| error.to_string().contains("not connected"))
    );
}

/// The example of the protocol page, taken from the page itself, running; `None`, said aloud, where Python or paho is missing.
fn start_python(port: u16) -> Option<Program> {
    let paho = Command::new("python3")
        .args(["-c", "from paho.mqtt.client import CallbackAPIVersion"])
        .stderr(Stdio::null())
        .status();
    if !paho.is_ok_and(|status| status.success()) {
        skip("no python3 with paho-mqtt 2; install it to run the protocol page's example");
        return None;
    }
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../workspace/PROTOCOL.md");
    let page = std::fs::read_to_string(page).expect("the protocol page");
    let (_, code) = page.split_once("```python\n").expect("an example");
    let (code, _) = code.split_once("```").expect("an end of the example");
    let child = Command::new("python3")
        .args(["-c", code, &port.to_string()])
        .spawn()
        .expect("python3 runs");
    Some(Program { port, child })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_written_from_the_page_alone_works() {
    let port = tokio::task::spawn_blocking(broker::start)
        .await
        .expect("a thread")
        .expect("a broker");
    let Some(python) = start_python(port) else { return };
    let device = DeviceName::parse("pump").expect("a name");
    let mut host = Host::new(&BrokerUrl::local(port), &device);
    host.wait_for("lease", is_leased).await;
    let report = host.act("fill", &[("volume", Plain::Number(50_000))]).await;
    assert_eq!(reading(&report, "", "level"), Some(Plain::Number(50_000)));
    for (id, tool, volume, reason) in [
        (91, "empty", 1, Refusal::UnknownTool),
        (92, "fill", 6_000_000, Refusal::Envelope),
    ] {
        let arguments = vec![("volume".to_owned(), Plain::Number(volume))];
        host.tell(LinkInput::Command { id, tool, arguments });
        host.wait_for("rejection", |event| *event == LinkEvent::Rejected { id, reason })
            .await;
    }
    let arguments = vec![("volume".to_owned(), Plain::Number(1_000_000))];
    host.tell(LinkInput::Command {
        id: 93,
        tool: "fill",
        arguments,
    });
    host.wait_for("acknowledgement", |event| *event == LinkEvent::Acknowledged { id: 93 })
        .await;
    host.tell(LinkInput::Stop { reason: "test" });
    let stopped = LinkEvent::Failed {
        id: 93,
        reason: "stopped".to_owned(),
    };
    host.wait_for("failure", |event| *event == stopped).await;
    host.tell(LinkInput::Reset);
    host.wait_for(
        "reset",
        |event| matches!(event, LinkEvent::State(report) if !report.stopped),
    )
    .await;
    host.act("fill", &[("volume", Plain::Number(10_000))]).await;
    drop(python);
    host.wait_for("will", |event| *event == LinkEvent::Offline).await;
}
