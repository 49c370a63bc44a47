//! A mosquitto with a configuration of its own, and a way to it that can go dead without a word.

use super::skip;
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;

/// A broker that dies with the test.
pub struct Mosquitto {
    pub port: u16,
    _folder: tempfile::TempDir,
    child: Child,
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Mosquitto {
    /// A broker that lets everybody in; `None`, said aloud, where the machine has none.
    pub fn open() -> Option<Mosquitto> {
        Mosquitto::start(|_| "allow_anonymous true\n".to_owned())
    }

    /// A broker with the settings that `settings` makes for its folder, where it may put files.
    pub fn start(settings: impl Fn(&Path) -> String) -> Option<Mosquitto> {
        let program = ["mosquitto", "/usr/sbin/mosquitto"]
            .into_iter()
            .find(|program| Command::new(program).arg("-h").output().is_ok());
        let Some(program) = program else {
            skip("no mosquitto; install it to run this test against a real broker");
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder");
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|socket| socket.local_addr())
            .expect("a free port")
            .port();
        let config = folder.path().join("mosquitto.conf");
        // Started by root it would otherwise become somebody who may not read its files.
        let text = format!("user root\nlistener {port} 127.0.0.1\n{}", settings(folder.path()));
        std::fs::write(&config, text).expect("its configuration");
        let child = Command::new(program)
            .arg("-c")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto starts");
        let mosquitto = Mosquitto {
            port,
            _folder: folder,
            child,
        };
        let give_up = Instant::now() + Duration::from_secs(5);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            assert!(Instant::now() < give_up, "mosquitto does not listen on port {port}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(mosquitto)
    }
}

/// How the proxy treats the connections that it has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// Everything passes.
    Open,
    /// Nothing passes in either direction, and nothing is closed.
    Dead,
    /// What the broker sends passes, and nothing else.
    Deaf,
}

/// A way to a broker that can go dead. New connections always pass.
pub struct Proxy {
    pub port: u16,
    way: watch::Sender<(u64, Way)>,
}

impl Proxy {
    pub async fn to(broker: u16) -> Proxy {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let (way, ways) = watch::channel((0, Way::Open));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, broker)).await else {
                    continue;
                };
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                let era = ways.borrow().0;
                tokio::spawn(pass(from_client, to_server, ways.clone(), era, false));
                tokio::spawn(pass(from_server, to_client, ways.clone(), era, true));
            }
        });
        Proxy { port, way }
    }

    /// From now on the connections that there are fare so; those to come pass.
    pub fn turn(&self, way: Way) {
        self.way.send_modify(|(era, old)| (*era, *old) = (*era + 1, way));
    }
}

async fn pass(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    ways: watch::Receiver<(u64, Way)>,
    era: u64,
    from_broker: bool,
) {
    let mut bytes = vec![0; 4096];
    loop {
        let len = from.read(&mut bytes).await.unwrap_or(0);
        let (now, way) = *ways.borrow();
        let passes = now == era || way == Way::Open || (way == Way::Deaf && from_broker);
        if !passes {
            // Neither read nor closed any more.
            std::future::pending::<()>().await;
        }
        if len == 0 || to.write_all(&bytes[..len]).await.is_err() {
            return;
        }
    }
}

/// A topic and what came there.
pub type Message = (String, Vec<u8>);

/// Somebody else on the broker, who sees and says what nobody controls.
pub struct Stranger {
    pub client: AsyncClient,
    pub seen: Arc<Mutex<Vec<Message>>>,
    /// Why the broker does not want this client, if it does not.
    pub refused: Arc<Mutex<Option<String>>>,
    /// Publishes that the broker has acknowledged.
    pub acknowledged: Arc<Mutex<u32>>,
}

impl Stranger {
    pub async fn new(mut options: MqttOptions, topics: &[&str]) -> Stranger {
        options.set_max_packet_size(32 << 20, 32 << 20);
        let (client, mut eventloop) = AsyncClient::new(options, 20_000);
        for topic in topics {
            client.subscribe(*topic, QoS::AtLeastOnce).await.expect("a queue");
        }
        let stranger = Stranger {
            client,
            seen: Arc::default(),
            refused: Arc::default(),
            acknowledged: Arc::default(),
        };
        let (seen, refused) = (Arc::clone(&stranger.seen), Arc::clone(&stranger.refused));
        let (acknowledged, wanted) = (Arc::clone(&stranger.acknowledged), topics.len());
        let (ready, mut is_ready) = watch::channel(0);
        tokio::spawn(async move {
            loop {
                match eventloop.poll().await {
                    Ok(Event::Incoming(Packet::ConnAck(_))) if wanted == 0 => ready.send_modify(|_| {}),
                    Ok(Event::Incoming(Packet::SubAck(_))) => ready.send_modify(|count| *count += 1),
                    Ok(Event::Incoming(Packet::PubAck(_))) => *acknowledged.lock().expect("a lock") += 1,
                    Ok(Event::Incoming(Packet::Publish(message))) => {
                        let message = (message.topic, message.payload.to_vec());
                        seen.lock().expect("a lock").push(message);
                    }
                    Ok(_) => {}
                    Err(error) => {
                        *refused.lock().expect("a lock") = Some(error.to_string());
                        ready.send_modify(|count| *count = usize::MAX);
                        return;
                    }
                }
            }
        });
        let settled = tokio::time::timeout(Duration::from_secs(5), is_ready.wait_for(|count| *count >= wanted));
        settled.await.expect("an answer of the broker").expect("a client");
        stranger
    }

    pub async fn anonymous(port: u16, name: &str, topics: &[&str]) -> Stranger {
        Stranger::new(MqttOptions::new(name, "127.0.0.1", port), topics).await
    }

    pub async fn say(&self, topic: &str, payload: impl Into<Vec<u8>>, retain: bool) {
        self.client
            .publish(topic, QoS::AtLeastOnce, retain, payload)
            .await
            .expect("a queue");
    }

    /// Waits until the broker has taken so many messages.
    pub async fn all_taken(&self, count: u32) {
        let give_up = Instant::now() + Duration::from_secs(30);
        while *self.acknowledged.lock().expect("a lock") < count {
            assert!(Instant::now() < give_up, "the broker does not take them");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// What came on topics that end so.
    pub fn heard(&self, end: &str) -> Vec<Vec<u8>> {
        let seen = self.seen.lock().expect("a lock");
        let matching = seen.iter().filter(|(topic, _)| topic.ends_with(end));
        matching.map(|(_, payload)| payload.clone()).collect()
    }
}
