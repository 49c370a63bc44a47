//! All links over one bus and any number of serial lines: what they bring goes to the links, what the links publish leaves by them. Nothing
//! is decided here.

use super::faults;
use super::links::{Links, LinksOutput, is_lease};
use super::nonsense::Nonsense;
use llmos_firmware_bridge::io::serial::{self, SerialEvent, SerialHandle};
use llmos_firmware_bridge::io::{BusError, BusEvent, BusHandle, SerialAddress};
use llmos_firmware_bridge::link::{Channel, LinkInput};
use llmos_firmware_bridge::program::{Ask, Reply};
use llmos_firmware_bridge::topic::{DeviceName, Topic};
use llmos_follower::Millis;
use llmos_kernel::message::{Fact, News};
use llmos_kernel::tool::{Connect, Device};
use std::time::Instant;
use tokio::sync::mpsc;

/// News of serial lines that may wait.
const EVENTS_MAX: usize = 256;

/// All devices.
#[derive(Debug)]
pub struct Devices {
    /// The bus, where a device is on it.
    bus: Option<BusHandle>,
    lines: Vec<(DeviceName, SerialHandle)>,
    leases: bool,
    links: Links,
    published: Option<Instant>,
    /// Answers about programs that nobody has taken yet.
    replies: Vec<(String, Reply)>,
    nonsense: Nonsense,
}

/// The serial line of a device that has one.
pub fn line(device: &Device) -> Option<SerialAddress> {
    let Connect::Serial { path, baud } = &device.connect else {
        return None;
    };
    let (path, baud) = (path.clone(), *baud);
    Some(SerialAddress { path, baud })
}

impl Devices {
    /// A link for each device; without `leases` they only listen and stop. Also the news of those that can't have one, and what the serial
    /// lines will say.
    pub fn new(
        bus: Option<BusHandle>,
        devices: &[Device],
        session: u32,
        leases: bool,
    ) -> (Devices, Vec<(String, News)>, mpsc::Receiver<SerialEvent>) {
        let (links, unusable) = Links::new(devices, session, leases);
        let (events, said) = mpsc::channel(EVENTS_MAX);
        let usable = devices
            .iter()
            .filter(|device| unusable.iter().all(|(name, _)| *name != device.name));
        let cables = usable
            .filter_map(|device| Some((DeviceName::parse(&device.name).ok()?, line(device)?)))
            .map(|(name, address)| {
                let handle = serial::connect(&address, &name, events.clone());
                (name, handle)
            })
            .collect();
        let devices = Devices {
            bus,
            lines: cables,
            leases,
            links,
            published: None,
            replies: Vec::new(),
            nonsense: Nonsense::default(),
        };
        (devices, unusable, said)
    }

    /// News of the bus for all links on it.
    pub fn bus_event(&mut self, now: Millis, event: &BusEvent) -> Vec<(String, News)> {
        self.links.handle_bus(now, &input(event));
        let mut news = self.drain();
        if let (BusEvent::Disconnected(reason), false) = (event, self.leases) {
            // Without a lease there is none to lose, but nothing is known any more.
            let why = format!("the connection to the broker is gone: {reason}");
            let gone = |name: &str| (name.to_owned(), News::Offline { why: why.clone() });
            news.extend(self.links.on_bus().map(gone));
        }
        news
    }

    /// News of one device's serial line.
    pub fn serial_event(&mut self, now: Millis, event: &SerialEvent) -> Vec<(String, News)> {
        let SerialEvent { device, event } = event;
        self.links.handle_for(now, device.as_str(), input(event));
        let mut news = self.drain();
        if let BusEvent::Disconnected(reason) = event {
            // Nobody else says why a device on a line is not there.
            let why = reason.clone();
            news.push((device.to_string(), News::Offline { why }));
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

    /// When the last message was handed to the bus or a line.
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

    /// Ends all connections once what was published has left.
    pub async fn close(self) {
        for (_, line) in self.lines {
            line.close().await;
        }
        if let Some(bus) = self.bus {
            bus.close().await;
        }
    }

    fn drain(&mut self) -> Vec<(String, News)> {
        let mut news = Vec::new();
        while let Some(output) = self.links.poll() {
            match output {
                // A serial line brings everything anyway.
                LinksOutput::Subscribe(topic) if self.line_of(&topic).is_some() => {}
                LinksOutput::Subscribe(topic) => {
                    if let Some(bus) = &self.bus {
                        bus.subscribe(&topic);
                    }
                }
                LinksOutput::Publish {
                    topic,
                    payload,
                    channel,
                } => {
                    let publish = || self.publish(&topic, payload, channel).map_err(std::io::Error::other);
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
                LinksOutput::News(device, News::Nonsense { what }) => {
                    if let Some(what) = self.nonsense.tell(Instant::now(), &device, what) {
                        news.push((device, News::Nonsense { what }));
                    }
                }
                LinksOutput::News(device, what) => news.push((device, what)),
                LinksOutput::Reply(device, reply) => self.replies.push((device, reply)),
                LinksOutput::Notice(device, text) => tracing::info!(%device, %text, "the device says"),
            }
        }
        news
    }

    fn publish(&self, topic: &str, payload: Vec<u8>, channel: Channel) -> Result<(), BusError> {
        match (self.line_of(topic), &self.bus, channel) {
            (Some(line), ..) => line.publish(topic, &payload),
            (None, Some(bus), Channel::Normal) => bus.publish(topic, payload),
            (None, Some(bus), Channel::Stop) => bus.publish_stop(topic, payload),
            (None, None, _) => Err(BusError::NotConnected),
        }
    }

    fn line_of(&self, topic: &str) -> Option<&SerialHandle> {
        let device = Topic::parse(topic).ok()?.device;
        let (_, line) = self.lines.iter().find(|(name, _)| *name == device)?;
        Some(line)
    }
}

fn input(event: &BusEvent) -> LinkInput<'_> {
    match event {
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
    }
}
