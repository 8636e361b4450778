//! What may not depend on how threads interleave:
//! `RUSTFLAGS="--cfg loom" cargo test -p rad-resilience --lib --release loom`.

use std::time::Duration;

use loom::sync::Arc;
use loom::thread;

use super::line::Lines;
use super::{Limiter, Policy, Strategy};
use crate::Timestamp;

const NOW: Timestamp = Timestamp::from_nanos(1_000_000_000);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

/// A limiter whose table is one shard.
fn limiter(strategy: Strategy, quotas: &[&str]) -> Arc<Limiter<u32>> {
    let quotas: Vec<_> = quotas.iter().map(|text| text.parse().unwrap()).collect();
    Arc::new(Limiter::new(Policy::new(strategy, &quotas).unwrap(), 2))
}

#[test]
fn loom_two_threads_at_one_key_get_no_more_than_the_limit_and_a_rejection_costs_nothing() {
    for strategy in Strategy::ALL {
        loom::model(move || {
            let limiter = limiter(strategy, &["1/second", "2/hour"]);
            let threads = [(); 2].map(|()| {
                let limiter = Arc::clone(&limiter);
                thread::spawn(move || limiter.check(&1, NOW).allowed)
            });
            let admitted = threads.into_iter().map(|thread| thread.join().unwrap());
            assert_eq!(admitted.filter(|allowed| *allowed).count(), 1);
            if strategy == Strategy::LeakyBucket {
                return;
            }
            // The hour has lost one, not two.
            assert!(limiter.check(&1, NOW.after(2 * SECOND)).allowed);
            assert!(!limiter.check(&1, NOW.after(4 * SECOND)).allowed);
        });
    }
}

#[test]
fn loom_sweeping_beside_a_check_loses_no_charge() {
    // Of a key that still counts, and of one that is whole again and goes.
    for (idle, remaining) in [(Duration::ZERO, 3), (2 * HOUR, 4)] {
        loom::model(move || {
            let limiter = limiter(Strategy::TokenBucket, &["5/minute", "100/hour"]);
            assert!(limiter.check(&1, NOW).allowed);
            let now = NOW.after(idle);
            let sweeping = {
                let limiter = Arc::clone(&limiter);
                thread::spawn(move || limiter.sweep(now))
            };
            assert!(limiter.check(&1, now).allowed);
            sweeping.join().unwrap();
            assert_eq!((limiter.peek(&1, now).remaining, limiter.len()), (remaining, 1));
        });
    }
}

#[test]
fn loom_two_new_keys_at_once_never_pass_the_cap() {
    loom::model(|| {
        let limiter = limiter(Strategy::TokenBucket, &["5/minute"]);
        assert!(limiter.check(&0, NOW).allowed);
        let threads = [1, 2].map(|key| {
            let limiter = Arc::clone(&limiter);
            thread::spawn(move || limiter.check(&key, NOW).remaining)
        });
        threads.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), 4));
        assert_eq!((limiter.len(), limiter.stats().evicted_total), (2, 1));
    });
}

#[test]
fn loom_a_refund_beside_a_check_is_neither_lost_nor_doubled() {
    loom::model(|| {
        let limiter = limiter(Strategy::FixedWindow, &["5/minute", "50/hour"]);
        assert!(limiter.check(&1, NOW).allowed);
        let refunding = {
            let limiter = Arc::clone(&limiter);
            thread::spawn(move || limiter.refund(&1, 1, NOW))
        };
        assert!(limiter.check(&1, NOW).allowed);
        refunding.join().unwrap();
        assert_eq!(limiter.peek(&1, NOW).remaining, 4);
    });
}

#[test]
fn loom_lines_are_gone_when_the_last_has_left() {
    loom::model(|| {
        let lines: Arc<Lines<u32>> = Arc::new(Lines::default());
        let threads = [1, 2].map(|key| {
            let lines = Arc::clone(&lines);
            thread::spawn(move || {
                let place = lines.join(&key, 1, |ahead| (ahead.len() == 0).then_some(()).ok_or(())).unwrap();
                // Whoever waits is seen, whatever the other does meanwhile.
                assert!(lines.any());
                assert_eq!(lines.ahead(&key, |ahead| ahead.len()), Some(1));
                drop(place);
            })
        });
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(!lines.any());
        assert!(lines.ahead(&1, |_| ()).is_none());
    });
}
