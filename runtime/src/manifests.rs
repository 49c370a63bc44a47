//! `device check`: every mistake of a manifest with line and column, its topics included, and what the device can't guarantee, as far as
//! its manifest says. It must not mend anything, and it starts nothing.

use crate::config::Config;
use crate::inspect;
use crate::output::Printer;
use crate::shell::links::{self, Bound};
use crate::trouble::Trouble;
use llmos_firmware_bridge::binding::Problem;
use llmos_kernel::text::{Diagnostic, Place, manifest, show, topics};
use llmos_kernel::tool::{Body, Connect, Device, Tool};
use serde_json::json;
use std::path::Path;

/// A manifest's path and text, and the device where there is no error.
struct Read {
    path: String,
    text: String,
    device: Option<Device>,
}

/// `device check [FILE]`.
pub fn check(config: &Config, file: Option<&Path>, printer: Printer) -> Result<u8, Trouble> {
    let mut found = match file {
        Some(file) => one(file)?,
        None => all(config)?,
    };
    let mut devices: Vec<Device> = found.read.iter().filter_map(|read| read.device.clone()).collect();
    devices.sort_by(|a, b| a.name.cmp(&b.name));
    let bound = links::bindings(&devices);
    for bound in &bound {
        let source = found.read.iter().find(|read| {
            let device = read.device.as_ref();
            device.is_some_and(|device| device.name == bound.device)
        });
        let Some(Read { path, text, .. }) = source else {
            continue;
        };
        for diagnostic in placed(text, &bound.problems) {
            found.errors += usize::from(diagnostic.is_error());
            found.lines.push(show(path, &diagnostic));
        }
    }
    for (at, device) in devices.iter().enumerate() {
        let source = found.read.iter().find(|read| read.device.as_ref() == Some(device));
        if let (Connect::Serial { path: port, .. }, Some(Read { path, text, .. })) = (&device.connect, source)
            && let Some(other) = links::sharer(&devices[..at], port)
        {
            found.errors += 1;
            let place = topics::place_of_port(text);
            let message = format!("{port} is the port of {other} already, and one port leads to one device");
            found.lines.push(show(path, &Diagnostic::error(place, message)));
        }
    }
    let weak: Vec<String> = devices.iter().flat_map(|device| unguaranteed(device, &bound)).collect();
    let (mut lines, errors) = (found.lines, found.errors);
    lines.extend(weak.iter().cloned());
    lines.push(format!("{} devices, {errors} errors in {}", devices.len(), found.place));
    printer.answer(
        &json!({ "errors": errors, "findings": lines, "not_guaranteed": weak }),
        &lines,
    );
    Ok(u8::from(errors > 0))
}

/// What the documents themselves say.
struct Found {
    read: Vec<Read>,
    lines: Vec<String>,
    errors: usize,
    place: String,
}

fn all(config: &Config) -> Result<Found, Trouble> {
    let (kernel, workspace, unreadable) = inspect::read(config)?;
    let mut lines: Vec<String> = unreadable
        .into_iter()
        .filter(|line| line.starts_with("devices/"))
        .collect();
    let mut errors = lines.len();
    let mut read = Vec::new();
    for (path, found) in kernel.findings() {
        let is_device = path.starts_with("devices/");
        if !is_device && path.as_str() != "policy.toml" {
            continue;
        }
        errors += found.iter().filter(|diagnostic| diagnostic.is_error()).count();
        lines.extend(found.iter().map(|diagnostic| show(path, diagnostic)));
        if let (true, Some(Ok(text))) = (is_device, workspace.read(path)) {
            let device = manifest::read(&text).0;
            // Of two files that describe one device, the kernel keeps one.
            let device = device.filter(|device| kernel.devices().contains(device));
            let path = path.clone();
            read.push(Read { path, text, device });
        }
    }
    let place = workspace.root().display().to_string();
    Ok(Found {
        read,
        lines,
        errors,
        place,
    })
}

fn one(file: &Path) -> Result<Found, Trouble> {
    let path = file.display().to_string();
    let text =
        std::fs::read_to_string(file).map_err(|error| Trouble::usage(format!("{path} can't be read: {error}")))?;
    let (device, found) = manifest::read(&text);
    Ok(Found {
        lines: found.iter().map(|diagnostic| show(&path, diagnostic)).collect(),
        errors: found.iter().filter(|diagnostic| diagnostic.is_error()).count(),
        place: path.clone(),
        read: vec![Read { path, text, device }],
    })
}

/// Problems of a binding at their places in the document, in its order.
fn placed(text: &str, problems: &[Problem]) -> Vec<Diagnostic> {
    let places = topics::places(text);
    let mut found: Vec<Diagnostic> = problems
        .iter()
        .map(|problem| {
            let place = place_of(&places, &problem.path);
            if problem.is_error {
                Diagnostic::error(place, &problem.message)
            } else {
                Diagnostic::warning(place, &problem.message)
            }
        })
        .collect();
    found.sort_by_key(|diagnostic| diagnostic.place);
    found
}

/// The place of a path, or of the nearest part that is there: what is missing has none.
fn place_of(places: &[(String, Place)], path: &str) -> Place {
    let mut path = path;
    loop {
        if let Some((_, place)) = places.iter().find(|(known, _)| known == path) {
            return *place;
        }
        match path.rsplit_once('/') {
            Some((above, _)) => path = above,
            None => return Place { line: 1, column: 1 },
        }
    }
}

/// What a device's own side does not guarantee.
fn unguaranteed(device: &Device, bound: &[Bound]) -> Vec<String> {
    let mut weak = Vec::new();
    if let Connect::Foreign(_) = device.connect
        && let Some(bound) = bound.iter().find(|bound| bound.device == device.name)
    {
        weak.extend(promises_nothing(bound));
        weak.extend(presence(bound));
        weak.extend(motion(bound));
    }
    if let Connect::Serial { path, .. } = &device.connect {
        weak.extend(alone_on_a_line(path));
    }
    let weak = weak.into_iter().map(|text| format!("{}: {text}", device.name));
    weak.chain(blind(device)).collect()
}

/// What a device of ours does not have on a serial line.
fn alone_on_a_line(port: &str) -> [String; 2] {
    [
        format!(
            "one program at a time owns {port}: while one does, no other can see the device or reset it, only stop it"
        ),
        format!(
            "whoever on this machine may write to {port} may command it, past every gate; only the port's permissions keep others away"
        ),
    ]
}

/// What no device with topics of its own has.
fn promises_nothing(bound: &Bound) -> Vec<String> {
    let mut topics: Vec<&str> = bound
        .binding
        .command
        .values()
        .map(|command| command.topic.as_str())
        .collect();
    topics.sort_unstable();
    topics.dedup();
    let topics = topics.join(", ");
    vec![
        format!("no lease: whatever else publishes on {topics} commands it at the same time, past every gate"),
        "no envelope of its own: only the gate here holds it to the limits of its manifest".to_owned(),
        "no expiry and no sequence: a command that comes late, or twice, is carried out all the same".to_owned(),
        "no acknowledgement: that a command has arrived is known only from what it reports".to_owned(),
    ]
}

/// How far it can be known whether it is there, and how old its reports are.
fn presence(bound: &Bound) -> Vec<String> {
    let binding = &bound.binding;
    let mut weak = Vec::new();
    let steady: Vec<&str> = binding
        .state
        .iter()
        .filter(|state| state.every_ms.is_some())
        .map(|state| state.topic.as_str())
        .collect();
    let mut idle: Vec<&str> = binding
        .state
        .iter()
        .filter(|state| !steady.contains(&state.topic.as_str()))
        .map(|state| state.field.as_str())
        .collect();
    idle.sort_unstable();
    idle.dedup();
    if binding.online.is_none() && steady.is_empty() {
        weak.push(
            "nothing says that it is gone (no \"online\", no \"every\"): only a command without effect shows it"
                .to_owned(),
        );
    }
    if !idle.is_empty() {
        weak.push(format!(
            "{} may have been reported any time ago (no \"every\")",
            idle.join(", ")
        ));
        if binding.ask.is_empty() {
            weak.push("it can't be asked (no \"ask\"): what the broker has kept is believed, and a command that changes nothing may go unanswered".to_owned());
        }
    }
    weak
}

/// What becomes of motion where nobody can end it.
fn motion(bound: &Bound) -> Vec<String> {
    let binding = &bound.binding;
    let mut weak = Vec::new();
    for (tool, command) in &binding.command {
        let Some(stream) = &command.stream else { continue };
        weak.push(format!(
            "{tool} lasts until it is told to end: where this program or its network dies in the middle, only a watchdog of the device's own stops it; have it stop by itself when nothing came for {} ms",
            5 * stream.every_ms
        ));
    }
    match &binding.stop {
        Some(stop) => weak.push(format!(
            "a stop is the message {:?} on {}; whether it has stopped it does not say, and it obeys the next command of anybody",
            stop.payload, stop.topic
        )),
        None if weak.is_empty() => weak.push("no \"stop\": llmos stop has nothing to send".to_owned()),
        None => weak.push("a stop is the end of what it was told; it obeys the next command of anybody".to_owned()),
    }
    weak
}

/// Tools whose effect can't be seen.
fn blind(device: &Device) -> impl Iterator<Item = String> {
    let is_blind = |tool: &&Tool| tool.acts && tool.conditions.after.is_none() && matches!(tool.body, Body::Primitive);
    device.tools.iter().filter(is_blind).map(|tool| {
        format!(
            "{}.{}: its effect can't be read back; runs with it end unverified",
            device.name, tool.name
        )
    })
}
