//! How often a plan does a deed: once, unless the goal's words say otherwise; and as often as they say, where no argument takes the number.

use super::{CALLS_MAX, Grounding, denied};
use crate::goal::{Meaning, WordKind};
use crate::plan::{Argument, Given, PlannedCall};

impl Grounding<'_> {
    /// What is asked for once is done once: "it stinks, get the extraction going" is one call, unless a word says that it is to be done again
    /// or is itself said again.
    pub(super) fn do_once(&mut self) {
        const AGAIN: [&str; 16] = [
            "again", "twice", "thrice", "times", "repeat", "repeated", "more", "another", "same", "both", "each",
            "every", "two", "three", "four", "five",
        ];
        const PLAIN: [&str; 24] = [
            "the", "a", "an", "to", "in", "on", "at", "of", "it", "is", "and", "then", "my", "your", "you", "i",
            "please", "for", "with", "that", "this", "we", "me", "so",
        ];
        let words = self.goal.words.iter().filter(|word| word.kind == WordKind::Letters);
        let mut words: Vec<&str> = words
            .map(|word| word.normal.as_str())
            .filter(|word| !PLAIN.contains(word))
            .collect();
        words.sort_unstable();
        if !words.iter().any(|word| AGAIN.contains(word)) && words.windows(2).all(|pair| pair[0] != pair[1]) {
            self.plan.calls.dedup_by(|call, before| same(call, before));
        }
    }

    /// "press it twice" is the same call as often as is said, where no argument takes the number.
    pub(super) fn repeat(&mut self) -> Result<(), String> {
        let counts = self
            .goal
            .spans
            .iter()
            .filter(|span| !span.superseded && !denied(self.goal, span));
        let mut counts = counts.filter_map(|span| match span.meaning {
            Meaning::Count { times } if !self.used.contains(&(span.start, span.end)) => Some((span, times)),
            _ => None,
        });
        let (Some((span, times)), None) = (counts.next(), counts.next()) else {
            return Ok(());
        };
        let calls = &mut self.plan.calls;
        let Some(first) = calls.first().cloned() else {
            return Ok(());
        };
        if times < 2 || calls.iter().any(|call| !same(call, &first)) {
            return Ok(());
        }
        if times as usize > CALLS_MAX {
            let words = self.words(span.start, span.end);
            return Err(format!(
                "at most {CALLS_MAX} steps are done for one goal, found \"{words}\"; please say it in several goals"
            ));
        }
        calls.resize(times as usize, first);
        Ok(())
    }

    /// How often the plan has the call that it has most often.
    pub(super) fn most(&self) -> usize {
        let calls = &self.plan.calls;
        let often = |call: &PlannedCall| calls.iter().filter(|other| same(other, call)).count();
        calls.iter().map(often).max().unwrap_or(0)
    }
}

/// Whether two calls are the same deed.
fn same(one: &PlannedCall, other: &PlannedCall) -> bool {
    let values = |call: &PlannedCall| -> Vec<(String, Given)> {
        let value = |argument: &Argument| (argument.parameter.clone(), argument.value.clone());
        call.arguments.iter().map(value).collect()
    };
    (&one.device, &one.tool) == (&other.device, &other.tool) && values(one) == values(other)
}
