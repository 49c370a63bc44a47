//! What words mean, as vectors: `senses.txt` has 37,000 English words in order, `senses.bin` for each its length and the direction of its
//! meaning (made by `models/training/senses.py` and `tune_senses.py`): the sum of a text's words points where a sentence encoder points, and
//! that of a goal near the tools it asks for. Texts are compared by the cosine of their sums, in whole numbers. It must not know what is searched.

use std::sync::LazyLock;

const WIDTH: usize = 256;
/// The length in two bytes, and two numbers of the direction in each of the others.
const ENTRY: usize = 2 + WIDTH / 2;
static ENTRIES: &[u8] = include_bytes!("senses.bin");
static WORDS: LazyLock<Vec<&str>> = LazyLock::new(|| include_str!("senses.txt").lines().collect());

/// Endings of English inflection and what may stand in their place, in the order in which `senses.py` tries them.
const ENDINGS: [(&str, &str); 8] = [
    ("ies", "y"),
    ("es", "e"),
    ("es", ""),
    ("s", ""),
    ("ing", ""),
    ("ing", "e"),
    ("ed", ""),
    ("ed", "e"),
];
/// Letters that are left of a word without its ending.
const STEM_LEN_MIN: usize = 3;

/// The sum of what the words of a text mean.
#[derive(Clone, Debug)]
pub(super) struct Sense {
    sum: Vec<i64>,
    /// Its length, at least one.
    length: i128,
}

impl Sense {
    /// Of texts, each of which counts so much.
    pub fn of<'a>(texts: impl IntoIterator<Item = (&'a str, i64)>) -> Self {
        let mut sum = vec![0; WIDTH];
        for (text, weight) in texts {
            let lower = text.to_lowercase();
            let words = lower.split(|c: char| !c.is_ascii_alphabetic());
            for (scale, numbers) in words.filter(|word| word.len() > 1).filter_map(entry) {
                let scale = i64::from(scale) * weight;
                for (pair, byte) in sum.chunks_exact_mut(2).zip(numbers) {
                    let byte = byte.cast_signed();
                    // The lower half's sign is spread by the shifts.
                    pair[0] += scale * i64::from((byte << 4) >> 4);
                    pair[1] += scale * i64::from(byte >> 4);
                }
            }
        }
        let square: i128 = sum.iter().map(|number: &i64| i128::from(*number).pow(2)).sum();
        Self {
            sum,
            length: square.isqrt().max(1),
        }
    }

    /// How much two texts mean the same, in thousandths; below zero for hardly anything in common.
    pub fn likeness(&self, other: &Self) -> i64 {
        let pairs = self.sum.iter().zip(&other.sum);
        let product: i128 = pairs.map(|(one, two)| i128::from(*one) * i128::from(*two)).sum();
        // At most the product of the lengths, so that this is at most a thousand.
        i64::try_from(product * 1_000 / (self.length * other.length)).unwrap_or(0)
    }
}

/// A word's length and direction; of one that is not in the table, those of the word whose inflection it looks like.
fn entry(word: &str) -> Option<(u16, &'static [u8])> {
    let look = |word: &str| WORDS.binary_search(&word).ok();
    let index = look(word).or_else(|| {
        ENDINGS.into_iter().find_map(|(ending, instead)| {
            let stem = word.strip_suffix(ending).filter(|stem| stem.len() >= STEM_LEN_MIN)?;
            look(&format!("{stem}{instead}"))
        })
    })?;
    let (length, direction) = ENTRIES.get(index * ENTRY..(index + 1) * ENTRY)?.split_first_chunk()?;
    Some((u16::from_le_bytes(*length), direction))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole_and_in_order() {
        assert_eq!(WORDS.len() * ENTRY, ENTRIES.len());
        assert!(WORDS.is_sorted());
    }

    #[test]
    fn words_of_one_meaning_are_near() {
        let alike = |one, two| Sense::of([(one, 100)]).likeness(&Sense::of([(two, 100)]));
        assert!(alike("fetch the cup", "bring a mug") > 2 * alike("fetch the cup", "measure the heat"));
        assert!(alike("it is too dark", "light") > alike("it is too dark", "water"));
        assert!(alike("the kettle", "kettle") > 900);
        assert_eq!(
            alike("wheelbarrows", "wheelbarrow"),
            1_000,
            "an inflected word is looked up without its ending"
        );
        assert_eq!(alike("qqqq", "kettle"), 0);
        assert!(alike(&"kettle ".repeat(100_000), "kettle") > 990);
    }
}
