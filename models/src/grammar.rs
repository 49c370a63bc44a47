//! The plan language as a state machine: what may come next, given what was recognised in the goal.
//!
//! Whatever is chosen among what it allows is a plan: tools are tools of the request, spans are spans that code found (or
//! whole words, for text), each used once in a call, and a plan ends after `calls_max` calls. It is total: something is
//! always allowed until the plan is done, and every argument takes a bounded number of choices. It must not know scores.

use crate::control;
use crate::prompt::Prompt;
use crate::request::{Argument, Call, Outcome, ParameterKind, PlanRequest, Span, SpanKind};

#[cfg(test)]
mod tests;

/// Calls that a plan has at least, for one that does not end to be taken for one call said over and over.
const LOOP_LEN_MIN: usize = 4;

/// One thing that may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// A call of this tool.
    Tool(usize),
    /// No more calls.
    End,
    /// No tool can do it.
    Nothing,
    /// An argument starts at this token of the goal.
    Start(usize),
    /// It ends with this token of the goal.
    Last(usize),
    /// This option of an enumeration.
    Option(usize),
    /// The optional parameter is not mentioned.
    Skip,
    /// The required parameter is not stated.
    Ask,
}

/// A stretch of the goal that an argument can be, in tokens and in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Candidate {
    first: usize,
    last: usize,
    start: usize,
    end: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// Before a call.
    Call,
    /// Before an argument of the call at hand.
    Argument,
    /// Between the start and the end of a span.
    Span {
        first: usize,
    },
    Done(Outcome),
}

#[derive(Debug, Clone)]
pub(crate) struct Grammar<'a> {
    request: &'a PlanRequest<'a>,
    prompt: &'a Prompt,
    /// The spans of the request, with their tokens.
    spans: Vec<(Candidate, &'a SpanKind)>,
    /// The words of the goal, without the punctuation around them.
    words: Vec<Candidate>,
    state: State,
    calls: Vec<Call>,
    /// The call at hand: its tool and the arguments so far.
    open: Option<Call>,
}

impl<'a> Grammar<'a> {
    pub fn new(request: &'a PlanRequest<'a>, prompt: &'a Prompt) -> Self {
        let locate = |start: usize, end: usize| {
            prompt.goal.cover(start, end).map(|(first, last)| Candidate {
                first,
                last,
                start,
                end,
            })
        };
        let span = |span: &'a Span| locate(span.start, span.end).map(|place| (place, &span.kind));
        Self {
            request,
            prompt,
            spans: request.spans.iter().filter_map(span).collect(),
            words: words(request.goal)
                .into_iter()
                .filter_map(|(start, end)| locate(start, end))
                .collect(),
            state: State::Call,
            calls: Vec::new(),
            open: None,
        }
    }

    /// How the plan ended, once it has.
    pub fn outcome(&self) -> Option<Outcome> {
        match self.state {
            State::Done(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// What is being decided, for messages.
    pub fn deciding(&self) -> &'static str {
        match self.state {
            State::Call => "a tool",
            State::Argument => "an argument",
            State::Span { .. } => "the end of a span",
            State::Done(_) => "nothing",
        }
    }

    /// How many calls are complete.
    pub fn complete(&self) -> usize {
        self.calls.len()
    }

    /// How many arguments the call at hand has.
    pub fn arguments(&self) -> usize {
        self.open.as_ref().map_or(0, |call| call.arguments.len())
    }

    /// The complete calls, and the one that an `Ask` left open.
    pub fn into_calls(self) -> (Vec<Call>, Option<Call>) {
        (self.calls, self.open)
    }

    /// Everything that may come next: never empty before the plan is done, and without repetition.
    pub fn allowed(&self) -> Vec<Choice> {
        match &self.state {
            State::Done(_) => Vec::new(),
            State::Call => {
                let stop = if self.calls.is_empty() {
                    Choice::Nothing
                } else {
                    Choice::End
                };
                (0..self.request.tools.len()).map(Choice::Tool).chain([stop]).collect()
            }
            State::Argument => self.starts(),
            State::Span { first } => self.lasts(*first).into_iter().map(Choice::Last).collect(),
        }
    }

    /// The tokens that stand for a choice in the plan, and those that it forces: what announces the next argument.
    pub fn tokens(&self, choice: Choice) -> Vec<u32> {
        let (tool, parameter) = self.place();
        let one = |token: u32| vec![token];
        let (mut tokens, next) = match choice {
            Choice::Tool(index) => (one(control::tool(index)), Some((index, 0))),
            Choice::End => (one(control::END), None),
            Choice::Nothing => (one(control::NONE), None),
            Choice::Start(token) => (one(self.prompt.goal.tokens[token].id), None),
            Choice::Last(token) => (one(self.prompt.goal.tokens[token].id), Some((tool, parameter + 1))),
            Choice::Option(option) => (self.option(option).to_vec(), Some((tool, parameter + 1))),
            Choice::Skip => (one(control::SKIP), Some((tool, parameter + 1))),
            Choice::Ask => (one(control::ASK), None),
        };
        let head = next.and_then(|(tool, parameter)| self.prompt.heads[tool].get(parameter));
        tokens.extend(head.into_iter().flatten());
        tokens
    }

    /// The words of an option of the argument at hand.
    pub fn option(&self, option: usize) -> &'a [u32] {
        self.options().get(option).map_or(&[], Vec::as_slice)
    }

    /// Takes one of the allowed choices.
    pub fn take(&mut self, choice: Choice) {
        match choice {
            Choice::Tool(_) if self.calls.len() >= self.request.calls_max => self.state = State::Done(self.cut()),
            Choice::Tool(tool) => {
                self.open = Some(Call {
                    tool,
                    arguments: Vec::new(),
                });
                self.next_argument();
            }
            Choice::End => self.state = State::Done(Outcome::Planned),
            Choice::Nothing => self.state = State::Done(Outcome::NoTool),
            Choice::Start(first) => self.state = State::Span { first },
            Choice::Last(last) => self.close_span(last),
            Choice::Option(option) => self.argument(Argument::Option(option)),
            Choice::Skip => self.argument(Argument::Absent),
            Choice::Ask => {
                let (tool, parameter) = self.place();
                self.state = State::Done(Outcome::Ask { tool, parameter });
            }
        }
    }

    /// The outcome of a plan that has no room left. A model that has nothing but one call and says it over and over has nothing to add: two
    /// of them stay, as many as tell once from again, and whoever carries the plan out knows which of the two the goal says. Behind other
    /// calls nobody would know which of them is to be done again, so such a plan is too long.
    fn cut(&mut self) -> Outcome {
        let same = self.calls.windows(2).all(|pair| pair[0] == pair[1]);
        if !same || self.calls.len() < LOOP_LEN_MIN {
            return Outcome::TooLong;
        }
        self.calls.truncate(2);
        Outcome::Planned
    }

    /// The tool of the call at hand and the index of the parameter that comes next.
    fn place(&self) -> (usize, usize) {
        self.open
            .as_ref()
            .map_or((0, 0), |call| (call.tool, call.arguments.len()))
    }

    fn argument(&mut self, argument: Argument) {
        if let Some(call) = &mut self.open {
            call.arguments.push(argument);
        }
        self.next_argument();
    }

    /// To the next argument, or behind the call if that was the last.
    fn next_argument(&mut self) {
        let (tool, parameter) = self.place();
        self.state = State::Argument;
        if parameter == self.request.tools[tool].parameters.len() {
            self.calls.extend(self.open.take());
            self.state = State::Call;
        }
    }

    fn kind(&self) -> &'a ParameterKind {
        let (tool, parameter) = self.place();
        &self.request.tools[tool].parameters[parameter].kind
    }

    fn options(&self) -> &'a [Vec<u32>] {
        let (tool, parameter) = self.place();
        &self.prompt.options[tool][parameter]
    }

    /// Beginnings of the argument at hand, and the way out when there is none in the goal.
    fn starts(&self) -> Vec<Choice> {
        let (tool, parameter) = self.place();
        let required = self.request.tools[tool].parameters[parameter].required;
        let mut choices: Vec<Choice> = match self.kind() {
            kind if kind.is_enumeration() => {
                let options = self.options();
                // Of options that read the same, the first stands for all.
                let is_new = |index: &usize| !options[..*index].contains(&options[*index]);
                (0..options.len()).filter(is_new).map(Choice::Option).collect()
            }
            ParameterKind::Text => {
                let words = self.words.iter().filter(|word| self.is_free(word));
                distinct(words.map(|word| word.first))
                    .into_iter()
                    .map(Choice::Start)
                    .collect()
            }
            kind => {
                let fitting = self.fitting(kind).map(|candidate| candidate.first);
                distinct(fitting).into_iter().map(Choice::Start).collect()
            }
        };
        choices.push(if required { Choice::Ask } else { Choice::Skip });
        choices
    }

    /// Last tokens of the spans that start at a token.
    fn lasts(&self, first: usize) -> Vec<usize> {
        if *self.kind() == ParameterKind::Text {
            return distinct(self.text_from(first).map(|word| word.last));
        }
        distinct(
            self.fitting(self.kind())
                .filter(|candidate| candidate.first == first)
                .map(|candidate| candidate.last),
        )
    }

    /// The words of a text that starts at a token, up to the next stretch that the call has used.
    fn text_from(&self, first: usize) -> impl Iterator<Item = &Candidate> {
        let start = self
            .words
            .iter()
            .position(|word| word.first == first && self.is_free(word));
        let words = &self.words[start.unwrap_or(self.words.len())..];
        words.iter().take_while(|word| self.is_free(word))
    }

    fn close_span(&mut self, last: usize) {
        let State::Span { first } = self.state else { return };
        let bytes = if *self.kind() == ParameterKind::Text {
            let start = self.text_from(first).next().map(|word| word.start);
            let end = self
                .text_from(first)
                .find(|word| word.last == last)
                .map(|word| word.end);
            start.zip(end)
        } else {
            let mut fitting = self.fitting(self.kind());
            let chosen = fitting.find(|candidate| (candidate.first, candidate.last) == (first, last));
            chosen.map(|candidate| (candidate.start, candidate.end))
        };
        // `allowed` offers only ends of spans that exist.
        self.argument(bytes.map_or(Argument::Absent, |(start, end)| Argument::Span { start, end }));
    }

    /// The unused spans of the request that an argument of this kind can be.
    fn fitting(&self, kind: &'a ParameterKind) -> impl Iterator<Item = Candidate> {
        let spans = self
            .spans
            .iter()
            .filter(move |(place, found)| kind.accepts(found) && self.is_free(place));
        spans.map(|(place, _)| *place)
    }

    /// Whether no argument of the call at hand shares a byte with this stretch.
    fn is_free(&self, place: &Candidate) -> bool {
        let used = self.open.iter().flat_map(|call| &call.arguments);
        !used.into_iter().any(|argument| match *argument {
            Argument::Span { start, end } => start < place.end && place.start < end,
            Argument::Option(_) | Argument::Absent => false,
        })
    }
}

/// In ascending order, each once.
fn distinct(tokens: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut tokens: Vec<usize> = tokens.collect();
    tokens.sort_unstable();
    tokens.dedup();
    tokens
}

/// Byte ranges of the words of a text, without the punctuation around them; coordinates in brackets are one word with them.
pub(crate) fn words(text: &str) -> Vec<(usize, usize)> {
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(piece) = text
        .get(at..)
        .and_then(|rest| rest.split_inclusive(char::is_whitespace).next())
    {
        if let Some(length) = coordinates(&text[at..]) {
            words.push((at, at + length));
            at += length;
            continue;
        }
        if let Some(first) = piece.find(char::is_alphanumeric) {
            let word = piece[first..].trim_end_matches(|c: char| !c.is_alphanumeric() && c != '%' && c != '\u{b0}');
            words.push((at + first, at + first + word.len()));
        }
        at += piece.len();
    }
    words
}

/// The bytes of "(1, 1.5, -2)" at the start of a text, if it starts so.
fn coordinates(text: &str) -> Option<usize> {
    let close = match text.chars().next()? {
        '(' => ')',
        '[' => ']',
        _ => return None,
    };
    let end = text.find(close)?;
    let inside = &text[1..end];
    let plain = |c: char| c.is_ascii_digit() || matches!(c, ' ' | ',' | '.' | '-' | '+');
    (inside.contains(',') && inside.chars().all(plain) && inside.contains(|c: char| c.is_ascii_digit()))
        .then_some(end + 1)
}
