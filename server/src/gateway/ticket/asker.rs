//! Who is asking, while its answer is loaded for others, too.

use std::cell::Cell;
use std::rc::Rc;

use super::Ending;

/// The client on whose account an answer is loaded that others may get, too: the load goes on when it leaves.
#[derive(Debug, Default)]
pub struct Asker {
    pub(super) has_left: Cell<bool>,
    /// How its account was closed, once it is.
    pub(super) ending: Cell<Option<Ending>>,
}

impl Asker {
    pub fn ending(&self) -> Option<Ending> {
        self.ending.get()
    }
}

/// That an asker is still there: dropped with whatever waits for it.
#[derive(Debug)]
pub struct Presence(Option<Rc<Asker>>);

impl Presence {
    pub fn of(asker: &Rc<Asker>) -> Self {
        Self(Some(Rc::clone(asker)))
    }

    /// From here on it is told by other means.
    pub fn dismiss(mut self) {
        self.0 = None;
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        if let Some(asker) = &self.0 {
            asker.has_left.set(true);
        }
    }
}
