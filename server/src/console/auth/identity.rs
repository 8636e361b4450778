//! Who sends a request, and whether they may.

use std::sync::Arc;

use super::role::{Needs, Role, Scope};
use crate::storage::Digest;
use axum::http::Method;

/// What the middleware found out about a request; in its extensions.
#[derive(Clone, Debug)]
pub enum Access {
    /// Nobody has to log in.
    Open,
    /// Nobody is known to have sent it.
    Nobody,
    Known(Arc<Identity>),
}

/// Somebody who is known.
#[derive(Clone, Debug)]
pub struct Identity {
    pub account: String,
    pub role: Role,
    /// The first password was not chosen by its owner: it has to be changed before anything else.
    pub must_change: bool,
    pub by: By,
}

/// What they showed.
#[derive(Clone, Debug)]
pub enum By {
    Session(Digest),
    Token { digest: Digest, name: String, scopes: Vec<Scope> },
}

/// Why a request is refused.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Whoever it is has to log in.
    Unknown,
    /// They may not: why.
    Forbidden(String),
}

impl Access {
    /// Whether a request may pass to an endpoint.
    ///
    /// # Errors
    /// Why it may not.
    pub fn may(&self, needs: Needs, method: &Method) -> Result<(), Refusal> {
        match self {
            Self::Open => Ok(()),
            _ if needs == Needs::Nothing => Ok(()),
            Self::Nobody => Err(Refusal::Unknown),
            Self::Known(who) => match needs.scope(method) {
                Some(scope) => who.may(scope).map_err(Refusal::Forbidden),
                None => Ok(()),
            },
        }
    }

    #[must_use]
    pub fn known(&self) -> Option<&Identity> {
        match self {
            Self::Known(who) => Some(who),
            _ => None,
        }
    }
}

impl Identity {
    /// As feeds and histories show it.
    #[must_use]
    pub fn shown(&self) -> String {
        match &self.by {
            By::Session(_) => self.account.clone(),
            By::Token { name, .. } => format!("token {name} of {}", self.account),
        }
    }

    /// The session, if it is one that was shown.
    #[must_use]
    pub fn session(&self) -> Option<&Digest> {
        match &self.by {
            By::Session(digest) => Some(digest),
            By::Token { .. } => None,
        }
    }

    /// # Errors
    /// What is missing.
    pub fn may(&self, scope: Scope) -> Result<(), String> {
        if self.role < scope.role() {
            let (role, least) = (self.role.word(), scope.role().word());
            return Err(format!("{} is {role}, and this takes {least}", self.account));
        }
        match &self.by {
            By::Token { name, scopes, .. } if !scopes.contains(&scope) && !scopes.contains(&Scope::Admin) => {
                Err(format!("the token {name} does not have the scope {}", scope.word()))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(role: Role, by: By) -> Access {
        Access::Known(Arc::new(Identity { account: "ada".to_owned(), role, must_change: false, by }))
    }

    fn token(scopes: &[Scope]) -> By {
        By::Token { digest: [0; 32], name: "ci".to_owned(), scopes: scopes.to_vec() }
    }

    /// Everything an endpoint can take, with a method that changes.
    fn needs() -> impl Iterator<Item = Needs> {
        Scope::ALL.into_iter().map(Needs::Change).chain([Needs::Read, Needs::Admin, Needs::Account])
    }

    #[test]
    fn nobody_gets_only_what_is_for_everybody() {
        assert_eq!(Access::Nobody.may(Needs::Nothing, &Method::POST), Ok(()));
        for needs in needs() {
            assert_eq!(Access::Nobody.may(needs, &Method::GET), Err(Refusal::Unknown), "{needs:?}");
        }
    }

    #[test]
    fn a_viewer_reads_an_operator_acts_and_only_an_admin_gives_access() {
        let session = By::Session([0; 32]);
        for needs in needs() {
            let may = |role| known(role, session.clone()).may(needs, &Method::POST).is_ok();
            let reads = matches!(needs, Needs::Read | Needs::Account | Needs::Change(Scope::Read));
            let admin = matches!(needs, Needs::Admin | Needs::Change(Scope::Admin));
            assert_eq!(may(Role::Viewer), reads, "{needs:?}");
            assert_eq!(may(Role::Operator), !admin, "{needs:?}");
            assert!(may(Role::Admin), "{needs:?}");
        }
    }

    #[test]
    fn a_token_does_what_its_scopes_say_and_nothing_else() {
        for scope in Scope::ALL {
            for other in Scope::ALL {
                let may = known(Role::Admin, token(&[scope])).may(Needs::Change(other), &Method::POST);
                assert_eq!(may.is_ok(), scope == other || scope == Scope::Admin, "{scope:?} {other:?}");
            }
        }
        let writes = known(Role::Admin, token(&[Scope::Rollouts]));
        assert!(writes.may(Needs::Change(Scope::Rollouts), &Method::GET).is_err(), "writing is not reading");
        assert!(known(Role::Admin, token(&[])).may(Needs::Read, &Method::GET).is_err());
    }

    #[test]
    fn a_token_never_does_what_its_owner_may_not() {
        let all = token(&Scope::ALL);
        for needs in needs() {
            for role in Role::ALL {
                let with_token = known(role, all.clone()).may(needs, &Method::DELETE).is_ok();
                let without = known(role, By::Session([0; 32])).may(needs, &Method::DELETE).is_ok();
                assert_eq!(with_token, without, "{role:?} {needs:?}");
            }
        }
    }
}
