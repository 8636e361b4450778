//! Which requests ask for the same, and which for something of their own.

use http::header::{ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderName, request};
use rad_resilience::cache::CacheKey;

use super::rules::is_said;
use crate::config::KeySource;
use crate::gateway::plan::RouteCache;

const DECIDING_COUNT: usize = 8;

/// Headers of a request that may decide its answer, and are part of its key.
pub static DECIDING: [HeaderName; DECIDING_COUNT] = [
    ACCEPT,
    ACCEPT_ENCODING,
    ACCEPT_LANGUAGE,
    CONTENT_TYPE,
    CONTENT_ENCODING,
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-http-method-override"),
];

/// What the upstream will be asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    pub route: usize,
    pub upstream: usize,
    pub parts: &'a request::Parts,
    /// Path and query.
    pub target: &'a str,
}

/// The most parts of a key: what every request has, and each deciding header with its value, some of them twice.
const MAX_PARTS: usize = 5 + 2 * 2 * DECIDING_COUNT + 2 * MAX_BY;
/// The most headers that a route counts its clients by.
const MAX_BY: usize = 4;

/// The key of a request; none if its answer is for nobody else. Every request passes here: one look at each
/// header, and no allocation.
pub fn key(cache: &RouteCache, wanted: &Wanted<'_>, body: &[u8]) -> Option<CacheKey> {
    let Wanted { route, upstream, parts, target } = *wanted;
    if !cache.methods.contains(&parts.method) {
        return None;
    }
    let (mut host, mut organisation) = (None, None);
    let mut deciding = [None; DECIDING_COUNT];
    let mut has_several = false;
    for (name, value) in &parts.headers {
        match name.as_str() {
            // The answer is for its asker alone, or a part of it.
            "authorization" | "proxy-authorization" | "cookie" | "range" | "x-api-key" => return None,
            "cache-control" if is_said(value, &["no-store", "no-cache"]) => return None,
            "host" => host = host.or(Some(value.as_bytes())),
            KeySource::ORG if organisation.replace(value).is_some() => return None,
            name => {
                if let Some(at) = position(name)
                    && let Some(slot) = deciding.get_mut(at)
                {
                    has_several |= slot.replace(value).is_some();
                }
            }
        }
    }
    let organisation = match organisation {
        None => "",
        Some(name) => name.to_str().ok()?,
    };
    let host = parts.uri.authority().map(|host| host.as_str().as_bytes()).or(host).unwrap_or_default();
    let place = ((route as u64) << 32 | upstream as u64).to_le_bytes();
    let mut what = [&[][..]; MAX_PARTS];
    let common = [&place[..], parts.method.as_str().as_bytes(), host, target.as_bytes(), body];
    what[..common.len()].copy_from_slice(&common);
    let mut count = common.len();
    // In one order, whatever the request's own.
    for (name, value) in DECIDING.iter().zip(deciding) {
        let Some(value) = value else { continue };
        let all = has_several.then(|| parts.headers.get_all(name).iter());
        for value in all.into_iter().flatten().chain((!has_several).then_some(value)) {
            let pair = what.get_mut(count..count + 2)?;
            pair.copy_from_slice(&[name.as_str().as_bytes(), value.as_bytes()]);
            count += 2;
        }
    }
    // Whom the route counts apart it answers apart.
    for name in &cache.by {
        let mut values = parts.headers.get_all(name).iter();
        let Some(value) = values.next() else { continue };
        if values.next().is_some() {
            return None;
        }
        let pair = what.get_mut(count..count + 2)?;
        pair.copy_from_slice(&[name.as_str().as_bytes(), value.as_bytes()]);
        count += 2;
    }
    Some(CacheKey::new(organisation, what.get(..count)?))
}

/// The position of a header among the deciding ones.
fn position(name: &str) -> Option<usize> {
    Some(match name {
        "accept" => 0,
        "accept-encoding" => 1,
        "accept-language" => 2,
        "content-type" => 3,
        "content-encoding" => 4,
        "x-forwarded-host" => 5,
        "x-forwarded-proto" => 6,
        "x-http-method-override" => 7,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use rad_resilience::Cache;
    use rad_resilience::cache::{CacheSettings, Tier};

    use super::*;

    fn key_of(request: http::request::Builder) -> Option<CacheKey> {
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let policy = Cache::<(), ()>::new(CacheSettings::default(), |()| 1).unwrap().tier(Tier::Counts);
        let by = vec![HeaderName::from_static("x-tenant")];
        let cache = RouteCache { policy, tags: Vec::new(), methods: vec![http::Method::GET], by };
        let target = parts.uri.path();
        key(&cache, &Wanted { route: 1, upstream: 2, parts: &parts, target }, b"")
    }

    fn with(headers: &[(&str, &str)]) -> Option<CacheKey> {
        let all = headers.iter();
        key_of(all.fold(http::Request::get("/"), |request, (name, value)| request.header(*name, *value)))
    }

    #[test]
    fn each_deciding_header_has_the_position_that_the_list_gives_it() {
        for (at, name) in DECIDING.iter().enumerate() {
            assert_eq!(position(name.as_str()), Some(at));
            assert_ne!(with(&[(name.as_str(), "a")]), with(&[]), "{name}");
            assert_ne!(with(&[(name.as_str(), "a")]), with(&[(name.as_str(), "")]), "{name}");
        }
        assert_eq!(position("user-agent"), None);
        assert_eq!(with(&[("user-agent", "a"), ("x-y", "b")]), with(&[]));
    }

    #[test]
    fn the_order_of_headers_is_of_no_concern_but_that_of_the_values_of_one() {
        let one = with(&[("accept", "a"), ("accept-language", "b"), ("host", "h")]);
        assert_eq!(one, with(&[("host", "h"), ("accept-language", "b"), ("accept", "a")]));
        assert_ne!(one, with(&[("accept", "b"), ("accept-language", "a"), ("host", "h")]));
        let two = with(&[("accept", "a"), ("accept", "b"), ("accept-language", "c")]);
        assert_eq!(two, with(&[("accept", "a"), ("accept-language", "c"), ("accept", "b")]));
        assert_ne!(two, with(&[("accept", "b"), ("accept", "a"), ("accept-language", "c")]));
        let many = vec![("accept", "a"); 100];
        assert_eq!(with(&many), None);
    }

    #[test]
    fn whom_a_route_counts_apart_it_answers_apart() {
        assert_ne!(with(&[("x-tenant", "a")]), with(&[("x-tenant", "b")]));
        assert_ne!(with(&[("x-tenant", "a")]), with(&[]));
        assert_eq!(with(&[("x-tenant", "a"), ("x-tenant", "b")]), None);
    }

    #[test]
    fn what_is_for_its_asker_alone_has_no_key() {
        for name in ["authorization", "proxy-authorization", "cookie", "range", "x-api-key"] {
            assert_eq!(with(&[(name, "x")]), None, "{name}");
        }
        for (said, has_key) in [("no-cache", false), ("max-age=0, NO-STORE", false), ("max-age=0", true)] {
            assert_eq!(with(&[("cache-control", said)]).is_some(), has_key, "{said}");
        }
        assert_eq!(with(&[("x-org-id", "a"), ("x-org-id", "b")]), None);
        assert_ne!(with(&[("x-org-id", "a")]), with(&[("x-org-id", "b")]));
        assert_eq!(key_of(http::Request::post("/")), None);
    }
}
