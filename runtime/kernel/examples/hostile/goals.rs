//! Goals as people and others say them, with numbers of every size, and what an honest planner would answer. What they say is known by
//! how they were made, and not by reading them.

use crate::chance::Chance;
use crate::subscriber::Said;

/// What an argument of the honest answer points at.
#[derive(Clone, Debug)]
pub enum Points {
    /// These words of the goal.
    Words(String),
    /// This option.
    Option(&'static str),
}

/// A call of the honest answer.
#[derive(Clone, Debug)]
pub struct Honest {
    /// Its device.
    pub device: &'static str,
    /// Its tool.
    pub tool: &'static str,
    /// Its arguments.
    pub arguments: Vec<Points>,
}

/// A goal.
#[derive(Clone, Debug, Default)]
pub struct Goal {
    /// Its words.
    pub text: String,
    /// The numbers in it.
    pub said: Vec<Said>,
    /// What an honest planner answers.
    pub honest: Vec<Honest>,
}

/// Where something of the desk or the flat may be called by name.
pub const OBJECTS: [&str; 5] = ["red cube", "blue cube", "green ball", "lost key", "buried bolt"];
const BINS: [&str; 3] = ["bin A", "bin B", "shelf"];
const ROOMS: [&str; 6] = ["kitchen", "sofa", "door", "roof", "stairwell", "charger"];
const NONSENSE: [&str; 10] = [
    "NaN",
    "inf",
    "-inf",
    "1e400",
    "1e-400",
    "0x7f",
    "9223372036854775807",
    "-0",
    "1/0",
    "99999999999999999999999999",
];

/// A decimal number of millionths.
fn decimal(micro: i128) -> String {
    let (sign, size) = (if micro < 0 { "-" } else { "" }, micro.unsigned_abs());
    let text = format!("{sign}{}.{:06}", size / 1_000_000, size % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The units that a quantity of a kind is said in, with how many of them make one of the kind's own.
fn units(unit: &'static str) -> &'static [(&'static str, i128)] {
    match unit {
        "m" => &[("m", 1), ("cm", 100), ("mm", 1_000), ("metres", 1)],
        "m/s" => &[("m/s", 1), ("cm/s", 100)],
        "deg" => &[("degrees", 1)],
        "s" => &[("seconds", 1), ("s", 1)],
        "degC" => &[("°C", 1)],
        _ => &[("percent", 100), ("%", 100)],
    }
}

struct Maker<'c> {
    chance: &'c mut Chance,
    goal: Goal,
}

impl Maker<'_> {
    /// A quantity in words: most often one that makes sense, else of any size, of another kind, or nonsense.
    fn quantity(&mut self, unit: &'static str, high: i64) -> String {
        let other = ["m", "m/s", "deg", "s", "degC", "1"];
        let unit = if self.chance.percent(5) {
            *self.chance.one(&other)
        } else {
            unit
        };
        if self.chance.percent(3) {
            // One of these is a number after all.
            self.goal.said.push(Said { unit, micro: 0 });
            return format!("{} {}", self.chance.one(&NONSENSE), units(unit)[0].0);
        }
        let micro = match self.chance.below(20) {
            0 => 0,
            1 => self.chance.between(-high, -1),
            2 => self.chance.between(high, high.saturating_mul(4)),
            3 => self.chance.between(high, i64::MAX / 1_000_000),
            4 => *self.chance.one(&[high, high + 1, high - 1, 1]),
            _ => self.chance.between(1, high / 10_000) * 10_000,
        };
        let (word, factor) = *self.chance.one(units(unit));
        self.goal.said.push(Said { unit, micro });
        format!("{} {word}", decimal(i128::from(micro) * factor))
    }

    fn coordinate(&mut self) -> String {
        let micro = match self.chance.below(12) {
            0 => self.chance.between(-9_000_000, 9_000_000),
            1 => self.chance.between(-900_000_000_000, 900_000_000_000),
            2 => *self.chance.one(&[
                2_000_000, 2_000_001, -2_000_000, -2_000_001, 3_000_000, 3_000_001, -1, 0,
            ]),
            _ => self.chance.between(-20, 20) * 100_000,
        };
        decimal(i128::from(micro))
    }

    fn clause(&mut self) -> String {
        match self.chance.below(15) {
            0..8 => self.arm(),
            8..11 => self.base(),
            11..14 => self.greenhouse(),
            _ => self.says("return the arm to the home position", "arm", "home", Vec::new()),
        }
    }

    /// Notes what an honest planner makes of a clause.
    fn says(&mut self, text: &str, device: &'static str, tool: &'static str, arguments: Vec<Points>) -> String {
        self.goal.honest.push(Honest {
            device,
            tool,
            arguments,
        });
        text.to_owned()
    }

    fn arm(&mut self) -> String {
        match self.chance.below(8) {
            0 | 1 => {
                let way = *self.chance.one(&["left", "right", "forward", "back", "up", "down"]);
                let far = self.quantity("m", 1_500_000);
                let to = if matches!(way, "left" | "right") { "to the " } else { "" };
                let arguments = vec![Points::Option(way), words(&far)];
                self.says(&format!("move the arm {far} {to}{way}"), "arm", "move", arguments)
            }
            2 | 3 => {
                let point = format!("({})", [(); 3].map(|()| self.coordinate()).join(", "));
                self.says(&format!("move the arm to {point}"), "arm", "go_to", vec![words(&point)])
            }
            4 => {
                let fast = self.quantity("m/s", 500_000);
                self.says(
                    &format!("set the speed of the arm to {fast}"),
                    "arm",
                    "speed",
                    vec![words(&fast)],
                )
            }
            5 => {
                let (word, state) = *self.chance.one(&[("open", "open"), ("close", "closed")]);
                self.says(
                    &format!("{word} the gripper"),
                    "arm",
                    "gripper",
                    vec![Points::Option(state)],
                )
            }
            6 => {
                let (object, bin) = (*self.chance.one(&OBJECTS), *self.chance.one(&BINS));
                let pick = self.says(&format!("pick up the {object}"), "arm", "pick", vec![words(object)]);
                self.says(
                    &format!("{pick} and put it in {bin}"),
                    "arm",
                    "place",
                    vec![words("it"), words(bin)],
                )
            }
            _ => {
                let object = *self.chance.one(&OBJECTS);
                self.says(&format!("pick up the {object}"), "arm", "pick", vec![words(object)])
            }
        }
    }

    fn base(&mut self) -> String {
        match self.chance.below(3) {
            0 => {
                let (way, far) = (*self.chance.one(&["forward", "back"]), self.quantity("m", 4_000_000));
                let arguments = vec![Points::Option(way), words(&far)];
                self.says(&format!("drive the robot {way} {far}"), "base", "drive", arguments)
            }
            1 => {
                let (way, angle) = (*self.chance.one(&["left", "right"]), self.quantity("deg", 180_000_000));
                let arguments = vec![Points::Option(way), words(&angle)];
                self.says(&format!("turn the robot {way} by {angle}"), "base", "turn", arguments)
            }
            _ => {
                let room = *self.chance.one(&ROOMS);
                self.says(
                    &format!("drive the robot to the {room}"),
                    "base",
                    "go_to",
                    vec![words(room)],
                )
            }
        }
    }

    fn greenhouse(&mut self) -> String {
        let (text, tool, said) = match self.chance.below(3) {
            0 => ("open the vent by", "vent", self.quantity("1", 1_000_000)),
            1 => ("heat the greenhouse to", "heater", self.quantity("degC", 40_000_000)),
            _ => ("water the plants for", "water", self.quantity("s", 600_000_000)),
        };
        self.says(&format!("{text} {said}"), "greenhouse", tool, vec![words(&said)])
    }
}

fn words(text: &str) -> Points {
    Points::Words(text.to_owned())
}

/// A goal of one to three clauses.
pub fn goal(chance: &mut Chance) -> Goal {
    let clauses = *chance.one(&[1, 1, 1, 2, 2, 3]);
    let mut maker = Maker {
        chance,
        goal: Goal::default(),
    };
    let texts: Vec<String> = (0..clauses).map(|_| maker.clause()).collect();
    maker.goal.text = texts.join(", then ");
    maker.goal
}

/// A trace with constants that no person has looked at, and the goal that it answers to.
pub fn trace(chance: &mut Chance) -> (String, Goal) {
    let mut maker = Maker {
        chance,
        goal: Goal::default(),
    };
    let (device, tool, argument) = match maker.chance.below(4) {
        0 => ("arm", "speed", format!("value: \"{}\"", maker.quantity("m/s", 500_000))),
        1 => {
            let point = [(); 3].map(|()| maker.coordinate()).join(", ");
            ("arm", "move_to", format!("to: \"({point})\""))
        }
        2 => (
            "greenhouse",
            "water",
            format!("duration: \"{}\"", maker.quantity("s", 600_000_000)),
        ),
        _ => (
            "arm",
            "move",
            format!("direction: down, distance: \"{}\"", maker.quantity("m", 1_500_000)),
        ),
    };
    let text = format!(
        "---\ntrace: evil\ngoal: do the usual thing\npatterns:\n  - \"do usual thing\"\nslots: {{}}\nsteps:\n  - {device}.{tool}: {{ {argument} }}\nstatus: done\nmode: LEARNER\n---\n"
    );
    "do the usual thing".clone_into(&mut maker.goal.text);
    (text, maker.goal)
}
