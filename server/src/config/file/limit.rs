//! The keys of a route's limits.

use std::time::Duration;

use rad_model::Quota;
use rad_resilience::Strategy;

use super::super::read::{Kind, Table, Wrong, duration, parsed};
use super::super::tree::Value;
use super::super::{KeySource, LimitHeaders};
use super::MIN_DURATION;
use crate::rollout::{AssignBy, PIN_COOKIE};

/// Longer than a client's patience makes no sense.
const MAX_WAIT: Duration = Duration::from_mins(1);
/// The most parts of a key.
const MAX_PARTS: usize = 4;

pub fn quota() -> Kind<Quota> {
    Kind::new("a limit", "write REQUESTS/WINDOW, such as \"200/minute\"", |value| match value {
        Value::Text(text) => {
            text.parse().map_err(|wrong: rad_model::quota::InvalidQuota| Wrong::Because(wrong.to_string()))
        }
        _ => Err(Wrong::Kind),
    })
}

pub fn strategy() -> Kind<Strategy> {
    let how = "write token_bucket, leaky_bucket, sliding_window or fixed_window";
    parsed("a strategy", how, |text| Strategy::ALL.into_iter().find(|strategy| strategy.as_str() == text))
}

pub fn wait() -> Kind<Duration> {
    duration(MIN_DURATION..=MAX_WAIT)
}

/// The list `limit_headers`.
pub fn headers(table: &mut Table<'_>) -> Option<LimitHeaders> {
    let how = "write \"x\" for X-RateLimit-*, \"ietf\" for RateLimit and RateLimit-Policy";
    let kind = parsed("a kind of headers", how, |text| ["x", "ietf"].into_iter().find(|kind| *kind == text));
    let wanted = table.list("limit_headers", &kind)?;
    Some(LimitHeaders { x_ratelimit: wanted.contains(&"x"), draft: wanted.contains(&"ietf") })
}

/// What a limit counts by: one thing, or a list of things that count together.
pub fn key_source() -> Kind<KeySource> {
    let how = "write client, org, header:NAME, cookie:NAME, route or global, or a list of these, such as \
               [\"client\", \"header:X-Tenant\"]";
    Kind::new("what to count by", how, |value| match value {
        Value::Text(text) => one(text),
        Value::List(parts) => composite(parts.iter().map(|part| match &part.value {
            Value::Text(text) => one(text),
            _ => Err(Wrong::Kind),
        })),
        _ => Err(Wrong::Kind),
    })
}

fn one(text: &str) -> Result<KeySource, Wrong> {
    let unknown = || {
        Wrong::Because(format!(
            "{text:?} is unknown: client, org, header:NAME, cookie:NAME, route or global, or a list of these"
        ))
    };
    Ok(match text {
        "client" => KeySource::Client,
        "org" => KeySource::Org,
        "route" => KeySource::Route,
        "global" => KeySource::Global,
        other => match other.split_once(':') {
            Some(("header", name)) => KeySource::Header(name.parse().map_err(|_| unknown())?),
            Some(("cookie", name)) if is_token(name) => KeySource::Cookie(name.to_owned()),
            _ => return Err(unknown()),
        },
    })
}

/// What a rollout assigns by: one of the things that limits count by that tell clients apart.
pub fn assign_by() -> Kind<AssignBy> {
    let how = "write client, org, header:NAME or cookie:NAME; the cookie rad_mode is the kill switch's";
    parsed("what to assign by", how, |text| match one(text).ok()? {
        KeySource::Client => Some(AssignBy::Client),
        KeySource::Org => Some(AssignBy::Header(KeySource::ORG_HEADER)),
        KeySource::Header(name) => Some(AssignBy::Header(name)),
        KeySource::Cookie(name) => (name != PIN_COOKIE).then_some(AssignBy::Cookie(name)),
        KeySource::Route | KeySource::Global | KeySource::Composite(_) => None,
    })
}

fn composite(parts: impl Iterator<Item = Result<KeySource, Wrong>>) -> Result<KeySource, Wrong> {
    let mut sources = Vec::new();
    let mut is_empty = true;
    for part in parts {
        is_empty = false;
        let source = part?;
        if source == KeySource::Global {
            return Err(Wrong::Because(
                "global is everybody; it stands alone, and not beside others".to_owned(),
            ));
        }
        if sources.contains(&source) {
            return Err(Wrong::Because(format!("{source} stands twice; once is enough")));
        }
        sources.push(source);
    }
    if is_empty || sources.len() > MAX_PARTS {
        return Err(Wrong::Because(format!(
            "{} things to count by; allowed are 1 to {MAX_PARTS}",
            sources.len()
        )));
    }
    // Each route counts on its own: beside others it says nothing.
    if sources.len() > 1 {
        sources.retain(|source| *source != KeySource::Route);
    }
    Ok(match sources.pop() {
        Some(last) if sources.is_empty() => last,
        Some(last) => {
            sources.push(last);
            KeySource::Composite(sources)
        }
        None => KeySource::Route,
    })
}

/// A name as RFC 9110 §5.6.2 and RFC 6265 §4.1.1 have it.
pub(super) fn is_token(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}
