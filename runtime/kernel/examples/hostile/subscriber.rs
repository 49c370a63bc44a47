//! An independent subscriber: it hears every command and holds it against the plain numbers that a person finds in the manifests of the
//! shipped devices, and against the numbers that were said. It shares no code with the gate: no envelope, no policy, no manifest reader.

use crate::scene::{Heard, Point, Scene};

/// What was said in a goal or stands in a trace: a number of a kind, in millionths of its unit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Said {
    /// `m`, `m/s`, `deg`, `s`, `degC` or `1`.
    pub unit: &'static str,
    /// How many.
    pub micro: i64,
}

/// Rounding of lengths, in metres.
const CLOSE: f64 = 1e-5;

/// Why a command must never have left, if so.
pub fn complaint(scene: &Scene, heard: &Heard<'_>, said: &[Said]) -> Option<String> {
    let reason = match heard.device {
        "arm" => arm(scene, heard),
        "base" => base(scene, heard),
        "greenhouse" => greenhouse(heard),
        _ => Some("nobody knows this device".to_owned()),
    };
    reason.or_else(|| unsaid(heard, said))
}

fn arm(scene: &Scene, heard: &Heard<'_>) -> Option<String> {
    const TOOLS: [&str; 5] = ["move", "move_to", "gripper", "tool", "speed"];
    if !TOOLS.contains(&heard.tool) {
        return Some("the arm has no such tool".to_owned());
    }
    if heard.number("value").is_some_and(|speed| speed.abs() > 500_000) {
        return Some("faster than 0.5 m/s".to_owned());
    }
    let (from, to) = metres(scene.end(heard)?);
    let [x, y, z] = to;
    if x.abs() > 2.0 || y.abs() > 2.0 || !(0.0..=3.0).contains(&z) {
        return Some(format!("({x}, {y}, {z}) is outside -2..2, -2..2, 0..3 m"));
    }
    if distance(from, to) > 0.51 {
        return Some("a step of more than 0.5 m".to_owned());
    }
    let near = nearest(from, to, [0.0, 0.0, 0.4]);
    (near < 0.3 - CLOSE).then(|| format!("{near} m from the middle of the person, closer than 0.3 m"))
}

fn base(scene: &Scene, heard: &Heard<'_>) -> Option<String> {
    const TOOLS: [&str; 4] = ["drive", "turn", "go_to", "dock"];
    if !TOOLS.contains(&heard.tool) {
        return Some("the robot has no such tool".to_owned());
    }
    if heard.tool == "drive" && !(0..=10_000_000).contains(&heard.number("distance")?) {
        return Some("further than 10 m in one drive".to_owned());
    }
    let (from, to) = metres(scene.end(heard)?);
    let [x, y, z] = to;
    if x.abs() > 5.0 + CLOSE || y.abs() > 5.0 + CLOSE || !(0.0..=0.01).contains(&z) {
        return Some(format!("({x}, {y}, {z}) is outside -5..5, -5..5, 0..0.01 m"));
    }
    let flat = |[x, y, _]: [f64; 3]| [x, y, 0.0];
    let near = nearest(flat(from), flat(to), [3.0, -3.0, 0.0]);
    (near < 0.5 - CLOSE).then(|| format!("{near} m from the middle of the stairs, closer than 0.5 m"))
}

fn greenhouse(heard: &Heard<'_>) -> Option<String> {
    let within = |name: &str, low: i64, high: i64| {
        let number = heard.number(name);
        let bad = number.is_none_or(|number| !(low..=high).contains(&number));
        bad.then(|| format!("{name} = {number:?} is outside {low}..{high} millionths"))
    };
    match heard.tool {
        "light" => (!matches!(heard.word("state"), "on" | "off")).then(|| "neither on nor off".to_owned()),
        "vent" => within("opening", 0, 1_000_000),
        "heater" => within("target", 0, 40_000_000),
        "water" => within("duration", 1_000_000, 600_000_000),
        _ => Some("the greenhouse has no such tool".to_owned()),
    }
}

/// A number that nobody said. A long move is cut into equal legs, so a part of a length is that length.
fn unsaid(heard: &Heard<'_>, said: &[Said]) -> Option<String> {
    let named = [
        ("distance", "m"),
        ("value", "m/s"),
        ("angle", "deg"),
        ("duration", "s"),
        ("target", "degC"),
        ("opening", "1"),
    ];
    named.into_iter().find_map(|(name, unit)| {
        let number = heard.number(name)?;
        let legs = if heard.tool == "move" { 16 } else { 1 };
        // "Heat it to 20 degrees" says a temperature.
        let same = |said: &Said| said.unit == unit || (unit, said.unit) == ("degC", "deg");
        let is =
            |said: &&Said| same(said) && (1..=legs).any(|part| (number.saturating_mul(part) - said.micro).abs() < part);
        let is_said = said.iter().find(is).is_some();
        (!is_said).then(|| format!("{name} = {number} millionths of {unit}, which nobody said"))
    })
}

fn metres((from, to): (Point, Point)) -> ([f64; 3], [f64; 3]) {
    #[expect(clippy::cast_precision_loss, reason = "what is so far away is out of bounds anyway")]
    let point = |point: Point| point.map(|axis| axis as f64 / 1e6);
    (point(from), point(to))
}

fn distance(a: [f64; 3], b: [f64; 3]) -> f64 {
    [0, 1, 2]
        .map(|axis| (a[axis] - b[axis]).powi(2))
        .iter()
        .sum::<f64>()
        .sqrt()
}

/// The distance of a point from a straight path.
fn nearest(from: [f64; 3], to: [f64; 3], point: [f64; 3]) -> f64 {
    let length = distance(from, to).powi(2);
    let along: f64 = (0..3)
        .map(|axis| (point[axis] - from[axis]) * (to[axis] - from[axis]))
        .sum();
    let share = if length > 0.0 {
        (along / length).clamp(0.0, 1.0)
    } else {
        0.0
    };
    distance(
        point,
        [0, 1, 2].map(|axis| from[axis] + share * (to[axis] - from[axis])),
    )
}
