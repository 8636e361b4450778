//! Blocks that outlive the program.

use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::{Block, BlockReason, Blocklist, Record};
use crate::Timestamp;

/// What a [`Blocklist`] knows, in terms of the calendar, so that it can be kept over a restart: blocked
/// keys, and those whose repetitions are not forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedBlocks<K> {
    pub keys: Vec<SavedBlock<K>>,
}

/// What was known of one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedBlock<K> {
    pub key: K,
    /// Milliseconds since 1970 when its block ends or ended; `None` for good.
    pub until_unix_ms: Option<u64>,
    /// Why, if it was blocked by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub repetition: u32,
}

impl<K: Hash + Eq + Clone> Blocklist<K> {
    /// What is to be kept. `wall` is the moment `now` in the calendar.
    #[must_use]
    pub fn save(&self, now: Timestamp, wall: SystemTime) -> SavedBlocks<K> {
        let wall_ms = unix_ms(wall);
        let mut keys = Vec::new();
        self.records.visit(|key, record| {
            let blocked = record.blocked(&self.policy, now);
            if blocked.is_none() && record.repetition == 0 {
                return;
            }
            let reason = blocked.as_ref().and_then(|blocked| match &blocked.reason {
                BlockReason::Manual(reason) => Some(reason.to_string()),
                BlockReason::Rejections { .. } => None,
            });
            let for_good = blocked.is_some_and(|blocked| blocked.until.is_none());
            let until =
                wall_ms.saturating_add(ms(record.ends.since(now))).saturating_sub(ms(now.since(record.ends)));
            keys.push(SavedBlock {
                key: key.clone(),
                until_unix_ms: (!for_good).then_some(until),
                reason,
                repetition: record.repetition,
            });
        });
        SavedBlocks { keys }
    }

    /// Takes back what was kept; keys that are known here already stay as they are. Of blocks by hand at
    /// most as many as the list holds, and no automatic block lasts longer than this list's policy has it.
    pub fn restore(&self, saved: SavedBlocks<K>, now: Timestamp, wall: SystemTime) {
        let wall_ms = unix_ms(wall);
        for SavedBlock { key, until_unix_ms, reason, repetition } in saved.keys {
            if self.records.get(&key, |_| ()).is_some() {
                continue;
            }
            let left = until_unix_ms.map(|until| Duration::from_millis(until.saturating_sub(wall_ms)));
            let over = until_unix_ms.map_or(0, |until| wall_ms.saturating_sub(until));
            let past = now.as_nanos().saturating_sub(over.saturating_mul(1_000_000));
            let (ends, blocked) = match left {
                None => (Timestamp::from_nanos(u64::MAX), true),
                Some(Duration::ZERO) => (Timestamp::from_nanos(past), false),
                Some(left) if reason.is_some() => (now.after(left), true),
                Some(left) => (now.after(left.min(self.policy.at_most())), true),
            };
            if blocked && (reason.is_some() || until_unix_ms.is_none()) {
                let reason: Arc<str> = reason.unwrap_or_default().into();
                // A list that is full stays so: the file may be of a larger one.
                self.block_until(&key, reason, ends, until_unix_ms.is_none(), now).ok();
                self.records.get(&key, |record| record.repetition = repetition);
                continue;
            }
            self.with(&key, now, |record| {
                let block = if blocked { Block::Automatic } else { Block::None };
                *record = Record { repetition, block, ends, ..Record::default() };
                if blocked {
                    self.blocks.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
            });
        }
    }
}

fn unix_ms(wall: SystemTime) -> u64 {
    ms(wall.duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
