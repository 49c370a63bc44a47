//! From what the model points at to arguments with provenance. The model chooses tools and points at words; what those words are worth
//! is computed here, from the goal's typed spans and the devices' state. A plan that leaves a number or a direction of the goal unused
//! has misunderstood it, and is not carried out. It must not know how the model was asked.

mod antecedent;
mod heed;
mod repetition;

use crate::goal::{Denial, Dimension, Goal, Lexicon, Meaning, NameKind, Negation, Pronoun, Span};
use crate::message::{AnswerCall, Pointed, QuerySpan};
use crate::plan::{Argument, Given, Plan, PlannedCall, Source};
use crate::tool::{Parameter, Type};
use heed::{is_handed_on, is_set, texts};

/// Calls that a plan may have.
pub const CALLS_MAX: usize = 12;

/// What an argument may point at: every span that stands, with each type that it could fill. `bare` are the dimensions for which a
/// number without a unit may stand.
#[must_use]
pub fn spans(goal: &Goal, lexicon: &Lexicon, bare: &[Dimension]) -> Vec<QuerySpan> {
    let bare: Vec<Type> = bare.iter().map(|dimension| Type::Quantity(*dimension)).collect();
    let mut spans = Vec::new();
    for span in goal.spans.iter().filter(|span| !span.superseded && !denied(goal, span)) {
        let kinds: &[Type] = match &span.meaning {
            Meaning::Quantity { dimension, .. } => &[Type::Quantity(*dimension)],
            Meaning::Number { micro } if micro % llmos_follower::MICRO == 0 => &[Type::Integer],
            Meaning::Number { .. } => &[Type::Number],
            Meaning::Point { .. } | Meaning::Pronoun(Pronoun::There | Pronoun::Back) => &[Type::Place],
            Meaning::Pronoun(_) => &[Type::Entity],
            Meaning::Named { candidates, .. } => {
                let is_place = |name: &String| lexicon.kind(name) == Some(NameKind::Place);
                if candidates.iter().all(is_place) {
                    &[Type::Place]
                } else {
                    &[Type::Entity]
                }
            }
            Meaning::Range { .. } | Meaning::Ordinal { .. } | Meaning::Count { .. } | Meaning::Direction(_) => &[],
        };
        let bare = bare.iter().filter(|_| matches!(span.meaning, Meaning::Number { .. }));
        let spanned = kinds.iter().chain(bare).map(|kind| (span.end, kind.clone()));
        let counted = goal.counted(span).map(|(end, _)| (end, Type::Integer));
        spans.extend(spanned.chain(counted).map(|(end, kind)| QuerySpan {
            start: span.start,
            end,
            kind,
        }));
    }
    spans
}

fn denied(goal: &Goal, span: &Span) -> bool {
    let denies = |denial: &&Denial| denial.scope.start <= span.start && span.end <= denial.scope.end;
    goal.denials
        .iter()
        .any(|denial| denies(&denial) && !goal.is_limit(denial))
}

/// A tool that the model was offered.
pub struct Offered<'a> {
    /// Its device; empty where the tools came from outside.
    pub device: &'a str,
    /// Its name.
    pub tool: &'a str,
    /// Its description; empty where it is a device's, whose limits are in its manifest.
    pub does: &'a str,
    /// Its parameters.
    pub parameters: &'a [Parameter],
}

/// Turns calls of the model into a plan.
///
/// # Errors
/// What the person is asked, because something is missing, ambiguous or was not understood.
pub fn ground(goal: &Goal, offered: &[Offered<'_>], calls: &[AnswerCall]) -> Result<Plan, String> {
    let texts = texts(offered, calls);
    let heeded = |denial: &Denial| is_handed_on(goal, denial, &texts) || is_set(goal, denial, offered, calls);
    if !goal.denials.iter().all(heeded) {
        return Err(match goal.negation {
            Negation::Whole => "the goal sets a limit, and no tool here is for that; please say what to do",
            _ => "the goal says both what to do and what not to do; please say only what to do",
        }
        .to_owned());
    }
    let mut grounding = Grounding {
        goal,
        texts,
        plan: Plan::default(),
        used: Vec::new(),
        thing: None,
        place: None,
        said: Vec::new(),
    };
    for call in calls {
        let tool = offered
            .get(call.tool)
            .ok_or("the model chose a tool that it was not offered")?;
        grounding.call(tool, &call.arguments)?;
    }
    grounding.do_once();
    grounding.repeat()?;
    grounding.check_everything_is_used(offered, calls)?;
    Ok(grounding.plan)
}

struct Grounding<'a> {
    goal: &'a Goal,
    /// The stretches of the goal that the plan takes as texts.
    texts: Vec<(usize, usize)>,
    plan: Plan,
    used: Vec<(usize, usize)>,
    /// The last thing and the last place that were named, for "it" and "there".
    thing: Option<String>,
    place: Option<Given>,
    /// The texts of the last call that has some: for which parameter, and where they stand.
    said: Vec<(String, usize, usize)>,
}

impl Grounding<'_> {
    fn call(&mut self, tool: &Offered<'_>, pointed: &[Pointed]) -> Result<(), String> {
        let (mut arguments, mut said) = (Vec::new(), Vec::new());
        for (parameter, pointed) in tool.parameters.iter().zip(pointed) {
            let (value, source) = match *pointed {
                Pointed::Absent if parameter.required => return Err(missing(tool.tool, parameter)),
                Pointed::Absent => continue,
                Pointed::Choice(index) => self.choice(parameter, index)?,
                Pointed::Span { start, end } => self.span(parameter, start, end)?,
            };
            if let (Given::Text(_), Source::Goal { start, end, .. }) = (&value, &source) {
                said.push((parameter.name.clone(), *start, *end));
            }
            match &value {
                Given::Entity(name) => self.thing = Some(name.clone()),
                Given::Named(_) | Given::Point(_) => self.place = Some(value.clone()),
                _ => {}
            }
            arguments.push(Argument {
                parameter: parameter.name.clone(),
                value,
                source,
            });
        }
        if !said.is_empty() {
            self.said = said;
        }
        self.plan
            .calls
            .push(PlannedCall::new(tool.device, tool.tool, arguments));
        Ok(())
    }

    /// An option. Where the goal names directions, only one of those can be meant.
    fn choice(&mut self, parameter: &Parameter, index: usize) -> Result<(Given, Source), String> {
        let options = match &parameter.kind {
            Type::Boolean => return Ok((Given::Boolean(index == 0), Source::Manifest)),
            Type::Enumeration(options) => options,
            other => {
                return Err(format!(
                    "the model chose an option for {}, which is {}",
                    parameter.name,
                    other.word()
                ));
            }
        };
        let option = options
            .get(index)
            .ok_or("the model chose an option that does not exist")?;
        let said: Vec<(&Span, &str)> = self.directions(options);
        // A side that belongs to a text ("the boy with his right arm up") says nothing of where to, if the option's word stands beside it.
        let within = |(first, last)| self.texts.iter().any(|(start, end)| *start <= first && last <= *end);
        let told = self.word(option).is_some_and(|word| !within(word))
            && said.iter().all(|(span, _)| within((span.start, span.end)));
        if !told && !said.is_empty() && !said.iter().any(|(_, word)| word == option) {
            let words: Vec<&str> = said.iter().map(|(_, word)| *word).collect();
            return Err(format!(
                "the goal says {}, but the plan would go {option}; please say it in other words",
                words.join(" and ")
            ));
        }
        let span = said
            .iter()
            .find(|(span, word)| word == option && !self.used.contains(&(span.start, span.end)));
        let span = span
            .or_else(|| said.iter().find(|(_, word)| word == option))
            .map(|(span, _)| (span.start, span.end));
        let source = match span.or_else(|| self.word(option)) {
            Some((start, end)) => self.take(start, end),
            None => Source::Manifest,
        };
        Ok((Given::Option(option.clone()), source))
    }

    /// The direction words of the goal that are options here.
    fn directions<'b>(&'b self, options: &[String]) -> Vec<(&'b Span, &'static str)> {
        let standing = self
            .goal
            .spans
            .iter()
            .filter(|span| !span.superseded && !denied(self.goal, span));
        let worded = standing.filter_map(|span| match &span.meaning {
            Meaning::Direction(direction) => Some((span, direction.word())),
            _ => None,
        });
        worded
            .filter(|(_, word)| options.iter().any(|option| option == word))
            .collect()
    }

    /// The option's own word in the goal.
    fn word(&self, option: &str) -> Option<(usize, usize)> {
        let word = self
            .goal
            .words
            .iter()
            .find(|word| word.normal == option.to_lowercase())?;
        Some((word.start, word.end))
    }

    fn take(&mut self, start: usize, end: usize) -> Source {
        self.used.push((start, end));
        Source::Goal {
            start,
            end,
            words: self.words(start, end),
        }
    }

    fn words(&self, start: usize, end: usize) -> String {
        self.goal.text.get(start..end).unwrap_or_default().to_owned()
    }

    fn span(&mut self, parameter: &Parameter, start: usize, end: usize) -> Result<(Given, Source), String> {
        let words = self.words(start, end);
        if parameter.kind == Type::Text {
            // Tools of other programs take names as texts; there "it" is what the call before was about, and without one what their
            // owner knows of.
            if let Some((first, last)) = self.spoken_of(&words).filter(|_| self.is_pronoun(start, end)) {
                self.used.push((start, end));
                return Ok((Given::Text(self.words(first, last)), self.take(first, last)));
            }
            return Ok((Given::Text(words), self.take(start, end)));
        }
        let standing = self.goal.spans.iter().filter(|span| !span.superseded);
        let mut counted = standing.filter_map(|span| Some((span, self.goal.counted(span)?)));
        let counted = counted.find(|(span, (last, _))| (span.start, *last) == (start, end));
        if let (Type::Number | Type::Integer, Some((span, (_, micro)))) = (&parameter.kind, counted) {
            self.used.push((span.start, span.end));
            return Ok((Given::Number(micro), self.take(start, end)));
        }
        for span in spans_at(self.goal, start, end) {
            let value = match (&parameter.kind, &span.meaning) {
                (Type::Quantity(expected), Meaning::Quantity { dimension, micro }) if expected == dimension => {
                    Given::Quantity(*dimension, *micro)
                }
                (Type::Number | Type::Integer, Meaning::Number { micro }) => Given::Number(*micro),
                (Type::Quantity(expected), Meaning::Number { micro })
                    if parameter.bare && !self.measures(*expected, start, end) =>
                {
                    Given::Number(*micro)
                }
                (Type::Place | Type::Point, Meaning::Point { micro }) => Given::Point(*micro),
                (kind, Meaning::Named { candidates, .. }) => match candidates.as_slice() {
                    [name] if *kind == Type::Entity => Given::Entity(name.clone()),
                    [name] if matches!(kind, Type::Place | Type::Point) => Given::Named(name.clone()),
                    [_] => continue,
                    several => return Err(which(&words, several)),
                },
                (kind, Meaning::Pronoun(pronoun)) => match self.pronoun(kind, *pronoun, span)? {
                    Some(value) => {
                        self.used.push((start, end));
                        return Ok((value, Source::State { words }));
                    }
                    None => continue,
                },
                _ => continue,
            };
            return Ok((value, self.take(start, end)));
        }
        Err(format!(
            "\"{words}\" is no {}, which {} needs; please say it in other words",
            parameter.kind.word(),
            parameter.name
        ))
    }

    /// Whether the goal's words are also a quantity, as "half" is also 50 %.
    fn measures(&self, expected: Dimension, start: usize, end: usize) -> bool {
        spans_at(self.goal, start, end)
            .any(|span| matches!(&span.meaning, Meaning::Quantity { dimension, .. } if *dimension == expected))
    }

    /// Whether the plan has to do with what a name of the goal may mean: as a value, or as a word of a tool or device that it calls.
    fn speaks_of(&self, candidates: &[String], words: &str) -> bool {
        self.plan.calls.iter().any(|call| {
            let value = |argument: &Argument| match &argument.value {
                Given::Entity(name) | Given::Named(name) | Given::Start(name) => candidates.contains(name),
                Given::Text(text) => text.contains(words),
                _ => false,
            };
            let called = [&call.tool, &call.device];
            let named = called
                .iter()
                .any(|name| name.split('_').any(|part| part.eq_ignore_ascii_case(words)));
            named || call.arguments.iter().any(value)
        })
    }

    /// Every quantity and point of the goal, every count, every direction of a goal about directions and every name must have been
    /// used.
    fn check_everything_is_used(&self, offered: &[Offered<'_>], calls: &[AnswerCall]) -> Result<(), String> {
        let directed = |word: &str| {
            calls.iter().filter_map(|call| offered.get(call.tool)).any(|tool| {
                tool.parameters
                    .iter()
                    .any(|p| matches!(&p.kind, Type::Enumeration(options) if options.iter().any(|o| o == word)))
            })
        };
        for span in self.goal.spans.iter().filter(|span| !span.superseded) {
            let counts = match &span.meaning {
                Meaning::Quantity { .. } | Meaning::Point { .. } | Meaning::Range { .. } => true,
                Meaning::Count { times } => *times != 1 && self.most() != *times as usize,
                Meaning::Direction(direction) => directed(direction.word()),
                Meaning::Named { candidates, .. } => !self.speaks_of(candidates, &self.words(span.start, span.end)),
                _ => false,
            };
            let used = self
                .used
                .iter()
                .any(|(start, end)| *start <= span.start && span.end <= *end);
            let other_reading = self.goal.spans.iter().any(|other| {
                other.start == span.start && other.end == span.end && matches!(other.meaning, Meaning::Pronoun(_))
            });
            if counts && !used && !other_reading {
                let words = self.words(span.start, span.end);
                return Err(format!(
                    "the plan found no use for \"{words}\"; please say it in other words, or in two goals"
                ));
            }
        }
        Ok(())
    }
}

/// What the goal's words from one byte to another mean; they may mean several things.
fn spans_at(goal: &Goal, start: usize, end: usize) -> impl Iterator<Item = &Span> {
    goal.spans
        .iter()
        .filter(move |span| span.start == start && span.end == end)
}

/// Asks which of several things was meant.
#[must_use]
pub fn which(words: &str, candidates: &[String]) -> String {
    format!("which one is \"{words}\": {}?", candidates.join(", "))
}

/// Asks for a parameter that the goal does not state.
#[must_use]
pub fn missing(tool: &str, parameter: &Parameter) -> String {
    let example = match &parameter.kind {
        Type::Quantity(dimension) => format!(
            "{} {}, such as {}",
            if dimension.name().starts_with('a') { "an" } else { "a" },
            dimension.name(),
            crate::goal::print_quantity(*dimension, 500_000)
        ),
        Type::Enumeration(options) => format!("one of {}", options.join(", ")),
        Type::Entity => "something that a device reports by name".to_owned(),
        Type::Place => "a place by name, or coordinates such as (0.5, 0.5, 1)".to_owned(),
        other => other.word(),
    };
    format!(
        "what is the {} for {}? please say {example}",
        parameter.name.replace('_', " "),
        tool.replace('_', " ")
    )
}
