//! The accounts' API, for administrators.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use rad_model::Receipt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::accounts::Change;
use super::super::password;
use super::super::role::Role;
use super::super::secret::Secret;
use super::super::{Auth, Moment};
use super::{Shared, offered, written};
use crate::console::act;
use crate::console::audit::Deed;
use crate::console::error::{ApiError, parse};
use crate::console::take::{Body, Name};

/// An account, without its password.
#[derive(Serialize)]
pub struct Listed {
    name: String,
    role: Role,
    must_change_password: bool,
    /// Milliseconds since 1970.
    created_ms: u64,
    /// How many are open.
    sessions: usize,
}

/// What was done; a password that was drawn is told here and never again.
#[derive(Serialize)]
pub struct Done {
    #[serde(flatten)]
    receipt: Receipt,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

pub async fn all(State(console): Shared) -> Result<Json<Vec<Listed>>, ApiError> {
    let state = offered(&console)?.state();
    let listed = state.accounts.iter().map(|(name, account)| Listed {
        name: name.clone(),
        role: account.role,
        must_change_password: account.must_change,
        created_ms: account.created_ms,
        sessions: state.sessions.count(name),
    });
    Ok(Json(listed.collect()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    name: String,
    role: Role,
    /// One is drawn if absent.
    password: Option<String>,
}

pub async fn add(
    State(console): Shared,
    deed: Deed,
    Body(body): Body,
) -> Result<(StatusCode, Json<Done>), ApiError> {
    let auth = offered(&console)?;
    let Wanted { name, role, password } = parse(&body)?;
    let (hash, drawn) = hashed(auth, password, &name).await?;
    auth.add_account(name.clone(), role, hash, Moment::of(&console.clock).unix_ms).await?;
    auth.note("account_added", &name, &[("by", &deed.by), ("role", role.word())]);
    let says =
        format!("Made the account {name}: {}. Its password must be changed at the first login.", role.word());
    let receipt = act::receipt(says, Some(("DELETE", format!("/accounts/{name}"), Value::Null)));
    let made = (Value::Null, json!({"role": role}));
    written(&console, deed.entry(("account.add", &name), made, "", receipt.undo.as_ref())).await?;
    Ok((StatusCode::CREATED, Json(Done { receipt, password: drawn })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Patch {
    role: Option<Role>,
    /// Changes nothing unless this is the role in force.
    from: Option<Role>,
    /// Another password, to be changed at the next login; drawn if it is empty.
    password: Option<String>,
}

pub async fn change(
    State(console): Shared,
    Name(name): Name,
    deed: Deed,
    Body(body): Body,
) -> Result<Json<Done>, ApiError> {
    let auth = offered(&console)?;
    let Patch { role, from, password } = parse(&body)?;
    if role.is_none() && password.is_none() {
        return Err(ApiError::bad_request("nothing is to be changed: name a role, a password or both"));
    }
    let is_reset = password.is_some();
    let (hash, drawn) = match password {
        Some(password) => {
            let password = Some(password).filter(|password| !password.is_empty());
            let (hash, drawn) = hashed(auth, password, &name).await?;
            (Some(hash), drawn)
        }
        None => (None, None),
    };
    let was = auth.change_account(name.clone(), Change { role, from, password: hash }).await?;
    let now = role.unwrap_or(was);
    auth.note("account_changed", &name, &[("by", &deed.by), ("role", now.word())]);
    let says = match (is_reset, was == now) {
        (true, true) => format!("{name} has another password, to be changed at the next login."),
        (true, false) => format!("{name} is {} now, and has another password.", now.word()),
        (false, true) => format!("{name} was {} already.", now.word()),
        (false, false) => {
            format!("Changed {name}: {} → {}. Its sessions have ended.", was.word(), now.word())
        }
    };
    let undo = (was != now && !is_reset)
        .then(|| ("PATCH", format!("/accounts/{name}"), json!({"role": was, "from": now})));
    let receipt = act::receipt(says, undo);
    if is_reset || was != now {
        let change = (json!({"role": was}), json!({"role": now, "has_new_password": is_reset}));
        written(&console, deed.entry(("account.change", &name), change, "", receipt.undo.as_ref())).await?;
    }
    Ok(Json(Done { receipt, password: drawn }))
}

pub async fn remove(State(console): Shared, Name(name): Name, deed: Deed) -> Result<Json<Receipt>, ApiError> {
    let auth = offered(&console)?;
    let was = auth.remove_account(name.clone()).await?;
    auth.note("account_removed", &name, &[("by", &deed.by)]);
    let gone = (json!({"role": was}), Value::Null);
    written(&console, deed.entry(("account.remove", &name), gone, "", None)).await?;
    let says = format!("Removed the account {name}, with its sessions and tokens.");
    Ok(Json(act::receipt(says, None)))
}

/// The hash of a password that somebody chose, or of one that is drawn and told.
async fn hashed(
    auth: &Auth,
    chosen: Option<String>,
    account: &str,
) -> Result<(String, Option<String>), ApiError> {
    let failed =
        |_| ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "too many log in at this moment; try again");
    let (password, drawn) = match chosen {
        Some(chosen) => {
            password::check(&chosen, account).map_err(ApiError::bad_request)?;
            (chosen, None)
        }
        None => {
            let drawn = Secret::password().map_err(|_| {
                ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "no password could be drawn")
            })?;
            (drawn.reveal().to_owned(), Some(drawn.reveal().to_owned()))
        }
    };
    Ok((auth.passwords.hash(password).await.map_err(failed)?, drawn))
}
