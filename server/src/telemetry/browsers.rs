//! What browsers of pages outside tell of their calls: how many ended how, at which side, and how long they took.
//!
//! Nobody can tell a browser from somebody who pretends to be thousands of them. These figures are therefore shown and
//! exported, and nothing decides by them: a verdict rests on what the gateway has seen itself.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// Upper ends of the latency buckets, milliseconds; one more bucket holds what took longer. The browsers' script has
/// the same.
pub const BOUNDS_MS: [u64; 8] = [50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000];
const BUCKETS: usize = BOUNDS_MS.len() + 1;
/// The most calls of a side in one report.
pub const MOST_CALLS: u64 = 10_000;
/// No call took longer. Ten minutes.
const LONGEST_MS: u64 = 600_000;

/// Calls to one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Calls {
    pub answered: u64,
    /// Answers that the page takes for failures: by default, a status of 500 or more.
    pub bad_status: u64,
    pub network_error: u64,
    pub timeout: u64,
    /// All of these by the time to the head of the answer, or to the end without one.
    pub latency: [u64; BUCKETS],
    pub sum_ms: u64,
}

/// What was told of both sides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    pub legacy: Calls,
    pub candidate: Calls,
    /// Calls that failed at the candidate and were made again at legacy.
    pub fallbacks: u64,
}

/// Why a report is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Impossible {
    #[error("a report holds at most {MOST_CALLS} calls of each side")]
    TooMany,
    #[error("latency must count each call once: as many as answered, bad_status, network_error and timeout")]
    Latency,
    #[error("sum_ms is more than ten minutes a call")]
    Sum,
    #[error("fallbacks are more than the candidate's failures")]
    Fallbacks,
}

impl Calls {
    /// Each outcome and how often it was.
    #[must_use]
    pub fn outcomes(&self) -> [(&'static str, u64); 4] {
        [
            ("answered", self.answered),
            ("bad_status", self.bad_status),
            ("network_error", self.network_error),
            ("timeout", self.timeout),
        ]
    }

    #[must_use]
    pub fn failed(&self) -> u64 {
        self.bad_status.saturating_add(self.network_error).saturating_add(self.timeout)
    }

    #[must_use]
    pub fn total(&self) -> u64 {
        self.answered.saturating_add(self.failed())
    }

    fn check(&self) -> Result<(), Impossible> {
        let (total, timed) =
            (self.total(), self.latency.iter().fold(0, |sum: u64, some| sum.saturating_add(*some)));
        if total > MOST_CALLS {
            Err(Impossible::TooMany)
        } else if timed != total {
            Err(Impossible::Latency)
        } else if self.sum_ms > total * LONGEST_MS {
            Err(Impossible::Sum)
        } else {
            Ok(())
        }
    }

    fn add(&mut self, more: &Self) {
        self.answered += more.answered;
        self.bad_status += more.bad_status;
        self.network_error += more.network_error;
        self.timeout += more.timeout;
        self.sum_ms += more.sum_ms;
        for (sum, some) in self.latency.iter_mut().zip(more.latency) {
            *sum += some;
        }
    }
}

impl Told {
    /// Whether a browser can have seen this.
    ///
    /// # Errors
    /// What cannot be.
    pub fn check(&self) -> Result<(), Impossible> {
        self.legacy.check()?;
        self.candidate.check()?;
        if self.fallbacks > self.candidate.failed() { Err(Impossible::Fallbacks) } else { Ok(()) }
    }
}

/// All that was told of a rollout since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    pub reports: u64,
    /// When the last one came, milliseconds since 1970.
    pub last_ms: Option<u64>,
    #[serde(flatten)]
    pub told: Told,
}

/// The tally of each rollout.
#[derive(Debug)]
pub struct Browsers(Box<[Mutex<Tally>]>);

impl Browsers {
    #[must_use]
    pub fn new(rollouts: usize) -> Self {
        Self((0..rollouts).map(|_| Mutex::default()).collect())
    }

    /// Adds a report that has been checked.
    pub fn add(&self, rollout: usize, told: &Told, now_ms: u64) {
        let Some(tally) = self.0.get(rollout) else { return };
        let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.reports += 1;
        tally.last_ms = Some(now_ms);
        tally.told.legacy.add(&told.legacy);
        tally.told.candidate.add(&told.candidate);
        tally.told.fallbacks += told.fallbacks;
    }

    #[must_use]
    pub fn tally(&self, rollout: usize) -> Tally {
        let tally = self.0.get(rollout);
        tally.map(|tally| *tally.lock().unwrap_or_else(PoisonError::into_inner)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told() -> Told {
        let mut told = Told { fallbacks: 2, ..Told::default() };
        told.legacy =
            Calls { answered: 3, latency: [3, 0, 0, 0, 0, 0, 0, 0, 0], sum_ms: 90, ..Calls::default() };
        told.candidate = Calls {
            answered: 1,
            bad_status: 1,
            timeout: 1,
            latency: [1, 0, 1, 0, 0, 0, 0, 0, 1],
            sum_ms: 10_500,
            ..Calls::default()
        };
        told
    }

    #[test]
    fn reports_of_a_rollout_add_up() {
        let browsers = Browsers::new(2);
        browsers.add(1, &told(), 5);
        browsers.add(1, &told(), 9);
        let tally = browsers.tally(1);
        assert_eq!((tally.reports, tally.last_ms, tally.told.fallbacks), (2, Some(9), 4));
        assert_eq!((tally.told.legacy.total(), tally.told.candidate.failed()), (6, 4));
        assert_eq!(tally.told.candidate.latency, [2, 0, 2, 0, 0, 0, 0, 0, 2]);
        assert_eq!((browsers.tally(0), browsers.tally(2)), (Tally::default(), Tally::default()));
    }

    #[test]
    fn what_no_browser_can_have_seen_is_refused() {
        assert_eq!(told().check(), Ok(()));
        let changed = |change: fn(&mut Told)| {
            let mut told = told();
            change(&mut told);
            told.check()
        };
        assert_eq!(changed(|told| told.fallbacks = 3), Err(Impossible::Fallbacks));
        assert_eq!(changed(|told| told.legacy.latency[1] = 1), Err(Impossible::Latency));
        assert_eq!(changed(|told| told.legacy.latency = [u64::MAX; BUCKETS]), Err(Impossible::Latency));
        assert_eq!(changed(|told| told.legacy.answered = u64::MAX), Err(Impossible::TooMany));
        assert_eq!(changed(|told| told.candidate.sum_ms = 1_800_001), Err(Impossible::Sum));
    }
}
