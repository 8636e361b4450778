//! Login: who may use the console, and for what.
//!
//! ```text
//! request ─▶ guard ─▶ cookie ─▶ session ─┐
//!                 └─▶ bearer ─▶ token ───┴▶ identity ─▶ what the endpoint takes (role, scope) ─▶ handler
//! login ─▶ limits ─▶ password ─▶ new session
//! ```
//! Accounts, sessions and tokens are all in memory: a request is decided without a look at the disk. What
//! changes them goes to the disk first, one change at a time, and is in force after that. Of what must not leak
//! (passwords, ids of sessions, tokens), only hashes are kept.

mod accounts;
pub mod api;
mod cookie;
mod first;
mod guard;
mod identity;
mod limit;
mod login;
pub mod page;
mod password;
mod role;
mod secret;
mod session;
mod token;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, header};
use rad_resilience::{Clock, SystemClock, Timestamp};

pub use guard::{Gate, guard, takes};
pub use identity::{Access, Refusal};
pub use role::{Needs, Scope};
pub use session::{Alive, ended};

use crate::config::{AuthSettings, SecretError};
use crate::storage::{Digest, Storage, StorageError};
use crate::telemetry::log::Log;
use crate::telemetry::unix_ms;
use accounts::Account;
use cookie::Cookies;
use identity::{By, Identity};
use limit::{InvalidLimits, LoginLimits};
use password::{HashError, Passwords};
use secret::{NoEntropy, digest};
use session::Sessions;
use token::Token;

/// How often sessions and tokens are looked at whose time may be over.
const SWEEP_EVERY: Duration = Duration::from_secs(2);

/// The console's login.
#[derive(Debug)]
pub struct Auth {
    cookies: Cookies,
    passwords: Passwords,
    limits: LoginLimits,
    administrator: String,
    /// Holds the first administrator's password until it is changed.
    first_password: PathBuf,
    storage: Arc<Storage>,
    log: Log,
    /// Held while something is changed, from the look at what there is until it is in force.
    changing: Mutex<()>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    accounts: BTreeMap<String, Account>,
    sessions: Sessions,
    tokens: HashMap<Digest, Token>,
}

/// Why login cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    #[error("console.auth.password: {0}")]
    Secret(#[from] SecretError),
    #[error("console.auth.password: {0}")]
    Weak(String),
    #[error("{0}")]
    Storage(#[from] StorageError),
    #[error("{}: cannot be written: {source}", path.display())]
    FirstPassword { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Hash(#[from] HashError),
    #[error(transparent)]
    Random(#[from] NoEntropy),
    #[error(transparent)]
    Limits(#[from] InvalidLimits),
}

/// A moment by both clocks: what is kept lasts by the calendar, what is limited by the clock that never jumps.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Milliseconds since 1970.
    pub unix_ms: u64,
    pub at: Timestamp,
}

impl Moment {
    #[must_use]
    pub fn of(clock: &SystemClock) -> Self {
        Self { unix_ms: unix_ms(), at: clock.now() }
    }
}

/// What a request showed of itself.
#[derive(Debug)]
enum Shown {
    Nothing,
    /// A token that is none, or none any more.
    BadToken,
    Known(Identity),
}

impl Auth {
    /// Makes the first administrator if there is none, and takes up the sessions that were left open.
    ///
    /// # Errors
    /// If the database fails, or there is no password to begin with.
    pub fn open(
        settings: &AuthSettings,
        database: &Path,
        storage: Arc<Storage>,
        log: Log,
        now_ms: u64,
    ) -> Result<Self, AuthError> {
        let first_password = first::file(database);
        first::administrator(settings, &storage, &first_password, now_ms)?;
        let stored = storage.accounts()?;
        let mut accounts: BTreeMap<_, _> = stored.into_iter().filter_map(Account::restore).collect();
        for (account, address) in storage.login_addresses()? {
            if let Some(known) = accounts.get_mut(&account) {
                known.met(address);
            }
        }
        let sessions = Sessions::restore(settings.session, settings.idle, storage.sessions()?);
        let tokens = storage.tokens()?.into_iter().map(Token::restore).collect();
        let auth = Self {
            cookies: Cookies { secure: settings.secure_cookies, life: settings.session },
            passwords: Passwords::new()?,
            limits: LoginLimits::new()?,
            administrator: settings.administrator.clone(),
            first_password,
            storage,
            log,
            changing: Mutex::default(),
            state: Mutex::new(State { accounts, sessions, tokens }),
        };
        auth.sweep(now_ms)?;
        auth.tell_of_first_password();
        Ok(auth)
    }

    /// Who sent a request. A token is believed before a cookie.
    fn authenticate(&self, headers: &HeaderMap, now_ms: u64) -> Shown {
        let state = &mut *self.state();
        if let Some(bearer) = bearer(headers) {
            let digest = digest(bearer);
            let token = state.tokens.get(&digest).filter(|token| token.expires_ms > now_ms);
            let Some((token, account)) =
                token.and_then(|token| Some((token, state.accounts.get(&token.owner)?)))
            else {
                return Shown::BadToken;
            };
            let by = By::Token { digest, name: token.name.clone(), scopes: token.scopes.clone() };
            return Shown::Known(Identity {
                account: token.owner.clone(),
                role: account.role,
                must_change: false,
                by,
            });
        }
        let Some(digest) = self.cookies.read(headers).map(digest) else { return Shown::Nothing };
        let Some(session) = state.sessions.using(&digest, now_ms) else { return Shown::Nothing };
        let Some(account) = state.accounts.get(&session.account) else { return Shown::Nothing };
        Shown::Known(Identity {
            account: session.account.clone(),
            role: account.role,
            must_change: account.must_change,
            by: By::Session(digest),
        })
    }

    /// Tells when somebody's session or token ends; none if it has ended already.
    pub fn follow(&self, who: &Identity) -> Option<Alive> {
        let state = self.state();
        match &who.by {
            By::Session(digest) => state.sessions.follow(digest),
            By::Token { digest, .. } => state.tokens.get(digest).map(Token::follow),
        }
    }

    /// Ends what is over, and keeps when sessions were last used.
    fn sweep(&self, now_ms: u64) -> Result<(), StorageError> {
        let ((seen, over), expired) = {
            let mut state = self.state();
            let over: Vec<_> = state.tokens.extract_if(|_, token| token.expires_ms <= now_ms).collect();
            (state.sessions.sweep(now_ms), over)
        };
        if !seen.is_empty() || !over.is_empty() {
            self.storage.keep_sessions(&seen, &over)?;
        }
        for (_, token) in expired {
            self.note("token_expired", &token.owner, &[("token", &token.name)]);
            self.storage.remove_token(&token.id)?;
        }
        Ok(())
    }

    /// Sweeps from time to time, for as long as the program runs.
    pub async fn keep(self: Arc<Self>, clock: SystemClock) {
        let mut interval = tokio::time::interval(SWEEP_EVERY);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            let auth = Arc::clone(&self);
            let swept = tokio::task::spawn_blocking(move || {
                auth.limits.sweep(clock.now());
                auth.sweep(unix_ms())
            });
            // A disk that fails here has failed louder elsewhere; what is over is over all the same.
            let _ = swept.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes something: where waiting for the disk holds up nobody, and one after another.
    async fn change<T: Send + 'static>(
        self: &Arc<Self>,
        change: impl FnOnce(&Self) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        let auth = Arc::clone(self);
        let changed = tokio::task::spawn_blocking(move || {
            let _alone = auth.changing.lock().unwrap_or_else(PoisonError::into_inner);
            change(&auth)
        });
        changed.await.unwrap_or(Err(Refused::Broken))
    }
}

/// Why a change of accounts, sessions or tokens is refused.
#[derive(Debug, PartialEq, Eq)]
enum Refused {
    /// What it was about is not there.
    Missing(String),
    /// It is not allowed: why.
    Invalid(String),
    /// It does not fit what there is: why.
    Conflict(String),
    /// The disk, or the system, fails.
    Broken,
}

impl From<StorageError> for Refused {
    fn from(_: StorageError) -> Self {
        Self::Broken
    }
}

impl From<NoEntropy> for Refused {
    fn from(_: NoEntropy) -> Self {
        Self::Broken
    }
}

/// A token of ours. What other systems put into this field is not meant for us.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && token.starts_with(token::PREFIX)).then_some(token)
}

#[cfg(test)]
mod tests;
