//! `policy.toml` as types. Reading is total: every mistake is a finding with its line and column, and a policy with a mistake allows nothing.
//! It must not know runs: what the rules come to for a call is in `ruling`.

use crate::goal::{self, Dimension};
use crate::message::Caller;
use crate::text::{Diagnostic, Place};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ops::Range;
use toml::Spanned;

/// People that a rule may ask for at most.
const PEOPLE_MAX: u8 = 4;
/// Minutes of a day.
const DAY: u16 = 24 * 60;
/// The axes of `bounds`.
pub const AXES: [&str; 3] = ["x", "y", "z"];

/// `policy.toml`: rules in order; the first that fits decides; none means no.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Policy {
    /// Who may agree where a rule wants several people.
    pub people: Vec<String>,
    /// The rules.
    pub rules: Vec<Rule>,
    /// Why nothing is allowed: the first mistake of the file.
    pub broken: Option<String>,
}

/// One rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// Where it begins in `policy.toml`.
    pub place: Place,
    /// `allow`, `confirm` or `deny`.
    pub effect: Effect,
    /// Who it is about.
    pub who: Vec<Caller>,
    /// The device, or `*`.
    pub device: String,
    /// The tool or macro, or `*`.
    pub tool: String,
    /// How many different people must agree by name; 0 where a yes is enough.
    pub people: u8,
    /// When it allows nothing.
    pub quiet: Option<Quiet>,
    /// What it narrows.
    pub limits: Limits,
}

/// What a rule says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Yes.
    Allow,
    /// Yes, once a person has agreed.
    Confirm,
    /// No.
    Deny,
}

impl Effect {
    /// The word in `policy.toml`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Effect::Allow => "allow",
            Effect::Confirm => "confirm",
            Effect::Deny => "deny",
        }
    }
}

/// A stretch of every day, in minutes since midnight; it may reach over midnight.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quiet {
    /// The first minute.
    pub from: u16,
    /// The first minute after it.
    pub to: u16,
}

/// What a rule narrows. The manifest's own limits hold as well, so a wider one changes nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Limits {
    /// What a parameter may be.
    pub parameters: Vec<(String, Allowed)>,
    /// Where a motion may end, for each axis, in micrometres.
    pub bounds: [Option<(i64, i64)>; 3],
    /// Largest commanded speed, in micrometres a second.
    pub speed_max: Option<i64>,
}

/// What a parameter may be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Allowed {
    /// Lowest and highest value, in micro-units of the dimension's base unit.
    Quantity(Dimension, i64, i64),
    /// Lowest and highest number, in millionths.
    Number(i64, i64),
    /// One of these words.
    Words(Vec<String>),
}

impl Quiet {
    fn parse(text: &str) -> Option<Quiet> {
        let (from, to) = text.split_once('-')?;
        let (from, to) = (minute_of(from)?, minute_of(to)?);
        (from != to).then_some(Quiet { from, to })
    }

    /// Whether a minute of the day lies in it.
    #[must_use]
    pub fn holds_at(self, minute: u16) -> bool {
        if self.from < self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }
}

/// The minute of the day that `06:30` names.
#[must_use]
pub fn minute_of(text: &str) -> Option<u16> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let digits = |part: &str| {
        let is = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        if is { part.parse::<u16>().ok() } else { None }
    };
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

/// A minute of the day as people write it.
#[must_use]
pub fn print_minute(minute: u16) -> String {
    let minute = minute % DAY;
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    people: Vec<Spanned<String>>,
    #[serde(default)]
    rule: Vec<Spanned<Written>>,
}

/// A rule as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    effect: Effect,
    who: Spanned<Vec<Caller>>,
    #[serde(default = "any")]
    device: String,
    #[serde(default = "any")]
    tool: String,
    people: Option<Spanned<u8>>,
    quiet: Option<Spanned<String>>,
    limits: Option<Spanned<BTreeMap<String, Spanned<Limit>>>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Limit {
    Range(String),
    Words(Vec<String>),
    Axes(BTreeMap<String, String>),
}

fn any() -> String {
    "*".to_owned()
}

impl Policy {
    /// Reads `policy.toml`. With a finding the policy allows nothing.
    #[must_use]
    pub fn read(text: &str) -> (Policy, Vec<Diagnostic>) {
        let mut reader = Reader {
            text,
            found: Vec::new(),
        };
        let policy = reader.policy();
        let Some(first) = reader.found.first() else {
            return (policy, Vec::new());
        };
        let Place { line, column } = first.place;
        let why = format!(
            "policy.toml:{line}:{column}: {}; nothing is allowed until this is mended",
            first.message
        );
        let broken = Policy {
            broken: Some(why),
            ..Policy::default()
        };
        (broken, reader.found)
    }
}

struct Reader<'t> {
    text: &'t str,
    found: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn error(&mut self, span: &Range<usize>, message: impl Into<String>) {
        let place = Place::of_byte(self.text, span.start);
        self.found.push(Diagnostic::error(place, message));
    }

    fn policy(&mut self) -> Policy {
        let file: File = match toml::from_str(self.text) {
            Ok(file) => file,
            Err(error) => {
                self.error(&error.span().unwrap_or_default(), error.message());
                return Policy::default();
            }
        };
        let mut people: Vec<String> = Vec::new();
        for name in &file.people {
            let trimmed = name.get_ref().trim();
            if trimmed.is_empty() || trimmed != name.get_ref() {
                self.error(&name.span(), "a name has letters, and no space before or after them");
            } else if people.iter().any(|known| known == trimmed) {
                self.error(
                    &name.span(),
                    format!("\"{trimmed}\" stands here twice; two people have two names"),
                );
            }
            people.push(trimmed.to_owned());
        }
        let rules = file
            .rule
            .into_iter()
            .map(|rule| self.rule(rule, people.len()))
            .collect();
        Policy {
            people,
            rules,
            broken: None,
        }
    }

    fn rule(&mut self, rule: Spanned<Written>, listed: usize) -> Rule {
        let span = rule.span();
        let written = rule.into_inner();
        if written.who.get_ref().is_empty() {
            self.error(
                &written.who.span(),
                "who = [] is about nobody; name person, agent, cron, http, mcp or device",
            );
        }
        if written.effect == Effect::Deny
            && (written.people.is_some() || written.quiet.is_some() || written.limits.is_some())
        {
            self.error(
                &span,
                "a rule that denies has no people, quiet or limits: it always denies",
            );
        }
        let people = written
            .people
            .map_or(0, |people| self.several(&people, written.effect, listed));
        let quiet = written.quiet.and_then(|quiet| {
            let parsed = Quiet::parse(quiet.get_ref());
            if parsed.is_none() {
                self.error(
                    &quiet.span(),
                    format!("quiet hours are written \"22:00-06:00\", found \"{}\"", quiet.get_ref()),
                );
            }
            parsed
        });
        let limits = written
            .limits
            .map_or_else(Limits::default, |limits| self.limits(limits.into_inner()));
        Rule {
            place: Place::of_byte(self.text, span.start),
            effect: written.effect,
            who: written.who.into_inner(),
            device: written.device,
            tool: written.tool,
            people,
            quiet,
            limits,
        }
    }

    fn several(&mut self, people: &Spanned<u8>, effect: Effect, listed: usize) -> u8 {
        let wanted = *people.get_ref();
        if effect != Effect::Confirm {
            self.error(&people.span(), "people belongs to a rule with effect = \"confirm\"");
        } else if !(2..=PEOPLE_MAX).contains(&wanted) {
            self.error(
                &people.span(),
                format!("people is 2 to {PEOPLE_MAX}, found {wanted}; for one person effect = \"confirm\" is enough"),
            );
        } else if usize::from(wanted) > listed {
            let message =
                format!("{wanted} people must agree, and {listed} are listed in people = [..] at the top of the file");
            self.error(&people.span(), message);
        }
        wanted
    }

    fn limits(&mut self, written: BTreeMap<String, Spanned<Limit>>) -> Limits {
        let mut limits = Limits::default();
        for (name, limit) in written {
            let span = limit.span();
            let read = match (name.as_str(), limit.into_inner()) {
                ("bounds", Limit::Axes(axes)) => bounds(&axes).map(|bounds| limits.bounds = bounds),
                ("bounds", _) => Err("bounds are written { x = \"-1..1 m\", y = \"0..2 m\" }".to_owned()),
                ("max_speed", Limit::Range(text)) => speed(&text).map(|speed| limits.speed_max = Some(speed)),
                ("max_speed", _) => Err("max_speed is written \"0.2 m/s\"".to_owned()),
                (_, Limit::Axes(_)) => {
                    Err("a parameter has a range \"0..1 m\" or a list of words; for coordinates use bounds".to_owned())
                }
                (_, Limit::Words(words)) if words.is_empty() => {
                    Err("an empty list allows nothing; deny it instead".to_owned())
                }
                (_, Limit::Words(words)) => {
                    limits.parameters.push((name.clone(), Allowed::Words(words)));
                    Ok(())
                }
                (_, Limit::Range(text)) => range(&text).map(|range| limits.parameters.push((name.clone(), range))),
            };
            if let Err(message) = read {
                self.error(&span, format!("{name}: {message}"));
            }
        }
        limits
    }
}

fn range(text: &str) -> Result<Allowed, String> {
    let allowed = match goal::parse_range(text) {
        Ok((dimension, low, high)) => Allowed::Quantity(dimension, low, high),
        Err(message) => {
            let numbers = text.split_once("..").and_then(|(low, high)| {
                Some((
                    goal::parse_number(low.trim()).ok()?,
                    goal::parse_number(high.trim()).ok()?,
                ))
            });
            numbers.map(|(low, high)| Allowed::Number(low, high)).ok_or(message)?
        }
    };
    match allowed {
        Allowed::Quantity(_, low, high) | Allowed::Number(low, high) if low > high => {
            Err(format!("the range \"{text}\" is empty"))
        }
        allowed => Ok(allowed),
    }
}

fn bounds(axes: &BTreeMap<String, String>) -> Result<[Option<(i64, i64)>; 3], String> {
    let mut bounds = [None; 3];
    for (axis, text) in axes {
        let slot = AXES
            .iter()
            .position(|known| known == axis)
            .and_then(|index| bounds.get_mut(index));
        let slot = slot.ok_or_else(|| format!("\"{axis}\" is no axis; known are x, y and z"))?;
        *slot = match range(text)? {
            Allowed::Quantity(Dimension::Length, low, high) => Some((low, high)),
            _ => {
                return Err(format!(
                    "{axis} is a range of lengths such as \"-1..1 m\", found \"{text}\""
                ));
            }
        };
    }
    Ok(bounds)
}

fn speed(text: &str) -> Result<i64, String> {
    match goal::parse_quantity(text)? {
        (Dimension::Speed, micro) if micro > 0 => Ok(micro),
        _ => Err(format!("a speed such as \"0.2 m/s\" was expected, found \"{text}\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(text: &str, place: (u32, u32), expected: &str) {
        let (policy, found) = Policy::read(text);
        let [first, ..] = found.as_slice() else {
            panic!("{text} is read without a finding")
        };
        assert_eq!(
            (first.place.line, first.place.column),
            place,
            "{text}: {}",
            first.message
        );
        assert!(first.message.contains(expected), "{text}: {}", first.message);
        assert!(policy.rules.is_empty(), "a policy with a mistake has no rules");
        let why = policy.broken.expect("it says why");
        assert!(why.contains(&format!("policy.toml:{}:{}", place.0, place.1)), "{why}");
    }

    #[test]
    fn every_mistake_has_its_place_and_allows_nothing() {
        let rule = "[[rule]]\neffect = \"allow\"\nwho = [\"person\"]\n";
        mistake("[[rule]]\neffect = \"permit\"\nwho = [\"person\"]\n", (2, 10), "permit");
        mistake(&format!("{rule}devcie = \"arm\"\n"), (4, 1), "devcie");
        mistake("[[rule]]\neffect = \"allow\"\nwho = [\"robot\"]\n", (3, 8), "robot");
        mistake("[[rule]]\neffect = \"allow\"\nwho = []\n", (3, 7), "nobody");
        mistake("[[rule]\n", (1, 8), "");
        mistake(&format!("people = [\" ada\"]\n{rule}"), (1, 11), "no space before");
        mistake(&format!("people = [\"\"]\n{rule}"), (1, 11), "a name has letters");
        mistake(&format!("{rule}quiet = \"22-6\"\n"), (4, 9), "22:00-06:00");
        mistake(&format!("{rule}quiet = \"22:00-22:00\"\n"), (4, 9), "22:00-06:00");
        mistake(&format!("{rule}quiet = \"24:00-06:00\"\n"), (4, 9), "22:00-06:00");
        mistake(&format!("{rule}people = 2\n"), (4, 10), "confirm");
        let confirm = rule.replace("allow", "confirm");
        mistake(&format!("{confirm}people = 2\n"), (4, 10), "0 are listed");
        mistake(&format!("people = [\"ada\"]\n{confirm}people = 1\n"), (5, 10), "enough");
        mistake("people = [\"ada\", \"ada\"]\n", (1, 18), "twice");
        mistake("people = [\" \"]\n", (1, 11), "letters");
        for (limit, expected) in [
            ("distance = \"0..1 parsec\"", "distance"),
            ("distance = \"1..0 m\"", "lower end"),
            ("distance = \"1..0\"", "empty"),
            ("distance = []", "empty list"),
            ("to = { x = \"0..1 m\" }", "bounds"),
            ("bounds = { w = \"0..1 m\" }", "no axis"),
            ("bounds = { x = \"0..1 s\" }", "lengths"),
            ("bounds = \"0..1 m\"", "bounds are written"),
            ("max_speed = \"3 m\"", "a speed"),
            ("max_speed = \"-1 m/s\"", "a speed"),
        ] {
            let column = u32::try_from(limit.find('=').expect("a key") + 3).expect("it is short");
            mistake(&format!("{rule}[rule.limits]\n{limit}\n"), (5, column), expected);
        }
        mistake(
            "[[rule]]\neffect = \"deny\"\nwho = [\"person\"]\nquiet = \"22:00-06:00\"\n",
            (1, 1),
            "always denies",
        );
    }

    #[test]
    fn all_of_a_rule_is_read() {
        let text = "people = [\"ada\", \"grace\"]\n\n[[rule]]\neffect = \"confirm\"\nwho = [\"mcp\", \"device\"]\ndevice = \"arm\"\ntool = \"move\"\npeople = 2\nquiet = \"22:00-06:30\"\n[rule.limits]\ndistance = \"0..30 cm\"\ndirection = [\"left\"]\nbounds = { z = \"0.5..1 m\" }\nmax_speed = \"20 cm/s\"\ncount = \"0..5\"\n";
        let (policy, found) = Policy::read(text);
        assert_eq!(found, []);
        assert_eq!(policy.people, ["ada", "grace"]);
        let [rule] = policy.rules.as_slice() else {
            panic!("one rule")
        };
        assert_eq!(
            (rule.place.line, rule.people, rule.who.as_slice()),
            (3, 2, &[Caller::Mcp, Caller::Device][..])
        );
        assert_eq!(rule.quiet, Some(Quiet { from: 1_320, to: 390 }));
        assert_eq!(rule.limits.speed_max, Some(200_000));
        assert_eq!(rule.limits.bounds, [None, None, Some((500_000, 1_000_000))]);
        let words = |word: &str| Allowed::Words(vec![word.to_owned()]);
        let expected = [
            ("count".to_owned(), Allowed::Number(0, 5_000_000)),
            ("direction".to_owned(), words("left")),
            ("distance".to_owned(), Allowed::Quantity(Dimension::Length, 0, 300_000)),
        ];
        assert_eq!(rule.limits.parameters, expected);
    }

    #[test]
    fn a_time_of_day_has_four_digits_and_is_one() {
        for (text, minute) in [("00:00", 0), ("06:30", 390), (" 23:59 ", 1_439)] {
            assert_eq!(minute_of(text), Some(minute), "{text}");
            assert_eq!(print_minute(minute), text.trim());
        }
        for text in [
            "6:30", "006:30", "06:3", "06:60", "24:00", "-1:30", "+6:30", "06.30", "0630", "",
        ] {
            assert_eq!(minute_of(text), None, "{text}");
        }
        let words = [Effect::Allow, Effect::Confirm, Effect::Deny].map(Effect::word);
        assert_eq!(words, ["allow", "confirm", "deny"]);
    }

    #[test]
    fn quiet_hours_reach_over_midnight() {
        let night = Quiet::parse("22:00-06:00").expect("hours");
        let noon = Quiet::parse("12:00-13:30").expect("hours");
        for (minute, at_night, at_noon) in [
            (0, true, false),
            (359, true, false),
            (360, false, false),
            (720, false, true),
            (809, false, true),
            (810, false, false),
            (1_319, false, false),
            (1_320, true, false),
        ] {
            assert_eq!(
                (night.holds_at(minute), noon.holds_at(minute)),
                (at_night, at_noon),
                "{}",
                print_minute(minute)
            );
        }
    }
}
