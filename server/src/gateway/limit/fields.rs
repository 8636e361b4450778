//! What a caller is told about the limits of a route.

use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue};
use rad_model::Quota;

use super::Limited;
use crate::config::LimitHeaders;

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const SERVICE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

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

/// Tells the caller where it stands, at a millisecond since 1970. `X-RateLimit-Reset` is the second since 1970 at
/// which the window is whole again, `Retry-After` the seconds until a rejected caller may try again, or until
/// then; `t` of `RateLimit` the seconds until the window has room for more than it has now.
pub fn tell(limited: &Limited, fields: &LimitFields, now_ms: u64, headers: &mut HeaderMap) {
    let Limited { decision, standings, .. } = limited;
    // At once, or the table would grow several times.
    headers.reserve(8);
    let reset_s = ceil_s(decision.reset_after);
    let retry_s = if decision.allowed { reset_s } else { ceil_s(decision.retry_after).max(1) };
    // All values in one allocation: every limited answer carries them. What is not said is empty.
    let mut text = Vec::with_capacity(192);
    let mut digits = itoa::Buffer::new();
    let mut ends = [0; 6];
    // An upstream that says when to come back knows better than a limit that did not reject.
    if !decision.allowed || !headers.contains_key(RETRY_AFTER) {
        text.extend_from_slice(digits.format(retry_s).as_bytes());
    }
    ends[0] = text.len();
    let reset_ms = u64::try_from(decision.reset_after.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX);
    // Rounded up once: who comes at that second is not too early.
    let whole_s = now_ms.saturating_add(reset_ms).div_ceil(1_000);
    let numbers = [u64::from(decision.quota.requests()), u64::from(decision.remaining), whole_s];
    for (number, end) in numbers.into_iter().zip(&mut ends[1..=3]) {
        if fields.x_ratelimit {
            text.extend_from_slice(digits.format(number).as_bytes());
        }
        *end = text.len();
    }
    if let Some(DraftFields { policy, items }) = &fields.draft {
        text.extend_from_slice(policy.as_bytes());
        ends[4] = text.len();
        for (at, (item, standing)) in items.iter().zip(standings.iter()).enumerate() {
            if at > 0 {
                text.extend_from_slice(b", ");
            }
            text.extend_from_slice(item.as_bytes());
            text.extend_from_slice(digits.format(standing.remaining).as_bytes());
            if !standing.more_after.is_zero() {
                text.extend_from_slice(b";t=");
                text.extend_from_slice(digits.format(ceil_s(standing.more_after)).as_bytes());
            }
        }
        ends[5] = text.len();
    }
    let text = Bytes::from(text);
    let mut start = 0;
    for (name, end) in [RETRY_AFTER, LIMIT, REMAINING, RESET, POLICY, SERVICE_LIMIT].into_iter().zip(ends) {
        if end <= start {
            continue;
        }
        if let Ok(value) = HeaderValue::from_maybe_shared(text.slice(start..end)) {
            // Lists: an upstream's own limits are told beside these.
            if name == POLICY || name == SERVICE_LIMIT {
                headers.append(name, value);
            } else {
                headers.insert(name, value);
            }
        }
        start = end;
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
        let at = now.after(Duration::from_millis(500));
        let (decision, standings) = limiter.check_all(&(), at);
        let limited = Limited { decision, standings, at };
        tell(&limited, &LimitFields::new(headers, &quotas), 1_800_000_000_000, &mut said);
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
    fn who_comes_at_the_second_that_was_told_is_not_too_early() {
        let policy = Policy::new(Strategy::FixedWindow, &["10/minute".parse().unwrap()]).unwrap();
        let limiter = Limiter::new(policy, 10);
        for at_ms in (0..60_000).step_by(37) {
            let at = Timestamp::from_nanos(at_ms * 1_000_000);
            let (decision, standings) = limiter.check_all(&at_ms, at);
            let limited = Limited { decision, standings, at };
            let mut said = HeaderMap::new();
            // The clock of the limits began in the middle of a second.
            let fields = LimitFields::new(BOTH, &["10/minute".parse().unwrap()]);
            tell(&limited, &fields, 1_800_000_000_400 + at_ms, &mut said);
            assert_eq!(said[RESET], "1800000061", "{at_ms}");
        }
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
