//! Exact numbers: the values that goals state, as reduced fractions of 128-bit integers.
//!
//! "a third of a metre" and "1.8 km/h" have no finite decimal in the base unit, and a float would decide differently on
//! another machine. So every value stays a fraction until the end and is rounded once, to the nearest micro-unit, halves
//! away from zero. An overflow is `None`, never a wrapped number. This room knows no words and no units.

/// Micro-units in one unit.
pub(super) const MICRO: i128 = 1_000_000;

/// More digits than any quantity needs; longer ones are no number to us.
const DIGITS_MAX: usize = 27;

/// A reduced fraction; the denominator is positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exact {
    num: i128,
    den: i128,
}

impl Exact {
    pub(super) const ZERO: Self = Self::whole(0);
    pub(super) const ONE: Self = Self::whole(1);

    /// The integer `n`.
    pub(super) const fn whole(n: i128) -> Self {
        Self { num: n, den: 1 }
    }

    /// `num / den`, reduced; `None` for a zero denominator.
    pub(super) fn ratio(num: i128, den: i128) -> Option<Self> {
        let divisor = gcd(num, den)?;
        let sign = if den < 0 { -1 } else { 1 };
        Some(Self {
            num: num.checked_div(divisor)?.checked_mul(sign)?,
            den: den.checked_div(divisor)?.checked_mul(sign)?,
        })
    }

    /// Reads `12`, `0.25`, `.5` or `1e3`: ASCII digits with at most one point, and perhaps a power of ten. `None` for anything else.
    pub(super) fn decimal(text: &str) -> Option<Self> {
        if let Some((digits, power)) = text.split_once('e') {
            let power: i32 = power.parse().ok()?;
            let scale = Self::whole(10_i128.checked_pow(power.unsigned_abs())?);
            let value = Self::decimal(digits)?;
            return if power < 0 {
                value.over(scale)
            } else {
                value.times(scale)
            };
        }
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = [whole, fraction].concat();
        let plain = !digits.is_empty() && digits.len() <= DIGITS_MAX && digits.bytes().all(|b| b.is_ascii_digit());
        if !plain || text.ends_with('.') {
            return None;
        }
        let scale = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        Self::ratio(digits.parse().ok()?, scale)
    }

    pub(super) fn plus(self, other: Self) -> Option<Self> {
        let left = self.num.checked_mul(other.den)?;
        let right = other.num.checked_mul(self.den)?;
        Self::ratio(left.checked_add(right)?, self.den.checked_mul(other.den)?)
    }

    /// The product; crosswise reduction first keeps the intermediates small.
    pub(super) fn times(self, other: Self) -> Option<Self> {
        let left = Self::ratio(self.num, other.den)?;
        let right = Self::ratio(other.num, self.den)?;
        Self::ratio(left.num.checked_mul(right.num)?, left.den.checked_mul(right.den)?)
    }

    pub(super) fn over(self, other: Self) -> Option<Self> {
        self.times(Self::ratio(other.den, other.num)?)
    }

    pub(super) fn negated(self) -> Option<Self> {
        Some(Self {
            num: self.num.checked_neg()?,
            den: self.den,
        })
    }

    pub(super) fn is_less_than(self, other: Self) -> bool {
        match (self.num.checked_mul(other.den), other.num.checked_mul(self.den)) {
            (Some(left), Some(right)) => left < right,
            _ => false,
        }
    }

    /// The integer, if it is one.
    pub(super) fn as_whole(self) -> Option<i128> {
        (self.den == 1).then_some(self.num)
    }

    /// The value in micro-units, rounded to the nearest, halves away from zero.
    pub(super) fn micro(self) -> Option<i64> {
        let doubled = self.num.checked_mul(MICRO)?.checked_mul(2)?;
        let half = if doubled < 0 { self.den.checked_neg()? } else { self.den };
        i64::try_from(doubled.checked_add(half)?.checked_div(self.den.checked_mul(2)?)?).ok()
    }
}

fn gcd(a: i128, b: i128) -> Option<i128> {
    let (mut a, mut b) = (a.checked_abs()?, b.checked_abs()?);
    if b == 0 {
        return None;
    }
    while b != 0 {
        (a, b) = (b, a % b);
    }
    Some(a)
}
