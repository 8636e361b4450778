//! The step that turns blocked clients away, and what blocks them: too many rejections, or a person.
//!
//! One list for the whole gateway: who does not stop at one route is not served at another. It knows
//! clients by their address, whatever a limit counts by.

use std::net::IpAddr;
use std::time::Duration;

use http::Response;
use rad_model::EventKind;
use rad_resilience::{BlockPolicy, BlockReason, Blocked, Blocklist, Timestamp};

use super::body::ResponseBody;
use super::worker::Worker;
use super::{answer, client, limit};
use crate::telemetry::registry::Key;

/// Who is blocked.
#[derive(Debug)]
pub struct Blocks {
    pub list: Blocklist<IpAddr>,
    /// Whether rejections block; people can do so in any case.
    pub automatic: bool,
}

impl Blocks {
    #[must_use]
    pub fn new(policy: Option<BlockPolicy>, max_keys: usize) -> Self {
        Self { list: Blocklist::new(policy.unwrap_or_default(), max_keys), automatic: policy.is_some() }
    }
}

/// The address as people see it.
#[must_use]
pub fn shown(address: IpAddr) -> String {
    Key::Address(address).to_string()
}

/// The answer to a client that is blocked. It costs no decision and no line in the log: that is what a
/// block is for. The event that began it is in both.
pub fn refuse(
    worker: &Worker,
    route: usize,
    client: IpAddr,
    now: Timestamp,
) -> Option<Response<ResponseBody>> {
    let list = &worker.plan.blocks.list;
    if list.is_empty() {
        return None;
    }
    let blocked = list.check(&client::identity(client), now)?;
    let counters = &worker.shard.routes[route];
    counters.limited.add();
    counters.blocked.add();
    // Blocked for good, a day is as well as any time.
    let wait = blocked.retry_after(now).unwrap_or(Duration::from_hours(24));
    let by_hand = matches!(blocked.reason, BlockReason::Manual(_));
    Some(answer::blocked(limit::ceil_s(wait).max(1), by_hand))
}

/// Notes that a limit rejected a client, which may have been once too often.
pub fn rejected(worker: &Worker, client: IpAddr, now: Timestamp) {
    let blocks = &worker.plan.blocks;
    if !blocks.automatic {
        return;
    }
    let address = client::identity(client);
    if let Some(blocked) = blocks.list.reject(&address, now) {
        worker.tell(told(address, &blocked, now, "limits"));
    }
}

/// The event of a block.
#[must_use]
pub fn told(address: IpAddr, blocked: &Blocked, now: Timestamp, by: &str) -> EventKind {
    let reason = reason(&blocked.reason);
    let for_ms = blocked.retry_after(now).map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    EventKind::AddressBlocked { address: shown(address), for_ms, by: by.to_owned(), reason }
}

/// Why somebody is blocked, for people.
#[must_use]
pub fn reason(reason: &BlockReason) -> String {
    match reason {
        BlockReason::Rejections { count, window } => {
            format!("{count} rejections in {}", humantime::format_duration(*window))
        }
        BlockReason::Manual(why) => why.to_string(),
    }
}
