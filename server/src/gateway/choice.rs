//! The step that chooses the upstream.

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue};

use super::client;
use super::worker::Worker;
use crate::config::Action;
use crate::rollout::{ClientHash, PIN_COOKIE, PIN_LEGACY, Rollout, Side};

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    pub upstream: usize,
    /// The side of which rollout.
    pub side: Option<(usize, Side)>,
    /// The client, where its side was drawn: who chose it, or was pinned to it, tells nothing of the others.
    pub drawn: Option<ClientHash>,
}

/// The upstream that is asked, and on which side of which rollout; none where nobody is.
pub fn choose(worker: &Worker, route: usize, client: IpAddr, headers: &HeaderMap) -> Option<Choice> {
    let at = match worker.plan.routes[route].action {
        Action::Ok => return None,
        Action::Upstream(upstream) => return Some(Choice { upstream, side: None, drawn: None }),
        Action::Rollout(at) => at,
    };
    let rollout = &worker.plan.rollouts[at];
    let (side, drawn) = side(rollout, client, headers, || worker.unix_s(worker.now()));
    Some(Choice { upstream: rollout.upstream(side), side: Some((at, side)), drawn })
}

/// Legacy for who asks for it by the cookie of the kill switch; what a tester may choose and does; else as the rollout
/// draws.
fn side(
    rollout: &Rollout,
    client: IpAddr,
    headers: &HeaderMap,
    now_s: impl FnOnce() -> u64,
) -> (Side, Option<ClientHash>) {
    if is_pinned(headers) {
        return (Side::Legacy, None);
    }
    if let Some(side) = chosen(rollout, headers, now_s) {
        return (side, None);
    }
    let drawn = client::assigned(rollout.assign_by(), client, headers, |client| rollout.draw(client));
    (rollout.side(drawn), Some(drawn))
}

/// The side that a tester asks for, and may have.
fn chosen(rollout: &Rollout, headers: &HeaderMap, now_s: impl FnOnce() -> u64) -> Option<Side> {
    let by = rollout.overrides()?;
    let in_header = by.header.as_ref().and_then(|name| headers.get(name)).map(HeaderValue::as_bytes);
    let in_cookie = || client::cookie(headers, by.cookie.as_deref()?);
    let value = in_header.or_else(in_cookie)?;
    let side = by.side(rollout.name(), value, now_s())?;
    // After a rollback nobody reaches the candidate.
    (side == Side::Legacy || rollout.takes_testers()).then_some(side)
}

/// Whether a browser wants nothing but legacy.
pub fn is_pinned(headers: &HeaderMap) -> bool {
    client::cookie(headers, PIN_COOKIE) == Some(PIN_LEGACY.as_bytes())
}

#[cfg(test)]
mod tests;
