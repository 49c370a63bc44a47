//! Tools that come with a request, as the `OpenAI` `tools` array (JSON Schema parameters), and plans written in their terms. A numeric
//! parameter may say `"x-unit": "m"`, or its name or description tell the unit: its value is then a number in that unit, computed here
//! from the words of the goal. Keywords that
//! are not understood are named and refused, so that nothing is planned against half a schema.

mod schema;
mod unit;

use crate::plan::Plan;
use crate::tool::Parameter;
use schema::Schema;
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
    /// Its parameters, in the order of the schema; those of an object inside carry its name in front.
    pub parameters: Vec<Parameter>,
    schema: Schema,
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

    /// The parameters of all tools.
    pub fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        self.tools.iter().flat_map(|tool| &tool.parameters)
    }

    /// A plan in the terms of the schemas: `[{"name", "arguments"}]`.
    ///
    /// # Errors
    /// What the person is asked, where a value of the goal breaks a schema.
    pub fn json(&self, plan: &Plan) -> Result<String, String> {
        let mut calls = Vec::new();
        for call in &plan.calls {
            let tool = self.tools.iter().find(|tool| tool.name == call.tool);
            let given = call
                .arguments
                .iter()
                .map(|given| (given.parameter.as_str(), &given.value));
            let arguments = match tool {
                Some(tool) => tool.schema.json(given).map_err(|why| format!("{}: {why}", tool.name))?,
                None => json!({}),
            };
            calls.push(json!({ "name": call.tool, "arguments": arguments }));
        }
        Ok(Value::Array(calls).to_string())
    }
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
    let schema = Schema::read(schema, &does).map_err(|message| format!("{name}: {message}"))?;
    let parameters = schema.leaves.iter().map(|leaf| leaf.parameter.clone()).collect();
    Ok(ForeignTool {
        name,
        does,
        parameters,
        schema,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::goal::Dimension;
    use crate::plan::{Argument, Given, PlannedCall, Source};

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
        let plan = Plan::of(vec![PlannedCall::new("", "move", vec![distance])]);
        assert_eq!(
            toolset.json(&plan).expect("a plan"),
            r#"[{"name":"move","arguments":{"distance":30.5}}]"#
        );
    }

    /// A tool with this schema of arguments.
    fn tool(schema: &str) -> Result<Toolset, String> {
        Toolset::read(&format!(r#"[{{"name":"t","parameters":{schema}}}]"#))
    }

    /// What a call of it with these arguments becomes.
    fn spelled(schema: &str, arguments: &[(&str, Given)]) -> Result<String, String> {
        let arguments = arguments.iter().map(|(name, value)| Argument {
            parameter: (*name).to_owned(),
            value: value.clone(),
            source: Source::Answer,
        });
        let call = PlannedCall::new("", "t", arguments.collect());
        tool(schema)?.json(&Plan::of(vec![call]))
    }

    const POSE: &str = r##"{"type":"object","required":["pose","kind"],"$defs":{"axis":{"type":"number","x-unit":"m","maximum":2}},
        "properties":{"kind":{"const":"absolute"},
            "pose":{"type":"object","required":["x","y"],"properties":{"x":{"$ref":"#/$defs/axis"},"y":{"$ref":"#/$defs/axis"}}},
            "tool":{"anyOf":[{"enum":[1,2,3]},{"type":"null"}]},
            "tags":{"type":"array","minItems":1,"maxItems":2,"items":{"type":"string"}},
            "grip":{"type":"object","required":["force"],"properties":{"force":{"type":"number"},"soft":{"type":"boolean"}}}}}"##;

    #[test]
    fn nested_schemas_become_parameters_and_come_back() {
        let read = tool(POSE).expect("tools");
        let shown: Vec<String> = read.tools[0]
            .parameters
            .iter()
            .map(|p| format!("{}{} {}", p.name, if p.required { "" } else { "?" }, p.kind.word()))
            .collect();
        let expected = "pose x length, pose y length, tool? 1|2|3, tags 1? text, tags 2? text, grip force? number, grip soft? boolean";
        assert_eq!(shown.join(", "), expected);
        let length = |micro| Given::Quantity(Dimension::Length, micro);
        let pose = [("pose x", length(500_000)), ("pose y", length(-1_000_000))];
        assert_eq!(
            spelled(POSE, &pose).expect("a plan"),
            r#"[{"name":"t","arguments":{"pose":{"x":0.5,"y":-1},"kind":"absolute"}}]"#
        );
        let more = [
            pose[0].clone(),
            pose[1].clone(),
            ("tool", Given::Option("2".to_owned())),
            ("tags 2", Given::Text("red".to_owned())),
            ("grip force", Given::Number(1_500_000)),
        ];
        assert_eq!(
            spelled(POSE, &more).expect("a plan"),
            r#"[{"name":"t","arguments":{"pose":{"x":0.5,"y":-1},"tool":2,"tags":["red"],"grip":{"force":1.5},"kind":"absolute"}}]"#
        );
    }

    #[test]
    fn values_that_break_a_schema_are_asked_for() {
        let length = |micro| Given::Quantity(Dimension::Length, micro);
        let far = spelled(POSE, &[("pose x", length(2_500_000)), ("pose y", length(0))]);
        assert!(far.is_err_and(|why| why.contains("pose x is 2.5 m") && why.contains("maximum is 2 m")));
        let half = [
            ("pose x", length(0)),
            ("pose y", length(0)),
            ("grip soft", Given::Boolean(true)),
        ];
        assert!(spelled(POSE, &half).is_err_and(|why| why.contains("grip force")));
    }

    #[test]
    fn unsupported_schemas_are_named() {
        for (schema, named) in [
            (r#"{"properties":{"a":{"anyOf":[]}}}"#, "anyOf"),
            (
                r#"{"properties":{"a":{"anyOf":[{"type":"string"},{"type":"number"}]}}}"#,
                "anyOf",
            ),
            (r#"{"properties":{"a":{"type":"string","pattern":"^x$"}}}"#, "pattern"),
            (r#"{"properties":{"a":{"type":"array"}}}"#, "items"),
            (r##"{"properties":{"a":{"$ref":"#/$defs/none"}}}"##, "$ref"),
            (
                r##"{"$defs":{"a":{"$ref":"#/$defs/a"}},"properties":{"a":{"$ref":"#/$defs/a"}}}"##,
                "references",
            ),
            (
                r#"{"properties":{"a":{"type":"number","x-unit":"parsecs of tea"}}}"#,
                "parsecs of tea",
            ),
            (r#"{"properties":{"a":{"enum":[]}}}"#, "enum"),
            (r#"{"properties":{"a":{"type":"null"}}}"#, "null"),
            (r#"{"properties":{},"required":["a"]}"#, "required"),
        ] {
            let message = tool(schema).expect_err("refused");
            assert!(
                message.contains(named) && message.contains("t: parameters"),
                "{schema}: {message}"
            );
        }
        assert!(Toolset::read("{}").is_err());
    }
}
