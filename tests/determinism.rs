//! The determinism contract: what was recorded is what is replayed, a thousand times, in debug and release, and whatever the network does
//! to the messages as long as the run succeeds. Every check has a broken twin that it must see.

use crate::simulation::{Chance, Devices, Ran, Script, request, run};
use llmos_firmware_bridge::sim::Weather;
use llmos_kernel::message::{Request, Status};
use llmos_kernel::mode::Mode;
use std::collections::{BTreeMap, BTreeSet};

/// A goal, what a model answers to it, and what must come of it.
struct Job {
    goal: &'static str,
    script: Script<'static>,
    /// Frozen: a debug and a release build, and every machine, give this digest. If it fails, the code is wrong and not the test.
    digest: &'static str,
}

const JOBS: [Job; 6] = [
    Job {
        goal: "pick up the red cube and put it in bin A",
        script: &[("pick", &["red cube"]), ("place", &["it", "bin A"])],
        digest: "32747bf84b97a12d",
    },
    Job {
        goal: "move the arm 30 cm to the left",
        script: &[("move", &["left", "30 cm"])],
        digest: "2ec9584c41bb159a",
    },
    Job {
        goal: "go to (-0.8, 1, 1.5)",
        script: &[("arm go_to", &["(-0.8, 1, 1.5)"])],
        digest: "fc7550bc0fce7345",
    },
    Job {
        goal: "drive the robot forward 1.5 m, then turn left by 90 degrees",
        script: &[("drive", &["forward", "1.5 m"]), ("turn", &["left", "90 degrees"])],
        digest: "cad5588fdf505cc3",
    },
    Job {
        goal: "turn on the light of the greenhouse and move the arm up 20 cm",
        script: &[("light", &["on"]), ("move", &["up", "20 cm"])],
        digest: "de9f881cd1879c88",
    },
    Job {
        goal: "open the vent by 30 percent, heat the greenhouse to 25 °C, then set the speed of the arm to 0.2 m/s and pick up the green ball",
        script: &[
            ("vent", &["30 percent"]),
            ("heater", &["25 °C"]),
            ("speed", &["0.2 m/s"]),
            ("pick", &["green ball"]),
        ],
        digest: "1c28259bf33734bb",
    },
];

/// Seeds of weather.
const SEEDS: u64 = 700;

fn template() -> Vec<(String, String)> {
    let file = |path: &str, text: &str| (path.to_owned(), text.to_owned());
    vec![
        file("policy.toml", include_str!("../workspace/policy.toml")),
        file("devices/arm.md", include_str!("../workspace/devices/arm.md")),
        file("devices/base.md", include_str!("../workspace/devices/base.md")),
        file(
            "devices/greenhouse.md",
            include_str!("../workspace/devices/greenhouse.md"),
        ),
    ]
}

/// The template with the trace that a recorded run leaves, and what happened in that run.
struct Recorded {
    documents: Vec<(String, String)>,
    trace: String,
    ran: Ran,
}

fn record(job: &Job) -> Recorded {
    let mut documents = template();
    let ran = run(
        &documents,
        request(job.goal),
        job.script,
        Chance::calm(0),
        Devices::Sound,
    );
    assert_eq!(
        (ran.report.status, ran.report.mode),
        (Status::Done, Some(Mode::Learner)),
        "{}: {}",
        job.goal,
        ran.report.reason
    );
    let trace = ran.report.trace.clone().expect("an observed success leaves a trace");
    documents.extend(ran.trace.clone());
    Recorded { documents, trace, ran }
}

impl Recorded {
    fn replay(&self, chance: Chance, devices: Devices) -> Ran {
        replay(&self.documents, &self.trace, chance, devices)
    }

    /// What happens if the trace is another one.
    fn replay_altered(&self, alter: impl Fn(&str) -> String) -> Ran {
        let mut documents = self.documents.clone();
        let (_, text) = documents.last_mut().expect("a trace");
        let altered = alter(text);
        assert_ne!(altered, *text);
        *text = altered;
        replay(&documents, &self.trace, Chance::calm(0), Devices::Sound)
    }
}

fn replay(documents: &[(String, String)], trace: &str, chance: Chance, devices: Devices) -> Ran {
    let request = Request {
        trace: Some(trace.to_owned()),
        ..request("")
    };
    run(documents, request, &[], chance, devices)
}

/// What of a replay is not as it was recorded.
fn differences(recorded: &Ran, replayed: &Ran) -> Vec<&'static str> {
    let checks = [
        (replayed.report.status != Status::Done, "the status"),
        (replayed.report.mode != Some(Mode::Follower), "the mode"),
        (replayed.report.model_calls != 0, "the model was called"),
        (
            replayed.report.digest.is_none() || replayed.report.digest != recorded.report.digest,
            "the digest",
        ),
        (replayed.sent != recorded.sent, "the commands"),
        (replayed.executed != replayed.ids, "what the plants have done"),
    ];
    checks
        .into_iter()
        .filter(|(fails, _)| *fails)
        .map(|(_, what)| what)
        .collect()
}

#[test]
fn a_replay_is_its_record() {
    let recorded: Vec<Recorded> = JOBS.iter().map(record).collect();
    let digests: Vec<Option<&str>> = recorded.iter().map(|r| r.ran.report.digest.as_deref()).collect();
    assert_eq!(digests, JOBS.map(|job| Some(job.digest)));
    for (job, recorded) in JOBS.iter().zip(&recorded) {
        assert_eq!(recorded.ran.executed, recorded.ran.ids, "{}", job.goal);
        let replayed = recorded.replay(Chance::calm(1), Devices::Sound);
        assert_eq!(
            differences(&recorded.ran, &replayed),
            Vec::<&str>::new(),
            "{}: {}",
            job.goal,
            replayed.report.reason
        );
    }
    let digests: BTreeSet<&str> = JOBS.iter().map(|job| job.digest).collect();
    assert_eq!(digests.len(), JOBS.len(), "different jobs have different digests");
}

#[test]
fn a_thousand_replays_are_one() {
    let recorded: Vec<Recorded> = JOBS.iter().map(record).collect();
    for number in 0..1_000 {
        let recorded = &recorded[number % JOBS.len()];
        let replayed = recorded.replay(Chance::calm(number as u64), Devices::Sound);
        assert_eq!(
            differences(&recorded.ran, &replayed),
            Vec::<&str>::new(),
            "seed {number}: {}",
            replayed.report.reason
        );
    }
}

/// How a run ended that kept the contract.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Kept {
    /// Done, command for command as recorded.
    Done,
    /// Done as recorded, but a step that may be repeated was tried again after its command had failed.
    DoneAgain,
    /// Not done, with a status and a reason.
    NotDone,
}

/// How a run under weather ended, or how it broke the contract: done with the recorded digest, or a status that says what went wrong; and
/// in either case no command was carried out twice, out of order or unasked.
fn kept(recorded: &Ran, replayed: &Ran) -> Result<Kept, String> {
    let report = &replayed.report;
    let mut asked = replayed.ids.iter();
    if let Some(command) = replayed.executed.iter().find(|id| !asked.any(|asked| asked == *id)) {
        return Err(format!("{command:?} was carried out again, late or unasked"));
    }
    let what = differences(recorded, replayed);
    match report.status {
        Status::Done if what.is_empty() => Ok(Kept::Done),
        Status::Done if replayed.sent.len() > recorded.sent.len() && !what.contains(&"the digest") => {
            Ok(Kept::DoneAgain)
        }
        Status::Done => Err(format!("done, but not as recorded: {what:?}")),
        Status::Failed | Status::Refused | Status::NeedsAnswer | Status::Environment => {
            let says = !report.reason.is_empty() && report.digest.is_none();
            says.then_some(Kept::NotDone).ok_or_else(|| format!("{report:?}"))
        }
        Status::Unverified | Status::Stopped | Status::NoTool => Err(format!("{:?}: {}", report.status, report.reason)),
    }
}

/// Replays a job in each weather and counts how the runs ended.
fn in_any_weather(devices: Devices) -> Result<BTreeMap<Kept, u32>, String> {
    let recorded: Vec<Recorded> = JOBS.iter().map(record).collect();
    let mut ends = BTreeMap::new();
    for (seed, (job, recorded)) in (0..SEEDS).zip(JOBS.iter().zip(&recorded).cycle()) {
        let replayed = recorded.replay(Chance::any(seed), devices);
        let reason = &replayed.report.reason;
        let end = kept(&recorded.ran, &replayed);
        let end = end.map_err(|why| format!("seed {seed}, \"{}\": {why} ({reason})", job.goal))?;
        *ends.entry(end).or_default() += 1;
    }
    Ok(ends)
}

#[test]
fn in_any_weather_what_is_done_is_what_was_recorded() {
    let ends = in_any_weather(Devices::Sound).unwrap_or_else(|why| panic!("{why}"));
    let count = |kept| ends.get(&kept).copied().unwrap_or(0);
    // Weather in which nothing or everything gets through would prove nothing, and neither would a check that rarely is the strict one.
    assert!(count(Kept::Done) > 500 && count(Kept::NotDone) > 20, "{ends:?}");
    assert!(count(Kept::DoneAgain) < 20, "{ends:?}");
}

#[test]
fn a_device_that_carries_out_repeated_commands_is_seen() {
    let why = in_any_weather(Devices::Forgetful).expect_err("it does things twice");
    assert!(why.contains("carried out again"), "{why}");
}

#[test]
fn a_micrometre_and_a_swapped_step_are_seen() {
    let recorded = record(&JOBS[1]);
    let further = recorded.replay_altered(|text| text.replace("30 cm", "30.0001 cm"));
    assert_eq!(differences(&recorded.ran, &further), ["the digest", "the commands"]);
    let recorded = record(&JOBS[4]);
    let swapped = recorded.replay_altered(|text| {
        let (before, rest) = text.split_once("steps:\n").expect("steps");
        let end = rest.find("\nstatus:").expect("a status") + 1;
        let steps: Vec<&str> = rest[..end].split_inclusive('\n').collect();
        let second = steps
            .iter()
            .skip(1)
            .position(|line| line.starts_with("  - "))
            .expect("two steps")
            + 1;
        let (one, other) = steps.split_at(second);
        [before, "steps:\n", &other.concat(), &one.concat(), &rest[end..]].concat()
    });
    assert_eq!(differences(&recorded.ran, &swapped), ["the digest", "the commands"]);
}

/// Everything takes exactly a millisecond, so what three devices report at once arrives at once, in an order that the seed chooses; half of
/// it arrives twice.
#[test]
fn ties_are_broken_by_sequence_and_never_by_time() {
    let weather = Weather {
        lost_of_1000: 0,
        repeated_of_1000: 500,
        delay_ms_max: 1,
    };
    let mut orders = BTreeSet::new();
    for job in &JOBS {
        let recorded = record(job);
        for seed in 0..50 {
            let chance = Chance {
                weather,
                ties: Some(seed),
                ..Chance::calm(0)
            };
            let replayed = recorded.replay(chance, Devices::Sound);
            assert_eq!(
                differences(&recorded.ran, &replayed),
                Vec::<&str>::new(),
                "seed {seed}, \"{}\": {}",
                job.goal,
                replayed.report.reason
            );
            orders.extend(replayed.arrivals);
        }
    }
    let names = ["arm", "base", "greenhouse"];
    let first = |order: &[String]| names.map(|name| order.iter().position(|other| other == name));
    let whole = orders.iter().map(|order| first(order));
    let turns: BTreeSet<_> = whole.filter(|at| at.iter().all(Option::is_some)).map(ranks).collect();
    assert_eq!(turns.len(), 6, "three reports arrive in every order: {turns:?}");
}

/// The order of three numbers.
fn ranks(numbers: [Option<usize>; 3]) -> [usize; 3] {
    numbers.map(|number| numbers.iter().filter(|other| **other < number).count())
}
