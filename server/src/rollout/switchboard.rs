//! The flags in force, and how people change them.
//!
//! Who evaluates reads one pointer and waits for nobody; a change makes all flags ready anew and puts the pointer on
//! them. It is in force before it is on the disk: a switch must work while a disk is full.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::{ArcSwap, Guard};

use super::flags::{Environment, Flag, Kept, MAX_FLAGS, Snapshot, Wrong, check_key, unmet_by};
use super::switches::{SWITCHES, check_reserved, is_reserved};
use super::{Cause, Seed};
use crate::config::FlagSettings;
use crate::storage::{PastFlag, Storage, StorageError, StoredFlag};
use crate::telemetry::log::{Level, Line, Log, Value};
use crate::telemetry::unix_ms;

/// The flags in force.
#[derive(Debug)]
pub struct Switchboard {
    in_force: ArcSwap<InForce>,
    storage: Arc<Storage>,
    /// Seed and last version of those that are not in force any more. Held while a change is made and stored, so that
    /// two changes are stored in the order in which they took force.
    archived: Mutex<BTreeMap<String, Kept>>,
    log: Log,
}

/// The flags of a moment, and where the program's own ones are.
#[derive(Debug)]
pub struct InForce {
    pub snapshot: Snapshot,
    pub own: [Option<usize>; SWITCHES.len()],
}

impl InForce {
    fn new(kept: Vec<Kept>, environment: Environment) -> Self {
        let snapshot = Snapshot::new(kept, environment);
        let own = SWITCHES.map(|switch| snapshot.position(switch.key));
        Self { snapshot, own }
    }
}

/// A change that is in force.
#[derive(Debug)]
pub struct FlagChange {
    /// None where there was no such flag.
    pub before: Option<Kept>,
    /// None where it is archived now.
    pub after: Option<Kept>,
    /// Whether the next start will know of it.
    pub stored: Result<(), StorageError>,
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum FlagRefused {
    #[error("no flag has the key {0:?}")]
    Unknown(String),
    /// It is of another version than was expected; 0: there is none.
    #[error("{key} is of version {version} now")]
    Overtaken { key: String, version: u64 },
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Wrong(Vec<Wrong>),
    #[error("{0}")]
    Impossible(String),
    #[error("there is no version {0} of it")]
    NoSuchVersion(u64),
    #[error("its history could not be read")]
    Unreadable,
}

/// What is to become of a flag.
#[derive(Debug)]
pub enum Become {
    Flag(Box<Flag>),
    Archived,
    /// As it is: nothing is done.
    Same,
}

impl Switchboard {
    /// The flags as they were last left. The program's own ones are always there; those of the configuration are as it
    /// says at their first start, and whenever what it says has been edited since.
    ///
    /// # Errors
    /// If the database fails.
    pub fn open(
        storage: Arc<Storage>,
        environment: Environment,
        configured: &[FlagSettings],
        log: Log,
    ) -> Result<Self, StorageError> {
        let mut known: BTreeMap<String, StoredFlag> =
            storage.flags()?.into_iter().map(|stored| (stored.kept.key.clone(), stored)).collect();
        let cause =
            |by: &str| Cause { by: by.to_owned(), reason: String::new(), at_ms: unix_ms(), reverts: None };
        for FlagSettings { key, flag } in configured.iter().cloned() {
            let says = serde_json::to_string(&flag).unwrap_or_default();
            let before = known.get(&key);
            if before.is_some_and(|before| before.configured.as_deref() == Some(&says)) {
                continue;
            }
            let (kept, what) = match before {
                Some(StoredFlag { kept, .. }) => {
                    let flag = beginning(&kept.flag, flag);
                    (Kept::from((kept, flag, &cause("configuration"))), "configured anew")
                }
                None => (first(&key, flag, &cause("configuration")), "created"),
            };
            let next = StoredFlag { kept, configured: Some(says), is_archived: false };
            storage.save_flag(&next, what)?;
            known.insert(key, next);
        }
        for switch in SWITCHES {
            if !known.contains_key(switch.key) {
                let kept = first(switch.key, switch.flag(), &cause("default"));
                let next = StoredFlag { kept, configured: None, is_archived: false };
                storage.save_flag(&next, "created")?;
                known.insert(switch.key.to_owned(), next);
            }
        }
        let (archived, kept): (Vec<_>, Vec<_>) = known.into_values().partition(|stored| stored.is_archived);
        let kept = kept.into_iter().map(|stored| stored.kept).collect();
        let archived = archived.into_iter().map(|stored| (stored.kept.key.clone(), stored.kept)).collect();
        Ok(Self {
            in_force: ArcSwap::from_pointee(InForce::new(kept, environment)),
            storage,
            archived: Mutex::new(archived),
            log,
        })
    }

    /// The flags of this moment. Short-lived: who keeps it keeps old flags.
    #[must_use]
    pub fn now(&self) -> Guard<Arc<InForce>> {
        self.in_force.load()
    }

    /// Changes a flag, unless it is of another version than `expected`, or `into` refuses. It blocks until the change
    /// is on the disk.
    ///
    /// # Errors
    /// [`FlagRefused`]; then nothing was changed.
    pub fn change(
        &self,
        key: &str,
        expected: Option<u64>,
        cause: &Cause,
        what: &str,
        into: impl FnOnce(Option<&Kept>) -> Result<Become, FlagRefused>,
    ) -> Result<FlagChange, FlagRefused> {
        let mut archived = self.lock();
        let now = self.in_force.load_full();
        let others = &now.snapshot;
        let before = others.get(key);
        let version = before.map_or(0, |before| before.version);
        if expected.is_some_and(|expected| expected != version) {
            return Err(FlagRefused::Overtaken { key: key.to_owned(), version });
        }
        let (flag, is_archived) = match into(before)? {
            Become::Same => {
                let before = before.cloned();
                return Ok(FlagChange { after: before.clone(), before, stored: Ok(()) });
            }
            Become::Flag(flag) => (*flag, false),
            Become::Archived => match before {
                Some(before) => (Flag::clone(&before.flag), true),
                None => return Err(FlagRefused::Unknown(key.to_owned())),
            },
        };
        refuse(key, (!is_archived).then_some(&flag), others)?;
        let (after, what) = match before.or(archived.get(key)) {
            Some(last) => (Kept::from((last, flag, cause)), what),
            None => (first(key, flag, cause), "created"),
        };
        let before = before.cloned();
        let mut kept: Vec<_> = others.entries().iter().map(|entry| entry.kept.clone()).collect();
        kept.retain(|kept| kept.key != key);
        if is_archived {
            archived.insert(key.to_owned(), after.clone());
        } else {
            archived.remove(key);
            kept.push(after.clone());
        }
        self.in_force.store(Arc::new(InForce::new(kept, others.environment())));
        let next = StoredFlag { kept: after, configured: None, is_archived };
        self.tell(&next.kept, what);
        let stored = self.storage.save_flag(&next, what);
        Ok(FlagChange { before, after: (!is_archived).then_some(next.kept), stored })
    }

    /// The last changes of a flag that is or was in force, the latest first. It blocks.
    ///
    /// # Errors
    /// If there was never such a flag, or the database fails.
    pub fn history(&self, key: &str, most: u32) -> Result<Vec<PastFlag>, FlagRefused> {
        match self.storage.flag_history(key, most) {
            Ok(none) if none.is_empty() => Err(FlagRefused::Unknown(key.to_owned())),
            Ok(changes) => Ok(changes),
            Err(_) => Err(FlagRefused::Unreadable),
        }
    }

    /// A flag as it was. It blocks.
    ///
    /// # Errors
    /// If there was no such version, or the database fails.
    pub fn version(&self, key: &str, version: u64) -> Result<Flag, FlagRefused> {
        match self.storage.flag_version(key, version) {
            Ok(Some(past)) => Ok(past.flag),
            Ok(None) => Err(FlagRefused::NoSuchVersion(version)),
            Err(_) => Err(FlagRefused::Unreadable),
        }
    }

    fn tell(&self, kept: &Kept, what: &str) {
        let fields = [
            ("flag", Value::Text(&kept.key)),
            ("what", Value::Text(what)),
            ("version", Value::Count(kept.version)),
            ("by", Value::Text(&kept.by)),
            ("reason", Value::Text(&kept.reason)),
        ];
        self.log.line(&Line { level: Level::Warn, event: "flag_changed", fields: &fields });
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Kept>> {
        self.archived.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Refuses what cannot be: a flag with something wrong, or one that others need as it was.
fn refuse(key: &str, flag: Option<&Flag>, others: &Snapshot) -> Result<(), FlagRefused> {
    let needing = unmet_by(key, flag, others);
    if !needing.is_empty() {
        let needing = needing.join(", ");
        return Err(FlagRefused::Impossible(format!(
            "{key} is needed as it is by {needing}: take it out of their prerequisites first"
        )));
    }
    let Some(flag) = flag else {
        if is_reserved(key) {
            return Err(FlagRefused::Impossible(format!("{key} is the program's own: turn it off instead")));
        }
        return Ok(());
    };
    let mut wrong: Vec<_> = check_key(key).err().into_iter().collect();
    wrong.extend(check_reserved(key, flag));
    wrong.extend(flag.check(key, others));
    if !wrong.is_empty() {
        return Err(FlagRefused::Wrong(wrong));
    }
    if others.get(key).is_none() && others.entries().len() >= MAX_FLAGS {
        return Err(FlagRefused::Impossible(format!(
            "there are {MAX_FLAGS} flags already, the most there may be"
        )));
    }
    Ok(())
}

/// What an edited configuration makes of a flag: people's rules stay where they still fit.
fn beginning(before: &Flag, configured: Flag) -> Flag {
    let merged = Flag {
        rules: before.rules.clone(),
        prerequisites: before.prerequisites.clone(),
        ..configured.clone()
    };
    let alone = Snapshot::new(Vec::new(), Environment::Development);
    // The prerequisites were checked when they were made.
    let fits = Flag { prerequisites: Vec::new(), ..merged.clone() }.check("", &alone).is_empty();
    if fits { merged } else { configured }
}

fn first(key: &str, flag: Flag, cause: &Cause) -> Kept {
    Kept {
        key: key.to_owned(),
        flag: Arc::new(flag),
        seed: Seed::new(fastrand::u64(..)),
        version: 1,
        by: cause.by.clone(),
        reason: cause.reason.clone(),
        at_ms: cause.at_ms,
    }
}

#[cfg(test)]
mod tests;
