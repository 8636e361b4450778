//! A change of a rollout as the audit log has it: what people order and what a verdict does, in the same words.

use rad_model::Call;
use serde_json::{Value, json};

use super::{Cause, Changed, Order, Phase, Place, Step};
use crate::storage::NewEntry;

impl Order {
    /// What the audit log calls it.
    #[must_use]
    pub fn action(self) -> &'static str {
        match self {
            Self::Start => "rollout.start",
            Self::Pause => "rollout.pause",
            Self::Resume => "rollout.resume",
            Self::Promote => "rollout.promote",
            Self::RollBack => "rollout.rollback",
            Self::Set(_) => "rollout.share",
            Self::Return(..) => "rollout.return",
        }
    }
}

impl Step {
    /// What the audit log calls it.
    #[must_use]
    pub fn action(self) -> &'static str {
        match self {
            Self::Promote(_) => "rollout.promote",
            Self::Complete => "rollout.complete",
            Self::RollBack(_) => "rollout.rollback",
            Self::Start => "rollout.start",
        }
    }
}

/// What is written down of a change.
pub fn entry(rollout: &str, action: &str, changed: Changed, cause: &Cause) -> NewEntry {
    NewEntry {
        at_ms: cause.at_ms,
        actor: cause.by.clone(),
        action: action.to_owned(),
        object: rollout.to_owned(),
        before: standing(changed.from),
        after: standing(changed.to),
        reason: cause.reason.clone(),
        undo: undo(rollout, changed),
        reverts: cause.reverts,
    }
}

/// What takes a change back. It changes nothing once somebody has decided otherwise.
#[must_use]
pub fn undo(rollout: &str, changed: Changed) -> Option<Call> {
    let Changed { from, to } = changed;
    let (way, body) = match (from.phase, to.phase) {
        (Phase::Stage(_), Phase::Paused(_)) => ("/resume", json!({"reason": "undo of the pause"})),
        (Phase::Paused(_), Phase::Stage(_)) if from.share == to.share => {
            ("/pause", json!({"reason": "undo of the resumption"}))
        }
        // It would be complete again at once.
        (_, Phase::Complete) if from.share == to.share => return None,
        _ if from == to => return None,
        // With the stage: at the same share outside of it, nothing would go on by itself.
        _ => {
            let mut body = standing(from);
            body["from"] = json!(to.share);
            body["reason"] = json!(format!("undo of {} → {} %", from.share, to.share));
            ("", body)
        }
    };
    // Of what names may hold, only spaces must be written in another way.
    let path = format!("/api/rollouts/{}{way}", rollout.replace(' ', "%20"));
    Some(Call { method: "POST".to_owned(), path, body: body.to_string() })
}

fn standing(place: Place) -> Value {
    let (phase, stage) = match place.phase {
        Phase::Manual => ("manual", None),
        Phase::Stage(at) => ("stage", Some(at)),
        Phase::Paused(at) => ("paused", Some(at)),
        Phase::Complete => ("complete", None),
        Phase::RolledBack => ("rolled_back", None),
    };
    match stage {
        Some(at) => json!({"percent": place.share, "phase": phase, "stage": at + 1}),
        None => json!({"percent": place.share, "phase": phase}),
    }
}

#[cfg(test)]
mod tests {
    use rad_model::Share;

    use super::*;

    fn changed(from: (Phase, f64), to: (Phase, f64)) -> Changed {
        let place =
            |(phase, percent)| Place { phase, share: Share::from_percent(percent).unwrap(), since_ms: 0 };
        Changed { from: place(from), to: place(to) }
    }

    #[test]
    fn a_changed_share_leads_back_only_while_it_is_in_force() {
        let promoted = changed((Phase::Stage(0), 10.0), (Phase::Stage(1), 25.0));
        let cause = Cause { by: "verdict".to_owned(), reason: "passed".to_owned(), at_ms: 7, reverts: None };
        let entry = entry("my search", Step::Promote(1).action(), promoted, &cause);
        assert_eq!(entry.before, json!({"percent": 10, "phase": "stage", "stage": 1}));
        assert_eq!(entry.after, json!({"percent": 25, "phase": "stage", "stage": 2}));
        let undo = entry.undo.unwrap();
        assert_eq!(undo.path, "/api/rollouts/my%20search");
        let body: Value = serde_json::from_str(&undo.body).unwrap();
        assert_eq!((&body["percent"], &body["from"]), (&json!(10), &json!(25)));
    }

    #[test]
    fn a_pause_leads_back_by_going_on_and_the_end_of_a_plan_does_not() {
        let paused = changed((Phase::Stage(0), 10.0), (Phase::Paused(0), 10.0));
        assert_eq!(undo("r", paused).unwrap().path, "/api/rollouts/r/resume");
        let complete = changed((Phase::Stage(3), 100.0), (Phase::Complete, 100.0));
        assert_eq!(undo("r", complete), None);
    }
}
