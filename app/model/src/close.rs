//! WebSocket close codes of the live connection, and what a client does after each.

/// The server goes away for good (RFC 6455 §7.4.1).
pub const GOING_AWAY: u16 = 1001;
/// The client broke the protocol.
pub const PROTOCOL_ERROR: u16 = 1002;
/// A binary message on a text subprotocol.
pub const UNSUPPORTED: u16 = 1003;
/// A message that is not one of [`crate::ClientMessage`].
pub const INVALID: u16 = 1007;
/// The connection is not allowed (origin, rights).
pub const POLICY: u16 = 1008;
/// A message over the size limit.
pub const TOO_BIG: u16 = 1009;
/// The server restarts and comes back.
pub const RESTART: u16 = 1012;
/// The server has too many connections just now.
pub const TRY_LATER: u16 = 1013;

/// Nobody is logged in, or not any more; ours (RFC 6455 §7.4.2).
pub const SIGNED_OUT: u16 = 4401;

/// Whether a client tries again after a close with this code.
///
/// Where the same client would be refused for the same reason, trying again is noise.
#[must_use]
pub fn retries_after(code: u16) -> bool {
    !matches!(code, PROTOCOL_ERROR | UNSUPPORTED | INVALID | POLICY | TOO_BIG | 1010 | 4400..=4499)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_is_retried_and_a_refusal_is_not() {
        assert!(retries_after(RESTART));
        assert!(retries_after(GOING_AWAY));
        assert!(retries_after(1006));
        assert!(!retries_after(POLICY));
        assert!(!retries_after(SIGNED_OUT));
        assert!(!retries_after(INVALID));
    }
}
