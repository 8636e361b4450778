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

/// As long as an address, or a name.
const SHORT: usize = 16;
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

    /// FNV-1a over the client, and eight bytes at a time over a long one, so that a cookie costs no more than an
    /// address; then the finaliser of SplitMix64, which both need to be even in their high bits. Fixed here rather than
    /// taken from a library's hasher, because a hash that changes with a version would move every client.
    #[must_use]
    pub fn hash(self, client: &[u8]) -> ClientHash {
        let mut hash = 0xcbf2_9ce4_8422_2325 ^ self.0;
        if client.len() <= SHORT {
            for byte in client {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        } else {
            let (words, rest) = client.as_chunks();
            let mut last = [0; 8];
            last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            for word in words.iter().chain([&last]) {
                hash = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                hash ^= hash >> 32;
            }
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
        assert_eq!(Seed::new(42).hash(b"organisation-4711").bucket(), KNOWN_LONG);
    }

    #[test]
    fn long_values_are_spread_as_evenly_as_short_ones_whatever_they_have_in_common() {
        let evenness = |value: &dyn Fn(u32) -> String| {
            let mut tenths = [0_u32; 10];
            for client in 0..20_000 {
                let bucket = Seed::new(3).hash(value(client).as_bytes()).bucket();
                tenths[usize::from(bucket) / 1_000] += 1;
            }
            // Chi-squared of ten classes with 2,000 expected in each.
            tenths.iter().map(|seen| (f64::from(*seen) - 2_000.0).powi(2) / 2_000.0).sum::<f64>()
        };
        // 27.9 is exceeded once in a thousand.
        assert!(evenness(&|client| format!("organisation-number-{client:06}")) < 27.9);
        assert!(evenness(&|client| format!("{client:08x}-the-same-for-everybody-after-it")) < 27.9);
        assert!(evenness(&|client| format!("session={}", "0".repeat(100) + &client.to_string())) < 27.9);
        assert!(evenness(&|client| format!("user-{client}")) < 27.9);
        assert_ne!(Seed::new(3).hash(b"seventeen bytes !"), Seed::new(4).hash(b"seventeen bytes !"));
    }

    /// Written down once; a change of the hash would move clients between sides.
    const KNOWN: [u16; 3] = [1952, 2869, 9393];
    const KNOWN_LONG: u16 = 9514;
}
