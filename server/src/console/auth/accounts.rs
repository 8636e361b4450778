//! The accounts, and how they change.
//!
//! Whatever changes of an account ends its sessions: what was opened with the old password or role does not
//! outlive it. And there is always one administrator, or nobody could let anybody in.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use super::role::Role;
use super::{Auth, Refused, State};
use crate::config::{ACCOUNT_NAME, is_account_name};
use crate::storage::{LOGIN_ADDRESSES, StoredAccount};

/// There are no more than so many.
const MOST: usize = 1_000;

/// An account.
#[derive(Clone)]
pub struct Account {
    pub role: Role,
    /// In the PHC string format.
    pub password: String,
    pub must_change: bool,
    /// Milliseconds since 1970.
    pub created_ms: u64,
    /// Where it logged in from, the latest first.
    addresses: VecDeque<IpAddr>,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("role", &self.role).finish_non_exhaustive()
    }
}

impl Account {
    /// An account of the database, with its name; none if its role is not known.
    pub fn restore(stored: StoredAccount) -> Option<(String, Self)> {
        let StoredAccount { name, role, password, must_change, created_ms } = stored;
        let role = Role::named(&role)?;
        Some((name, Self { role, password, must_change, created_ms, addresses: VecDeque::new() }))
    }

    fn stored(&self, name: &str) -> StoredAccount {
        StoredAccount {
            name: name.to_owned(),
            role: self.role.word().to_owned(),
            password: self.password.clone(),
            must_change: self.must_change,
            created_ms: self.created_ms,
        }
    }

    /// Whether it has logged in from there.
    pub fn knows(&self, address: IpAddr) -> bool {
        self.addresses.contains(&address)
    }

    /// Remembers that it has logged in from there.
    pub fn met(&mut self, address: IpAddr) {
        self.addresses.retain(|known| *known != address);
        self.addresses.push_front(address);
        self.addresses.truncate(LOGIN_ADDRESSES);
    }
}

/// What is to be changed of an account.
#[derive(Debug, Default)]
pub struct Change {
    pub role: Option<Role>,
    /// Changes nothing unless this is its role.
    pub from: Option<Role>,
    /// The hash of another password.
    pub password: Option<String>,
}

impl Auth {
    /// Makes an account, whose password must be changed at its first login.
    pub(super) async fn add_account(
        self: &Arc<Self>,
        name: String,
        role: Role,
        password: String,
        now_ms: u64,
    ) -> Result<(), Refused> {
        if !is_account_name(&name) {
            return Err(Refused::Invalid(format!(
                "{name:?} cannot be the name of an account: {ACCOUNT_NAME}"
            )));
        }
        self.change(move |auth| {
            let there_are = {
                let state = auth.state();
                if state.accounts.contains_key(&name) {
                    return Err(Refused::Conflict(format!("an account is named {name} already")));
                }
                state.accounts.len()
            };
            if there_are >= MOST {
                return Err(Refused::Conflict(format!(
                    "there are {MOST} accounts already: remove some first"
                )));
            }
            let account =
                Account { role, password, must_change: true, created_ms: now_ms, addresses: VecDeque::new() };
            auth.put(name, account)
        })
        .await
    }

    /// Changes an account, and ends its sessions if that changed anything; the role that it had.
    pub(super) async fn change_account(
        self: &Arc<Self>,
        name: String,
        change: Change,
    ) -> Result<Role, Refused> {
        self.change(move |auth| {
            let mut account = {
                let state = auth.state();
                let account = find(&state, &name)?;
                if change.from.is_some_and(|from| from != account.role) {
                    return Err(Refused::Conflict(format!(
                        "{name} is {} now: somebody else has decided so. Nothing was changed.",
                        account.role.word()
                    )));
                }
                if change.role.is_some_and(|role| role != Role::Admin) {
                    stays_administered(&state, &name)?;
                }
                account.clone()
            };
            let was = account.role;
            if change.password.is_none() && change.role.is_none_or(|role| role == was) {
                return Ok(was);
            }
            account.role = change.role.unwrap_or(was);
            if let Some(password) = change.password {
                account.password = password;
                account.must_change = true;
                auth.forget_first_password(&name);
            }
            auth.put(name, account)?;
            Ok(was)
        })
        .await
    }

    /// Takes an account away, with its sessions and tokens; the role that it had.
    pub(super) async fn remove_account(self: &Arc<Self>, name: String) -> Result<Role, Refused> {
        self.change(move |auth| {
            let role = {
                let state = auth.state();
                stays_administered(&state, &name)?;
                find(&state, &name)?.role
            };
            auth.storage.remove_account(&name)?;
            let mut state = auth.state();
            state.accounts.remove(&name);
            state.sessions.end_all(&name);
            state.tokens.retain(|_, token| token.owner != name);
            drop(state);
            auth.forget_first_password(&name);
            Ok(role)
        })
        .await
    }

    /// Puts an account on the disk and in force, and ends its sessions.
    pub(super) fn put(&self, name: String, account: Account) -> Result<(), Refused> {
        self.storage.save_account(&account.stored(&name))?;
        let mut state = self.state();
        state.sessions.end_all(&name);
        state.accounts.insert(name, account);
        Ok(())
    }
}

fn find<'a>(state: &'a State, name: &str) -> Result<&'a Account, Refused> {
    state.accounts.get(name).ok_or_else(|| Refused::Missing(format!("no account is named {name:?}")))
}

/// Whether there is another administrator than this account.
fn stays_administered(state: &State, name: &str) -> Result<(), Refused> {
    let admins = || state.accounts.iter().filter(|(_, account)| account.role == Role::Admin);
    if admins().any(|(other, _)| other == name) && admins().count() == 1 {
        return Err(Refused::Conflict(format!(
            "{name} is the only administrator: without one nobody could let anybody in. Make another first"
        )));
    }
    Ok(())
}
