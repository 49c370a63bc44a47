//! The JSON Schema of all plans that a request allows: compact, closed, and with values that stand in this goal.

use serde_json::{Map, Value, json};

use crate::request::{ParameterKind, ParameterSpec, PlanRequest, ToolSpec};

/// A text argument is at most so many words long.
const TEXT_WORDS_MAX: usize = 16;

/// The schema; tools that cannot be called for lack of a value can only say what is missing.
pub(super) fn of(request: &PlanRequest<'_>) -> Value {
    let forms = request.tools.iter().flat_map(|tool| forms(tool, request));
    json!({
        "x-guidance": { "whitespace_flexible": false, "item_separator": ",", "key_separator": ":" },
        "type": "array",
        "minItems": 0,
        "maxItems": request.calls_max,
        "items": { "anyOf": forms.collect::<Vec<_>>() },
    })
}

/// A call of a tool, and the question for what it lacks.
fn forms(tool: &ToolSpec, request: &PlanRequest<'_>) -> Vec<Value> {
    let name = json!({ "const": tool.name });
    let mut forms = Vec::new();
    let (mut properties, mut required) = (Map::new(), Vec::new());
    let mut possible = true;
    for parameter in &tool.parameters {
        match values(parameter, request) {
            Some(schema) => {
                properties.insert(parameter.name.clone(), schema);
                if parameter.required {
                    required.push(parameter.name.as_str());
                }
            }
            None => possible &= !parameter.required,
        }
    }
    if possible {
        let arguments = json!({
            "type": "object", "properties": properties, "required": required, "additionalProperties": false,
        });
        forms.push(object(&[("name", name.clone()), ("arguments", arguments)]));
    }
    let asked = tool
        .parameters
        .iter()
        .filter(|p| p.required && !p.kind.is_enumeration());
    let asked: Vec<&str> = asked.map(|parameter| parameter.name.as_str()).collect();
    if !asked.is_empty() {
        forms.push(object(&[("name", name), ("missing", json!({ "enum": asked }))]));
    }
    forms
}

fn object(properties: &[(&str, Value)]) -> Value {
    let names: Vec<&str> = properties.iter().map(|(name, _)| *name).collect();
    let map: Map<String, Value> = properties
        .iter()
        .map(|(name, schema)| ((*name).to_owned(), schema.clone()))
        .collect();
    json!({ "type": "object", "properties": map, "required": names, "additionalProperties": false })
}

/// What an argument can be in this goal; `None` where nothing fits.
fn values(parameter: &ParameterSpec, request: &PlanRequest<'_>) -> Option<Value> {
    let found: Vec<String> = match &parameter.kind {
        ParameterKind::Boolean => return Some(json!({ "type": "boolean" })),
        ParameterKind::Enumeration(options) => options.clone(),
        ParameterKind::Text => texts(request.goal),
        kind => {
            let fitting = request.spans.iter().filter(|span| kind.accepts(&span.kind));
            fitting
                .filter_map(|span| request.goal.get(span.start..span.end))
                .map(str::to_owned)
                .collect()
        }
    };
    let mut values: Vec<String> = Vec::new();
    for value in found {
        if !values.contains(&value) {
            values.push(value);
        }
    }
    (!values.is_empty()).then(|| json!({ "enum": values }))
}

/// All runs of whole words of the goal.
fn texts(goal: &str) -> Vec<String> {
    let words = crate::grammar::words(goal);
    let mut texts = Vec::new();
    for (first, (start, _)) in words.iter().enumerate() {
        for (_, end) in words[first..].iter().take(TEXT_WORDS_MAX) {
            texts.push(goal[*start..*end].to_owned());
        }
    }
    texts
}
