//! The traces that are known, and the index by which a goal finds its own. The Markdown documents are the truth; everything else here is
//! made from them. It must not know runs.

use crate::goal::{Goal, Lexicon};
use crate::matching::{Found, Matcher, Synonym};
use crate::message::Status;
use crate::text::trace::{Trace, TraceStep, slot_of};
use crate::tool::Device;
use std::collections::{BTreeMap, BTreeSet};

/// All traces without an error.
#[derive(Debug, Default)]
pub struct Library {
    traces: BTreeMap<String, Trace>,
    matcher: Matcher,
    /// Traces that may be followed, by what they do.
    by_deed: BTreeMap<String, Vec<String>>,
    /// Other endings of a trace.
    by_origin: BTreeMap<String, BTreeSet<String>>,
    /// Runs that did not succeed, by the tools they call.
    failed: BTreeMap<String, BTreeSet<(String, String)>>,
}

impl Library {
    /// Takes in a trace; one of the same id is replaced.
    pub fn insert(&mut self, trace: Trace) {
        self.remove(&trace.id);
        match (&trace.status, &trace.variant_of) {
            (Status::Done, Some(origin)) => {
                self.by_origin
                    .entry(origin.clone())
                    .or_default()
                    .insert(trace.id.clone());
            }
            (Status::Done, None) => {
                self.matcher.add(&trace);
                let skeleton = Skeleton::of(&trace.steps);
                self.by_deed.entry(skeleton.deed).or_default().push(trace.id.clone());
            }
            (Status::Failed | Status::Stopped, _) => {
                let ids = self.failed.entry(tools_key(trace.tools())).or_default();
                ids.insert((trace.created.clone(), trace.id.clone()));
            }
            _ => {}
        }
        self.traces.insert(trace.id.clone(), trace);
    }

    /// Forgets a trace.
    pub fn remove(&mut self, id: &str) {
        let Some(trace) = self.traces.remove(id) else { return };
        self.matcher.remove(id);
        if let Some(ids) = trace
            .variant_of
            .as_ref()
            .and_then(|origin| self.by_origin.get_mut(origin))
        {
            ids.remove(id);
        }
        if let Some(ids) = self.failed.get_mut(&tools_key(trace.tools())) {
            ids.remove(&(trace.created.clone(), trace.id.clone()));
        }
        if let Some(ids) = self.by_deed.get_mut(&Skeleton::of(&trace.steps).deed) {
            ids.retain(|known| known != id);
        }
    }

    /// The failed and stopped runs that call these tools in this order, the newest first.
    pub fn failures(&self, tools: &[(&str, &str)]) -> impl Iterator<Item = &Trace> {
        let known = (!self.failed.is_empty()).then(|| self.failed.get(&tools_key(tools.iter().copied())));
        let ids = known.flatten().into_iter().flatten();
        ids.rev().filter_map(|(_, id)| self.traces.get(id))
    }

    /// The other endings of a trace that were observed to succeed, by id.
    #[must_use]
    pub fn variants_of(&self, id: &str) -> Vec<&Trace> {
        let ids = self.by_origin.get(id).into_iter().flatten();
        ids.filter_map(|id| self.traces.get(id)).collect()
    }

    /// A trace by its id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Trace> {
        self.traces.get(id)
    }

    /// All traces by id.
    pub fn iter(&self) -> impl Iterator<Item = &Trace> {
        self.traces.values()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.traces.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.traces.is_empty()
    }

    /// The synonyms that the traces show.
    pub fn synonyms(&self) -> impl Iterator<Item = &Synonym> {
        self.matcher.synonyms()
    }

    /// The trace that a goal follows.
    #[must_use]
    pub fn find(&self, goal: &Goal, lexicon: &Lexicon, devices: &[Device]) -> Found {
        self.matcher.find(goal, lexicon, devices, |id| self.traces.get(id))
    }

    /// The trace that does what a new one does, and the new one's first pattern with that trace's names for its slots. `None` where no
    /// trace does the same, or where the pattern says too little to be known again.
    #[must_use]
    pub fn same_deed(&self, new: &Trace) -> Option<(&Trace, String)> {
        let mine = Skeleton::of(&new.steps);
        let kind = |slots: &[(String, crate::tool::Type)], name: &str| {
            let mut slots = slots.iter();
            slots.find(|(slot, _)| slot == name).map(|(_, kind)| kind.clone())
        };
        let ids = self.by_deed.get(&mine.deed)?;
        let mut same = ids.iter().filter_map(|id| {
            let trace = self.traces.get(id)?;
            let theirs = Skeleton::of(&trace.steps);
            let alike = mine.slots.iter().zip(&theirs.slots);
            let kinds = alike.clone().all(|(a, b)| kind(&new.slots, a) == kind(&trace.slots, b));
            let pattern = alike.fold(new.patterns.first()?.clone(), |text, (a, b)| {
                text.replace(&format!("{{{a}}}"), &format!("{{\u{1}{b}}}"))
            });
            // A trace that also says how, such as what must hold before, does more than was seen.
            (kinds && is_alike(new, trace)).then(|| (trace, pattern.replace('\u{1}', "")))
        });
        same.next().filter(|(_, pattern)| crate::matching::is_telling(pattern))
    }

    /// The patterns of a trace, by their place in it, that another trace has for something else.
    #[must_use]
    pub fn twins(&self, trace: &Trace) -> Vec<(usize, &str)> {
        let mine = Skeleton::of(&trace.steps).deed;
        let does_other = |id: &str| {
            self.traces
                .get(id)
                .is_some_and(|other| Skeleton::of(&other.steps).deed != mine || !is_alike(other, trace))
        };
        let same = self.matcher.same_patterns(trace).into_iter();
        same.filter(|(_, id)| *id != trace.id && does_other(id)).collect()
    }
}

fn tools_key<'a>(tools: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let calls: Vec<String> = tools.map(|(device, tool)| format!("{device}.{tool}")).collect();
    calls.join("\n")
}

/// Whether two traces ask for the same before their calls, and for the same when one fails.
fn is_alike(one: &Trace, other: &Trace) -> bool {
    let manner = |step: &TraceStep| (step.options.clone(), step.compensate.clone());
    one.start == other.start && one.steps.iter().map(manner).eq(other.steps.iter().map(manner))
}

/// Steps without the names of their slots.
struct Skeleton {
    /// The steps, slots by number.
    deed: String,
    /// The slots' names, by number.
    slots: Vec<String>,
}

impl Skeleton {
    fn of(steps: &[TraceStep]) -> Skeleton {
        let mut slots: Vec<String> = Vec::new();
        let mut numbered = |value: &str| match slot_of(value) {
            None => format!("{value:?}"),
            Some(slot) => {
                let number = slots.iter().position(|known| known == slot).unwrap_or(slots.len());
                if number == slots.len() {
                    slots.push(slot.to_owned());
                }
                format!("{:?}", value.replace(slot, &number.to_string()))
            }
        };
        let mut lines: Vec<String> = Vec::new();
        for step in steps {
            let mut words = vec![format!("{}.{}", step.device, step.tool)];
            words.extend(
                step.arguments
                    .iter()
                    .map(|(name, value)| format!("{name}={}", numbered(value))),
            );
            lines.push(words.join(" "));
        }
        Skeleton {
            deed: lines.join("\n"),
            slots,
        }
    }
}
