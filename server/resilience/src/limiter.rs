//! Keyed rate limits of several windows, all of which must allow a request.
//!
//! Each window is a token bucket in the form of the generic cell rate algorithm (ITU-T I.371), computed
//! by `governor`. What governor leaves out is here: all windows of a key are one entry of one table, so
//! that a decision is one lookup; they are asked first and charged only if all allow, so that a rejected
//! request consumes nothing; and the table is bounded, so that a flood of keys cannot exhaust memory.

mod table;
mod window;

use std::hash::Hash;
use std::time::Duration;

use rad_model::Quota;

use crate::Timestamp;
use table::Table;
use window::Window;

/// The most windows that one policy can have.
pub const MAX_WINDOWS: usize = 4;

/// Limits by key.
#[derive(Debug)]
pub struct Limiter<K> {
    windows: Box<[Window]>,
    table: Table<K>,
}

/// What a limiter decided, and what to tell the caller about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    pub allowed: bool,
    /// The window that rejects, or the one that leaves the fewest requests.
    pub quota: Quota,
    /// How many more requests `quota` allows at this moment.
    pub remaining: u32,
    /// Time until `quota` is whole again.
    pub reset_after: Duration,
    /// Time until the next request would be allowed by every window; zero if this one was.
    pub retry_after: Duration,
}

impl Decision {
    /// How many requests the window counts at this moment.
    #[must_use]
    pub fn used(&self) -> u32 {
        self.quota.requests().saturating_sub(self.remaining)
    }
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    /// A limiter with these windows, up to [`MAX_WINDOWS`] (more are ignored; configuration refuses them),
    /// that remembers at most about `max_keys` keys at a time. When there are more, those that have been
    /// quiet for longest are forgotten first.
    #[must_use]
    pub fn new(quotas: &[Quota], max_keys: usize) -> Self {
        let windows: Box<[Window]> =
            quotas.iter().take(MAX_WINDOWS).enumerate().map(|(at, quota)| Window::new(at, *quota)).collect();
        Self { windows, table: Table::new(max_keys) }
    }

    /// Charges one request of `key` to every window, or to none. `None` if there is no window.
    pub fn check(&self, key: &K, now: Timestamp) -> Option<Decision> {
        if self.windows.is_empty() {
            return None;
        }
        self.table.with(key, |cells| {
            let refused = self.windows.iter().filter_map(|window| window.refuses(cells, now));
            if let Some(refusal) = refused.max_by_key(|decision| decision.retry_after) {
                return Some(refusal);
            }
            self.windows
                .iter()
                .filter_map(|window| window.charge(cells, now))
                .min_by_key(|decision| decision.remaining)
        })
    }

    /// Forgets keys whose windows are all whole again: they are as good as new.
    pub fn sweep(&self, now: Timestamp) {
        self.table.retain(|cells| cells.latest() > now.as_nanos());
    }

    /// How many keys are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether no key is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests;
