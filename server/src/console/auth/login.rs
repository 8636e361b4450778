//! Logging in and out, and changing one's own password.
//!
//! Whoever logs in gets an id that nobody knew before, whatever id the browser brought along: one that was
//! planted there opens nothing. Names without an account are answered as wrong passwords are, and as slowly.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rad_resilience::bulkhead::Priority;

use super::limit::Pair;
use super::password::{self, HashError, LONGEST};
use super::secret::{NoEntropy, Secret, digest};
use super::{Auth, Moment, Refused};
use crate::config::is_account_name;
use crate::gateway::identity;
use crate::storage::{Digest, StoredSession};
use crate::telemetry::log::{Level, Line, Value};

/// What somebody says who wants in.
pub struct Attempt {
    pub account: String,
    pub password: String,
    /// The client.
    pub address: IpAddr,
}

/// Somebody who is in.
#[derive(Debug)]
pub struct Entered {
    /// What the browser is to show from now on.
    pub id: Secret,
    pub account: String,
    pub must_change: bool,
}

/// Why somebody is not let in.
#[derive(Debug, PartialEq, Eq)]
pub enum Denied {
    /// Wrong name or wrong password; which of them is nobody's business.
    Wrong,
    /// Too often.
    Wait(Duration),
    /// Too many others at this moment.
    Busy(Duration),
    /// What somebody chose cannot be a password: why.
    Unfit(String),
    Broken,
}

impl From<HashError> for Denied {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Busy { retry_after } => Self::Busy(retry_after),
            _ => Self::Broken,
        }
    }
}

impl From<NoEntropy> for Denied {
    fn from(_: NoEntropy) -> Self {
        Self::Broken
    }
}

impl Auth {
    /// Lets somebody in; `before` is the session that the browser had, which ends.
    pub(super) async fn log_in(
        self: &Arc<Self>,
        attempt: Attempt,
        before: Option<Digest>,
        now: Moment,
    ) -> Result<Entered, Denied> {
        let Attempt { account: written, password, address } = attempt;
        let written = written.trim().to_ascii_lowercase();
        let account = if is_account_name(&written) { written } else { String::new() };
        let hash = self.check(&account, password, address, now).await?;
        let entered = self.enter(account, hash, before, now).await?;
        if let Some(known) = self.state().accounts.get_mut(&entered.account) {
            known.met(identity(address));
        }
        let (account, from) = (entered.account.clone(), identity(address));
        // Without it they are slowed by what others do after a restart, and no more.
        let _ =
            self.change(move |auth| Ok(auth.storage.save_login_address(&account, from, now.unix_ms)?)).await;
        self.note("login", &entered.account, &[("client_ip", &address.to_string())]);
        Ok(entered)
    }

    /// Lets somebody out: the session ends here, whatever the browser keeps.
    pub(super) async fn log_out(self: &Arc<Self>, session: Digest) -> Result<(), Refused> {
        self.change(move |auth| {
            let account = auth.state().sessions.end(&session);
            auth.storage.keep_sessions(&[], &[session])?;
            if let Some(account) = account {
                auth.note("logout", &account, &[]);
            }
            Ok(())
        })
        .await
    }

    /// Changes the password of somebody who knows the present one. Every session of the account ends, and
    /// this one begins anew.
    pub(super) async fn change_password(
        self: &Arc<Self>,
        attempt: Attempt,
        chosen: String,
        now: Moment,
    ) -> Result<Entered, Denied> {
        let Attempt { account: name, password: present, address } = attempt;
        password::check(&chosen, &name).map_err(Denied::Unfit)?;
        let is_same = chosen == present;
        let verified = self.check(&name, present, address, now).await?;
        if is_same {
            return Err(Denied::Unfit("the new password is the present one".to_owned()));
        }
        let hash = self.passwords.hash(chosen).await?;
        let (account, password) = (name.clone(), hash.clone());
        let changed = self.change(move |auth| {
            let mut known = auth.state().accounts.get(&account).cloned().ok_or(Refused::Broken)?;
            // Somebody else may have changed it while this one was hashed.
            if known.password != verified {
                return Err(Refused::Broken);
            }
            (known.password, known.must_change) = (password, false);
            auth.put(account.clone(), known)?;
            auth.forget_first_password(&account);
            Ok(())
        });
        changed.await.map_err(|_| Denied::Broken)?;
        self.note("password_changed", &name, &[("client_ip", &address.to_string())]);
        self.enter(name, hash, None, now).await
    }

    /// Whether this is the account's password; the hash that says so.
    async fn check(
        self: &Arc<Self>,
        account: &str,
        password: String,
        address: IpAddr,
        now: Moment,
    ) -> Result<String, Denied> {
        let pair = Pair { account: account.to_owned(), address: identity(address) };
        let (hash, is_known) = {
            let state = self.state();
            let known = state.accounts.get(account);
            (known.map(|known| known.password.clone()), known.is_some_and(|known| known.knows(pair.address)))
        };
        // What is no name of ours may be a password, written into the wrong field.
        let noted = if hash.is_some() { account } else { "(unknown)" };
        // Before it is charged: who finds no turn has not tried.
        let turn = self.passwords.turn(match (is_known, hash.is_some()) {
            (true, _) => Priority::Critical,
            (false, true) => Priority::Normal,
            (false, false) => Priority::Low,
        });
        let turn = turn.await?;
        if let Err(wait) = self.limits.charge(&pair, is_known, now.at) {
            self.note("login_limited", noted, &[("client_ip", &address.to_string())]);
            return Err(Denied::Wait(wait));
        }
        let password = if password.len() > LONGEST { String::new() } else { password };
        if !self.passwords.verify(turn, password, hash.clone()).await? {
            self.note("login_failed", noted, &[("client_ip", &address.to_string())]);
            return Err(Denied::Wrong);
        }
        self.limits.forgive(&pair, is_known, now.at);
        hash.ok_or(Denied::Wrong)
    }

    /// Opens a session for an account whose password still has this hash.
    async fn enter(
        self: &Arc<Self>,
        account: String,
        hash: String,
        before: Option<Digest>,
        now: Moment,
    ) -> Result<Entered, Denied> {
        let id = Secret::draw("")?;
        let digest = digest(id.reveal());
        let session = StoredSession { digest, account, created_ms: now.unix_ms, seen_ms: now.unix_ms };
        let entered = self.change(move |auth| {
            let must_change = {
                let state = auth.state();
                let known = state.accounts.get(&session.account).filter(|known| known.password == hash);
                known.ok_or_else(|| Refused::Missing(String::new()))?.must_change
            };
            auth.storage.save_session(&session)?;
            let account = session.account;
            let mut ended = {
                let mut state = auth.state();
                let before = before.filter(|before| state.sessions.end(before).is_some());
                let room = state.sessions.begin(digest, account.clone(), now.unix_ms);
                [before, room].into_iter().flatten().collect::<Vec<_>>()
            };
            ended.retain(|other| *other != digest);
            auth.storage.keep_sessions(&[], &ended)?;
            Ok(Entered { id, account, must_change })
        });
        entered.await.map_err(|refused| match refused {
            Refused::Missing(_) => Denied::Wrong,
            _ => Denied::Broken,
        })
    }

    /// Writes what happened into the log.
    pub(super) fn note(&self, event: &'static str, account: &str, more: &[(&'static str, &str)]) {
        let level =
            if event.contains("failed") || event.contains("limited") { Level::Warn } else { Level::Info };
        let more = more.iter().map(|(name, value)| (*name, Value::Text(value)));
        let fields: Vec<_> = std::iter::once(("account", Value::Text(account))).chain(more).collect();
        self.log.line(&Line { level, event, fields: &fields });
    }
}
