//! Where a clause may begin: verbs of commands and words that break a sentence.
//!
//! Negation and corrections reach as far as their clause. A full parser of English is not needed for that; a list of the verbs that
//! people say to devices is. A verb that is missing here makes a denial reach further, never less far.

/// Whether `word` is a verb that usually opens a command.
pub(super) fn is_verb(word: &str) -> bool {
    VERBS.contains(&word) || gerund(word)
}

/// "moving", "opening", "dropping": the verb with -ing.
pub(super) fn gerund(word: &str) -> bool {
    let Some(stem) = word.strip_suffix("ing").filter(|stem| stem.len() > 1) else {
        return false;
    };
    let undoubled = stem.char_indices().next_back().map_or("", |(last, _)| &stem[..last]);
    VERBS
        .iter()
        .any(|verb| *verb == stem || *verb == undoubled || verb.strip_suffix('e') == Some(stem))
}

/// Whether `word` ends what a verb governs.
pub(super) fn is_break(word: &str) -> bool {
    is_sentence_end(word) || matches!(word, "," | "but" | "then" | ":")
}

/// Whether `word` is a mark that ends a sentence.
pub(super) fn is_sentence_end(word: &str) -> bool {
    matches!(word, "." | "!" | "?" | ";")
}

/// Words without weight at the start of a clause and around a command.
pub(super) fn is_filler(word: &str) -> bool {
    matches!(
        word,
        "please"
            | "kindly"
            | "you"
            | "now"
            | "just"
            | "ok"
            | "okay"
            | "hey"
            | "and"
            | "so"
            | "i"
            | "we"
            | "to"
            | "the"
            | "a"
            | "an"
            | "also"
    )
}

const VERBS: &[&str] = &[
    "move",
    "go",
    "drive",
    "turn",
    "rotate",
    "spin",
    "pick",
    "put",
    "place",
    "take",
    "grab",
    "grasp",
    "grip",
    "hold",
    "release",
    "drop",
    "open",
    "close",
    "shut",
    "lift",
    "raise",
    "lower",
    "push",
    "pull",
    "press",
    "touch",
    "hit",
    "set",
    "switch",
    "dim",
    "brighten",
    "start",
    "stop",
    "pause",
    "resume",
    "wait",
    "bring",
    "get",
    "fetch",
    "give",
    "carry",
    "leave",
    "return",
    "come",
    "run",
    "heat",
    "cool",
    "warm",
    "pour",
    "fill",
    "empty",
    "stack",
    "sort",
    "tidy",
    "clean",
    "wipe",
    "sweep",
    "vacuum",
    "dock",
    "charge",
    "park",
    "follow",
    "find",
    "look",
    "check",
    "read",
    "measure",
    "show",
    "tell",
    "say",
    "report",
    "play",
    "mute",
    "unmute",
    "lock",
    "unlock",
    "disarm",
    "enable",
    "disable",
    "activate",
    "deactivate",
    "increase",
    "decrease",
    "reduce",
    "adjust",
    "change",
    "make",
    "let",
    "keep",
    "slide",
    "tilt",
    "swing",
    "aim",
    "reach",
    "extend",
    "retract",
    "approach",
    "align",
    "center",
    "centre",
    "reset",
    "calibrate",
    "record",
    "save",
    "delete",
    "send",
    "scan",
    "inspect",
    "insert",
    "remove",
    "attach",
    "detach",
    "shake",
    "flip",
    "stand",
    "wake",
    "slow",
    "calm",
    "lay",
    "hurry",
    "swap",
    "launch",
    "land",
    "fly",
    "walk",
    "power",
    "exceed",
    "bend",
];
