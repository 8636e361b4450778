//! Shadow traffic: what the candidate would have answered, found out without asking it on anybody's behalf.
//!
//! A share of what legacy answers is asked twice more behind the client's back: of the candidate, and of legacy
//! itself. What differs between the client's answer and the candidate's, but not between the client's and legacy's
//! second one, is the candidate's doing ([`evidence`]). Values are looked at and forgotten; what is kept are places
//! and counts ([`findings`]).
//!
//! Everything but this file is without state, clock and I/O. This file holds what the workers share: they read one
//! atomic for each request, and touch the rest only for requests that are copied. The findings are behind a lock that
//! is taken off the workers' threads, once for each comparison, for as long as it takes to count.

mod answer;
mod diff;
mod evidence;
mod findings;
mod rules;
mod settings;
mod skipped;
mod trail;

use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rad_model::{Quota, Share};
use rad_resilience::{DirectLimiter, Policy, Strategy, Timestamp};

pub use answer::{Answer, Body, Raw};
pub use diff::Difference;
pub use evidence::{FALSE_ALARM, Verdict};
pub use findings::{Comparison, Field, Findings, MOST_FIELDS};
pub use rules::{Headers, Ignored, Rules};
pub use settings::{ShadowSettings, has_body};
pub use skipped::Skipped;

use super::Cause;
use crate::storage::{Storage, StorageError};

/// Requests by what became of their copies, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Results {
    pub equal: u64,
    pub different: u64,
    pub failed: u64,
    pub skipped: [u64; Skipped::ALL.len()],
}

/// What was seen since it was last forgotten.
#[derive(Debug)]
struct Seen {
    findings: Findings,
    /// The counts of what was skipped, when that was.
    skipped: [u64; Skipped::ALL.len()],
}

/// The share as it was last set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredShadow {
    pub share: Share,
    /// Milliseconds since 1970.
    pub set_at_ms: u64,
}

/// What setting a share came to.
#[derive(Debug)]
pub struct Set {
    pub from: Share,
    /// Whether anything is otherwise than it was.
    pub is_new: bool,
    /// A change that cannot be stored is in force nevertheless.
    pub stored: Result<(), StorageError>,
}

/// The shadow traffic of a rollout.
#[derive(Debug)]
pub struct Shadow {
    rollout: String,
    pub settings: ShadowSettings,
    basis_points: AtomicU16,
    set_at_ms: AtomicU64,
    limiter: Option<DirectLimiter>,
    in_flight: AtomicU32,
    results: [AtomicU64; 3],
    skipped: [AtomicU64; Skipped::ALL.len()],
    seen: Mutex<Seen>,
    /// Held while answers are read and compared: documents take many times what their text does.
    comparing: Mutex<()>,
    /// Held while the share is changed and stored.
    changing: Mutex<()>,
}

impl Shadow {
    #[must_use]
    pub fn new(rollout: &str, settings: ShadowSettings, stored: StoredShadow, now_ms: u64) -> Self {
        Self {
            rollout: rollout.to_owned(),
            limiter: limiter(settings.requests_per_second),
            settings,
            basis_points: AtomicU16::new(stored.share.basis_points()),
            set_at_ms: AtomicU64::new(stored.set_at_ms),
            in_flight: AtomicU32::new(0),
            results: Default::default(),
            skipped: Default::default(),
            seen: Mutex::new(Seen { findings: Findings::since(now_ms), skipped: Default::default() }),
            comparing: Mutex::default(),
            changing: Mutex::default(),
        }
    }

    /// The share of requests that are copied.
    #[must_use]
    pub fn share(&self) -> Share {
        Share::from_basis_points(self.basis_points.load(Ordering::Acquire)).unwrap_or(Share::NONE)
    }

    /// Whether nothing is copied.
    #[inline]
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.basis_points.load(Ordering::Relaxed) == 0
    }

    /// Whether this request is one of the share, by a draw from 0 to 9,999.
    #[must_use]
    pub fn draws(&self, drawn: u16) -> bool {
        drawn < self.basis_points.load(Ordering::Acquire)
    }

    /// Whether a rollback at this moment (milliseconds since 1970) took the copies back, too: until somebody says
    /// anew that they are wanted.
    #[must_use]
    pub fn is_withdrawn(&self, rolled_back_ms: Option<u64>) -> bool {
        rolled_back_ms.is_some_and(|at| at > self.set_at_ms.load(Ordering::Acquire))
    }

    /// A place for the copies of a request.
    ///
    /// # Errors
    /// Why there is none; it is counted.
    pub fn enter(self: &Arc<Self>, now: Timestamp) -> Result<Place, Skipped> {
        let most = self.settings.max_in_flight;
        let enters = |under_way| (under_way < most).then_some(under_way + 1);
        if self.in_flight.fetch_update(Ordering::AcqRel, Ordering::Acquire, enters).is_err() {
            return Err(self.skip(Skipped::InFlight));
        }
        let place = Place(Arc::clone(self));
        if !self.limiter.as_ref().is_some_and(|limiter| limiter.check(now).allowed) {
            return Err(self.skip(Skipped::Rate));
        }
        Ok(place)
    }

    /// Requests whose copies are under way.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Acquire)
    }

    /// Counts a request that is not compared.
    pub fn skip(&self, why: Skipped) -> Skipped {
        self.skipped[why as usize].fetch_add(1, Ordering::Relaxed);
        why
    }

    /// Makes a comparison, when no other is being made, and takes it in.
    pub fn add(&self, compare: impl FnOnce(&ShadowSettings) -> Comparison, now_ms: u64) {
        let comparison = {
            let _alone = self.comparing.lock().unwrap_or_else(PoisonError::into_inner);
            compare(&self.settings)
        };
        self.results[comparison.outcome() as usize].fetch_add(1, Ordering::Relaxed);
        self.lock().findings.add(&comparison, now_ms);
    }

    /// What became of the copies since the start.
    #[must_use]
    pub fn results(&self) -> Results {
        let [equal, different, failed] = self.results.each_ref().map(|count| count.load(Ordering::Relaxed));
        Results { equal, different, failed, skipped: self.skips() }
    }

    fn skips(&self) -> [u64; Skipped::ALL.len()] {
        self.skipped.each_ref().map(|count| count.load(Ordering::Relaxed))
    }

    /// Looks at what was found since it was last forgotten, and at how many were skipped and why. Comparisons wait
    /// meanwhile.
    pub fn look<T>(&self, look: impl FnOnce(&Findings, [u64; Skipped::ALL.len()]) -> T) -> T {
        let seen = self.lock();
        let mut skipped = self.skips();
        for (now, before) in skipped.iter_mut().zip(seen.skipped) {
            *now -= before;
        }
        look(&seen.findings, skipped)
    }

    /// Forgets what was found; of how many requests that was.
    pub fn forget(&self, now_ms: u64) -> u64 {
        let anew = Seen { findings: Findings::since(now_ms), skipped: self.skips() };
        std::mem::replace(&mut *self.lock(), anew).findings.compared()
    }

    /// Changes the share: at once, and then for the next start too; and has copies sent again that a rollback had
    /// taken back. Where it is `expected` to be another one than it is, nothing is changed.
    ///
    /// # Errors
    /// The share in force, if it is another than was expected.
    pub fn set(
        &self,
        to: Share,
        expected: Option<Share>,
        rolled_back_ms: Option<u64>,
        cause: &Cause,
        storage: &Storage,
    ) -> Result<Set, Share> {
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let from = self.share();
        if expected.is_some_and(|expected| expected != from) {
            return Err(from);
        }
        if from == to && !self.is_withdrawn(rolled_back_ms) {
            return Ok(Set { from, is_new: false, stored: Ok(()) });
        }
        self.basis_points.store(to.basis_points(), Ordering::Release);
        self.set_at_ms.store(cause.at_ms, Ordering::Release);
        Ok(Set { from, is_new: true, stored: storage.save_shadow(&self.rollout, from, to, cause) })
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets so many through in a second; nothing where that is no number of requests.
fn limiter(requests_per_second: u32) -> Option<DirectLimiter> {
    let quota = Quota::new(requests_per_second, 1)?;
    Policy::new(Strategy::TokenBucket, &[quota]).ok().map(DirectLimiter::new)
}

/// A place among the copies that are under way, until it is dropped.
#[derive(Debug)]
pub struct Place(Arc<Shadow>);

impl Place {
    #[must_use]
    pub fn shadow(&self) -> &Arc<Shadow> {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn shadow(max_in_flight: u32, requests_per_second: u32) -> Arc<Shadow> {
        let settings = ShadowSettings { max_in_flight, requests_per_second, ..ShadowSettings::default() };
        Arc::new(Shadow::new("r", settings, StoredShadow { share: Share::ALL, set_at_ms: 10 }, 10))
    }

    #[test]
    fn what_is_under_way_is_bounded_and_a_place_is_free_again_after_it() {
        let shadow = shadow(2, 100);
        let now = Timestamp::default();
        let (one, _two) = (shadow.enter(now).unwrap(), shadow.enter(now).unwrap());
        assert_eq!(shadow.enter(now).err(), Some(Skipped::InFlight));
        drop(one);
        assert!(shadow.enter(now).is_ok());
        assert_eq!(shadow.in_flight(), 1);
    }

    #[test]
    fn what_is_copied_in_a_second_is_bounded_and_what_is_not_takes_no_place() {
        let shadow = shadow(100, 2);
        let now = Timestamp::default();
        let entered = (0..10).filter(|_| shadow.enter(now).is_ok()).count();
        assert_eq!((entered, shadow.in_flight()), (2, 0));
        shadow.look(|_, skipped| assert_eq!(skipped[Skipped::Rate as usize], 8));
        assert!(shadow.enter(now.after(Duration::from_secs(1))).is_ok());
    }

    #[test]
    fn forgetting_leaves_the_counts_since_the_start() {
        let shadow = shadow(1, 2);
        shadow.skip(Skipped::Body);
        shadow.forget(20);
        shadow.skip(Skipped::Body);
        shadow.look(|findings, skipped| {
            assert_eq!((findings.since_ms, skipped[Skipped::Body as usize]), (20, 1));
        });
        assert_eq!(shadow.results().skipped[Skipped::Body as usize], 2);
    }

    #[test]
    fn a_rollback_takes_the_copies_back_until_they_are_wanted_anew() {
        let shadow = shadow(1, 2);
        let storage = Storage::open(std::path::Path::new(":memory:")).unwrap();
        assert!(!shadow.is_withdrawn(None) && !shadow.is_withdrawn(Some(9)) && shadow.is_withdrawn(Some(11)));
        let set = |expected, rolled_back_ms| {
            let cause = Cause { by: "ada".to_owned(), reason: String::new(), at_ms: 12, reverts: None };
            shadow.set(Share::ALL, Some(expected), rolled_back_ms, &cause, &storage).map(|set| set.is_new)
        };
        assert_eq!((set(Share::NONE, Some(11)), set(Share::ALL, None)), (Err(Share::ALL), Ok(false)));
        assert!(shadow.is_withdrawn(Some(11)));
        assert_eq!(set(Share::ALL, Some(11)), Ok(true));
        assert!(!shadow.is_withdrawn(Some(11)));
    }

    #[test]
    fn the_share_is_that_of_the_draws() {
        let shadow = shadow(1, 2);
        let storage = Storage::open(std::path::Path::new(":memory:")).unwrap();
        for percent in [0.0, 0.01, 10.0, 100.0] {
            let share = Share::from_percent(percent).unwrap();
            let cause = Cause { by: String::new(), reason: String::new(), at_ms: 11, reverts: None };
            shadow.set(share, None, None, &cause, &storage).unwrap();
            let drawn = (0..10_000).filter(|drawn| shadow.draws(*drawn)).count();
            assert_eq!((drawn, shadow.is_off()), (usize::from(share.basis_points()), percent == 0.0));
        }
    }
}
