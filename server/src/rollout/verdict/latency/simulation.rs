//! What the latency guard does to candidates whose requests are slow in bursts, beside a rule that takes each slow
//! request for one of its own: *roll back when the quantile of the last thousand requests is over the limit*.

use super::*;
use crate::telemetry::histogram::Histogram;

const RUNS: u32 = 50;
/// Ten minutes.
const BLOCKS: u32 = 120;
/// A quarter of 160 requests a second.
const CANDIDATE: u32 = 200;
const LEGACY: u32 = 600;
const LIMIT: Duration = Duration::from_millis(300);

/// An upstream that is slow in bursts: of its requests, `slow` take `factor` times as long, about `burst` in a row.
#[derive(Clone, Copy)]
struct Upstream {
    usual_ms: f64,
    slow: f64,
    factor: f64,
    burst: f64,
}

const STEADY: Upstream = Upstream { usual_ms: 100.0, slow: 0.0, factor: 1.0, burst: 1.0 };

struct Served<'a> {
    upstream: Upstream,
    is_slow: bool,
    random: &'a mut fastrand::Rng,
}

impl Served<'_> {
    fn next_us(&mut self) -> u64 {
        let Upstream { usual_ms, slow, factor, burst } = self.upstream;
        let leaves = 1.0 / burst;
        let turns = if self.is_slow { leaves } else { leaves * slow / (1.0 - slow).max(1e-9) };
        if self.random.f64() < turns {
            self.is_slow = !self.is_slow;
        }
        let ms = usual_ms * (0.8 + 0.4 * self.random.f64()) * if self.is_slow { factor } else { 1.0 };
        // Some seconds at most.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let us = (ms * 1_000.0) as u64;
        us
    }
}

#[derive(Default)]
struct Outcomes {
    /// Shares of the runs.
    out: f64,
    shared: f64,
    naive: f64,
    /// Seconds until it was out, on average.
    after_s: f64,
}

fn simulate(candidate: Upstream, legacy: Upstream, guard: LatencyGuard) -> Outcomes {
    let mut outcomes = Outcomes::default();
    let one = 1.0 / f64::from(RUNS);
    for run in 0..RUNS {
        let (mut first, mut second) =
            (fastrand::Rng::with_seed(run.into()), fastrand::Rng::with_seed(u64::from(run) + 1_000_000));
        let mut ours = Served { upstream: candidate, is_slow: false, random: &mut first };
        let mut theirs = Served { upstream: legacy, is_slow: false, random: &mut second };
        let mut judge = LatencyJudge::new(guard);
        let mut last = std::collections::VecDeque::new();
        let (mut out, mut naive) = (None, false);
        for block in 1..=BLOCKS {
            let (mut candidate, mut legacy) = (Counts::default(), Counts::default());
            let record = Histogram::default();
            for _ in 0..CANDIDATE {
                let us = ours.next_us();
                record.record(us);
                last.push_back(us > micros(LIMIT));
                if last.len() > 1_000 {
                    last.pop_front();
                }
            }
            record.add_to(&mut candidate);
            naive |= last.len() == 1_000 && last.iter().filter(|slow| **slow).count() > 10;
            let record = Histogram::default();
            (0..LEGACY).for_each(|_| record.record(theirs.next_us()));
            record.add_to(&mut legacy);
            assert!(judge.is_block(&candidate, &legacy, BLOCK));
            judge.see(&candidate, &legacy);
            if out.is_none() && matches!(judge.pace(), Pace::Slow(_)) {
                out = Some(block);
            }
        }
        outcomes.naive += f64::from(u8::from(naive)) * one;
        outcomes.shared += f64::from(u8::from(judge.pace() == Pace::Shared)) * one;
        if let Some(block) = out {
            outcomes.out += one;
            outcomes.after_s += f64::from(block) * BLOCK.as_secs_f64();
        }
    }
    outcomes.after_s /= (outcomes.out * f64::from(RUNS)).max(1.0);
    outcomes
}

fn told(what: &str, outcomes: &Outcomes) {
    let Outcomes { out, shared, naive, after_s } = outcomes;
    println!(
        "{what:58} out {:5.1} % after {after_s:4.0} s, excused {:5.1} %; by the naive rule out {:5.1} %",
        out * 100.0,
        shared * 100.0,
        naive * 100.0
    );
}

fn limit() -> LatencyGuard {
    LatencyGuard { quantile: 0.99, at_most: Some(LIMIT), no_slower_than: None }
}

fn beside() -> LatencyGuard {
    LatencyGuard { quantile: 0.99, at_most: None, no_slower_than: Some(1.2) }
}

fn bursts(slow: f64, burst: f64) -> Upstream {
    Upstream { slow, burst, factor: 5.0, ..STEADY }
}

#[test]
fn bursts_take_no_candidate_out_whose_quantile_is_within_its_limit_and_slow_ones_are_out_soon() {
    for (slow, burst) in [(0.005, 30.0), (0.01, 1.0), (0.01, 30.0), (0.01, 100.0)] {
        let at_limit = simulate(bursts(slow, burst), STEADY, limit());
        told(&format!("{} % slow, {burst} in a row, limit p99", slow * 100.0), &at_limit);
        assert!(at_limit.out <= 0.02, "{slow} {burst}");
        // What it is for.
        assert!(burst < 10.0 || at_limit.naive > 0.5, "{slow} {burst}");
    }
    for (slow, within_s) in [(0.05, 500.0), (0.1, 250.0), (0.3, 90.0), (0.999, 40.0)] {
        let bad = simulate(bursts(slow, 30.0), STEADY, limit());
        told(&format!("{} % slow, 30 in a row, limit p99", slow * 100.0), &bad);
        assert!(bad.out > 0.9 && bad.after_s < within_s, "{slow}");
    }
}

#[test]
fn beside_a_legacy_with_the_same_bursts_only_a_slower_candidate_is_out() {
    for (slow, burst) in [(0.0, 1.0), (0.01, 1.0), (0.02, 30.0), (0.02, 100.0), (0.2, 100.0)] {
        let equal = simulate(bursts(slow, burst), bursts(slow, burst), beside());
        told(&format!("as legacy, {} % slow, {burst} in a row, at most 1.2 x", slow * 100.0), &equal);
        assert!(equal.out <= 0.02, "{slow} {burst}");
        let edge = Upstream { usual_ms: 120.0, ..bursts(slow, burst) };
        let edge = simulate(edge, bursts(slow, burst), beside());
        told("    1.2 x as long", &edge);
        assert!(edge.out <= 0.02, "{slow} {burst}");
    }
    for (times, within_s) in [(1.5, 200.0), (2.0, 200.0), (3.0, 200.0)] {
        let slower = Upstream { usual_ms: 100.0 * times, ..bursts(0.005, 30.0) };
        let bad = simulate(slower, bursts(0.005, 30.0), beside());
        told(&format!("{times} x as long as legacy"), &bad);
        assert!(bad.out > 0.9 && bad.after_s < within_s, "{times}");
    }
}

#[test]
fn what_legacy_takes_as_well_is_not_held_against_the_candidate() {
    let both = simulate(bursts(0.2, 30.0), bursts(0.2, 30.0), limit());
    told("20 % slow, and so is legacy", &both);
    assert!(both.out <= 0.05 && both.shared > 0.9);
    let worse = simulate(bursts(0.8, 30.0), bursts(0.05, 30.0), limit());
    told("80 % slow, and 5 % of legacy", &worse);
    assert!(worse.out > 0.9);
}

#[test]
fn after_what_both_suffered_nobody_is_out_when_both_are_well_again() {
    let block = |us| {
        let (record, mut counts) = (Histogram::default(), Counts::default());
        (0..100).for_each(|_| record.record(us));
        record.add_to(&mut counts);
        counts
    };
    let (slow, fast) = (block(900_000), block(100_000));
    let mut judge = LatencyJudge::new(limit());
    (0..500).for_each(|_| judge.see(&slow, &slow));
    assert_eq!(judge.pace(), Pace::Shared);
    for _ in 0..2_000 {
        judge.see(&fast, &fast);
        assert!(!matches!(judge.pace(), Pace::Slow(_)));
    }
    assert_eq!(judge.pace(), Pace::Good);
    // Where legacy alone is well again, the candidate is soon to blame.
    (0..500).for_each(|_| judge.see(&slow, &slow));
    let blamed = (1..200).find(|_| {
        judge.see(&slow, &fast);
        matches!(judge.pace(), Pace::Slow(_))
    });
    assert!(blamed.is_some_and(|blocks| blocks < 70), "{blamed:?}");
}

#[test]
fn nothing_is_promoted_before_a_minute_of_it_and_a_few_requests_are_no_block() {
    let counts = |requests: u32, us| {
        let (record, mut counts) = (Histogram::default(), Counts::default());
        (0..requests).for_each(|_| record.record(us));
        record.add_to(&mut counts);
        counts
    };
    let mut judge = LatencyJudge::new(limit());
    assert!(!judge.is_block(&counts(9, 1_000), &counts(99, 1_000), PATIENCE));
    assert!(judge.is_block(&counts(10, 1_000), &counts(0, 1_000), BLOCK));
    assert!(!judge.is_block(&counts(10, 1_000), &counts(99, 1_000), BLOCK / 2));
    assert!(!LatencyJudge::new(beside()).is_block(&counts(10, 1_000), &counts(9, 1_000), BLOCK));
    assert!(LatencyJudge::new(beside()).is_block(&counts(10, 1_000), &counts(0, 1_000), PATIENCE));
    for _ in 1..CALM {
        judge.see(&counts(100, 100_000), &counts(100, 100_000));
        assert_eq!(judge.pace(), Pace::Unsure);
    }
    judge.see(&counts(100, 100_000), &counts(100, 100_000));
    assert_eq!(judge.pace(), Pace::Good);
    // Two blocks of nothing but slow requests are no verdict yet, but no time to go on either.
    (0..2).for_each(|_| judge.see(&counts(100, 400_000), &counts(100, 100_000)));
    assert_eq!(judge.pace(), Pace::Unsure);
}
