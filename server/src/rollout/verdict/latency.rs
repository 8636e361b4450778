//! Whether the candidate is fast enough.
//!
//! Slow requests come in bursts: a pause for garbage, a queue that fills, a cold cache. Ten slow ones in a row are one
//! misfortune and not ten, and a test that takes them for ten takes good candidates out. So time is cut into blocks of
//! [`BLOCK`], and each gives one outcome, whatever happened within:
//!
//! - Against a limit: the share of the block's requests that took longer. A candidate whose quantile is at the limit
//!   has `1 - quantile` of them on average over blocks, however they clump together within each.
//! - Against legacy: whether, of the candidate's requests in this block, more took longer than so many times what
//!   legacy's quantile was of late, than of legacy's took longer than that quantile. At most every other block says so,
//!   if the candidate is as fast as is asked.
//!
//! On outcomes like these one bets against the candidate ([`Bets`]), block by block. What must be true for the stated
//! error: that bursts are shorter than a block, or at least that their chance does not depend on the blocks before.
//! Longer ones do not ruin it at once: no single block raises the stake of a bet more than 17-fold, so that a candidate
//! is never out for less than about twenty seconds of slowness.

#[cfg(test)]
mod simulation;

use std::time::Duration;

use super::bets::Bets;
use crate::telemetry::histogram::Counts;

/// A block takes so long at least,
pub const BLOCK: Duration = Duration::from_secs(5);
/// and has so many requests of the candidate, and of legacy if that is asked; after a while of the candidate alone.
const LEAST: u64 = 10;
const PATIENCE: Duration = Duration::from_secs(60);
/// A candidate exactly at its limit is taken out by mistake once in so many blocks at most: about six days of them.
pub const ONCE_IN: f64 = 1e5;
/// Legacy is taken to be too slow as well at this stake: less is asked than of the candidate.
const SUFFERS: f64 = 20.0;
/// The candidate is to blame nevertheless if it has so many times as many slow requests,
const WORSE: f64 = 4.0;
/// by mistake at most once in so many blocks.
const TO_BLAME: f64 = 1e3;
/// No promotion before so many blocks,
const CALM: u32 = 12;
/// or while the bets against the candidate are at this stake.
const UNEASY: f64 = 20.0;
/// Legacy's pace of late: so many blocks, or twice as many.
const OF_LATE: u32 = 12;
/// What is bet on the share of slow requests, each as a multiple of what a block that is slow throughout would win.
const STAKES: [f64; 5] = [1.0, 2.0, 4.0, 8.0, 16.0];
/// What is bet on which side was slower.
const ON_A_SIDE: [f64; 3] = [0.25, 0.5, 0.75];
/// What is bet on the candidate being that much worse: all may be lost on legacy, which counts so many times.
const ON_WORSE: [f64; 3] = [0.05, 0.1, 0.2];

/// What is asked of a candidate's latency.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LatencyGuard {
    /// Of the requests, so many must be as fast: 0.5 to 0.999.
    pub quantile: f64,
    pub at_most: Option<Duration>,
    /// Times what legacy takes at the same time: 1 to 10.
    pub no_slower_than: Option<f64>,
}

/// How a candidate is too slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooSlow {
    OverLimit,
    ThanLegacy,
}

/// What is known of a candidate's latency since a stage began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Fast enough, as far as can be told.
    Good,
    /// Not enough blocks yet, or too many slow ones of late.
    Unsure,
    Slow(TooSlow),
    /// Too slow, and so is legacy.
    Shared,
}

/// The judgement of one candidate's latency since a stage began.
#[derive(Clone, Debug)]
pub struct LatencyJudge {
    guard: LatencyGuard,
    blocks: u32,
    over_limit: Bets,
    legacy_over_limit: Bets,
    worse: Bets,
    than_legacy: Bets,
    legacy: OfLate,
}

impl LatencyJudge {
    #[must_use]
    pub fn new(guard: LatencyGuard) -> Self {
        let allowed = 1.0 - guard.quantile;
        // The most that is lost in a block without a slow request stays below the stake.
        let stakes = STAKES.map(|stake| stake.min(0.9 / allowed));
        Self {
            guard,
            blocks: 0,
            // Enough that one bet alone is believed. Legacy's last longer, so that after something that both
            // suffered the candidate's are gone first.
            over_limit: Bets::on(&stakes, 5.0 * ONCE_IN),
            legacy_over_limit: Bets::on(&stakes, 10.0 * SUFFERS),
            worse: Bets::on(&ON_WORSE, 3.0 * TO_BLAME),
            than_legacy: Bets::on(&ON_A_SIDE, 3.0 * ONCE_IN),
            legacy: OfLate::default(),
        }
    }

    /// Whether what both sides did in so long a time is a block.
    #[must_use]
    pub fn is_block(&self, candidate: &Counts, legacy: &Counts, took: Duration) -> bool {
        let asks_legacy = self.guard.no_slower_than.is_some() && took < PATIENCE;
        took >= BLOCK && candidate.total() >= LEAST && (!asks_legacy || legacy.total() >= LEAST)
    }

    /// Sees what both sides did in one block.
    pub fn see(&mut self, candidate: &Counts, legacy: &Counts) {
        self.blocks = self.blocks.saturating_add(1);
        let allowed = 1.0 - self.guard.quantile;
        if let Some(limit) = self.guard.at_most {
            let limit = micros(limit);
            let ours = Slower::than(limit, candidate).of();
            self.over_limit.add(ours - allowed);
            if legacy.total() > 0 {
                let theirs = Slower::than(limit, legacy).of();
                self.legacy_over_limit.add(theirs - allowed);
                self.worse.add(ours - WORSE * theirs);
            }
        }
        // What legacy took is known from the blocks before this one, so that this one decides nothing about it.
        if let Some(times) = self.guard.no_slower_than
            && let Some(usual) = self.legacy.quantile(self.guard.quantile)
            && legacy.total() >= LEAST
        {
            let ours = Slower::than(scaled(usual, times), candidate);
            // What is in doubt is in favour of the candidate.
            let theirs = Slower::perhaps_than(usual, legacy);
            if let Some(won) = ours.is_more_than(theirs) {
                self.than_legacy.add(if won { 1.0 } else { -1.0 });
            }
        }
        self.legacy.see(legacy);
    }

    #[must_use]
    pub fn pace(&self) -> Pace {
        if self.than_legacy.at_least(ONCE_IN) {
            return Pace::Slow(TooSlow::ThanLegacy);
        }
        if self.over_limit.at_least(ONCE_IN) {
            let is_shared = self.legacy_over_limit.at_least(SUFFERS) && !self.worse.at_least(TO_BLAME);
            return if is_shared { Pace::Shared } else { Pace::Slow(TooSlow::OverLimit) };
        }
        let is_uneasy = self.over_limit.at_least(UNEASY) || self.than_legacy.at_least(UNEASY);
        if self.blocks < CALM || is_uneasy { Pace::Unsure } else { Pace::Good }
    }
}

/// So many of all took longer than something.
#[derive(Clone, Copy, Debug)]
struct Slower {
    slow: u64,
    all: u64,
}

impl Slower {
    fn of(self) -> f64 {
        super::count(self.slow) / super::count(self.all.max(1))
    }

    /// Whether these are more than those; none if they are as many. Where those are fewer in all, one of them more
    /// might have been slow: a share that a few requests cannot show is not held against many.
    fn is_more_than(self, those: Self) -> Option<bool> {
        let doubt = u64::from(those.all < self.all);
        let (ours, theirs) = (self.slow.saturating_mul(those.all), those.slow.saturating_mul(self.all));
        if ours > theirs.saturating_add(doubt.saturating_mul(self.all)) {
            Some(true)
        } else {
            (ours < theirs).then_some(false)
        }
    }
}

/// Of both, to the precision of the buckets, 6 %.
impl Slower {
    /// Certainly more than `us`.
    fn than(us: u64, counts: &Counts) -> Self {
        let all = counts.total();
        Self { slow: all.saturating_sub(counts.at_most(us).saturating_add(counts.around(us))), all }
    }

    /// Perhaps `us` or more.
    fn perhaps_than(us: u64, counts: &Counts) -> Self {
        let all = counts.total();
        Self { slow: all.saturating_sub(counts.at_most(us)), all }
    }
}

/// What legacy took of late.
#[derive(Clone, Debug, Default)]
struct OfLate {
    before: Counts,
    now: Counts,
    blocks: u32,
}

impl OfLate {
    fn see(&mut self, block: &Counts) {
        self.now.add(block);
        self.blocks += 1;
        if self.blocks >= OF_LATE {
            self.before = std::mem::take(&mut self.now);
            self.blocks = 0;
        }
    }

    /// None before there are some blocks.
    fn quantile(&self, quantile: f64) -> Option<u64> {
        let mut counts = self.before.clone();
        counts.add(&self.now);
        (counts.total() >= 2 * LEAST).then(|| u64::from(counts.quantile_us(quantile)))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn scaled(us: u64, times: f64) -> u64 {
    // At most ten times four and a half minutes.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let scaled = (super::count(us) * times).ceil() as u64;
    scaled
}
