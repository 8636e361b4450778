//! Which answers are kept, and for how long: what the upstream says of it, within what the route says.

use std::time::{Duration, UNIX_EPOCH};

use http::header::{AGE, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, DATE, EXPIRES, SET_COOKIE, VARY};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use rad_resilience::cache::Freshness;

use super::key::DECIDING;

/// What is to be done with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is good for everybody who asks the same, for so long.
    Keep(Freshness),
    /// The upstream failed: everybody who asked the same may hear of it.
    Failed,
    /// It is for its asker alone.
    Pass,
}

/// Judges an answer that came `at_s` seconds after 1970 by its head, on a route whose answers live as long as
/// `freshness` says, if they have at most so many bytes.
pub fn judge<B>(answer: &Response<B>, freshness: Freshness, most: usize, at_s: u64) -> Verdict {
    let (status, headers) = (answer.status(), answer.headers());
    // "Too many requests" says nothing of what was asked for.
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Verdict::Failed;
    }
    let fits = length(headers).is_none_or(|length| length <= most as u64);
    if status != StatusCode::OK || !fits || !is_shareable(headers) {
        return Verdict::Pass;
    }
    lifetime(headers, freshness, at_s).map_or(Verdict::Pass, Verdict::Keep)
}

/// The length that an answer announces.
pub fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Whether an answer is good for everybody who asks the same.
pub fn is_for_all(headers: &HeaderMap) -> bool {
    let varies = headers.get_all(VARY).iter().any(|value| {
        value.to_str().map_or(true, |value| {
            value
                .split(',')
                .any(|name| !DECIDING.iter().any(|known| name.trim().eq_ignore_ascii_case(known.as_str())))
        })
    });
    !varies && !headers.contains_key(SET_COOKIE) && !says(headers, &["no-store", "private", "no-cache"])
}

/// Whether an answer is good for everybody who asks the same, and has an end.
pub fn is_shareable(headers: &HeaderMap) -> bool {
    is_for_all(headers) && !is_endless(headers)
}

/// Whether it goes on for as long as somebody listens.
fn is_endless(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

/// The directives of `Cache-Control`, with their values.
fn directives(headers: &HeaderMap) -> impl Iterator<Item = (&str, Option<&str>)> {
    headers.get_all(CACHE_CONTROL).iter().flat_map(directives_of)
}

fn directives_of(value: &HeaderValue) -> impl Iterator<Item = (&str, Option<&str>)> {
    let directives = value.to_str().unwrap_or_default().split(',');
    directives.map(|directive| match directive.split_once('=') {
        Some((name, value)) => (name.trim(), Some(value.trim())),
        None => (directive.trim(), None),
    })
}

/// Whether `Cache-Control` says one of these words.
fn says(headers: &HeaderMap, words: &[&str]) -> bool {
    headers.get_all(CACHE_CONTROL).iter().any(|value| is_said(value, words))
}

/// Whether one line of `Cache-Control` says one of these words.
pub fn is_said(value: &HeaderValue, words: &[&str]) -> bool {
    directives_of(value).any(|(name, _)| words.iter().any(|word| name.eq_ignore_ascii_case(word)))
}

/// The time that a directive names; the shortest, if it stands there several times. What is no number means
/// none at all (RFC 9111 §4.2.1 lets such an answer count as stale).
fn time(headers: &HeaderMap, word: &str) -> Option<Duration> {
    let said = directives(headers).filter(|(name, _)| name.eq_ignore_ascii_case(word));
    said.map(|(_, value)| seconds(value.unwrap_or_default().trim_matches('"'))).min()
}

/// A number of seconds; one that is too large to be held is as long as can be (RFC 9111 §1.2.2).
fn seconds(text: &str) -> Duration {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    Duration::from_secs(if is_number { text.parse().unwrap_or(u64::MAX) } else { 0 })
}

/// How old an answer was when it came, as caches on its way say.
pub fn age(headers: &HeaderMap) -> Duration {
    headers.get(AGE).and_then(|age| age.to_str().ok()).map_or(Duration::ZERO, seconds)
}

/// The time from an answer's `Date` to its `Expires` (RFC 9111 §4.2.1): none at all where that is no date (§5.3),
/// or not one alone. An answer without a date is of the moment in which it came (RFC 9110 §6.6.1).
fn until_expiry(headers: &HeaderMap, at_s: u64) -> Option<Duration> {
    let mut said = headers.get_all(EXPIRES).iter();
    let (expires, another) = (said.next()?, said.next());
    let date = headers.get(DATE).and_then(unix_s).unwrap_or(at_s);
    let expires = unix_s(expires).filter(|_| another.is_none()).unwrap_or(date);
    Some(Duration::from_secs(expires.saturating_sub(date)))
}

/// A date in one of the three forms of RFC 9110 §5.6.7, in seconds since 1970.
fn unix_s(value: &HeaderValue) -> Option<u64> {
    let date = httpdate::parse_http_date(value.to_str().ok()?).ok()?;
    date.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}

/// How long an answer lives: as the route says, or shorter, if the upstream says so; none if it is old already.
/// For how long it is of use after that (RFC 5861) is the upstream's to say where the route does not, and
/// nobody's where the answer must be validated.
fn lifetime(headers: &HeaderMap, mut freshness: Freshness, at_s: u64) -> Option<Freshness> {
    let said = time(headers, "s-maxage").or_else(|| time(headers, "max-age"));
    if let Some(said) = said.or_else(|| until_expiry(headers, at_s)) {
        let left = said.saturating_sub(age(headers));
        if left.is_zero() {
            return None;
        }
        freshness = freshness.at_most(left);
    }
    if says(headers, &["must-revalidate", "proxy-revalidate"]) {
        return Freshness::new(freshness.ttl()).ok();
    }
    let (while_revalidate, if_error) = freshness.stale_for();
    if while_revalidate.is_zero()
        && let Some(said) = time(headers, "stale-while-revalidate")
    {
        freshness = freshness.stale_while_revalidate(said.min(LONGEST_STALE)).ok()?;
    }
    if if_error.is_zero()
        && let Some(said) = time(headers, "stale-if-error")
    {
        freshness = freshness.stale_if_error(said.min(LONGEST_STALE)).ok()?;
    }
    Some(freshness)
}

/// An upstream's word on how long its old answers are of use counts up to here.
const LONGEST_STALE: Duration = Duration::from_secs(86_400);

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTE: Duration = Duration::from_secs(60);
    /// Sun, 06 Nov 1994 08:49:37 GMT.
    const AT_S: u64 = 784_111_777;

    fn judged(headers: &[(&'static str, &'static str)]) -> Verdict {
        judged_on(Freshness::new(ROUTE).unwrap(), headers)
    }

    fn judged_on(route: Freshness, headers: &[(&'static str, &'static str)]) -> Verdict {
        let mut answer = Response::new(());
        for (name, value) in headers {
            answer.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        judge(&answer, route, 1_000, AT_S)
    }

    /// Seconds that it is fresh, then served while it is loaded anew, then instead of a failure; none if it is
    /// not kept.
    fn times(cache_control: &'static str, age: &'static str) -> Option<(u64, u64, u64)> {
        match judged(&[("cache-control", cache_control), ("age", age)]) {
            Verdict::Keep(kept) => {
                let (while_revalidate, if_error) = kept.stale_for();
                Some((kept.ttl().as_secs(), while_revalidate.as_secs(), if_error.as_secs()))
            }
            _ => None,
        }
    }

    #[test]
    fn an_upstream_may_shorten_the_routes_time_and_not_lengthen_it() {
        for (cache_control, age, kept) in [
            ("", "", Some(60)),
            ("max-age=10", "", Some(10)),
            ("max-age=3600", "", Some(60)),
            ("MAX-AGE = 10 , public", "", Some(10)),
            ("max-age=\"10\"", "", Some(10)),
            ("max-age=10, s-maxage=20", "", Some(20)),
            ("s-maxage=5, max-age=20", "", Some(5)),
            ("max-age=30, max-age=10", "", Some(10)),
            ("max-age=99999999999999999999999", "", Some(60)),
            ("max-age=70", "15", Some(55)),
            ("max-age=10", "10", None),
            ("max-age=10", "99999999999999999999999", None),
            ("max-age=10", "rubbish", Some(10)),
            ("max-age=0", "", None),
            ("max-age=-1", "", None),
            ("max-age=soon", "", None),
            ("max-age", "", None),
            ("no-store", "", None),
            ("private=\"x, y\"", "", None),
            ("no-cache", "", None),
        ] {
            assert_eq!(times(cache_control, age).map(|(fresh, ..)| fresh), kept, "{cache_control:?} {age:?}");
        }
    }

    #[test]
    fn what_expires_lives_until_then_unless_its_age_is_said() {
        const DATE: (&str, &str) = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        const SOON: (&str, &str) = ("expires", "Sun, 06 Nov 1994 08:50:07 GMT");
        for (headers, kept) in [
            (&[DATE, SOON][..], Some(30)),
            (&[SOON], Some(30)),
            (&[("date", "rubbish"), SOON], Some(30)),
            (&[DATE, ("expires", "Sunday, 06-Nov-94 08:50:07 GMT")], Some(30)),
            (&[DATE, ("expires", "Sun Nov  6 08:50:07 1994")], Some(30)),
            (&[DATE, ("expires", "Fri, 31 Dec 9999 23:59:59 GMT")], Some(60)),
            (&[("date", "Sun, 06 Nov 1994 08:49:57 GMT"), SOON], Some(10)),
            (&[DATE, SOON, ("age", "10")], Some(20)),
            (&[DATE, SOON, ("age", "30")], None),
            (&[DATE, SOON, ("cache-control", "max-age=5")], Some(5)),
            (&[DATE, ("expires", "0"), ("cache-control", "max-age=5")], Some(5)),
            (&[DATE, ("expires", "0"), ("cache-control", "s-maxage=5")], Some(5)),
            (&[DATE, SOON, ("cache-control", "public")], Some(30)),
            (&[DATE, ("expires", "0")], None),
            (&[DATE, ("expires", "-1")], None),
            (&[("expires", "")], None),
            (&[DATE, ("expires", DATE.1)], None),
            (&[DATE, ("expires", "Thu, 01 Jan 1970 00:00:00 GMT")], None),
            (&[DATE, ("expires", "Sat, 05 Nov 1994 08:49:37 GMT")], None),
            (&[DATE, SOON, SOON], None),
        ] {
            let fresh = match judged(headers) {
                Verdict::Keep(kept) => Some(kept.ttl().as_secs()),
                _ => None,
            };
            assert_eq!(fresh, kept, "{headers:?}");
        }
    }

    #[test]
    fn an_old_answer_is_of_use_as_long_as_the_route_says_or_else_the_upstream() {
        let said = "max-age=10, stale-while-revalidate=20, stale-if-error=30";
        assert_eq!(times(said, ""), Some((10, 20, 30)));
        assert_eq!(times("stale-if-error=999999999", ""), Some((60, 0, 86_400)));
        assert_eq!(times("stale-while-revalidate=x", ""), Some((60, 0, 0)));
        assert_eq!(times("max-age=10, stale-if-error=30, must-revalidate", ""), Some((10, 0, 0)));
        let route = Freshness::new(ROUTE).unwrap().stale_while_revalidate(Duration::from_secs(7)).unwrap();
        let kept = route.at_most(Duration::from_secs(10)).stale_if_error(Duration::from_secs(30)).unwrap();
        assert_eq!(judged_on(route, &[("cache-control", said)]), Verdict::Keep(kept));
    }

    #[test]
    fn what_is_for_its_asker_or_too_long_is_passed() {
        for header in [
            ("set-cookie", "a=b"),
            ("vary", "*"),
            ("vary", "accept, user-agent"),
            ("content-type", "text/event-stream"),
            ("content-length", "1001"),
        ] {
            assert_eq!(judged(&[header]), Verdict::Pass, "{header:?}");
        }
        for header in [("vary", "Accept, accept-encoding"), ("content-length", "1000")] {
            assert!(matches!(judged(&[header]), Verdict::Keep(_)), "{header:?}");
        }
    }
}
