//! How far a rollout has come, and what people and its verdict do to it.

use std::time::Duration;

use rad_model::Share;

use super::calendar::Calendar;
use super::evidence::{Evidence, Gathered, Looks};
use super::stages::{Hold, Phase, Stages, Step, Waits};
use super::verdict::sample_ratio::Counted;
use super::verdict::{Criteria, Tally, Verdict};

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
    /// Back to where it was: what takes a change back.
    Return(Phase, Share),
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
    #[error("there is no such stage with that share")]
    NotInPlan,
    #[error("it has started already")]
    Started,
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
    /// When it starts by itself, milliseconds since 1970.
    starts_at: Option<u64>,
    gathered: Gathered,
    criteria: Criteria,
    /// Whether it may go forwards by itself, when it was last looked at.
    is_open: bool,
}

/// By what a course goes on.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    pub stages: &'a Stages,
    pub calendar: &'a Calendar,
}

impl Course {
    #[must_use]
    pub fn new(place: Place, starts_at: Option<u64>, criteria: Criteria) -> Self {
        Self {
            place,
            starts_at,
            gathered: Gathered::from_the_start(place.share, criteria),
            criteria,
            is_open: true,
        }
    }

    #[must_use]
    pub fn place(&self) -> Place {
        self.place
    }

    /// When it starts by itself, milliseconds since 1970.
    #[must_use]
    pub fn starts_at(&self) -> Option<u64> {
        self.starts_at
    }

    /// Lets it start by itself, or not; says when it would have.
    ///
    /// # Errors
    /// If it has started.
    pub fn start_at(&mut self, at_ms: Option<u64>) -> Result<Option<u64>, NotNow> {
        let is_still = matches!(self.place.phase, Phase::Manual | Phase::RolledBack);
        if at_ms.is_some() && !is_still {
            return Err(NotNow::Started);
        }
        Ok(std::mem::replace(&mut self.starts_at, at_ms))
    }

    #[must_use]
    pub fn verdict(&self) -> Verdict {
        self.gathered.verdict()
    }

    /// What both sides did since this place was reached.
    #[must_use]
    pub fn seen(&self) -> (Tally, Tally) {
        self.gathered.seen()
    }

    /// Clients that were answered since this place was reached, a sample of them.
    #[must_use]
    pub fn clients(&self) -> Counted {
        self.gathered.clients()
    }

    /// Why a promotion would not be made now, whatever else speaks for it.
    #[must_use]
    pub fn hold(&self) -> Option<Hold> {
        self.gathered.hold().or_else(|| (!self.is_open).then_some(Hold::Calendar))
    }

    /// What it waits for.
    #[must_use]
    pub fn waits(&self, stages: &Stages, now_ms: u64) -> Option<Waits> {
        self.place.phase.waits(stages, self.since(now_ms), self.verdict(), self.hold())
    }

    fn since(&self, now_ms: u64) -> Duration {
        Duration::from_millis(now_ms.saturating_sub(self.place.since_ms))
    }

    /// Looks at what was counted of both sides, and says what is to be done.
    pub fn look(
        &mut self,
        evidence: &impl Evidence,
        is_shut: bool,
        Rules { stages, calendar }: Rules<'_>,
        now_ms: u64,
    ) -> Option<Step> {
        self.gathered.look(evidence, Looks { is_shut, now_ms });
        self.is_open = calendar.is_open(now_ms);
        if self.is_open && self.starts_at.is_some_and(|at| at <= now_ms) {
            return Some(Step::Start);
        }
        let step = self.place.phase.step(stages, self.since(now_ms), self.verdict(), self.hold());
        // Where nothing goes to the candidate, there is nothing to take back.
        step.filter(|step| !matches!(step, Step::RollBack(_)) || self.place.share != Share::NONE)
    }

    /// Does what the verdict says.
    pub fn take(&mut self, step: Step, stages: &Stages, now_ms: u64) {
        let stage = |to: usize| match stages.shares().get(to) {
            Some(share) => (Phase::Stage(to), *share),
            None => (Phase::Complete, self.place.share),
        };
        let (phase, share) = match step {
            Step::Start => stage(0),
            Step::Promote(to) => stage(to),
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
            Order::Start => self.take(Step::Start, stages, now_ms),
            Order::Promote => self.take(phase.approve(stages).ok_or(NotNow::NoStage)?, stages, now_ms),
            Order::RollBack => self.enter(Phase::RolledBack, Share::NONE, now_ms),
            Order::Set(share) if share == self.place.share => {}
            Order::Set(share) => self.enter(Phase::Manual, share, now_ms),
            Order::Return(phase, share) => {
                if let Phase::Stage(at) | Phase::Paused(at) = phase
                    && stages.shares().get(at) != Some(&share)
                {
                    return Err(NotNow::NotInPlan);
                }
                self.enter(phase, share, now_ms);
            }
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
        if phase.voids_start() {
            self.starts_at = None;
        }
        self.gathered = Gathered::new(share, self.criteria);
    }
}

#[cfg(test)]
mod tests;
