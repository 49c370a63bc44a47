//! A broker in the same process, on loopback only.

/// Why no broker could be started.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BrokerError(pub(crate) String);

/// Starts a broker on 127.0.0.1 and a free port, and returns the port once it accepts connections. It runs until the process ends.
///
/// # Errors
/// No port, no thread, or no answer within a few seconds.
pub fn start() -> Result<u16, BrokerError> {
    Err(BrokerError("no broker".to_owned()))
}
