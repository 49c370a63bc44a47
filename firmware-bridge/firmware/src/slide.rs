//! The plant: a carriage on a rail of 60 cm with a clamp on it, and a fence that stands in its way. The rail is simulated from what the motor's
//! pin says, in whole micrometres; on a real one, the position would come from an encoder.

use llmos_firmware::outputs::Outputs;
use llmos_firmware::stack;
use llmos_firmware::watchdog::{self, Part};
use llmos_firmware_bridge::device::{Arguments, Intent, Plant, PlantStatus, Refusal, Sink, Told};
use llmos_follower::{Envelope, MICRO, Millis, Point, Rate, Shape, Symbol};

/// Micrometres a second, which is a thousand times micrometres a millisecond.
const SPEED: i64 = 100_000;
/// Where the carriage is after a restart: in the middle of the free part.
const HOME: i64 = 200_000;

const MOVE: Symbol = Symbol::of("move");
const MOVE_TO: Symbol = Symbol::of("move_to");
const CLAMP: Symbol = Symbol::of("clamp");
const DIRECTION: Symbol = Symbol::of("direction");
const DISTANCE: Symbol = Symbol::of("distance");
const TO: Symbol = Symbol::of("to");
const STATE: Symbol = Symbol::of("state");
const LEFT: Symbol = Symbol::of("left");
const RIGHT: Symbol = Symbol::of("right");
const OPEN: Symbol = Symbol::of("open");
const CLOSED: Symbol = Symbol::of("closed");

/// What a command comes to.
enum Work {
    /// Go to this place on the rail, in micrometres.
    Go(i64),
    /// Close the clamp, or open it.
    Clamp(bool),
    /// Go wrong, so that a test can see what happens then.
    #[cfg(feature = "faults")]
    Fault(Symbol),
}

/// The plant.
pub struct Slide {
    envelope: Envelope,
    outputs: Outputs,
    at: i64,
    goal: i64,
    seen: Millis,
}

impl Slide {
    /// At rest.
    pub fn new(outputs: Outputs) -> Slide {
        let mut envelope = Envelope {
            bounds: Some([(0, 600_000), (0, 0), (0, 0)]),
            step_max: Some(300_000),
            speed_max: Some(2 * SPEED),
            rate_max: Some(Rate {
                commands: 20,
                per_ms: 1_000,
            }),
            state_age_ms_max: 1_000,
            ..Envelope::default()
        };
        let fence = Shape::Box {
            min: [450_000, -10_000, -10_000],
            max: [500_000, 10_000, 10_000],
        };
        // There is room for sixteen.
        let _ = envelope.keep_out.push(fence);
        Slide {
            envelope,
            outputs,
            at: HOME,
            goal: HOME,
            seen: 0,
        }
    }

    fn work(&self, tool: Symbol, arguments: Arguments<'_>) -> Result<Work, Refusal> {
        match tool {
            MOVE => {
                arguments.only(&[DIRECTION, DISTANCE])?;
                let distance = arguments.number(DISTANCE, 0, MICRO)?;
                match arguments.symbol(DIRECTION)? {
                    LEFT => Ok(Work::Go(self.at.saturating_sub(distance))),
                    RIGHT => Ok(Work::Go(self.at.saturating_add(distance))),
                    _ => Err(Refusal::BadArgument),
                }
            }
            MOVE_TO => {
                arguments.only(&[TO])?;
                match arguments.point(TO)? {
                    [x, 0, 0] => Ok(Work::Go(x)),
                    _ => Err(Refusal::Envelope),
                }
            }
            CLAMP => {
                arguments.only(&[STATE])?;
                match arguments.symbol(STATE)? {
                    OPEN => Ok(Work::Clamp(false)),
                    CLOSED => Ok(Work::Clamp(true)),
                    _ => Err(Refusal::BadArgument),
                }
            }
            #[cfg(feature = "faults")]
            fault => Ok(Work::Fault(fault)),
            #[cfg(not(feature = "faults"))]
            _ => Err(Refusal::UnknownTool),
        }
    }
}

impl Plant for Slide {
    fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    fn position(&self) -> Option<Point> {
        Some([self.at, 0, 0])
    }

    fn intent(&self, tool: Symbol, arguments: Arguments<'_>) -> Result<Intent, Refusal> {
        Ok(match self.work(tool, arguments)? {
            Work::Go(x) => Intent {
                to: Some([x, 0, 0]),
                speed: Some(SPEED),
                ..Intent::default()
            },
            _ => Intent::default(),
        })
    }

    fn start(&mut self, _: Millis, tool: Symbol, arguments: Arguments<'_>) {
        match self.work(tool, arguments) {
            Ok(Work::Go(x)) => {
                self.goal = x;
                if x != self.at {
                    self.outputs.run(x > self.at);
                }
            }
            Ok(Work::Clamp(closed)) => self.outputs.clamp(closed),
            #[cfg(feature = "faults")]
            Ok(Work::Fault(fault)) => fail(&mut self.outputs, fault),
            // It was checked a moment ago.
            Err(_) => {}
        }
    }

    fn step(&mut self, now: Millis) -> PlantStatus {
        watchdog::report(Part::Plant);
        let passed = i64::try_from(now.saturating_sub(self.seen)).unwrap_or(0);
        self.seen = now;
        if self.outputs.is_running() {
            let way = passed.saturating_mul(SPEED / 1_000);
            // Not `clamp`, which panics where the limits cross.
            self.at += self.goal.saturating_sub(self.at).max(-way).min(way);
        }
        if self.at == self.goal {
            self.outputs.rest();
            PlantStatus::Done
        } else {
            PlantStatus::Busy
        }
    }

    fn halt(&mut self, _: Millis) {
        self.outputs.rest();
        self.goal = self.at;
    }

    fn readings(&self, sink: &mut Sink<'_>) {
        sink("", "position", Told::Point([self.at, 0, 0]));
        sink(
            "",
            "clamp",
            Told::Text(if self.outputs.is_closed() { "closed" } else { "open" }),
        );
        sink("", "moving", Told::Bool(self.outputs.is_running()));
        sink(
            "",
            "stack",
            Told::Number(i64::from(stack::deepest()).saturating_mul(MICRO)),
        );
    }
}

/// Goes wrong with the motor on, as it would.
#[cfg(feature = "faults")]
fn fail(outputs: &mut Outputs, fault: Symbol) {
    outputs.run(true);
    if fault == Symbol::of("panic") {
        panic!("as was asked for");
    }
    if fault == Symbol::of("crash") {
        cortex_m::asm::udf();
    }
    loop {
        cortex_m::asm::nop();
    }
}
