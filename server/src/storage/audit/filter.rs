//! Which entries are wanted.

use rusqlite::{Connection, named_params};

use super::{Kept, read};

/// What entries must be; what is not said lets all through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub actor: Option<String>,
    /// A whole action (`rollout.share`), or all of a kind (`rollout`).
    pub action: Option<String>,
    pub object: Option<String>,
    /// Anywhere in what was done, by whom, to what and why; of the letters A to Z, small and large are the same.
    pub text: Option<String>,
    /// Milliseconds since 1970, the first that counts.
    pub from_ms: Option<i64>,
    /// Milliseconds since 1970, the first that counts no more.
    pub to_ms: Option<i64>,
    /// Entries before this one only.
    pub before: Option<i64>,
    /// This one only.
    pub only: Option<i64>,
}

/// One statement for every filter, so that it is prepared once. Entries are read from the latest on until enough are
/// found; there is no index to look in, since one would make each entry half as large again.
const SELECT: &str = "
    SELECT id, at_unix_ms, actor, action, object, before, after, reason, undo, reverts, hash,
        (SELECT min(later.id) FROM audit AS later WHERE later.reverts = audit.id)
    FROM audit
    WHERE id < coalesce(:before, 9223372036854775807)
        AND id BETWEEN coalesce(:only, 0) AND coalesce(:only, 9223372036854775807)
        AND (:actor IS NULL OR actor = :actor)
        AND (:action IS NULL OR action = :action OR substr(action, 1, length(:action) + 1) = :action || '.')
        AND (:object IS NULL OR object = :object)
        AND (:from IS NULL OR at_unix_ms >= :from)
        AND (:to IS NULL OR at_unix_ms < :to)
        AND (:text IS NULL OR instr(
            lower(actor || char(10) || action || char(10) || object || char(10) || before || char(10)
                || after || char(10) || reason), lower(:text)) > 0)
    ORDER BY id DESC LIMIT :most";

impl Filter {
    /// The latest entries that it lets through, at most `most`, the latest first.
    pub fn find(&self, connection: &Connection, most: u32) -> rusqlite::Result<Vec<Kept>> {
        let mut rows = connection.prepare_cached(SELECT)?;
        let wanted = named_params! {
            ":actor": self.actor,
            ":action": self.action,
            ":object": self.object,
            ":text": self.text,
            ":from": self.from_ms,
            ":to": self.to_ms,
            ":before": self.before,
            ":only": self.only,
            ":most": most,
        };
        rows.query_map(wanted, read)?.collect()
    }
}
