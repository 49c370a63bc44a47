//! Plans with a model that was made for anything: it writes its calls as JSON, and a grammar of the request leaves it nothing
//! else to write.
//!
//! The grammar is made anew for each goal: a tool is one of the request's, a value one of the spans that code recognised in
//! this goal or an option of the manifest. So such a model, like the one in the box, can name no number or thing that the goal
//! does not hold. It must not know what the tools are for.

mod answer;
mod chat;
mod constraint;
mod schema;

use crate::arch::{Network, softmax};
use crate::error::ModelError;
use crate::request::{Outcome, PlanReply, PlanRequest, Tokens};
use crate::sample::Shortcuts;
use crate::session::Sequence;
use crate::tokenizer::Tokenizer;

pub(crate) use chat::Chat;
pub(crate) use constraint::Language;

/// A model that writes JSON.
#[derive(Debug)]
pub(crate) struct Writer {
    chat: Chat,
    language: Language,
}

/// A request as this model reads it.
pub(crate) struct Text {
    pub tokens: Vec<u32>,
    /// Tokens of the system text with its tools: what stays when the next goal comes.
    pub tools_end: usize,
}

impl Writer {
    /// Learns from the vocabulary how such a model is spoken to and what its tokens spell.
    pub fn new(vocabulary: &[String], rows: usize) -> Self {
        Self {
            chat: Chat::of(vocabulary),
            language: Language::new(vocabulary, rows),
        }
    }

    /// The prompt of a request.
    pub fn prompt(&self, request: &PlanRequest<'_>, tokenizer: &Tokenizer) -> Result<Text, ModelError> {
        self.chat.write(request, tokenizer)
    }

    /// Plans; `sequence` holds the first `cached` tokens of the prompt.
    pub fn plan(
        &self,
        network: &Network,
        tokenizer: &Tokenizer,
        request: &PlanRequest<'_>,
        text: &Text,
        sequence: &mut Sequence,
        shortcuts: Shortcuts,
    ) -> Result<PlanReply, ModelError> {
        let cached = sequence.len();
        let mut tokens = Tokens {
            prompt: text.tokens.len(),
            cached,
            ..Tokens::default()
        };
        if request.tools.is_empty() || request.calls_max == 0 {
            return Ok(answer::nothing(tokens));
        }
        let mut grammar = self.language.grammar(&schema::of(request), tokenizer)?;
        let mut waiting = text.tokens[cached..].to_vec();
        let mut written = Vec::new();
        let mut confidence = 1.0;
        loop {
            let forced = grammar.forced()?;
            for token in &forced {
                if !shortcuts.jump_forward {
                    sequence.extend(network, None, &waiting)?;
                    waiting.clear();
                }
                waiting.push(*token);
            }
            tokens.forced += forced.len();
            written.extend(forced);
            if grammar.is_complete() {
                break;
            }
            sequence.extend(network, None, &waiting)?;
            waiting.clear();
            let (token, share) = grammar.choose(&network.logits(sequence.last_state().to_vec())?)?;
            confidence *= share;
            tokens.generated += 1;
            grammar.take(token)?;
            waiting.push(token);
            written.push(token);
            if grammar.is_complete() {
                break;
            }
        }
        let spelled = self.language.spell(&written);
        answer::read(request, &spelled, tokens, confidence)
    }
}

/// The likeliest of the allowed tokens and its share of the softmax over them.
fn likeliest(logits: &[f32], allowed: impl Fn(u32) -> bool) -> Result<(u32, f32), ModelError> {
    let candidates: Vec<u32> = (0u32..)
        .zip(logits)
        .map(|(token, _)| token)
        .filter(|token| allowed(*token))
        .collect();
    let mut shares: Vec<f32> = candidates
        .iter()
        .filter_map(|token| logits.get(usize::try_from(*token).ok()?).copied())
        .collect();
    let choosing = "a token of the plan";
    if shares.iter().any(|score| !score.is_finite()) {
        return Err(ModelError::NotFinite { choosing });
    }
    softmax(&mut shares);
    // On a tie the first wins, on every machine.
    let best = candidates
        .into_iter()
        .zip(shares)
        .reduce(|best, next| if next.1 > best.1 { next } else { best });
    best.ok_or(ModelError::NotFinite { choosing })
}

impl Outcome {
    /// Whether calls may follow the one at hand.
    fn goes_on(self) -> bool {
        self == Self::Planned
    }
}
