//! Who asks: the address of the client, and the key that a limit counts by.

mod cookie;
mod key;

use std::net::IpAddr;

use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};
use ipnet::IpNet;

use crate::rollout::AssignBy;
pub use cookie::cookie;
pub use key::{identity, key};

/// Calls `with` the bytes that a rollout tells this client from others by.
pub fn assigned<T>(by: &AssignBy, client: IpAddr, headers: &HeaderMap, with: impl FnOnce(&[u8]) -> T) -> T {
    let value = match by {
        AssignBy::Client => None,
        AssignBy::Header(name) => headers.get(name).map(HeaderValue::as_bytes),
        AssignBy::Cookie(name) => cookie(headers, name),
    };
    match value.filter(|value| (1..=AssignBy::LONGEST).contains(&value.len())) {
        Some(value) => with(value),
        None => match identity(client) {
            IpAddr::V4(address) => with(&address.octets()),
            IpAddr::V6(address) => with(&address.octets()),
        },
    }
}

pub const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A connection's other end; made once for all its requests.
#[derive(Debug)]
pub struct Peer {
    pub address: IpAddr,
    /// As it is appended to `X-Forwarded-For`.
    pub text: HeaderValue,
    trusted: bool,
}

impl Peer {
    #[must_use]
    pub fn new(address: IpAddr, trusted_proxies: &[IpNet]) -> Self {
        let address = address.to_canonical();
        let text = HeaderValue::from_str(&address.to_string()).unwrap_or(HeaderValue::from_static("unknown"));
        Self { address, text, trusted: is_trusted(address, trusted_proxies) }
    }

    /// The client's address. `X-Forwarded-For` is believed only from trusted proxies, and read from the
    /// right: the last address that no trusted proxy vouches for.
    #[must_use]
    pub fn client(&self, headers: &HeaderMap, trusted_proxies: &[IpNet]) -> IpAddr {
        if !self.trusted {
            return self.address;
        }
        let mut client = self.address;
        let values = headers.get_all(&FORWARDED_FOR).iter().rev();
        let entries = values.flat_map(|value| value.to_str().unwrap_or("?").rsplit(','));
        for entry in entries {
            let Some(address) = address(entry.trim()) else { break };
            client = address;
            if !is_trusted(client, trusted_proxies) {
                break;
            }
        }
        client
    }
}

/// An address as proxies write it: bare, in brackets, or with a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip());
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    bare.or_else(with_port).or_else(in_brackets).map(|address| address.to_canonical())
}

fn is_trusted(address: IpAddr, trusted_proxies: &[IpNet]) -> bool {
    trusted_proxies.iter().any(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let trusted: Vec<IpNet> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, HeaderValue::from_str(value).unwrap());
        }
        Peer::new(peer.parse().unwrap(), &trusted).client(&headers, &trusted).to_string()
    }

    #[test]
    fn what_an_untrusted_peer_says_of_others_is_not_believed() {
        assert_eq!(client("203.0.113.9", &["10.0.0.1"], &["127.0.0.0/8"]), "203.0.113.9");
    }

    #[test]
    fn the_last_address_that_no_proxy_vouches_for_is_the_client() {
        let trusted = &["127.0.0.0/8", "10.0.0.0/8"];
        assert_eq!(client("127.0.0.1", &["6.6.6.6, 203.0.113.9, 10.1.2.3"], trusted), "203.0.113.9");
        assert_eq!(client("127.0.0.1", &["6.6.6.6", "203.0.113.9"], trusted), "203.0.113.9");
        assert_eq!(client("127.0.0.1", &["[2001:db8::7]:443"], trusted), "2001:db8::7");
    }

    #[test]
    fn rubbish_in_the_chain_ends_it_at_the_last_proxy() {
        assert_eq!(
            client("127.0.0.1", &["203.0.113.9, not an address, 10.0.0.9"], &["127.0.0.0/8", "10.0.0.0/8"]),
            "10.0.0.9"
        );
        assert_eq!(client("127.0.0.1", &[], &["127.0.0.0/8"]), "127.0.0.1");
    }

    #[test]
    fn an_address_of_version_4_in_one_of_version_6_is_that_of_version_4() {
        assert_eq!(Peer::new("::ffff:10.1.2.3".parse().unwrap(), &[]).address.to_string(), "10.1.2.3");
    }
}
