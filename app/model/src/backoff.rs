//! How long to wait before the next attempt to connect.

use std::time::Duration;

/// Exponential backoff with jitter *around* the exponential delay, never only above it.
///
/// The randomness is a parameter, so that the schedule is a pure function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// Delay before the first attempt, milliseconds.
    pub base_ms: f64,
    /// Each further attempt waits this many times longer.
    pub factor: f64,
    /// The exponential delay never exceeds this, milliseconds; jitter may add its share on top.
    pub cap_ms: f64,
    /// Share of the delay by which it may vary to either side, 0 to 1.
    pub jitter: f64,
    /// After this many attempts the client says that it is offline, and goes on trying at the cap.
    pub attempts: u32,
    /// A connection that lived this long counts as stable and resets the schedule, milliseconds.
    pub stable_after_ms: f64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            base_ms: 1_000.0,
            factor: 1.5,
            cap_ms: 30_000.0,
            jitter: 0.2,
            attempts: 10,
            stable_after_ms: 5_000.0,
        }
    }
}

impl Backoff {
    /// The delay before `attempt` (the first is 1), for a `random` number in `0.0..1.0`.
    ///
    /// Past [`Backoff::attempts`] the delay stays at the cap: the client never dies for good.
    #[must_use]
    pub fn delay(&self, attempt: u32, random: f64) -> Duration {
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let exponential = if attempt > self.attempts {
            self.cap_ms
        } else {
            (self.base_ms * self.factor.powi(exponent)).min(self.cap_ms)
        };
        let spread = 1.0 + self.jitter * (2.0 * random.clamp(0.0, 1.0) - 1.0);
        Duration::from_secs_f64((exponential * spread).max(0.0) / 1_000.0)
    }

    /// Whether the client has given up hope (not trying) before `attempt`.
    #[must_use]
    pub fn is_offline(&self, attempt: u32) -> bool {
        attempt > self.attempts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIDDLE: f64 = 0.5;

    #[test]
    fn without_jitter_the_delay_grows_by_half_from_one_second() {
        let backoff = Backoff::default();
        let delays: Vec<_> = (1..=5).map(|n| backoff.delay(n, MIDDLE).as_millis()).collect();
        assert_eq!(delays, [1_000, 1_500, 2_250, 3_375, 5_062]);
    }

    #[test]
    fn the_delay_never_exceeds_the_cap_plus_its_jitter() {
        let backoff = Backoff::default();
        for attempt in 1..200 {
            for random in [0.0, 0.3, 0.999_999] {
                assert!(backoff.delay(attempt, random) <= Duration::from_secs(36));
            }
        }
    }

    #[test]
    fn jitter_lies_around_the_delay_and_the_first_retry_has_it_too() {
        let backoff = Backoff::default();
        assert_eq!(backoff.delay(1, 0.0), Duration::from_millis(800));
        assert_eq!(backoff.delay(1, 1.0), Duration::from_millis(1_200));
    }

    #[test]
    fn after_ten_attempts_it_is_offline_and_goes_on_at_the_cap() {
        let backoff = Backoff::default();
        assert!(!backoff.is_offline(10));
        assert!(backoff.is_offline(11));
        assert_eq!(backoff.delay(11, MIDDLE), Duration::from_secs(30));
        assert_eq!(backoff.delay(u32::MAX, MIDDLE), Duration::from_secs(30));
    }
}
