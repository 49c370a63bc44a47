//! What each verb does: goals and devices here, looking at things in `inspect`.

use crate::aboard;
use crate::bench;
use crate::cli::{BenchVerb, Cli, Common, DeviceVerb, EarlierArgs, KeyVerb, PlanArgs, RunArgs, Verb};
use crate::config::{Broker, Config};
use crate::doctor;
use crate::explain;
use crate::inspect;
use crate::keys;
use crate::manifests;
use crate::output::{Printer, plan_json};
use crate::replay;
use crate::shell::devices;
use crate::shell::host::{self, Earlier, Host, Part};
use crate::shell::signals::Signals;
use crate::shell::simulated;
use crate::shell::workspace::{self, Workspace};
use crate::trouble::Trouble;
use llmos_firmware_bridge::io::{SerialAddress, serial};
use llmos_firmware_bridge::sim::Memory;
use llmos_firmware_bridge::topic::DeviceName;
use llmos_kernel::message::{Caller, Fact, Input, Report, Request, Status};
use llmos_kernel::mode::Mode;
use llmos_kernel::tool::Device;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Bytes that a goal may have on the command line.
const GOAL_BYTES_MAX: usize = 4_096;
/// How long a broker may take to answer before a person hears of it.
const KNOCK_MS: u64 = 2_000;
/// How long a device may take to show that a stop or reset has arrived.
const SHOWN_MS: u64 = 3_000;

/// Does what was typed and returns the exit code.
pub async fn run(cli: Cli, printer: Printer) -> Result<u8, Trouble> {
    if let Verb::Init { dir } = &cli.verb {
        workspace::init(dir)?;
        printer.answer(
            &json!({ "workspace": dir.display().to_string() }),
            &[format!(
                "made the workspace {0}; try: llmos --workspace {0} run \"open the gripper\"",
                dir.display()
            )],
        );
        return Ok(0);
    }
    if let Verb::Bench(BenchVerb::Follow { traces, goals }) = cli.verb {
        return bench::follow::follow(traces as usize, goals as usize, printer);
    }
    if let Verb::Bench(BenchVerb::Faults { devices, only }) = &cli.verb {
        return bench::faults::faults(devices, only, printer);
    }
    let config = config(&cli.common)?;
    match cli.verb {
        Verb::Init { .. } | Verb::Bench(_) => Ok(0),
        Verb::Run(args) => run_goals(&config, args, printer).await,
        Verb::Plan(args) => plan(&config, args, printer).await,
        Verb::Replay(args) => replay::replay(&config, args, printer).await,
        Verb::Stop { device } => stop(&config, device, printer).await,
        Verb::Reset { device } => reset(&config, device, printer).await,
        Verb::Skill(verb) => aboard::skill(&config, verb, printer).await,
        Verb::Key(KeyVerb::New { path }) => keys::new(&config.workspace, path, printer),
        Verb::Device(DeviceVerb::Run(args)) => aboard::run(&config, args, printer).await,
        Verb::Device(DeviceVerb::Sim {
            kind,
            name,
            serial,
            flash,
            key,
            alone,
        }) => {
            let memory = Memory { flash, key, alone };
            let name = name.as_deref().unwrap_or(&kind);
            match serial {
                Some(at) => simulate_serial(&config, &kind, name, at, memory, printer).await,
                None => simulate(&config, &kind, name, memory, printer).await,
            }
        }
        Verb::Device(DeviceVerb::Watch { device, seconds }) => {
            watch(&config, device.as_deref(), seconds, printer).await
        }
        Verb::Device(DeviceVerb::Ls) => inspect::devices(&config, printer),
        Verb::Device(DeviceVerb::Check { file }) => manifests::check(&config, file.as_deref(), printer),
        Verb::Trace(verb) => inspect::traces(&config, verb, printer),
        Verb::Policy(verb) => explain::explain(&config, verb, printer),
        Verb::Model(verb) => inspect::model(&config, verb, printer),
        Verb::Journal(verb) => inspect::journal(&config, verb, printer),
        Verb::Doctor => doctor::doctor(&config, printer).await,
    }
}

fn config(common: &Common) -> Result<Config, Trouble> {
    Config::new(common, workspace::find(common.workspace.as_deref())?)
}

/// A goal of the person here, at this time.
pub fn request(goal: &str) -> Request {
    Request {
        date: host::date(),
        minute: host::minute_of_day(),
        ..Request::new(goal, Caller::Person)
    }
}

fn goal_of(words: &[String]) -> Result<String, Trouble> {
    let goal = words.join(" ").trim().to_owned();
    if goal.is_empty() || goal.len() > GOAL_BYTES_MAX {
        return Err(Trouble::usage(format!(
            "a goal has 1 to {GOAL_BYTES_MAX} bytes, this one has {}",
            goal.len()
        )));
    }
    Ok(goal)
}

async fn run_goals(config: &Config, args: RunArgs, printer: Printer) -> Result<u8, Trouble> {
    let mode = args.mode.as_deref().map(|mode| {
        if mode == "learner" {
            Mode::Learner
        } else {
            Mode::Follower
        }
    });
    let form = Request {
        mode,
        dry_run: args.dry_run,
        confirm: args.confirm,
        ..request("")
    };
    let earlier = earlier(args.earlier);
    if args.goal.is_empty() && !args.resume {
        return interactive(config, &form, &earlier, printer).await;
    }
    let goal = if args.resume { None } else { Some(goal_of(&args.goal)?) };
    one(config, goal, form, &earlier, printer).await
}

/// What was said about runs that were broken off.
pub fn earlier(args: EarlierArgs) -> Earlier {
    Earlier {
        settled: args.settled,
        anew: args.anew,
    }
}

/// One goal; none is that of the run that was broken off last.
async fn one(
    config: &Config,
    goal: Option<String>,
    form: Request,
    earlier: &Earlier,
    printer: Printer,
) -> Result<u8, Trouble> {
    let workspace = Workspace::open(&config.workspace, true)?;
    let mut host = Host::online(config, workspace, printer, Part::Acts).await?;
    host.tell(earlier);
    let open = host.kernel().world().intents.last_broken_off();
    let Some(goal) = goal.or_else(|| open.map(|record| record.goal.clone())) else {
        host.close().await;
        return Err(Trouble::environment("no run was broken off that could be taken up"));
    };
    let request = Request { goal, ..form };
    let report = host.goal(request).await?;
    printer.report(&report);
    host.close().await;
    Ok(report.status.exit_code())
}

/// Goals line by line. The exit code is that of the last one.
async fn interactive(config: &Config, form: &Request, earlier: &Earlier, printer: Printer) -> Result<u8, Trouble> {
    let workspace = Workspace::open(&config.workspace, true)?;
    let mut host = Host::online(config, workspace, printer, Part::Acts).await?;
    host.tell(earlier);
    let talks = host.talks();
    if talks {
        printer.line("say what should be done; an empty line ends");
        printer.prompt();
    }
    let mut code = 0;
    while let Some(line) = host.line().await {
        match line {
            Ok(line) if line.trim().is_empty() && talks => break,
            Ok(line) if line.trim().is_empty() => continue,
            Ok(line) => {
                let goal = line.trim().to_owned();
                let (date, minute) = (host::date(), host::minute_of_day());
                let request = Request {
                    goal,
                    date,
                    minute,
                    ..form.clone()
                };
                let report = host.goal(request).await?;
                printer.report(&report);
                code = report.status.exit_code();
            }
            Err(error) => {
                printer.note(&format!("error: {error}; please say it again in UTF-8"));
                code = 2;
            }
        }
        if talks && !host.was_interrupted() {
            printer.prompt();
        }
    }
    host.close().await;
    Ok(code)
}

async fn plan(config: &Config, args: PlanArgs, printer: Printer) -> Result<u8, Trouble> {
    let tools = args.tools.as_deref().map(read).transpose()?;
    let goals = match &args.goals {
        None => vec![goal_of(&args.goal)?],
        Some(path) => {
            let text = if path == Path::new("-") {
                std::io::read_to_string(std::io::stdin()).map_err(|error| Trouble::usage(format!("stdin: {error}")))?
            } else {
                read(path)?
            };
            text.lines().map(str::to_owned).collect()
        }
    };
    let workspace = Workspace::open(&config.workspace, false)?;
    // With tools of their own, plans need no device, and with devices they only look.
    let quiet = Printer { json: true };
    let mut host = if tools.is_some() {
        Host::offline(config, workspace, quiet, Part::Plans)?
    } else {
        let printer = if args.goals.is_some() { quiet } else { printer };
        Host::online(config, workspace, printer, Part::Plans).await?
    };
    let lines = args.goals.is_some() || printer.json;
    let mut code = 0;
    for goal in goals {
        let report = host
            .goal(Request {
                dry_run: true,
                tools: tools.clone(),
                ..request(&goal)
            })
            .await?;
        if args.goals.is_none() {
            code = report.status.exit_code();
        }
        let document = plan_json(&report);
        Printer { json: lines }.answer(&document, &plan_lines(&report, tools.is_some()));
    }
    host.close().await;
    Ok(code)
}

fn plan_lines(report: &Report, outside: bool) -> Vec<String> {
    let mut lines: Vec<String> = if outside {
        report.calls.iter().cloned().collect()
    } else {
        Vec::new()
    };
    lines.push(format!(
        "{}: {} · {} ms · model calls: {}",
        crate::output::status_word(report.status),
        report.reason,
        report.ms,
        report.model_calls
    ));
    lines
}

fn read(path: &Path) -> Result<String, Trouble> {
    std::fs::read_to_string(path).map_err(|error| Trouble::usage(format!("{} can't be read: {error}", path.display())))
}

async fn stop(config: &Config, device: Option<String>, printer: Printer) -> Result<u8, Trouble> {
    shown(config, device.clone(), Input::Stop { device }, true, printer).await
}

async fn reset(config: &Config, device: String, printer: Printer) -> Result<u8, Trouble> {
    shown(config, Some(device.clone()), Input::Reset { device }, false, printer).await
}

/// Sends a stop or reset and waits until the devices' own state shows it.
async fn shown(
    config: &Config,
    device: Option<String>,
    input: Input,
    stopped: bool,
    printer: Printer,
) -> Result<u8, Trouble> {
    let chosen = chosen(config, device.as_deref())?;
    let mut unsent = Vec::new();
    for (name, address) in chosen.iter().filter(|_| stopped).filter_map(lined) {
        // At once: a line needs no broker, and no permission of the program that owns it.
        match serial::stop(&address) {
            Ok(()) => printer.note(&format!("{name}: the stop was sent on {}", address.path)),
            Err(error) => unsent.push(format!("{name}: the stop can't be sent: {error}")),
        }
    }
    let names: Vec<String> = chosen.iter().map(|device| device.name.clone()).collect();
    let workspace = Workspace::open(&config.workspace, false)?;
    let mut host = Host::online(config, workspace, printer, Part::Looks).await?;
    if !stopped {
        // A reset is said once, to a device that is there; a stop is said at once, and again until it is seen.
        host.look_round().await;
    }
    let mut first = Some(input);
    let mut seen = Vec::new();
    for _ in 0..SHOWN_MS / 100 {
        host.carry(first.take(), Duration::from_millis(100)).await;
        let views = &host.kernel().world().views;
        seen = names
            .iter()
            .filter(|name| {
                views
                    .get(*name)
                    .is_some_and(|view| view.at.is_some() && view.state.stopped == stopped)
            })
            .cloned()
            .collect();
        if seen.len() == names.len() {
            break;
        }
    }
    let word = if stopped { "stopped" } else { "released" };
    let views = &host.kernel().world().views;
    let mut lines: Vec<String> = chosen
        .iter()
        .map(|device| {
            let (name, view) = (&device.name, views.get(&device.name));
            // On a line, whoever is not heard was not spoken to either; but a stop was sent in any case.
            let unheard = view.filter(|view| !view.online).and_then(|view| view.why.as_ref());
            match unheard.filter(|_| devices::line(device).is_some()) {
                _ if seen.contains(name) => format!("{name}: {word}, as it reports"),
                Some(why) if stopped => format!("{name}: whether it has stopped is not known here: {why}"),
                Some(why) => format!("{name}: not {word}: {why}"),
                None => format!("{name}: sent, but it does not report that it is {word}"),
            }
        })
        .collect();
    let status = if !unsent.is_empty() {
        Status::Environment
    } else if seen.len() == names.len() {
        Status::Done
    } else {
        Status::Unverified
    };
    lines.extend(unsent);
    printer.answer(&json!({ "status": status, "devices": names, word: seen }), &lines);
    host.close().await;
    Ok(status.exit_code())
}

async fn simulate(config: &Config, kind: &str, name: &str, memory: Memory, printer: Printer) -> Result<u8, Trouble> {
    let Broker::At { url, text } = &config.broker else {
        return Err(Trouble::usage(
            "name the broker that the simulated device connects to, --broker mqtt://localhost:1883, or let it be on a serial line, --serial",
        ));
    };
    let device = DeviceName::parse(name).map_err(|error| Trouble::usage(error.to_string()))?;
    let simulated = simulated::simulator(kind).map_err(Trouble::usage)?;
    let mut signals =
        Signals::new().map_err(|error| Trouble::environment(format!("Ctrl-C can't be received: {error}")))?;
    let handle = simulated::start(config, simulated, device, url, memory).map_err(Trouble::environment)?;
    printer.note(&format!(
        "simulating {kind} as {name} on {text}, scene {}; Ctrl-C ends it",
        config.seed
    ));
    let knock = tokio::net::TcpStream::connect((url.host(), url.port()));
    if let Ok(Err(error)) = tokio::time::timeout(Duration::from_millis(KNOCK_MS), knock).await {
        printer.note(&format!(
            "warning: {text} does not answer yet ({error}); it is tried again and again"
        ));
    }
    signals.next().await;
    handle.stop();
    Ok(0)
}

/// The devices that are meant; those on the embedded broker live only as long as a run.
fn chosen(config: &Config, device: Option<&str>) -> Result<Vec<Device>, Trouble> {
    let (kernel, ..) = inspect::read(config)?;
    let wanted = kernel
        .devices()
        .iter()
        .filter(|known| device.is_none_or(|wanted| wanted == known.name));
    let wanted: Vec<Device> = wanted.cloned().collect();
    if let (Some(device), true) = (device, wanted.is_empty()) {
        let text = format!("there is no device \"{device}\"; see llmos device ls");
        return Err(Trouble::usage(text));
    }
    let embedded = matches!(config.broker, Broker::Embedded(_));
    let reached: Vec<Device> = wanted
        .into_iter()
        .filter(|device| !embedded || devices::line(device).is_some())
        .collect();
    if reached.is_empty() {
        return Err(Trouble::usage(
            "devices on the embedded broker live only as long as a run; press Ctrl-C there, or name a broker with --broker mqtt://host:port",
        ));
    }
    Ok(reached)
}

fn lined(device: &Device) -> Option<(&str, SerialAddress)> {
    Some((&device.name, devices::line(device)?))
}

/// A simulated device on a serial line; `-` stands for a new pseudo-terminal with a name of the system's.
async fn simulate_serial(
    config: &Config,
    kind: &str,
    name: &str,
    at: PathBuf,
    memory: Memory,
    printer: Printer,
) -> Result<u8, Trouble> {
    let device = DeviceName::parse(name).map_err(|error| Trouble::usage(error.to_string()))?;
    let mut signals =
        Signals::new().map_err(|error| Trouble::environment(format!("Ctrl-C can't be received: {error}")))?;
    let at = (at != Path::new("-")).then_some(at);
    let (handle, path) = simulated::start_serial(config, kind, device, at, memory)?;
    printer.answer(
        &json!({ "serial": path }),
        &[format!(
            "simulating {kind} as {name} on {path}, scene {}; in a manifest: connect: {{ serial: {path} }}; Ctrl-C ends it",
            config.seed
        )],
    );
    signals.next().await;
    handle.stop();
    Ok(0)
}

async fn watch(config: &Config, device: Option<&str>, seconds: Option<u64>, printer: Printer) -> Result<u8, Trouble> {
    let workspace = Workspace::open(&config.workspace, false)?;
    let mut host = Host::online(config, workspace, printer, Part::Looks).await?;
    let (mut last, mut rounds) = (String::new(), seconds.map(|seconds| seconds * 5));
    while !host.was_interrupted() && rounds != Some(0) {
        host.carry(None, Duration::from_millis(200)).await;
        rounds = rounds.map(|left| left - 1);
        let views = host
            .kernel()
            .world()
            .views
            .iter()
            .filter(|(name, _)| device.is_none_or(|wanted| wanted == *name));
        let mut now = serde_json::Map::new();
        for (name, view) in views {
            let mut readings = serde_json::Map::new();
            for reading in &view.state.readings {
                let key = if reading.owner.is_empty() {
                    reading.field.clone()
                } else {
                    format!("{}.{}", reading.owner, reading.field)
                };
                readings.insert(key, fact_json(&reading.value));
            }
            now.insert(
                name.clone(),
                json!({ "online": view.online, "why": view.why, "stopped": view.state.stopped, "readings": readings }),
            );
        }
        let text = serde_json::Value::Object(now.clone()).to_string();
        if text != last {
            let lines: Vec<String> = now.iter().map(|(name, view)| format!("{name} {view}")).collect();
            printer.answer(&json!(now), &lines);
            last = text;
        }
    }
    host.close().await;
    Ok(0)
}

fn fact_json(fact: &Fact) -> serde_json::Value {
    let number = |micro: i64| serde_json::from_str(&llmos_kernel::goal::print_number(micro)).unwrap_or(json!(micro));
    match fact {
        Fact::Bool(truth) => json!(truth),
        Fact::Number(micro) => number(*micro),
        Fact::Point(point) => json!(point.map(number)),
        Fact::Text(text) => json!(text),
        Fact::Nothing => serde_json::Value::Null,
    }
}
