//! MQTT for the host: one connection for normal traffic, and one for the stop path that never waits behind anything.
//!
//! Both reconnect by themselves with backoff and jitter. Nothing is kept for later: what cannot be sent now is refused, and whoever sent
//! it hears that the connection is gone.

use super::connection::{Connection, open};
use super::url::BrokerUrl;
use tokio::sync::mpsc;

/// What the bus reports. Whoever holds the receiver must drain it: a full queue stops the connection from reading.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BusEvent {
    /// The normal connection stands; subscriptions are being made again.
    Connected,
    /// The normal connection is gone or could not be made, for this reason; it is tried again by itself.
    Disconnected(String),
    /// A message.
    Message {
        /// Its topic.
        topic: String,
        /// Its bytes.
        payload: Vec<u8>,
        /// Whether the broker had kept it.
        retained: bool,
    },
}

/// Why a message was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BusError {
    /// Nothing is kept for later.
    #[error("not connected: the message was dropped, because a late command is worse than none")]
    NotConnected,
    /// The queue is full.
    #[error("the queue is full: the message was dropped")]
    Full,
    /// A serial line has no words for it.
    #[error("a serial line has no packet for this message: it was dropped")]
    Unsayable,
}

/// The host's two connections.
#[derive(Debug)]
pub struct Bus;

/// Sends; cheap to clone. When the last one is dropped, both connections end.
#[derive(Clone, Debug)]
pub struct BusHandle {
    normal: Connection,
    stop: Connection,
}

impl Bus {
    /// Starts both connections and returns at once; call it inside a tokio runtime. The stop path's client id is `client_id` + `-stop`.
    #[must_use]
    pub fn connect(url: &BrokerUrl, client_id: &str) -> (BusHandle, mpsc::Receiver<BusEvent>) {
        let (normal, events) = open(url, client_id, None);
        let (stop, mut stop_events) = open(url, &format!("{client_id}-stop"), None);
        tokio::spawn(async move {
            while let Some(event) = stop_events.recv().await {
                if let BusEvent::Disconnected(reason) = event {
                    tracing::warn!(%reason, "the stop path is not connected");
                }
            }
        });
        (BusHandle { normal, stop }, events)
    }
}

impl BusHandle {
    /// Publishes on the normal connection, `QoS` 1, not retained.
    ///
    /// # Errors
    /// [`BusError`]; nothing is queued for later.
    pub fn publish(&self, topic: &str, payload: Vec<u8>) -> Result<(), BusError> {
        self.normal.publish(topic, payload, false)
    }

    /// Publishes on the stop path's connection, `QoS` 1, not retained; on the normal one where the stop path is not connected.
    ///
    /// # Errors
    /// [`BusError`]; nothing is queued for later.
    pub fn publish_stop(&self, topic: &str, payload: Vec<u8>) -> Result<(), BusError> {
        self.stop
            .publish(topic, payload.clone(), false)
            .or_else(|_| self.normal.publish(topic, payload, false))
    }

    /// Subscribes now and after every reconnection.
    pub fn subscribe(&self, topic: &str) {
        self.normal.subscribe(topic);
    }

    /// Whether the normal connection stands.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.normal.is_connected()
    }

    /// Whether the stop path's connection stands.
    #[must_use]
    pub fn stop_path_ready(&self) -> bool {
        self.stop.is_connected()
    }

    /// Sends what is queued and ends both connections; at most about a second.
    pub async fn close(self) {
        // The stop first: what is queued there matters most.
        self.stop.close().await;
        self.normal.close().await;
    }
}
