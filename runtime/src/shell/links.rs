//! The links of all devices as one state machine, in the kernel's words: news of a bus and commands go in, messages and news come out.
//! It is pure, so that the program drives it with a real bus and a test with weather. It must not know a bus, a clock or what news lead to.

use llmos_firmware_bridge::Refusal;
use llmos_firmware_bridge::binding::{Binding, Problem, Shape, Surface, ToolSurface, overlaps};
use llmos_firmware_bridge::link::{Channel, Kind, Link, LinkConfig, LinkEvent, LinkInput, LinkOutput, Loss, Report};
use llmos_firmware_bridge::plain::Plain;
use llmos_firmware_bridge::program::{Answer, OnHostLoss, Outcome, Reply, RunReport};
use llmos_firmware_bridge::topic::{DeviceName, Subject, Topic};
use llmos_follower::Millis;
use llmos_kernel::message::{Account, Fact, Named, News, Ran, RanEnd, State};
use llmos_kernel::tool::{Body, Connect, Device, Type};

/// One link for each device.
#[derive(Debug)]
pub struct Links {
    host: Hosting,
    links: Vec<OneLink>,
}

#[derive(Debug)]
struct OneLink {
    name: String,
    /// Whether it hears of the bus; a device on a serial line does not.
    on_bus: bool,
    link: Link,
}

/// Which host this is.
#[derive(Clone, Copy, Debug)]
struct Hosting {
    /// Its name in leases.
    session: u32,
    /// Whether leases are asked for. Who only looks takes no device from anybody.
    leases: bool,
}

/// What the links ask for or have learned.
#[derive(Clone, PartialEq, Debug)]
pub enum LinksOutput {
    /// Subscribe to this topic.
    Subscribe(String),
    /// Publish this.
    Publish {
        /// The topic.
        topic: String,
        /// The bytes.
        payload: Vec<u8>,
        /// Which connection it leaves by.
        channel: Channel,
    },
    /// News of this device for the kernel.
    News(String, News),
    /// This device's answer to a request about programs.
    Reply(String, Reply),
    /// Something that this device wants a person to know.
    Notice(String, String),
}

impl Links {
    /// A link for each device; without `leases` they only listen and stop. Also the news of those that can't have one.
    pub fn new(devices: &[Device], session: u32, leases: bool) -> (Links, Vec<(String, News)>) {
        let (mut links, mut unusable) = (Vec::new(), Vec::new());
        let mut bindings = bindings(devices).into_iter();
        for (at, device) in devices.iter().enumerate() {
            let kind = match &device.connect {
                Connect::Native => Ok(Kind::Native),
                Connect::Serial { path, .. } => match sharer(&devices[..at], path) {
                    Some(other) => Err(format!(
                        "{path} is the port of {other}, and one port leads to one device"
                    )),
                    None => Ok(Kind::Native),
                },
                Connect::Foreign(_) => bindings.next().map_or_else(|| Err("no topics".to_owned()), usable),
            };
            match kind.and_then(|kind| config(device, session, kind)) {
                Ok(config) => links.push(OneLink {
                    name: device.name.clone(),
                    on_bus: !matches!(device.connect, Connect::Serial { .. }),
                    link: Link::new(config),
                }),
                Err(why) => unusable.push((device.name.clone(), News::Offline { why })),
            }
        }
        let host = Hosting { session, leases };
        let links = Links { host, links };
        (links, unusable)
    }

    /// The devices on the bus that have a link.
    pub fn on_bus(&self) -> impl Iterator<Item = &str> {
        self.links
            .iter()
            .filter(|link| link.on_bus)
            .map(|link| link.name.as_str())
    }

    /// Tells all links the same; outputs are drained with [`Links::poll`].
    pub fn handle(&mut self, now: Millis, input: &LinkInput<'_>) {
        for OneLink { link, .. } in &mut self.links {
            link.handle(now, input.clone());
        }
    }

    /// Tells the links of all devices on the bus the same.
    pub fn handle_bus(&mut self, now: Millis, input: &LinkInput<'_>) {
        for OneLink { link, .. } in self.links.iter_mut().filter(|link| link.on_bus) {
            link.handle(now, input.clone());
        }
    }

    /// Tells one device's link something; outputs are drained with [`Links::poll`].
    pub fn handle_for(&mut self, now: Millis, device: &str, input: LinkInput<'_>) {
        if let Some(found) = self.links.iter_mut().find(|link| link.name == device) {
            found.link.handle(now, input);
        }
    }

    /// A command for one device.
    pub fn handle_command(&mut self, now: Millis, device: &str, id: u64, tool: &str, arguments: Vec<(String, Fact)>) {
        let arguments = arguments.into_iter().map(|(name, fact)| (name, plain(fact))).collect();
        self.handle_for(now, device, LinkInput::Command { id, tool, arguments });
    }

    /// Has one device run the program that it keeps.
    pub fn handle_run(&mut self, now: Millis, device: &str, id: u64, crc: u32, finish: bool, slots: Vec<Fact>) {
        let on_host_loss = if finish { OnHostLoss::Finish } else { OnHostLoss::Stop };
        let slots = slots.into_iter().map(plain).collect();
        let run = LinkInput::Run {
            id,
            crc,
            on_host_loss,
            slots,
        };
        self.handle_for(now, device, run);
    }

    /// Lets time pass for every link that wants it.
    pub fn handle_tick(&mut self, now: Millis) {
        for OneLink { link, .. } in &mut self.links {
            if link.next_deadline().is_some_and(|at| at <= now) {
                link.handle(now, LinkInput::Tick);
            }
        }
    }

    /// When the first link wants time to have passed.
    pub fn next_deadline(&self) -> Option<Millis> {
        self.links.iter().filter_map(|one| one.link.next_deadline()).min()
    }

    /// The next output, or `None` until the next input.
    pub fn poll(&mut self) -> Option<LinksOutput> {
        for OneLink { name, on_bus, link } in &mut self.links {
            while let Some(output) = link.poll() {
                if let LinkOutput::Event(LinkEvent::Lost(Loss::Disconnected)) = output
                    && !*on_bus
                {
                    let why = "its serial line is gone".to_owned();
                    return Some(LinksOutput::News(name.clone(), News::Lost { why }));
                }
                if let Some(output) = translated(name, output, self.host) {
                    return Some(output);
                }
            }
        }
        None
    }
}

/// The device among these that is on this serial port.
pub fn sharer<'a>(devices: &'a [Device], port: &str) -> Option<&'a str> {
    let is_on = |device: &&Device| matches!(&device.connect, Connect::Serial { path, .. } if path == port);
    devices.iter().find(is_on).map(|device| device.name.as_str())
}

/// The binding of a device with topics of its own.
#[derive(Clone, PartialEq, Debug)]
pub struct Bound {
    /// The device.
    pub device: String,
    /// What its manifest says.
    pub binding: Binding,
    /// What is wrong with that: in itself, with the tools and reports that it serves, and with the other devices' bindings.
    pub problems: Vec<Problem>,
}

/// The bindings of all devices that have one, in order.
pub fn bindings(devices: &[Device]) -> Vec<Bound> {
    let mut bindings: Vec<Bound> = Vec::new();
    for device in devices {
        let Connect::Foreign(json) = &device.connect else {
            continue;
        };
        let (binding, mut problems) = Binding::read(json);
        // What could not be read would be missed again, in other words.
        if problems.is_empty() {
            problems.extend(binding.check(&surface(device)));
        }
        for other in &bindings {
            problems.extend(overlaps(&binding, &other.device, &other.binding));
        }
        bindings.push(Bound {
            device: device.name.clone(),
            binding,
            problems,
        });
    }
    bindings
}

fn usable(bound: Bound) -> Result<Kind, String> {
    match bound.problems.iter().find(|problem| problem.is_error) {
        Some(Problem { path, message, .. }) => Err(format!(
            "its topics have errors, see llmos device check: topics{path}: {message}"
        )),
        None => Ok(Kind::Foreign(Box::new(bound.binding))),
    }
}

fn surface(device: &Device) -> Surface {
    let commands = device
        .tools
        .iter()
        .filter(|tool| tool.acts && matches!(tool.body, Body::Primitive));
    Surface {
        tools: commands
            .map(|tool| ToolSurface {
                name: tool.name.clone(),
                parameters: tool
                    .parameters
                    .iter()
                    .map(|parameter| (parameter.name.clone(), shape(&parameter.kind, parameter.limit)))
                    .collect(),
                timeout_ms: tool.timeout_ms.into(),
            })
            .collect(),
        readings: device
            .reports
            .iter()
            .map(|(name, kind)| (name.clone(), shape(kind, None)))
            .collect(),
    }
}

fn shape(kind: &Type, limit: Option<(i64, i64)>) -> Shape {
    match kind {
        Type::Quantity(_) | Type::Number | Type::Integer => Shape::Number(limit),
        Type::Boolean => Shape::Bool,
        Type::Place | Type::Point => Shape::Point,
        Type::Enumeration(options) => Shape::Options(options.clone()),
        Type::Entity | Type::Text => Shape::Text,
    }
}

fn config(device: &Device, session: u32, kind: Kind) -> Result<LinkConfig, String> {
    let name = DeviceName::parse(&device.name).map_err(|error| error.to_string())?;
    Ok(LinkConfig {
        device: name,
        session,
        heartbeat_ms: device.heartbeat_ms,
        expiry_ms: device.expiry_ms,
        kind,
    })
}

fn translated(device: &str, output: LinkOutput, host: Hosting) -> Option<LinksOutput> {
    let Hosting { session, leases } = host;
    match output {
        LinkOutput::Subscribe(topic) => Some(LinksOutput::Subscribe(topic)),
        LinkOutput::Publish { topic, .. } if !leases && is_lease(&topic) => None,
        LinkOutput::Publish {
            topic,
            payload,
            channel,
        } => Some(LinksOutput::Publish {
            topic,
            payload,
            channel,
        }),
        LinkOutput::Event(LinkEvent::Notice { text }) => Some(LinksOutput::Notice(device.to_owned(), text)),
        // Only who owns the workspace can write down what a device tells.
        LinkOutput::Event(LinkEvent::Ran(_)) if !leases => None,
        LinkOutput::Event(LinkEvent::Ran(report)) => {
            Some(LinksOutput::News(device.to_owned(), News::Ran(ran(&report, session))))
        }
        LinkOutput::Event(LinkEvent::Program(reply)) => Some(match reply.answer {
            Answer::Report(Some(report)) => LinksOutput::News(device.to_owned(), News::Ran(ran(&report, session))),
            _ => LinksOutput::Reply(device.to_owned(), reply),
        }),
        LinkOutput::Event(event) => news_of(event, leases).map(|news| LinksOutput::News(device.to_owned(), news)),
    }
}

/// Whether a topic renews or gives back a lease.
pub fn is_lease(topic: &str) -> bool {
    Topic::parse(topic).is_ok_and(|topic| topic.subject == Subject::Lease)
}

/// What an event of a link tells the kernel; `leases` says whether the host is there to act.
pub fn news_of(event: LinkEvent, leases: bool) -> Option<News> {
    Some(match event {
        // Who wants to act needs the lease; who looks only needs the device to be there.
        LinkEvent::Online if leases => return None,
        LinkEvent::Notice { .. } | LinkEvent::Program(_) | LinkEvent::Ran(_) => return None,
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
            why: refusal_text(reason),
        },
        LinkEvent::Failed { id, reason } => News::Failed {
            command: id,
            why: reason,
        },
        LinkEvent::Lost(Loss::Restarted) => News::Restarted,
        LinkEvent::Lost(loss) => News::Lost {
            why: loss_text(loss).to_owned(),
        },
        LinkEvent::Nonsense { what } => News::Nonsense { what },
    })
}

/// What a device tells of a run. Who passes it on adds when.
fn ran(report: &RunReport, session: u32) -> Ran {
    Ran {
        session: report.session,
        mine: report.session == session,
        run: report.run,
        crc: report.crc,
        step: report.step,
        commands: report.commands,
        ms: report.ms.into(),
        end: match report.outcome {
            Outcome::Finished { observed, digest } => RanEnd::Finished { observed, digest },
            Outcome::Handoff { why, compensation } => RanEnd::Handoff { why, compensation },
            Outcome::Stopped => RanEnd::Stopped,
            Outcome::HostLost => RanEnd::HostLost,
        },
        date: String::new(),
    }
}

/// Why a device does not begin; what a person can do about runs is said with it.
fn refusal_text(reason: Refusal) -> String {
    let text = match reason {
        Refusal::NoProgram => "it keeps another program, or none",
        Refusal::BadProgram => "the program that it keeps is damaged, so push it again",
        Refusal::NeedsHost => "its own configuration does not let it go on without a host, so say --on-loss stop",
        Refusal::ReportWaiting => "what came of its last run has not been taken over yet, so try again",
        Refusal::NoRoom => "it reports more than it can follow a program with",
        other => return format!("{other:?}"),
    };
    format!("{text} ({})", reason.as_str())
}

fn loss_text(loss: Loss) -> &'static str {
    match loss {
        Loss::Disconnected => "the connection to the broker is gone",
        Loss::Offline => "the device went offline",
        Loss::Silent => "the device reports nothing any more",
        Loss::NoAck => "the device did not acknowledge, although it was asked again",
        Loss::Restarted => "the device restarted",
        Loss::LeaseLost => "the lease ran out, or the device serves somebody else",
        Loss::Unannounced => "the topic under \"online\" in its manifest has not said that it is there",
        Loss::Unheard => {
            "nothing that its manifest reads has come on the topics under \"state\"; are topics and pointers right?"
        }
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

/// An argument as the link sends it.
pub fn plain(fact: Fact) -> Plain {
    match fact {
        Fact::Bool(truth) => Plain::Bool(truth),
        Fact::Number(micro) => Plain::Number(micro),
        Fact::Point(point) => Plain::Point(point),
        Fact::Text(text) => Plain::Text(text),
        Fact::Nothing => Plain::Nothing,
    }
}
