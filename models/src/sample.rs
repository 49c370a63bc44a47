//! Chooses greedily among what the grammar allows, by the softmax that the plan language names for each decision, and
//! runs the loop from prompt to plan.
//!
//! A choice without an alternative costs nothing: its token waits and goes through the network together with the next
//! ones (jump-forward). It must not know what the tools are for.

use crate::arch::{Head, Network, Pointers, softmax};
use crate::error::ModelError;
use crate::grammar::{Choice, Grammar};
use crate::prompt::Prompt;
use crate::request::{Outcome, PlanReply, PlanRequest, Tokens};
use crate::session::Sequence;

/// A network that can plan.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chooser<'a> {
    pub network: &'a Network,
    pub pointers: &'a Pointers,
}

impl Chooser<'_> {
    /// Plans; `sequence` holds the first `cached` tokens of the prompt and afterwards all of it with the plan.
    pub fn plan(
        &self,
        request: &PlanRequest<'_>,
        prompt: &Prompt,
        sequence: &mut Sequence,
        cached: usize,
    ) -> Result<PlanReply, ModelError> {
        let mut grammar = Grammar::new(request, prompt);
        let mut tokens = Tokens {
            prompt: prompt.tokens.len(),
            cached,
            ..Tokens::default()
        };
        let mut waiting = prompt.tokens[cached..].to_vec();
        let mut confidence = 1.0;
        let outcome = loop {
            let allowed = grammar.allowed();
            let choice = match allowed.as_slice() {
                [] => break grammar.outcome().unwrap_or(Outcome::TooLong),
                [only] => {
                    tokens.forced += 1;
                    *only
                }
                several => {
                    sequence.extend(self.network, self.pointers, &waiting)?;
                    waiting.clear();
                    tokens.generated += 1;
                    let (best, share) = self.choose(&grammar, prompt, sequence, several)?;
                    confidence *= share;
                    best
                }
            };
            waiting.push(grammar.token(choice));
            grammar.take(choice);
        };
        let (calls, unfinished) = grammar.into_calls();
        Ok(PlanReply {
            calls,
            unfinished,
            outcome,
            tokens,
            confidence,
        })
    }

    /// The likeliest of several choices and its share of the softmax over them.
    fn choose(
        &self,
        grammar: &Grammar<'_>,
        prompt: &Prompt,
        sequence: &Sequence,
        choices: &[Choice],
    ) -> Result<(Choice, f32), ModelError> {
        let mut shares = self.scores(grammar, prompt, sequence, choices)?;
        if shares.iter().any(|score| !score.is_finite()) {
            return Err(ModelError::NotFinite {
                choosing: grammar.deciding(),
            });
        }
        softmax(&mut shares);
        // On a tie the first wins, on every machine.
        let best = choices
            .iter()
            .copied()
            .zip(shares)
            .reduce(|best, next| if next.1 > best.1 { next } else { best });
        best.ok_or(ModelError::NotFinite {
            choosing: grammar.deciding(),
        })
    }

    fn scores(
        &self,
        grammar: &Grammar<'_>,
        prompt: &Prompt,
        sequence: &Sequence,
        choices: &[Choice],
    ) -> Result<Vec<f32>, ModelError> {
        let words: Vec<u32> = choices
            .iter()
            .filter(|choice| target(**choice, prompt).is_none())
            .map(|choice| grammar.token(*choice))
            .collect();
        let rows = self.network.output_rows(&words)?;
        let mut rows = rows.chunks_exact(self.network.dimensions().width);
        let score = |choice: &Choice| match target(*choice, prompt) {
            Some((head, position)) => sequence.points_at(self.pointers, head, position),
            None => rows.next().map_or(f32::NAN, |row| sequence.logit(row)),
        };
        Ok(choices.iter().map(score).collect())
    }
}

/// What a choice points at; the others are scored by the vocabulary.
fn target(choice: Choice, prompt: &Prompt) -> Option<(Head, usize)> {
    match choice {
        Choice::Tool(index) => Some((Head::Tool, prompt.tools[index])),
        Choice::Start(token) => Some((Head::Start, prompt.goal_start + token)),
        Choice::Last(token) => Some((Head::End, prompt.goal_start + token)),
        Choice::End | Choice::Nothing | Choice::Word(_) | Choice::Close | Choice::Skip | Choice::Ask => None,
    }
}
