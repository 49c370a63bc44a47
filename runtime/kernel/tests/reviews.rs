//! What hooks say after the fact: nothing goes on before they have answered, what they deny ends the run, and a stop waits for no hook.

#[path = "../examples/hostile/scene.rs"]
mod scene;

use llmos_follower::Progress;
use llmos_kernel::kernel::{Kernel, Settings};
use llmos_kernel::message::{Aftermath, Caller, Input, News, Output, Report, Request, State, Status, Verdict};
use scene::{Heard, Scene};
use std::collections::VecDeque;

const TRACE: &str = "---\ntrace: two\ngoal: do both\npatterns:\n  - \"do both\"\nslots: {}\nsteps:\n  - arm.speed: { value: \"0.2 m/s\" }\n  - arm.gripper: { state: closed }\nstatus: done\nmode: LEARNER\n---\n";

/// What happened in a run.
struct Ran {
    report: Report,
    sent: Vec<String>,
    reviews: Vec<Aftermath>,
}

/// What the hooks answer to a review; `None` is a stop by a person while they still think.
type Says = fn(&Aftermath) -> Option<Verdict>;

fn run(reviewed: bool, fails: &str, says: Says) -> Ran {
    let mut kernel = Kernel::new(Settings {
        reviewed,
        ..Settings::default()
    });
    for (path, text) in [
        ("devices/arm.md", include_str!("../../../workspace/devices/arm.md")),
        ("policy.toml", include_str!("../../../workspace/policy.toml")),
        ("traces/two.md", TRACE),
    ] {
        let (path, text) = (path.to_owned(), text.to_owned());
        kernel.handle(0, Input::Document { path, text });
    }
    let device = |news| Input::Device {
        device: "arm".to_owned(),
        news,
    };
    let mut scene = Scene::new([800_000, 0, 1_200_000], [0, 0, 0], 0, Vec::new());
    let state = |scene: &Scene, progress| {
        device(News::State(State {
            progress,
            ..scene.state("arm")
        }))
    };
    let (mut sent, mut reviews) = (Vec::new(), Vec::new());
    let mut inputs = VecDeque::from([device(News::Online), state(&scene, None)]);
    inputs.push_back(Input::Goal(Request::new("do both", Caller::Person)));
    for now in 1..2_000 {
        let input = inputs.pop_front().unwrap_or(Input::Tick);
        kernel.handle(now * 10, state(&scene, None));
        kernel.handle(now * 10, input);
        while let Some(output) = kernel.poll() {
            match output {
                Output::Done(report) => {
                    return Ran {
                        report: *report,
                        sent,
                        reviews,
                    };
                }
                Output::Hook { request, .. } => inputs.push_back(Input::Verdict {
                    request,
                    verdict: Verdict::Pass,
                }),
                Output::Review { request, what } => {
                    inputs.push_back(match says(&what) {
                        Some(verdict) => Input::Verdict { request, verdict },
                        None => Input::Stop { device: None },
                    });
                    reviews.push(what);
                }
                Output::Command {
                    command,
                    tool,
                    arguments,
                    ..
                } => {
                    inputs.push_back(device(News::Acknowledged { command }));
                    if tool == fails {
                        let why = "scripted".to_owned();
                        inputs.push_back(device(News::Failed { command, why }));
                    } else {
                        let heard = Heard {
                            device: "arm",
                            tool: &tool,
                            arguments: &arguments,
                        };
                        scene.carry_out(&heard);
                        inputs.push_back(state(&scene, Some(Progress::Finished)));
                    }
                    sent.push(tool);
                }
                Output::Store { request, .. } | Output::Append { request, .. } | Output::Amend { request, .. } => {
                    inputs.push_back(Input::Stored { request, error: None });
                }
                _ => {}
            }
        }
    }
    panic!("the run does not end: {sent:?}");
}

#[expect(clippy::unnecessary_wraps, reason = "others are stopped and say nothing")]
fn deny(_: &Aftermath) -> Option<Verdict> {
    let why = "the lamp is red".to_owned();
    Some(Verdict::Deny { why })
}

#[expect(clippy::unnecessary_wraps, reason = "others are stopped and say nothing")]
fn pass(_: &Aftermath) -> Option<Verdict> {
    Some(Verdict::Pass)
}

#[test]
fn nobody_is_asked_where_nobody_wants_to_know() {
    let ran = run(false, "", deny);
    assert_eq!(
        (ran.report.status, ran.reviews.len()),
        (Status::Done, 0),
        "{}",
        ran.report.reason
    );
}

#[test]
fn every_call_is_shown_to_the_hooks_once() {
    let ran = run(true, "", pass);
    assert_eq!(ran.report.status, Status::Done, "{}", ran.report.reason);
    let tools: Vec<&str> = ran.reviews.iter().map(|what| what.tool.as_str()).collect();
    assert_eq!(tools, ["speed", "gripper"]);
    assert_eq!(ran.reviews[0].arguments, [("value".to_owned(), "0.2 m/s".to_owned())]);
    assert!(
        ran.reviews
            .iter()
            .all(|what| what.observed.is_some() && what.why.is_empty())
    );
}

#[test]
fn what_is_denied_afterwards_ends_the_run_before_the_next_command() {
    let ran = run(true, "", deny);
    assert_eq!(ran.report.status, Status::Refused);
    assert!(ran.report.reason.contains("the lamp is red"), "{}", ran.report.reason);
    assert_eq!(ran.sent, ["speed"], "the second call is never begun");
    let last = run(
        true,
        "",
        |what| if what.tool == "gripper" { deny(what) } else { pass(what) },
    );
    assert_eq!(
        (last.report.status, last.sent.len()),
        (Status::Refused, 2),
        "the last call counts as well"
    );
}

#[test]
fn a_failure_is_shown_with_its_reason_and_can_only_get_worse() {
    for (says, expected) in [(pass as Says, "scripted"), (deny as Says, "the lamp is red")] {
        let ran = run(true, "gripper", says);
        let status = if expected == "scripted" {
            Status::Failed
        } else {
            Status::Refused
        };
        assert_eq!(ran.report.status, status, "{}", ran.report.reason);
        assert!(ran.report.reason.contains(expected), "{}", ran.report.reason);
    }
    let only_failures: Says = |what| if what.why.is_empty() { pass(what) } else { deny(what) };
    let ran = run(true, "gripper", only_failures);
    assert_eq!(ran.report.status, Status::Failed, "{}", ran.report.reason);
    assert!(
        ran.report.reason.contains("the lamp is red") && ran.report.reason.contains("scripted"),
        "{}",
        ran.report.reason
    );
    assert!(
        ran.reviews
            .last()
            .is_some_and(|what| what.why.contains("scripted") && what.observed.is_none())
    );
}

#[test]
fn a_stop_waits_for_no_hook() {
    for fails in ["", "speed"] {
        let ran = run(true, fails, |_| None);
        assert_eq!(ran.report.status, Status::Stopped, "{fails}: {}", ran.report.reason);
    }
}
