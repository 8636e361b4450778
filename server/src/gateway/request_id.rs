//! `X-Request-Id`: kept if the caller sent a usable one, made otherwise.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

use http::{HeaderMap, HeaderName, HeaderValue};

pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Longer ids are replaced: they would fill logs.
const MAX_LENGTH: usize = 128;

/// Makes ids of 128 bits: half names the worker's run, half counts, scrambled.
#[derive(Debug)]
pub struct RequestIds {
    run: u64,
    next: Cell<u64>,
}

impl Default for RequestIds {
    fn default() -> Self {
        // Std's hasher is seeded by the system, anew for each.
        let random = || RandomState::new().hash_one(0_u8);
        Self { run: random(), next: Cell::new(random()) }
    }
}

impl RequestIds {
    /// The id of a request with these headers.
    pub fn of(&self, headers: &HeaderMap) -> HeaderValue {
        match headers.get(&HEADER).filter(|id| is_usable(id.as_bytes())) {
            Some(id) => id.clone(),
            None => self.make(),
        }
    }

    fn make(&self) -> HeaderValue {
        let count = self.next.get();
        // An odd step visits every number; the multiplication makes neighbours look different.
        self.next.set(count.wrapping_add(0x9e37_79b9_7f4a_7c15));
        let scrambled = (count ^ (count >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        let mut text = [0; 32];
        hex(self.run, &mut text[..16]);
        hex(scrambled, &mut text[16..]);
        HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static("0"))
    }
}

fn hex(number: u64, into: &mut [u8]) {
    for (at, digit) in into.iter_mut().enumerate() {
        let nibble = (number >> (60 - 4 * at)) & 0xf;
        *digit = b"0123456789abcdef"[usize::try_from(nibble).unwrap_or(0)];
    }
}

fn is_usable(id: &[u8]) -> bool {
    !id.is_empty() && id.len() <= MAX_LENGTH && id.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_usable_id_is_kept_and_an_unusable_one_replaced() {
        let ids = RequestIds::default();
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, HeaderValue::from_static("abc-123"));
        assert_eq!(ids.of(&headers), "abc-123");
        for bad in ["", "a b", &"x".repeat(129)] {
            headers.insert(HEADER, HeaderValue::from_str(bad).unwrap());
            let made = ids.of(&headers);
            assert_eq!(made.len(), 32);
        }
    }

    #[test]
    fn made_ids_differ() {
        let ids = RequestIds::default();
        let made: HashSet<_> = (0..10_000).map(|_| ids.make()).collect();
        assert_eq!(made.len(), 10_000);
    }
}
