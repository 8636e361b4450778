//! The seed by which browsers of pages outside choose their side themselves.
//!
//! A browser that knows a seed can find out which clients are on which side, and look for a name that is on the one it
//! wants. For its own made-up name that is no loss: it can call the candidate's address as it likes. But the gateway's
//! clients are addresses and organisations, and where they are is nobody else's business. So what is told is another
//! seed, made of the gateway's by a function that cannot be turned round; and the browser's name never leaves it.

use sha2::{Digest, Sha256};

use super::Seed;

/// The browsers' seed of the rollout with this one; the same after every restart.
#[must_use]
pub fn browser_seed(seed: Seed) -> Seed {
    let digest = Sha256::new().chain_update("browsers of a rollout").chain_update(seed.value().to_be_bytes());
    let word = digest.finalize().into_iter().take(8).fold(0, |word, byte| word << 8 | u64::from(byte));
    Seed::new(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browsers_seed_of_today_is_that_of_every_version() {
        assert_eq!(browser_seed(Seed::new(42)), Seed::new(KNOWN));
    }

    /// Written down once; another function would move browsers between sides.
    const KNOWN: u64 = 0x010c_10e6_231a_7927;

    #[test]
    fn which_side_a_browser_is_on_says_nothing_about_the_gateway_s_clients() {
        let (gateway, browsers) = (Seed::new(7), browser_seed(Seed::new(7)));
        let both = (0..10_000_u32)
            .map(u32::to_be_bytes)
            .filter(|client| gateway.hash(client).bucket() < 1_000 && browsers.hash(client).bucket() < 1_000);
        // A tenth of a tenth is 100; four standard deviations around it.
        let both = both.count();
        assert!((60..=140).contains(&both), "{both} of 10,000 are in both tenths");
    }
}
