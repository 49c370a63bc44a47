//! Runs that a device does alone: what is asked of the gate before, what is refused, and that nothing that a device tells is lost or counted twice.

mod support;

use llmos_follower::{Compensation, Handoff, Observed};
use llmos_kernel::aboard::{checksum, program_for};
use llmos_kernel::kernel::Kernel;
use llmos_kernel::message::{Aboard, Event, Fact, Input, News, Output, Ran, RanEnd, Report, Request, Status, Verdict};
use support::{Arm, Disk, disk, kernel, leased, request, trace};

const DIGEST: u64 = 0x2ec9_584c_41bb_159a;

fn traces() -> Disk {
    let shift = trace(
        "shift",
        "move arm {distance} to {direction}",
        "move arm 30 cm to left",
        "distance: length, direction: \"left|right|forward|back|up|down\"",
        "  - arm.move: { direction: \"{direction}\", distance: \"{distance}\" }\n",
    );
    let carry = trace(
        "carry",
        "put {object} in {at}",
        "put red cube in bin A",
        "object: entity, at: place",
        "  - arm.pick: { object: \"{object}\" }\n  - arm.place: { object: \"{object}\", at: \"{at}\" }\n",
    );
    let back = trace(
        "back",
        "return {object}",
        "return red cube",
        "object: entity",
        "  - arm.place: { object: \"{object}\", at: \"start of {object}\" }\n",
    );
    let go = trace(
        "go",
        "go to {to}",
        "go to (1, 1, 1)",
        "to: point",
        "  - arm.move_to: { to: \"{to}\" }\n",
    );
    disk(&[&shift, &carry, &back, &go])
}

/// A kernel, the device that runs alone, and everything that came of them.
struct Bench {
    kernel: Kernel,
    arm: Arm,
    now: u64,
    denies: Option<&'static str>,
    disk_fails: bool,
    hooked: Vec<String>,
    begun: Vec<(u64, u32, bool, Vec<Fact>)>,
    lines: Vec<String>,
    forgotten: Vec<u64>,
    told: Vec<Event>,
    report: Option<Report>,
}

impl Bench {
    fn new(disk: &Disk) -> Bench {
        let mut bench = Bench {
            kernel: kernel(disk),
            arm: Arm::new(),
            now: 1,
            denies: None,
            disk_fails: false,
            hooked: Vec::new(),
            begun: Vec::new(),
            lines: Vec::new(),
            forgotten: Vec::new(),
            told: Vec::new(),
            report: None,
        };
        bench.news(leased(&bench.arm));
        bench.news(News::State(bench.arm.state()));
        bench
    }

    fn news(&mut self, news: News) {
        let device = "arm".to_owned();
        self.give(Input::Device { device, news });
    }

    fn give(&mut self, input: Input) {
        let mut inputs = vec![input];
        while !inputs.is_empty() {
            for input in std::mem::take(&mut inputs) {
                self.kernel.handle(self.now, input);
            }
            while let Some(output) = self.kernel.poll() {
                inputs.extend(self.answer(output));
            }
        }
    }

    fn answer(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Hook {
                request,
                tool,
                arguments,
                ..
            } => {
                let values: Vec<String> = arguments
                    .iter()
                    .map(|(_, fact)| llmos_kernel::follow::show(fact))
                    .collect();
                let text = format!("{tool} {}", values.join(" "));
                let denied = self.denies.is_some_and(|word| text.contains(word));
                self.hooked.push(text);
                let verdict = if denied {
                    Verdict::Deny { why: "no".to_owned() }
                } else {
                    Verdict::Pass
                };
                Some(Input::Verdict { request, verdict })
            }
            Output::RunAboard {
                command,
                crc,
                finish,
                slots,
                ..
            } => {
                self.begun.push((command, crc, finish, slots));
                None
            }
            Output::Append { request, line, .. } => {
                let error = self.disk_fails.then(|| "the disk is full".to_owned());
                if error.is_none() {
                    self.lines.push(line);
                }
                Some(Input::Stored { request, error })
            }
            Output::Store { request, .. } => Some(Input::Stored { request, error: None }),
            Output::Forget { run, .. } => {
                self.forgotten.push(run);
                None
            }
            Output::Command { tool, .. } => panic!("{tool} is sent by the host"),
            Output::Tell(event) => {
                self.told.push(event);
                None
            }
            Output::Done(report) => {
                self.report = Some(*report);
                None
            }
            _ => None,
        }
    }

    fn crc(&self, id: &str) -> u32 {
        let trace = self.kernel.traces().get(id).expect("a trace");
        checksum(&program_for("arm", self.kernel.devices(), trace).expect("a program"))
    }

    fn aboard(&self, id: &str, slots: &[(&str, &str)]) -> Request {
        let slots = slots
            .iter()
            .map(|(name, words)| ((*name).to_owned(), (*words).to_owned()));
        let trace = self.kernel.traces().get(id).expect("a trace");
        let program = program_for("arm", self.kernel.devices(), trace).ok();
        Request {
            trace: Some(id.to_owned()),
            aboard: Some(Aboard {
                device: "arm".to_owned(),
                installed: program.map(|program| checksum(&program)),
                slots: slots.collect(),
                finish: true,
                detach: false,
            }),
            ..request("")
        }
    }

    /// Asks for a run and returns how it ended, if it has.
    fn run(&mut self, id: &str, slots: &[(&str, &str)]) -> Option<Report> {
        let request = self.aboard(id, slots);
        self.give(Input::Goal(request));
        self.report.take()
    }

    fn ran(run: u64, crc: u32, end: RanEnd) -> News {
        News::Ran(Ran {
            session: 9,
            mine: true,
            run,
            crc,
            step: if matches!(end, RanEnd::Finished { .. }) { 9 } else { 1 },
            commands: 9,
            ms: 8_100,
            end,
            date: "2026-11-21T01:00:00Z".to_owned(),
        })
    }
}

fn finished() -> RanEnd {
    RanEnd::Finished {
        observed: Observed::Met,
        digest: DIGEST,
    }
}

fn check_refused(id: &str, slots: &[(&str, &str)], status: Status, words: &str) {
    let mut bench = Bench::new(&traces());
    let report = bench.run(id, slots).expect("an end");
    assert_eq!(report.status, status, "{id}: {}", report.reason);
    assert!(report.reason.contains(words), "{id}: {}", report.reason);
    assert!(bench.begun.is_empty() && bench.lines.is_empty(), "{id} {slots:?}");
}

#[test]
fn the_gate_sees_every_command_before_and_the_ledger_gets_what_came_of_it() {
    let mut bench = Bench::new(&traces());
    assert_eq!(bench.run("carry", &[("at", "bin A"), ("object", "red cube")]), None);
    let expected = [
        "gripper open",
        "move_to (0.8, 0.3, 0.17)",
        "move_to (0.8, 0.3, 0.02)",
        "gripper closed",
        "move_to (0.8, 0.3, 0.17)",
    ];
    assert_eq!(bench.hooked[..1], expected[..1]);
    for command in expected {
        assert!(
            bench.hooked.iter().any(|hooked| hooked == command),
            "{:?}",
            bench.hooked
        );
    }
    let (run, crc, finish, slots) = bench.begun[0].clone();
    assert_eq!((bench.begun.len(), crc, finish), (1, bench.crc("carry"), true));
    assert_eq!(
        slots,
        [Fact::Text("red cube".to_owned()), Fact::Text("bin A".to_owned())]
    );
    bench.news(News::Acknowledged { command: run });
    assert_eq!(bench.report, None, "an acknowledgement is no end");
    bench.news(Bench::ran(run, crc, finished()));
    let report = bench.report.take().expect("an end");
    assert_eq!(
        (report.status, report.digest.as_deref(), report.trace.as_deref()),
        (Status::Done, Some("2ec9584c41bb159a"), Some("carry")),
        "{}",
        report.reason
    );
    assert_eq!(report.goal, "put red cube in bin A");
    assert!(report.steps.iter().all(|step| step.observed == Some(Observed::Met)));
    assert_eq!((bench.forgotten.as_slice(), bench.lines.len()), (&[run][..], 1));
    assert!(
        bench.lines[0].contains(&format!("\"run\":\"arm-00000009-{run}\"")),
        "{}",
        bench.lines[0]
    );
}

#[test]
fn what_must_not_run_does_not_begin() {
    let both = [("distance", "30 cm"), ("direction", "left")];
    check_refused(
        "shift",
        &both[..1],
        Status::NeedsAnswer,
        "say once what \"direction\" is",
    );
    let twice = [both[0], both[0], both[1]];
    check_refused(
        "shift",
        &twice,
        Status::NeedsAnswer,
        "say once what \"distance\" is (length)",
    );
    let unknown = [both[0], both[1], ("speed", "1 m/s")];
    check_refused(
        "shift",
        &unknown,
        Status::NeedsAnswer,
        "no slot \"speed\"; its slots: distance, direction",
    );
    let unit = [("distance", "30 deg"), both[1]];
    check_refused("shift", &unit, Status::NeedsAnswer, "distance: expected a length");
    let option = [both[0], ("direction", "sideways")];
    check_refused("shift", &option, Status::NeedsAnswer, "direction: expected one of");
    let far = [("distance", "9 m"), both[1]];
    check_refused("shift", &far, Status::Refused, "would leave");
    let person = [("to", "(0, 0, 0.4)")];
    check_refused("go", &person, Status::Refused, "keep-out zone");
    let ghost = [("object", "green ball"), ("at", "bin A")];
    check_refused("carry", &ghost, Status::NeedsAnswer, "reports no \"green ball\"");
    let nowhere = [("object", "red cube"), ("at", "home")];
    check_refused("carry", &nowhere, Status::NeedsAnswer, "reports no \"home\"");
    check_refused("back", &[("object", "red cube")], Status::Refused, "needs this host");
    let bench = Bench::new(&traces());
    let carry = bench.kernel.traces().get("carry").expect("a trace");
    let why = program_for("base", bench.kernel.devices(), carry).expect_err("it is for the arm");
    assert!(why.contains("carry involves arm, too"), "{why}");
}

#[test]
fn hooks_policy_and_another_program_say_no() {
    let slots = [("distance", "30 cm"), ("direction", "left")];
    let mut bench = Bench::new(&traces());
    bench.denies = Some("move left");
    let report = bench.run("shift", &slots).expect("an end");
    assert_eq!(report.status, Status::Refused);
    assert!(report.reason.contains("a hook denied it: no"), "{}", report.reason);
    let mut denied = traces();
    denied.insert(
        "policy.toml".to_owned(),
        "[[rule]]\nwho = [\"person\"]\ndevice = \"arm\"\ntool = \"move\"\neffect = \"deny\"\n".to_owned(),
    );
    let mut bench = Bench::new(&denied);
    let report = bench.run("shift", &slots).expect("an end");
    assert_eq!(report.status, Status::Refused, "{}", report.reason);
    for installed in [None, Some(1)] {
        let mut bench = Bench::new(&traces());
        let mut request = bench.aboard("shift", &slots);
        request.aboard.as_mut().expect("aboard").installed = installed;
        bench.give(Input::Goal(request));
        let report = bench.report.take().expect("an end");
        assert_eq!(report.status, Status::Environment);
        assert!(
            report.reason.contains("llmos skill push arm shift"),
            "{}",
            report.reason
        );
        assert!(bench.begun.is_empty());
    }
}

#[test]
fn every_end_has_its_status() {
    let ends = [
        (
            RanEnd::Handoff {
                why: Handoff::Postcondition,
                compensation: Compensation::None,
            },
            Status::Failed,
            "does not show the effect",
        ),
        (
            RanEnd::Handoff {
                why: Handoff::Refused,
                compensation: Compensation::Done,
            },
            Status::Refused,
            "the device's own limits",
        ),
        (RanEnd::Stopped, Status::Stopped, "stopped"),
        (RanEnd::HostLost, Status::Stopped, "the host went away"),
        (
            RanEnd::Finished {
                observed: Observed::Unverified,
                digest: DIGEST,
            },
            Status::Unverified,
            "nothing reports",
        ),
    ];
    for (end, status, words) in ends {
        let mut bench = Bench::new(&traces());
        assert_eq!(bench.run("carry", &[("at", "bin A"), ("object", "red cube")]), None);
        let (run, crc) = (bench.begun[0].0, bench.begun[0].1);
        bench.news(News::Acknowledged { command: run });
        bench.news(Bench::ran(run, crc, end));
        let report = bench.report.take().expect("an end");
        assert_eq!(report.status, status, "{}", report.reason);
        assert!(report.reason.contains(words), "{}", report.reason);
        assert_eq!((bench.lines.len(), bench.forgotten.len()), (1, 1), "{words}");
    }
    let lost = |news: fn() -> News, status: Status, words: &str| {
        let mut bench = Bench::new(&traces());
        assert_eq!(bench.run("shift", &[("distance", "1 cm"), ("direction", "up")]), None);
        let run = bench.begun[0].0;
        bench.news(News::Acknowledged { command: run });
        bench.news(news());
        let report = bench.report.take().expect("an end");
        assert_eq!(report.status, status, "{}", report.reason);
        assert!(report.reason.contains(words), "{}", report.reason);
        assert!(bench.lines.is_empty(), "nobody knows yet what came of it");
    };
    lost(|| News::Restarted, Status::Failed, "restarted");
    let gone = || News::Lost { why: "gone".to_owned() };
    lost(gone, Status::Environment, "goes on by itself");
}

#[test]
fn what_nobody_waited_for_is_handed_over_once() {
    let mut bench = Bench::new(&traces());
    let mut request = bench.aboard("shift", &[("distance", "1 cm"), ("direction", "up")]);
    request.aboard.as_mut().expect("aboard").detach = true;
    bench.give(Input::Goal(request));
    let (run, crc) = (bench.begun[0].0, bench.begun[0].1);
    bench.news(News::Acknowledged { command: run });
    let report = bench.report.take().expect("it is left to the device");
    assert_eq!((report.status, report.status.exit_code()), (Status::Unverified, 0));
    assert!(bench.lines.is_empty(), "nobody knows yet what came of it");
    // Another process, another day; the disk is full at first.
    let mut later = Bench::new(&traces());
    later.disk_fails = true;
    later.news(Bench::ran(run, crc, finished()));
    assert_eq!((later.forgotten.len(), later.lines.len()), (0, 0));
    assert!(matches!(&later.told[..], [Event::Warning { text }] if text.contains("could not be kept")));
    later.disk_fails = false;
    later.news(Bench::ran(run, crc, finished()));
    assert_eq!((later.forgotten.as_slice(), later.lines.len()), (&[run][..], 1));
    let Some(Event::HandedOver {
        trace, status, text, ..
    }) = later.told.last()
    else {
        panic!("{:?}", later.told);
    };
    assert_eq!((trace.as_str(), *status), ("shift", Status::Done));
    assert!(text.contains("digest 2ec9584c41bb159a"), "{text}");
    // Told again, since the device had not heard that it may forget it.
    later.news(Bench::ran(run, crc, finished()));
    assert_eq!((later.forgotten.as_slice(), later.lines.len()), (&[run, run][..], 1));
    // And to a process that only has the ledger.
    let mut disk = traces();
    disk.insert("traces/ledger.jsonl".to_owned(), format!("{}\n", later.lines[0]));
    let mut third = Bench::new(&disk);
    third.news(Bench::ran(run, crc, finished()));
    assert_eq!((third.forgotten.as_slice(), third.lines.len()), (&[run][..], 0));
    // A program that nobody knows any more is kept all the same.
    third.news(Bench::ran(run + 1, 0x77, finished()));
    assert!(third.lines[0].contains("program-00000077"), "{}", third.lines[0]);
}

#[test]
fn a_stop_waits_for_the_device_and_not_for_ever() {
    let mut bench = Bench::new(&traces());
    assert_eq!(bench.run("shift", &[("distance", "1 cm"), ("direction", "up")]), None);
    let (run, crc) = (bench.begun[0].0, bench.begun[0].1);
    bench.give(Input::Stop { device: None });
    assert_eq!(bench.report, None);
    bench.news(Bench::ran(run, crc, RanEnd::Stopped));
    assert_eq!(bench.report.take().map(|report| report.status), Some(Status::Stopped));
    let mut silent = Bench::new(&traces());
    assert_eq!(silent.run("shift", &[("distance", "1 cm"), ("direction", "up")]), None);
    silent.give(Input::Stop { device: None });
    silent.now += 4_000;
    silent.give(Input::Tick);
    assert_eq!(silent.report.take().map(|report| report.status), Some(Status::Stopped));
    let mut endless = Bench::new(&traces());
    assert_eq!(endless.run("shift", &[("distance", "1 cm"), ("direction", "up")]), None);
    endless.now += 600_000;
    endless.give(Input::Tick);
    let report = endless.report.take().expect("an end");
    assert_eq!(report.status, Status::Failed, "{}", report.reason);
}
