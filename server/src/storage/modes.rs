//! The modes that people have set breakers to.

use std::collections::BTreeMap;

use rad_model::BreakerMode;
use rusqlite::params;

use super::{Storage, StorageError};

/// A breaker's mode, and who set it, when and why.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SetMode {
    pub mode: BreakerMode,
    pub by: String,
    pub reason: String,
    /// Milliseconds since 1970.
    pub at_ms: u64,
}

impl Storage {
    /// The breakers whose mode is not automatic, by name.
    ///
    /// # Errors
    /// If the database fails.
    pub fn breaker_modes(&self) -> Result<BTreeMap<String, SetMode>, StorageError> {
        let connection = self.lock();
        let mut rows =
            connection.prepare("SELECT breaker, mode, set_by, reason, at_unix_ms FROM breaker_mode")?;
        let known = rows.query_map([], |row| {
            let (breaker, word): (String, String) = (row.get(0)?, row.get(1)?);
            let (by, reason, at_ms): (String, String, i64) = (row.get(2)?, row.get(3)?, row.get(4)?);
            // Only this program writes here; a word that it does not know is no decision.
            let mode = BreakerMode::ALL.into_iter().find(|mode| mode.word() == word);
            let at_ms = u64::try_from(at_ms).unwrap_or(0);
            Ok(mode.map(|mode| (breaker, SetMode { mode, by, reason, at_ms })))
        })?;
        Ok(known.filter_map(Result::transpose).collect::<Result<_, _>>()?)
    }

    /// Keeps the mode of a breaker; one that is automatic again is forgotten.
    ///
    /// # Errors
    /// If the database fails.
    pub fn save_breaker_mode(&self, breaker: &str, set: &SetMode) -> Result<(), StorageError> {
        let connection = self.lock();
        if set.mode.is_automatic() {
            connection.execute("DELETE FROM breaker_mode WHERE breaker = ?1", [breaker])?;
            return Ok(());
        }
        let at_ms = i64::try_from(set.at_ms).unwrap_or(i64::MAX);
        connection.execute(
            "INSERT OR REPLACE INTO breaker_mode VALUES (?1, ?2, ?3, ?4, ?5)",
            params![breaker, set.mode.word(), set.by, set.reason, at_ms],
        )?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_mode_is_kept_until_it_is_automatic_again() {
        let storage = Storage::open(Path::new(":memory:")).unwrap();
        let set = |mode| SetMode { mode, by: "ada".into(), reason: "disk full".into(), at_ms: u64::MAX >> 1 };
        for mode in BreakerMode::ALL.into_iter().filter(|mode| !mode.is_automatic()) {
            storage.save_breaker_mode("search", &set(mode)).unwrap();
            assert_eq!(storage.breaker_modes().unwrap(), [("search".to_owned(), set(mode))].into());
        }
        storage.save_breaker_mode("search", &set(BreakerMode::Automatic)).unwrap();
        assert_eq!(storage.breaker_modes().unwrap(), BTreeMap::new());
    }
}
