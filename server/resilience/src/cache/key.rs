//! Which requests are the same.

use std::hash::{Hash, Hasher};

/// What an answer is kept under: a digest of everything that decides the answer, with the organisation.
///
/// The digest is BLAKE3, 256 bits. A caller who chooses bodies so that two of them share a key would be
/// served, or serve others, a wrong answer: a fast hash with a secret seed does not exclude that for long,
/// and to compare whole bodies would keep each body in memory. Parts are framed by their length, so that
/// `("ab", "c")` and `("a", "bc")` differ; the organisation is one of them.
///
/// ```
/// use rad_resilience::cache::CacheKey;
///
/// let search = [b"POST".as_slice(), b"/_search", b"{}"];
/// assert_eq!(CacheKey::new("acme", &search), CacheKey::new("acme", &search));
/// assert_ne!(CacheKey::new("acme", &search), CacheKey::new("globex", &search));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheKey {
    digest: [u8; 32],
    organisation: u64,
}

/// Up to this length the parts of a key are put together without an allocation, bytes.
const SHORT: usize = 384;
/// The most bytes that a length takes.
const LONGEST_FRAME: usize = 10;

/// Writes a length, seven bits a byte, the lowest first (LEB128): most are one byte, and what is hashed shrinks
/// to a block or two.
fn frame(mut length: usize, mut push: impl FnMut(u8)) {
    #[allow(clippy::cast_possible_truncation)] // Seven bits.
    let low = |length: usize| (length & 0x7f) as u8;
    while length > 0x7f {
        push(low(length) | 0x80);
        length >>= 7;
    }
    push(low(length));
}

/// Parts with their lengths before them, on the stack. What does not fit is left out: the caller knows that all
/// of it does.
struct Framed<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Framed<N> {
    fn new() -> Self {
        Self { bytes: [0; N], length: 0 }
    }

    fn push(&mut self, part: &[u8]) {
        frame(part.len(), |byte| {
            if let Some(slot) = self.bytes.get_mut(self.length) {
                *slot = byte;
                self.length += 1;
            }
        });
        if let Some(slot) = self.bytes.get_mut(self.length..self.length + part.len()) {
            slot.copy_from_slice(part);
            self.length += part.len();
        }
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl CacheKey {
    /// The key of a request: method, path, query, body, and whatever else decides its answer. Requests
    /// without an organisation have the empty one.
    #[must_use]
    pub fn new(organisation: &str, parts: &[&[u8]]) -> Self {
        let all = || std::iter::once(organisation.as_bytes()).chain(parts.iter().copied());
        // Hashed at once: a dozen short updates cost more than the copy.
        let length = all().map(|part| part.len() + LONGEST_FRAME).sum();
        let digest = if length <= SHORT {
            let mut framed = Framed::<SHORT>::new();
            all().for_each(|part| framed.push(part));
            blake3::hash(framed.bytes())
        } else {
            let mut framed = Vec::with_capacity(length);
            for part in all() {
                frame(part.len(), |byte| framed.push(byte));
                framed.extend_from_slice(part);
            }
            blake3::hash(&framed)
        };
        Self { digest: *digest.as_bytes(), organisation: organisation_id(organisation) }
    }

    /// The digest, for logs and lists.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    pub(super) fn organisation(&self) -> u64 {
        self.organisation
    }
}

impl Hash for CacheKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Any part of a digest is as random as the whole; the table's hasher adds its secret seed.
        let (words, _) = self.digest.as_chunks::<8>();
        for word in words.iter().take(2) {
            state.write_u64(u64::from_le_bytes(*word));
        }
    }
}

/// A number for an organisation, for invalidation only: two that share one are invalidated together, and
/// never see each other's answers. FNV-1a.
pub(super) fn organisation_id(organisation: &str) -> u64 {
    organisation.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_on_the_stack_and_off_it_and_lengths_are_unambiguous() {
        // The longest that is put together on the stack, and the shortest that is not.
        for length in [0, 1, 127, 128, SHORT - 3 * LONGEST_FRAME, SHORT - 3 * LONGEST_FRAME + 1, 70_000] {
            let part = vec![7; length];
            let mut framed = vec![1, b'o'];
            frame(length, |byte| framed.push(byte));
            framed.extend_from_slice(&part);
            framed.extend_from_slice(&[2, b'a', b'b']);
            assert_eq!(
                CacheKey::new("o", &[&part, b"ab"]).digest(),
                blake3::hash(&framed).as_bytes(),
                "{length}"
            );
        }
        let mut framed = Vec::new();
        frame(300, |byte| framed.push(byte));
        assert_eq!(framed, [0xac, 0x02]);
    }
}
