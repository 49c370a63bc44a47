//! Which of a goal's prohibitions its plan heeds already: those that are handed on to somebody, and bounds that a tool sets. Any other stops the
//! goal.

use super::Offered;
use crate::goal::{Denial, Goal};
use crate::message::{AnswerCall, Pointed};
use crate::tool::Type;

/// The stretches of the goal that calls take as texts.
pub(super) fn texts(offered: &[Offered<'_>], calls: &[AnswerCall]) -> Vec<(usize, usize)> {
    let arguments = calls.iter().filter_map(|call| Some((offered.get(call.tool)?, call)));
    let arguments = arguments.flat_map(|(tool, call)| tool.parameters.iter().zip(&call.arguments));
    arguments
        .filter_map(|(parameter, pointed)| match *pointed {
            Pointed::Span { start, end } if parameter.kind == Type::Text => Some((start, end)),
            _ => None,
        })
        .collect()
}

/// Whether what denies belongs to words that are handed on: "tell anna not to wait".
pub(super) fn is_handed_on(goal: &Goal, denial: &Denial, texts: &[(usize, usize)]) -> bool {
    const HANDS_ON: [&str; 27] = [
        "say", "tell", "write", "announce", "note", "notes", "remind", "inform", "ask", "message", "send", "text",
        "print", "type", "display", "show", "read", "sing", "whisper", "shout", "call", "record", "save", "remember",
        "let", "repeat", "report",
    ];
    let spoken = |start: usize| {
        let before = goal.words.iter().take_while(|word| word.end <= start);
        let quoted = goal
            .text
            .get(..start)
            .is_some_and(|before| before.ends_with(['"', '\'', '\u{201c}', '\u{2018}']));
        quoted || before.into_iter().any(|word| HANDS_ON.contains(&word.normal.as_str()))
    };
    let rest = |end: usize| goal.text.get(end..denial.scope.end).unwrap_or_default();
    texts
        .iter()
        .any(|(start, end)| *start <= denial.cue.start && !rest(*end).contains(char::is_alphanumeric) && spoken(*start))
}

/// Whether what must not be exceeded is what a tool for that is called with: "never above 30 °C".
pub(super) fn is_set(goal: &Goal, denial: &Denial, offered: &[Offered<'_>], calls: &[AnswerCall]) -> bool {
    let within = |pointed: &Pointed| matches!(*pointed, Pointed::Span { start, end } if denial.scope.start <= start && end <= denial.scope.end);
    let mut concerned = calls.iter().filter(|call| call.arguments.iter().any(within)).peekable();
    goal.is_limit(denial)
        && concerned.peek().is_some()
        && concerned.all(|call| offered.get(call.tool).is_some_and(Offered::sets_limits))
}

impl Offered<'_> {
    /// Whether it is there to set a bound, by its words.
    fn sets_limits(&self) -> bool {
        const WORDS: [&str; 20] = [
            "limit",
            "limits",
            "limiter",
            "max",
            "maximum",
            "min",
            "minimum",
            "cap",
            "caps",
            "ceiling",
            "bound",
            "bounds",
            "threshold",
            "reserve",
            "highest",
            "lowest",
            "most",
            "least",
            "never",
            "exceed",
        ];
        let parameters = self.parameters.iter().map(|parameter| parameter.name.as_str());
        let texts = parameters
            .chain([self.tool, self.does])
            .flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
        !self.does.is_empty()
            && texts
                .into_iter()
                .any(|word| WORDS.contains(&word.to_lowercase().as_str()))
    }
}
