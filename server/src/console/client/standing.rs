//! How a rollout stands, for browsers. A question may be held until there is something new to say, so that a rollback
//! reaches pages that are open at once, without any of them asking again and again.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};

use super::{Refused, charge, find};
use crate::console::api::Shared;
use crate::console::take::{Asked, Name};

/// The longest that a question is held: proxies in between give up after a minute or half of one.
const MAX_WAIT_S: u64 = 30;
/// When to ask again, where there was no place to wait. Before what was told is too old to be used (5 s).
const POLL_AFTER_MS: u64 = 4_000;
/// How often pages tell what they saw.
const REPORT_EVERY_MS: u64 = 30_000;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Seconds that the answer may take.
    #[serde(default)]
    wait: u64,
    /// The share that the asker knows, basis points: what it waits for is another one.
    known: Option<u16>,
}

/// What a browser needs to choose its side.
#[derive(Debug, Serialize)]
pub struct Standing {
    rollout: String,
    share_basis_points: u16,
    /// 16 hexadecimal digits: a number that large is none in JavaScript.
    seed: String,
    /// When to ask again, milliseconds; 0: at once, with `wait`.
    poll_after_ms: u64,
    report_every_ms: u64,
}

pub async fn standing(
    State(console): Shared,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Name(name): Name,
    headers: HeaderMap,
    Asked(question): Asked<Question>,
) -> Result<Json<Standing>, Refused> {
    charge(&console, console.outside.questions.as_ref(), peer, &headers)?;
    let rollout = &console.plan.rollouts[find(&console, &name)?];
    let mut places = rollout.follow();
    let place = console.outside.held.try_acquire();
    if let (Some(known), Ok(_)) = (question.known, &place) {
        let wait = Duration::from_secs(question.wait.min(MAX_WAIT_S));
        let mut stopping = console.stopping.clone();
        let moved = places.wait_for(|place| place.share.basis_points() != known);
        tokio::select! {
            _ = tokio::time::timeout(wait, moved) => {}
            _ = stopping.wait_for(|stop| *stop) => {}
        }
    }
    let poll_after_ms = if place.is_ok() && !console.is_stopping() { 0 } else { POLL_AFTER_MS };
    Ok(Json(Standing {
        rollout: name,
        share_basis_points: rollout.share().basis_points(),
        seed: format!("{:016x}", rollout.browser_seed().value()),
        poll_after_ms,
        report_every_ms: REPORT_EVERY_MS,
    }))
}
