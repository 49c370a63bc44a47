//! Tools that come with a request, as the `OpenAI` `tools` array (JSON Schema parameters), and plans written in their terms. A numeric
//! parameter may say `"x-unit": "m"`: its value is then a number in that unit, computed here from the words of the goal. Keywords that
//! are not understood are named and refused, so that nothing is planned against half a schema.

use crate::goal::{self, Dimension};
use crate::plan::{Argument, Given, Plan};
use crate::tool::{Parameter, Type};
use llmos_follower::MICRO;
use serde_json::{Value, json};

/// The tools, in the order of the request.
#[derive(Clone, PartialEq, Debug)]
pub struct Toolset {
    /// The tools.
    pub tools: Vec<ForeignTool>,
}

/// A tool that came with a request.
#[derive(Clone, PartialEq, Debug)]
pub struct ForeignTool {
    /// Its name.
    pub name: String,
    /// Its description.
    pub does: String,
    /// Its parameters; required ones and optional ones in the order of the schema.
    pub parameters: Vec<Parameter>,
    /// The unit that each number is wanted in: its name, and micro-units of the base unit in one of it.
    units: Vec<Option<(String, i64)>>,
}

/// Tools that one request may bring.
const TOOLS_MAX: usize = 512;

impl Toolset {
    /// Reads the array.
    ///
    /// # Errors
    /// What was expected and found, and at which tool.
    pub fn read(text: &str) -> Result<Toolset, String> {
        let value: Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
        let list = value
            .as_array()
            .ok_or("expected an array of tools: [{\"type\": \"function\", \"function\": {..}}]")?;
        if list.len() > TOOLS_MAX {
            return Err(format!("{} tools; at most {TOOLS_MAX} are possible", list.len()));
        }
        let tools = list
            .iter()
            .enumerate()
            .map(|(index, tool)| read_tool(tool).map_err(|message| format!("tool {index}: {message}")));
        Ok(Toolset {
            tools: tools.collect::<Result<_, _>>()?,
        })
    }

    /// A plan in the terms of the schemas: `[{"name", "arguments"}]`.
    #[must_use]
    pub fn json(&self, plan: &Plan) -> String {
        let calls: Vec<Value> = plan
            .calls
            .iter()
            .map(|call| {
                let tool = self.tools.iter().find(|tool| tool.name == call.tool);
                let arguments: serde_json::Map<String, Value> = call
                    .arguments
                    .iter()
                    .map(|argument| (argument.parameter.clone(), json_value(tool, argument)))
                    .collect();
                json!({ "name": call.tool, "arguments": arguments })
            })
            .collect();
        Value::Array(calls).to_string()
    }
}

fn json_value(tool: Option<&ForeignTool>, argument: &Argument) -> Value {
    match &argument.value {
        Given::Quantity(_, micro) => {
            let at = tool.and_then(|tool| tool.parameters.iter().position(|p| p.name == argument.parameter));
            let unit = at.and_then(|at| tool?.units.get(at)?.as_ref());
            number(*micro, unit.map_or(MICRO, |(_, scale)| *scale))
        }
        Given::Number(micro) => number(*micro, MICRO),
        Given::Boolean(truth) => json!(truth),
        other => json!(other.to_string()),
    }
}

/// `micro / scale`, as a whole number where it is one; otherwise rounded to six decimals and read back from its text.
fn number(micro: i64, scale: i64) -> Value {
    if micro % scale == 0 {
        return json!(micro / scale);
    }
    let rounded = i128::from(micro) * i128::from(MICRO) / i128::from(scale.max(1));
    let text = goal::print_number(i64::try_from(rounded).unwrap_or(i64::MAX));
    serde_json::from_str(&text).unwrap_or(json!(text))
}

fn read_tool(value: &Value) -> Result<ForeignTool, String> {
    let function = value.get("function").unwrap_or(value);
    let name = function
        .get("name")
        .and_then(Value::as_str)
        .ok_or("\"name\" is missing")?
        .to_owned();
    let does = function
        .get("description")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let empty = json!({});
    let schema = function.get("parameters").unwrap_or(&empty);
    let properties = schema
        .get("properties")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let (mut parameters, mut units) = (Vec::new(), Vec::new());
    for (key, property) in &properties {
        let (kind, unit) = read_type(property).map_err(|message| format!("{name}.{key}: {message}"))?;
        parameters.push(Parameter {
            name: key.clone(),
            kind,
            required: required.contains(&key.as_str()),
            limit: None,
        });
        units.push(unit);
    }
    Ok(ForeignTool {
        name,
        does,
        parameters,
        units,
    })
}

type TypeAndUnit = (Type, Option<(String, i64)>);

fn read_type(property: &Value) -> Result<TypeAndUnit, String> {
    const UNKNOWN: [&str; 6] = ["anyOf", "oneOf", "allOf", "$ref", "items", "properties"];
    if let Some(keyword) = UNKNOWN.iter().find(|keyword| property.get(**keyword).is_some()) {
        return Err(format!(
            "the schema keyword \"{keyword}\" is not supported; use string, number, integer, boolean or enum"
        ));
    }
    if let Some(options) = property.get("enum").and_then(Value::as_array) {
        let options: Option<Vec<String>> = options
            .iter()
            .map(|option| option.as_str().map(str::to_owned))
            .collect();
        let options = options
            .filter(|list| !list.is_empty())
            .ok_or("an enum of texts was expected")?;
        return Ok((Type::Enumeration(options), None));
    }
    let unit = property.get("x-unit").and_then(Value::as_str);
    match (property.get("type").and_then(Value::as_str), unit) {
        (Some("number" | "integer"), Some(unit)) => {
            let (dimension, scale) = unit_of(unit)?;
            Ok((Type::Quantity(dimension), Some((unit.to_owned(), scale))))
        }
        (Some("number"), None) => Ok((Type::Number, None)),
        (Some("integer"), None) => Ok((Type::Integer, None)),
        (Some("boolean"), None) => Ok((Type::Boolean, None)),
        (Some("string") | None, None) => Ok((Type::Text, None)),
        (kind, unit) => Err(format!(
            "type {} with x-unit {} is not supported",
            kind.unwrap_or("none"),
            unit.unwrap_or("none")
        )),
    }
}

fn unit_of(unit: &str) -> Result<(Dimension, i64), String> {
    match goal::parse_quantity(&format!("1 {unit}")) {
        Ok((dimension, scale)) if scale > 0 => Ok((dimension, scale)),
        _ => Err(format!("\"x-unit\": \"{unit}\" is no unit that is known here")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{PlannedCall, Source};

    const TOOLS: &str = r#"[{"type":"function","function":{"name":"move","description":"Move","parameters":{"type":"object","properties":{
        "direction":{"type":"string","enum":["left","right"]},"distance":{"type":"number","x-unit":"cm"}},"required":["direction","distance"]}}}]"#;

    #[test]
    fn numbers_come_out_in_the_unit_that_the_schema_names() {
        let toolset = Toolset::read(TOOLS).expect("tools");
        let distance = Argument {
            parameter: "distance".to_owned(),
            value: Given::Quantity(Dimension::Length, 305_000),
            source: Source::Answer,
        };
        let plan = Plan {
            calls: vec![PlannedCall {
                device: String::new(),
                tool: "move".to_owned(),
                arguments: vec![distance],
            }],
        };
        assert_eq!(
            toolset.json(&plan),
            r#"[{"name":"move","arguments":{"distance":30.5}}]"#
        );
    }

    #[test]
    fn unsupported_schemas_are_named() {
        let tools = r#"[{"name":"t","parameters":{"properties":{"a":{"anyOf":[]}}}}]"#;
        assert!(Toolset::read(tools).is_err_and(|message| message.contains("anyOf") && message.contains("t.a")));
        assert!(Toolset::read("{}").is_err());
    }
}
