//! `model bench`: what the model costs on this machine, and what each way of saving work is worth; `bench follow` is beside it. It prints
//! figures and judges nothing; goals, tools and pairs of similar goals stand in `bench.json`.
//!
//! Threads are set when a process starts, so each number of threads is a process of its own.

pub mod faults;
pub mod follow;

use crate::config::Config;
use crate::output::Printer;
use crate::shell::model;
use crate::trouble::Trouble;
use llmos_kernel::kernel::{Kernel, Settings};
use llmos_kernel::message::{Answer, Caller, Input, Output, Query, QueryExample, Report, Request};
use llmos_models::{ENVIRONMENT, LocalModel, Shortcuts};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Tokens of a measured prefill, and of a measured decode.
const PREFILL: usize = 256;
const DECODE: usize = 64;

#[derive(Deserialize)]
struct Content {
    tools: Value,
    /// A goal, and a similar one that serves as its worked example.
    goals: Vec<(String, String)>,
}

/// What one process measured.
#[derive(Serialize, Deserialize)]
struct Measured {
    threads: usize,
    load_ms: f64,
    prefill_tokens_per_s: f64,
    decode_tokens_per_s: f64,
    plans: Vec<Row>,
    resident_mb_loaded: Option<f64>,
    resident_mb_after: Option<f64>,
}

/// Goal to checked plan, in one way of working.
#[derive(Serialize, Deserialize)]
struct Row {
    way: String,
    p50_ms: f64,
    p95_ms: f64,
    prompt: f64,
    cached: f64,
    generated: f64,
    forced: f64,
    drafted: f64,
}

/// Runs the bench for each number of threads and prints a table.
pub fn bench(config: &Config, threads: &[usize], rounds: usize, printer: Printer) -> Result<u8, Trouble> {
    let mut all = Vec::new();
    for count in threads {
        all.push(in_process(config, *count, rounds)?);
    }
    let starts = starts(config)?;
    let mut lines = vec![format!(
        "goal to checked plan, 12 tools, {rounds} rounds; from process start to first plan: {:.0} ms (median of {})",
        median(&starts),
        starts.len()
    )];
    for measured in &all {
        lines.push(String::new());
        lines.push(format!(
            "{} thread{}: load {:.0} ms · prefill {:.0} tokens/s · decode {:.0} tokens/s{}",
            measured.threads,
            if measured.threads == 1 { "" } else { "s" },
            measured.load_ms,
            measured.prefill_tokens_per_s,
            measured.decode_tokens_per_s,
            measured
                .resident_mb_after
                .map_or(String::new(), |mb| format!(" · resident {mb:.0} MB")),
        ));
        lines.push(
            "  way                               p50 ms   p95 ms   prompt cached chosen forced drafted".to_owned(),
        );
        for row in &measured.plans {
            lines.push(format!(
                "  {:<32} {:>7.2}  {:>7.2}   {:>6.1} {:>6.1} {:>6.1} {:>6.1} {:>7.1}",
                row.way, row.p50_ms, row.p95_ms, row.prompt, row.cached, row.generated, row.forced, row.drafted
            ));
        }
    }
    printer.answer(
        &json!({ "rounds": rounds, "first_plan_ms": median(&starts), "threads": all }),
        &lines,
    );
    Ok(0)
}

/// The same program again, with so many threads.
fn again(config: &Config) -> Result<Command, Trouble> {
    let program = std::env::current_exe()
        .map_err(|error| Trouble::environment(format!("this program can't be started again: {error}")))?;
    let mut command = Command::new(program);
    command.arg("--json").arg("--workspace").arg(&config.workspace);
    if let Some(path) = &config.model {
        command.arg("--model").arg(path);
    }
    command.stderr(Stdio::inherit());
    Ok(command)
}

fn in_process(config: &Config, threads: usize, rounds: usize) -> Result<Measured, Trouble> {
    let output = again(config)?
        .args(["model", "bench", "--here", "--rounds"])
        .arg(rounds.to_string())
        .env(ENVIRONMENT[0].0, threads.to_string())
        .output();
    let output = output.map_err(|error| Trouble::environment(format!("the bench can't be started: {error}")))?;
    let unread =
        |error: serde_json::Error| Trouble::failed(format!("the bench with {threads} threads failed: {error}"));
    serde_json::from_slice(&output.stdout).map_err(unread)
}

/// Milliseconds from the start of a process to its end with one plan.
fn starts(config: &Config) -> Result<Vec<f64>, Trouble> {
    let content = content()?;
    let failed = |error: std::io::Error| Trouble::environment(format!("the tools can't be handed on: {error}"));
    let folder = std::env::temp_dir().join(format!("llmos-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(failed)?;
    let tools = folder.join("tools.json");
    std::fs::write(&tools, content.tools.to_string()).map_err(failed)?;
    let mut times = Vec::new();
    for (goal, _) in content.goals.iter().take(5) {
        let begun = Instant::now();
        let ended = again(config)?
            .arg("plan")
            .arg("--tools")
            .arg(&tools)
            .arg(goal)
            .stdout(Stdio::null())
            .status();
        ended.map_err(failed)?;
        times.push(ms(begun));
    }
    std::fs::remove_dir_all(&folder).map_err(failed)?;
    Ok(times)
}

/// Measures in this process, and prints JSON for the one that asked.
pub fn here(config: &Config, rounds: usize, printer: Printer) -> Result<u8, Trouble> {
    let begun = Instant::now();
    let mut model = model::open(config.model.as_deref()).map_err(|error| Trouble::environment(error.to_string()))?;
    let load_ms = ms(begun);
    let resident_mb_loaded = resident_mb();
    let threads = std::env::var(ENVIRONMENT[0].0).ok().and_then(|text| text.parse().ok());
    let (prefill, decode) = rates(&mut model)?;
    let plans = plans(&mut model, rounds)?;
    let measured = Measured {
        threads: threads.unwrap_or(0),
        load_ms,
        prefill_tokens_per_s: prefill,
        decode_tokens_per_s: decode,
        plans,
        resident_mb_loaded,
        resident_mb_after: resident_mb(),
    };
    printer.answer(&json!(measured), &[]);
    Ok(0)
}

fn content() -> Result<Content, Trouble> {
    serde_json::from_str(include_str!("bench.json"))
        .map_err(|error| Trouble::failed(format!("the goals of the bench are damaged: {error}")))
}

fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1_000.0
}

/// Tokens a second, all at once and one by one: the best of several runs, since others use this machine too.
fn rates(model: &mut LocalModel) -> Result<(f64, f64), Trouble> {
    let fails = |error: llmos_models::ModelError| Trouble::environment(error.to_string());
    let vocabulary = u32::try_from(model.info().vocabulary).unwrap_or(u32::MAX);
    let tokens: Vec<u32> = (0..256u32).map(|n| (n * 37 + 11) % vocabulary).collect();
    let mut best = (0.0f64, 0.0f64);
    for _ in 0..5 {
        let begun = Instant::now();
        model.compute(&tokens[..PREFILL], PREFILL).map_err(fails)?;
        best.0 = best.0.max(rate(PREFILL, begun));
        let begun = Instant::now();
        model.compute(&tokens[..DECODE], 1).map_err(fails)?;
        best.1 = best.1.max(rate(DECODE, begun));
    }
    Ok(best)
}

fn rate(tokens: usize, since: Instant) -> f64 {
    f64::from(u32::try_from(tokens).unwrap_or(u32::MAX)) / since.elapsed().as_secs_f64()
}

/// Every way of working, on the same goals.
fn plans(model: &mut LocalModel, rounds: usize) -> Result<Vec<Row>, Trouble> {
    let content = content()?;
    let tools = content.tools.to_string();
    let all = Shortcuts::default();
    let mut examples = Vec::new();
    for (goal, past) in &content.goals {
        let known = once(model, &tools, past, None);
        let calls = match known.answer {
            Answer::Calls { calls, .. } => calls,
            _ => Vec::new(),
        };
        let past = past.clone();
        examples.push((goal.as_str(), QueryExample { goal: past, calls }));
    }
    let ways = [
        ("everything", all, false),
        (
            "without jump-forward",
            Shortcuts {
                jump_forward: false,
                ..all
            },
            false,
        ),
        (
            "without the kept tool list",
            Shortcuts {
                kept_prefix: false,
                ..all
            },
            false,
        ),
        ("with an example and its draft", all, true),
        (
            "with an example, without draft",
            Shortcuts { draft: false, ..all },
            true,
        ),
    ];
    let mut rows = Vec::new();
    for (way, shortcuts, with_example) in ways {
        model.set_shortcuts(shortcuts);
        let (mut times, mut tokens) = (Vec::new(), [0u64; 5]);
        for round in 0..=rounds {
            for (goal, example) in &examples {
                let run = once(model, &tools, goal, with_example.then_some(example));
                // The first round warms up.
                if round > 0 {
                    times.push(run.ms);
                    let spent = run.report.tokens;
                    let parts = [spent.prompt, spent.cached, spent.generated, spent.forced, spent.drafted];
                    tokens
                        .iter_mut()
                        .zip(parts)
                        .for_each(|(sum, part)| *sum += u64::from(part));
                }
            }
        }
        let count = f64::from(u32::try_from(times.len().max(1)).unwrap_or(u32::MAX));
        #[expect(clippy::cast_precision_loss, reason = "counts of tokens")]
        let mean = |index: usize| tokens[index] as f64 / count;
        rows.push(Row {
            way: way.to_owned(),
            p50_ms: quantile(&times, 50),
            p95_ms: quantile(&times, 95),
            prompt: mean(0),
            cached: mean(1),
            generated: mean(2),
            forced: mean(3),
            drafted: mean(4),
        });
    }
    Ok(rows)
}

struct Once {
    ms: f64,
    answer: Answer,
    report: Report,
}

/// One goal through kernel and model, as `plan --tools` sends it, with an example if one is given.
fn once(model: &mut LocalModel, tools: &str, goal: &str, example: Option<&QueryExample>) -> Once {
    let mut kernel = Kernel::new(Settings::default());
    let begun = Instant::now();
    kernel.handle(
        0,
        Input::Goal(Request {
            dry_run: true,
            tools: Some(tools.to_owned()),
            ..Request::new(goal, Caller::Person)
        }),
    );
    let mut last = Answer::Unavailable { why: String::new() };
    loop {
        match kernel.poll() {
            Some(Output::Generate { request, query }) => {
                let example = example.cloned();
                let query = Query { example, ..query };
                last = model::plan(model, &query);
                let answer = last.clone();
                kernel.handle(1, Input::Generated { request, answer });
            }
            Some(Output::Done(report)) => {
                return Once {
                    ms: ms(begun),
                    answer: last,
                    report: *report,
                };
            }
            Some(_) => {}
            // A kernel that waits for anything else is told to stop, so that the bench ends.
            None => kernel.handle(2, Input::Stop { device: None }),
        }
    }
}

/// The time that so many of a hundred do not exceed.
pub fn quantile(times: &[f64], percent: usize) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let index = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

fn median(times: &[f64]) -> f64 {
    quantile(times, 50)
}

/// Memory of this process in megabytes, where the system says so.
fn resident_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes / 1_000.0)
}
