//! A simulated device whose inside can be seen: what it really does is written down beside what it says, and what it says can be spoilt.

use llmos_firmware_bridge::io::{BrokerUrl, Bus, BusEvent};
use llmos_firmware_bridge::sim::simulated::Simulated;
use llmos_firmware_bridge::sim::{Faults, ForeignKind, ForeignSim, SimKind, Simulator};
use llmos_firmware_bridge::topic::{DeviceName, Subject, Topic};
use llmos_follower::{MICRO, Millis, Point};
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
    /// Its position is a thousand kilometres away, its brightness four thousand times the largest.
    Far,
    /// Its position or brightness is no number.
    NotANumber,
    /// It has just lost its power, and starts anew; then it is the truth again.
    Restart,
}

/// What the device did, seen from the inside.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Where it was, or how a lamp shone (whether it is on, brightness, tone), whenever that changed.
    pub path: Vec<(Instant, Point)>,
    /// Whether it carries out a command now.
    pub busy: bool,
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
    pub fn start(kind: Simulator, device: DeviceName, broker: BrokerUrl, faults: Faults) -> io::Result<Watched> {
        let record = Arc::new(Mutex::new(Record::default()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let shared = Arc::clone(&record);
        let thread = std::thread::Builder::new()
            .name(format!("watched-{device}"))
            .spawn(move || runtime.block_on(live(Body::new(kind, device, faults), &broker, &shared)))?;
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

/// A device with our protocol or with topics of its own.
enum Body {
    Native {
        simulated: Box<Simulated>,
        device: DeviceName,
    },
    Foreign {
        sim: Box<ForeignSim>,
        kind: ForeignKind,
        device: DeviceName,
        faults: Box<Faults>,
    },
}

impl Body {
    fn new(kind: Simulator, device: DeviceName, faults: Faults) -> Body {
        match kind {
            Simulator::Native(kind) => Body::native(kind, device, faults),
            Simulator::Foreign(kind) => Body::Foreign {
                sim: Box::new(ForeignSim::new(kind, device.as_str(), faults.clone())),
                kind,
                device,
                faults: Box::new(faults),
            },
        }
    }

    fn native(kind: SimKind, device: DeviceName, faults: Faults) -> Body {
        let simulated = Box::new(Simulated::new(kind, 0, 1, faults, 1));
        Body::Native { simulated, device }
    }

    fn topics(&self) -> Vec<String> {
        match self {
            Body::Native { device, .. } => [Subject::Lease, Subject::Cmd, Subject::Stop]
                .map(|subject| Topic::new(device, subject).to_string())
                .to_vec(),
            Body::Foreign { sim, .. } => sim.topics(),
        }
    }

    fn next_deadline(&self, now: Millis) -> Millis {
        match self {
            Body::Native { simulated, .. } => simulated.next_deadline(now),
            Body::Foreign { sim, .. } => sim.next_deadline(),
        }
    }

    fn handle_tick(&mut self, now: Millis) {
        match self {
            Body::Native { simulated, .. } => simulated.handle_tick(now),
            Body::Foreign { sim, .. } => sim.handle_tick(now),
        }
    }

    fn take(&mut self, now: Millis, event: BusEvent, record: &Mutex<Record>) {
        match (self, event) {
            (Body::Foreign { sim, .. }, BusEvent::Connected) => sim.handle_connected(now),
            (
                Body::Foreign { sim, .. },
                BusEvent::Message {
                    topic,
                    payload,
                    retained: false,
                },
            ) => {
                lock(record).commands += usize::from(topic.ends_with("/set"));
                sim.handle_message(now, &topic, &payload);
            }
            (
                Body::Native { simulated, .. },
                BusEvent::Message {
                    topic,
                    payload,
                    retained,
                },
            ) => {
                if let Ok(topic) = Topic::parse(&topic) {
                    lock(record).commands += usize::from(topic.subject == Subject::Cmd);
                    simulated.handle_message(now, topic.subject, &payload, retained);
                }
            }
            _ => {}
        }
    }

    /// The power was gone for a moment. One with our protocol does that by itself, at the command that its faults name.
    fn restart(&mut self, now: Millis) {
        if let Body::Foreign {
            sim,
            kind,
            device,
            faults,
        } = self
        {
            **sim = ForeignSim::new(*kind, device.as_str(), Faults::clone(faults));
            sim.handle_connected(now);
        }
    }

    /// The next message that leaves: topic and payload.
    fn poll(&mut self, now: Millis, says: Says) -> Option<(String, Vec<u8>)> {
        loop {
            let (topic, reading, payload) = match self {
                Body::Native { simulated, device } => {
                    let message = simulated.poll()?;
                    let reading = (message.subject == Subject::State).then_some("position");
                    let topic = Topic::new(device, message.subject).to_string();
                    (topic, reading, message.payload)
                }
                Body::Foreign { sim, .. } => {
                    let message = sim.poll(now)?;
                    (message.topic, Some("brightness"), message.payload)
                }
            };
            if let Some(payload) = spoilt(says, reading, payload) {
                return Some((topic, payload));
            }
        }
    }

    /// Writes down what changed inside.
    fn look(&self, record: &Mutex<Record>) -> Says {
        let now = Instant::now();
        let mut record = lock(record);
        let place = match self {
            Body::Native { simulated, .. } => {
                if let Some(status) = simulated.status() {
                    record.busy = status.busy;
                }
                simulated.position()
            }
            Body::Foreign { sim, .. } => {
                let inside = sim.inside();
                inside.map(|numbers| numbers.map(|number| i64::try_from(number).unwrap_or(i64::MAX) * MICRO))
            }
        };
        if let Some(place) = place
            && record.path.last().is_none_or(|(_, last)| *last != place)
        {
            record.path.push((now, place));
        }
        record.says
    }
}

async fn live(mut body: Body, broker: &BrokerUrl, record: &Mutex<Record>) {
    let name = std::thread::current().name().unwrap_or("watched").to_owned();
    let (bus, mut events) = Bus::connect(broker, &format!("llmos-{name}"));
    for topic in body.topics() {
        bus.subscribe(&topic);
    }
    let began = Instant::now();
    let clock = || Millis::try_from(began.elapsed().as_millis()).unwrap_or(Millis::MAX);
    while !lock(record).ended {
        let wait = Duration::from_millis(body.next_deadline(clock()).saturating_sub(clock()));
        tokio::select! {
            biased;
            Some(event) = events.recv() => body.take(clock(), event, record),
            () = tokio::time::sleep(wait.min(LOOK)) => body.handle_tick(clock()),
        }
        let says = body.look(record);
        if says == Says::Restart {
            body.restart(clock());
            lock(record).says = Says::Truth;
        }
        while let Some((topic, payload)) = body.poll(clock(), says) {
            // Without a connection there is nobody to hear it.
            let _ = bus.publish(&topic, payload);
        }
    }
    bus.close().await;
}

/// A message as it leaves, if it does; `reading` is what a report of its state can be spoilt in.
fn spoilt(says: Says, reading: Option<&str>, payload: Vec<u8>) -> Option<Vec<u8>> {
    let Some(field) = reading else {
        return (says != Says::Nothing).then_some(payload);
    };
    let place = field == "position";
    let wrong = match says {
        Says::Truth | Says::Restart => return Some(payload),
        Says::Nothing | Says::NoState => return None,
        Says::Far if place => json!([1_000_000, 0, 0]),
        Says::NotANumber if place => json!(["NaN", 0, 0]),
        Says::Far => json!(1_000_000),
        Says::NotANumber => json!("NaN"),
    };
    let Ok(mut state) = serde_json::from_slice::<Value>(&payload) else {
        return Some(payload);
    };
    if let Some(value) = state.get_mut(field) {
        *value = wrong;
    }
    // What Python's `json` writes for a broken sensor is no JSON.
    Some(state.to_string().replace("\"NaN\"", "NaN").into_bytes())
}
