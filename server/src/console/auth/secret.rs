//! What is too long to be guessed: the ids of sessions, tokens, first passwords.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::storage::Digest;

/// A random text of letters, digits, `-` and `_`. Not shown to anybody by chance.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// The system gives no random numbers.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct NoEntropy;

impl Secret {
    /// 256 bits, behind `prefix`.
    ///
    /// # Errors
    /// If the system has no random numbers to give.
    pub fn draw(prefix: &str) -> Result<Self, NoEntropy> {
        Ok(Self(format!("{prefix}{}", random::<32>()?)))
    }

    /// 144 bits, which a person can type if need be.
    ///
    /// # Errors
    /// As [`Secret::draw`].
    pub fn password() -> Result<Self, NoEntropy> {
        Ok(Self(random::<18>()?))
    }

    /// The secret itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// A short name that nothing else has, and that is no secret.
///
/// # Errors
/// As [`Secret::draw`].
pub fn id() -> Result<String, NoEntropy> {
    random::<9>()
}

/// What a secret is known by. It is long and random, so that a fast hash does.
#[must_use]
pub fn digest(secret: &str) -> Digest {
    Sha256::digest(secret.as_bytes()).into()
}

fn random<const BYTES: usize>() -> Result<String, NoEntropy> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(|_| NoEntropy)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_alike_and_none_shows_itself() {
        let (one, other) = (Secret::draw("rad_").unwrap(), Secret::draw("rad_").unwrap());
        assert_ne!(one, other);
        assert_eq!((one.reveal().len(), Secret::password().unwrap().reveal().len()), (4 + 43, 24));
        assert!(!format!("{one:?}").contains(one.reveal()));
        assert_ne!(digest(one.reveal()), digest(other.reveal()));
    }
}
