//! Verbs that only look: devices, traces, the model and journals. They read files and print; nothing moves.

use crate::bench;
use crate::cli::{JournalVerb, ModelVerb, TraceVerb};
use crate::config::{Config, IN_THE_BOX};
use crate::output::{Printer, status_word};
use crate::shell::disk;
use crate::shell::journal;
use crate::shell::model;
use crate::shell::workspace::Workspace;
use crate::trouble::Trouble;
use llmos_follower::program::{CALLS_MAX, CODE_MAX, STEPS_MAX};
use llmos_follower::wire;
use llmos_kernel::check;
use llmos_kernel::compile;
use llmos_kernel::kernel::{Kernel, Settings};
use llmos_kernel::message::{Input, Status};
use llmos_kernel::text::trace::read_with_places;
use llmos_kernel::text::{has_errors, show};
use llmos_kernel::tool::{Connect, Device, Tool};
use serde_json::json;
use std::path::Path;

/// A kernel that has read the workspace, and what could not be read.
pub fn read(config: &Config) -> Result<(Kernel, Workspace, Vec<String>), Trouble> {
    let workspace = Workspace::open(&config.workspace, false)?;
    let mut kernel = Kernel::new(Settings::default());
    let mut unreadable = Vec::new();
    for (path, text) in workspace.documents() {
        match text {
            Ok(text) => kernel.handle(0, Input::Document { path, text }),
            Err(error) => unreadable.push(format!("{path}:1:1: error: {error}")),
        }
    }
    Ok((kernel, workspace, unreadable))
}

/// `device ls`.
pub fn devices(config: &Config, printer: Printer) -> Result<u8, Trouble> {
    let (kernel, _, _) = read(config)?;
    let mut lines = Vec::new();
    let mut documents = Vec::new();
    for device in kernel.devices() {
        let way = way(device);
        lines.push(format!("{}  {}  ({way})", device.name, device.description));
        let tools: Vec<String> = device.tools.iter().filter(|tool| tool.offered).map(signature).collect();
        lines.extend(tools.iter().map(|tool| format!("    {tool}")));
        documents.push(json!({ "device": device.name, "description": device.description, "connect": way, "simulator": device.simulator, "tools": tools }));
    }
    printer.answer(&json!({ "devices": documents }), &lines);
    Ok(0)
}

/// How a device is reached.
fn way(device: &Device) -> String {
    match &device.connect {
        Connect::Native => "mqtt".to_owned(),
        Connect::Serial { path, baud } => format!("serial {path}, {baud} baud"),
        Connect::Foreign(_) => "mqtt, with topics of its own".to_owned(),
    }
}

fn signature(tool: &Tool) -> String {
    let parameters: Vec<String> = tool
        .parameters
        .iter()
        .map(|p| format!("{}{}: {}", p.name, if p.required { "" } else { "?" }, p.kind.word()))
        .collect();
    format!("{}({})  {}", tool.name, parameters.join(", "), tool.does)
}

/// `trace ls|show|check|compile|rm`.
pub fn traces(config: &Config, verb: TraceVerb, printer: Printer) -> Result<u8, Trouble> {
    let (kernel, workspace, unreadable) = read(config)?;
    match verb {
        TraceVerb::Ls => {
            list_traces(&kernel, printer);
            Ok(0)
        }
        TraceVerb::Show { id } => {
            let text = workspace.read(&format!("traces/{id}.md"));
            let text = text.ok_or_else(|| no_trace(&id))?.map_err(Trouble::environment)?;
            printer.answer(&json!({ "id": id, "text": text }), &[text.trim_end().to_owned()]);
            Ok(0)
        }
        TraceVerb::Check { id } => {
            if let Some(id) = id
                .as_ref()
                .filter(|id| workspace.read(&format!("traces/{id}.md")).is_none())
            {
                return Err(no_trace(id));
            }
            Ok(check_traces(&kernel, &workspace, unreadable, id.as_deref(), printer))
        }
        TraceVerb::Compile { id, out } => compile_trace(&kernel, &workspace, &id, out.as_deref(), printer),
        TraceVerb::Rm { id } => {
            if workspace.read(&format!("traces/{id}.md")).is_none() {
                return Err(no_trace(&id));
            }
            let owned = Workspace::open(&config.workspace, true)?;
            owned.remove(&format!("traces/{id}.md")).map_err(Trouble::environment)?;
            let line = format!("removed {id}; its goal will be planned anew");
            printer.answer(&json!({ "removed": id }), &[line]);
            Ok(0)
        }
    }
}

fn list_traces(kernel: &Kernel, printer: Printer) {
    let (mut lines, mut documents) = (Vec::new(), Vec::new());
    for trace in kernel.traces().iter() {
        let uses = kernel.world().uses.iter().filter(|entry| entry.trace == trace.id);
        let good = uses.clone().filter(|entry| entry.status == Status::Done).count();
        let uses = uses.count();
        lines.push(format!(
            "{}  {}  {good} of {uses} succeeded  \"{}\"",
            trace.id,
            status_word(trace.status),
            trace.patterns.join("\", \"")
        ));
        documents.push(
            json!({ "id": trace.id, "goal": trace.goal, "patterns": trace.patterns, "status": trace.status,
                               "mode": trace.mode, "uses": uses, "successes": good }),
        );
    }
    let synonyms = kernel.traces().synonyms();
    let synonyms: Vec<_> = synonyms
        .map(|synonym| {
            let (one, other, deed) = (synonym.one.join(" "), synonym.other.join(" "), synonym.deed.join(", "));
            lines.push(format!(
                "\"{one}\" = \"{other}\" for {deed}, as {} shows",
                synonym.trace
            ));
            json!({ "words": [one, other], "deed": deed, "trace": synonym.trace })
        })
        .collect();
    printer.answer(&json!({ "traces": documents, "synonyms": synonyms }), &lines);
}

fn check_traces(
    kernel: &Kernel,
    workspace: &Workspace,
    unreadable: Vec<String>,
    id: Option<&str>,
    printer: Printer,
) -> u8 {
    let wanted = |path: &str| path.starts_with("traces/") && id.is_none_or(|id| path == format!("traces/{id}.md"));
    let unreadable = unreadable.into_iter();
    let mut lines: Vec<String> = unreadable
        .filter(|line| line.split(':').next().is_some_and(wanted))
        .collect();
    let mut errors = lines.len();
    let mut followable = 0;
    for (path, found) in kernel.findings().iter().filter(|(path, _)| wanted(path)) {
        let mut found = found.clone();
        let text = workspace.read(path).and_then(Result::ok);
        if let Some((trace, places)) = text.and_then(|text| read_with_places(&text).0) {
            found.extend(check::trace(kernel.world(), &trace, &places));
            followable += usize::from(trace.status == Status::Done && !has_errors(&found));
        }
        errors += found.iter().filter(|diagnostic| diagnostic.is_error()).count();
        lines.extend(found.iter().map(|diagnostic| show(path, diagnostic)));
    }
    lines.push(format!("{followable} traces can be followed, {errors} errors"));
    printer.answer(&json!({ "errors": errors, "findings": lines }), &lines);
    u8::from(errors > 0)
}

fn compile_trace(
    kernel: &Kernel,
    workspace: &Workspace,
    id: &str,
    out: Option<&Path>,
    printer: Printer,
) -> Result<u8, Trouble> {
    let path = format!("traces/{id}.md");
    let text = workspace.read(&path).ok_or_else(|| no_trace(id))?;
    let text = text.map_err(|error| Trouble::environment(format!("{path}: {error}")))?;
    let (trace, mut found) = read_with_places(&text);
    let program = trace.and_then(|(trace, places)| {
        let compiled = compile::compile_trace(kernel.devices(), &trace, &places);
        compiled
            .map(|program| (trace, program))
            .map_err(|wrong| found.extend(wrong))
            .ok()
    });
    let Some((trace, program)) = program else {
        let lines: Vec<String> = found.iter().map(|diagnostic| show(&path, diagnostic)).collect();
        printer.answer(&json!({ "trace": id, "findings": lines }), &lines);
        return Ok(1);
    };
    let mut buffer = vec![0; wire::BYTES_MAX];
    let bytes = wire::encode(&program, &mut buffer);
    let bytes = bytes.map_err(|reject| Trouble::failed(format!("{path}: the program can't be written: {reject:?}")))?;
    if let Some(out) = out {
        let trouble = |error| Trouble::environment(format!("{} can't be written: {error}", out.display()));
        disk::store(out, bytes).map_err(trouble)?;
    }
    let text = compile::spelled(&kernel.world().names, &trace, &program);
    let (steps, calls, code) = (program.steps.len(), program.calls.len(), program.code.len());
    let slots = trace.slots.iter().enumerate();
    let mut lines: Vec<String> = slots
        .map(|(index, (name, kind))| format!("slot{index} is {{{name}}}, {}", kind.word()))
        .collect();
    lines.push(text.trim_end().to_owned());
    lines.push(format!(
        "{} bytes; {steps} of {STEPS_MAX} steps, {calls} of {CALLS_MAX} calls, {code} of {CODE_MAX} operations",
        bytes.len()
    ));
    let document =
        json!({ "trace": id, "bytes": bytes.len(), "steps": steps, "calls": calls, "code": code, "text": text });
    printer.answer(&document, &lines);
    Ok(0)
}

fn no_trace(id: &str) -> Trouble {
    Trouble::environment(format!("there is no trace \"{id}\"; see llmos trace ls"))
}

/// `model ls|show|score|bench`.
pub fn model(config: &Config, verb: ModelVerb, printer: Printer) -> Result<u8, Trouble> {
    let fails = |error: llmos_models::ModelError| Trouble::environment(error.to_string());
    match verb {
        ModelVerb::Ls => {
            let mut lines = vec![format!("{IN_THE_BOX}  in the box")];
            lines.extend(
                config
                    .model
                    .iter()
                    .map(|path| format!("{}  configured", path.display())),
            );
            printer.answer(&json!({ "models": lines }), &lines);
        }
        ModelVerb::Show => {
            let loaded = model::open(config.model.as_deref()).map_err(fails)?;
            let info = loaded.info();
            let lines = vec![
                format!("name          {}", info.name),
                format!(
                    "architecture  {}{}",
                    info.architecture,
                    if info.plans {
                        ", made to plan"
                    } else {
                        ", plans by writing JSON"
                    }
                ),
                format!("parameters    {}, {}", info.parameters, info.quantisation),
                format!(
                    "context       {} tokens, vocabulary {}",
                    info.context_max, info.vocabulary
                ),
                format!("file          {} bytes, sha256 {}", info.file_bytes, info.digest),
            ];
            printer.answer(&json!(info), &lines);
        }
        ModelVerb::Bench { rounds, here: true, .. } => return bench::here(config, rounds.into(), printer),
        ModelVerb::Bench { threads, rounds, .. } => return bench::bench(config, &threads, rounds.into(), printer),
        ModelVerb::Score { gguf, tokens } => {
            let mut loaded = model::open(Some(&gguf)).map_err(fails)?;
            let scores = loaded.score(&tokens).map_err(fails)?;
            let lines: Vec<String> = tokens
                .iter()
                .skip(1)
                .zip(&scores)
                .map(|(token, score)| format!("{token}  {score:.6}"))
                .collect();
            printer.answer(&json!({ "tokens": tokens, "logprobs": scores }), &lines);
        }
    }
    Ok(0)
}

/// `journal verify`.
pub fn journal(config: &Config, verb: JournalVerb, printer: Printer) -> Result<u8, Trouble> {
    let JournalVerb::Verify { file } = verb;
    let read = journal::verify(&file, &config.workspace);
    match read.map_err(|error| Trouble::environment(format!("{} can't be read: {error}", file.display())))? {
        Ok(verified) => {
            let line = format!(
                "verified: {} inputs executed again gave the same {} outputs, byte for byte",
                verified.inputs, verified.outputs
            );
            printer.answer(
                &json!({ "status": "done", "inputs": verified.inputs, "outputs": verified.outputs }),
                &[line],
            );
            Ok(0)
        }
        Err(mismatch) => Err(Trouble::failed(format!("{}: {mismatch}", file.display()))),
    }
}
