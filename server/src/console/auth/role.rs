//! What accounts and tokens may do, and what each endpoint takes.
//!
//! An account has a role. A token has scopes, and never does what its owner's role does not allow: both are
//! asked each time, so that a token shrinks with its owner.

use axum::http::Method;
use serde::{Deserialize, Serialize};

/// What an account may do. Each may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Acts on the gateway, too: switches, blocks, cache, rollouts, flags.
    Operator,
    /// Gives and takes access, too.
    Admin,
}

impl Role {
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// As the API writes it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }
}

/// What a token may do. None holds another, except [`Scope::Admin`], which holds all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    Read,
    Breakers,
    Limits,
    Rollouts,
    Flags,
    Cache,
    Lab,
    Metrics,
    Admin,
}

impl Scope {
    pub const ALL: [Self; 9] = [
        Self::Read,
        Self::Breakers,
        Self::Limits,
        Self::Rollouts,
        Self::Flags,
        Self::Cache,
        Self::Lab,
        Self::Metrics,
        Self::Admin,
    ];

    /// As the API writes it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Breakers => "breakers:write",
            Self::Limits => "limits:write",
            Self::Rollouts => "rollouts:write",
            Self::Flags => "flags:write",
            Self::Cache => "cache:write",
            Self::Lab => "lab:write",
            Self::Metrics => "metrics:write",
            Self::Admin => "admin",
        }
    }

    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.word() == word)
    }

    /// The least role that may do this.
    #[must_use]
    pub fn role(self) -> Role {
        match self {
            Self::Read => Role::Viewer,
            Self::Admin => Role::Admin,
            _ => Role::Operator,
        }
    }
}

/// What an endpoint takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: it is for everybody, or looks for itself.
    Nothing,
    /// Whoever is known, with whichever role and scope.
    Account,
    /// What reads, by whichever method.
    Read,
    /// Reading takes [`Scope::Read`], every other method this.
    Change(Scope),
    /// Reading, too.
    Admin,
}

impl Needs {
    /// What a request with this method takes; none if anybody who is known may send it.
    #[must_use]
    pub fn scope(self, method: &Method) -> Option<Scope> {
        match self {
            Self::Nothing | Self::Account => None,
            Self::Read => Some(Scope::Read),
            Self::Change(_) if reads(method) => Some(Scope::Read),
            Self::Change(scope) => Some(scope),
            Self::Admin => Some(Scope::Admin),
        }
    }
}

/// Whether a method changes nothing (RFC 9110 §9.2.1).
#[must_use]
pub fn reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_written() {
        for scope in Scope::ALL {
            assert_eq!(Scope::named(scope.word()), Some(scope));
        }
        for role in Role::ALL {
            assert_eq!(Role::named(role.word()), Some(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.word());
        }
        assert_eq!((Scope::named("write"), Role::named("Admin")), (None, None));
    }

    #[test]
    fn a_method_that_is_not_known_to_read_changes() {
        let breakers = Needs::Change(Scope::Breakers);
        for method in
            [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::TRACE, Method::CONNECT]
        {
            assert_eq!(breakers.scope(&method), Some(Scope::Breakers));
        }
        let made_up = Method::from_bytes(b"BREW").unwrap();
        assert_eq!(breakers.scope(&made_up), Some(Scope::Breakers));
        assert_eq!(breakers.scope(&Method::GET), Some(Scope::Read));
        assert_eq!(Needs::Admin.scope(&Method::GET), Some(Scope::Admin));
    }
}
