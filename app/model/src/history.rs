//! The last fifteen minutes, as columns: small on the wire, ready to draw.

use serde::{Deserialize, Serialize};

use crate::{BreakerMode, BreakerState, Share, Tick};

/// One column per series; all columns have one entry an interval, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// When each interval ended, milliseconds since 1970.
    pub at_ms: Vec<u64>,
    pub answered: Vec<u32>,
    pub limited: Vec<u32>,
    pub shed: Vec<u32>,
    pub short_circuited: Vec<u32>,
    pub failed: Vec<u32>,
    pub unmatched: Vec<u32>,
    pub p50_us: Vec<u32>,
    pub p90_us: Vec<u32>,
    pub p99_us: Vec<u32>,
    /// How full the fullest limit of all was, in thousandths.
    pub limit_use: Vec<u16>,
    pub cached: Vec<u32>,
    pub loaded: Vec<u32>,
    pub running: Vec<u32>,
    pub waiting: Vec<u32>,
    /// One column a breaker.
    pub breakers: Vec<Vec<BreakerCell>>,
    /// One column a rollout: the candidate's share.
    pub rollouts: Vec<Vec<Share>>,
}

/// A breaker in one interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum BreakerCell {
    /// Not known.
    #[default]
    #[serde(rename = "-")]
    Unknown,
    /// Closed, and nothing failed.
    #[serde(rename = "c")]
    Closed,
    /// Closed, and something failed.
    #[serde(rename = "f")]
    Failing,
    /// Open.
    #[serde(rename = "o")]
    Open,
    /// Half-open.
    #[serde(rename = "h")]
    HalfOpen,
}

impl History {
    /// How many intervals are kept: fifteen minutes of seconds.
    pub const CAPACITY: usize = 900;

    /// How many intervals are here.
    #[must_use]
    pub fn len(&self) -> usize {
        self.at_ms.len()
    }

    /// Whether nothing is here yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.at_ms.is_empty()
    }

    /// Puts what an earlier run of the server had told before what this one tells, so that a restart shows
    /// as a gap in time and not as the loss of all that was seen. Columns of breakers and rollouts go on
    /// only where they are `same`: otherwise nothing is known of the time before.
    pub fn continue_from(&mut self, earlier: &Self, same: bool) {
        let first = self.at_ms.first().copied().unwrap_or(u64::MAX);
        let known = earlier.at_ms.partition_point(|at_ms| *at_ms < first);
        let from = (known + self.len()).saturating_sub(Self::CAPACITY).min(known);
        let kept = from..known;
        let now = self.len();
        prepend(&mut self.at_ms, &earlier.at_ms[kept.clone()]);
        for (column, before) in [
            (&mut self.answered, &earlier.answered),
            (&mut self.limited, &earlier.limited),
            (&mut self.shed, &earlier.shed),
            (&mut self.short_circuited, &earlier.short_circuited),
            (&mut self.failed, &earlier.failed),
            (&mut self.unmatched, &earlier.unmatched),
            (&mut self.p50_us, &earlier.p50_us),
            (&mut self.p90_us, &earlier.p90_us),
            (&mut self.p99_us, &earlier.p99_us),
            (&mut self.cached, &earlier.cached),
            (&mut self.loaded, &earlier.loaded),
            (&mut self.running, &earlier.running),
            (&mut self.waiting, &earlier.waiting),
        ] {
            prepend(column, before.get(kept.clone()).unwrap_or_default());
        }
        prepend(&mut self.limit_use, earlier.limit_use.get(kept.clone()).unwrap_or_default());
        continue_columns(
            &mut self.breakers,
            &earlier.breakers,
            (kept.clone(), now),
            same,
            BreakerCell::Unknown,
        );
        continue_columns(&mut self.rollouts, &earlier.rollouts, (kept, now), same, Share::NONE);
    }

    /// Adds an interval; the oldest leaves when there are more than [`History::CAPACITY`].
    pub fn push(&mut self, tick: &Tick) {
        let before = self.len();
        put(&mut self.at_ms, tick.at_ms);
        put(&mut self.answered, tick.totals.answered);
        put(&mut self.limited, tick.totals.limited);
        put(&mut self.shed, tick.totals.shed);
        put(&mut self.short_circuited, tick.totals.short_circuited);
        put(&mut self.failed, tick.totals.failed);
        put(&mut self.unmatched, tick.totals.unmatched);
        put(&mut self.p50_us, tick.totals.p50_us);
        put(&mut self.p90_us, tick.totals.p90_us);
        put(&mut self.p99_us, tick.totals.p99_us);
        put(&mut self.limit_use, fullest_permille(tick));
        put(&mut self.cached, tick.totals.cached);
        put(&mut self.loaded, tick.totals.loaded);
        put(&mut self.running, tick.totals.running);
        put(&mut self.waiting, tick.totals.waiting);
        let cells = tick.breakers.iter().map(|breaker| match breaker.state {
            // What people decided is what requests meet.
            _ if breaker.mode == BreakerMode::ForcedOpen => BreakerCell::Open,
            BreakerState::Closed if breaker.failed > 0 => BreakerCell::Failing,
            BreakerState::Closed => BreakerCell::Closed,
            BreakerState::Open => BreakerCell::Open,
            BreakerState::HalfOpen => BreakerCell::HalfOpen,
        });
        put_columns(&mut self.breakers, before, cells, BreakerCell::Unknown);
        let shares = tick.rollouts.iter().map(|rollout| rollout.candidate_share);
        put_columns(&mut self.rollouts, before, shares, Share::NONE);
    }
}

fn fullest_permille(tick: &Tick) -> u16 {
    let share = tick.routes.iter().filter_map(|route| route.fullest.as_ref()).map(crate::LimitUse::share);
    // 0 to 1,000 after the clamp.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let permille = (share.fold(0.0, f64::max).clamp(0.0, 1.0) * 1_000.0).round() as u16;
    permille
}

fn put<T>(column: &mut Vec<T>, value: T) {
    if column.len() >= History::CAPACITY {
        column.remove(0);
    }
    column.push(value);
}

fn prepend<T: Clone>(column: &mut Vec<T>, before: &[T]) {
    column.splice(..0, before.iter().cloned());
}

fn continue_columns<T: Clone>(
    columns: &mut Vec<Vec<T>>,
    earlier: &[Vec<T>],
    (kept, now): (std::ops::Range<usize>, usize),
    same: bool,
    absent: T,
) {
    if same && columns.len() < earlier.len() {
        // Nothing has been told yet by the new run.
        columns.resize(earlier.len(), vec![absent.clone(); now]);
    }
    for (at, column) in columns.iter_mut().enumerate() {
        let before = earlier.get(at).and_then(|before| before.get(kept.clone())).filter(|_| same);
        let unknown = || vec![absent.clone(); kept.len()];
        prepend(column, &before.map_or_else(unknown, <[T]>::to_vec));
    }
}

/// Pads columns that appear later than the first interval, so that all stay of one length.
fn put_columns<T: Clone>(
    columns: &mut Vec<Vec<T>>,
    before: usize,
    values: impl Iterator<Item = T>,
    absent: T,
) {
    let mut seen = 0;
    for (at, value) in values.enumerate() {
        if at == columns.len() {
            columns.push(vec![absent.clone(); before]);
        }
        put(&mut columns[at], value);
        seen = at + 1;
    }
    for column in columns.iter_mut().skip(seen) {
        put(column, absent.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BreakerTick;

    fn tick(seq: u64) -> Tick {
        Tick { seq, at_ms: seq * 1_000, breakers: vec![BreakerTick::default()], ..Tick::default() }
    }

    #[test]
    fn the_history_holds_fifteen_minutes_and_forgets_the_oldest() {
        let mut history = History::default();
        for seq in 1..=1_000 {
            history.push(&tick(seq));
        }
        assert_eq!(history.len(), 900);
        assert_eq!(history.at_ms.first(), Some(&101_000));
        assert_eq!(history.breakers[0].len(), 900);
    }

    #[test]
    fn after_a_restart_the_time_before_stays_and_nothing_is_told_twice() {
        let (mut before, mut after) = (History::default(), History::default());
        (1..=899).for_each(|seq| before.push(&tick(seq)));
        (897..=920).for_each(|seq| after.push(&tick(seq)));
        after.continue_from(&before, true);
        assert_eq!(after.len(), 900);
        assert_eq!((after.at_ms[0], after.at_ms[875], after.at_ms[876]), (21_000, 896_000, 897_000));
        assert!(after.at_ms.is_sorted_by(|a, b| a < b));
        assert_eq!(after.breakers[0], vec![BreakerCell::Closed; 900]);
        assert_eq!(after.p99_us.len(), 900);
    }

    #[test]
    fn a_restart_with_other_breakers_knows_nothing_of_theirs_before() {
        let (mut before, mut after) = (History::default(), History::default());
        (1..=3).for_each(|seq| before.push(&tick(seq)));
        after.push(&tick(9));
        after.continue_from(&before, false);
        assert_eq!(after.breakers[0][..3], [BreakerCell::Unknown; 3]);
        let mut fresh = History::default();
        fresh.continue_from(&before, true);
        assert_eq!(fresh.breakers[0].len(), 3);
    }

    #[test]
    fn a_breaker_that_appears_later_is_unknown_before() {
        let mut history = History::default();
        history.push(&Tick::default());
        history.push(&tick(2));
        assert_eq!(history.breakers[0], [BreakerCell::Unknown, BreakerCell::Closed]);
    }
}
