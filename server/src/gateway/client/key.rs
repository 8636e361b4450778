//! The key that a limit counts a request by.
//!
//! Keys are remembered by the hundred thousand and shown on the console: what is long or secret is stood for
//! by its beginning and a hash, so that a key takes its place in the table and no more, and nobody reads a
//! session or a token there.

use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::LazyLock;

use compact_str::CompactString;
use http::HeaderMap;
use http::header::HeaderName;

use super::cookie;
use crate::config::KeySource;
use crate::telemetry::registry::Key;

/// The longest text that is a key as it is, and what one that stands for a longer text has: bytes that a
/// [`CompactString`] keeps in place.
const IN_PLACE: usize = 24;
/// Characters of a hash, of five bits each.
const HASHED: usize = 12;
/// Stands between the beginning and the hash. What is taken from a header as it is has only ASCII, so that
/// nobody can pass for somebody else's key.
const ELLIPSIS: char = '…';
/// A cookie of so many bytes may be a session, whatever its name is.
const SESSION: usize = 12;
/// What a secret shows of itself, if it is at least four times as long: enough to find it again.
const SHOWN_OF_SECRET: usize = 4;

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
            let mut text = CompactString::default();
            for (at, part) in parts.iter().enumerate() {
                if at > 0 {
                    text.push(Key::BETWEEN);
                }
                // A part that is missing is empty, which none that is there can be.
                match key(part, client, headers) {
                    Key::Address(address) => text.push_str(&Key::Address(address).to_string()),
                    Key::Text(part) => text.push_str(&part),
                    Key::Global => {}
                }
            }
            Key::Text(text)
        }
        KeySource::Org => text(header(headers, &KeySource::ORG_HEADER)),
        KeySource::Header(name) if is_secret(name.as_str()) => secret(header(headers, name)),
        KeySource::Header(name) => text(header(headers, name)),
        KeySource::Cookie(name) => match cookie(headers, name).and_then(visible) {
            Some(choice) if choice.len() < SESSION && !is_secret(name) => text(Some(choice)),
            session => secret(session),
        },
        KeySource::Route | KeySource::Global => Key::Global,
    }
}

fn text(value: Option<&str>) -> Key {
    match value {
        None | Some("") => Key::Global,
        Some(value) if value.len() <= IN_PLACE => Key::Text(value.into()),
        Some(value) => Key::Text(shortened(value, IN_PLACE - HASHED - ELLIPSIS.len_utf8())),
    }
}

fn secret(value: Option<&str>) -> Key {
    let Some(value) = value.filter(|value| !value.is_empty()) else { return Key::Global };
    let shown = if value.len() >= SHOWN_OF_SECRET * 4 { SHOWN_OF_SECRET } else { 0 };
    Key::Text(shortened(value, shown))
}

/// Headers and cookies that carry what lets one in.
fn is_secret(name: &str) -> bool {
    const SIGNS: [&str; 6] = ["auth", "cookie", "key", "secret", "session", "token"];
    let name = name.to_ascii_lowercase();
    SIGNS.iter().any(|sign| name.contains(sign))
}

/// The beginning of a text and 60 bits of its hash: of a million keys, two are taken for one in one of two
/// million runs of the program. The hash has a secret seed, so that nobody can look for such a pair.
fn shortened(value: &str, shown: usize) -> CompactString {
    static SEED: LazyLock<foldhash::quality::RandomState> = LazyLock::new(Default::default);
    const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut short = CompactString::default();
    short.push_str(value.get(..shown).unwrap_or_default());
    short.push(ELLIPSIS);
    let hash = SEED.hash_one(value);
    for place in 0..HASHED {
        let digit = (hash >> (5 * place)) & 31;
        short.push(char::from(DIGITS[usize::try_from(digit).unwrap_or_default()]));
    }
    short
}

/// A text of what headers are made of.
fn visible(value: &[u8]) -> Option<&str> {
    let is_visible = value.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
    std::str::from_utf8(value).ok().filter(|_| is_visible)
}

fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn ipv6_clients_count_by_their_64_bit_network() {
        let same: Vec<_> = ["2001:db8:0:1::1", "2001:db8:0:1:ffff::2"]
            .iter()
            .map(|text| key(&KeySource::Client, text.parse().unwrap(), &HeaderMap::new()))
            .collect();
        assert_eq!(same[0], same[1]);
        assert_eq!(same[0].to_string(), "2001:db8:0:1::/64");
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
        let session = |headers: &[_]| counted(KeySource::Cookie("session".to_owned()), headers);
        let ada = session(&[("cookie", "a=1; session=ada; b=2")]);
        assert_eq!(ada, session(&[("cookie", "b=2"), ("cookie", "session=ada")]));
        assert_ne!(ada, session(&[("cookie", "session=\"ada=1\"")]));
        for without in ["", "xsession=ada", "session", "session=", "Session=ada", "a=session=ada"] {
            assert_eq!(session(&[("cookie", without)]), Key::Global, "{without:?}");
        }
        assert_eq!(session(&[]), Key::Global);
    }

    #[test]
    fn of_a_secret_a_key_shows_the_beginning_at_most() {
        let shown = |name, value: &str| {
            counted(KeySource::Header(HeaderName::from_static(name)), &[(name, value)]).to_string()
        };
        let token = shown("authorization", "Bearer 0123456789abcdef");
        assert!(token.starts_with("Bear…") && token.chars().count() == 4 + 1 + HASHED, "{token}");
        assert!(shown("x-api-key", "hunter2").starts_with('…'));
        assert_ne!(shown("x-api-key", "hunter2"), shown("x-api-key", "hunter3"));
        assert_eq!(shown("x-tenant", "acme"), "acme");
        let plan = |value: &str| {
            counted(KeySource::Cookie("plan".to_owned()), &[("cookie", &format!("plan={value}"))]).to_string()
        };
        assert_eq!(plan("gold"), "gold");
        assert!(plan("0123456789ab").starts_with('…'));
    }

    #[test]
    fn a_key_takes_24_bytes_however_long_the_text_is_that_it_stands_for() {
        assert_eq!(size_of::<Key>(), 24);
        let tenant =
            |value: &str| counted(KeySource::Header("x-tenant".parse().unwrap()), &[("x-tenant", value)]);
        let long = "the same beginning of ".repeat(20);
        let (one, other) = (tenant(&format!("{long}one")), tenant(&format!("{long}other")));
        assert_ne!(one, other);
        for key in [one, other, tenant("of twenty-four characters")] {
            let Key::Text(text) = key else { panic!("{key:?}") };
            assert!(!text.is_heap_allocated(), "{text}");
        }
        assert_eq!(tenant("of twenty-four character").to_string(), "of twenty-four character");
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
