//! Whether the candidate is good enough: a judgement that may be asked for after every request.
//!
//! What is judged are requests that reached an upstream; what the gateway turned away itself (limits,
//! breakers, queues, blocks) is not among them. Three questions are asked at once:
//!
//! - Does the candidate reach its target? A sequential test between *as good as the target* and *bad twice as
//!   often* answers with [`FALSE_ALARM`] and [`MISS`], however often one looks.
//! - Has it turned bad since? A watch without an end, and one for disaster that alarms after four failures
//!   in a row.
//! - Is it the candidate's doing? What legacy suffers at the same time is not held against the candidate, unless
//!   it is bad several times as often: of the bad outcomes of both sides, it has its share if both are equally
//!   good.

mod bets;
mod interval;
pub mod latency;
pub mod sample_ratio;
mod sequential;
#[cfg(test)]
mod simulation;

pub use interval::interval;
pub(in crate::rollout) use interval::ln_beta;
pub use latency::LatencyGuard;
pub use sequential::{Finding, Likelihood, RatioTest, Watch};

/// A candidate exactly at its target is failed in at most so many cases.
pub const FALSE_ALARM: f64 = 0.01;
/// One that is bad twice as often as it may be is passed in at most so many.
pub const MISS: f64 = 0.05;
/// Bad so many times as often as the target allows is what the test tells from the target.
const TWICE: f64 = 2.0;
/// A share of bad outcomes that is a disaster, whatever the target.
const DISASTER: f64 = 0.2;
/// The watches alarm by mistake at most once in so many requests.
const WATCH: f64 = 1e6;
/// Legacy is taken to suffer too at this likelihood: less is asked than of the candidate, because a rollback to
/// what suffers as well helps nobody.
const SUFFERS: f64 = 20.0;
/// The candidate is to blame nevertheless if it is bad so many times as often as legacy,
const WORSE: f64 = 4.0;
/// by mistake at most once in so many bad outcomes.
const TO_BLAME: f64 = 1e6;

/// The share of good outcomes that the candidate must reach.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Target(f64);

/// Not a target that can be judged.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("a target of {share} cannot be judged; it is a share from 0.5 to 0.99999")]
pub struct InvalidTarget {
    share: f64,
}

impl Default for Target {
    /// 99.5 %.
    fn default() -> Self {
        Self(0.995)
    }
}

impl Target {
    /// # Errors
    /// Outside 0.5 to 0.99999: of all, one failure in any number of requests would be too many.
    pub fn new(share: f64) -> Result<Self, InvalidTarget> {
        if (0.5..=0.99999).contains(&share) { Ok(Self(share)) } else { Err(InvalidTarget { share }) }
    }

    /// The share of requests that must succeed.
    #[must_use]
    pub fn share(self) -> f64 {
        self.0
    }

    /// The share of bad outcomes that is just good enough.
    fn allowed(self) -> f64 {
        1.0 - self.0
    }

    /// The share that the test tells from it.
    fn too_many(self) -> f64 {
        (self.allowed() * TWICE).min(f64::midpoint(1.0, self.allowed()))
    }
}

/// What is asked of a candidate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Criteria {
    pub target: Target,
    /// Requests without which nothing is passed.
    pub least: u64,
    pub latency: Option<LatencyGuard>,
}

/// Outcomes of one side since the last look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub requests: u64,
    pub bad: u64,
}

/// Why a candidate fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It does not reach its target.
    BelowTarget,
    /// It did, and no longer does.
    TurnedBad,
    /// So much fails at once that there is nothing to wait for.
    Disaster,
    /// Its breakers are all open: it cannot be asked, and there will be no evidence.
    BreakerOpen,
    /// It takes too long.
    Slow(latency::TooSlow),
}

/// What is known of a candidate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    Pass,
    Fail(Failure),
    /// Not enough evidence yet.
    Undecided {
        /// About so many more requests of the candidate, if they go as those so far; none if, going on like
        /// this, it will not pass.
        needed: Option<u64>,
    },
    /// The candidate does not reach its target, and legacy does not do better.
    Shared,
}

/// The judgement of one candidate by one kind of outcome since a stage began.
#[derive(Clone, Copy, Debug)]
pub struct Judge {
    target: Target,
    least: u64,
    candidate: Tally,
    legacy: Tally,
    test: RatioTest,
    turned: Watch,
    disaster: Watch,
    legacy_turned: Watch,
    legacy_disaster: Watch,
    worse: Watch,
    shares: Shares,
    failed: Option<Failure>,
}

impl Judge {
    /// A judgement that passes nothing before `least` requests.
    #[must_use]
    pub fn new(target: Target, least: u64) -> Self {
        Self {
            target,
            least,
            candidate: Tally::default(),
            legacy: Tally::default(),
            test: RatioTest::new(FALSE_ALARM, MISS),
            turned: Watch::once_in(WATCH),
            disaster: Watch::once_in(WATCH),
            legacy_turned: Watch::once_in(SUFFERS),
            legacy_disaster: Watch::once_in(SUFFERS),
            worse: Watch::once_in(TO_BLAME),
            shares: Shares::default(),
            failed: None,
        }
    }

    /// Looks at what both sides did at the same time.
    pub fn see(&mut self, candidate: Tally, legacy: Tally) {
        let (allowed, too_many) = (self.target.allowed(), self.target.too_many());
        let against_target = Likelihood::new(allowed, too_many);
        self.test.add(of(against_target, candidate));
        self.turned.add(of(against_target, candidate));
        self.legacy_turned.add(of(against_target, legacy));
        if DISASTER > too_many {
            let disaster = Likelihood::new(allowed, DISASTER);
            self.disaster.add(of(disaster, candidate));
            self.legacy_disaster.add(of(disaster, legacy));
        }
        self.shares.see(candidate, legacy);
        self.worse.add(self.against_legacy(candidate, legacy));
        self.candidate = self.candidate + candidate;
        self.legacy = self.legacy + legacy;
        if self.failed.is_none() {
            self.failed = self.failure().filter(|failure| !self.is_shared(*failure));
        }
    }

    /// The candidate's breakers are open, and those of legacy are not.
    pub fn cannot_ask(&mut self) {
        self.failed.get_or_insert(Failure::BreakerOpen);
    }

    /// All that was seen.
    #[must_use]
    pub fn seen(&self) -> (Tally, Tally) {
        (self.candidate, self.legacy)
    }

    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if let Some(failure) = self.failed {
            return Verdict::Fail(failure);
        }
        if self.failure().is_some() {
            return Verdict::Shared;
        }
        if self.test.finding() == Finding::Good && self.candidate.requests >= self.least {
            return Verdict::Pass;
        }
        Verdict::Undecided { needed: self.needed() }
    }

    fn failure(&self) -> Option<Failure> {
        if self.disaster.alarms() {
            Some(Failure::Disaster)
        } else if self.test.finding() == Finding::Bad {
            Some(Failure::BelowTarget)
        } else {
            self.turned.alarms().then_some(Failure::TurnedBad)
        }
    }

    /// Whether legacy suffers from it as well.
    fn is_shared(&self, failure: Failure) -> bool {
        let at_once = failure == Failure::Disaster && self.legacy_disaster.alarms();
        (at_once || self.legacy_turned.alarms()) && !self.worse.alarms()
    }

    /// How much likelier it is that the candidate is bad [`WORSE`] times as often than that it is bad as often
    /// as legacy: of all bad outcomes, so many are then its own by chance.
    fn against_legacy(&self, candidate: Tally, legacy: Tally) -> f64 {
        let odds = 1.0 + (WORSE - 1.0) * self.shares.of_candidate();
        count(candidate.bad) * (WORSE / odds).ln() - count(legacy.bad) * odds.ln()
    }

    fn needed(&self) -> Option<u64> {
        let seen = self.candidate;
        let missing = self.least.saturating_sub(seen.requests);
        if self.test.finding() == Finding::Good {
            return Some(missing);
        }
        // One request at the target is added, so that the first few do not promise too much.
        let allowed = self.target.allowed();
        let bad = (count(seen.bad) + allowed) / (count(seen.requests) + 1.0);
        let drift = Likelihood::new(allowed, self.target.too_many()).drift(bad);
        if drift >= 0.0 {
            return None;
        }
        let needed = (self.test.missing() / -drift).ceil();
        // Bounded before it becomes a whole number.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let needed = needed.clamp(0.0, 1e12) as u64;
        Some(needed.max(missing))
    }
}

/// How the requests of late were shared out.
#[derive(Clone, Copy, Debug, Default)]
struct Shares {
    candidate: f64,
    legacy: f64,
}

impl Shares {
    /// About so many requests are remembered.
    const OF_LATE: f64 = 1_000.0;

    fn see(&mut self, candidate: Tally, legacy: Tally) {
        self.candidate += count(candidate.requests);
        self.legacy += count(legacy.requests);
        let too_many = (self.candidate + self.legacy) / Self::OF_LATE;
        if too_many > 1.0 {
            self.candidate /= too_many;
            self.legacy /= too_many;
        }
    }

    fn of_candidate(self) -> f64 {
        let all = self.candidate + self.legacy;
        if all > 0.0 { self.candidate / all } else { 1.0 }
    }
}

fn of(likelihood: Likelihood, tally: Tally) -> f64 {
    let bad = tally.bad.min(tally.requests);
    likelihood.of(count(tally.requests - bad), count(bad))
}

impl std::ops::Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            bad: self.bad.saturating_add(other.bad),
        }
    }
}

/// Counts are far below 2^52.
#[allow(clippy::cast_precision_loss)]
fn count(count: u64) -> f64 {
    count as f64
}
