//! The feature flags: how each is, and how it came to be so.

use std::sync::Arc;

use rusqlite::{OptionalExtension, params};

use super::{Storage, StorageError};
use crate::rollout::flags::{Flag, Kept};
use crate::rollout::{Cause, Seed};

/// So many versions of a flag are kept.
const KEPT_VERSIONS: i64 = 1_000;

/// A flag as it was last left.
#[derive(Clone, Debug)]
pub struct StoredFlag {
    pub kept: Kept,
    /// What the configuration said of it when that was last heeded, as JSON.
    pub configured: Option<String>,
    /// It is not in force; its history and its seed stay.
    pub is_archived: bool,
}

/// One change of a flag.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct PastFlag {
    pub version: u64,
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// What was done, such as `turned off`.
    pub what: String,
    pub by: String,
    pub reason: String,
    /// How it was from then on.
    pub flag: Flag,
}

impl Storage {
    /// All flags as they were last left, archived ones too. What this version cannot read is left out, and stays as it
    /// is.
    ///
    /// # Errors
    /// If the database fails.
    pub fn flags(&self) -> Result<Vec<StoredFlag>, StorageError> {
        let connection = self.lock();
        let mut rows = connection.prepare(
            "SELECT key, seed, version, configured, is_archived, flag, by, reason, at_unix_ms
             FROM flag JOIN flag_history USING (key, version) ORDER BY key",
        )?;
        let known = rows.query_map([], |row| {
            let (seed, text, version): (i64, String, i64) = (row.get(1)?, row.get(5)?, row.get(2)?);
            let at_ms: i64 = row.get(8)?;
            let (key, by, reason) = (row.get(0)?, row.get(6)?, row.get(7)?);
            let (configured, is_archived) = (row.get(3)?, row.get(4)?);
            let flag = serde_json::from_str(&text).ok();
            Ok(flag.map(|flag| {
                let (seed, version) = (Seed::new(seed.cast_unsigned()), unsigned(version));
                let at_ms = unsigned(at_ms);
                let kept = Kept { key, flag: Arc::new(flag), seed, version, by, reason, at_ms };
                StoredFlag { kept, configured, is_archived }
            }))
        })?;
        Ok(known.filter_map(Result::transpose).collect::<Result<_, _>>()?)
    }

    /// Keeps a new version of a flag; `what` was done to it.
    ///
    /// # Errors
    /// If the database fails; then nothing is changed.
    pub fn save_flag(&self, stored: &StoredFlag, what: &str) -> Result<(), StorageError> {
        let StoredFlag { kept, configured, is_archived } = stored;
        let Kept { key, flag, seed, version, by, reason, at_ms } = kept;
        let text = serde_json::to_string(&**flag)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        let version = signed(*version);
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        // What the configuration said is told once, by the one who heeds it.
        transaction.execute(
            "INSERT INTO flag (key, seed, version, configured, is_archived) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (key) DO UPDATE SET
                seed = ?2, version = ?3, configured = coalesce(?4, configured), is_archived = ?5",
            params![key, seed.value().cast_signed(), version, configured, is_archived],
        )?;
        transaction.execute(
            "INSERT INTO flag_history (key, version, flag, what, by, reason, at_unix_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![key, version, text, what, by, reason, signed(*at_ms)],
        )?;
        transaction.execute(
            "DELETE FROM flag_history WHERE key = ?1 AND version <= ?2",
            params![key, version - KEPT_VERSIONS],
        )?;
        transaction.commit()?;
        Ok(())
    }

    /// The last changes of a flag, at most `most`, the latest first.
    ///
    /// # Errors
    /// If the database fails.
    pub fn flag_history(&self, key: &str, most: u32) -> Result<Vec<PastFlag>, StorageError> {
        let connection = self.lock();
        let mut rows = connection.prepare(
            "SELECT version, at_unix_ms, what, by, reason, flag
             FROM flag_history WHERE key = ?1 ORDER BY version DESC LIMIT ?2",
        )?;
        let changes = rows.query_map(params![key, most], past)?;
        Ok(changes.filter_map(Result::transpose).collect::<Result<_, _>>()?)
    }

    /// A flag as it was in one of its versions.
    ///
    /// # Errors
    /// If the database fails.
    pub fn flag_version(&self, key: &str, version: u64) -> Result<Option<PastFlag>, StorageError> {
        let connection = self.lock();
        let found = connection.query_row(
            "SELECT version, at_unix_ms, what, by, reason, flag
             FROM flag_history WHERE key = ?1 AND version = ?2",
            params![key, signed(version)],
            past,
        );
        Ok(found.optional()?.flatten())
    }
}

/// None where it cannot be read.
fn past(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<PastFlag>> {
    let (version, at_ms, text): (i64, i64, String) = (row.get(0)?, row.get(1)?, row.get(5)?);
    let (what, by, reason) = (row.get(2)?, row.get(3)?, row.get(4)?);
    let (version, at_ms) = (unsigned(version), unsigned(at_ms));
    Ok(serde_json::from_str(&text).ok().map(|flag| PastFlag { version, at_ms, what, by, reason, flag }))
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Who made a version, for those who make the next.
impl From<(&Kept, Flag, &Cause)> for Kept {
    fn from((before, flag, cause): (&Kept, Flag, &Cause)) -> Self {
        Self {
            key: before.key.clone(),
            flag: Arc::new(flag),
            seed: before.seed,
            version: before.version + 1,
            by: cause.by.clone(),
            reason: cause.reason.clone(),
            at_ms: cause.at_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn stored(version: u64, on: bool) -> StoredFlag {
        let flag = Arc::new(Flag::switch("new checkout", on));
        let (by, reason) = ("ada".to_owned(), format!("version {version}"));
        let seed = Seed::new(u64::MAX - 7);
        let kept =
            Kept { key: "checkout".to_owned(), flag, seed, version, by, reason, at_ms: 1_700_000_000_000 };
        StoredFlag { kept, configured: None, is_archived: false }
    }

    #[test]
    fn a_flag_is_as_it_was_left_after_a_restart_and_its_past_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        let first = Storage::open(&path).unwrap();
        first
            .save_flag(&StoredFlag { configured: Some("{}".to_owned()), ..stored(1, true) }, "created")
            .unwrap();
        first.save_flag(&stored(2, false), "turned off").unwrap();
        drop(first);
        let storage = Storage::open(&path).unwrap();
        let [found] = &storage.flags().unwrap()[..] else { panic!("one flag") };
        assert_eq!((found.kept.version, found.kept.flag.on, found.is_archived), (2, false, false));
        assert_eq!(found.kept.seed, Seed::new(u64::MAX - 7));
        assert_eq!(found.configured.as_deref(), Some("{}"));
        let past = storage.flag_history("checkout", 10).unwrap();
        let told: Vec<_> = past.iter().map(|past| (past.version, past.what.as_str(), past.flag.on)).collect();
        assert_eq!(told, [(2, "turned off", false), (1, "created", true)]);
        assert_eq!(storage.flag_version("checkout", 1).unwrap().unwrap().reason, "version 1");
        assert_eq!(storage.flag_version("checkout", 3).unwrap(), None);
    }

    #[test]
    fn of_very_many_versions_the_last_ones_are_kept() {
        let storage = Storage::open(Path::new(":memory:")).unwrap();
        for version in 1..=1_002 {
            storage.save_flag(&stored(version, true), "changed").unwrap();
        }
        assert_eq!(storage.flag_version("checkout", 2).unwrap(), None);
        assert!(storage.flag_version("checkout", 3).unwrap().is_some());
        assert_eq!(storage.flags().unwrap()[0].kept.version, 1_002);
    }

    #[test]
    fn a_version_is_written_once() {
        let storage = Storage::open(Path::new(":memory:")).unwrap();
        storage.save_flag(&stored(1, true), "created").unwrap();
        assert!(storage.save_flag(&stored(1, false), "turned off").is_err());
        assert!(storage.flags().unwrap()[0].kept.flag.on);
    }
}
