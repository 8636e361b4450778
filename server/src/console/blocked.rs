//! The blocked addresses: listed, added and taken off. Each change is on the disk before it is answered.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
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
use super::act::{self, Why};
use super::api::Shared;
use super::audit::{Deed, alone};
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
    deed: Deed,
    Body(body): Body,
) -> Result<(StatusCode, Json<Done>), ApiError> {
    let Block { address, reason, time, from } = parse(&body)?;
    let (address, time) = (client(&address)?, block_for(&time)?);
    let why = deed.why(&console, &reason)?;
    alone(console, move |console| {
        let now = console.clock.now();
        let before = expected(console, address, from.as_deref(), now)?;
        let list = &console.plan.blocks.list;
        let blocked = list
            .block(&address, &why, time, now)
            .map_err(|full| ApiError::new(StatusCode::CONFLICT, full.to_string()))?;
        console.journal.event(told(address, &blocked, now, &deed.by));
        let shown = entry(address, &blocked, now);
        // A block that took the place of another leads back to that one.
        let undo = match &before {
            Some(before) => ("POST", "/blocked".to_owned(), again(address, before, &shown.rule, now)),
            None => {
                let path = format!("/blocked/{}?from={}", shown.address, shown.rule);
                ("DELETE", path, json!({"reason": "undo of the block"}))
            }
        };
        let receipt = act::receipt(format!("Blocked {}.", shown.address), Some(undo));
        // The reason of this one is the entry's own.
        let change = (
            before.map_or(Value::Null, |before| logged(&before, now)),
            json!({"until": until(&blocked, now)}),
        );
        let record = deed.entry(("client.block", &shown.address), change, &why, receipt.undo.as_ref());
        let kept = keep(console);
        let recorded = console.record(&record);
        kept.and(recorded)?;
        Ok((StatusCode::CREATED, Json(Done { entry: shown, receipt })))
    })
    .await
}

/// A block that ends, as the audit log has it.
fn logged(blocked: &Blocked, now: Timestamp) -> Value {
    json!({"until": until(blocked, now), "reason": reason(&blocked.reason)})
}

fn until(blocked: &Blocked, now: Timestamp) -> String {
    let until = blocked.retry_after(now).map(|left| SystemTime::now() + left);
    until.map_or("for good".to_owned(), |time| humantime::format_rfc3339_seconds(time).to_string())
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
    deed: Deed,
    Body(body): Body,
) -> Result<Json<Value>, ApiError> {
    let address = client(&name)?;
    let Why { reason } = Why::read(&body)?;
    let why = deed.why(&console, &reason)?;
    alone(console, move |console| {
        let now = console.clock.now();
        expected(console, address, from.as_deref(), now)?;
        let Some(before) = console.plan.blocks.list.unblock(&address, now) else {
            return Err(ApiError::not_found(format!("{} is not blocked", shown(address))));
        };
        let name = shown(address);
        console.journal.event(EventKind::AddressUnblocked { address: name.clone(), by: deed.by.clone() });
        let undo = ("POST", "/blocked".to_owned(), again(address, &before, "", now));
        let receipt = act::receipt(format!("Unblocked {name}."), Some(undo));
        let change = (logged(&before, now), Value::Null);
        let record = deed.entry(("client.unblock", &name), change, &why, receipt.undo.as_ref());
        let kept = keep(console);
        let recorded = console.record(&record);
        kept.and(recorded)?;
        Ok(Json(json!({"address": name, "says": receipt.says, "undo": receipt.undo})))
    })
    .await
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
fn keep(console: &Console) -> Result<(), ApiError> {
    let saved = console.plan.blocks.list.save(console.clock.now(), SystemTime::now());
    console.storage.save_blocks(&saved).map_err(|_| {
        ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the change is in force, but could not be stored: it would be lost by a restart",
        )
    })
}
