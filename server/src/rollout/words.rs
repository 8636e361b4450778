//! Why a rollout was moved by itself, for its history and the feed.

use super::Cause;
use super::stages::Step;
use super::verdict::latency::{LatencyGuard, TooSlow};
use super::verdict::{Criteria, Failure, Tally};

/// Who takes a step, and why, at what was seen of candidate and legacy.
#[must_use]
pub fn cause(step: Step, seen: (Tally, Tally), criteria: &Criteria, at_ms: u64) -> Cause {
    let (by, reason) = match step {
        Step::RollBack(failure) => ("verdict", because(failure, seen, criteria)),
        Step::Promote(_) | Step::Complete => {
            ("verdict", format!("passed: {} of {} failed", seen.0.bad, seen.0.requests))
        }
        Step::Start => ("schedule", "its time has come".to_owned()),
    };
    Cause { by: by.to_owned(), reason, at_ms, reverts: None }
}

/// Why a candidate was taken out, for people.
#[must_use]
pub fn because(failure: Failure, seen: (Tally, Tally), criteria: &Criteria) -> String {
    let (candidate, legacy) = seen;
    let percent = criteria.target.share() * 100.0;
    let counts = format!(
        "{} of {} failed at this share (legacy: {} of {})",
        candidate.bad, candidate.requests, legacy.bad, legacy.requests
    );
    match failure {
        Failure::BelowTarget => format!("below the target of {percent} %: {counts}"),
        Failure::TurnedBad => format!("no longer reaches {percent} %: {counts}"),
        Failure::Disaster => format!("too many failures at once: {counts}"),
        Failure::BreakerOpen => format!("its breakers are open: {counts}"),
        Failure::Slow(how) => {
            criteria.latency.map_or_else(|| "too slow".to_owned(), |guard| too_slow(how, guard))
        }
    }
}

fn too_slow(how: TooSlow, guard: LatencyGuard) -> String {
    let LatencyGuard { quantile, at_most, no_slower_than } = guard;
    // Without what is left over from counting in twos.
    let percent = |share: f64| (share * 1e5).round() / 1e3;
    match (how, at_most, no_slower_than) {
        (TooSlow::OverLimit, Some(limit), _) => {
            let (limit, most) = (humantime::format_duration(limit), percent(1.0 - quantile));
            format!(
                "too slow: again and again more than {most} % took longer than {limit}, and not so with legacy"
            )
        }
        (TooSlow::ThanLegacy, _, Some(times)) => {
            let p = percent(quantile);
            format!(
                "too slow: its p{p} is above {times} times that of legacy at the same time, again and again"
            )
        }
        _ => "too slow".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::rollout::Target;

    #[test]
    fn who_is_taken_out_for_being_slow_is_told_what_was_asked() {
        let guard = LatencyGuard {
            quantile: 0.99,
            at_most: Some(Duration::from_millis(300)),
            no_slower_than: Some(1.2),
        };
        let criteria = Criteria { target: Target::default(), least: 100, latency: Some(guard) };
        let told = |how| because(Failure::Slow(how), (Tally::default(), Tally::default()), &criteria);
        assert_eq!(
            told(TooSlow::OverLimit),
            "too slow: again and again more than 1 % took longer than 300ms, and not so with legacy"
        );
        assert_eq!(
            told(TooSlow::ThanLegacy),
            "too slow: its p99 is above 1.2 times that of legacy at the same time, again and again"
        );
        let started = cause(Step::Start, (Tally::default(), Tally::default()), &criteria, 7);
        assert_eq!((started.by.as_str(), started.at_ms), ("schedule", 7));
    }
}
