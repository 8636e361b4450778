//! What is known of both sides since a share began: read from the gateway's counters, and judged.

use std::time::Duration;

use rad_model::Share;

use super::stages::Hold;
use super::verdict::latency::{BLOCK, LatencyJudge, Pace};
use super::verdict::sample_ratio::{Counted, SampleRatio};
use super::verdict::{Criteria, Failure, Judge, Tally, Verdict};
use crate::telemetry::histogram::Counts;

/// Clients are looked at so often: they are many.
const CLIENTS_EVERY: Duration = Duration::from_secs(1);

/// What the gateway counts of one rollout, legacy before candidate. It only grows.
pub trait Evidence {
    /// Requests whose side was drawn.
    fn tallies(&self) -> [Tally; 2];
    /// How long the heads of their answers took.
    fn latencies(&self) -> [Counts; 2];
    /// Shows a sample of the clients since they were last forgotten.
    fn clients(&self, check: &mut SampleRatio);
    fn forget_clients(&self);
}

/// When evidence is looked at, and what else is known then.
#[derive(Clone, Copy, Debug)]
pub struct Looks {
    /// Whether the candidate cannot be asked, and legacy can.
    pub is_shut: bool,
    /// Milliseconds since 1970.
    pub now_ms: u64,
}

/// The evidence of one share, as far as it was looked at.
#[derive(Clone, Debug)]
pub struct Gathered {
    judge: Judge,
    /// Both sides' counts when they were last looked at.
    looked: Option<[Tally; 2]>,
    latency: Option<(LatencyJudge, Option<Began>)>,
    ratio: SampleRatio,
    clients_at_ms: Option<u64>,
}

/// A block of latencies that is under way.
#[derive(Clone, Debug)]
struct Began {
    at_ms: u64,
    counts: [Counts; 2],
    /// When its end was last looked for.
    looked_ms: u64,
}

impl Gathered {
    #[must_use]
    pub fn new(share: Share, criteria: Criteria) -> Self {
        Self {
            judge: Judge::new(criteria.target, criteria.least),
            looked: None,
            latency: criteria.latency.map(|guard| (LatencyJudge::new(guard), None)),
            ratio: SampleRatio::new(share),
            clients_at_ms: None,
        }
    }

    /// As [`Gathered::new`], where nothing has been counted before: the first requests are evidence, too.
    #[must_use]
    pub fn from_the_start(share: Share, criteria: Criteria) -> Self {
        Self { looked: Some([Tally::default(); 2]), ..Self::new(share, criteria) }
    }

    pub fn look(&mut self, evidence: &impl Evidence, Looks { is_shut, now_ms }: Looks) {
        let counts = evidence.tallies();
        let [legacy_before, candidate_before] = self.looked.replace(counts).unwrap_or(counts);
        let [legacy, candidate] = counts;
        self.judge.see(since(candidate, candidate_before), since(legacy, legacy_before));
        if is_shut {
            self.judge.cannot_ask();
        }
        self.look_at_clients(evidence, now_ms);
        self.look_at_latencies(evidence, now_ms);
    }

    fn look_at_clients(&mut self, evidence: &impl Evidence, now_ms: u64) {
        match self.clients_at_ms {
            // Those of the share before this one are none of this one's.
            None => evidence.forget_clients(),
            Some(at_ms) if is_over(at_ms, now_ms, CLIENTS_EVERY) => {
                evidence.clients(&mut self.ratio);
                self.ratio.judge();
            }
            Some(_) => return,
        }
        self.clients_at_ms = Some(now_ms);
    }

    fn look_at_latencies(&mut self, evidence: &impl Evidence, now_ms: u64) {
        let Some((judge, began)) = &mut self.latency else { return };
        let Some(block) = began else {
            *began = Some(Began { at_ms: now_ms, counts: evidence.latencies(), looked_ms: now_ms });
            return;
        };
        // A block that lacks requests is looked at once a second.
        if !is_over(block.at_ms, now_ms, BLOCK) || !is_over(block.looked_ms, now_ms, CLIENTS_EVERY) {
            return;
        }
        block.looked_ms = now_ms;
        let counts = evidence.latencies();
        let [legacy, candidate] =
            [0, 1].map(|side: usize| match (counts.get(side), block.counts.get(side)) {
                (Some(now), Some(before)) => now.since(before),
                _ => Counts::default(),
            });
        let took = Duration::from_millis(now_ms.saturating_sub(block.at_ms));
        if judge.is_block(&candidate, &legacy, took) {
            judge.see(&candidate, &legacy);
            *block = Began { at_ms: now_ms, counts, looked_ms: now_ms };
        }
    }

    #[must_use]
    pub fn seen(&self) -> (Tally, Tally) {
        self.judge.seen()
    }

    /// Clients that were answered, a sample of them.
    #[must_use]
    pub fn clients(&self) -> Counted {
        self.ratio.answered()
    }

    /// What is wrong comes before what is fast enough.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match (self.judge.verdict(), self.pace()) {
            (failed @ Verdict::Fail(_), _) => failed,
            (_, Pace::Slow(how)) => Verdict::Fail(Failure::Slow(how)),
            (Verdict::Pass, Pace::Shared) => Verdict::Shared,
            (verdict, _) => verdict,
        }
    }

    /// Why the verdict is not to be acted on by going forwards.
    #[must_use]
    pub fn hold(&self) -> Option<Hold> {
        let latency = || (self.pace() == Pace::Unsure).then_some(Hold::Latency);
        self.ratio.mismatch().map(Hold::Sample).or_else(latency)
    }

    fn pace(&self) -> Pace {
        self.latency.as_ref().map_or(Pace::Good, |(judge, _)| judge.pace())
    }
}

fn is_over(from_ms: u64, now_ms: u64, time: Duration) -> bool {
    u128::from(now_ms.saturating_sub(from_ms)) >= time.as_millis()
}

fn since(now: Tally, before: Tally) -> Tally {
    Tally { requests: now.requests.saturating_sub(before.requests), bad: now.bad.saturating_sub(before.bad) }
}
