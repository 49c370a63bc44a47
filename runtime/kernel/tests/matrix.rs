//! The permission matrix: every caller, every path by which a command may come to the gate, every kind of rule; what counts is what leaves
//! as `Output::Command`. Paths that do not exist yet (skills, agents, schedules, HTTP and MCP servers) are not pretended: their callers are
//! tried by the paths that exist, since the gate knows a caller and no path.

#[path = "../examples/hostile/scene.rs"]
mod scene;

use llmos_follower::Progress;
use llmos_kernel::kernel::{Kernel, Settings};
use llmos_kernel::message::{
    Answer, AnswerCall, Caller, Input, News, Output, Pointed, Query, Report, Request, State, Status, Tokens, Verdict,
};
use scene::{Heard, Scene};
use std::collections::VecDeque;

const ARM: &str = include_str!("../../../workspace/devices/arm.md");
const SLOW: &str = "---\ntrace: slow\ngoal: go slow\npatterns:\n  - \"go slow\"\nslots: {}\nsteps:\n  - arm.speed: { value: \"0.2 m/s\" }\nstatus: done\nmode: LEARNER\n---\n";
const UNDO: &str = "---\ntrace: undo\ngoal: try the tool\npatterns:\n  - \"try tool\"\nslots: {}\nsteps:\n  - arm.tool: { state: \"on\" }\n    on_error: compensate\n    compensate: [ arm.speed: { value: \"0.2 m/s\" } ]\nstatus: done\nmode: LEARNER\n---\n";

/// How a command comes to the gate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Path {
    /// The model plans it.
    Plan,
    /// The model plans a macro, and this is a step of it.
    Macro,
    /// A trace is replayed by name.
    Replay,
    /// A trace answers to the goal.
    Follow,
    /// It makes up for a call that failed.
    Compensate,
    /// The second of two goals, one after the other.
    Interactive,
    /// The rule comes into force while a hook thinks about the command.
    Hook,
}

const PATHS: [Path; 7] = [
    Path::Plan,
    Path::Macro,
    Path::Replay,
    Path::Follow,
    Path::Compensate,
    Path::Interactive,
    Path::Hook,
];

impl Path {
    /// The call that the rule is about, and the command that it comes to.
    fn deed(self) -> (&'static str, &'static str) {
        match self {
            Path::Macro => ("go_to", "move_to"),
            _ => ("speed", "speed"),
        }
    }

    fn goal(self) -> &'static str {
        match self {
            Path::Macro => "move the arm to (1, 0.5, 1.5)",
            Path::Follow => "go slow",
            Path::Compensate => "try the tool",
            _ => "set the speed of the arm to 0.2 m/s",
        }
    }
}

/// What somebody says who is asked.
#[derive(Clone, Copy, Debug)]
enum Says {
    Yes,
    No,
    Name(&'static str),
    /// Nobody is there.
    Nothing,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Expected {
    Leaves,
    Refused,
    Asks,
}

/// A rule, the time, what people say, and what is to come of it.
struct Case {
    name: &'static str,
    /// What stands above the rules.
    head: &'static str,
    /// The effect and what else a rule says; `None` is no rule.
    rule: Option<&'static str>,
    minute: Option<u16>,
    says: &'static [Says],
    expected: Expected,
    /// The same where the rule comes into force when it is too late to ask.
    unasked: Expected,
}

const fn case(name: &'static str, rule: &'static str, expected: Expected) -> Case {
    Case {
        name,
        head: "",
        rule: Some(rule),
        minute: None,
        says: &[],
        expected,
        unasked: match expected {
            Expected::Leaves => Expected::Leaves,
            Expected::Refused | Expected::Asks => Expected::Refused,
        },
    }
}

const fn asked(name: &'static str, rule: &'static str, says: &'static [Says], expected: Expected) -> Case {
    Case {
        head: "people = [\"ada\", \"grace\"]\n",
        says,
        unasked: Expected::Refused,
        ..case(name, rule, expected)
    }
}

const NIGHT: &str = "effect = \"allow\"\nquiet = \"22:00-06:00\"";
const TWO: &str = "effect = \"confirm\"\npeople = 2";
const CONFIRM: &str = "effect = \"confirm\"";
const TRAP: &str = "effect = \"allow\"\nlimits = { valeu = \"0..1 m/s\", tu = \"0..1 m\" }";

use Expected::{Asks, Leaves, Refused};
use Says::{Name, No, Nothing, Yes};

const CASES: [Case; 23] = [
    case("allow", "effect = \"allow\"", Leaves),
    case("deny", "effect = \"deny\"", Refused),
    Case {
        rule: None,
        ..case("no rule", "", Refused)
    },
    case("another device", "effect = \"allow\"\ndevice = \"base\"", Refused),
    case("a broken policy", "effect = \"alow\"", Refused),
    case(
        "wide limits",
        "effect = \"allow\"\nlimits = { bounds = { x = \"-2..2 m\" }, max_speed = \"0.4 m/s\" }",
        Leaves,
    ),
    case(
        "narrow limits",
        "effect = \"allow\"\nlimits = { bounds = { x = \"-2..0 m\" }, max_speed = \"0.1 m/s\" }",
        Refused,
    ),
    case("limits of nothing that is there", TRAP, Refused),
    Case {
        minute: Some(12 * 60),
        ..case("outside quiet hours", NIGHT, Leaves)
    },
    Case {
        minute: Some(23 * 60),
        ..case("in quiet hours", NIGHT, Refused)
    },
    Case {
        minute: Some(5 * 60 + 59),
        ..case("in quiet hours after midnight", NIGHT, Refused)
    },
    case("quiet hours and no clock", NIGHT, Refused),
    asked("a yes", CONFIRM, &[Yes], Leaves),
    asked("a no", CONFIRM, &[No], Refused),
    asked("a name where a yes is wanted", CONFIRM, &[Name("ada"), Yes], Leaves),
    asked("nobody", CONFIRM, &[Nothing], Asks),
    asked("two people", TWO, &[Name("ada"), Name("grace")], Leaves),
    asked(
        "one person twice",
        TWO,
        &[Name("ada"), Name("ada"), Name(" ada "), Name("")],
        Refused,
    ),
    asked("one person", TWO, &[Name("ada"), Name("")], Refused),
    asked("a stranger", TWO, &[Name("ada"), Name("mallory"), Name("")], Refused),
    asked("a yes where names are wanted", TWO, &[Yes], Refused),
    asked("two people, and nobody is there", TWO, &[Nothing], Asks),
    asked("two people, and one leaves", TWO, &[Name("ada"), Nothing], Asks),
];

/// A policy with the rule for this caller, and everything for everybody else.
fn policy(case: &Case, who: Caller, path: Path) -> String {
    let (name, deed) = (who.word(), path.deed().0);
    let rule = case.rule.map_or_else(String::new, |rule| {
        format!("[[rule]]\nwho = [\"{name}\"]\ntool = \"{deed}\"\n{rule}\n")
    });
    // What fails before the deed is not what is tried.
    let before = format!("[[rule]]\neffect = \"allow\"\nwho = [\"{name}\"]\ntool = \"tool\"\n");
    let others = Caller::ALL.iter().filter(|other| **other != who);
    let others: Vec<String> = others.map(|other| format!("\"{}\"", other.word())).collect();
    let others = format!("[[rule]]\neffect = \"allow\"\nwho = [{}]\n", others.join(", "));
    [case.head, &rule, &before, &others].concat()
}

const OPEN: &str =
    "[[rule]]\neffect = \"allow\"\nwho = [\"person\", \"agent\", \"cron\", \"http\", \"mcp\", \"device\"]\n";

fn document(kernel: &mut Kernel, path: &str, text: &str) {
    let (path, text) = (path.to_owned(), text.to_owned());
    kernel.handle(0, Input::Document { path, text });
}

struct Stage {
    kernel: Kernel,
    scene: Scene,
    now: u64,
    sent: Vec<String>,
    /// How long people think before they answer.
    thinks_ms: u64,
}

impl Stage {
    fn new(policy: &str) -> Stage {
        let mut kernel = Kernel::new(Settings::default());
        document(&mut kernel, "devices/arm.md", ARM);
        document(&mut kernel, "traces/slow.md", SLOW);
        document(&mut kernel, "traces/undo.md", UNDO);
        document(&mut kernel, "policy.toml", policy);
        let device = "arm".to_owned();
        kernel.handle(
            0,
            Input::Device {
                device,
                news: News::Online,
            },
        );
        Stage {
            kernel,
            scene: Scene::new([800_000, 0, 1_200_000], [0, 0, 0], 0, Vec::new()),
            now: 0,
            sent: Vec::new(),
            thinks_ms: 0,
        }
    }

    fn news(&self, progress: Option<Progress>) -> Input {
        let state = State {
            progress,
            ..self.scene.state("arm")
        };
        Input::Device {
            device: "arm".to_owned(),
            news: News::State(state),
        }
    }

    /// Carries out a request; `hooked` are documents that come while the first command is with the hooks.
    fn run(&mut self, request: Request, says: &[Says], hooked: &[(&str, &str)]) -> Report {
        self.begin(request);
        self.carry_on(says, hooked)
    }

    fn begin(&mut self, request: Request) {
        let news = self.news(None);
        self.kernel.handle(self.now, news);
        self.kernel.handle(self.now, Input::Goal(request));
    }

    fn carry_on(&mut self, says: &[Says], hooked: &[(&str, &str)]) -> Report {
        let mut says = says.iter().copied();
        let mut hooked = hooked.iter();
        let mut inputs = VecDeque::new();
        for _ in 0..2_000 {
            while let Some(output) = self.kernel.poll() {
                match output {
                    Output::Done(report) => return *report,
                    Output::Generate { request, query } => inputs.push_back(Input::Generated {
                        request,
                        answer: plan(&query),
                    }),
                    Output::Hook { request, .. } => {
                        inputs.extend(hooked.by_ref().map(|(path, text)| Input::Document {
                            path: (*path).to_owned(),
                            text: (*text).to_owned(),
                        }));
                        inputs.push_back(Input::Verdict {
                            request,
                            verdict: Verdict::Pass,
                        });
                    }
                    Output::Ask { request, .. } | Output::AskName { request, .. } => {
                        self.now += self.thinks_ms;
                        inputs.push_back(self.news(None));
                        inputs.extend(says.next().map(|says| said(request, says)));
                    }
                    Output::Command {
                        command,
                        tool,
                        arguments,
                        ..
                    } => inputs.extend(self.carry_out(command, &tool, &arguments)),
                    Output::Store { request, .. } | Output::Append { request, .. } | Output::Amend { request, .. } => {
                        inputs.push_back(Input::Stored { request, error: None });
                    }
                    _ => {}
                }
            }
            self.now += 10;
            let idle = [self.news(None), Input::Tick];
            let next = inputs.pop_front();
            for input in next.map_or(idle.to_vec(), |input| vec![input]) {
                self.kernel.handle(self.now, input);
            }
        }
        panic!("the run does not end");
    }

    /// The arm does what it is told, except that its tool does not switch on.
    fn carry_out(
        &mut self,
        command: u64,
        tool: &str,
        arguments: &[(String, llmos_kernel::message::Fact)],
    ) -> Vec<Input> {
        let device = || "arm".to_owned();
        self.sent.push(tool.to_owned());
        let mut inputs = vec![Input::Device {
            device: device(),
            news: News::Acknowledged { command },
        }];
        if tool == "tool" {
            let why = "it does not switch".to_owned();
            inputs.push(Input::Device {
                device: device(),
                news: News::Failed { command, why },
            });
        } else {
            self.scene.carry_out(&Heard {
                device: "arm",
                tool,
                arguments,
            });
            inputs.push(self.news(Some(Progress::Finished)));
        }
        inputs
    }
}

fn said(request: u64, says: Says) -> Input {
    match says {
        Says::Yes => Input::Answered { request, yes: true },
        Says::No => Input::Answered { request, yes: false },
        Says::Name(name) => Input::Agreed {
            request,
            name: name.to_owned(),
        },
        Says::Nothing => Input::Unanswered { request },
    }
}

/// What an honest model answers to the goals here.
fn plan(query: &Query) -> Answer {
    let tool = if query.goal.starts_with("set") {
        "speed"
    } else {
        "go_to"
    };
    let tool = query
        .tools
        .iter()
        .position(|known| known.name == tool)
        .expect("the tool is offered");
    let span = query.spans.first().expect("the goal says a value");
    let arguments = vec![Pointed::Span {
        start: span.start,
        end: span.end,
    }];
    let calls = vec![AnswerCall { tool, arguments }];
    Answer::Calls {
        calls,
        tokens: Tokens::default(),
    }
}

/// What a path comes to under a case: the report, and how often the deed left.
fn try_path(case: &Case, who: Caller, path: Path) -> (Report, usize) {
    let rules = policy(case, who, path);
    let mut request = Request {
        minute: case.minute,
        ..Request::new(path.goal(), who)
    };
    if path == Path::Replay {
        request.trace = Some("slow".to_owned());
    }
    let mut stage = Stage::new(if path == Path::Hook { OPEN } else { &rules });
    if path == Path::Interactive {
        let first = Request::new("move the arm to (1, 0.5, 1.5)", who);
        let before = stage.run(first, &[], &[]);
        assert_eq!(
            before.status,
            Status::Refused,
            "no rule is about go_to: {}",
            before.reason
        );
    }
    let hooked = [("policy.toml", rules.as_str())];
    let hooked: &[_] = if path == Path::Hook { &hooked } else { &[] };
    let report = stage.run(request, case.says, hooked);
    let deeds = stage.sent.iter().filter(|tool| *tool == path.deed().1).count();
    (report, deeds)
}

fn check(case: &Case, who: Caller, path: Path) {
    let (report, deeds) = try_path(case, who, path);
    let expected = if path == Path::Hook {
        case.unasked
    } else {
        case.expected
    };
    let told = format!(
        "{}, {who:?}, {path:?}: {:?}: {}",
        case.name, report.status, report.reason
    );
    match expected {
        Expected::Leaves => assert!(deeds > 0, "{told}"),
        Expected::Refused => assert_eq!((deeds, report.status), (0, Status::Refused), "{told}"),
        Expected::Asks => {
            assert_eq!((deeds, report.status), (0, Status::NeedsAnswer), "{told}");
            assert!(report.question.is_some(), "{told}");
        }
    }
    assert_eq!(
        report.status == Status::Done,
        deeds > 0 && path != Path::Compensate,
        "{told}"
    );
}

#[test]
fn every_caller_by_every_path_under_every_rule() {
    for case in &CASES {
        for who in Caller::ALL {
            for path in PATHS {
                check(case, who, path);
            }
        }
    }
}

/// The rules about two callers, and who asks on whose behalf.
fn child(rules: &str, callers: &[Caller]) -> (Status, usize, String) {
    let mut stage = Stage::new(rules);
    let [who, parents @ ..] = callers else {
        panic!("somebody asks")
    };
    let request = Request {
        parents: parents.to_vec(),
        ..Request::new("set the speed of the arm to 0.2 m/s", *who)
    };
    let report = stage.run(request, &[Says::Yes], &[]);
    (report.status, stage.sent.len(), report.reason)
}

#[test]
fn a_child_has_no_right_that_its_parent_lacks() {
    let rule = |who: Caller, rest: &str| format!("[[rule]]\nwho = [\"{}\"]\n{rest}\n", who.word());
    let (allow, deny) = ("effect = \"allow\"", "effect = \"deny\"");
    let narrow = "effect = \"allow\"\nlimits = { value = \"0..0.1 m/s\" }";
    for child_ in Caller::ALL {
        for parent in Caller::ALL.into_iter().filter(|parent| *parent != child_) {
            let both = rule(child_, allow) + &rule(parent, allow);
            assert_eq!(
                child(&both, &[child_, parent]).0,
                Status::Done,
                "{child_:?} for {parent:?}"
            );
            for rules in [
                rule(child_, allow),
                rule(parent, allow),
                rule(child_, allow) + &rule(parent, deny),
                rule(child_, deny) + &rule(parent, allow),
                rule(child_, allow) + &rule(parent, narrow),
                rule(child_, narrow) + &rule(parent, allow),
            ] {
                let (status, sent, reason) = child(&rules, &[child_, parent]);
                assert_eq!(
                    (status, sent),
                    (Status::Refused, 0),
                    "{child_:?} for {parent:?} under {rules}: {reason}"
                );
            }
            let grand = rule(child_, allow) + &rule(parent, allow);
            assert_eq!(child(&grand, &[child_, child_, parent]).0, Status::Done);
            let asked = rule(child_, allow) + &rule(parent, "effect = \"confirm\"");
            assert_eq!(
                child(&asked, &[child_, parent]).0,
                Status::Done,
                "the parent's rule is asked about"
            );
        }
    }
    let three = rule(Caller::Agent, allow) + &rule(Caller::Cron, allow);
    let (status, _, reason) = child(&three, &[Caller::Agent, Caller::Cron, Caller::Http]);
    assert_eq!(status, Status::Refused);
    assert!(reason.contains("http"), "it says who lacks the right: {reason}");
}

#[test]
fn a_rule_about_a_step_holds_inside_a_macro_and_gives_nothing() {
    let all = "[[rule]]\neffect = \"allow\"\nwho = [\"person\"]\n";
    let go = |rules: &str| {
        let mut stage = Stage::new(rules);
        let report = stage.run(Request::new("move the arm to (1, 0.5, 1.5)", Caller::Person), &[], &[]);
        (report.status, !stage.sent.is_empty(), report.reason)
    };
    assert_eq!(go(all).0, Status::Done);
    let step = |rest: &str| format!("[[rule]]\nwho = [\"person\"]\ntool = \"move_to\"\n{rest}\n");
    let (status, sent, reason) = go(&(step("effect = \"deny\"") + all));
    assert_eq!((status, sent), (Status::Refused, false));
    assert!(reason.contains("which uses arm.move_to"), "{reason}");
    let (status, sent, reason) = go(&(step("effect = \"allow\"\nlimits = { bounds = { z = \"0..1 m\" } }") + all));
    assert_eq!((status, sent), (Status::Refused, false), "{reason}");
    assert!(reason.contains("z = 1.") && reason.contains("line 1"), "{reason}");
    assert_eq!(
        go(&step("effect = \"allow\"")).0,
        Status::Refused,
        "the right to a step is none to the macro"
    );
}

#[test]
fn quiet_hours_begin_while_a_run_is_under_way() {
    let rules = "[[rule]]\neffect = \"confirm\"\nwho = [\"person\"]\nquiet = \"22:00-06:00\"\n";
    let late = |thinks_ms: u64| {
        let mut stage = Stage::new(rules);
        stage.thinks_ms = thinks_ms;
        let request = Request {
            minute: Some(21 * 60 + 59),
            ..Request::new("set the speed of the arm to 0.2 m/s", Caller::Person)
        };
        let report = stage.run(request, &[Says::Yes], &[]);
        (report.status, stage.sent.len(), report.reason)
    };
    assert_eq!(late(30_000).0, Status::Done);
    let (status, sent, reason) = late(61_000);
    assert_eq!((status, sent), (Status::Refused, 0));
    assert!(reason.contains("quiet hours 22:00-06:00, and it is 22:00"), "{reason}");
}

#[test]
fn tighter_documents_hold_at_once_and_looser_ones_from_the_next_run() {
    let slow = "set the speed of the arm to 0.2 m/s";
    let tighter = ARM.replace("max_speed: \"0.5 m/s\"", "max_speed: \"0.1 m/s\"");
    let deny = "[[rule]]\neffect = \"deny\"\nwho = [\"person\"]\n";
    for hooked in [
        ("devices/arm.md", tighter.as_str()),
        ("policy.toml", deny),
        ("policy.toml", "nonsense"),
    ] {
        let mut stage = Stage::new(OPEN);
        let report = stage.run(Request::new(slow, Caller::Person), &[], &[hooked]);
        assert_eq!(
            (report.status, stage.sent.len()),
            (Status::Refused, 0),
            "{hooked:?}: {}",
            report.reason
        );
    }
    // What was too fast when the run began stays so, whatever the file says by now.
    let fast = "set the speed of the arm to 0.9 m/s";
    let looser = ARM.replace("max_speed: \"0.5 m/s\"", "max_speed: \"2 m/s\"");
    let narrow = "[[rule]]\neffect = \"allow\"\nwho = [\"person\"]\nlimits = { max_speed = \"1 m/s\" }\n";
    let mut stage = Stage::new(narrow);
    let report = stage.run(Request::new(fast, Caller::Person), &[], &[]);
    assert_eq!(report.status, Status::Refused, "{}", report.reason);
    let mut stage = Stage::new("[[rule]]\neffect = \"confirm\"\nwho = [\"person\"]\n");
    let request = || Request::new(fast, Caller::Person);
    stage.begin(request());
    document(&mut stage.kernel, "devices/arm.md", &looser);
    let report = stage.carry_on(&[Says::Yes], &[]);
    assert_eq!(
        (report.status, stage.sent.len()),
        (Status::Refused, 0),
        "{}",
        report.reason
    );
    let report = stage.run(request(), &[Says::Yes], &[]);
    assert_eq!(
        (report.status, stage.sent.len()),
        (Status::Done, 1),
        "{}",
        report.reason
    );
    // The same for the policy: a rule that is gone still holds for the run that began under it.
    let quick = "[[rule]]\neffect = \"confirm\"\nwho = [\"person\"]\nlimits = { max_speed = \"0.1 m/s\" }\n";
    let mut stage = Stage::new(quick);
    stage.begin(Request::new(slow, Caller::Person));
    document(&mut stage.kernel, "policy.toml", OPEN);
    let report = stage.carry_on(&[Says::Yes], &[]);
    assert_eq!(
        (report.status, stage.sent.len()),
        (Status::Refused, 0),
        "{}",
        report.reason
    );
    let report = stage.run(Request::new(slow, Caller::Person), &[], &[]);
    assert_eq!(
        (report.status, stage.sent.len()),
        (Status::Done, 1),
        "{}",
        report.reason
    );
}
