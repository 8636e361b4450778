//! Who uses a limit, and how much of it is left for each.

use std::sync::Arc;

use leptos::prelude::*;
use serde::Deserialize;

use crate::components::{Card, Meter, Pill, Table, cell, holding, row};
use crate::format;
use crate::live::Asked;
use crate::settled::{Settled, settle};
use crate::signals::{flag, text};

/// What the page reads of one of `GET /api/limits`.
#[derive(Debug, Deserialize)]
pub struct Told {
    pub path: String,
    key: String,
    shadow: bool,
    says: String,
    counted: String,
    top: Vec<User>,
}

/// One of its keys.
#[derive(Debug, Deserialize)]
struct User {
    key: String,
    used: u32,
    capacity: u32,
    reset_ms: u64,
    says: String,
}

type Known = Asked<Vec<Told>>;

/// One of them, by its route.
#[derive(Clone, Copy, Debug)]
struct Limit {
    limits: Known,
    path: StoredValue<String>,
}

impl Limit {
    fn keys(self) -> Vec<(String, usize)> {
        self.read(|limit| limit.top.iter().map(|user| user.key.clone()).zip(0..).collect())
            .unwrap_or_default()
    }

    fn find(self, limits: &[Told]) -> Option<&Told> {
        self.path.with_value(|path| limits.iter().find(|limit| limit.path == *path))
    }

    fn read<T>(self, read: impl FnOnce(&Told) -> T) -> Option<T> {
        self.limits.read(|limits| self.find(limits).map(read))
    }
}

/// The card of a route's limit.
#[component]
pub fn Users(limits: Known, path: String, candidate: RwSignal<String>) -> impl IntoView {
    let limit = Limit { limits, path: StoredValue::new(path.clone()) };
    let of = move |read: fn(&Told) -> String| text(move || limit.read(read).unwrap_or_default());
    let count = move || limit.read(|limit| limit.top.len()).unwrap_or_default();
    let pill = settle(view! {
        <Pill tone=of(|limit| if limit.shadow { "warn" } else { "ok" }.to_owned())
            word=of(|limit| if limit.shadow { "in shadow" } else { "enforced" }.to_owned())/>
    });
    settle(view! {
        <Card id="limit" title=path class="acts" aside=pill>{settle(view! {
            {limits.doubt()}
            <p class="says" data-testid="limit-says">{of(|limit| limit.says.clone())}</p>
            <p class="muted" hidden=flag(move || count() > 0)>"Nobody has used it lately."</p>
            <Table head=&HEAD hidden=flag(move || count() == 0) each=Arc::new(move || limit.keys()) row=Arc::new(move |at| user(limit, at, candidate))/>
            <p class="muted" data-testid="limit-counts">{of(|limit| limit.counted.clone())}</p>
        })}</Card>
    })
}

const HEAD: [(&str, &str); 5] = [
    ("", "Who, fullest first"),
    ("third", "Used"),
    ("num", "Requests"),
    ("num wide", "Whole again in"),
    ("", ""),
];

fn user(limit: Limit, at: usize, candidate: RwSignal<String>) -> Settled {
    // By its name, not its place, which changes.
    let name =
        limit.limits.peek(|limits| limit.find(limits).and_then(|limit| Some(limit.top.get(at)?.key.clone())));
    let name = StoredValue::new(name.unwrap_or_default());
    let read = move |read: fn(&User) -> String| {
        text(move || limit.read(|limit| found(limit, name).map(read)).flatten().unwrap_or_default())
    };
    let key = read(|user| user.key.clone());
    let share = Signal::derive(move || {
        limit.read(|limit| found(limit, name).map(share)).flatten().unwrap_or_default()
    });
    // Only clients can be blocked.
    let is_client = flag(move || limit.read(|limit| limit.key == "client").unwrap_or_default());
    let says = text(move || format!("Block {}", key.get()));
    let block = settle(view! {
        <a href="#block" class="button" aria-label=says hidden=flag(move || !is_client.get()) on:click=move |_| candidate.set(key.get_untracked())>
            "Block…"
        </a>
    });
    row(
        text(move || format!("user-{}", key.get())),
        vec![
            cell("mono one", key),
            holding("whole", settle(view! { <Meter share label=key/> })),
            cell("num one whole", read(|user| user.says.clone())),
            cell("num wide muted", read(|user| format::seconds(user.reset_ms))),
            holding("num acting", block),
        ],
    )
}

fn found(limit: &Told, name: StoredValue<String>) -> Option<&User> {
    name.with_value(|name| limit.top.iter().find(|user| user.key == *name))
}

fn share(user: &User) -> f64 {
    f64::from(user.used) / f64::from(user.capacity.max(1))
}
