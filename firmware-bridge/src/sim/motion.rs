//! Moving along a straight line at finite speed: where a thing is follows from the time alone, so a slow host and a fast one see the same.

use llmos_follower::value::distance;
use llmos_follower::{Millis, Point};

/// A way from one point to another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Travel {
    from: Point,
    to: Point,
    since: Millis,
    /// Micrometres a second.
    speed: i64,
}

impl Travel {
    pub(super) fn new(now: Millis, from: Point, to: Point, speed: i64) -> Travel {
        Travel {
            from,
            to,
            since: now,
            speed: speed.max(1),
        }
    }

    /// How long the whole way takes, in milliseconds.
    pub(super) fn duration_ms(&self) -> Millis {
        let length = i128::from(distance(self.from, self.to).unwrap_or(0));
        Millis::try_from((length * 1_000 + i128::from(self.speed) - 1) / i128::from(self.speed)).unwrap_or(Millis::MAX)
    }

    /// How much of the way is done at `now`, in thousandths.
    pub(super) fn done(&self, now: Millis) -> u64 {
        let elapsed = now.saturating_sub(self.since);
        match self.duration_ms() {
            0 => 1_000,
            whole => (elapsed.min(whole)).saturating_mul(1_000) / whole,
        }
    }

    /// Where it is at `now`.
    pub(super) fn at(&self, now: Millis) -> Point {
        let whole = i128::from(self.duration_ms().max(1));
        let elapsed = i128::from(now.saturating_sub(self.since)).min(whole);
        if elapsed == whole {
            return self.to;
        }
        std::array::from_fn(|axis| {
            let run = i128::from(self.to[axis]) - i128::from(self.from[axis]);
            // |elapsed| <= whole, so the part is never longer than the run.
            self.from[axis] + i64::try_from(run * elapsed / whole).unwrap_or(0)
        })
    }
}

/// A seeded sequence (xorshift64*, Vigna 2014), for scenes and tests; not for secrets.
#[derive(Clone, Copy, Debug)]
pub struct Xorshift(u64);

impl Xorshift {
    /// A sequence for this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Xorshift {
        // Zero is the one state that the generator never leaves; mixing keeps small seeds apart.
        Xorshift((seed ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9) | 1)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) % limit.max(1)
    }

    /// A number from `-limit` to `limit`.
    pub(super) fn around(&mut self, limit: i64) -> i64 {
        let span = limit.unsigned_abs() * 2 + 1;
        i64::try_from(self.below(span)).unwrap_or(0) - limit
    }
}
