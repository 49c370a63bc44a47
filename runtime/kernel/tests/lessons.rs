//! Runs that did not succeed are never followed, and they teach: a warning with the reason, and a question where nothing has changed.

mod support;

use llmos_kernel::message::{Input, Query, Status};
use llmos_kernel::mode::Mode;
use support::{Arm, Case, Disk, Ended, carry_out, disk, kernel, no_tool, plan, request, trace};

const GOAL: &str = "close the gripper";

fn close(query: &Query) -> llmos_kernel::message::Answer {
    plan(query, &[("gripper", &["closed"])])
}

fn run(disk: &mut Disk, arm: &mut Arm, goal: &str, fails: bool, says: Option<bool>) -> Ended {
    let case = Case {
        model: &close,
        fails: &|_| fails,
        says: &|_| says,
        dies_after: None,
    };
    carry_out(&mut kernel(disk), arm, disk, request(goal), &case).expect("an end")
}

/// A disk on which closing the gripper has failed, and the arm.
fn failed() -> (Disk, Arm) {
    let (mut disk, mut arm) = (disk(&[]), Arm::new());
    let ended = run(&mut disk, &mut arm, GOAL, true, None);
    assert_eq!(ended.report.status, Status::Failed);
    let stored = ended.stored();
    assert!(
        stored.len() == 1 && stored[0].contains("ended: { because: ") && stored[0].contains("scripted"),
        "{stored:?}"
    );
    (disk, arm)
}

#[test]
fn the_same_again_in_the_same_situation_needs_a_person() {
    let (mut disk, mut arm) = failed();
    let sent = arm.sent.len();
    let ended = run(&mut disk, &mut arm, GOAL, false, None);
    assert_eq!(
        (ended.report.status, arm.sent.len()),
        (Status::NeedsAnswer, sent),
        "{}",
        ended.report.reason
    );
    assert!(
        ended.report.reason.contains("scripted") && ended.report.reason.contains("--anew"),
        "{}",
        ended.report.reason
    );
    assert_eq!(ended.report.mode, Some(Mode::Learner), "it is never followed");
    let ended = run(&mut disk, &mut arm, GOAL, false, Some(false));
    assert_eq!((ended.report.status, arm.sent.len()), (Status::Refused, sent));
    // Other words for the same plan are the same plan.
    let ended = run(&mut disk, &mut arm, "shut the gripper", false, None);
    assert_eq!(ended.report.status, Status::NeedsAnswer, "{}", ended.report.reason);
    let ended = run(&mut disk, &mut arm, GOAL, false, Some(true));
    assert_eq!((ended.report.status, ended.asked.len()), (Status::Done, 1));
    // It has succeeded since.
    arm.open = true;
    let ended = run(&mut disk, &mut arm, GOAL, false, None);
    assert_eq!(
        (ended.report.status, ended.asked.len()),
        (Status::Done, 0),
        "{}",
        ended.report.reason
    );
    assert_eq!(ended.warnings(), "");
}

#[test]
fn anew_does_it_nevertheless() {
    let (mut disk, mut arm) = failed();
    let mut fresh = kernel(&disk);
    fresh.handle(0, Input::Anew);
    let case = Case {
        model: &close,
        ..Case::default()
    };
    let ended = carry_out(&mut fresh, &mut arm, &mut disk, request(GOAL), &case).expect("an end");
    assert_eq!((ended.report.status, ended.asked.len()), (Status::Done, 0));
    assert!(ended.warnings().contains("scripted"), "{}", ended.warnings());
}

#[test]
fn elsewhere_and_for_something_else_there_is_a_warning() {
    let (mut disk, mut arm) = failed();
    arm.at[0] += 50_000;
    let ended = run(&mut disk, &mut arm, GOAL, false, None);
    assert_eq!((ended.report.status, ended.asked.len()), (Status::Done, 0));
    assert!(
        ended.warnings().contains("the same plan for") && ended.warnings().contains("scripted"),
        "{}",
        ended.warnings()
    );
    let (mut disk, mut arm) = failed();
    arm.open = false;
    let open = |query: &Query| plan(query, &[("gripper", &["open"])]);
    let case = Case {
        model: &open,
        ..Case::default()
    };
    let ended = carry_out(
        &mut kernel(&disk),
        &mut arm,
        &mut disk,
        request("open the gripper"),
        &case,
    )
    .expect("an end");
    assert_eq!((ended.report.status, ended.asked.len()), (Status::Done, 0));
    assert!(
        ended.warnings().contains("a plan with the same tools"),
        "{}",
        ended.warnings()
    );
}

#[test]
fn a_trace_that_failed_when_it_was_followed_teaches_too() {
    let steps = "  - arm.gripper: { state: closed }\n";
    let (mut disk, mut arm) = (disk(&[&trace("close", "close gripper", GOAL, "", steps)]), Arm::new());
    let fails = Case {
        fails: &|_| true,
        model: &no_tool,
        ..Case::default()
    };
    let ended = carry_out(&mut kernel(&disk), &mut arm, &mut disk, request(GOAL), &fails).expect("an end");
    assert_eq!(
        (ended.report.status, ended.report.mode),
        (Status::Failed, Some(Mode::Follower))
    );
    let ended = run(&mut disk, &mut arm, GOAL, false, None);
    assert_eq!(ended.report.status, Status::NeedsAnswer, "{}", ended.report.reason);
    let ended = run(&mut disk, &mut arm, GOAL, false, Some(true));
    assert_eq!(
        (ended.report.status, ended.report.mode),
        (Status::Done, Some(Mode::Follower))
    );
}
