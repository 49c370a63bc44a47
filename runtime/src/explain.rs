//! `llmos policy explain`: why a call is allowed or not, and what narrows it: the rules with their lines, the manifest's limits, the hooks. It
//! asks the gate's own code and decides nothing.

use crate::cli::PolicyVerb;
use crate::config::Config;
use crate::inspect;
use crate::output::Printer;
use crate::shell::hooks::Hooks;
use crate::shell::host;
use crate::trouble::Trouble;
use llmos_kernel::goal::print_number;
use llmos_kernel::message::Caller;
use llmos_kernel::policy::rule::{AXES, minute_of, print_minute};
use llmos_kernel::policy::{Asking, Consent, Policy, Ruling};
use llmos_kernel::text::show;
use llmos_kernel::tool::{Device, Tool};
use serde_json::{Value, json};

/// `policy explain`.
pub fn explain(config: &Config, verb: PolicyVerb, printer: Printer) -> Result<u8, Trouble> {
    let PolicyVerb::Explain { who, behalf, at, tool } = verb;
    let minute = match at.as_deref() {
        None => host::minute_of_day(),
        Some(text) => Some(
            minute_of(text).ok_or_else(|| Trouble::usage(format!("--at is a time such as 22:30, found \"{text}\"")))?,
        ),
    };
    let callers = std::iter::once(&who).chain(&behalf);
    let callers = callers
        .map(|word| caller(word))
        .collect::<Result<Vec<Caller>, Trouble>>()?;
    let asking = Asking { callers, minute };
    let (kernel, workspace, _) = inspect::read(config)?;
    let hooks = Hooks::read(workspace.root(), workspace.read("hooks.toml"));
    let policy = &kernel.world().policy;
    let all = kernel
        .devices()
        .iter()
        .flat_map(|device| device.tools.iter().map(move |tool| (device, tool)));
    let chosen: Vec<(&Device, &Tool)> = match &tool {
        None => all.collect(),
        Some(name) => all
            .filter(|(device, tool)| format!("{}.{}", device.name, tool.name) == *name)
            .collect(),
    };
    if let (Some(name), true) = (&tool, chosen.is_empty()) {
        return Err(Trouble::usage(format!(
            "there is no \"{name}\"; name it as DEVICE.TOOL, see llmos device ls"
        )));
    }
    let mut lines = Vec::new();
    let mut rows = Vec::new();
    for (device, shown) in chosen {
        let row = explained(policy, &asking, device, shown, &hooks);
        lines.extend(if tool.is_some() { row.lines() } else { vec![row.line()] });
        rows.push(row.json());
    }
    let found: Vec<String> = policy
        .check(kernel.devices())
        .iter()
        .map(|found| show("policy.toml", found))
        .collect();
    let broken = policy.broken.iter().cloned().chain(hooks.broken().map(str::to_owned));
    let wrong: Vec<String> = broken.chain(found).collect();
    lines.extend(wrong.iter().cloned());
    let who: Vec<&str> = asking.callers.iter().map(|caller| caller.word()).collect();
    let at = minute.map(print_minute);
    printer.answer(
        &json!({ "who": who, "at": at, "tools": rows, "findings": wrong }),
        &lines,
    );
    Ok(u8::from(policy.broken.is_some() || hooks.broken().is_some()))
}

fn caller(word: &str) -> Result<Caller, Trouble> {
    let known = Caller::ALL.into_iter().find(|caller| caller.word() == word);
    known.ok_or_else(|| {
        Trouble::usage(format!(
            "\"{word}\" is nobody; known are person, agent, cron, http, mcp and device"
        ))
    })
}

/// What there is to say about one tool.
struct Row {
    name: String,
    effect: String,
    why: String,
    rules: Vec<String>,
    manifest: Vec<String>,
    hooks: Vec<String>,
}

fn explained(policy: &Policy, asking: &Asking, device: &Device, tool: &Tool, hooks: &Hooks) -> Row {
    let (effect, why, rules) = match policy.ruling(asking, device, tool) {
        Err(why) => ("deny".to_owned(), why, Vec::new()),
        Ok(ruling) => {
            let effect = match ruling.consent {
                Consent::None => "allow".to_owned(),
                Consent::Yes => "confirm".to_owned(),
                Consent::People(count) => format!("confirm by {count} people"),
            };
            let lines: Vec<String> = ruling
                .rules
                .iter()
                .map(|deciding| deciding.rule.place.line.to_string())
                .collect();
            (
                effect,
                format!("policy.toml line {}", lines.join(", ")),
                rules_of(&ruling),
            )
        }
    };
    let hooked = match hooks.broken() {
        Some(why) => vec![why.to_owned()],
        None => hooks.about(&device.name, &tool.name),
    };
    Row {
        name: format!("{}.{}", device.name, tool.name),
        effect,
        why,
        rules,
        manifest: manifest_of(device, tool),
        hooks: hooked,
    }
}

/// The rules that decide, with what they narrow.
fn rules_of(ruling: &Ruling<'_>) -> Vec<String> {
    let rules = ruling.rules.iter().map(|deciding| {
        let (rule, limits) = (deciding.rule, &deciding.rule.limits);
        let about = deciding
            .step
            .map_or_else(String::new, |step| format!(", about its step {step}"));
        let (effect, who) = (rule.effect.word(), deciding.who.word());
        let mut parts = vec![format!("line {}: {effect} for {who}{about}", rule.place.line)];
        let named = limits.parameters.iter();
        parts.extend(named.map(|(name, allowed)| format!("{name} {}", allowed.text())));
        let axes = AXES.iter().zip(limits.bounds);
        let axes = axes.filter_map(|(axis, range)| Some((axis, range?)));
        parts.extend(
            axes.map(|(axis, (low, high))| format!("{axis} {} .. {} m", print_number(low), print_number(high))),
        );
        parts.extend(
            limits
                .speed_max
                .map(|speed| format!("at most {} m/s", print_number(speed))),
        );
        let hours = rule
            .quiet
            .map(|quiet| (print_minute(quiet.from), print_minute(quiet.to)));
        parts.extend(hours.map(|(from, to)| format!("quiet {from}-{to}")));
        parts.join("; ")
    });
    rules.collect()
}

/// What the manifest narrows, and that holds whatever the policy says.
fn manifest_of(device: &Device, tool: &Tool) -> Vec<String> {
    let mut lines = Vec::new();
    for parameter in &tool.parameters {
        if let Some((low, high)) = parameter.limit {
            let (kind, low, high) = (parameter.kind.word(), print_number(low), print_number(high));
            lines.push(format!("{}: {kind} {low} .. {high} in its base unit", parameter.name));
        }
    }
    let envelope = &device.envelope;
    if let Some(bounds) = envelope.bounds {
        let axes = AXES.iter().zip(bounds);
        let axes: Vec<String> = axes
            .map(|(axis, (low, high))| format!("{axis} {} .. {} m", print_number(low), print_number(high)))
            .collect();
        lines.push(format!("bounds: {}", axes.join(", ")));
    }
    lines.extend((!device.zones.is_empty()).then(|| format!("keeps out of: {}", device.zones.join(", "))));
    lines.extend(
        envelope
            .speed_max
            .map(|speed| format!("at most {} m/s", print_number(speed))),
    );
    lines.extend(
        envelope
            .step_max
            .map(|step| format!("legs of at most {} m", print_number(step))),
    );
    lines.extend(tool.confirm.then(|| "a person must agree".to_owned()));
    lines.extend((!tool.offered).then(|| "only macros use it".to_owned()));
    lines
}

impl Row {
    fn line(&self) -> String {
        let hooks = if self.hooks.is_empty() {
            String::new()
        } else {
            format!("; hooks: {}", self.hooks.len())
        };
        format!("{:<24} {:<20} {}{hooks}", self.name, self.effect, self.why)
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("{}: {}; {}", self.name, self.effect, self.why)];
        for (title, rows) in [
            ("policy.toml", &self.rules),
            ("manifest", &self.manifest),
            ("hooks.toml", &self.hooks),
        ] {
            lines.extend(rows.iter().map(|row| format!("  {title}: {row}")));
        }
        lines
    }

    fn json(&self) -> Value {
        json!({
            "tool": self.name, "effect": self.effect, "why": self.why, "rules": self.rules, "manifest": self.manifest, "hooks": self.hooks,
        })
    }
}
