//! A near trace as the worked example of a query (mode MIXED): its goal, and its calls as the model would have answered them. It must not
//! decide whether a trace is near.

use crate::goal::Lexicon;
use crate::matching;
use crate::message::{AnswerCall, Pointed, QueryExample};
use crate::plan::{Argument, Given, Source};
use crate::text::trace::Trace;
use crate::tool::{Device, Parameter, Type};

/// The example, or nothing where the trace does not fit what is there now: a tool that is not offered, a thing that is gone, an argument
/// that its goal did not state.
#[must_use]
pub fn of(trace: &Trace, lexicon: &Lexicon, devices: &[Device], offered: &[(String, String)]) -> Option<QueryExample> {
    let plan = matching::rebind(trace, lexicon, devices).ok()?;
    let mut calls = Vec::new();
    for call in &plan.calls {
        let tool = offered
            .iter()
            .position(|(device, tool)| *device == call.device && *tool == call.tool)?;
        let device = devices.iter().find(|device| device.name == call.device)?;
        let given = |parameter: &Parameter| {
            let argument = call.arguments.iter().find(|given| given.parameter == parameter.name);
            pointed(argument, parameter, &trace.goal)
        };
        let arguments = device.tool(&call.tool)?.parameters.iter().map(given);
        calls.push(AnswerCall {
            tool,
            arguments: arguments.collect::<Option<_>>()?,
        });
    }
    Some(QueryExample {
        goal: trace.goal.clone(),
        calls,
    })
}

fn pointed(argument: Option<&Argument>, parameter: &Parameter, goal: &str) -> Option<Pointed> {
    let Some(argument) = argument else {
        return (!parameter.required).then_some(Pointed::Absent);
    };
    match (&argument.value, &parameter.kind) {
        (Given::Option(option), Type::Enumeration(options)) => {
            let index = options.iter().position(|known| known == option)?;
            Some(Pointed::Choice(index))
        }
        (Given::Boolean(truth), Type::Boolean) => Some(Pointed::Choice(usize::from(!truth))),
        _ => {
            let (Source::Slot { words, .. } | Source::Goal { words, .. }) = &argument.source else {
                return None;
            };
            let start = goal.find(words.as_str())?;
            let end = start + words.len();
            Some(Pointed::Span { start, end })
        }
    }
}
