//! The kernel in its world: an event loop that feeds it what happens and carries out what it asks for. The loop knows who to hand each
//! output to, and nothing about what it means.

use super::devices::Devices;
use super::hooks::Hooks;
use super::journal::Journal;
use super::model::Model;
use super::person::Person;
use super::workspace::Workspace;
use crate::config::{Broker, Config};
use crate::output::Printer;
use crate::trouble::Trouble;
use llmos_firmware_bridge::io::{BrokerUrl, Bus, BusEvent, broker};
use llmos_firmware_bridge::sim::{self, SimHandle, SimKind, SimOptions};
use llmos_firmware_bridge::topic::DeviceName;
use llmos_follower::Millis;
use llmos_kernel::kernel::{Kernel, Settings};
use llmos_kernel::message::{Input, News, Output, Report, Request};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How long the first connection to a broker may take.
const CONNECT_MS: u64 = 4_000;
/// How long a stop may take to leave when the program ends.
const STOP_MS: u64 = 1_000;

/// What happened outside.
enum Happened {
    Bus(BusEvent),
    Input(Input),
    Interrupted,
    Time,
}

/// The kernel and everything around it.
pub struct Host {
    kernel: Kernel,
    journal: Option<Journal>,
    workspace: Workspace,
    devices: Option<Devices>,
    bus: Option<mpsc::Receiver<BusEvent>>,
    model: Model,
    hooks: Hooks,
    verdicts: (mpsc::UnboundedSender<Input>, mpsc::UnboundedReceiver<Input>),
    person: Person,
    printer: Printer,
    clock: Instant,
    wake: Option<Millis>,
    pending: VecDeque<Input>,
    done: Option<Box<Report>>,
    interrupts: u32,
    /// Simulated devices live as long as the host.
    sims: Vec<SimHandle>,
}

impl Host {
    /// A host that plans and touches no device.
    pub fn offline(config: &Config, workspace: Workspace, printer: Printer) -> Host {
        let hooks = Hooks::read(workspace.read("hooks.toml"));
        Host {
            kernel: Kernel::new(Settings::default()),
            journal: None,
            workspace,
            devices: None,
            bus: None,
            model: Model::start(config.model.clone()),
            hooks,
            verdicts: mpsc::unbounded_channel(),
            person: Person::new(),
            printer,
            clock: Instant::now(),
            wake: None,
            pending: VecDeque::new(),
            done: None,
            interrupts: 0,
            sims: Vec::new(),
        }
    }

    /// A host with its devices on a broker.
    pub async fn online(config: &Config, workspace: Workspace, printer: Printer) -> Result<Host, Trouble> {
        let mut host = Host::offline(config, workspace, printer);
        host.journal = Some(Journal::begin(host.workspace.root(), &date(), &Settings::default()));
        for (path, text) in host.workspace.documents() {
            match text {
                Ok(text) => host.input(Input::Document { path, text }),
                Err(error) => host.printer.note(&format!("warning: {path} is left out: {error}")),
            }
        }
        host.show_findings();
        host.input(Input::Ready);
        let url = host.start_broker(config)?;
        let session = session();
        let (bus, mut events) = Bus::connect(&url, &format!("llmos-{session:08x}"));
        host.devices = Some(Devices::new(bus, host.kernel.devices(), session).map_err(Trouble::environment)?);
        host.wait_for_broker(config, &mut events).await?;
        host.bus = Some(events);
        Ok(host)
    }

    fn show_findings(&self) {
        for (path, found) in self.kernel.findings() {
            for diagnostic in found.iter().filter(|diagnostic| diagnostic.is_error()) {
                self.printer.note(&llmos_kernel::text::show(path, diagnostic));
            }
        }
    }

    /// Starts the embedded broker and its simulated devices, where that is wanted.
    fn start_broker(&mut self, config: &Config) -> Result<BrokerUrl, Trouble> {
        let Broker::Embedded = config.broker else {
            return match &config.broker {
                Broker::At { url, .. } => Ok(url.clone()),
                Broker::Embedded => Err(Trouble::environment("no broker")),
            };
        };
        let port = broker::start()
            .map_err(|error| Trouble::environment(format!("the embedded broker does not start: {error}")))?;
        let url = BrokerUrl::local(port);
        let mut absent = Vec::new();
        for device in self.kernel.devices() {
            let Some(kind) = device.simulator.as_deref() else {
                absent.push(device.name.clone());
                continue;
            };
            self.sims.push(simulate(config, kind, &device.name, &url)?);
        }
        for device in absent {
            let why = "it is not simulated on the embedded broker; name its broker with --broker".to_owned();
            self.input(Input::Device {
                device,
                news: News::Offline { why },
            });
        }
        Ok(url)
    }

    async fn wait_for_broker(&mut self, config: &Config, events: &mut mpsc::Receiver<BusEvent>) -> Result<(), Trouble> {
        let name = match &config.broker {
            Broker::Embedded => "the embedded broker".to_owned(),
            Broker::At { text, .. } => format!("the broker {text}"),
        };
        let mut last = "no answer".to_owned();
        let wait = async {
            while let Some(event) = events.recv().await {
                match event {
                    BusEvent::Connected => return true,
                    BusEvent::Disconnected(reason) => last = reason,
                    BusEvent::Message { .. } => {}
                }
            }
            false
        };
        let connected = tokio::time::timeout(Duration::from_millis(CONNECT_MS), wait).await;
        if connected != Ok(true) {
            return Err(Trouble::environment(format!(
                "{name} can't be reached: {last}; is it running, and are address and password right?"
            )));
        }
        self.bus_event(&BusEvent::Connected);
        Ok(())
    }

    /// The kernel, to look at.
    pub fn kernel(&self) -> &Kernel {
        &self.kernel
    }

    /// The person.
    pub fn person(&mut self) -> &mut Person {
        &mut self.person
    }

    /// How often the person pressed Ctrl-C.
    pub fn was_interrupted(&self) -> bool {
        self.interrupts > 0
    }

    /// Carries out one goal.
    pub async fn goal(&mut self, request: Request) -> Report {
        self.input(Input::Goal(request));
        loop {
            if let Some(report) = self.done.take() {
                if let Some(journal) = self.journal.as_mut() {
                    journal.flush();
                }
                return *report;
            }
            self.step().await;
        }
    }

    /// Feeds one input and carries on for a while.
    pub async fn carry(&mut self, input: Option<Input>, time: Duration) {
        if let Some(input) = input {
            self.input(input);
        }
        let end = self.now() + u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        while self.now() < end && self.interrupts == 0 {
            self.wake = Some(self.wake.map_or(end, |at| at.min(end)));
            self.step().await;
        }
    }

    /// Gives leases back and ends the connections.
    pub async fn close(mut self) {
        let now = self.now();
        if let Some(mut devices) = self.devices.take() {
            devices.release(now);
            // The farewell may not keep the person waiting.
            let _ = tokio::time::timeout(Duration::from_millis(STOP_MS), devices.close()).await;
        }
    }

    async fn step(&mut self) {
        match self.happening().await {
            Happened::Bus(event) => self.bus_event(&event),
            Happened::Input(input) => self.input(input),
            Happened::Interrupted => self.interrupted(),
            Happened::Time => {}
        }
        let now = self.now();
        if self.wake.is_some_and(|at| at <= now) {
            self.wake = None;
            self.input(Input::Tick);
        }
        if let Some(devices) = self.devices.as_mut() {
            let news = devices.tick(now);
            self.news(news);
        }
    }

    fn interrupted(&mut self) {
        self.interrupts += 1;
        if self.interrupts > 1 {
            std::process::exit(1);
        }
        self.printer.note("stopping; press Ctrl-C again to leave at once");
        self.input(Input::Stop { device: None });
    }

    async fn happening(&mut self) -> Happened {
        let deadline = self
            .wake
            .into_iter()
            .chain(self.devices.as_ref().and_then(Devices::next_deadline))
            .min();
        let wait = deadline.map_or(100, |at| at.saturating_sub(self.now()).min(100));
        tokio::select! {
            biased;
            _ = tokio::signal::ctrl_c() => Happened::Interrupted,
            Some(event) = receive(&mut self.bus) => Happened::Bus(event),
            Some((request, answer)) = self.model.answers.recv() => Happened::Input(Input::Generated { request, answer }),
            Some(input) = self.verdicts.1.recv() => Happened::Input(input),
            () = tokio::time::sleep(Duration::from_millis(wait)) => Happened::Time,
        }
    }

    fn now(&self) -> Millis {
        u64::try_from(self.clock.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn bus_event(&mut self, event: &BusEvent) {
        let now = self.now();
        if let Some(devices) = self.devices.as_mut() {
            let news = devices.bus_event(now, event);
            self.news(news);
        }
    }

    fn news(&mut self, news: Vec<(String, News)>) {
        for (device, news) in news {
            self.input(Input::Device { device, news });
        }
    }

    /// Feeds an input, and all that follows from it.
    fn input(&mut self, input: Input) {
        self.pending.push_back(input);
        while let Some(input) = self.pending.pop_front() {
            let now = self.now();
            if let Some(journal) = self.journal.as_mut() {
                journal.input(now, &input);
            }
            self.kernel.handle(now, input);
            while let Some(output) = self.kernel.poll() {
                if let Some(journal) = self.journal.as_mut() {
                    journal.output(&output);
                }
                self.carry_out(now, output);
            }
        }
    }

    fn carry_out(&mut self, now: Millis, output: Output) {
        let mut news = Vec::new();
        match output {
            Output::Generate { request, query } => self.model.ask(request, query),
            Output::Command {
                device,
                command,
                tool,
                arguments,
            } => {
                news = self.devices.as_mut().map_or_else(Vec::new, |devices| {
                    devices.command(now, &device, command, &tool, arguments)
                });
            }
            Output::StopDevice { device, why } => {
                news = self
                    .devices
                    .as_mut()
                    .map_or_else(Vec::new, |devices| devices.stop(now, &device, &why));
            }
            Output::ResetDevice { device } => {
                news = self
                    .devices
                    .as_mut()
                    .map_or_else(Vec::new, |devices| devices.reset(now, &device));
            }
            Output::Hook {
                request,
                device,
                tool,
                arguments,
            } => {
                let (hooks, sender) = (self.hooks.clone(), self.verdicts.0.clone());
                tokio::spawn(async move {
                    let verdict = hooks.ask(device, tool, arguments).await;
                    // The host outlives its hooks, or there is nobody left to tell.
                    let _ = sender.send(Input::Verdict { request, verdict });
                });
            }
            Output::Ask { request, question } => self.ask(request, &question),
            Output::Store { request, path, text } => {
                let error = self.workspace.store(&path, &text).err();
                self.pending.push_back(Input::Stored { request, error });
            }
            Output::Append { request, path, line } => {
                let error = self.workspace.append(&path, &line).err();
                self.pending.push_back(Input::Stored { request, error });
            }
            Output::Tell(event) => self.printer.event(&event),
            Output::Done(report) => self.done = Some(report),
            Output::Wake { at } => self.wake = Some(at),
        }
        self.pending
            .extend(news.into_iter().map(|(device, news)| Input::Device { device, news }));
    }

    fn ask(&mut self, request: u64, question: &str) {
        self.printer.note(&format!("{question} [y/N]"));
        if !self.person.talks() {
            self.pending.push_back(Input::Answered { request, yes: false });
            return;
        }
        let mut person = std::mem::replace(&mut self.person, Person::new());
        let sender = self.verdicts.0.clone();
        tokio::spawn(async move {
            let yes = matches!(person.line().await, Some(Ok(line)) if matches!(line.trim(), "y" | "Y" | "yes"));
            // The host outlives the question, or there is nobody left to tell.
            let _ = sender.send(Input::Answered { request, yes });
        });
    }
}

async fn receive(bus: &mut Option<mpsc::Receiver<BusEvent>>) -> Option<BusEvent> {
    match bus {
        Some(bus) => bus.recv().await,
        None => std::future::pending().await,
    }
}

/// Starts a simulated device.
pub fn simulate(config: &Config, kind: &str, name: &str, url: &BrokerUrl) -> Result<SimHandle, Trouble> {
    let known: Vec<&str> = sim::kinds().iter().map(|(_, name, _)| *name).collect();
    let kind = SimKind::parse(kind).ok_or_else(|| {
        Trouble::usage(format!(
            "there is no simulated \"{kind}\"; known are {}",
            known.join(", ")
        ))
    })?;
    let device = DeviceName::parse(name).map_err(|error| Trouble::usage(error.to_string()))?;
    let faults = if config.fault.is_empty() {
        sim::Faults::default()
    } else {
        sim::Faults::parse(&config.fault).map_err(|error| Trouble::usage(error.to_string()))?
    };
    let options = SimOptions {
        kind,
        device,
        broker: url.clone(),
        seed: config.seed,
        haste: config.haste,
        faults,
    };
    sim::run(options).map_err(|error| Trouble::environment(format!("the simulated {name} does not start: {error}")))
}

/// Today's date and time, for documents.
pub fn date() -> String {
    humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string()
}

/// A session number that no other process has: time and process id, mixed.
fn session() -> u32 {
    let nanos = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |time| {
            time.subsec_nanos() ^ u32::try_from(time.as_secs() & 0xffff_ffff).unwrap_or(0)
        });
    (nanos ^ std::process::id().wrapping_mul(2_654_435_761)).max(1)
}
