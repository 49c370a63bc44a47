//! Devices as plain numbers: they do what a command says, at once and exactly. They know no manifest, no gate and no envelope.

use llmos_kernel::message::{Fact, Named, State};

/// A position in micrometres.
pub type Point = [i64; 3];
/// A command as it came over the wire.
pub struct Heard<'a> {
    /// The device.
    pub device: &'a str,
    /// The tool.
    pub tool: &'a str,
    /// Its arguments.
    pub arguments: &'a [(String, Fact)],
}

impl Heard<'_> {
    /// A number among the arguments.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.arguments.iter().find_map(|(known, fact)| match fact {
            Fact::Number(micro) if known == name => Some(*micro),
            _ => None,
        })
    }

    /// A word among the arguments.
    pub fn word(&self, name: &str) -> &str {
        let found = self.arguments.iter().find_map(|(known, fact)| match fact {
            Fact::Text(word) if known == name => Some(word.as_str()),
            _ => None,
        });
        found.unwrap_or_default()
    }

    fn point(&self) -> Option<Point> {
        self.arguments.iter().find_map(|(_, fact)| match fact {
            Fact::Point(point) => Some(*point),
            _ => None,
        })
    }
}

/// The three devices and what stands around them.
#[derive(Clone, Debug)]
pub struct Scene {
    /// Where the arm's tip is.
    pub arm: Point,
    /// Where the robot is.
    pub base: Point,
    /// Where the robot looks, in millionths of a degree.
    pub heading: i64,
    /// Things on the desk.
    pub things: Vec<(&'static str, &'static str, Point)>,
    /// Places in the flat.
    pub rooms: Vec<(&'static str, Point)>,
    closed: bool,
    holding: Option<usize>,
    speed: i64,
    docked: bool,
    words: Vec<(&'static str, String)>,
    numbers: Vec<(&'static str, i64)>,
}

/// Further than this from a gripper nothing is gripped, in micrometres.
const REACH: i64 = 20_000;

impl Scene {
    /// Everything at rest.
    pub fn new(arm: Point, base: Point, heading: i64, things: Vec<(&'static str, &'static str, Point)>) -> Scene {
        let words = ["arm.tool", "light", "heater", "pump"];
        let numbers = [
            "vent",
            "target",
            "temperature",
            "humidity",
            "soil",
            "watered",
            "odometer",
        ];
        Scene {
            arm,
            base,
            heading,
            things,
            rooms: vec![
                ("kitchen", [3_000_000, 2_000_000, 0]),
                ("sofa", [-3_000_000, 1_000_000, 0]),
                ("door", [4_900_000, -4_900_000, 0]),
                ("roof", [1_000_000, 1_000_000, 4_000_000]),
                ("stairwell", [3_000_000, -3_000_000, 0]),
                ("charger", [0, 0, 0]),
            ],
            closed: false,
            holding: None,
            speed: 500_000,
            docked: false,
            words: words.map(|name| (name, "off".to_owned())).to_vec(),
            numbers: numbers.map(|name| (name, 0)).to_vec(),
        }
    }

    fn ahead(&self) -> Point {
        #[expect(clippy::cast_possible_truncation, reason = "a unit vector in millionths")]
        let part = |share: f64| (share * 1e6).round() as i64;
        #[expect(clippy::cast_precision_loss, reason = "headings stay within a few turns")]
        let angle = (self.heading as f64 / 1e6).to_radians();
        [part(angle.cos()), part(angle.sin()), 0]
    }

    /// Where a command takes its device; `None` where it moves nothing.
    pub fn end(&self, heard: &Heard<'_>) -> Option<(Point, Point)> {
        let sign = |word: &str| {
            if matches!(word, "back" | "left" | "down") {
                -1
            } else {
                1
            }
        };
        let along = |from: Point, by: Point| [0, 1, 2].map(|axis| from[axis].saturating_add(by[axis]));
        match (heard.device, heard.tool) {
            ("arm", "move") => {
                let (word, distance) = (heard.word("direction"), heard.number("distance")?);
                let axis = match word {
                    "left" | "right" => 0,
                    "forward" | "back" => 1,
                    _ => 2,
                };
                let mut by = [0; 3];
                by[axis] = distance.saturating_mul(sign(word));
                Some((self.arm, along(self.arm, by)))
            }
            ("arm", _) => Some((self.arm, heard.point()?)),
            ("base", "drive") => {
                let distance = i128::from(heard.number("distance")?) * i128::from(sign(heard.word("direction")));
                let by = self
                    .ahead()
                    .map(|axis| i64::try_from(i128::from(axis) * distance / 1_000_000).unwrap_or(i64::MAX));
                Some((self.base, along(self.base, by)))
            }
            ("base", "go_to") => Some((self.base, heard.point()?)),
            ("base", "dock") => Some((self.base, self.rooms.last()?.1)),
            _ => None,
        }
    }

    /// Does what a command says.
    pub fn carry_out(&mut self, heard: &Heard<'_>) {
        if let Some((_, end)) = self.end(heard) {
            match heard.device {
                "arm" => self.arm = end,
                _ => self.base = end,
            }
        }
        match (heard.device, heard.tool) {
            ("arm", "gripper") => {
                self.closed = heard.word("state") == "closed";
                let near = |at: Point| (0..3).all(|axis| (at[axis] - self.arm[axis]).abs() < REACH);
                let found = self
                    .things
                    .iter()
                    .position(|(_, kind, at)| *kind == "object" && near(*at));
                self.holding = if self.closed { self.holding.or(found) } else { None };
            }
            ("arm", "tool") => self.set_word("arm.tool", heard.word("state")),
            ("arm", "speed") => self.speed = heard.number("value").unwrap_or(self.speed),
            ("base", "turn") => {
                let angle = heard.number("angle").unwrap_or(0) % 360_000_000;
                self.heading += if heard.word("direction") == "left" {
                    angle
                } else {
                    -angle
                };
            }
            ("base", tool) => self.docked = tool == "dock",
            ("greenhouse", "light") => self.set_word("light", heard.word("state")),
            ("greenhouse", "vent") => self.set_number("vent", heard.number("opening")),
            ("greenhouse", "heater") => self.set_number("target", heard.number("target")),
            ("greenhouse", "water") => {
                let watered = self
                    .numbers
                    .iter()
                    .find(|(name, _)| *name == "watered")
                    .map_or(0, |(_, value)| *value);
                let more = heard
                    .number("duration")
                    .map(|duration| watered.saturating_add(duration));
                self.set_number("watered", more);
            }
            _ => {}
        }
        if let Some(held) = self.holding.and_then(|held| self.things.get_mut(held)) {
            held.2 = self.arm;
        }
    }

    fn set_word(&mut self, name: &str, word: &str) {
        if let Some(known) = self.words.iter_mut().find(|(known, _)| *known == name) {
            word.clone_into(&mut known.1);
        }
    }

    fn set_number(&mut self, name: &str, number: Option<i64>) {
        let known = self.numbers.iter_mut().find(|(known, _)| *known == name);
        if let (Some(known), Some(number)) = (known, number) {
            known.1 = number;
        }
    }

    /// What a device reports.
    pub fn state(&self, device: &str) -> State {
        let named = |owner: &str, field: &str, value: Fact| Named {
            owner: owner.to_owned(),
            field: field.to_owned(),
            value,
        };
        let text = |word: &str| Fact::Text(word.to_owned());
        let word = |name: &str| {
            self.words
                .iter()
                .find(|(known, _)| *known == name)
                .map_or(Fact::Nothing, |(_, word)| text(word))
        };
        let number = |name: &str| {
            self.numbers
                .iter()
                .find(|(known, _)| *known == name)
                .map_or(Fact::Nothing, |(_, value)| Fact::Number(*value))
        };
        let mut readings = Vec::new();
        match device {
            "arm" => {
                let held = self.holding.and_then(|held| self.things.get(held));
                readings.push(named("", "position", Fact::Point(self.arm)));
                readings.push(named("", "gripper", text(if self.closed { "closed" } else { "open" })));
                readings.push(named(
                    "",
                    "holding",
                    held.map_or(Fact::Nothing, |(name, ..)| text(name)),
                ));
                readings.push(named("", "tool", word("arm.tool")));
                readings.push(named("", "speed", Fact::Number(self.speed)));
                readings.push(named("", "moving", Fact::Bool(false)));
                for (name, kind, at) in &self.things {
                    readings.push(named(name, "kind", text(kind)));
                    readings.push(named(name, "position", Fact::Point(*at)));
                }
            }
            "base" => {
                readings.push(named("", "position", Fact::Point(self.base)));
                readings.push(named("", "ahead", Fact::Point(self.ahead())));
                readings.push(named("", "heading", Fact::Number(self.heading)));
                readings.push(named("", "odometer", number("odometer")));
                readings.push(named("", "battery", Fact::Number(900_000)));
                readings.push(named("", "docked", Fact::Bool(self.docked)));
                readings.push(named("", "moving", Fact::Bool(false)));
                for (name, at) in &self.rooms {
                    readings.push(named(name, "kind", text("place")));
                    readings.push(named(name, "position", Fact::Point(*at)));
                }
            }
            _ => {
                readings.extend(["light", "heater", "pump"].map(|name| named("", name, word(name))));
                let numbers = ["vent", "target", "temperature", "humidity", "soil", "watered"];
                readings.extend(numbers.map(|name| named("", name, number(name))));
            }
        }
        State {
            progress: None,
            stopped: false,
            account: None,
            readings,
        }
    }
}
