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

impl CacheKey {
    /// The key of a request: method, path, query, body, and whatever else decides its answer. Requests
    /// without an organisation have the empty one.
    #[must_use]
    pub fn new(organisation: &str, parts: &[&[u8]]) -> Self {
        let all = || std::iter::once(organisation.as_bytes()).chain(parts.iter().copied());
        // Hashed at once: a dozen short updates cost more than the copy.
        let mut framed = Vec::with_capacity(all().map(|part| part.len() + 8).sum());
        for part in all() {
            framed.extend_from_slice(&(part.len() as u64).to_le_bytes());
            framed.extend_from_slice(part);
        }
        Self { digest: *blake3::hash(&framed).as_bytes(), organisation: organisation_id(organisation) }
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
