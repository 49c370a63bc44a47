//! What the rules come to for one call: whose right is asked for, which rules decide, what they narrow and who must agree. It must not know
//! geometry or programs: that is the gate's (`policy`).

use super::rule::{AXES, Allowed, Effect, Policy, Rule, print_minute};
use super::{check_range, show_number};
use crate::goal::Dimension;
use crate::message::{Caller, Request};
use crate::plan::{Given, PlannedCall};
use crate::tool::{Body, Device, Parameter, Tool, Type};
use llmos_follower::{Millis, Offer, Point, Symbol, Value};

/// Who asks, on whose behalf, and when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asking {
    /// Who asks, then on whose behalf, up to who began it. Each must be allowed to: a child has no right that its parent lacks.
    pub callers: Vec<Caller>,
    /// The local time of day, in minutes since midnight; `None` where nobody knows it.
    pub minute: Option<u16>,
}

impl Asking {
    /// Who asks for a run, `elapsed` milliseconds after it was asked for.
    #[must_use]
    pub fn of(request: &Request, elapsed: Millis) -> Asking {
        let elapsed = u16::try_from(elapsed / 60_000 % 1_440).unwrap_or(0);
        Asking {
            callers: std::iter::once(request.who)
                .chain(request.parents.iter().copied())
                .collect(),
            minute: request.minute.map(|minute| (minute + elapsed) % 1_440),
        }
    }
}

/// Who must agree to a call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Consent {
    /// Nobody.
    #[default]
    None,
    /// Whoever is at the terminal.
    Yes,
    /// So many different people, by name.
    People(u8),
}

/// What the rules come to, where they do not deny.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ruling<'p> {
    /// Who must agree.
    pub consent: Consent,
    /// The rules that decide: for each caller that of the call, and those that name a step of it.
    pub rules: Vec<Deciding<'p>>,
}

/// A rule that has a say in a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deciding<'p> {
    /// For whom.
    pub who: Caller,
    /// The rule.
    pub rule: &'p Rule,
    /// The step of a macro that it names; `None` where it is about the call itself.
    pub step: Option<&'p str>,
}

/// The steps of a tool: itself, or what a macro is made of.
pub(super) fn steps_of(tool: &Tool) -> impl Iterator<Item = &str> {
    let steps: &[_] = match &tool.body {
        Body::Primitive => &[],
        Body::Macro(steps) => steps,
    };
    steps.iter().map(|step| step.tool.as_str())
}

impl Policy {
    /// The rule that decides about a tool for a caller.
    #[must_use]
    pub fn rule_for(&self, who: Caller, device: &str, tool: &str) -> Option<&Rule> {
        let fits = |pattern: &str, name: &str| pattern == "*" || pattern == name;
        let mut rules = self.rules.iter();
        rules.find(|rule| rule.who.contains(&who) && fits(&rule.device, device) && fits(&rule.tool, tool))
    }

    /// What the rules come to for a call of this tool.
    ///
    /// A rule that names a tool, and not `*`, also holds where that tool is a step of a macro: it can take away, and not give.
    ///
    /// # Errors
    /// Why it is denied, in words.
    pub fn ruling<'p>(&'p self, asking: &Asking, device: &Device, tool: &'p Tool) -> Result<Ruling<'p>, String> {
        if let Some(why) = &self.broken {
            return Err(why.clone());
        }
        if asking.callers.is_empty() {
            return Err("nobody asks for it".to_owned());
        }
        let mut ruling = Ruling::default();
        for who in asking.callers.iter().copied() {
            let what = format!("{}.{}", device.name, tool.name);
            let rule = self.rule_for(who, &device.name, &tool.name);
            let rule = rule.ok_or_else(|| {
                format!(
                    "policy.toml does not allow {} {what}: no rule fits; add one if it should be allowed",
                    who.word()
                )
            })?;
            ruling.take(asking, Deciding { who, rule, step: None }, &what)?;
            for step in steps_of(tool) {
                let named = self.rule_for(who, &device.name, step).filter(|rule| rule.tool != "*");
                let named = named.map(|rule| Deciding {
                    who,
                    rule,
                    step: Some(step),
                });
                if let Some(deciding) = named.filter(|deciding| !ruling.rules.contains(deciding)) {
                    ruling.take(asking, deciding, &format!("{what}, which uses {}.{step}", device.name))?;
                }
            }
        }
        if tool.confirm {
            ruling.consent = ruling.consent.max(Consent::Yes);
        }
        Ok(ruling)
    }
}

impl<'p> Ruling<'p> {
    fn take(&mut self, asking: &Asking, deciding: Deciding<'p>, what: &str) -> Result<(), String> {
        let rule = deciding.rule;
        let (who, line) = (deciding.who.word(), rule.place.line);
        let consent = match (rule.effect, rule.people) {
            (Effect::Deny, _) => {
                return Err(format!(
                    "policy.toml does not allow {who} {what}: the rule in line {line} denies it"
                ));
            }
            (Effect::Allow, _) => Consent::None,
            (Effect::Confirm, 0) => Consent::Yes,
            (Effect::Confirm, people) => Consent::People(people),
        };
        if let Some(quiet) = rule.quiet {
            let hours = format!("{}-{}", print_minute(quiet.from), print_minute(quiet.to));
            match asking.minute {
                None => {
                    return Err(format!(
                        "policy.toml line {line}: {what} has quiet hours ({hours}), and the time of day is not known"
                    ));
                }
                Some(minute) if quiet.holds_at(minute) => {
                    let now = print_minute(minute);
                    return Err(format!(
                        "policy.toml line {line} does not allow {who} {what} now: quiet hours {hours}, and it is {now}"
                    ));
                }
                Some(_) => {}
            }
        }
        self.consent = self.consent.max(consent);
        self.rules.push(deciding);
        Ok(())
    }

    /// Whether a planned call lies within what the rules narrow.
    ///
    /// # Errors
    /// The rule, the limit and the value, in words.
    pub fn check_call(&self, device: &Device, tool: &Tool, call: &PlannedCall) -> Result<(), String> {
        for Deciding { rule, .. } in self.rules.iter().filter(|deciding| deciding.step.is_none()) {
            let speeds = call.arguments.iter().filter_map(|argument| match argument.value {
                Given::Quantity(Dimension::Speed, micro) => Some(micro),
                _ => None,
            });
            rule.check_speed(speeds.max_by_key(|micro| micro.unsigned_abs()))?;
            for (name, allowed) in &rule.limits.parameters {
                let line = |why: String| format!("policy.toml line {}: {why}", rule.place.line);
                let Some(parameter) = tool.parameters.iter().find(|parameter| parameter.name == *name) else {
                    let step = |step: &str| {
                        device
                            .tool(step)
                            .is_some_and(|step| step.parameters.iter().any(|p| p.name == *name))
                    };
                    // A rule for many tools limits those that have the parameter; one for this tool means something that is not there.
                    if rule.tool == tool.name && !steps_of(tool).any(step) {
                        return Err(line(format!(
                            "{}.{} has no parameter \"{name}\" to limit",
                            device.name, tool.name
                        )));
                    }
                    continue;
                };
                let argument = call.arguments.iter().find(|argument| argument.parameter == *name);
                let argument = argument.ok_or_else(|| line(format!("{name} is limited, so it must be said")))?;
                let primitive = tool.body == Body::Primitive;
                allowed
                    .check_given(parameter, &argument.value, primitive)
                    .map_err(line)?;
            }
        }
        Ok(())
    }

    /// The rules that have a say in a command with this tool.
    fn about(&self, tool: &Tool) -> impl Iterator<Item = &Deciding<'p>> {
        let rules = self.rules.iter();
        rules.filter(|deciding| deciding.step.is_none_or(|step| step == tool.name))
    }

    /// Whether a motion of this tool may end there.
    ///
    /// # Errors
    /// The rule, the axis and its range, in words.
    pub fn check_end(&self, tool: &Tool, end: Point) -> Result<(), String> {
        for Deciding { rule, .. } in self.about(tool) {
            for ((axis, range), at) in AXES.iter().zip(rule.limits.bounds).zip(end) {
                if let Some((low, high)) = range
                    && !(low..=high).contains(&at)
                {
                    let (line, at) = (rule.place.line, show_number(at));
                    let (low, high) = (show_number(low), show_number(high));
                    return Err(format!(
                        "policy.toml line {line}: {axis} = {at} m is outside {low} .. {high} m"
                    ));
                }
            }
        }
        Ok(())
    }

    /// Whether a command of this call lies within what the rules narrow.
    ///
    /// # Errors
    /// The rule, the limit and the value, in words.
    pub fn check_offer(&self, call: &Tool, tool: &Tool, offer: &Offer, speed: Option<i64>) -> Result<(), String> {
        offer.target.map_or(Ok(()), |end| self.check_end(tool, end))?;
        for Deciding { rule, step, .. } in self.about(tool) {
            let line = |why: String| format!("policy.toml line {}: {why}", rule.place.line);
            rule.check_speed(speed)?;
            for (name, allowed) in &rule.limits.parameters {
                // What the call itself says was compared as it was said; a place by name is coordinates by now.
                let said = step.is_none() && call.parameters.iter().any(|parameter| parameter.name == *name);
                let parameter = tool.parameters.iter().find(|parameter| parameter.name == *name);
                let value = offer.arguments.iter().find(|(symbol, _)| *symbol == Symbol::of(name));
                let (Some(parameter), Some((_, value))) = (parameter, value) else {
                    continue;
                };
                if said && (call.name != tool.name || matches!(value, Value::Point(_))) {
                    continue;
                }
                allowed.check_value(parameter, *value).map_err(line)?;
            }
        }
        Ok(())
    }
}

impl Rule {
    fn check_speed(&self, speed: Option<i64>) -> Result<(), String> {
        match (self.limits.speed_max, speed) {
            (Some(limit), Some(speed)) if speed.unsigned_abs() > limit.unsigned_abs() => {
                let (line, limit) = (self.place.line, show_number(limit));
                Err(format!("policy.toml line {line}: faster than {limit} m/s"))
            }
            _ => Ok(()),
        }
    }
}

impl Allowed {
    /// A value of a plan. What a run computes only later is checked in the command, which exists only where the call is one.
    fn check_given(&self, parameter: &Parameter, value: &Given, primitive: bool) -> Result<(), String> {
        let name = &parameter.name;
        match (self, value) {
            (_, Given::Result(_)) if primitive => Ok(()),
            (Allowed::Quantity(wanted, ..), Given::Quantity(found, micro)) if wanted == found => {
                self.check_micro(parameter, *micro)
            }
            (Allowed::Number(..), Given::Number(micro)) => self.check_micro(parameter, *micro),
            (
                Allowed::Words(words),
                Given::Option(word) | Given::Entity(word) | Given::Named(word) | Given::Text(word),
            ) => one_of(name, words, word),
            (Allowed::Words(words), Given::Boolean(truth)) => one_of(name, words, &truth.to_string()),
            _ => Err(format!(
                "{name} is limited to {}, and {value} can't be compared with that",
                self.text()
            )),
        }
    }

    /// A value of a command.
    fn check_value(&self, parameter: &Parameter, value: Value) -> Result<(), String> {
        match (self, value) {
            (Allowed::Quantity(..) | Allowed::Number(..), Value::Number(micro)) => self.check_micro(parameter, micro),
            (Allowed::Words(words), Value::Symbol(symbol)) if words.iter().any(|word| Symbol::of(word) == symbol) => {
                Ok(())
            }
            (Allowed::Words(words), Value::Bool(truth)) => one_of(&parameter.name, words, &truth.to_string()),
            _ => Err(format!("{} is limited to {}", parameter.name, self.text())),
        }
    }

    fn check_micro(&self, parameter: &Parameter, micro: i64) -> Result<(), String> {
        let range = match (self, &parameter.kind) {
            (Allowed::Quantity(wanted, low, high), Type::Quantity(found)) if wanted == found => (*low, *high),
            (Allowed::Number(low, high), Type::Number | Type::Integer) => (*low, *high),
            _ => {
                return Err(format!(
                    "{} is a {} and can't be limited to {}",
                    parameter.name,
                    parameter.kind.word(),
                    self.text()
                ));
            }
        };
        check_range(&parameter.name, &parameter.kind, Some(range), Value::Number(micro))
    }

    /// It in words.
    #[must_use]
    pub fn text(&self) -> String {
        use crate::goal::print_quantity;
        match self {
            Allowed::Quantity(dimension, low, high) => {
                format!(
                    "{} .. {}",
                    print_quantity(*dimension, *low),
                    print_quantity(*dimension, *high)
                )
            }
            Allowed::Number(low, high) => format!("{} .. {}", show_number(*low), show_number(*high)),
            Allowed::Words(words) => words.join(", "),
        }
    }
}

fn one_of(name: &str, words: &[String], word: &str) -> Result<(), String> {
    if words.iter().any(|known| known == word) {
        return Ok(());
    }
    Err(format!("{name} = {word} is none of {}", words.join(", ")))
}
