//! How full a limit is while nobody asks.
//!
//! A use is noted when a request is counted; from then on the window refills at its own pace. Without this
//! a gauge would show the last use for ever.

use std::time::Duration;

use rad_model::LimitUse;
use rad_resilience::Timestamp;

/// The fullest use of a route's limits, as it is refilled.
#[derive(Clone, Debug, Default)]
pub(super) struct Gauge {
    noted: Option<(LimitUse, Timestamp)>,
}

impl Gauge {
    /// Takes in the fullest use of the last interval, if there was one, and says how things stand: `None`
    /// once the window is whole again and that has been told.
    pub(super) fn update(&mut self, fresh: Option<LimitUse>, now: Timestamp) -> Option<LimitUse> {
        let before = self.noted.as_ref().map(|(noted, at)| refilled(noted, now.since(*at)));
        match (fresh, before) {
            (Some(fresh), Some(before)) if before.key != fresh.key && before.share() > fresh.share() => {
                Some(before)
            }
            (Some(fresh), _) => {
                self.noted = Some((fresh.clone(), now));
                Some(fresh)
            }
            (None, Some(before)) => {
                if before.used == 0 {
                    self.noted = None;
                }
                Some(before)
            }
            (None, None) => None,
        }
    }
}

/// What is left of a use after some time.
fn refilled(noted: &LimitUse, after: Duration) -> LimitUse {
    let window_ms = u128::from(noted.limit.window_s()) * 1_000;
    let back = after.as_millis() * u128::from(noted.limit.requests()) / window_ms;
    let used = noted.used.saturating_sub(u32::try_from(back).unwrap_or(u32::MAX));
    LimitUse { used, ..noted.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(key: &str, used: u32) -> LimitUse {
        LimitUse { key: key.to_owned(), limit: "60/minute".parse().unwrap(), used, capacity: 60 }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn a_use_refills_while_nobody_asks_and_is_told_once_when_it_is_gone() {
        let mut gauge = Gauge::default();
        assert_eq!(gauge.update(Some(used("a", 60)), at(0)), Some(used("a", 60)));
        assert_eq!(gauge.update(None, at(20)), Some(used("a", 40)));
        assert_eq!(gauge.update(None, at(61)), Some(used("a", 0)));
        assert_eq!(gauge.update(None, at(62)), None);
    }

    #[test]
    fn a_quiet_client_does_not_hide_a_fuller_one() {
        let mut gauge = Gauge::default();
        gauge.update(Some(used("a", 50)), at(0));
        assert_eq!(gauge.update(Some(used("b", 1)), at(10)), Some(used("a", 40)));
        assert_eq!(gauge.update(Some(used("b", 45)), at(11)), Some(used("b", 45)));
        assert_eq!(gauge.update(Some(used("b", 3)), at(12)), Some(used("b", 3)));
    }
}
