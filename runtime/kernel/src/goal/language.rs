//! Tells English from languages that we do not read, so that the person can be told.
//!
//! It decides by script and by small common words; a few words without any ("gripper open") count as English. It must
//! never refuse a goal that has an English function word in it.

use super::words::{Line, WordKind};
use super::{Found, Meaning};
use serde::{Deserialize, Serialize};

/// The language of a goal, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// English, or nothing that says otherwise.
    English,
    /// Clearly another language.
    Other,
}

/// The language of the words outside of mentions, which may have foreign names.
pub(super) fn language(line: &Line<'_>, found: &[Found]) -> Language {
    let is_name = |found: &&Found| matches!(found.meanings.first(), Some(Meaning::Named { .. }));
    let mut mentions = found.iter().filter(is_name).peekable();
    let (mut foreign_letters, mut letters, mut foreign, mut english) = (0_usize, 0_usize, 0_usize, false);
    for at in 0..line.words.len() {
        while mentions.next_if(|name| name.end <= at).is_some() {}
        let named = mentions.peek().is_some_and(|name| name.start <= at);
        if named || !line.is(at, WordKind::Letters) {
            continue;
        }
        let word = line.normal(at);
        letters += word.chars().count();
        foreign_letters += word.chars().filter(|c| !is_latin(*c)).count();
        english = english || ENGLISH.contains(&word);
        foreign += if STRONG.contains(&word) {
            2
        } else {
            usize::from(WEAK.contains(&word))
        };
    }
    let other = foreign_letters * 2 > letters || (foreign >= 2 && !english);
    if other { Language::Other } else { Language::English }
}

fn is_latin(c: char) -> bool {
    c.is_ascii() || ('\u{aa}'..='\u{36f}').contains(&c) || ('\u{1e00}'..='\u{1eff}').contains(&c)
}

const ENGLISH: &[&str] = &[
    "the", "an", "to", "and", "of", "it", "up", "with", "from", "then", "please", "move", "for", "at", "by", "not",
    "you", "is", "this", "that", "them", "there", "put", "pick", "turn", "go", "open", "close", "set", "take", "into",
    "onto", "left", "right", "forward", "back", "down", "off", "all", "one", "two", "three", "my", "your", "its", "be",
    "do", "does", "can", "could", "would", "what", "where", "how", "make", "let", "wait", "stop", "start", "but", "if",
    "when", "after", "before", "i", "out",
];

/// Words that one other language has and English does not.
const STRONG: &[&str] = &[
    // German
    "nach",
    "und",
    "nicht",
    "bitte",
    "der",
    "das",
    "dem",
    "ein",
    "eine",
    "einen",
    "mit",
    "auf",
    "lege",
    "bewege",
    "fahre",
    "\u{f6}ffne",
    "schlie\u{df}e",
    "nimm",
    "stelle",
    "schalte",
    "dreh",
    "drehe",
    "heb",
    "hebe",
    "mach", // French
    "sil",
    "dans",
    "avec",
    "vers",
    "les",
    "ouvre",
    "ferme",
    "prends",
    "prenez",
    "mets",
    "mettez",
    "d\u{e9}place",
    "tourne",
    "allume",
    "gauche",
    "droite",
    "le",
    "bras", // Spanish
    "por",
    "favor",
    "mueve",
    "abre",
    "cierra",
    "toma",
    "pon",
    "coge",
    "izquierda",
    "derecha",
    "hacia",
    "brazo",
    "el",
    "los",
    "las",
    "enciende", // Italian
    "muovi",
    "apri",
    "chiudi",
    "prendi",
    "metti",
    "sinistra",
    "destra",
    "il",
    "della",
    "nella",
    "braccio", // Portuguese
    "mova",
    "abra",
    "feche",
    "pegue",
    "coloque",
    "esquerda",
    "direita",
    "para",
    "n\u{e3}o", // Dutch
    "het",
    "naar",
    "beweeg",
    "pak",
    "niet",
    "een",
];

/// Words that count only in company.
const WEAK: &[&str] = &[
    "den", "die", "im", "zum", "zur", "von", "um", "la", "de", "du", "des", "et", "une", "un", "en", "sur", "con",
    "una", "al", "del", "y", "di", "e", "o", "os", "da", "na", "em", "op", "van", "links", "rechts", "zu", "au",
];
