//! Which headers pass, and which are for one connection only.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::client::{FORWARDED_FOR, Peer};
use super::request_id;

/// Headers that RFC 9110 §7.6.1 ties to a connection.
fn is_hop_by_hop(name: &HeaderName) -> bool {
    *name == header::CONNECTION
        || *name == header::TRANSFER_ENCODING
        || *name == header::TE
        || *name == header::TRAILER
        || *name == header::UPGRADE
        || *name == header::PROXY_AUTHENTICATE
        || *name == header::PROXY_AUTHORIZATION
        || name.as_str() == "keep-alive"
        || name.as_str() == "proxy-connection"
}

/// Takes out what is for this connection only, and what `Connection` names as such.
pub fn drop_hop_by_hop(headers: &mut HeaderMap) {
    let mut values = headers.get_all(header::CONNECTION).iter();
    match (values.next(), values.next()) {
        (None, _) => {}
        // What nearly everybody says.
        (Some(value), None) if value == "keep-alive" || value == "close" => {}
        _ => drop_named(headers),
    }
    // Whoever sends both means the encoding (RFC 9112 §6.3); the length would be wrong by now.
    if headers.contains_key(header::TRANSFER_ENCODING) {
        headers.remove(header::CONTENT_LENGTH);
    }
    // Most messages have one of these or none: a look at the names instead of a look-up for each.
    while let Some(name) = headers.keys().find(|name| is_hop_by_hop(name)).cloned() {
        headers.remove(name);
    }
}

fn drop_named(headers: &mut HeaderMap) {
    let mut named: Vec<HeaderName> = Vec::new();
    for value in headers.get_all(header::CONNECTION) {
        let tokens = value.as_bytes().split(|byte| *byte == b',');
        named.extend(tokens.filter_map(|token| HeaderName::from_bytes(token.trim_ascii()).ok()));
    }
    for name in named {
        // These are not the connection's business, whoever claims it.
        let is_end_to_end = name == header::CONTENT_LENGTH
            || name == header::HOST
            || name == FORWARDED_FOR
            || name == request_id::HEADER;
        if !is_end_to_end {
            headers.remove(name);
        }
    }
}

/// Makes a request's headers those of a request to an upstream. `authority` is the host for a request
/// that names none.
pub fn towards_upstream(headers: &mut HeaderMap, peer: &Peer, authority: &HeaderValue) {
    drop_hop_by_hop(headers);
    // Answered here already: the body is read as soon as the upstream asks for it.
    if headers.contains_key(header::EXPECT) {
        headers.remove(header::EXPECT);
    }
    let forwarded = match headers.get(&FORWARDED_FOR) {
        None => peer.text.clone(),
        Some(_) => append(headers, &peer.text),
    };
    headers.insert(FORWARDED_FOR, forwarded);
    // The client's own, as Envoy and HAProxy have it: an upstream that builds addresses from it, for a
    // redirect say, then tells nobody where it is.
    if !headers.contains_key(header::HOST) {
        headers.insert(header::HOST, authority.clone());
    }
}

fn append(headers: &HeaderMap, peer: &HeaderValue) -> HeaderValue {
    let mut chain = Vec::new();
    for value in headers.get_all(&FORWARDED_FOR) {
        chain.extend_from_slice(value.as_bytes());
        chain.extend_from_slice(b", ");
    }
    chain.extend_from_slice(peer.as_bytes());
    HeaderValue::from_bytes(&chain).unwrap_or_else(|_| peer.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_the_connection_and_those_it_names_are_dropped() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Private, Content-Length"),
            ("keep-alive", "timeout=5"),
            ("x-private", "1"),
            ("te", "trailers"),
            ("upgrade", "h2c"),
            ("content-length", "3"),
            ("accept", "*/*"),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        drop_hop_by_hop(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "content-length"]);
    }

    #[test]
    fn a_second_connection_header_names_headers_too() {
        let mut headers = HeaderMap::new();
        headers.append("connection", HeaderValue::from_static("keep-alive"));
        headers.append("connection", HeaderValue::from_static("x-private"));
        headers.insert("x-private", HeaderValue::from_static("1"));
        drop_hop_by_hop(&mut headers);
        assert!(headers.is_empty(), "{headers:?}");
    }

    #[test]
    fn the_peer_is_appended_to_what_earlier_proxies_said() {
        let peer = Peer::new("10.0.0.9".parse().unwrap(), &[]);
        let mut headers = HeaderMap::new();
        headers.append(FORWARDED_FOR, HeaderValue::from_static("1.1.1.1"));
        headers.append(FORWARDED_FOR, HeaderValue::from_static("2.2.2.2"));
        towards_upstream(&mut headers, &peer, &HeaderValue::from_static("up:9"));
        assert_eq!(headers.get_all(FORWARDED_FOR).iter().collect::<Vec<_>>(), ["1.1.1.1, 2.2.2.2, 10.0.0.9"]);
        assert_eq!(headers[header::HOST], "up:9");
        headers.insert(header::HOST, HeaderValue::from_static("asked.example"));
        towards_upstream(&mut headers, &peer, &HeaderValue::from_static("up:9"));
        assert_eq!(headers[header::HOST], "asked.example");
    }
}
