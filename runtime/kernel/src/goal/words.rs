//! Cuts a text into words: runs of letters, numbers, and single marks, each with its place in the text.
//!
//! It knows apostrophes ("don't" is `do` and `not`) and how English writes digits ("1,000", "0.5", ".5"), and nothing of
//! what a word means. A number written in a way that English does not have ("1,5" or "1.2.3") stays one word that no
//! reader accepts: half of such a number must never reach a device.

use serde::{Deserialize, Serialize};

/// What a word is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WordKind {
    /// A run of letters, or one half of a contraction.
    Letters,
    /// A number in digits, its thousands separators removed from the normal form.
    Digits,
    /// One character that is neither: punctuation, `%`, `°`, `/`, ...
    Mark,
}

/// One word of a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// First byte of the word in the text.
    pub start: usize,
    /// One past its last byte.
    pub end: usize,
    /// What it is made of.
    pub kind: WordKind,
    /// Lower case, apostrophes resolved: "Don't" gives `do` and `not`, "1,000" gives `1000`.
    pub normal: String,
}

/// A text and its words, with look-around that never leaves the text.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) text: &'a str,
    pub(super) words: &'a [Word],
}

impl<'a> Line<'a> {
    /// The normal form of word `at`, empty outside of the text.
    pub(super) fn normal(&self, at: usize) -> &'a str {
        self.words.get(at).map_or("", |word| word.normal.as_str())
    }

    /// The normal form of the word before `at`, empty at the start.
    pub(super) fn before(&self, at: usize) -> &'a str {
        at.checked_sub(1).map_or("", |previous| self.normal(previous))
    }

    /// The bytes of word `at` as written.
    pub(super) fn raw(&self, at: usize) -> &'a str {
        self.words
            .get(at)
            .and_then(|word| self.text.get(word.start..word.end))
            .unwrap_or("")
    }

    pub(super) fn is(&self, at: usize, kind: WordKind) -> bool {
        self.words.get(at).is_some_and(|word| word.kind == kind)
    }

    /// Whether word `at` touches the word before it.
    pub(super) fn glued(&self, at: usize) -> bool {
        at.checked_sub(1)
            .and_then(|previous| self.words.get(previous))
            .zip(self.words.get(at))
            .is_some_and(|(previous, word)| previous.end == word.start)
    }

    /// Whether word `at` is a letter or number that touches a letter or number before it.
    pub(super) fn continues_word(&self, at: usize) -> bool {
        let solid = |at: usize| self.is(at, WordKind::Letters) || self.is(at, WordKind::Digits);
        self.glued(at) && solid(at) && at.checked_sub(1).is_some_and(solid)
    }

    /// Steps over a hyphen or underscore that joins two words ("twenty-five", `red_cube`).
    pub(super) fn past_joiner(&self, at: usize) -> usize {
        let joins = matches!(self.normal(at), "-" | "_" | "\u{2010}" | "\u{2011}");
        if joins && self.glued(at) && self.glued(at + 1) {
            at + 1
        } else {
            at
        }
    }
}

/// Cuts `text` into words, in order; whitespace separates and is dropped.
pub(super) fn words(text: &str) -> Vec<Word> {
    let mut cutter = Cutter {
        text,
        words: Vec::new(),
        depth: 0,
    };
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        at = cutter.cut(at, c);
    }
    cutter.words
}

struct Cutter<'a> {
    text: &'a str,
    words: Vec<Word>,
    /// Open brackets: inside them a comma separates coordinates and never thousands.
    depth: usize,
}

impl Cutter<'_> {
    /// Cuts what begins at `at` with `c`; returns where the next thing begins.
    fn cut(&mut self, at: usize, c: char) -> usize {
        if c.is_whitespace() {
            return at + c.len_utf8();
        }
        if c.is_ascii_digit() || (c == '.' && self.point_starts_number(at)) {
            return self.cut_number(at);
        }
        if c.is_alphabetic() {
            return self.cut_letters(at);
        }
        match c {
            '(' | '[' | '{' => self.depth += 1,
            ')' | ']' | '}' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        let end = at + c.len_utf8();
        self.push(at, end, WordKind::Mark, self.text[at..end].to_owned());
        end
    }

    fn push(&mut self, start: usize, end: usize, kind: WordKind, normal: String) {
        self.words.push(Word {
            start,
            end,
            kind,
            normal,
        });
    }

    fn point_starts_number(&self, at: usize) -> bool {
        let digit_follows = self.text.as_bytes().get(at + 1).is_some_and(u8::is_ascii_digit);
        let before = self.text[..at].chars().next_back();
        digit_follows && before.is_none_or(|c| c.is_whitespace() || "(,[=:+-\u{2212}".contains(c))
    }

    fn cut_number(&mut self, start: usize) -> usize {
        let bytes = self.text.as_bytes();
        let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
        let inner = |b: u8| b == b'.' || (b == b',' && self.depth == 0);
        let mut end = start + 1;
        while digit(end) || (digit(end + 1) && bytes.get(end).is_some_and(|b| inner(*b))) {
            end += 1;
        }
        if !self.text[start..end].contains(',') {
            end = self.past_exponent(end);
        }
        let run = &self.text[start..end];
        let parts: Vec<&str> = run.split(',').collect();
        if parts.len() == 3 && !is_grouped(&parts) {
            self.push_triple(start, &parts);
        } else {
            let normal = if is_grouped(&parts) {
                parts.concat()
            } else {
                run.to_owned()
            };
            let normal = normal.to_lowercase();
            self.push(start, end, WordKind::Digits, normal);
        }
        end
    }

    /// "1e3", "2.5E-2": where the exponent of a number ends that ends here without one.
    fn past_exponent(&self, end: usize) -> usize {
        let bytes = self.text.as_bytes();
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let first = end + 1 + sign;
        let digits = bytes
            .iter()
            .skip(first)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let goes_on = self.text.get(first + digits..).and_then(|rest| rest.chars().next());
        let is_exponent = matches!(bytes.get(end), Some(b'e' | b'E')) && (1..=2).contains(&digits);
        if is_exponent && !goes_on.is_some_and(char::is_alphanumeric) {
            first + digits
        } else {
            end
        }
    }

    /// "1,1,1.5" is a list of three numbers.
    fn push_triple(&mut self, start: usize, parts: &[&str]) {
        let mut at = start;
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                self.push(at, at + 1, WordKind::Mark, ",".to_owned());
                at += 1;
            }
            self.push(at, at + part.len(), WordKind::Digits, (*part).to_owned());
            at += part.len();
        }
    }

    fn cut_letters(&mut self, start: usize) -> usize {
        let mut end = start;
        let mut chars = self.text[start..].chars().peekable();
        while let Some(c) = chars.next() {
            let apostrophe = is_apostrophe(c) && chars.peek().is_some_and(|next| next.is_alphabetic());
            if !(c.is_alphabetic() || apostrophe || ('\u{300}'..='\u{36f}').contains(&c)) {
                break;
            }
            end += c.len_utf8();
        }
        self.push_letters(start, end);
        end
    }

    fn push_letters(&mut self, start: usize, end: usize) {
        let lower = self.text[start..end].to_lowercase().replace(is_apostrophe, "'");
        let Some((first, second, second_len)) = contraction(&lower) else {
            return self.push(start, end, WordKind::Letters, lower.replace('\'', ""));
        };
        // The tail of a contraction is counted in characters: a curly apostrophe is longer than a straight one.
        let tail = self.text[start..end]
            .char_indices()
            .rev()
            .nth(second_len - 1)
            .map_or(start, |(at, _)| start + at);
        self.push(start, tail, WordKind::Letters, first);
        self.push(tail, end, WordKind::Letters, second.to_owned());
    }
}

fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '\u{2019}')
}

/// Whether the parts between commas are thousands groups: "1,000", "12,500.5".
fn is_grouped(parts: &[&str]) -> bool {
    let [first, rest @ ..] = parts else { return false };
    let Some((last, middle)) = rest.split_last() else {
        return true;
    };
    let digits = |part: &str, len: usize| part.len() == len && part.bytes().all(|b| b.is_ascii_digit());
    let leads = (1..=3).any(|len| digits(first, len)) && !first.starts_with('0');
    leads && middle.iter().all(|part| digits(part, 3)) && digits(last.split('.').next().unwrap_or(""), 3)
}

/// Splits a contraction into its two words and the length of the second in characters.
fn contraction(lower: &str) -> Option<(String, &'static str, usize)> {
    const BARE: [&str; 11] = [
        "dont", "cant", "wont", "doesnt", "didnt", "isnt", "arent", "shouldnt", "mustnt", "wouldnt", "couldnt",
    ];
    if lower == "cannot" {
        return Some(("can".to_owned(), "not", 3));
    }
    if BARE.contains(&lower) {
        return Some((auxiliary(&lower[..lower.len() - 2]), "not", 2));
    }
    let (head, tail) = lower.rsplit_once('\'')?;
    if head.is_empty() {
        return None;
    }
    if let Some(stem) = head.strip_suffix('n').filter(|stem| tail == "t" && !stem.is_empty()) {
        return Some((auxiliary(stem), "not", 3));
    }
    let second = match (head, tail) {
        ("let", "s") => "us",
        ("it" | "that" | "there" | "here" | "what" | "where" | "he" | "she" | "who", "s") => "is",
        (_, "s") => "'s",
        (_, "re") => "are",
        (_, "ll") => "will",
        (_, "ve") => "have",
        (_, "d") => "would",
        (_, "m") => "am",
        _ => return None,
    };
    Some((head.replace('\'', ""), second, tail.chars().count() + 1))
}

/// The auxiliary verb before "n't": "ca" is `can`, "wo" is `will`.
fn auxiliary(stem: &str) -> String {
    match stem {
        "ca" => "can".to_owned(),
        "wo" => "will".to_owned(),
        "sha" => "shall".to_owned(),
        other => other.replace('\'', ""),
    }
}
