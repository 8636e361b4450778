//! The blocked addresses: listed, added and taken off. Each change is on the disk before it is answered.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ipnet::IpNet;
use rad_model::format::count;
use rad_model::metrics::BlockedAddress;
use rad_model::{EventKind, Receipt};
use rad_resilience::{BlockReason, Blocked, Clock, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Console;
use super::act::{self, Actor};
use super::api::Shared;
use super::error::{ApiError, parse};
use super::take::{Asked, Body, Name};
use crate::gateway::block::{reason, shown, told};
use crate::gateway::identity;
use crate::telemetry::unix_ms;

/// So many are listed: those that are blocked for the longest.
const MOST: usize = 1_000;
const YEAR: Duration = Duration::from_hours(365 * 24);

pub async fn all(State(console): Shared) -> Json<Vec<BlockedAddress>> {
    Json(list(&console))
}

pub fn list(console: &Console) -> Vec<BlockedAddress> {
    let now = console.clock.now();
    let list = console.plan.blocks.list.list(MOST, now);
    list.into_iter().map(|(address, blocked)| entry(address, &blocked, now)).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Block {
    address: String,
    #[serde(default)]
    reason: String,
    /// `10m`, `1h 30m`; for good if it is empty or absent.
    #[serde(default, rename = "for")]
    time: String,
    /// Changes nothing unless this is the `rule` in force; empty: unless there is none.
    from: Option<String>,
}

/// A block, and how to take it back.
#[derive(Serialize)]
pub struct Done {
    #[serde(flatten)]
    entry: BlockedAddress,
    #[serde(flatten)]
    receipt: Receipt,
}

pub async fn block(
    State(console): Shared,
    actor: Actor,
    Body(body): Body,
) -> Result<(StatusCode, Json<Done>), ApiError> {
    let Block { address, reason, time, from } = parse(&body)?;
    let (address, time) = (client(&address)?, block_for(&time)?);
    let now = console.clock.now();
    let (before, blocked) = {
        let _alone = console.one_at_a_time();
        let before = expected(&console, address, from.as_deref(), now)?;
        let list = &console.plan.blocks.list;
        let blocked = list
            .block(&address, &act::short(&reason), time, now)
            .map_err(|full| ApiError::new(StatusCode::CONFLICT, full.to_string()))?;
        (before, blocked)
    };
    console.journal.event(told(address, &blocked, now, &actor.name));
    keep(&console).await?;
    let entry = entry(address, &blocked, now);
    // A block that took the place of another leads back to that one.
    let undo = match before {
        Some(before) => ("POST", "/blocked".to_owned(), again(address, &before, &entry.rule, now)),
        None => ("DELETE", format!("/blocked/{}?from={}", entry.address, entry.rule), Value::Null),
    };
    let receipt = act::receipt(format!("Blocked {}.", entry.address), Some(undo));
    Ok((StatusCode::CREATED, Json(Done { entry, receipt })))
}

/// What is in force for an address, if it is what its asker believes.
fn expected(
    console: &Console,
    address: IpAddr,
    from: Option<&str>,
    now: Timestamp,
) -> Result<Option<Blocked>, ApiError> {
    let blocked = console.plan.blocks.list.peek(&address, now);
    if from.is_none_or(|from| blocked.as_ref().map(|blocked| rule(blocked, now)).unwrap_or_default() == from)
    {
        return Ok(blocked);
    }
    let address = shown(address);
    Err(match blocked.map(|blocked| reason(&blocked.reason)) {
        None => ApiError::overtaken(format_args!("{address} is not blocked any more")),
        Some(reason) if reason.is_empty() => {
            ApiError::overtaken(format_args!("{address} is blocked in another way now"))
        }
        Some(reason) => {
            ApiError::overtaken(format_args!("{address} is blocked in another way now ({reason})"))
        }
    })
}

/// Names a block: another one of the same address has another name.
fn rule(blocked: &Blocked, now: Timestamp) -> String {
    let mut hasher = DefaultHasher::new();
    // By the calendar, so that it is the same after a restart, and roughly, because it is computed anew each time.
    let ends = blocked.retry_after(now).map(|left| {
        let left_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
        unix_ms().saturating_add(left_ms).saturating_add(5_000) / 10_000
    });
    (ends, reason(&blocked.reason), blocked.repetition).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// The body that blocks as `blocked` does, for what is left of its time.
fn again(address: IpAddr, blocked: &Blocked, from: &str, now: Timestamp) -> Value {
    let left = blocked.retry_after(now).map(|left| format!("{}s", left.as_secs().clamp(1, YEAR.as_secs())));
    json!({
        "address": shown(address),
        "for": left.unwrap_or_default(),
        "reason": reason(&blocked.reason),
        "from": from,
    })
}

/// What stands behind the `?` of an unblock.
#[derive(Deserialize)]
pub struct If {
    from: Option<String>,
}

pub async fn unblock(
    State(console): Shared,
    Name(name): Name,
    Asked(If { from }): Asked<If>,
    actor: Actor,
) -> Result<Json<Value>, ApiError> {
    let address = client(&name)?;
    let now = console.clock.now();
    let before = {
        let _alone = console.one_at_a_time();
        expected(&console, address, from.as_deref(), now)?;
        console.plan.blocks.list.unblock(&address, now)
    };
    let Some(before) = before else {
        return Err(ApiError::not_found(format!("{} is not blocked", shown(address))));
    };
    let by = actor.name;
    console.journal.event(EventKind::AddressUnblocked { address: shown(address), by });
    keep(&console).await?;
    let address_shown = shown(address);
    let undo = ("POST", "/blocked".to_owned(), again(address, &before, "", now));
    let receipt = act::receipt(format!("Unblocked {address_shown}."), Some(undo));
    Ok(Json(json!({"address": address_shown, "says": receipt.says, "undo": receipt.undo})))
}

/// A client by its address; of IPv6 the network, which is one subscriber.
fn client(text: &str) -> Result<IpAddr, ApiError> {
    let text = text.trim();
    let alone = text.parse::<IpAddr>().ok();
    // As addresses are shown: 2001:db8::/64.
    let network =
        || text.parse::<IpNet>().ok().filter(|net| matches!(net, IpNet::V6(_)) && net.prefix_len() == 64);
    let address = alone.or_else(|| network().map(|net| net.addr()));
    address.map(|address| identity(address.to_canonical())).ok_or_else(|| {
        ApiError::bad_request(format!(
            "{text:?} is no address of a client; write one such as \"203.0.113.7\" or \"2001:db8::7\""
        ))
    })
}

fn block_for(text: &str) -> Result<Option<Duration>, ApiError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let time = humantime::parse_duration(text).ok();
    time.filter(|time| (Duration::from_secs(1)..=YEAR).contains(time)).map(Some).ok_or_else(|| {
        ApiError::bad_request(format!(
            "{text:?} is no time to block for; write one such as \"10m\" or \"1h\" (1 s to a year), or nothing for good"
        ))
    })
}

fn entry(address: IpAddr, blocked: &Blocked, now: Timestamp) -> BlockedAddress {
    let reason = reason(&blocked.reason);
    let wait = blocked.retry_after(now).map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
    BlockedAddress {
        address: shown(address),
        until_ms: wait.map(|wait| unix_ms().saturating_add(wait)),
        why: why(&reason, blocked.refused),
        reason,
        by_hand: matches!(blocked.reason, BlockReason::Manual(_)),
        repetition: blocked.repetition,
        refused: blocked.refused,
        rule: rule(blocked, now),
        by: match (&blocked.reason, blocked.repetition) {
            (BlockReason::Manual(_), _) => "hand".to_owned(),
            (BlockReason::Rejections { .. }, 0 | 1) => "limits".to_owned(),
            (BlockReason::Rejections { .. }, times) => format!("limits, {times} times in a row"),
        },
    }
}

fn why(reason: &str, refused: u64) -> String {
    let refused = match refused {
        0 => return reason.to_owned(),
        1 => "1 request turned away".to_owned(),
        more => format!("{} requests turned away", count(more)),
    };
    if reason.is_empty() { refused } else { format!("{reason}; {refused}") }
}

/// Puts the list on the disk.
async fn keep(console: &Arc<Console>) -> Result<(), ApiError> {
    let console = Arc::clone(console);
    let kept = tokio::task::spawn_blocking(move || {
        let saved = console.plan.blocks.list.save(console.clock.now(), SystemTime::now());
        console.storage.save_blocks(&saved)
    });
    match kept.await {
        Ok(Ok(())) => Ok(()),
        _ => Err(ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the change is in force, but could not be stored: it would be lost by a restart",
        )),
    }
}
