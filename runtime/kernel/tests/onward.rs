//! The world differs in the middle of a run: the arm here loses what it holds, or finds what it does not expect. What is done stays done.

mod support;

use llmos_kernel::kernel::Kernel;
use llmos_kernel::message::{Answer, Input, Query, Report, Status};
use support::{ARM, Arm, Case, Disk, carry_out, disk, no_model, no_tool, plan, request};

const PUT: &str = "---\ntrace: put\ngoal: pick up the red cube and put it in bin A\npatterns:\n  - \"pick up {object} and put it in {at}\"\nslots: { object: entity, at: place }\nsteps:\n  - arm.pick: { object: \"{object}\" }\n  - arm.place: { object: \"{object}\", at: \"{at}\" }\nstatus: done\nmode: LEARNER\n---\n";
const GOAL: &str = "pick up the red cube and put it in bin A";

fn kernel(traces: &[&str]) -> Kernel {
    support::kernel(&disk(traces))
}

/// Runs a goal to its end; returns the report and the traces that were to be stored.
fn run(kernel: &mut Kernel, arm: &mut Arm, goal: &str, model: impl Fn(&Query) -> Answer) -> (Report, Vec<String>) {
    let case = Case {
        model: &model,
        ..Case::default()
    };
    let ended = carry_out(kernel, arm, &mut Disk::new(), request(goal), &case).expect("an end");
    let stored = ended.stored().into_iter().map(str::to_owned).collect();
    (ended.report, stored)
}

#[test]
fn what_slipped_is_picked_up_again_and_what_is_done_is_not_done_twice() {
    let mut calm = Arm::new();
    let (report, _) = run(&mut kernel(&[PUT]), &mut calm, GOAL, no_model);
    assert_eq!(
        (report.status, report.steps.len()),
        (Status::Done, 2),
        "{}",
        report.reason
    );
    let mut seen = [0; 2];
    for slip in 1..=calm.done.len() {
        let mut arm = Arm::slipping(&[slip]);
        let (report, _) = run(&mut kernel(&[PUT]), &mut arm, GOAL, no_model);
        let tools: Vec<&str> = report.plan.calls.iter().map(|call| call.tool.as_str()).collect();
        assert_eq!(
            (report.status, report.model_calls),
            (Status::Done, 0),
            "{slip}: {}",
            report.reason
        );
        assert_eq!(
            arm.place_of("red cube")[..2],
            [-500_000, 900_000],
            "{slip}: it may have fallen into the bin"
        );
        let after_pick = tools == ["pick", "pick", "place"];
        assert!(after_pick || tools == ["pick", "place"], "{slip}: {tools:?}");
        seen[usize::from(after_pick)] += usize::from(arm.done.len() > calm.done.len());
    }
    assert!(
        seen.iter().all(|count| *count > 0),
        "it slipped in both calls: {seen:?}"
    );
}

#[test]
fn what_slips_again_and_again_ends_as_failed() {
    let mut arm = Arm::slipping(&(6..60).collect::<Vec<_>>());
    let (report, stored) = run(&mut kernel(&[PUT]), &mut arm, GOAL, no_tool);
    assert_eq!(report.status, Status::Failed, "{}", report.reason);
    assert!(report.digest.is_none(), "{report:?}");
    assert!(stored.len() == 1 && stored[0].contains("status: failed"), "{stored:?}");
    assert!(arm.done.len() < 60, "{}", arm.done.len());
}

/// A trace whose second call can't begin, since nothing prepares what it needs.
const STALE: &str = "---\ntrace: stale\ngoal: fetch the red cube and go home\npatterns:\n  - \"fetch {object} and go home\"\nslots: { object: entity }\nsteps:\n  - arm.pick: { object: \"{object}\" }\n  - arm.park: {}\nstatus: done\nmode: LEARNER\n---\n";

#[test]
fn another_ending_is_planned_from_there_and_known_the_next_time() {
    let manifest = ARM.replace(
        "  - home: {}\n",
        "  - park: {}\n    does: Park the empty arm\n    before: holding == nothing\n    steps: [ move_to: { to: home } ]\n    after: position == home +- 5 mm\n  - home: {}\n",
    );
    let mut arm = Arm::new();
    let mut kernel = kernel(&[]);
    for (path, text) in [("devices/arm.md", manifest.as_str()), ("traces/stale.md", STALE)] {
        kernel.handle(
            0,
            Input::Document {
                path: path.to_owned(),
                text: text.to_owned(),
            },
        );
    }
    let goal = "fetch the red cube and go home";
    let (report, stored) = run(&mut kernel, &mut arm, goal, |query| {
        plan(query, &[("pick", &["red cube"]), ("home", &[])])
    });
    let tools: Vec<&str> = report.plan.calls.iter().map(|call| call.tool.as_str()).collect();
    assert_eq!(
        (report.status, report.model_calls),
        (Status::Done, 1),
        "{}",
        report.reason
    );
    assert_eq!(tools, ["pick", "home"]);
    assert_eq!(
        arm.done.iter().filter(|text| text.starts_with("gripper")).count(),
        2,
        "it was picked up once"
    );
    assert!(
        stored.len() == 1 && stored[0].contains("variant_of: stale"),
        "{stored:?}"
    );
    // The same again: the ending is known, and no model is asked.
    let mut arm = Arm::new();
    let (again, stored) = run(&mut kernel, &mut arm, goal, no_model);
    assert_eq!((again.status, again.model_calls), (Status::Done, 0), "{}", again.reason);
    assert!(stored.is_empty());
    assert_eq!(again.digest, report.digest);
    // A model that only knows what has failed is not followed.
    let mut arm = Arm::new();
    let mut fresh = self::kernel(&[]);
    for (path, text) in [("devices/arm.md", manifest.as_str()), ("traces/stale.md", STALE)] {
        fresh.handle(
            0,
            Input::Document {
                path: path.to_owned(),
                text: text.to_owned(),
            },
        );
    }
    let (failed, stored) = run(&mut fresh, &mut arm, goal, |query| {
        plan(query, &[("pick", &["red cube"]), ("park", &[])])
    });
    assert_eq!(failed.status, Status::Failed, "{}", failed.reason);
    assert!(
        stored.len() == 1 && stored[0].contains("status: failed") && failed.reason.contains("knows no other way"),
        "{}",
        failed.reason
    );
}

/// Another ending of `put`: what can't be put anywhere is left, and the arm goes home.
const LEFT: &str = "---\ntrace: left\ngoal: pick up the red cube and put it in bin A\npatterns:\n  - \"pick up {object} and put it in {at}\"\nslots: { object: entity, at: place }\nsteps:\n  - arm.pick: { object: \"{object}\" }\n  - arm.home: {}\nstatus: done\nmode: LEARNER\nvariant_of: put\n---\n";

#[test]
fn a_way_that_can_not_be_taken_leaves_the_next_one() {
    // Picking it up once more would help, but it has rolled out of reach.
    let arm = || Arm {
        slips_to: Some([5_000_000, 0, 20_000]),
        ..Arm::slipping(&[8])
    };
    let mut known = arm();
    let (report, _) = run(&mut kernel(&[PUT, LEFT]), &mut known, GOAL, no_model);
    let tools: Vec<&str> = report.plan.calls.iter().map(|call| call.tool.as_str()).collect();
    assert_eq!(
        (report.status, tools),
        (Status::Done, vec!["pick", "home"]),
        "{}",
        report.reason
    );
    // Where no ending is known the model is asked, and says that it knows none.
    let asked = std::cell::Cell::new(0);
    let (report, _) = run(&mut kernel(&[PUT]), &mut arm(), GOAL, |query| {
        asked.set(asked.get() + 1);
        no_tool(query)
    });
    assert_eq!((report.status, asked.get()), (Status::Failed, 1), "{}", report.reason);
}
