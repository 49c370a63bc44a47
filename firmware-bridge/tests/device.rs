//! The device side by itself, with a plant that drives on until it is told otherwise: what it must never do, whatever comes in.

use llmos_firmware_bridge::device::{
    Arguments, Command, Device, Input, Intent, Output, Plant, PlantStatus, Refusal, Sink,
};
use llmos_firmware_bridge::sim::Xorshift;
use llmos_follower::{Envelope, Millis, Point, Rate, Symbol, Value};

const M: i64 = 1_000_000;
/// When a rover that slips has slipped, in milliseconds.
const SLIPS_AT: Millis = 2_000;
const VALUE: Symbol = Symbol::of("value");

/// A rover on a line: it rolls at once, and brakes with 1 m/s^2.
struct Rover {
    envelope: Envelope,
    x: i64,
    speed: i64,
    brakes: bool,
    now: Millis,
    starts: u32,
    slips: bool,
}

impl Rover {
    fn new() -> Rover {
        Rover {
            envelope: Envelope {
                bounds: Some([(-10 * M, 10 * M), (-M, M), (-M, M)]),
                speed_max: Some(2 * M),
                acceleration_max: Some(M),
                turn_max: Some(90 * M),
                turn_speed_max: Some(45 * M),
                duration_max: Some(5 * M),
                rate_max: Some(Rate {
                    commands: 3,
                    per_ms: 1_000,
                }),
                ..Envelope::default()
            },
            x: 0,
            speed: 0,
            brakes: false,
            now: 0,
            starts: 0,
            slips: false,
        }
    }
}

impl Plant for Rover {
    fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    fn position(&self) -> Option<Point> {
        Some([self.x, 0, 0])
    }

    fn velocity(&self) -> Option<Point> {
        Some([self.speed, 0, 0])
    }

    fn intent(&self, tool: Symbol, arguments: Arguments<'_>) -> Result<Intent, Refusal> {
        let value = Some(arguments.number(VALUE, i64::MIN, i64::MAX)?);
        let none = Intent::default();
        for (name, intent) in [
            ("turn", Intent { turn: value, ..none }),
            (
                "spin",
                Intent {
                    turn_speed: value,
                    ..none
                },
            ),
            (
                "beep",
                Intent {
                    duration: value,
                    ..none
                },
            ),
            (
                "push",
                Intent {
                    acceleration: value,
                    ..none
                },
            ),
            ("pace", Intent { speed: value, ..none }),
            (
                "roll",
                Intent {
                    velocity: value.map(|speed| [speed, 0, 0]),
                    ..none
                },
            ),
        ] {
            if tool == Symbol::of(name) {
                return Ok(intent);
            }
        }
        Err(Refusal::UnknownTool)
    }

    fn start(&mut self, _: Millis, tool: Symbol, arguments: Arguments<'_>) {
        self.starts += 1;
        if tool == Symbol::of("roll") {
            self.speed = arguments.number(VALUE, i64::MIN, i64::MAX).unwrap_or(0);
            self.brakes = false;
        }
    }

    fn step(&mut self, now: Millis) -> PlantStatus {
        for ms in self.now..now {
            self.x += self.speed / 1_000 + if self.slips && ms + 10 == SLIPS_AT { 5 * M } else { 0 };
            if self.brakes {
                self.speed -= self.speed.signum() * (M / 1_000).min(self.speed.abs());
            }
        }
        self.now = now;
        PlantStatus::Done
    }

    fn halt(&mut self, _: Millis) {
        self.brakes = true;
    }

    fn readings(&self, _: &mut Sink<'_>) {}
}

struct Bench {
    device: Device<Rover>,
    now: Millis,
    seq: u32,
    said: Vec<Output>,
}

impl Bench {
    /// A device whose lease is ours for a minute.
    fn new() -> Bench {
        Bench::with(Rover::new())
    }

    fn with(rover: Rover) -> Bench {
        let mut bench = Bench {
            device: Device::new(rover, 1),
            now: 0,
            seq: 0,
            said: Vec::new(),
        };
        bench.put(Input::Lease {
            session: 7,
            ttl_ms: 60_000,
            retained: false,
        });
        bench
    }

    fn put(&mut self, input: Input<'_>) {
        self.device.handle(self.now, input);
        self.said.clear();
        self.said.extend(std::iter::from_fn(|| self.device.poll()));
    }

    fn pass_ms(&mut self, ms: u64) {
        let end = self.now + ms;
        while self.now < end {
            self.now = (self.now + 10).min(end);
            self.device.handle(self.now, Input::Tick);
            self.said.extend(std::iter::from_fn(|| self.device.poll()));
        }
    }

    fn ask(&mut self, tool: &str, value: i64) -> Result<(), Refusal> {
        self.seq += 1;
        let arguments = [(VALUE, Value::Number(value))];
        let (seq, id) = (self.seq, u64::from(self.seq));
        self.put(Input::Command(Command {
            session: 7,
            seq,
            id,
            expires_ms: self.now + 100,
            retained: false,
            tool: Symbol::of(tool),
            arguments: Some(&arguments),
        }));
        let answer = self.said.iter().find_map(|output| match output {
            Output::Ack { answer, .. } => Some(*answer),
            _ => None,
        });
        answer.expect("every command is answered")
    }

    fn rover(&self) -> &Rover {
        self.device.plant()
    }
}

#[test]
fn a_device_keeps_its_own_limits_whoever_asks() {
    for (tool, value, allowed) in [
        ("turn", 90 * M, true),
        ("turn", -90 * M - 1, false),
        ("spin", 45 * M, true),
        ("spin", 45 * M + 1, false),
        ("beep", 5 * M, true),
        ("beep", 5 * M + 1, false),
        ("push", M, true),
        ("push", M + 1, false),
        ("pace", 2 * M, true),
        ("pace", -2 * M - 1, false),
        ("roll", 2 * M, true),
        ("roll", 2 * M + 1, false),
        ("roll", i64::MIN, false),
    ] {
        let mut bench = Bench::new();
        let expected = if allowed { Ok(()) } else { Err(Refusal::Envelope) };
        assert_eq!(bench.ask(tool, value), expected, "{tool} {value}");
        assert_eq!(bench.rover().starts, u32::from(allowed), "{tool} {value}");
    }
}

#[test]
fn so_many_commands_in_a_second() {
    let mut bench = Bench::new();
    for expected in [Ok(()), Ok(()), Ok(()), Err(Refusal::Envelope)] {
        bench.pass_ms(10);
        assert_eq!(bench.ask("beep", M), expected);
    }
    bench.pass_ms(970);
    assert_eq!(bench.ask("beep", M), Ok(()), "the first is a second old");
    assert_eq!(bench.ask("beep", M), Err(Refusal::Envelope));
}

#[test]
fn what_drives_on_stops_before_it_leaves_its_bounds() {
    for speed in [M / 2, M, 2 * M, -2 * M] {
        let mut bench = Bench::new();
        assert_eq!(bench.ask("roll", speed), Ok(()));
        bench.pass_ms(30_000);
        let rover = bench.rover();
        assert_eq!((rover.speed, rover.brakes), (0, true), "{speed}");
        assert!(rover.x.abs() <= 10 * M, "{speed}: it stood at {}", rover.x);
        assert!(rover.x.abs() >= 9 * M, "{speed}: not long before, {}", rover.x);
        assert_eq!(bench.ask("roll", speed), Err(Refusal::Envelope), "and not on");
        assert_eq!(bench.ask("roll", -speed / 4), Ok(()), "but back");
    }
}

#[test]
fn without_a_lease_nothing_rolls_on() {
    let lost = |input: Option<Input<'_>>| {
        let mut bench = Bench::new();
        bench.put(Input::Lease {
            session: 7,
            ttl_ms: 500,
            retained: false,
        });
        assert_eq!(bench.ask("roll", M / 100), Ok(()));
        bench.pass_ms(100);
        assert!(!bench.device.status().busy, "the command itself is done");
        match input {
            Some(input) => bench.put(input),
            None => bench.pass_ms(1_000),
        }
        bench.pass_ms(1_000);
        assert_eq!(bench.rover().speed, 0, "{input:?}");
    };
    lost(None);
    lost(Some(Input::Stop));
    lost(Some(Input::Lease {
        session: 7,
        ttl_ms: 0,
        retained: false,
    }));
}

#[test]
fn a_position_that_jumps_is_not_driven_on() {
    let mut bench = Bench::with(Rover {
        slips: true,
        ..Rover::new()
    });
    assert_eq!(bench.ask("roll", 0), Ok(()));
    // At most 2 m/s, and 5 m in 10 ms.
    bench.pass_ms(SLIPS_AT - bench.now);
    assert_eq!(bench.ask("roll", M / 10), Err(Refusal::Envelope));
    assert_eq!(bench.ask("pace", M / 10), Err(Refusal::Envelope));
    assert_eq!(bench.ask("beep", M), Ok(()), "what moves nothing may go on");
    bench.pass_ms(490);
    assert_eq!(bench.ask("roll", M / 10), Err(Refusal::Envelope));
    bench.pass_ms(10);
    assert_eq!(bench.ask("roll", M / 10), Ok(()));
}

/// What the device must have been told for a command to be begun, kept by hand.
#[derive(Default)]
struct Account {
    lease: Option<(u32, Millis)>,
    stopped: bool,
    used: u32,
    answers: Vec<(u32, u64, Result<(), Refusal>)>,
}

impl Account {
    fn may_begin(&self, now: Millis, command: &Command<'_>) -> bool {
        let holds = self
            .lease
            .is_some_and(|(session, until)| session == command.session && now < until);
        holds && !self.stopped && !command.retained && command.seq > self.used && now <= command.expires_ms
    }
}

/// Leases, commands, stops and resets in any order, repeated, late and retained: nothing is begun that may not be, nothing twice, a stop stands
/// until a person ends it, and then nothing moves by itself.
#[test]
fn whatever_comes_in_nothing_is_begun_that_may_not_be() {
    let mut begun = 0;
    for seed in 0..300 {
        begun += storm(seed);
    }
    assert!(begun > 500, "only {begun} commands were begun");
}

fn storm(seed: u64) -> u32 {
    let (mut chance, mut account) = (Xorshift::new(seed), Account::default());
    let mut bench = Bench {
        device: Device::new(Rover::new(), 1),
        now: 0,
        seq: 0,
        said: Vec::new(),
    };
    let roll = [(VALUE, Value::Number(M / 10))];
    for round in 0..200 {
        bench.now += chance.below(80);
        let session = 7 + u32::from(chance.below(8) == 0);
        let retained = chance.below(10) == 0;
        let starts = bench.rover().starts;
        match chance.below(12) {
            0 => {
                bench.put(Input::Stop);
                account.stopped = true;
                assert!(bench.rover().brakes, "seed {seed}, round {round}: a stop halts");
            }
            1 => {
                let before = bench.rover().speed;
                bench.put(Input::Reset);
                account.stopped = false;
                assert!(
                    bench.rover().speed.abs() <= before.abs(),
                    "seed {seed}, round {round}: a reset moves nothing"
                );
            }
            2..5 => {
                let ttl_ms = u32::try_from(chance.below(4) * 400).expect("small");
                bench.put(Input::Lease {
                    session,
                    ttl_ms,
                    retained,
                });
                let free = account
                    .lease
                    .is_none_or(|(holder, until)| holder == session || bench.now >= until);
                if free && !retained {
                    account.lease = (ttl_ms > 0).then_some((session, bench.now + u64::from(ttl_ms)));
                }
            }
            5 => bench.put(Input::Tick),
            _ => {
                let seq = account.used + 2 - u32::try_from(chance.below(4)).expect("small").min(account.used + 1);
                let command = Command {
                    session,
                    seq,
                    id: u64::from(seq),
                    expires_ms: (bench.now + 40).saturating_sub(chance.below(60)),
                    retained,
                    tool: Symbol::of("roll"),
                    arguments: Some(&roll),
                };
                let may = account.may_begin(bench.now, &command);
                bench.put(Input::Command(command));
                let now_begun = bench.rover().starts > starts;
                assert!(may || !now_begun, "seed {seed}, round {round}: {command:?}");
                let answer = bench.said.iter().find_map(|output| match output {
                    Output::Ack {
                        seq: answered, answer, ..
                    } if *answered == seq => Some(*answer),
                    _ => None,
                });
                let answer = answer.expect("every command is answered");
                if now_begun {
                    assert_eq!(answer, Ok(()), "seed {seed}, round {round}");
                    account.used = seq;
                } else if answer == Ok(()) {
                    let known = account.answers.contains(&(session, u64::from(seq), Ok(())));
                    assert!(known, "seed {seed}, round {round}: only a resend gets an old yes");
                }
                // Whoever held the lease uses up numbers with every answer but that of a stranger.
                if !matches!(
                    answer,
                    Err(Refusal::NoLease | Refusal::Retained | Refusal::StaleSequence)
                ) {
                    account.used = account.used.max(seq);
                }
                account.answers.push((session, u64::from(seq), answer));
            }
        }
        if account.lease.is_some_and(|(_, until)| bench.now >= until) {
            account.lease = None;
            assert!(
                bench.rover().speed == 0 || bench.rover().brakes,
                "seed {seed}, round {round}: heartbeat lost"
            );
        }
        assert!(bench.rover().x.abs() <= 10 * M, "seed {seed}, round {round}");
    }
    bench.rover().starts
}
