//! The same against a real mosquitto, with the simulated arm started as a process of its own and an independent subscriber that sees
//! every command. Where mosquitto is not installed, the tests say so aloud.

use crate::support::Llmos;
use rumqttc::{Client, Event, MqttOptions, Packet, QoS, SubscribeFilter};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// A process that ends with the test.
pub struct Running(Child);

impl Running {
    pub fn new(child: Child) -> Running {
        Running(child)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A mosquitto on a free port of loopback, or `None`, said aloud.
pub fn mosquitto() -> Option<(Running, u16)> {
    let program = ["mosquitto", "/usr/sbin/mosquitto"]
        .into_iter()
        .find(|program| Command::new(program).arg("-h").output().is_ok());
    let Some(program) = program else {
        // Past the test's capture, so that nobody takes silence for success.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: mosquitto is not installed, so nothing was tested against it"
        );
        return None;
    };
    let port = TcpListener::bind("127.0.0.1:0")
        .expect("a free port")
        .local_addr()
        .expect("its address")
        .port();
    let child = Command::new(program)
        .args(["-p", &port.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("mosquitto starts");
    let running = Running(child);
    let end = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < end, "mosquitto does not listen");
        thread::sleep(Duration::from_millis(20));
    }
    Some((running, port))
}

/// Everything that was published on these topics, as somebody else sees it.
pub fn subscriber(port: u16, topics: &[&str]) -> Arc<Mutex<Vec<String>>> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (client, mut connection) = Client::new(MqttOptions::new("observer", "127.0.0.1", port), 16);
    let filters = topics
        .iter()
        .map(|topic| SubscribeFilter::new((*topic).to_owned(), QoS::AtLeastOnce));
    client.subscribe_many(filters).expect("a subscription");
    let (mine, ready) = (Arc::clone(&seen), Arc::new(Mutex::new(false)));
    let subscribed = Arc::clone(&ready);
    thread::spawn(move || {
        // The client must live as long as its connection.
        let _client = client;
        for event in connection.iter().map_while(Result::ok) {
            match event {
                Event::Incoming(Packet::Publish(message)) => mine
                    .lock()
                    .expect("a lock")
                    .push(String::from_utf8_lossy(&message.payload).into_owned()),
                Event::Incoming(Packet::SubAck(_)) => *subscribed.lock().expect("a lock") = true,
                _ => {}
            }
        }
    });
    let end = Instant::now() + Duration::from_secs(5);
    while !*ready.lock().expect("a lock") {
        assert!(Instant::now() < end, "the observer does not get its subscription");
        thread::sleep(Duration::from_millis(10));
    }
    seen
}

pub fn simulate(llmos: &Llmos, kind: &str, broker: &str) -> Running {
    let mut command = llmos.command(&["device", "sim", kind, "--broker", broker, "--haste", "8"]);
    Running(
        command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the simulated device starts"),
    )
}

#[test]
fn the_main_job_runs_on_a_real_broker() {
    let Some((_mosquitto, port)) = mosquitto() else { return };
    let llmos = Llmos::new();
    let broker = format!("mqtt://127.0.0.1:{port}");
    let workspace = llmos.home().join("ws");
    let path = workspace.to_str().expect("a path");
    assert_eq!(llmos.run(&["init", path]).status.code(), Some(0));
    for other in ["base", "greenhouse"] {
        std::fs::remove_file(workspace.join(format!("devices/{other}.md"))).expect("the template's device");
    }
    let commands = subscriber(port, &["llmos/v1/+/cmd"]);
    let _arm = simulate(&llmos, "arm", &broker);
    let run = |goal: &str| llmos.json(&["run", "--workspace", path, "--broker", &broker, goal]);

    let (refused, code) = run("go to (5, 0, 1)");
    assert_eq!((refused["status"].as_str(), code), (Some("refused"), 3), "{refused}");
    assert_eq!(
        *commands.lock().expect("a lock"),
        Vec::<String>::new(),
        "a refused goal publishes nothing"
    );

    let (first, code) = run("pick up the red cube and put it in bin A");
    assert_eq!((first["status"].as_str(), code), (Some("done"), 0), "{first}");
    assert!(!commands.lock().expect("a lock").is_empty());
    let (again, _) = run("pick up the red cube and put it in bin A");
    assert_eq!(again["model_calls"], 0, "{again}");
    assert_eq!(again["status"], "done", "{again}");

    let stop = llmos.run(&["stop", "arm", "--workspace", path, "--broker", &broker]);
    assert_eq!(stop.status.code(), Some(0), "{}", String::from_utf8_lossy(&stop.stderr));
    let before = commands.lock().expect("a lock").len();
    let (stopped, code) = run("move the arm 30 cm to the left");
    assert_eq!(
        (stopped["status"].as_str(), code),
        (Some("environment"), 5),
        "{stopped}"
    );
    assert_eq!(
        commands.lock().expect("a lock").len(),
        before,
        "a stopped arm gets no command"
    );
    let reset = llmos.run(&["reset", "arm", "--workspace", path, "--broker", &broker]);
    assert_eq!(
        reset.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&reset.stderr)
    );
    let (moved, _) = run("move the arm 30 cm to the left");
    assert_eq!(moved["status"], "done", "{moved}");

    // A device that nobody sets back stands elsewhere after the first replay.
    let id = moved["trace"].as_str().expect("a trace");
    let (replayed, code) = llmos.json(&["replay", id, "--repeat", "3", "--workspace", path, "--broker", &broker]);
    assert_eq!((replayed["replays"].as_u64(), code), (Some(1), 0), "{replayed}");
    let why = replayed["ended"].as_str().unwrap_or_default();
    assert!(
        why.contains("arm.position is (-0.1, ") && why.contains("was (0.2, "),
        "{replayed}"
    );
}

#[test]
fn a_broker_that_vanishes_in_the_middle_fails_the_run() {
    let Some((mosquitto, port)) = mosquitto() else { return };
    let llmos = Llmos::new();
    let broker = format!("mqtt://127.0.0.1:{port}");
    let mut arm = llmos.command(&["device", "sim", "arm", "--broker", &broker, "--haste", "1"]);
    let _arm = Running(
        arm.stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the simulated device starts"),
    );
    let child = llmos
        .command(&["run", "--json", "--broker", &broker, "move the arm 150 cm up"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let child = child.expect("the program starts");
    thread::sleep(Duration::from_millis(6_500));
    drop(mosquitto);
    let output = child.wait_with_output().expect("the program ends");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    assert_eq!(
        (report["status"].as_str(), output.status.code()),
        (Some("failed"), Some(1)),
        "{report}"
    );
    assert!(
        report["reason"].as_str().is_some_and(|reason| reason.contains("lost")),
        "{report}"
    );
}
