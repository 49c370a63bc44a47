//! A greenhouse: slow air, a lamp, a vent, a heater with a thermostat, and a pump. It moves nothing through space.

use super::arm::either;
use super::faults::{Faults, strikes};
use super::micro;
use super::motion::Xorshift;
use crate::device::{Arguments, Failure, Intent, Plant, PlantStatus, Refusal, Sink, Told};
use llmos_follower::{Envelope, MICRO, Millis, Point, Symbol};

/// How fast the vent moves, in its whole ways a second.
const VENT_PER_S: f64 = 0.25;
/// Outside, in degrees Celsius.
const AMBIENT: f64 = 12.0;
/// How fast the heater warms, in degrees a second.
const HEAT_PER_S: f64 = 0.5;
/// Time constant of the closed house, in seconds; the open vent makes it five times faster.
const DRIFT_S: f64 = 120.0;
const TARGET_MAX: i64 = 40 * MICRO;
const WATER_MAX: i64 = 600 * MICRO;
const STALL_MS: Millis = 1_000;

const LIGHT: Symbol = Symbol::of("light");
const VENT: Symbol = Symbol::of("vent");
const HEATER: Symbol = Symbol::of("heater");
const WATER: Symbol = Symbol::of("water");
const STATE: Symbol = Symbol::of("state");
const OPENING: Symbol = Symbol::of("opening");
const TARGET: Symbol = Symbol::of("target");
const DURATION: Symbol = Symbol::of("duration");

#[derive(Clone, Copy, Debug)]
enum Action {
    Rest,
    Vent { to: f64, stalls: bool },
    Stalled { until: Millis },
    Water { until: Millis },
}

/// The house.
#[derive(Clone, Debug)]
pub struct Greenhouse {
    envelope: Envelope,
    light: bool,
    vent: f64,
    target: Option<f64>,
    temperature: f64,
    humidity: f64,
    soil: f64,
    watered_ms: u64,
    action: Action,
    faults: Faults,
    motions: u32,
    now: Millis,
}

impl Greenhouse {
    /// A cool, dry house; seed 0 is the documented one.
    #[must_use]
    pub fn new(seed: u64, faults: Faults) -> Greenhouse {
        let mut chance = Xorshift::new(seed);
        let mut vary = |value: i64, by: i64| match seed {
            0 => units(value),
            _ => units(value + chance.around(by)),
        };
        Greenhouse {
            envelope: Envelope::default(),
            light: false,
            vent: 0.0,
            target: None,
            temperature: vary(16 * MICRO, 2 * MICRO),
            humidity: vary(MICRO / 2, MICRO / 10),
            soil: vary(MICRO / 4, MICRO / 20),
            watered_ms: 0,
            action: Action::Rest,
            faults,
            motions: 0,
            now: 0,
        }
    }

    fn heats(&self) -> bool {
        self.target.is_some_and(|target| self.temperature < target)
    }

    /// The air and the soil, for one stretch of time.
    fn drift(&mut self, seconds: f64) {
        let open = 1.0 + 4.0 * self.vent;
        let warm = if self.heats() { HEAT_PER_S } else { 0.0 };
        let lamp = if self.light { 0.01 } else { 0.0 };
        self.temperature += ((AMBIENT - self.temperature) * open / DRIFT_S + warm + lamp) * seconds;
        self.humidity += ((0.4 + 0.4 * self.soil) - self.humidity) * open / DRIFT_S * seconds;
        let wet = if matches!(self.action, Action::Water { .. }) {
            0.01
        } else {
            -0.000_05
        };
        self.soil = (self.soil + wet * seconds).clamp(0.0, 1.0);
    }

    fn step_vent(&mut self, now: Millis, to: f64, stalls: bool, seconds: f64) -> PlantStatus {
        let way = to - self.vent;
        let step = VENT_PER_S * seconds;
        if stalls && way.abs() > 0.0 {
            self.vent += way.signum() * step.min(way.abs() / 2.0);
            self.action = Action::Stalled { until: now + STALL_MS };
            return PlantStatus::Busy;
        }
        if way.abs() > step {
            self.vent += way.signum() * step;
            return PlantStatus::Busy;
        }
        self.vent = to;
        self.action = Action::Rest;
        PlantStatus::Done
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the house's quantities are small; a double holds them exactly enough"
)]
fn units(value: i64) -> f64 {
    value as f64 / MICRO as f64
}

fn millis(micro_seconds: i64) -> Millis {
    Millis::try_from(micro_seconds / 1_000).unwrap_or(0)
}

impl Plant for Greenhouse {
    fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    fn position(&self) -> Option<Point> {
        None
    }

    fn intent(&self, tool: Symbol, arguments: Arguments<'_>) -> Result<Intent, Refusal> {
        match tool {
            LIGHT => either(arguments, STATE, "on", "off").map(drop)?,
            VENT => arguments
                .only(&[OPENING])
                .and_then(|()| arguments.number(OPENING, 0, MICRO))
                .map(drop)?,
            HEATER => arguments
                .only(&[TARGET])
                .and_then(|()| arguments.number(TARGET, 0, TARGET_MAX))
                .map(drop)?,
            WATER => arguments
                .only(&[DURATION])
                .and_then(|()| arguments.number(DURATION, 0, WATER_MAX))
                .map(drop)?,
            _ => return Err(Refusal::UnknownTool),
        }
        Ok(Intent::default())
    }

    fn start(&mut self, now: Millis, tool: Symbol, arguments: Arguments<'_>) {
        let number = |name| arguments.number(name, 0, i64::MAX).unwrap_or(0);
        match tool {
            LIGHT => self.light = arguments.symbol(STATE) == Ok(Symbol::of("on")),
            VENT => {
                self.motions += 1;
                self.action = Action::Vent {
                    to: units(number(OPENING)),
                    stalls: strikes(self.faults.stall, self.motions),
                };
            }
            HEATER => self.target = Some(units(number(TARGET))),
            WATER => {
                self.action = Action::Water {
                    until: now + millis(number(DURATION)),
                }
            }
            _ => {}
        }
    }

    fn step(&mut self, now: Millis) -> PlantStatus {
        let elapsed = now.saturating_sub(self.now).min(10_000);
        self.now = now;
        let seconds = units(i64::try_from(elapsed).unwrap_or(0) * 1_000);
        self.drift(seconds);
        match self.action {
            Action::Rest => PlantStatus::Done,
            Action::Vent { to, stalls } => self.step_vent(now, to, stalls, seconds),
            Action::Stalled { until } if now >= until => {
                self.action = Action::Rest;
                PlantStatus::Failed(Failure::Stalled)
            }
            Action::Stalled { .. } => PlantStatus::Busy,
            Action::Water { until } => {
                let over = now.saturating_sub(until);
                self.watered_ms += elapsed.saturating_sub(over);
                if now < until {
                    return PlantStatus::Busy;
                }
                self.action = Action::Rest;
                PlantStatus::Done
            }
        }
    }

    fn halt(&mut self, _now: Millis) {
        self.action = Action::Rest;
        self.target = None;
    }

    fn readings(&self, sink: &mut Sink<'_>) {
        let word = |on: bool| Told::Text(if on { "on" } else { "off" });
        sink("", "light", word(self.light));
        sink("", "vent", Told::Number(micro(self.vent)));
        sink(
            "",
            "target",
            self.target.map_or(Told::Nothing, |target| Told::Number(micro(target))),
        );
        sink("", "heater", word(self.heats()));
        sink("", "temperature", Told::Number(micro(self.temperature)));
        sink("", "humidity", Told::Number(micro(self.humidity)));
        sink("", "soil", Told::Number(micro(self.soil)));
        sink("", "pump", word(matches!(self.action, Action::Water { .. })));
        sink(
            "",
            "watered",
            Told::Number(i64::try_from(self.watered_ms).unwrap_or(i64::MAX / 1_000) * 1_000),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use llmos_follower::Value;

    fn act(house: &mut Greenhouse, now: &mut Millis, tool: &str, name: &str, value: Value) -> PlantStatus {
        let arguments = [(Symbol::of(name), value)];
        house
            .intent(Symbol::of(tool), Arguments(&arguments))
            .expect("a good command");
        house.start(*now, Symbol::of(tool), Arguments(&arguments));
        for _ in 0..100_000 {
            *now += 100;
            match house.step(*now) {
                PlantStatus::Busy => {}
                end => return end,
            }
        }
        panic!("{tool} never ends");
    }

    #[test]
    fn the_house_warms_opens_and_is_watered() {
        let mut house = Greenhouse::new(0, Faults::default());
        let mut now = 0;
        act(&mut house, &mut now, "heater", "target", Value::Number(22 * MICRO));
        for _ in 0..600 {
            now += 100;
            house.step(now);
        }
        assert!((21.0..23.0).contains(&house.temperature), "{}", house.temperature);
        let began = now;
        act(&mut house, &mut now, "vent", "opening", Value::Number(MICRO / 2));
        assert!(now - began >= 2_000, "half the way takes two seconds");
        act(&mut house, &mut now, "water", "duration", Value::Number(10 * MICRO));
        assert_eq!(house.watered_ms, 10_000);
        assert!(house.soil > 0.3);
        house.halt(now);
        assert!(!house.heats());
    }
}
