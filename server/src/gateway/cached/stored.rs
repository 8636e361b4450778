//! An answer as it is kept.

use bytes::{Bytes, BytesMut};
use http::header::{AGE, CACHE_CONTROL, CONTENT_TYPE, DATE, ETAG, EXPIRES, IF_NONE_MATCH, RETRY_AFTER, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use super::rules;
use crate::gateway::body::ResponseBody;
use crate::problem::Problem;

const X_CACHE: HeaderName = HeaderName::from_static("x-cache");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An answer that is kept, or that others wait for. In as few pieces as can be, all of its own: what it
/// takes must be what it is weighed by.
#[derive(Debug)]
pub struct Stored {
    status: StatusCode,
    headers: Box<[(HeaderName, HeaderValue)]>,
    body: Bytes,
    /// Where the gateway itself said it.
    problem: Option<Problem>,
    /// How old it was when it came, seconds.
    age_s: u64,
}

impl Stored {
    /// Copies the head of an answer; `body` is to be nobody else's.
    pub fn new(status: StatusCode, headers: &HeaderMap, body: Bytes) -> Self {
        // What limits said to the one who asked is not for others.
        let is_own = |name: &HeaderName| {
            let is_of_limits = ["x-ratelimit-", "ratelimit"].iter().any(|of| name.as_str().starts_with(of));
            // When to come back is a part of what a failure says.
            let is_told = *name != RETRY_AFTER || !status.is_success();
            is_told && *name != AGE && !is_of_limits
        };
        let kept = || headers.iter().filter(|(name, _)| is_own(name));
        let mut values = BytesMut::with_capacity(kept().map(|(_, value)| value.len()).sum());
        kept().for_each(|(_, value)| values.extend_from_slice(value.as_bytes()));
        let values = values.freeze();
        let mut at = 0;
        let copied = kept().filter_map(|(name, value)| {
            let end = at + value.len();
            let copy = HeaderValue::from_maybe_shared(values.slice(at..end)).ok()?;
            at = end;
            Some((name.clone(), copy))
        });
        let age_s = rules::age(headers).as_secs();
        Self { status, headers: copied.collect(), body, age_s, problem: None }
    }

    /// As what it is to those who ask for errors in another form.
    #[must_use]
    pub fn with_problem(self, problem: Option<Problem>) -> Self {
        Self { problem, ..self }
    }

    /// A failure of which nothing but the status is told.
    pub fn neutral(status: StatusCode) -> Self {
        let detail = "The upstream did not answer as it should";
        let body = format!(r#"{{"detail": "{detail}", "status_code": {}}}"#, status.as_u16());
        let problem = Some(Problem::Plain(detail.into()));
        Self { status, headers: Box::new([(CONTENT_TYPE, JSON)]), body: body.into(), age_s: 0, problem }
    }

    /// Bytes that it takes.
    #[must_use]
    pub fn weight(&self) -> usize {
        // Names that are no standard ones have bytes of their own; each allocation has its overhead.
        let headers = self.headers.iter().map(|(name, value)| {
            size_of::<(HeaderName, HeaderValue)>() + name.as_str().len() + 32 + value.len()
        });
        size_of::<Self>() + 128 + self.body.len() + headers.sum::<usize>()
    }

    /// It as an answer: found `how`, kept for so many seconds.
    pub fn response(&self, how: &'static str, kept_s: u64) -> Response<ResponseBody> {
        let mut response = Response::new(ResponseBody::full(self.body.clone()));
        *response.status_mut() = self.status;
        if let Some(problem) = &self.problem {
            response.extensions_mut().insert(problem.clone());
        }
        let headers = response.headers_mut();
        headers.reserve(self.headers.len() + 8);
        for (name, value) in &self.headers {
            headers.append(name, value.clone());
        }
        mark(headers, how, self.age_s.saturating_add(kept_s));
        response
    }

    /// That the client has it already (RFC 9110 §13.1.2).
    pub fn not_modified(
        &self,
        asked: &HeaderMap,
        how: &'static str,
        kept_s: u64,
    ) -> Option<Response<ResponseBody>> {
        let tag = self.headers.iter().find(|(name, _)| *name == ETAG)?.1.to_str().ok()?;
        let is_known =
            asked.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).any(|known| {
                let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
                known.trim() == "*" || known.split(',').any(|known| bare(known) == bare(tag))
            });
        is_known.then(|| {
            let mut response = Response::new(ResponseBody::full(Bytes::new()));
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            let told = [ETAG, CACHE_CONTROL, DATE, EXPIRES, VARY];
            let headers = response.headers_mut();
            for (name, value) in self.headers.iter().filter(|(name, _)| told.contains(name)) {
                headers.append(name, value.clone());
            }
            mark(headers, how, self.age_s.saturating_add(kept_s));
            response
        })
    }
}

/// Says where an answer comes from, and how old it is, unless it is new.
pub fn mark(headers: &mut HeaderMap, how: &'static str, age_s: u64) {
    headers.insert(X_CACHE, HeaderValue::from_static(how));
    if how != "MISS" || age_s > 0 {
        headers.insert(AGE, number(age_s));
    }
}

/// 00 to 99.
const DIGITS: &str = "\
    0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849\
    5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

/// A number as a header; the small ones, which most ages are, without an allocation.
fn number(number: u64) -> HeaderValue {
    let digits = usize::try_from(number).ok().and_then(|number| match number {
        0..=9 => DIGITS.get(2 * number + 1..2 * number + 2),
        10..=99 => DIGITS.get(2 * number..2 * number + 2),
        _ => None,
    });
    digits.map_or_else(|| HeaderValue::from(number), HeaderValue::from_static)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(headers: &[(&'static str, &'static str)]) -> Stored {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        Stored::new(StatusCode::OK, &map, Bytes::from_static(b"content"))
    }

    #[test]
    fn a_copy_says_the_same_but_for_what_concerned_its_asker() {
        let response = stored(&[
            ("etag", "\"1\""),
            ("link", "a"),
            ("link", "b"),
            ("age", "5"),
            ("retry-after", "5"),
            ("x-ratelimit-limit", "9"),
        ])
        .response("HIT", 7);
        assert_eq!(response.headers().get_all("link").iter().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(
            (&response.headers()["age"], &response.headers()["x-cache"]),
            (&"12".parse().unwrap(), &"HIT".parse().unwrap())
        );
        assert!(!response.headers().contains_key("retry-after"));
        assert!(!response.headers().contains_key("x-ratelimit-limit"));
    }

    #[test]
    fn a_number_is_the_same_however_it_is_made() {
        for value in (0..200).chain([u64::MAX]) {
            assert_eq!(number(value), value.to_string());
        }
    }

    #[test]
    fn who_has_it_already_is_told_so() {
        let stored = stored(&[("etag", "W/\"1\""), ("content-type", "text/plain")]);
        let told = |known: &'static str| {
            let mut asked = HeaderMap::new();
            asked.insert("if-none-match", HeaderValue::from_static(known));
            stored.not_modified(&asked, "HIT", 0).map(|response| response.status().as_u16())
        };
        assert_eq!((told("\"1\""), told("\"0\", W/\"1\""), told("*")), (Some(304), Some(304), Some(304)));
        assert_eq!(told("\"2\""), None);
        assert!(stored.not_modified(&HeaderMap::new(), "HIT", 0).is_none());
    }
}
