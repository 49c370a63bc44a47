//! One link for each device over one bus. Bytes and commands go in, news comes out; what either means is the links' and the kernel's.

use super::faults;
use llmos_firmware_bridge::io::{BusEvent, BusHandle};
use llmos_firmware_bridge::link::{Channel, Kind, Link, LinkConfig, LinkEvent, LinkInput, LinkOutput, Loss, Report};
use llmos_firmware_bridge::plain::Plain;
use llmos_firmware_bridge::topic::{DeviceName, Subject, Topic};
use llmos_follower::Millis;
use llmos_kernel::message::{Account, Fact, Named, News, State};
use llmos_kernel::tool::{Connect, Device};

/// All links.
#[derive(Debug)]
pub struct Devices {
    bus: BusHandle,
    /// Whether leases are asked for. Who only looks takes no device from anybody.
    leases: bool,
    links: Vec<(String, Link)>,
}

impl Devices {
    /// A link for each device; without `leases` they only listen and stop. Also the news of those that can't have one.
    pub fn new(bus: BusHandle, devices: &[Device], session: u32, leases: bool) -> (Devices, Vec<(String, News)>) {
        let (mut links, mut unusable) = (Vec::new(), Vec::new());
        for device in devices {
            match config(device, session) {
                Ok(config) => links.push((device.name.clone(), Link::new(config))),
                Err(why) => unusable.push((device.name.clone(), News::Offline { why })),
            }
        }
        (Devices { bus, leases, links }, unusable)
    }

    /// News of the bus for all links.
    pub fn bus_event(&mut self, now: Millis, event: &BusEvent) -> Vec<(String, News)> {
        for (_, link) in &mut self.links {
            match event {
                BusEvent::Connected => link.handle(now, LinkInput::Connected),
                BusEvent::Disconnected(_) => link.handle(now, LinkInput::Disconnected),
                BusEvent::Message {
                    topic,
                    payload,
                    retained,
                } => {
                    link.handle(
                        now,
                        LinkInput::Message {
                            topic,
                            payload,
                            retained: *retained,
                        },
                    );
                }
            }
        }
        let mut news = self.drain();
        if let (BusEvent::Disconnected(reason), false) = (event, self.leases) {
            // Without a lease there is none to lose, but nothing is known any more.
            let why = format!("the connection to the broker is gone: {reason}");
            let gone = |(name, _): &(String, Link)| (name.clone(), News::Offline { why: why.clone() });
            news.extend(self.links.iter().map(gone));
        }
        news
    }

    /// A command for one device.
    pub fn command(
        &mut self,
        now: Millis,
        device: &str,
        id: u64,
        tool: &str,
        arguments: Vec<(String, Fact)>,
    ) -> Vec<(String, News)> {
        let arguments = arguments.into_iter().map(|(name, fact)| (name, plain(fact))).collect();
        self.tell(now, device, LinkInput::Command { id, tool, arguments })
    }

    /// Stops one device.
    pub fn stop(&mut self, now: Millis, device: &str, reason: &str) -> Vec<(String, News)> {
        self.tell(now, device, LinkInput::Stop { reason })
    }

    /// Ends the stop of one device.
    pub fn reset(&mut self, now: Millis, device: &str) -> Vec<(String, News)> {
        self.tell(now, device, LinkInput::Reset)
    }

    /// Gives all leases back.
    pub fn release(&mut self, now: Millis) {
        for (_, link) in &mut self.links {
            link.handle(now, LinkInput::Release);
        }
        self.drain();
    }

    /// Lets time pass for every link that wants it.
    pub fn tick(&mut self, now: Millis) -> Vec<(String, News)> {
        for (_, link) in &mut self.links {
            if link.next_deadline().is_some_and(|at| at <= now) {
                link.handle(now, LinkInput::Tick);
            }
        }
        self.drain()
    }

    /// When the first link wants time to have passed.
    pub fn next_deadline(&self) -> Option<Millis> {
        self.links.iter().filter_map(|(_, link)| link.next_deadline()).min()
    }

    /// Ends both connections once what was published has left.
    pub async fn close(self) {
        self.bus.close().await;
    }

    fn tell(&mut self, now: Millis, device: &str, input: LinkInput<'_>) -> Vec<(String, News)> {
        if let Some((_, link)) = self.links.iter_mut().find(|(name, _)| name == device) {
            link.handle(now, input);
        }
        self.drain()
    }

    fn drain(&mut self) -> Vec<(String, News)> {
        let mut news = Vec::new();
        for (name, link) in &mut self.links {
            while let Some(output) = link.poll() {
                match output {
                    LinkOutput::Subscribe(topic) => self.bus.subscribe(&topic),
                    LinkOutput::Publish { topic, .. } if !self.leases && is_lease(&topic) => {}
                    LinkOutput::Publish {
                        topic,
                        payload,
                        channel,
                    } => {
                        let publish = || match channel {
                            Channel::Normal => self.bus.publish(&topic, payload),
                            Channel::Stop => self.bus.publish_stop(&topic, payload),
                        };
                        let publish = || publish().map_err(std::io::Error::other);
                        let published = if is_lease(&topic) {
                            publish()
                        } else {
                            faults::act("publish", topic.as_ref(), publish)
                        };
                        if let Err(error) = published {
                            tracing::warn!(%topic, %error, "not published");
                        }
                    }
                    LinkOutput::Event(event) => {
                        news.extend(news_of(name, event, self.leases).map(|news| (name.clone(), news)));
                    }
                }
            }
        }
        news
    }
}

fn config(device: &Device, session: u32) -> Result<LinkConfig, String> {
    let name = DeviceName::parse(&device.name).map_err(|error| error.to_string())?;
    let kind = match &device.connect {
        Connect::Native => Kind::Native,
        Connect::Foreign(json) => Kind::Foreign(
            serde_json::from_str(json)
                .map_err(|error| format!("{}: \"topics\" is no binding: {error}", device.name))?,
        ),
    };
    Ok(LinkConfig {
        device: name,
        session,
        heartbeat_ms: device.heartbeat_ms,
        expiry_ms: device.expiry_ms,
        kind,
    })
}

fn is_lease(topic: &str) -> bool {
    Topic::parse(topic).is_ok_and(|topic| topic.subject == Subject::Lease)
}

fn news_of(device: &str, event: LinkEvent, leases: bool) -> Option<News> {
    Some(match event {
        // Who wants to act needs the lease; who looks only needs the device to be there.
        LinkEvent::Online if leases => return None,
        LinkEvent::Offline => News::Offline {
            why: "it says, or its broker says, that it is gone".to_owned(),
        },
        LinkEvent::Online => News::Online,
        LinkEvent::Leased { boot, seq } => News::Leased { boot, seq },
        LinkEvent::LeaseRefused => News::Taken,
        LinkEvent::State(report) => News::State(state(report)),
        LinkEvent::Acknowledged { id } => News::Acknowledged { command: id },
        LinkEvent::Rejected { id, reason } => News::Rejected {
            command: id,
            why: format!("{reason:?}"),
        },
        LinkEvent::Failed { id, reason } => News::Failed {
            command: id,
            why: reason,
        },
        LinkEvent::Lost(loss) => News::Lost {
            why: loss_text(loss).to_owned(),
        },
        LinkEvent::Nonsense { what } => News::Nonsense { what },
        LinkEvent::Notice { text } => {
            tracing::info!(%device, %text, "the device says");
            return None;
        }
    })
}

fn loss_text(loss: Loss) -> &'static str {
    match loss {
        Loss::Disconnected => "the connection to the broker is gone",
        Loss::Offline => "the device went offline",
        Loss::Silent => "the device reports nothing any more",
        Loss::NoAck => "the device did not acknowledge, although it was asked again",
        Loss::Restarted => "the device restarted",
        Loss::LeaseLost => "the device serves somebody else",
    }
}

fn state(report: Report) -> State {
    let readings = report.readings.into_iter().map(|named| Named {
        owner: named.owner,
        field: named.field,
        value: fact(named.value),
    });
    State {
        progress: Some(report.progress),
        stopped: report.stopped,
        account: report.account.map(|account| Account {
            boot: account.boot,
            done: account.done,
            failed: account.failed,
        }),
        readings: readings.collect(),
    }
}

fn fact(plain: Plain) -> Fact {
    match plain {
        Plain::Bool(truth) => Fact::Bool(truth),
        Plain::Number(micro) => Fact::Number(micro),
        Plain::Point(point) => Fact::Point(point),
        Plain::Text(text) => Fact::Text(text),
        Plain::Nothing => Fact::Nothing,
    }
}

fn plain(fact: Fact) -> Plain {
    match fact {
        Fact::Bool(truth) => Plain::Bool(truth),
        Fact::Number(micro) => Plain::Number(micro),
        Fact::Point(point) => Plain::Point(point),
        Fact::Text(text) => Plain::Text(text),
        Fact::Nothing => Plain::Nothing,
    }
}
