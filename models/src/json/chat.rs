//! How models of different families are spoken to. The formats are built in and chosen by the control tokens that a
//! vocabulary has; a template that a model file carries is never run.

use serde_json::{Value, json};

use super::Text;
use crate::error::ModelError;
use crate::request::{Argument, Call, ParameterKind, ParameterSpec, PlanRequest, ToolSpec};
use crate::tokenizer::Tokenizer;

const TASK: &str = "You plan calls of tools for devices. Answer with a JSON array of the calls that meet the user's goal, in order; \
    copy values from the goal; answer [] if no tool can do it, and name what is missing if the goal does not state it. Tools:";

/// The pieces between which texts stand; `None` where the vocabulary has no control tokens that we know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chat {
    format: Format,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Format {
    /// `<|im_start|>role\n .. <|im_end|>\n` (Qwen and others); with the tokens of an empty thought where the model
    /// would think aloud otherwise.
    ChatMl {
        start: u32,
        end: u32,
        thought: Option<(u32, u32)>,
    },
    /// `<|start_header_id|>role<|end_header_id|>\n\n .. <|eot_id|>` (Llama 3).
    Llama3 {
        begin: Option<u32>,
        start: u32,
        close: u32,
        end: u32,
    },
    /// Words alone.
    Plain,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    System,
    User,
    Assistant,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

impl Chat {
    pub fn of(vocabulary: &[String]) -> Self {
        let id = |name: &str| {
            let at = vocabulary.iter().position(|token| token == name)?;
            u32::try_from(at).ok()
        };
        let chat_ml = || {
            Some(Format::ChatMl {
                start: id("<|im_start|>")?,
                end: id("<|im_end|>")?,
                thought: id("<think>").zip(id("</think>")),
            })
        };
        let llama3 = || {
            Some(Format::Llama3 {
                begin: id("<|begin_of_text|>"),
                start: id("<|start_header_id|>")?,
                close: id("<|end_header_id|>")?,
                end: id("<|eot_id|>")?,
            })
        };
        Self {
            format: chat_ml().or_else(llama3).unwrap_or(Format::Plain),
        }
    }

    /// System text with the tools, the worked example if there is one, the goal, and the beginning of the answer.
    pub fn write(&self, request: &PlanRequest<'_>, tokenizer: &Tokenizer) -> Result<Text, ModelError> {
        let mut paper = Paper {
            tokenizer,
            tokens: Vec::new(),
        };
        if let Format::Llama3 { begin: Some(begin), .. } = self.format {
            paper.tokens.push(begin);
        }
        let tools: Vec<String> = request.tools.iter().map(|tool| line(tool).to_string()).collect();
        self.turn(&mut paper, Role::System, &format!("{TASK}\n{}", tools.join("\n")))?;
        let tools_end = paper.tokens.len();
        if let Some(example) = request.example {
            let calls: Option<Vec<Value>> = example
                .calls
                .iter()
                .map(|call| spelled(call, &example.goal, request))
                .collect();
            if let Some(calls) = calls {
                self.turn(&mut paper, Role::User, &example.goal)?;
                self.turn(&mut paper, Role::Assistant, &Value::Array(calls).to_string())?;
            }
        }
        self.turn(&mut paper, Role::User, request.goal)?;
        self.open(&mut paper, Role::Assistant)?;
        if let Format::ChatMl {
            thought: Some((open, close)),
            ..
        } = self.format
        {
            paper.tokens.push(open);
            paper.text("\n\n")?;
            paper.tokens.push(close);
            paper.text("\n\n")?;
        }
        Ok(Text {
            tokens: paper.tokens,
            tools_end,
        })
    }

    fn open(&self, paper: &mut Paper<'_>, role: Role) -> Result<(), ModelError> {
        match self.format {
            Format::ChatMl { start, .. } => {
                paper.tokens.push(start);
                paper.text(&format!("{}\n", role.name()))
            }
            Format::Llama3 { start, close, .. } => {
                paper.tokens.push(start);
                paper.text(role.name())?;
                paper.tokens.push(close);
                paper.text("\n\n")
            }
            Format::Plain => paper.text(&format!("{}: ", role.name())),
        }
    }

    fn turn(&self, paper: &mut Paper<'_>, role: Role, text: &str) -> Result<(), ModelError> {
        self.open(paper, role)?;
        paper.text(text)?;
        match self.format {
            Format::ChatMl { end, .. } => {
                paper.tokens.push(end);
                paper.text("\n")
            }
            Format::Llama3 { end, .. } => {
                paper.tokens.push(end);
                Ok(())
            }
            Format::Plain => paper.text("\n"),
        }
    }
}

struct Paper<'a> {
    tokenizer: &'a Tokenizer,
    tokens: Vec<u32>,
}

impl Paper<'_> {
    /// A run of text on its own, so that no word of a person ever joins with a control token.
    fn text(&mut self, text: &str) -> Result<(), ModelError> {
        let tokens = self.tokenizer.encode(text)?;
        self.tokens.extend(tokens.iter().map(|token| token.id));
        Ok(())
    }
}

/// A tool in one line of JSON.
fn line(tool: &ToolSpec) -> Value {
    let parameter = |parameter: &ParameterSpec| {
        let kind = match &parameter.kind {
            ParameterKind::Quantity(dimension) => json!(dimension),
            ParameterKind::Number => json!("number"),
            ParameterKind::Integer => json!("integer"),
            ParameterKind::Boolean => json!("boolean"),
            ParameterKind::Enumeration(options) => json!(options),
            ParameterKind::Text => json!("text"),
            ParameterKind::Entity => json!("entity"),
            ParameterKind::Place => json!("place"),
        };
        let mark = if parameter.required { "" } else { "?" };
        (format!("{}{mark}", parameter.name), kind)
    };
    let parameters: serde_json::Map<String, Value> = tool.parameters.iter().map(parameter).collect();
    json!({ "name": tool.name, "does": tool.does, "arguments": parameters })
}

/// A call of the example in the words of its goal; `None` where it does not fit the tools.
fn spelled(call: &Call, goal: &str, request: &PlanRequest<'_>) -> Option<Value> {
    let tool = request.tools.get(call.tool)?;
    let mut arguments = serde_json::Map::new();
    for (parameter, argument) in tool.parameters.iter().zip(&call.arguments) {
        let value = match *argument {
            Argument::Absent => continue,
            Argument::Option(index) if parameter.kind == ParameterKind::Boolean => json!(index == 0),
            Argument::Option(index) => json!(parameter.kind.options().get(index)?),
            Argument::Span { start, end } => json!(goal.get(start..end)?),
        };
        arguments.insert(parameter.name.clone(), value);
    }
    Some(json!({ "name": tool.name, "arguments": arguments }))
}
