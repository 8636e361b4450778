//! Where each rollout is, what its verdict says and what moved it; and the switches that move it.

mod shadow;

use std::sync::Arc;

use leptos::prelude::*;
use rad_model::Call;
use serde::Deserialize;

use crate::components::{
    Bounds, Card, Outcome, OutcomeLine, Pill, Rows, Table, Why, act, button, cell, numbered, row,
};
use crate::format;
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
    /// The switches that do something now.
    can: Vec<String>,
    sides: Vec<Side>,
    history: Vec<Change>,
    shadow: shadow::Shadow,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Side {
    name: String,
    share: String,
    outcome: String,
    success: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Change {
    at_ms: u64,
    what: String,
    by: String,
    reason: String,
}

type Known = Asked<Vec<Plan>>;

/// The rollouts' page.
pub fn page() -> Settled {
    let plans: Known = Asked::new("/api/plans");
    let none = flag(move || !plans.read(|plans| plans.is_empty()));
    settle(view! {
        {plans.doubt()}
        <p class="muted" hidden=none>"No rollout is configured: [rollouts.NAME] names a legacy and a candidate upstream."</p>
        <Rows each=Arc::new(move || numbered(0..plans.read(Vec::len))) row=Arc::new(move |at| plan(plans, at))/>
    })
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

fn plan(plans: Known, at: usize) -> Settled {
    let outcome = RwSignal::new(Outcome::default());
    let why = Why::new();
    let busy = flag(move || outcome.with(|outcome| *outcome == Outcome::Under));
    let of = move |read: fn(&Plan) -> &String| {
        text(move || plans.read(|plans| plans.get(at).map(|plan| read(plan).clone())).unwrap_or_default())
    };
    let done = Callback::new(move |_| {
        why.clear();
        plans.again();
    });
    let name = plans.peek(|plans| plans.get(at).map(|plan| plan.rollout.clone())).unwrap_or_default();
    let switch = |(what, says, class): (&'static str, &'static str, &'static str)| {
        let (method, way) = if what == "call_off" { ("DELETE", "start") } else { ("POST", what) };
        let path = format!("/api/rollouts/{}/{way}", name.replace(' ', "%20"));
        let press = Callback::new(move |()| {
            let Some(reason) = why.given(outcome) else { return };
            let body = format!("{{\"reason\":{reason}}}");
            act(outcome, Call { method: method.to_owned(), path: path.clone(), body }, done);
        });
        let cannot = flag(move || {
            plans.read(|plans| plans.get(at).is_none_or(|plan| !plan.can.iter().any(|can| can == what)))
        });
        let says = text(move || says.to_owned());
        settle(
            view! { <span hidden=cannot>{button((class, format!("rollout-{what}")), says, says, busy, press)}</span> },
        )
    };
    let switches: Vec<_> = SWITCHES.into_iter().map(switch).collect();
    let sides = move || plans.read(|plans| plans.get(at).map_or(0, |plan| plan.sides.len()));
    let changes = move || plans.read(|plans| plans.get(at).map_or(0, |plan| plan.history.len()));
    let none = flag(move || changes() > 0);
    let live = use_live();
    let target =
        live.topology.with_untracked(|topology| topology.rollouts.get(at).map(|info| info.target_success));
    let bounds = settle(view! { <Bounds tick=live.rollout(at) target=target.unwrap_or_default()/> });
    let pill = settle(view! { <Pill tone=of(|plan| &plan.tone) word=of(|plan| &plan.word)/> });
    settle(view! {
        <Card id=format!("rollout-{name}") title=name.clone() class="acts" aside=pill>{settle(view! {
            <p data-testid="rollout-says">{of(|plan| &plan.says)}</p>
            {bounds}
            <p class="muted">{of(|plan| &plan.evidence)}</p>
            <Table head=&SIDES hidden=flag(move || sides() == 0) each=Arc::new(move || numbered(0..sides())) row=Arc::new(move |side| one_side(plans, at, side))/>
            <div class="actions">
                {why.field("Reason for the change")}
                {switches}
            </div>
            <OutcomeLine outcome error="rollout-error" done/>
        })}</Card>
        {shadow::shadow(plans, at, &name)}
        <Card id=format!("history-{name}") title="What moved it">{settle(view! {
            <p class="muted" hidden=none>"Nothing so far."</p>
            <Table head=&CHANGES hidden=flag(move || changes() == 0) each=Arc::new(move || entries(plans, at)) row=Arc::new(move |change| one_change(plans, at, change))/>
        })}</Card>
    })
}

const SIDES: [(&str, &str); 4] =
    [("", "Side"), ("num", "Share"), ("num", "Seen"), ("num", "Success lies between")];
const CHANGES: [(&str, &str); 4] = [("", "At"), ("", "Share"), ("wide", "By"), ("half", "Why")];

fn one_side(plans: Known, at: usize, side: usize) -> Settled {
    let of = move |read: fn(&Side) -> &String| {
        text(move || {
            let read = |plans: &Vec<Plan>| Some(read(plans.get(at)?.sides.get(side)?).clone());
            plans.read(read).unwrap_or_default()
        })
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

/// Named by their moments: a new one comes before the others.
fn entries(plans: Known, at: usize) -> Vec<(String, usize)> {
    plans.read(|plans| {
        let changes = plans.get(at).map(|plan| plan.history.iter()).into_iter().flatten();
        changes.enumerate().map(|(place, change)| (format!("{}-{place}", change.at_ms), place)).collect()
    })
}

fn one_change(plans: Known, at: usize, change: usize) -> Settled {
    let live = use_live();
    let of = move |read: fn(&Change) -> &String| {
        text(move || {
            let read = |plans: &Vec<Plan>| Some(read(plans.get(at)?.history.get(change)?).clone());
            plans.read(read).unwrap_or_default()
        })
    };
    let when = text(move || {
        let at_ms = plans.read(|plans| Some(plans.get(at)?.history.get(change)?.at_ms)).unwrap_or_default();
        format::clock(at_ms, live.zone())
    });
    row(
        text(|| "change".to_owned()),
        vec![
            cell("", when),
            cell("keep", of(|change| &change.what)),
            cell("muted wide", of(|change| &change.by)),
            cell("whole", of(|change| &change.reason)),
        ],
    )
}
