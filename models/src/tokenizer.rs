//! Byte-level BPE from the vocabulary and merges in a GGUF file, with the bytes that each token covers.
//!
//! Control tokens are not part of it: a text that spells `<plan>` becomes ordinary tokens, so no goal can write the
//! language of the prompt.

use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::tokenizer::SplitDelimiterBehavior;

use crate::error::{Fault, ModelError};
use crate::gguf::Gguf;

/// The splitting rule of `tokenizer.ggml.pre = qwen2`, as llama.cpp and transformers have it: every digit stands alone.
const QWEN2: &str = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const TOKENS: &str = "tokenizer.ggml.tokens";
const MERGES: &str = "tokenizer.ggml.merges";

/// A token of a text and the bytes that it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    pub id: u32,
    pub start: usize,
    pub end: usize,
}

#[derive(Debug, Clone)]
pub(crate) struct Tokenizer {
    inner: tokenizers::Tokenizer,
}

impl Tokenizer {
    /// Builds the tokenizer that the file describes.
    pub fn load(gguf: &Gguf) -> Result<Self, Fault> {
        expect_text(gguf, "tokenizer.ggml.model", "gpt2")?;
        expect_text(gguf, "tokenizer.ggml.pre", "qwen2")?;
        let tokens = gguf.texts(TOKENS)?;
        let mut vocabulary = Vocab::default();
        for (id, token) in (0u32..).zip(tokens) {
            if vocabulary.insert(token.clone(), id).is_some() {
                return Err(Fault::new(
                    TOKENS,
                    "each token once",
                    format!("a second `{token}` with id {id}"),
                ));
            }
        }
        // Without all 256, BPE would drop what it cannot spell and a span would lose its bytes.
        if let Some(missing) = ByteLevel::alphabet()
            .into_iter()
            .find(|byte| !vocabulary.contains_key(&byte.to_string()))
        {
            return Err(Fault::new(
                TOKENS,
                "a token for every byte",
                format!("none for `{missing}`"),
            ));
        }
        let merges = merges(gguf.texts(MERGES)?)?;
        let refused = |error: tokenizers::Error| Fault::new(MERGES, "merges of known tokens", error.to_string());
        let model = BPE::builder()
            .vocab_and_merges(vocabulary, merges)
            .build()
            .map_err(refused)?;
        let pattern = SplitPattern::Regex(QWEN2.to_owned());
        let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false).map_err(refused)?;
        let mut inner = tokenizers::Tokenizer::new(model);
        inner.with_pre_tokenizer(Some(Sequence::new(vec![
            split.into(),
            ByteLevel::new(false, false, false).into(),
        ])));
        Ok(Self { inner })
    }

    /// The tokens of a text, in order; together they cover all of its bytes.
    pub fn encode(&self, text: &str) -> Result<Vec<Token>, ModelError> {
        let encoding = self.inner.encode(text, false);
        let encoding = encoding.map_err(|error| ModelError::Internal {
            part: "tokenizer",
            reason: error.to_string(),
        })?;
        let tokens = encoding.get_ids().iter().zip(encoding.get_offsets());
        Ok(tokens.map(|(&id, &(start, end))| Token { id, start, end }).collect())
    }
}

fn expect_text(gguf: &Gguf, key: &str, expected: &str) -> Result<(), Fault> {
    match gguf.text(key)? {
        found if found == expected => Ok(()),
        found => Err(Fault::new(key, format!("`{expected}`"), format!("`{found}`"))),
    }
}

fn merges(lines: &[String]) -> Result<Vec<(String, String)>, Fault> {
    let pairs = lines.iter().map(|line| {
        let pair = line
            .split_once(' ')
            .filter(|(left, right)| !left.is_empty() && !right.is_empty());
        let pair = pair.ok_or_else(|| Fault::new(MERGES, "two tokens and a space between", format!("`{line}`")))?;
        Ok((pair.0.to_owned(), pair.1.to_owned()))
    });
    pairs.collect()
}
