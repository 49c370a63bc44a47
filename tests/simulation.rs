//! A whole llmos in memory and in virtual time: the kernel, the program's own links, weather, and the simulated devices. There is no
//! broker, no thread and no clock; time jumps to whatever is due next, so a run of seconds takes milliseconds, and its seed is the whole
//! run. What a model would answer is scripted.

use crate::links::{Links, LinksOutput};
use llmos_firmware_bridge::link::LinkInput;
use llmos_firmware_bridge::message::{AckMessage, CommandMessage, StateMessage, read, write};
use llmos_firmware_bridge::sim::simulated::{Published, Simulated};
use llmos_firmware_bridge::sim::{Air, Faults, SimKind, Weather};
use llmos_firmware_bridge::topic::{DeviceName, Subject, Topic};
use llmos_follower::Millis;
use llmos_kernel::kernel::{Kernel, Settings};
use llmos_kernel::message::{
    Answer, AnswerCall, Caller, Fact, Input, Output, Pointed, Query, Report, Request, Tokens, Verdict,
};
use llmos_kernel::tool::Type;
use std::collections::{BTreeMap, VecDeque};

/// How long a run may take before it counts as hanging, in milliseconds of its own time.
const RUN_MS_MAX: Millis = 300_000;
/// How often something may be due in one millisecond. Whoever wants to be called and then does nothing would stop time.
const ROUNDS_MAX: u32 = 100;
/// How many times faster than life the plants move.
const HASTE: u32 = 20;
/// The boot of every simulated device.
const BOOT: u32 = 100;
/// The session of the host.
const SESSION: u32 = 7;

/// What a model answers: tools, and for each of their parameters an option or words of the goal.
pub type Script<'a> = &'a [(&'a str, &'a [&'a str])];

/// What may differ between runs of the same goal.
#[derive(Clone, Copy, Debug)]
pub struct Chance {
    /// Chooses what the network does.
    pub seed: u64,
    /// What it may do.
    pub weather: Weather,
    /// Chooses the order of what arrives in the same millisecond; `None` keeps the order in which it was sent.
    pub ties: Option<u64>,
    /// How long a hook thinks at most, in milliseconds.
    pub hook_ms_max: Millis,
}

impl Chance {
    /// A good network.
    pub fn calm(seed: u64) -> Chance {
        Chance {
            seed,
            weather: Weather::CALM,
            ties: None,
            hook_ms_max: 1,
        }
    }

    /// A network whose very kind follows from the seed, from good to hardly usable.
    pub fn any(seed: u64) -> Chance {
        Chance {
            seed,
            weather: Weather {
                lost_of_1000: seed % 11 * 20,
                repeated_of_1000: seed % 7 * 50,
                delay_ms_max: 1 + seed % 13 * 30,
            },
            ties: Some(seed),
            hook_ms_max: 1 + seed % 5 * 10,
        }
    }
}

/// What the devices are like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Devices {
    /// As they should be.
    Sound,
    /// They carry out a repeated command again.
    Forgetful,
}

/// A command as it left the kernel, without its id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sent {
    pub device: String,
    pub tool: String,
    pub arguments: Vec<(String, Fact)>,
}

/// What there is to see of a run when it is over.
#[derive(Debug)]
pub struct Ran {
    pub report: Report,
    /// Every command that left the kernel, in order.
    pub sent: Vec<Sent>,
    /// The same as device and id.
    pub ids: Vec<(String, u64)>,
    /// What the plants were started with, as device and id, in order; what was begun twice stands here twice.
    pub executed: Vec<(String, u64)>,
    /// The trace that the run left, with its path.
    pub trace: Option<(String, String)>,
    /// Whose reports arrived in the same millisecond, in their order.
    pub arrivals: Vec<Vec<String>>,
}

/// Carries out one request with these documents.
///
/// # Panics
/// The run does not end, or the script does not fit the query.
pub fn run(documents: &[(String, String)], request: Request, script: Script<'_>, chance: Chance, kind: Devices) -> Ran {
    let mut simulation = Simulation::new(documents, script, chance, kind);
    simulation.input(Input::Goal(request));
    while simulation.done.is_none() {
        assert!(simulation.now < RUN_MS_MAX, "{chance:?}: the run does not end");
        simulation.step();
    }
    // What is still on its way when the run is over must not begin anything either.
    let end = simulation.now + 2 * chance.weather.delay_ms_max;
    while simulation.now < end {
        simulation.step();
    }
    simulation.ran()
}

/// A request of a person.
pub fn request(goal: &str) -> Request {
    Request {
        date: "2026-01-01T00:00:00Z".to_owned(),
        ..Request::new(goal, Caller::Person)
    }
}

/// A message on its way; the device is an index.
#[derive(Clone, Debug)]
struct Letter {
    device: usize,
    subject: Subject,
    payload: Vec<u8>,
    to_device: bool,
}

struct Simulation<'a> {
    now: Millis,
    /// How often something was due at `now`.
    rounds: u32,
    kernel: Kernel,
    links: Links,
    far: Vec<Far>,
    air: Air<Letter>,
    /// Hooks are programs: their verdicts take time, and none is lost.
    verdicts: Air<Input>,
    wake: Option<Millis>,
    pending: VecDeque<Input>,
    script: Script<'a>,
    done: Option<Report>,
    sent: Vec<Sent>,
    ids: Vec<(String, u64)>,
    executed: Vec<(String, u64)>,
    trace: Option<(String, String)>,
    arrivals: Vec<(Millis, Vec<String>)>,
}

impl<'a> Simulation<'a> {
    fn new(documents: &[(String, String)], script: Script<'a>, chance: Chance, kind: Devices) -> Simulation<'a> {
        let mut kernel = Kernel::new(Settings::default());
        for (path, text) in documents.iter().cloned() {
            kernel.handle(0, Input::Document { path, text });
        }
        let broken = kernel.findings().iter().find(|(_, found)| !found.is_empty());
        assert_eq!(broken, None);
        let (mut links, unusable) = Links::new(kernel.devices(), SESSION, true);
        assert_eq!(unusable, Vec::new());
        links.handle(0, &LinkInput::Connected);
        let far: Vec<Far> = links.on_bus().map(|name| Far::new(name, kind)).collect();
        let air = Air::new(chance.seed, chance.weather);
        let prompt = Weather {
            delay_ms_max: chance.hook_ms_max,
            ..Weather::CALM
        };
        Simulation {
            now: 0,
            rounds: 0,
            far,
            kernel,
            links,
            air: chance.ties.map_or(air.clone(), |ties| air.with_ties(ties)),
            verdicts: Air::new(chance.seed, prompt),
            wake: None,
            pending: VecDeque::new(),
            script,
            done: None,
            sent: Vec::new(),
            ids: Vec::new(),
            executed: Vec::new(),
            trace: None,
            arrivals: Vec::new(),
        }
    }

    fn ran(self) -> Ran {
        Ran {
            report: self.done.expect("the run is over"),
            sent: self.sent,
            ids: self.ids,
            executed: self.executed,
            trace: self.trace,
            arrivals: self.arrivals.into_iter().map(|(_, names)| names).collect(),
        }
    }

    /// Goes to the next time at which anything is due, and does all of it.
    fn step(&mut self) {
        let far = self.far.iter().map(|far| far.simulated.next_deadline(self.now));
        let others = [
            self.air.next_deadline(),
            self.verdicts.next_deadline(),
            self.links.next_deadline(),
            self.wake,
        ];
        let due = far.chain(others.into_iter().flatten()).min();
        let due = due.unwrap_or(RUN_MS_MAX).max(self.now);
        self.rounds = if due == self.now { self.rounds + 1 } else { 0 };
        assert!(self.rounds < ROUNDS_MAX, "time stands still at {due}: {:?}", self.links);
        self.now = due;
        while let Some(letter) = self.air.arrived(self.now) {
            self.deliver(&letter);
        }
        while let Some(verdict) = self.verdicts.arrived(self.now) {
            self.input(verdict);
        }
        for device in 0..self.far.len() {
            self.far[device].simulated.handle_tick(self.now);
            self.drain_far(device);
        }
        self.links.handle_tick(self.now);
        self.drain_links();
        if self.wake.is_some_and(|at| at <= self.now) {
            self.wake = None;
            self.input(Input::Tick);
        }
        self.settle();
    }

    fn deliver(&mut self, letter: &Letter) {
        let far = &mut self.far[letter.device];
        let name = far.name.to_string();
        if letter.to_device {
            let begun = far.receive(self.now, letter.subject, &letter.payload);
            self.executed.extend(begun.map(|id| (name, id)));
            self.drain_far(letter.device);
            return;
        }
        let topic = Topic::new(&far.name, letter.subject).to_string();
        if letter.subject == Subject::State {
            match self.arrivals.last_mut().filter(|(at, _)| *at == self.now) {
                Some((_, names)) => names.push(name),
                None => self.arrivals.push((self.now, vec![name])),
            }
        }
        let message = LinkInput::Message {
            topic: &topic,
            payload: &letter.payload,
            retained: false,
        };
        self.links.handle(self.now, &message);
        self.drain_links();
        self.settle();
    }

    fn drain_far(&mut self, device: usize) {
        while let Some(Published { subject, payload, .. }) = self.far[device].poll() {
            let letter = Letter {
                device,
                subject,
                payload,
                to_device: false,
            };
            self.air.send(self.now, &letter);
        }
    }

    fn drain_links(&mut self) {
        while let Some(output) = self.links.poll() {
            match output {
                LinksOutput::Publish { topic, payload, .. } => {
                    let Topic { device, subject } = Topic::parse(&topic).expect("one of our topics");
                    let device = self.far.iter().position(|far| far.name == device);
                    let letter = Letter {
                        device: device.expect("a device of the workspace"),
                        subject,
                        payload,
                        to_device: true,
                    };
                    self.air.send(self.now, &letter);
                }
                LinksOutput::News(device, news) => self.pending.push_back(Input::Device { device, news }),
                LinksOutput::Subscribe(_) | LinksOutput::Notice(..) | LinksOutput::Reply(..) => {}
            }
        }
    }

    fn input(&mut self, input: Input) {
        self.pending.push_back(input);
        self.settle();
    }

    /// Feeds what is pending, and all that follows from it.
    fn settle(&mut self) {
        while let Some(input) = self.pending.pop_front() {
            self.kernel.handle(self.now, input);
            while let Some(output) = self.kernel.poll() {
                self.carry_out(output);
                self.drain_links();
            }
        }
    }

    fn carry_out(&mut self, output: Output) {
        let answer = match output {
            Output::Generate { request, query } => {
                let answer = answer(&query, self.script);
                Some(Input::Generated { request, answer })
            }
            Output::Command {
                device,
                command,
                tool,
                arguments,
            } => {
                self.links
                    .handle_command(self.now, &device, command, &tool, arguments.clone());
                self.ids.push((device.clone(), command));
                self.sent.push(Sent {
                    device,
                    tool,
                    arguments,
                });
                None
            }
            Output::StopDevice { device, why } => {
                let stop = LinkInput::Stop { reason: &why };
                self.links.handle_for(self.now, &device, stop);
                None
            }
            Output::ResetDevice { device } => {
                self.links.handle_for(self.now, &device, LinkInput::Reset);
                None
            }
            Output::Hook { request, .. } => {
                let verdict = Verdict::Pass;
                self.verdicts.send(self.now, &Input::Verdict { request, verdict });
                None
            }
            Output::Ask { request, .. } => Some(Input::Answered { request, yes: true }),
            Output::AskName { request, .. } => Some(Input::Unanswered { request }),
            Output::Review { request, .. } => Some(Input::Verdict {
                request,
                verdict: Verdict::Pass,
            }),
            Output::Store { request, path, text } => {
                self.trace = Some((path, text));
                Some(Input::Stored { request, error: None })
            }
            Output::Amend { request, .. } | Output::Append { request, .. } => {
                Some(Input::Stored { request, error: None })
            }
            Output::Wake { at } => {
                self.wake = Some(at);
                None
            }
            Output::Done(report) => {
                self.done = Some(*report);
                None
            }
            Output::RunAboard {
                device,
                command,
                crc,
                finish,
                slots,
            } => {
                self.links.handle_run(self.now, &device, command, crc, finish, slots);
                None
            }
            Output::Tell(_) | Output::AskReport { .. } | Output::Forget { .. } => None,
        };
        self.pending.extend(answer);
    }
}

fn answer(query: &Query, script: Script<'_>) -> Answer {
    let calls = script.iter().map(|(name, words)| {
        let tool = query.tools.iter().position(|tool| tool.name == *name);
        let names: Vec<&str> = query.tools.iter().map(|tool| tool.name.as_str()).collect();
        let tool = tool.unwrap_or_else(|| panic!("{name} is not among {names:?}"));
        let parameters = query.tools[tool].parameters.iter().zip(*words);
        let arguments = parameters.map(|((_, kind, _), words)| pointed(&query.goal, kind, words));
        AnswerCall {
            tool,
            arguments: arguments.collect(),
        }
    });
    Answer::Calls {
        calls: calls.collect(),
        tokens: Tokens::default(),
    }
}

fn pointed(goal: &str, kind: &Type, words: &str) -> Pointed {
    if let Type::Enumeration(options) = kind
        && let Some(option) = options.iter().position(|option| option == words)
    {
        return Pointed::Choice(option);
    }
    let start = goal
        .find(words)
        .unwrap_or_else(|| panic!("{words:?} is not in {goal:?}"));
    let end = start + words.len();
    Pointed::Span { start, end }
}

/// A device and what stands between it and the network.
struct Far {
    name: DeviceName,
    simulated: Simulated,
    forgets: Option<Forgets>,
}

impl Far {
    fn new(name: &str, kind: Devices) -> Far {
        let plant = SimKind::parse(name).expect("the template's devices are named for their kinds");
        Far {
            name: DeviceName::parse(name).expect("a name"),
            simulated: Simulated::new(plant, 0, HASTE, Faults::default(), BOOT),
            forgets: (kind == Devices::Forgetful).then(Forgets::default),
        }
    }

    /// Takes a message; returns the id of the command that the plant was started with, if it was.
    fn receive(&mut self, now: Millis, subject: Subject, payload: &[u8]) -> Option<u64> {
        let command = || read::<CommandMessage>("cmd", payload).expect("a command");
        let id = (subject == Subject::Cmd).then(|| command().id);
        let seen = match (&mut self.forgets, id) {
            (Some(forgets), Some(_)) => write(&forgets.command(command())),
            _ => payload.to_vec(),
        };
        // What the command before has still to do is done first, so that a device that is busy afterwards was started by this message.
        self.simulated.handle_tick(now);
        let was_busy = self.is_busy();
        self.simulated.handle_message(now, subject, &seen, false);
        id.filter(|_| !was_busy && self.is_busy())
    }

    fn is_busy(&self) -> bool {
        self.simulated.status().is_some_and(|status| status.busy)
    }

    fn poll(&mut self) -> Option<Published> {
        let mut message = self.simulated.poll()?;
        if let Some(forgets) = &self.forgets {
            message.payload = forgets.answer(message.subject, message.payload);
        }
        Some(message)
    }
}

/// The broken twin of a device: every command that arrives is a new one to it, whatever its sequence number says.
#[derive(Default)]
struct Forgets {
    /// The host's sequence number of each of the device's own.
    known: BTreeMap<u32, u32>,
}

impl Forgets {
    fn command(&mut self, message: CommandMessage) -> CommandMessage {
        let seq = u32::try_from(self.known.len()).expect("few commands") + 1;
        self.known.insert(seq, message.seq);
        CommandMessage { seq, ..message }
    }

    fn host_seq(&self, seq: u32) -> u32 {
        self.known.get(&seq).copied().unwrap_or(0)
    }

    /// What the host hears, in its own numbers.
    fn answer(&self, subject: Subject, payload: Vec<u8>) -> Vec<u8> {
        match subject {
            Subject::Ack => {
                let mut ack: AckMessage = read("ack", &payload).expect("an answer");
                let (AckMessage::Lease { seq, .. } | AckMessage::Command { seq, .. }) = &mut ack else {
                    panic!("nobody asked about programs: {ack:?}");
                };
                *seq = self.host_seq(*seq);
                write(&ack)
            }
            Subject::State => {
                let mut state: StateMessage = read("state", &payload).expect("a state");
                state.done = self.host_seq(state.done);
                if let Some(failed) = &mut state.failed {
                    failed.seq = self.host_seq(failed.seq);
                }
                write(&state)
            }
            _ => payload,
        }
    }
}
