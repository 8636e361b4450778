//! The step that limits, and what a caller is told about it.

use std::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue};
use rad_resilience::Decision;

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Tells the caller where it stands, at a second since 1970: `X-RateLimit-Reset` is the second since 1970 at which the window is
/// whole again, `Retry-After` the seconds until a rejected caller may try again, or until then.
pub fn tell(decision: &Decision, now_s: u64, headers: &mut HeaderMap) {
    // At once, or the table would grow several times.
    headers.reserve(6);
    let reset_s = ceil_s(decision.reset_after);
    let retry_s = if decision.allowed { reset_s } else { ceil_s(decision.retry_after).max(1) };
    // All four numbers in one allocation: every limited answer carries them.
    let mut text = Vec::with_capacity(48);
    let mut digits = itoa::Buffer::new();
    let mut ends = [0; 4];
    let numbers =
        [u64::from(decision.quota.requests()), u64::from(decision.remaining), now_s + reset_s, retry_s];
    for (number, end) in numbers.into_iter().zip(&mut ends) {
        text.extend_from_slice(digits.format(number).as_bytes());
        *end = text.len();
    }
    let text = Bytes::from(text);
    let mut start = 0;
    for (name, end) in [LIMIT, REMAINING, RESET, RETRY_AFTER].into_iter().zip(ends) {
        if let Ok(value) = HeaderValue::from_maybe_shared(text.slice(start..end)) {
            // An upstream that says when to come back knows better than a limit that did not reject.
            if name != RETRY_AFTER || !decision.allowed || !headers.contains_key(RETRY_AFTER) {
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
    use super::*;

    fn told(allowed: bool) -> HeaderMap {
        let decision = Decision {
            allowed,
            quota: "10/minute".parse().unwrap(),
            remaining: if allowed { 7 } else { 0 },
            capacity: 10,
            shadow_rejected: false,
            reset_after: Duration::from_millis(17_001),
            retry_after: if allowed { Duration::ZERO } else { Duration::from_millis(5_500) },
        };
        let mut headers = HeaderMap::new();
        tell(&decision, 1_800_000_000, &mut headers);
        headers
    }

    #[test]
    fn every_limited_answer_says_where_the_caller_stands() {
        let headers = told(true);
        assert_eq!(headers[LIMIT], "10");
        assert_eq!(headers[REMAINING], "7");
        assert_eq!(headers[RETRY_AFTER], "18");
        assert_eq!(headers[RESET], "1800000018");
    }

    #[test]
    fn a_rejected_caller_is_told_when_to_try_again() {
        assert_eq!(told(false)[RETRY_AFTER], "6");
    }
}
