//! When rollouts start by themselves.

use rusqlite::{OptionalExtension, params};

use super::{Storage, StorageError};

impl Storage {
    /// When a rollout starts by itself, milliseconds since 1970. A moment that the configuration says is taken over
    /// once: what people changed about it since stays. One that has passed meanwhile is that of a rollout
    /// that has never begun, and of no other.
    ///
    /// # Errors
    /// If the database fails.
    pub fn start(
        &self,
        name: &str,
        configured: Option<u64>,
        now_ms: u64,
    ) -> Result<Option<u64>, StorageError> {
        let connection = self.lock();
        let known: Option<(Option<i64>, Option<i64>)> = connection
            .query_row(
                "SELECT configured_unix_ms, start_unix_ms FROM rollout_start WHERE rollout = ?1",
                [name],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?;
        let said = configured.map(signed);
        if let Some((before, start)) = known
            && before == said
        {
            return Ok(start.and_then(|at| u64::try_from(at).ok()));
        }
        let has_begun: bool = connection.query_row(
            "SELECT EXISTS (SELECT 1 FROM rollout_history WHERE rollout = ?1 AND phase <> 'manual')",
            [name],
            |row| row.get(0),
        )?;
        let start = configured.filter(|at| *at > now_ms || !has_begun);
        connection.execute(
            "INSERT INTO rollout_start (rollout, configured_unix_ms, start_unix_ms) VALUES (?1, ?2, ?3)
             ON CONFLICT (rollout) DO UPDATE SET configured_unix_ms = ?2, start_unix_ms = ?3",
            params![name, said, start.map(signed)],
        )?;
        Ok(start)
    }

    /// Remembers when a rollout starts by itself.
    ///
    /// # Errors
    /// If the database fails.
    pub fn save_start(&self, name: &str, at_ms: Option<u64>) -> Result<(), StorageError> {
        self.lock().execute(
            "INSERT INTO rollout_start (rollout, start_unix_ms) VALUES (?1, ?2)
             ON CONFLICT (rollout) DO UPDATE SET start_unix_ms = ?2",
            params![name, at_ms.map(signed)],
        )?;
        Ok(())
    }
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rad_model::Share;

    use super::*;
    use crate::rollout::{Phase, Place};
    use crate::storage::NewEntry;

    const NOW: u64 = 1_800_000_000_000;

    fn moved(storage: &Storage, phase: Phase) {
        let from = storage.rollout("r", Share::NONE).unwrap().place;
        let to = Place { phase, ..from };
        let entry = NewEntry { action: "rollout.start".to_owned(), at_ms: NOW, ..NewEntry::default() };
        storage.save_rollout("r", from, to, &entry).unwrap();
    }

    #[test]
    fn a_configured_start_is_taken_over_once_and_what_people_changed_stays() {
        let storage = Storage::open(Path::new(":memory:")).unwrap();
        let start = |configured| storage.start("r", configured, NOW).unwrap();
        assert_eq!(start(None), None);
        assert_eq!(start(Some(NOW + 5)), Some(NOW + 5));
        storage.save_start("r", None).unwrap();
        assert_eq!(start(Some(NOW + 5)), None, "it was called off");
        assert_eq!(start(Some(NOW + 6)), Some(NOW + 6), "it is another one");
        assert_eq!(start(None), None);
        storage.save_start("r", Some(NOW + 7)).unwrap();
        assert_eq!(start(None), Some(NOW + 7));
    }

    #[test]
    fn a_start_that_has_passed_is_made_up_for_unless_the_rollout_has_begun_before() {
        let storage = Storage::open(Path::new(":memory:")).unwrap();
        assert_eq!(storage.start("r", Some(NOW - 5), NOW).unwrap(), Some(NOW - 5));
        moved(&storage, Phase::Stage(0));
        assert_eq!(storage.start("r", Some(NOW - 5), NOW).unwrap(), None, "it has started");
        assert_eq!(storage.start("r", Some(NOW - 4), NOW).unwrap(), None);
        assert_eq!(storage.start("r", Some(NOW + 4), NOW).unwrap(), Some(NOW + 4));
        moved(&storage, Phase::RolledBack);
        assert_eq!(storage.start("r", Some(NOW + 4), NOW).unwrap(), None, "a rollback calls it off");
    }
}
