//! Connects a simulated device to a broker, as a device would: a thread, a connection and a last will of its own.

use super::simulated::Simulated;
use super::{Faults, Hastened, SimOptions};
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
    let plant = options.kind.plant(options.seed, options.haste, options.faults.clone());
    run_plant(plant, options.device, options.broker, options.faults)
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
    let (ending, ended) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Any number that the last boot did not have.
    let boot = u32::try_from(RandomState::new().hash_one(device.as_str()) >> 33).unwrap_or(1);
    let simulated = Simulated::with_plant(plant, faults, boot);
    let thread = std::thread::Builder::new()
        .name(format!("sim-{device}"))
        .spawn(move || runtime.block_on(live(simulated, boot, device, broker, ended)))?;
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

async fn live(
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
    for subject in [Subject::Lease, Subject::Cmd, Subject::Stop] {
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
    end(wire, events).await;
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

/// A goodbye that the last will would otherwise have said.
async fn end(wire: Wire, mut events: mpsc::Receiver<BusEvent>) {
    wire.publish(Subject::Online, b"0".to_vec(), true);
    let drain = async { while events.recv().await.is_some() {} };
    tokio::select! {
        () = wire.connection.close() => {}
        () = drain => {}
    }
}
