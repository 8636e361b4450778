//! Who did what, when and why; and the way back where there is one. What is looked for stands in the URL.

use std::sync::Arc;

use leptos::prelude::*;
use leptos_router::hooks::{use_location, use_query_map};
use serde::Deserialize;

use crate::components::{
    Card, Outcome, OutcomeLine, Table, Why, act, button, cell, holding, link, post, row,
};
use crate::format;
use crate::live::{Asked, use_live};
use crate::settled::{Settled, changing, settle};
use crate::signals::{flag, text};

/// `GET /api/audit/page`, in the server's words.
#[derive(Clone, Debug, Default, Deserialize)]
struct Log {
    rows: Vec<Entry>,
    says: String,
    older: String,
    latest: String,
    csv: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Entry {
    id: u64,
    at_ms: u64,
    by: String,
    by_href: String,
    action: String,
    action_href: String,
    object: String,
    object_href: String,
    change: String,
    why: String,
    note: String,
    reverts: bool,
}

/// What can be looked for: its name in the URL, and what its field says.
const WISHES: [(&str, &str); 4] =
    [("actor", "Who"), ("action", "What, such as rollout"), ("object", "On what"), ("text", "Any text")];

/// What a page with this query asks the API for.
#[must_use]
pub fn asks(query: &str) -> String {
    let known = |wish: &&str| {
        let (name, value) = wish.split_once('=').unwrap_or_default();
        !value.is_empty()
            && (matches!(name, "before" | "from" | "to") || WISHES.iter().any(|wish| wish.0 == name))
    };
    let wishes: Vec<_> = query.split('&').filter(known).collect();
    format!("/api/audit/page?{}", wishes.join("&"))
}

/// The page of the audit log.
pub fn page() -> Settled {
    let query = use_location().search;
    let asks = Memo::new(move |_| query.with(|query| asks(query)));
    settle(vec![
        settle(view! { <link rel="stylesheet" href="/audit.css"/> }),
        changing(Box::new(move || log(Asked::new(&asks.get())))),
    ])
}

fn log(log: Asked<Log>) -> Settled {
    let outcome = RwSignal::new(Outcome::default());
    let why = Why::new();
    let done = Callback::new(move |_| {
        why.clear();
        log.again();
    });
    let of = move |read: fn(&Log) -> &String| text(move || log.read(|log| read(log).clone()));
    let is = move |read: fn(&Log) -> bool| flag(move || log.read(read));
    let count = move || log.read(|log| log.rows.len());
    // An entry never changes; what it has to do with later ones is a part of its name.
    let each = move || {
        let name = |entry: &Entry| format!("{} {}", entry.id, entry.note);
        log.read(|log| log.rows.iter().map(name).zip(0..).collect())
    };
    let query = use_query_map();
    let field = |(name, says): (&'static str, &'static str)| {
        let value = query.with_untracked(|query| query.get(name).unwrap_or_default());
        settle(
            view! { <input type="text" name=name maxlength="200" placeholder=says aria-label=says value=value/> },
        )
    };
    let fields: Vec<_> = WISHES.into_iter().map(field).collect();
    let to = move |says: &'static str, href: Signal<String>| {
        let none = flag(move || href.with(String::is_empty));
        settle(view! { <a class="button" href=href hidden=none>{says}</a> })
    };
    settle(view! {
        <Card id="audit" title="What was done" class="acts" aside=settle(view! { <a class="button" href=of(|log| &log.csv) rel="external" download="audit.csv">"CSV"</a> })>{settle(view! {
            <form class="find" method="get" action="/audit" role="search">
                {fields}
                <button type="submit" class="primary">"Find"</button>
                <a class="button" href="/audit">"All"</a>
            </form>
            {log.doubt()}
            <p class="muted" hidden=is(|log| log.says.is_empty())>{of(|log| &log.says)}</p>
            <Table head=&HEAD hidden=flag(move || count() == 0) each=Arc::new(each) row=Arc::new(move |at| entry(log, at, (outcome, why, done)))/>
            <nav class="find" aria-label="Pages of the log">
                {to("Latest", of(|log| &log.latest))}
                {to("Older", of(|log| &log.older))}
            </nav>
            <div class="foot">
                <div class="actions acting" hidden=flag(move || count() == 0)>{why.field("Reason for the revert")}</div>
                <OutcomeLine outcome error="audit-error" done/>
            </div>
        })}</Card>
    })
}

const HEAD: [(&str, &str); 7] =
    [("", "At"), ("", "Who"), ("", "What"), ("", "On"), ("", "Change"), ("third", "Why"), ("", "")];

fn entry(
    log: Asked<Log>,
    at: usize,
    (outcome, why, done): (RwSignal<Outcome>, Why, Callback<String>),
) -> Settled {
    let live = use_live();
    let Entry {
        id,
        at_ms,
        change,
        why: said,
        note,
        reverts,
        by,
        by_href,
        action,
        action_href,
        object,
        object_href,
    } = log.peek(|log| log.rows.get(at).cloned().unwrap_or_default());
    let is = |said: String| text(move || said.clone());
    let to = |href: String, said: String| link(is(href), is(said), None);
    let press = Callback::new(move |()| {
        let Some(reason) = why.given(outcome) else { return };
        act(outcome, post(format!("/api/audit/{id}/revert"), format!("{{\"reason\":{reason}}}")), done);
    });
    let busy = flag(move || outcome.with(|outcome| *outcome == Outcome::Under));
    let label = text(move || format!("Revert entry {id}"));
    let button = button(("", "revert".to_owned()), is("Revert".to_owned()), label, busy, press);
    row(
        text(move || format!("entry-{id}")),
        vec![
            holding(
                "when",
                settle(
                    view! { {text(move || when(at_ms, live.zone()))} <small class="muted">{format!("#{id}")}</small> },
                ),
            ),
            holding("", to(by_href, by)),
            holding("mono", to(action_href, action)),
            holding("one whole", to(object_href, object)),
            cell("whole", is(change)),
            holding("whole", settle(view! { {is(said)} <small class="muted">{is(note)}</small> })),
            holding("num acting", settle(view! { <span hidden=!reverts>{button}</span> })),
        ],
    )
}

/// A day and a time: `2026-11-27 20:41:30`.
fn when(at_ms: u64, zone_min: i32) -> String {
    let days = (at_ms / 1_000).saturating_add_signed(i64::from(zone_min) * 60) / 86_400;
    // By the calendar whose years begin in March, so that the leap day is the last one; from the year 0 on.
    let day = days + 719_468;
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let march = (5 * day + 2) / 153;
    let (day, month) = (day - (153 * march + 2) / 5 + 1, if march < 10 { march + 3 } else { march - 9 });
    let year = era * 400 + year + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02} {}", format::clock(at_ms, zone_min))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_asks_for_what_its_address_names() {
        assert_eq!(asks(""), "/api/audit/page?");
        assert_eq!(
            asks("range=5m&actor=ada&text=&before=7&action=a%20b"),
            "/api/audit/page?actor=ada&before=7&action=a%20b"
        );
    }

    #[test]
    fn a_moment_is_told_with_its_day_in_the_readers_zone() {
        assert_eq!(when(1_700_000_000_000, 0), "2023-11-14 22:13:20");
        assert_eq!(when(1_700_000_000_000, 120), "2023-11-15 00:13:20");
        for (day_ms, says) in [
            (0, "1970-01-01"),
            (951_782_400_000, "2000-02-29"),
            (1_709_164_800_000, "2024-02-29"),
            (1_709_251_200_000, "2024-03-01"),
            (1_798_675_200_000, "2026-12-31"),
            (4_107_542_400_000, "2100-03-01"),
        ] {
            assert_eq!(when(day_ms, 0), format!("{says} 00:00:00"));
        }
    }
}
