//! Keys that are not served for a while, because they would not stop.
//!
//! A limit that rejects still costs its decision, its answer and its log line each time. A key that goes
//! on after many rejections is blocked: for a time that grows with each repetition, until it has been
//! quiet for long enough to be forgotten. People can block and unblock keys by hand.

mod policy;
mod recent;
mod saved;

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crate::Timestamp;
use crate::table::{PINNED, PRECIOUS, Table};

use recent::Recent;

pub use policy::{BlockPolicy, InvalidBlockPolicy};
pub use saved::{SavedBlock, SavedBlocks};

/// Why a key is blocked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockReason {
    /// It was rejected too often.
    Rejections {
        /// So many times,
        count: u32,
        /// in so long.
        window: Duration,
    },
    /// Somebody blocked it, and said why.
    Manual(Arc<str>),
}

/// A key is not to be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// Until then; `None` for good.
    pub until: Option<Timestamp>,
    pub reason: BlockReason,
    /// The how manieth time in a row this is, from 1; 0 if it was never blocked but by hand.
    pub repetition: u32,
    /// Requests that this block has turned away.
    pub refused: u64,
}

impl Blocked {
    /// Time until it is served again; `None` for one that is blocked for good.
    #[must_use]
    pub fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        self.until.map(|until| until.since(now))
    }
}

/// No more keys can be blocked by hand: half of what a list remembers is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{most} keys are blocked by hand, and the list holds no more; unblock some first")]
pub struct ListFull {
    pub most: usize,
}

/// Blocked keys, and those on their way there.
///
/// ```
/// use rad_resilience::{BlockPolicy, Blocklist, Timestamp};
///
/// let blocklist = Blocklist::new(BlockPolicy::default(), 10_000);
/// let now = Timestamp::default();
/// let blocked = (0..100).find_map(|_| blocklist.reject(&"mallory", now)).expect("blocked");
/// assert_eq!(blocked.retry_after(now).map(|wait| wait.as_secs()), Some(60));
/// assert!(blocklist.check(&"mallory", now).is_some());
/// assert!(blocklist.check(&"ada", now).is_none());
/// ```
#[derive(Debug)]
pub struct Blocklist<K> {
    policy: BlockPolicy,
    records: Table<K, Record>,
    /// Records with a block that has not been taken off. While it is 0, nobody needs to look.
    blocks: AtomicUsize,
    by_hand: AtomicUsize,
    changes: AtomicU64,
}

/// What is known of a key.
#[derive(Debug, Default)]
struct Record {
    rejections: Recent,
    repetition: u32,
    /// Requests that the block has turned away.
    refused: u64,
    block: Block,
    /// When the last block ended or will end.
    ends: Timestamp,
}

#[derive(Debug, Default)]
enum Block {
    #[default]
    None,
    Automatic,
    Manual {
        reason: Arc<str>,
        for_good: bool,
    },
}

impl<K: Hash + Eq + Clone> Blocklist<K> {
    /// A list that remembers at most `max_keys` keys (at least 2), blocked or on their way there. When
    /// there are more, those with the fewest rejections are forgotten first and those blocked by hand
    /// never.
    #[must_use]
    pub fn new(policy: BlockPolicy, max_keys: usize) -> Self {
        Self {
            policy,
            records: Table::new(max_keys.max(2)),
            blocks: AtomicUsize::new(0),
            by_hand: AtomicUsize::new(0),
            changes: AtomicU64::new(0),
        }
    }

    /// When keys are blocked, and for how long.
    #[must_use]
    pub fn policy(&self) -> &BlockPolicy {
        &self.policy
    }

    /// Whether `key` is blocked, and so turned away, which is counted. One atomic load while nothing is.
    #[inline]
    pub fn check(&self, key: &K, now: Timestamp) -> Option<Blocked> {
        if self.blocks.load(Ordering::Relaxed) == 0 {
            return None;
        }
        self.look(key, now)
    }

    /// How `key` is blocked, for who looks at it: nothing is counted.
    #[must_use]
    pub fn peek(&self, key: &K, now: Timestamp) -> Option<Blocked> {
        self.records.get(key, |record| record.blocked(&self.policy, now)).flatten()
    }

    /// How many blocks were made and taken off so far: another number than before is another list.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    fn look(&self, key: &K, now: Timestamp) -> Option<Blocked> {
        self.records
            .get(key, |record| {
                let mut blocked = record.blocked(&self.policy, now)?;
                record.refused = record.refused.saturating_add(1);
                blocked.refused = record.refused;
                Some(blocked)
            })
            .flatten()
    }

    /// Notes that `key` was rejected, and says if it is blocked for that from now on.
    pub fn reject(&self, key: &K, now: Timestamp) -> Option<Blocked> {
        self.with(key, now, |record| {
            if record.blocked(&self.policy, now).is_some() {
                return None;
            }
            self.lift(record);
            if record.rejections.add(self.policy.window_ns(), now) < self.policy.rejections() {
                return None;
            }
            if now.since(record.ends) > self.policy.forget_after() {
                record.repetition = 0;
            }
            record.rejections = Recent::default();
            record.repetition = record.repetition.saturating_add(1);
            record.block = Block::Automatic;
            record.ends = now.after(self.policy.block_for(record.repetition));
            self.begins();
            record.blocked(&self.policy, now)
        })
    }

    /// Blocks `key` by hand, for a time or, with `None`, for good, whatever it was before.
    ///
    /// # Errors
    /// [`ListFull`] if half of what the list remembers is blocked by hand.
    pub fn block(
        &self,
        key: &K,
        reason: &str,
        block_for: Option<Duration>,
        now: Timestamp,
    ) -> Result<Blocked, ListFull> {
        let ends = block_for.map_or(Timestamp::from_nanos(u64::MAX), |time| now.after(time));
        let for_good = block_for.is_none();
        self.block_until(key, reason.into(), ends, for_good, now)
    }

    fn block_until(
        &self,
        key: &K,
        reason: Arc<str>,
        ends: Timestamp,
        for_good: bool,
        now: Timestamp,
    ) -> Result<Blocked, ListFull> {
        let most = self.records.max_keys() / 2;
        self.with(key, now, |record| {
            // One more by hand, unless it takes the place of one.
            let limit = most + usize::from(matches!(record.block, Block::Manual { .. }));
            self.by_hand
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
                    (count < limit).then_some(count + 1)
                })
                .map_err(|_| ListFull { most })?;
            self.lift(record);
            let blocked = Blocked {
                until: (!for_good).then_some(ends),
                reason: BlockReason::Manual(Arc::clone(&reason)),
                repetition: record.repetition,
                refused: 0,
            };
            record.block = Block::Manual { reason, for_good };
            record.ends = ends;
            self.begins();
            Ok(blocked)
        })
    }

    /// Takes the block off `key` and forgets what it did; the block that it had.
    pub fn unblock(&self, key: &K, now: Timestamp) -> Option<Blocked> {
        self.records
            .get(key, |record| {
                let blocked = record.blocked(&self.policy, now);
                self.lift(record);
                *record = Record::default();
                blocked
            })
            .flatten()
    }

    /// The blocked keys, at most `most`: those blocked for the longest first.
    #[must_use]
    pub fn list(&self, most: usize, now: Timestamp) -> Vec<(K, Blocked)> {
        let mut list = Vec::new();
        self.records.visit(|key, record| {
            if let Some(blocked) = record.blocked(&self.policy, now) {
                list.push((key.clone(), blocked));
            }
        });
        list.sort_by_key(|(_, blocked)| {
            std::cmp::Reverse(blocked.until.map_or(u64::MAX, Timestamp::as_nanos))
        });
        list.truncate(most);
        list
    }

    /// Takes off blocks that are over and forgets keys that have been quiet for long enough. Call it
    /// about once a second: it holds up no decision for longer than some tens of microseconds.
    pub fn sweep(&self, now: Timestamp) {
        self.records.retain(|_, record| {
            if record.blocked(&self.policy, now).is_none() {
                self.lift(record);
            }
            self.weight(record, now) > 0
        });
    }

    /// How many keys are blocked; one whose time is over counts until it is swept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.blocks.load(Ordering::Relaxed)
    }

    /// Whether no key is blocked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many keys are remembered, blocked or on their way there.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.records.len()
    }

    fn with<T>(&self, key: &K, now: Timestamp, act: impl FnOnce(&mut Record) -> T) -> T {
        self.records.with(key, |record| self.weight(record, now), |record| self.leaves(record), act)
    }

    /// Blocks outweigh repetitions, and these outweigh rejections.
    fn weight(&self, record: &Record, now: Timestamp) -> u64 {
        match record.block {
            Block::Manual { .. } if record.ends > now => return PINNED,
            Block::Automatic if record.ends > now => return PRECIOUS | (record.ends.as_nanos() >> 2),
            _ => {}
        }
        if record.repetition > 0 && now.since(record.ends) <= self.policy.forget_after() {
            return (1 << 62) | (record.ends.as_nanos() >> 2);
        }
        record.rejections.count(self.policy.window_ns(), now).into()
    }

    /// Takes off the block that a record has, over or not.
    fn lift(&self, record: &mut Record) {
        self.leaves(record);
        record.block = Block::None;
        record.refused = 0;
    }

    fn begins(&self) {
        self.blocks.fetch_add(1, Ordering::Relaxed);
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    fn leaves(&self, record: &Record) {
        if !matches!(record.block, Block::None) {
            self.changes.fetch_add(1, Ordering::Relaxed);
            self.blocks.fetch_sub(1, Ordering::Relaxed);
        }
        if matches!(record.block, Block::Manual { .. }) {
            self.by_hand.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Record {
    fn blocked(&self, policy: &BlockPolicy, now: Timestamp) -> Option<Blocked> {
        let (until, reason) = match &self.block {
            Block::Manual { reason, for_good: true } => (None, BlockReason::Manual(Arc::clone(reason))),
            _ if self.ends <= now => return None,
            Block::None => return None,
            Block::Automatic => {
                let (count, window) = (policy.rejections(), policy.window());
                (Some(self.ends), BlockReason::Rejections { count, window })
            }
            Block::Manual { reason, .. } => (Some(self.ends), BlockReason::Manual(Arc::clone(reason))),
        };
        Some(Blocked { until, reason, repetition: self.repetition, refused: self.refused })
    }
}

#[cfg(test)]
mod tests;
