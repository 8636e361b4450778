//! Who is logged in. Of what the browser holds, only a digest is kept: who reads the database cannot log in.

use rusqlite::params;

use super::accounts::{signed, unsigned};
use super::{Storage, StorageError};

/// What a session's or token's secret is known by: its SHA-256.
pub type Digest = [u8; 32];

/// A session; times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSession {
    pub digest: Digest,
    pub account: String,
    pub created_ms: u64,
    /// When it was last used.
    pub seen_ms: u64,
}

impl Storage {
    /// All sessions.
    ///
    /// # Errors
    /// If the database fails.
    pub fn sessions(&self) -> Result<Vec<StoredSession>, StorageError> {
        let connection = self.lock();
        let mut rows =
            connection.prepare("SELECT digest, account, created_unix_ms, seen_unix_ms FROM session")?;
        let sessions = rows.query_map([], |row| {
            Ok(StoredSession {
                digest: row.get(0)?,
                account: row.get(1)?,
                created_ms: unsigned(row.get(2)?),
                seen_ms: unsigned(row.get(3)?),
            })
        })?;
        Ok(sessions.collect::<Result<_, _>>()?)
    }

    /// Keeps a new session.
    ///
    /// # Errors
    /// If the database fails.
    pub fn save_session(&self, session: &StoredSession) -> Result<(), StorageError> {
        self.lock().execute(
            "INSERT OR REPLACE INTO session VALUES (?1, ?2, ?3, ?4)",
            params![session.digest, session.account, signed(session.created_ms), signed(session.seen_ms)],
        )?;
        Ok(())
    }

    /// Notes when sessions were last used, and forgets those that ended.
    ///
    /// # Errors
    /// If the database fails; then nothing has changed.
    pub fn keep_sessions(&self, seen: &[(Digest, u64)], ended: &[Digest]) -> Result<(), StorageError> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        for (digest, at_ms) in seen {
            transaction.execute(
                "UPDATE session SET seen_unix_ms = ?2 WHERE digest = ?1",
                params![digest, signed(*at_ms)],
            )?;
        }
        for digest in ended {
            transaction.execute("DELETE FROM session WHERE digest = ?1", [digest])?;
        }
        transaction.commit()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_session_is_kept_with_its_last_use_until_it_ends() {
        let storage = Storage::open(Path::new(":memory:")).unwrap();
        let session =
            |at: u8| StoredSession { digest: [at; 32], account: "ada".to_owned(), created_ms: 1, seen_ms: 1 };
        storage.save_session(&session(1)).unwrap();
        storage.save_session(&session(2)).unwrap();
        // One that is gone already is not brought back.
        storage.keep_sessions(&[([1; 32], 9), ([3; 32], 9)], &[[2; 32]]).unwrap();
        assert_eq!(storage.sessions().unwrap(), [StoredSession { seen_ms: 9, ..session(1) }]);
    }
}
