//! Who is logged in, as the running program knows it.
//!
//! A session is found by the digest of its id. It ends by logging out, by time, or with a change of its
//! account. Whoever follows one (a WebSocket) holds the other end of a channel that closes with it: a session
//! that is gone cannot be forgotten to be told.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::watch;

use crate::storage::{Digest, StoredSession};

/// An account has so many at most; the one that was used the longest ago makes room.
const MOST: usize = 50;
/// When a session was used is worth a write once in so long.
const STORE_EVERY_MS: u64 = 60_000;

/// The sessions. Times are milliseconds since 1970.
#[derive(Debug)]
pub struct Sessions {
    /// They end so long after they began,
    life_ms: u64,
    /// and so long after their last use.
    idle_ms: u64,
    open: HashMap<Digest, Session>,
}

#[derive(Debug)]
pub struct Session {
    pub account: String,
    pub created_ms: u64,
    seen_ms: u64,
    stored_ms: u64,
    /// Closed when the session ends.
    alive: watch::Sender<()>,
}

/// When a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// If it is used until then.
    pub at_ms: u64,
    /// If it is not used any more.
    pub idle_at_ms: u64,
}

/// Tells when something ends.
pub type Alive = watch::Receiver<()>;

/// Resolves when what is followed has ended.
pub async fn ended(alive: &mut Alive) {
    while alive.changed().await.is_ok() {}
}

impl Sessions {
    /// Those that were kept. The next [`Sessions::sweep`] ends those whose time has come meanwhile.
    #[must_use]
    pub fn restore(life: Duration, idle: Duration, kept: Vec<StoredSession>) -> Self {
        let session = |StoredSession { digest, account, created_ms, seen_ms }| {
            let alive = watch::Sender::new(());
            (digest, Session { account, created_ms, seen_ms, stored_ms: seen_ms, alive })
        };
        let open = kept.into_iter().map(session).collect();
        Self { life_ms: millis(life), idle_ms: millis(idle), open }
    }

    /// Begins one; what had to make room for it.
    pub fn begin(&mut self, digest: Digest, account: String, now_ms: u64) -> Option<Digest> {
        let theirs = || self.open.iter().filter(|(_, session)| session.account == account);
        let oldest = (theirs().count() >= MOST)
            .then(|| theirs().min_by_key(|(_, session)| session.seen_ms).map(|(digest, _)| *digest))
            .flatten();
        if let Some(oldest) = oldest {
            self.open.remove(&oldest);
        }
        let alive = watch::Sender::new(());
        let session = Session { account, created_ms: now_ms, seen_ms: now_ms, stored_ms: now_ms, alive };
        self.open.insert(digest, session);
        oldest
    }

    /// Uses one, if it has not ended.
    pub fn using(&mut self, digest: &Digest, now_ms: u64) -> Option<&Session> {
        let session = self.open.get_mut(digest)?;
        if is_over(session, self.life_ms, self.idle_ms, now_ms) {
            return None;
        }
        session.seen_ms = session.seen_ms.max(now_ms);
        Some(session)
    }

    /// When one ends.
    #[must_use]
    pub fn ends(&self, digest: &Digest) -> Option<Ends> {
        let session = self.open.get(digest)?;
        let at_ms = session.created_ms.saturating_add(self.life_ms);
        Some(Ends { at_ms, idle_at_ms: session.seen_ms.saturating_add(self.idle_ms).min(at_ms) })
    }

    /// Tells when one ends. While somebody listens, it is in use.
    #[must_use]
    pub fn follow(&self, digest: &Digest) -> Option<Alive> {
        Some(self.open.get(digest)?.alive.subscribe())
    }

    /// Ends one; whose it was.
    pub fn end(&mut self, digest: &Digest) -> Option<String> {
        Some(self.open.remove(digest)?.account)
    }

    /// Ends all of an account.
    pub fn end_all(&mut self, account: &str) {
        self.open.retain(|_, session| session.account != account);
    }

    /// How many an account has.
    #[must_use]
    pub fn count(&self, account: &str) -> usize {
        self.open.values().filter(|session| session.account == account).count()
    }

    /// Ends those whose time is over: which these were, and when which others were last used, as far as that
    /// is worth a write.
    pub fn sweep(&mut self, now_ms: u64) -> (Vec<(Digest, u64)>, Vec<Digest>) {
        let (life_ms, idle_ms) = (self.life_ms, self.idle_ms);
        let (mut seen, mut over) = (Vec::new(), Vec::new());
        self.open.retain(|digest, session| {
            if session.alive.receiver_count() > 0 {
                session.seen_ms = session.seen_ms.max(now_ms);
            }
            if is_over(session, life_ms, idle_ms, now_ms) {
                over.push(*digest);
                return false;
            }
            if session.seen_ms.saturating_sub(session.stored_ms) >= STORE_EVERY_MS.min(idle_ms / 4) {
                session.stored_ms = session.seen_ms;
                seen.push((*digest, session.seen_ms));
            }
            true
        });
        (seen, over)
    }
}

fn is_over(session: &Session, life_ms: u64, idle_ms: u64, now_ms: u64) -> bool {
    now_ms.saturating_sub(session.created_ms) >= life_ms || now_ms.saturating_sub(session.seen_ms) >= idle_ms
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;

    fn none() -> Sessions {
        Sessions::restore(Duration::from_hours(12), Duration::from_hours(1), vec![])
    }

    fn stored(at: u8, created_ms: u64, seen_ms: u64) -> StoredSession {
        StoredSession { digest: [at; 32], account: "ada".to_owned(), created_ms, seen_ms }
    }

    #[test]
    fn a_session_that_is_used_lives_until_its_life_is_over() {
        let mut sessions = none();
        sessions.begin([1; 32], "ada".to_owned(), 0);
        for at in 1..24 {
            assert!(sessions.using(&[1; 32], at * HOUR / 2).is_some(), "{at}");
        }
        assert_eq!(sessions.ends(&[1; 32]), Some(Ends { at_ms: 12 * HOUR, idle_at_ms: 12 * HOUR }));
        assert!(sessions.using(&[1; 32], 12 * HOUR).is_none());
    }

    #[test]
    fn one_that_is_not_used_ends_earlier() {
        let mut sessions = none();
        sessions.begin([1; 32], "ada".to_owned(), 0);
        assert!(sessions.using(&[1; 32], HOUR - 1).is_some());
        assert!(sessions.using(&[1; 32], 2 * HOUR - 1).is_none());
    }

    #[tokio::test]
    async fn whoever_follows_one_is_told_of_its_end_however_it_ends() {
        for end in 0..3 {
            let mut sessions = none();
            sessions.begin([1; 32], "ada".to_owned(), 0);
            let mut alive = sessions.follow(&[1; 32]).unwrap();
            assert_eq!(sessions.sweep(HOUR * 11).1, [] as [Digest; 0], "it is in use while it is followed");
            match end {
                0 => drop(sessions.end(&[1; 32])),
                1 => sessions.end_all("ada"),
                _ => drop(sessions.sweep(HOUR * 12)),
            }
            ended(&mut alive).await;
        }
    }

    #[test]
    fn only_the_sessions_of_the_account_end_with_it() {
        let mut sessions = none();
        for (at, account) in [(1, "ada"), (2, "ada"), (3, "bob")] {
            sessions.begin([at; 32], account.to_owned(), 0);
        }
        sessions.end_all("ada");
        assert_eq!((sessions.count("ada"), sessions.count("bob")), (0, 1));
    }

    #[test]
    fn after_a_restart_those_go_on_whose_time_is_not_over() {
        let kept = vec![stored(1, 0, 5 * HOUR), stored(2, 0, 3 * HOUR), stored(3, 6 * HOUR, 6 * HOUR)];
        let mut sessions = Sessions::restore(Duration::from_hours(6), Duration::from_hours(2), kept);
        assert!(sessions.using(&[1; 32], 6 * HOUR + 1).is_none(), "its life is over");
        assert!(sessions.using(&[2; 32], 6 * HOUR + 1).is_none(), "it was not used for too long");
        assert!(sessions.using(&[3; 32], 6 * HOUR + 1).is_some());
        let mut over = sessions.sweep(6 * HOUR + 1).1;
        over.sort_unstable();
        assert_eq!(over, [[1; 32], [2; 32]]);
    }

    #[test]
    fn uses_are_told_for_the_disk_now_and_then() {
        let mut sessions = none();
        sessions.begin([1; 32], "ada".to_owned(), 0);
        sessions.using(&[1; 32], 30_000);
        assert_eq!(sessions.sweep(30_000), (vec![], vec![]));
        sessions.using(&[1; 32], 61_000);
        assert_eq!(sessions.sweep(61_000), (vec![([1; 32], 61_000)], vec![]));
        assert_eq!(sessions.sweep(62_000), (vec![], vec![]));
        assert_eq!(sessions.sweep(61_000 + HOUR), (vec![], vec![[1; 32]]));
    }

    #[test]
    fn an_account_that_logs_in_too_often_loses_its_oldest() {
        let mut sessions = none();
        sessions.begin([200; 32], "bob".to_owned(), 0);
        for at in 0..60 {
            let room = sessions.begin([at; 32], "ada".to_owned(), u64::from(at));
            assert_eq!(room, at.checked_sub(50).map(|oldest| [oldest; 32]));
        }
        assert_eq!((sessions.count("ada"), sessions.count("bob")), (MOST, 1));
    }

    #[test]
    fn a_clock_that_goes_back_ends_nothing() {
        let mut sessions = none();
        sessions.begin([1; 32], "ada".to_owned(), HOUR);
        assert!(sessions.using(&[1; 32], 0).is_some());
        assert_eq!(sessions.sweep(0), (vec![], vec![]));
    }
}
