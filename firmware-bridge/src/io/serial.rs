//! A device on a serial line, for the host: the port is opened, the device is asked who it is, and then packets go and come until the line
//! breaks; and again from the start. To whoever holds the handle it looks like a bus with one device: the same events, the same topics,
//! the same JSON, which [`crate::interpreter`] puts into packets.
//!
//! Nothing is kept for later: what cannot be sent now is refused. A stop does not go through the queue here: it is written at once,
//! ahead of everything that waits to leave, also while the port is not ours. It must not know what a message leads to.

use super::mqtt::{BusError, BusEvent};
use super::tty::{self, SerialAddress, Tty, TtyError};
use crate::frame::{Decoder, FRAME_LEN_MAX, Heard, encode};
use crate::interpreter::{Interpreter, Said};
use crate::message::{EventMessage, Malformed, write};
use crate::packet::{self, FromDevice, Pong, Unreadable, VERSION, VERSION_MIN, read_from_device};
use crate::topic::{DeviceName, Subject, Topic};
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

/// Messages that may wait to be sent.
const QUEUE_LEN_MAX: usize = 64;
/// How often a device is asked who it is, until it answers.
const PING_EVERY: Duration = Duration::from_millis(200);
/// How long it may take to answer: some boards begin anew when their port is opened.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// A device that says nothing at all for so long is gone; at rest it reports twice a second.
const SILENCE_MAX: Duration = Duration::from_secs(2);
/// How long a line may take no bytes.
const BLOCKED_MAX: Duration = Duration::from_millis(500);
/// The shortest and the longest pause before the port is opened again.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// How long closing may take.
const CLOSE_MAX: Duration = Duration::from_secs(1);

/// News of one device's line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SerialEvent {
    /// The device that the line should lead to.
    pub device: DeviceName,
    /// As a bus would say it.
    pub event: BusEvent,
}

#[derive(Debug)]
enum Request {
    Send(Vec<u8>),
    Close,
}

/// The sending end of one line; cheap to clone. When the last one is dropped, the line is closed.
#[derive(Clone, Debug)]
pub struct SerialHandle {
    address: SerialAddress,
    requests: mpsc::Sender<Request>,
    connected: Arc<AtomicBool>,
    ended: watch::Receiver<bool>,
}

/// Opens the line of a device, again and again if need be; call it inside a tokio runtime. Whoever holds the receiver must drain it.
#[must_use]
pub fn connect(address: &SerialAddress, device: &DeviceName, events: mpsc::Sender<SerialEvent>) -> SerialHandle {
    let (requests, queued) = mpsc::channel(QUEUE_LEN_MAX);
    let (ending, ended) = watch::channel(false);
    let connected = Arc::new(AtomicBool::new(false));
    let pump = Pump {
        address: address.clone(),
        device: device.clone(),
        connected: Arc::clone(&connected),
        events,
    };
    tokio::spawn(async move {
        pump.run(queued).await;
        let _ = ending.send(true);
    });
    SerialHandle {
        address: address.clone(),
        requests,
        connected,
        ended,
    }
}

/// Stops whatever is at the end of this line, whoever owns the port here, and whatever version it speaks.
///
/// # Errors
/// [`TtyError`]; nothing was sent.
pub fn stop(address: &SerialAddress) -> Result<(), TtyError> {
    let mut frame = [0; FRAME_LEN_MAX];
    let len = encode(&packet::stop(0), &mut frame).unwrap_or_default();
    tty::push_past(address, frame.get(..len).unwrap_or_default())
}

impl SerialHandle {
    /// Sends a message; a stop at once, ahead of everything else.
    ///
    /// # Errors
    /// [`BusError`]; nothing is queued for later.
    pub fn publish(&self, topic: &str, payload: &[u8]) -> Result<(), BusError> {
        match Interpreter::say(topic, payload) {
            Ok(Said::Stop) => stop(&self.address).map_err(|error| {
                tracing::warn!(%error, "the stop can't be sent");
                BusError::NotConnected
            }),
            Ok(Said::Packet(_)) if !self.connected.load(Ordering::Acquire) => Err(BusError::NotConnected),
            Ok(Said::Packet(packet)) => self
                .requests
                .try_send(Request::Send(packet))
                .map_err(|_| BusError::Full),
            Err(error) => {
                tracing::warn!(%error, "not sent");
                Err(BusError::Unsayable)
            }
        }
    }

    /// Whether the device has said who it is and can be spoken to.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Acquire)
    }

    /// Sends what is queued and closes the port; at most about a second.
    pub async fn close(mut self) {
        let closing = async {
            let _ = self.requests.send(Request::Close).await;
            let _ = self.ended.wait_for(|ended| *ended).await;
        };
        let _ = timeout(CLOSE_MAX, closing).await;
    }
}

/// How one connection ended.
enum End {
    /// The line, the device or what it said.
    Broken(String),
    /// We wanted it to.
    Closed,
}

struct Pump {
    address: SerialAddress,
    device: DeviceName,
    connected: Arc<AtomicBool>,
    events: mpsc::Sender<SerialEvent>,
}

impl Pump {
    async fn run(self, mut queued: mpsc::Receiver<Request>) {
        let mut pause = PAUSE_MIN;
        loop {
            let end = match Tty::open(&self.address) {
                Ok(tty) => self.converse(&Wire { tty }, &mut queued).await,
                Err(error) => End::Broken(error.to_string()),
            };
            let stood = self.connected.swap(false, Ordering::AcqRel);
            let End::Broken(reason) = end else { return };
            if !self.tell(BusEvent::Disconnected(reason)).await {
                return;
            }
            pause = if stood { PAUSE_MIN } else { (2 * pause).min(PAUSE_MAX) };
            // What should be sent meanwhile is dropped.
            if timeout(pause, closed(&mut queued)).await.is_ok() {
                return;
            }
        }
    }

    /// Tells whoever listens; false where nobody does.
    async fn tell(&self, event: BusEvent) -> bool {
        let device = self.device.clone();
        self.events.send(SerialEvent { device, event }).await.is_ok()
    }

    async fn tell_message(&self, subject: Subject, payload: Vec<u8>) -> bool {
        let topic = Topic::new(&self.device, subject).to_string();
        let retained = false;
        self.tell(BusEvent::Message {
            topic,
            payload,
            retained,
        })
        .await
    }

    /// One connection, from the first ping to the end.
    async fn converse(&self, wire: &Wire, queued: &mut mpsc::Receiver<Request>) -> End {
        let mut ear = Ear::default();
        let known = tokio::select! {
            known = self.shake_hands(wire, &mut ear) => known,
            () = closed(queued) => return End::Closed,
        };
        if let Err(why) = known {
            return End::Broken(why);
        }
        self.connected.store(true, Ordering::Release);
        let told = self.tell(BusEvent::Connected).await && self.tell_message(Subject::Online, b"1".to_vec()).await;
        if !told {
            return End::Closed;
        }
        let mut interpreter = Interpreter::default();
        let mut heard = Instant::now();
        loop {
            let packet = tokio::select! {
                // What has come proves life, however late it is looked at.
                biased;
                packet = ear.packet(wire) => packet,
                request = queued.recv() => match request {
                    Some(Request::Send(packet)) => match wire.send(&packet).await {
                        Ok(()) => continue,
                        Err(why) => return End::Broken(why),
                    },
                    Some(Request::Close) | None => return End::Closed,
                },
                () = sleep_until(heard + SILENCE_MAX) => {
                    let seconds = SILENCE_MAX.as_secs();
                    return End::Broken(format!("nothing has come from the device for {seconds} s"));
                }
            };
            let packet = match packet {
                Ok(packet) => packet,
                Err(why) => return End::Broken(why),
            };
            heard = Instant::now();
            let told = match self.understand(&mut interpreter, &packet) {
                Ok(Some((subject, payload))) => self.tell_message(subject, payload).await,
                Ok(None) => true,
                Err(error) => {
                    // A person should know, and nothing depends on it.
                    let text = error.to_string();
                    self.tell_message(Subject::Event, write(&EventMessage { uptime_ms: 0, text }))
                        .await
                }
            };
            if !told {
                return End::Closed;
            }
        }
    }

    fn understand(
        &self,
        interpreter: &mut Interpreter,
        packet: &[u8],
    ) -> Result<Option<(Subject, Vec<u8>)>, Malformed> {
        match read_from_device(packet) {
            Ok(FromDevice::Pong(_)) => Ok(None),
            Ok(FromDevice::Message(message)) => {
                let heard = interpreter.hear(&message)?;
                Ok(heard.map(|heard| (heard.subject, heard.payload)))
            }
            Err(Unreadable::Version(version)) => Err(Malformed::new(format!(
                "{}: expected packets of version {VERSION}, found one of version {version}",
                self.device
            ))),
            Err(Unreadable::Malformed) => Err(Malformed::new(format!(
                "{}: expected a packet of version {VERSION}, found one that begins with {:02x?}",
                self.device,
                packet.get(..packet.len().min(8)).unwrap_or_default()
            ))),
        }
    }

    /// Asks who is there until the answer comes, and says whether it is whom we want.
    async fn shake_hands(&self, wire: &Wire, ear: &mut Ear) -> Result<(), String> {
        // An answer to somebody else's question, or to one from before, is none to ours.
        let token = token();
        let end = Instant::now() + ANSWER_MAX;
        while Instant::now() < end {
            wire.send(&packet::ping(token)).await?;
            let next = Instant::now() + PING_EVERY;
            while let Ok(packet) = timeout_at(next, ear.packet(wire)).await {
                if let Ok(FromDevice::Pong(pong)) = read_from_device(&packet?)
                    && pong.token == token
                {
                    return self.welcome(&pong);
                }
            }
        }
        let (address, noise) = (&self.address, ear.noise);
        Err(if noise > 0 {
            format!(
                "what comes from {address} is none of our packets ({noise} broken ones): is that its speed, and does it speak our protocol?"
            )
        } else {
            format!("nothing answers on {address}: is the device on, and are RX and TX the right way round?")
        })
    }

    fn welcome(&self, pong: &Pong<'_>) -> Result<(), String> {
        let path = &self.address.path;
        if pong.name != self.device.as_str() {
            return Err(format!(
                "expected the device \"{}\" on {path}, found \"{}\": is the cable in the right port? Nothing was sent to it",
                self.device,
                pong.name.escape_debug()
            ));
        }
        if pong.newest < VERSION_MIN || pong.oldest > VERSION {
            return Err(format!(
                "\"{}\" on {path} speaks the versions {} to {} of the protocol, this program {VERSION_MIN} to {VERSION}: update the older of them",
                self.device, pong.oldest, pong.newest
            ));
        }
        Ok(())
    }
}

/// Drops what should be sent until there is nothing more to come.
async fn closed(queued: &mut mpsc::Receiver<Request>) {
    while let Some(Request::Send(_)) = queued.recv().await {}
}

/// A number that nobody asked with before. Nothing depends on which.
fn token() -> u32 {
    u32::try_from(RandomState::new().hash_one(0) >> 32).unwrap_or(1)
}

/// The line as packets.
struct Wire {
    tty: Tty,
}

impl Wire {
    async fn send(&self, packet: &[u8]) -> Result<(), String> {
        let mut frame = [0; FRAME_LEN_MAX];
        let len = encode(packet, &mut frame).unwrap_or_default();
        match timeout(BLOCKED_MAX, self.tty.write(frame.get(..len).unwrap_or_default())).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(gone(&error)),
            Err(_late) => {
                // What is late is worse than nothing.
                self.tty.forget_written();
                Err("the line takes no bytes any more".to_owned())
            }
        }
    }
}

fn gone(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => "the port is gone: the device was unplugged, or has restarted".to_owned(),
        _ => format!("the port is gone: the device was unplugged, or has restarted ({error})"),
    }
}

/// What comes in, and how far it is read.
struct Ear {
    decoder: Decoder,
    noise: u32,
    buffer: [u8; 1_024],
    at: usize,
    len: usize,
}

impl Default for Ear {
    fn default() -> Self {
        Ear {
            decoder: Decoder::default(),
            noise: 0,
            buffer: [0; 1_024],
            at: 0,
            len: 0,
        }
    }
}

impl Ear {
    /// The next packet. Nothing is lost where this is given up in between.
    async fn packet(&mut self, wire: &Wire) -> Result<Vec<u8>, String> {
        loop {
            while let Some(byte) = self.buffer.get(..self.len).and_then(|read| read.get(self.at)) {
                self.at += 1;
                match self.decoder.feed(*byte) {
                    Heard::Nothing => {}
                    Heard::Noise => self.noise = self.noise.saturating_add(1),
                    Heard::Packet(packet) => return Ok(packet.to_vec()),
                }
            }
            let read = wire.tty.read(&mut self.buffer).await;
            (self.at, self.len) = (0, *read.as_ref().unwrap_or(&0));
            read.map_err(|error| gone(&error))?;
        }
    }
}
