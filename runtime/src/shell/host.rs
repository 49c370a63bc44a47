//! The kernel in its world: an event loop that feeds it what happens and carries out what it asks for. The loop knows who to hand each
//! output to, and nothing about what it means.

mod aboard;

use super::devices::Devices;
use super::hooks::{Books, Hooks, Subject, When};
use super::journal::Journal;
use super::model::Model;
use super::person::Person;
use super::signals::Signals;
use super::simulated;
use super::timing::Timing;
use super::workspace::Workspace;
use crate::config::{Broker, Config};
use crate::output::Printer;
use crate::trouble::Trouble;
use llmos_firmware_bridge::io::{BrokerUrl, Bus, BusEvent, broker};
use llmos_firmware_bridge::sim::{Memory, SimHandle};
use llmos_firmware_bridge::topic::DeviceName;
use llmos_follower::Millis;
use llmos_kernel::kernel::{Kernel, Settings};
use llmos_kernel::message::{Event, Input, News, Output, Report, Request, Verdict};
use llmos_kernel::tool::Device;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How long the first connection to a broker may take.
const CONNECT_MS: u64 = 4_000;
/// How long devices may take to be seen.
const LOOK_MS: u64 = 2_000;
/// How often the loop looks around when nothing happens.
const IDLE_MS: u64 = 100;
/// How long a stop may take to leave when the program ends.
const STOP_MS: u64 = 1_000;

/// Where the numbers of requests about programs begin.
const PROGRAM_IDS: u64 = 1 << 40;

/// The files that say what is allowed; they are read again while a run is under way.
const LAW: [&str; 2] = ["policy.toml", "hooks.toml"];
/// How often, in milliseconds.
const LAW_MS: u64 = 500;

/// How long hooks of a stop may take when the program ends.
const FAREWELL_MS: u64 = 3_000;

/// What a host is there for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// To carry out goals: it leases the devices, keeps a journal and owns the workspace.
    Acts,
    /// To replay traces: as before, and without a model until one is needed.
    Follows,
    /// To plan goals: it sees what devices report and takes no lease.
    Plans,
    /// To see what devices report, or to stop them: as before, and without a model.
    Looks,
}

impl Part {
    fn acts(self) -> bool {
        matches!(self, Part::Acts | Part::Follows)
    }
}

/// What happened outside.
enum Happened {
    Bus(BusEvent),
    Input(Input),
    /// A hook of a stop has ended.
    Told(Verdict),
    /// What the person typed; `None` at the end.
    Line(Option<Line>),
    Interrupted,
    Time,
}

/// What is to become of runs that were broken off.
#[derive(Clone, Default, Debug)]
pub struct Earlier {
    /// Whether the command was carried out that is open on a device.
    pub settled: Vec<(String, bool)>,
    /// Whether none is taken up.
    pub anew: bool,
}

/// A question that a person is to answer.
#[derive(Clone, Copy)]
enum Asked {
    /// With yes or no.
    Consent(u64),
    /// With a name.
    Name(u64),
}

/// A line that the person typed, or why it can't be read.
pub type Line = Result<String, String>;

/// The kernel and everything around it.
pub struct Host {
    part: Part,
    kernel: Kernel,
    settings: Settings,
    journal: Option<Journal>,
    workspace: Workspace,
    devices: Option<Devices>,
    bus: Option<mpsc::Receiver<BusEvent>>,
    model: Model,
    hooks: Hooks,
    /// The hooks of the next run, where the file has changed in this one.
    next_hooks: Option<Hooks>,
    books: Books,
    /// `policy.toml` and `hooks.toml` as they were last read, and when they are looked at again.
    law: [Option<Result<String, String>>; 2],
    look_at: Millis,
    verdicts: (mpsc::UnboundedSender<Happened>, mpsc::UnboundedReceiver<Happened>),
    /// Hooks of a stop that have not ended.
    told: u32,
    person: Person,
    /// The question that the next line answers.
    asked: Option<Asked>,
    signals: Signals,
    printer: Printer,
    clock: Instant,
    wake: Option<Millis>,
    pending: VecDeque<Input>,
    /// Whether a goal is under way.
    busy: bool,
    done: Option<Box<Report>>,
    interrupts: u32,
    /// The number of the next request about programs; commands have lower ones.
    program_ids: u64,
    /// When commands are due and leave, if somebody wants to know.
    timing: Option<Timing>,
    /// Simulated devices live as long as the host.
    simulated: Vec<SimHandle>,
}

impl Host {
    /// A host without devices.
    pub fn offline(config: &Config, workspace: Workspace, printer: Printer, part: Part) -> Result<Host, Trouble> {
        let signals = Signals::new()
            .map_err(|error| Trouble::environment(format!("Ctrl-C can't be received, so nothing is begun: {error}")))?;
        let mut model = Model::new(
            config.model.clone(),
            workspace.root().join("cache"),
            config.model_timeout,
        );
        if matches!(part, Part::Acts | Part::Plans) {
            model.load();
        }
        let hooks = Hooks::read(workspace.root(), workspace.read("hooks.toml"));
        let settings = Settings {
            reviewed: part.acts(),
            ..Settings::default()
        };
        Ok(Host {
            part,
            kernel: Kernel::new(settings.clone()),
            settings,
            journal: None,
            hooks,
            next_hooks: None,
            law: LAW.map(|path| workspace.read(path)),
            look_at: 0,
            books: Books::open(&workspace),
            workspace,
            devices: None,
            bus: None,
            model,
            verdicts: mpsc::unbounded_channel(),
            told: 0,
            person: Person::new(),
            asked: None,
            signals,
            printer,
            clock: Instant::now(),
            wake: None,
            pending: VecDeque::new(),
            busy: false,
            done: None,
            interrupts: 0,
            program_ids: PROGRAM_IDS,
            timing: None,
            simulated: Vec::new(),
        })
    }

    /// A host with its devices on a broker.
    pub async fn online(config: &Config, workspace: Workspace, printer: Printer, part: Part) -> Result<Host, Trouble> {
        let mut host = Host::offline(config, workspace, printer, part)?;
        if part.acts() {
            host.journal = Some(Journal::begin(host.workspace.root(), &date(), &host.settings));
        }
        host.read_documents();
        host.show_findings();
        host.input(Input::Ready);
        let url = match &config.broker {
            Broker::At { url, .. } => url.clone(),
            Broker::Embedded(None) => host.start_broker(config)?,
            Broker::Embedded(Some(listen)) => broker::start_on(listen.at, listen.users.clone())
                .map_err(|error| Trouble::environment(error.to_string()))?,
        };
        let session = session();
        let (bus, mut events) = Bus::connect(&url, &format!("llmos-{session:08x}"));
        let leases = part.acts();
        let (devices, unusable) = Devices::new(bus, host.kernel.devices(), session, leases);
        host.devices = Some(devices);
        host.news(unusable);
        host.wait_for_broker(config, &mut events).await?;
        host.bus = Some(events);
        Ok(host)
    }

    /// Reads the workspace. The journal names all documents at once.
    fn read_documents(&mut self) {
        let mut documents = Vec::new();
        for (path, text) in self.workspace.documents() {
            match text {
                Ok(text) => documents.push((path, text)),
                Err(error) => self.printer.note(&format!("warning: {path} is left out: {error}")),
            }
        }
        let now = self.now();
        if let Some(journal) = self.journal.as_mut() {
            journal.documents(now, &documents);
        }
        for (path, text) in documents {
            self.kernel.handle(now, Input::Document { path, text });
        }
        self.drain(now, Instant::now());
    }

    fn show_findings(&self) {
        for (path, found) in self.kernel.findings() {
            for diagnostic in found.iter().filter(|diagnostic| diagnostic.is_error()) {
                self.printer.note(&llmos_kernel::text::show(path, diagnostic));
            }
        }
    }

    /// Starts the embedded broker and its simulated devices.
    fn start_broker(&mut self, config: &Config) -> Result<BrokerUrl, Trouble> {
        let port = broker::start().map_err(|error| Trouble::environment(error.to_string()))?;
        let url = BrokerUrl::local(port);
        let mut absent = Vec::new();
        for device in self.kernel.devices() {
            match stand_in(config, device, &url) {
                Ok(simulated) => self.simulated.push(simulated),
                Err(why) => absent.push((device.name.clone(), News::Offline { why })),
            }
        }
        self.news(absent);
        Ok(url)
    }

    async fn wait_for_broker(&mut self, config: &Config, events: &mut mpsc::Receiver<BusEvent>) -> Result<(), Trouble> {
        let name = match &config.broker {
            Broker::Embedded(_) => "the embedded broker".to_owned(),
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
        let connected = tokio::select! {
            connected = tokio::time::timeout(Duration::from_millis(CONNECT_MS), wait) => connected == Ok(true),
            () = self.signals.next() => return Err(Trouble::failed("interrupted before anything was begun")),
        };
        if !connected {
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

    /// Measures from now on when commands are due and when they leave.
    pub fn measure(&mut self) {
        self.timing = Some(Timing::default());
    }

    /// What was measured; measuring ends.
    pub fn measured(&mut self) -> Option<Timing> {
        self.timing.take()
    }

    /// Whether there is a person at a terminal.
    pub fn talks(&self) -> bool {
        self.person.talks()
    }

    /// Whether the person pressed Ctrl-C.
    pub fn was_interrupted(&self) -> bool {
        self.interrupts > 0
    }

    /// The next line that the person types; devices are served meanwhile. `None` at the end, or when the person pressed Ctrl-C.
    pub async fn line(&mut self) -> Option<Line> {
        while self.interrupts == 0 {
            match self.happening(true).await {
                Happened::Line(line) => return line,
                other => self.take(other),
            }
        }
        None
    }

    /// Carries out one goal.
    ///
    /// # Errors
    /// The person ended it while it was only planned.
    pub async fn goal(&mut self, request: Request) -> Result<Report, Trouble> {
        self.busy = true;
        self.input(Input::Goal(request));
        loop {
            if let Some(report) = self.done.take() {
                self.busy = false;
                if let Some(hooks) = self.next_hooks.take() {
                    self.hooks = hooks;
                }
                return Ok(*report);
            }
            if self.interrupts > 0 && !self.part.acts() {
                return Err(Trouble::failed("interrupted; no device was told anything"));
            }
            self.step().await;
        }
    }

    /// Tells the kernel what the person said on the command line about a run that was broken off.
    pub fn tell(&mut self, earlier: &Earlier) {
        for (device, yes) in &earlier.settled {
            let (device, yes) = (device.clone(), *yes);
            self.input(Input::Settled { device, yes });
        }
        if earlier.anew {
            self.input(Input::Anew);
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

    /// Waits until every device has said something, but not for long.
    pub async fn look_round(&mut self) {
        for _ in 0..LOOK_MS / IDLE_MS {
            if self.kernel.world().all_have_spoken() || self.interrupts > 0 {
                return;
            }
            self.carry(None, Duration::from_millis(IDLE_MS)).await;
        }
    }

    /// Gives leases back and ends the connections.
    pub async fn close(mut self) {
        // What was told of a stop may be told to the end, but not for ever.
        let told = async {
            while self.told > 0 {
                let Some(happened) = self.verdicts.1.recv().await else {
                    break;
                };
                self.take(happened);
            }
        };
        let _ = tokio::time::timeout(Duration::from_millis(FAREWELL_MS), told).await;
        let now = self.now();
        if let Some(mut devices) = self.devices.take() {
            devices.release(now);
            // The farewell may not keep the person waiting.
            let _ = tokio::time::timeout(Duration::from_millis(STOP_MS), devices.close()).await;
        }
    }

    async fn step(&mut self) {
        let happened = self.happening(self.asked.is_some()).await;
        self.take(happened);
    }

    fn take(&mut self, happened: Happened) {
        match happened {
            Happened::Bus(event) => self.bus_event(&event),
            Happened::Input(input) => self.input(input),
            Happened::Told(verdict) => {
                self.told = self.told.saturating_sub(1);
                if let Verdict::Deny { why } = verdict {
                    self.printer.note(&format!("warning: a hook of the stop: {why}"));
                }
            }
            Happened::Line(line) => self.answered(line),
            Happened::Interrupted => self.interrupted(),
            Happened::Time => {}
        }
        let now = self.now();
        if self.part.acts() && now >= self.look_at {
            self.look_at = now + LAW_MS;
            self.read_law();
        }
        if self.wake.is_some_and(|at| at <= now) {
            self.wake = None;
            self.input(Input::Tick);
        }
        if let Some(devices) = self.devices.as_mut() {
            let news = devices.tick(now);
            self.news(news);
        }
    }

    /// What is tighter by now holds at once, what is looser from the next run: the kernel sees to that for the policy, and hooks of before
    /// are asked beside those of now. A file that is gone or can't be read allows nothing.
    fn read_law(&mut self) {
        let law = LAW.map(|path| self.workspace.read(path));
        let [policy, hooks] = &law;
        let [old_policy, old_hooks] = &self.law;
        let (new_policy, new_hooks) = (policy != old_policy, hooks != old_hooks);
        if new_hooks {
            let new = Hooks::read(self.workspace.root(), hooks.clone());
            self.printer.note("hooks.toml has changed");
            if self.busy {
                self.hooks = self.hooks.clone().and(&new);
                self.next_hooks = Some(new);
            } else {
                self.hooks = new;
            }
        }
        let text = match policy {
            Some(Ok(text)) => text.clone(),
            None | Some(Err(_)) => String::new(),
        };
        self.law = law;
        if new_policy {
            let path = LAW[0].to_owned();
            self.printer.note("policy.toml has changed");
            self.input(Input::Document { path, text });
            self.show_findings();
        }
    }

    /// The first time stops what this host has begun; what others have begun is theirs.
    fn interrupted(&mut self) {
        self.interrupts += 1;
        if self.interrupts > 1 {
            std::process::exit(1);
        }
        if self.busy && self.part.acts() {
            self.printer.note("stopping; press Ctrl-C again to leave at once");
            self.input(Input::Stop { device: None });
        }
    }

    fn answered(&mut self, line: Option<Line>) {
        let word = line.and_then(Result::ok).unwrap_or_default();
        let word = word.trim();
        match self.asked.take() {
            Some(Asked::Consent(request)) => self.input(match word {
                "y" | "Y" | "yes" => Input::Answered { request, yes: true },
                "n" | "N" | "no" => Input::Answered { request, yes: false },
                _ => Input::Unanswered { request },
            }),
            Some(Asked::Name(request)) => {
                let name = word.to_owned();
                self.input(Input::Agreed { request, name });
            }
            None => {}
        }
    }

    async fn happening(&mut self, listens: bool) -> Happened {
        let deadlines = self
            .wake
            .into_iter()
            .chain(self.devices.as_ref().and_then(Devices::next_deadline));
        let wait = deadlines
            .min()
            .map_or(IDLE_MS, |at| at.saturating_sub(self.now()).min(IDLE_MS));
        tokio::select! {
            biased;
            () = self.signals.next() => Happened::Interrupted,
            Some(event) = receive(&mut self.bus) => Happened::Bus(event),
            (request, answer) = self.model.answer() => Happened::Input(Input::Generated { request, answer }),
            Some(happened) = self.verdicts.1.recv() => happened,
            line = self.person.line(), if listens => Happened::Line(line),
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
        for (device, mut news) in news {
            if let News::Ran(ran) = &mut news {
                ran.date = date();
            }
            self.input(Input::Device { device, news });
        }
    }

    /// Feeds an input, and all that follows from it.
    fn input(&mut self, input: Input) {
        self.pending.push_back(input);
        while let Some(input) = self.pending.pop_front() {
            let now = self.now();
            if let Input::Generated { answer, .. } = &input {
                self.books.planned(answer.tokens());
            }
            if let Some(journal) = self.journal.as_mut() {
                journal.input(now, &input);
            }
            let came = Instant::now();
            self.kernel.handle(now, input);
            self.drain(now, came);
        }
        if let Some(journal) = self.journal.as_mut() {
            journal.flush();
            if let Some(complaint) = journal.complaint() {
                self.printer.note(&format!("warning: {complaint}"));
            }
        }
    }

    fn drain(&mut self, now: Millis, came: Instant) {
        while let Some(output) = self.kernel.poll() {
            if let Some(journal) = self.journal.as_mut() {
                journal.output(&output);
            }
            self.carry_out(now, came, output);
        }
    }

    /// Does what the kernel wants upon the input that `came` then.
    fn carry_out(&mut self, now: Millis, came: Instant, output: Output) {
        if let Some(timing) = self.timing.as_mut() {
            match &output {
                Output::Hook { .. } => timing.offered(came),
                Output::Tell(Event::CommandSent { leg, .. }) => timing.was_leg(*leg),
                _ => {}
            }
        }
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
                self.books.sent();
                let left = self.devices.as_ref().and_then(Devices::published);
                if let (Some(timing), Some(left)) = (self.timing.as_mut(), left) {
                    timing.left(left);
                }
            }
            output @ (Output::RunAboard { .. } | Output::AskReport { .. } | Output::Forget { .. }) => {
                news = self.carry_aboard(now, output);
            }
            Output::StopDevice { device, why } => {
                news = self
                    .devices
                    .as_mut()
                    .map_or_else(Vec::new, |devices| devices.stop(now, &device, &why));
                self.tell_hooks(device, &why);
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
                let subject = Subject {
                    when: When::PreToolUse,
                    device,
                    tool,
                    arguments,
                    more: serde_json::Value::Null,
                };
                self.ask_hooks(request, subject);
            }
            Output::Review { request, what } => self.ask_hooks(request, Subject::of(what)),
            Output::Ask { request, question } => self.ask(Asked::Consent(request), &format!("{question} [y/n]")),
            Output::AskName { request, question } => self.ask(Asked::Name(request), &question),
            Output::Store { request, path, text } => {
                let error = self.workspace.store(&path, &text).err();
                self.pending.push_back(Input::Stored { request, error });
            }
            Output::Amend {
                request,
                path,
                pattern,
                note,
            } => {
                let error = self.workspace.amend(&path, &pattern, &note).err();
                self.pending.push_back(Input::Stored { request, error });
            }
            Output::Append { request, path, line } => {
                let error = self.workspace.append(&path, &line).err();
                self.pending.push_back(Input::Stored { request, error });
            }
            Output::Tell(event) => {
                if let Event::StepObserved { .. } = event {
                    self.books.observed();
                }
                self.printer.event(&event);
            }
            Output::Done(report) => {
                self.asked = None;
                if let Err(why) = self.books.charge(&report, self.hooks.counts()) {
                    self.printer.note(&format!("warning: {why}"));
                }
                self.done = Some(report);
            }
            Output::Wake { at } => self.wake = Some(at),
        }
        for (device, mut news) in news {
            if let News::Ran(ran) = &mut news {
                ran.date = date();
            }
            self.pending.push_back(Input::Device { device, news });
        }
    }

    fn ask(&mut self, asked: Asked, question: &str) {
        if self.person.talks() {
            self.printer.note(question);
            self.asked = Some(asked);
        } else {
            let (Asked::Consent(request) | Asked::Name(request)) = asked;
            self.pending.push_back(Input::Unanswered { request });
        }
    }

    /// Asks the built-ins at once, then programs, which take their time.
    fn ask_hooks(&mut self, request: u64, subject: Subject) {
        let verdict = self.hooks.ask_builtins(&mut self.books, &subject);
        if verdict != Verdict::Pass || !self.hooks.has_programs(&subject) {
            self.pending.push_back(Input::Verdict { request, verdict });
            return;
        }
        let (hooks, sender) = (self.hooks.clone(), self.verdicts.0.clone());
        tokio::spawn(async move {
            let verdict = hooks.ask(subject).await;
            // The host outlives its hooks, or there is nobody left to tell.
            let _ = sender.send(Happened::Input(Input::Verdict { request, verdict }));
        });
    }

    /// Tells the hooks of a stop that has been published. Nothing waits for them, and what they say changes nothing.
    fn tell_hooks(&mut self, device: String, why: &str) {
        let subject = Subject {
            when: When::OnStop,
            device,
            tool: String::new(),
            arguments: Vec::new(),
            more: serde_json::json!({ "why": why }),
        };
        if let Verdict::Deny { why } = self.hooks.ask_builtins(&mut self.books, &subject) {
            self.printer.note(&format!("warning: a hook of the stop: {why}"));
        }
        if self.hooks.has_programs(&subject) {
            let (hooks, sender) = (self.hooks.clone(), self.verdicts.0.clone());
            self.told += 1;
            tokio::spawn(async move {
                let verdict = hooks.ask(subject).await;
                let _ = sender.send(Happened::Told(verdict));
            });
        }
    }
}

/// A simulated device in the place of this one, or why there is none.
fn stand_in(config: &Config, device: &Device, url: &BrokerUrl) -> Result<SimHandle, String> {
    let kind = device.simulator.as_deref();
    let kind = kind.ok_or("it is not simulated on the embedded broker; name its broker with --broker")?;
    let name = DeviceName::parse(&device.name).map_err(|error| error.to_string())?;
    simulated::start(config, simulated::simulator(kind)?, name, url, Memory::default())
}

async fn receive(bus: &mut Option<mpsc::Receiver<BusEvent>>) -> Option<BusEvent> {
    match bus {
        Some(bus) => bus.recv().await,
        None => std::future::pending().await,
    }
}

/// Today's date and time, for documents.
pub fn date() -> String {
    humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string()
}

/// The local time of day, in minutes since midnight; `None` where the time zone can't be found, so that quiet hours are not guessed.
pub fn minute_of_day() -> Option<u16> {
    let zone = jiff::tz::TimeZone::try_system().ok()?;
    let now = jiff::Timestamp::now().to_zoned(zone);
    let minute = u16::try_from(now.hour()).ok()? * 60 + u16::try_from(now.minute()).ok()?;
    Some(minute)
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
