//! Whether a goal is one that a trace has met before, without a model. Every content word must be accounted for, in order: by the same
//! word of the pattern, by a synonym that was observed for the same deed, or by a slot of the right type. "left" is not "right", "do not"
//! is not "do", and an extra clause has words that nothing accounts for.

mod bind;
mod generalise;
mod index;
mod pattern;
mod synonym;

use crate::goal::{self, Goal, Lexicon};
use crate::plan::{Given, Plan, PlannedCall, Source};
use crate::text::trace::Trace;
use crate::tool::Device;
use bind::{Unbound, bind};
use index::{Fit, Index, likeness};
use pattern::{Part, Piece, Said, parts, pieces, slots_of};
use synonym::Synonyms;

pub use generalise::{Generalised, generalise};
pub use synonym::Synonym;

/// What a synonym takes from a score of 1, in thousandths.
const SYNONYM_COSTS: u32 = 20;

/// What matching found.
#[derive(Clone, PartialEq, Debug)]
#[expect(missing_docs, reason = "the fields are named for what they hold")]
pub enum Found {
    /// This trace fits with this score, in thousandths, and this plan; synonyms as "grab" for "pick up".
    Trace {
        id: String,
        plan: Plan,
        score: u32,
        synonyms: Vec<(String, String)>,
    },
    /// Several different plans fit, or a slot could be several things: ask.
    Ambiguous { question: String },
    /// None fits; the best score in thousandths, and whose.
    Nothing { best: u32, id: Option<String> },
}

/// The patterns and synonyms of all traces that may be followed.
#[derive(Debug, Default)]
pub(crate) struct Matcher {
    index: Index,
    synonyms: Synonyms,
}

impl Matcher {
    /// Takes in a trace that was observed to succeed.
    pub fn add(&mut self, trace: &Trace) {
        self.index.add(trace);
        self.synonyms.add(trace);
    }

    /// Forgets a trace.
    pub fn remove(&mut self, id: &str) {
        self.index.remove(id);
        self.synonyms.remove(id);
    }

    /// The patterns of a trace, by their place in it, and the traces that have them.
    pub fn same_patterns(&self, trace: &Trace) -> Vec<(usize, &str)> {
        self.index.same(trace)
    }

    /// What was learned to mean the same.
    pub fn synonyms(&self) -> impl Iterator<Item = &Synonym> {
        self.synonyms.iter()
    }

    /// Finds the trace that a goal follows.
    pub fn find<'t>(
        &self,
        goal: &Goal,
        lexicon: &Lexicon,
        devices: &[Device],
        trace: impl Fn(&str) -> Option<&'t Trace>,
    ) -> Found {
        let pieces = pieces(goal);
        let said = Said { goal, lexicon };
        let mut fits: Vec<(&Trace, Plan, Fit<'_>)> = Vec::new();
        for fit in self.index.fits(&pieces, said, &self.synonyms) {
            let Some(trace) = trace(fit.trace) else { continue };
            // What needs no synonym is meant before what does.
            if fits
                .last()
                .is_some_and(|(_, _, best)| best.synonyms.len() < fit.synonyms.len())
            {
                break;
            }
            if !self.may_use(&fit, trace) {
                continue;
            }
            let Some(bound) = filled(trace, &fit, &pieces) else {
                continue;
            };
            match bind(trace, &bound, said, devices) {
                Ok(plan) => fits.push((trace, plan, fit)),
                Err(Unbound::Ask(question)) => return Found::Ambiguous { question },
                Err(Unbound::Unknown) => {}
            }
        }
        let Some(((trace, plan, fit), others)) = fits.split_first() else {
            let near = self.index.near(&pieces).into_iter().filter_map(|(id, place)| {
                let pattern = trace(id)?.patterns.get(place)?;
                Some((likeness(&parts(pattern), &pieces), id))
            });
            // The first of the best, which is the one that shares most words.
            let best = near.reduce(|best, other| if other.0 > best.0 { other } else { best });
            return Found::Nothing {
                best: best.map_or(0, |(score, _)| score),
                id: best.map(|(_, id)| id.to_owned()),
            };
        };
        if let Some((other, ..)) = others.iter().find(|(_, other, _)| skeleton(other) != skeleton(plan)) {
            return Found::Ambiguous {
                question: format!(
                    "the traces {} and {} both fit and do different things; say it in other words, or remove one (llmos trace rm)",
                    trace.id, other.id
                ),
            };
        }
        let used = fit.synonyms.iter().filter_map(|number| self.synonyms.get(*number));
        let used: Vec<(String, String)> = used
            .map(|synonym| (synonym.one.join(" "), synonym.other.join(" ")))
            .collect();
        Found::Trace {
            id: trace.id.clone(),
            plan: plan.clone(),
            score: 1_000 - SYNONYM_COSTS * u32::try_from(used.len()).unwrap_or(u32::MAX),
            synonyms: used,
        }
    }

    /// Synonyms hold for the deed that showed them: the trace must do all of it.
    fn may_use(&self, fit: &Fit<'_>, trace: &Trace) -> bool {
        let mine = if fit.synonyms.is_empty() {
            Vec::new()
        } else {
            synonym::deed(trace)
        };
        fit.synonyms.iter().all(|number| {
            let deed = self.synonyms.get(*number).map(|synonym| &synonym.deed);
            deed.is_some_and(|deed| deed.iter().all(|step| mine.contains(step)))
        })
    }
}

/// Binds a trace to its own goal, for a replay by name.
///
/// # Errors
/// What could not be bound.
pub fn rebind(trace: &Trace, lexicon: &Lexicon, devices: &[Device]) -> Result<Plan, String> {
    let goal = goal::read(&trace.goal, lexicon);
    let (pieces, said) = (pieces(&goal), Said { goal: &goal, lexicon });
    let mut index = Index::default();
    index.add(trace);
    let none = Synonyms::default();
    let fits = index.fits(&pieces, said, &none);
    let bound = fits.iter().find_map(|fit| filled(trace, fit, &pieces)).ok_or_else(|| {
        format!(
            "the goal of {} fits none of its patterns now; is everything it names still there?",
            trace.id
        )
    })?;
    bind(trace, &bound, said, devices).map_err(|unbound| match unbound {
        Unbound::Ask(question) => question,
        Unbound::Unknown => format!("{} uses a device or tool that is not there any more", trace.id),
    })
}

/// Another ending of a trace, with the values that the plan at hand took from the goal. `None` where it needs one that the plan has not.
#[must_use]
pub fn bind_again(trace: &Trace, plan: &Plan, devices: &[Device]) -> Option<Plan> {
    bind::bind_again(trace, plan, devices)
}

/// A trace with values that were given for its slots by name: the slot, what was said, and what that is worth. `None` where a step needs
/// one that was not given, or a device or tool is not there.
#[must_use]
pub fn bind_given(trace: &Trace, given: &[(String, String, Given)], devices: &[Device]) -> Option<Plan> {
    bind::bind_given(trace, given, devices)
}

/// The slots of the pattern that fits, with what fills them. A slot that stands twice is filled with the same words twice.
fn filled<'a>(trace: &'a Trace, fit: &Fit<'_>, pieces: &'a [Piece]) -> Option<Vec<(&'a str, &'a Piece)>> {
    let names = slots_of(trace.patterns.get(fit.pattern)?);
    let bound: Vec<(&str, &Piece)> = names.zip(fit.bound.iter().map(|piece| &pieces[*piece])).collect();
    let agrees = bound.iter().enumerate().all(|(index, (name, piece))| {
        let mut before = bound[..index].iter();
        before.all(|(other, words)| other != name || words.words == piece.words)
    });
    agrees.then_some(bound)
}

/// Whether two patterns are the same to a goal.
#[must_use]
pub fn is_same(one: &str, other: &str) -> bool {
    parts(one) == parts(other)
}

/// Whether a pattern says enough to be known again: a word, or two slots.
#[must_use]
pub fn is_telling(pattern: &str) -> bool {
    let parts = parts(pattern);
    let slots = parts.iter().filter(|part| matches!(part, Part::Slot(_))).count();
    parts.len() > slots || slots > 1
}

/// A plan without the words that its values came from.
fn skeleton(plan: &Plan) -> Plan {
    let bare = |mut call: PlannedCall| {
        let undoing = call.compensate.iter_mut().flat_map(|call| &mut call.arguments);
        for argument in call.arguments.iter_mut().chain(undoing) {
            argument.source = Source::Trace;
        }
        call
    };
    Plan {
        calls: plan.calls.iter().cloned().map(bare).collect(),
        start: plan.start.clone(),
    }
}
