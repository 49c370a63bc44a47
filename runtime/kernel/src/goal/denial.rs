//! Finds what a goal denies: "do not", "never", "without", "instead of", and how far each reaches.
//!
//! A denial that is overlooked moves an arm that must stand still, so in doubt a denial reaches further: "do not pick up
//! the cube and put it in the bin" denies both. What somebody tells of the world denies nothing: "i cannot reach it", "so nobody
//! trips", "there is no milk". It knows clauses, and neither spans nor names.

use super::clause::{gerund, is_break, is_filler, is_sentence_end, is_verb};
use super::words::{Line, WordKind};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// How much of a goal is denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Negation {
    /// Nothing.
    None,
    /// Everything that the goal asks for: nothing may be done.
    Whole,
    /// Some of it: "move left but do not open the gripper".
    Part,
}

/// One denial in the text, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// The words that deny: "do not", "never", "without".
    pub cue: Range<usize>,
    /// What they deny, the cue included.
    pub scope: Range<usize>,
}

/// What a cue denies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// The verb: "do not move".
    Verb,
    /// The phrase behind it: "without touching", "not left".
    Phrase,
    /// Its whole clause: "touch nothing".
    Clause,
    /// All that was said: "never mind".
    All,
}

/// The denials in ranges of words; `revisions` are words ("no") that correct and do not deny.
pub(super) fn denials(line: &Line<'_>, revisions: &[Range<usize>]) -> Vec<Denial> {
    let mut found: Vec<Denial> = Vec::new();
    let (mut at, mut clause) = (0, Clause::default());
    let mut revised = revisions.iter().peekable();
    while at < line.words.len() {
        while revised.next_if(|revision| revision.end <= at).is_some() {}
        let corrects = revised.peek().is_some_and(|revision| revision.contains(&at));
        if let Some((end, reach)) = cue(line, at).filter(|_| !corrects) {
            let scope = scope(line, at..end, reach, &clause);
            let cue = at..end;
            at = scope.end.max(end);
            found.push(Denial { cue, scope });
            clause = Clause {
                start: at,
                has_verb: false,
            };
            continue;
        }
        clause.pass(line, at);
        at += 1;
    }
    found
}

/// The clause being read.
#[derive(Default)]
struct Clause {
    start: usize,
    has_verb: bool,
}

impl Clause {
    fn pass(&mut self, line: &Line<'_>, at: usize) {
        let word = line.normal(at);
        if is_break(word) || matches!(word, "and" | "or") {
            *self = Self {
                start: at + 1,
                has_verb: false,
            };
        } else if is_verb(word) {
            self.has_verb = true;
        }
    }
}

/// How much of the goal `denials` cover: whole when only words without weight are left.
pub(super) fn negation(line: &Line<'_>, denials: &[Denial]) -> Negation {
    let mut scopes = denials.iter().peekable();
    if denials.is_empty() {
        return Negation::None;
    }
    let outside = |at: &usize| {
        while scopes.next_if(|denial| denial.scope.end <= *at).is_some() {}
        !scopes.peek().is_some_and(|denial| denial.scope.contains(at))
    };
    let left: Vec<usize> = (0..line.words.len()).filter(outside).collect();
    let weightless = |at: &usize| line.is(*at, WordKind::Mark) || is_weightless(line.normal(*at));
    if left.iter().all(weightless) {
        Negation::Whole
    } else {
        Negation::Part
    }
}

fn is_weightless(word: &str) -> bool {
    is_filler(word)
        || matches!(
            word,
            "must"
                | "should"
                | "shall"
                | "would"
                | "could"
                | "can"
                | "will"
                | "may"
                | "want"
                | "like"
                | "need"
                | "be"
                | "sure"
                | "make"
                | "careful"
                | "try"
                | "remember"
                | "that"
                | "ensure"
                | "important"
                | "it"
                | "is"
                | "under"
                | "in"
                | "on"
                | "at"
                | "any"
                | "circumstances"
                | "account"
                | "but"
                | "ask"
                | "asked"
                | "wanted"
                | "told"
                | "said"
                | "thanks"
                | "thank"
        )
}

/// Whether a denial starts at word `at`: the word after the cue and its reach.
fn cue(line: &Line<'_>, at: usize) -> Option<(usize, Reach)> {
    let next = line.normal(at + 1);
    if is_auxiliary(line.normal(at)) {
        let pronoun = usize::from(matches!(next, "you" | "please" | "ever") || next == "we");
        let negated = matches!(line.normal(at + 1 + pronoun), "not" | "never");
        let end = at + 2 + pronoun;
        let denies = negated && !is_figure_of_speech(line, at, end) && !is_statement(line, at, end);
        return denies.then_some((end, Reach::Verb));
    }
    let auxiliary = matches!(line.before(at), "am") || is_auxiliary(line.before(at));
    match line.normal(at) {
        "never" if next == "mind" => Some((at + 2, Reach::All)),
        "not" if matches!(next, "only" | "just") || line.before(at) == "why" => None,
        "not" if is_auxiliary(line.before(at)) && is_figure_of_speech(line, at - 1, at + 1) => None,
        "not" | "never" if auxiliary && is_statement(line, at - 1, at + 1) => None,
        "no" if exists(line, at) => None,
        "nothing" | "nobody" | "none" | "nowhere" if is_reason(line, at, at) && !is_modal(next) => None,
        "not" | "no" | "never" if is_negated_verb(line, at) => Some((at + 1, Reach::Verb)),
        "no" if matches!(next, "" | "," | "." | "!" | "matter" | "problem" | "doubt" | "worries") => None,
        "not" | "without" | "avoid" | "avoiding" | "except" | "nor" | "neither" | "no" => Some((at + 1, Reach::Phrase)),
        "refrain" if next == "from" => Some((at + 2, Reach::Verb)),
        "instead" if next == "of" => Some((at + 2, Reach::Phrase)),
        "rather" if next == "than" => Some((at + 2, Reach::Phrase)),
        "nothing" | "nobody" | "none" | "nowhere" => Some((at + 1, Reach::Clause)),
        _ => None,
    }
}

/// "never" denies any verb, "not" the one that follows, "no" a bare one ("no move", but not "no moving parts").
fn is_negated_verb(line: &Line<'_>, at: usize) -> bool {
    let next = line.normal(at + 1);
    match line.normal(at) {
        "never" => true,
        "not" => is_verb(next) || next == "to",
        _ => is_verb(next) && !gerund(next),
    }
}

/// "do not forget to open", "why don't you open", "don't hesitate to open" ask for it.
fn is_figure_of_speech(line: &Line<'_>, at: usize, end: usize) -> bool {
    let asks = matches!(line.normal(end), "forget" | "hesitate" | "fail" | "worry") || line.before(at) == "why";
    asks || matches!(line.normal(end), "only" | "just")
}

/// Whether the negated verb tells how things are: "i cannot reach it", "because the lamp does not work". `at` is the auxiliary,
/// `end` the word behind the negation.
fn is_statement(line: &Line<'_>, at: usize, end: usize) -> bool {
    const KNOWN: [&str; 20] = [
        "have",
        "see",
        "know",
        "find",
        "hear",
        "feel",
        "remember",
        "understand",
        "reach",
        "care",
        "speak",
        "eat",
        "drink",
        "sleep",
        "need",
        "use",
        "get",
        "own",
        "recall",
        "smell",
    ];
    let verb = line.normal(end);
    let speaker = matches!(line.before(at), "i" | "we" | "he" | "she" | "they");
    let told = match line.normal(at) {
        "am" | "was" | "were" | "is" | "are" | "did" | "has" | "had" => true,
        "have" => !matches!(verb, "to"),
        "can" | "could" => !matches!(
            verb,
            "let" | "allow" | "permit" | "have" | "accept" | "risk" | "afford" | "stand" | "bear" | "want" | "be"
        ),
        "do" | "does" => KNOWN.contains(&verb) && !matches!(line.normal(end + 1), "you" | "to"),
        _ => false,
    };
    (speaker && told) || (is_reason(line, at, at) && !is_modal(line.normal(at)))
}

/// Whether the clause of word `at` gives a reason or a purpose, with somebody or something other than who is spoken to before `subject_end`:
/// "because the shop is", "so that the children do".
fn is_reason(line: &Line<'_>, at: usize, subject_end: usize) -> bool {
    let first = at.saturating_sub(6);
    let clause = (first..at)
        .rev()
        .take_while(|at| !is_break(line.normal(*at)) && line.normal(*at) != "and");
    let Some(joint) = clause
        .into_iter()
        .find(|at| matches!(line.normal(*at), "because" | "since" | "as" | "so" | "cause"))
    else {
        return false;
    };
    let purpose = line.normal(joint) == "so";
    let start = joint + 1 + usize::from(purpose && line.normal(joint + 1) == "that");
    let spoken_to = |word: &str| {
        matches!(
            word,
            "you" | "it" | "robot" | "arm" | "drone" | "machine" | "please" | "just"
        )
    };
    let mut subject = (start..subject_end).map(|at| line.normal(at));
    let quiet = matches!(line.normal(at), "nothing" | "nobody" | "none" | "nowhere");
    let behind = if purpose { joint > 0 } else { true };
    behind
        && (start < subject_end || quiet)
        && !subject.any(|word| (purpose && spoken_to(word)) || word == "you" || is_verb(word))
}

/// "there is no milk", "i have no hands free".
fn exists(line: &Line<'_>, at: usize) -> bool {
    let there = at.checked_sub(2).map_or("", |at| line.normal(at));
    match line.before(at) {
        "is" | "are" | "was" | "were" => there == "there",
        "have" | "has" | "had" => matches!(there, "i" | "we" | "he" | "she" | "they"),
        _ => false,
    }
}

/// Whether a verb may forbid.
fn is_modal(word: &str) -> bool {
    matches!(
        word,
        "may" | "must" | "shall" | "should" | "can" | "will" | "would" | "ought" | "might" | "could"
    )
}

fn is_auxiliary(word: &str) -> bool {
    matches!(
        word,
        "do" | "does"
            | "did"
            | "can"
            | "could"
            | "will"
            | "would"
            | "shall"
            | "should"
            | "must"
            | "may"
            | "might"
            | "is"
            | "are"
            | "was"
            | "were"
            | "has"
            | "have"
            | "had"
            | "need"
            | "ought"
    )
}

fn scope(line: &Line<'_>, cue: Range<usize>, reach: Reach, clause: &Clause) -> Range<usize> {
    let to_clause_start = match reach {
        Reach::Verb => !clause.has_verb,
        Reach::Phrase => false,
        Reach::Clause => true,
        Reach::All => return 0..line.words.len(),
    };
    let start = if to_clause_start { clause.start } else { cue.start };
    // "is not red" has its verb already.
    let copula = matches!(line.normal(cue.start), "is" | "are" | "was" | "were");
    let mut has_verb = copula || reach != Reach::Verb;
    let mut at = cue.end;
    while at < line.words.len() && !ends_scope(line, at, reach, has_verb) {
        has_verb |= is_verb(line.normal(at));
        at += 1;
    }
    start..at
}

/// Whether the scope of a denial ends before word `at`.
fn ends_scope(line: &Line<'_>, at: usize, reach: Reach, has_verb: bool) -> bool {
    let next = line.normal(at + 1);
    match line.normal(at) {
        word if is_sentence_end(word) => true,
        "but" | "then" | "instead" => has_verb,
        "just" | "only" => has_verb && is_verb(next),
        "and" => match reach {
            Reach::Phrase => opens_clause(line, at + 1),
            _ => matches!(next, "then" | "instead" | "just"),
        },
        "," => match reach {
            Reach::Phrase => true,
            _ => has_verb && opens_clause(line, at + 1) && !is_or_list(line, at),
        },
        _ => false,
    }
}

/// Whether a new command starts at `at`, behind words without weight.
fn opens_clause(line: &Line<'_>, at: usize) -> bool {
    let first = (at..at + 4).find(|at| !is_filler(line.normal(*at)));
    first.is_some_and(|first| {
        let word = line.normal(first);
        is_verb(word)
            || matches!(word, "but" | "then" | "instead" | "just" | "only" | "rather")
            || cue(line, first).is_some()
    })
}

/// "do not open, close or turn it" denies all three. The look-ahead is bounded, like every one here.
fn is_or_list(line: &Line<'_>, at: usize) -> bool {
    let rest = (at..line.words.len().min(at + 24)).map(|at| line.normal(at));
    rest.take_while(|word| !is_sentence_end(word) && *word != "but" && *word != "then")
        .any(|word| matches!(word, "or" | "nor"))
}
