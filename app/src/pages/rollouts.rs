//! Where each rollout is, what its verdict says and what moved it; and the switches that move it.

mod past;
mod shadow;

use std::sync::Arc;

use leptos::prelude::*;
use rad_model::Call;
use serde::Deserialize;

use crate::components::parts::{block, card, outcome_line, pill, says, table};
use crate::components::{Bounds, Outcome, Rows, Why, act, button, cell, numbered, row};
use crate::live::{Asked, use_live};
use crate::settled::{Settled, settle};
use crate::signals::{flag, text};

/// One of `GET /api/plans`, in the server's words.
#[derive(Clone, Debug, Default, Deserialize)]
struct Plan {
    rollout: String,
    tone: String,
    word: String,
    says: String,
    evidence: String,
    /// Empty if there is nothing to say.
    browsers: String,
    /// The switches that do something now.
    can: Vec<String>,
    sides: Vec<Side>,
    history: Vec<past::Change>,
    shadow: shadow::Shadow,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Side {
    name: String,
    share: String,
    outcome: String,
    success: String,
}

type Known = Asked<Vec<Plan>>;

/// The plan of one rollout as it was last told.
#[derive(Clone, Copy, Debug)]
struct One {
    plans: Known,
    at: usize,
}

impl One {
    fn read<T: Default>(self, read: impl FnOnce(&Plan) -> T) -> T {
        self.plans.read(|plans| plans.get(self.at).map(read)).unwrap_or_default()
    }

    fn text(self, read: fn(&Plan) -> &String) -> Signal<String> {
        text(move || self.read(|plan| read(plan).clone()))
    }
}

/// What becomes of the switches of a card.
#[derive(Clone, Copy, Debug)]
struct Acts {
    outcome: RwSignal<Outcome>,
    why: Why,
    done: Callback<String>,
}

impl Acts {
    fn new(one: One, after: Callback<()>) -> Self {
        let why = Why::new();
        let done = Callback::new(move |_| {
            why.clear();
            after.run(());
            one.plans.again();
        });
        Self { outcome: RwSignal::new(Outcome::default()), why, done }
    }

    fn busy(self) -> Signal<bool> {
        flag(move || self.outcome.with(|outcome| *outcome == Outcome::Under))
    }

    /// Sends what it says, and the reason.
    fn send(self, method: &str, path: &str, says: &str) {
        let Some(reason) = self.why.given(self.outcome) else { return };
        let body = format!("{{{says}\"reason\":{reason}}}");
        let call = Call { method: method.to_owned(), path: format!("/api/rollouts/{path}"), body };
        act(self.outcome, call, self.done);
    }
}

/// The rollouts' page.
pub fn page() -> Settled {
    let plans: Known = Asked::new("/api/plans");
    let none = text(move || match plans.with(|plans| plans.is_some_and(Vec::is_empty)) {
        true => {
            "No rollout is configured: [rollouts.NAME] names a legacy and a candidate upstream.".to_owned()
        }
        false => String::new(),
    });
    let each = move || numbered(0..plans.read(Vec::len));
    settle(vec![
        plans.doubt(),
        says("muted", "no-rollout", none),
        settle(view! { <Rows each=Arc::new(each) row=Arc::new(move |at| plan(One { plans, at }))/> }),
    ])
}

/// Names of the switches in the API, what their buttons say, and their looks.
const SWITCHES: [(&str, &str, &str); 6] = [
    ("start", "Start the stages", ""),
    ("call_off", "Call off the planned start", ""),
    ("promote", "Promote now", ""),
    ("pause", "Pause", ""),
    ("resume", "Resume", ""),
    ("rollback", "Roll back to legacy", "danger"),
];

fn plan(one: One) -> Settled {
    let live = use_live();
    let acts = Acts::new(one, Callback::new(|()| {}));
    let name = one.plans.peek(|plans| plans.get(one.at).map(|plan| plan.rollout.clone())).unwrap_or_default();
    let path = name.replace(' ', "%20");
    let target = live
        .topology
        .with_untracked(|topology| topology.rollouts.get(one.at).map(|info| info.target_success))
        .unwrap_or_default();
    let mut actions = vec![acts.why.field("Reason for the change")];
    actions.extend(SWITCHES.map(|switch| switch_of(one, acts, path.clone(), switch)));
    let sides = move || numbered(0..one.read(|plan| plan.sides.len()));
    let parts = vec![
        says("", "rollout-says", one.text(|plan| &plan.says)),
        settle(view! { <Bounds tick=live.rollout(one.at) target/> }),
        says("muted", "rollout-evidence", one.text(|plan| &plan.evidence)),
        says("muted", "rollout-browsers", one.text(|plan| &plan.browsers)),
        table(&SIDES, Arc::new(sides), Arc::new(move |side| side_row(one, side))),
        block("actions wrap", actions),
        outcome_line(acts.outcome, "rollout-error", acts.done),
    ];
    let state = pill(one.text(|plan| &plan.tone), one.text(|plan| &plan.word));
    settle(vec![
        card(format!("rollout-{name}"), name.clone(), state, parts),
        shadow::shadow(one, &name, path),
        past::past(one, &name),
    ])
}

fn switch_of(
    one: One,
    acts: Acts,
    rollout: String,
    (what, says, class): (&'static str, &'static str, &'static str),
) -> Settled {
    let press = Callback::new(move |()| match what {
        "call_off" => acts.send("DELETE", &format!("{rollout}/start"), ""),
        // From the stage that is seen: somebody else may have gone on already.
        "promote" => {
            let seen = one.read(|plan| plan.sides.last().map(|side| side.share.clone()).unwrap_or_default());
            let from = format!("\"from\":{},", seen.trim_end_matches(" %"));
            acts.send("POST", &format!("{rollout}/promote"), &from);
        }
        what => acts.send("POST", &format!("{rollout}/{what}"), ""),
    });
    let cannot = flag(move || !one.read(|plan| plan.can.iter().any(|can| can == what)));
    let says = text(move || says.to_owned());
    let button = button((class, format!("rollout-{what}")), says, says, acts.busy(), press);
    settle(view! { <span hidden=cannot>{button}</span> })
}

const SIDES: [(&str, &str); 4] =
    [("", "Side"), ("num", "Share"), ("num", "Seen"), ("num", "Success lies between")];

fn side_row(one: One, at: usize) -> Settled {
    let of = move |read: fn(&Side) -> &String| {
        text(move || one.read(|plan| plan.sides.get(at).map(|side| read(side).clone()).unwrap_or_default()))
    };
    row(
        of(|side| &side.name),
        vec![
            cell("", of(|side| &side.name)),
            cell("num", of(|side| &side.share)),
            cell("num whole", of(|side| &side.outcome)),
            cell("num whole", of(|side| &side.success)),
        ],
    )
}
