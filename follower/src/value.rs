//! The only numbers and names on the decision path.
//!
//! A quantity is an `i64` count of micro-units of its dimension's base unit (micrometres, microdegrees, microseconds ..), so that every
//! architecture computes the same bits; products go through `i128`. A name is a 32-bit [`Symbol`], so that a step fits into a
//! microcontroller. This file must not know what a unit or a tool is, and holds no floating point.

use serde::{Deserialize, Serialize};

/// Micro-units in one unit.
pub const MICRO: i64 = 1_000_000;

/// A name as 32 bits: FNV-1a over its bytes (Fowler, Noll, Vo; draft-eastlake-fnv). The host keeps the spelling and refuses a
/// workspace in which two names collide.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Symbol(pub u32);

impl Symbol {
    /// No name: the device itself, nothing held.
    pub const NONE: Symbol = Symbol(0);

    /// The symbol of a name. The empty name is [`Symbol::NONE`].
    #[must_use]
    pub const fn of(name: &str) -> Symbol {
        let bytes = name.as_bytes();
        if bytes.is_empty() {
            return Symbol::NONE;
        }
        let mut hash = 0x811c_9dc5_u32;
        let mut at = 0;
        while at < bytes.len() {
            hash = (hash ^ bytes[at] as u32).wrapping_mul(0x0100_0193);
            at += 1;
        }
        // Zero is taken; the one hash that would land there moves aside.
        Symbol(if hash == 0 { 1 } else { hash })
    }

    /// Whether this is no name.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// A position in micrometres, in the device's frame.
pub type Point = [i64; 3];

/// What an argument, a reading or an expression is worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Value {
    /// A truth.
    Bool(bool),
    /// A quantity or number, in micro-units.
    Number(i64),
    /// A position or displacement, in micro-units.
    Point(Point),
    /// An entity, an enumeration's option, or a text that the host knows by its hash.
    Symbol(Symbol),
}

impl Value {
    /// A stable byte form for digests: a tag, then little-endian words.
    pub fn bytes(&self, mut sink: impl FnMut(&[u8])) {
        match self {
            Value::Bool(truth) => sink(&[0, u8::from(*truth)]),
            Value::Number(micro) => {
                sink(&[1]);
                sink(&micro.to_le_bytes());
            }
            Value::Point(point) => {
                sink(&[2]);
                for axis in point {
                    sink(&axis.to_le_bytes());
                }
            }
            Value::Symbol(symbol) => {
                sink(&[3]);
                sink(&symbol.0.to_le_bytes());
            }
        }
    }
}

/// `n / by`, rounded down; `None` for a division by zero. Wide division is long code on a small machine, so it is there once.
#[cfg_attr(target_pointer_width = "32", inline(never))]
#[must_use]
pub fn quotient(n: u128, by: u128) -> Option<u128> {
    n.checked_div(by)
}

/// `n / by`, rounded up; 0 for a division by zero, which no caller asks for.
pub(crate) fn quotient_up(n: u128, by: u128) -> u128 {
    let down = quotient(n, by).unwrap_or(0);
    if down * by < n { down + 1 } else { down }
}

/// `a * b / by`, rounded toward zero; `None` where it does not fit or is a division by zero.
#[must_use]
pub fn proportion(a: i64, b: i64, by: i64) -> Option<i64> {
    let product = u128::from(a.unsigned_abs()) * u128::from(b.unsigned_abs());
    let size = quotient(product, u128::from(by.unsigned_abs()))?;
    let size = i128::try_from(size).ok()?;
    let negative = (a < 0) ^ (b < 0) ^ (by < 0);
    i64::try_from(if negative { -size } else { size }).ok()
}

/// The integer square root: the largest `r` with `r * r <= n`. Newton's method from above; at most 130 rounds.
#[must_use]
pub fn isqrt(n: u128) -> u128 {
    if n < 2 {
        return n;
    }
    let bits = 128 - n.leading_zeros();
    let mut guess = 1_u128 << bits.div_ceil(2);
    while let Some(quotient) = quotient(n, guess) {
        let next = guess.midpoint(quotient);
        if next >= guess {
            break;
        }
        guess = next;
    }
    guess
}

/// The distance between two points, rounded down, or `None` where it does not fit.
#[must_use]
pub fn distance(a: Point, b: Point) -> Option<i64> {
    i64::try_from(isqrt(distance_squared(a, b)?)).ok()
}

/// The distance between two points, rounded up, or `None` where it does not fit: for a limit, which rounding must not loosen.
#[must_use]
pub fn distance_up(a: Point, b: Point) -> Option<i64> {
    let square = distance_squared(a, b)?;
    let root = isqrt(square);
    i64::try_from(if root * root < square { root + 1 } else { root }).ok()
}

fn distance_squared(a: Point, b: Point) -> Option<u128> {
    let mut sum = 0_u128;
    for (a, b) in a.iter().zip(&b) {
        let step = u128::from(a.abs_diff(*b));
        sum = sum.checked_add(step.checked_mul(step)?)?;
    }
    Some(sum)
}

/// FNV-1a over 64 bits: the digest of a run. It says "the same", not "authentic".
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Digest(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    /// Takes in more bytes.
    pub fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// The digest of everything written so far.
    #[must_use]
    pub const fn finish(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn symbols_are_fnv1a() {
        // Reference values of the FNV authors' test suite.
        assert_eq!(Symbol::of("a"), Symbol(0xe40c_292c));
        assert_eq!(Symbol::of("foobar"), Symbol(0xbf9c_f968));
        assert!(Symbol::of("").is_none());
    }

    #[test]
    fn distances_are_exact_where_they_are_whole() {
        assert_eq!(distance([0, 0, 0], [3_000_000, 4_000_000, 0]), Some(5_000_000));
        assert_eq!(distance_up([0, 0, 0], [3_000_000, 4_000_000, 0]), Some(5_000_000));
        assert_eq!(
            (distance([0; 3], [1, 1, 0]), distance_up([0; 3], [1, 1, 0])),
            (Some(1), Some(2))
        );
        assert_eq!(distance([i64::MIN, 0, 0], [i64::MAX, 0, 0]), None);
        assert_eq!(distance_up([i64::MIN, 0, 0], [i64::MAX, 0, 0]), None);
    }

    #[test]
    fn proportions_at_the_ends() {
        for (a, b, by, expected) in [
            (7, 3, 2, Some(10)),
            (-7, 3, 2, Some(-10)),
            (7, -3, 2, Some(-10)),
            (-7, -3, -2, Some(-10)),
            (0, -3, 2, Some(0)),
            (i64::MIN, i64::MIN, i64::MIN, Some(i64::MIN)),
            (i64::MIN, -1, 1, None),
            (i64::MAX, 2, 1, None),
            (1, 1, 0, None),
        ] {
            assert_eq!(proportion(a, b, by), expected, "{a} * {b} / {by}");
        }
    }

    proptest! {
        #[test]
        fn proportions_are_those_of_wider_numbers(a in any::<i64>(), b in any::<i64>(), by in any::<i64>()) {
            let exact = (i128::from(a) * i128::from(b)).checked_div(i128::from(by));
            prop_assert_eq!(proportion(a, b, by), exact.and_then(|exact| i64::try_from(exact).ok()));
            let small = by % 1_000;
            let exact = (i128::from(a) * i128::from(b % 1_000)).checked_div(i128::from(small));
            prop_assert_eq!(proportion(a, b % 1_000, small), exact.and_then(|exact| i64::try_from(exact).ok()));
        }

        #[test]
        fn isqrt_is_the_floor_of_the_root(n in any::<u128>()) {
            let root = isqrt(n);
            prop_assert!(root.checked_mul(root).is_some_and(|square| square <= n));
            prop_assert!((root + 1).checked_mul(root + 1).is_none_or(|square| square > n));
        }
    }
}
