//! Pumps between sockets and the pure rooms. They move bytes, reconnect, and decide nothing: which message is sent, when, and what an
//! answer means is [`crate::link`]'s business.

#[cfg(feature = "embedded-broker")]
pub mod broker;
mod connection;
pub mod mqtt;
mod pulse;
mod reason;
#[cfg(unix)]
pub mod serial;
pub mod tls;
#[cfg(unix)]
pub mod tty;
pub mod url;

pub(crate) use connection::{Connection, Will, open};
pub use mqtt::{Bus, BusError, BusEvent, BusHandle};
#[cfg(unix)]
pub use serial::{SerialEvent, SerialHandle};
pub use tls::{Identity, Tls, TlsError};
#[cfg(unix)]
pub use tty::SerialAddress;
pub use url::{BrokerUrl, UrlError};
