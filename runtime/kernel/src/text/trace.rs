//! A trace: a run as a Markdown document, and the next run's program. The format is specified in `workspace/README.md`. Statistics are
//! not here but in the ledger beside the documents, so that a trace can be signed and a use does not change it.

mod steps;

use super::node::{Fields, Kind, Node, Place};
use super::{Diagnostic, document, expression};
use crate::message::Status;
use crate::mode::Mode;
use crate::options::Options;
use crate::tool::Type;
use llmos_follower::Observed;
use llmos_follower::program::STARTS_MAX;
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// A trace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trace {
    /// Its name, which is also its file's.
    pub id: String,
    /// The goal of the run that it was made from.
    pub goal: String,
    /// The goals that it answers to: words, with slots in braces.
    pub patterns: Vec<String>,
    /// The slots and their types.
    pub slots: Vec<(String, Type)>,
    /// What must hold before the first step: a device and a condition about it.
    pub start: Vec<(String, String)>,
    /// The calls.
    pub steps: Vec<TraceStep>,
    /// How the run ended. Only `done` is ever followed.
    pub status: Status,
    /// The mode of the run.
    pub mode: Mode,
    /// When.
    pub created: String,
    /// What of the manifests it relies on, such as `arm.limits` and `arm.move`, with the digests of that time.
    pub manifests: Vec<(String, String)>,
    /// The digest of the run.
    pub digest: Option<String>,
    /// The trace that this is another ending of. Such a trace answers to no goal: it is tried where that one can't go on.
    pub variant_of: Option<String>,
    /// What the run cost.
    pub cost: Option<Cost>,
    /// Why it did not succeed.
    pub ended: Option<Ended>,
}

impl Trace {
    /// What it calls: devices and tools.
    pub fn tools(&self) -> impl Iterator<Item = (&str, &str)> {
        self.steps.iter().map(|step| (&*step.device, &*step.tool))
    }
}

/// How a run ended that did not succeed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ended {
    /// The reason, for a person.
    pub because: String,
    /// Digest of how the devices stood when it began, as 16 hexadecimal digits; only where it was their state that said no.
    pub situation: Option<String>,
}

/// What a run cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Cost {
    /// Tokens that the model computed or chose.
    pub tokens: u64,
    /// From goal to end, in milliseconds.
    pub ms: u64,
}

/// A call of a trace, with slots in its arguments.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TraceStep {
    /// The device.
    pub device: String,
    /// Its tool or macro.
    pub tool: String,
    /// Parameter and value: `{slot}`, `start of {slot}`, `result of NAME`, or a constant.
    pub arguments: Vec<(String, String)>,
    /// What it says beyond that.
    pub options: Options,
    /// What to do when it fails and its options say so.
    pub compensate: Vec<TraceStep>,
    /// How its success was seen in the run that was recorded.
    pub observed: Option<Observed>,
}

impl TraceStep {
    /// A step without options.
    #[must_use]
    pub fn new(device: impl Into<String>, tool: impl Into<String>, arguments: Vec<(String, String)>) -> TraceStep {
        TraceStep {
            device: device.into(),
            tool: tool.into(),
            arguments,
            options: Options::default(),
            compensate: Vec::new(),
            observed: None,
        }
    }

    /// Its arguments and those of the steps that compensate for it.
    pub fn all_arguments(&self) -> impl Iterator<Item = &(String, String)> {
        let undoing = self.compensate.iter().flat_map(|step| &step.arguments);
        self.arguments.iter().chain(undoing)
    }
}

/// One line of the ledger: a use of a trace.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Use {
    /// The trace.
    pub trace: String,
    /// The goal that was asked.
    pub goal: String,
    /// How it ended.
    pub status: Status,
    /// The mode.
    pub mode: Mode,
    /// When.
    pub date: String,
    /// From goal to end, in milliseconds.
    pub ms: u64,
    /// The device, session and run, where the device did it alone: what it tells twice counts once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

/// The version of the format that is written, and the newest that is read.
pub const VERSION: u32 = 1;

const KEYS: &str = "trace, version, goal, patterns, slots, start, steps, status, mode, created, manifests, digest, variant_of, cost, ended";

/// Where the parts of a trace stand in its document.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Places {
    /// Each step.
    pub steps: Vec<StepPlaces>,
    /// Each pattern.
    pub patterns: Vec<Place>,
    /// Each condition of the start.
    pub start: Vec<Place>,
    /// The slots.
    pub slots: Place,
}

/// Where the parts of a step stand.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StepPlaces {
    /// Its device and tool.
    pub call: Place,
    /// Its arguments and options, by name.
    pub parts: Vec<(String, Place)>,
    /// The steps that compensate for it.
    pub compensate: Vec<StepPlaces>,
}

impl StepPlaces {
    /// Where a part stands; the step itself where it has no such part.
    #[must_use]
    pub fn of(&self, part: &str) -> Place {
        let known = self.parts.iter().find(|(name, _)| name == part);
        known.map_or(self.call, |(_, place)| *place)
    }
}

/// Reads a trace. It is only there when the document has no error.
#[must_use]
pub fn read(text: &str) -> (Option<Trace>, Vec<Diagnostic>) {
    let (trace, found) = read_with_places(text);
    (trace.map(|(trace, _)| trace), found)
}

/// The same, with where its parts stand.
#[must_use]
pub fn read_with_places(text: &str) -> (Option<(Trace, Places)>, Vec<Diagnostic>) {
    let (document, mut found) = document::read(text);
    if super::has_errors(&found) {
        return (None, found);
    }
    let trace = trace(&document.node, &mut found);
    found.sort_by_key(|diagnostic| diagnostic.place);
    if super::has_errors(&found) {
        (None, found)
    } else {
        (trace, found)
    }
}

fn trace(node: &Node, found: &mut Vec<Diagnostic>) -> Option<(Trace, Places)> {
    let mut fields = Fields::of(node, "a trace", found);
    check_version(&mut fields, found)?;
    let id = fields.required("trace", found).map(|(text, _)| text.to_owned());
    let goal = fields.required("goal", found).map(|(text, _)| text.to_owned());
    let status = word::<Status>(&mut fields, "status", found);
    let mode = word::<Mode>(&mut fields, "mode", found);
    let created = fields.text("created", found).map_or("", |(text, _)| text).to_owned();
    let digest = fields.text("digest", found).map(|(text, _)| text.to_owned());
    let variant_of = fields.text("variant_of", found).map(|(text, _)| text.to_owned());
    let patterns = patterns(fields.take("patterns"), found);
    let slots_node = fields.take("slots");
    let slots_place = slots_node.map_or(fields.place(), |node| node.place);
    let slots = pairs(slots_node, "slots", found)
        .into_iter()
        .filter_map(|(name, text, place)| match Type::parse(&text) {
            Ok(kind) => Some((name, kind)),
            Err(message) => {
                found.push(Diagnostic::error(place, message));
                None
            }
        })
        .collect::<Vec<_>>();
    let manifests = pairs(fields.take("manifests"), "manifests", found)
        .into_iter()
        .map(|(name, text, _)| (name, text))
        .collect();
    let (start, start_places) = start(fields.take("start"), found);
    let steps = steps::read(fields.take("steps"), fields.place(), &slots, found);
    let cost = cost(fields.take("cost"), found);
    let ended = ended(fields.take("ended"), found);
    fields.finish(KEYS, found);
    let (steps, places): (Vec<TraceStep>, Vec<StepPlaces>) = steps.into_iter().unzip();
    check_slots(&patterns, &slots, &steps, found);
    let (patterns, pattern_places) = patterns.into_iter().unzip();
    let places = Places {
        steps: places,
        patterns: pattern_places,
        start: start_places,
        slots: slots_place,
    };
    let trace = Trace {
        id: id?,
        goal: goal?,
        patterns,
        slots,
        start,
        steps,
        status: status?,
        mode: mode?,
        created,
        manifests,
        digest,
        variant_of,
        cost,
        ended,
    };
    Some((trace, places))
}

/// A newer document may mean something that nobody here knows, so it is refused whole.
fn check_version(fields: &mut Fields<'_>, found: &mut Vec<Diagnostic>) -> Option<()> {
    let Some(node) = fields.take("version") else {
        return Some(());
    };
    let version = match &node.kind {
        Kind::Scalar(text) => text.parse::<u32>().ok(),
        _ => None,
    };
    let message = match version {
        Some(1..=VERSION) => return Some(()),
        Some(version) if version > VERSION => format!(
            "this trace is of version {version}, and up to version {VERSION} is read here; update llmos, or record the trace anew"
        ),
        _ => format!("\"version\" should be a whole number from 1 to {VERSION}"),
    };
    found.push(Diagnostic::error(node.place, message));
    None
}

fn start(node: Option<&Node>, found: &mut Vec<Diagnostic>) -> (Vec<(String, String)>, Vec<Place>) {
    let mut start = Vec::new();
    for (device, condition, place) in pairs(node, "start", found) {
        check_formula(&condition, place, found);
        if start.len() == STARTS_MAX {
            let message = format!("\"start\" holds at most {STARTS_MAX} devices");
            found.push(Diagnostic::error(place, message));
        }
        start.push(((device, condition), place));
    }
    start.into_iter().unzip()
}

/// Reports the place of a formula's mistake. What it means is checked by `compile`.
fn check_formula(text: &str, place: Place, found: &mut Vec<Diagnostic>) {
    if let Err(mistake) = expression::parse(text) {
        let column = place.column.saturating_add(u32::try_from(mistake.at).unwrap_or(0));
        found.push(Diagnostic::error(Place { column, ..place }, mistake.message));
    }
}

fn ended(node: Option<&Node>, found: &mut Vec<Diagnostic>) -> Option<Ended> {
    let mut fields = Fields::of(node?, "ended", found);
    let because = fields.required("because", found).map(|(text, _)| text.to_owned());
    let situation = fields.text("situation", found).map(|(text, _)| text.to_owned());
    fields.finish("because, situation", found);
    because.map(|because| Ended { because, situation })
}

fn cost(node: Option<&Node>, found: &mut Vec<Diagnostic>) -> Option<Cost> {
    let mut fields = Fields::of(node?, "cost", found);
    let mut number = |key: &str| {
        let (text, place) = fields.required(key, found)?;
        let number = text.parse::<u64>().ok();
        if number.is_none() {
            let message = format!("\"{key}\" should be a whole number, found \"{text}\"");
            found.push(Diagnostic::error(place, message));
        }
        number
    };
    let (tokens, ms) = (number("tokens"), number("ms"));
    fields.finish("tokens, ms", found);
    Some(Cost {
        tokens: tokens?,
        ms: ms?,
    })
}

fn word<T: for<'de> Deserialize<'de>>(fields: &mut Fields<'_>, key: &str, found: &mut Vec<Diagnostic>) -> Option<T> {
    let (text, place) = fields.required(key, found)?;
    match serde_json::from_value(serde_json::Value::String(text.to_owned())) {
        Ok(value) => Some(value),
        Err(error) => {
            found.push(Diagnostic::error(place, format!("\"{key}\": {error}")));
            None
        }
    }
}

/// A pattern that says a slot which nobody declared fits no goal, and one that leaves out what the steps need can't bind them.
fn check_slots(
    patterns: &[(String, Place)],
    slots: &[(String, Type)],
    steps: &[TraceStep],
    found: &mut Vec<Diagnostic>,
) {
    let needed = steps
        .iter()
        .flat_map(TraceStep::all_arguments)
        .filter_map(|(_, text)| slot_of(text));
    let needed: std::collections::BTreeSet<&str> = needed.collect();
    for (pattern, place) in patterns {
        let said: Vec<&str> = pattern
            .split('{')
            .skip(1)
            .filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
            .collect();
        if let Some(slot) = said.iter().find(|slot| !slots.iter().any(|(known, _)| known == *slot)) {
            found.push(Diagnostic::error(
                *place,
                format!("the slot {{{slot}}} of this pattern is not among \"slots:\""),
            ));
        }
        if let Some(slot) = needed.iter().find(|slot| !said.contains(slot)) {
            found.push(Diagnostic::error(
                *place,
                format!("this pattern does not say {{{slot}}}, which the steps need; write it where the goal says it"),
            ));
        }
    }
}

fn patterns(node: Option<&Node>, found: &mut Vec<Diagnostic>) -> Vec<(String, Place)> {
    let Some(node) = node else { return Vec::new() };
    let Kind::List(list) = &node.kind else {
        found.push(Diagnostic::error(node.place, "\"patterns\" should be a list of texts"));
        return Vec::new();
    };
    let mut patterns = Vec::new();
    for item in list {
        match &item.kind {
            Kind::Scalar(text) => patterns.push((text.clone(), item.place)),
            _ => found.push(Diagnostic::error(item.place, "a pattern should be a text")),
        }
    }
    patterns
}

fn pairs(node: Option<&Node>, what: &str, found: &mut Vec<Diagnostic>) -> Vec<(String, String, Place)> {
    let Some(node) = node else { return Vec::new() };
    let mut fields = Fields::of(node, what, found);
    let mut pairs = Vec::new();
    while let Some((key, value)) = fields.take_next() {
        match &value.kind {
            Kind::Scalar(text) => pairs.push((key.name.clone(), text.clone(), value.place)),
            _ => found.push(Diagnostic::error(
                value.place,
                format!("\"{}\" should be a text", key.name),
            )),
        }
    }
    pairs
}

/// The document with one more pattern. Only that line is new; the person's text stays as it is, byte for byte.
///
/// # Errors
/// The document has errors, or its patterns stand where no line can be added; it must then be mended by hand.
pub fn with_pattern(text: &str, pattern: &str, note: &str) -> Result<String, String> {
    let (Some(before), _) = read(text) else {
        return Err("the document has errors (see llmos trace check), so nothing was added to it".to_owned());
    };
    let note = note.replace(['\n', '\r'], " ");
    let (newline, mut lines) = (
        if text.contains("\r\n") { "\r\n" } else { "\n" },
        text.split_inclusive('\n'),
    );
    let (mut amended, mut indent) = (
        String::with_capacity(text.len() + pattern.len() + note.len() + 16),
        None,
    );
    for line in lines.by_ref() {
        let inner = line.trim_start();
        match indent {
            // The list ends at the first line that is neither one of its items nor blank nor a remark.
            Some(spaces) if !inner.starts_with("- ") && !inner.is_empty() && !inner.starts_with('#') => {
                let item = [&" ".repeat(spaces), "- ", &quote(pattern), "   # ", &note, newline];
                amended.extend(item);
                amended.push_str(line);
                break;
            }
            None if line.trim_end() == "patterns:" => indent = Some(2),
            Some(_) if inner.starts_with("- ") => indent = Some(line.len() - inner.len()),
            _ => {}
        }
        amended.push_str(line);
    }
    lines.for_each(|line| amended.push_str(line));
    let mut wanted = before;
    wanted.patterns.push(pattern.to_owned());
    match read(&amended) {
        (Some(after), _) if after == wanted => Ok(amended),
        _ => Err(format!(
            "the list \"patterns:\" is not written as one \"- ..\" a line, so nothing was added to it; add {} by hand",
            quote(pattern)
        )),
    }
}

/// The slot that an argument names: `{object}` or `start of {object}`.
#[must_use]
pub fn slot_of(text: &str) -> Option<&str> {
    let text = text.strip_prefix("start of ").unwrap_or(text);
    text.strip_prefix('{')?.strip_suffix('}')
}

/// Prints a trace. `body` is the prose below the frontmatter.
#[must_use]
pub fn print(trace: &Trace, body: &str) -> String {
    let mut text = String::from("---\n");
    // Writing to a String can't fail.
    let _ = writeln!(text, "trace: {}", quote(&trace.id));
    let _ = writeln!(text, "version: {VERSION}");
    let _ = writeln!(text, "goal: {}", quote(&trace.goal));
    if !trace.patterns.is_empty() {
        text.push_str("patterns:\n");
    }
    for pattern in &trace.patterns {
        let _ = writeln!(text, "  - {}", quote(pattern));
    }
    let slots: Vec<String> = trace
        .slots
        .iter()
        .map(|(name, kind)| format!("{}: {}", quote(name), quote(&kind.word())))
        .collect();
    let _ = writeln!(text, "slots: {}", braces(&slots));
    if !trace.start.is_empty() {
        let _ = writeln!(text, "start: {}", map(&trace.start));
    }
    text.push_str("steps:\n");
    for step in &trace.steps {
        steps::print(step, "  ", &mut text);
    }
    let _ = writeln!(text, "status: {}", json_word(&trace.status));
    let _ = writeln!(text, "mode: {}", trace.mode);
    let _ = writeln!(text, "created: {}", quote(&trace.created));
    let _ = writeln!(text, "manifests: {}", map(&trace.manifests));
    if let Some(digest) = &trace.digest {
        let _ = writeln!(text, "digest: {}", quote(digest));
    }
    if let Some(origin) = &trace.variant_of {
        let _ = writeln!(text, "variant_of: {}", quote(origin));
    }
    if let Some(Cost { tokens, ms }) = trace.cost {
        let _ = writeln!(text, "cost: {{ tokens: {tokens}, ms: {ms} }}");
    }
    if let Some(Ended { because, situation }) = &trace.ended {
        let situation = situation
            .iter()
            .map(|situation| format!("situation: {}", quote(situation)));
        let parts: Vec<String> = std::iter::once(format!("because: {}", quote(because)))
            .chain(situation)
            .collect();
        let _ = writeln!(text, "ended: {}", braces(&parts));
    }
    text.push_str("---\n");
    text.push_str(body);
    text
}

/// A mapping on one line.
fn map(pairs: &[(String, String)]) -> String {
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, text)| format!("{}: {}", quote(name), quote(text)))
        .collect();
    braces(&pairs)
}

fn braces(list: &[String]) -> String {
    if list.is_empty() {
        "{}".to_owned()
    } else {
        format!("{{ {} }}", list.join(", "))
    }
}

fn json_word<T: Serialize>(value: &T) -> String {
    serde_json::to_value(value)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// A YAML scalar: plain where nothing in it can be misread, else double-quoted as in JSON, which YAML includes.
fn quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ' ' || c == '-';
    let safe = text.chars().next().is_some_and(|first| first.is_ascii_alphabetic())
        && text.chars().all(plain)
        && !text.ends_with(' ')
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
        );
    if safe {
        text.to_owned()
    } else {
        serde_json::Value::String(text.to_owned()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn example() -> Trace {
        Trace {
            id: "move-the-arm-1f".to_owned(),
            goal: "move the arm 30 cm to the left".to_owned(),
            patterns: vec!["move arm {distance} to {direction}".to_owned()],
            slots: vec![
                ("distance".to_owned(), Type::parse("length").expect("a type")),
                ("direction".to_owned(), Type::parse("left|right").expect("a type")),
            ],
            start: Vec::new(),
            steps: vec![TraceStep::new(
                "arm",
                "move",
                vec![
                    ("direction".to_owned(), "{direction}".to_owned()),
                    ("distance".to_owned(), "{distance}".to_owned()),
                ],
            )],
            status: Status::Done,
            mode: Mode::Learner,
            created: "2026-11-21T00:00:00Z".to_owned(),
            manifests: vec![("arm.limits".to_owned(), "00ff".to_owned())],
            digest: Some("0123456789abcdef".to_owned()),
            variant_of: None,
            cost: None,
            ended: None,
        }
    }

    #[test]
    fn a_trace_reads_as_it_was_printed() {
        let text = print(&example(), "\nProse stays.\n");
        let (trace, found) = read(&text);
        assert_eq!(found, Vec::new(), "{text}");
        assert_eq!(trace, Some(example()));
    }

    #[test]
    fn all_mistakes_are_found_with_their_places() {
        let text = "---\ntrace: t\ngoal: g\nslots: { a: lenght }\nsteps:\n  - move: {}\n  - arm.move: { d: \"{b}\" }\nstatus: fine\nmode: LEARNER\n---\n";
        let (trace, found) = read(text);
        assert_eq!(trace, None);
        let lines: Vec<u32> = found.iter().map(|diagnostic| diagnostic.place.line).collect();
        assert_eq!(lines, [4, 6, 7, 8], "{found:?}");
    }

    #[test]
    fn a_pattern_is_added_and_every_other_byte_stays() {
        let text = "---\ntrace: t   # mine\ngoal: close the gripper\npatterns:\n    - close gripper      # first\n\n    # said by Ada\n    - \"shut gripper\"\nslots: {}\nsteps:\n  - arm.gripper: { state: closed }\nstatus: done\nmode: LEARNER\n---\nMy *prose*, with --- in it.\n";
        let amended = with_pattern(text, "make it: shut", "learned from \"make it: shut\",\ntoday").expect("amended");
        let line = "    - \"make it: shut\"   # learned from \"make it: shut\", today\n";
        assert_eq!(
            amended,
            text.replace("slots: {}", &format!("{line}slots: {{}}").replacen("    ", "    ", 1))
        );
        assert_eq!(read(&amended).0.map(|trace| trace.patterns.len()), Some(3));
        let windows = text.replace('\n', "\r\n");
        assert_eq!(
            with_pattern(&windows, "x", "y").map(|text| text.replace("    - x   # y\r\n", "")),
            Ok(windows)
        );
        for odd in [
            text.replace("patterns:\n", "pattern:\n"),
            text.replace(
                "patterns:\n    - close gripper      # first\n\n    # said by Ada\n    - \"shut gripper\"\n",
                "patterns: [close gripper]\n",
            ),
            "no trace at all".to_owned(),
        ] {
            assert!(with_pattern(&odd, "x", "y").is_err(), "{odd}");
        }
    }

    #[test]
    fn a_pattern_that_cannot_be_bound_is_an_error_where_it_stands() {
        let text =
            print(&example(), "").replace("slots: {", "  - \"move {far}\"\n  - \"move to {direction}\"\nslots: {");
        let (trace, found) = read(&text);
        assert_eq!(trace, None);
        let found: Vec<(u32, bool)> = found
            .iter()
            .map(|found| (found.place.line, found.message.contains("{distance}")))
            .collect();
        assert_eq!(found, [(7, false), (7, false), (8, true)]);
    }

    proptest! {
        #[test]
        fn any_goal_survives_printing(goal in "\\PC{0,80}", created in "\\PC{0,20}") {
            let trace = Trace { goal, created, ..example() };
            let (read, found) = read(&print(&trace, ""));
            prop_assert_eq!(found, Vec::new());
            prop_assert_eq!(read, Some(trace));
        }
    }
}
