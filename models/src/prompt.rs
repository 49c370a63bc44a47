//! Writes a request as the tokens that the model in the box was trained on (`models/FORMAT.md`, format 3), and keeps the
//! way back: which token stands where, and which bytes of the goal it covers.
//!
//! It must not know how the model computes or which choice it makes.

use crate::control;
use crate::error::ModelError;
use crate::request::{Argument, Call, Example, ParameterKind, ParameterSpec, PlanRequest, ToolSpec};
use crate::tokenizer::{Token, Tokenizer};

/// A request in tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prompt {
    pub tokens: Vec<u32>,
    /// Tokens of the tool list: what stays when the next goal comes.
    pub tools_end: usize,
    /// Position of each tool's index token.
    pub tools: Vec<usize>,
    /// What announces each parameter's argument in a plan: `<param>` and its name.
    pub heads: Vec<Vec<Vec<u32>>>,
    /// The words of each parameter's options; empty where the parameter is no enumeration.
    pub options: Vec<Vec<Vec<Vec<u32>>>>,
    /// Position of the goal's first token.
    pub goal_start: usize,
    pub goal: Stretch,
}

/// A text in tokens whose offsets count its own bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub tokens: Vec<Token>,
}

impl Stretch {
    /// The tokens of the first and the last byte of a stretch of the text.
    pub fn cover(&self, start: usize, end: usize) -> Option<(usize, usize)> {
        let holds = |byte: usize| move |token: &Token| token.start <= byte && byte < token.end;
        let first = self.tokens.iter().position(holds(start))?;
        // A character of several bytes may be several tokens, each of which claims all of it.
        let last = self.tokens.iter().rposition(holds(end.checked_sub(1)?))?;
        (first <= last).then_some((first, last))
    }
}

impl Prompt {
    /// The words of a tool's line.
    pub fn line(&self, tool: usize) -> Vec<u32> {
        let start = tool.checked_sub(1).map_or(0, |before| self.tools[before]);
        let line = self.tokens[start..self.tools[tool]].iter().copied();
        line.filter(|token| control::is_word(*token)).collect()
    }

    /// The prompt of a request whose spans and tool count have been checked.
    pub fn write(request: &PlanRequest<'_>, tokenizer: &Tokenizer) -> Result<Self, ModelError> {
        let mut writer = Writer {
            tokenizer,
            tokens: vec![control::TOOLS],
        };
        let mut tools = Vec::with_capacity(request.tools.len());
        let mut options = Vec::with_capacity(request.tools.len());
        let mut heads = Vec::with_capacity(request.tools.len());
        for (index, tool) in request.tools.iter().enumerate() {
            heads.push(writer.heads(tool)?);
            options.push(writer.tool(tool)?);
            tools.push(writer.tokens.len());
            writer.tokens.push(control::tool(index));
        }
        let tools_end = writer.tokens.len();
        if let Some(example) = request.example {
            writer.example(example, request.tools, &heads, &options)?;
        }
        writer.tokens.push(control::GOAL);
        let goal_start = writer.tokens.len();
        let goal = writer.stretch(request.goal)?;
        writer.tokens.push(control::PLAN);
        Ok(Self {
            tokens: writer.tokens,
            tools_end,
            tools,
            heads,
            options,
            goal_start,
            goal,
        })
    }
}

struct Writer<'a> {
    tokenizer: &'a Tokenizer,
    tokens: Vec<u32>,
}

impl Writer<'_> {
    /// A run of text: lowercased, with one leading space, on its own. Offsets count the bytes of `text`.
    fn stretch(&mut self, text: &str) -> Result<Stretch, ModelError> {
        let mut tokens = run(self.tokenizer, text)?;
        for token in &mut tokens {
            token.start = token.start.saturating_sub(1);
            token.end = token.end.saturating_sub(1);
        }
        self.tokens.extend(tokens.iter().map(|token| token.id));
        Ok(Stretch { tokens })
    }

    /// A tool line without its index token; gives back the options of its parameters.
    fn tool(&mut self, tool: &ToolSpec) -> Result<Vec<Vec<Vec<u32>>>, ModelError> {
        self.stretch(&format!("{}: {}", spaced(&tool.name), tool.does))?;
        let mut options = Vec::with_capacity(tool.parameters.len());
        for parameter in &tool.parameters {
            self.tokens.push(control::PARAM);
            let mark = if parameter.required { "" } else { "?" };
            self.stretch(&format!(
                "{}{mark} {}",
                spaced(&parameter.name),
                kind_word(&parameter.kind)
            ))?;
            options.push(self.options(parameter)?);
        }
        Ok(options)
    }

    fn heads(&self, tool: &ToolSpec) -> Result<Vec<Vec<u32>>, ModelError> {
        let head = |parameter: &ParameterSpec| {
            let name = run(self.tokenizer, &spaced(&parameter.name))?;
            Ok([control::PARAM]
                .into_iter()
                .chain(name.iter().map(|token| token.id))
                .collect())
        };
        tool.parameters.iter().map(head).collect()
    }

    fn options(&self, parameter: &ParameterSpec) -> Result<Vec<Vec<u32>>, ModelError> {
        let words = parameter.kind.options();
        words
            .iter()
            .map(|word| {
                Ok(run(self.tokenizer, &spaced(word))?
                    .iter()
                    .map(|token| token.id)
                    .collect())
            })
            .collect()
    }

    fn example(
        &mut self,
        example: &Example,
        tools: &[ToolSpec],
        heads: &[Vec<Vec<u32>>],
        options: &[Vec<Vec<Vec<u32>>>],
    ) -> Result<(), ModelError> {
        self.tokens.push(control::EXAMPLE);
        let goal = self.stretch(&example.goal)?;
        self.tokens.push(control::PLAN);
        for (index, call) in example.calls.iter().enumerate() {
            let bad = |reason: String| ModelError::BadExample { call: index, reason };
            let tool = tools
                .get(call.tool)
                .ok_or_else(|| bad(format!("there is no tool {}", call.tool)))?;
            if call.arguments.len() != tool.parameters.len() {
                let counts = (tool.parameters.len(), call.arguments.len());
                return Err(bad(format!(
                    "{} takes {} arguments, not {}",
                    tool.name, counts.0, counts.1
                )));
            }
            self.call(call, &goal, &heads[call.tool], &options[call.tool])
                .map_err(bad)?;
        }
        self.tokens.push(if example.calls.is_empty() {
            control::NONE
        } else {
            control::END
        });
        Ok(())
    }

    fn call(
        &mut self,
        call: &Call,
        goal: &Stretch,
        heads: &[Vec<u32>],
        options: &[Vec<Vec<u32>>],
    ) -> Result<(), String> {
        self.tokens.push(control::tool(call.tool));
        for ((argument, head), options) in call.arguments.iter().zip(heads).zip(options) {
            self.tokens.extend(head);
            match *argument {
                Argument::Absent => self.tokens.push(control::SKIP),
                Argument::Option(index) => {
                    let option = options
                        .get(index)
                        .ok_or_else(|| format!("there is no option {index}"))?;
                    self.tokens.extend(option);
                }
                Argument::Span { start, end } => {
                    let cover = goal
                        .cover(start, end)
                        .ok_or_else(|| format!("its goal has no bytes {start}..{end}"))?;
                    self.tokens.extend([goal.tokens[cover.0].id, goal.tokens[cover.1].id]);
                }
            }
        }
        Ok(())
    }
}

fn run(tokenizer: &Tokenizer, text: &str) -> Result<Vec<Token>, ModelError> {
    tokenizer.encode(&format!(" {}", text.to_ascii_lowercase()))
}

fn spaced(name: &str) -> String {
    name.replace('_', " ")
}

/// How a tool line says what an argument can be.
fn kind_word(kind: &ParameterKind) -> String {
    match kind {
        ParameterKind::Quantity(dimension) => dimension.clone(),
        ParameterKind::Number => "number".into(),
        ParameterKind::Integer => "integer".into(),
        ParameterKind::Text => "text".into(),
        ParameterKind::Entity => "entity".into(),
        ParameterKind::Place => "place".into(),
        ParameterKind::Boolean | ParameterKind::Enumeration(_) => spaced(&kind.options().join("/")),
    }
}

impl ParameterKind {
    /// The words to choose from, where there are any.
    pub(crate) fn options(&self) -> Vec<&str> {
        match self {
            Self::Boolean => vec!["true", "false"],
            Self::Enumeration(options) => options.iter().map(String::as_str).collect(),
            Self::Quantity(_) | Self::Number | Self::Integer | Self::Text | Self::Entity | Self::Place => Vec::new(),
        }
    }

    /// Whether an argument is one of [`ParameterKind::options`] and not a span.
    pub(crate) fn is_enumeration(&self) -> bool {
        matches!(self, Self::Boolean | Self::Enumeration(_))
    }
}
