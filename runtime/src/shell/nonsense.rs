//! Keeps whoever sends nonsense from filling the screen and the disk with complaints about it: of each device the first few in a while are
//! told, and the others counted. What is no nonsense never comes here.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long a while is.
const WHILE: Duration = Duration::from_secs(10);
/// Complaints that are told of one device in a while.
const TOLD_MAX: u32 = 3;

/// What was heard of each device of late. It has as many entries as there are devices.
#[derive(Debug, Default)]
pub struct Nonsense {
    heard: BTreeMap<String, Heard>,
}

#[derive(Debug)]
struct Heard {
    since: Instant,
    told: u32,
    passed_over: u64,
}

impl Nonsense {
    /// What to tell of one more complaint; `None` where enough was told. The first of a while says how many the one before passed over.
    pub fn tell(&mut self, now: Instant, device: &str, what: String) -> Option<String> {
        let fresh = || Heard {
            since: now,
            told: 0,
            passed_over: 0,
        };
        let heard = self.heard.entry(device.to_owned()).or_insert_with(fresh);
        let before = if now.saturating_duration_since(heard.since) >= WHILE {
            std::mem::replace(heard, fresh()).passed_over
        } else {
            0
        };
        if heard.told == TOLD_MAX {
            heard.passed_over += 1;
            return None;
        }
        heard.told += 1;
        Some(match (before, heard.told) {
            (0, TOLD_MAX) => format!("{what}; more of the kind is only counted for a while"),
            (0, _) => what,
            (before, _) => format!("{what}; {before} more of the kind were passed over before"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_told_later() {
        let (mut nonsense, begin) = (Nonsense::default(), Instant::now());
        let mut tell = |ms, device: &str| nonsense.tell(begin + Duration::from_millis(ms), device, "?".to_owned());
        let told = (0..10_000).filter_map(|at| tell(at / 2, "arm")).collect::<Vec<_>>();
        assert_eq!(told, ["?", "?", "?; more of the kind is only counted for a while"]);
        assert_eq!(tell(5_000, "base").as_deref(), Some("?"), "others are heard");
        assert_eq!(tell(9_999, "arm"), None);
        let later = tell(10_000, "arm").expect("another while");
        assert!(later.contains("9998 more"), "{later}");
        assert_eq!(tell(30_000, "arm").as_deref(), Some("?"), "and then all is as before");
    }
}
