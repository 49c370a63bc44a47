//! A mobile robot in a flat: it drives, turns, finds its way in straight lines and docks at its charger.
//!
//! Heading 0 looks along +x and grows to the left; it counts on past 360 degrees, so that a turn is always a difference.

use super::faults::{Faults, strikes};
use super::micro;
use super::motion::{Travel, Xorshift};
use crate::device::{Arguments, Failure, Intent, Plant, PlantStatus, Refusal, Sink, Told};
use llmos_follower::value::distance;
use llmos_follower::{Envelope, MICRO, Millis, Point, Shape, Symbol};

const M: i64 = MICRO;
const SPEED: i64 = M / 2;
/// Degrees a second.
const TURN: i64 = 90 * MICRO;
const CHARGER: usize = 0;
/// How close to the charger counts as there.
const DOCK_REACH: i64 = 10_000;
const STALL_MS: Millis = 1_000;
/// Charge that a metre costs, and that a second on the charger gives.
const CHARGE_PER_METRE: i64 = 10_000;
const CHARGE_PER_SECOND: i64 = 10_000;

const DRIVE: Symbol = Symbol::of("drive");
const ROTATE: Symbol = Symbol::of("turn");
const GO_TO: Symbol = Symbol::of("go_to");
const DOCK: Symbol = Symbol::of("dock");
const DIRECTION: Symbol = Symbol::of("direction");
const DISTANCE: Symbol = Symbol::of("distance");
const ANGLE: Symbol = Symbol::of("angle");
const TO: Symbol = Symbol::of("to");

#[derive(Clone, Copy, Debug)]
enum Action {
    Rest,
    /// Turns first, then drives; either may be nothing.
    Go {
        turn: Travel,
        drive: Travel,
        drive_ms: Millis,
        odometer: i64,
        stalls: bool,
    },
    Stalled {
        until: Millis,
    },
}

/// The robot and its flat.
#[derive(Clone, Debug)]
pub struct Base {
    envelope: Envelope,
    position: Point,
    heading: i64,
    odometer: i64,
    battery: i64,
    docked: bool,
    action: Action,
    places: Vec<(&'static str, Point)>,
    faults: Faults,
    moves: u32,
    now: Millis,
}

impl Base {
    /// The robot on its charger; seed 0 is the documented flat.
    #[must_use]
    pub fn new(seed: u64, faults: Faults) -> Base {
        let mut chance = Xorshift::new(seed);
        let mut scatter = |x: i64, y: i64| match seed {
            0 => [x, y, 0],
            _ => [x + chance.around(M / 5), y + chance.around(M / 5), 0],
        };
        let places = vec![
            ("charger", [0, 0, 0]),
            ("kitchen", scatter(3 * M, 2 * M)),
            ("door", scatter(-3 * M, M)),
            ("sofa", scatter(2 * M, -M)),
            ("desk", scatter(-2 * M, -2 * M)),
        ];
        let mut envelope = Envelope {
            bounds: Some([(-5 * M, 5 * M), (-5 * M, 5 * M), (0, 0)]),
            speed_max: Some(SPEED),
            ..Envelope::default()
        };
        // One zone always fits.
        let _ = envelope.keep_out.push(Shape::Cylinder {
            base: [3 * M, -3 * M, 0],
            radius: M / 2,
            height: M,
        });
        Base {
            envelope,
            position: [0; 3],
            heading: 0,
            odometer: 0,
            battery: MICRO,
            docked: true,
            action: Action::Rest,
            places,
            faults,
            moves: 0,
            now: 0,
        }
    }

    /// Heading and point where a command ends.
    fn end(&self, tool: Symbol, arguments: Arguments<'_>) -> Result<(i64, Point), Refusal> {
        match tool {
            DRIVE => {
                arguments.only(&[DIRECTION, DISTANCE])?;
                let distance = arguments.number(DISTANCE, 0, 100 * M)?;
                let sign = sign(arguments.symbol(DIRECTION)?, "forward", "back")?;
                Ok((self.heading, ahead(self.position, self.heading, sign * distance)))
            }
            ROTATE => {
                arguments.only(&[DIRECTION, ANGLE])?;
                let angle = arguments.number(ANGLE, 0, 3_600 * MICRO)?;
                let sign = sign(arguments.symbol(DIRECTION)?, "left", "right")?;
                Ok((self.heading + sign * angle, self.position))
            }
            GO_TO => {
                arguments.only(&[TO])?;
                let to = arguments.point(TO)?;
                Ok((facing(self.position, to, self.heading), to))
            }
            DOCK => {
                arguments.only(&[])?;
                let to = self.places[CHARGER].1;
                Ok((facing(self.position, to, self.heading), to))
            }
            _ => Err(Refusal::UnknownTool),
        }
    }

    fn charge(&mut self, now: Millis) {
        let elapsed = i64::try_from(now.saturating_sub(self.now)).unwrap_or(0);
        self.now = now;
        if self.docked {
            self.battery = (self.battery + elapsed * CHARGE_PER_SECOND / 1_000).min(MICRO);
        }
    }

    fn go(&mut self, now: Millis) -> PlantStatus {
        let Action::Go {
            turn,
            drive,
            drive_ms,
            odometer,
            stalls,
        } = self.action
        else {
            return PlantStatus::Done;
        };
        self.heading = turn.at(now)[0];
        if stalls && (drive.done(now) >= 500 || (drive_ms == 0 && turn.done(now) >= 500)) {
            self.action = Action::Stalled { until: now + STALL_MS };
            return PlantStatus::Busy;
        }
        if turn.done(now) < 1_000 {
            return PlantStatus::Busy;
        }
        let before = self.odometer;
        let start = drive.at(0);
        self.position = drive.at(now);
        self.odometer = odometer + distance(start, self.position).unwrap_or(0);
        self.battery = (self.battery - (self.odometer - before) * CHARGE_PER_METRE / M).max(0);
        if drive.done(now) < 1_000 {
            return PlantStatus::Busy;
        }
        self.action = Action::Rest;
        let gap = distance(self.position, self.places[CHARGER].1);
        self.docked = gap.is_some_and(|gap| gap <= DOCK_REACH);
        PlantStatus::Done
    }
}

fn sign(word: Symbol, plus: &str, minus: &str) -> Result<i64, Refusal> {
    match word {
        word if word == Symbol::of(plus) => Ok(1),
        word if word == Symbol::of(minus) => Ok(-1),
        _ => Err(Refusal::BadArgument),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a flat and a day's turns in micro-units fit a double's 53 bits"
)]
fn units(value: i64) -> f64 {
    value as f64 / MICRO as f64
}

fn ahead(from: Point, heading: i64, distance: i64) -> Point {
    let (sin, cos) = units(heading).to_radians().sin_cos();
    [
        from[0] + micro(cos * units(distance)),
        from[1] + micro(sin * units(distance)),
        from[2],
    ]
}

/// The heading that looks from one point to another, by the shorter turn from `heading`.
fn facing(from: Point, to: Point, heading: i64) -> i64 {
    if from == to {
        return heading;
    }
    let wanted = micro(units(to[1] - from[1]).atan2(units(to[0] - from[0])).to_degrees());
    let turn = (wanted - heading).rem_euclid(360 * MICRO);
    heading + if turn > 180 * MICRO { turn - 360 * MICRO } else { turn }
}

impl Plant for Base {
    fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    fn position(&self) -> Option<Point> {
        Some(self.position)
    }

    fn intent(&self, tool: Symbol, arguments: Arguments<'_>) -> Result<Intent, Refusal> {
        let (heading, to) = self.end(tool, arguments)?;
        if self.battery == 0 && tool != DOCK {
            return Err(Refusal::Plant);
        }
        Ok(Intent {
            to: Some(to),
            turn: Some(heading - self.heading),
            ..Intent::default()
        })
    }

    fn start(&mut self, now: Millis, tool: Symbol, arguments: Arguments<'_>) {
        let Ok((heading, to)) = self.end(tool, arguments) else {
            return;
        };
        self.moves += 1;
        self.docked &= to == self.position;
        let turn = Travel::new(now, [self.heading, 0, 0], [heading, 0, 0], TURN);
        let drive = Travel::new(now + turn.duration_ms(), self.position, to, SPEED);
        let stalls = strikes(self.faults.stall, self.moves);
        self.action = Action::Go {
            turn,
            drive,
            drive_ms: drive.duration_ms(),
            odometer: self.odometer,
            stalls,
        };
    }

    fn step(&mut self, now: Millis) -> PlantStatus {
        self.charge(now);
        match self.action {
            Action::Rest => PlantStatus::Done,
            Action::Go { .. } => self.go(now),
            Action::Stalled { until } if now >= until => {
                self.action = Action::Rest;
                PlantStatus::Failed(Failure::Stalled)
            }
            Action::Stalled { .. } => PlantStatus::Busy,
        }
    }

    fn halt(&mut self, _now: Millis) {
        self.action = Action::Rest;
    }

    fn readings(&self, sink: &mut Sink<'_>) {
        sink("", "position", Told::Point(self.position));
        sink("", "ahead", Told::Point(ahead([0; 3], self.heading, M)));
        sink("", "heading", Told::Number(self.heading));
        sink("", "odometer", Told::Number(self.odometer));
        sink("", "battery", Told::Number(self.battery));
        sink("", "docked", Told::Bool(self.docked));
        sink("", "moving", Told::Bool(matches!(self.action, Action::Go { .. })));
        for (name, position) in &self.places {
            sink(name, "kind", Told::Text("place"));
            sink(name, "position", Told::Point(*position));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use llmos_follower::Value;

    fn act(base: &mut Base, now: &mut Millis, tool: &str, arguments: &[(&str, Value)]) {
        let arguments: Vec<(Symbol, Value)> = arguments
            .iter()
            .map(|(name, value)| (Symbol::of(name), *value))
            .collect();
        base.intent(Symbol::of(tool), Arguments(&arguments))
            .expect("a good command");
        base.start(*now, Symbol::of(tool), Arguments(&arguments));
        for _ in 0..10_000 {
            *now += 10;
            if base.step(*now) != PlantStatus::Busy {
                return;
            }
        }
        panic!("{tool} never ends");
    }

    #[test]
    fn it_turns_drives_and_docks() {
        let mut base = Base::new(0, Faults::default());
        let mut now = 0;
        let word = |text: &str| Value::Symbol(Symbol::of(text));
        act(
            &mut base,
            &mut now,
            "turn",
            &[("direction", word("left")), ("angle", Value::Number(90 * MICRO))],
        );
        act(
            &mut base,
            &mut now,
            "drive",
            &[("direction", word("forward")), ("distance", Value::Number(M))],
        );
        assert_eq!((base.position, base.heading, base.odometer), ([0, M, 0], 90 * MICRO, M));
        assert!(!base.docked && base.battery < MICRO);
        assert!(
            now >= 3_000,
            "90 degrees and a metre take three seconds, found {now} ms"
        );
        act(&mut base, &mut now, "go_to", &[("to", Value::Point([3 * M, 2 * M, 0]))]);
        assert_eq!(base.position, [3 * M, 2 * M, 0]);
        act(&mut base, &mut now, "dock", &[]);
        assert!(base.docked);
    }
}
