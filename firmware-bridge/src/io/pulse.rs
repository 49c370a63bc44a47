//! Whether the broker at the other end of a connection is still alive. A peer that vanished without a goodbye closes nothing, and the
//! system may take minutes to notice; so everything that proves life has its deadline here. It must not know a socket: time is passed in.

use rumqttc::{Event, Outgoing, Packet};
use std::time::Duration;
use tokio::time::Instant;

/// How often the broker is asked for a sign of life.
pub(super) const PING: Duration = Duration::from_secs(1);
/// How long the answer to a ping may take.
const ANSWER_MAX: Duration = Duration::from_millis(900);
/// The longest silence: a living broker answers a ping every [`PING`].
const SILENCE_MAX: Duration = Duration::from_millis(1_900);
/// How long the broker may leave what we published unacknowledged while it talks of other things.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(2);

/// The signs of life of one connection, from its first packet on.
#[derive(Debug)]
pub(super) struct Pulse {
    heard: Instant,
    /// When the ping left that has no answer yet.
    pinged: Option<Instant>,
    unacknowledged: u32,
    /// When the oldest of them was published, or the last one was acknowledged.
    progress: Instant,
}

impl Pulse {
    /// The connection stands since `now`.
    pub(super) fn new(now: Instant) -> Pulse {
        Pulse {
            heard: now,
            pinged: None,
            unacknowledged: 0,
            progress: now,
        }
    }

    /// Takes what the connection did.
    pub(super) fn note(&mut self, now: Instant, event: &Event) {
        match event {
            Event::Incoming(packet) => {
                self.heard = now;
                match packet {
                    Packet::PingResp => self.pinged = None,
                    Packet::PubAck(_) => {
                        self.unacknowledged = self.unacknowledged.saturating_sub(1);
                        self.progress = now;
                    }
                    _ => {}
                }
            }
            Event::Outgoing(Outgoing::PingReq) => self.pinged = self.pinged.or(Some(now)),
            Event::Outgoing(Outgoing::Publish(_)) => {
                if self.unacknowledged == 0 {
                    self.progress = now;
                }
                self.unacknowledged += 1;
            }
            Event::Outgoing(_) => {}
        }
    }

    /// Time in which nobody listened to the connection is not the broker's silence.
    pub(super) fn excuse(&mut self, now: Instant) {
        self.heard = now;
        self.pinged = self.pinged.map(|_| now);
        self.progress = now;
    }

    /// When the connection counts as dead, and why, if nothing else happens.
    pub(super) fn death(&self) -> (Instant, &'static str) {
        let silent = (self.heard + SILENCE_MAX, "the broker has been silent for 1.9 s");
        let deaf = self.pinged.map(|at| {
            let text = "the broker has not answered a ping for 0.9 s";
            (at + ANSWER_MAX, text)
        });
        let stuck = (self.unacknowledged > 0).then(|| {
            let text = "the broker has acknowledged nothing for 2 s";
            (self.progress + UNACKNOWLEDGED_MAX, text)
        });
        [deaf, stuck]
            .into_iter()
            .flatten()
            .fold(silent, |first, other| if other.0 < first.0 { other } else { first })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rumqttc::PubAck;

    /// What happens at which millisecond, and when and of what the connection then dies.
    fn check(events: &[(u64, Event)], death_ms: u64, why: &str) {
        let began = Instant::now();
        let mut pulse = Pulse::new(began);
        for (ms, event) in events {
            pulse.note(began + Duration::from_millis(*ms), event);
        }
        let (at, text) = pulse.death();
        assert_eq!(at - began, Duration::from_millis(death_ms), "{events:?}: {text}");
        assert!(text.contains(why), "{events:?}: {text}");
    }

    fn publish() -> Event {
        Event::Outgoing(Outgoing::Publish(1))
    }

    fn acknowledgement() -> Event {
        Event::Incoming(Packet::PubAck(PubAck::new(1)))
    }

    #[test]
    fn every_way_to_die_has_its_deadline() {
        let ping = || Event::Outgoing(Outgoing::PingReq);
        let answer = || Event::Incoming(Packet::PingResp);
        check(&[], 1_900, "silent");
        check(&[(1_000, ping())], 1_900, "silent");
        check(&[(1_000, ping()), (1_100, answer())], 3_000, "silent");
        // It talks, and does not hear.
        check(&[(1_000, ping()), (1_500, acknowledgement())], 1_900, "ping");
        check(
            &[(100, publish()), (150, publish()), (1_000, ping()), (1_001, answer())],
            2_100,
            "acknowledged",
        );
        check(&[(100, publish()), (500, acknowledgement())], 2_400, "silent");
        check(
            &[
                (0, publish()),
                (0, publish()),
                (900, acknowledgement()),
                (1_900, answer()),
            ],
            2_900,
            "acknowledged",
        );
    }

    #[test]
    fn our_own_pause_is_not_held_against_the_broker() {
        let began = Instant::now();
        let mut pulse = Pulse::new(began);
        pulse.note(began, &Event::Outgoing(Outgoing::PingReq));
        pulse.note(began, &publish());
        pulse.excuse(began + Duration::from_secs(5));
        assert_eq!(pulse.death().0, began + Duration::from_millis(5_900));
    }
}
