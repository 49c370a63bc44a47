//! Chooses greedily among what the grammar allows, by the softmax that the plan language names for each decision, and
//! runs the loop from prompt to plan. Tools and options are also weighed by what their words mean beside the goal's.
//!
//! A choice without an alternative costs nothing: its token waits and goes through the network together with the next
//! ones (jump-forward). The calls of an example are a draft: its tokens go through together, and as long as each is the
//! network's own choice, they stand. Neither changes the plan. It must not know what the tools are for.

use serde::{Deserialize, Serialize};

use crate::arch::{Head, Network, Pointers, Sense, dot, softmax};
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
    pub sense: &'a Sense,
    /// Added to the score of doing nothing at all: what a wrong call costs more than a question.
    pub caution: f32,
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
    prompt: &'a Prompt,
    /// What each tool's line means, once that was asked.
    lines: Vec<Vec<f32>>,
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
            prompt,
            lines: Vec::new(),
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
            self.check(&draft, &mut progress, sequence)?;
        }
        let outcome = loop {
            let allowed = progress.grammar.allowed();
            let choice = match allowed.as_slice() {
                [] => break progress.grammar.outcome().unwrap_or(Outcome::TooLong),
                [only] => {
                    progress.tokens.forced += 1;
                    *only
                }
                several => {
                    self.send(&mut progress.waiting, sequence)?;
                    self.choose(&mut progress, sequence, sequence.len() - 1, several)?
                }
            };
            let spelling = progress.grammar.tokens(choice);
            progress.tokens.forced += spelling.len() - 1;
            for token in spelling {
                if !self.shortcuts.jump_forward {
                    self.send(&mut progress.waiting, sequence)?;
                }
                progress.waiting.push(token);
            }
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

    /// Sends what waits through the network.
    fn send(&self, waiting: &mut Vec<u32>, sequence: &mut Sequence) -> Result<(), ModelError> {
        if !waiting.is_empty() {
            sequence.extend(self.network, Some(self.pointers), waiting)?;
            waiting.clear();
        }
        Ok(())
    }

    /// Sends a draft through in one piece and takes it as far as the network chooses the same; then the network's choice.
    fn check(&self, draft: &[Choice], progress: &mut Progress<'_>, sequence: &mut Sequence) -> Result<(), ModelError> {
        let Some((_, sent)) = draft.split_last() else {
            return Ok(());
        };
        let mut deciding = sequence.len() + progress.waiting.len() - 1;
        let mut guessed = progress.grammar.clone();
        let mut spelled = progress.waiting.clone();
        for choice in sent {
            spelled.extend(guessed.tokens(*choice));
            guessed.take(*choice);
        }
        // A guess must not be what overflows the context.
        if sequence.len() + spelled.len() > self.network.dimensions().context_max {
            return Ok(());
        }
        progress.waiting.clear();
        self.send(&mut spelled, sequence)?;
        for (index, choice) in draft.iter().enumerate() {
            let allowed = progress.grammar.allowed();
            let taken = if let [only] = allowed.as_slice() {
                progress.tokens.forced += 1;
                *only
            } else {
                let best = self.choose(progress, sequence, deciding, &allowed)?;
                progress.tokens.drafted += usize::from(best == *choice);
                best
            };
            let spelling = progress.grammar.tokens(taken);
            progress.tokens.forced += spelling.len() - 1;
            progress.grammar.take(taken);
            if taken != *choice || index == sent.len() {
                // What was sent behind this place was a wrong guess, and what was taken here has not been sent.
                sequence.truncate(deciding + 1);
                progress.waiting.extend(spelling);
                break;
            }
            deciding += spelling.len();
        }
        Ok(())
    }

    /// The likeliest of several choices after the token at `from`.
    fn choose(
        &self,
        progress: &mut Progress<'_>,
        sequence: &Sequence,
        from: usize,
        choices: &[Choice],
    ) -> Result<Choice, ModelError> {
        progress.tokens.generated += 1;
        let mut shares = self.scores(progress, sequence, from, choices)?;
        let grammar = &progress.grammar;
        let not_finite = ModelError::NotFinite {
            choosing: grammar.deciding(),
        };
        if shares.iter().any(|score| !score.is_finite()) {
            return Err(not_finite);
        }
        softmax(&mut shares);
        // On a tie the first wins, on every machine.
        let best = choices
            .iter()
            .copied()
            .zip(shares)
            .reduce(|best, next| if next.1 > best.1 { next } else { best });
        let (best, share) = best.ok_or(not_finite)?;
        progress.confidence *= share;
        Ok(best)
    }

    fn scores(
        &self,
        progress: &mut Progress<'_>,
        sequence: &Sequence,
        from: usize,
        choices: &[Choice],
    ) -> Result<Vec<f32>, ModelError> {
        let scales = self.sense.scales();
        let means_something = |choice: &Choice| matches!(choice, Choice::Tool(_) | Choice::Option(_));
        let about = if choices.iter().any(means_something) {
            let goal: Vec<u32> = progress.prompt.goal.tokens.iter().map(|token| token.id).collect();
            self.about(&goal, progress.prompt.goal_start, sequence, from)?
        } else {
            Vec::new()
        };
        if progress.lines.is_empty() && choices.iter().any(|choice| matches!(choice, Choice::Tool(_))) {
            let lines = (0..progress.prompt.tools.len()).map(|tool| self.meaning(&progress.prompt.line(tool)));
            progress.lines = lines.collect::<Result<_, _>>()?;
        }
        let (grammar, prompt) = (&progress.grammar, progress.prompt);
        let point = |head, position| sequence.points_at(self.pointers, head, from, position);
        let score = |choice: &Choice| {
            Ok(match *choice {
                Choice::Tool(tool) => {
                    point(Head::Tool, prompt.tools[tool]) + scales.tool * dot(&about, &progress.lines[tool])
                }
                Choice::Start(token) => point(Head::Start, prompt.goal_start + token),
                Choice::Last(token) => point(Head::End, prompt.goal_start + token),
                Choice::Option(option) => {
                    let words = grammar.option(option);
                    self.wish(sequence, from, words)? + scales.option * dot(&about, &self.meaning(words)?)
                }
                Choice::Nothing => self.wish(sequence, from, &grammar.tokens(*choice))? + self.caution,
                Choice::End | Choice::Skip | Choice::Ask => self.wish(sequence, from, &grammar.tokens(*choice))?,
            })
        };
        choices.iter().map(score).collect()
    }

    /// The scores of what is allowed after some choices, for tests.
    #[cfg(test)]
    pub(crate) fn scores_after(
        &self,
        request: &PlanRequest<'_>,
        prompt: &Prompt,
        sequence: &mut Sequence,
        choices: &[Choice],
    ) -> Result<Vec<f32>, ModelError> {
        let mut progress = Progress {
            grammar: Grammar::new(request, prompt),
            prompt,
            lines: Vec::new(),
            tokens: Tokens::default(),
            confidence: 1.0,
            waiting: prompt.tokens.clone(),
        };
        for choice in choices {
            progress.waiting.extend(progress.grammar.tokens(*choice));
            progress.grammar.take(*choice);
        }
        self.send(&mut progress.waiting, sequence)?;
        let allowed = progress.grammar.allowed();
        self.scores(&mut progress, sequence, sequence.len() - 1, &allowed)
    }

    /// What the decision after the token at `from` is about: the meanings of the goal's words, as much as it looks at each.
    pub(crate) fn about(
        &self,
        goal: &[u32],
        goal_start: usize,
        sequence: &Sequence,
        from: usize,
    ) -> Result<Vec<f32>, ModelError> {
        let mut shares: Vec<f32> = (0..goal.len())
            .map(|token| sequence.points_at(self.pointers, Head::About, from, goal_start + token))
            .collect();
        softmax(&mut shares);
        self.sense.mean(goal, shares)
    }

    /// What words mean together.
    pub(crate) fn meaning(&self, words: &[u32]) -> Result<Vec<f32>, ModelError> {
        self.sense.mean(words, words.iter().map(|_| 1.0))
    }

    /// How much the network would write these words after the token at `from`: the mean of their logits.
    fn wish(&self, sequence: &Sequence, from: usize, words: &[u32]) -> Result<f32, ModelError> {
        let rows = self.network.output_rows(words)?;
        let logits = rows.chunks_exact(self.network.dimensions().width);
        #[expect(clippy::cast_precision_loss, reason = "an option has a few words")]
        let count = words.len().max(1) as f32;
        Ok(logits.map(|row| sequence.logit(from, row)).sum::<f32>() / count)
    }
}
