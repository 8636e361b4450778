//! What survives a restart: SQLite, embedded.
//!
//! Write-ahead log and `synchronous=FULL`: when a change is acknowledged it is on the disk.

mod accounts;
mod audit;
mod flags;
mod modes;
mod rollouts;
mod sessions;
mod shadows;
mod starts;
mod tokens;

use std::net::IpAddr;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rad_resilience::block::{SavedBlock, SavedBlocks};
use rusqlite::{Connection, OpenFlags, params};

pub use accounts::{LOGIN_ADDRESSES, StoredAccount};
pub use audit::{Filter, Kept, NewEntry, Verified};
pub use flags::{PastFlag, StoredFlag};
pub use modes::SetMode;
pub use rollouts::{PastChange, StoredRollout};
pub use sessions::{Digest, StoredSession};
pub use tokens::StoredToken;

/// Migrations, in order; `user_version` counts those that have been applied. Never change one that has
/// been released: add another.
const MIGRATIONS: &[&str] = &[
    "CREATE TABLE rollout (
        name TEXT PRIMARY KEY,
        seed INTEGER NOT NULL,
        configured_basis_points INTEGER NOT NULL,
        basis_points INTEGER NOT NULL
    ) STRICT",
    "CREATE TABLE block (
        address TEXT PRIMARY KEY,
        until_unix_ms INTEGER,
        reason TEXT,
        repetition INTEGER NOT NULL
    ) STRICT",
    "CREATE TABLE breaker_mode (
        breaker TEXT PRIMARY KEY,
        mode TEXT NOT NULL,
        set_by TEXT NOT NULL,
        reason TEXT NOT NULL,
        at_unix_ms INTEGER NOT NULL
    ) STRICT",
    "ALTER TABLE rollout ADD COLUMN phase TEXT NOT NULL DEFAULT 'manual';
    ALTER TABLE rollout ADD COLUMN stage INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE rollout ADD COLUMN since_unix_ms INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE rollout_history (
        id INTEGER PRIMARY KEY,
        rollout TEXT NOT NULL,
        at_unix_ms INTEGER NOT NULL,
        from_basis_points INTEGER NOT NULL,
        to_basis_points INTEGER NOT NULL,
        phase TEXT NOT NULL,
        by TEXT NOT NULL,
        reason TEXT NOT NULL
    ) STRICT;
    CREATE INDEX rollout_history_of ON rollout_history (rollout, id)",
    "CREATE TABLE rollout_start (
        rollout TEXT PRIMARY KEY,
        configured_unix_ms INTEGER,
        start_unix_ms INTEGER
    ) STRICT",
    "CREATE TABLE rollout_shadow (
        rollout TEXT PRIMARY KEY,
        configured_basis_points INTEGER NOT NULL,
        basis_points INTEGER NOT NULL,
        set_at_unix_ms INTEGER NOT NULL
    ) STRICT",
    accounts::MIGRATION,
    "CREATE TABLE flag (
        key TEXT PRIMARY KEY,
        seed INTEGER NOT NULL,
        version INTEGER NOT NULL,
        configured TEXT,
        is_archived INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE flag_history (
        key TEXT NOT NULL,
        version INTEGER NOT NULL,
        flag TEXT NOT NULL,
        what TEXT NOT NULL,
        by TEXT NOT NULL,
        reason TEXT NOT NULL,
        at_unix_ms INTEGER NOT NULL,
        PRIMARY KEY (key, version)
    ) STRICT",
    audit::SCHEMA,
];

/// Why something could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    #[error("the database cannot be used: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("the database is of a newer version of this program (schema {found}, known up to {known})")]
    TooNew { found: i64, known: usize },
}

/// The database.
#[derive(Debug)]
pub struct Storage {
    connection: Mutex<Connection>,
    /// For what reads for long: nobody who writes waits for it. None where the database is in memory.
    reader: Option<Mutex<Connection>>,
}

impl Storage {
    /// Opens the database at `path`, makes it if it does not exist, and brings it up to date.
    ///
    /// # Errors
    /// If it cannot be read or written, or is of a newer version.
    pub fn open(path: &Path) -> Result<Self, StorageError> {
        make_private(path);
        let mut connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.busy_timeout(std::time::Duration::from_secs(2))?;
        let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let known = MIGRATIONS.len();
        let applied = usize::try_from(found).unwrap_or(usize::MAX);
        if applied > known {
            return Err(StorageError::TooNew { found, known });
        }
        let transaction = connection.transaction()?;
        for migration in &MIGRATIONS[applied..] {
            transaction.execute_batch(migration)?;
        }
        transaction.pragma_update(None, "user_version", i64::try_from(known).unwrap_or(i64::MAX))?;
        transaction.commit()?;
        let reader = match path.to_str() {
            Some(":memory:") => None,
            _ => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
                Some(Mutex::new(Connection::open_with_flags(path, flags)?))
            }
        };
        Ok(Self { connection: Mutex::new(connection), reader })
    }

    /// The blocked clients as they were last kept.
    ///
    /// # Errors
    /// If the database fails.
    pub fn blocks(&self) -> Result<SavedBlocks<IpAddr>, StorageError> {
        let connection = self.lock();
        let mut rows = connection.prepare("SELECT address, until_unix_ms, reason, repetition FROM block")?;
        let known = rows.query_map([], |row| {
            let address: String = row.get(0)?;
            let until: Option<i64> = row.get(1)?;
            let (reason, repetition) = (row.get(2)?, row.get(3)?);
            let until_unix_ms = until.map(|until| u64::try_from(until).unwrap_or(0));
            // Only this program writes here; what is no address is nobody.
            let key = address.parse::<IpAddr>().ok();
            Ok(key.map(|key| SavedBlock { key, until_unix_ms, reason, repetition }))
        })?;
        let keys = known.filter_map(Result::transpose).collect::<Result<_, _>>()?;
        Ok(SavedBlocks { keys })
    }

    /// Keeps the blocked clients, in the place of those that were kept.
    ///
    /// # Errors
    /// If the database fails.
    pub fn save_blocks(&self, blocks: &SavedBlocks<IpAddr>) -> Result<(), StorageError> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        transaction.execute("DELETE FROM block", [])?;
        {
            let mut insert = transaction.prepare("INSERT INTO block VALUES (?1, ?2, ?3, ?4)")?;
            for SavedBlock { key, until_unix_ms, reason, repetition } in &blocks.keys {
                let until = until_unix_ms.map(|until| i64::try_from(until).unwrap_or(i64::MAX));
                insert.execute(params![key.to_string(), until, reason, repetition])?;
            }
        }
        transaction.commit()?;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To read only.
    fn lock_reader(&self) -> MutexGuard<'_, Connection> {
        self.reader.as_ref().unwrap_or(&self.connection).lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a new database's file one that nobody else reads: hashes of passwords are in it. SQLite gives its log the same
/// rights. What cannot be made here is told when it is opened.
fn make_private(path: &Path) {
    use std::os::unix::fs::OpenOptionsExt;

    if path != Path::new(":memory:") {
        let _ = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_blocked_clients_are_those_that_were_kept_last() {
        let storage = Storage::open(Path::new(":memory:")).unwrap();
        let block = |key: &str, until_unix_ms, reason: Option<&str>| SavedBlock {
            key: key.parse::<IpAddr>().unwrap(),
            until_unix_ms,
            reason: reason.map(str::to_owned),
            repetition: 2,
        };
        let one = SavedBlocks { keys: vec![block("203.0.113.7", None, Some("scraper"))] };
        storage.save_blocks(&one).unwrap();
        assert_eq!(storage.blocks().unwrap(), one);
        let others = SavedBlocks { keys: vec![block("2001:db8::", Some(u64::MAX >> 1), None)] };
        storage.save_blocks(&others).unwrap();
        assert_eq!(storage.blocks().unwrap(), others);
    }

    #[test]
    fn a_database_of_a_newer_version_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(Storage::open(&path), Err(StorageError::TooNew { found: 99, .. })));
    }

    #[test]
    fn nobody_else_reads_a_new_database_or_its_log() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let _storage = Storage::open(&folder.path().join("test.db")).unwrap();
        for name in ["test.db", "test.db-wal"] {
            let mode = std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn a_file_that_is_no_database_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        std::fs::write(
            &path,
            "this is a text, and by far too long to be the head of a database file".repeat(50),
        )
        .unwrap();
        assert!(Storage::open(&path).is_err());
    }
}
