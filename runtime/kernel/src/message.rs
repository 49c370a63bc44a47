//! Everything that goes into the kernel and comes out of it. All of it can be journaled, so that a run can be executed again from its
//! inputs alone. No type here holds a handle, a clock or a path outside the workspace.

mod aboard;

pub use aboard::{Aboard, Ran, RanEnd};

use crate::intent::{Intent, Outcome};
use crate::mode::Mode;
use crate::plan::{Argument, Plan, PlannedCall};
use llmos_follower::{Millis, Observed, Point, Progress};
use serde::{Deserialize, Serialize};

/// Who asks for something to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Caller {
    /// A person at a terminal.
    Person,
    /// An agent.
    Agent,
    /// A schedule.
    Cron,
    /// A network client.
    Http,
    /// A program that speaks the Model Context Protocol.
    Mcp,
    /// A device that asks by itself.
    Device,
}

impl Caller {
    /// All of them.
    pub const ALL: [Caller; 6] = [
        Caller::Person,
        Caller::Agent,
        Caller::Cron,
        Caller::Http,
        Caller::Mcp,
        Caller::Device,
    ];

    /// The word in `policy.toml`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Caller::Person => "person",
            Caller::Agent => "agent",
            Caller::Cron => "cron",
            Caller::Http => "http",
            Caller::Mcp => "mcp",
            Caller::Device => "device",
        }
    }
}

/// A goal and how it is to be treated.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Request {
    /// What the person said.
    pub goal: String,
    /// Who said it.
    pub who: Caller,
    /// On whose behalf, up to who began it: what one of them may not do, none does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<Caller>,
    /// The local time of day when it was said, in minutes since midnight; without it no rule with quiet hours allows anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minute: Option<u16>,
    /// A mode that the person insists on; `None` lets the kernel choose.
    pub mode: Option<Mode>,
    /// A trace that the person names (`replay`); its own goal is used.
    pub trace: Option<String>,
    /// Plan and check only.
    pub dry_run: bool,
    /// Ask before the first command.
    pub confirm: bool,
    /// Tools given as an `OpenAI` `tools` array instead of the workspace's devices; implies a plan only.
    pub tools: Option<String>,
    /// Today's date and time for the trace, as text; the kernel has no clock of its own.
    pub date: String,
    /// The named trace is to be run by its device alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aboard: Option<Aboard>,
}

impl Request {
    /// A goal that is to be carried out, at a time that nobody knows.
    #[must_use]
    pub fn new(goal: impl Into<String>, who: Caller) -> Request {
        Request {
            goal: goal.into(),
            who,
            parents: Vec::new(),
            minute: None,
            mode: None,
            trace: None,
            dry_run: false,
            confirm: false,
            tools: None,
            date: String::new(),
            aboard: None,
        }
    }
}

/// What the outside tells the kernel.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the fields are named for what they hold")]
pub enum Input {
    /// A document of the workspace, as it is now. The path is relative to the workspace, with `/`.
    Document { path: String, text: String },
    /// Every document that exists at the start has been passed.
    Ready,
    /// A person or program wants something done.
    Goal(Request),
    /// News of a device.
    Device { device: String, news: News },
    /// The model's answer to [`Output::Generate`].
    Generated { request: u64, answer: Answer },
    /// The hooks' verdict on [`Output::Hook`] or [`Output::Review`].
    Verdict { request: u64, verdict: Verdict },
    /// The person's answer to [`Output::Ask`].
    Answered { request: u64, yes: bool },
    /// Somebody agrees by name, as the answer to [`Output::AskName`]; an empty name is a no.
    Agreed { request: u64, name: String },
    /// Nobody is there to answer [`Output::Ask`] or [`Output::AskName`], or the person does not know.
    Unanswered { request: u64 },
    /// A person says whether the command was carried out that was broken off on this device.
    Settled { device: String, yes: bool },
    /// A person wants no run taken up: the next goal begins with its first step.
    Anew,
    /// A [`Output::Store`] or [`Output::Append`] is on disk, or is not.
    Stored { request: u64, error: Option<String> },
    /// Stop: one device, or everything.
    Stop { device: Option<String> },
    /// A person allows a stopped device to move again.
    Reset { device: String },
    /// Nothing but time.
    Tick,
}

/// News of a device, from its link.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the fields are named for what they hold")]
pub enum News {
    /// It is there and takes our commands.
    Online,
    /// The same, with the lease of this boot; `seq` is the last sequence number that is used up, and each command takes the next one.
    Leased { boot: u32, seq: u32 },
    /// It is not there.
    Offline { why: String },
    /// It serves somebody else.
    Taken,
    /// Its state.
    State(State),
    /// It accepted a command.
    Acknowledged { command: u64 },
    /// It rejected a command.
    Rejected { command: u64, why: String },
    /// It reported that a command failed.
    Failed { command: u64, why: String },
    /// It was lost while it should act.
    Lost { why: String },
    /// It is not the boot any more that granted us its lease; the lease is asked for anew.
    Restarted,
    /// It sent something that makes no sense; nothing was done with it.
    Nonsense { what: String },
    /// What came of a run that it did alone, whoever began it. It is told again until [`Output::Forget`].
    Ran(Ran),
}

/// A device's report about itself and the entities it sees.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct State {
    /// Whether it is through with our last command; `None` where it does not say.
    pub progress: Option<Progress>,
    /// Whether its stop is latched.
    pub stopped: bool,
    /// What it says about its last commands; only where nothing of another host can still be under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
    /// What it reports.
    pub readings: Vec<Named>,
}

/// What a device says about its last commands, whoever sent them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Account {
    /// Which boot of the device this is.
    pub boot: u32,
    /// Sequence number of the last command that ended well.
    pub done: u32,
    /// Sequence number of the last command, and why it failed, if it did.
    pub failed: Option<(u32, String)>,
}

/// One reading with its names.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Named {
    /// The entity it belongs to; empty for the device itself.
    pub owner: String,
    /// The field.
    pub field: String,
    /// The value.
    pub value: Fact,
}

/// A value as it travels: typed, with its names.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// A truth.
    Bool(bool),
    /// A quantity or number, in micro-units of its base unit.
    Number(i64),
    /// Coordinates, in micrometres.
    Point(Point),
    /// A name or an option.
    Text(String),
    /// Nothing: no entity.
    Nothing,
}

/// What the kernel asks a model. The same shapes as the planner's own, without depending on it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Query {
    /// The tools to choose from.
    pub tools: Vec<QueryTool>,
    /// The goal.
    pub goal: String,
    /// What code recognised in the goal: byte range and what it may stand for.
    pub spans: Vec<QuerySpan>,
    /// Most calls in the answer.
    pub calls_max: usize,
    /// A similar goal of the past (mode MIXED).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<QueryExample>,
}

/// A goal of the past with the calls that met it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct QueryExample {
    /// Its words.
    pub goal: String,
    /// Its calls: tools are indices into the query's tools, spans are bytes of its words.
    pub calls: Vec<AnswerCall>,
}

/// A tool as the model reads it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct QueryTool {
    /// Its name.
    pub name: String,
    /// What it does.
    pub does: String,
    /// Name, type, and whether it is required.
    pub parameters: Vec<(String, crate::tool::Type, bool)>,
}

impl QueryTool {
    /// A tool under the name by which this query tells it from the others.
    #[must_use]
    pub fn new(name: String, does: &str, parameters: &[crate::tool::Parameter]) -> QueryTool {
        let shown = |p: &crate::tool::Parameter| (p.name.clone(), p.kind.clone(), p.required);
        QueryTool {
            name,
            does: does.to_owned(),
            parameters: parameters.iter().map(shown).collect(),
        }
    }
}

/// A stretch of the goal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct QuerySpan {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// What an argument of which type it may be.
    pub kind: crate::tool::Type,
}

/// What a model answers: only indices and byte ranges.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the fields are named for what they hold")]
pub enum Answer {
    /// These calls.
    Calls { calls: Vec<AnswerCall>, tokens: Tokens },
    /// No tool can do that.
    NoTool { tokens: Tokens },
    /// A required parameter is not stated.
    Missing {
        calls: Vec<AnswerCall>,
        tool: usize,
        parameter: usize,
        tokens: Tokens,
    },
    /// There is no model, or it failed.
    Unavailable { why: String },
}

impl Answer {
    /// What it cost.
    #[must_use]
    pub fn tokens(&self) -> Tokens {
        match self {
            Answer::Calls { tokens, .. } | Answer::NoTool { tokens } | Answer::Missing { tokens, .. } => *tokens,
            Answer::Unavailable { .. } => Tokens::default(),
        }
    }
}

/// One call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AnswerCall {
    /// Index into the query's tools.
    pub tool: usize,
    /// One for each parameter.
    pub arguments: Vec<Pointed>,
}

/// What an argument points at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the fields are named for what they hold")]
pub enum Pointed {
    /// These bytes of the goal.
    Span { start: usize, end: usize },
    /// This option.
    Choice(usize),
    /// Nothing: an optional parameter.
    Absent,
}

/// What a plan cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Tokens {
    /// Tokens of the prompt that were computed.
    pub prompt: u32,
    /// Tokens of the prompt that were taken from the session.
    pub cached: u32,
    /// Tokens that were chosen.
    pub generated: u32,
    /// Tokens that the grammar forced.
    pub forced: u32,
    /// Tokens among the chosen that the example's calls had right.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub drafted: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A verdict of the hooks: it may only tighten.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the fields are named for what they hold")]
pub enum Verdict {
    /// No objection.
    Pass,
    /// No.
    Deny { why: String },
}

/// What the kernel wants done.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the fields are named for what they hold")]
pub enum Output {
    /// Ask the model.
    Generate { request: u64, query: Query },
    /// Send a command that has passed the gate.
    Command {
        device: String,
        command: u64,
        tool: String,
        arguments: Vec<(String, Fact)>,
    },
    /// Have a device run the program that it keeps; the gate has let all of it through. It is acknowledged as a command is.
    RunAboard {
        device: String,
        command: u64,
        crc: u32,
        finish: bool,
        slots: Vec<Fact>,
    },
    /// Ask a device once more what came of its last run.
    AskReport { device: String },
    /// The report of this run is on disk, so its device need not keep it.
    Forget { device: String, run: u64 },
    /// Stop a device now, on the stop path.
    StopDevice { device: String, why: String },
    /// Release a device's latch.
    ResetDevice { device: String },
    /// Ask the hooks about a command that has passed the gate.
    Hook {
        request: u64,
        device: String,
        tool: String,
        arguments: Vec<(String, Fact)>,
    },
    /// Ask the hooks about what has happened. It can't be undone, but what they deny ends the run.
    Review { request: u64, what: Aftermath },
    /// Ask the person.
    Ask { request: u64, question: String },
    /// Ask somebody to agree by name.
    AskName { request: u64, question: String },
    /// Write a document, atomically.
    Store { request: u64, path: String, text: String },
    /// Add a pattern to a trace's document, atomically, and leave every other byte as it is; the note says where it comes from.
    Amend {
        request: u64,
        path: String,
        pattern: String,
        note: String,
    },
    /// Append one line to a ledger.
    Append { request: u64, path: String, line: String },
    /// Something a person may want to see.
    Tell(Event),
    /// The run is over.
    Done(Box<Report>),
    /// Call again at this time at the latest.
    Wake { at: Millis },
}

/// What became of a call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Aftermath {
    /// The device.
    pub device: String,
    /// The tool or macro that the plan names.
    pub tool: String,
    /// Its arguments, as text.
    pub arguments: Vec<(String, String)>,
    /// How it was observed; `None` where it failed.
    pub observed: Option<Observed>,
    /// Why it failed; empty where it did not.
    pub why: String,
}

/// Something a person may want to see as it happens.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the fields are named for what they hold")]
pub enum Event {
    /// The chosen mode and why.
    Mode { mode: Mode, reason: String },
    /// The plan, checked.
    Planned { plan: Plan },
    /// A logical call begins (index from 0).
    CallBegins { call: usize, text: String },
    /// A command passed the gate and left.
    CommandSent {
        call: usize,
        text: String,
        leg: u16,
        legs: u16,
    },
    /// The next command waits so long, since the device may not be sent more of them yet.
    Paced { call: usize, text: String, ms: Millis },
    /// The device acknowledged it.
    Acknowledged { call: usize, ms: Millis },
    /// A step was seen to succeed.
    StepObserved {
        call: usize,
        text: String,
        observed: Observed,
    },
    /// A call was seen to succeed.
    CallObserved { call: usize, observed: Observed },
    /// What a device reports about itself, asked for by a step that only reads.
    Reading { device: String, readings: Vec<Named> },
    /// What was done is what a known trace does, so that trace answers to these words, too.
    Learned { trace: String, pattern: String },
    /// An earlier run was broken off after it had announced this command.
    BrokenOff {
        intent: Box<Intent>,
        outcome: Outcome,
        text: String,
    },
    /// A run goes on that was broken off; the call is the one it goes on with (index from 0).
    TakenUp {
        run: String,
        call: usize,
        calls: usize,
        how: String,
    },
    /// A device has told of a run that it did alone, while nobody waited for it.
    HandedOver {
        device: String,
        trace: String,
        status: Status,
        text: String,
    },
    /// Something worth a warning.
    Warning { text: String },
}

/// How a run ended. The exit codes are the command line's contract.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Every step was observed to succeed.
    Done,
    /// Done as far as anyone can tell; something could not be read back.
    Unverified,
    /// A step did not succeed.
    Failed,
    /// A person, a signal or the gate stopped it.
    Stopped,
    /// The gate, the policy or a hook said no.
    Refused,
    /// Something is missing or ambiguous.
    NeedsAnswer,
    /// Nothing here can do that.
    NoTool,
    /// The broker, a device, the model or the workspace is not there.
    Environment,
}

impl Status {
    /// The process's exit code.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Status::Done | Status::Unverified => 0,
            Status::Failed | Status::Stopped => 1,
            Status::Refused => 3,
            Status::NeedsAnswer => 4,
            Status::Environment => 5,
            Status::NoTool => 6,
        }
    }
}

/// What happened, as `run --json` prints it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Report {
    /// The goal.
    pub goal: String,
    /// The mode it ran in.
    pub mode: Option<Mode>,
    /// Why that mode, and why it ended as it did.
    pub reason: String,
    /// How it ended.
    pub status: Status,
    /// The plan, also where it was not carried out.
    pub plan: Plan,
    /// The plan in the terms of the tools that came with the request, as JSON: `[{"name","arguments"}]`.
    pub calls: Option<String>,
    /// The logical calls that were begun.
    pub steps: Vec<StepReport>,
    /// What the person is asked, if anything.
    pub question: Option<String>,
    /// What the model cost.
    pub tokens: Tokens,
    /// How often a model was called.
    pub model_calls: u32,
    /// From goal to end, in milliseconds.
    pub ms: Millis,
    /// The trace that was followed or written.
    pub trace: Option<String>,
    /// The digest of the calls, as 16 hexadecimal digits; only where all of them were carried out.
    pub digest: Option<String>,
}

impl StepReport {
    /// A call of which nothing was done yet.
    #[must_use]
    pub fn of(call: &PlannedCall) -> StepReport {
        StepReport {
            tool: format!("{}.{}", call.device, call.tool),
            arguments: call.arguments.clone(),
            gate: "pass".to_owned(),
            ack_ms: None,
            observed: None,
            commands: 0,
            readings: Vec::new(),
        }
    }
}

/// One logical call in a report.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct StepReport {
    /// `device.tool`.
    pub tool: String,
    /// Its arguments with where they came from.
    pub arguments: Vec<Argument>,
    /// What the gate said: `pass`, or the reason of a refusal.
    pub gate: String,
    /// From the first command to its acknowledgement, in milliseconds.
    pub ack_ms: Option<Millis>,
    /// How its success was seen; `None` if it was not.
    pub observed: Option<Observed>,
    /// Commands that were published for it.
    pub commands: u32,
    /// What the device reported about itself, for a call that only reads.
    pub readings: Vec<Named>,
}
