//! Who did what, when and why: a log that is only ever added to.
//!
//! Triggers refuse to change, remove or replace an entry, so that no statement of this program, and no slip in a
//! shell of SQLite, rewrites what was done. Who can write the file can still take the triggers away; therefore each
//! entry holds a hash over itself and the one before ([`chain`]), and what was altered afterwards no longer fits. What
//! is cut off at the end shows only to somebody who has kept the last hash elsewhere.

mod chain;
mod filter;

use rad_model::Call;
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};
use serde_json::Value;

use super::{Storage, StorageError};
use chain::Hash;
pub use chain::Verified;
pub use filter::Filter;

/// Entries are numbered from 1 without a gap.
pub const SCHEMA: &str = "
    CREATE TABLE audit (
        id INTEGER PRIMARY KEY,
        at_unix_ms INTEGER NOT NULL,
        actor TEXT NOT NULL,
        action TEXT NOT NULL,
        object TEXT NOT NULL,
        before TEXT NOT NULL,
        after TEXT NOT NULL,
        reason TEXT NOT NULL,
        undo TEXT,
        reverts INTEGER,
        hash BLOB NOT NULL
    ) STRICT;
    CREATE INDEX audit_reverts ON audit (reverts) WHERE reverts IS NOT NULL;
    CREATE TRIGGER audit_keeps_what_it_says BEFORE UPDATE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
    CREATE TRIGGER audit_forgets_nothing BEFORE DELETE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
    CREATE TRIGGER audit_replaces_nothing BEFORE INSERT ON audit
        WHEN NEW.id IS NOT (SELECT coalesce(max(id), 0) + 1 FROM audit)
        BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END";

/// What an object may be named at most, in letters: names come from requests.
const MAX_NAME: usize = 200;

/// Something that was done, to be written down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewEntry {
    /// Milliseconds since 1970.
    pub at_ms: u64,
    pub actor: String,
    /// A dotted word: `rollout.share`.
    pub action: String,
    /// What it was done to, by name.
    pub object: String,
    /// How it was; null if it was not.
    pub before: Value,
    /// How it was from then on; null if it was no more.
    pub after: Value,
    pub reason: String,
    /// What takes it back, if anything does.
    pub undo: Option<Call>,
    /// The entry that this one takes back.
    pub reverts: Option<i64>,
}

/// An entry as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub id: i64,
    pub entry: NewEntry,
    /// The first entry that takes this one back.
    pub reverted_by: Option<i64>,
    pub hash: String,
}

impl Storage {
    /// Adds an entry; its number. It blocks until the entry is on the disk.
    ///
    /// # Errors
    /// If the database fails; then nothing was added.
    pub fn append(&self, entry: &NewEntry) -> Result<i64, StorageError> {
        let mut connection = self.lock();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let id = append(&transaction, entry)?;
        transaction.commit()?;
        Ok(id)
    }

    /// The last entry by which somebody has decided otherwise about what this one was about. What was taken back since
    /// then counts as little as what took it back.
    ///
    /// # Errors
    /// If the database fails.
    pub fn decided_since(&self, kept: &Kept) -> Result<Option<i64>, StorageError> {
        let kind = kept.entry.action.split_inclusive('.').next().unwrap_or_default();
        let connection = self.lock();
        Ok(connection.query_row(
            "SELECT max(id) FROM audit WHERE id > ?1 AND object = ?2 AND substr(action, 1, length(?3)) = ?3
             AND (reverts IS NULL OR reverts <= ?1)
             AND NOT EXISTS (SELECT 1 FROM audit AS later WHERE later.reverts = audit.id)",
            params![kept.id, kept.entry.object, kind],
            |row| row.get(0),
        )?)
    }

    /// An entry by its number.
    ///
    /// # Errors
    /// If the database fails.
    pub fn audit_entry(&self, id: i64) -> Result<Option<Kept>, StorageError> {
        let found = self.audit(&Filter { only: Some(id), ..Filter::default() }, 1)?;
        Ok(found.into_iter().next())
    }

    /// The latest entries that a filter lets through, at most `most`, the latest first.
    ///
    /// # Errors
    /// If the database fails.
    pub fn audit(&self, filter: &Filter, most: u32) -> Result<Vec<Kept>, StorageError> {
        Ok(filter.find(&self.lock_reader(), most)?)
    }
}

/// Adds an entry as a part of what else a transaction keeps.
///
/// # Errors
/// If the database fails.
pub fn append(connection: &Connection, entry: &NewEntry) -> Result<i64, StorageError> {
    let last = connection
        .query_row("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Hash>(1)?))
        })
        .optional()?;
    let (id, before) = last.map_or((1, chain::FIRST), |(id, hash)| (id.saturating_add(1), hash));
    let written = Written::of(id, entry);
    connection.execute(
        "INSERT INTO audit VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        params![
            written.id,
            written.at_ms,
            written.actor,
            written.action,
            written.object,
            written.before,
            written.after,
            written.reason,
            written.undo,
            written.reverts,
            chain::hash(&before, &written)
        ],
    )?;
    Ok(id)
}

/// An entry in the words that are stored, and hashed.
#[derive(Debug, serde::Serialize)]
struct Written {
    id: i64,
    at_ms: i64,
    actor: String,
    action: String,
    object: String,
    before: String,
    after: String,
    reason: String,
    undo: Option<String>,
    reverts: Option<i64>,
}

impl Written {
    fn of(id: i64, entry: &NewEntry) -> Self {
        let short = |name: &str| name.chars().take(MAX_NAME).collect();
        Self {
            id,
            at_ms: i64::try_from(entry.at_ms).unwrap_or(i64::MAX),
            actor: short(&entry.actor),
            action: entry.action.clone(),
            object: short(&entry.object),
            before: entry.before.to_string(),
            after: entry.after.to_string(),
            reason: entry.reason.clone(),
            undo: entry.undo.as_ref().and_then(|call| serde_json::to_string(call).ok()),
            reverts: entry.reverts,
        }
    }

    /// The first ten columns.
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            at_ms: row.get(1)?,
            actor: row.get(2)?,
            action: row.get(3)?,
            object: row.get(4)?,
            before: row.get(5)?,
            after: row.get(6)?,
            reason: row.get(7)?,
            undo: row.get(8)?,
            reverts: row.get(9)?,
        })
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Kept> {
    let written = Written::read(row)?;
    let value = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
    let hash: Hash = row.get(10)?;
    Ok(Kept {
        id: written.id,
        reverted_by: row.get(11)?,
        hash: chain::hex(&hash),
        entry: NewEntry {
            at_ms: u64::try_from(written.at_ms).unwrap_or(0),
            before: value(&written.before),
            after: value(&written.after),
            actor: written.actor,
            action: written.action,
            object: written.object,
            reason: written.reason,
            undo: written.undo.and_then(|call| serde_json::from_str(&call).ok()),
            reverts: written.reverts,
        },
    })
}

#[cfg(test)]
pub mod tests;
