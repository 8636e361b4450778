//! The audit log: how changes get into it, and how it is read.
//!
//! A handler that changes something takes a [`Deed`] (who), asks it [`Deed::why`], and makes its change within
//! [`alone`], where it writes an entry by [`Console::record`]. A change that cannot be written down is in force all the
//! same, and says so: a rollback must not fail because a disk is full. Rollouts write theirs together with their
//! state (`storage/rollouts.rs`), since their verdicts change them as well.

mod asked;
mod csv;
mod revert;
mod words;

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use rad_model::Call;
use serde::Serialize;
use serde_json::Value;

use super::Console;
use super::act::{self, Actor};
use super::api::Shared;
use super::error::ApiError;
use super::take::{Asked, Name};
use crate::storage::{Filter, Kept, NewEntry, StorageError, Verified};
use crate::telemetry::unix_ms;
use asked::Wanted;

pub use csv::export;
pub use revert::{Whole, revert};
pub use words::{page, shown};

/// Who does something, and what that takes back.
#[derive(Clone, Debug)]
pub struct Deed {
    pub by: String,
    /// The entry that is taken back, and why, where it is done from the log.
    reverts: Option<Reverting>,
}

/// Left in the extensions of a call that takes an entry back; from outside it cannot be put there.
#[derive(Clone, Debug)]
struct Reverting {
    id: i64,
    reason: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Deed {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let Ok(Actor { name: by, .. }) = Actor::from_request_parts(parts, state).await;
        Ok(Self { by, reverts: parts.extensions.get().cloned() })
    }
}

impl Deed {
    /// The reason, as it is shown and kept. Asked before anything is changed by all that acts on the gateway.
    ///
    /// # Errors
    /// 400 if there is none and the profile wants one.
    pub fn why(&self, console: &Console, said: &str) -> Result<String, ApiError> {
        let reason = self.said(said);
        if console.reasons && reason.is_empty() {
            return Err(ApiError::bad_request("a reason is needed: the profile is production"));
        }
        Ok(reason)
    }

    /// The same of what acts on nothing but the console itself: a reason is never needed.
    pub fn said(&self, said: &str) -> String {
        act::short(self.reverts.as_ref().map_or(said, |reverts| &reverts.reason))
    }

    /// The entry that this takes back.
    pub fn reverts(&self) -> Option<i64> {
        self.reverts.as_ref().map(|reverts| reverts.id)
    }

    /// What is written down: a dotted word for what was done, to what, how that was before and after it, and why.
    pub fn entry(
        &self,
        (action, object): (&str, &str),
        (before, after): (Value, Value),
        reason: &str,
        undo: Option<&Call>,
    ) -> NewEntry {
        NewEntry {
            at_ms: unix_ms(),
            actor: self.by.clone(),
            action: action.to_owned(),
            object: object.to_owned(),
            before,
            after,
            reason: reason.to_owned(),
            undo: undo.cloned(),
            reverts: self.reverts(),
        }
    }
}

/// Makes a change where it may wait for the disk, which this runtime must not, and lets no other one come between a
/// look and what depends on it: so entries stand in the order in which their changes took force.
///
/// # Errors
/// What the change says.
pub async fn alone<T: Send + 'static>(
    console: Arc<Console>,
    change: impl FnOnce(&Console) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let done = tokio::task::spawn_blocking(move || {
        let _alone = console.one_at_a_time();
        change(&console)
    });
    done.await.unwrap_or_else(|_| {
        Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "something went wrong here"))
    })
}

impl Console {
    /// Writes down what was done. It blocks until that is on the disk.
    ///
    /// # Errors
    /// 500 if it cannot be written; what was done is in force all the same.
    pub fn record(&self, entry: &NewEntry) -> Result<(), ApiError> {
        self.storage.append(entry).map(drop).map_err(|_| {
            ApiError::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the change is in force, but could not be written into the audit log",
            )
        })
    }
}

/// An entry as the API tells it.
#[derive(Debug, Serialize)]
pub struct Entry {
    id: i64,
    at_ms: u64,
    actor: String,
    action: String,
    object: String,
    before: Value,
    after: Value,
    reason: String,
    /// What takes it back, if anything does.
    undo: Option<Call>,
    reverts: Option<i64>,
    reverted_by: Option<i64>,
    hash: String,
}

impl From<Kept> for Entry {
    fn from(Kept { id, entry, reverted_by, hash }: Kept) -> Self {
        let NewEntry { at_ms, actor, action, object, before, after, reason, undo, reverts } = entry;
        Self { id, at_ms, actor, action, object, before, after, reason, undo, reverts, reverted_by, hash }
    }
}

/// Some of the log.
#[derive(Debug, Serialize)]
pub struct Page {
    entries: Vec<Entry>,
    /// What to ask for as `before` for those that follow; none if these are the last.
    before: Option<i64>,
}

pub async fn list(State(console): Shared, Asked(wanted): Asked<Wanted>) -> Result<Json<Page>, ApiError> {
    let (filter, limit) = wanted.read()?;
    let (entries, before) = read(console, move |console| few(console, &filter, limit)).await?;
    Ok(Json(Page { entries: entries.into_iter().map(Entry::from).collect(), before }))
}

pub async fn one(State(console): Shared, Name(id): Name) -> Result<Json<Entry>, ApiError> {
    Ok(Json(find(console, &id).await?.into()))
}

pub async fn verify(State(console): Shared) -> Result<Json<Verified>, ApiError> {
    read(console, |console| console.storage.verify_audit()).await.map(Json)
}

/// The latest entries that a filter lets through, and where those that follow begin.
fn few(console: &Console, filter: &Filter, limit: u32) -> Result<(Vec<Kept>, Option<i64>), StorageError> {
    let mut entries = console.storage.audit(filter, limit + 1)?;
    let is_more = entries.len() > limit as usize;
    entries.truncate(limit as usize);
    let last = entries.last().map(|kept| kept.id).filter(|_| is_more);
    Ok((entries, last))
}

/// The entry with the number that stands in a path.
async fn find(console: Arc<Console>, id: &str) -> Result<Kept, ApiError> {
    let number = id.parse().ok().filter(|number| *number > 0);
    let number: i64 = number.ok_or_else(|| {
        ApiError::bad_request(format!("{id:?} is no number of an entry; they begin with 1"))
    })?;
    let found = read(console, move |console| console.storage.audit_entry(number)).await?;
    found.ok_or_else(|| ApiError::not_found(format!("the audit log has no entry {number}")))
}

/// Reads where it may wait for the disk.
async fn read<T: Send + 'static>(
    console: Arc<Console>,
    read: impl FnOnce(&Console) -> Result<T, StorageError> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::task::spawn_blocking(move || read(&console)).await {
        Ok(Ok(found)) => Ok(found),
        _ => Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the audit log could not be read")),
    }
}
