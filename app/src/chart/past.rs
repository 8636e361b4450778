//! The part of the history that is on the page, and the figures derived from it.

use std::ops::Range;

use rad_model::{History, Snapshot};

use super::path::{self, Point, Runs};
use super::scale::{Scale, Span};
use crate::board::{Board, MEAN_MS};
use crate::format::approximate;

/// Spans longer than this are drawn in steps of several intervals.
const LONG_MS: u64 = 300_000;
const STEP_MS: u64 = 5_000;

/// The intervals of the history from `from` on.
#[derive(Clone, Copy, Debug)]
pub struct Past<'a> {
    pub history: &'a History,
    pub snapshot: &'a Snapshot,
    pub span: Span,
    pub from: usize,
    interval_ms: u64,
    step_ms: u64,
}

impl<'a> Past<'a> {
    /// The last `length_ms` of the board.
    #[must_use]
    pub fn new(board: &'a Board, length_ms: u64) -> Self {
        let history = &board.snapshot.history;
        let span = Span::until(board.at_ms(), length_ms);
        let from = history.at_ms.partition_point(|at| *at < span.left_ms);
        let interval_ms = u64::from(board.interval_ms.max(1));
        let step_ms = if length_ms > LONG_MS { STEP_MS.max(interval_ms) } else { 1 };
        Self { history, snapshot: &board.snapshot, span, from, interval_ms, step_ms }
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
    pub fn rate(&self, count: f64) -> f64 {
        count * 1_000.0 / approximate(self.interval_ms)
    }

    /// The latest intervals, over which means are taken.
    #[must_use]
    pub fn latest(&self) -> Range<usize> {
        let count = usize::try_from(MEAN_MS.div_ceil(self.interval_ms)).unwrap_or(1);
        self.history.len().saturating_sub(count)..self.history.len()
    }

    /// The mean rate of a column in the latest intervals.
    #[must_use]
    pub fn mean_rate(&self, column: &[u32]) -> f64 {
        self.rate(mean(column, self.latest()))
    }

    /// The mean of a column of durations, leaving out intervals without a request.
    #[must_use]
    pub fn mean_duration(&self, column: &[u32], step: Range<usize>) -> Option<f64> {
        let known = column.get(step).unwrap_or_default().iter().filter(|us| **us > 0);
        let (sum, count) = known.fold((0.0, 0_u32), |(sum, count), us| (sum + f64::from(*us), count + 1));
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

    /// What a chart draws as one point each: single intervals, or in a long span five seconds together, so
    /// that a line can be followed by eye. A gap in time ends a step.
    #[must_use]
    pub fn steps(&self) -> Vec<Range<usize>> {
        let width = self.step_ms;
        let mut steps: Vec<Range<usize>> = vec![];
        let times = &self.history.at_ms;
        for at in self.from..times.len() {
            match steps.last_mut() {
                Some(step)
                    if times[step.start] / width == times[at] / width && !self.is_gap(step.end - 1, at) =>
                {
                    step.end = at + 1;
                }
                _ => steps.push(at..at + 1),
            }
        }
        steps
    }

    /// The step that an interval is part of.
    #[must_use]
    pub fn step_of(&self, at: usize) -> Range<usize> {
        self.steps().into_iter().find(|step| step.contains(&at)).unwrap_or(at..at + 1)
    }

    /// A series on a scale, cut into runs at gaps.
    #[must_use]
    pub fn runs(
        &self,
        steps: &[Range<usize>],
        value: impl Fn(Range<usize>) -> Option<f64>,
        scale: Scale,
    ) -> Runs {
        let times = &self.history.at_ms;
        let width = steps.iter().map(|step| times[step.end - 1] - times[step.start]).max().unwrap_or(0);
        let gap_ms = (width + self.interval_ms) * 5 / 2;
        let place = |at_ms, value| Point { x: self.span.position(at_ms), y: scale.position(value) };
        let mut runs = Runs::new();
        // Where intervals are missing the line breaks, however short the gap is beside a step.
        for part in steps.chunk_by(|a, b| !self.is_gap(a.end - 1, b.start)) {
            let series = part.iter().map(|step| (times[step.end - 1], value(step.clone())));
            runs.extend(path::runs(series, gap_ms, place));
        }
        runs
    }

    fn is_gap(&self, before: usize, after: usize) -> bool {
        let times = &self.history.at_ms;
        times[after].saturating_sub(times[before]) > self.interval_ms * 5 / 2
    }
}

/// The mean of a column over some intervals.
#[must_use]
pub fn mean(column: &[u32], step: Range<usize>) -> f64 {
    let part = column.get(step).unwrap_or_default();
    let sum: f64 = part.iter().copied().map(f64::from).sum();
    if part.is_empty() { 0.0 } else { sum / approximate(part.len() as u64) }
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
    fn a_long_span_is_drawn_in_steps_of_five_seconds_that_stay_where_they_are() {
        let board = board(&[1; 100], &[0; 100]);
        assert_eq!(Past::new(&board, 60_000).steps().len(), 61);
        let steps = Past::new(&board, 900_000).steps();
        assert_eq!(steps[..3], [0..4, 4..9, 9..14]);
    }

    #[test]
    fn a_gap_in_time_breaks_the_line_even_in_a_long_span() {
        let mut board = board(&[1; 10], &[0; 10]);
        for seq in 11..15 {
            board.apply(&Frame::Tick(Tick { seq, at_ms: 3_000 + seq * 1_000, ..Tick::default() }));
        }
        for length in [60_000, 900_000] {
            let past = Past::new(&board, length);
            let scale = Scale::from_zero(1.0, 1, 1.0);
            assert_eq!(past.runs(&past.steps(), |_| Some(1.0), scale).len(), 2);
        }
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
