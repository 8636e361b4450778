//! Who is served by the candidate.

mod assignment;
mod controller;
mod course;
mod entry;
mod stages;
pub mod verdict;

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rad_model::Share;

pub use assignment::Seed;
pub use controller::{Controller, tell};
pub use course::{Course, NotNow, Order, Place, because};
pub use entry::undo;
pub use stages::{Phase, Stages, Step, Waits};
pub use verdict::{Tally, Target, Verdict};

use crate::config::RolloutSettings;
use crate::storage::{Storage, StorageError, StoredRollout};

/// The cookie by which a browser that is in legacy mode asks to be served by legacy.
pub const PIN_COOKIE: &str = "rad_mode";
/// Its value.
pub const PIN_LEGACY: &str = "legacy";

/// One of the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Legacy,
    Candidate,
}

/// A rollout in force. The share is one atomic that every worker reads for every request: a change holds
/// for all requests that begin after it.
#[derive(Debug)]
pub struct Rollout {
    name: String,
    /// Positions of the upstreams.
    legacy: usize,
    candidate: usize,
    seed: Seed,
    stages: Stages,
    target: Target,
    basis_points: AtomicU16,
    /// Held while a change is made and stored, so that two changes are stored in the order in which they
    /// took force.
    course: Mutex<Course>,
}

/// A change that is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    pub from: Place,
    pub to: Place,
}

/// Who changes a rollout, and why: for its history and the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    pub by: String,
    pub reason: String,
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// The entry of the audit log that this takes back.
    pub reverts: Option<i64>,
}

/// Why an order was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The share is another than was expected.
    Overtaken(Share),
    NotNow(NotNow),
}

impl Rollout {
    #[must_use]
    pub fn new(settings: &RolloutSettings, stored: &StoredRollout) -> Self {
        let RolloutSettings { name, legacy, candidate, stages, least, target, .. } = settings;
        let mut place = stored.place;
        // The plan may have become another while the program was away.
        let is_in_plan = |at: usize| stages.shares().get(at) == Some(&place.share);
        if let Phase::Stage(at) | Phase::Paused(at) = place.phase
            && !is_in_plan(at)
        {
            place.phase = Phase::Manual;
        }
        Self {
            name: name.clone(),
            legacy: *legacy,
            candidate: *candidate,
            seed: stored.seed,
            stages: stages.clone(),
            target: *target,
            basis_points: AtomicU16::new(place.share.basis_points()),
            course: Mutex::new(Course::new(place, *target, *least)),
        }
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The candidate's share.
    #[must_use]
    pub fn share(&self) -> Share {
        Share::from_basis_points(self.basis_points.load(Ordering::Acquire)).unwrap_or(Share::NONE)
    }

    /// The side that serves a client, and the position of its upstream. A client stays on its side while
    /// the share rises.
    #[must_use]
    pub fn choose(&self, client: &[u8]) -> (Side, usize) {
        let share = self.share();
        if share != Share::NONE && self.seed.bucket(client) < share.basis_points() {
            (Side::Candidate, self.candidate)
        } else {
            (Side::Legacy, self.legacy)
        }
    }

    /// The upstream of legacy.
    #[must_use]
    pub fn legacy(&self) -> usize {
        self.legacy
    }

    /// The upstream of the candidate.
    #[must_use]
    pub fn candidate(&self) -> usize {
        self.candidate
    }

    #[must_use]
    pub fn stages(&self) -> &Stages {
        &self.stages
    }

    #[must_use]
    pub fn target(&self) -> Target {
        self.target
    }

    /// How it stands.
    #[must_use]
    pub fn course(&self) -> Course {
        self.lock().clone()
    }

    /// Does what a person asks for: at once, and then for the next start too. Where the share is `expected` to be
    /// another one than it is, nothing is changed.
    ///
    /// # Errors
    /// [`Refused`], if nothing was changed. Within what is answered: if the change cannot be stored. It is in
    /// force nevertheless: a rollback must not fail because a disk is full.
    pub fn obey(
        &self,
        order: Order,
        expected: Option<Share>,
        cause: &Cause,
        storage: &Storage,
    ) -> Result<(Changed, Result<(), StorageError>), Refused> {
        let mut course = self.lock();
        let from = course.place();
        if expected.is_some_and(|expected| expected != from.share) {
            return Err(Refused::Overtaken(from.share));
        }
        course.obey(order, &self.stages, cause.at_ms).map_err(Refused::NotNow)?;
        if course.place() == from {
            return Ok((Changed { from, to: from }, Ok(())));
        }
        Ok(self.enforce(&course, from, (order.action(), cause), storage))
    }

    /// Looks at both sides' counts; what their verdict asks for, and what was seen. It is not yet done.
    pub fn look(&self, counts: [Tally; 2], is_shut: bool, now_ms: u64) -> Option<(Step, (Tally, Tally))> {
        let mut course = self.lock();
        let step = course.look(counts, is_shut, &self.stages, now_ms)?;
        Some((step, course.seen()))
    }

    /// Does what a verdict asks for, unless the rollout is no longer where the verdict was made.
    pub fn take(
        &self,
        step: Step,
        place: Place,
        cause: &Cause,
        storage: &Storage,
    ) -> Option<(Changed, Result<(), StorageError>)> {
        let mut course = self.lock();
        if course.place() != place {
            return None;
        }
        course.take(step, &self.stages, cause.at_ms);
        Some(self.enforce(&course, place, (step.action(), cause), storage))
    }

    fn enforce(
        &self,
        course: &MutexGuard<'_, Course>,
        from: Place,
        (action, cause): (&str, &Cause),
        storage: &Storage,
    ) -> (Changed, Result<(), StorageError>) {
        let changed = Changed { from, to: course.place() };
        self.basis_points.store(changed.to.share.basis_points(), Ordering::Release);
        let entry = entry::entry(&self.name, action, changed, cause);
        (changed, storage.save_rollout(&self.name, from, changed.to, &entry))
    }

    fn lock(&self) -> MutexGuard<'_, Course> {
        self.course.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn rollout(percent: f64) -> Rollout {
        let share = Share::from_percent(percent).unwrap();
        let settings = RolloutSettings {
            name: "r".to_owned(),
            legacy: 0,
            candidate: 1,
            share,
            stages: Stages::to_all(Duration::from_mins(1)),
            least: 100,
            target: Target::default(),
        };
        let place = Place { phase: Phase::Manual, share, since_ms: 0 };
        Rollout::new(&settings, &StoredRollout { seed: Seed::new(7), place })
    }

    fn candidates(rollout: &Rollout) -> Vec<u32> {
        (0..20_000)
            .filter(|client: &u32| rollout.choose(&client.to_be_bytes()).0 == Side::Candidate)
            .collect()
    }

    #[test]
    fn raising_the_share_never_moves_anyone_back() {
        let (ten, half) = (candidates(&rollout(10.0)), candidates(&rollout(50.0)));
        assert!(ten.iter().all(|client| half.binary_search(client).is_ok()));
    }

    #[test]
    fn the_share_of_clients_is_the_share_that_was_asked_for() {
        for percent in [0.0, 0.5, 10.0, 25.0, 50.0, 100.0] {
            let seen = f64::from(u32::try_from(candidates(&rollout(percent)).len()).unwrap()) / 200.0;
            // Four standard deviations of a fair draw of 20,000.
            let allowed = 4.0 * (percent * (100.0 - percent) / 20_000.0).sqrt();
            assert!((seen - percent).abs() <= allowed, "{percent} % asked, {seen} % seen");
        }
    }
}
