use std::time::Duration;

use proptest::prelude::*;
use rad_model::Quota;

use super::{Limiter, Policy, Strategy};
use crate::{Clock, ManualClock, Timestamp};

fn policy(strategy: Strategy, quotas: &[&str]) -> Policy {
    let quotas: Vec<Quota> = quotas.iter().map(|text| text.parse().unwrap()).collect();
    Policy::new(strategy, &quotas).unwrap()
}

fn limiter(quotas: &[&str]) -> Limiter<&'static str> {
    Limiter::new(policy(Strategy::TokenBucket, quotas), 1_000)
}

#[test]
fn the_eleventh_request_at_once_is_rejected_by_ten_a_minute() {
    let limiter = limiter(&["10/minute"]);
    for sent in 1..=10 {
        let decision = limiter.check(&"ada", Timestamp::default());
        assert!(decision.allowed);
        assert_eq!((decision.remaining, decision.used()), (10 - sent, sent));
    }
    let decision = limiter.check(&"ada", Timestamp::default());
    assert!(!decision.allowed);
    assert_eq!(decision.retry_after, Duration::from_secs(6));
    assert_eq!(decision.reset_after, Duration::from_secs(60));
}

#[test]
fn keys_do_not_share_a_limit() {
    let limiter = limiter(&["1/minute"]);
    let now = Timestamp::default();
    assert!(limiter.check(&"ada", now).allowed);
    assert!(limiter.check(&"bob", now).allowed);
    assert!(!limiter.check(&"ada", now).allowed);
}

#[test]
fn a_rejected_request_consumes_nothing_in_any_window() {
    let clock = ManualClock::default();
    let limiter = limiter(&["2/second", "5/hour"]);
    for _ in 0..100 {
        limiter.check(&"ada", clock.now());
    }
    clock.advance(Duration::from_secs(1));
    for _ in 0..2 {
        assert!(limiter.check(&"ada", clock.now()).allowed);
    }
    clock.advance(Duration::from_secs(1));
    assert!(limiter.check(&"ada", clock.now()).allowed);
    let refused = limiter.check(&"ada", clock.now());
    assert!(!refused.allowed);
    assert_eq!(refused.quota, "5/hour".parse().unwrap());
}

#[test]
fn a_clock_that_goes_backwards_and_the_end_of_time_do_not_panic() {
    let limiter = limiter(&["3/second", "4294967295/minute", "1/365d"]);
    for nanos in [u64::MAX / 2, 5, 0, u64::MAX / 2 + 1] {
        limiter.check(&"ada", Timestamp::from_nanos(nanos));
    }
}

#[test]
fn a_flood_of_keys_stays_below_the_cap_and_sweeping_forgets_the_rest() {
    let limiter: Limiter<u64> = Limiter::new(policy(Strategy::TokenBucket, &["10/minute"]), 6_400);
    for key in 0..100_000 {
        limiter.check(&key, Timestamp::from_nanos(key));
    }
    assert!(limiter.len() <= 6_400, "{}", limiter.len());
    assert!(limiter.len() > 6_000, "{}", limiter.len());
    limiter.sweep(Timestamp::from_nanos(61_000_000_000));
    assert!(limiter.is_empty());
}

#[test]
fn the_busy_key_outlives_a_flood_of_quiet_ones() {
    let limiter: Limiter<u64> = Limiter::new(policy(Strategy::TokenBucket, &["100/minute"]), 640);
    for sent in 0..101 {
        assert_eq!(limiter.check(&u64::MAX, Timestamp::default()).allowed, sent < 100);
    }
    for key in 0..50_000 {
        limiter.check(&key, Timestamp::default());
    }
    assert!(!limiter.check(&u64::MAX, Timestamp::default()).allowed);
}

/// The token bucket as a beginner would write it: tokens as a fraction, refilled by time.
struct Reference {
    tokens: f64,
    last: f64,
    size: f64,
    per_second: f64,
}

impl Reference {
    fn check(&mut self, at: f64) -> bool {
        self.tokens = (self.tokens + (at - self.last) * self.per_second).min(self.size);
        self.last = at;
        let allowed = self.tokens > 1.0 - 1e-6;
        if allowed {
            self.tokens -= 1.0;
        }
        allowed
    }
}

proptest! {
    #[test]
    fn a_window_decides_as_a_token_bucket(
        requests in 1_u32..50,
        window_s in 1_u32..100,
        pauses in prop::collection::vec(0_u64..5_000, 1..200),
    ) {
        // Intervals of whole milliseconds, so that the model's rounding cannot decide.
        let window_s = window_s * requests;
        let limiter = Limiter::new(Policy::new(Strategy::TokenBucket, &[Quota::new(requests, window_s).unwrap()]).unwrap(), 10);
        let mut reference = Reference {
            tokens: f64::from(requests),
            last: 0.0,
            size: f64::from(requests),
            per_second: f64::from(requests) / f64::from(window_s),
        };
        let mut at_ms = 0;
        for pause in pauses {
            at_ms += pause;
            let now = Timestamp::from_nanos(at_ms * 1_000_000);
            let decision = limiter.check(&"ada", now);
            #[allow(clippy::cast_precision_loss)]
            let expected = reference.check(at_ms as f64 / 1_000.0);
            prop_assert_eq!(decision.allowed, expected);
            prop_assert_eq!(decision.allowed, decision.retry_after.is_zero());
        }
    }
}
