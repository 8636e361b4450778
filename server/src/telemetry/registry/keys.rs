//! By whom limits count, and what is noted of single keys.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use compact_str::CompactString;
use rad_model::{LimitUse, Quota};
use rad_resilience::{HeavyHitters, Timestamp};

/// Who a limit counts by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// A client; IPv6 by /64, because that is what one subscriber gets.
    Address(IpAddr),
    /// A header's or a cookie's value, or what stands for it; or several keys with [`Key::BETWEEN`] between
    /// them, of which one that is missing is empty. Up to 24 bytes are kept in place.
    Text(CompactString),
    /// Everybody together, or a request without the header that the limit counts by.
    Global,
}

impl Key {
    /// What no header can hold.
    pub const BETWEEN: char = '\n';
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(IpAddr::V6(address)) => write!(f, "{address}/64"),
            Self::Address(address) => address.fmt(f),
            Self::Text(text) => {
                for (at, part) in text.split(Self::BETWEEN).enumerate() {
                    f.write_str(if at > 0 { " + " } else { "" })?;
                    f.write_str(if part.is_empty() { "(none)" } else { part })?;
                }
                Ok(())
            }
            Self::Global => f.write_str("everybody"),
        }
    }
}

/// The fullest limit since the sampler last looked, and whose it is.
#[derive(Debug, Default)]
pub struct Fullest {
    share: AtomicU32,
    whose: Mutex<Option<(Key, LimitStanding)>>,
}

/// How much of a limit is used, and what it allows at once.
#[derive(Clone, Copy, Debug)]
pub struct LimitStanding {
    pub limit: Quota,
    pub used: u32,
    pub capacity: u32,
}

impl Fullest {
    /// Notes how much of a limit a key has used. Takes the lock only when it is fuller than all before.
    pub fn note(&self, key: &Key, standing: LimitStanding) {
        // A share of at most 1 in ten-thousandths.
        let share = u64::from(standing.used) * 10_000 / u64::from(standing.capacity.max(1));
        let share = u32::try_from(share).unwrap_or(u32::MAX).max(1);
        if share > self.share.load(Ordering::Relaxed) {
            self.share.store(share, Ordering::Relaxed);
            let mut whose = self.whose.lock().unwrap_or_else(PoisonError::into_inner);
            match &mut *whose {
                Some((known, noted)) if known == key => *noted = standing,
                other => *other = Some((key.clone(), standing)),
            }
        }
    }

    /// Takes the note away and starts anew.
    pub fn take(&self) -> Option<LimitUse> {
        if self.share.swap(0, Ordering::Relaxed) == 0 {
            return None;
        }
        let (key, LimitStanding { limit, used, capacity }) =
            self.whose.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(LimitUse { key: key.to_string(), limit, used, capacity })
    }
}

/// The keys that a limit rejected most often in the last minute.
#[derive(Debug)]
pub struct RejectedKeys(HeavyHitters<Key>);

impl Default for RejectedKeys {
    fn default() -> Self {
        Self(HeavyHitters::new(128, Duration::from_mins(1)))
    }
}

impl RejectedKeys {
    pub fn count(&self, key: &Key, now: Timestamp) {
        self.0.count(key, now);
    }

    /// All that are remembered, the most rejected first.
    #[must_use]
    pub fn all(&self, now: Timestamp) -> Vec<(Key, u64)> {
        self.0.top(usize::MAX, now)
    }
}
