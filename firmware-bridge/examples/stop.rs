//! How long a stop takes from the request until somebody else on the broker sees it, while every core computes and the normal path is
//! busy:
//!
//! ```text
//! cargo run --release -p llmos-firmware-bridge --example stop -- [--stops 1000] [--seed 1] [--idle]
//! ```
//!
//! One thread for each core multiplies matrices as a model does, at the same priority as everything else; the normal connection publishes
//! and is shouted at without pause. The broker is a mosquitto of its own where there is one, or the embedded one. `--idle` leaves all of
//! that out, to compare. The exit code is 1 where the 99th percentile is above 50 ms.

use llmos_firmware_bridge::io::{BrokerUrl, Bus, BusEvent, BusHandle, broker};
use llmos_firmware_bridge::sim::Xorshift;
use rumqttc::{Client, Event, MqttOptions, Packet, QoS};
use std::collections::HashMap;
use std::hint::black_box;
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

/// What a stop may take, in milliseconds.
const P99_MS_MAX: f64 = 50.0;
/// How often the normal connection publishes.
const NOISE: Duration = Duration::from_millis(2);
/// Side of the matrices: each is larger than a core's own cache.
const SIDE: usize = 512;

type Arrivals = Arc<Mutex<HashMap<u64, Instant>>>;

/// A broker that ends with the program.
struct Mosquitto(Child);

impl Drop for Mosquitto {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str, default: u64| {
        let at = arguments.iter().position(|argument| argument == name);
        let text = at.and_then(|at| arguments.get(at + 1));
        text.and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let idle = arguments.iter().any(|argument| argument == "--idle");
    match measure(number("--stops", 1_000), number("--seed", 1), idle) {
        Ok((text, p99)) => {
            // A reader that has left needs no answer.
            let _ = writeln!(io::stdout(), "{text}");
            ExitCode::from(u8::from(p99 > P99_MS_MAX))
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "nothing was measured: {error}");
            ExitCode::from(5)
        }
    }
}

fn measure(stops: u64, seed: u64, idle: bool) -> io::Result<(String, f64)> {
    let (mosquitto, port, which) = start()?;
    let arrivals = Arrivals::default();
    observe(port, &arrivals)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if !idle {
        for _ in 0..cores {
            std::thread::spawn(compute);
        }
    }
    // As in the program: one thread for everything but the model.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let asked = runtime.block_on(ask(port, stops, seed, idle))?;
    let arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
    let mut took: Vec<f64> = asked
        .iter()
        .filter_map(|(stop, at)| Some(arrivals.get(stop)?.duration_since(*at).as_secs_f64() * 1e3))
        .collect();
    took.sort_by(f64::total_cmp);
    let missing = asked.len() - took.len();
    drop(mosquitto);
    let at = |permille: usize| {
        took.get(took.len().saturating_sub(1) * permille / 1_000)
            .copied()
            .unwrap_or(f64::MAX)
    };
    let (p50, p99, max) = (at(500), at(990), at(1_000));
    let load = if idle {
        "idle"
    } else {
        "every core and the normal path busy"
    };
    let text = format!(
        "{stops} stops over {which}, {cores} cores, {load}: p50 {p50:.2} ms, p99 {p99:.2} ms, max {max:.2} ms, {missing} never seen"
    );
    Ok((text, if missing > 0 { f64::MAX } else { p99 }))
}

fn start() -> io::Result<(Option<Mosquitto>, u16, &'static str)> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let run = |program| {
        let mut command = Command::new(program);
        command
            .args(["-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.spawn()
    };
    let Ok(child) = run("mosquitto").or_else(|_| run("/usr/sbin/mosquitto")) else {
        let port = broker::start().map_err(io::Error::other)?;
        return Ok((None, port, "the embedded broker"));
    };
    let mosquitto = Mosquitto(child);
    let give_up = Instant::now() + Duration::from_secs(5);
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if Instant::now() > give_up {
            return Err(io::Error::other("mosquitto does not listen"));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok((Some(mosquitto), port, "mosquitto"))
}

/// Somebody else, on a thread of its own, who writes down when each stop came.
fn observe(port: u16, arrivals: &Arrivals) -> io::Result<()> {
    let (client, mut connection) = Client::new(MqttOptions::new("observer", "127.0.0.1", port), 16);
    client.subscribe("stop", QoS::AtLeastOnce).map_err(io::Error::other)?;
    let (ready, is_ready) = mpsc::channel();
    let arrivals = Arc::clone(arrivals);
    std::thread::spawn(move || {
        // The client must live as long as its connection.
        let _client = client;
        for event in connection.iter().map_while(Result::ok) {
            let now = Instant::now();
            match event {
                Event::Incoming(Packet::Publish(message)) => {
                    let number = std::str::from_utf8(&message.payload)
                        .ok()
                        .and_then(|text| text.parse().ok());
                    if let Some(number) = number {
                        arrivals
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .entry(number)
                            .or_insert(now);
                    }
                }
                // Whoever waited may have given up.
                Event::Incoming(Packet::SubAck(_)) => drop(ready.send(())),
                _ => {}
            }
        }
    });
    is_ready.recv_timeout(Duration::from_secs(5)).map_err(io::Error::other)
}

/// Asks for the stops, and says when.
async fn ask(port: u16, stops: u64, seed: u64, idle: bool) -> io::Result<Vec<(u64, Instant)>> {
    let (bus, mut events) = Bus::connect(&BrokerUrl::local(port), "stopper");
    bus.subscribe("noise");
    let give_up = Instant::now() + Duration::from_secs(10);
    while !(bus.is_connected() && bus.stop_path_ready()) {
        if Instant::now() > give_up {
            return Err(io::Error::other("no connection"));
        }
        let _ = tokio::time::timeout(Duration::from_millis(20), events.recv()).await;
    }
    tokio::spawn(
        async move { while let Some(BusEvent::Connected | BusEvent::Message { .. }) = events.recv().await {} },
    );
    if !idle {
        tokio::spawn(shout(bus.clone()));
    }
    let mut chance = Xorshift::new(seed);
    let mut asked = Vec::new();
    for stop in 0..stops {
        tokio::time::sleep(Duration::from_millis(1 + chance.below(20))).await;
        let at = Instant::now();
        bus.publish_stop("stop", stop.to_string().into_bytes())
            .map_err(io::Error::other)?;
        asked.push((stop, at));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    Ok(asked)
}

/// Keeps the normal connection busy in both directions.
async fn shout(bus: BusHandle) {
    loop {
        // Where there is no room for it there is noise enough.
        let _ = bus.publish("noise", vec![b'x'; 4_096]);
        tokio::time::sleep(NOISE).await;
    }
}

/// Computes for ever, as a model does.
fn compute() {
    let left = vec![1.0_f32; SIDE * SIDE];
    let mut right = vec![0.5_f32; SIDE * SIDE];
    loop {
        for row in left.chunks_exact(SIDE) {
            let mut sum = vec![0.0_f32; SIDE];
            for (factor, line) in row.iter().zip(right.chunks_exact(SIDE)) {
                for (sum, value) in sum.iter_mut().zip(line) {
                    *sum += factor * value;
                }
            }
            black_box(&sum);
        }
        right[0] = black_box(right[0] + 1.0);
    }
}
