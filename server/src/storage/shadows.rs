//! What share of the requests is copied to candidates.

use rad_model::Share;
use rusqlite::{OptionalExtension, params};

use super::rollouts::signed;
use super::{Storage, StorageError};
use crate::rollout::Cause;
use crate::rollout::shadow::StoredShadow;

impl Storage {
    /// The share of a rollout's requests that are copied, as it was last set; that of the configuration at its first
    /// start, and whenever that has been edited since. Then it is as if it had been set at this moment.
    ///
    /// # Errors
    /// If the database fails.
    pub fn shadow(
        &self,
        rollout: &str,
        configured: Share,
        now_ms: u64,
    ) -> Result<StoredShadow, StorageError> {
        let connection = self.lock();
        let points = configured.basis_points();
        let known = connection
            .query_row(
                "SELECT basis_points, set_at_unix_ms FROM rollout_shadow
                 WHERE rollout = ?1 AND configured_basis_points = ?2",
                params![rollout, points],
                |row| {
                    let at: i64 = row.get(1)?;
                    Ok(StoredShadow {
                        share: Share::from_basis_points(row.get(0)?).unwrap_or(configured),
                        set_at_ms: u64::try_from(at).unwrap_or(0),
                    })
                },
            )
            .optional()?;
        if let Some(known) = known {
            return Ok(known);
        }
        connection.execute(
            "INSERT OR REPLACE INTO rollout_shadow VALUES (?1, ?2, ?2, ?3)",
            params![rollout, points, signed(now_ms)],
        )?;
        Ok(StoredShadow { share: configured, set_at_ms: now_ms })
    }

    /// Remembers the share, and in the rollout's history how it came about.
    ///
    /// # Errors
    /// If the database fails; then neither is remembered.
    pub fn save_shadow(
        &self,
        rollout: &str,
        from: Share,
        to: Share,
        cause: &Cause,
    ) -> Result<(), StorageError> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        let at = signed(cause.at_ms);
        let updated = transaction.execute(
            "UPDATE rollout_shadow SET basis_points = ?2, set_at_unix_ms = ?3 WHERE rollout = ?1",
            params![rollout, to.basis_points(), at],
        )?;
        if updated == 0 {
            return Err(rusqlite::Error::QueryReturnedNoRows.into());
        }
        transaction.execute(
            "INSERT INTO rollout_history (rollout, at_unix_ms, from_basis_points, to_basis_points, phase, by, reason)
             VALUES (?1, ?2, ?3, ?4, 'shadow', ?5, ?6)",
            params![rollout, at, from.basis_points(), to.basis_points(), cause.by, cause.reason],
        )?;
        transaction.commit()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn share(percent: f64) -> Share {
        Share::from_percent(percent).unwrap()
    }

    #[test]
    fn the_share_that_was_set_is_kept_until_the_configuration_is_edited() {
        let storage = Storage::open(Path::new(":memory:")).unwrap();
        let first = storage.shadow("search", share(5.0), 7).unwrap();
        assert_eq!(first, StoredShadow { share: share(5.0), set_at_ms: 7 });
        let cause = Cause { by: "ada".to_owned(), reason: "a look".to_owned(), at_ms: 8, reverts: None };
        storage.save_shadow("search", share(5.0), share(50.0), &cause).unwrap();
        let kept = StoredShadow { share: share(50.0), set_at_ms: 8 };
        assert_eq!(storage.shadow("search", share(5.0), 9).unwrap(), kept);
        let edited = StoredShadow { share: share(1.0), set_at_ms: 10 };
        assert_eq!(storage.shadow("search", share(1.0), 10).unwrap(), edited);
        assert_eq!(storage.shadow("search", share(1.0), 11).unwrap(), edited);
    }

    #[test]
    fn who_set_it_and_why_is_a_part_of_the_rollouts_history() {
        let storage = Storage::open(Path::new(":memory:")).unwrap();
        storage.shadow("search", share(0.0), 7).unwrap();
        let cause = Cause { by: "ada".to_owned(), reason: "a look".to_owned(), at_ms: 8, reverts: None };
        storage.save_shadow("search", share(0.0), share(50.0), &cause).unwrap();
        let history = storage.rollout_history("search", 10).unwrap();
        assert_eq!(history.len(), 1);
        assert_eq!((history[0].phase.as_str(), history[0].by.as_str()), ("shadow", "ada"));
        assert_eq!((history[0].from, history[0].to), (share(0.0), share(50.0)));
    }
}
