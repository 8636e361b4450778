//! How far a rollout has come, and what people and its verdict do to it.

use std::time::Duration;

use rad_model::Share;

use super::stages::{Phase, Stages, Step, Waits};
use super::verdict::{Failure, Judge, Tally, Target, Verdict};

/// What a person can ask of a rollout with stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Begin with the first stage, from wherever it is.
    Start,
    /// Stay in this stage until told otherwise. A rollback happens nevertheless.
    Pause,
    Resume,
    /// On to the next stage, whatever it waits for.
    Promote,
    /// All to legacy at once.
    RollBack,
    /// To a share that a person chose; the stages are left, unless it is the share of this one.
    Set(Share),
}

/// Why an order cannot be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotNow {
    #[error("it is in no stage")]
    NoStage,
    #[error("it is not paused")]
    NotPaused,
    #[error("it is paused already")]
    PausedAlready,
}

/// What a rollout is at, and since when; this is what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub phase: Phase,
    pub share: Share,
    /// Milliseconds since 1970: a stage goes on baking while the program is restarted.
    pub since_ms: u64,
}

/// A place, and the evidence gathered there.
#[derive(Clone, Debug)]
pub struct Course {
    place: Place,
    judge: Judge,
    /// Both sides' counts when they were last looked at.
    looked: Option<[Tally; 2]>,
    target: Target,
    least: u64,
}

impl Course {
    #[must_use]
    pub fn new(place: Place, target: Target, least: u64) -> Self {
        Self { place, judge: Judge::new(target, least), looked: None, target, least }
    }

    #[must_use]
    pub fn place(&self) -> Place {
        self.place
    }

    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.judge.verdict()
    }

    /// What both sides did since this place was reached.
    #[must_use]
    pub fn seen(&self) -> (Tally, Tally) {
        self.judge.seen()
    }

    /// What it waits for.
    #[must_use]
    pub fn waits(&self, stages: &Stages, now_ms: u64) -> Option<Waits> {
        self.place.phase.waits(stages, self.since(now_ms), self.verdict())
    }

    fn since(&self, now_ms: u64) -> Duration {
        Duration::from_millis(now_ms.saturating_sub(self.place.since_ms))
    }

    /// Looks at the counts of legacy and candidate, which only grow, and says what is to be done.
    pub fn look(&mut self, counts: [Tally; 2], is_shut: bool, stages: &Stages, now_ms: u64) -> Option<Step> {
        let [legacy_before, candidate_before] = self.looked.replace(counts).unwrap_or(counts);
        let [legacy, candidate] = counts;
        self.judge.see(since(candidate, candidate_before), since(legacy, legacy_before));
        if is_shut {
            self.judge.cannot_ask();
        }
        self.place.phase.step(stages, self.since(now_ms), self.verdict())
    }

    /// Does what the verdict says.
    pub fn take(&mut self, step: Step, stages: &Stages, now_ms: u64) {
        let (phase, share) = match step {
            Step::Promote(to) => match stages.shares().get(to) {
                Some(share) => (Phase::Stage(to), *share),
                None => (Phase::Complete, self.place.share),
            },
            Step::Complete => (Phase::Complete, self.place.share),
            Step::RollBack(_) => (Phase::RolledBack, Share::NONE),
        };
        self.enter(phase, share, now_ms);
    }

    /// Carries out what a person asks for.
    ///
    /// # Errors
    /// If it makes no sense where the rollout is.
    pub fn obey(&mut self, order: Order, stages: &Stages, now_ms: u64) -> Result<(), NotNow> {
        let phase = self.place.phase;
        match order {
            Order::Start => self.take(Step::Promote(0), stages, now_ms),
            Order::Promote => self.take(phase.approve(stages).ok_or(NotNow::NoStage)?, stages, now_ms),
            Order::RollBack => self.enter(Phase::RolledBack, Share::NONE, now_ms),
            Order::Set(share) if share == self.place.share => {}
            Order::Set(share) => self.enter(Phase::Manual, share, now_ms),
            // The evidence and the time in the stage stay what they are.
            Order::Pause => {
                self.place.phase = match phase {
                    Phase::Stage(at) => Phase::Paused(at),
                    Phase::Paused(_) => return Err(NotNow::PausedAlready),
                    Phase::Manual | Phase::Complete | Phase::RolledBack => return Err(NotNow::NoStage),
                }
            }
            Order::Resume => {
                let Phase::Paused(at) = phase else { return Err(NotNow::NotPaused) };
                self.place.phase = Phase::Stage(at);
            }
        }
        Ok(())
    }

    /// Evidence from another share is none for this one.
    fn enter(&mut self, phase: Phase, share: Share, now_ms: u64) {
        self.place = Place { phase, share, since_ms: now_ms };
        self.judge = Judge::new(self.target, self.least);
    }
}

/// Why a candidate was taken out, for people.
#[must_use]
pub fn because(failure: Failure, seen: (Tally, Tally), target: Target) -> String {
    let (candidate, legacy) = seen;
    let percent = target.share() * 100.0;
    let counts = format!(
        "{} of {} failed since this stage began (legacy: {} of {})",
        candidate.bad, candidate.requests, legacy.bad, legacy.requests
    );
    match failure {
        Failure::BelowTarget => format!("below the target of {percent} %: {counts}"),
        Failure::TurnedBad => format!("no longer reaches {percent} %: {counts}"),
        Failure::Disaster => format!("too many failures at once: {counts}"),
        Failure::BreakerOpen => format!("its breakers are open: {counts}"),
    }
}

fn since(now: Tally, before: Tally) -> Tally {
    Tally { requests: now.requests.saturating_sub(before.requests), bad: now.bad.saturating_sub(before.bad) }
}
