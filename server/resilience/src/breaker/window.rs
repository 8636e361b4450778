//! What the last calls were like: the sliding windows that rates are taken from.
//!
//! Both kinds are resilience4j's: the last N calls, or the calls of the last while. Neither takes a lock.
//! Everything in a window carries the generation of the period that it was counted in, so that a breaker
//! which closes starts with an empty window without anybody clearing it, and a call that is recorded late
//! cannot get into it.

use std::time::Duration;

use super::atomic::{AtomicU64, Ordering};
use super::settings::SlidingWindow;
use super::tally::{SLICES, Slice, Tally, TallyRing};

/// What counts of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub failed: bool,
    pub slow: bool,
}

/// The calls in a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub calls: u32,
    pub failures: u32,
    pub slow: u32,
}

#[derive(Debug)]
pub(super) enum Window {
    Count(CountWindow),
    Time(TimeWindow),
}

impl Window {
    pub(super) fn new(kind: SlidingWindow) -> Self {
        match kind {
            SlidingWindow::CountBased { calls } => Self::Count(CountWindow::new(calls)),
            SlidingWindow::TimeBased { duration } => Self::Time(TimeWindow::new(duration)),
        }
    }

    /// Counts a call of a period, as [`Word::window_period`](super::word::Word::window_period) names it.
    pub(super) fn record(&self, period: u64, call: Call, now_ms: u64) {
        match self {
            Self::Count(window) => window.record(period, call),
            Self::Time(window) => window.record(period, call, now_ms),
        }
    }

    /// The counts of the period. What is bad is read before the calls that it is part of, so that no rate
    /// comes out too high.
    pub(super) fn counts(&self, period: u64, now_ms: u64) -> Counts {
        match self {
            Self::Count(CountWindow { calls, failures, slow, .. }) => {
                let (failures, slow) = (failures.get(period), slow.get(period));
                Counts { calls: calls.get(period), failures, slow }
            }
            Self::Time(window) => {
                let slices = window.slice(period, now_ms).window();
                slices.fold(Counts::default(), |sum, (at, tag)| {
                    let (failures, slow) = (window.failures.get(at, tag), window.slow.get(at, tag));
                    match window.calls.0.get(at, tag) {
                        // Its place was taken by a later slice, under a clock that then went backwards.
                        0 => sum,
                        calls => Counts {
                            calls: sum.calls + calls,
                            failures: sum.failures + failures,
                            slow: sum.slow + slow,
                        },
                    }
                })
            }
        }
    }

    /// When the latest slice with a call began, in ms.
    pub(super) fn latest_ms(&self) -> u64 {
        match self {
            Self::Count(_) => 0,
            Self::Time(window) => window.calls.0.latest() / 2,
        }
    }

    /// Whether the period has anything bad in the window: the cheap question that mostly settles it.
    pub(super) fn has_bad(&self, period: u64, now_ms: u64) -> bool {
        match self {
            Self::Count(window) => window.failures.get(period) > 0 || window.slow.get(period) > 0,
            Self::Time(window) => {
                let slice = window.slice(period, now_ms);
                window.failures.sum(slice) > 0 || window.slow.sum(slice) > 0
            }
        }
    }
}

/// The last N calls, in a ring with their sums beside it.
#[derive(Debug)]
pub(super) struct CountWindow {
    slots: Box<[AtomicU64]>,
    calls: Tally,
    failures: Tally,
    slow: Tally,
    /// Written at each call, while the others are mostly read.
    cursor: Apart<AtomicU64>,
}

/// In a cache line of its own, so that who writes it does not take away what others read.
#[derive(Debug)]
#[repr(align(64))]
struct Apart<T>(T);

const FAILED: u64 = 1;
const SLOW: u64 = 2;
const FILLED: u64 = 4;
const FLAG_BITS: u32 = 3;

impl CountWindow {
    fn new(calls: u32) -> Self {
        Self {
            slots: (0..calls.max(1)).map(|_| AtomicU64::new(0)).collect(),
            cursor: Apart(AtomicU64::new(0)),
            calls: Tally::new(),
            failures: Tally::new(),
            slow: Tally::new(),
        }
    }

    fn record(&self, period: u64, call: Call) {
        let at = self.cursor.0.fetch_add(1, Ordering::Relaxed) % self.slots.len() as u64;
        let Some(slot) = usize::try_from(at).ok().and_then(|at| self.slots.get(at)) else { return };
        let new = (period << FLAG_BITS)
            | FILLED
            | (u64::from(call.slow) * SLOW)
            | (u64::from(call.failed) * FAILED);
        let mut old = slot.load(Ordering::Acquire);
        loop {
            // The common case: one good call in place of another.
            if old == new || old >> FLAG_BITS > period {
                return;
            }
            match slot.compare_exchange_weak(old, new, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => break,
                Err(held) => old = held,
            }
        }
        let old = if old >> FLAG_BITS == period { old } else { 0 };
        if old & FILLED == 0 {
            self.calls.add(period, 1);
        }
        adjust(&self.failures, period, old & FAILED != 0, call.failed);
        adjust(&self.slow, period, old & SLOW != 0, call.slow);
    }
}

fn adjust(tally: &Tally, period: u64, before: bool, after: bool) {
    if before != after {
        tally.add(period, if after { 1 } else { -1 });
    }
}

/// The calls of the last while, in slices of a tenth of it.
#[derive(Debug)]
pub(super) struct TimeWindow {
    slice_ms: u64,
    failures: TallyRing,
    slow: TallyRing,
    /// Written at each call, while the others are mostly read.
    calls: Apart<TallyRing>,
}

impl TimeWindow {
    fn new(duration: Duration) -> Self {
        let slice_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX) / SLICES as u64;
        Self { slice_ms, failures: TallyRing::new(), slow: TallyRing::new(), calls: Apart(TallyRing::new()) }
    }

    fn slice(&self, period: u64, now_ms: u64) -> Slice {
        // Periods are in half milliseconds, with the lowest bit for another purpose.
        Slice::at(now_ms * 2 + period % 2, period, self.slice_ms * 2)
    }

    fn record(&self, period: u64, call: Call, now_ms: u64) {
        let slice = self.slice(period, now_ms);
        // A slice that is full (8 million calls) is known well enough: what comes later is not counted,
        // so that its rates stay true.
        if !self.calls.0.add(slice, 1) {
            return;
        }
        if call.failed {
            self.failures.add(slice, 1);
        }
        if call.slow {
            self.slow.add(slice, 1);
        }
    }
}
