//! A network in memory: what is sent is lost, repeated, delayed and overtaken, all of it from a seed, so that the seed is the whole run.
//! Time is passed in. It must not know what a message says, or who talks to whom.

use super::Xorshift;
use llmos_follower::Millis;

/// What happens to messages on their way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Weather {
    /// How many of a thousand messages never arrive.
    pub lost_of_1000: u64,
    /// How many of a thousand messages that are not lost arrive twice.
    pub repeated_of_1000: u64,
    /// The longest way, in milliseconds; each copy takes from 1 ms to this, so later messages overtake earlier ones.
    pub delay_ms_max: Millis,
}

impl Weather {
    /// A good network: everything arrives once and soon.
    pub const CALM: Weather = Weather {
        lost_of_1000: 0,
        repeated_of_1000: 0,
        delay_ms_max: 2,
    };
}

#[derive(Clone, Debug)]
struct Flying<T> {
    due: Millis,
    rank: u64,
    message: T,
}

/// Messages on their way.
#[derive(Clone, Debug)]
pub struct Air<T> {
    weather: Weather,
    chance: Xorshift,
    /// Chooses among what arrives in the same millisecond, if that is left to chance.
    ties: Option<Xorshift>,
    sent: u64,
    flying: Vec<Flying<T>>,
}

impl<T: Clone> Air<T> {
    /// Nothing is on its way yet. What arrives in the same millisecond arrives in the order in which it was sent.
    #[must_use]
    pub fn new(seed: u64, weather: Weather) -> Air<T> {
        Air {
            weather,
            chance: Xorshift::new(seed),
            ties: None,
            sent: 0,
            flying: Vec::new(),
        }
    }

    /// The same network, but what arrives in the same millisecond arrives in an order that this seed chooses.
    #[must_use]
    pub fn with_ties(mut self, seed: u64) -> Air<T> {
        self.ties = Some(Xorshift::new(seed));
        self
    }

    /// Sends a message.
    pub fn send(&mut self, now: Millis, message: &T) {
        let Weather {
            lost_of_1000,
            repeated_of_1000,
            delay_ms_max,
        } = self.weather;
        if self.chance.below(1_000) < lost_of_1000 {
            return;
        }
        let copies = 1 + u32::from(self.chance.below(1_000) < repeated_of_1000);
        for _ in 0..copies {
            self.sent += 1;
            let rank = self.ties.as_mut().map_or(self.sent, |ties| ties.below(1 << 40));
            let due = now + 1 + self.chance.below(delay_ms_max);
            let message = message.clone();
            self.flying.push(Flying { due, rank, message });
        }
    }

    /// The next message that has arrived by `now`.
    pub fn arrived(&mut self, now: Millis) -> Option<T> {
        let first = self.flying.iter().enumerate().min_by_key(|(_, m)| (m.due, m.rank));
        let (index, message) = first?;
        (message.due <= now).then(|| self.flying.remove(index).message)
    }

    /// When the next message arrives.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Millis> {
        self.flying.iter().map(|message| message.due).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What arrives of a hundred numbers, sent one a millisecond.
    fn check(mut air: Air<u32>) -> Vec<u32> {
        for (now, number) in (0..).zip(0..100) {
            air.send(now, &number);
        }
        std::iter::from_fn(|| air.arrived(1_000)).collect()
    }

    #[test]
    fn a_seed_is_the_whole_weather() {
        let storm = Weather {
            lost_of_1000: 200,
            repeated_of_1000: 200,
            delay_ms_max: 10,
        };
        let found = check(Air::new(1, storm));
        assert_eq!(found, check(Air::new(1, storm)));
        assert_ne!(found, check(Air::new(2, storm)));
        assert!((0..100).any(|number| !found.contains(&number)), "something is lost");
        assert!(found.windows(2).any(|pair| pair[0] > pair[1]), "something is overtaken");
        let twice = |number| found.iter().filter(|other| **other == number).count() == 2;
        assert!((0..100).any(twice), "something is repeated");
    }

    #[test]
    fn calm_changes_nothing_and_only_ties_can_be_shuffled() {
        let swift = Weather {
            delay_ms_max: 1,
            ..Weather::CALM
        };
        let all: Vec<u32> = (0..100).collect();
        assert_eq!(check(Air::new(1, swift)), all);
        assert_eq!(
            check(Air::new(1, swift).with_ties(7)),
            all,
            "nothing arrives at once here"
        );
        let at_once = |mut air: Air<u32>| {
            (0..100).for_each(|number| air.send(0, &number));
            std::iter::from_fn(|| air.arrived(1_000)).collect::<Vec<_>>()
        };
        assert_eq!(at_once(Air::new(1, swift)), all);
        let mut shuffled = at_once(Air::new(1, swift).with_ties(7));
        assert_ne!(shuffled, all);
        shuffled.sort_unstable();
        assert_eq!(shuffled, all);
    }
}
