//! Reading `hooks.toml`: what is on the list of programs, which hooks there are, and whether each may be started. A mistake is told with its
//! line and column, and then nothing is allowed.

use llmos_kernel::guard::{self, Budget};
use llmos_kernel::text::Place;
use serde::Deserialize;
use std::ops::Range;
use toml::Spanned;

/// The longest that a hook may be waited for, in milliseconds.
const TIMEOUT_MS_MAX: u64 = 60_000;
/// Hooks in one file.
const HOOKS_MAX: usize = 64;

/// When a hook is asked or told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// Before a command leaves.
    PreToolUse,
    /// When a call was observed.
    PostToolUse,
    /// When a call has failed.
    OnError,
    /// When a stop has been published.
    OnStop,
}

impl When {
    /// Its name in what a program reads.
    pub fn name(self) -> &'static str {
        match self {
            When::PreToolUse => "PreToolUse",
            When::PostToolUse => "PostToolUse",
            When::OnError => "OnError",
            When::OnStop => "OnStop",
        }
    }
}

/// A hook.
#[derive(Clone, Debug)]
pub struct Hook {
    /// Where it begins.
    pub place: Place,
    /// When it is asked.
    pub when: When,
    /// `device.tool`, `device.*` or `*`.
    pub matcher: String,
    /// What it does.
    pub deed: Deed,
}

/// What a hook does.
#[derive(Clone, Debug)]
pub enum Deed {
    /// A program is asked.
    Program {
        /// It and its arguments.
        command: Vec<String>,
        /// How long it may think, in milliseconds.
        timeout_ms: u64,
    },
    /// Refuses words that look like an attack.
    Security,
    /// Refuses what is over a budget.
    Budget(Budget),
    /// Writes every call down.
    Trace,
    /// Writes down what every run cost.
    Cost,
    /// Writes down what was observed, to be read by people.
    Memory,
}

impl Deed {
    /// It in words.
    pub fn text(&self) -> String {
        match self {
            Deed::Program { command, timeout_ms } => format!("{command:?} within {timeout_ms} ms"),
            Deed::Security => "security".to_owned(),
            Deed::Budget(budget) => format!("budget {budget:?}"),
            Deed::Trace => "trace".to_owned(),
            Deed::Cost => "cost".to_owned(),
            Deed::Memory => "memory".to_owned(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    programs: Vec<String>,
    #[serde(default)]
    pre_tool_use: Vec<Spanned<Written>>,
    #[serde(default)]
    post_tool_use: Vec<Spanned<Written>>,
    #[serde(default)]
    on_error: Vec<Spanned<Written>>,
    #[serde(default)]
    on_stop: Vec<Spanned<Written>>,
}

/// A hook as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default = "all")]
    matcher: Spanned<String>,
    command: Option<Spanned<Vec<String>>>,
    timeout_ms: Option<Spanned<u64>>,
    builtin: Option<Spanned<Builtin>>,
    budget: Option<Budget>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Builtin {
    Security,
    Budget,
    Trace,
    Cost,
    Memory,
}

fn all() -> Spanned<String> {
    Spanned::new(0..0, "*".to_owned())
}

/// What is wrong, and from which byte on.
type Mistake = (Range<usize>, String);

/// Reads the file.
pub fn read(text: &str) -> Result<Vec<Hook>, (Place, String)> {
    let place = |span: &Range<usize>| Place::of_byte(text, span.start);
    let file: File =
        toml::from_str(text).map_err(|error| (place(&error.span().unwrap_or_default()), error.message().to_owned()))?;
    let groups = [
        (When::PreToolUse, file.pre_tool_use),
        (When::PostToolUse, file.post_tool_use),
        (When::OnError, file.on_error),
        (When::OnStop, file.on_stop),
    ];
    let mut hooks = Vec::new();
    for (when, written) in groups {
        for hook in written {
            let at = place(&hook.span());
            let hook = read_hook(when, hook, &file.programs, at).map_err(|(span, why)| (place(&span), why))?;
            hooks.push(hook);
        }
    }
    if hooks.len() > HOOKS_MAX {
        return Err((
            Place { line: 1, column: 1 },
            format!("there are {} hooks, at most {HOOKS_MAX} are read", hooks.len()),
        ));
    }
    // Built-ins and programs are asked in the order of the file.
    hooks.sort_by_key(|hook| hook.place);
    Ok(hooks)
}

fn read_hook(when: When, written: Spanned<Written>, programs: &[String], place: Place) -> Result<Hook, Mistake> {
    let span = written.span();
    let written = written.into_inner();
    let matcher = written.matcher.get_ref();
    let parts: Vec<&str> = matcher.split('.').collect();
    if matcher != "*" && (parts.len() != 2 || parts.iter().any(|part| part.is_empty()) || parts.first() == Some(&"*")) {
        let why = format!("a matcher is \"*\", \"DEVICE.*\" or \"DEVICE.TOOL\", found \"{matcher}\"");
        return Err((written.matcher.span(), why));
    }
    if when == When::OnStop && matcher != "*" && parts.get(1) != Some(&"*") {
        return Err((
            written.matcher.span(),
            "a stop is about a device: \"*\" or \"DEVICE.*\"".to_owned(),
        ));
    }
    let deed = match (written.command, written.builtin) {
        (Some(command), None) => {
            guard::check_command(programs, command.get_ref()).map_err(|why| (command.span(), why))?;
            let timeout = written.timeout_ms.unwrap_or_else(|| Spanned::new(0..0, 2_000));
            let timeout_ms = *timeout.get_ref();
            if !(1..=TIMEOUT_MS_MAX).contains(&timeout_ms) {
                return Err((
                    timeout.span(),
                    format!("timeout_ms is 1 to {TIMEOUT_MS_MAX}, found {timeout_ms}"),
                ));
            }
            Deed::Program {
                command: command.into_inner(),
                timeout_ms,
            }
        }
        (None, Some(builtin)) => {
            if let Some(timeout) = written.timeout_ms {
                return Err((timeout.span(), "a built-in has no timeout".to_owned()));
            }
            built_in(when, &builtin, written.budget)?
        }
        _ => return Err((span, "a hook has either a command or a builtin".to_owned())),
    };
    if written.budget.is_some() && !matches!(deed, Deed::Budget(_)) {
        return Err((span, "budget = { .. } belongs to builtin = \"budget\"".to_owned()));
    }
    Ok(Hook {
        place,
        when,
        matcher: matcher.clone(),
        deed,
    })
}

fn built_in(when: When, builtin: &Spanned<Builtin>, budget: Option<Budget>) -> Result<Deed, Mistake> {
    let only = |wanted: &[When], deed: Deed| {
        if wanted.contains(&when) {
            return Ok(deed);
        }
        let names: Vec<&str> = wanted.iter().map(|when| when.name()).collect();
        Err((builtin.span(), format!("this one works for {}", names.join(", "))))
    };
    match builtin.get_ref() {
        Builtin::Security => only(&[When::PreToolUse], Deed::Security),
        Builtin::Budget => match budget.filter(|budget| !budget.is_empty()) {
            Some(budget) => only(&[When::PreToolUse], Deed::Budget(budget)),
            None => Err((
                builtin.span(),
                "a budget limits something: budget = { commands_per_hour = 100 }".to_owned(),
            )),
        },
        Builtin::Trace => Ok(Deed::Trace),
        Builtin::Cost => only(&[When::PreToolUse], Deed::Cost),
        Builtin::Memory => only(&[When::PostToolUse, When::OnError], Deed::Memory),
    }
}
