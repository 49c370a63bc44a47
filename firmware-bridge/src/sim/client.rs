//! Connects a simulated device to a broker, as a device would: a thread, a connection and a last will of its own.

use super::foreign::ForeignSim;
use super::simulated::Simulated;
use super::{Faults, ForeignKind, Hastened, Memory, SimOptions, Simulator};
use crate::io::{BrokerUrl, BusEvent, Connection, Will, open};
use crate::topic::{DeviceName, Subject, Topic};
use llmos_follower::Millis;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// Why a simulation did not start.
#[derive(Debug, thiserror::Error)]
#[error("the simulated device cannot start: {0}")]
pub struct SimError(#[from] std::io::Error);

/// A running simulation; dropping it ends it.
#[derive(Debug)]
pub struct SimHandle {
    ending: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl SimHandle {
    /// Ends the simulation, goodbye included, and waits for its thread: at most about a second.
    pub fn stop(self) {
        drop(self);
    }

    /// Waits until the simulation ends, which it does not do by itself.
    pub fn wait(mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was printed by the thread.
            let _ = thread.join();
        }
    }
}

impl Drop for SimHandle {
    fn drop(&mut self) {
        // Either end may be gone already.
        if let Some(ending) = self.ending.take() {
            let _ = ending.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Starts a simulated device on a thread and a connection of its own. It connects by itself, again and again if need be.
///
/// # Errors
/// The thread cannot be made.
pub fn run(options: SimOptions) -> Result<SimHandle, SimError> {
    match options.simulator {
        Simulator::Native(kind) => {
            let plant = kind.plant(options.seed, options.haste, options.faults.clone());
            run_native(plant, options.device, options.broker, options.faults, &options.memory)
        }
        Simulator::Foreign(kind) => {
            let (boot, name) = (boot(&options.device), options.device.to_string());
            start(&name, move |ended| live_foreign(kind, options, boot, ended))
        }
    }
}

/// The same with a plant of your own, for programs that want to see what it was really told.
///
/// # Errors
/// The thread cannot be made.
pub fn run_plant(
    plant: Hastened,
    device: DeviceName,
    broker: BrokerUrl,
    faults: Faults,
) -> Result<SimHandle, SimError> {
    run_native(plant, device, broker, faults, &Memory::default())
}

fn run_native(
    plant: Hastened,
    device: DeviceName,
    broker: BrokerUrl,
    faults: Faults,
    memory: &Memory,
) -> Result<SimHandle, SimError> {
    let (boot, name) = (boot(&device), device.to_string());
    let (flash, config) = (memory.open()?, memory.config(&device));
    let simulated = Simulated::with_programs(plant, faults, boot, flash, config);
    start(&name, move |ended| live_native(simulated, boot, device, broker, ended))
}

/// Any number that the last boot did not have.
pub(super) fn boot(device: &DeviceName) -> u32 {
    u32::try_from(RandomState::new().hash_one(device.as_str()) >> 33).unwrap_or(1)
}

/// Gives a device's life a thread of its own.
pub(super) fn start<L: Future<Output = ()>>(
    name: &str,
    live: impl FnOnce(oneshot::Receiver<()>) -> L + Send + 'static,
) -> Result<SimHandle, SimError> {
    let (ending, ended) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let thread = std::thread::Builder::new()
        .name(format!("sim-{name}"))
        .spawn(move || runtime.block_on(live(ended)))?;
    Ok(SimHandle {
        ending: Some(ending),
        thread: Some(thread),
    })
}

/// The device's end of the network.
struct Wire {
    device: DeviceName,
    connection: Connection,
}

impl Wire {
    fn publish(&self, subject: Subject, payload: Vec<u8>, retain: bool) {
        let topic = Topic::new(&self.device, subject).to_string();
        // Without a connection there is nobody to hear it; the next report comes soon enough.
        let _ = self.connection.publish(&topic, payload, retain);
    }
}

async fn live_native(
    mut simulated: Simulated,
    boot: u32,
    device: DeviceName,
    broker: BrokerUrl,
    mut ended: oneshot::Receiver<()>,
) {
    let will = Will {
        topic: Topic::new(&device, Subject::Online).to_string(),
        payload: b"0".to_vec(),
    };
    let (connection, mut events) = open(&broker, &format!("llmos-sim-{device}-{boot:x}"), Some(&will));
    for subject in [Subject::Lease, Subject::Cmd, Subject::Program, Subject::Stop] {
        connection.subscribe(&Topic::new(&device, subject).to_string());
    }
    let wire = Wire { device, connection };
    let began = Instant::now();
    let clock = || Millis::try_from(began.elapsed().as_millis()).unwrap_or(Millis::MAX);
    loop {
        let due = began + Duration::from_millis(simulated.next_deadline(clock()));
        tokio::select! {
            biased;
            _ = &mut ended => break,
            event = events.recv() => match event {
                Some(event) => handle_event(&wire, &mut simulated, clock(), event),
                None => break,
            },
            () = tokio::time::sleep_until(due) => simulated.handle_tick(clock()),
        }
        while let Some(message) = simulated.poll() {
            wire.publish(message.subject, message.payload, message.retain);
        }
    }
    wire.publish(Subject::Online, b"0".to_vec(), true);
    end(wire.connection, events).await;
}

/// A device with topics of its own always lives at life's pace: what it is told is timed by the host.
async fn live_foreign(kind: ForeignKind, options: SimOptions, boot: u32, mut ended: oneshot::Receiver<()>) {
    let SimOptions {
        device, broker, faults, ..
    } = options;
    let mut simulated = ForeignSim::new(kind, device.as_str(), faults);
    let will = simulated.will();
    let last = will.as_ref().map(|will| Will {
        topic: will.topic.clone(),
        payload: will.payload.clone(),
    });
    let (connection, mut events) = open(&broker, &format!("llmos-sim-{device}-{boot:x}"), last.as_ref());
    for topic in simulated.topics() {
        connection.subscribe(&topic);
    }
    let began = Instant::now();
    let clock = || Millis::try_from(began.elapsed().as_millis()).unwrap_or(Millis::MAX);
    loop {
        let due = began + Duration::from_millis(simulated.next_deadline());
        tokio::select! {
            biased;
            _ = &mut ended => break,
            event = events.recv() => match event {
                Some(BusEvent::Connected) => simulated.handle_connected(clock()),
                Some(BusEvent::Message { topic, payload, retained: false }) => {
                    simulated.handle_message(clock(), &topic, &payload);
                }
                Some(BusEvent::Message { .. }) => {}
                Some(BusEvent::Disconnected(reason)) => tracing::debug!(%reason, "the simulated device is not connected"),
                None => break,
            },
            () = tokio::time::sleep_until(due) => simulated.handle_tick(clock()),
        }
        while let Some(message) = simulated.poll(clock()) {
            // Without a connection there is nobody to hear it.
            let _ = connection.publish(&message.topic, message.payload, message.retain);
        }
    }
    if let Some(will) = will {
        // Nobody may be there to hear it.
        let _ = connection.publish(&will.topic, will.payload, true);
    }
    end(connection, events).await;
}

fn handle_event(wire: &Wire, simulated: &mut Simulated, now: Millis, event: BusEvent) {
    match event {
        BusEvent::Connected => wire.publish(Subject::Online, b"1".to_vec(), true),
        BusEvent::Disconnected(reason) => {
            tracing::debug!(%reason, "the simulated device is not connected");
            simulated.handle_disconnected(now);
        }
        BusEvent::Message {
            topic,
            payload,
            retained,
        } => {
            if let Ok(topic) = Topic::parse(&topic) {
                simulated.handle_message(now, topic.subject, &payload, retained);
            }
        }
    }
}

/// Sends what is still to be sent, the goodbye above all.
async fn end(connection: Connection, mut events: mpsc::Receiver<BusEvent>) {
    let drain = async { while events.recv().await.is_some() {} };
    tokio::select! {
        () = connection.close() => {}
        () = drain => {}
    }
}
