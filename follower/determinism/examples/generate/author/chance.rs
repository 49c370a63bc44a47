//! Chance that is the same everywhere: `SplitMix64` (Steele, Lea, Flood 2014).

/// A stream of numbers.
pub struct Chance(pub u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`, both possible.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = u128::from(high.abs_diff(low)) + 1;
        let offset = i128::try_from(u128::from(self.next()) % span).expect("below 2^64");
        i64::try_from(i128::from(low) + offset).expect("between two i64")
    }

    /// The same for what counts milliseconds, bytes or places.
    pub fn small(&mut self, low: u32, high: u32) -> u32 {
        u32::try_from(self.between(low.into(), high.into())).expect("between two u32")
    }

    /// True once in so many times.
    pub fn once_in(&mut self, times: i64) -> bool {
        self.between(1, times) == 1
    }

    /// One of these.
    pub fn one_of<T: Copy>(&mut self, list: &[T]) -> T {
        let end = i64::try_from(list.len() - 1).expect("a short list");
        list[usize::try_from(self.between(0, end)).expect("an index")]
    }

    /// Any number, extreme ones more often than others.
    pub fn any(&mut self) -> i64 {
        match self.between(0, 5) {
            0 => self.one_of(&[i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX]),
            1 => self.between(-3, 3),
            2 => self.between(-400_000_000, 400_000_000),
            _ => self.next().cast_signed(),
        }
    }

    /// Any point in a room of so many micrometres to each side.
    pub fn point(&mut self, side: i64) -> [i64; 3] {
        [(); 3].map(|()| self.between(-side, side))
    }
}
