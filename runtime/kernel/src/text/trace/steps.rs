//! The steps of a trace: calls with their options, and waits.

use super::{StepPlaces, TraceStep, check_formula, json_word, map, pairs, quote, slot_of};
use crate::goal::{self, Dimension};
use crate::options::{OnFailure, Options, WAIT, Wait};
use crate::plan::{print_ms, result_of};
use crate::text::Diagnostic;
use crate::text::node::{Fields, Kind, Node, Place};
use crate::tool::Type;
use llmos_follower::Observed;
use llmos_follower::program::{CALLS_MAX, COMPENSATION_MAX, RESULTS_MAX};
use std::fmt::Write;

const KEYS: &str = "one DEVICE.TOOL or wait, before, after, timeout, on_error, compensate, depends_on, keep, observed";

/// Reads the steps.
pub(super) fn read(
    node: Option<&Node>,
    place: Place,
    slots: &[(String, Type)],
    found: &mut Vec<Diagnostic>,
) -> Vec<(TraceStep, StepPlaces)> {
    let mut reader = Reader {
        slots,
        found,
        kept: Vec::new(),
    };
    let Some(list) = list(node) else {
        reader.error(
            place,
            "\"steps:\" is missing: a list such as [ arm.move: { distance: \"{distance}\" } ]",
        );
        return Vec::new();
    };
    if list.len() > CALLS_MAX {
        let message = format!("a trace has at most {CALLS_MAX} steps, found {}", list.len());
        reader.error(list[CALLS_MAX].place, message);
    }
    let steps = list.iter().enumerate();
    let mut steps: Vec<_> = steps.filter_map(|(index, item)| reader.step(item, index)).collect();
    reader.place_waits(&mut steps);
    steps
}

struct Reader<'a> {
    slots: &'a [(String, Type)],
    found: &'a mut Vec<Diagnostic>,
    /// The names under which the steps so far keep something.
    kept: Vec<String>,
}

impl Reader<'_> {
    fn error(&mut self, place: Place, message: impl Into<String>) {
        self.found.push(Diagnostic::error(place, message));
    }

    fn step(&mut self, item: &Node, index: usize) -> Option<(TraceStep, StepPlaces)> {
        let mut fields = Fields::of(item, "a step", self.found);
        let mut parts = Vec::new();
        let mut options = Options {
            before: self.formula(&mut fields, "before", &mut parts),
            after: self.formula(&mut fields, "after", &mut parts),
            timeout_ms: self.duration(&mut fields, "timeout", &mut parts),
            on_error: self.on_error(&mut fields, &mut parts),
            depends_on: self.depends_on(fields.take("depends_on"), index, &mut parts),
            ..Options::default()
        };
        let undoing = fields.take("compensate");
        let keep = fields.take("keep");
        let observed = fields.text("observed", self.found);
        let observed = observed.and_then(|(text, place)| self.observed(text, place));
        let call = fields.take_next();
        fields.finish(KEYS, self.found);
        let Some((name, value)) = call else {
            self.error(
                item.place,
                "a step names what it calls: arm.move: { .. }, or wait: { .. }",
            );
            return None;
        };
        let (device, tool, arguments) = if name.name == WAIT {
            self.check_wait(keep, &parts);
            let device = self.wait(value, &mut options, &mut parts);
            (device, WAIT.to_owned(), Vec::new())
        } else {
            let (device, tool) = self.called(&name.name, name.place)?;
            (device, tool, self.arguments(value, &mut parts))
        };
        let (compensate, undoing) = self.compensate(undoing, options.on_error, &mut parts, name.place);
        options.keep = self.keep(keep, &mut parts);
        let step = TraceStep {
            device,
            tool,
            arguments,
            options,
            compensate,
            observed,
        };
        let places = StepPlaces {
            call: name.place,
            parts,
            compensate: undoing,
        };
        Some((step, places))
    }

    fn called(&mut self, name: &str, place: Place) -> Option<(String, String)> {
        let Some((device, tool)) = name.split_once('.') else {
            self.error(place, format!("expected DEVICE.TOOL, found \"{name}\""));
            return None;
        };
        Some((device.to_owned(), tool.to_owned()))
    }

    fn arguments(&mut self, node: &Node, parts: &mut Vec<(String, Place)>) -> Vec<(String, String)> {
        let mut arguments = Vec::new();
        for (name, text, place) in pairs(Some(node), "arguments", self.found) {
            if let Some(slot) = slot_of(&text).filter(|slot| !self.slots.iter().any(|(known, _)| known == slot)) {
                self.error(place, format!("the slot {{{slot}}} is not among \"slots:\""));
            }
            if let Some(kept) = result_of(&text).filter(|name| !self.kept.iter().any(|known| known == name)) {
                self.error(place, format!("no earlier step keeps \"{kept}\" (see \"keep:\")"));
            }
            parts.push((name.clone(), place));
            arguments.push((name, text));
        }
        arguments
    }

    fn formula(&mut self, fields: &mut Fields<'_>, key: &str, parts: &mut Vec<(String, Place)>) -> Option<String> {
        let (text, place) = fields.text(key, self.found)?;
        check_formula(text, place, self.found);
        parts.push((key.to_owned(), place));
        Some(text.to_owned())
    }

    fn duration(&mut self, fields: &mut Fields<'_>, key: &str, parts: &mut Vec<(String, Place)>) -> Option<u32> {
        let (text, place) = fields.text(key, self.found)?;
        parts.push((key.to_owned(), place));
        let ms = match goal::parse_quantity(text) {
            Ok((Dimension::Duration, micro)) => u32::try_from(micro / 1_000).ok().filter(|ms| *ms > 0),
            _ => None,
        };
        if ms.is_none() {
            let message =
                format!("\"{key}\" should be a duration from 1 ms to 49 days, such as \"2 s\", found \"{text}\"");
            self.error(place, message);
        }
        ms
    }

    fn on_error(&mut self, fields: &mut Fields<'_>, parts: &mut Vec<(String, Place)>) -> Option<OnFailure> {
        let (text, place) = fields.text("on_error", self.found)?;
        parts.push(("on_error".to_owned(), place));
        match OnFailure::parse(text) {
            Ok(on_error) => Some(on_error),
            Err(message) => {
                self.error(place, format!("\"on_error\": {message}"));
                None
            }
        }
    }

    /// A step can only depend on earlier ones, so no circle of steps can wait for itself.
    fn depends_on(&mut self, node: Option<&Node>, index: usize, parts: &mut Vec<(String, Place)>) -> Vec<u8> {
        let Some(node) = node else { return Vec::new() };
        parts.push(("depends_on".to_owned(), node.place));
        let Some(list) = list(Some(node)) else {
            self.error(
                node.place,
                "\"depends_on\" should be a list of step numbers, such as [ 1, 2 ]",
            );
            return Vec::new();
        };
        let mut steps = Vec::new();
        for item in list {
            let number = match &item.kind {
                Kind::Scalar(text) => text.parse::<u8>().ok(),
                _ => None,
            };
            match number {
                Some(number) if (1..=index).contains(&usize::from(number)) => steps.push(number),
                Some(0) | None => self.error(item.place, "expected the number of a step, counted from 1"),
                Some(number) if usize::from(number) == index + 1 => {
                    self.error(item.place, format!("step {number} can't depend on itself"));
                }
                Some(number) => self.error(
                    item.place,
                    format!("step {} can't depend on step {number}, which is not before it: the two could wait for each other in a cycle", index + 1),
                ),
            }
        }
        steps
    }

    fn observed(&mut self, text: &str, place: Place) -> Option<Observed> {
        let observed = serde_json::from_value(serde_json::Value::String(text.to_owned())).ok();
        if observed.is_none() {
            let message = format!("\"observed\" should be met, read, skipped or unverified, found \"{text}\"");
            self.error(place, message);
        }
        observed
    }

    fn keep(&mut self, node: Option<&Node>, parts: &mut Vec<(String, Place)>) -> Option<(String, String)> {
        let node = node?;
        parts.push(("keep".to_owned(), node.place));
        let mut list = pairs(Some(node), "keep", self.found);
        let (Some((name, reading, place)), true) = (list.pop(), list.is_empty()) else {
            self.error(
                node.place,
                "\"keep\" should be one name and one reading: { grasp: position }",
            );
            return None;
        };
        check_formula(&reading, place, self.found);
        if self.kept.contains(&name) {
            self.error(place, format!("an earlier step keeps \"{name}\" already"));
        }
        if self.kept.len() == RESULTS_MAX {
            self.error(place, format!("a trace keeps at most {RESULTS_MAX} results"));
        }
        self.kept.push(name.clone());
        Some((name, reading))
    }

    fn compensate(
        &mut self,
        node: Option<&Node>,
        on_error: Option<OnFailure>,
        parts: &mut Vec<(String, Place)>,
        place: Place,
    ) -> (Vec<TraceStep>, Vec<StepPlaces>) {
        let wanted = on_error == Some(OnFailure::Compensate);
        let Some(node) = node else {
            if wanted {
                self.error(place, "\"on_error: compensate\" needs \"compensate:\", a list of steps");
            }
            return (Vec::new(), Vec::new());
        };
        parts.push(("compensate".to_owned(), node.place));
        if !wanted {
            self.error(node.place, "\"compensate:\" goes with \"on_error: compensate\"");
        }
        match list(Some(node)) {
            Some(list) if (1..=COMPENSATION_MAX).contains(&list.len()) => {
                list.iter().filter_map(|item| self.undoing(item)).unzip()
            }
            _ => {
                let message = format!("\"compensate\" should be a list of 1 to {COMPENSATION_MAX} steps");
                self.error(node.place, message);
                (Vec::new(), Vec::new())
            }
        }
    }

    /// A step that compensates. Options there would have no effect, so they are no warning but an error.
    fn undoing(&mut self, item: &Node) -> Option<(TraceStep, StepPlaces)> {
        let mut fields = Fields::of(item, "a step", self.found);
        let Some((name, value)) = fields.take_next() else {
            self.error(
                item.place,
                "a step that compensates names what it calls: arm.move: { .. }",
            );
            return None;
        };
        while let Some((key, _)) = fields.take_next() {
            let message = format!("\"{}\": a step that compensates has arguments and no options", key.name);
            self.error(key.place, message);
        }
        let (device, tool) = self.called(&name.name, name.place)?;
        let mut parts = Vec::new();
        let arguments = self.arguments(value, &mut parts);
        let places = StepPlaces {
            call: name.place,
            parts,
            compensate: Vec::new(),
        };
        Some((TraceStep::new(device, tool, arguments), places))
    }

    /// Reads a wait into the options, and returns its device, if it names one.
    fn wait(&mut self, node: &Node, options: &mut Options, parts: &mut Vec<(String, Place)>) -> String {
        let mut fields = Fields::of(node, WAIT, self.found);
        let pause = self.duration(&mut fields, "for", parts);
        let until = self.formula(&mut fields, "until", parts);
        let device = fields
            .text("device", self.found)
            .map_or("", |(text, _)| text)
            .to_owned();
        let timeout = self.duration(&mut fields, "timeout", parts);
        fields.finish("for, until, device, timeout", self.found);
        match (pause, until) {
            (Some(ms), None) if timeout.is_none() => options.wait = Some(Wait::For(ms)),
            (None, Some(condition)) if timeout.is_some() && !device.is_empty() => {
                options.timeout_ms = timeout;
                options.wait = Some(Wait::Until(condition));
            }
            _ => self.error(
                node.place,
                "a wait is { for: \"2 s\" } or { until: CONDITION, device: arm, timeout: \"10 s\" }",
            ),
        }
        device
    }

    fn check_wait(&mut self, keep: Option<&Node>, parts: &[(String, Place)]) {
        let of_call = |name: &str| matches!(name, "before" | "after" | "timeout");
        let places = parts.iter().filter(|(name, _)| of_call(name)).map(|(_, place)| *place);
        for place in places.chain(keep.map(|node| node.place)) {
            self.error(
                place,
                "a wait has no \"before\", \"after\", \"timeout\" or \"keep\" beside it",
            );
        }
    }

    /// A wait that names no device belongs to that of the step before it, or else after it, so that one device can follow alone.
    fn place_waits(&mut self, steps: &mut [(TraceStep, StepPlaces)]) {
        for index in 0..steps.len() {
            if !steps[index].0.device.is_empty() || steps[index].0.options.wait.is_none() {
                continue;
            }
            let before = steps[..index].iter().rev();
            let mut near = before.chain(&steps[index + 1..]).map(|(step, _)| &step.device);
            match near.find(|device| !device.is_empty()).cloned() {
                Some(device) => steps[index].0.device = device,
                None => self.error(
                    steps[index].1.call,
                    "this wait is for no device; name one: { .., device: arm }",
                ),
            }
        }
    }
}

fn list(node: Option<&Node>) -> Option<&[Node]> {
    match node.map(|node| &node.kind) {
        Some(Kind::List(list)) => Some(list),
        _ => None,
    }
}

/// Prints a step.
pub(super) fn print(step: &TraceStep, indent: &str, text: &mut String) {
    let Options {
        before,
        after,
        timeout_ms,
        on_error,
        depends_on,
        keep,
        wait,
    } = &step.options;
    let timeout = timeout_ms.map(print_ms);
    // Writing to a String can't fail.
    let _ = match wait {
        None => writeln!(
            text,
            "{indent}- {}.{}: {}",
            step.device,
            step.tool,
            map(&step.arguments)
        ),
        Some(wait) => {
            let (key, value) = match wait {
                Wait::For(ms) => ("for", print_ms(*ms)),
                Wait::Until(condition) => ("until", condition.clone()),
            };
            let mut pairs = vec![(key.to_owned(), value), ("device".to_owned(), step.device.clone())];
            pairs.extend(timeout.iter().map(|timeout| ("timeout".to_owned(), timeout.clone())));
            writeln!(text, "{indent}- {WAIT}: {}", map(&pairs))
        }
    };
    let timeout = timeout.filter(|_| wait.is_none());
    let on_error = on_error.map(|on_error| on_error.to_string());
    let texts = [
        ("before", before),
        ("after", after),
        ("timeout", &timeout),
        ("on_error", &on_error),
    ];
    for (key, value) in texts {
        if let Some(value) = value {
            let _ = writeln!(text, "{indent}  {key}: {}", quote(value));
        }
    }
    if !step.compensate.is_empty() {
        let _ = writeln!(text, "{indent}  compensate:");
    }
    for undoing in &step.compensate {
        print(undoing, &format!("{indent}    "), text);
    }
    if !depends_on.is_empty() {
        let numbers: Vec<String> = depends_on.iter().map(u8::to_string).collect();
        let _ = writeln!(text, "{indent}  depends_on: [ {} ]", numbers.join(", "));
    }
    if let Some(keep) = keep {
        let _ = writeln!(text, "{indent}  keep: {}", map(std::slice::from_ref(keep)));
    }
    if let Some(observed) = &step.observed {
        let _ = writeln!(text, "{indent}  observed: {}", json_word(observed));
    }
}
