//! The last step: to a target and back.

use std::io;
use std::rc::Rc;

use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Response, StatusCode, Uri, Version, request};

use rad_resilience::Timestamp;

use super::answer;
use super::body::{RequestBody, ResponseBody, UpstreamBody};
use super::client::Peer;
use super::connection::{Connection, ExchangeError};
use super::headers::{drop_hop_by_hop, towards_upstream};
use super::plan::{Target, Upstream};
use super::ticket::{Ending, Ticket};
use super::worker::Worker;

/// A request that is ready to go, but for the target.
#[derive(Debug)]
pub struct Outgoing {
    pub parts: request::Parts,
    pub body: RequestBody,
    pub peer: Rc<Peer>,
    pub started: Timestamp,
}

/// Sends a request to a target and passes the answer on.
pub async fn forward(
    worker: &Worker,
    upstream: &Upstream,
    target: usize,
    outgoing: Outgoing,
    mut ticket: Ticket,
) -> Response<ResponseBody> {
    let Outgoing { mut parts, body, peer, started } = outgoing;
    let to = &worker.plan.targets[target];
    let authority = parts.uri.authority().and_then(|name| HeaderValue::from_str(name.as_str()).ok());
    towards_upstream(&mut parts.headers, &peer, authority.as_ref().unwrap_or(&to.authority));
    parts.version = Version::HTTP_11;
    if !to.base.is_empty() {
        parts.uri = with_base(&parts.uri, &to.base);
    }
    let mut request = Request::from_parts(parts, body);
    loop {
        let Ok(mut connection) = connect(worker, upstream, target, to).await else {
            ticket.answered(502);
            ticket.end(Ending::Broken);
            return answer::bad_gateway();
        };
        match connection.exchange(request, worker.instant(started), upstream.timeout).await {
            Ok(response) => {
                let (mut head, body) = response.into_parts();
                // Nobody asked for another protocol: `Upgrade` does not pass.
                if head.status == StatusCode::SWITCHING_PROTOCOLS {
                    ticket.answered(502);
                    ticket.end(Ending::Broken);
                    return answer::bad_gateway();
                }
                head.version = Version::HTTP_11;
                drop_hop_by_hop(&mut head.headers);
                ticket.answered(head.status.as_u16());
                let body = UpstreamBody::new(body, connection, upstream.timeout, ticket);
                return Response::from_parts(head, ResponseBody::Upstream(body));
            }
            // An idle connection that the target closed meanwhile: no fault, another one may carry it.
            Err(ExchangeError::Unsent(back)) if connection.is_reused => request = *back,
            Err(ExchangeError::TimedOut) => {
                ticket.answered(504);
                ticket.end(Ending::Broken);
                return answer::gateway_timeout();
            }
            Err(ExchangeError::ClientTimedOut) => {
                ticket.answered(408);
                ticket.end(Ending::Abandoned);
                return answer::request_timeout();
            }
            Err(ExchangeError::Client) => {
                ticket.answered(400);
                ticket.end(Ending::Abandoned);
                return answer::bad_request();
            }
            Err(ExchangeError::Unsent(_) | ExchangeError::Broken) => {
                ticket.answered(502);
                ticket.end(Ending::Broken);
                return answer::bad_gateway();
            }
        }
    }
}

async fn connect(
    worker: &Worker,
    upstream: &Upstream,
    target: usize,
    to: &Target,
) -> io::Result<Box<Connection>> {
    match worker.pools[target].take() {
        Some(connection) => Ok(connection),
        None => Connection::open(&to.host, to.port, upstream.connect_timeout).await,
    }
}

/// The path and query alone, as HTTP/1.1 wants it, with the matched prefix replaced.
pub fn rewritten(uri: &Uri, prefix: usize, rewrite: Option<&str>) -> Uri {
    match rewrite {
        None if uri.authority().is_none() => uri.clone(),
        None => relative(uri.path_and_query().cloned()),
        Some(rewrite) => {
            let rest = uri.path_and_query().map_or("", |path| path.as_str().get(prefix..).unwrap_or(""));
            let slash = if rest.is_empty() || rest.starts_with(['/', '?']) { "" } else { "/" };
            let rewrite = if rest.starts_with('/') { rewrite.trim_end_matches('/') } else { rewrite };
            relative(format!("{rewrite}{slash}{rest}").parse().ok())
        }
    }
}

fn with_base(uri: &Uri, base: &str) -> Uri {
    let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    relative(format!("{base}{path}").parse().ok())
}

fn relative(path: Option<PathAndQuery>) -> Uri {
    path.map(Uri::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewrite(uri: &str, prefix: &str, to: Option<&str>) -> String {
        rewritten(&uri.parse().unwrap(), prefix.len(), to).to_string()
    }

    #[test]
    fn the_matched_prefix_is_replaced_and_the_rest_kept() {
        assert_eq!(
            rewrite("/api/fetch-kibana-data?q=1", "/api/fetch-kibana-data", Some("/_search")),
            "/_search?q=1"
        );
        assert_eq!(rewrite("/v1/items/7", "/v1", Some("/v2")), "/v2/items/7");
        assert_eq!(rewrite("/v1/items", "/v1", Some("/")), "/items");
        assert_eq!(rewrite("/v1", "/v1", Some("/")), "/");
        assert_eq!(rewrite("/items?x=%20", "/", Some("/v2")), "/v2/items?x=%20");
    }

    #[test]
    fn an_absolute_address_becomes_a_path() {
        assert_eq!(rewrite("http://elsewhere.example/a?b", "/", None), "/a?b");
        assert_eq!(rewrite("/a?b", "/", None), "/a?b");
    }

    #[test]
    fn a_target_may_have_a_base_path() {
        assert_eq!(with_base(&"/a?b".parse().unwrap(), "/es").to_string(), "/es/a?b");
    }
}
