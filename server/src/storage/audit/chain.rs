//! The chain: SHA-256 over the hash of the entry before and the entry itself, as JSON. Who has the rows can compute it
//! anew with nothing but a JSON writer:
//! `sha256(hash before, as it is ‖ [id, at, actor, action, object, before, after, reason, undo, reverts])`.

use sha2::{Digest, Sha256};

use super::{Storage, StorageError, Written};

pub type Hash = [u8; 32];

/// What stands before the first entry.
pub const FIRST: Hash = [0; 32];

/// So many entries are read at a time: in between, others can read.
const AT_ONCE: u32 = 1_000;

/// What a walk along the chain has found.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Verified {
    /// How many entries fit, from the first one on.
    pub entries: i64,
    /// The hash of the last of them: kept elsewhere, it shows later whether any was cut off.
    pub head: Option<String>,
    /// The first entry that was altered, or before which one is missing.
    pub broken_at: Option<i64>,
}

pub fn hash(before: &Hash, entry: &Written) -> Hash {
    let Written { id, at_ms, actor, action, object, before: was, after, reason, undo, reverts } = entry;
    let text = serde_json::to_vec(&(id, at_ms, actor, action, object, was, after, reason, undo, reverts));
    let mut hasher = Sha256::new();
    hasher.update(before);
    // Numbers and texts can always be written.
    hasher.update(text.unwrap_or_default());
    hasher.finalize().into()
}

pub fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Storage {
    /// Walks along the whole log and says whether every entry is as it was written.
    ///
    /// # Errors
    /// If the database fails.
    pub fn verify_audit(&self) -> Result<Verified, StorageError> {
        let (mut last, mut before) = (0, FIRST);
        loop {
            let connection = self.lock_reader();
            let mut rows = connection.prepare_cached(
                "SELECT id, at_unix_ms, actor, action, object, before, after, reason, undo, reverts, hash
                 FROM audit WHERE id > ?1 ORDER BY id LIMIT ?2",
            )?;
            let entries = rows.query_map((last, AT_ONCE), |row| {
                // A hash of another length fits nothing.
                Ok((Written::read(row)?, row.get::<_, Vec<u8>>(10)?))
            })?;
            let mut is_end = true;
            for entry in entries {
                let (entry, kept) = entry?;
                is_end = false;
                let hash = hash(&before, &entry);
                if entry.id != last + 1 || kept != hash {
                    return Ok(verified(last, &before, Some(entry.id)));
                }
                (last, before) = (entry.id, hash);
            }
            if is_end {
                return Ok(verified(last, &before, None));
            }
        }
    }
}

fn verified(entries: i64, head: &Hash, broken_at: Option<i64>) -> Verified {
    Verified { entries, head: (entries > 0).then(|| hex(head)), broken_at }
}
