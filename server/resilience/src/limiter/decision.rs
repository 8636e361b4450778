//! What a limiter answers.

use std::time::Duration;

use rad_model::Quota;

use super::MAX_WINDOWS;

/// What a limiter decided, and what to tell the caller about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether the request may pass. Always, in shadow mode.
    pub allowed: bool,
    /// In shadow mode: the policy would have rejected this request.
    pub shadow_rejected: bool,
    /// The window that rejects, or the one that leaves the fewest requests.
    pub quota: Quota,
    /// How many requests `quota` allows at once when it is whole.
    pub capacity: u32,
    /// How many more requests `quota` allows at this moment.
    pub remaining: u32,
    /// Time until `quota` is whole again.
    pub reset_after: Duration,
    /// Time until as many requests would be allowed by every window; zero if these were, and
    /// [`Duration::MAX`] if they are more than a window ever allows at once.
    pub retry_after: Duration,
}

impl Decision {
    /// How many requests the window counts at this moment.
    #[must_use]
    pub fn used(&self) -> u32 {
        self.capacity.saturating_sub(self.remaining)
    }

    /// Whether the policy allowed the request, whatever shadow mode made of it.
    #[must_use]
    pub fn within_limit(&self) -> bool {
        self.allowed && !self.shadow_rejected
    }
}

/// Where a key stands in one window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// How many more requests the window allows at this moment.
    pub remaining: u32,
    /// Time until it allows more than that; zero if it is whole.
    pub more_after: Duration,
}

/// Where a key stands in each window of a policy, in the order of the policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standings {
    windows: [Standing; MAX_WINDOWS],
    count: usize,
}

impl Standings {
    pub(super) fn add(&mut self, standing: Standing) {
        if let Some(place) = self.windows.get_mut(self.count) {
            *place = standing;
            self.count += 1;
        }
    }
}

impl std::ops::Deref for Standings {
    type Target = [Standing];

    fn deref(&self) -> &[Standing] {
        self.windows.get(..self.count).unwrap_or_default()
    }
}

/// How much of its limit a key uses at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage<K> {
    pub key: K,
    /// The window of which the largest share is used.
    pub quota: Quota,
    /// Requests that the window counts.
    pub used: u32,
    /// Requests that the window allows at once when it is whole.
    pub capacity: u32,
    /// Time until the window is whole again.
    pub reset_after: Duration,
}

impl<K> Usage<K> {
    /// The used share of the limit, 0 to 1.
    #[must_use]
    pub fn share(&self) -> f64 {
        f64::from(self.used) / f64::from(self.capacity.max(1))
    }
}

/// How full a limiter is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Keys remembered at this moment.
    pub keys: usize,
    /// The most keys remembered at a time.
    pub max_keys: usize,
    /// Keys forgotten before their windows were whole, because there were too many.
    pub evicted_total: u64,
    /// Bytes that the table of keys takes; what the keys themselves point to is not counted.
    pub memory_bytes: usize,
}
