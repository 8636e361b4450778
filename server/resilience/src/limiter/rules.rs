//! All windows of a policy together: they are asked first, and charged only if all allow.

use std::time::Duration;

use super::window::{Gauge, NEVER, Window, Words};
use super::{Decision, MAX_WINDOWS, Policy, Standing, Standings, Strategy};
use crate::{Timestamp, table};

#[derive(Debug)]
pub(super) struct Rules {
    windows: Box<[Window]>,
    /// Words that the table stores for each window.
    stride: usize,
    shadow: bool,
}

impl Rules {
    pub(super) fn new(policy: &Policy) -> Self {
        let windows = policy.quotas().iter().map(|quota| Window::new(policy, *quota)).collect();
        let stride = if policy.strategy() == Strategy::SlidingWindow { 2 } else { 1 };
        Self { windows, stride, shadow: policy.is_shadow() }
    }

    /// Words that the table stores for each key.
    pub(super) fn words(&self) -> usize {
        self.windows.len() * self.stride
    }

    fn load(&self, cells: &[u64], at: usize) -> Words {
        let at = at * self.stride;
        let word = |at| cells.get(at).copied().unwrap_or(0);
        [word(at), if self.stride == 2 { word(at + 1) } else { 0 }]
    }

    fn store(&self, cells: &mut [u64], at: usize, words: Words) {
        for (cell, word) in cells.iter_mut().skip(at * self.stride).take(self.stride).zip(words) {
            *cell = word;
        }
    }

    /// Charges `n` requests to every window, or to none.
    pub(super) fn charge(&self, cells: &mut [u64], n: u32, now: Timestamp) -> Decision {
        let now = now.as_nanos();
        let mut next = [Words::default(); MAX_WINDOWS];
        let mut refusal: Option<(&Window, Words, u64)> = None;
        for ((at, window), next) in self.windows.iter().enumerate().zip(&mut next) {
            let mut words = self.load(cells, at);
            window.settle(&mut words, now);
            match window.take(words, n, now) {
                Ok(taken) => *next = taken,
                Err(wait) => {
                    *next = words;
                    if refusal.is_none_or(|(_, _, longest)| wait > longest) {
                        refusal = Some((window, words, wait));
                    }
                }
            }
        }
        if let Some((window, words, wait)) = refusal {
            // Of the windows that refused, what was mended stays; those that allowed are not charged.
            self.settle(cells, now);
            return self.refused(window, window.gauge(words, now), wait);
        }
        for (at, words) in next.into_iter().enumerate().take(self.windows.len()) {
            self.store(cells, at, words);
        }
        self.tightest(&next, now)
    }

    /// What [`charge`](Self::charge) would decide; `remaining` is what is left now.
    pub(super) fn ask(&self, cells: &[u64], n: u32, now: Timestamp) -> Decision {
        let now = now.as_nanos();
        let mut settled = [Words::default(); MAX_WINDOWS];
        let mut refusal: Option<(&Window, Words, u64)> = None;
        for ((at, window), settled) in self.windows.iter().enumerate().zip(&mut settled) {
            *settled = self.load(cells, at);
            window.settle(settled, now);
            if let Err(wait) = window.take(*settled, n, now)
                && refusal.is_none_or(|(_, _, longest)| wait > longest)
            {
                refusal = Some((window, *settled, wait));
            }
        }
        match refusal {
            Some((window, words, wait)) => self.refused(window, window.gauge(words, now), wait),
            None => self.tightest(&settled, now),
        }
    }

    /// Where a key stands in each window.
    pub(super) fn standings(&self, cells: &[u64], now: Timestamp) -> Standings {
        let now = now.as_nanos();
        let mut standings = Standings::default();
        for (at, window) in self.windows.iter().enumerate() {
            let mut words = self.load(cells, at);
            window.settle(&mut words, now);
            let gauge = window.gauge(words, now);
            let more_after = Duration::from_nanos(window.more_after(words, &gauge, now));
            standings.add(Standing { remaining: gauge.remaining, more_after });
        }
        standings
    }

    /// Gives `n` requests back to every window, none of which gets more than whole.
    pub(super) fn give_back(&self, cells: &mut [u64], n: u32, now: Timestamp) {
        let now = now.as_nanos();
        self.settle(cells, now);
        for (at, window) in self.windows.iter().enumerate() {
            let words = window.give_back(self.load(cells, at), n, now);
            self.store(cells, at, words);
        }
    }

    /// How much would be forgotten with a key; 0 if all of its windows are whole.
    pub(super) fn weight(&self, cells: &[u64], now: Timestamp) -> u64 {
        self.gauges(cells, now).map(|(_, gauge)| gauge.weight).max().unwrap_or(0).min(table::PINNED - 1)
    }

    /// The window of which the largest share is used, as an allowed decision.
    pub(super) fn fullest(&self, cells: &[u64], now: Timestamp) -> Option<Decision> {
        let share = |window: &Window, gauge: Gauge| {
            f64::from(window.capacity.saturating_sub(gauge.remaining)) / f64::from(window.capacity.max(1))
        };
        self.gauges(cells, now)
            .max_by(|(a, of_a), (b, of_b)| share(a, *of_a).total_cmp(&share(b, *of_b)))
            .map(|(window, gauge)| self.allowed(window, gauge))
    }

    fn gauges(&self, cells: &[u64], now: Timestamp) -> impl Iterator<Item = (&Window, Gauge)> {
        let now = now.as_nanos();
        self.windows.iter().enumerate().map(move |(at, window)| {
            let mut words = self.load(cells, at);
            window.settle(&mut words, now);
            (window, window.gauge(words, now))
        })
    }

    fn settle(&self, cells: &mut [u64], now: u64) {
        for (at, window) in self.windows.iter().enumerate() {
            let mut words = self.load(cells, at);
            window.settle(&mut words, now);
            self.store(cells, at, words);
        }
    }

    fn tightest(&self, words: &[Words; MAX_WINDOWS], now: u64) -> Decision {
        let mut tightest = (&self.windows[0], self.windows[0].gauge(words[0], now));
        for (window, words) in self.windows.iter().zip(words).skip(1) {
            let gauge = window.gauge(*words, now);
            let order = (gauge.remaining, std::cmp::Reverse(gauge.whole_after));
            // Of windows that have as much left, the one that is whole later says when to come back.
            if order < (tightest.1.remaining, std::cmp::Reverse(tightest.1.whole_after)) {
                tightest = (window, gauge);
            }
        }
        self.allowed(tightest.0, tightest.1)
    }

    fn allowed(&self, window: &Window, gauge: Gauge) -> Decision {
        Decision {
            allowed: true,
            shadow_rejected: false,
            quota: window.quota,
            capacity: window.capacity,
            remaining: gauge.remaining,
            reset_after: Duration::from_nanos(gauge.whole_after),
            retry_after: Duration::ZERO,
        }
    }

    fn refused(&self, window: &Window, gauge: Gauge, wait: u64) -> Decision {
        Decision {
            allowed: self.shadow,
            shadow_rejected: self.shadow,
            quota: window.quota,
            capacity: window.capacity,
            remaining: gauge.remaining,
            reset_after: Duration::from_nanos(gauge.whole_after),
            retry_after: if wait == NEVER { Duration::MAX } else { Duration::from_nanos(wait) },
        }
    }
}
