//! What words mean, as vectors: `senses.txt` has some 9,700 English words in order, `senses.bin` for each a byte that says how
//! much it tells and the direction of its meaning (made by `models/training/senses.py`). Texts are compared by the cosine of
//! their sums, in whole numbers. It must not know what is searched.

use std::sync::LazyLock;

const WIDTH: usize = 64;
/// The byte that says how much a word tells, and its direction.
const ENTRY: usize = 1 + WIDTH;
static ENTRIES: &[u8] = include_bytes!("senses.bin");
static WORDS: LazyLock<Vec<&str>> = LazyLock::new(|| include_str!("senses.txt").lines().collect());

/// The sum of what the words of a text mean.
#[derive(Clone, Debug)]
pub(super) struct Sense {
    sum: [i64; WIDTH],
    /// Its length, at least one.
    length: i128,
}

impl Sense {
    /// Of texts, each of which counts so much.
    pub fn of<'a>(texts: impl IntoIterator<Item = (&'a str, i64)>) -> Self {
        let mut sum = [0; WIDTH];
        for (text, weight) in texts {
            let lower = text.to_lowercase();
            let words = lower.split(|c: char| !c.is_alphabetic());
            for entry in words.filter_map(entry) {
                let tells = i64::from(entry[0]) * weight;
                for (to, from) in sum.iter_mut().zip(&entry[1..]) {
                    *to += tells * i64::from(from.cast_signed());
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

fn entry(word: &str) -> Option<&'static [u8]> {
    let index = WORDS.binary_search(&word).ok()?;
    ENTRIES.get(index * ENTRY..(index + 1) * ENTRY)
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
        assert!(alike("dark", "light") > alike("dark", "water"));
        assert!(alike("the kettle", "kettle") > 900);
        assert_eq!(alike("qqqq", "kettle"), 0);
        assert!(alike(&"kettle ".repeat(100_000), "kettle") > 990);
    }
}
