//! The host that is killed: the program's own kernel, link, journal and workspace in a loop like the shell's, without a network and a clock.

use crate::shell::faults;
use crate::shell::journal::Journal;
use crate::shell::links::{news_of, plain};
use crate::shell::workspace::Workspace;
use crate::wire::{Heard, Said};
use llmos_firmware_bridge::link::{Kind, Link, LinkConfig, LinkInput, LinkOutput};
use llmos_firmware_bridge::sim::Xorshift;
use llmos_firmware_bridge::topic::DeviceName;
use llmos_kernel::kernel::{Kernel, Settings};
use llmos_kernel::message::{
    Answer, AnswerCall, Caller, Event, Input, Output, Pointed, Query, Request, Tokens, Verdict,
};
use llmos_kernel::tool::Type;
use std::collections::VecDeque;
use std::io::{self, BufRead, Write};
use std::path::Path;

/// Goals of one host at most.
const GOALS_MAX: u32 = 30;
/// How much virtual time passes between two looks at the world, in milliseconds.
const STEP_MS: u64 = 20;

struct Host {
    kernel: Kernel,
    journal: Journal,
    workspace: Workspace,
    link: Link,
    now: u64,
    wake: u64,
    pending: VecDeque<Input>,
    outbox: Vec<(String, String)>,
    run: String,
    done: bool,
    /// A broken twin: what it says is on disk is not yet.
    hasty: bool,
    late: Vec<(String, String, bool)>,
}

/// Carries out goals until it is killed, nobody listens, or it has had enough: not every fault strikes.
pub fn live(folder: &Path, seed: u64, session: u32, hasty: bool) {
    let Ok(workspace) = Workspace::open(folder, true) else {
        return;
    };
    let device = DeviceName::parse("arm").ok();
    let Some(device) = device else { return };
    let link = Link::new(LinkConfig {
        device,
        session,
        heartbeat_ms: 1_500,
        expiry_ms: 2_000,
        kind: Kind::Native,
    });
    let settings = Settings::default();
    let mut host = Host {
        kernel: Kernel::new(settings.clone()),
        journal: Journal::begin(folder, &format!("2026-{session:010}"), &settings),
        workspace,
        link,
        now: 0,
        wake: 0,
        pending: VecDeque::new(),
        outbox: Vec::new(),
        run: String::new(),
        done: false,
        hasty,
        late: Vec::new(),
    };
    host.begin();
    let mut chance = Xorshift::new(seed);
    for number in 0..GOALS_MAX {
        host.run = format!("{session}-{number}");
        // Sometimes the lease of the host before has run out by now.
        let idle = chance.below(2) * 40;
        let lives = (0..idle)
            .try_for_each(|_| host.step())
            .and_then(|()| host.goal(goal(&mut chance)));
        if lives.is_none() {
            return;
        }
    }
}

/// Something that the arm can do, in one of many ways to say it.
fn goal(chance: &mut Xorshift) -> String {
    let mut one_of = |words: &[&'static str]| {
        let at = usize::try_from(chance.below(words.len() as u64)).unwrap_or(0);
        words.get(at).copied().unwrap_or_default()
    };
    let verb = one_of(&["move", "shift", "push", "slide", "bring", "take", "drive", "swing"]);
    let how = one_of(&[
        "",
        "",
        " gently",
        " carefully",
        " slowly",
        " smoothly",
        " quietly",
        " steadily",
        " softly",
        " calmly",
    ]);
    let distance = one_of(&["2", "5", "10", "20"]);
    let direction = one_of(&["left", "right", "forward", "back", "up", "down"]);
    format!("{verb} the arm {distance} cm {direction}{how}")
}

impl Host {
    fn begin(&mut self) {
        let documents = self.workspace.documents();
        let documents: Vec<(String, String)> = documents
            .into_iter()
            .filter_map(|(path, text)| Some((path, text.ok()?)))
            .collect();
        self.journal.documents(0, &documents);
        for (path, text) in documents {
            self.kernel.handle(0, Input::Document { path, text });
        }
        self.input(Input::Ready);
        self.tell_link(LinkInput::Connected);
    }

    /// Carries out one goal; `None` once nobody listens.
    fn goal(&mut self, goal: String) -> Option<()> {
        self.done = false;
        say(&Said::Begins { run: self.run.clone() })?;
        self.input(Input::Goal(Request {
            date: self.run.clone(),
            ..Request::new(goal, Caller::Person)
        }));
        while !self.done {
            self.step()?;
        }
        Some(())
    }

    /// A moment in which the world goes on.
    fn step(&mut self) -> Option<()> {
        self.now += STEP_MS;
        let messages = std::mem::take(&mut self.outbox);
        say(&Said::Publishes {
            now: self.now,
            messages,
        })?;
        for (topic, payload) in hear()? {
            self.tell_link(LinkInput::Message {
                topic: &topic,
                payload: payload.as_bytes(),
                retained: false,
            });
        }
        self.tell_link(LinkInput::Tick);
        if self.now >= self.wake {
            self.wake = u64::MAX;
            self.input(Input::Tick);
        }
        for (path, text, appends) in std::mem::take(&mut self.late) {
            self.write(&path, &text, appends);
        }
        Some(())
    }

    fn input(&mut self, input: Input) {
        self.pending.push_back(input);
        while let Some(input) = self.pending.pop_front() {
            self.journal.input(self.now, &input);
            self.kernel.handle(self.now, input);
            while let Some(output) = self.kernel.poll() {
                self.journal.output(&output);
                self.carry_out(output);
            }
        }
        self.journal.flush();
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Generate { request, query } => {
                let answer = plan(&query);
                self.pending.push_back(Input::Generated { request, answer });
            }
            Output::Hook { request, .. } => {
                let verdict = Verdict::Pass;
                self.pending.push_back(Input::Verdict { request, verdict });
            }
            Output::Command {
                command,
                tool,
                arguments,
                ..
            } => {
                let arguments = arguments.into_iter().map(|(name, fact)| (name, plain(fact))).collect();
                let input = LinkInput::Command {
                    id: command,
                    tool: &tool,
                    arguments,
                };
                // What was published has left: a kill after it does not take it back.
                let published = faults::act("publish", Path::new("cmd"), || {
                    self.link.handle(self.now, input);
                    self.drain_link();
                    let messages = std::mem::take(&mut self.outbox);
                    say(&Said::Publishes {
                        now: self.now,
                        messages,
                    });
                    Ok(hear().unwrap_or_default())
                });
                for (topic, payload) in published.unwrap_or_default() {
                    let payload = payload.as_bytes();
                    self.link.handle(
                        self.now,
                        LinkInput::Message {
                            topic: &topic,
                            payload,
                            retained: false,
                        },
                    );
                    self.drain_link();
                }
            }
            Output::Store { request, path, text } => self.stored(request, &path, &text, false),
            // No goal here says in other words what a trace does.
            Output::Amend { request, .. } => self.pending.push_back(Input::Stored { request, error: None }),
            Output::Append { request, path, line } => self.stored(request, &path, &line, true),
            Output::Tell(Event::BrokenOff { intent, outcome, .. }) => {
                say(&Said::BrokenOff {
                    intent: *intent,
                    outcome,
                });
            }
            Output::Done(report) => {
                self.done = true;
                let run = self.run.clone();
                say(&Said::Reports {
                    run,
                    status: report.status,
                    trace: report.trace,
                });
            }
            Output::StopDevice { why, .. } => {
                self.link.handle(self.now, LinkInput::Stop { reason: &why });
                self.drain_link();
            }
            Output::Wake { at } => self.wake = at,
            Output::Ask { request, .. } => self.pending.push_back(Input::Answered { request, yes: true }),
            Output::ResetDevice { .. }
            | Output::AskName { .. }
            | Output::Review { .. }
            | Output::Tell(_)
            | Output::RunAboard { .. }
            | Output::AskReport { .. }
            | Output::Forget { .. } => {}
        }
    }

    fn stored(&mut self, request: u64, path: &str, text: &str, appends: bool) {
        let error = if self.hasty {
            self.late.push((path.to_owned(), text.to_owned(), appends));
            None
        } else {
            self.write(path, text, appends)
        };
        self.pending.push_back(Input::Stored { request, error });
    }

    fn write(&self, path: &str, text: &str, appends: bool) -> Option<String> {
        let written = if appends {
            self.workspace.append(path, text)
        } else {
            self.workspace.store(path, text)
        };
        written.err()
    }

    fn tell_link(&mut self, input: LinkInput<'_>) {
        self.link.handle(self.now, input);
        self.drain_link();
        while let Some(input) = self.pending.pop_front() {
            self.input(input);
        }
    }

    fn drain_link(&mut self) {
        while let Some(output) = self.link.poll() {
            match output {
                LinkOutput::Subscribe(_) => {}
                LinkOutput::Publish { topic, payload, .. } => {
                    self.outbox
                        .push((topic, String::from_utf8_lossy(&payload).into_owned()));
                }
                LinkOutput::Event(event) => {
                    let device = "arm".to_owned();
                    self.pending
                        .extend(news_of(event, true).map(|news| Input::Device { device, news }));
                }
            }
        }
    }
}

/// The planner: every goal moves the arm.
fn plan(query: &Query) -> Answer {
    let tokens = Tokens::default();
    let is_move = |name: &str| name.rsplit('.').next() == Some("move");
    let Some(tool) = query.tools.iter().position(|tool| is_move(&tool.name)) else {
        return Answer::NoTool { tokens };
    };
    let argument = |kind: &Type| match kind {
        Type::Enumeration(options) => {
            let said = |option: &String| query.goal.split(' ').any(|word| word == option);
            options.iter().position(said).map_or(Pointed::Absent, Pointed::Choice)
        }
        kind => query
            .spans
            .iter()
            .find(|span| span.kind == *kind)
            .map_or(Pointed::Absent, |span| Pointed::Span {
                start: span.start,
                end: span.end,
            }),
    };
    let parameters = query.tools.get(tool).into_iter().flat_map(|tool| &tool.parameters);
    let arguments = parameters.map(|(_, kind, _)| argument(kind)).collect();
    Answer::Calls {
        calls: vec![AnswerCall { tool, arguments }],
        tokens,
    }
}

fn say(said: &Said) -> Option<()> {
    let mut out = io::stdout().lock();
    let line = serde_json::to_string(said).ok()?;
    writeln!(out, "{line}").and_then(|()| out.flush()).ok()
}

fn hear() -> Option<Heard> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).ok()?;
    serde_json::from_str(&line).ok()
}
