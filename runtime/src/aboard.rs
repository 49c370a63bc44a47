//! Programs on devices: `skill push` brings one there, `device run` has it run. What a program is and whether it may run is the kernel's;
//! how it gets there is the bridge's.

use crate::cli::{AloneArgs, SkillVerb};
use crate::config::{Broker, Config};
use crate::inspect;
use crate::keys;
use crate::output::Printer;
use crate::shell::devices::line;
use crate::shell::host::{Host, Part};
use crate::shell::workspace::Workspace;
use crate::trouble::Trouble;
use crate::verbs::request;
use llmos_firmware_bridge::link::push::{Push, Pushed};
use llmos_kernel::aboard::{checksum, program_for};
use llmos_kernel::kernel::Kernel;
use llmos_kernel::message::{Aboard, Request};
use llmos_kernel::text::trace::Trace;
use llmos_kernel::tool::{Connect, Device};
use serde_json::json;

/// Where the numbers of an upload's requests begin.
const PUSH_IDS: u64 = 1 << 41;

/// `skill push`.
pub async fn skill(config: &Config, verb: SkillVerb, printer: Printer) -> Result<u8, Trouble> {
    let SkillVerb::Push { device, name, key } = verb;
    let key = key.as_deref().map(keys::read).transpose()?;
    let mut host = online(config, printer).await?;
    remembers(config, host.kernel(), &device)?;
    let bytes = program(host.kernel(), &device, &name)?;
    reach(&mut host, &device).await?;
    printer.line(&format!("push  {name} to {device}, {} bytes", bytes.len()));
    let mut push = Push::new(&device, &name, &bytes, key.as_ref(), PUSH_IDS);
    let pushed = host.push(&device, &mut push).await;
    host.close().await;
    let (installed, word) = match pushed? {
        Ok(Pushed::Installed(installed)) => (installed, "installed, as it reports"),
        Ok(Pushed::Known(installed)) => (installed, "there already, as it reports"),
        Err(error) => {
            return Err(Trouble {
                message: format!("{device} keeps the program that it had: {error}"),
                code: push_code(&error),
            });
        }
    };
    let (revision, size, crc) = (installed.revision, installed.size, installed.crc);
    let line = format!("{name} is {word}: revision {revision}, {size} bytes, checksum {crc:08x}");
    let document = json!({ "status": "done", "device": device, "name": name, "revision": revision, "bytes": size, "crc": format!("{crc:08x}"),
                           "sent": matches!(push.ended(), Some(Ok(Pushed::Installed(_)))) });
    printer.answer(&document, &[line]);
    Ok(0)
}

/// Who has to do something about it, as an exit code.
fn push_code(error: &llmos_firmware_bridge::link::push::PushError) -> u8 {
    use llmos_firmware_bridge::link::push::PushError;
    use llmos_firmware_bridge::program::Objection;
    match error {
        PushError::Refused(Objection::Busy | Objection::NoLease | Objection::Flash | Objection::NoStore)
        | PushError::NoAnswer
        | PushError::NotThere => 5,
        PushError::Refused(_) | PushError::Version(..) | PushError::TooLarge { .. } | PushError::Unsigned => 3,
    }
}

/// `device run`.
pub async fn run(config: &Config, args: AloneArgs, printer: Printer) -> Result<u8, Trouble> {
    let (names, slots) = words(&args.words)?;
    if args.detach && args.on_loss != "finish" {
        return Err(Trouble::usage(
            "--detach leaves the device without a host, where it would stop at once: say --on-loss finish, too",
        ));
    }
    let mut host = online(config, printer).await?;
    let (device, name) = match names.as_slice() {
        [name] => (only_device(host.kernel(), name)?, name.clone()),
        [device, name] => (device.clone(), name.clone()),
        _ => {
            return Err(Trouble::usage(
                "expected the name of a trace, or a device and a trace: llmos device run arm NAME distance=\"30 cm\"",
            ));
        }
    };
    remembers(config, host.kernel(), &device)?;
    // What can't be on the device is said before anybody looks there.
    program(host.kernel(), &device, &name)?;
    reach(&mut host, &device).await?;
    let status = host.store_status(&device).await;
    let status = status.ok_or_else(|| {
        Trouble::environment(format!(
            "{device} says nothing about programs; does it keep any? (llmos skill push {device} {name})"
        ))
    })?;
    if !host.take_over(&device).await {
        return Err(Trouble::environment(format!(
            "{device} still has to tell what came of its last run, and that could not be taken over; does somebody else use it? (llmos device watch)"
        )));
    }
    let aboard = Aboard {
        device,
        installed: status.installed.map(|installed| installed.crc),
        slots,
        finish: args.on_loss == "finish",
        detach: args.detach,
    };
    let request = Request {
        trace: Some(name),
        confirm: args.confirm,
        aboard: Some(aboard),
        ..request("")
    };
    let report = host.goal(request).await?;
    printer.report(&report);
    host.close().await;
    Ok(report.status.exit_code())
}

/// Slots with what was said for them.
type Slots = Vec<(String, String)>;

/// The names in front, and the slots with their values.
fn words(words: &[String]) -> Result<(Vec<String>, Slots), Trouble> {
    let (mut names, mut slots) = (Vec::new(), Vec::new());
    for word in words {
        match word.split_once('=') {
            Some((name, value)) if !name.is_empty() && !value.trim().is_empty() => {
                slots.push((name.to_owned(), value.trim().to_owned()));
            }
            None if slots.is_empty() => names.push(word.clone()),
            _ => {
                return Err(Trouble::usage(format!(
                    "expected slot=value, found \"{word}\"; a value of several words needs quotes: object=\"red cube\""
                )));
            }
        }
    }
    Ok((names, slots))
}

async fn online(config: &Config, printer: Printer) -> Result<Host, Trouble> {
    let (kernel, ..) = inspect::read(config)?;
    if kernel.devices().iter().all(|device| forgets(config, device)) {
        return Err(forgotten());
    }
    let workspace = Workspace::open(&config.workspace, true)?;
    Host::online(config, workspace, printer, Part::Follows).await
}

/// Whether a device is only there as long as this process.
fn forgets(config: &Config, device: &Device) -> bool {
    matches!(config.broker, Broker::Embedded(None)) && line(device).is_none()
}

fn forgotten() -> Trouble {
    Trouble::usage(
        "devices on the embedded broker forget their programs with the process that simulates them; name a broker with --broker mqtt://host:port",
    )
}

/// That a device remembers what it is given.
fn remembers(config: &Config, kernel: &Kernel, name: &str) -> Result<(), Trouble> {
    match kernel.world().device(name) {
        Some(device) if forgets(config, device) => Err(forgotten()),
        _ => Ok(()),
    }
}

/// The trace of that name; a skill will be looked for here, too.
fn trace<'k>(kernel: &'k Kernel, name: &str) -> Result<&'k Trace, Trouble> {
    let trace = kernel.traces().get(name);
    trace.ok_or_else(|| Trouble::environment(format!("there is no trace \"{name}\"; see llmos trace ls")))
}

/// The device that all of a trace is for.
fn only_device(kernel: &Kernel, name: &str) -> Result<String, Trouble> {
    let trace = trace(kernel, name)?;
    let first = trace.steps.first().map(|step| step.device.clone());
    first.ok_or_else(|| Trouble::environment(format!("{name} has no step, so there is nothing to run")))
}

/// The program of a trace, as the device is to keep it.
fn program(kernel: &Kernel, device: &str, name: &str) -> Result<Vec<u8>, Trouble> {
    let trace = trace(kernel, name)?;
    let known = kernel.devices().iter().find(|known| known.name == device);
    let known = known.ok_or_else(|| Trouble::usage(format!("there is no device \"{device}\"; see llmos device ls")))?;
    if let Connect::Foreign(_) = known.connect {
        return Err(Trouble {
            message: format!("{device} has topics of its own, and only a device with our protocol keeps programs"),
            code: 3,
        });
    }
    let refused = |message| Trouble { message, code: 3 };
    let bytes = program_for(device, kernel.devices(), trace).map_err(refused)?;
    tracing::debug!(crc = checksum(&bytes), "compiled");
    Ok(bytes)
}

/// Waits until the device is there and takes our commands.
async fn reach(host: &mut Host, device: &str) -> Result<(), Trouble> {
    host.look_round().await;
    let view = host.kernel().world().views.get(device);
    if view.is_some_and(|view| view.online) {
        return Ok(());
    }
    let why = view.and_then(|view| view.why.clone());
    let why = why.unwrap_or_else(|| "it does not answer".to_owned());
    Err(Trouble::environment(format!(
        "the device {device} is not there: {why}; is it switched on and on this broker? (llmos device watch)"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_first_and_slots_have_values() {
        let read = |list: &[&str]| {
            let list: Vec<String> = list.iter().map(|word| (*word).to_owned()).collect();
            words(&list)
        };
        let (names, slots) = read(&["arm", "a-trace", "distance=30 cm", "to=a=b"]).expect("it is read");
        assert_eq!(names, ["arm", "a-trace"]);
        let expected = [("distance", "30 cm"), ("to", "a=b")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(slots, expected);
        for wrong in [&["a-trace", "distance=30", "cm"][..], &["=3"], &["a", "distance="]] {
            let error = read(wrong).expect_err("it is wrong");
            assert_eq!(error.code, 2, "{}", error.message);
        }
    }
}
