//! Reads numbers: digits, number words, fractions and signs.
//!
//! It knows how English says numbers and nothing of units. What it cannot read whole it does not read at all: of
//! "10:30", "1/2/3" or "2nd" no part is a number.

use super::exact::Exact;
use super::words::{Line, WordKind};

/// Number words read in one number at most; a longer run is no number that anybody says.
const WORDS_MAX: usize = 24;

/// How a number was said; units and readers treat the forms differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// "5", "-0.5", "1,000".
    Digits,
    /// "five", "two and a half", "2 1/2".
    Words,
    /// "half", "three quarters", "1/2": a part of something, so also a ratio.
    Fraction,
    /// "a couple", "a dozen": "of" may follow.
    Batch,
}

/// A number and the word after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number {
    pub(super) value: Exact,
    pub(super) end: usize,
    pub(super) form: Form,
}

/// Reads the longest number that starts at word `at`, its sign included.
pub(super) fn number(line: &Line<'_>, at: usize) -> Option<Number> {
    let (negative, start) = sign(line, at);
    let magnitude = magnitude(line, start)?;
    let value = if negative {
        magnitude.value.negated()?
    } else {
        magnitude.value
    };
    Some(Number { value, ..magnitude })
}

/// Whether a minus stands at `at`, and where the magnitude begins.
fn sign(line: &Line<'_>, at: usize) -> (bool, usize) {
    if line.is(at, WordKind::Letters) {
        let negative = matches!(line.normal(at), "minus" | "negative");
        return (negative, at + usize::from(negative));
    }
    let stands_alone = !line.glued(at) || matches!(line.before(at), "(" | "[" | "," | "=" | ":" | "~" | "." | ";");
    match line.normal(at) {
        "-" | "\u{2212}" | "\u{2013}" if stands_alone && line.glued(at + 1) => (true, at + 1),
        "+" if stands_alone && line.glued(at + 1) => (false, at + 1),
        _ => (false, at),
    }
}

fn magnitude(line: &Line<'_>, at: usize) -> Option<Number> {
    match line.words.get(at)?.kind {
        WordKind::Digits => in_digits(line, at),
        WordKind::Letters => in_words(line, at),
        WordKind::Mark => glyph(line, at).map(|value| Number {
            value,
            end: at + 1,
            form: Form::Fraction,
        }),
    }
}

fn in_digits(line: &Line<'_>, at: usize) -> Option<Number> {
    if is_inside_chain(line, at) {
        return None;
    }
    let value = Exact::decimal(line.normal(at))?;
    if let Some(fraction) = slashed(line, at) {
        return Some(fraction);
    }
    if is_chained(line, at + 1) || tied_hyphens(line, at + 1) {
        return None;
    }
    let whole = Number {
        value,
        end: at + 1,
        form: Form::Digits,
    };
    if value.as_whole().is_some() {
        if let Some(fraction) = denominator(line, at + 1, value) {
            return Some(fraction);
        }
        if let Some(mixed) = mixed(line, whole) {
            return Some(mixed);
        }
    }
    Some(scaled(line, whole).unwrap_or(whole))
}

/// Whether digits at `at` go on a clock time, a date, a path, an identifier or an exponent: "10:30", "1/2/3", `cube_2`, "x^2", "1e-3".
fn is_inside_chain(line: &Line<'_>, at: usize) -> bool {
    let Some(mark) = at.checked_sub(1).filter(|mark| line.glued(at) && line.glued(*mark)) else {
        return false;
    };
    match line.normal(mark) {
        "_" | "\\" | "^" => true,
        // "1e-3": without its exponent it would be 3.
        "-" | "+" | "\u{2212}" if mark > 0 && line.normal(mark - 1) == "e" && line.continues_word(mark - 1) => true,
        ":" | "/" | "." => line.is(mark - 1, WordKind::Digits),
        "-" => tied_hyphens(line, mark) || mark.checked_sub(2).is_some_and(|first| tied_hyphens(line, first)),
        _ => false,
    }
}

/// Whether two numbers are tied on at `at`, the mark behind a number: "2026-11-21" is a date, while "5-10" may be a range.
fn tied_hyphens(line: &Line<'_>, at: usize) -> bool {
    let tied = |at: usize| line.normal(at) == "-" && line.past_joiner(at) != at && line.is(at + 1, WordKind::Digits);
    tied(at) && tied(at + 2)
}

/// Whether a mark at `at` ties more digits to the ones before it.
fn is_chained(line: &Line<'_>, at: usize) -> bool {
    matches!(line.normal(at), ":" | "/" | "_" | "\\")
        && line.glued(at)
        && line.glued(at + 1)
        && line.is(at + 1, WordKind::Digits)
}

/// "1/2", but not the date "1/2/3".
fn slashed(line: &Line<'_>, at: usize) -> Option<Number> {
    let parts = line.normal(at + 1) == "/" && is_chained(line, at + 1) && !is_chained(line, at + 3);
    let top = Exact::decimal(line.normal(at))?.as_whole()?;
    let bottom = Exact::decimal(line.normal(at + 2)).filter(|_| parts)?.as_whole()?;
    Some(Number {
        value: Exact::ratio(top, bottom)?,
        end: at + 3,
        form: Form::Fraction,
    })
}

/// "2 1/2", "2½", "2 and a half", "two and three quarters".
fn mixed(line: &Line<'_>, whole: Number) -> Option<Number> {
    let fraction = if line.normal(whole.end) == "and" || line.normal(line.past_joiner(whole.end)) == "and" {
        let and = line.past_joiner(whole.end);
        fraction(line, line.past_joiner(and + 1))?
    } else if let Some(value) = glyph(line, whole.end) {
        Number {
            value,
            end: whole.end + 1,
            form: Form::Fraction,
        }
    } else if line.is(whole.end, WordKind::Digits) && !line.glued(whole.end) {
        slashed(line, whole.end)?
    } else {
        return None;
    };
    let proper = fraction.form == Form::Fraction && fraction.value.is_less_than(Exact::ONE);
    let value = whole.value.plus(fraction.value).filter(|_| proper)?;
    Some(Number {
        value,
        end: fraction.end,
        form: Form::Words,
    })
}

/// "2 million", "3 dozen".
fn scaled(line: &Line<'_>, number: Number) -> Option<Number> {
    let factor = match line.normal(number.end) {
        "dozen" => 12,
        "hundred" => 100,
        "thousand" => 1000,
        "million" => 1_000_000,
        _ => return None,
    };
    let value = number.value.times(Exact::whole(factor))?;
    Some(Number {
        value,
        end: number.end + 1,
        form: Form::Words,
    })
}

fn in_words(line: &Line<'_>, at: usize) -> Option<Number> {
    if let Some(said) = batch(line, at).or_else(|| fraction(line, at)) {
        return Some(said);
    }
    if line.normal(at) == "point" {
        return decimals(line, at, Exact::ZERO);
    }
    let (value, end) = cardinal(line, at)?;
    let whole = Number {
        value: Exact::whole(value),
        end,
        form: Form::Words,
    };
    mixed(line, whole)
        .or_else(|| decimals(line, end, whole.value))
        .or(Some(whole))
}

/// "a couple", "a dozen", "half a dozen".
fn batch(line: &Line<'_>, at: usize) -> Option<Number> {
    if (line.normal(at), line.normal(at + 1), line.normal(at + 2)) == ("half", "a", "dozen") {
        return Some(Number {
            value: Exact::whole(6),
            end: at + 3,
            form: Form::Batch,
        });
    }
    let article = usize::from(line.normal(at) == "a");
    let value = match (line.normal(at + article), article) {
        ("couple", 1) => 2,
        ("dozen", _) => 12,
        _ => return None,
    };
    Some(Number {
        value: Exact::whole(value),
        end: at + article + 1,
        form: Form::Batch,
    })
}

/// "point two five", "point 5", read digit by digit.
fn decimals(line: &Line<'_>, at: usize, whole: Exact) -> Option<Number> {
    if line.normal(at) != "point" {
        return None;
    }
    let mut digits = String::from("0.");
    let mut end = at + 1;
    while end <= at + WORDS_MAX {
        match simple(line.normal(end)) {
            Some(digit @ 0..=9) if line.is(end, WordKind::Letters) => digits.push_str(&digit.to_string()),
            _ if line.is(end, WordKind::Digits) && !line.normal(end).contains('.') => digits.push_str(line.normal(end)),
            _ => break,
        }
        end += 1;
    }
    let value = Exact::decimal(&digits)?.plus(whole)?;
    Some(Number {
        value,
        end,
        form: Form::Words,
    })
}

/// "half", "a half", "three quarters", "two thirds", "2 tenths", "a third of".
fn fraction(line: &Line<'_>, at: usize) -> Option<Number> {
    if let Some(half) = denominator(line, at, Exact::ONE).filter(|_| matches!(line.normal(at), "half" | "quarter")) {
        let bare_quarter = line.normal(at) == "quarter" && !matches!(line.normal(at + 1), "of" | "turn");
        return (!bare_quarter).then_some(half);
    }
    if matches!(line.normal(at), "a" | "an" | "one") {
        let part = denominator(line, line.past_joiner(at + 1), Exact::ONE)?;
        let sure = matches!(line.normal(part.end - 1), "half" | "quarter") || line.normal(at) == "one";
        // "a third cube" is one more; "to a third" is a share.
        let share = matches!(
            line.normal(part.end),
            "of" | "" | "," | "." | ";" | "!" | "?" | "and" | "then" | "please"
        );
        return (sure || share).then_some(part);
    }
    let top = simple(line.normal(at)).filter(|top| (2..20).contains(top))?;
    denominator(line, line.past_joiner(at + 1), Exact::whole(top)).filter(|_| line.is(at, WordKind::Letters))
}

/// The fraction `top` over the denominator said at `at`; more than one takes the plural ("two thirds", never "two third").
fn denominator(line: &Line<'_>, at: usize, top: Exact) -> Option<Number> {
    let word = line.normal(at);
    let singular = match word {
        "halves" => "half",
        plural => plural.strip_suffix('s').unwrap_or(plural),
    };
    let bottom = match singular {
        "half" => 2,
        "third" => 3,
        "quarter" | "fourth" => 4,
        "fifth" => 5,
        "sixth" => 6,
        "seventh" => 7,
        "eighth" => 8,
        "ninth" => 9,
        "tenth" => 10,
        "hundredth" => 100,
        "thousandth" => 1000,
        _ => return None,
    };
    if (word == singular) != (top == Exact::ONE) || line.continues_word(at) {
        return None;
    }
    Some(Number {
        value: top.over(Exact::whole(bottom))?,
        end: at + 1,
        form: Form::Fraction,
    })
}

/// "one hundred and twenty", "twenty-five", "a thousand", "two hundred thousand".
fn cardinal(line: &Line<'_>, at: usize) -> Option<(i128, usize)> {
    let article = matches!(line.normal(at), "a" | "an") && scale(line.normal(at + 1)).is_some();
    let mut count = if article {
        Count {
            group: Some(1),
            ..Count::default()
        }
    } else {
        Count::default()
    };
    let mut end = at + usize::from(article);
    while end < at + WORDS_MAX {
        let after_and = count.ends_in_scale && line.normal(end) == "and";
        let next = if after_and {
            end + 1
        } else if end > at {
            line.past_joiner(end)
        } else {
            end
        };
        if !line.is(next, WordKind::Letters) || line.continues_word(next) || !count.take(line.normal(next)) {
            break;
        }
        end = next + 1;
    }
    count.value().map(|value| (value, end)).filter(|_| end > at)
}

/// A cardinal as its words come in.
#[derive(Default)]
struct Count {
    /// The sum of finished groups ("two thousand").
    total: i128,
    /// The group being said ("three hundred five").
    group: Option<i128>,
    /// The scale of the last finished group; the next must be smaller.
    last_scale: Option<i128>,
    ends_in_scale: bool,
}

impl Count {
    /// Takes one more word; `false` when the number cannot go on with it.
    fn take(&mut self, word: &str) -> bool {
        if let Some(value) = simple(word) {
            let goes_on = match (self.group, value) {
                (None, 0) => self.last_scale.is_none(),
                (None, _) => true,
                (Some(group), 1..=9) => group % 10 == 0 && (group % 100 >= 20 || group % 100 == 0) && group > 0,
                (Some(group), 10..) => group % 100 == 0 && group > 0,
                _ => false,
            };
            if goes_on {
                self.group = Some(self.group.unwrap_or(0) + value);
                self.ends_in_scale = false;
            }
            return goes_on;
        }
        match (scale(word), self.group) {
            (Some(100), Some(group @ 1..=99)) => self.group = Some(group * 100),
            (Some(scale), Some(group @ 1..)) if scale > 100 && self.last_scale.is_none_or(|last| scale < last) => {
                self.total += group * scale;
                self.group = None;
                self.last_scale = Some(scale);
            }
            _ => return false,
        }
        self.ends_in_scale = true;
        true
    }

    fn value(&self) -> Option<i128> {
        match self.group {
            Some(group) => Some(self.total + group),
            None => self.last_scale.map(|_| self.total),
        }
    }
}

fn scale(word: &str) -> Option<i128> {
    match word {
        "hundred" => Some(100),
        "thousand" => Some(1000),
        "million" => Some(1_000_000),
        _ => None,
    }
}

/// The value of a number word below one hundred.
pub(super) fn simple(word: &str) -> Option<i128> {
    const SMALL: [&str; 20] = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ];
    const TENS: [&str; 8] = [
        "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
    ];
    let small = SMALL.iter().position(|small| *small == word);
    let tens = || TENS.iter().position(|ten| *ten == word).map(|index| (index + 2) * 10);
    small.or_else(tens).and_then(|value| i128::try_from(value).ok())
}

/// A single character that is a fraction.
fn glyph(line: &Line<'_>, at: usize) -> Option<Exact> {
    let (top, bottom) = match line.normal(at) {
        "\u{bd}" => (1, 2),
        "\u{bc}" => (1, 4),
        "\u{be}" => (3, 4),
        "\u{2153}" => (1, 3),
        "\u{2154}" => (2, 3),
        "\u{215b}" => (1, 8),
        "\u{215c}" => (3, 8),
        "\u{215d}" => (5, 8),
        "\u{215e}" => (7, 8),
        _ => return None,
    };
    Exact::ratio(top, bottom)
}
