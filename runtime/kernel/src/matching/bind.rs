//! A trace's steps with its slots filled from a goal.

use super::pattern::{Piece, Said};
use crate::goal::Meaning;
use crate::plan::{Argument, Given, Plan, PlannedCall, Source};
use crate::text::trace::{Trace, TraceStep, slot_of};
use crate::tool::{Device, Parameter, Type};

/// Why a trace that fits gives no plan.
pub(super) enum Unbound {
    /// A slot could be several things.
    Ask(String),
    /// A device, tool or name is not there.
    Unknown,
}

/// The plan of a trace whose slots are filled by these pieces.
pub(super) fn bind(
    trace: &Trace,
    bound: &[(&str, &Piece)],
    said: Said<'_>,
    devices: &[Device],
) -> Result<Plan, Unbound> {
    let filling = Filling { bound, said, devices };
    let calls = trace.steps.iter().map(|step| {
        let compensate = step.compensate.iter().map(|step| filling.call(step));
        Ok(PlannedCall {
            compensate: compensate.collect::<Result<_, _>>()?,
            ..filling.call(step)?
        })
    });
    Ok(Plan {
        calls: calls.collect::<Result<_, _>>()?,
        start: trace.start.clone(),
    })
}

struct Filling<'a> {
    bound: &'a [(&'a str, &'a Piece)],
    said: Said<'a>,
    devices: &'a [Device],
}

impl Filling<'_> {
    /// A step as a call, its arguments in the order of the tool's parameters.
    fn call(&self, step: &TraceStep) -> Result<PlannedCall, Unbound> {
        let mut call = PlannedCall::new(&step.device, &step.tool, Vec::new());
        call.options = step.options.clone();
        if step.options.wait.is_some() {
            return Ok(call);
        }
        let device = self.devices.iter().find(|device| device.name == step.device);
        let tool = device
            .and_then(|device| device.tool(&step.tool))
            .ok_or(Unbound::Unknown)?;
        let given = |name: &str| tool.parameters.iter().any(|parameter| parameter.name == name);
        if step.arguments.iter().any(|(name, _)| !given(name)) {
            return Err(Unbound::Unknown);
        }
        for parameter in &tool.parameters {
            let given = step.arguments.iter().find(|(name, _)| *name == parameter.name);
            if let Some((_, text)) = given {
                call.arguments.push(self.argument(text, parameter)?);
            }
        }
        Ok(call)
    }

    fn argument(&self, text: &str, parameter: &Parameter) -> Result<Argument, Unbound> {
        let (value, source) = match slot_of(text) {
            None => (
                Given::parse(text, &parameter.kind).map_err(|_| Unbound::Unknown)?,
                Source::Trace,
            ),
            Some(slot) => {
                let mut bound = self.bound.iter();
                let (_, piece) = bound.find(|(known, _)| *known == slot).ok_or(Unbound::Unknown)?;
                let words = self.said.goal.text.get(piece.start..piece.end).unwrap_or_default();
                let value = value(piece, self.said, &parameter.kind, text.starts_with("start of "))?;
                (
                    value,
                    Source::Slot {
                        name: slot.to_owned(),
                        words: words.to_owned(),
                    },
                )
            }
        };
        Ok(Argument {
            parameter: parameter.name.clone(),
            value,
            source,
        })
    }
}

/// A trace with the values that another plan took from the goal, by the names of their slots. `None` where one is missing.
pub(super) fn bind_again(trace: &Trace, plan: &Plan, devices: &[Device]) -> Option<Plan> {
    let known = |slot: &str| {
        let mut arguments = plan.calls.iter().flat_map(|call| &call.arguments);
        arguments.find(|argument| matches!(&argument.source, Source::Slot { name, .. } if name == slot))
    };
    let calls = trace.steps.iter().map(|step| {
        let tool = devices
            .iter()
            .find(|device| device.name == step.device)?
            .tool(&step.tool)?;
        let arguments = step.arguments.iter().map(|(name, text)| {
            let parameter = tool.parameters.iter().find(|parameter| parameter.name == *name)?;
            let (value, source) = match slot_of(text) {
                None => (Given::parse(text, &parameter.kind).ok()?, Source::Trace),
                Some(_) if text.starts_with("start of ") => return None,
                Some(slot) => {
                    let argument = known(slot)?;
                    let value = match (&argument.value, &parameter.kind) {
                        (Given::Entity(name) | Given::Named(name), Type::Entity) => Given::Entity(name.clone()),
                        (Given::Entity(name) | Given::Named(name), Type::Place | Type::Point) => {
                            Given::Named(name.clone())
                        }
                        (value, _) => value.clone(),
                    };
                    (value, argument.source.clone())
                }
            };
            Some(Argument {
                parameter: name.clone(),
                value,
                source,
            })
        });
        let call = PlannedCall::new(&step.device, &step.tool, arguments.collect::<Option<_>>()?);
        Some(PlannedCall {
            options: step.options.clone(),
            ..call
        })
    });
    // An ending that waits or compensates is the person's own; it is not guessed at here.
    let bare = |step: &TraceStep| step.options.wait.is_none() && step.compensate.is_empty();
    let calls = calls.collect::<Option<_>>().filter(|_| trace.steps.iter().all(bare));
    calls.map(Plan::of)
}

/// A trace with values that were given for its slots by name.
pub(super) fn bind_given(trace: &Trace, given: &[(String, String, Given)], devices: &[Device]) -> Option<Plan> {
    let argument = |text: &str, parameter: &Parameter| {
        let (value, source) = match slot_of(text) {
            None => (Given::parse(text, &parameter.kind).ok()?, Source::Trace),
            // Where a thing was when a run begins is not known before that.
            Some(_) if text.starts_with("start of ") => return None,
            Some(slot) => {
                let (name, words, value) = given.iter().find(|(name, ..)| name == slot)?;
                let (name, words) = (name.clone(), words.clone());
                (value.clone(), Source::Slot { name, words })
            }
        };
        let parameter = parameter.name.clone();
        Some(Argument {
            parameter,
            value,
            source,
        })
    };
    let call = |step: &TraceStep| {
        let mut call = PlannedCall::new(&step.device, &step.tool, Vec::new());
        call.options = step.options.clone();
        if step.options.wait.is_some() {
            return Some(call);
        }
        let device = devices.iter().find(|device| device.name == step.device)?;
        for parameter in &device.tool(&step.tool)?.parameters {
            if let Some((_, text)) = step.arguments.iter().find(|(name, _)| *name == parameter.name) {
                call.arguments.push(argument(text, parameter)?);
            }
        }
        Some(call)
    };
    let calls = trace.steps.iter().map(|step| {
        Some(PlannedCall {
            compensate: step.compensate.iter().map(call).collect::<Option<_>>()?,
            ..call(step)?
        })
    });
    Some(Plan {
        calls: calls.collect::<Option<_>>()?,
        start: trace.start.clone(),
    })
}

fn value(piece: &Piece, said: Said<'_>, kind: &Type, start: bool) -> Result<Given, Unbound> {
    if let Some(option) = said.option_of(piece, kind) {
        return Ok(Given::Option(option));
    }
    let meanings = piece.readings.iter().map(|index| &said.goal.spans[*index].meaning);
    let Some(meaning) = meanings.into_iter().find(|meaning| said.reading_fits(meaning, kind)) else {
        return match kind {
            Type::Text => Ok(Given::Text(
                said.goal
                    .text
                    .get(piece.start..piece.end)
                    .unwrap_or_default()
                    .to_owned(),
            )),
            _ => Err(Unbound::Unknown),
        };
    };
    match meaning {
        Meaning::Quantity { dimension, micro } => Ok(Given::Quantity(*dimension, *micro)),
        Meaning::Number { micro } => Ok(Given::Number(*micro)),
        Meaning::Point { micro } => Ok(Given::Point(*micro)),
        Meaning::Named { candidates, .. } => match said.candidates(candidates, kind).as_slice() {
            [name] if start => Ok(Given::Start((*name).clone())),
            [name] if *kind == Type::Entity => Ok(Given::Entity((*name).clone())),
            [name] => Ok(Given::Named((*name).clone())),
            several => {
                let several: Vec<String> = several.iter().map(|name| (*name).clone()).collect();
                Err(Unbound::Ask(crate::ground::which(&piece.words.join(" "), &several)))
            }
        },
        _ => Err(Unbound::Unknown),
    }
}
