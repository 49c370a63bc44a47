//! Chooses greedily among what the grammar allows, by the softmax that the plan language names for each decision, and
//! runs the loop from prompt to plan.
//!
//! A choice without an alternative costs nothing: its token waits and goes through the network together with the next
//! ones (jump-forward). The calls of an example are a draft: its tokens go through together, and as long as each is the
//! network's own choice, they stand. Neither changes the plan. It must not know what the tools are for.

use serde::{Deserialize, Serialize};

use crate::arch::{Head, Network, Pointers, softmax};
use crate::draft;
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
    pub shortcuts: Shortcuts,
}

/// Ways to the same plan with less work; tests and measurements take them away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shortcuts {
    /// The state of a tool list is kept for the next goal.
    pub kept_prefix: bool,
    /// Forced tokens go through together with the next ones.
    pub jump_forward: bool,
    /// The calls of an example are checked together.
    pub draft: bool,
}

impl Default for Shortcuts {
    fn default() -> Self {
        Self {
            kept_prefix: true,
            jump_forward: true,
            draft: true,
        }
    }
}

/// A plan in the making.
struct Progress<'a> {
    grammar: Grammar<'a>,
    tokens: Tokens,
    confidence: f32,
    /// Tokens of the prompt or plan that have not gone through the network.
    waiting: Vec<u32>,
}

impl Chooser<'_> {
    /// Plans; `sequence` holds a beginning of the prompt, and afterwards all of it with the plan.
    pub fn plan(
        &self,
        request: &PlanRequest<'_>,
        prompt: &Prompt,
        sequence: &mut Sequence,
    ) -> Result<PlanReply, ModelError> {
        let cached = sequence.len();
        let mut progress = Progress {
            grammar: Grammar::new(request, prompt),
            tokens: Tokens {
                prompt: prompt.tokens.len(),
                cached,
                ..Tokens::default()
            },
            confidence: 1.0,
            waiting: prompt.tokens[cached..].to_vec(),
        };
        if let Some(example) = request.example.filter(|_| self.shortcuts.draft) {
            let draft = draft::of(example, &progress.grammar);
            self.check(&draft, &mut progress, prompt, sequence)?;
        }
        let outcome = loop {
            let allowed = progress.grammar.allowed();
            let choice = match allowed.as_slice() {
                [] => break progress.grammar.outcome().unwrap_or(Outcome::TooLong),
                [only] => {
                    progress.tokens.forced += 1;
                    if !self.shortcuts.jump_forward {
                        sequence.extend(self.network, Some(self.pointers), &progress.waiting)?;
                        progress.waiting.clear();
                    }
                    *only
                }
                several => {
                    sequence.extend(self.network, Some(self.pointers), &progress.waiting)?;
                    progress.waiting.clear();
                    progress.tokens.generated += 1;
                    let (best, share) =
                        self.choose(&progress.grammar, prompt, sequence, sequence.len() - 1, several)?;
                    progress.confidence *= share;
                    best
                }
            };
            progress.waiting.push(progress.grammar.token(choice));
            progress.grammar.take(choice);
        };
        let (calls, unfinished) = progress.grammar.into_calls();
        Ok(PlanReply {
            calls,
            unfinished,
            outcome,
            tokens: progress.tokens,
            confidence: progress.confidence,
        })
    }

    /// Sends a draft through in one piece and takes it as far as the network chooses the same; then the network's choice.
    fn check(
        &self,
        draft: &[Choice],
        progress: &mut Progress<'_>,
        prompt: &Prompt,
        sequence: &mut Sequence,
    ) -> Result<(), ModelError> {
        let Some((_, sent)) = draft.split_last() else {
            return Ok(());
        };
        // A guess must not be what overflows the context.
        let needed = sequence.len() + progress.waiting.len() + sent.len();
        if needed > self.network.dimensions().context_max {
            return Ok(());
        }
        let mut spelled = std::mem::take(&mut progress.waiting);
        let first = sequence.len() + spelled.len() - 1;
        let mut guessed = progress.grammar.clone();
        for choice in sent {
            spelled.push(guessed.token(*choice));
            guessed.take(*choice);
        }
        sequence.extend(self.network, Some(self.pointers), &spelled)?;
        for (index, choice) in draft.iter().enumerate() {
            let deciding = first + index;
            let allowed = progress.grammar.allowed();
            let taken = if let [only] = allowed.as_slice() {
                progress.tokens.forced += 1;
                *only
            } else {
                progress.tokens.generated += 1;
                let (best, share) = self.choose(&progress.grammar, prompt, sequence, deciding, &allowed)?;
                progress.confidence *= share;
                progress.tokens.drafted += usize::from(best == *choice);
                best
            };
            let spelling = progress.grammar.token(taken);
            progress.grammar.take(taken);
            if taken != *choice || index == sent.len() {
                // What was sent behind this place was a wrong guess, and what was taken here has not been sent.
                sequence.truncate(deciding + 1);
                progress.waiting.push(spelling);
                break;
            }
        }
        Ok(())
    }

    /// The likeliest of several choices after the token at `from`, and its share of the softmax over them.
    fn choose(
        &self,
        grammar: &Grammar<'_>,
        prompt: &Prompt,
        sequence: &Sequence,
        from: usize,
        choices: &[Choice],
    ) -> Result<(Choice, f32), ModelError> {
        let mut shares = self.scores(grammar, prompt, sequence, from, choices)?;
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
        from: usize,
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
            Some((head, position)) => sequence.points_at(self.pointers, head, from, position),
            None => rows.next().map_or(f32::NAN, |row| sequence.logit(from, row)),
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
