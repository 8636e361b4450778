//! What programs show instead of logging in: `Authorization: Bearer rad_…`.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::role::Scope;
use super::secret::{Secret, digest, id};
use super::session::Alive;
use super::{Auth, Refused};
use crate::storage::{Digest, StoredToken};

/// What tokens begin with, so that those who look for leaked secrets know one when they see it.
pub const PREFIX: &str = "rad_";
/// There are no more than so many.
const MOST: usize = 1_000;
const MAX_NAME: usize = 64;
/// How long a token may live.
pub const LIFE: std::ops::RangeInclusive<Duration> = Duration::from_mins(1)..=Duration::from_hours(24 * 366);

/// A token, without its secret. Times are milliseconds since 1970.
#[derive(Debug)]
pub struct Token {
    pub id: String,
    pub name: String,
    pub owner: String,
    pub scopes: Vec<Scope>,
    pub created_ms: u64,
    pub expires_ms: u64,
    alive: watch::Sender<()>,
}

/// What a token is to be.
#[derive(Debug)]
pub struct Wanted {
    pub name: String,
    pub owner: String,
    pub scopes: Vec<Scope>,
    pub life: Duration,
}

impl Token {
    pub fn restore(stored: StoredToken) -> (Digest, Self) {
        let StoredToken { id, digest, name, account: owner, scopes, created_ms, expires_ms } = stored;
        // A scope that is not known any more is nothing that could be done.
        let scopes = scopes.split(' ').filter_map(Scope::named).collect();
        (digest, Self { id, name, owner, scopes, created_ms, expires_ms, alive: watch::Sender::new(()) })
    }

    /// Tells when it ends.
    pub fn follow(&self) -> Alive {
        self.alive.subscribe()
    }
}

impl Auth {
    /// Makes a token; its id, and the secret, which nobody can ever ask for again.
    pub(super) async fn add_token(
        self: &Arc<Self>,
        wanted: Wanted,
        now_ms: u64,
    ) -> Result<(String, Secret), Refused> {
        let Wanted { name, owner, mut scopes, life } = wanted;
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
        if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(fits) {
            let allowed = "1 to 64 letters, digits, '-', '_', '.' or '/'";
            return Err(Refused::Invalid(format!("{name:?} cannot be the name of a token: {allowed}")));
        }
        if scopes.is_empty() {
            return Err(Refused::Invalid(
                "a token without scopes could do nothing: name at least one".to_owned(),
            ));
        }
        scopes.sort_unstable();
        scopes.dedup();
        let secret = Secret::draw(PREFIX)?;
        let made = (id()?, secret.clone());
        let stored = StoredToken {
            id: made.0.clone(),
            digest: digest(secret.reveal()),
            name,
            account: owner,
            scopes: scopes.iter().map(|scope| scope.word()).collect::<Vec<_>>().join(" "),
            created_ms: now_ms,
            expires_ms: now_ms.saturating_add(u64::try_from(life.as_millis()).unwrap_or(u64::MAX)),
        };
        self.change(move |auth| {
            {
                let state = auth.state();
                let Some(owner) = state.accounts.get(&stored.account) else {
                    return Err(Refused::Missing(format!("no account is named {:?}", stored.account)));
                };
                // It would never work, or only once somebody gives its owner more: a surprise either way.
                if let Some(scope) = scopes.iter().find(|scope| scope.role() > owner.role) {
                    let (role, word) = (owner.role.word(), scope.word());
                    return Err(Refused::Invalid(format!(
                        "{} is {role}: its tokens cannot have the scope {word}",
                        stored.account
                    )));
                }
                if state.tokens.len() >= MOST {
                    return Err(Refused::Conflict(format!(
                        "there are {MOST} tokens already: remove some first"
                    )));
                }
                let mut theirs = state.tokens.values().filter(|token| token.owner == stored.account);
                if theirs.any(|token| token.name == stored.name) {
                    let (name, owner) = (&stored.name, &stored.account);
                    return Err(Refused::Conflict(format!("{owner} has a token named {name:?} already")));
                }
            }
            auth.storage.save_token(&stored)?;
            let (digest, token) = Token::restore(stored);
            auth.state().tokens.insert(digest, token);
            Ok(made)
        })
        .await
    }

    /// Takes a token away: from here on nobody gets in by it. Its name and owner.
    pub(super) async fn remove_token(self: &Arc<Self>, id: String) -> Result<(String, String), Refused> {
        self.change(move |auth| {
            let found = {
                let state = auth.state();
                state.tokens.iter().find(|(_, token)| token.id == id).map(|(digest, _)| *digest)
            };
            let digest = found.ok_or_else(|| Refused::Missing(format!("no token has the id {id:?}")))?;
            auth.storage.remove_token(&id)?;
            let token = auth.state().tokens.remove(&digest);
            token.map(|token| (token.name, token.owner)).ok_or(Refused::Broken)
        })
        .await
    }
}
