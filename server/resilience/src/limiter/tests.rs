use std::time::Duration;

use rad_model::Quota;

mod conforms;
mod models;
mod waits;

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

#[test]
fn the_listing_has_the_fullest_keys_first() {
    let limiter: Limiter<u32> =
        Limiter::new(policy(Strategy::SlidingWindow, &["100/minute", "1000/hour"]), 1_000);
    let now = Timestamp::from_nanos(1);
    for key in 1..=50 {
        assert!(limiter.check_n(&key, 2 * key, now).allowed);
    }
    let listing = limiter.listing(3, now);
    assert_eq!(
        listing.iter().map(|usage| (usage.key, usage.used)).collect::<Vec<_>>(),
        [(50, 100), (49, 98), (48, 96)]
    );
    assert_eq!((listing[0].share().to_bits(), listing[0].quota.window_s()), (1.0_f64.to_bits(), 60));
    assert_eq!(limiter.listing(usize::MAX, now).len(), 50);
    assert_eq!(limiter.listing(0, now), []);
    let later = Timestamp::from_nanos(3 * 3_600_000_000_000);
    assert_eq!(limiter.listing(10, later), []);
}

#[test]
fn a_flood_of_a_million_keys_adds_less_than_64_mib_with_any_strategy() {
    for strategy in Strategy::ALL {
        let limiter: Limiter<u64> = Limiter::new(policy(strategy, &["200/minute", "1000/hour"]), 1_000_000);
        assert_eq!(limiter.stats().memory_bytes, 0);
        for key in 0..1_200_000 {
            limiter.check(&key, Timestamp::from_nanos(key));
        }
        let stats = limiter.stats();
        assert!(stats.memory_bytes < 64 << 20, "{strategy}: {stats:?}");
        assert!((990_000..=stats.max_keys).contains(&stats.keys), "{strategy}: {stats:?}");
        assert!(stats.evicted_total >= 200_000, "{strategy}: {stats:?}");
        limiter.sweep(Timestamp::from_nanos(3 * 3_600_000_000_000));
        let stats = limiter.stats();
        assert!(stats.keys == 0 && stats.memory_bytes < 1 << 20, "{strategy}: {stats:?}");
    }
}

#[test]
fn a_limiter_that_nobody_asked_takes_less_than_a_kilobyte() {
    let limiter: Limiter<u64> =
        Limiter::new(policy(Strategy::TokenBucket, &["200/minute", "1000/hour"]), 1_000_000);
    assert!(limiter.is_empty() && limiter.listing(10, Timestamp::default()).is_empty());
    limiter.sweep(Timestamp::default());
    assert!(limiter.peek(&1, Timestamp::default()).allowed);
    let windows = 2 * (size_of::<super::window::Window>() + size_of::<Quota>());
    assert_eq!(limiter.stats().memory_bytes, 0);
    assert!(size_of_val(&limiter) + windows < 1_024, "{} + {windows}", size_of_val(&limiter));
}

#[test]
fn old_keys_leave_before_young_ones() {
    for strategy in [Strategy::TokenBucket, Strategy::LeakyBucket] {
        let limiter: Limiter<u64> = Limiter::new(policy(strategy, &["10/hour"]), 10_000);
        // One a millisecond; none is whole again before the end.
        for key in 0..40_000 {
            limiter.check(&key, Timestamp::from_nanos(1 + key * 1_000_000));
        }
        let end = Timestamp::from_nanos(40_000_000_000);
        let known = |key: &u64| limiter.peek(key, end).remaining < limiter.peek(key, end).capacity;
        assert_eq!((0..20_000).filter(known).count(), 0, "{strategy}");
        assert!((30_000..40_000).filter(known).count() > 8_000, "{strategy}");
    }
}

#[test]
fn every_window_says_what_is_left_of_it_and_when_there_is_more() {
    let quotas = ["4/minute", "6/hour"];
    let minute = Duration::from_secs(60);
    for strategy in [Strategy::TokenBucket, Strategy::FixedWindow, Strategy::SlidingWindow] {
        let limiter: Limiter<u32> = Limiter::new(policy(strategy, &quotas), 10);
        let now = Timestamp::from_nanos(1);
        let (decision, standings) = limiter.check_all(&1, now);
        let remaining: Vec<_> = standings.iter().map(|window| window.remaining).collect();
        assert_eq!(
            (decision, remaining),
            (Limiter::new(policy(strategy, &quotas), 10).check(&1, now), vec![3, 5])
        );
        (0..2).for_each(|_| assert!(limiter.check(&1, now).allowed));
        let (mut moment, mut left) = (now, 1);
        // At the moment that is told, and not before, there is more.
        for _ in 0..3 {
            let window = limiter.standings(&1, moment)[0];
            assert_eq!(window.remaining, left, "{strategy}");
            let just_before = moment.after(window.more_after - Duration::from_nanos(1));
            assert_eq!(limiter.standings(&1, just_before)[0].remaining, left, "{strategy}");
            moment = moment.after(window.more_after);
            left = limiter.standings(&1, moment)[0].remaining;
            assert!(left > window.remaining, "{strategy}");
            if left == 4 {
                break;
            }
        }
        let whole = limiter.standings(&1, now.after(minute * 3))[0];
        assert_eq!((whole.remaining, whole.more_after), (4, Duration::ZERO), "{strategy}");
    }
}

#[test]
fn a_window_that_rejects_has_more_when_the_rejection_ends() {
    for strategy in Strategy::ALL {
        let limiter: Limiter<u32> = Limiter::new(policy(strategy, &["3/minute"]), 10);
        let mut now = Timestamp::from_nanos(1);
        for _ in 0..20 {
            let (decision, standings) = limiter.check_all(&1, now);
            if !decision.allowed {
                assert_eq!((standings[0].remaining, standings[0].more_after), (0, decision.retry_after));
            }
            now = now.after(Duration::from_secs(7));
        }
    }
}
