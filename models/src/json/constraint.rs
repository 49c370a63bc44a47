//! The grammar engine behind our tokenizer: which tokens may come next, and which must.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use llguidance::api::TopLevelGrammar;
use llguidance::{Matcher, ParserFactory};
use serde_json::Value;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use toktrie::{InferenceCapabilities, TokRxInfo, TokTrie, TokenId, TokenizerEnv};

use super::likeliest;
use crate::error::ModelError;
use crate::tokenizer::Tokenizer;

/// What the tokens of a vocabulary spell.
pub(crate) struct Language {
    spelled: Vec<Vec<u8>>,
    trie: TokTrie,
}

impl fmt::Debug for Language {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Language({} tokens)", self.spelled.len())
    }
}

impl Language {
    /// `rows` is the number of tokens that the network scores.
    pub fn new(vocabulary: &[String], rows: usize) -> Self {
        let bytes = bytes_of_letters();
        let mut spelled: Vec<Vec<u8>> = vocabulary.iter().map(|token| spell(token, &bytes)).collect();
        spelled.resize(rows, Vec::new());
        let size = u32::try_from(rows).unwrap_or(u32::MAX);
        let ends = ["<|im_end|>", "<|eot_id|>", "<|endoftext|>", "<|end_of_text|>", "</s>"];
        let end = ends
            .iter()
            .find_map(|name| vocabulary.iter().position(|token| token == name))
            .and_then(|at| u32::try_from(at).ok());
        // A vocabulary without an end gets a row that spells nothing; our grammars end by themselves.
        let end = end.unwrap_or(size.saturating_sub(1));
        let trie = TokTrie::from(&TokRxInfo::new(size, end), &spelled);
        Self { spelled, trie }
    }

    /// The bytes of some tokens.
    pub fn spell(&self, tokens: &[u32]) -> Vec<u8> {
        let bytes = tokens
            .iter()
            .filter_map(|token| self.spelled.get(usize::try_from(*token).ok()?));
        bytes.flatten().copied().collect()
    }

    /// A grammar at its beginning.
    pub fn grammar(&self, schema: &Value, tokenizer: &Tokenizer) -> Result<Grammar, ModelError> {
        let env = Environment {
            trie: self.trie.clone(),
            tokenizer: tokenizer.clone(),
        };
        let able = InferenceCapabilities {
            ff_tokens: true,
            ..InferenceCapabilities::default()
        };
        let mut factory = ParserFactory::new(&(Arc::new(env) as _), able, &[]).map_err(refused)?;
        factory.quiet();
        let parser = factory.create_parser(TopLevelGrammar::from_json_schema(schema.clone()));
        let mut matcher = Matcher::new(parser);
        let warnings = matcher.grammar_warnings();
        match matcher
            .get_error()
            .or((!warnings.is_empty()).then(|| warnings.join("; ")))
        {
            Some(reason) => Err(ModelError::Grammar { reason }),
            None => Ok(Grammar { matcher }),
        }
    }
}

fn refused(error: impl fmt::Display) -> ModelError {
    ModelError::Grammar {
        reason: error.to_string(),
    }
}

/// The byte that each letter of a byte-level vocabulary stands for (GPT-2).
fn bytes_of_letters() -> HashMap<char, u8> {
    let plain = |byte: u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let mut found = HashMap::new();
    let mut next = 256u32;
    for byte in 0..=255u8 {
        let letter = if plain(byte) {
            char::from(byte)
        } else {
            next += 1;
            char::from_u32(next - 1).unwrap_or('\u{fffd}')
        };
        found.insert(letter, byte);
    }
    debug_assert!(ByteLevel::alphabet().iter().all(|letter| found.contains_key(letter)));
    found
}

/// What a token spells; control tokens carry the mark that no text has.
fn spell(token: &str, bytes: &HashMap<char, u8>) -> Vec<u8> {
    let control = token.len() > 2 && token.starts_with('<') && token.ends_with('>');
    if control {
        let mut marked = vec![TokTrie::SPECIAL_TOKEN_MARKER];
        marked.extend(token.as_bytes());
        return marked;
    }
    token.chars().filter_map(|letter| bytes.get(&letter).copied()).collect()
}

struct Environment {
    trie: TokTrie,
    tokenizer: Tokenizer,
}

impl TokenizerEnv for Environment {
    fn tok_trie(&self) -> &TokTrie {
        &self.trie
    }

    fn tokenize_bytes(&self, bytes: &[u8]) -> Vec<TokenId> {
        let text = std::str::from_utf8(bytes).ok();
        let tokens = text.and_then(|text| self.tokenizer.encode(text).ok());
        tokens.map_or_else(
            || self.trie.greedy_tokenize(bytes),
            |tokens| tokens.iter().map(|token| token.id).collect(),
        )
    }
}

/// A grammar, somewhere in its text.
pub(crate) struct Grammar {
    matcher: Matcher,
}

impl Grammar {
    /// Tokens that must come next; they are taken.
    pub fn forced(&mut self) -> Result<Vec<u32>, ModelError> {
        if self.is_complete() {
            return Ok(Vec::new());
        }
        let tokens = self.matcher.compute_ff_tokens();
        for token in &tokens {
            self.take(*token)?;
        }
        Ok(tokens)
    }

    /// Whether nothing can follow.
    pub fn is_complete(&self) -> bool {
        self.matcher.is_stopped()
    }

    /// The likeliest of the tokens that may come next.
    pub fn choose(&mut self, logits: &[f32]) -> Result<(u32, f32), ModelError> {
        let mask = self.matcher.compute_mask().map_err(refused)?;
        likeliest(logits, |token| mask.is_allowed(token))
    }

    pub fn take(&mut self, token: u32) -> Result<(), ModelError> {
        self.matcher.consume_token(token).map_err(refused)
    }
}
