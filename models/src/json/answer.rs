//! Reads the JSON that the grammar let through back into calls whose arguments point into the goal.

use serde_json::Value;

use crate::error::ModelError;
use crate::request::{Argument, Call, Outcome, ParameterKind, ParameterSpec, PlanReply, PlanRequest, Tokens, ToolSpec};

/// The reply when there is nothing to choose from.
pub(super) fn nothing(tokens: Tokens) -> PlanReply {
    PlanReply {
        calls: Vec::new(),
        unfinished: None,
        outcome: Outcome::NoTool,
        tokens,
        confidence: 1.0,
    }
}

pub(super) fn read(
    request: &PlanRequest<'_>,
    spelled: &[u8],
    tokens: Tokens,
    confidence: f32,
) -> Result<PlanReply, ModelError> {
    let unread = |reason: String| ModelError::Internal {
        part: "grammar",
        reason: format!("{reason} in {}", String::from_utf8_lossy(spelled)),
    };
    let forms: Vec<Value> = serde_json::from_slice(spelled).map_err(|error| unread(error.to_string()))?;
    let mut reply = nothing(tokens);
    reply.confidence = confidence;
    for form in &forms {
        let named = |tool: &ToolSpec| form.get("name").and_then(Value::as_str) == Some(tool.name.as_str());
        let index = request.tools.iter().position(named);
        let index = index.ok_or_else(|| unread("a tool that was not offered".into()))?;
        let call = call(form, index, request);
        reply.outcome = match call {
            Ok(call) => {
                reply.calls.push(call);
                Outcome::Planned
            }
            Err((unfinished, parameter)) => {
                reply.unfinished = Some(unfinished);
                Outcome::Ask { tool: index, parameter }
            }
        };
        if !reply.outcome.goes_on() {
            break;
        }
    }
    Ok(reply)
}

/// The call, or its arguments before the one that has to be asked for.
fn call(form: &Value, index: usize, request: &PlanRequest<'_>) -> Result<Call, (Call, usize)> {
    let tool = &request.tools[index];
    let mut call = Call {
        tool: index,
        arguments: Vec::new(),
    };
    let missing = form.get("missing").and_then(Value::as_str);
    if let Some(missing) = missing {
        let at = tool.parameters.iter().position(|parameter| parameter.name == missing);
        return Err((call, at.unwrap_or(0)));
    }
    for (at, parameter) in tool.parameters.iter().enumerate() {
        let value = form.pointer("/arguments").and_then(|given| given.get(&parameter.name));
        match argument(value, parameter, request, &call.arguments) {
            Some(argument) => call.arguments.push(argument),
            None if parameter.required => return Err((call, at)),
            None => call.arguments.push(Argument::Absent),
        }
    }
    Ok(call)
}

/// Where a value stands: the first place of the goal that this call has not used.
fn argument(
    value: Option<&Value>,
    parameter: &ParameterSpec,
    request: &PlanRequest<'_>,
    used: &[Argument],
) -> Option<Argument> {
    let value = value?;
    let option = |found: &str| parameter.kind.options().iter().position(|option| *option == found);
    if let Value::Bool(truth) = value {
        return Some(Argument::Option(usize::from(!truth)));
    }
    let text = value.as_str()?;
    if parameter.kind.is_enumeration() {
        return option(text).map(Argument::Option);
    }
    let is_free = |start: usize, end: usize| {
        !used.iter().any(|argument| match *argument {
            Argument::Span { start: from, end: to } => from < end && start < to,
            Argument::Option(_) | Argument::Absent => false,
        })
    };
    let mut places: Vec<(usize, usize)> = if parameter.kind == ParameterKind::Text {
        request
            .goal
            .match_indices(text)
            .map(|(start, found)| (start, start + found.len()))
            .collect()
    } else {
        let fitting = request.spans.iter().filter(|span| parameter.kind.accepts(&span.kind));
        fitting
            .filter(|span| request.goal.get(span.start..span.end) == Some(text))
            .map(|span| (span.start, span.end))
            .collect()
    };
    places.retain(|(start, end)| is_free(*start, *end));
    places.first().map(|(start, end)| Argument::Span {
        start: *start,
        end: *end,
    })
}
