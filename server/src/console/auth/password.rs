//! Passwords, hashed by Argon2id with what OWASP asks for at least (19 MiB, two passes).
//!
//! That takes tens of milliseconds and its memory, on purpose. So it runs apart from the console's own threads,
//! and few at a time: who sends many logins at once fills a queue, and not the memory.

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use rad_resilience::bulkhead::{BulkheadRejection, InvalidBulkhead, Place, Priority};
use rad_resilience::{Bulkhead, BulkheadSettings};

use super::secret::{NoEntropy, Secret};

/// Hashes at once, and how many wait for so long. Each takes 19 MiB.
const AT_ONCE: BulkheadSettings = BulkheadSettings {
    limit: 2,
    queue: 32,
    max_wait: Duration::from_secs(5),
    high_water: None,
    low_water: None,
};

/// Characters that a password has at least, and bytes that it has at most.
pub const SHORTEST: usize = 12;
pub const LONGEST: usize = 256;

/// Checks passwords and makes hashes of them.
#[derive(Debug)]
pub struct Passwords {
    bulkhead: Bulkhead,
    /// The hash of a password that nobody knows: what names without an account are checked against, so that
    /// they take as long.
    nobody: Arc<str>,
}

/// Why a password could not be checked or hashed.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    #[error("too many log in at this moment")]
    Busy { retry_after: Duration },
    #[error("the password could not be hashed")]
    Failed,
    #[error(transparent)]
    Random(#[from] NoEntropy),
    #[error(transparent)]
    Settings(#[from] InvalidBulkhead),
}

impl From<BulkheadRejection> for HashError {
    fn from(rejection: BulkheadRejection) -> Self {
        Self::Busy { retry_after: rejection.retry_after }
    }
}

impl Passwords {
    /// # Errors
    /// If the system gives no random numbers or no memory.
    pub fn new() -> Result<Self, HashError> {
        let nobody = hash(Secret::password()?.reveal())?.into();
        Ok(Self { bulkhead: Bulkhead::new(AT_ONCE)?, nobody })
    }

    /// The hash of a password, in the PHC string format, with a salt of its own.
    ///
    /// # Errors
    /// If too many are under way, or the system gives no random numbers or memory.
    pub async fn hash(&self, password: String) -> Result<String, HashError> {
        let turn = self.turn(Priority::Critical).await?;
        apart(turn, move || hash(&password)).await?
    }

    /// Waits for a turn to verify a password. Whoever is known waits before those who are not, and pushes them out
    /// where there is no place to wait: a flood of made-up names keeps nobody out.
    ///
    /// # Errors
    /// If too many are under way.
    pub async fn turn(&self, priority: Priority) -> Result<Turn, HashError> {
        Ok(Turn(self.bulkhead.acquire(priority).await?))
    }

    /// Whether the password is the one of this hash. Without a hash it is wrong, and takes as long to be so.
    ///
    /// # Errors
    /// If the hash is none.
    pub async fn verify(
        &self,
        turn: Turn,
        password: String,
        hash: Option<String>,
    ) -> Result<bool, HashError> {
        let nobody = Arc::clone(&self.nobody);
        apart(turn, move || {
            let is_known = hash.is_some();
            let expected = hash.as_deref().unwrap_or(&nobody);
            let expected = PasswordHash::new(expected).map_err(|_| HashError::Failed)?;
            let is_right = Argon2::default().verify_password(password.as_bytes(), &expected).is_ok();
            Ok(is_right && is_known)
        })
        .await?
    }
}

/// A place among those that hash at this moment.
#[derive(Debug)]
pub struct Turn(Place);

async fn apart<T: Send + 'static>(
    Turn(place): Turn,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, HashError> {
    // The place goes along: who hangs up leaves the work behind, which takes its memory to the end.
    let work = move || {
        let _place = place;
        work()
    };
    tokio::task::spawn_blocking(work).await.map_err(|_| HashError::Failed)
}

/// The hash of a password; takes tens of milliseconds.
///
/// # Errors
/// If the system gives no random numbers or memory.
pub fn hash(password: &str) -> Result<String, HashError> {
    let hash = Argon2::default().hash_password(password.as_bytes()).map_err(|_| HashError::Failed)?;
    Ok(hash.to_string())
}

/// What is wrong with a password that somebody chose.
///
/// # Errors
/// A sentence for them.
pub fn check(password: &str, account: &str) -> Result<(), String> {
    if password.chars().count() < SHORTEST {
        return Err(format!("the password is too short: at least {SHORTEST} characters"));
    }
    if password.len() > LONGEST {
        return Err(format!("the password is too long: at most {LONGEST} bytes"));
    }
    let letters: std::collections::HashSet<char> = password.chars().collect();
    if letters.len() < 4 || password.to_ascii_lowercase() == account {
        return Err("the password is too easy to guess: several words are better".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_password_of_the_hash_is_right() {
        let passwords = Passwords::new().unwrap();
        let hash = passwords.hash("correct horse battery".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let verify = async |password: &str, hash: Option<String>| {
            let turn = passwords.turn(Priority::Normal).await.unwrap();
            passwords.verify(turn, password.to_owned(), hash).await.unwrap()
        };
        assert!(verify("correct horse battery", Some(hash.clone())).await);
        assert!(!verify("correct horse batterz", Some(hash)).await);
        assert!(!verify("correct horse battery", None).await, "nobody's password is right");
        let again = passwords.hash("correct horse battery".to_owned()).await.unwrap();
        assert_ne!(again, passwords.hash("correct horse battery".to_owned()).await.unwrap(), "salted");
    }

    #[tokio::test]
    async fn no_more_are_hashed_at_once_than_there_are_places_and_nobodys_password_takes_one_too() {
        let passwords = Passwords::new().unwrap();
        let taken = [passwords.bulkhead.try_acquire().unwrap(), passwords.bulkhead.try_acquire().unwrap()];
        let waits = async {
            let turn = passwords.turn(Priority::Normal).await?;
            passwords.verify(turn, "correct horse battery".to_owned(), None).await
        };
        let mut waits = std::pin::pin!(waits);
        let early = tokio::time::timeout(Duration::from_millis(50), &mut waits).await;
        assert!(early.is_err(), "it did not wait");
        drop(taken);
        assert!(!waits.await.unwrap());
    }

    #[test]
    fn a_password_is_long_and_not_the_name() {
        assert!(check("correct horse", "ada").is_ok());
        for (password, account) in [
            ("short", "ada"),
            ("aaaaaaaaaaaaaaaaaa", "ada"),
            ("Administrator", "administrator"),
            (&"long ".repeat(60), "ada"),
        ] {
            assert!(check(password, account).is_err(), "{password}");
        }
        assert!(check("пароль-пароль", "ada").is_ok(), "characters count, not bytes");
    }
}
