//! The modes that people set, who set them and why: over restarts too.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rad_model::EventKind;
use rad_model::format::age;
use rad_resilience::Timestamp;

use crate::gateway::Plan;
use crate::storage::{SetMode, Storage, StorageError};
use crate::telemetry::journal::Journal;

/// The breakers that do not decide by themselves.
#[derive(Debug)]
pub struct KeptModes {
    storage: Arc<Storage>,
    by_breaker: Mutex<BTreeMap<String, SetMode>>,
}

impl KeptModes {
    /// Reads what was set before the last stop and sets it again, which the journal tells. A breaker that the
    /// configuration no longer has is left as it is stored, until it comes back.
    ///
    /// # Errors
    /// If the database fails.
    pub fn restore(
        storage: Arc<Storage>,
        plan: &Plan,
        journal: &Journal,
        now: Timestamp,
    ) -> Result<Self, StorageError> {
        let by_breaker = storage.breaker_modes()?;
        for target in &plan.targets {
            let Some(set) = by_breaker.get(&target.name) else { continue };
            let from = target.breaker.set_mode(set.mode, now);
            let SetMode { mode: to, by, reason, .. } = set.clone();
            let because = if reason.is_empty() { String::new() } else { format!(": {reason}") };
            let reason = format!("kept over a restart{because}");
            let breaker = target.name.clone();
            journal.event(EventKind::BreakerModeChanged { breaker, from, to, by, reason });
        }
        Ok(Self { storage, by_breaker: Mutex::new(by_breaker) })
    }

    /// Who set the mode of a breaker, and why; `None` while it is automatic.
    #[must_use]
    pub fn of(&self, breaker: &str) -> Option<SetMode> {
        self.lock().get(breaker).cloned()
    }

    /// Puts a mode on the disk. It blocks until it is there.
    ///
    /// # Errors
    /// If the database fails.
    pub fn keep(&self, breaker: &str, set: SetMode) -> Result<(), StorageError> {
        let mut kept = self.lock();
        self.storage.save_breaker_mode(breaker, &set)?;
        if set.mode.is_automatic() {
            kept.remove(breaker);
        } else {
            kept.insert(breaker.to_owned(), set);
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, SetMode>> {
        self.by_breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who set a mode and why, as a sentence that follows what the breaker says.
#[must_use]
pub fn says(set: &SetMode, now_ms: u64) -> String {
    let SetMode { by, reason, at_ms, .. } = set;
    let because = if reason.is_empty() { ", without a reason".to_owned() } else { format!(": {reason}") };
    format!(" Set by {by} {} ago{because}.", age(now_ms.saturating_sub(*at_ms)))
}
