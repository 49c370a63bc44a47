//! One MQTT connection that is made again whenever it ends.
//!
//! Every attempt gets a client of its own: what was queued or in flight in the old one dies with it. That is wanted (a command that is
//! late is worse than none; expiry and resending are the link's), and it also heals the client's known ways of getting stuck. It must not
//! know what a topic means.

use super::mqtt::{BusError, BusEvent};
use super::url::BrokerUrl;
use rumqttc::{AsyncClient, Event, EventLoop, LastWill, MqttOptions, NetworkOptions, Packet, QoS};
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Messages that may wait in either direction.
const QUEUE_LEN_MAX: usize = 256;
/// Longest packet in either direction, in bytes.
const PACKET_LEN_MAX: usize = 256 * 1024;
/// A ping this often finds a dead peer after twice the time.
const KEEP_ALIVE: Duration = Duration::from_secs(2);
/// How long making a connection may take, in seconds.
const CONNECT_S_MAX: u64 = 5;
/// Pause before the second attempt, doubled up to [`BACKOFF_MS_MAX`].
const BACKOFF_MS_MIN: u64 = 100;
const BACKOFF_MS_MAX: u64 = 5_000;
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
    let pump = Pump {
        options: options(url, client_id, will),
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

fn options(url: &BrokerUrl, client_id: &str, will: Option<&Will>) -> MqttOptions {
    let mut options = MqttOptions::new(client_id, url.host(), url.port());
    options
        .set_keep_alive(KEEP_ALIVE)
        .set_clean_session(true)
        .set_max_packet_size(PACKET_LEN_MAX, PACKET_LEN_MAX);
    if let Some((user, password)) = url.credentials() {
        options.set_credentials(user, password);
    }
    if let Some(will) = will {
        options.set_last_will(LastWill::new(&will.topic, will.payload.clone(), QoS::AtLeastOnce, true));
    }
    options
}

struct Pump {
    options: MqttOptions,
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
            let (end, was_connected) = self.connect_once().await;
            let End::Broken(reason) = end else { return };
            if self.events.send(BusEvent::Disconnected(reason)).await.is_err() {
                return;
            }
            pause_ms = if was_connected {
                BACKOFF_MS_MIN
            } else {
                (pause_ms * 2).min(BACKOFF_MS_MAX)
            };
            if self.pause(Duration::from_millis(pause_ms + jitter(pause_ms / 2))).await {
                return;
            }
        }
    }

    /// One connection, from the first packet to the last; also whether it stood.
    async fn connect_once(&mut self) -> (End, bool) {
        let (client, mut eventloop) = AsyncClient::new(self.options.clone(), QUEUE_LEN_MAX);
        let mut network = NetworkOptions::new();
        network.set_connection_timeout(CONNECT_S_MAX);
        network.set_tcp_nodelay(true);
        eventloop.set_network_options(network);
        let end = tokio::select! {
            reason = receive(&mut eventloop, &client, &self.shared, &self.events) => End::Broken(reason),
            () = forward(&mut self.queued, &client, &self.shared) => End::Closed,
        };
        let was_connected = self.shared.connected.swap(false, Ordering::AcqRel);
        if matches!(end, End::Closed) && was_connected {
            // The goodbye stands behind everything that was queued, so this sends it all.
            let _ = client.try_disconnect();
            let drain = async { while eventloop.poll().await.is_ok() {} };
            let _ = tokio::time::timeout(CLOSE_MS_MAX, drain).await;
        }
        (end, was_connected)
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

/// Takes packets in until the connection breaks.
async fn receive(
    eventloop: &mut EventLoop,
    client: &AsyncClient,
    shared: &Shared,
    events: &mpsc::Sender<BusEvent>,
) -> String {
    loop {
        let event = match eventloop.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                shared.connected.store(true, Ordering::Release);
                for topic in shared.topics() {
                    if client.try_subscribe(topic, QoS::AtLeastOnce).is_err() {
                        return "more subscriptions than the queue holds".to_owned();
                    }
                }
                BusEvent::Connected
            }
            Ok(Event::Incoming(Packet::Publish(message))) => BusEvent::Message {
                topic: message.topic,
                payload: message.payload.to_vec(),
                retained: message.retain,
            },
            Ok(Event::Incoming(_) | Event::Outgoing(_)) => continue,
            Err(error) => return error.to_string(),
        };
        if events.send(event).await.is_err() {
            return "nobody listens any more".to_owned();
        }
    }
}

/// Passes requests on until there are none to come. What comes without a connection is dropped.
async fn forward(queued: &mut mpsc::Receiver<Request>, client: &AsyncClient, shared: &Shared) {
    while let Some(request) = queued.recv().await {
        let connected = shared.connected.load(Ordering::Acquire);
        let taken = match request {
            Request::Close => return,
            _ if !connected => Ok(()),
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
