//! The tokens' API, for administrators.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use rad_model::Receipt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::Moment;
use super::super::identity::Access;
use super::super::role::Scope;
use super::super::token::{LIFE, Wanted};
use super::{Shared, offered, written};
use crate::console::act;
use crate::console::audit::Deed;
use crate::console::error::{ApiError, parse};
use crate::console::take::{Body, Name};

/// How long a token lives if nobody says.
const USUAL: &str = "90d";

/// A token, without its secret.
#[derive(Serialize)]
pub struct Listed {
    id: String,
    name: String,
    owner: String,
    scopes: Vec<&'static str>,
    /// Milliseconds since 1970.
    created_ms: u64,
    expires_ms: u64,
}

/// A new token; its secret is told here and never again.
#[derive(Serialize)]
pub struct Made {
    #[serde(flatten)]
    receipt: Receipt,
    id: String,
    token: String,
}

pub async fn all(State(console): Shared) -> Result<Json<Vec<Listed>>, ApiError> {
    let state = offered(&console)?.state();
    let listed = state.tokens.values().map(|token| Listed {
        id: token.id.clone(),
        name: token.name.clone(),
        owner: token.owner.clone(),
        scopes: token.scopes.iter().map(|scope| scope.word()).collect(),
        created_ms: token.created_ms,
        expires_ms: token.expires_ms,
    });
    let mut listed: Vec<_> = listed.collect();
    listed.sort_by(|a, b| (&a.owner, &a.name).cmp(&(&b.owner, &b.name)));
    Ok(Json(listed))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    name: String,
    scopes: Vec<String>,
    /// Whoever asks, if absent.
    owner: Option<String>,
    expires_in: Option<String>,
}

pub async fn add(
    State(console): Shared,
    Extension(access): Extension<Access>,
    deed: Deed,
    Body(body): Body,
) -> Result<(StatusCode, Json<Made>), ApiError> {
    let auth = offered(&console)?;
    let Asked { name, scopes, owner, expires_in } = parse(&body)?;
    let scopes = scopes.iter().map(|word| Scope::named(word).ok_or_else(|| unknown(word)));
    let scopes = scopes.collect::<Result<Vec<_>, _>>()?;
    let owner = owner.or_else(|| access.known().map(|who| who.account.clone())).unwrap_or_default();
    let written_life = expires_in.as_deref().unwrap_or(USUAL).to_owned();
    let told: Vec<_> = scopes.iter().map(|scope| scope.word()).collect();
    let wanted = Wanted { name: name.clone(), owner: owner.clone(), scopes, life: life(&written_life)? };
    let (id, secret) = auth.add_token(wanted, Moment::of(&console.clock).unix_ms).await?;
    auth.note("token_added", &owner, &[("by", &deed.by), ("token", &name)]);
    let says = format!("Made the token {name} of {owner}, for {written_life}. It is shown this once.");
    let receipt = act::receipt(says, Some(("DELETE", format!("/tokens/{id}"), Value::Null)));
    let made = (Value::Null, json!({"owner": owner, "scopes": told, "expires_in": written_life}));
    written(&console, deed.entry(("token.add", &name), made, "", receipt.undo.as_ref())).await?;
    Ok((StatusCode::CREATED, Json(Made { receipt, id, token: secret.reveal().to_owned() })))
}

pub async fn remove(State(console): Shared, Name(id): Name, deed: Deed) -> Result<Json<Receipt>, ApiError> {
    let auth = offered(&console)?;
    let (name, owner) = auth.remove_token(id).await?;
    auth.note("token_removed", &owner, &[("by", &deed.by), ("token", &name)]);
    let gone = (json!({"owner": owner}), Value::Null);
    written(&console, deed.entry(("token.remove", &name), gone, "", None)).await?;
    Ok(Json(act::receipt(format!("Removed the token {name} of {owner}."), None)))
}

fn life(written: &str) -> Result<Duration, ApiError> {
    let life = humantime::parse_duration(written).ok().filter(|life| LIFE.contains(life));
    life.ok_or_else(|| {
        ApiError::bad_request(format!("expires_in: {written:?} is not 1m to 366d, written as in \"{USUAL}\""))
    })
}

fn unknown(word: &str) -> ApiError {
    let known: Vec<_> = Scope::ALL.iter().map(|scope| scope.word()).collect();
    ApiError::bad_request(format!("there is no scope {word:?}; there are {}", known.join(", ")))
}
