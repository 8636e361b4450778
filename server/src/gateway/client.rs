//! Who asks: the address of the client, and the key that a limit counts by.

use std::net::{IpAddr, Ipv6Addr};

use http::header::{COOKIE, HeaderName};
use http::{HeaderMap, HeaderValue};
use ipnet::IpNet;

use crate::config::KeySource;
use crate::telemetry::registry::Key;

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

/// The address that stands for a client: IPv6 by /64.
#[must_use]
pub fn identity(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let network = address.to_bits() >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
    }
}

/// The key that a limit counts a request by. A request without the header or cookie that is asked for shares
/// one key with all others like it.
#[must_use]
pub fn key(source: &KeySource, client: IpAddr, headers: &HeaderMap) -> Key {
    match source {
        KeySource::Client => Key::Address(identity(client)),
        KeySource::Composite(parts) => {
            let mut text = String::with_capacity(64);
            for (at, part) in parts.iter().enumerate() {
                if at > 0 {
                    text.push(Key::BETWEEN);
                }
                // A part that is missing is empty, which none that is there can be.
                match key(part, client, headers) {
                    Key::Address(address) => text.push_str(&Key::Address(address).to_string()),
                    Key::Text(part) => text.push_str(&part),
                    Key::Parts(_) | Key::Global => {}
                }
            }
            Key::Parts(text.into())
        }
        KeySource::Org => text(header(headers, &KeySource::ORG_HEADER)),
        KeySource::Header(name) => text(header(headers, name)),
        KeySource::Cookie(name) => text(cookie(headers, name)),
        KeySource::Route | KeySource::Global => Key::Global,
    }
}

/// Bounded, because it is kept: a key of a kilobyte is not worth remembering as such.
fn text(value: Option<&str>) -> Key {
    value
        .filter(|value| !value.is_empty() && value.len() <= 256)
        .map_or(Key::Global, |value| Key::Text(value.into()))
}

fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The value of the first cookie of this name (RFC 6265 §5.4).
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let pairs = headers.get_all(COOKIE).iter().flat_map(|line| line.to_str().unwrap_or_default().split(';'));
    pairs
        .filter_map(|pair| pair.split_once('='))
        .find(|(own, _)| own.trim() == name)
        .map(|(_, value)| value.trim())
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
    fn ipv6_clients_count_by_their_64_bit_network() {
        let same: Vec<_> = ["2001:db8:0:1::1", "2001:db8:0:1:ffff::2"]
            .iter()
            .map(|text| key(&KeySource::Client, text.parse().unwrap(), &HeaderMap::new()))
            .collect();
        assert_eq!(same[0], same[1]);
        assert_eq!(same[0].to_string(), "2001:db8:0:1::/64");
        assert_eq!(Peer::new("::ffff:10.1.2.3".parse().unwrap(), &[]).address.to_string(), "10.1.2.3");
    }

    fn counted(source: KeySource, headers: &[(&'static str, &str)]) -> Key {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        key(&source, "10.0.0.1".parse().unwrap(), &map)
    }

    #[test]
    fn a_cookie_counts_by_its_value_and_not_by_that_of_another() {
        let session = || KeySource::Cookie("session".to_owned());
        let text = |text: &str| Key::Text(text.into());
        assert_eq!(counted(session(), &[("cookie", "a=1; session=ada; b=2")]), text("ada"));
        assert_eq!(
            counted(session(), &[("cookie", "a=1"), ("cookie", "session=\"ada=1\"")]),
            text("\"ada=1\"")
        );
        for without in ["", "xsession=ada", "session", "session=", "Session=ada", "a=session=ada"] {
            assert_eq!(counted(session(), &[("cookie", without)]), Key::Global, "{without:?}");
        }
        assert_eq!(counted(session(), &[]), Key::Global);
    }

    #[test]
    fn parts_of_a_key_never_run_into_each_other() {
        let header = |name| KeySource::Header(HeaderName::from_static(name));
        let both = || KeySource::Composite(vec![header("x-a"), header("x-b")]);
        let said: [&[(&str, &str)]; 8] = [
            &[("x-a", "1"), ("x-b", "23")],
            &[("x-a", "12"), ("x-b", "3")],
            &[("x-a", "1 + 23")],
            &[("x-a", "1"), ("x-b", "+ 23")],
            &[("x-b", "1 + 23")],
            &[("x-a", "(none)"), ("x-b", "1 + 23")],
            &[("x-a", "1 +"), ("x-b", "23")],
            &[],
        ];
        let keys: std::collections::HashSet<_> =
            said.iter().map(|headers| counted(both(), headers)).collect();
        assert_eq!(keys.len(), said.len());
        let tenant = KeySource::Composite(vec![KeySource::Client, header("x-a")]);
        assert_eq!(counted(tenant.clone(), &[("x-a", "acme")]).to_string(), "10.0.0.1 + acme");
        assert_eq!(counted(tenant, &[("x-b", "acme")]).to_string(), "10.0.0.1 + (none)");
    }
}
