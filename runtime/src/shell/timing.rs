//! When commands were due and when they left. A command is due when the input comes in upon which the follower offers it: a report that
//! proves the step before, or the start of the run. Everything between that and the bus is ours: kernel, gate, hooks, journal, printing.

use crate::bench::quantile;
use serde::Serialize;
use std::time::{Duration, Instant};

/// The commands of one or more runs.
#[derive(Clone, Debug, Default)]
pub struct Timing {
    due: Option<Instant>,
    departures: Vec<Departure>,
}

#[derive(Clone, Copy, Debug)]
struct Departure {
    due: Instant,
    left: Instant,
    /// Index of the leg in its motion.
    leg: u16,
}

/// How a time is spread, in microseconds.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Spread {
    /// How many there were.
    pub count: usize,
    /// Half were at most this.
    pub p50_us: f64,
    /// Of twenty, nineteen were at most this.
    pub p95_us: f64,
    /// Of a hundred, ninety-nine were at most this.
    pub p99_us: f64,
    /// The longest.
    pub max_us: f64,
}

impl Timing {
    /// The follower has offered a command upon an input that came at this time.
    pub fn offered(&mut self, due: Instant) {
        self.due = Some(due);
    }

    /// The command that was offered was handed to the bus.
    pub fn left(&mut self, left: Instant) {
        self.departures
            .extend(self.due.take().map(|due| Departure { due, left, leg: 0 }));
    }

    /// The command that left last was this leg of its motion.
    pub fn was_leg(&mut self, leg: u16) {
        if let Some(last) = self.departures.last_mut() {
            last.leg = leg;
        }
    }

    /// Adds the commands of another run.
    pub fn add(&mut self, other: Timing) {
        self.departures.extend(other.departures);
    }

    /// From due to left, for every command.
    pub fn delays(&self) -> Spread {
        let delays = self.departures.iter().map(|command| command.left - command.due);
        Spread::of(delays)
    }

    /// From one leg of a motion to the next, as they left.
    pub fn intervals(&self) -> Spread {
        Spread::of(self.legs().map(|(before, leg)| leg.left - before.left))
    }

    /// By how much the intervals between legs differ from those between the times at which the legs were due.
    pub fn interval_jitter(&self) -> Spread {
        Spread::of(
            self.legs()
                .map(|(before, leg)| (leg.left - before.left).abs_diff(leg.due - before.due)),
        )
    }

    /// Every leg but the first of a motion, with the one before it.
    fn legs(&self) -> impl Iterator<Item = (Departure, Departure)> {
        let pairs = self.departures.windows(2).map(|pair| (pair[0], pair[1]));
        pairs.filter(|(before, leg)| leg.leg > 0 && before.leg + 1 == leg.leg)
    }
}

impl Spread {
    fn of(times: impl Iterator<Item = Duration>) -> Spread {
        let times: Vec<f64> = times.map(|time| time.as_secs_f64() * 1e6).collect();
        let part = |percent| {
            if times.is_empty() {
                0.0
            } else {
                quantile(&times, percent)
            }
        };
        Spread {
            count: times.len(),
            p50_us: part(50),
            p95_us: part(95),
            p99_us: part(99),
            max_us: part(100),
        }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Spread {
            p50_us,
            p95_us,
            p99_us,
            max_us,
            ..
        } = self;
        write!(
            f,
            "p50 {p50_us:.0} us · p95 {p95_us:.0} us · p99 {p99_us:.0} us · max {max_us:.0} us"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_and_intervals_are_told_apart() {
        let start = Instant::now();
        let at = |us: u64| start + Duration::from_micros(us);
        let mut timing = Timing::default();
        // Two legs, then a motion of its own; each is due at a round time.
        for (due, left, leg) in [(0, 100, 0), (10_000, 10_300, 1), (20_000, 20_200, 0)] {
            timing.offered(at(due));
            timing.left(at(left));
            timing.was_leg(leg);
        }
        // What nobody offered is a link's own message and does not count.
        timing.left(at(30_000));
        let whole = |spread: Spread| (spread.count, spread.p50_us.round(), spread.max_us.round());
        assert_eq!(whole(timing.delays()), (3, 200.0, 300.0));
        assert_eq!(whole(timing.intervals()), (1, 10_200.0, 10_200.0));
        assert_eq!(whole(timing.interval_jitter()), (1, 200.0, 200.0));
        assert_eq!(whole(Timing::default().delays()), (0, 0.0, 0.0));
    }
}
