//! The program's own switches: flags that are always there, and that it reads itself.

use std::sync::Arc;

use serde_json::Value;

use super::Switchboard;
use super::flags::{Context, Facts, Flag, TARGETING_KEY, Wrong};

/// Keys that begin so are the program's own.
const PREFIX: &str = "rad.";

/// One of the program's own flags: a boolean that is true unless somebody says otherwise.
#[derive(Clone, Copy, Debug)]
pub struct Switch {
    pub key: &'static str,
    description: &'static str,
}

/// All of them.
pub const SWITCHES: [Switch; 3] = [
    Switch {
        key: "rad.automatic-promotion",
        description: "Rollouts go on to their next stage by themselves. Attribute: rollout.",
    },
    Switch {
        key: "rad.automatic-rollback",
        description: "Candidates that fail are taken out by themselves. Attribute: rollout.",
    },
    Switch {
        key: "rad.request-log",
        description: "A log line for each request. Attributes: route, method; split by the request's id.",
    },
];

const PROMOTION: usize = 0;
const ROLLBACK: usize = 1;
const REQUEST_LOG: usize = 2;

impl Switch {
    /// How it is at first.
    #[must_use]
    pub fn flag(&self) -> Flag {
        Flag::switch(self.description, true)
    }
}

/// Whether a key is one of the program's own, or looks like one.
#[must_use]
pub fn is_reserved(key: &str) -> bool {
    key.starts_with(PREFIX)
}

/// What of a flag the program could not read: its own are booleans named on and off.
#[must_use]
pub fn check_reserved(key: &str, flag: &Flag) -> Option<Wrong> {
    if !is_reserved(key) {
        return None;
    }
    let wrong = |field: &str, detail: String| Some(Wrong { field: field.to_owned(), detail });
    if !SWITCHES.iter().any(|switch| switch.key == key) {
        let known = SWITCHES.map(|switch| switch.key).join(", ");
        return wrong("key", format!("keys that begin with {PREFIX} are the program's own: {known}"));
    }
    let known = [("off", Value::Bool(false)), ("on", Value::Bool(true))];
    if !flag.variants.iter().map(|(name, value)| (name.as_str(), value.clone())).eq(known) {
        return wrong("variants", "must be {\"off\": false, \"on\": true}: the program reads it".to_owned());
    }
    (flag.off_variant != "off")
        .then(|| Wrong { field: "off_variant".to_owned(), detail: "must be \"off\"".to_owned() })
}

/// What the program asks them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Switches(Arc<Switchboard>);

impl Switches {
    #[must_use]
    pub fn new(board: Arc<Switchboard>) -> Self {
        Self(board)
    }

    /// Whether a request has its line in the log; its route is empty if there is none.
    #[must_use]
    pub fn logs_request(&self, route: &str, method: &str, id: &str) -> bool {
        self.is_on(REQUEST_LOG, &Facts(&[("route", route), ("method", method), (TARGETING_KEY, id)]))
    }

    /// Whether a rollout goes on by itself.
    #[must_use]
    pub fn promotes(&self, rollout: &str) -> bool {
        self.is_on(PROMOTION, &Facts(&[("rollout", rollout), (TARGETING_KEY, rollout)]))
    }

    /// Whether a rollout is taken back by itself.
    #[must_use]
    pub fn rolls_back(&self, rollout: &str) -> bool {
        self.is_on(ROLLBACK, &Facts(&[("rollout", rollout), (TARGETING_KEY, rollout)]))
    }

    /// What cannot be evaluated is on, as at the start.
    fn is_on(&self, switch: usize, context: &dyn Context) -> bool {
        let now = self.0.now();
        let at = now.own.get(switch).copied().flatten();
        let found = at.and_then(|at| now.snapshot.evaluate(at, context)).and_then(Result::ok);
        found.and_then(|found| found.value.as_bool()).unwrap_or(true)
    }
}
