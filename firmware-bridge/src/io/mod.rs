//! Pumps between sockets and the pure rooms. They move bytes, reconnect, and decide nothing.

#[cfg(feature = "embedded-broker")]
pub mod broker;
pub mod mqtt;
pub mod url;

pub use mqtt::{Bus, BusError, BusEvent, BusHandle};
pub use url::{BrokerUrl, UrlError};
