//! What only a history can tell: how many commands were just begun, and whether the device's position jumped. A few numbers, kept by the host
//! and by the device alike; the limits that they are compared with are the [`Envelope`]'s. This file must not know what a command does.

use super::{COORDINATE_MAX, Envelope, POSITION_SLACK, Rate};
use crate::replay::Millis;
use crate::value::{Point, distance_up, quotient};
use heapless::Deque;

/// Commands that are remembered: no [`Rate`] may allow more.
pub const COMMANDS_MAX: usize = 32;
/// How long reports must have been plausible after one that was not, in milliseconds.
pub const CALM_MS: Millis = 500;

/// The recent past of one device.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Watch {
    /// When the last commands were begun.
    commands: Deque<Millis, COMMANDS_MAX>,
    /// The last position, and when it was reported.
    seen: Option<(Millis, Point)>,
    /// When the position last jumped.
    jumped_at: Option<Millis>,
}

impl Watch {
    /// Takes note of a command that is begun.
    pub fn note_command(&mut self, now: Millis) {
        if self.commands.is_full() {
            self.commands.pop_front();
        }
        // There is room now.
        let _ = self.commands.push_back(now);
    }

    /// Commands that were begun less than the rate's time ago.
    #[must_use]
    pub fn recent(&self, now: Millis, rate: Option<Rate>) -> u16 {
        let Some(rate) = rate else { return 0 };
        let fresh = |at: &&Millis| now.saturating_sub(**at) < Millis::from(rate.per_ms);
        u16::try_from(self.commands.iter().filter(fresh).count()).unwrap_or(u16::MAX)
    }

    /// The first time from now on at which one more command is within the rate. A rate of no commands has no such time, and nothing waits for
    /// it: now.
    #[must_use]
    pub fn free_at(&self, now: Millis, rate: Option<Rate>) -> Millis {
        let Some(rate) = rate else { return now };
        let most = usize::from(rate.commands).min(COMMANDS_MAX);
        // The last ones, as many as are allowed; the eldest of them makes room when the rate's time is over.
        let eldest = self.commands.iter().rev().nth(most.wrapping_sub(1));
        eldest.map_or(now, |at| now.max(at.saturating_add(Millis::from(rate.per_ms))))
    }

    /// Takes note of a reported position. A device can't have come further than its largest speed takes it since the report before, whose age
    /// was at most what the envelope allows. Without a largest speed, only a place beyond [`COORDINATE_MAX`] is implausible.
    pub fn note_position(&mut self, now: Millis, at: Point, envelope: &Envelope) {
        let beyond = at
            .iter()
            .any(|axis| axis.unsigned_abs() > COORDINATE_MAX.unsigned_abs());
        let too_far = self
            .seen
            .zip(envelope.speed_max)
            .is_some_and(|((then, before), speed)| {
                let since = now
                    .saturating_sub(then)
                    .saturating_add(Millis::from(envelope.state_age_ms_max));
                let way = u128::from(speed.max(0).unsigned_abs()) * u128::from(since);
                let way = quotient(way, 1_000).unwrap_or(0) + u128::from(POSITION_SLACK.unsigned_abs());
                distance_up(before, at).is_none_or(|distance| u128::from(distance.unsigned_abs()) > way)
            });
        let calm = |jumped: Millis| now.saturating_sub(jumped) >= CALM_MS;
        if beyond || too_far {
            self.jumped_at = Some(now);
        } else if self.jumped_at.is_some_and(calm) {
            self.jumped_at = None;
        }
        self.seen = Some((now, at));
    }

    /// Forgets where the device was: what it reports from now on is a new beginning, as after a restart. Commands stay counted.
    pub fn forget_position(&mut self) {
        self.seen = None;
        self.jumped_at = None;
    }

    /// Whether the position has jumped and has not been plausible for long enough since.
    #[must_use]
    pub fn has_jumped(&self) -> bool {
        self.jumped_at.is_some()
    }
}
