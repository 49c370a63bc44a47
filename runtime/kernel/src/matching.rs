//! Whether a goal is one that a trace has met before, without a model. Every content word must be accounted for, in order: by the same
//! word of the pattern, or by a slot of the right type. "left" is not "right", "do not" is not "do", and an extra clause has words that
//! nothing accounts for.

use crate::goal::{self, Goal, Item, Lexicon, Meaning};
use crate::message::Status;
use crate::plan::{Argument, Given, Plan, PlannedCall, Source};
use crate::text::trace::{Trace, slot_of};
use crate::tool::{Device, Type};

/// What matching found.
#[derive(Clone, PartialEq, Debug)]
#[expect(missing_docs, reason = "the fields are named for what they hold")]
pub enum Found {
    /// This trace fits, with this plan.
    Trace { id: String, plan: Plan },
    /// Several different plans fit, or a slot could be several things: ask.
    Ambiguous { question: String },
    /// None fits; the best score in thousandths, and whose.
    Nothing { best: u32, id: Option<String> },
}

/// Finds the trace that a goal follows. Only traces that were observed to succeed count.
#[must_use]
pub fn find(goal: &Goal, traces: &[Trace], devices: &[Device]) -> Found {
    let pieces = pieces(goal);
    let mut fits: Vec<(&Trace, Plan)> = Vec::new();
    let mut best: (u32, Option<&Trace>) = (0, None);
    for trace in traces.iter().filter(|trace| trace.status == Status::Done) {
        for pattern in &trace.patterns {
            let pattern = parts(pattern);
            let Some(bound) = align(&pattern, &pieces, goal, &trace.slots) else {
                let score = likeness(&pattern, &pieces);
                if score > best.0 {
                    best = (score, Some(trace));
                }
                continue;
            };
            match bind(trace, &bound, goal, devices) {
                Ok(plan) => fits.push((trace, plan)),
                Err(Unbound::Ask(question)) => return Found::Ambiguous { question },
                Err(Unbound::Unknown) => {}
            }
        }
    }
    match fits.split_first() {
        None => Found::Nothing {
            best: best.0,
            id: best.1.map(|trace| trace.id.clone()),
        },
        Some(((trace, plan), others)) => match others.iter().find(|(_, other)| skeleton(other) != skeleton(plan)) {
            None => Found::Trace {
                id: trace.id.clone(),
                plan: plan.clone(),
            },
            Some((other, _)) => Found::Ambiguous {
                question: format!(
                    "the traces {} and {} both fit and do different things; say it in other words, or remove one (llmos trace rm)",
                    trace.id, other.id
                ),
            },
        },
    }
}

/// Binds a trace to its own goal, for a replay by name.
///
/// # Errors
/// What could not be bound.
pub fn rebind(trace: &Trace, lexicon: &Lexicon, devices: &[Device]) -> Result<Plan, String> {
    let goal = goal::read(&trace.goal, lexicon);
    let pieces = pieces(&goal);
    let bound = trace
        .patterns
        .iter()
        .find_map(|pattern| align(&parts(pattern), &pieces, &goal, &trace.slots));
    let bound = bound.ok_or_else(|| {
        format!(
            "the goal of {} fits none of its patterns now; is everything it names still there?",
            trace.id
        )
    })?;
    bind(trace, &bound, &goal, devices).map_err(|unbound| match unbound {
        Unbound::Ask(question) => question,
        Unbound::Unknown => format!("{} uses a device or tool that is not there any more", trace.id),
    })
}

fn skeleton(plan: &Plan) -> Vec<(&str, &str, Vec<&Given>)> {
    plan.calls
        .iter()
        .map(|c| {
            (
                c.device.as_str(),
                c.tool.as_str(),
                c.arguments.iter().map(|a| &a.value).collect(),
            )
        })
        .collect()
}

/// One content word or span of a goal.
struct Piece {
    words: Vec<String>,
    readings: Vec<usize>,
    start: usize,
    end: usize,
}

fn pieces(goal: &Goal) -> Vec<Piece> {
    goal::content(goal)
        .into_iter()
        .map(|item| match item {
            Item::Word { start, end, normal } => Piece {
                words: vec![normal],
                readings: Vec::new(),
                start,
                end,
            },
            Item::Span { readings } => {
                let span = &goal.spans[readings[0]];
                let inside = goal
                    .words
                    .iter()
                    .filter(|word| word.start >= span.start && word.end <= span.end);
                let words = inside.map(|word| word.normal.clone()).collect();
                Piece {
                    words,
                    start: span.start,
                    end: span.end,
                    readings,
                }
            }
        })
        .collect()
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Part {
    Word(String),
    Slot(String),
}

/// A placeholder that no goal contains and that reads as one word.
const SLOT: &str = "qzslotq";

/// A pattern in its parts, read by the same rules as a goal.
fn parts(pattern: &str) -> Vec<Part> {
    let (mut names, mut text, mut rest) = (Vec::new(), String::new(), pattern);
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        match after.split_once('}') {
            Some((name, after)) => {
                names.push(name.to_owned());
                text.push_str(SLOT);
                rest = after;
            }
            None => rest = after,
        }
    }
    text.push_str(rest);
    let mut names = names.into_iter();
    let words = pieces(&goal::read(&text, &Lexicon::default()))
        .into_iter()
        .flat_map(|piece| piece.words);
    words
        .filter_map(|word| {
            if word == SLOT {
                names.next().map(Part::Slot)
            } else {
                Some(Part::Word(word))
            }
        })
        .collect()
}

/// The pattern's slots with the pieces they bind, if every part and every piece is accounted for.
fn align(pattern: &[Part], pieces: &[Piece], goal: &Goal, slots: &[(String, Type)]) -> Option<Vec<(String, usize)>> {
    let (mut at, mut bound): (usize, Vec<(String, usize)>) = (0, Vec::new());
    for (index, piece) in pieces.iter().enumerate() {
        match pattern.get(at)? {
            Part::Slot(name) => {
                let (_, kind) = slots.iter().find(|(slot, _)| slot == name)?;
                if !fits(piece, goal, kind) {
                    return None;
                }
                let same = bound
                    .iter()
                    .find(|(slot, _)| slot == name)
                    .map(|(_, other)| &pieces[*other]);
                if same.is_some_and(|other| other.words != piece.words) {
                    return None;
                }
                bound.push((name.clone(), index));
                at += 1;
            }
            Part::Word(_) => {
                for word in &piece.words {
                    match pattern.get(at)? {
                        Part::Word(expected) if expected == word => at += 1,
                        _ => return None,
                    }
                }
            }
        }
    }
    (at == pattern.len()).then_some(bound)
}

/// Whether a piece can fill a slot of this type.
fn fits(piece: &Piece, goal: &Goal, kind: &Type) -> bool {
    if let Type::Enumeration(_) = kind {
        return option_of(piece, goal, kind).is_some();
    }
    piece
        .readings
        .iter()
        .any(|index| reading_fits(&goal.spans[*index].meaning, kind))
        || *kind == Type::Text
}

fn reading_fits(meaning: &Meaning, kind: &Type) -> bool {
    match (kind, meaning) {
        (Type::Quantity(expected), Meaning::Quantity { dimension, .. }) => dimension == expected,
        (Type::Integer, Meaning::Number { micro }) => micro % llmos_follower::MICRO == 0,
        (Type::Number, Meaning::Number { .. })
        | (Type::Place | Type::Point, Meaning::Point { .. } | Meaning::Named { .. })
        | (Type::Entity, Meaning::Named { .. }) => true,
        _ => false,
    }
}

/// The option that a piece names: by its word, or as a direction.
fn option_of(piece: &Piece, goal: &Goal, kind: &Type) -> Option<String> {
    let Type::Enumeration(options) = kind else { return None };
    let said = piece.words.join(" ");
    let direction = piece
        .readings
        .iter()
        .find_map(|index| match &goal.spans[*index].meaning {
            Meaning::Direction(direction) => Some(direction.word()),
            _ => None,
        });
    options
        .iter()
        .find(|option| **option == said || direction == Some(option.as_str()))
        .cloned()
}

enum Unbound {
    Ask(String),
    Unknown,
}

fn bind(trace: &Trace, bound: &[(String, usize)], goal: &Goal, devices: &[Device]) -> Result<Plan, Unbound> {
    let pieces = pieces(goal);
    let mut plan = Plan::default();
    for step in &trace.steps {
        let device = devices
            .iter()
            .find(|device| device.name == step.device)
            .ok_or(Unbound::Unknown)?;
        let tool = device.tool(&step.tool).ok_or(Unbound::Unknown)?;
        let mut arguments = Vec::new();
        for (name, text) in &step.arguments {
            let parameter = tool
                .parameters
                .iter()
                .find(|parameter| parameter.name == *name)
                .ok_or(Unbound::Unknown)?;
            let (value, source) = match slot_of(text) {
                None => (
                    Given::parse(text, &parameter.kind).map_err(|_| Unbound::Unknown)?,
                    Source::Trace,
                ),
                Some(slot) => {
                    let (_, index) = bound.iter().find(|(known, _)| known == slot).ok_or(Unbound::Unknown)?;
                    let piece = pieces.get(*index).ok_or(Unbound::Unknown)?;
                    let words = goal.text.get(piece.start..piece.end).unwrap_or_default().to_owned();
                    let value = slot_value(piece, goal, &parameter.kind, text.starts_with("start of "))?;
                    (
                        value,
                        Source::Slot {
                            name: slot.to_owned(),
                            words,
                        },
                    )
                }
            };
            arguments.push(Argument {
                parameter: name.clone(),
                value,
                source,
            });
        }
        plan.calls.push(PlannedCall {
            device: step.device.clone(),
            tool: step.tool.clone(),
            arguments,
        });
    }
    Ok(plan)
}

fn slot_value(piece: &Piece, goal: &Goal, kind: &Type, start: bool) -> Result<Given, Unbound> {
    if let Some(option) = option_of(piece, goal, kind) {
        return Ok(Given::Option(option));
    }
    for index in &piece.readings {
        let meaning = &goal.spans[*index].meaning;
        if !reading_fits(meaning, kind) {
            continue;
        }
        return match meaning {
            Meaning::Quantity { dimension, micro } => Ok(Given::Quantity(*dimension, *micro)),
            Meaning::Number { micro } => Ok(Given::Number(*micro)),
            Meaning::Point { micro } => Ok(Given::Point(*micro)),
            Meaning::Named { candidates, .. } => match candidates.as_slice() {
                [name] if start => Ok(Given::Start(name.clone())),
                [name] if *kind == Type::Entity => Ok(Given::Entity(name.clone())),
                [name] => Ok(Given::Named(name.clone())),
                several => Err(Unbound::Ask(crate::ground::which(&piece.words.join(" "), several))),
            },
            _ => Err(Unbound::Unknown),
        };
    }
    match kind {
        Type::Text => Ok(Given::Text(
            goal.text.get(piece.start..piece.end).unwrap_or_default().to_owned(),
        )),
        _ => Err(Unbound::Unknown),
    }
}

/// How alike a pattern and a goal are, in thousandths, below the threshold for following: twice the longest common sequence of words
/// over both lengths, capped at 900, since a word that differs is never accounted for.
fn likeness(pattern: &[Part], pieces: &[Piece]) -> u32 {
    let goal: Vec<Part> = pieces
        .iter()
        .flat_map(|piece| {
            if piece.readings.is_empty() {
                piece.words.iter().cloned().map(Part::Word).collect()
            } else {
                vec![Part::Slot(String::new())]
            }
        })
        .collect();
    let alike = |a: &Part, b: &Part| matches!((a, b), (Part::Slot(_), Part::Slot(_))) || a == b;
    let mut row = vec![0_u32; goal.len() + 1];
    for part in pattern {
        let mut diagonal = 0;
        for (column, other) in goal.iter().enumerate() {
            let above = row[column + 1];
            row[column + 1] = if alike(part, other) {
                diagonal + 1
            } else {
                above.max(row[column])
            };
            diagonal = above;
        }
    }
    let both = u32::try_from(pattern.len() + goal.len()).unwrap_or(u32::MAX).max(1);
    (row[goal.len()] * 2_000 / both).min(900)
}

/// A plan without its particulars.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Generalised {
    /// The goal's words, with slots in braces.
    pub pattern: String,
    /// The slots and their types.
    pub slots: Vec<(String, Type)>,
    /// For each call its parameters and their values: a slot, or a constant.
    pub arguments: Vec<Vec<(String, String)>>,
}

/// The slots of a plan and the pattern of its goal: every argument that the goal stated becomes a slot.
#[must_use]
pub fn generalise(goal: &Goal, plan: &Plan, devices: &[Device]) -> Generalised {
    let mut slots: Vec<(String, Type, usize, usize, String)> = Vec::new();
    let kind_of = |call: &PlannedCall, name: &str| {
        let device = devices.iter().find(|device| device.name == call.device)?;
        let tool = device.tool(&call.tool)?;
        tool.parameters
            .iter()
            .find(|parameter| parameter.name == name)
            .map(|parameter| parameter.kind.clone())
    };
    for call in &plan.calls {
        for argument in &call.arguments {
            let Source::Goal { start, end, .. } = &argument.source else {
                continue;
            };
            if slots.iter().any(|(_, _, from, to, _)| from == start && to == end) {
                continue;
            }
            let Some(kind) = kind_of(call, &argument.parameter) else {
                continue;
            };
            let taken = slots
                .iter()
                .filter(|(name, ..)| {
                    name.split('_').next() == Some(argument.parameter.as_str()) || *name == argument.parameter
                })
                .count();
            let name = if taken == 0 {
                argument.parameter.clone()
            } else {
                format!("{}_{}", argument.parameter, taken + 1)
            };
            slots.push((name, kind, *start, *end, argument.value.to_string()));
        }
    }
    let pieces = pieces(goal);
    let mut pattern: Vec<String> = Vec::new();
    for piece in &pieces {
        match slots
            .iter()
            .find(|(_, _, start, end, _)| *start == piece.start && *end == piece.end)
        {
            Some((name, ..)) => pattern.push(format!("{{{name}}}")),
            None => pattern.extend(piece.words.iter().cloned()),
        }
    }
    // A slot whose words are no piece of their own would never be bound: its value stays a constant.
    slots.retain(|(name, ..)| pattern.contains(&format!("{{{name}}}")));
    let template = |argument: &Argument| {
        let text = argument.value.to_string();
        let by_place = slots.iter().find(|(_, _, start, end, _)| matches!(&argument.source, Source::Goal { start: s, end: e, .. } if s == start && e == end));
        let by_value = || match (&argument.value, &argument.source) {
            (Given::Start(name), _) => slots
                .iter()
                .find(|slot| slot.4 == *name)
                .map(|slot| format!("start of {{{}}}", slot.0)),
            (_, Source::State { .. }) => slots
                .iter()
                .find(|slot| slot.4 == text)
                .map(|slot| format!("{{{}}}", slot.0)),
            _ => None,
        };
        by_place
            .map(|slot| format!("{{{}}}", slot.0))
            .or_else(by_value)
            .unwrap_or(text)
    };
    let arguments = plan
        .calls
        .iter()
        .map(|call| {
            call.arguments
                .iter()
                .map(|a| (a.parameter.clone(), template(a)))
                .collect()
        })
        .collect();
    Generalised {
        pattern: pattern.join(" "),
        slots: slots.into_iter().map(|(name, kind, ..)| (name, kind)).collect(),
        arguments,
    }
}
