//! From a client to a bucket, the same after every restart and in every version.

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

    /// The client's bucket, 0 to 9,999.
    ///
    /// FNV-1a over the client, then the finaliser of SplitMix64, which FNV needs to be even in its high
    /// bits; and Lemire's multiplication instead of a remainder. Fixed here rather than taken from a
    /// library's hasher, because a hash that changes with a version would move every client.
    #[must_use]
    pub fn bucket(self, client: &[u8]) -> u16 {
        let mut hash = 0xcbf2_9ce4_8422_2325 ^ self.0;
        for byte in client {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        hash ^= hash >> 31;
        u16::try_from((u128::from(hash) * BUCKETS) >> 64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_assignment_of_today_is_that_of_every_version() {
        assert_eq!(Seed::new(1).bucket(b"10.4.1.17"), Seed::new(1).bucket(b"10.4.1.17"));
        let known: Vec<_> = [b"a", b"b", b"c"].iter().map(|client| Seed::new(42).bucket(*client)).collect();
        assert_eq!(known, KNOWN);
    }

    /// Written down once; a change of the hash would move clients between sides.
    const KNOWN: [u16; 3] = [1952, 2869, 9393];
}
