//! Whether a trace that can be read can also be followed here and now: its devices, tools, parameters and types are looked up in the
//! manifests, and its patterns among those of the other traces. It changes nothing.

use crate::plan::Given;
use crate::text::trace::{Places, Trace, slot_of};
use crate::text::{Diagnostic, Place};
use crate::tool::Tool;
use crate::world::World;

/// What keeps a trace from being followed, or makes it follow otherwise than when it was made.
#[must_use]
pub fn trace(world: &World, trace: &Trace, places: &Places) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (index, step) in trace.steps.iter().enumerate() {
        let place = places.steps.get(index).copied().unwrap_or_default();
        let mut error = |message: String| found.push(Diagnostic::error(place, message));
        let Some(device) = world.device(&step.device) else {
            let known: Vec<&str> = world.devices.iter().map(|device| device.name.as_str()).collect();
            error(format!(
                "there is no device \"{}\"; there are {}",
                step.device,
                list(&known)
            ));
            continue;
        };
        let Some(tool) = device.tool(&step.tool) else {
            let known: Vec<&str> = device.tools.iter().map(|tool| tool.name.as_str()).collect();
            error(format!(
                "{} has no tool \"{}\"; it has {}",
                device.name,
                step.tool,
                list(&known)
            ));
            continue;
        };
        for message in arguments(trace, &step.arguments, tool) {
            error(message);
        }
    }
    for (part, digest) in &trace.manifests {
        if part.contains('.') && world.digests.get(part) != Some(digest) {
            let message = format!("{part} changed in the manifest since this trace was made");
            found.push(Diagnostic::warning(Place { line: 1, column: 1 }, message));
        }
    }
    for (pattern, other) in world.traces.twins(trace) {
        let place = places.patterns.get(pattern).copied().unwrap_or_default();
        let message = format!(
            "{other} has this pattern, too, and does something else, so a goal that fits is asked about; remove one of the two"
        );
        found.push(Diagnostic::error(place, message));
    }
    found.sort_by_key(|diagnostic| diagnostic.place);
    found
}

fn arguments(trace: &Trace, arguments: &[(String, String)], tool: &Tool) -> Vec<String> {
    let mut found = Vec::new();
    for (name, text) in arguments {
        let Some(parameter) = tool.parameters.iter().find(|parameter| parameter.name == *name) else {
            let known: Vec<&str> = tool
                .parameters
                .iter()
                .map(|parameter| parameter.name.as_str())
                .collect();
            found.push(format!(
                "{} has no parameter \"{name}\"; it has {}",
                tool.name,
                list(&known)
            ));
            continue;
        };
        let Some(slot) = slot_of(text) else {
            if let Err(message) = Given::parse(text, &parameter.kind) {
                found.push(format!("{name}: {message}"));
            }
            continue;
        };
        // "start of {object}" is the place where a thing was.
        let kind = trace
            .slots
            .iter()
            .find(|(known, _)| known == slot)
            .map(|(_, kind)| kind);
        if let Some(kind) = kind.filter(|kind| **kind != parameter.kind && !text.starts_with("start of ")) {
            found.push(format!(
                "the slot {{{slot}}} is {} here, and {} in the manifest",
                kind.word(),
                parameter.kind.word()
            ));
        }
    }
    let given = |name: &str| arguments.iter().any(|(known, _)| known == name);
    let missing = tool
        .parameters
        .iter()
        .filter(|parameter| parameter.required && !given(&parameter.name));
    found.extend(
        missing.map(|parameter| format!("{} needs \"{}\" ({})", tool.name, parameter.name, parameter.kind.word())),
    );
    found
}

fn list(names: &[&str]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}
