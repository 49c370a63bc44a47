//! `doctor`: whether everything that a goal needs is there, part by part, each with what to do where it is not. It must not mend anything.

use crate::config::{Broker, Config};
use crate::inspect;
use crate::output::Printer;
use crate::shell::devices::line;
use crate::shell::host::{Host, Part};
use crate::shell::model;
use crate::shell::workspace::Workspace;
use crate::trouble::Trouble;
use llmos_firmware_bridge::io::{BrokerUrl, Bus, BusEvent};
use llmos_kernel::text::has_errors;
use llmos_models::{Outcome, PlanRequest, Planner, ToolSpec};
use serde::Serialize;
use serde_json::json;
use std::time::Duration;

/// What a check found.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Found {
    Ok,
    /// Something is not there that some goals do without.
    Warn,
    Fail,
}

#[derive(Serialize)]
struct Check {
    #[serde(rename = "check")]
    part: &'static str,
    found: Found,
    text: String,
}

impl Check {
    fn ok(part: &'static str, text: impl Into<String>) -> Check {
        Check::new(part, Found::Ok, text)
    }

    fn new(part: &'static str, found: Found, text: impl Into<String>) -> Check {
        let text = text.into();
        Check { part, found, text }
    }

    fn line(&self) -> String {
        let word = match self.found {
            Found::Ok => "ok  ",
            Found::Warn => "warn",
            Found::Fail => "fail",
        };
        format!("{word}  {}: {}", self.part, self.text)
    }
}

/// Checks everything and prints a line for each; the exit code is 5 where something fails.
pub async fn doctor(config: &Config, printer: Printer) -> Result<u8, Trouble> {
    let mut checks = documents(config);
    checks.push(planner(config));
    checks.extend(devices(config, printer).await);
    checks.push(mosquitto());
    let failed = checks.iter().filter(|check| check.found == Found::Fail).count();
    let lines: Vec<String> = checks.iter().map(Check::line).collect();
    printer.answer(&json!({ "failed": failed, "checks": checks }), &lines);
    Ok(if failed > 0 { 5 } else { 0 })
}

fn documents(config: &Config) -> Vec<Check> {
    let (kernel, workspace, unreadable) = match inspect::read(config) {
        Ok(read) => read,
        Err(trouble) => return vec![Check::new("workspace", Found::Fail, trouble.message)],
    };
    let mut checks = vec![Check::ok("workspace", workspace.root().display().to_string())];
    let broken = kernel.findings().iter().filter(|(_, found)| has_errors(found));
    let names: Vec<&str> = broken
        .map(|(path, _)| path.as_str())
        .chain(unreadable.iter().map(String::as_str))
        .collect();
    checks.push(if names.is_empty() {
        let text = format!("{} devices, {} traces", kernel.devices().len(), kernel.traces().len());
        Check::ok("documents", text)
    } else {
        let text = format!(
            "errors in {}; see llmos device check and llmos trace check",
            names.join(", ")
        );
        Check::new("documents", Found::Fail, text)
    });
    checks
}

/// Whether the model loads, and plans something that it can't get wrong without being broken.
fn planner(config: &Config) -> Check {
    let mut model = match model::open(config.model.as_deref()) {
        Ok(model) => model,
        Err(error) => return Check::new("model", Found::Fail, error.to_string()),
    };
    let name = format!("{}, {} parameters", model.info().name, model.info().parameters);
    let tools = [ToolSpec {
        name: "open".to_owned(),
        does: "Open the gripper".to_owned(),
        parameters: Vec::new(),
    }];
    let request = PlanRequest {
        tools: &tools,
        goal: "open the gripper",
        spans: &[],
        example: None,
        calls_max: 2,
    };
    match model.plan(&request) {
        Ok(reply) if reply.outcome == Outcome::Planned => Check::ok("model", format!("{name}; it plans")),
        Ok(_) => Check::new(
            "model",
            Found::Warn,
            format!("{name}; it loads, but finds no plan for \"open the gripper\""),
        ),
        Err(error) => Check::new("model", Found::Fail, format!("{name}: {error}")),
    }
}

/// The broker, and which devices are on it.
async fn devices(config: &Config, printer: Printer) -> Vec<Check> {
    let online = async {
        let workspace = Workspace::open(&config.workspace, false)?;
        Host::online(config, workspace, printer, Part::Looks).await
    };
    let mut host = match online.await {
        Ok(host) => host,
        Err(trouble) => return vec![Check::new("broker", Found::Fail, trouble.message)],
    };
    let devices = host.kernel().devices();
    let mut checks = if !devices.is_empty() && devices.iter().all(|device| line(device).is_some()) {
        vec![Check::ok("broker", "none is needed: every device is on a serial line")]
    } else {
        vec![broker(&config.broker).await]
    };
    host.look_round().await;
    for device in host.kernel().devices() {
        let view = host.kernel().world().views.get(&device.name);
        checks.push(match view {
            Some(view) if view.at.is_some() && view.state.stopped => {
                let text = format!("{0} is stopped; when it is safe: llmos reset {0}", device.name);
                Check::new("device", Found::Warn, text)
            }
            Some(view) if view.at.is_some() && view.online => {
                let way = line(device).map_or_else(String::new, |address| format!(" on {address}"));
                Check::ok("device", format!("{} reports{way}", device.name))
            }
            _ => {
                let why = view
                    .and_then(|view| view.why.clone())
                    .unwrap_or_else(|| "it does not answer".to_owned());
                Check::new("device", Found::Warn, format!("{}: {why}", device.name))
            }
        });
    }
    host.close().await;
    checks
}

/// What stands between a broker that answers and somebody else who is on the network.
async fn broker(broker: &Broker) -> Check {
    let (url, text) = match broker {
        Broker::Embedded(None) => return Check::ok("broker", "embedded, on loopback"),
        Broker::Embedded(Some(listen)) => {
            let (at, users) = (listen.at, listen.users.len());
            let text = format!(
                "embedded, on {at}, for {users} users; it has no TLS, and each of them may speak for every device: for more take a mosquitto (workspace: mosquitto/)"
            );
            return Check::new("broker", Found::Warn, text);
        }
        Broker::At { url, text } => (url, text),
    };
    let way = if url.is_secure() { "with TLS" } else { "without TLS" };
    let who = match url.user() {
        Some(user) => format!("as user {user}"),
        None if url.has_identity() => "by our certificate".to_owned(),
        None => "as nobody".to_owned(),
    };
    let open = !url.has_identity() && lets_everybody_in(url).await;
    let text = format!("{text}, {way}, {who}");
    let mut wrong = Vec::new();
    if !url.is_secure() && !url.is_local() {
        wrong.push("whoever is on the network may read along and change what is said: use mqtts://");
    }
    if open && !url.is_local() {
        wrong.push(
            "it lets in everybody, and everybody may move the devices: give it users and rules (workspace: mosquitto/)",
        );
    }
    if wrong.is_empty() {
        let open = if open {
            "; it lets in everybody who is on this machine"
        } else {
            ""
        };
        Check::ok("broker", format!("{text}{open}"))
    } else {
        Check::new("broker", Found::Warn, format!("{text}; {}", wrong.join("; ")))
    }
}

async fn lets_everybody_in(url: &BrokerUrl) -> bool {
    let name = format!("llmos-doctor-{}", std::process::id());
    let (bus, mut events) = Bus::connect(&url.clone().anonymous(), &name);
    let first = tokio::time::timeout(Duration::from_secs(2), events.recv()).await;
    bus.close().await;
    matches!(first, Ok(Some(BusEvent::Connected)))
}

fn mosquitto() -> Check {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let usual = std::iter::once(std::path::PathBuf::from("/usr/sbin"));
    let found = std::env::split_paths(&folders)
        .chain(usual)
        .map(|folder| folder.join("mosquitto"));
    match found.into_iter().find(|path| path.is_file()) {
        Some(path) => Check::ok("mosquitto", path.display().to_string()),
        None => Check::new(
            "mosquitto",
            Found::Warn,
            "not installed; only needed for devices on a broker of your own",
        ),
    }
}
