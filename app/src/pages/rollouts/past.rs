//! What has moved a rollout, the latest first.

use std::sync::Arc;

use serde::Deserialize;

use super::One;
use crate::components::parts::{card, says, table};
use crate::components::{cell, row};
use crate::format;
use crate::live::use_live;
use crate::settled::{Settled, settle};
use crate::signals::text;

/// In the server's words.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Change {
    at_ms: u64,
    what: String,
    by: String,
    reason: String,
}

const HEAD: [(&str, &str); 4] = [("", "At"), ("", "Share"), ("wide", "By"), ("half", "Why")];

/// The card with them.
pub fn past(one: One, name: &str) -> Settled {
    let none = text(move || match one.read(|plan| plan.history.len()) {
        0 => "Nothing so far.".to_owned(),
        _ => String::new(),
    });
    // Named by their moments: a new one comes before the others.
    let each = move || {
        one.read(|plan| {
            let named = |(place, change): (usize, &Change)| (format!("{}-{place}", change.at_ms), place);
            plan.history.iter().enumerate().map(named).collect()
        })
    };
    let parts = vec![
        says("muted", "no-change", none),
        table(&HEAD, Arc::new(each), Arc::new(move |at| change(one, at))),
    ];
    card(format!("history-{name}"), "What moved it".to_owned(), settle(()), parts)
}

fn change(one: One, at: usize) -> Settled {
    let live = use_live();
    let of = move |read: fn(&Change) -> String| {
        text(move || one.read(|plan| plan.history.get(at).map(read).unwrap_or_default()))
    };
    let when = text(move || {
        let at_ms = one.read(|plan| plan.history.get(at).map(|change| change.at_ms).unwrap_or_default());
        format::clock(at_ms, live.zone())
    });
    row(
        text(|| "change".to_owned()),
        vec![
            cell("", when),
            cell("keep", of(|change| change.what.clone())),
            cell("muted wide", of(|change| change.by.clone())),
            cell("whole", of(|change| change.reason.clone())),
        ],
    )
}
