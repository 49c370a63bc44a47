//! The only place that prints. A terminal sees lines as things happen; with `--json` stdout gets one document at the end and nothing
//! else. It must not decide anything.
use llmos_kernel::follow::show;
use llmos_kernel::message::{Event, Report, Status};
use llmos_kernel::mode::Mode;
use serde_json::{Value, json};
use std::io::{self, Write};

/// A line on stdout. Where nobody reads any more there is nobody to tell, and a device in motion is not left for that.
fn say(text: impl std::fmt::Display) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Speaks to a person or a program.
#[derive(Clone, Copy, Debug)]
pub struct Printer {
    /// Whether stdout is for one JSON document.
    pub json: bool,
}

impl Printer {
    /// A line for a person.
    pub fn line(self, text: &str) {
        if !self.json {
            say(text);
        }
    }

    /// Asks for a line.
    pub fn prompt(self) {
        if !self.json {
            let mut out = io::stdout().lock();
            let _ = write!(out, "> ").and_then(|()| out.flush());
        }
    }

    /// A JSON document, or the lines for a person.
    pub fn answer(self, document: &Value, lines: &[String]) {
        if self.json {
            say(document);
        } else {
            lines.iter().for_each(say);
        }
    }

    /// A line that is for a person in either case.
    #[expect(clippy::unused_self, reason = "whoever speaks does so through a printer")]
    pub fn note(self, text: &str) {
        let _ = writeln!(io::stderr(), "{text}");
    }

    /// Why there is nothing else to say.
    pub fn trouble(self, trouble: &crate::trouble::Trouble) {
        self.note(&format!("error: {}", trouble.message));
        if self.json {
            let status = match trouble.code {
                2 => "usage",
                1 => "failed",
                3 => "refused",
                _ => "environment",
            };
            say(json!({ "status": status, "reason": trouble.message }));
        }
    }

    /// Something that happened.
    pub fn event(self, event: &Event) {
        match event {
            Event::Mode { mode, reason } => {
                let model = if matches!(mode, Mode::Follower | Mode::Crystallized) {
                    ", no model"
                } else {
                    ""
                };
                self.line(&format!("mode  {mode}{model}: {reason}"));
            }
            Event::Planned { plan } => {
                for (number, call) in (1..).zip(&plan.calls) {
                    self.line(&format!("plan  {number}. {call}"));
                    for argument in &call.arguments {
                        self.line(&format!(
                            "         {} = {}  <- {}",
                            argument.parameter, argument.value, argument.source
                        ));
                    }
                }
            }
            Event::CallBegins { call, text } => self.line(&format!("step  {}. {text}", call + 1)),
            Event::CommandSent { text, leg, legs, .. } => {
                let part = if *legs > 1 {
                    format!("  (leg {} of {legs})", leg + 1)
                } else {
                    String::new()
                };
                self.line(&format!("        gate pass, sent {text}{part}"));
            }
            Event::Paced { text, ms, .. } => self.line(&format!("        waits {ms} ms: {text}")),
            Event::Acknowledged { ms, .. } => self.line(&format!("        acknowledged after {ms} ms")),
            Event::StepObserved { text, observed, .. } => {
                self.line(&format!("        {text}: {}", observed_text(*observed)));
            }
            Event::CallObserved { call, observed } => {
                self.line(&format!("      {}. {}", call + 1, observed_text(*observed)));
            }
            Event::Reading { device, readings } => {
                let list: Vec<String> = readings
                    .iter()
                    .map(|named| format!("{} {}", named.field, show(&named.value)))
                    .collect();
                self.line(&format!("        {device} reports: {}", list.join(", ")));
            }
            Event::Learned { trace, pattern } => self.line(&format!("learn {trace} answers to \"{pattern}\", too")),
            Event::TakenUp { run, call, calls, how } => {
                self.line(&format!("taken up at step {} of {calls} ({run}): {how}", call + 1));
            }
            Event::BrokenOff { outcome, text, .. } if outcome.wants_a_look() => self.note(&format!("warning: {text}")),
            // A run's own document is on stdout, and these are about another one.
            Event::BrokenOff { text, .. } | Event::HandedOver { text, .. } => self.note(&format!("note: {text}")),
            Event::Warning { text } => self.note(&format!("warning: {text}")),
        }
    }

    /// How a run ended.
    pub fn report(self, report: &Report) {
        if self.json {
            say(report_json(report));
            return;
        }
        say(report_line(report));
    }
}

/// How a run ended, in a line.
pub fn report_line(report: &Report) -> String {
    let reason = if report.status == Status::Done && report.steps.iter().any(|step| step.observed.is_some()) {
        String::new()
    } else {
        format!(": {}", report.reason)
    };
    let trace = report
        .trace
        .as_ref()
        .map(|id| format!(" · trace traces/{id}.md"))
        .unwrap_or_default();
    let digest = report
        .digest
        .as_ref()
        .map(|digest| format!(" · digest {digest}"))
        .unwrap_or_default();
    let seconds = format!("{}.{:01} s", report.ms / 1_000, report.ms % 1_000 / 100);
    let calls = match report.model_calls {
        1 => "1 model call".to_owned(),
        n => format!("{n} model calls"),
    };
    format!(
        "{}{reason} · {seconds} · {calls}{trace}{digest}",
        status_word(report.status)
    )
}

fn observed_text(observed: llmos_follower::Observed) -> &'static str {
    match observed {
        llmos_follower::Observed::Met => "observed: the device's state proves it",
        llmos_follower::Observed::Read => "read",
        llmos_follower::Observed::Skipped => "skipped",
        llmos_follower::Observed::Unverified => "unverified: acknowledged, but nothing can be read back",
    }
}

/// The word for a status, as the contract has it.
pub fn status_word(status: Status) -> String {
    serde_json::to_value(status)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// `run --json`.
pub fn report_json(report: &Report) -> Value {
    let steps: Vec<Value> = report
        .steps
        .iter()
        .map(|step| {
            let arguments: serde_json::Map<String, Value> =
                step.arguments.iter().map(|a| (a.parameter.clone(), json!(a.value.to_string()))).collect();
            let provenance: serde_json::Map<String, Value> =
                step.arguments.iter().map(|a| (a.parameter.clone(), json!(a.source.to_string()))).collect();
            let readings: serde_json::Map<String, Value> =
                step.readings.iter().map(|named| (named.field.clone(), json!(show(&named.value)))).collect();
            json!({ "tool": step.tool, "arguments": arguments, "provenance": provenance, "gate": step.gate, "ack_ms": step.ack_ms,
                    "observed": step.observed, "commands": step.commands, "readings": readings })
        })
        .collect();
    json!({ "goal": report.goal, "mode": report.mode, "reason": report.reason, "status": report.status, "steps": steps,
            "question": report.question, "tokens": report.tokens, "model_calls": report.model_calls, "ms": report.ms,
            "trace": report.trace, "digest": report.digest })
}

/// `plan --json`.
pub fn plan_json(report: &Report) -> Value {
    let calls = match &report.calls {
        Some(text) => serde_json::from_str(text).unwrap_or(Value::Null),
        None => report
            .plan
            .calls
            .iter()
            .map(|call| {
                let arguments: serde_json::Map<String, Value> = call
                    .arguments
                    .iter()
                    .map(|a| (a.parameter.clone(), json!(a.value.to_string())))
                    .collect();
                json!({ "name": format!("{}.{}", call.device, call.tool), "arguments": arguments })
            })
            .collect(),
    };
    json!({ "status": report.status, "mode": report.mode, "reason": report.reason, "calls": calls, "question": report.question, "ms": report.ms,
            "tokens": report.tokens, "model_calls": report.model_calls })
}
