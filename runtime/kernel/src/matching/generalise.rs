//! From a plan to what a trace keeps of it: which of its values were said and may be said otherwise, and the words around them.

use super::pattern::pieces;
use crate::goal::Goal;
use crate::plan::{Argument, Given, Plan, PlannedCall, Source};
use crate::tool::{Device, Type};

/// A plan without its particulars.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Generalised {
    /// The goal's words, with slots in braces.
    pub pattern: String,
    /// The slots and their types.
    pub slots: Vec<(String, Type)>,
    /// For each call its parameters and their values: a slot, or a constant.
    pub arguments: Vec<Vec<(String, String)>>,
}

/// The slots of a plan and the pattern of its goal: every argument that the goal stated becomes a slot.
#[must_use]
pub fn generalise(goal: &Goal, plan: &Plan, devices: &[Device]) -> Generalised {
    let mut slots: Vec<(String, Type, usize, usize, String)> = Vec::new();
    let kind_of = |call: &PlannedCall, name: &str| {
        let device = devices.iter().find(|device| device.name == call.device)?;
        let tool = device.tool(&call.tool)?;
        tool.parameters
            .iter()
            .find(|parameter| parameter.name == name)
            .map(|parameter| parameter.kind.clone())
    };
    for call in &plan.calls {
        for argument in &call.arguments {
            let Source::Goal { start, end, .. } = &argument.source else {
                continue;
            };
            if slots.iter().any(|(_, _, from, to, _)| from == start && to == end) {
                continue;
            }
            let Some(kind) = kind_of(call, &argument.parameter) else {
                continue;
            };
            let taken = slots
                .iter()
                .filter(|(name, ..)| {
                    name.split('_').next() == Some(argument.parameter.as_str()) || *name == argument.parameter
                })
                .count();
            let name = if taken == 0 {
                argument.parameter.clone()
            } else {
                format!("{}_{}", argument.parameter, taken + 1)
            };
            slots.push((name, kind, *start, *end, argument.value.to_string()));
        }
    }
    let pieces = pieces(goal);
    let mut pattern: Vec<String> = Vec::new();
    for piece in &pieces {
        match slots
            .iter()
            .find(|(_, _, start, end, _)| *start == piece.start && *end == piece.end)
        {
            Some((name, ..)) => pattern.push(format!("{{{name}}}")),
            None => pattern.extend(piece.words.iter().cloned()),
        }
    }
    // A slot whose words are no piece of their own would never be bound: its value stays a constant.
    slots.retain(|(name, ..)| pattern.contains(&format!("{{{name}}}")));
    let template = |argument: &Argument| {
        let text = argument.value.to_string();
        let by_place = slots.iter().find(|(_, _, start, end, _)| matches!(&argument.source, Source::Goal { start: s, end: e, .. } if s == start && e == end));
        let by_value = || match (&argument.value, &argument.source) {
            (Given::Start(name), _) => slots
                .iter()
                .find(|slot| slot.4 == *name)
                .map(|slot| format!("start of {{{}}}", slot.0)),
            (_, Source::State { .. }) => slots
                .iter()
                .find(|slot| slot.4 == text)
                .map(|slot| format!("{{{}}}", slot.0)),
            _ => None,
        };
        by_place
            .map(|slot| format!("{{{}}}", slot.0))
            .or_else(by_value)
            .unwrap_or(text)
    };
    let arguments = plan
        .calls
        .iter()
        .map(|call| {
            call.arguments
                .iter()
                .map(|a| (a.parameter.clone(), template(a)))
                .collect()
        })
        .collect();
    Generalised {
        pattern: pattern.join(" "),
        slots: slots.into_iter().map(|(name, kind, ..)| (name, kind)).collect(),
        arguments,
    }
}
