//! What a caller is told about the limits of a route.

use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue};
use rad_model::Quota;
use rad_resilience::{Decision, Standings};

use crate::config::LimitHeaders;

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const SERVICE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// What a limit decided about a request, and what its caller is told of.
#[derive(Clone, Copy, Debug)]
pub struct Limited {
    pub decision: Decision,
    /// Of every window, where they are told.
    pub standings: Standings,
}

/// How a route tells its callers where they stand: `X-RateLimit-*`, and the fields of
/// draft-ietf-httpapi-ratelimit-headers-10. What does not change is put together once.
#[derive(Debug)]
pub struct LimitFields {
    x_ratelimit: bool,
    /// None where the draft's fields are not wanted.
    draft: Option<DraftFields>,
}

#[derive(Debug)]
struct DraftFields {
    /// The whole value of `RateLimit-Policy`.
    policy: Box<str>,
    /// The beginning of each window's item in `RateLimit`.
    items: Box<[Box<str>]>,
}

impl LimitFields {
    #[must_use]
    pub fn new(headers: LimitHeaders, quotas: &[Quota]) -> Self {
        let draft = headers.draft.then(|| {
            let policy = quotas.iter().map(|quota| {
                format!("\"{}\";q={};w={}", quota.window_name(), quota.requests(), quota.window_s())
            });
            let items = quotas.iter().map(|quota| format!("\"{}\";r=", quota.window_name()).into());
            DraftFields { policy: policy.collect::<Vec<_>>().join(", ").into(), items: items.collect() }
        });
        Self { x_ratelimit: headers.x_ratelimit, draft }
    }

    /// Whether every window is told of.
    #[must_use]
    pub fn list_windows(&self) -> bool {
        self.draft.is_some()
    }
}

/// Tells the caller where it stands, at a second since 1970. `X-RateLimit-Reset` is the second since 1970 at
/// which the window is whole again, `Retry-After` the seconds until a rejected caller may try again, or until
/// then; `t` of `RateLimit` the seconds until the window has room for more than it has now.
pub fn tell(limited: &Limited, fields: &LimitFields, now_s: u64, headers: &mut HeaderMap) {
    let Limited { decision, standings } = limited;
    // At once, or the table would grow several times.
    headers.reserve(8);
    let reset_s = ceil_s(decision.reset_after);
    let retry_s = if decision.allowed { reset_s } else { ceil_s(decision.retry_after).max(1) };
    let mut text = Text::default();
    let mut digits = itoa::Buffer::new();
    // An upstream that says when to come back knows better than a limit that did not reject.
    if !decision.allowed || !headers.contains_key(RETRY_AFTER) {
        text.push(digits.format(retry_s));
        text.end(RETRY_AFTER);
    }
    if fields.x_ratelimit {
        let requests = u64::from(decision.quota.requests());
        for (name, number) in
            [(LIMIT, requests), (REMAINING, u64::from(decision.remaining)), (RESET, now_s + reset_s)]
        {
            text.push(digits.format(number));
            text.end(name);
        }
    }
    if let Some(DraftFields { policy, items }) = &fields.draft {
        text.push(policy);
        text.end(POLICY);
        for (at, (item, standing)) in items.iter().zip(standings.iter()).enumerate() {
            if at > 0 {
                text.push(", ");
            }
            text.push(item);
            text.push(digits.format(standing.remaining));
            if !standing.more_after.is_zero() {
                text.push(";t=");
                text.push(digits.format(ceil_s(standing.more_after)));
            }
        }
        text.end(SERVICE_LIMIT);
    }
    text.into_fields(|name, value| {
        // Lists: an upstream's own limits are told beside these.
        if name == POLICY || name == SERVICE_LIMIT {
            headers.append(name, value);
        } else {
            headers.insert(name, value);
        }
    });
}

/// Values of several fields in one allocation: every limited answer carries them.
#[derive(Default)]
struct Text {
    bytes: Vec<u8>,
    /// Each name, and where its value ends.
    ends: [Option<(HeaderName, usize)>; 6],
    count: usize,
}

impl Text {
    fn push(&mut self, part: &str) {
        if self.bytes.capacity() == 0 {
            self.bytes.reserve(192);
        }
        self.bytes.extend_from_slice(part.as_bytes());
    }

    fn end(&mut self, name: HeaderName) {
        if let Some(end) = self.ends.get_mut(self.count) {
            *end = Some((name, self.bytes.len()));
            self.count += 1;
        }
    }

    fn into_fields(self, mut put: impl FnMut(HeaderName, HeaderValue)) {
        let bytes = Bytes::from(self.bytes);
        let mut start = 0;
        for (name, end) in self.ends.into_iter().flatten() {
            if let Ok(value) = HeaderValue::from_maybe_shared(bytes.slice(start..end)) {
                put(name, value);
            }
            start = end;
        }
    }
}

/// Whole seconds, rounded up: coming back a second early would be rejected again.
pub fn ceil_s(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use rad_resilience::{Limiter, Policy, Strategy, Timestamp};

    use super::*;

    const BOTH: LimitHeaders = LimitHeaders { x_ratelimit: true, draft: true };

    /// What is told of the request after so many, with 10 a minute and 100 an hour.
    fn told(before: u32, headers: LimitHeaders, mut said: HeaderMap) -> HeaderMap {
        let quotas = ["10/minute", "100/hour"].map(|text| text.parse().unwrap());
        let limiter = Limiter::new(Policy::new(Strategy::TokenBucket, &quotas).unwrap(), 10);
        let now = Timestamp::from_nanos(1);
        (0..before).for_each(|_| assert!(limiter.check(&(), now).allowed));
        let (decision, standings) = limiter.check_all(&(), now.after(Duration::from_millis(500)));
        let limited = Limited { decision, standings };
        tell(&limited, &LimitFields::new(headers, &quotas), 1_800_000_000, &mut said);
        said
    }

    #[test]
    fn every_limited_answer_says_where_the_caller_stands() {
        let headers = told(2, BOTH, HeaderMap::new());
        assert_eq!(headers[LIMIT], "10");
        assert_eq!(headers[REMAINING], "7");
        assert_eq!(headers[RETRY_AFTER], "18");
        assert_eq!(headers[RESET], "1800000018");
        assert_eq!(headers[POLICY], r#""minute";q=10;w=60, "hour";q=100;w=3600"#);
        assert_eq!(headers[SERVICE_LIMIT], r#""minute";r=7;t=6, "hour";r=97;t=36"#);
    }

    #[test]
    fn a_rejected_caller_is_told_when_to_try_again() {
        let headers = told(10, BOTH, HeaderMap::new());
        assert_eq!(headers[RETRY_AFTER], "6");
        assert_eq!(headers[SERVICE_LIMIT], r#""minute";r=0;t=6, "hour";r=90;t=36"#);
    }

    #[test]
    fn only_the_fields_that_are_wanted_are_told() {
        let x_only = told(2, LimitHeaders { x_ratelimit: true, draft: false }, HeaderMap::new());
        assert!(x_only.contains_key(LIMIT) && !x_only.contains_key(SERVICE_LIMIT));
        let draft_only = told(2, LimitHeaders { x_ratelimit: false, draft: true }, HeaderMap::new());
        assert!(!draft_only.contains_key(LIMIT) && draft_only.contains_key(POLICY));
        let neither = told(2, LimitHeaders { x_ratelimit: false, draft: false }, HeaderMap::new());
        assert_eq!(neither.keys().collect::<Vec<_>>(), [&RETRY_AFTER]);
    }

    #[test]
    fn what_an_upstream_says_of_its_own_limits_is_kept_where_there_is_room_for_both() {
        let mut said = HeaderMap::new();
        said.insert(SERVICE_LIMIT, HeaderValue::from_static(r#""daily";r=1"#));
        said.insert(REMAINING, HeaderValue::from_static("1"));
        said.insert(RETRY_AFTER, HeaderValue::from_static("300"));
        let headers = told(2, BOTH, said);
        assert_eq!(headers.get_all(SERVICE_LIMIT).iter().count(), 2);
        assert_eq!(
            (&headers[REMAINING], &headers[RETRY_AFTER]),
            (&"7".parse().unwrap(), &"300".parse().unwrap())
        );
    }
}
