//! The model's own thread: it loads while the rest starts, then answers one query at a time. Queries and answers are translated between
//! the kernel's types and the planner's; nothing is chosen here.

use super::faults;
use llmos_kernel::message::{Answer, AnswerCall, Pointed, Query, Tokens};
use llmos_kernel::tool::Type;
use llmos_models::{
    Argument, Call, Example, LocalModel, ModelError, Outcome, ParameterKind, ParameterSpec, PlanRequest, Planner, Span,
    SpanKind, ToolSpec,
};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use tokio::sync::mpsc as answers;
use tokio::time::{Instant, timeout_at};

/// A model that loads and plans on a thread of its own.
#[derive(Debug)]
pub struct Model {
    path: Option<PathBuf>,
    /// Where the state of tool lists is kept.
    snapshots: PathBuf,
    worker: Option<Worker>,
    /// How long an answer may take, loading included.
    patience: Duration,
    /// The query that has no answer yet, and when it is given up.
    open: Option<(u64, Instant)>,
}

#[derive(Debug)]
struct Worker {
    queries: mpsc::Sender<(u64, Query)>,
    answers: answers::UnboundedReceiver<(u64, Answer)>,
}

impl Model {
    /// The model of this file, or the one in the box; it keeps the state of tool lists in a folder. Nothing is loaded yet. An answer that
    /// takes longer than `patience` is given up.
    pub fn new(path: Option<PathBuf>, snapshots: PathBuf, patience: Duration) -> Model {
        Model {
            path,
            snapshots,
            worker: None,
            patience,
            open: None,
        }
    }

    /// Begins to load it, so that it is there when it is asked.
    pub fn load(&mut self) {
        let (path, snapshots) = (self.path.clone(), self.snapshots.clone());
        self.worker.get_or_insert_with(|| Worker::start(path, snapshots));
    }

    /// Asks for a plan; a query at a time.
    pub fn ask(&mut self, request: u64, query: Query) {
        self.load();
        self.open = Some((request, Instant::now() + self.patience));
        if let Some(worker) = &self.worker {
            // A thread that has ended by a panic takes no query; then its missing answers say so.
            let _ = worker.queries.send((request, query));
        }
    }

    /// The next answer; never, where nothing was asked.
    pub async fn answer(&mut self) -> (u64, Answer) {
        let (Some((request, given_up)), Some(worker)) = (self.open, &mut self.worker) else {
            return std::future::pending().await;
        };
        let answered = timeout_at(given_up, worker.answers.recv()).await;
        self.open = None;
        let why = match answered {
            Ok(Some(answered)) => return answered,
            Ok(None) => {
                "the model's thread ended in the middle; that is a defect of llmos, please report it with the goal"
                    .to_owned()
            }
            Err(_) => format!(
                "it did not answer within {}; give it longer (model_timeout in llmos.toml), or choose a smaller model",
                humantime::format_duration(self.patience)
            ),
        };
        // The next query gets a new thread; one that hangs is left to itself.
        self.worker = None;
        (request, Answer::Unavailable { why })
    }
}

impl Worker {
    fn start(path: Option<PathBuf>, snapshots: PathBuf) -> Worker {
        let (queries, inbox) = mpsc::channel::<(u64, Query)>();
        let (outbox, answers) = answers::unbounded_channel();
        thread::spawn(move || {
            let mut model = open(path.as_deref());
            if let Ok(model) = &mut model {
                model.keep_snapshots(snapshots);
            }
            while let Ok((request, query)) = inbox.recv() {
                faults::hang("model");
                let answer = match &mut model {
                    Ok(model) => plan(model, &query),
                    Err(error) => Answer::Unavailable { why: error.to_string() },
                };
                if outbox.send((request, answer)).is_err() {
                    return;
                }
            }
        });
        Worker { queries, answers }
    }
}

/// Opens a model file, or the model in the box.
pub fn open(path: Option<&Path>) -> Result<LocalModel, ModelError> {
    path.map_or_else(LocalModel::embedded, LocalModel::open)
}

/// Asks a model here and now.
pub fn plan(model: &mut LocalModel, query: &Query) -> Answer {
    let tools: Vec<ToolSpec> = query
        .tools
        .iter()
        .map(|tool| ToolSpec {
            name: tool.name.clone(),
            does: tool.does.clone(),
            parameters: tool
                .parameters
                .iter()
                .map(|(name, kind, required)| ParameterSpec {
                    name: name.clone(),
                    kind: parameter_kind(kind),
                    required: *required,
                })
                .collect(),
        })
        .collect();
    let spans: Vec<Span> = query
        .spans
        .iter()
        .filter_map(|s| {
            Some(Span {
                start: s.start,
                end: s.end,
                kind: span_kind(&s.kind)?,
            })
        })
        .collect();
    let example = query.example.as_ref().map(|example| Example {
        goal: example.goal.clone(),
        calls: example.calls.iter().map(example_call).collect(),
    });
    let request = PlanRequest {
        tools: &tools,
        goal: &query.goal,
        spans: &spans,
        example: example.as_ref(),
        calls_max: query.calls_max,
    };
    match model.plan(&request) {
        Err(error) => Answer::Unavailable { why: error.to_string() },
        Ok(reply) => {
            let tokens = tokens(reply.tokens);
            let calls = reply.calls.iter().map(answer_call).collect();
            match reply.outcome {
                Outcome::Planned => Answer::Calls { calls, tokens },
                Outcome::NoTool => Answer::NoTool { tokens },
                Outcome::Ask { tool, parameter } => Answer::Missing {
                    calls,
                    tool,
                    parameter,
                    tokens,
                },
                Outcome::TooLong => Answer::Unavailable {
                    why: "the plan did not end; please ask for less at once".to_owned(),
                },
            }
        }
    }
}

fn parameter_kind(kind: &Type) -> ParameterKind {
    match kind {
        Type::Quantity(dimension) => ParameterKind::Quantity(dimension.name().to_owned()),
        Type::Number => ParameterKind::Number,
        Type::Integer => ParameterKind::Integer,
        Type::Boolean => ParameterKind::Boolean,
        Type::Enumeration(options) => ParameterKind::Enumeration(options.clone()),
        Type::Entity => ParameterKind::Entity,
        Type::Place | Type::Point => ParameterKind::Place,
        Type::Text => ParameterKind::Text,
    }
}

fn span_kind(kind: &Type) -> Option<SpanKind> {
    Some(match kind {
        Type::Quantity(dimension) => SpanKind::Quantity(dimension.name().to_owned()),
        Type::Number => SpanKind::Number,
        Type::Integer => SpanKind::Integer,
        Type::Entity => SpanKind::Entity,
        Type::Place | Type::Point => SpanKind::Place,
        Type::Boolean | Type::Enumeration(_) | Type::Text => return None,
    })
}

fn answer_call(call: &Call) -> AnswerCall {
    let pointed = |argument: &Argument| match *argument {
        Argument::Span { start, end } => Pointed::Span { start, end },
        Argument::Option(option) => Pointed::Choice(option),
        Argument::Absent => Pointed::Absent,
    };
    AnswerCall {
        tool: call.tool,
        arguments: call.arguments.iter().map(pointed).collect(),
    }
}

fn example_call(call: &AnswerCall) -> Call {
    let argument = |pointed: &Pointed| match *pointed {
        Pointed::Span { start, end } => Argument::Span { start, end },
        Pointed::Choice(option) => Argument::Option(option),
        Pointed::Absent => Argument::Absent,
    };
    Call {
        tool: call.tool,
        arguments: call.arguments.iter().map(argument).collect(),
    }
}

fn tokens(tokens: llmos_models::Tokens) -> Tokens {
    let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Tokens {
        prompt: narrow(tokens.prompt),
        cached: narrow(tokens.cached),
        generated: narrow(tokens.generated),
        forced: narrow(tokens.forced),
        drafted: narrow(tokens.drafted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A model whose thread answers nothing, asked with number 7.
    fn asked(worker: Worker) -> Model {
        Model {
            path: None,
            snapshots: PathBuf::new(),
            worker: Some(worker),
            patience: Duration::from_millis(1_500),
            open: Some((7, Instant::now() + Duration::from_millis(20))),
        }
    }

    fn why(model: &mut Model) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let answer = runtime.expect("a runtime").block_on(model.answer());
        assert!(model.worker.is_none(), "the next query gets a new thread");
        match answer {
            (7, Answer::Unavailable { why }) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_thread_that_ends_in_the_middle_is_an_answer_and_not_silence() {
        let (queries, _) = mpsc::channel();
        let (_, answers) = answers::unbounded_channel();
        assert!(why(&mut asked(Worker { queries, answers })).contains("ended in the middle"));
    }

    #[test]
    fn a_model_that_hangs_is_given_up() {
        let (queries, _) = mpsc::channel();
        let (_sender, answers) = answers::unbounded_channel();
        assert!(why(&mut asked(Worker { queries, answers })).contains("did not answer within 1s 500ms"));
    }
}
