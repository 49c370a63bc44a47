//! A run is killed after every output in turn and asked for again: what was done stays done, nothing is done twice, and the end is that of a
//! run that nobody killed. What nobody knows is asked, and asked once.

mod support;

use llmos_kernel::message::{Event, Input, Request, Status};
use support::{Arm, Case, Disk, Ended, When, carry_out, disk, kernel, no_tool, request, trace};

/// Two relative moves, which must not be repeated, around two commands that may be.
const GOAL: &str = "do the round";
const OTHER: &str = "move the arm 5 cm to the right";

fn traces() -> [String; 4] {
    let steps = "  - arm.move: { direction: left, distance: \"90 cm\" }\n  - arm.tool: { state: \"on\" }\n  - arm.move: { direction: up, distance: \"20 cm\" }\n  - arm.tool: { state: \"off\" }\n";
    [
        trace("round", "do round", GOAL, "", steps),
        trace(
            "move",
            "move arm {distance} to {direction}",
            "move the arm 30 cm to the left",
            "distance: length, direction: \"left|right|forward|back|up|down\"",
            "  - arm.move: { direction: \"{direction}\", distance: \"{distance}\" }\n",
        ),
        trace("look", "how is arm", "how is the arm", "", "  - arm.status: {}\n"),
        trace(
            "put",
            "pick up {object} and put it in {at}",
            "pick up the red cube and put it in bin A",
            "object: entity, at: place",
            "  - arm.pick: { object: \"{object}\" }\n  - arm.place: { object: \"{object}\", at: \"{at}\" }\n",
        ),
    ]
}

fn fresh() -> Disk {
    let traces = traces();
    disk(&traces.each_ref().map(String::as_str))
}

fn run(disk: &mut Disk, arm: &mut Arm, goal: &str, case: &Case<'_>) -> Option<Ended> {
    carry_out(&mut kernel(disk), arm, disk, request(goal), case)
}

/// Kills a run of this goal after each of its outputs, does something to the arm, and asks again.
fn check_kills(goal: &str, between: impl Fn(&mut Arm)) -> [usize; 3] {
    let mut calm = Arm::new();
    let whole = run(&mut fresh(), &mut calm, goal, &Case::default()).expect("nobody kills it");
    assert_eq!(whole.report.status, Status::Done, "{}", whole.report.reason);
    let (mut taken_up, mut anew, mut asked) = (0, 0, 0);
    for kill in 0..whole.outputs {
        let (mut disk, mut arm) = (fresh(), Arm::new());
        let case = Case {
            dies_after: Some(kill),
            ..Case::default()
        };
        assert!(run(&mut disk, &mut arm, goal, &case).is_none(), "{kill}");
        let (done, before) = (arm.done.len(), arm.sent.len());
        between(&mut arm);
        // Whoever looks can see whether the last command that was written down was carried out.
        let intents = disk
            .get("journal/intents.jsonl")
            .map_or(0, |text| text.matches("{\"intent\"").count());
        let says = |_: &str| Some(intents == done);
        let case = Case {
            says: &says,
            ..Case::default()
        };
        let again = run(&mut disk, &mut arm, goal, &case).expect("nobody kills it");
        let context = format!("killed after {kill} outputs: {:?} {:?}", arm.done, again.report.reason);
        assert_eq!(again.report.status, Status::Done, "{context}");
        if before == 0 && again.taken_up().is_none() {
            anew += 1;
        } else if let Some((call, calls)) = again.taken_up() {
            assert_eq!(calls, whole.report.steps.len(), "{context}");
            assert!(
                call < calls && again.report.reason.contains("taken up at step"),
                "{context}"
            );
            taken_up += 1;
        } else {
            // The end was on disk: the same again is a run of its own.
            assert_eq!(done, calm.done.len(), "{context}");
            continue;
        }
        asked += again.asked.len();
        assert_eq!(again.report.digest, whole.report.digest, "{context}");
        assert_eq!((arm.at, &arm.tool), (calm.at, &calm.tool), "{context}");
        assert_eq!(arm.things, calm.things, "{context}");
        let moves = |arm: &Arm| arm.done.iter().filter(|text| text.starts_with("move ")).count();
        assert_eq!(moves(&arm), moves(&calm), "{context}");
        assert!(
            again.report.steps.iter().all(|step| step.observed.is_some()),
            "{context}"
        );
        let open = llmos_kernel::intent::Intents::read(&disk["journal/intents.jsonl"]).0;
        assert_eq!((open.open(), open.last_broken_off()), (&[][..], None), "{context}");
        let runs = disk["journal/intents.jsonl"].matches("{\"run\":{").count();
        assert!(runs <= 1, "a run is written down once: {runs} {context}");
    }
    [anew, taken_up, asked]
}

#[test]
fn a_run_that_was_killed_anywhere_goes_on_where_it_was() {
    let [anew, taken_up, asked] = check_kills(GOAL, |_| {});
    assert!(anew > 3 && taken_up > 20, "{anew} {taken_up}");
    assert_eq!(asked, 0, "the arm accounts for everything");
    let [_, taken_up, asked] = check_kills("pick up the red cube and put it in bin A", |_| {});
    assert!(taken_up > 50 && asked == 0, "{taken_up}");
}

#[test]
fn after_a_restart_the_state_decides_and_then_the_person() {
    // Of a relative move the state shows the end and the beginning; that its second leg was not begun only a person can see.
    let [_, taken_up, asked] = check_kills(GOAL, Arm::restart);
    assert!(taken_up > 20 && (1..5).contains(&asked), "{taken_up} {asked}");
    let [_, taken_up, asked] = check_kills("pick up the red cube and put it in bin A", Arm::restart);
    assert!(
        taken_up > 50 && asked == 0,
        "what may be repeated needs nobody: {taken_up} {asked}"
    );
}

/// A run that was killed in a relative move, of which the arm did a part before it restarted.
fn half_way() -> (Disk, Arm) {
    let (mut disk, mut arm) = (fresh(), Arm::new());
    let mut kill = 0;
    while arm.sent.is_empty() {
        kill += 1;
        (disk, arm) = (fresh(), Arm::new());
        let case = Case {
            dies_after: Some(kill),
            ..Case::default()
        };
        assert!(run(&mut disk, &mut arm, OTHER, &case).is_none());
    }
    arm.at[0] -= 20_000;
    arm.restart();
    (disk, arm)
}

#[test]
fn what_nobody_knows_is_asked_before_the_next_command_and_once() {
    let other = "move the arm 7 cm to the left";
    let (mut disk, mut arm) = half_way();
    let sent = arm.sent.len();
    let ended = run(&mut disk, &mut arm, other, &Case::default()).expect("an end");
    let question = ended.report.question.clone().unwrap_or_default();
    assert_eq!((ended.report.status, arm.sent.len()), (Status::NeedsAnswer, sent));
    assert!(
        question.contains(OTHER) && question.contains("--settled arm=yes"),
        "{question}"
    );
    // Looking stays possible, and so does planning.
    let looked = run(&mut disk, &mut arm, "how is the arm", &Case::default()).expect("an end");
    assert_eq!((looked.report.status, looked.asked.len()), (Status::Done, 0));
    let dry = Request {
        dry_run: true,
        ..request(other)
    };
    let planned = carry_out(&mut kernel(&disk), &mut arm, &mut disk, dry, &Case::default()).expect("an end");
    assert_eq!((planned.report.status, planned.asked.len()), (Status::Done, 0));
    // An answer at the terminal lets it go on; the next run asks nothing.
    let yes = Case {
        says: &|_| Some(true),
        ..Case::default()
    };
    let ended = run(&mut disk, &mut arm, other, &yes).expect("an end");
    assert_eq!((ended.report.status, ended.asked.len()), (Status::Done, 1));
    let ended = run(&mut disk, &mut arm, other, &Case::default()).expect("an end");
    assert_eq!((ended.report.status, ended.asked.len()), (Status::Done, 0));
    assert!(!ended.told.iter().any(|event| matches!(event, Event::BrokenOff { .. })));
}

#[test]
fn an_answer_on_the_command_line_is_written_down() {
    let (mut disk, mut arm) = half_way();
    let mut first = kernel(&disk);
    let device = "arm".to_owned();
    first.handle(0, Input::Settled { device, yes: false });
    let ended = carry_out(
        &mut first,
        &mut arm,
        &mut disk,
        request("how is the arm"),
        &Case::default(),
    );
    let told = format!("{:?}", ended.expect("an end").told);
    assert!(told.contains("you say that this command was not carried out"), "{told}");
    let ended = run(&mut disk, &mut arm, "move the arm 7 cm to the left", &Case::default()).expect("an end");
    assert_eq!((ended.report.status, ended.asked.len()), (Status::Done, 0));
}

#[test]
fn the_same_goal_asks_and_then_goes_on() {
    for (yes, status) in [(false, Status::Done), (true, Status::Failed)] {
        let (mut disk, mut arm) = half_way();
        let says = move |_: &str| Some(yes);
        let case = Case {
            says: &says,
            model: &no_tool,
            ..Case::default()
        };
        let ended = run(&mut disk, &mut arm, OTHER, &case).expect("an end");
        // Whoever says that it was done is not believed against the state.
        assert_eq!(
            (ended.report.status, ended.asked.len()),
            (status, 1),
            "{}",
            ended.report.reason
        );
        assert_eq!(ended.taken_up(), Some((0, 1)));
        assert_eq!(arm.sent.len(), if yes { 1 } else { 2 });
    }
}

#[test]
fn anew_is_anew_and_a_changed_manifest_is_not_taken_up() {
    let killed = || {
        let (mut disk, mut arm) = (fresh(), Arm::new());
        let mut kill = 0;
        while arm.done.len() < 3 {
            kill += 1;
            (disk, arm) = (fresh(), Arm::new());
            let case = Case {
                dies_after: Some(kill),
                ..Case::default()
            };
            assert!(run(&mut disk, &mut arm, GOAL, &case).is_none());
        }
        (disk, arm)
    };
    let (mut disk, mut arm) = killed();
    let mut fresh = kernel(&disk);
    fresh.handle(0, Input::Anew);
    let ended = carry_out(&mut fresh, &mut arm, &mut disk, request(GOAL), &Case::default()).expect("an end");
    assert_eq!((ended.report.status, ended.taken_up()), (Status::Done, None));
    let (mut disk, mut arm) = killed();
    let manifest = disk.get_mut("devices/arm.md").expect("the arm");
    *manifest = manifest.replace("max_step: \"0.5 m\"", "max_step: \"0.4 m\"");
    let sent = arm.sent.len();
    let ended = run(&mut disk, &mut arm, GOAL, &Case::default()).expect("an end");
    assert_eq!((ended.report.status, arm.sent.len()), (Status::NeedsAnswer, sent));
    assert!(
        ended.report.reason.contains("changed in the manifest") && ended.report.reason.contains("--anew"),
        "{}",
        ended.report.reason
    );
}

#[test]
fn an_arm_that_restarts_in_the_middle_is_waited_for_and_nothing_is_done_twice() {
    for goal in [GOAL, "pick up the red cube and put it in bin A"] {
        let mut calm = Arm::new();
        let whole = run(&mut fresh(), &mut calm, goal, &Case::default()).expect("an end");
        for number in 1..=calm.sent.len() {
            for when in [When::Before, When::After] {
                let mut arm = Arm {
                    restarts: Some((number, when)),
                    ..Arm::new()
                };
                let ended = run(&mut fresh(), &mut arm, goal, &Case::default()).expect("an end");
                let context = format!("{number} {when:?}: {:?} {}", arm.sent, ended.report.reason);
                let begun_later = number > 1
                    && calm.sent[number - 1].starts_with("move ")
                    && calm.sent[number - 2].starts_with("move ");
                if begun_later && when == When::Before {
                    // The second leg of a relative move that was not begun can't be told from one that was half done.
                    assert_eq!(ended.report.status, Status::Failed, "{context}");
                    continue;
                }
                assert_eq!(ended.report.status, Status::Done, "{context}");
                assert_eq!(ended.report.digest, whole.report.digest, "{context}");
                assert_eq!((arm.at, &arm.things), (calm.at, &calm.things), "{context}");
                // What is so already is not done: the gripper is open when the run begins.
                assert!(
                    (calm.done.len() - 1..=calm.done.len()).contains(&arm.done.len()),
                    "{context}"
                );
                assert!(ended.warnings().contains("restarted"), "{context}");
            }
        }
    }
}

#[test]
fn what_a_restart_leaves_unknown_fails_the_run_and_is_asked_by_the_next() {
    let mut arm = Arm {
        restarts: Some((2, When::Before)),
        ..Arm::new()
    };
    let mut disk = fresh();
    let ended = run(&mut disk, &mut arm, GOAL, &Case::default()).expect("an end");
    assert_eq!(ended.report.status, Status::Failed, "{}", ended.report.reason);
    let asked = run(&mut disk, &mut arm, OTHER, &Case::default()).expect("an end");
    assert_eq!(asked.report.status, Status::NeedsAnswer, "{}", asked.report.reason);
    let no = Case {
        says: &|_| Some(false),
        ..Case::default()
    };
    let ended = run(&mut disk, &mut arm, GOAL, &no).expect("an end");
    assert_eq!(
        (ended.report.status, ended.taken_up()),
        (Status::Done, Some((0, 4))),
        "{}",
        ended.report.reason
    );
    assert_eq!(arm.at, [-100_000, 100_000, 1_200_000]);
}
