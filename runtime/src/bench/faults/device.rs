//! A simulated device whose inside can be seen: what it really does is written down beside what it says, and what it says can be spoilt.

use llmos_firmware_bridge::io::{BrokerUrl, Bus, BusEvent};
use llmos_firmware_bridge::sim::simulated::Simulated;
use llmos_firmware_bridge::sim::{Faults, SimKind};
use llmos_firmware_bridge::topic::{DeviceName, Subject, Topic};
use llmos_follower::{Millis, Point};
use serde_json::{Value, json};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often its inside is looked at while nothing else happens.
const LOOK: Duration = Duration::from_millis(10);

/// What becomes of what it says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Says {
    /// It is passed on.
    #[default]
    Truth,
    /// Nothing is.
    Nothing,
    /// Acknowledgements are, reports of its state are not.
    NoState,
    /// Its position is a thousand kilometres away.
    Far,
    /// Its position is no number.
    NotANumber,
}

/// What the device did, seen from the inside.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Where it was, whenever that changed.
    pub path: Vec<(Instant, Point)>,
    /// Whether it carries out a command now.
    pub busy: bool,
    /// Which boot it is, counted from 0.
    pub boots: Vec<(Instant, u32)>,
    /// Messages that reached it on the command topic.
    pub commands: usize,
    says: Says,
    ended: bool,
}

/// A device on a thread and a connection of its own; it ends when it is dropped.
pub struct Watched {
    record: Arc<Mutex<Record>>,
    thread: Option<JoinHandle<()>>,
}

impl Watched {
    /// Connects a device of this kind and name, at life's pace.
    pub fn start(kind: SimKind, device: DeviceName, broker: BrokerUrl, faults: Faults) -> io::Result<Watched> {
        let record = Arc::new(Mutex::new(Record::default()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let shared = Arc::clone(&record);
        let thread = std::thread::Builder::new()
            .name(format!("watched-{device}"))
            .spawn(move || runtime.block_on(live(kind, &device, &broker, faults, &shared)))?;
        Ok(Watched {
            record,
            thread: Some(thread),
        })
    }

    /// What it did until now.
    pub fn record(&self) -> Record {
        lock(&self.record).clone()
    }

    /// From now on this becomes of what it says.
    pub fn says(&self, says: Says) {
        lock(&self.record).says = says;
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        lock(&self.record).ended = true;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was printed by the thread.
            let _ = thread.join();
        }
    }
}

fn lock(record: &Mutex<Record>) -> MutexGuard<'_, Record> {
    record.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn live(kind: SimKind, device: &DeviceName, broker: &BrokerUrl, faults: Faults, record: &Mutex<Record>) {
    let (bus, mut events) = Bus::connect(broker, &format!("llmos-watched-{device}"));
    for subject in [Subject::Lease, Subject::Cmd, Subject::Stop] {
        bus.subscribe(&Topic::new(device, subject).to_string());
    }
    let mut simulated = Simulated::new(kind, 0, 1, faults, 1);
    let began = Instant::now();
    let clock = || Millis::try_from(began.elapsed().as_millis()).unwrap_or(Millis::MAX);
    while !lock(record).ended {
        let wait = Duration::from_millis(simulated.next_deadline(clock()).saturating_sub(clock()));
        tokio::select! {
            biased;
            Some(event) = events.recv() => take(&mut simulated, clock(), event, record),
            () = tokio::time::sleep(wait.min(LOOK)) => simulated.handle_tick(clock()),
        }
        let says = look(&simulated, record);
        while let Some(message) = simulated.poll() {
            if let Some(payload) = spoilt(says, message.subject, message.payload) {
                // Without a connection there is nobody to hear it.
                let _ = bus.publish(&Topic::new(device, message.subject).to_string(), payload);
            }
        }
    }
    bus.close().await;
}

fn take(simulated: &mut Simulated, now: Millis, event: BusEvent, record: &Mutex<Record>) {
    let BusEvent::Message {
        topic,
        payload,
        retained,
    } = event
    else {
        return;
    };
    if let Ok(topic) = Topic::parse(&topic) {
        lock(record).commands += usize::from(topic.subject == Subject::Cmd);
        simulated.handle_message(now, topic.subject, &payload, retained);
    }
}

/// Writes down what changed inside.
fn look(simulated: &Simulated, record: &Mutex<Record>) -> Says {
    let now = Instant::now();
    let mut record = lock(record);
    if let Some(status) = simulated.status() {
        record.busy = status.busy;
        if record.boots.last().is_none_or(|(_, boot)| *boot != status.boot) {
            record.boots.push((now, status.boot));
        }
    }
    if let Some(position) = simulated.position()
        && record.path.last().is_none_or(|(_, last)| *last != position)
    {
        record.path.push((now, position));
    }
    record.says
}

/// A message as it leaves, if it does.
fn spoilt(says: Says, subject: Subject, payload: Vec<u8>) -> Option<Vec<u8>> {
    let position = match (says, subject) {
        (Says::Nothing, _) | (Says::NoState, Subject::State) => return None,
        (Says::Far, Subject::State) => json!([1_000_000, 0, 0]),
        (Says::NotANumber, Subject::State) => json!(["NaN", 0, 0]),
        _ => return Some(payload),
    };
    let mut state: Value = serde_json::from_slice(&payload).ok()?;
    *state.get_mut("position")? = position;
    // What Python's `json` writes for a broken sensor is no JSON.
    Some(state.to_string().replace("\"NaN\"", "NaN").into_bytes())
}
