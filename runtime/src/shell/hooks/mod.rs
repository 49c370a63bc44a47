//! Hooks (`hooks.toml`): programs and built-ins that are asked before a command leaves, and told what became of it. They can only tighten. A
//! crash, a timeout, garbage, a missing program or a broken file denies.

mod builtin;
mod file;
mod program;

pub use builtin::Books;
pub use file::When;

use file::{Deed, Hook};
use llmos_kernel::message::{Aftermath, Fact, Verdict};
use llmos_kernel::text::Place;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The hooks of a workspace, or why they deny everything.
#[derive(Clone, Debug)]
pub struct Hooks {
    /// Where a hook runs, and what a path in its command starts from.
    folder: PathBuf,
    hooks: Result<Vec<Hook>, String>,
}

/// What hooks are asked about.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Before, after, failed or stopped.
    pub when: When,
    /// The device.
    pub device: String,
    /// The tool; empty for a stop.
    pub tool: String,
    /// The arguments of a command; empty for what is no command.
    pub arguments: Vec<(String, Fact)>,
    /// What else a program gets to read.
    pub more: Value,
}

impl Subject {
    /// What became of a call.
    pub fn of(what: Aftermath) -> Subject {
        let call: Vec<String> = what
            .arguments
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        Subject {
            when: if what.observed.is_some() {
                When::PostToolUse
            } else {
                When::OnError
            },
            more: json!({ "call": format!("({})", call.join(", ")), "observed": what.observed, "why": what.why }),
            device: what.device,
            tool: what.tool,
            arguments: Vec::new(),
        }
    }

    /// What a program reads on stdin.
    fn json(&self) -> Value {
        let mut document = json!({
            "event": self.when.name(), "device": self.device, "tool": self.tool, "arguments": self.arguments,
        });
        if let (Value::Object(document), Value::Object(more)) = (&mut document, &self.more) {
            document.extend(more.clone());
        }
        document
    }
}

impl Hooks {
    /// Reads `hooks.toml`; no file means no hooks, a broken one denies everything.
    pub fn read(folder: &Path, text: Option<Result<String, String>>) -> Hooks {
        let broken = |Place { line, column }: Place, why: &str| {
            format!("hooks.toml:{line}:{column}: {why}; nothing is allowed until this is mended")
        };
        let hooks = match text {
            None => Ok(Vec::new()),
            Some(Err(error)) => Err(format!("hooks.toml can't be read, so nothing is allowed: {error}")),
            Some(Ok(text)) => file::read(&text).map_err(|(place, why)| broken(place, &why)),
        };
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        Hooks { folder, hooks }
    }

    /// Why everything is denied, if it is.
    pub fn broken(&self) -> Option<&str> {
        self.hooks.as_ref().err().map(String::as_str)
    }

    /// These hooks and others: what either denies is denied.
    pub fn and(self, others: &Hooks) -> Hooks {
        let hooks = self.hooks.and_then(|mut hooks| {
            hooks.extend(others.hooks.clone()?);
            Ok(hooks)
        });
        Hooks { hooks, ..self }
    }

    /// Whether a built-in keeps the ledger of costs.
    pub fn counts(&self) -> bool {
        let counts = |hook: &Hook| matches!(hook.deed, Deed::Cost | Deed::Budget(_));
        self.hooks.as_ref().is_ok_and(|hooks| hooks.iter().any(counts))
    }

    /// The hooks about a tool of a device, as lines for a person.
    pub fn about(&self, device: &str, tool: &str) -> Vec<String> {
        let hooks = self.hooks.iter().flatten();
        let about = hooks.filter(|hook| hook.when != When::OnStop && matches(&hook.matcher, device, tool));
        about
            .map(|hook| format!("line {}: {} {}", hook.place.line, hook.when.name(), hook.deed.text()))
            .collect()
    }

    fn matching(&self, subject: &Subject) -> Result<Vec<Hook>, String> {
        let hooks = self.hooks.as_ref().map_err(Clone::clone)?;
        let fits = |hook: &&Hook| hook.when == subject.when && matches(&hook.matcher, &subject.device, &subject.tool);
        Ok(hooks.iter().filter(fits).cloned().collect())
    }

    /// Asks the built-ins that match, in order; the first denial ends it. They read and write the workspace's books.
    pub fn ask_builtins(&self, books: &mut Books, subject: &Subject) -> Verdict {
        let denied = self.matching(subject).and_then(|hooks| {
            let mut hooks = hooks.iter();
            hooks.try_for_each(|hook| books.ask(&hook.deed, subject))
        });
        denied.map_or_else(|why| Verdict::Deny { why }, |()| Verdict::Pass)
    }

    /// Whether a program has to be asked.
    pub fn has_programs(&self, subject: &Subject) -> bool {
        let programs = |hooks: Vec<Hook>| hooks.iter().any(|hook| matches!(hook.deed, Deed::Program { .. }));
        self.matching(subject).is_ok_and(programs)
    }

    /// Asks every program that matches, in order; the first denial ends it.
    pub async fn ask(self, subject: Subject) -> Verdict {
        let hooks = match self.matching(&subject) {
            Ok(hooks) => hooks,
            Err(why) => return Verdict::Deny { why },
        };
        let input = subject.json().to_string();
        for hook in hooks {
            let Deed::Program { command, timeout_ms } = hook.deed else {
                continue;
            };
            let timeout = Duration::from_millis(timeout_ms);
            let verdict = tokio::time::timeout(timeout, program::run(&self.folder, &command, &input)).await;
            let late = || Err(format!("{command:?} did not answer within {timeout_ms} ms"));
            if let Err(why) = verdict.unwrap_or_else(|_| late()) {
                return Verdict::Deny { why };
            }
        }
        Verdict::Pass
    }
}

fn matches(matcher: &str, device: &str, tool: &str) -> bool {
    matcher == "*" || matcher == format!("{device}.*") || (!tool.is_empty() && matcher == format!("{device}.{tool}"))
}

#[cfg(test)]
mod tests;
