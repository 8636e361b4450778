//! Who is served by the candidate.

mod assignment;
mod browsers;
pub mod calendar;
mod controller;
mod course;
mod entry;
mod evidence;
pub mod flags;
mod overrides;
pub mod shadow;
mod stages;
mod standing;
mod switchboard;
mod switches;
pub mod verdict;
mod words;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rad_model::Share;
use tokio::sync::watch;

pub use assignment::{AssignBy, ClientHash, Seed};
pub use browsers::browser_seed;
pub use calendar::Calendar;
pub use controller::{Controller, tell};
pub use course::{Course, NotNow, Order, Place, Rules};
pub use entry::undo;
pub use evidence::Evidence;
pub use overrides::{LONGEST_S, Overrides, Secret};
pub use stages::{Hold, Phase, Stages, Step, Waits};
pub use standing::{Figures, Standing};
pub use switchboard::{Become, FlagChange, FlagRefused, Switchboard};
pub use switches::{Switches, check_reserved, is_reserved};
pub use verdict::{Criteria, LatencyGuard, Tally, Target, Verdict};
pub use words::because;

use crate::config::RolloutSettings;
use crate::storage::{NewEntry, Storage, StorageError, StoredRollout};

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

impl Side {
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::Candidate => "candidate",
        }
    }

    #[must_use]
    pub fn named(word: &[u8]) -> Option<Self> {
        [Self::Legacy, Self::Candidate].into_iter().find(|side| side.word().as_bytes() == word)
    }
}

/// A rollout in force. The share is one atomic that every worker reads for every request: a change holds
/// for all requests that begin after it.
#[derive(Debug)]
pub struct Rollout {
    name: String,
    /// Positions of the upstreams, by side.
    upstreams: [usize; 2],
    seed: Seed,
    assign_by: AssignBy,
    overrides: Option<Overrides>,
    stages: Stages,
    calendar: Calendar,
    criteria: Criteria,
    basis_points: AtomicU16,
    /// When it was rolled back, if it is; else 0.
    rolled_back_ms: AtomicU64,
    /// Held while a change is made and stored, so that two changes are stored in the order in which they
    /// took force.
    course: Mutex<Course>,
    /// Who moved it last, and why.
    moved: Mutex<Option<Cause>>,
    /// Changes that are in force and not on the disk yet, the oldest first.
    unstored: Mutex<VecDeque<Unstored>>,
    /// Tells who waits for a change.
    places: watch::Sender<Place>,
}

/// A change that is to be on the disk.
#[derive(Clone, Debug)]
struct Unstored {
    changed: Changed,
    entry: NewEntry,
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
    pub fn new(settings: &RolloutSettings, stored: &StoredRollout, starts_at: Option<u64>) -> Self {
        let RolloutSettings { name, legacy, candidate, stages, least, target, latency, .. } = settings;
        let mut place = stored.place;
        // The plan may have become another while the program was away.
        let is_in_plan = |at: usize| stages.shares().get(at) == Some(&place.share);
        if let Phase::Stage(at) | Phase::Paused(at) = place.phase
            && !is_in_plan(at)
        {
            place.phase = Phase::Manual;
        }
        let criteria = Criteria { target: *target, least: *least, latency: *latency };
        Self {
            name: name.clone(),
            upstreams: [*legacy, *candidate],
            seed: stored.seed,
            assign_by: settings.assign.clone(),
            overrides: settings.overrides.clone(),
            stages: stages.clone(),
            calendar: settings.calendar.clone(),
            criteria,
            basis_points: AtomicU16::new(place.share.basis_points()),
            rolled_back_ms: AtomicU64::new(rolled_back_ms(place)),
            course: Mutex::new(Course::new(place, starts_at, criteria)),
            moved: Mutex::new(None),
            unstored: Mutex::default(),
            places: watch::Sender::new(place),
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

    /// What its clients are told apart by.
    #[must_use]
    pub fn assign_by(&self) -> &AssignBy {
        &self.assign_by
    }

    /// The client whose side is to be drawn, by what it is told apart by.
    #[must_use]
    pub fn draw(&self, client: &[u8]) -> ClientHash {
        self.seed.hash(client)
    }

    /// The side that serves a client. A client stays on its side while the share rises.
    #[must_use]
    pub fn side(&self, client: ClientHash) -> Side {
        if client.bucket() < self.basis_points.load(Ordering::Acquire) {
            Side::Candidate
        } else {
            Side::Legacy
        }
    }

    /// Where it is, and every place that it comes to from now on.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<Place> {
        self.places.subscribe()
    }

    /// The seed by which browsers of pages outside choose their side.
    #[must_use]
    pub fn browser_seed(&self) -> Seed {
        browser_seed(self.seed)
    }

    /// By what testers choose their side, if they may.
    #[must_use]
    pub fn overrides(&self) -> Option<&Overrides> {
        self.overrides.as_ref()
    }

    /// Whether testers may choose the candidate: at every share, but not after a rollback.
    #[must_use]
    pub fn takes_testers(&self) -> bool {
        self.rolled_back_ms().is_none()
    }

    /// The position of a side's upstream.
    #[must_use]
    pub fn upstream(&self, side: Side) -> usize {
        let [legacy, candidate] = self.upstreams;
        match side {
            Side::Legacy => legacy,
            Side::Candidate => candidate,
        }
    }

    /// Since when it is rolled back, milliseconds since 1970; if it is.
    #[must_use]
    pub fn rolled_back_ms(&self) -> Option<u64> {
        Some(self.rolled_back_ms.load(Ordering::Acquire)).filter(|at| *at > 0)
    }

    #[must_use]
    pub fn stages(&self) -> &Stages {
        &self.stages
    }

    #[must_use]
    pub fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    #[must_use]
    pub fn criteria(&self) -> &Criteria {
        &self.criteria
    }

    /// How it stands.
    #[must_use]
    pub fn course(&self) -> Course {
        self.lock().clone()
    }

    /// Lets it start by itself at a moment, milliseconds since 1970, or not at all; says when it would have. In
    /// force at once, and for the next start too.
    ///
    /// # Errors
    /// If it has started. Within what is answered: if the change cannot be stored; it is in force nevertheless.
    pub fn start_at(
        &self,
        at_ms: Option<u64>,
        storage: &Storage,
    ) -> Result<(Option<u64>, Result<(), StorageError>), NotNow> {
        let mut course = self.lock();
        let before = course.start_at(at_ms)?;
        Ok((before, storage.save_start(&self.name, at_ms)))
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

    /// Looks at what was counted; what is to be done then where it is, and what was seen. It is not yet done.
    pub fn look(
        &self,
        evidence: &impl Evidence,
        is_shut: bool,
        now_ms: u64,
    ) -> Option<(Step, Place, (Tally, Tally))> {
        let mut course = self.lock();
        let rules = Rules { stages: &self.stages, calendar: &self.calendar };
        let step = course.look(evidence, is_shut, rules, now_ms)?;
        Some((step, course.place(), course.seen()))
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
        let is_called_off = step == Step::Start && course.starts_at().is_none();
        if course.place() != place || is_called_off {
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
        self.rolled_back_ms.store(rolled_back_ms(changed.to), Ordering::Release);
        self.places.send_replace(changed.to);
        *lock(&self.moved) = Some(cause.clone());
        let entry = entry::entry(&self.name, action, changed, cause);
        lock(&self.unstored).push_back(Unstored { changed, entry });
        (changed, self.store_rest(storage))
    }

    /// Puts on the disk what could not be put there when it took force. It blocks.
    ///
    /// # Errors
    /// If the database still fails; what is left is tried again the next time.
    pub fn store_rest(&self, storage: &Storage) -> Result<(), StorageError> {
        let mut unstored = lock(&self.unstored);
        while let Some(Unstored { changed, entry }) = unstored.front() {
            storage.save_rollout(&self.name, changed.from, changed.to, entry)?;
            unstored.pop_front();
        }
        Ok(())
    }

    /// Whether a restart would lose something.
    #[must_use]
    pub fn is_unstored(&self) -> bool {
        !lock(&self.unstored).is_empty()
    }

    /// Who moved it last, and why, as far as that is known.
    #[must_use]
    pub fn moved(&self) -> Option<Cause> {
        lock(&self.moved).clone()
    }

    /// As its history has it, for a start.
    #[must_use]
    pub fn last_moved(self, cause: Option<Cause>) -> Self {
        Self { moved: Mutex::new(cause), ..self }
    }

    fn lock(&self) -> MutexGuard<'_, Course> {
        lock(&self.course)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn rolled_back_ms(place: Place) -> u64 {
    if place.phase == Phase::RolledBack { place.since_ms.max(1) } else { 0 }
}

#[cfg(test)]
mod tests;
