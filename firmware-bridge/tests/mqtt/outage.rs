//! Ways that go dead without a word, brokers that stop working, restarts: each is noticed in time, and nothing old comes through afterwards.

use super::mosquitto::{Mosquitto, Proxy, Stranger, Way};
use super::rounds::{Plan, rounds};
use super::{Host, is_leased, start_arm, word};
use llmos_firmware_bridge::io::{BrokerUrl, Bus, BusEvent, BusHandle};
use llmos_firmware_bridge::{DeviceName, LinkEvent, LinkInput, Loss};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc::{Receiver, channel};

/// Half a connection is found within this; the tests' own time comes on top.
const HALF_OPEN_MAX: Duration = Duration::from_secs(2);

/// The first event of that kind, and when it came.
async fn next(events: &mut Receiver<BusEvent>, what: &str, wanted: impl Fn(&BusEvent) -> bool) -> (BusEvent, Instant) {
    let wait = async {
        loop {
            let event = events.recv().await.expect("a bus");
            if wanted(&event) {
                return (event, Instant::now());
            }
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(10), wait).await;
    found.unwrap_or_else(|_| panic!("no {what} within 10 s"))
}

async fn connected(events: &mut Receiver<BusEvent>) {
    next(events, "connection", |event| *event == BusEvent::Connected).await;
}

async fn ended(events: &mut Receiver<BusEvent>) -> (String, Instant) {
    match next(events, "end", |event| matches!(event, BusEvent::Disconnected(_))).await {
        (BusEvent::Disconnected(why), at) => (why, at),
        other => panic!("{other:?}"),
    }
}

/// One connection that goes dead `after` it stands: how long that goes unnoticed, on the normal and on the stop path, and whether both come back.
async fn goes_dead(broker: u16, way: Way, after: Duration) -> Duration {
    let proxy = Proxy::to(broker).await;
    let name = format!("dead-{way:?}-{}", after.as_millis());
    let (bus, mut events) = Bus::connect(&BrokerUrl::local(proxy.port), &name);
    connected(&mut events).await;
    tokio::time::sleep(after).await;
    assert!(bus.stop_path_ready(), "the stop path stands");
    proxy.turn(way);
    let dead = Instant::now();
    let stop_path = {
        let bus = bus.clone();
        tokio::spawn(async move { unready(&bus).await })
    };
    let (why, at) = ended(&mut events).await;
    let stop_ended = stop_path.await.expect("an end");
    connected(&mut events).await;
    let again = Instant::now();
    while !bus.stop_path_ready() {
        assert!(
            again.elapsed() < Duration::from_secs(2),
            "the stop path comes back, too"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(why.contains("broker has"), "{why}");
    at.max(stop_ended) - dead
}

async fn unready(bus: &BusHandle) -> Instant {
    while bus.stop_path_ready() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Instant::now()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_that_goes_dead_is_found_within_two_seconds() {
    let Some(mosquitto) = Mosquitto::open() else { return };
    let mut all = Vec::new();
    for way in [Way::Dead, Way::Deaf] {
        // Whenever in the rhythm of the pings it happens.
        for after_ms in [50, 300, 600, 900, 1_150] {
            all.push(tokio::spawn(goes_dead(
                mosquitto.port,
                way,
                Duration::from_millis(after_ms),
            )));
        }
    }
    for one in all {
        let took = one.await.expect("it is noticed");
        assert!(took <= HALF_OPEN_MAX, "{took:?}");
    }
}

/// A broker that answers whatever keeps a connection alive, and acknowledges nothing. What was published comes out here.
async fn start_wedged_broker() -> (u16, Receiver<Vec<u8>>) {
    let (taken, published) = channel(10_000);
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .expect("a port");
    let port = listener.local_addr().expect("its address").port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let taken = taken.clone();
            tokio::spawn(async move {
                while let Ok(kind) = client.read_u8().await {
                    let len = client.read_u8().await.unwrap_or(0);
                    let mut rest = vec![0; usize::from(len)];
                    let read = client.read_exact(&mut rest).await.is_ok();
                    if kind >> 4 == 3 {
                        // Nobody may want to know.
                        let _ = taken.try_send(rest);
                    }
                    let answer: &[u8] = match kind >> 4 {
                        1 => &[0x20, 2, 0, 0],
                        12 => &[0xd0, 0],
                        _ => &[],
                    };
                    if !read || client.write_all(answer).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (port, published)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_acknowledges_nothing_gets_a_new_client() {
    let (port, _published) = start_wedged_broker().await;
    let (bus, mut events) = Bus::connect(&BrokerUrl::local(port), "wedged");
    connected(&mut events).await;
    let began = Instant::now();
    // Pings are answered, and this connection lives.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert!(bus.is_connected(), "an idle connection is left alone");
    bus.publish("a", b"b".to_vec()).expect("connected");
    let (why, at) = ended(&mut events).await;
    assert!(why.contains("acknowledged nothing"), "{why}");
    assert!(at - began < Duration::from_secs(5), "{:?}", at - began);
    connected(&mut events).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_behind_nothing() {
    let (port, mut published) = start_wedged_broker().await;
    let (bus, mut events) = Bus::connect(&BrokerUrl::local(port), "stop");
    connected(&mut events).await;
    while !bus.stop_path_ready() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // The normal way is full: nothing is acknowledged, and no more is taken.
    for number in 0..1_000 {
        let _ = bus.publish("normal", vec![0; number % 100]);
        if number % 100 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    let asked = Instant::now();
    bus.publish_stop("halt", b"now".to_vec()).expect("it is not");
    let is_stop = |packet: &[u8]| packet.windows(4).any(|part| part == b"halt");
    let mut before = 0;
    let wait = async {
        while !is_stop(&published.recv().await.expect("a broker")) {
            before += 1;
        }
    };
    let came = tokio::time::timeout(Duration::from_secs(5), wait).await;
    assert!(came.is_ok(), "the stop never comes, after {before} other messages");
    assert!(
        (50..200).contains(&before),
        "the normal way is stuck, after {before} messages"
    );
    assert!(asked.elapsed() < Duration::from_millis(500), "{:?}", asked.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_sent_into_an_outage_arrives_after_it() {
    let Some(mosquitto) = Mosquitto::open() else { return };
    let stranger = Stranger::anonymous(mosquitto.port, "observer", &["late/#"]).await;
    let proxy = Proxy::to(mosquitto.port).await;
    let (bus, mut events) = Bus::connect(&BrokerUrl::local(proxy.port), "late");
    connected(&mut events).await;
    bus.publish("late/before", Vec::new()).expect("connected");
    tokio::time::sleep(Duration::from_millis(200)).await;
    proxy.turn(Way::Dead);
    for number in 0..200 {
        // As far as anybody knows the connection stands; then it is full.
        let _ = bus.publish(&format!("late/meanwhile/{number}"), Vec::new());
    }
    ended(&mut events).await;
    assert!(
        bus.publish("late/refused", Vec::new()).is_err(),
        "nothing is kept for later"
    );
    connected(&mut events).await;
    bus.publish("late/after", Vec::new()).expect("connected");
    tokio::time::sleep(Duration::from_millis(500)).await;
    let seen: Vec<String> = stranger
        .seen
        .lock()
        .expect("a lock")
        .iter()
        .map(|(topic, _)| topic.clone())
        .collect();
    assert_eq!(seen, ["late/before", "late/after"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_any_length_that_the_broker_keeps_locks_nobody_out() {
    let Some(mosquitto) = Mosquitto::open() else { return };
    let device = DeviceName::parse("arm-long").expect("a name");
    let stranger = Stranger::anonymous(mosquitto.port, "stranger", &[]).await;
    for subject in ["lease", "cmd", "ack", "event"] {
        stranger
            .say(&format!("llmos/v1/{device}/{subject}"), vec![b'x'; 4 << 20], true)
            .await;
    }
    stranger.all_taken(4).await;
    let url = BrokerUrl::local(mosquitto.port);
    let _arm = start_arm(&url, &device);
    let mut host = Host::new(&url, &device);
    host.wait_for("lease", is_leased).await;
    host.act("tool", &[("state", word("on"))]).await;
}

/// A device whose own way goes dead is in its safe state before anybody tells it, and a host whose way does says what it lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_loses_its_broker_stops_at_once() {
    let Some(mosquitto) = Mosquitto::open() else { return };
    let device = DeviceName::parse("arm-cut").expect("a name");
    let url = BrokerUrl::local(mosquitto.port);
    let proxy = Proxy::to(mosquitto.port).await;
    // The arm alone behind the proxy; slow enough to be still on its way.
    let arm = super::start_slow_arm(&BrokerUrl::local(proxy.port), &device);
    let mut host = Host::new(&url, &device);
    host.wait_for("lease", is_leased).await;
    let up = vec![
        ("direction".to_owned(), word("up")),
        ("distance".to_owned(), llmos_firmware_bridge::Plain::Number(500_000)),
    ];
    host.tell(LinkInput::Command {
        id: 1,
        tool: "move",
        arguments: up,
    });
    host.wait_for("acknowledgement", |event| *event == LinkEvent::Acknowledged { id: 1 })
        .await;
    proxy.turn(Way::Dead);
    let dead = Instant::now();
    host.wait_for("loss", |event| {
        matches!(event, LinkEvent::Lost(Loss::Silent | Loss::LeaseLost | Loss::Offline))
    })
    .await;
    assert!(dead.elapsed() < Duration::from_secs(2), "{:?}", dead.elapsed());
    host.wait_for("lease", is_leased).await;
    let end = host
        .wait_for(
            "report",
            |event| matches!(event, LinkEvent::State(report) if report.account.is_some()),
        )
        .await;
    let LinkEvent::State(report) = end else {
        panic!("{end:?}")
    };
    let failed = report.account.expect("an account").failed;
    assert_eq!(failed, Some((1, "lease_lost".to_owned())));
    drop(arm);
}

#[tokio::test(flavor = "multi_thread")]
async fn restarts_lose_nothing_and_double_nothing() {
    // Also says aloud where there is none.
    if Mosquitto::open().is_none() {
        return;
    }
    let plan = Plan {
        restarts: 6,
        seed: 7,
        up_ms_max: 200,
    };
    let tally = rounds(plan).await.expect("a broker");
    assert!(!tally.is_bad(), "{tally}");
    assert_eq!(tally.restarts, 6);
}
