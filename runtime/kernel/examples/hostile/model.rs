//! A model that is assumed hostile. It answers honestly often enough to get commands out, nearly honestly, with anything that the grammar
//! allows, or with anything at all.

use crate::chance::Chance;
use crate::goals::{Goal, Points};
use llmos_kernel::message::{Answer, AnswerCall, Pointed, Query, Tokens};
use llmos_kernel::tool::Type;

/// What it answers.
pub fn answer(chance: &mut Chance, query: &Query, goal: &Goal) -> Answer {
    let tokens = Tokens::default();
    let calls = match chance.below(20) {
        0..7 => honest(query, goal),
        7..13 => {
            let mut calls = honest(query, goal);
            for _ in 0..=chance.below(2) {
                bend(chance, query, &mut calls);
            }
            calls
        }
        13..17 => (0..=chance.below(4)).map(|_| allowed(chance, query)).collect(),
        17..19 => (0..chance.below(16)).map(|_| anything(chance, query)).collect(),
        _ => return refusal(chance, query),
    };
    Answer::Calls { calls, tokens }
}

fn refusal(chance: &mut Chance, query: &Query) -> Answer {
    let tokens = Tokens::default();
    match chance.below(3) {
        0 => Answer::NoTool { tokens },
        1 => Answer::Unavailable {
            why: "\u{1b}[2J; rm -rf /".to_owned(),
        },
        _ => Answer::Missing {
            calls: vec![anything(chance, query)],
            tool: number(chance),
            parameter: number(chance),
            tokens,
        },
    }
}

fn honest(query: &Query, goal: &Goal) -> Vec<AnswerCall> {
    let calls = goal.honest.iter().filter_map(|honest| {
        let named = |name: &str| name == honest.tool || name == format!("{} {}", honest.device, honest.tool);
        let tool = query.tools.iter().position(|tool| named(&tool.name))?;
        let parameters = &query.tools.get(tool)?.parameters;
        let arguments = honest.arguments.iter().zip(parameters);
        let arguments = arguments.map(|(points, (_, kind, _))| match (points, kind) {
            (Points::Words(words), _) => {
                query
                    .goal
                    .find(words.as_str())
                    .map_or(Pointed::Absent, |start| Pointed::Span {
                        start,
                        end: start + words.len(),
                    })
            }
            (Points::Option(word), Type::Enumeration(options)) => {
                Pointed::Choice(options.iter().position(|option| option == word).unwrap_or(usize::MAX))
            }
            (Points::Option(_), _) => Pointed::Absent,
        });
        Some(AnswerCall {
            tool,
            arguments: arguments.collect(),
        })
    });
    calls.collect()
}

/// One thing is not as it should be.
fn bend(chance: &mut Chance, query: &Query, calls: &mut Vec<AnswerCall>) {
    if calls.is_empty() {
        return calls.push(allowed(chance, query));
    }
    let at = chance.below(calls.len());
    let copy = calls[at].clone();
    let call = &mut calls[at];
    match chance.below(8) {
        0 => call.tool = chance.below(query.tools.len()),
        1 if !call.arguments.is_empty() => {
            let at = chance.below(call.arguments.len());
            call.arguments[at] = pointed(chance, query);
        }
        2 => call.arguments.reverse(),
        3 => drop(call.arguments.pop()),
        4 => call.arguments.push(pointed(chance, query)),
        5 => calls.insert(at, copy),
        6 => drop(calls.remove(at)),
        _ => calls.reverse(),
    }
}

/// A call that the grammar allows.
fn allowed(chance: &mut Chance, query: &Query) -> AnswerCall {
    let tool = chance.below(query.tools.len());
    let parameters = query.tools.get(tool).map_or(&[][..], |tool| &tool.parameters);
    let arguments = parameters.iter().map(|(_, kind, required)| match kind {
        _ if !required && chance.percent(50) => Pointed::Absent,
        Type::Enumeration(options) => Pointed::Choice(chance.below(options.len())),
        kind => {
            let fitting: Vec<_> = query.spans.iter().filter(|span| span.kind == *kind).collect();
            match fitting.get(chance.below(fitting.len())) {
                Some(span) => Pointed::Span {
                    start: span.start,
                    end: span.end,
                },
                None => pointed(chance, query),
            }
        }
    });
    AnswerCall {
        tool,
        arguments: arguments.collect(),
    }
}

/// A call that no grammar allows.
fn anything(chance: &mut Chance, query: &Query) -> AnswerCall {
    let tool = if chance.percent(70) {
        chance.below(query.tools.len())
    } else {
        number(chance)
    };
    AnswerCall {
        tool,
        arguments: (0..chance.below(9)).map(|_| pointed(chance, query)).collect(),
    }
}

fn pointed(chance: &mut Chance, query: &Query) -> Pointed {
    match chance.below(6) {
        0 => Pointed::Absent,
        1 => Pointed::Choice(number(chance)),
        2 => Pointed::Span {
            start: number(chance),
            end: number(chance),
        },
        3 => {
            // In the middle of a character, too.
            let start = chance.below(query.goal.len() + 2);
            Pointed::Span {
                start,
                end: start + chance.below(12),
            }
        }
        _ if query.spans.is_empty() => Pointed::Choice(chance.below(8)),
        _ => {
            let span = chance.one(&query.spans);
            Pointed::Span {
                start: span.start,
                end: span.end,
            }
        }
    }
}

fn number(chance: &mut Chance) -> usize {
    *chance.one(&[0, 1, 2, 5, 11, 64, 4_096, usize::MAX - 1, usize::MAX])
}
