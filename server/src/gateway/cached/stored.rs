//! An answer as it is kept.

use bytes::{Bytes, BytesMut};
use http::header::{AGE, CACHE_CONTROL, CONTENT_TYPE, DATE, ETAG, EXPIRES, IF_NONE_MATCH, RETRY_AFTER, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

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
}

impl Stored {
    /// Copies an answer.
    pub fn new(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        // What limits said to the one who asked is not for others.
        let is_own = |name: &HeaderName| {
            let is_of_limits = ["x-ratelimit-", "ratelimit"].iter().any(|of| name.as_str().starts_with(of));
            *name != RETRY_AFTER && *name != AGE && !is_of_limits
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
        Self { status, headers: copied.collect(), body: Bytes::copy_from_slice(body), problem: None }
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
        Self { status, headers: Box::new([(CONTENT_TYPE, JSON)]), body: body.into(), problem }
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

    /// It as an answer: found `how`, so many seconds old.
    pub fn response(&self, how: &'static str, age_s: u64) -> Response<ResponseBody> {
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
        mark(headers, how, age_s);
        response
    }

    /// That the client has it already (RFC 9110 §13.1.2).
    pub fn not_modified(
        &self,
        asked: &HeaderMap,
        how: &'static str,
        age_s: u64,
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
            mark(headers, how, age_s);
            response
        })
    }
}

fn mark(headers: &mut HeaderMap, how: &'static str, age_s: u64) {
    headers.insert(X_CACHE, HeaderValue::from_static(how));
    if how != "MISS" {
        headers.insert(AGE, HeaderValue::from(age_s));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(headers: &[(&'static str, &'static str)]) -> Stored {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        Stored::new(StatusCode::OK, &map, b"content")
    }

    #[test]
    fn a_copy_says_the_same_but_for_what_concerned_its_asker() {
        let response = stored(&[
            ("etag", "\"1\""),
            ("link", "a"),
            ("link", "b"),
            ("retry-after", "5"),
            ("x-ratelimit-limit", "9"),
        ])
        .response("HIT", 7);
        assert_eq!(response.headers().get_all("link").iter().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(
            (&response.headers()["age"], &response.headers()["x-cache"]),
            (&"7".parse().unwrap(), &"HIT".parse().unwrap())
        );
        assert!(!response.headers().contains_key("retry-after"));
        assert!(!response.headers().contains_key("x-ratelimit-limit"));
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
