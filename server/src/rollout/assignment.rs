//! From a client to a bucket, the same after every restart and in every version.

use std::fmt;

use http::HeaderName;

/// What clients are told apart by when they are assigned to a side. Who lacks the header or the cookie is assigned
/// by address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AssignBy {
    /// The address; IPv6 by /64.
    #[default]
    Client,
    Header(HeaderName),
    Cookie(String),
}

impl AssignBy {
    /// A value that is longer, bytes, counts as none: what a request costs must not be its client's to say.
    pub const LONGEST: usize = 256;
}

impl fmt::Display for AssignBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client => f.write_str("client"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
        }
    }
}

/// A client as a number: even, and the same for the same client and seed in every version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientHash(pub u64);

/// What makes one rollout's assignment different from another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(u64);

/// As many buckets as a share has steps.
const BUCKETS: u128 = 10_000;

impl Seed {
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    #[must_use]
    pub fn value(self) -> u64 {
        self.0
    }

    /// FNV-1a over the client, then the finaliser of SplitMix64, which FNV needs to be even in its high
    /// bits. Fixed here rather than taken from a library's hasher, because a hash that changes with a version would
    /// move every client.
    #[must_use]
    pub fn hash(self, client: &[u8]) -> ClientHash {
        let mut hash = 0xcbf2_9ce4_8422_2325 ^ self.0;
        for byte in client {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ClientHash(hash ^ (hash >> 31))
    }
}

impl ClientHash {
    /// The client's bucket, 0 to 9,999: Lemire's multiplication instead of a remainder.
    #[must_use]
    pub fn bucket(self) -> u16 {
        u16::try_from((u128::from(self.0) * BUCKETS) >> 64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_assignment_of_today_is_that_of_every_version() {
        let known: Vec<_> =
            [b"a", b"b", b"c"].iter().map(|client| Seed::new(42).hash(*client).bucket()).collect();
        assert_eq!(known, KNOWN);
    }

    /// Written down once; a change of the hash would move clients between sides.
    const KNOWN: [u16; 3] = [1952, 2869, 9393];
}
