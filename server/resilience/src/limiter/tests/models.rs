//! Every strategy against itself as a beginner would write it.

use std::time::Duration;

use proptest::prelude::*;
use rad_model::Quota;

use crate::{Limiter, Policy, Strategy, Timestamp};

/// One window, with every request remembered and no arithmetic that could overflow or round.
struct Model {
    strategy: Strategy,
    requests: u64,
    window_ms: u64,
    capacity: u64,
    passed: Vec<(u64, u64)>,
    /// Thousandths of a request.
    level: u64,
    last_ms: u64,
}

impl Model {
    fn new(strategy: Strategy, requests: u32, window_s: u32, capacity: u32) -> Self {
        Self {
            strategy,
            requests: u64::from(requests),
            window_ms: u64::from(window_s) * 1_000,
            capacity: u64::from(capacity),
            passed: Vec::new(),
            level: 0,
            last_ms: 0,
        }
    }

    fn sum(&self, from: u64, to: u64) -> u64 {
        self.passed.iter().filter(|(at, _)| (from..to).contains(at)).map(|(_, n)| n).sum()
    }

    /// How long one request takes to drain; the tests choose whole milliseconds.
    fn interval_ms(&self) -> u64 {
        self.window_ms / self.requests
    }

    fn allows(&mut self, n: u64, at: u64) -> bool {
        match self.strategy {
            Strategy::TokenBucket | Strategy::LeakyBucket => {
                self.level = self.level.saturating_sub(at - self.last_ms);
                self.last_ms = at;
                if self.strategy == Strategy::LeakyBucket {
                    return n <= self.requests && self.level == 0;
                }
                self.level + n * self.interval_ms() <= self.capacity * self.interval_ms()
            }
            Strategy::FixedWindow => {
                let begin = at / self.window_ms * self.window_ms;
                self.sum(begin, begin + self.window_ms) + n <= self.requests
            }
            Strategy::SlidingWindow => {
                let begin = at / self.window_ms * self.window_ms;
                let before = self.sum(begin.saturating_sub(self.window_ms), begin);
                let left = begin + self.window_ms - at;
                let present = self.sum(begin, begin + self.window_ms);
                before * left + (present + n) * self.window_ms <= self.requests * self.window_ms
            }
        }
    }

    fn charge(&mut self, n: u64, at: u64) {
        self.passed.push((at, n));
        self.level += n * self.interval_ms();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn decides_as_the_model_does(
        strategy in prop::sample::select(Strategy::ALL.to_vec()),
        // Intervals of whole milliseconds, so that the model need not round.
        windows in prop::collection::vec((1_u32..20, 1_u32..30), 1..=4),
        burst in prop::option::of(1_u32..40),
        calls in prop::collection::vec((0_u64..4_000, 0_u32..5, 0_u8..60), 1..150),
    ) {
        let mut quotas: Vec<Quota> = Vec::new();
        for (requests, factor) in windows {
            let quota = Quota::new(requests, requests * factor).unwrap();
            if quotas.iter().all(|other| other.window_s() != quota.window_s()) {
                quotas.push(quota);
            }
        }
        let mut policy = Policy::new(strategy, &quotas).unwrap();
        if let (Some(burst), Strategy::TokenBucket) = (burst, strategy) {
            policy = policy.with_burst(burst).unwrap();
        }
        let mut models: Vec<Model> = quotas
            .iter()
            .map(|quota| Model::new(strategy, quota.requests(), quota.window_s(), policy.capacity(*quota)))
            .collect();
        let limiter = Limiter::new(policy, 10);
        let mut at = 0;
        for (pause, n, rare) in calls {
            at += match rare {
                0 => 365 * 86_400_000,
                1..=9 => pause * 20,
                10..=30 => 0,
                _ => pause,
            };
            let now = Timestamp::from_nanos(at * 1_000_000);
            let expected = n == 0
                || models.iter_mut().map(|model| model.allows(u64::from(n), at)).filter(|allows| !allows).count() == 0;
            let decision = limiter.check_n(&1, n, now);
            prop_assert_eq!(decision.allowed, expected, "{:?} at {} ms", decision, at);
            prop_assert_eq!(decision.allowed, decision.retry_after == Duration::ZERO);
            if decision.allowed && n > 0 {
                models.iter_mut().for_each(|model| model.charge(u64::from(n), at));
            }
        }
    }

    #[test]
    fn no_time_and_no_cost_panics(
        strategy in prop::sample::select(Strategy::ALL.to_vec()),
        requests in prop::collection::vec(1_u32.., 1..=4),
        window_s in 1_u32..=7_884_000,
        aligned_to in any::<u64>(),
        calls in prop::collection::vec((any::<u64>(), any::<u32>(), 0_u8..3), 1..60),
    ) {
        let quotas: Vec<Quota> =
            (1..).zip(requests).map(|(at, requests)| Quota::new(requests, window_s * at).unwrap()).collect();
        let policy = Policy::new(strategy, &quotas).unwrap().aligned_to(Timestamp::from_nanos(aligned_to));
        let limiter = Limiter::new(policy, 10);
        for (nanos, n, call) in calls {
            let now = Timestamp::from_nanos(nanos);
            match call {
                0 => drop(limiter.check(&1, now)),
                1 => drop(limiter.check_n(&1, n, now)),
                _ => limiter.refund(&1, n, now),
            }
            let decision = limiter.peek(&1, now);
            prop_assert!(decision.remaining <= decision.capacity);
            prop_assert_eq!(limiter.listing(1, now).iter().all(|usage| usage.share() <= 1.0), true);
        }
    }
}
