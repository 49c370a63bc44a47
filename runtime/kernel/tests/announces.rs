//! Commands are written down before they leave, and what a broken-off run left is told. The device is played by hand.

use llmos_kernel::intent::{Outcome, PATH};
use llmos_kernel::kernel::{Kernel, Settings};
use llmos_kernel::message::{
    Account, Caller, Event, Fact, Input, Named, News, Output, Report, Request, State, Status, Verdict,
};

const ARM: &str = include_str!("../../../workspace/devices/arm.md");
const POLICY: &str = include_str!("../../../workspace/policy.toml");
const MOVE: &str = "---\ntrace: move\ngoal: move the arm 30 cm to the left\npatterns:\n  - \"move arm {distance} to {direction}\"\nslots: { distance: length, direction: \"left|right|forward|back|up|down\" }\nsteps:\n  - arm.move: { direction: \"{direction}\", distance: \"{distance}\" }\nstatus: done\nmode: LEARNER\n---\n";
const GOAL: &str = "move the arm 30 cm to the left";

fn state(x: i64, account: Option<Account>) -> News {
    let named = |field: &str, value| Named {
        owner: String::new(),
        field: field.to_owned(),
        value,
    };
    News::State(State {
        progress: None,
        stopped: false,
        account,
        readings: vec![
            named("position", Fact::Point([x, 0, 1_200_000])),
            named("gripper", Fact::Text("open".to_owned())),
            named("holding", Fact::Nothing),
            named("tool", Fact::Text("off".to_owned())),
            named("speed", Fact::Number(500_000)),
        ],
    })
}

fn account(done: u32) -> Account {
    Account {
        boot: 5,
        done,
        failed: None,
    }
}

/// A kernel and everything that it has said.
struct Case {
    kernel: Kernel,
    said: Vec<Output>,
    now: u64,
}

impl Case {
    fn new(intents: &str) -> Case {
        let mut case = Case {
            kernel: Kernel::new(Settings::default()),
            said: Vec::new(),
            now: 0,
        };
        for (path, text) in [
            ("devices/arm.md", ARM),
            ("policy.toml", POLICY),
            ("traces/move.md", MOVE),
            (PATH, intents),
        ] {
            let (path, text) = (path.to_owned(), text.to_owned());
            case.give(Input::Document { path, text });
        }
        case
    }

    fn give(&mut self, input: Input) {
        self.now += 1;
        self.kernel.handle(self.now, input);
        while let Some(output) = self.kernel.poll() {
            let pass = match &output {
                Output::Hook { request, .. } => Some(*request),
                _ => None,
            };
            self.said.push(output);
            if let Some(request) = pass {
                let verdict = Verdict::Pass;
                self.give(Input::Verdict { request, verdict });
            }
        }
    }

    fn news(&mut self, news: News) {
        let device = "arm".to_owned();
        self.give(Input::Device { device, news });
    }

    fn leased(&mut self, boot: u32, seq: u32) {
        self.news(News::Leased { boot, seq });
    }

    fn goal(&mut self, dry_run: bool) {
        self.ask(GOAL, dry_run);
    }

    fn ask(&mut self, goal: &str, dry_run: bool) {
        self.give(Input::Goal(Request {
            dry_run,
            date: "2026-01-01T00:00:00Z".to_owned(),
            ..Request::new(goal, Caller::Person)
        }));
    }

    /// What was to be appended to the intents, and not yet answered.
    fn intent(&self) -> (u64, String) {
        let found = self.said.iter().rev().find_map(|output| match output {
            Output::Append { request, path, line } if path == PATH => Some((*request, line.clone())),
            _ => None,
        });
        found.expect("an intent")
    }

    fn command(&self) -> Option<u64> {
        self.said.iter().find_map(|output| match output {
            Output::Command { command, .. } => Some(*command),
            _ => None,
        })
    }

    fn report(&self) -> Option<&Report> {
        self.said.iter().find_map(|output| match output {
            Output::Done(report) => Some(report.as_ref()),
            _ => None,
        })
    }

    fn broken_off(&self) -> Vec<&Outcome> {
        let outcomes = self.said.iter().filter_map(|output| match output {
            Output::Tell(Event::BrokenOff { outcome, .. }) => Some(outcome),
            _ => None,
        });
        outcomes.collect()
    }
}

/// The intent of command 42 on boot 5, as a run leaves it that is broken off.
fn left() -> String {
    let mut case = Case::new("");
    case.leased(5, 41);
    case.news(state(800_000, Some(account(41))));
    case.goal(false);
    case.intent().1 + "\n"
}

#[test]
fn a_command_leaves_only_after_it_is_written_down() {
    let mut case = Case::new("");
    case.leased(5, 41);
    case.news(state(800_000, Some(account(41))));
    case.goal(false);
    let (request, line) = case.intent();
    assert!(
        line.contains("\"mark\":{\"boot\":5,\"seq\":42}") && line.contains(GOAL),
        "{line}"
    );
    assert_eq!(case.command(), None);
    case.give(Input::Tick);
    assert_eq!(case.command(), None, "time alone is no leave");
    case.give(Input::Stored { request, error: None });
    assert_eq!(case.command(), Some(request), "the intent names the command");
}

#[test]
fn what_can_not_be_written_down_is_not_sent() {
    let mut case = Case::new("");
    case.leased(5, 41);
    case.news(state(800_000, Some(account(41))));
    case.goal(false);
    let error = Some("no space left on device".to_owned());
    let (request, _) = case.intent();
    case.give(Input::Stored { request, error });
    let (closing, line) = case.intent();
    assert!(line.starts_with("{\"closed\""), "{line}");
    let error = None;
    case.give(Input::Stored {
        request: closing,
        error,
    });
    let report = case.report().expect("a report");
    assert_eq!(report.status, Status::Environment);
    assert!(
        report.reason.contains("was not sent: no space left"),
        "{}",
        report.reason
    );
    assert_eq!((case.command(), report.trace.as_deref()), (None, None));
}

#[test]
fn a_stop_while_it_is_written_down_wins() {
    let mut case = Case::new("");
    case.leased(5, 41);
    case.news(state(800_000, Some(account(41))));
    case.goal(false);
    let (request, _) = case.intent();
    case.give(Input::Stop { device: None });
    case.give(Input::Stored { request, error: None });
    assert_eq!(case.command(), None);
}

/// What the next run tells, with the device in this state.
fn check(boot: u32, seq: u32, done: u32, expected: &Outcome) {
    let mut case = Case::new(&left());
    case.leased(boot, seq);
    case.ask("move the arm 10 cm to the right", false);
    case.news(state(800_000, None));
    assert!(case.broken_off().is_empty(), "the account has not come yet");
    let account = Account { boot, ..account(done) };
    case.news(state(800_000, Some(account)));
    assert_eq!(case.broken_off(), [expected]);
    let first = case.said.iter().find_map(|output| match output {
        Output::Append { line, .. } => Some(line.starts_with("{\"closed\"")),
        _ => None,
    });
    let asked = case.said.iter().any(|output| matches!(output, Output::Ask { .. }));
    if matches!(expected, Outcome::Unknown { .. }) {
        assert_eq!((first, asked), (None, true), "nobody knows, so the person is asked");
    } else {
        assert_eq!(
            (first, asked),
            (Some(true), false),
            "it is told once, and before anything else is begun"
        );
    }
}

#[test]
fn a_run_that_was_broken_off_is_told_by_the_next() {
    check(5, 42, 42, &Outcome::Finished);
    check(5, 41, 41, &Outcome::NeverBegun);
    let why = "it has restarted since".to_owned();
    check(6, 42, 42, &Outcome::Unknown { why });
}

#[test]
fn a_device_that_is_not_there_is_asked_again_by_the_next_run() {
    let mut case = Case::new(&left());
    let why = "it says that it is gone".to_owned();
    case.news(News::Offline { why });
    case.goal(false);
    assert!(matches!(case.broken_off().as_slice(), [Outcome::Unknown { .. }]));
    let closed = |output: &Output| matches!(output, Output::Append { line, .. } if line.starts_with("{\"closed\""));
    assert!(!case.said.iter().any(closed));
}

#[test]
fn the_lease_of_the_host_that_was_killed_is_waited_for() {
    let mut case = Case::new(&left());
    case.news(News::Taken);
    case.news(state(800_000, None));
    case.goal(false);
    assert!(case.broken_off().is_empty() && case.report().is_none());
    case.leased(5, 42);
    case.news(state(800_000, Some(account(42))));
    assert_eq!(case.broken_off(), [&Outcome::Finished]);
}

#[test]
fn who_only_plans_settles_nothing() {
    let mut case = Case::new(&left());
    case.leased(5, 42);
    case.news(state(800_000, Some(account(42))));
    case.goal(true);
    assert!(case.broken_off().is_empty() && case.report().is_some());
}

#[test]
fn a_run_that_ends_leaves_nothing_open() {
    let mut case = Case::new("");
    case.leased(5, 41);
    case.news(state(800_000, Some(account(41))));
    case.goal(false);
    let (request, line) = case.intent();
    case.give(Input::Stored { request, error: None });
    case.news(News::Acknowledged { command: request });
    let why = "stalled".to_owned();
    case.news(News::Failed { command: request, why });
    let stored: Vec<u64> = case
        .said
        .iter()
        .filter_map(|output| match output {
            Output::Store { request, .. } | Output::Append { request, .. } => Some(*request),
            _ => None,
        })
        .collect();
    assert!(case.report().is_none(), "first it is kept");
    let (_, closing) = case.intent();
    for request in stored {
        case.give(Input::Stored { request, error: None });
    }
    assert_eq!(case.report().map(|report| report.status), Some(Status::Failed));
    let (intents, found) = llmos_kernel::intent::Intents::read(&format!("{line}\n{closing}\n"));
    assert_eq!((intents.open().len(), found.len()), (0, 0));
}
