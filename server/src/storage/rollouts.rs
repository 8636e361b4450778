//! Where the rollouts are, and how they came there.

use rad_model::Share;
use rusqlite::{OptionalExtension, params};

use super::audit::{NewEntry, append};
use super::{Storage, StorageError};
use crate::rollout::{Cause, Phase, Place, Seed};
use crate::telemetry::unix_ms;

/// A rollout as it was last left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredRollout {
    pub seed: Seed,
    pub place: Place,
}

/// One change of a rollout.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PastChange {
    /// Milliseconds since 1970.
    pub at_ms: u64,
    pub from: Share,
    pub to: Share,
    /// What it was after it: `manual`, `stage`, `paused`, `complete` or `rolled_back`; `shadow` where the shares are
    /// those of the requests that are copied.
    pub phase: String,
    pub by: String,
    pub reason: String,
}

impl PastChange {
    /// Who made it, and why.
    #[must_use]
    pub fn cause(self) -> Cause {
        Cause { by: self.by, reason: self.reason, at_ms: self.at_ms, reverts: None }
    }
}

impl Storage {
    /// The rollout as it was last left. At its first start, and whenever the share in the configuration
    /// has been edited since, it has that share; the seed is drawn once.
    ///
    /// # Errors
    /// If the database fails.
    pub fn rollout(&self, name: &str, configured: Share) -> Result<StoredRollout, StorageError> {
        let connection = self.lock();
        let known = connection
            .query_row(
                "SELECT seed, configured_basis_points, basis_points, phase, stage, since_unix_ms
                 FROM rollout WHERE name = ?1",
                [name],
                |row| {
                    let (seed, before): (i64, u16) = (row.get(0)?, row.get(1)?);
                    let (phase, stage): (String, u16) = (row.get(3)?, row.get(4)?);
                    let since: i64 = row.get(5)?;
                    let place = Place {
                        phase: phase_of(&phase, stage.into()),
                        share: Share::from_basis_points(row.get(2)?).unwrap_or(configured),
                        since_ms: u64::try_from(since).unwrap_or(0),
                    };
                    Ok((seed, before, place))
                },
            )
            .optional()?;
        let points = configured.basis_points();
        if let Some((seed, _, place)) = known.filter(|(_, before, _)| *before == points) {
            return Ok(StoredRollout { seed: Seed::new(seed.cast_unsigned()), place });
        }
        let seed = match known {
            Some((seed, ..)) => seed,
            None => connection.query_row("SELECT random()", [], |row| row.get(0))?,
        };
        let place = Place { phase: Phase::Manual, share: configured, since_ms: unix_ms() };
        connection.execute(
            "INSERT INTO rollout (name, seed, configured_basis_points, basis_points, since_unix_ms)
             VALUES (?1, ?2, ?3, ?3, ?4)
             ON CONFLICT (name) DO UPDATE SET
                configured_basis_points = ?3, basis_points = ?3, phase = 'manual', stage = 0, since_unix_ms = ?4",
            params![name, seed, points, signed(place.since_ms)],
        )?;
        Ok(StoredRollout { seed: Seed::new(seed.cast_unsigned()), place })
    }

    /// Remembers where a rollout is now, and in its history and in the audit log how it came there.
    ///
    /// # Errors
    /// If the database fails; then none of it is remembered.
    pub fn save_rollout(
        &self,
        name: &str,
        from: Place,
        to: Place,
        entry: &NewEntry,
    ) -> Result<(), StorageError> {
        let (phase, stage) = word_of(to.phase);
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        let updated = transaction.execute(
            "UPDATE rollout SET basis_points = ?2, phase = ?3, stage = ?4, since_unix_ms = ?5 WHERE name = ?1",
            params![name, to.share.basis_points(), phase, stage, signed(to.since_ms)],
        )?;
        if updated == 0 {
            return Err(rusqlite::Error::QueryReturnedNoRows.into());
        }
        transaction.execute(
            "INSERT INTO rollout_history (rollout, at_unix_ms, from_basis_points, to_basis_points, phase, by, reason)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                name,
                signed(entry.at_ms),
                from.share.basis_points(),
                to.share.basis_points(),
                phase,
                entry.actor,
                entry.reason
            ],
        )?;
        if to.phase.voids_start() {
            transaction
                .execute("UPDATE rollout_start SET start_unix_ms = NULL WHERE rollout = ?1", [name])?;
        }
        append(&transaction, entry)?;
        transaction.commit()?;
        Ok(())
    }

    /// The last changes of a rollout, at most `most`, the latest first.
    ///
    /// # Errors
    /// If the database fails.
    pub fn rollout_history(&self, name: &str, most: u32) -> Result<Vec<PastChange>, StorageError> {
        let connection = self.lock();
        let mut rows = connection.prepare(
            "SELECT at_unix_ms, from_basis_points, to_basis_points, phase, by, reason
             FROM rollout_history WHERE rollout = ?1 ORDER BY id DESC LIMIT ?2",
        )?;
        let changes = rows.query_map(params![name, most], |row| {
            let at: i64 = row.get(0)?;
            let share = |points| Share::from_basis_points(points).unwrap_or_default();
            Ok(PastChange {
                at_ms: u64::try_from(at).unwrap_or(0),
                from: share(row.get(1)?),
                to: share(row.get(2)?),
                phase: row.get(3)?,
                by: row.get(4)?,
                reason: row.get(5)?,
            })
        })?;
        Ok(changes.collect::<Result<_, _>>()?)
    }
}

pub(super) fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

fn word_of(phase: Phase) -> (&'static str, u16) {
    // There are few stages.
    let number = |at: usize| u16::try_from(at).unwrap_or(u16::MAX);
    match phase {
        Phase::Manual => ("manual", 0),
        Phase::Stage(at) => ("stage", number(at)),
        Phase::Paused(at) => ("paused", number(at)),
        Phase::Complete => ("complete", 0),
        Phase::RolledBack => ("rolled_back", 0),
    }
}

/// Only this program writes here; a word that it does not know leaves the share to people.
fn phase_of(word: &str, stage: usize) -> Phase {
    match word {
        "stage" => Phase::Stage(stage),
        "paused" => Phase::Paused(stage),
        "complete" => Phase::Complete,
        "rolled_back" => Phase::RolledBack,
        _ => Phase::Manual,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Filter;
    use super::super::audit::tests::entry;
    use super::*;

    fn share(percent: f64) -> Share {
        Share::from_percent(percent).unwrap()
    }

    fn place(phase: Phase, percent: f64) -> Place {
        Place { phase, share: share(percent), since_ms: 1_700_000_000_000 }
    }

    fn by_ada(reason: &str) -> NewEntry {
        NewEntry { reason: reason.to_owned(), ..entry("ada", "rollout.share", "search") }
    }

    #[test]
    fn where_a_rollout_is_survives_a_restart_and_the_seed_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        for phase in [Phase::Stage(1), Phase::Paused(3), Phase::Complete, Phase::RolledBack, Phase::Manual] {
            let first = Storage::open(&path).unwrap();
            let stored = first.rollout("search", share(10.0)).unwrap();
            let to = place(phase, 25.0);
            first.save_rollout("search", stored.place, to, &by_ada("")).unwrap();
            drop(first);
            let again = Storage::open(&path).unwrap().rollout("search", share(10.0)).unwrap();
            assert_eq!(again, StoredRollout { seed: stored.seed, place: to });
        }
    }

    #[test]
    fn an_edited_configuration_wins_over_what_was_stored() {
        let storage = Storage::open(Path::new(":memory:")).unwrap();
        let stored = storage.rollout("search", share(10.0)).unwrap();
        storage.save_rollout("search", stored.place, place(Phase::Stage(3), 100.0), &by_ada("")).unwrap();
        let edited = storage.rollout("search", share(5.0)).unwrap();
        assert_eq!((edited.seed, edited.place.share), (stored.seed, share(5.0)));
        assert_eq!(edited.place.phase, Phase::Manual);
    }

    #[test]
    fn the_history_tells_the_latest_changes_first() {
        let storage = Storage::open(Path::new(":memory:")).unwrap();
        let mut at = storage.rollout("search", share(0.0)).unwrap().place;
        for (phase, percent) in [(Phase::Stage(0), 10.0), (Phase::Stage(1), 25.0), (Phase::RolledBack, 0.0)] {
            let to = place(phase, percent);
            storage.save_rollout("search", at, to, &by_ada(&format!("to {percent}"))).unwrap();
            at = to;
        }
        let history = storage.rollout_history("search", 2).unwrap();
        let told: Vec<_> =
            history.iter().map(|change| (change.from.percent(), change.phase.as_str())).collect();
        assert_eq!(told, [(25.0, "rolled_back"), (10.0, "stage")]);
        assert_eq!((history[0].by.as_str(), history[0].reason.as_str()), ("ada", "to 0"));
        assert!(storage.save_rollout("unknown", at, at, &by_ada("")).is_err());
        // The audit log has the same, and not what was not done.
        let entries = storage.audit(&Filter::default(), 10).unwrap();
        let reasons: Vec<_> = entries.iter().map(|kept| kept.entry.reason.as_str()).collect();
        assert_eq!(reasons, ["to 0", "to 25", "to 10"]);
    }
}
