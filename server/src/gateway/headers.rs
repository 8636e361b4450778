//! Which headers pass, and which are for one connection only.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::client::{FORWARDED_FOR, Peer};

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
    if !headers.keys().any(is_hop_by_hop) {
        return;
    }
    let mut named: Vec<HeaderName> = Vec::new();
    for value in headers.get_all(header::CONNECTION) {
        let tokens = value.as_bytes().split(|byte| *byte == b',');
        named.extend(tokens.filter_map(|token| HeaderName::from_bytes(token.trim_ascii()).ok()));
    }
    named.extend(headers.keys().filter(|name| is_hop_by_hop(name)).cloned());
    for name in named {
        // A body's length is not the connection's business, whoever claims it.
        if name != header::CONTENT_LENGTH && name != header::HOST {
            headers.remove(name);
        }
    }
}

/// Makes a request's headers those of a request to an upstream.
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
    headers.insert(header::HOST, authority.clone());
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
    fn the_peer_is_appended_to_what_earlier_proxies_said() {
        let peer = Peer::new("10.0.0.9".parse().unwrap(), &[]);
        let mut headers = HeaderMap::new();
        headers.append(FORWARDED_FOR, HeaderValue::from_static("1.1.1.1"));
        headers.append(FORWARDED_FOR, HeaderValue::from_static("2.2.2.2"));
        towards_upstream(&mut headers, &peer, &HeaderValue::from_static("up:9"));
        assert_eq!(headers.get_all(FORWARDED_FOR).iter().collect::<Vec<_>>(), ["1.1.1.1, 2.2.2.2, 10.0.0.9"]);
        assert_eq!(headers[header::HOST], "up:9");
    }
}
