//! A desk arm: a gripper that moves through space in straight lines, objects that it can hold, and places that it can put them in.
//!
//! Right is +x, forward is +y, up is +z. The scene is its own: it never sees a manifest, so what a host believes is tested here.

use super::faults::{Faults, strikes};
use super::motion::{Travel, Xorshift};
use crate::device::{Arguments, Failure, Intent, Plant, PlantStatus, Refusal, Sink, Told};
use llmos_follower::value::distance;
use llmos_follower::{Envelope, Millis, Point, Shape, Symbol};

const M: i64 = 1_000_000;
const CM: i64 = 10_000;
const HOME: Point = [800_000, 0, 1_200_000];
/// Longest motion and highest speed that the arm itself allows.
const STEP_MAX: i64 = M / 2;
const SPEED_MAX: i64 = M / 2;
/// How close the gripper must be to an object's centre to hold it.
const REACH: i64 = 3 * CM;
/// Half the height of an object.
const HALF: i64 = 2 * CM;
/// Half the width of a place.
const FOOTPRINT: i64 = 12 * CM;
/// How high above its floor a thing still counts as in a place.
const DEPTH: i64 = 50 * CM;
/// A place is named by the point where things are let go, this high above its floor.
const DROP: i64 = 4 * CM;
/// How far a seed moves things.
const SCATTER: i64 = 4 * CM;
const GRIP_MS: Millis = 300;
/// How long a stalled axis is tried before the arm gives up.
const STALL_MS: Millis = 1_000;

const MOVE_TO: Symbol = Symbol::of("move_to");
const MOVE: Symbol = Symbol::of("move");
const GRIPPER: Symbol = Symbol::of("gripper");
const TOOL: Symbol = Symbol::of("tool");
const SPEED: Symbol = Symbol::of("speed");
const TO: Symbol = Symbol::of("to");
const DIRECTION: Symbol = Symbol::of("direction");
const DISTANCE: Symbol = Symbol::of("distance");
const STATE: Symbol = Symbol::of("state");
const VALUE: Symbol = Symbol::of("value");

#[derive(Clone, Debug)]
struct Object {
    name: &'static str,
    position: Point,
}

#[derive(Clone, Debug)]
struct Place {
    name: &'static str,
    position: Point,
}

impl Place {
    fn floor(&self) -> i64 {
        self.position[2] - DROP
    }

    fn is_under(&self, point: Point) -> bool {
        (0..2).all(|axis| (point[axis] - self.position[axis]).abs() <= FOOTPRINT) && point[2] >= self.floor()
    }

    fn contains(&self, point: Point) -> bool {
        self.is_under(point) && point[2] <= self.floor() + DEPTH
    }
}

#[derive(Clone, Copy, Debug)]
enum Action {
    Rest,
    Move { travel: Travel, stalls: bool },
    Stalled { until: Millis },
    Grip { closed: bool, until: Millis },
}

/// The arm and its desk.
#[derive(Clone, Debug)]
pub struct Arm {
    envelope: Envelope,
    position: Point,
    speed: i64,
    closed: bool,
    holding: Option<usize>,
    tool: bool,
    action: Action,
    objects: Vec<Object>,
    places: Vec<Place>,
    faults: Faults,
    grasps: u32,
    moves: u32,
}

impl Arm {
    /// The arm at home, its scene from a seed; seed 0 is the documented scene.
    #[must_use]
    pub fn new(seed: u64, faults: Faults) -> Arm {
        let mut chance = Xorshift::new(seed);
        let mut scatter = |point: Point| match seed {
            0 => point,
            _ => [
                point[0] + chance.around(SCATTER),
                point[1] + chance.around(SCATTER),
                point[2],
            ],
        };
        let mut object = |name, x, y| Object {
            name,
            position: scatter([x * CM, y * CM, HALF]),
        };
        let objects = vec![
            object("red cube", 80, 30),
            object("blue cube", 90, -30),
            object("green ball", 110, 10),
            object("yellow block", 70, -10),
        ];
        let mut place = |name, x, y, z| Place {
            name,
            position: scatter([x * CM, y * CM, z * CM]),
        };
        let places = vec![
            place("bin A", 50, 60, 10),
            place("bin B", 50, -60, 10),
            place("shelf", 120, 60, 60),
        ];
        let mut envelope = Envelope {
            bounds: Some([(-2 * M, 2 * M), (-2 * M, 2 * M), (0, 3 * M)]),
            step_max: Some(STEP_MAX),
            speed_max: Some(SPEED_MAX),
            ..Envelope::default()
        };
        let person = Shape::Sphere {
            center: [0, 0, 40 * CM],
            radius: 30 * CM,
        };
        // One zone always fits.
        let _ = envelope.keep_out.push(person);
        Arm {
            envelope,
            position: HOME,
            speed: SPEED_MAX,
            closed: false,
            holding: None,
            tool: false,
            action: Action::Rest,
            objects,
            places,
            faults,
            grasps: 0,
            moves: 0,
        }
    }

    fn target(&self, tool: Symbol, arguments: Arguments<'_>) -> Result<Point, Refusal> {
        if tool == MOVE_TO {
            arguments.only(&[TO])?;
            return arguments.point(TO);
        }
        arguments.only(&[DIRECTION, DISTANCE])?;
        let distance = arguments.number(DISTANCE, 0, 10 * M)?;
        let (axis, sign) = direction(arguments.symbol(DIRECTION)?)?;
        let mut to = self.position;
        to[axis] += sign * distance;
        Ok(to)
    }

    /// Puts the arm at a point, and what it holds with it.
    fn put(&mut self, position: Point) {
        if let Some(held) = self.holding {
            let held = &mut self.objects[held].position;
            *held = std::array::from_fn(|axis| held[axis] + position[axis] - self.position[axis]);
        }
        self.position = position;
    }

    fn close(&mut self) {
        self.closed = true;
        let near = self.objects.iter().enumerate().filter_map(|(index, object)| {
            let gap = distance(object.position, self.position)?;
            (gap <= REACH).then_some((gap, index))
        });
        if let Some((_, index)) = near.min() {
            self.holding = Some(index);
            self.grasps += 1;
        }
    }

    /// Lets go; what was held falls on what is below.
    fn release(&mut self) {
        let Some(held) = self.holding.take() else { return };
        let at = self.objects[held].position;
        let floors = self.places.iter().filter(|place| place.is_under(at)).map(Place::floor);
        let others = self.objects.iter().enumerate().filter(|(index, other)| {
            let beside = (0..2).any(|axis| (other.position[axis] - at[axis]).abs() > 2 * HALF);
            *index != held && !beside && other.position[2] < at[2]
        });
        let tops = others.map(|(_, other)| other.position[2] + HALF);
        let surface = floors.chain(tops).max().unwrap_or(0);
        self.objects[held].position[2] = surface + HALF;
    }

    fn step_move(&mut self, now: Millis, travel: Travel, stalls: bool) -> PlantStatus {
        let done = travel.done(now);
        if stalls && done >= 500 {
            self.action = Action::Stalled { until: now + STALL_MS };
            return PlantStatus::Busy;
        }
        self.put(travel.at(now));
        if self.holding.is_some() && done >= 500 && strikes(self.faults.slip, self.grasps) {
            self.release();
        }
        if done < 1_000 {
            return PlantStatus::Busy;
        }
        self.action = Action::Rest;
        PlantStatus::Done
    }
}

fn direction(word: Symbol) -> Result<(usize, i64), Refusal> {
    const RIGHT: Symbol = Symbol::of("right");
    const LEFT: Symbol = Symbol::of("left");
    const FORWARD: Symbol = Symbol::of("forward");
    const BACK: Symbol = Symbol::of("back");
    const UP: Symbol = Symbol::of("up");
    const DOWN: Symbol = Symbol::of("down");
    match word {
        RIGHT => Ok((0, 1)),
        LEFT => Ok((0, -1)),
        FORWARD => Ok((1, 1)),
        BACK => Ok((1, -1)),
        UP => Ok((2, 1)),
        DOWN => Ok((2, -1)),
        _ => Err(Refusal::BadArgument),
    }
}

/// One of two words, as whether it is the first.
pub(super) fn either(arguments: Arguments<'_>, name: Symbol, first: &str, second: &str) -> Result<bool, Refusal> {
    arguments.only(&[name])?;
    match arguments.symbol(name)? {
        word if word == Symbol::of(first) => Ok(true),
        word if word == Symbol::of(second) => Ok(false),
        _ => Err(Refusal::BadArgument),
    }
}

impl Plant for Arm {
    fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    fn position(&self) -> Option<Point> {
        Some(self.position)
    }

    fn intent(&self, tool: Symbol, arguments: Arguments<'_>) -> Result<Intent, Refusal> {
        match tool {
            MOVE_TO | MOVE => Ok(Intent {
                to: Some(self.target(tool, arguments)?),
                ..Intent::default()
            }),
            GRIPPER => either(arguments, STATE, "open", "closed").map(|_| Intent::default()),
            TOOL => either(arguments, STATE, "on", "off").map(|_| Intent::default()),
            SPEED => {
                arguments.only(&[VALUE])?;
                Ok(Intent {
                    speed: Some(arguments.number(VALUE, CM, 100 * M)?),
                    ..Intent::default()
                })
            }
            _ => Err(Refusal::UnknownTool),
        }
    }

    fn start(&mut self, now: Millis, tool: Symbol, arguments: Arguments<'_>) {
        match tool {
            MOVE_TO | MOVE => {
                let Ok(to) = self.target(tool, arguments) else { return };
                self.moves += 1;
                let travel = Travel::new(now, self.position, to, self.speed);
                self.action = Action::Move {
                    travel,
                    stalls: strikes(self.faults.stall, self.moves),
                };
            }
            GRIPPER => {
                let closed = either(arguments, STATE, "closed", "open") == Ok(true);
                self.action = Action::Grip {
                    closed,
                    until: now + GRIP_MS,
                };
            }
            TOOL => self.tool = either(arguments, STATE, "on", "off") == Ok(true),
            SPEED => self.speed = arguments.number(VALUE, CM, SPEED_MAX).unwrap_or(self.speed),
            _ => {}
        }
    }

    fn step(&mut self, now: Millis) -> PlantStatus {
        match self.action {
            Action::Rest => PlantStatus::Done,
            Action::Move { travel, stalls } => self.step_move(now, travel, stalls),
            Action::Stalled { until } if now >= until => {
                self.action = Action::Rest;
                PlantStatus::Failed(Failure::Stalled)
            }
            Action::Grip { closed, until } if now >= until => {
                self.action = Action::Rest;
                if closed {
                    self.close();
                } else {
                    self.closed = false;
                    self.release();
                }
                PlantStatus::Done
            }
            Action::Stalled { .. } | Action::Grip { .. } => PlantStatus::Busy,
        }
    }

    fn halt(&mut self, _now: Millis) {
        self.action = Action::Rest;
        self.tool = false;
    }

    fn readings(&self, sink: &mut Sink<'_>) {
        let moving = matches!(self.action, Action::Move { .. });
        sink("", "position", Told::Point(self.position));
        sink("", "gripper", Told::Text(if self.closed { "closed" } else { "open" }));
        sink(
            "",
            "holding",
            self.holding
                .map_or(Told::Nothing, |held| Told::Text(self.objects[held].name)),
        );
        sink("", "tool", Told::Text(if self.tool { "on" } else { "off" }));
        sink("", "speed", Told::Number(self.speed));
        sink("", "moving", Told::Bool(moving));
        for (index, object) in self.objects.iter().enumerate() {
            let held = self.holding == Some(index);
            let place = self
                .places
                .iter()
                .find(|place| !held && place.contains(object.position));
            sink(object.name, "kind", Told::Text("object"));
            sink(object.name, "position", Told::Point(object.position));
            sink(
                object.name,
                "in",
                place.map_or(Told::Nothing, |place| Told::Text(place.name)),
            );
        }
        for place in &self.places {
            sink(place.name, "kind", Told::Text("place"));
            sink(place.name, "position", Told::Point(place.position));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use llmos_follower::Value;

    fn act(arm: &mut Arm, now: &mut Millis, tool: &str, arguments: &[(&str, Value)]) -> PlantStatus {
        let arguments: Vec<(Symbol, Value)> = arguments
            .iter()
            .map(|(name, value)| (Symbol::of(name), *value))
            .collect();
        arm.intent(Symbol::of(tool), Arguments(&arguments))
            .expect("a good command");
        arm.start(*now, Symbol::of(tool), Arguments(&arguments));
        for _ in 0..1_000 {
            *now += 10;
            match arm.step(*now) {
                PlantStatus::Busy => {}
                end => return end,
            }
        }
        panic!("{tool} never ends");
    }

    fn text(arm: &Arm, owner: &str, field: &str) -> Option<String> {
        let mut found = None;
        arm.readings(&mut |of: &str, name: &str, value: Told<'_>| {
            if (of, name) == (owner, field)
                && let Told::Text(text) = value
            {
                found = Some(text.to_owned());
            }
        });
        found
    }

    fn pick_and_place(arm: &mut Arm) {
        let mut now = 0;
        let word = |text: &str| Value::Symbol(Symbol::of(text));
        act(
            arm,
            &mut now,
            "move_to",
            &[("to", Value::Point([800_000, 300_000, 200_000]))],
        );
        act(
            arm,
            &mut now,
            "move_to",
            &[("to", Value::Point([800_000, 300_000, 20_000]))],
        );
        act(arm, &mut now, "gripper", &[("state", word("closed"))]);
        assert_eq!(text(arm, "", "holding").as_deref(), Some("red cube"));
        act(
            arm,
            &mut now,
            "move",
            &[("direction", word("up")), ("distance", Value::Number(300_000))],
        );
        act(
            arm,
            &mut now,
            "move_to",
            &[("to", Value::Point([500_000, 600_000, 320_000]))],
        );
        act(
            arm,
            &mut now,
            "move_to",
            &[("to", Value::Point([500_000, 600_000, 100_000]))],
        );
        act(arm, &mut now, "gripper", &[("state", word("open"))]);
    }

    #[test]
    fn an_object_goes_where_it_is_put() {
        let mut arm = Arm::new(0, Faults::default());
        pick_and_place(&mut arm);
        assert_eq!(text(&arm, "", "holding"), None);
        assert_eq!(text(&arm, "red cube", "in").as_deref(), Some("bin A"));
        assert_eq!(arm.objects[0].position, [500_000, 600_000, 80_000]);
    }

    #[test]
    fn a_slipping_grip_loses_the_object_on_the_way() {
        let mut arm = Arm::new(0, Faults::parse("slip@1").expect("a fault"));
        pick_and_place(&mut arm);
        assert_eq!(text(&arm, "red cube", "in"), None);
        assert_eq!(arm.objects[0].position, [800_000, 300_000, 20_000]);
    }

    #[test]
    fn motion_takes_time_and_a_stalled_axis_gives_up() {
        let mut arm = Arm::new(0, Faults::default());
        let mut now = 0;
        let up = [
            ("direction", Value::Symbol(Symbol::of("up"))),
            ("distance", Value::Number(500_000)),
        ];
        assert_eq!(act(&mut arm, &mut now, "move", &up), PlantStatus::Done);
        assert!((1_000..=1_010).contains(&now), "0.5 m at 0.5 m/s, found {now} ms");
        let mut arm = Arm::new(0, Faults::parse("stall").expect("a fault"));
        assert_eq!(
            act(&mut arm, &mut now, "move", &up),
            PlantStatus::Failed(Failure::Stalled)
        );
        assert!(arm.position[2] < 1_500_000);
    }

    #[test]
    fn seeds_scatter_the_scene_and_zero_is_the_documented_one() {
        assert_eq!(
            Arm::new(0, Faults::default()).objects[0].position,
            [800_000, 300_000, 20_000]
        );
        let (a, b) = (Arm::new(7, Faults::default()), Arm::new(7, Faults::default()));
        assert_eq!(a.objects[0].position, b.objects[0].position);
        assert_ne!(
            a.objects[0].position,
            Arm::new(8, Faults::default()).objects[0].position
        );
    }
}
