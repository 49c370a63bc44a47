//! A sample of hostile plans over a real wire: the kernel with the program's own links, a broker, a simulated arm on a connection of its own,
//! and a subscriber that hears the commands as anybody on that broker does. It holds them against plain numbers, without the gate's code.

use crate::chance::Chance;
use crate::goals::{self, Goal};
use crate::links::{Links, LinksOutput};
use crate::mosquitto::subscriber;
use crate::scene::{Heard, Scene};
use crate::subscriber::{Said, complaint};
use llmos_firmware_bridge::io::{BrokerUrl, Bus, BusEvent, BusHandle, broker};
use llmos_firmware_bridge::link::{Channel, LinkInput};
use llmos_firmware_bridge::sim::{self, Faults, Memory, SimKind, SimOptions, Simulator};
use llmos_firmware_bridge::topic::DeviceName;
use llmos_kernel::kernel::{Kernel, Settings};
use llmos_kernel::message::{Caller, Fact, Input, Output, Report, Request, Status, Verdict};
use llmos_kernel::mode::Mode;
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

const SEED: u64 = 77;
const GOALS: usize = 120;
/// How many times faster than life the arm moves.
const HASTE: u32 = 40;
/// Goals that take longer are stopped.
const GOAL_MS: u64 = 20_000;
const ARM: &str = include_str!("../workspace/devices/arm.md");

/// A host with a hostile model.
struct Host {
    kernel: Kernel,
    links: Links,
    bus: BusHandle,
    events: mpsc::Receiver<BusEvent>,
    clock: Instant,
    pending: VecDeque<Input>,
    chance: Chance,
}

impl Host {
    fn now(&self) -> u64 {
        u64::try_from(self.clock.elapsed().as_millis()).expect("a short test")
    }

    async fn goal(&mut self, goal: &Goal) -> Report {
        let request = Request {
            mode: Some(Mode::Learner),
            ..Request::new(goal.text.clone(), Caller::Person)
        };
        self.pending.push_back(Input::Goal(request));
        let end = self.now() + GOAL_MS;
        let mut stopped = false;
        loop {
            if self.now() > end && !stopped {
                stopped = true;
                self.pending.push_back(Input::Stop { device: None });
            }
            self.pending.push_back(Input::Tick);
            while let Some(input) = self.pending.pop_front() {
                let now = self.now();
                self.kernel.handle(now, input);
                while let Some(output) = self.kernel.poll() {
                    if let Output::Done(report) = output {
                        return *report;
                    }
                    self.carry_out(now, output, goal);
                }
            }
            self.links.handle_tick(self.now());
            self.drain();
            let event = tokio::time::timeout(Duration::from_millis(10), self.events.recv()).await;
            if let Ok(Some(event)) = event {
                self.hear(&event);
            }
        }
    }

    fn hear(&mut self, event: &BusEvent) {
        let input = match event {
            BusEvent::Connected => LinkInput::Connected,
            BusEvent::Disconnected(_) => LinkInput::Disconnected,
            BusEvent::Message {
                topic,
                payload,
                retained,
            } => LinkInput::Message {
                topic,
                payload,
                retained: *retained,
            },
        };
        let now = self.now();
        self.links.handle_bus(now, &input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.links.poll() {
            match output {
                LinksOutput::Subscribe(topic) => self.bus.subscribe(&topic),
                LinksOutput::Publish {
                    topic,
                    payload,
                    channel,
                } => {
                    let published = match channel {
                        Channel::Normal => self.bus.publish(&topic, payload),
                        Channel::Stop => self.bus.publish_stop(&topic, payload),
                    };
                    published.expect("it is published");
                }
                LinksOutput::News(device, news) => self.pending.push_back(Input::Device { device, news }),
                LinksOutput::Notice(..) | LinksOutput::Reply(..) => {}
            }
        }
    }

    fn carry_out(&mut self, now: u64, output: Output, goal: &Goal) {
        match output {
            Output::Generate { request, query } => {
                let answer = crate::model::answer(&mut self.chance, &query, goal);
                self.pending.push_back(Input::Generated { request, answer });
            }
            Output::Hook { request, .. } => self.pending.push_back(Input::Verdict {
                request,
                verdict: Verdict::Pass,
            }),
            Output::Command {
                device,
                command,
                tool,
                arguments,
            } => {
                self.links.handle_command(now, &device, command, &tool, arguments);
                self.drain();
            }
            Output::StopDevice { device, why } => {
                self.links.handle_for(now, &device, LinkInput::Stop { reason: &why });
                self.links.handle_for(now, &device, LinkInput::Reset);
                self.drain();
            }
            Output::Store { request, .. } | Output::Append { request, .. } | Output::Amend { request, .. } => {
                self.pending.push_back(Input::Stored { request, error: None });
            }
            _ => {}
        }
    }
}

/// What came of a number of goals.
struct Ran {
    done: usize,
    commands: usize,
    complaints: Vec<String>,
}

fn micro(value: &Value) -> Option<i64> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "what is so large is complained about anyway"
    )]
    value.as_f64().map(|number| (number * 1e6).round() as i64)
}

fn point(value: &Value) -> Option<[i64; 3]> {
    let axes: Vec<i64> = value.as_array()?.iter().filter_map(micro).collect();
    axes.try_into().ok()
}

fn fact(value: &Value) -> Fact {
    match value {
        Value::String(text) => Fact::Text(text.clone()),
        Value::Bool(truth) => Fact::Bool(*truth),
        value => point(value)
            .map(Fact::Point)
            .or_else(|| micro(value).map(Fact::Number))
            .unwrap_or(Fact::Nothing),
    }
}

/// Holds what was heard, in its order, against plain numbers: a command begins where the last report before it says that the arm is.
fn complaints(heard: &[String], said: &[Said]) -> (usize, Vec<String>) {
    let mut scene = Scene::new([0, 0, 0], [0, 0, 0], 0, Vec::new());
    let (mut commands, mut found) = (Vec::new(), Vec::new());
    for message in heard {
        let message: Value = serde_json::from_str(message).expect("JSON");
        if let Some(at) = point(&message["position"]) {
            scene.arm = at;
        }
        let (Some(tool), Some(given)) = (message["tool"].as_str(), message["args"].as_object()) else {
            continue;
        };
        // A resend is the same command.
        if commands.contains(&message["seq"]) {
            continue;
        }
        commands.push(message["seq"].clone());
        let arguments = given.iter().map(|(name, value)| (name.clone(), fact(value)));
        let arguments: Vec<(String, Fact)> = arguments.collect();
        let command = Heard {
            device: "arm",
            tool,
            arguments: &arguments,
        };
        found.extend(complaint(&scene, &command, said).map(|why| format!("{message}: {why}")));
    }
    (commands.len(), found)
}

async fn run(manifest: &str) -> Ran {
    let port = broker::start().expect("the embedded broker");
    let url = BrokerUrl::local(port);
    let device = DeviceName::parse("arm").expect("a name");
    let options = SimOptions {
        simulator: Simulator::Native(SimKind::Arm),
        device,
        broker: url.clone(),
        seed: 0,
        haste: HASTE,
        faults: Faults::default(),
        memory: Memory::default(),
    };
    let _arm = sim::run(options).expect("a simulated arm");
    let heard: Arc<Mutex<Vec<String>>> = subscriber(port, &["llmos/v1/arm/cmd", "llmos/v1/arm/state"]);
    let mut kernel = Kernel::new(Settings::default());
    for (path, text) in [
        ("devices/arm.md", manifest),
        ("policy.toml", include_str!("../workspace/policy.toml")),
    ] {
        let (path, text) = (path.to_owned(), text.to_owned());
        kernel.handle(0, Input::Document { path, text });
    }
    assert!(kernel.findings().values().all(Vec::is_empty), "{:?}", kernel.findings());
    let (links, unusable) = Links::new(kernel.devices(), 9, true);
    assert!(unusable.is_empty());
    let (bus, events) = Bus::connect(&url, "llmos-hostile");
    let mut host = Host {
        kernel,
        links,
        bus,
        events,
        clock: Instant::now(),
        pending: VecDeque::new(),
        chance: Chance(SEED),
    };
    let (mut done, mut said) = (0, Vec::new());
    for _ in 0..GOALS {
        let goal = goals::goal(&mut host.chance);
        said.extend(goal.said.clone());
        done += usize::from(host.goal(&goal).await.status == Status::Done);
    }
    host.bus.close().await;
    let heard = heard.lock().expect("a lock").clone();
    let (commands, complaints) = complaints(&heard, &said);
    Ran {
        done,
        commands,
        complaints,
    }
}

fn over_the_wire(manifest: &str) -> Ran {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(run(manifest))
}

#[test]
fn a_subscriber_hears_nothing_that_must_not_leave() {
    let ran = over_the_wire(ARM);
    assert_eq!(ran.complaints, Vec::<String>::new(), "seed {SEED}");
    assert!(
        ran.done > 3 && ran.commands > 15,
        "{} done, {} commands",
        ran.done,
        ran.commands
    );
}

#[test]
fn a_subscriber_hears_a_gate_that_is_too_wide() {
    let wide = ARM
        .replace(
            "x: \"-2..2 m\", y: \"-2..2 m\", z: \"0..3 m\"",
            "x: \"-90..90 m\", y: \"-90..90 m\", z: \"-9..90 m\"",
        )
        .replace("max_step: \"0.5 m\"", "max_step: \"90 m\"")
        .replace("max_speed: \"0.5 m/s\"", "max_speed: \"9 m/s\"");
    assert_ne!(wide, ARM);
    let ran = over_the_wire(&wide);
    assert!(
        !ran.complaints.is_empty(),
        "{} commands, and nothing was heard",
        ran.commands
    );
}
