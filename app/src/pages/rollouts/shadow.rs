//! What the candidate answers otherwise than legacy: copies of requests, compared, and how much is copied.

use std::sync::Arc;

use leptos::prelude::*;
use serde::Deserialize;

use super::{Acts, One};
use crate::components::parts::{block, card, outcome_line, pill, says, table};
use crate::components::{Outcome, button, cell, holding, line, numbered, row};
use crate::settled::Settled;
use crate::signals::text;

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

const HEAD: [(&str, &str); 5] =
    [("", "Field"), ("wide", "Differs in"), ("num", "Candidate"), ("num", "Legacy itself"), ("", "Verdict")];

/// The card of a rollout's shadow traffic.
pub fn shadow(one: One, name: &str, path: String) -> Settled {
    let percent = RwSignal::new(String::new());
    let acts = Acts::new(one, Callback::new(move |()| percent.set(String::new())));
    let reset = format!("{path}/shadow/reset");
    let path = format!("{path}/shadow");
    let set = Callback::new(move |()| {
        let wanted = percent.get_untracked().trim().trim_end_matches('%').trim().to_owned();
        // The server says what else may be wrong with it.
        if wanted.is_empty() || wanted.contains(|c: char| !c.is_ascii_digit() && c != '.') {
            let how = "How many percent? Write a number from 0 to 100.".to_owned();
            acts.outcome.set(Outcome::Failed(how));
            return;
        }
        acts.send("POST", &path, &format!("\"percent\":{wanted},"));
    });
    let forget = Callback::new(move |()| acts.send("POST", &reset, ""));
    let (sets, forgets) =
        (text(|| "Copy this share".to_owned()), text(|| "Forget what was found".to_owned()));
    let rows = move || numbered(0..one.read(|plan| plan.shadow.rows.len()));
    let parts = vec![
        says("", "shadow-says", one.text(|plan| &plan.shadow.says)),
        says("muted", "shadow-latency", one.text(|plan| &plan.shadow.latency)),
        table(&HEAD, Arc::new(rows), Arc::new(move |at| place(one, at))),
        says("muted", "shadow-more", one.text(|plan| &plan.shadow.more)),
        block(
            "actions wrap",
            vec![
                line(percent, "Percent, 0 to 100", "Share to copy in percent", "6"),
                acts.why.field("Reason for copying"),
                button(("", "shadow-set".to_owned()), sets, sets, acts.busy(), set),
                button(("", "shadow-reset".to_owned()), forgets, forgets, acts.busy(), forget),
            ],
        ),
        outcome_line(acts.outcome, "shadow-error", acts.done),
    ];
    let state = pill(one.text(|plan| &plan.shadow.tone), one.text(|plan| &plan.shadow.word));
    card(format!("shadow-{name}"), "Shadow traffic".to_owned(), state, parts)
}

fn place(one: One, at: usize) -> Settled {
    let of = move |read: fn(&Place) -> &String| {
        text(move || {
            one.read(|plan| plan.shadow.rows.get(at).map(|place| read(place).clone()).unwrap_or_default())
        })
    };
    row(
        of(|place| &place.field),
        vec![
            cell("mono", of(|place| &place.field)),
            cell("wide", of(|place| &place.kind)),
            cell("num", of(|place| &place.candidate)),
            cell("num", of(|place| &place.noise)),
            holding("", pill(of(|place| &place.tone), of(|place| &place.verdict))),
        ],
    )
}
