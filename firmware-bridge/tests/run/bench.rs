//! A bench for devices that run programs: an arm whose limits and reports can be changed, a store, a host that can go away, and programs
//! that are small enough to read.

use llmos_firmware_bridge::device::{
    Arguments, Command, Device, Input, Intent, OnHostLoss, Output, Plant, PlantStatus, Programs, Refusal, RunCommand,
    RunReport, Sink, Told,
};
use llmos_firmware_bridge::sim::{Faults, Hastened, SimKind};
use llmos_follower::{
    Call, Envelope, Follower, Input as Said, Kind, MICRO, Millis, OnError, Op, Output as Followed, Point, Program,
    Progress, Range, Reading, Readings, Split, Step, Symbol, Value, World, wire,
};

pub const ARM: Symbol = Symbol::of("arm");
pub const POSITION: Symbol = Symbol::of("position");
pub const HOME: Point = [800_000, 0, 1_200_000];
const CM: i64 = 10_000;
use std::cell::Cell;
use std::rc::Rc;

/// The simulated arm, with other limits, more to report, or another opinion of where it is.
pub struct Bent {
    pub arm: Hastened,
    pub envelope: Envelope,
    pub noise: usize,
    /// Whether it says only once that it is through with a command.
    pub terse: bool,
    pub through: bool,
    pub shift: Rc<Cell<i64>>,
}

impl Plant for Bent {
    fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    fn position(&self) -> Option<Point> {
        self.arm.position().map(|[x, y, z]| [x + self.shift.get(), y, z])
    }

    fn intent(&self, tool: Symbol, arguments: Arguments<'_>) -> Result<Intent, Refusal> {
        self.arm.intent(tool, arguments)
    }

    fn start(&mut self, now: Millis, tool: Symbol, arguments: Arguments<'_>) {
        self.through = false;
        self.arm.start(now, tool, arguments);
    }

    fn step(&mut self, now: Millis) -> PlantStatus {
        match self.arm.step(now) {
            PlantStatus::Done if self.terse && self.through => PlantStatus::Busy,
            PlantStatus::Done => {
                self.through = true;
                PlantStatus::Done
            }
            status => status,
        }
    }

    fn halt(&mut self, now: Millis) {
        self.arm.halt(now);
    }

    fn readings(&self, sink: &mut Sink<'_>) {
        self.arm.readings(sink);
        for owner in 0..self.noise {
            sink(&format!("thing {owner}"), "kind", Told::Text("noise"));
        }
    }
}

/// A store that holds what it is given.
pub struct Shelf {
    pub bytes: Option<Vec<u8>>,
    pub device: Symbol,
    pub alone: bool,
}

impl Programs for Shelf {
    fn device(&self) -> Symbol {
        self.device
    }

    fn program(&self) -> Option<&[u8]> {
        self.bytes.as_deref()
    }

    fn finishes_alone(&self) -> bool {
        self.alone
    }
}

pub fn bytes(program: &Program) -> Vec<u8> {
    let mut buffer = vec![0; wire::BYTES_MAX];
    wire::encode(program, &mut buffer).expect("room").to_vec()
}

pub fn crc(bytes: &[u8]) -> u32 {
    u32::from_le_bytes(*bytes.last_chunk().expect("a checksum"))
}

/// A device on a bench, and the host whose lease it is under, as long as that is there.
pub struct Bench {
    pub device: Device<Bent, Shelf>,
    pub now: Millis,
    pub seq: u32,
    /// Commands that were begun.
    pub begun: u32,
    pub said: Vec<Output>,
    /// Whether the host keeps its lease.
    pub host: bool,
    /// How often the device is called, in milliseconds.
    pub tick_ms: Millis,
    /// Where the arm was, at every look.
    pub trail: Vec<Point>,
    /// How far from its place the arm believes to be, along x.
    pub shift: Rc<Cell<i64>>,
}

pub const SESSION: u32 = 7;
/// How long its lease lasts.
pub const LEASE_MS: u32 = 500;

impl Bench {
    pub fn new(program: &Program) -> Bench {
        Bench::with(Some(bytes(program)), "", |_| {})
    }

    pub fn with(bytes: Option<Vec<u8>>, faults: &str, change: impl FnOnce(&mut Bent)) -> Bench {
        let faults = Faults::parse(faults).expect("known faults");
        let arm = SimKind::Arm.plant(0, 1, faults);
        let shift = Rc::new(Cell::new(0));
        let mut bent = Bent {
            envelope: arm.envelope().clone(),
            arm,
            noise: 0,
            terse: false,
            through: false,
            shift: Rc::clone(&shift),
        };
        change(&mut bent);
        let shelf = Shelf {
            bytes,
            device: ARM,
            alone: true,
        };
        let mut bench = Bench {
            device: Device::with_programs(bent, 1, shelf),
            now: 0,
            seq: 0,
            begun: 0,
            said: Vec::new(),
            host: true,
            tick_ms: 10,
            trail: Vec::new(),
            shift,
        };
        bench.lease(SESSION);
        bench
    }

    pub fn lease(&mut self, session: u32) {
        self.put(Input::Lease {
            session,
            ttl_ms: LEASE_MS,
            retained: false,
        });
    }

    pub fn put(&mut self, input: Input<'_>) {
        self.device.handle(self.now, input);
        self.said.clear();
        self.said.extend(std::iter::from_fn(|| self.device.poll()));
    }

    /// Lets time pass; the host renews its lease, if it is there.
    pub fn pass_ms(&mut self, ms: Millis) {
        let end = self.now + ms;
        self.said.clear();
        while self.now < end {
            self.now += self.tick_ms;
            let input = if self.host && self.now.is_multiple_of(100) {
                Input::Lease {
                    session: SESSION,
                    ttl_ms: LEASE_MS,
                    retained: false,
                }
            } else {
                Input::Tick
            };
            self.device.handle(self.now, input);
            self.said.extend(std::iter::from_fn(|| self.device.poll()));
            self.trail.extend(self.device.plant().arm.position());
        }
    }

    fn answer(&self) -> Result<(), Refusal> {
        let answer = self.said.iter().find_map(|output| match output {
            Output::Ack { answer, .. } => Some(*answer),
            _ => None,
        });
        answer.expect("every command is answered")
    }

    pub fn run_as(&mut self, change: impl FnOnce(&mut RunCommand<'_>), slots: &[Value]) -> Result<(), Refusal> {
        self.seq += 1;
        let crc = self.device.programs().0.bytes.as_deref().map_or(0, crc);
        let mut run = RunCommand {
            session: SESSION,
            seq: self.seq,
            id: 1_000 + u64::from(self.seq),
            expires_ms: self.now + 100,
            retained: false,
            crc,
            on_host_loss: OnHostLoss::Stop,
            slots: Some(slots),
        };
        change(&mut run);
        self.put(Input::Run(run));
        self.answer()
    }

    pub fn run(&mut self, slots: &[Value]) -> Result<(), Refusal> {
        self.run_as(|_| {}, slots)
    }

    pub fn command(&mut self, tool: Symbol, arguments: &[(Symbol, Value)]) -> Result<(), Refusal> {
        self.seq += 1;
        self.put(Input::Command(Command {
            session: SESSION,
            seq: self.seq,
            id: u64::from(self.seq),
            expires_ms: self.now + 100,
            retained: false,
            tool,
            arguments: Some(arguments),
        }));
        self.begun += u32::from(self.answer().is_ok());
        self.answer()
    }

    /// Lets time pass until the run is over, at most a minute.
    pub fn finish(&mut self) -> RunReport {
        for _ in 0..600 {
            if self.device.running().is_none() {
                break;
            }
            self.pass_ms(100);
        }
        *self
            .device
            .run_report()
            .expect("the run is over, and its report is kept")
    }

    pub fn position(&self) -> Point {
        self.device.plant().arm.position().expect("an arm is somewhere")
    }

    /// What the device reports, as a host keeps it.
    fn readings(&self) -> Readings {
        let mut list = Vec::new();
        self.device
            .plant()
            .readings(&mut |owner: &str, field: &str, told: Told<'_>| {
                let value = match told {
                    Told::Bool(truth) => Value::Bool(truth),
                    Told::Number(micro) => Value::Number(micro),
                    Told::Point(point) => Value::Point(point),
                    Told::Text(text) => Value::Symbol(Symbol::of(text)),
                    Told::Nothing => Value::Symbol(Symbol::NONE),
                };
                list.push(Reading {
                    device: ARM,
                    owner: Symbol::of(owner),
                    field: Symbol::of(field),
                    value,
                });
            });
        let mut readings = Readings::default();
        readings.replace(ARM, list).expect("room");
        readings
    }

    /// Follows a program from here, command by command, as a host does. Returns its last words.
    pub fn follow_as_a_host(&mut self, program: &Program, slots: &[Value]) -> Followed {
        let mut follower = Follower::new(program, slots).expect("a good program");
        let mut sent = None;
        for _ in 0..6_000 {
            let readings = self.readings();
            let world = World {
                program,
                readings: &readings,
            };
            while let Some(output) = follower.poll(world) {
                match output {
                    Followed::Command(offer) => {
                        let answer = self.command(offer.tool, &offer.arguments);
                        let inputs: &[Said] = match answer {
                            Ok(()) => &[Said::Sent, Said::Acknowledged],
                            Err(Refusal::Envelope) => &[Said::Refused],
                            Err(_) => &[Said::Sent, Said::Failed],
                        };
                        sent = answer.ok().map(|()| self.seq);
                        for input in inputs {
                            follower.handle(world, self.now, *input);
                        }
                    }
                    Followed::StepDone { .. } | Followed::CallDone { .. } => {}
                    end => return end,
                }
            }
            self.pass_ms(10);
            let status = self.device.status();
            let readings = self.readings();
            let world = World {
                program,
                readings: &readings,
            };
            let failed = status.failed.map(|(seq, _)| seq);
            let input = match sent {
                Some(seq) if failed == Some(seq) => {
                    sent = None;
                    Said::Failed
                }
                Some(_) if status.busy => Said::State(Progress::Busy),
                _ => Said::State(Progress::Finished),
            };
            follower.handle(world, self.now, input);
        }
        panic!("it never ends");
    }
}

/// A program for the arm under construction.
#[derive(Default)]
pub struct Sketch(pub Program);

impl Sketch {
    pub fn code(&mut self, ops: &[Op]) -> Range {
        let start = u16::try_from(self.0.code.len()).expect("small");
        self.0.code.extend_from_slice(ops).expect("room for code");
        Range {
            start,
            len: u16::try_from(ops.len()).expect("small"),
        }
    }

    fn call(&mut self, tool: &str, arguments: &[(&str, Op)]) -> (Step, Vec<Range>) {
        let ranges: Vec<Range> = arguments.iter().map(|(_, op)| self.code(&[*op])).collect();
        let arguments = arguments.iter().zip(&ranges);
        let call = Call {
            device: ARM,
            tool: Symbol::of(tool),
            arguments: arguments.map(|((name, _), range)| (Symbol::of(name), *range)).collect(),
            ..Call::default()
        };
        let step = Step {
            device: ARM,
            tool: call.tool,
            call: u8::try_from(self.0.calls.len()).expect("small"),
            kind: Kind::Command,
            arguments: call.arguments.clone(),
            timeout_ms: 20_000,
            ..Step::default()
        };
        self.0.calls.push(call).expect("room for a call");
        (step, ranges)
    }

    fn push(&mut self, step: Step) -> &mut Step {
        self.0.steps.push(step).expect("room for a step");
        self.0.steps.last_mut().expect("just pushed")
    }

    /// Moves along x by what an operation gives, in legs of at most 40 cm; to the right, or to the left.
    pub fn move_along(&mut self, direction: &str, distance: Op) -> &mut Step {
        let sign = if direction == "right" { MICRO } else { -MICRO };
        let (mut step, _) = self.call(
            "move",
            &[
                ("direction", Op::Const(Value::Symbol(Symbol::of(direction)))),
                ("distance", distance),
            ],
        );
        let target = [
            Op::Before {
                owner: Symbol::NONE,
                field: POSITION,
            },
            Op::Const(Value::Point([sign, 0, 0])),
            Op::Argument(1),
            Op::Mul,
            Op::Add,
        ];
        step.target = self.code(&target);
        let mut ensure = vec![Op::Reading {
            owner: Symbol::NONE,
            field: POSITION,
        }];
        ensure.extend(target);
        ensure.push(Op::Near(5_000));
        step.ensure = self.code(&ensure);
        (step.split, step.leg_max) = (Split::Along(1), 40 * CM);
        self.push(step)
    }

    /// Goes to a point.
    pub fn go_to(&mut self, point: Point) -> &mut Step {
        let (mut step, ranges) = self.call("move_to", &[("to", Op::Const(Value::Point(point)))]);
        step.target = ranges[0];
        step.ensure = self.code(&[
            Op::Reading {
                owner: Symbol::NONE,
                field: POSITION,
            },
            Op::Argument(0),
            Op::Near(5_000),
        ]);
        (step.split, step.leg_max) = (Split::Toward(0), 40 * CM);
        self.push(step)
    }

    /// Opens or closes the gripper, or switches the tool: a field gets a word.
    pub fn set(&mut self, tool: &str, word: &str) -> &mut Step {
        let (mut step, _) = self.call(tool, &[("state", Op::Const(Value::Symbol(Symbol::of(word))))]);
        step.ensure = self.code(&[
            Op::Reading {
                owner: Symbol::NONE,
                field: Symbol::of(tool),
            },
            Op::Argument(0),
            Op::Eq,
        ]);
        self.push(step)
    }

    /// Lets time pass, as a call of its own.
    pub fn pause(&mut self, micros: i64) -> &mut Step {
        let (mut step, _) = self.call("wait", &[]);
        step.kind = Kind::Pause(self.code(&[Op::Const(Value::Number(micros))]));
        self.push(step)
    }

    /// The last step compensates for this one, which is made a step of the same call.
    pub fn compensate(&mut self, index: usize) {
        let last = self.0.steps.len() - 1;
        self.0.calls.pop();
        let call = self.0.steps[index].call;
        self.0.steps[last].call = call;
        self.0.compensating = 1;
        self.0.steps[index].on_error = OnError::Compensate(Range {
            start: u16::try_from(last).expect("small"),
            len: 1,
        });
    }
}

/// A slot's value of so many centimetres.
pub fn cm(cm: i64) -> Value {
    Value::Number(cm * CM)
}

/// Right by a slot (in legs), hand closed, wait, tool on, back home: legs, a slot, a pause, a start condition.
pub fn errand() -> Program {
    let mut sketch = Sketch::default();
    sketch.0.slots = 1;
    let open = sketch.code(&[
        Op::Reading {
            owner: Symbol::NONE,
            field: Symbol::of("gripper"),
        },
        Op::Const(Value::Symbol(Symbol::of("open"))),
        Op::Eq,
    ]);
    sketch.0.start.push((ARM, open)).expect("room");
    sketch.move_along("right", Op::Slot(0)).on_error = OnError::Retry(1);
    sketch.set("gripper", "closed");
    sketch.pause(200_000);
    sketch.set("tool", "on");
    sketch.go_to(HOME);
    sketch.0
}
