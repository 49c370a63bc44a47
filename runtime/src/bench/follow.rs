//! `bench follow`: what it costs to find a goal's trace among many, from the words to the first command that leaves the kernel, and what
//! the traces cost when a workspace is opened. The traces are made up, each with words of its own; they go through files, as a person's do.

use super::{ms, quantile, resident_mb};
use crate::output::Printer;
use crate::shell::workspace::{self, Workspace};
use crate::trouble::Trouble;
use llmos_kernel::kernel::{Kernel, Settings};
use llmos_kernel::message::{Caller, Fact, Input, Named, News, Output, Request, State, Status, Verdict};
use llmos_kernel::mode::Mode;
use llmos_kernel::text::trace::{self, Trace, TraceStep};
use llmos_kernel::tool::Type;
use serde_json::json;
use std::time::Instant;

const VERBS: [&str; 20] = [
    "prepare", "inspect", "label", "scan", "polish", "wipe", "shake", "press", "fold", "seal", "weigh", "sort",
    "align", "mark", "cool", "warm", "dust", "cover", "tag", "check",
];
const NOUNS: [&str; 50] = [
    "sample", "tray", "bottle", "lid", "panel", "board", "vial", "sheet", "box", "cap", "ring", "disc", "tube",
    "plate", "frame", "lens", "filter", "sensor", "pump", "valve", "hose", "wheel", "gear", "shaft", "bolt", "spring",
    "magnet", "battery", "fuse", "lamp", "screen", "camera", "speaker", "cable", "plug", "switch", "button", "knob",
    "handle", "hinge", "drawer", "rack", "hook", "clamp", "brush", "sponge", "cloth", "glove", "mask", "apron",
];

/// Measures with this many traces and goals.
pub fn follow(traces: usize, goals: usize, printer: Printer) -> Result<u8, Trouble> {
    let folder = std::env::temp_dir().join(format!("llmos-bench-follow-{}", std::process::id()));
    let measured = measure(&folder, traces, goals);
    // What the bench wrote is the bench's; nothing of a person's is in it.
    let _ = std::fs::remove_dir_all(&folder);
    let measured = measured?;
    let row = |name: &str, times: &[f64]| {
        let at = |percent| quantile(times, percent);
        format!("{name:34} {:8.3} {:8.3} {:8.3} {:8.3}", at(50), at(95), at(99), at(100))
    };
    let lines = [
        format!(
            "{traces} traces: read and indexed in {:.0} ms, {:.0} MB resident more",
            measured.load_ms, measured.more_mb
        ),
        format!("{:34} {:>8} {:>8} {:>8} {:>8}", "ms", "p50", "p95", "p99", "max"),
        row("goal to first command (FOLLOWER)", &measured.follow),
        row("goal to intent on disk, with fsync", &measured.written),
        row("goal that no trace answers", &measured.nothing),
    ];
    let quantiles = |times: &[f64]| json!({ "p50": quantile(times, 50), "p95": quantile(times, 95), "p99": quantile(times, 99), "max": quantile(times, 100) });
    let document = json!({
        "traces": traces, "goals": goals, "load_ms": measured.load_ms, "resident_mb": measured.more_mb,
        "first_command_ms": quantiles(&measured.follow), "intent_on_disk_ms": quantiles(&measured.written), "nothing_ms": quantiles(&measured.nothing),
    });
    printer.answer(&document, &lines);
    Ok(0)
}

struct Measured {
    load_ms: f64,
    more_mb: f64,
    /// From the goal until the command leaves the kernel, less what the disk takes.
    follow: Vec<f64>,
    /// From the goal until its intent is on the disk; the command leaves right after that.
    written: Vec<f64>,
    nothing: Vec<f64>,
}

fn measure(folder: &std::path::Path, traces: usize, goals: usize) -> Result<Measured, Trouble> {
    workspace::init(folder)?;
    let fails = |error: std::io::Error| Trouble::environment(format!("{}: {error}", folder.display()));
    for index in 0..traces {
        let trace = made_up(index);
        std::fs::write(
            folder.join(format!("traces/{}.md", trace.id)),
            trace::print(&trace, "\nMade up.\n"),
        )
        .map_err(fails)?;
    }
    let before = resident_mb().unwrap_or(0.0);
    let begun = Instant::now();
    let mut kernel = Kernel::new(Settings::default());
    let workspace = Workspace::open(folder, true)?;
    for (path, text) in workspace.documents() {
        let text = text.map_err(Trouble::environment)?;
        kernel.handle(0, Input::Document { path, text });
    }
    let load_ms = ms(begun);
    let more_mb = resident_mb().unwrap_or(0.0) - before;
    for device in ["arm", "base", "greenhouse"] {
        let why = "not needed".to_owned();
        let news = if device == "arm" {
            News::Online
        } else {
            News::Offline { why }
        };
        kernel.handle(
            0,
            Input::Device {
                device: device.to_owned(),
                news,
            },
        );
    }
    let (mut follow, mut written, mut nothing) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..goals {
        // A stride that is prime to the number of traces visits them without order.
        let goal = said(round * 7_919 % traces, round);
        let Once { time, disk, mode } = once(&mut kernel, &workspace, &goal)?;
        if mode != Some(Mode::Follower) {
            return Err(Trouble::failed(format!("\"{goal}\" was not followed")));
        }
        follow.push(time);
        written.push(disk);
        let Once { time, mode, .. } = once(&mut kernel, &workspace, &format!("{goal} and wave"))?;
        if mode == Some(Mode::Follower) {
            return Err(Trouble::failed(format!("\"{goal} and wave\" was followed")));
        }
        nothing.push(time);
    }
    Ok(Measured {
        load_ms,
        more_mb,
        follow,
        written,
        nothing,
    })
}

/// The words that tell one trace from all others.
fn words(index: usize) -> String {
    let (verb, rest) = (VERBS[index % VERBS.len()], index / VERBS.len());
    let (noun, rest) = (NOUNS[rest % NOUNS.len()], rest / NOUNS.len());
    let (other, series) = (NOUNS[rest % NOUNS.len()], rest / NOUNS.len());
    let series = if series == 0 {
        String::new()
    } else {
        format!(" of series q{series}")
    };
    format!("{verb} {noun} behind {other}{series}")
}

fn made_up(index: usize) -> Trace {
    let words = words(index);
    let slot = |name: &str, kind: &str| Type::parse(kind).ok().map(|kind| (name.to_owned(), kind));
    let slots = [
        slot("distance", "length"),
        slot("direction", "left|right|forward|back|up|down"),
    ];
    Trace {
        id: format!("{}-{index:05x}", words.replace(' ', "-")),
        goal: said(index, 0),
        patterns: vec![format!("{words} and move arm {{distance}} {{direction}}")],
        slots: slots.into_iter().flatten().collect(),
        start: Vec::new(),
        steps: vec![TraceStep::new(
            "arm",
            "move",
            ["direction", "distance"]
                .map(|name| (name.to_owned(), format!("{{{name}}}")))
                .to_vec(),
        )],
        status: Status::Done,
        mode: Mode::Learner,
        created: "2026-01-01T00:00:00Z".to_owned(),
        manifests: Vec::new(),
        digest: None,
        variant_of: None,
        cost: None,
        ended: None,
    }
}

/// A goal for a trace, with values of its own.
fn said(index: usize, round: usize) -> String {
    let direction = ["left", "right", "up"][round % 3];
    format!("{} and move the arm {} cm {direction}", words(index), round % 20 + 1)
}

/// What one goal took, in milliseconds, and its mode.
struct Once {
    /// Until a command leaves the kernel or a model would be asked, less what the disk took.
    time: f64,
    /// Until the intent was on the disk.
    disk: f64,
    mode: Option<Mode>,
}

fn once(kernel: &mut Kernel, workspace: &Workspace, goal: &str) -> Result<Once, Trouble> {
    kernel.handle(
        0,
        Input::Device {
            device: "arm".to_owned(),
            news: News::State(at_home()),
        },
    );
    while kernel.poll().is_some() {}
    let request = Request::new(goal, Caller::Person);
    let begun = Instant::now();
    let (mut time, mut disk, mut waited) = (None, 0.0, 0.0);
    kernel.handle(1, Input::Goal(request));
    loop {
        match kernel.poll() {
            Some(Output::Hook { request, .. }) => kernel.handle(
                1,
                Input::Verdict {
                    request,
                    verdict: Verdict::Pass,
                },
            ),
            Some(Output::Command { .. } | Output::Generate { .. }) => {
                time.get_or_insert_with(|| ms(begun) - waited);
                kernel.handle(1, Input::Stop { device: None });
            }
            // Only the first is on the way to the command; what follows belongs to the end of the run.
            Some(Output::Append { request, path, line }) if time.is_none() => {
                let before = ms(begun);
                workspace.append(&path, &line).map_err(Trouble::environment)?;
                disk = ms(begun);
                waited += disk - before;
                kernel.handle(1, Input::Stored { request, error: None });
            }
            Some(Output::Store { request, .. } | Output::Amend { request, .. } | Output::Append { request, .. }) => {
                kernel.handle(1, Input::Stored { request, error: None });
            }
            Some(Output::Done(report)) => {
                let time = time.unwrap_or_else(|| ms(begun));
                let mode = report.mode;
                return Ok(Once { time, disk, mode });
            }
            Some(_) => {}
            None => kernel.handle(1, Input::Stop { device: None }),
        }
    }
}

fn at_home() -> State {
    let own = |field: &str, value: Fact| Named {
        owner: String::new(),
        field: field.to_owned(),
        value,
    };
    let text = |word: &str| Fact::Text(word.to_owned());
    State {
        progress: None,
        stopped: false,
        account: None,
        readings: vec![
            own("position", Fact::Point([800_000, 0, 1_200_000])),
            own("gripper", text("open")),
            own("holding", Fact::Nothing),
            own("tool", text("off")),
            own("speed", Fact::Number(500_000)),
        ],
    }
}
