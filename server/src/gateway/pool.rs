//! Connections that wait for the next request. One pool a worker and target: no lock.

use std::cell::RefCell;
use std::time::Duration;

use rad_resilience::Timestamp;

use super::connection::Connection;

/// More than this many idle connections to a target are closed.
const MAX_IDLE: usize = 256;
/// An idle connection is closed after this long: before the server at the other end does it in the very
/// moment in which a request goes out (Node.js closes after 5 s, nginx after 75 s).
const IDLE_FOR: Duration = Duration::from_secs(4);

/// The last one back is the first one out: the fewest connections stay in use.
#[derive(Debug, Default)]
pub struct Pool {
    // Boxed on its way in and out: a connection is half a kilobyte, and moves with every request.
    #[allow(clippy::vec_box)]
    idle: RefCell<Vec<Box<Connection>>>,
}

impl Pool {
    /// A connection that was usable a moment ago.
    pub fn take(&self) -> Option<Box<Connection>> {
        loop {
            let connection = self.idle.borrow_mut().pop()?;
            if connection.is_usable() {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection for the next request.
    pub fn give_back(&self, mut connection: Box<Connection>, now: Timestamp) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < MAX_IDLE && connection.is_usable() {
            connection.is_reused = true;
            connection.idle_since = now;
            idle.push(connection);
        }
    }

    /// Closes what has been idle for long or was closed by the other side.
    pub fn sweep(&self, now: Timestamp) {
        self.idle
            .borrow_mut()
            .retain(|connection| now.since(connection.idle_since) < IDLE_FOR && connection.is_usable());
    }
}
