//! What the candidate answers otherwise than legacy: copies of requests, compared, and how much is copied.

use std::sync::Arc;

use leptos::prelude::*;
use serde::Deserialize;

use super::{Known, Plan};
use crate::components::{
    Card, Outcome, OutcomeLine, Pill, Table, Why, act, button, cell, holding, line, numbered, post, row,
};
use crate::settled::{Settled, settle};
use crate::signals::{flag, text};

/// Of one rollout, in the server's words.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Shadow {
    tone: String,
    word: String,
    says: String,
    latency: String,
    rows: Vec<Place>,
    more: String,
}

/// Where answers differ.
#[derive(Clone, Debug, Default, Deserialize)]
struct Place {
    field: String,
    kind: String,
    candidate: String,
    noise: String,
    verdict: String,
    tone: String,
}

const HEAD: [(&str, &str); 5] = [
    ("", "Field"),
    ("wide", "Is otherwise in its"),
    ("num", "Candidate"),
    ("num", "Legacy itself"),
    ("", "Verdict"),
];

/// The card of a rollout's shadow traffic.
pub fn shadow(plans: Known, at: usize, name: &str) -> Settled {
    let outcome = RwSignal::new(Outcome::default());
    let (why, percent) = (Why::new(), RwSignal::new(String::new()));
    let busy = flag(move || outcome.with(|outcome| *outcome == Outcome::Under));
    let of = move |read: fn(&Shadow) -> &String| {
        text(move || {
            plans.read(|plans| plans.get(at).map(|plan| read(&plan.shadow).clone())).unwrap_or_default()
        })
    };
    let done = Callback::new(move |_| {
        why.clear();
        percent.set(String::new());
        plans.again();
    });
    let path = format!("/api/rollouts/{}/shadow", name.replace(' ', "%20"));
    let forget = format!("{path}/reset");
    let set = Callback::new(move |()| {
        let wanted = percent.get_untracked().trim().trim_end_matches('%').trim().to_owned();
        if wanted.parse::<f64>().is_err() {
            outcome.set(Outcome::Failed("How many percent? Write a number from 0 to 100.".to_owned()));
            return;
        }
        let Some(reason) = why.given(outcome) else { return };
        act(outcome, post(path.clone(), format!("{{\"percent\":{wanted},\"reason\":{reason}}}")), done);
    });
    let reset = Callback::new(move |()| {
        let Some(reason) = why.given(outcome) else { return };
        act(outcome, post(forget.clone(), format!("{{\"reason\":{reason}}}")), done);
    });
    let rows = move || plans.read(|plans| plans.get(at).map_or(0, |plan| plan.shadow.rows.len()));
    let none = move |read: fn(&Shadow) -> &String| {
        flag(move || plans.read(|plans| plans.get(at).is_none_or(|plan| read(&plan.shadow).is_empty())))
    };
    let (sets, forgets) =
        (text(|| "Copy this share".to_owned()), text(|| "Forget what was found".to_owned()));
    let pill = settle(view! { <Pill tone=of(|shadow| &shadow.tone) word=of(|shadow| &shadow.word)/> });
    settle(view! {
        <Card id=format!("shadow-{name}") title="Shadow traffic" class="acts" aside=pill hint="Copies of requests, of which nobody gets the answer.">{settle(view! {
            <p data-testid="shadow-says">{of(|shadow| &shadow.says)}</p>
            <p class="muted" hidden=none(|shadow| &shadow.latency)>{of(|shadow| &shadow.latency)}</p>
            <Table head=&HEAD hidden=flag(move || rows() == 0) each=Arc::new(move || numbered(0..rows())) row=Arc::new(move |place| one(plans, at, place))/>
            <p class="muted" hidden=none(|shadow| &shadow.more)>{of(|shadow| &shadow.more)}</p>
            <div class="actions wrap">
                {line(percent, "Percent, 0 to 100", "Share to copy in percent", "6")}
                {why.field("Reason for the change of the shadow")}
                {button(("", "shadow-set".to_owned()), sets, sets, busy, set)}
                {button(("", "shadow-reset".to_owned()), forgets, forgets, busy, reset)}
            </div>
            <OutcomeLine outcome error="shadow-error" done/>
        })}</Card>
    })
}

fn one(plans: Known, at: usize, place: usize) -> Settled {
    let of = move |read: fn(&Place) -> &String| {
        text(move || {
            let read = |plans: &Vec<Plan>| Some(read(plans.get(at)?.shadow.rows.get(place)?).clone());
            plans.read(read).unwrap_or_default()
        })
    };
    row(
        of(|place| &place.field),
        vec![
            cell("mono", of(|place| &place.field)),
            cell("wide", of(|place| &place.kind)),
            cell("num", of(|place| &place.candidate)),
            cell("num", of(|place| &place.noise)),
            holding(
                "",
                settle(view! { <Pill tone=of(|place| &place.tone) word=of(|place| &place.verdict)/> }),
            ),
        ],
    )
}
