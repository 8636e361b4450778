//! The stages of a rollout: how its share rises, and when it falls.
//!
//! Pure: it is told the time and the verdict, and says what is to be done. Whoever holds it makes the change and
//! stores it.

use std::time::Duration;

use rad_model::Share;

use super::verdict::sample_ratio::Mismatch;
use super::verdict::{Failure, Verdict};

/// The most stages of a plan.
pub const MAX_STAGES: usize = 20;

/// The shares that a candidate gets one after the other, and what it takes to go from one to the next.
#[derive(Clone, Debug, PartialEq)]
pub struct Stages {
    shares: Box<[Share]>,
    /// The least time in each stage.
    pub bake: Duration,
    /// Whether a person must approve each promotion.
    pub gated: bool,
    /// Whether a failed verdict takes the candidate out.
    pub rolls_back: bool,
}

/// Not a plan that can be gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidStages {
    #[error("there are {0} stages; there must be 1 to {MAX_STAGES}")]
    Count(usize),
    #[error(
        "stage {place} is {share} %, and the one before {before} %; each must be more than the one before"
    )]
    NotRising { place: usize, share: Share, before: Share },
    #[error("the first stage is 0 %; it must be more")]
    StartsAtNothing,
}

impl Stages {
    /// # Errors
    /// If the shares do not rise from above 0, or are none or too many.
    pub fn new(shares: &[Share], bake: Duration) -> Result<Self, InvalidStages> {
        if shares.is_empty() || shares.len() > MAX_STAGES {
            return Err(InvalidStages::Count(shares.len()));
        }
        if shares[0] == Share::NONE {
            return Err(InvalidStages::StartsAtNothing);
        }
        for (at, pair) in shares.windows(2).enumerate() {
            if let [before, share] = *pair
                && share <= before
            {
                return Err(InvalidStages::NotRising { place: at + 2, share, before });
            }
        }
        Ok(Self { shares: shares.into(), bake, gated: false, rolls_back: true })
    }

    /// Everything at once.
    #[must_use]
    pub fn to_all(bake: Duration) -> Self {
        Self { shares: [Share::ALL].into(), bake, gated: false, rolls_back: true }
    }

    #[must_use]
    pub fn shares(&self) -> &[Share] {
        &self.shares
    }
}

/// Where a rollout is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// The share is what people make it; stages have not begun, or were left.
    #[default]
    Manual,
    /// In a stage, counted from 0.
    Stage(usize),
    /// In a stage from which no promotion is made until it goes on.
    Paused(usize),
    /// Through all stages. The verdict is still watched.
    Complete,
    /// Taken back; it stays so until a person starts it again.
    RolledBack,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Its time has come: into the first stage.
    Start,
    /// On to a stage.
    Promote(usize),
    /// All stages are done.
    Complete,
    /// To legacy at once.
    RollBack(Failure),
}

/// Why a rollout does not go on by itself at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// So much longer for the stage's bake time.
    Bake(Duration),
    /// For the verdict.
    Verdict,
    /// For what makes its verdict doubtful to be over.
    Hold(Hold),
    /// For a person to approve.
    Approval,
    /// For nothing: it is not in a stage, or paused.
    Nothing,
}

/// Why a promotion that everything else speaks for is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Who is judged is no fair sample of who was assigned.
    Sample(Mismatch),
    /// It is not known yet whether the candidate is fast enough, or it was not of late.
    Latency,
    /// These are hours or days in which nothing goes forwards by itself.
    Calendar,
}

impl Phase {
    /// Where this is in a plan, at a share.
    #[must_use]
    pub fn words(self, share: Share, stages: &Stages) -> String {
        let in_stage = |at: usize| format!("stage {} of {}", at + 1, stages.shares.len());
        match self {
            Self::Manual if share == Share::NONE => "not started".to_owned(),
            Self::Manual => "by hand".to_owned(),
            Self::Stage(at) => in_stage(at),
            Self::Paused(at) => format!("{}, paused", in_stage(at)),
            Self::Complete => "complete".to_owned(),
            Self::RolledBack => "rolled back".to_owned(),
        }
    }

    /// What to do after so long in this phase, with this verdict on its candidate.
    #[must_use]
    pub fn step(
        self,
        stages: &Stages,
        since: Duration,
        verdict: Verdict,
        hold: Option<Hold>,
    ) -> Option<Step> {
        if let Verdict::Fail(failure) = verdict
            && stages.rolls_back
            && self != Self::RolledBack
        {
            return Some(Step::RollBack(failure));
        }
        match (self, self.waits(stages, since, verdict, hold)) {
            (Self::Stage(at), None) => Some(next(stages, at)),
            _ => None,
        }
    }

    /// What it waits for; none if it is to go on.
    #[must_use]
    pub fn waits(
        self,
        stages: &Stages,
        since: Duration,
        verdict: Verdict,
        hold: Option<Hold>,
    ) -> Option<Waits> {
        let Self::Stage(_) = self else { return Some(Waits::Nothing) };
        let left = stages.bake.saturating_sub(since);
        if !left.is_zero() {
            return Some(Waits::Bake(left));
        }
        if verdict != Verdict::Pass {
            return Some(Waits::Verdict);
        }
        hold.map(Waits::Hold).or_else(|| stages.gated.then_some(Waits::Approval))
    }

    /// Whether whoever comes here has begun, or has turned back: a start that was planned is then none any more.
    #[must_use]
    pub fn voids_start(self) -> bool {
        !matches!(self, Self::Manual)
    }

    /// What a person's approval does in a stage: it goes on, whatever it waits for.
    #[must_use]
    pub fn approve(self, stages: &Stages) -> Option<Step> {
        match self {
            Self::Stage(at) | Self::Paused(at) => Some(next(stages, at)),
            Self::Manual | Self::Complete | Self::RolledBack => None,
        }
    }
}

fn next(stages: &Stages, at: usize) -> Step {
    if at + 1 < stages.shares.len() { Step::Promote(at + 1) } else { Step::Complete }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAKE: Duration = Duration::from_secs(60);
    const UNDECIDED: Verdict = Verdict::Undecided { needed: None };

    fn stages(percents: &[f64]) -> Result<Stages, InvalidStages> {
        let shares: Vec<_> = percents.iter().filter_map(|percent| Share::from_percent(*percent)).collect();
        Stages::new(&shares, BAKE)
    }

    #[test]
    fn a_plan_that_does_not_rise_is_refused_with_the_stage_that_is_wrong() {
        assert_eq!(stages(&[]), Err(InvalidStages::Count(0)));
        assert_eq!(stages(&[0.0, 10.0]), Err(InvalidStages::StartsAtNothing));
        let wrong = stages(&[10.0, 50.0, 50.0]).unwrap_err();
        assert_eq!(
            wrong.to_string(),
            "stage 3 is 50 %, and the one before 50 %; each must be more than the one before"
        );
        assert!(stages(&[0.01; 21]).is_err());
    }

    #[test]
    fn a_stage_is_left_after_its_time_and_a_good_verdict_and_not_before() {
        let stages = stages(&[10.0, 100.0]).unwrap();
        let (young, old) = (BAKE / 2, BAKE);
        for (at, since, verdict, expected) in [
            (0, young, Verdict::Pass, None),
            (0, old, UNDECIDED, None),
            (0, old, Verdict::Shared, None),
            (0, old, Verdict::Pass, Some(Step::Promote(1))),
            (1, old, Verdict::Pass, Some(Step::Complete)),
        ] {
            assert_eq!(
                Phase::Stage(at).step(&stages, since, verdict, None),
                expected,
                "{since:?} {verdict:?}"
            );
        }
        assert_eq!(Phase::Stage(0).waits(&stages, young, Verdict::Pass, None), Some(Waits::Bake(BAKE / 2)));
        // Whatever holds it back: not the rollback.
        for hold in [Hold::Latency, Hold::Calendar] {
            assert_eq!(Phase::Stage(0).step(&stages, old, Verdict::Pass, Some(hold)), None);
            assert_eq!(
                Phase::Stage(0).waits(&stages, old, Verdict::Pass, Some(hold)),
                Some(Waits::Hold(hold))
            );
            let failed = Phase::Stage(0).step(&stages, young, Verdict::Fail(Failure::Disaster), Some(hold));
            assert_eq!(failed, Some(Step::RollBack(Failure::Disaster)));
        }
        let gated = Stages { gated: true, ..stages };
        assert_eq!(Phase::Stage(0).step(&gated, old, Verdict::Pass, None), None);
        assert_eq!(Phase::Stage(0).waits(&gated, old, Verdict::Pass, None), Some(Waits::Approval));
        assert_eq!(Phase::Stage(0).approve(&gated), Some(Step::Promote(1)));
    }

    #[test]
    fn a_failure_takes_a_candidate_out_in_every_phase() {
        let stages = stages(&[10.0, 100.0]).unwrap();
        let fail = Verdict::Fail(Failure::Disaster);
        for phase in [Phase::Manual, Phase::Stage(0), Phase::Paused(0), Phase::Complete] {
            let step = phase.step(&stages, Duration::ZERO, fail, None);
            assert_eq!(step, Some(Step::RollBack(Failure::Disaster)), "{phase:?}");
            let kept = Stages { rolls_back: false, ..stages.clone() };
            assert_eq!(phase.step(&kept, Duration::ZERO, fail, None), None);
        }
        assert_eq!(Phase::RolledBack.step(&stages, BAKE, fail, None), None);
    }

    #[test]
    fn what_is_paused_stays_where_it_is_however_good_it_is() {
        let stages = stages(&[10.0, 100.0]).unwrap();
        assert_eq!(Phase::Paused(0).step(&stages, BAKE * 100, Verdict::Pass, None), None);
    }
}
