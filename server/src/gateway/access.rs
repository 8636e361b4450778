//! What a log line says of a request.

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue, StatusCode, request};

use super::client::Peer;
use super::ticket::{Access, Trace};
use super::worker::Worker;
use crate::telemetry::log::{Level, Line, Value};

/// Logs a request that no route answers.
pub fn unmatched(worker: &Worker, peer: &Peer, parts: &request::Parts, id: &HeaderValue, status: StatusCode) {
    let method = parts.method.as_str();
    if worker.is_silent() || !worker.switches.logs_request("", method, id.to_str().unwrap_or("")) {
        return;
    }
    let client = peer.client(&parts.headers, &worker.plan.trusted_proxies);
    let fields = [
        ("request_id", Value::Text(id.to_str().unwrap_or(""))),
        ("client_ip", Value::Display(&client as &dyn std::fmt::Display)),
        ("method", Value::Text(method)),
        ("path", Value::Text(parts.uri.path())),
        ("status", Value::Count(u64::from(status.as_u16()))),
    ];
    worker.log(&Line { level: Level::Warn, event: "route_not_found", fields: &fields });
}

/// What is remembered of a request for its line; nothing if nothing is logged.
pub fn access(
    worker: &Worker,
    route: usize,
    parts: &request::Parts,
    id: &HeaderValue,
    client: IpAddr,
) -> Option<Box<Access>> {
    let route = &worker.plan.routes[route].path;
    let is_wanted = !worker.is_silent()
        && worker.switches.logs_request(route, parts.method.as_str(), id.to_str().unwrap_or(""));
    is_wanted.then(|| {
        Box::new(Access {
            id: id.clone(),
            client,
            method: parts.method.clone(),
            // Without the query: it may hold what nobody should read in a log.
            path: parts.uri.path().to_owned(),
            trace: trace(&parts.headers),
        })
    })
}

/// The ids of a `traceparent` of version 00 (W3C Trace Context §3.2).
fn trace(headers: &HeaderMap) -> Option<Trace> {
    let text = headers.get("traceparent")?.to_str().ok()?;
    let mut parts = text.split('-');
    let (version, trace_id, span_id) = (parts.next()?, parts.next()?, parts.next()?);
    let is_id = |id: &str, length: usize| {
        id.len() == length
            && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
            && id.bytes().any(|byte| byte != b'0')
    };
    (version == "00" && is_id(trace_id, 32) && is_id(span_id, 16))
        .then(|| Trace { trace_id: trace_id.to_owned(), span_id: span_id.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_traceparent_is_ignored() {
        let ids = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("traceparent", HeaderValue::from_static(text));
            trace(&headers).map(|trace| trace.trace_id)
        };
        assert_eq!(
            ids("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").as_deref(),
            Some("0af7651916cd43dd8448eb211c80319c")
        );
        assert_eq!(ids("00-00000000000000000000000000000000-b7ad6b7169203331-01"), None);
        assert_eq!(ids("00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), None);
        assert_eq!(ids("nonsense"), None);
    }
}
