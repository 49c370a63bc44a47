//! An arm that does at once what it is told, a disk that outlives a kernel, and a loop that carries a goal out with both. It must not know
//! what a test wants to see.
#![allow(dead_code, reason = "each test needs another part of it")]

use llmos_follower::Progress;
use llmos_kernel::kernel::{Kernel, Settings};
use llmos_kernel::message::{
    Account, Answer, AnswerCall, Caller, Event, Fact, Input, Named, News, Output, Pointed, Query, Report, Request,
    State, Tokens, Verdict,
};
use std::collections::BTreeMap;

pub const ARM: &str = include_str!("../../../../workspace/devices/arm.md");
pub const POLICY: &str = include_str!("../../../../workspace/policy.toml");
/// How much time passes between two looks at the world, in milliseconds.
pub const STEP_MS: u64 = 50;
/// How long a run may take before it counts as hanging, in milliseconds.
const RUN_MS_MAX: u64 = 120_000;

/// A trace of one or more steps.
pub fn trace(id: &str, pattern: &str, goal: &str, slots: &str, steps: &str) -> String {
    format!(
        "---\ntrace: {id}\ngoal: \"{goal}\"\npatterns:\n  - \"{pattern}\"\nslots: {{ {slots} }}\nsteps:\n{steps}status: done\nmode: LEARNER\n---\n"
    )
}

pub fn named(owner: &str, field: &str, value: Fact) -> Named {
    Named {
        owner: owner.to_owned(),
        field: field.to_owned(),
        value,
    }
}

pub fn word(word: &str) -> Fact {
    Fact::Text(word.to_owned())
}

/// The arm, and what lies around it.
pub struct Arm {
    pub at: [i64; 3],
    pub open: bool,
    pub holds: Option<String>,
    pub tool: String,
    pub speed: i64,
    /// Name, kind and place.
    pub things: Vec<(String, &'static str, [i64; 3])>,
    /// Every command that was carried out, as "tool argument ..".
    pub done: Vec<String>,
    /// Every command that came, the same way.
    pub sent: Vec<String>,
    /// After these commands it loses what it holds.
    pub slips_after: Vec<usize>,
    /// Where that lies then, if not right below.
    pub slips_to: Option<[i64; 3]>,
    /// Before the effect of this command, or after it, it restarts.
    pub restarts: Option<(usize, When)>,
    pub boot: u32,
    pub seq: u32,
    pub finished: u32,
    pub failed: Option<(u32, String)>,
}

/// When something happens to a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    Before,
    After,
}

impl Arm {
    pub fn new() -> Arm {
        let thing = |name: &str, kind, at| (name.to_owned(), kind, at);
        Arm {
            at: [800_000, 100_000, 1_000_000],
            open: true,
            holds: None,
            tool: "off".to_owned(),
            speed: 500_000,
            things: vec![
                thing("red cube", "object", [800_000, 300_000, 20_000]),
                thing("bin A", "place", [-500_000, 900_000, 100_000]),
            ],
            done: Vec::new(),
            sent: Vec::new(),
            slips_after: Vec::new(),
            slips_to: None,
            restarts: None,
            boot: 5,
            seq: 0,
            finished: 0,
            failed: None,
        }
    }

    /// One that loses what it holds after these commands.
    pub fn slipping(after: &[usize]) -> Arm {
        Arm {
            slips_after: after.to_vec(),
            ..Arm::new()
        }
    }

    pub fn place_of(&self, name: &str) -> [i64; 3] {
        self.things
            .iter()
            .find(|(known, ..)| known == name)
            .map_or([0; 3], |thing| thing.2)
    }

    pub fn state(&self) -> State {
        let mut readings = vec![
            named("", "position", Fact::Point(self.at)),
            named("", "gripper", word(if self.open { "open" } else { "closed" })),
            named("", "holding", self.holds.as_deref().map_or(Fact::Nothing, word)),
            named("", "tool", word(&self.tool)),
            named("", "speed", Fact::Number(self.speed)),
        ];
        for (name, kind, at) in &self.things {
            readings.push(named(name, "kind", word(kind)));
            readings.push(named(name, "position", Fact::Point(*at)));
        }
        State {
            progress: Some(Progress::Finished),
            stopped: false,
            account: Some(Account {
                boot: self.boot,
                done: self.finished,
                failed: self.failed.clone(),
            }),
            readings,
        }
    }

    /// Carries a command out.
    fn obey(&mut self, tool: &str, arguments: &[(String, Fact)]) {
        let first = &arguments[0].1;
        match (tool, first) {
            ("move_to", Fact::Point(to)) => self.go(*to),
            ("move", Fact::Text(direction)) => {
                let Fact::Number(way) = arguments[1].1 else {
                    panic!("{arguments:?}")
                };
                let (axis, sign) = match direction.as_str() {
                    "left" => (0, -1),
                    "right" => (0, 1),
                    "back" => (1, -1),
                    "forward" => (1, 1),
                    "down" => (2, -1),
                    _ => (2, 1),
                };
                let mut to = self.at;
                to[axis] += sign * way;
                self.go(to);
            }
            ("gripper", Fact::Text(state)) => {
                self.open = state == "open";
                let near = self
                    .things
                    .iter()
                    .find(|(_, kind, at)| *kind == "object" && *at == self.at);
                self.holds = near.filter(|_| !self.open).map(|(name, ..)| name.clone());
            }
            ("tool", Fact::Text(state)) => self.tool.clone_from(state),
            ("speed", Fact::Number(speed)) => self.speed = *speed,
            other => panic!("{other:?}"),
        }
    }

    fn go(&mut self, to: [i64; 3]) {
        self.at = to;
        for thing in &mut self.things {
            if self.holds.as_ref() == Some(&thing.0) {
                thing.2 = to;
            }
        }
    }

    fn slip(&mut self) {
        if let Some(name) = self.holds.take() {
            for thing in self.things.iter_mut().filter(|thing| thing.0 == name) {
                let [x, y, _] = thing.2;
                thing.2 = self.slips_to.unwrap_or([x, y, 20_000]);
            }
        }
    }

    /// A new boot, which knows nothing of the commands before it.
    pub fn restart(&mut self) {
        self.boot += 1;
        self.seq = 0;
        self.finished = 0;
        self.failed = None;
    }
}

/// What outlives a kernel: the workspace's documents, by path.
pub type Disk = BTreeMap<String, String>;

/// A workspace with the template's arm and these traces.
pub fn disk(traces: &[&str]) -> Disk {
    let mut disk = Disk::new();
    disk.insert("devices/arm.md".to_owned(), ARM.to_owned());
    disk.insert("policy.toml".to_owned(), POLICY.to_owned());
    for (index, text) in traces.iter().enumerate() {
        disk.insert(format!("traces/{index}.md"), (*text).to_owned());
    }
    disk
}

/// A kernel that has read all of it.
pub fn kernel(disk: &Disk) -> Kernel {
    let mut kernel = Kernel::new(Settings::default());
    for (path, text) in disk {
        let (path, text) = (path.clone(), text.clone());
        kernel.handle(0, Input::Document { path, text });
    }
    assert!(kernel.findings().values().all(Vec::is_empty), "{:?}", kernel.findings());
    kernel
}

/// A goal of a person.
pub fn request(goal: &str) -> Request {
    Request {
        date: "2026-11-21T00:00:00Z".to_owned(),
        ..Request::new(goal, Caller::Person)
    }
}

/// How everything but the kernel behaves.
pub struct Case<'a> {
    pub model: &'a dyn Fn(&Query) -> Answer,
    /// Whether the arm fails this command.
    pub fails: &'a dyn Fn(&str) -> bool,
    /// What the person answers; `None` where nobody is there.
    pub says: &'a dyn Fn(&str) -> Option<bool>,
    /// After how many outputs the program is killed.
    pub dies_after: Option<usize>,
}

impl Default for Case<'_> {
    fn default() -> Self {
        Case {
            model: &no_model,
            fails: &|_| false,
            says: &|_| None,
            dies_after: None,
        }
    }
}

pub fn no_model(_: &Query) -> Answer {
    panic!("no model is asked")
}

pub fn no_tool(_: &Query) -> Answer {
    Answer::NoTool {
        tokens: Tokens::default(),
    }
}

/// How a goal ended.
#[derive(Debug)]
pub struct Ended {
    pub report: Report,
    /// Documents that were written, lines that were added, patterns that were learned.
    pub kept: Vec<Output>,
    pub told: Vec<Event>,
    pub asked: Vec<String>,
    /// How many outputs there were.
    pub outputs: usize,
    /// When it was over, in milliseconds.
    pub at: u64,
}

impl Ended {
    /// The traces that were written.
    pub fn stored(&self) -> Vec<&str> {
        let stored = self.kept.iter().filter_map(|output| match output {
            Output::Store { path, text, .. } if path.starts_with("traces/") => Some(text.as_str()),
            _ => None,
        });
        stored.collect()
    }

    pub fn warnings(&self) -> String {
        let texts = self.told.iter().filter_map(|event| match event {
            Event::Warning { text } => Some(text.as_str()),
            _ => None,
        });
        texts.collect::<Vec<_>>().join("\n")
    }

    pub fn taken_up(&self) -> Option<(usize, usize)> {
        self.told.iter().find_map(|event| match event {
            Event::TakenUp { call, calls, .. } => Some((*call, *calls)),
            _ => None,
        })
    }
}

/// Carries a goal out in this kernel, which has met the arm. `None` where the program was killed.
pub fn carry_out(
    kernel: &mut Kernel,
    arm: &mut Arm,
    disk: &mut Disk,
    request: Request,
    case: &Case<'_>,
) -> Option<Ended> {
    let goal = request.goal.clone();
    let device = |news| Input::Device {
        device: "arm".to_owned(),
        news,
    };
    kernel.handle(1, device(leased(arm)));
    kernel.handle(1, device(News::State(arm.state())));
    kernel.handle(1, Input::Goal(request));
    let (mut kept, mut told, mut asked, mut outputs) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for now in (2..RUN_MS_MAX).step_by(usize::try_from(STEP_MS).expect("small")) {
        let mut inputs = Vec::new();
        while let Some(output) = kernel.poll() {
            if case.dies_after == Some(outputs) {
                return None;
            }
            outputs += 1;
            let input = match output {
                Output::Generate { request, query } => Some(Input::Generated {
                    request,
                    answer: (case.model)(&query),
                }),
                Output::Hook { request, .. } | Output::Review { request, .. } => Some(Input::Verdict {
                    request,
                    verdict: Verdict::Pass,
                }),
                Output::Ask { request, question } => {
                    let word = (case.says)(&question);
                    asked.push(question);
                    Some(match word {
                        Some(yes) => Input::Answered { request, yes },
                        None => Input::Unanswered { request },
                    })
                }
                Output::Command {
                    command,
                    tool,
                    arguments,
                    ..
                } => {
                    let heard = command_arrives(arm, command, &tool, &arguments, case);
                    inputs.extend(heard.into_iter().map(device));
                    None
                }
                Output::Store { request, .. } | Output::Append { request, .. } | Output::Amend { request, .. } => {
                    write(disk, &output);
                    kept.push(output);
                    Some(Input::Stored { request, error: None })
                }
                Output::Done(report) => {
                    return Some(Ended {
                        report: *report,
                        kept,
                        told,
                        asked,
                        outputs,
                        at: now,
                    });
                }
                Output::Tell(event) => {
                    told.push(event);
                    None
                }
                Output::AskName { request, .. } => Some(Input::Unanswered { request }),
                Output::StopDevice { .. }
                | Output::ResetDevice { .. }
                | Output::Wake { .. }
                | Output::RunAboard { .. }
                | Output::AskReport { .. }
                | Output::Forget { .. } => None,
            };
            inputs.extend(input);
        }
        for input in inputs {
            kernel.handle(now, input);
        }
        kernel.handle(now, device(News::State(arm.state())));
        kernel.handle(now, Input::Tick);
    }
    panic!("{goal}: the run does not end: {:?} {told:?}", arm.sent);
}

pub fn leased(arm: &Arm) -> News {
    News::Leased {
        boot: arm.boot,
        seq: arm.seq,
    }
}

/// What the kernel hears of a command that it has sent.
fn command_arrives(
    arm: &mut Arm,
    command: u64,
    tool: &str,
    arguments: &[(String, Fact)],
    case: &Case<'_>,
) -> Vec<News> {
    let values = arguments.iter().map(|(_, fact)| llmos_kernel::follow::show(fact));
    let text = format!("{tool} {}", values.collect::<Vec<_>>().join(" "));
    arm.seq += 1;
    arm.sent.push(text.clone());
    let restarts = arm
        .restarts
        .filter(|(number, _)| *number == arm.sent.len())
        .map(|(_, when)| when);
    let mut heard = vec![News::Acknowledged { command }];
    if (case.fails)(&text) {
        let why = "scripted".to_owned();
        arm.failed = Some((arm.seq, why.clone()));
        heard.push(News::Failed { command, why });
        return heard;
    }
    if restarts != Some(When::Before) {
        arm.obey(tool, arguments);
        arm.done.push(text);
        arm.finished = arm.seq;
        if arm.slips_after.contains(&arm.done.len()) {
            arm.slip();
        }
    }
    if restarts.is_some() {
        arm.restart();
        heard.extend([News::Restarted, leased(arm)]);
    }
    heard
}

fn write(disk: &mut Disk, output: &Output) {
    match output {
        Output::Store { path, text, .. } => {
            disk.insert(path.clone(), text.clone());
        }
        Output::Append { path, line, .. } => {
            let file = disk.entry(path.clone()).or_default();
            file.push_str(line);
            file.push('\n');
        }
        // What it means for the document is the shell's; a kernel that has said so knows it.
        _ => {}
    }
}

/// Calls of tools; their words are words of the goal or options.
pub fn plan(query: &Query, calls: &[(&str, &[&str])]) -> Answer {
    let calls = calls.iter().map(|(name, words)| {
        let tool = query.tools.iter().position(|tool| tool.name == *name).expect("offered");
        let kinds = query.tools[tool].parameters.iter().map(|(_, kind, _)| kind);
        let pointed = |(words, kind): (&&str, &llmos_kernel::tool::Type)| {
            if let llmos_kernel::tool::Type::Enumeration(options) = kind {
                return Pointed::Choice(options.iter().position(|option| option == words).expect("an option"));
            }
            let start = query.goal.find(words).expect("words of the goal");
            let end = start + words.len();
            Pointed::Span { start, end }
        };
        AnswerCall {
            tool,
            arguments: words.iter().zip(kinds).map(pointed).collect(),
        }
    });
    Answer::Calls {
        calls: calls.collect(),
        tokens: Tokens::default(),
    }
}
