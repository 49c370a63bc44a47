//! The rounds: a broker that dies and comes back, and two pairs of host and device that must not care.

use llmos_firmware_bridge::device::{Arguments, Intent, Plant, PlantStatus, Refusal, Sink, Told};
use llmos_firmware_bridge::io::{BrokerUrl, Bus, BusEvent, BusHandle};
use llmos_firmware_bridge::sim::{self, Faults, Hastened, Xorshift};
use llmos_firmware_bridge::{Channel, DeviceName, Kind, Link, LinkConfig, LinkEvent, LinkInput, LinkOutput, Plain};
use llmos_follower::{Envelope, MICRO, Millis, Point, Progress, Symbol};
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// A pair that does nothing for so long after its broker is back is wedged.
const WEDGED: Duration = Duration::from_secs(15);
/// How long a plant is busy with a command.
const BUSY_MS: Millis = 30;

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// How often the broker is restarted.
    pub restarts: u64,
    /// Decides how long the broker is up and down.
    pub seed: u64,
    /// The longest time that the broker is up after both pairs work again, in milliseconds.
    pub up_ms_max: u64,
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// How often the broker was restarted.
    pub restarts: u64,
    /// How often a pair did not come back.
    pub wedges: u64,
    /// Commands: sent, acknowledged, and seen to be done.
    pub commands: [usize; 3],
    /// Commands that were acknowledged and that the plant never saw.
    pub lost: usize,
    /// Commands that the plant was told twice.
    pub doubled: usize,
    /// From a broker that listens to the first command that is done, for clean and kept sessions.
    pub recovery_ms: [Vec<u128>; 2],
}

impl Tally {
    /// Whether anything was seen that must not be.
    pub fn is_bad(&self) -> bool {
        self.wedges > 0 || self.lost > 0 || self.doubled > 0 || self.commands[2] == 0
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [sent, acknowledged, done] = self.commands;
        writeln!(f, "{} restarts, {} wedges", self.restarts, self.wedges)?;
        writeln!(
            f,
            "{sent} commands sent, {acknowledged} acknowledged, {done} seen to be done"
        )?;
        writeln!(
            f,
            "{} acknowledged ones lost, {} carried out twice",
            self.lost, self.doubled
        )?;
        for (name, times) in ["clean", "kept"].iter().zip(&self.recovery_ms) {
            let mut times = times.clone();
            times.sort_unstable();
            let at = |permille: usize| {
                times
                    .get(times.len().saturating_sub(1) * permille / 1_000)
                    .copied()
                    .unwrap_or(0)
            };
            let (p50, p99, max) = (at(500), at(990), at(1_000));
            writeln!(
                f,
                "{name} sessions work again after p50 {p50} ms, p99 {p99} ms, max {max} ms"
            )?;
        }
        Ok(())
    }
}

/// What a plant was told, and what its host knows of it.
#[derive(Debug, Default)]
struct Seen {
    told: Vec<i64>,
    sent: u64,
    acknowledged: Vec<u64>,
    done: Vec<u64>,
}

type Book = Arc<Mutex<Seen>>;

fn open(book: &Book) -> MutexGuard<'_, Seen> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A plant that writes down every number it is told.
struct Counter {
    book: Book,
    envelope: Envelope,
    until: Millis,
}

const MARK: Symbol = Symbol::of("mark");
const NUMBER: Symbol = Symbol::of("number");

impl Plant for Counter {
    fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    fn position(&self) -> Option<Point> {
        None
    }

    fn intent(&self, tool: Symbol, arguments: Arguments<'_>) -> Result<Intent, Refusal> {
        if tool != MARK {
            return Err(Refusal::UnknownTool);
        }
        arguments.number(NUMBER, 0, i64::MAX).map(|_| Intent::default())
    }

    fn start(&mut self, now: Millis, _tool: Symbol, arguments: Arguments<'_>) {
        self.until = now + BUSY_MS;
        if let Ok(number) = arguments.number(NUMBER, 0, i64::MAX) {
            open(&self.book).told.push(number / MICRO);
        }
    }

    fn step(&mut self, now: Millis) -> PlantStatus {
        if now >= self.until {
            PlantStatus::Done
        } else {
            PlantStatus::Busy
        }
    }

    fn halt(&mut self, now: Millis) {
        self.until = now;
    }

    fn readings(&self, sink: &mut Sink<'_>) {
        let told = i64::try_from(open(&self.book).told.len()).unwrap_or(i64::MAX);
        sink("", "told", Told::Number(told.saturating_mul(MICRO)));
    }
}

/// A host that sends one command after the other.
struct Host {
    bus: BusHandle,
    events: mpsc::Receiver<BusEvent>,
    link: Link,
    began: Instant,
    book: Book,
    leased: bool,
    /// The command that was published last.
    before: Vec<u8>,
    /// The command that is under way, and whether it was acknowledged.
    active: Option<(u64, bool)>,
}

impl Host {
    fn new(url: &BrokerUrl, device: &DeviceName, session: u32, book: Book) -> Host {
        let (bus, events) = Bus::connect(url, &format!("restarts-{device}"));
        let config = LinkConfig {
            device: device.clone(),
            session,
            heartbeat_ms: 500,
            expiry_ms: 2_000,
            kind: Kind::Native,
        };
        Host {
            bus,
            events,
            link: Link::new(config),
            began: Instant::now(),
            book,
            leased: false,
            before: Vec::new(),
            active: None,
        }
    }

    async fn live(mut self) {
        loop {
            let now = self.now();
            let wait = self
                .link
                .next_deadline()
                .map_or(50, |due| due.saturating_sub(now).min(50));
            match tokio::time::timeout(Duration::from_millis(wait), self.events.recv()).await {
                Ok(Some(BusEvent::Connected)) => self.tell(LinkInput::Connected),
                Ok(Some(BusEvent::Disconnected(_))) => self.tell(LinkInput::Disconnected),
                Ok(Some(BusEvent::Message {
                    topic,
                    payload,
                    retained,
                })) => self.tell(LinkInput::Message {
                    topic: &topic,
                    payload: &payload,
                    retained,
                }),
                Ok(None) => return,
                Err(_) => self.tell(LinkInput::Tick),
            }
            if self.leased && self.active.is_none() {
                self.command();
            }
        }
    }

    fn now(&self) -> Millis {
        Millis::try_from(self.began.elapsed().as_millis()).unwrap_or(Millis::MAX)
    }

    fn command(&mut self) {
        let id = {
            let mut book = open(&self.book);
            book.sent += 1;
            book.sent
        };
        self.active = Some((id, false));
        let number = i64::try_from(id).unwrap_or(0).saturating_mul(MICRO);
        let arguments = vec![("number".to_owned(), Plain::Number(number))];
        self.tell(LinkInput::Command {
            id,
            tool: "mark",
            arguments,
        });
    }

    fn tell(&mut self, input: LinkInput<'_>) {
        self.link.handle(self.now(), input);
        while let Some(output) = self.link.poll() {
            match output {
                LinkOutput::Subscribe(topic) => self.bus.subscribe(&topic),
                LinkOutput::Publish {
                    topic,
                    payload,
                    channel,
                } => {
                    if topic.ends_with("/cmd") {
                        // The network is worse than it is: every command comes twice, and the one before once more.
                        let _ = self.bus.publish(&topic, payload.clone());
                        let before = std::mem::replace(&mut self.before, payload.clone());
                        let _ = self.bus.publish(&topic, before);
                    }
                    // What can't be sent now is the link's to repeat.
                    let _ = match channel {
                        Channel::Normal => self.bus.publish(&topic, payload),
                        Channel::Stop => self.bus.publish_stop(&topic, payload),
                    };
                }
                LinkOutput::Event(event) => self.note(&event),
            }
        }
    }

    fn note(&mut self, event: &LinkEvent) {
        match *event {
            LinkEvent::Leased { .. } => self.leased = true,
            LinkEvent::Lost(_) => (self.leased, self.active) = (false, None),
            LinkEvent::Acknowledged { id } => {
                open(&self.book).acknowledged.push(id);
                self.active = self.active.map(|(active, was)| (active, was || active == id));
            }
            LinkEvent::Rejected { .. } | LinkEvent::Failed { .. } => self.active = None,
            LinkEvent::State(ref report) if report.progress == Progress::Finished => {
                if let Some((id, true)) = self.active {
                    open(&self.book).done.push(id);
                    self.active = None;
                }
            }
            _ => {}
        }
    }
}

/// A mosquitto that keeps its state in a folder.
struct Broker {
    config: std::path::PathBuf,
    port: u16,
    child: Option<Child>,
}

impl Broker {
    fn new(folder: &Path) -> io::Result<Broker> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let config = folder.join("mosquitto.conf");
        let text = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {}/\nautosave_on_changes true\nautosave_interval 1\n",
            folder.display()
        );
        std::fs::write(&config, text)?;
        let child = None;
        Ok(Broker { config, port, child })
    }

    fn start(&mut self) -> io::Result<()> {
        let start = |program| {
            let mut command = Command::new(program);
            command
                .arg("-c")
                .arg(&self.config)
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command.spawn()
        };
        self.child = Some(start("mosquitto").or_else(|_| start("/usr/sbin/mosquitto"))?);
        let give_up = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            if Instant::now() > give_up {
                return Err(io::Error::other("mosquitto does not listen"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn end(&mut self, gently: bool) -> io::Result<()> {
        let Some(mut child) = self.child.take() else {
            return Ok(());
        };
        if gently {
            Command::new("kill")
                .args(["-s", "TERM", &child.id().to_string()])
                .status()?;
        } else {
            child.kill()?;
        }
        child.wait().map(drop)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.end(false);
    }
}

/// Restarts the broker as planned.
///
/// # Errors
/// There is no mosquitto, or a thread or file can't be made.
pub async fn rounds(plan: Plan) -> io::Result<Tally> {
    let folder = tempfile::tempdir()?;
    let mut broker = Broker::new(folder.path())?;
    broker.start()?;
    let url = BrokerUrl::local(broker.port);
    let mut books = Vec::new();
    let mut devices = Vec::new();
    for (name, session, url) in [("clean", 1, url.clone()), ("kept", 2, url.with_kept_session())] {
        let device = DeviceName::parse(name).map_err(io::Error::other)?;
        let book = Book::default();
        let plant = Counter {
            book: Arc::clone(&book),
            envelope: Envelope::default(),
            until: 0,
        };
        let plant = Hastened::new(Box::new(plant), 1);
        devices.push(sim::run_plant(plant, device.clone(), url.clone(), Faults::default()).map_err(io::Error::other)?);
        tokio::spawn(Host::new(&url, &device, session, Arc::clone(&book)).live());
        books.push(book);
    }
    let mut chance = Xorshift::new(plan.seed);
    let mut tally = Tally::default();
    wait(&books, &mut tally).await;
    tally.recovery_ms = <[Vec<u128>; 2]>::default();
    for round in 0..plan.restarts {
        tokio::time::sleep(Duration::from_millis(chance.below(plan.up_ms_max.max(1)))).await;
        broker.end(round % 2 == 1)?;
        tokio::time::sleep(Duration::from_millis(chance.below(200))).await;
        broker.start()?;
        tally.restarts += 1;
        wait(&books, &mut tally).await;
    }
    // Whatever is still under way comes to its end.
    tokio::time::sleep(Duration::from_millis(500)).await;
    tokio::task::spawn_blocking(move || drop(devices))
        .await
        .map_err(io::Error::other)?;
    for book in &books {
        count(&open(book), &mut tally);
    }
    Ok(tally)
}

/// Waits until both hosts have seen another command done.
async fn wait(books: &[Book], tally: &mut Tally) {
    let began = Instant::now();
    let before: Vec<usize> = books.iter().map(|book| open(book).done.len()).collect();
    let mut waiting: Vec<usize> = (0..books.len()).collect();
    while !waiting.is_empty() && began.elapsed() < WEDGED {
        tokio::time::sleep(Duration::from_millis(2)).await;
        waiting.retain(|&pair| {
            let works = open(&books[pair]).done.len() > before[pair];
            if works {
                tally.recovery_ms[pair].push(began.elapsed().as_millis());
            }
            !works
        });
    }
    tally.wedges += waiting.len() as u64;
}

fn count(seen: &Seen, tally: &mut Tally) {
    let mut told: BTreeMap<i64, usize> = BTreeMap::new();
    for number in &seen.told {
        *told.entry(*number).or_default() += 1;
    }
    let unknown = |id: &&u64| i64::try_from(**id).is_ok_and(|number| !told.contains_key(&number));
    tally.lost += seen.acknowledged.iter().chain(&seen.done).filter(unknown).count();
    tally.doubled += told.values().filter(|times| **times > 1).count();
    let sent = usize::try_from(seen.sent).unwrap_or(usize::MAX);
    for (sum, more) in tally
        .commands
        .iter_mut()
        .zip([sent, seen.acknowledged.len(), seen.done.len()])
    {
        *sum += more;
    }
}
