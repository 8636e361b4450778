//! Whom the console answers: pages of its own, and programs.
//!
//! A page of another site may send requests here from its visitor's browser. The browser says so: by
//! `Origin` on everything that changes something and on WebSockets, and by `Sec-Fetch-Site`. A site that
//! points its own name at this machine is caught by `Host`: on loopback only loopback's names are answered,
//! and those that the configuration says are the console's; elsewhere, if it says any, only these and addresses.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Console;
use super::error::ApiError;

type Peer = ConnectInfo<std::net::SocketAddr>;

pub async fn guard(State(console): State<Arc<Console>>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
    let is_admitted = console.origins.admit(&request);
    match check(request.method(), request.uri(), request.headers(), peer, (&console.hosts, is_admitted)) {
        Ok(()) => next.run(request).await,
        Err(detail) => ApiError::new(StatusCode::FORBIDDEN, detail).into_response(),
    }
}

fn check(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    peer: Option<IpAddr>,
    (hosts, is_admitted): (&[String], bool),
) -> Result<(), &'static str> {
    let text = |name| headers.get(name).map(|value: &axum::http::HeaderValue| value.to_str().unwrap_or("?"));
    let host = text(header::HOST).or(uri.authority().map(|authority| authority.as_str())).unwrap_or("");
    let name = name(host);
    let is_named = is_loopback(name) || hosts.iter().any(|host| host.eq_ignore_ascii_case(name));
    match peer.is_none_or(|peer| peer.is_loopback()) {
        true if !is_named && hosts.is_empty() => {
            return Err("this console answers on loopback names only: localhost, 127.0.0.1 or [::1]");
        }
        // An address cannot be pointed elsewhere.
        false if is_named || hosts.is_empty() || name.parse::<IpAddr>().is_ok() => {}
        _ if !is_named => {
            return Err("this console does not answer to this name; console.hosts says to which");
        }
        _ => {}
    }
    let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    let is_socket = headers.contains_key(header::UPGRADE);
    if (reads || is_admitted) && !is_socket {
        return Ok(());
    }
    if matches!(text(header::HeaderName::from_static("sec-fetch-site")), Some("cross-site" | "same-site")) {
        return Err("requests from other sites' pages are not answered");
    }
    match text(header::ORIGIN) {
        // Not a browser.
        None => Ok(()),
        Some(origin) if is_of(origin, host) => Ok(()),
        Some(_) => Err("requests from other sites' pages are not answered"),
    }
}

/// Whether the `HOST[:PORT]` is one of this machine.
pub fn is_local(host: &str) -> bool {
    is_loopback(name(host))
}

/// Whether an origin is this host's. Browsers leave the port out of an origin that its scheme implies; a proxy may
/// name it nevertheless.
fn is_of(origin: &str, host: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let implied = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return false,
    };
    authority == host || host.strip_suffix(implied).is_some_and(|host| authority == host)
}

/// The name in `HOST[:PORT]`.
fn name(host: &str) -> &str {
    match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    }
}

/// Whether a name is one of this machine.
fn is_loopback(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const LOCAL: [u8; 4] = [127, 0, 0, 1];
    const REMOTE: [u8; 4] = [203, 0, 113, 7];

    fn allowed(method: Method, fields: &[(&'static str, &'static str)]) -> bool {
        answered(method, fields, LOCAL, &[])
    }

    fn answered(
        method: Method,
        fields: &[(&'static str, &'static str)],
        peer: [u8; 4],
        hosts: &[&str],
    ) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        let hosts: Vec<_> = hosts.iter().map(|host| (*host).to_owned()).collect();
        check(&method, &Uri::default(), &headers, Some(peer.into()), (&hosts, false)).is_ok()
    }

    #[test]
    fn a_name_of_the_configuration_is_answered_to_and_on_loopback_and_beyond_no_other() {
        let get = |host, peer, hosts: &[&str]| answered(Method::GET, &[("host", host)], peer, hosts);
        let hosts = &["console.example"];
        for peer in [LOCAL, REMOTE] {
            assert!(get("console.example", peer, hosts) && get("Console.Example:443", peer, hosts));
            assert!(get("localhost:8000", peer, hosts));
            assert!(!get("evil.example", peer, hosts) && !get("console.example.evil.example", peer, hosts));
        }
        assert!(get("198.51.100.4:8000", REMOTE, hosts) && get("[2001:db8::1]:8000", REMOTE, hosts));
        assert!(!get("198.51.100.4", LOCAL, hosts));
        assert!(get("whatever.example", REMOTE, &[]), "where no name is configured, any is answered to");
    }

    #[test]
    fn behind_a_proxy_for_tls_the_origin_is_the_host() {
        let host = ("host", "console.example");
        let post = |origin| answered(Method::POST, &[host, ("origin", origin)], LOCAL, &["console.example"]);
        assert!(post("https://console.example"));
        let named = ("host", "console.example:443");
        let origin = ("origin", "https://console.example");
        assert!(answered(Method::POST, &[named, origin], LOCAL, &["console.example"]));
        assert!(!post("https://evil.example") && !post("https://console.example.evil.example"));
    }

    #[test]
    fn a_page_of_this_console_and_a_program_may_change_things() {
        assert!(allowed(Method::POST, &[("host", "127.0.0.1:8000"), ("origin", "http://127.0.0.1:8000")]));
        assert!(allowed(Method::POST, &[("host", "localhost:8000")]));
        assert!(allowed(Method::POST, &[("host", "[::1]:8000"), ("sec-fetch-site", "same-origin")]));
    }

    #[test]
    fn a_page_of_another_site_may_not() {
        let host = ("host", "127.0.0.1:8000");
        for origin in
            ["http://evil.example", "null", "http://127.0.0.1:8000.evil.example", "http://127.0.0.1:8001"]
        {
            assert!(!allowed(Method::POST, &[host, ("origin", origin)]), "{origin}");
            assert!(!allowed(Method::GET, &[host, ("origin", origin), ("upgrade", "websocket")]), "{origin}");
        }
        assert!(!allowed(Method::POST, &[host, ("sec-fetch-site", "cross-site")]));
    }

    #[test]
    fn what_is_open_to_a_page_of_another_site_is_so_under_loopback_s_names_only_and_without_sockets() {
        let admitted = |fields: &[(&'static str, &'static str)]| {
            let fields = fields.iter().map(|(name, value)| {
                (axum::http::HeaderName::from_static(name), HeaderValue::from_static(value))
            });
            let headers: HeaderMap = fields.collect();
            check(&Method::POST, &Uri::default(), &headers, Some([127, 0, 0, 1].into()), (&[], true)).is_ok()
        };
        let origin = ("origin", "https://shop.example");
        assert!(admitted(&[("host", "127.0.0.1:8000"), origin, ("sec-fetch-site", "cross-site")]));
        assert!(!admitted(&[("host", "evil.example"), origin]));
        assert!(!admitted(&[("host", "127.0.0.1:8000"), origin, ("upgrade", "websocket")]));
    }

    #[test]
    fn a_foreign_name_that_points_here_is_not_answered() {
        assert!(!allowed(Method::GET, &[("host", "evil.example:8000")]));
        assert!(!allowed(Method::GET, &[("host", "127.0.0.1.evil.example")]));
        assert!(!allowed(Method::GET, &[]));
    }
}
