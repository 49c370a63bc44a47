//! All links over one bus: what the bus brings goes to the links, what they publish leaves by it. Nothing is decided here.

use super::faults;
use super::links::{Links, LinksOutput, is_lease};
use llmos_firmware_bridge::io::{BusEvent, BusHandle};
use llmos_firmware_bridge::link::{Channel, LinkInput};
use llmos_firmware_bridge::program::{Ask, Reply};
use llmos_follower::Millis;
use llmos_kernel::message::{Fact, News};
use llmos_kernel::tool::Device;
use std::time::Instant;

/// All devices.
#[derive(Debug)]
pub struct Devices {
    bus: BusHandle,
    leases: bool,
    links: Links,
    published: Option<Instant>,
    /// Answers about programs that nobody has taken yet.
    replies: Vec<(String, Reply)>,
}

impl Devices {
    /// A link for each device; without `leases` they only listen and stop. Also the news of those that can't have one.
    pub fn new(bus: BusHandle, devices: &[Device], session: u32, leases: bool) -> (Devices, Vec<(String, News)>) {
        let (links, unusable) = Links::new(devices, session, leases);
        let devices = Devices {
            bus,
            leases,
            links,
            published: None,
            replies: Vec::new(),
        };
        (devices, unusable)
    }

    /// News of the bus for all links.
    pub fn bus_event(&mut self, now: Millis, event: &BusEvent) -> Vec<(String, News)> {
        let input = match event {
            BusEvent::Connected => LinkInput::Connected,
            BusEvent::Disconnected(_) => LinkInput::Disconnected,
            BusEvent::Message {
                topic,
                payload,
                retained,
            } => LinkInput::Message {
                topic,
                payload,
                retained: *retained,
            },
        };
        self.links.handle(now, &input);
        let mut news = self.drain();
        if let (BusEvent::Disconnected(reason), false) = (event, self.leases) {
            // Without a lease there is none to lose, but nothing is known any more.
            let why = format!("the connection to the broker is gone: {reason}");
            let gone = |name: &str| (name.to_owned(), News::Offline { why: why.clone() });
            news.extend(self.links.devices().map(gone));
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
        self.links.handle_command(now, device, id, tool, arguments);
        self.drain()
    }

    /// Has one device run the program that it keeps.
    pub fn run_aboard(
        &mut self,
        now: Millis,
        device: &str,
        id: u64,
        crc: u32,
        finish: bool,
        slots: Vec<Fact>,
    ) -> Vec<(String, News)> {
        self.links.handle_run(now, device, id, crc, finish, slots);
        self.drain()
    }

    /// Asks one device something about programs.
    pub fn ask(&mut self, now: Millis, device: &str, id: u64, ask: &Ask<'_>) -> Vec<(String, News)> {
        self.links.handle_for(now, device, LinkInput::Ask { id, ask });
        self.drain()
    }

    /// The answers about programs that have come.
    pub fn replies(&mut self) -> Vec<(String, Reply)> {
        std::mem::take(&mut self.replies)
    }

    /// When the last message was handed to the bus.
    pub fn published(&self) -> Option<Instant> {
        self.published
    }

    /// Stops one device.
    pub fn stop(&mut self, now: Millis, device: &str, reason: &str) -> Vec<(String, News)> {
        self.links.handle_for(now, device, LinkInput::Stop { reason });
        self.drain()
    }

    /// Ends the stop of one device.
    pub fn reset(&mut self, now: Millis, device: &str) -> Vec<(String, News)> {
        self.links.handle_for(now, device, LinkInput::Reset);
        self.drain()
    }

    /// Gives all leases back.
    pub fn release(&mut self, now: Millis) {
        self.links.handle(now, &LinkInput::Release);
        self.drain();
    }

    /// Lets time pass for every link that wants it.
    pub fn tick(&mut self, now: Millis) -> Vec<(String, News)> {
        self.links.handle_tick(now);
        self.drain()
    }

    /// When the first link wants time to have passed.
    pub fn next_deadline(&self) -> Option<Millis> {
        self.links.next_deadline()
    }

    /// Ends both connections once what was published has left.
    pub async fn close(self) {
        self.bus.close().await;
    }

    fn drain(&mut self) -> Vec<(String, News)> {
        let mut news = Vec::new();
        while let Some(output) = self.links.poll() {
            match output {
                LinksOutput::Subscribe(topic) => self.bus.subscribe(&topic),
                LinksOutput::Publish {
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
                    match published {
                        Ok(()) => self.published = Some(Instant::now()),
                        Err(error) => tracing::warn!(%topic, %error, "not published"),
                    }
                }
                LinksOutput::News(device, what) => news.push((device, what)),
                LinksOutput::Reply(device, reply) => self.replies.push((device, reply)),
                LinksOutput::Notice(device, text) => tracing::info!(%device, %text, "the device says"),
            }
        }
        news
    }
}
