//! The part of the history that is on the page, and the figures derived from it.

use rad_model::{History, Snapshot};

use super::path::{self, Point, Runs};
use super::scale::{Scale, Span};
use crate::board::Board;
use crate::format::approximate;

/// Figures of a single second jump too much to be read: tiles and legends show the mean of so many.
pub const MEAN_MS: u64 = 10_000;

/// The intervals of the history from `from` on.
#[derive(Clone, Copy, Debug)]
pub struct Past<'a> {
    pub history: &'a History,
    pub snapshot: &'a Snapshot,
    pub span: Span,
    pub from: usize,
    interval_ms: u64,
}

impl<'a> Past<'a> {
    /// The last `length_ms` of the board.
    #[must_use]
    pub fn new(board: &'a Board, length_ms: u64) -> Self {
        let history = &board.snapshot.history;
        let span = Span::until(board.at_ms(), length_ms);
        let from = history.at_ms.iter().position(|at| *at >= span.left_ms).unwrap_or(history.len());
        let interval_ms = u64::from(board.interval_ms.max(1));
        Self { history, snapshot: &board.snapshot, span, from, interval_ms }
    }

    /// How many intervals are shown.
    #[must_use]
    pub fn points(&self) -> usize {
        self.history.len() - self.from
    }

    /// The interval that ended nearest to a moment.
    #[must_use]
    pub fn nearest(&self, at_ms: u64) -> Option<usize> {
        let known = self.history.at_ms.get(self.from..)?;
        let near = (0..known.len()).min_by_key(|at| known[*at].abs_diff(at_ms))?;
        Some(self.from + near)
    }

    /// A count of one interval as a rate per second.
    #[must_use]
    pub fn rate(&self, count: u32) -> f64 {
        f64::from(count) * 1_000.0 / approximate(self.interval_ms)
    }

    /// The latest intervals, over which means are taken.
    #[must_use]
    pub fn latest(&self) -> std::ops::Range<usize> {
        let count = usize::try_from(MEAN_MS.div_ceil(self.interval_ms)).unwrap_or(1);
        self.history.len().saturating_sub(count)..self.history.len()
    }

    /// The mean rate of a column in the latest intervals.
    #[must_use]
    pub fn mean_rate(&self, column: &[u32]) -> f64 {
        let latest = column.get(self.latest()).unwrap_or_default();
        let sum: f64 = latest.iter().map(|count| self.rate(*count)).sum();
        if latest.is_empty() { 0.0 } else { sum / approximate(latest.len() as u64) }
    }

    /// The mean of a column of durations in the latest intervals, leaving out those without a request.
    #[must_use]
    pub fn mean_duration(&self, column: &[u32]) -> Option<f64> {
        let latest = column.get(self.latest()).unwrap_or_default();
        let (sum, count) =
            latest.iter().filter(|us| **us > 0).fold((0.0, 0_u32), |(s, n), us| (s + f64::from(*us), n + 1));
        (count > 0).then(|| sum / f64::from(count))
    }

    /// The share of requests that were answered in the ten seconds up to an interval.
    #[must_use]
    pub fn success(&self, at: usize) -> Option<f64> {
        let history = self.history;
        let length = self.latest().len().max(1);
        let window = (at + 1).saturating_sub(length)..at + 1;
        let sum = |column: &[u32]| -> u64 {
            column.get(window.clone()).unwrap_or_default().iter().map(|count| u64::from(*count)).sum()
        };
        let answered = sum(&history.answered);
        let all = answered + sum(&history.short_circuited) + sum(&history.failed);
        (all > 0).then(|| approximate(answered) / approximate(all))
    }

    /// A series on a scale, cut into runs at gaps.
    #[must_use]
    pub fn runs(&self, value: impl Fn(usize) -> Option<f64>, scale: Scale) -> Runs {
        let times = self.history.at_ms.iter().enumerate().skip(self.from);
        let place = |at, value| Point { x: self.span.position(at), y: scale.position(value) };
        path::runs(times.map(|(at, at_ms)| (*at_ms, value(at))), self.interval_ms * 5 / 2, place)
    }
}

/// The entry of a column, 0 where there is none.
#[must_use]
pub fn entry(column: &[u32], at: usize) -> u32 {
    column.get(at).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rad_model::{Frame, Tick, Totals};

    fn board(answered: &[u32], failed: &[u32]) -> Board {
        let mut board = Board::default();
        board.interval_ms = 1_000;
        for (at, (answered, failed)) in (1..).zip(answered.iter().zip(failed)) {
            let totals = Totals { answered: *answered, failed: *failed, ..Totals::default() };
            board.apply(&Frame::Tick(Tick { seq: at, at_ms: at * 1_000, totals, ..Tick::default() }));
        }
        board
    }

    #[test]
    fn means_are_of_the_last_ten_seconds_only() {
        let mut answered = vec![1_000];
        answered.extend([20; 10]);
        let board = board(&answered, &[0; 11]);
        let past = Past::new(&board, 60_000);
        assert_eq!(past.mean_rate(&board.snapshot.history.answered), 20.0);
    }

    #[test]
    fn success_is_unknown_while_nothing_is_asked() {
        let board = board(&[0, 3], &[0, 1]);
        let past = Past::new(&board, 60_000);
        assert_eq!(past.success(0), None);
        assert_eq!(past.success(1), Some(0.75));
    }

    #[test]
    fn only_the_span_is_shown() {
        let board = board(&[1; 100], &[0; 100]);
        let past = Past::new(&board, 60_000);
        assert_eq!(past.points(), 61);
        assert_eq!(past.nearest(70_400), Some(69));
        assert_eq!(past.nearest(0), Some(past.from));
    }
}
