//! One MQTT connection that is made again whenever it ends.
//!
//! Every attempt gets a client of its own: what was queued or in flight in the old one dies with it. That is wanted (a command that is
//! late is worse than none; expiry and resending are the link's), and it also heals the client's known ways of getting stuck. It must not
//! know what a topic means.

use super::mqtt::{BusError, BusEvent};
use super::pulse::{PING, Pulse};
use super::reason::{explain, explain_first};
use super::tls::{Tls, TlsError};
use super::url::BrokerUrl;
use rumqttc::{
    AsyncClient, Event, EventLoop, LastWill, MqttOptions, NetworkOptions, Packet, QoS, SubscribeReasonCode,
    TlsConfiguration, Transport,
};
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// Messages that may wait in either direction.
const QUEUE_LEN_MAX: usize = 256;
/// Longest message that is passed on or sent, in bytes.
const MESSAGE_LEN_MAX: usize = 256 * 1024;
/// Longest packet that is read at all, in bytes. A longer one breaks the connection, and if the broker has kept it, every connection: so
/// what is merely too long to be of use is read and dropped.
const PACKET_LEN_MAX: usize = 16 * 1024 * 1024;
/// How long making a connection may take, in seconds.
const CONNECT_S_MAX: u64 = 3;
/// Pause before the second attempt, doubled up to [`BACKOFF_MS_MAX`].
const BACKOFF_MS_MIN: u64 = 100;
const BACKOFF_MS_MAX: u64 = 2_000;
/// A connection that stood this long was a good one: the next pause is the shortest again. One that is thrown out at once, say because two
/// clients share a name, is not.
const STOOD_MIN: Duration = Duration::from_millis(250);
/// Why a connection ends whose events nobody takes.
const NOBODY: &str = "nobody listens any more";
/// How long closing may take.
const CLOSE_MS_MAX: Duration = Duration::from_secs(1);

/// What the broker publishes, retained, when the connection ends without a goodbye.
#[derive(Clone, Debug)]
pub(crate) struct Will {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
}

#[derive(Debug)]
enum Request {
    Publish {
        topic: String,
        payload: Vec<u8>,
        retain: bool,
    },
    Subscribe(String),
    Close,
}

/// The sending end of one connection.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    requests: mpsc::Sender<Request>,
    shared: Arc<Shared>,
    ended: watch::Receiver<bool>,
}

#[derive(Debug, Default)]
struct Shared {
    connected: AtomicBool,
    topics: Mutex<Vec<String>>,
}

impl Shared {
    fn topics(&self) -> Vec<String> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Connection {
    pub(crate) fn publish(&self, topic: &str, payload: Vec<u8>, retain: bool) -> Result<(), BusError> {
        if !self.is_connected() {
            return Err(BusError::NotConnected);
        }
        let request = Request::Publish {
            topic: topic.to_owned(),
            payload,
            retain,
        };
        self.requests.try_send(request).map_err(|_| BusError::Full)
    }

    pub(crate) fn subscribe(&self, topic: &str) {
        let mut topics = self.shared.topics.lock().unwrap_or_else(PoisonError::into_inner);
        if topics.iter().any(|known| known == topic) {
            return;
        }
        topics.push(topic.to_owned());
        drop(topics);
        // Where this finds no room, or no connection, the next connection subscribes to everything anyway.
        let _ = self.requests.try_send(Request::Subscribe(topic.to_owned()));
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.shared.connected.load(Ordering::Acquire)
    }

    /// Sends what is queued, says goodbye, and waits for both, but not for long.
    pub(crate) async fn close(mut self) {
        let closing = async {
            let _ = self.requests.send(Request::Close).await;
            let _ = self.ended.wait_for(|ended| *ended).await;
        };
        let _ = tokio::time::timeout(CLOSE_MS_MAX, closing).await;
    }
}

/// Starts a connection; call it inside a tokio runtime. It ends when its last [`Connection`] is dropped or closed.
pub(crate) fn open(url: &BrokerUrl, client_id: &str, will: Option<&Will>) -> (Connection, mpsc::Receiver<BusEvent>) {
    let (requests, queued) = mpsc::channel(QUEUE_LEN_MAX);
    let (events, received) = mpsc::channel(QUEUE_LEN_MAX);
    let (ending, ended) = watch::channel(false);
    let shared = Arc::new(Shared::default());
    let (url, client_id, will) = (url.clone(), client_id.to_owned(), will.cloned());
    let pump = Pump {
        options: Box::new(move || options(&url, &client_id, will.as_ref())),
        shared: Arc::clone(&shared),
        queued,
        events,
    };
    tokio::spawn(async move {
        pump.run().await;
        let _ = ending.send(true);
    });
    (
        Connection {
            requests,
            shared,
            ended,
        },
        received,
    )
}

/// # Errors
/// The address wants TLS, nobody named an authority, and the machine has none.
fn options(url: &BrokerUrl, client_id: &str, will: Option<&Will>) -> Result<MqttOptions, TlsError> {
    let mut options = MqttOptions::new(client_id, url.host(), url.port());
    options
        .set_keep_alive(PING)
        .set_clean_session(!url.keeps_session())
        .set_max_packet_size(PACKET_LEN_MAX, PACKET_LEN_MAX);
    if url.is_secure() {
        let tls = url.tls().map_or_else(|| Tls::new(None, None), |tls| Ok(tls.clone()))?;
        options.set_transport(Transport::Tls(TlsConfiguration::Rustls(tls.config())));
    }
    if let Some((user, password)) = url.credentials() {
        options.set_credentials(user, password);
    }
    if let Some(will) = will {
        options.set_last_will(LastWill::new(&will.topic, will.payload.clone(), QoS::AtLeastOnce, true));
    }
    Ok(options)
}

struct Pump {
    /// Made anew for every attempt: what a machine lacked it may have by then.
    options: Box<dyn Fn() -> Result<MqttOptions, TlsError> + Send>,
    shared: Arc<Shared>,
    queued: mpsc::Receiver<Request>,
    events: mpsc::Sender<BusEvent>,
}

/// How one connection ended.
enum End {
    /// The other side or the network.
    Broken(String),
    /// We wanted it to.
    Closed,
}

impl Pump {
    async fn run(mut self) {
        let mut pause_ms = BACKOFF_MS_MIN;
        loop {
            let (end, stood) = match (self.options)() {
                Ok(options) => self.connect_once(options).await,
                Err(error) => (End::Broken(error.to_string()), None),
            };
            let End::Broken(reason) = end else { return };
            if self.events.send(BusEvent::Disconnected(reason)).await.is_err() {
                return;
            }
            pause_ms = if stood.is_some_and(|stood| stood >= STOOD_MIN) {
                BACKOFF_MS_MIN
            } else {
                (pause_ms * 2).min(BACKOFF_MS_MAX)
            };
            if self.pause(Duration::from_millis(pause_ms + jitter(pause_ms / 2))).await {
                return;
            }
        }
    }

    /// One connection, from the first packet to the last; also how long it stood, if it did.
    async fn connect_once(&mut self, options: MqttOptions) -> (End, Option<Duration>) {
        let (client, mut eventloop) = AsyncClient::new(options, QUEUE_LEN_MAX);
        let mut network = NetworkOptions::new();
        network.set_connection_timeout(CONNECT_S_MAX);
        network.set_tcp_nodelay(true);
        eventloop.set_network_options(network);
        let mut receiver = Receiver {
            eventloop: &mut eventloop,
            client: &client,
            shared: &self.shared,
            events: &self.events,
            since: None,
        };
        let end = tokio::select! {
            reason = receiver.receive() => End::Broken(reason),
            () = forward(&mut self.queued, &client, &self.shared) => End::Closed,
        };
        let stood = receiver.since.map(|since| since.elapsed());
        self.shared.connected.store(false, Ordering::Release);
        if matches!(end, End::Closed) && stood.is_some() {
            // The goodbye stands behind everything that was queued, so this sends it all.
            let _ = client.try_disconnect();
            let drain = async { while eventloop.poll().await.is_ok() {} };
            let _ = tokio::time::timeout(CLOSE_MS_MAX, drain).await;
        }
        (end, stood)
    }

    /// Waits, dropping what comes meanwhile; true when the connection should end.
    async fn pause(&mut self, pause: Duration) -> bool {
        let drop_all = async {
            while let Some(request) = self.queued.recv().await {
                if matches!(request, Request::Close) {
                    return;
                }
            }
        };
        tokio::time::timeout(pause, drop_all).await.is_ok()
    }
}

/// The receiving side of one connection.
struct Receiver<'a> {
    eventloop: &'a mut EventLoop,
    client: &'a AsyncClient,
    shared: &'a Shared,
    events: &'a mpsc::Sender<BusEvent>,
    /// Since when the connection stands.
    since: Option<Instant>,
}

impl Receiver<'_> {
    /// Takes packets in until the connection breaks, and says why it did.
    async fn receive(&mut self) -> String {
        // Making the connection has a deadline of its own.
        if let Err(error) = self.eventloop.poll().await {
            return explain_first(&error);
        }
        let now = Instant::now();
        let mut pulse = Pulse::new(now);
        self.since = Some(now);
        for topic in self.shared.topics() {
            if self.client.try_subscribe(topic, QoS::AtLeastOnce).is_err() {
                return "more subscriptions than the queue holds".to_owned();
            }
        }
        self.shared.connected.store(true, Ordering::Release);
        if self.events.send(BusEvent::Connected).await.is_err() {
            return NOBODY.to_owned();
        }
        loop {
            let (death, why) = pulse.death();
            let event = tokio::select! {
                // What has come proves life, however late it is looked at.
                biased;
                event = self.eventloop.poll() => match event {
                    Ok(event) => event,
                    Err(error) => return explain(&error),
                },
                () = tokio::time::sleep_until(death) => return why.to_owned(),
            };
            pulse.note(Instant::now(), &event);
            let Some(event) = bus_event(event) else { continue };
            match self.events.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => {
                    if self.events.send(event).await.is_err() {
                        return NOBODY.to_owned();
                    }
                    pulse.excuse(Instant::now());
                }
                Err(TrySendError::Closed(_)) => return NOBODY.to_owned(),
            }
        }
    }
}

/// What a packet is to whoever listens.
fn bus_event(event: Event) -> Option<BusEvent> {
    match event {
        Event::Incoming(Packet::Publish(message)) if message.payload.len() > MESSAGE_LEN_MAX => {
            let (topic, len) = (message.topic, message.payload.len());
            tracing::warn!(%topic, len, "a message was dropped: it is longer than {MESSAGE_LEN_MAX} bytes");
            None
        }
        Event::Incoming(Packet::Publish(message)) => Some(BusEvent::Message {
            topic: message.topic,
            payload: message.payload.to_vec(),
            retained: message.retain,
        }),
        Event::Incoming(Packet::SubAck(answer)) => {
            if answer.return_codes.contains(&SubscribeReasonCode::Failure) {
                tracing::warn!("the broker refuses a subscription; may this user read that topic?");
            }
            None
        }
        Event::Incoming(_) | Event::Outgoing(_) => None,
    }
}

/// Passes requests on until there are none to come. What comes without a connection is dropped.
async fn forward(queued: &mut mpsc::Receiver<Request>, client: &AsyncClient, shared: &Shared) {
    while let Some(request) = queued.recv().await {
        let connected = shared.connected.load(Ordering::Acquire);
        let taken = match request {
            Request::Close => return,
            _ if !connected => Ok(()),
            Request::Publish { topic, payload, .. } if payload.len() > MESSAGE_LEN_MAX => {
                let len = payload.len();
                tracing::warn!(%topic, len, "not sent: it is longer than {MESSAGE_LEN_MAX} bytes");
                Ok(())
            }
            Request::Publish { topic, payload, retain } => client.try_publish(topic, QoS::AtLeastOnce, retain, payload),
            Request::Subscribe(topic) => client.try_subscribe(topic, QoS::AtLeastOnce),
        };
        if let Err(error) = taken {
            tracing::warn!(%error, "a message to the broker was dropped");
        }
    }
}

/// A number below `limit`, so that many clients of one broker do not come back in step. Nothing depends on which.
fn jitter(limit: u64) -> u64 {
    RandomState::new().hash_one(limit) % limit.max(1)
}
