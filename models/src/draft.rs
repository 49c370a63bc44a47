//! Guesses a plan from the calls of a similar goal, so that the network can check it in one pass instead of choice by choice.
//!
//! A wrong guess costs the tokens it sent along and nothing else: every choice is still the network's. It must not know
//! scores.

use crate::grammar::{Choice, Grammar};
use crate::request::{Argument, Call, Example};

/// The choices of a plan with the calls of an example, as far as the grammar of this goal allows them: the same tools and
/// options, and of the spans that fit an argument the first that the call has not used.
pub(crate) fn of(example: &Example, grammar: &Grammar<'_>) -> Vec<Choice> {
    let mut grammar = grammar.clone();
    let mut choices = Vec::new();
    loop {
        let allowed = grammar.allowed();
        let choice = match allowed.as_slice() {
            [] => break,
            [only] => *only,
            several => match guess(several, example.calls.get(grammar.complete()), &grammar) {
                Some(choice) => choice,
                None => break,
            },
        };
        grammar.take(choice);
        choices.push(choice);
    }
    choices
}

/// What the example did at this place, or what comes nearest to it.
fn guess(allowed: &[Choice], call: Option<&Call>, grammar: &Grammar<'_>) -> Option<Choice> {
    let Some(call) = call else {
        let end = |choice: &&Choice| matches!(choice, Choice::End | Choice::Nothing);
        return allowed.iter().find(end).copied();
    };
    if allowed.contains(&Choice::Tool(call.tool)) {
        return Some(Choice::Tool(call.tool));
    }
    let wanted = match *call.arguments.get(grammar.arguments())? {
        Argument::Absent => Some(Choice::Skip),
        Argument::Option(option) => Some(Choice::Option(option)),
        Argument::Span { .. } => {
            let span = |choice: &&Choice| matches!(choice, Choice::Start(_) | Choice::Last(_));
            allowed.iter().find(span).copied()
        }
    };
    wanted.filter(|choice| allowed.contains(choice))
}
