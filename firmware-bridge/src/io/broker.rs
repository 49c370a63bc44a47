//! A broker in the same process, for a machine that has none: loopback only, no persistence, nothing kept after the process.
//!
//! Deployments use a broker of their own; this one has no access control, which is why it listens on 127.0.0.1 and nowhere else.

use rumqttd::{Broker, Config, ConnectionSettings, RouterConfig, ServerSettings};
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// Ports that are tried: between finding a free one and listening on it, another program may take it.
const ATTEMPTS_MAX: usize = 5;
/// How long the broker may take until it accepts connections.
const START_MAX: Duration = Duration::from_secs(5);
/// Longest payload, in bytes.
const PAYLOAD_LEN_MAX: usize = 256 * 1024;

/// Why no broker could be started.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The system gives no port or thread.
    #[error("the embedded broker cannot start: {0}; name a broker of your own instead (mqtt://host:port)")]
    System(#[from] std::io::Error),
    /// It was started and does not answer.
    #[error(
        "the embedded broker does not accept connections on 127.0.0.1; name a broker of your own instead (mqtt://host:port)"
    )]
    Silent,
}

/// Starts a broker on 127.0.0.1 and a free port, and returns the port once it accepts connections. It runs until the process ends.
///
/// # Errors
/// [`BrokerError`].
pub fn start() -> Result<u16, BrokerError> {
    for _ in 0..ATTEMPTS_MAX {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let broker = std::thread::Builder::new().name("broker".to_owned()).spawn(move || {
            if let Err(error) = Broker::new(config(port)).start() {
                tracing::error!(%error, "the embedded broker ended");
            }
        })?;
        let give_up = Instant::now() + START_MAX;
        // The broker's thread only ends where it could not listen: then another port is tried.
        while !broker.is_finished() && Instant::now() < give_up {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(port);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    Err(BrokerError::Silent)
}

fn config(port: u16) -> Config {
    let connections = ConnectionSettings {
        connection_timeout_ms: 5_000,
        max_payload_size: PAYLOAD_LEN_MAX,
        max_inflight_count: 100,
        auth: None,
        external_auth: None,
        dynamic_filters: true,
    };
    let server = ServerSettings {
        name: "embedded".to_owned(),
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        tls: None,
        next_connection_delay_ms: 0,
        connections,
    };
    Config {
        id: 0,
        router: RouterConfig {
            max_connections: 256,
            max_outgoing_packet_count: 200,
            // Two small segments a topic: its default of 100 MiB each is meant for servers.
            max_segment_size: 512 * 1024,
            max_segment_count: 2,
            ..RouterConfig::default()
        },
        v4: Some(HashMap::from([("embedded".to_owned(), server)])),
        ..Config::default()
    }
}
