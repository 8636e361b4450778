//! What pages outside need to take part in a rollout: a script, how the rollout stands, and a place for their reports.
//!
//! ```text
//! page ──GET /client.js──▶ script ──GET /api/client/NAME?wait=25──▶ share, seed   (answered at once on a change)
//!                             └────POST /api/client/NAME/report──▶ tally         (shown, never judged by)
//! ```
//! Visitors of those pages are anybody: nobody has logged in, each address may only ask so often, few may be kept
//! waiting at a time, and what they are told is no secret.

mod report;
mod script;
mod standing;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Json;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rad_model::Quota;
use rad_resilience::{Clock, Decision, Limiter, Policy, Strategy};
use serde_json::json;
use tokio::sync::Semaphore;

use super::Console;
use super::error::ApiError;
use crate::gateway::{Peer, identity};
use crate::problem::Problem;
use crate::telemetry::browsers::Told;
use crate::telemetry::log::Log;
use crate::telemetry::registry::Registry;

pub use report::{report, tally};
pub use script::script;
pub use standing::standing;

/// A page that is seen asks a few times a minute, and an address may stand for a whole office.
const QUESTIONS: &str = "3000/minute";
/// A page reports twice a minute.
const REPORTS: &str = "300/minute";
/// Addresses that are remembered; those that have asked least are forgotten first.
const MAX_ADDRESSES: usize = 10_000;
/// So many questions are held at a time. Whoever finds no place is answered at once and asks again in a while.
const MAX_HELD: usize = 1_000;

/// What is kept for pages outside.
#[derive(Debug)]
pub struct Outside {
    registry: Arc<Registry>,
    log: Log,
    /// None only if the constants here were no limits.
    questions: Option<Limiter<IpAddr>>,
    reports: Option<Limiter<IpAddr>>,
    held: Semaphore,
}

impl Outside {
    /// What was reported of the rollout at a position.
    #[must_use]
    pub fn told(&self, rollout: usize) -> Told {
        self.registry.browsers().tally(rollout).told
    }

    #[must_use]
    pub fn new(registry: Arc<Registry>, log: Log) -> Self {
        let limiter = |limit: &str| {
            let quota: Quota = limit.parse().ok()?;
            Some(Limiter::new(Policy::new(Strategy::TokenBucket, &[quota]).ok()?, MAX_ADDRESSES))
        };
        let (questions, reports) = (limiter(QUESTIONS), limiter(REPORTS));
        Self { registry, log, questions, reports, held: Semaphore::new(MAX_HELD) }
    }
}

/// Why a visitor is turned away.
#[derive(Debug)]
pub enum Refused {
    Wrong(ApiError),
    TooMany(Box<Decision>),
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self::Wrong(error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let decision = match self {
            Self::Wrong(error) => return error.into_response(),
            Self::TooMany(decision) => decision,
        };
        let after = decision.retry_after.as_secs() + 1;
        let words = format!("Rate limit exceeded: {}", decision.quota.in_words());
        let body = Json(json!({"error": words, "detail": "Too many requests"}));
        let mut response =
            (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, after)], body).into_response();
        response.extensions_mut().insert(Problem::QuotaExceeded(decision.quota));
        response
    }
}

/// Charges a visitor's address with one request.
fn charge(
    console: &Console,
    limiter: Option<&Limiter<IpAddr>>,
    peer: SocketAddr,
    headers: &HeaderMap,
) -> Result<(), Refused> {
    let trusted = &console.plan.trusted_proxies;
    let visitor = identity(Peer::new(peer.ip(), trusted).client(headers, trusted));
    match limiter.map(|limiter| limiter.check(&visitor, console.clock.now())) {
        Some(decision) if !decision.allowed => Err(Refused::TooMany(Box::new(decision))),
        _ => Ok(()),
    }
}

/// The position of a rollout.
fn find(console: &Console, name: &str) -> Result<usize, ApiError> {
    let found = console.plan.rollouts.iter().position(|rollout| rollout.name() == name);
    found.ok_or_else(|| ApiError::not_found(format!("no rollout is named {name:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_of_visitors_are_limits() {
        for limit in [QUESTIONS, REPORTS] {
            let quota: Quota = limit.parse().unwrap();
            assert!(Policy::new(Strategy::TokenBucket, &[quota]).is_ok());
        }
    }
}
