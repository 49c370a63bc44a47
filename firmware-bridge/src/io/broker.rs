//! A broker in the same process, for a machine that has none: no persistence, nothing kept after the process.
//!
//! It listens on 127.0.0.1 and lets everybody in who is there. Elsewhere it listens only if it is told to, and then it lets in only those
//! whom it knows. It has no TLS and no rules of who may say what: for more than a trusted network take a broker of your own.

use super::url::BrokerUrl;
use rumqttd::{Broker, Config, ConnectionSettings, RouterConfig, ServerSettings};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
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
    #[error("the embedded broker does not accept connections; name a broker of your own instead (mqtt://host:port)")]
    Silent,
    /// It would let everybody in who reaches this machine.
    #[error(
        "the embedded broker listens on {0}, beyond this machine, only for users that it knows: name a file of users, one user:password a line"
    )]
    NoUsers(SocketAddr),
    /// That address can't be had.
    #[error("the embedded broker can't listen on {0}: {1}")]
    Address(SocketAddr, std::io::Error),
}

/// Who may come in, with their passwords.
pub type Users = HashMap<String, String>;

/// Starts a broker on 127.0.0.1 and a free port, and returns the port once it accepts connections. It runs until the process ends.
///
/// # Errors
/// [`BrokerError`].
pub fn start() -> Result<u16, BrokerError> {
    for _ in 0..ATTEMPTS_MAX {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if launch(listen, None)? {
            return Ok(port);
        }
    }
    Err(BrokerError::Silent)
}

/// Starts a broker that listens on `listen` and lets these users in, and nobody else; without users it lets everybody in, which it does on
/// loopback only. Returns the address for this process, which gets a user of its own. It runs until the process ends.
///
/// # Errors
/// [`BrokerError`]; [`BrokerError::NoUsers`] where it would be open to others.
pub fn start_on(listen: SocketAddr, mut users: Users) -> Result<BrokerUrl, BrokerError> {
    let local = BrokerUrl::parse(&format!("mqtt://{}", reachable(listen))).map_err(std::io::Error::other)?;
    if users.is_empty() && !listen.ip().is_loopback() {
        return Err(BrokerError::NoUsers(listen));
    }
    // The broker's thread would not say what is wrong.
    drop(TcpListener::bind(listen).map_err(|error| BrokerError::Address(listen, error))?);
    let (url, users) = if users.is_empty() {
        (local, None)
    } else {
        let (name, password) = (format!("llmos-{}", secret()?), secret()?);
        users.insert(name.clone(), password.clone());
        (local.with_user(&name).with_password(password), Some(users))
    };
    if launch(listen, users)? {
        Ok(url)
    } else {
        Err(BrokerError::Silent)
    }
}

/// The address under which this machine reaches what listens there.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// A word that nobody guesses.
fn secret() -> Result<String, BrokerError> {
    let mut bytes = [0; 16];
    let chance = rustls::crypto::ring::default_provider().secure_random;
    chance
        .fill(&mut bytes)
        .map_err(|_| std::io::Error::other("the system gives no random numbers"))?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

/// Whether the broker accepts connections.
fn launch(listen: SocketAddr, users: Option<Users>) -> Result<bool, BrokerError> {
    let broker = std::thread::Builder::new().name("broker".to_owned()).spawn(move || {
        if let Err(error) = Broker::new(config(listen, users)).start() {
            tracing::error!(%error, "the embedded broker ended");
        }
    })?;
    let give_up = Instant::now() + START_MAX;
    // The broker's thread only ends where it could not listen.
    while !broker.is_finished() && Instant::now() < give_up {
        if TcpStream::connect(reachable(listen)).is_ok() {
            return Ok(true);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(false)
}

fn config(listen: SocketAddr, users: Option<Users>) -> Config {
    let connections = ConnectionSettings {
        connection_timeout_ms: 5_000,
        max_payload_size: PAYLOAD_LEN_MAX,
        max_inflight_count: 100,
        auth: users,
        external_auth: None,
        dynamic_filters: true,
    };
    let server = ServerSettings {
        name: "embedded".to_owned(),
        listen,
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
