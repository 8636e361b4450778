//! What programs show instead of logging in. Of a token, only a digest is kept.

use rusqlite::params;

use super::accounts::{signed, unsigned};
use super::{Digest, Storage, StorageError};

/// A token; times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredToken {
    pub id: String,
    pub digest: Digest,
    pub name: String,
    /// Its owner.
    pub account: String,
    /// Separated by spaces.
    pub scopes: String,
    pub created_ms: u64,
    pub expires_ms: u64,
}

impl Storage {
    /// All tokens.
    ///
    /// # Errors
    /// If the database fails.
    pub fn tokens(&self) -> Result<Vec<StoredToken>, StorageError> {
        let connection = self.lock();
        let mut rows = connection.prepare(
            "SELECT id, digest, name, account, scopes, created_unix_ms, expires_unix_ms FROM token",
        )?;
        let tokens = rows.query_map([], |row| {
            Ok(StoredToken {
                id: row.get(0)?,
                digest: row.get(1)?,
                name: row.get(2)?,
                account: row.get(3)?,
                scopes: row.get(4)?,
                created_ms: unsigned(row.get(5)?),
                expires_ms: unsigned(row.get(6)?),
            })
        })?;
        Ok(tokens.collect::<Result<_, _>>()?)
    }

    /// Keeps a new token.
    ///
    /// # Errors
    /// If the database fails.
    pub fn save_token(&self, token: &StoredToken) -> Result<(), StorageError> {
        self.lock().execute(
            "INSERT INTO token VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                token.id,
                token.digest,
                token.name,
                token.account,
                token.scopes,
                signed(token.created_ms),
                signed(token.expires_ms)
            ],
        )?;
        Ok(())
    }

    /// Forgets a token.
    ///
    /// # Errors
    /// If the database fails.
    pub fn remove_token(&self, id: &str) -> Result<(), StorageError> {
        self.lock().execute("DELETE FROM token WHERE id = ?1", [id])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_token_is_kept_until_it_is_removed() {
        let storage = Storage::open(Path::new(":memory:")).unwrap();
        let token = StoredToken {
            id: "4f".to_owned(),
            digest: [7; 32],
            name: "ci".to_owned(),
            account: "ada".to_owned(),
            scopes: "read rollouts:write".to_owned(),
            created_ms: 1,
            expires_ms: u64::MAX >> 1,
        };
        storage.save_token(&token).unwrap();
        assert_eq!(storage.tokens().unwrap(), std::slice::from_ref(&token));
        assert!(
            storage.save_token(&StoredToken { id: "50".to_owned(), ..token }).is_err(),
            "the same secret"
        );
        storage.remove_token("4f").unwrap();
        assert_eq!(storage.tokens().unwrap(), []);
    }
}
