//! Who may log in, and with which password. Names are those that the console checked.

use std::net::IpAddr;

use rusqlite::params;

use super::{Storage, StorageError};

/// The tables of accounts, sessions and tokens.
pub(super) const MIGRATION: &str = "CREATE TABLE account (
        name TEXT PRIMARY KEY,
        role TEXT NOT NULL,
        password TEXT NOT NULL,
        must_change INTEGER NOT NULL,
        created_unix_ms INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE session (
        digest BLOB PRIMARY KEY,
        account TEXT NOT NULL,
        created_unix_ms INTEGER NOT NULL,
        seen_unix_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX session_of ON session (account);
    CREATE TABLE token (
        id TEXT PRIMARY KEY,
        digest BLOB NOT NULL UNIQUE,
        name TEXT NOT NULL,
        account TEXT NOT NULL,
        scopes TEXT NOT NULL,
        created_unix_ms INTEGER NOT NULL,
        expires_unix_ms INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX token_of ON token (account);
    CREATE TABLE login_address (
        account TEXT NOT NULL,
        address TEXT NOT NULL,
        seen_unix_ms INTEGER NOT NULL,
        PRIMARY KEY (account, address)
    ) STRICT, WITHOUT ROWID";

/// So many addresses are remembered from which an account has logged in.
pub const LOGIN_ADDRESSES: usize = 8;

/// An account.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredAccount {
    pub name: String,
    pub role: String,
    /// In the PHC string format: algorithm, parameters, salt and hash.
    pub password: String,
    /// Whether the password must be changed before anything else.
    pub must_change: bool,
    /// Milliseconds since 1970.
    pub created_ms: u64,
}

impl std::fmt::Debug for StoredAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredAccount")
            .field("name", &self.name)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

impl Storage {
    /// All accounts.
    ///
    /// # Errors
    /// If the database fails.
    pub fn accounts(&self) -> Result<Vec<StoredAccount>, StorageError> {
        let connection = self.lock();
        let mut rows =
            connection.prepare("SELECT name, role, password, must_change, created_unix_ms FROM account")?;
        let accounts = rows.query_map([], |row| {
            Ok(StoredAccount {
                name: row.get(0)?,
                role: row.get(1)?,
                password: row.get(2)?,
                must_change: row.get(3)?,
                created_ms: unsigned(row.get(4)?),
            })
        })?;
        Ok(accounts.collect::<Result<_, _>>()?)
    }

    /// Keeps an account, in the place of the one of its name, and ends its sessions.
    ///
    /// # Errors
    /// If the database fails; then nothing has changed.
    pub fn save_account(&self, account: &StoredAccount) -> Result<(), StorageError> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        transaction.execute(
            "INSERT OR REPLACE INTO account VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                account.name,
                account.role,
                account.password,
                account.must_change,
                signed(account.created_ms)
            ],
        )?;
        transaction.execute("DELETE FROM session WHERE account = ?1", [&account.name])?;
        transaction.commit()?;
        Ok(())
    }

    /// Where each account has logged in from, by name, the latest last.
    ///
    /// # Errors
    /// If the database fails.
    pub fn login_addresses(&self) -> Result<Vec<(String, IpAddr)>, StorageError> {
        let connection = self.lock();
        let mut rows =
            connection.prepare("SELECT account, address FROM login_address ORDER BY seen_unix_ms")?;
        let known = rows.query_map([], |row| {
            let address: String = row.get(1)?;
            // Only this program writes here; what is no address is nowhere.
            Ok(address.parse().ok().zip(row.get(0).ok()).map(|(address, account)| (account, address)))
        })?;
        Ok(known.filter_map(Result::transpose).collect::<Result<_, _>>()?)
    }

    /// Remembers where an account has logged in from; of many places, the latest.
    ///
    /// # Errors
    /// If the database fails.
    pub fn save_login_address(&self, account: &str, address: IpAddr, at_ms: u64) -> Result<(), StorageError> {
        let connection = self.lock();
        connection.execute(
            "INSERT OR REPLACE INTO login_address VALUES (?1, ?2, ?3)",
            params![account, address.to_string(), signed(at_ms)],
        )?;
        connection.execute(
            "DELETE FROM login_address WHERE account = ?1 AND address NOT IN
             (SELECT address FROM login_address WHERE account = ?1 ORDER BY seen_unix_ms DESC LIMIT ?2)",
            params![account, i64::try_from(LOGIN_ADDRESSES).unwrap_or(i64::MAX)],
        )?;
        Ok(())
    }

    /// Forgets an account with its sessions and tokens.
    ///
    /// # Errors
    /// If the database fails; then nothing has changed.
    pub fn remove_account(&self, name: &str) -> Result<(), StorageError> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        transaction.execute("DELETE FROM session WHERE account = ?1", [name])?;
        transaction.execute("DELETE FROM token WHERE account = ?1", [name])?;
        transaction.execute("DELETE FROM login_address WHERE account = ?1", [name])?;
        transaction.execute("DELETE FROM account WHERE name = ?1", [name])?;
        transaction.commit()?;
        Ok(())
    }
}

pub(super) fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn the_last_addresses_of_an_account_are_known_after_a_restart() {
        let storage = Storage::open(Path::new(":memory:")).unwrap();
        let address = |last: u8| IpAddr::from([10, 0, 0, last]);
        for last in (1..=10).chain([3]) {
            storage
                .save_login_address("ada", address(last), u64::from(last) + u64::from(last == 3) * 100)
                .unwrap();
        }
        storage.save_login_address("bob", address(1), 1).unwrap();
        let of_ada: Vec<_> =
            storage.login_addresses().unwrap().into_iter().filter(|(name, _)| name == "ada").collect();
        assert_eq!(
            of_ada.iter().map(|(_, at)| *at).collect::<Vec<_>>(),
            [4, 5, 6, 7, 8, 9, 10, 3].map(address)
        );
        storage.remove_account("ada").unwrap();
        assert_eq!(storage.login_addresses().unwrap().len(), 1);
    }

    use super::super::{StoredSession, StoredToken};
    use super::*;

    fn account(name: &str) -> StoredAccount {
        StoredAccount {
            name: name.to_owned(),
            role: "viewer".to_owned(),
            password: "$argon2id$…".to_owned(),
            must_change: true,
            created_ms: 17,
        }
    }

    #[test]
    fn with_an_account_go_its_sessions_and_tokens_and_nobody_elses() {
        let storage = Storage::open(Path::new(":memory:")).unwrap();
        for (at, name) in [(1, "ada"), (2, "bob")] {
            storage.save_account(&account(name)).unwrap();
            let account = name.to_owned();
            let session = StoredSession { digest: [at; 32], account, created_ms: 1, seen_ms: 2 };
            storage.save_session(&session).unwrap();
            storage
                .save_token(&StoredToken {
                    id: name.to_owned(),
                    digest: [at; 32],
                    name: "ci".to_owned(),
                    account: name.to_owned(),
                    scopes: "read".to_owned(),
                    created_ms: 1,
                    expires_ms: 2,
                })
                .unwrap();
        }
        storage.remove_account("ada").unwrap();
        assert_eq!(storage.accounts().unwrap(), [account("bob")]);
        assert_eq!(storage.sessions().unwrap().len(), 1);
        assert_eq!(storage.tokens().unwrap()[0].account, "bob");
    }

    #[test]
    fn an_account_that_changes_loses_its_sessions() {
        let storage = Storage::open(Path::new(":memory:")).unwrap();
        storage.save_account(&account("ada")).unwrap();
        let session = StoredSession { digest: [1; 32], account: "ada".to_owned(), created_ms: 1, seen_ms: 2 };
        storage.save_session(&session).unwrap();
        let changed = StoredAccount { role: "admin".to_owned(), must_change: false, ..account("ada") };
        storage.save_account(&changed).unwrap();
        assert_eq!(storage.accounts().unwrap(), [changed]);
        assert_eq!(storage.sessions().unwrap(), []);
    }
}
