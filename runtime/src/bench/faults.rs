//! `bench faults`: everything that may break, broken on purpose while a device moves, on this machine: what the program says at the end, and
//! how long the device still moved. The program is this one, in a process of its own; the device is a simulated one whose inside is seen;
//! between both are a broker and wires that can be cut.
//!
//! Each fault has its declared outcome; where another one is seen, the exit code is 1. Until a device is in its safe state may pass the
//! time in which a loss is noticed, a heartbeat, and half a second.

mod device;
mod proxy;

use crate::output::Printer;
use crate::shell::{faults as seam, workspace};
use crate::trouble::Trouble;
use device::{Record, Says, Watched};
use llmos_firmware_bridge::io::{BrokerUrl, broker};
use llmos_firmware_bridge::sim::{Faults, Simulator};
use llmos_firmware_bridge::topic::DeviceName;
use llmos_follower::{MICRO, Point};
use proxy::Proxy;
use serde_json::{Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A heartbeat of the devices here (1.5 s) and half a second, in milliseconds.
const SAFE_MS_MAX: u128 = 2_000;
/// How long a run may take.
const RUN_MAX: Duration = Duration::from_secs(40);
/// How far a device must have gone before it counts as moving, in micrometres.
const MOVED: i64 = 1_000;
/// The simulated devices with our protocol restart in the middle of the first command that takes its time.
const RESTARTS: &str = "restart@1";
/// How long a device is watched after the run.
const AFTER: Duration = Duration::from_millis(2_200);
/// How long the machine seems to sleep.
const NAP: Duration = Duration::from_secs(3);
/// How long a connection of a flapping link lasts, and how long it is gone.
const FLAP: Duration = Duration::from_millis(250);
/// Bytes at the start of a model file that say what it is; all behind them are weights.
const HEAD: usize = 1 << 20;

/// A device and what it is told to do.
struct Subject {
    name: &'static str,
    simulator: &'static str,
    goal: &'static str,
    /// What is wrong with it from the start.
    faults: &'static str,
}

/// The lamp says what it did three seconds late, so that there is a middle to strike in. It has topics of its own, and its manifest is the
/// example of the template.
const DEVICES: [Subject; 3] = [
    Subject {
        name: "arm",
        simulator: "arm",
        goal: "set the speed to 0.1 m/s and then move the arm 40 cm to the left",
        faults: "",
    },
    Subject {
        name: "base",
        simulator: "base",
        goal: "drive the robot forward by 1 meter",
        faults: "",
    },
    Subject {
        name: LAMP,
        simulator: "zigbee-lamp",
        goal: "turn on the lamp and then set the brightness of the lamp to 40 %",
        faults: "slow",
    },
];
const LAMP: &str = "lamp";

/// When a fault strikes, and whether anything may move.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    /// Before the run; nothing may move.
    Before,
    /// Before the run; what moves stays in its bounds.
    Throughout,
    /// While the device moves; it must come to rest.
    Moving,
}

/// A fault with its declared outcome: the statuses that may be reported.
struct Case {
    name: &'static str,
    when: When,
    ends: &'static [&'static str],
}

const CASES: [Case; 15] = [
    case("broker-gone", When::Moving, &["failed"]),
    case("device-silent", When::Moving, &["failed"]),
    case("device-restarts", When::Moving, &["failed", "done"]),
    case("stale-state", When::Moving, &["failed"]),
    case("state-out-of-range", When::Moving, &["failed"]),
    case("state-not-a-number", When::Moving, &["failed"]),
    case("link-flaps", When::Moving, &["failed"]),
    case("link-slow", When::Throughout, &["done", "failed"]),
    case("model-hangs", When::Before, &["environment"]),
    case(
        "model-garbage",
        When::Throughout,
        &["environment", "needs_answer", "no_tool", "refused", "failed", "done"],
    ),
    case("hook-crashes", When::Before, &["refused"]),
    case("hook-hangs", When::Before, &["refused"]),
    case("disk-full", When::Before, &["environment"]),
    case("clock-jumps", When::Moving, &["failed"]),
    case("kernel-killed", When::Moving, &["killed"]),
];

const fn case(name: &'static str, when: When, ends: &'static [&'static str]) -> Case {
    Case { name, when, ends }
}

/// What was seen.
struct Seen {
    status: String,
    reason: String,
    /// From the fault to the device's last movement; `None` where it did not move after the fault, or never.
    safe_ms: Option<u128>,
    /// From the fault to the end of the run.
    ended_ms: u128,
    moved: bool,
    commands: usize,
    complaint: Option<String>,
}

/// Breaks everything, or what is named, and prints a table.
pub fn faults(devices: &[String], names: &[String], printer: Printer) -> Result<u8, Trouble> {
    known("device", devices, &DEVICES.each_ref().map(|device| device.name))?;
    known("fault", names, &CASES.each_ref().map(|case| case.name))?;
    let wanted = |list: &[String], name: &str| list.is_empty() || list.iter().any(|word| word == name);
    let port = broker::start().map_err(|error| Trouble::environment(error.to_string()))?;
    let (mut rows, mut lines, mut bad) = (Vec::new(), Vec::new(), 0);
    lines.push(format!(
        "{:<20} {:<6} {:<13} {:>8} {:>9}  what was reported",
        "fault", "device", "ended", "safe ms", "ended ms"
    ));
    for case in CASES.iter().filter(|case| wanted(names, case.name)) {
        for subject in DEVICES.iter().filter(|subject| wanted(devices, subject.name)) {
            let seen = Stage::new(port, subject, case)?.play()?;
            bad += usize::from(seen.complaint.is_some());
            lines.push(line(case, subject.name, &seen));
            rows.push(json!({
                "fault": case.name, "device": subject.name, "status": seen.status, "safe_ms": seen.safe_ms, "ended_ms": seen.ended_ms,
                "moved": seen.moved, "commands": seen.commands, "reason": seen.reason, "complaint": seen.complaint,
            }));
        }
    }
    lines.push(format!(
        "{} runs, {bad} not as declared; safe within {SAFE_MS_MAX} ms is a heartbeat and half a second",
        rows.len()
    ));
    printer.answer(&json!({ "safe_ms_max": SAFE_MS_MAX, "bad": bad, "runs": rows }), &lines);
    Ok(u8::from(bad > 0))
}

fn known(what: &str, given: &[String], all: &[&str]) -> Result<(), Trouble> {
    match given.iter().find(|word| !all.contains(&word.as_str())) {
        Some(word) => Err(Trouble::usage(format!(
            "there is no {what} \"{word}\" here; known are {}",
            all.join(", ")
        ))),
        None => Ok(()),
    }
}

fn line(case: &Case, device: &str, seen: &Seen) -> String {
    let safe = match (seen.safe_ms, seen.moved) {
        (Some(ms), _) => ms.to_string(),
        (None, true) => "0".to_owned(),
        (None, false) => "unmoved".to_owned(),
    };
    let said = seen.complaint.as_ref().map_or_else(
        || seen.reason.clone(),
        |complaint| format!("NOT AS DECLARED: {complaint}; {}", seen.reason),
    );
    format!(
        "{:<20} {device:<6} {:<13} {safe:>8} {:>9}  {said}",
        case.name, seen.status, seen.ended_ms
    )
}

/// One run's world: a workspace with one device, the device, and the wires to the broker.
struct Stage<'a> {
    case: &'a Case,
    folder: PathBuf,
    host_wire: Proxy,
    device_wire: Proxy,
    device: Watched,
    subject: &'a Subject,
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        // Nothing of a person's is in it.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl<'a> Stage<'a> {
    fn new(port: u16, subject: &'a Subject, case: &'a Case) -> Result<Stage<'a>, Trouble> {
        let name = subject.name;
        let folder = std::env::temp_dir().join(format!(
            "llmos-bench-faults-{}-{name}-{}",
            std::process::id(),
            case.name
        ));
        workspace::init(&folder)?;
        let devices = folder.join("devices");
        for other in ["arm", "base", "greenhouse"].iter().filter(|other| **other != name) {
            std::fs::remove_file(devices.join(format!("{other}.md"))).map_err(|error| fails(&folder, &error))?;
        }
        if name == LAMP {
            std::fs::copy(devices.join("examples/zigbee2mqtt-lamp.md"), devices.join("lamp.md"))
                .map_err(|error| fails(&folder, &error))?;
        }
        let (host_wire, device_wire) = (wire(port)?, wire(port)?);
        let simulator = Simulator::parse(subject.simulator)
            .ok_or_else(|| Trouble::failed(format!("there is no simulated \"{}\"", subject.simulator)))?;
        let named = DeviceName::parse(name).map_err(|error| Trouble::failed(error.to_string()))?;
        let spec = if case.name == "device-restarts" && name != LAMP {
            RESTARTS
        } else {
            subject.faults
        };
        let spoilt = Faults::parse(spec).map_err(|error| Trouble::failed(error.to_string()))?;
        let device = Watched::start(simulator, named, BrokerUrl::local(device_wire.port()), spoilt)
            .map_err(|error| Trouble::environment(format!("the simulated {name} does not start: {error}")))?;
        Ok(Stage {
            case,
            folder,
            host_wire,
            device_wire,
            device,
            subject,
        })
    }

    /// Carries out the goal, breaks what is to be broken, and looks on.
    fn play(self) -> Result<Seen, Trouble> {
        let goal = self.subject.goal;
        let mut command = self.command(goal)?;
        if self.case.name == "link-slow" {
            self.host_wire.slow(Duration::from_millis(120));
        }
        let mut child = command
            .spawn()
            .map_err(|error| Trouble::environment(format!("this program can't be started again: {error}")))?;
        let mut struck = Instant::now();
        if self.case.when == When::Moving && self.moves(&mut child) {
            struck = self.strike(&child);
        }
        let printed = self.wait(&mut child);
        let ended = Instant::now();
        std::thread::sleep(AFTER);
        let record = self.device.record();
        let killed = self.case.name == "kernel-killed";
        let report: Value = serde_json::from_str(&printed).unwrap_or_default();
        let text = |key: &str| report[key].as_str().unwrap_or_default().to_owned();
        let mut seen = Seen {
            status: if killed { "killed".to_owned() } else { text("status") },
            reason: text("reason"),
            safe_ms: last_move(&record, struck).map(|at| at.duration_since(struck).as_millis()),
            ended_ms: ended.duration_since(struck).as_millis(),
            moved: has_moved(&record),
            commands: record.commands,
            complaint: None,
        };
        if killed {
            seen.reason = self.after_kill(goal)?;
        }
        seen.complaint = self.complaint(&seen, &record);
        Ok(seen)
    }

    /// The run, with what is broken from the start.
    fn command(&self, goal: &str) -> Result<Command, Trouble> {
        let program = std::env::current_exe()
            .map_err(|error| Trouble::environment(format!("this program can't be started again: {error}")))?;
        let mut command = Command::new(program);
        command.args(["run", "--json", "--broker"]);
        command.arg(format!("mqtt://127.0.0.1:{}", self.host_wire.port()));
        command.arg("--workspace").arg(&self.folder);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let write = |name: &str, text: &[u8]| {
            std::fs::write(self.folder.join(name), text).map_err(|error| fails(&self.folder, &error))
        };
        match self.case.name {
            "model-hangs" => {
                write("llmos.toml", b"model_timeout = \"1s\"\n")?;
                command.env(seam::VARIABLE, "hang:model:1");
            }
            "model-garbage" => {
                write("garbage.gguf", &garbage())?;
                command.arg("--model").arg(self.folder.join("garbage.gguf"));
            }
            "hook-crashes" => self.hook("kill -9 $$", write)?,
            "hook-hangs" => self.hook("exec sleep 60", write)?,
            "disk-full" => {
                command.env(seam::VARIABLE, "full:1+");
            }
            _ => {}
        }
        command.arg(goal);
        Ok(command)
    }

    fn hook(&self, script: &str, write: impl Fn(&str, &[u8]) -> Result<(), Trouble>) -> Result<(), Trouble> {
        write("hook", format!("#!/bin/sh\n{script}\n").as_bytes())?;
        let hooks =
            "programs = [\"./hook\"]\n[[pre_tool_use]]\nmatcher = \"*\"\ncommand = [\"./hook\"]\ntimeout_ms = 500\n";
        write("hooks.toml", hooks.as_bytes())?;
        executable(&self.folder.join("hook")).map_err(|error| fails(&self.folder, &error))
    }

    /// Waits until the device moves; false where the run ends before.
    fn moves(&self, child: &mut Child) -> bool {
        let until = Instant::now() + RUN_MAX;
        while Instant::now() < until && matches!(child.try_wait(), Ok(None)) {
            if has_moved(&self.device.record()) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }

    /// Breaks it, and says when.
    fn strike(&self, child: &Child) -> Instant {
        let now = Instant::now();
        match self.case.name {
            "broker-gone" => {
                self.host_wire.cut(true);
                self.device_wire.cut(true);
            }
            "device-silent" => self.device.says(Says::Nothing),
            "stale-state" => self.device.says(Says::NoState),
            "state-out-of-range" => self.device.says(Says::Far),
            "state-not-a-number" => self.device.says(Says::NotANumber),
            "device-restarts" => self.device.says(Says::Restart),
            "clock-jumps" => {
                signal(child, "STOP");
                std::thread::sleep(NAP);
                signal(child, "CONT");
            }
            "kernel-killed" => signal(child, "KILL"),
            _ => {}
        }
        now
    }

    /// Waits for the end of the run and returns what it printed; a run that does not end is killed.
    fn wait(&self, child: &mut Child) -> String {
        let (until, begun) = (Instant::now() + RUN_MAX, Instant::now());
        while matches!(child.try_wait(), Ok(None)) {
            if self.case.name == "link-flaps" {
                let gone = begun.elapsed().as_millis() / FLAP.as_millis();
                self.host_wire.cut(gone.is_multiple_of(2));
            }
            if Instant::now() > until {
                let _ = child.kill();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let mut printed = String::new();
        // What can't be read is no report, and no report is not as declared.
        let _ = child.stdout.take().map(|mut out| out.read_to_string(&mut printed));
        printed
    }

    /// What the next run says of the one that was killed.
    fn after_kill(&self, goal: &str) -> Result<String, Trouble> {
        let mut command = self.command(goal)?;
        let output = command.stderr(Stdio::piped()).output();
        let output = output.map_err(|error| Trouble::environment(format!("this program can't be started: {error}")))?;
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let status = report["status"].as_str().unwrap_or("no report").to_owned();
        let said = String::from_utf8_lossy(&output.stderr);
        let broken = said.lines().find(|line| line.contains("broken off"));
        Ok(format!("the next run ends {status}: {}", broken.unwrap_or_default()))
    }

    /// What is not as declared.
    fn complaint(&self, seen: &Seen, record: &Record) -> Option<String> {
        if !self.case.ends.contains(&seen.status.as_str()) {
            return Some(format!("expected {}", self.case.ends.join(" or ")));
        }
        match self.case.when {
            When::Before if seen.moved => Some("the device moved".to_owned()),
            When::Before if seen.commands > 0 => Some(format!("{} commands left", seen.commands)),
            When::Moving if !seen.moved => Some("the device never moved, so nothing was tried".to_owned()),
            When::Moving if seen.status != "done" && seen.safe_ms.is_some_and(|ms| ms > SAFE_MS_MAX) => {
                Some(format!("it moved for more than {SAFE_MS_MAX} ms"))
            }
            _ if record
                .path
                .iter()
                .any(|(_, point)| !is_inside(self.subject.name, *point)) =>
            {
                Some("the device left its bounds".to_owned())
            }
            _ if record.busy => Some("the device is still busy".to_owned()),
            _ => None,
        }
    }
}

fn wire(port: u16) -> Result<Proxy, Trouble> {
    Proxy::to(port).map_err(|error| Trouble::environment(format!("no port is free on 127.0.0.1: {error}")))
}

fn fails(folder: &Path, error: &std::io::Error) -> Trouble {
    Trouble::environment(format!("{}: {error}", folder.display()))
}

/// The bounds that the manifests of the template state, in micrometres, written down once more and apart from the gate.
fn is_inside(device: &str, point: Point) -> bool {
    let [x, y, z] = point.map(|axis| axis / MICRO);
    match device {
        "arm" => x.abs() <= 2 && y.abs() <= 2 && (0..=3).contains(&z),
        // On or off, brightness, tone in mireds.
        LAMP => (0..=1).contains(&x) && (0..=254).contains(&y) && (153..=500).contains(&z),
        _ => x.abs() <= 5 && y.abs() <= 5,
    }
}

fn has_moved(record: &Record) -> bool {
    let Some((_, start)) = record.path.first() else {
        return false;
    };
    let away = |point: &Point| start.iter().zip(point).any(|(from, to)| (to - from).abs() > MOVED);
    record.path.iter().any(|(_, point)| away(point))
}

/// When it last moved after that moment.
fn last_move(record: &Record, since: Instant) -> Option<Instant> {
    record
        .path
        .iter()
        .skip(1)
        .map(|(at, _)| *at)
        .filter(|at| *at > since)
        .max()
}

/// The model in the box with other weights: whatever such a network says, it is no plan for the goal.
fn garbage() -> Vec<u8> {
    let mut bytes = llmos_models::IN_THE_BOX.to_vec();
    let mut chance = llmos_firmware_bridge::sim::Xorshift::new(7);
    for byte in bytes.iter_mut().skip(HEAD) {
        *byte = u8::try_from(chance.below(256)).unwrap_or(0);
    }
    bytes
}

fn signal(child: &Child, name: &str) {
    // Where there is no `kill`, the fault does not strike, and the outcome is not as declared.
    let _ = Command::new("kill")
        .args(["-s", name, &child.id().to_string()])
        .status();
}

#[cfg(unix)]
fn executable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn executable(_: &Path) -> std::io::Result<()> {
    Ok(())
}
