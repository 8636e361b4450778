//! Every feature flag with its switch, and one of them in full, named by the address.

mod detail;
mod edit;

use std::sync::Arc;

use leptos::prelude::*;
use leptos_router::hooks::use_location;
use serde::Deserialize;

use crate::components::{
    Card, Outcome, OutcomeLine, Pill, Table, Why, act, button, cell, holding, link, post, reveal, row,
};
use crate::live::Asked;
use crate::look::{query, use_look};
use crate::settled::{Settled, changing, settle};
use crate::signals::{flag, text};
use detail::Detail;
use edit::create;

/// What the page reads of one of `GET /api/flags`, in the server's words.
#[derive(Clone, Debug, Deserialize)]
struct Told {
    key: String,
    description: String,
    on: bool,
    tone: String,
    word: String,
    serves: String,
    r#where: String,
    changed: String,
}

/// The list, what became of the last press, and why the next one is done.
#[derive(Clone, Copy, Debug)]
struct List {
    all: Asked<Vec<Told>>,
    outcome: RwSignal<Outcome>,
    why: Why,
    /// Counts what was changed here, so that what is shown in full is asked for anew.
    changes: RwSignal<u32>,
    chosen: Signal<String>,
}

impl List {
    fn flag(self, key: &str) -> Option<Told> {
        self.all.read(|all| all.iter().find(|told| told.key == key).cloned())
    }

    fn keys(self) -> Vec<(String, usize)> {
        self.all.read(|all| all.iter().map(|told| told.key.clone()).zip(0..).collect())
    }

    /// The same with an outcome of its own, for a card of its own.
    fn apart(self) -> Self {
        Self { outcome: RwSignal::new(Outcome::default()), ..self }
    }

    fn busy(self) -> Signal<bool> {
        flag(move || self.outcome.with(|outcome| *outcome == Outcome::Under))
    }

    /// Shows what was changed.
    fn done(self) -> Callback<String> {
        Callback::new(move |_| {
            self.why.clear();
            self.changes.update(|changes| *changes += 1);
            self.all.again();
        })
    }

    /// Posts a change; the reason is added to what it says.
    fn post(self, key: &str, what: &str, says: &str) {
        let Some(why) = self.why.given(self.outcome) else { return };
        act(
            self.outcome,
            post(format!("/api/flags/{key}/{what}"), format!("{{{says},\"reason\":{why}}}")),
            self.done(),
        );
    }
}

/// The flags' page.
pub fn page() -> Settled {
    let path = use_location().pathname;
    let chosen = text(move || path.with(|path| path.split('/').nth(2).unwrap_or_default().to_owned()));
    let list = List {
        all: Asked::new("/api/flags"),
        outcome: RwSignal::new(Outcome::default()),
        why: Why::new(),
        changes: RwSignal::new(0),
        chosen,
    };
    // As long as the same one is shown, it is drawn once.
    let shown = Memo::new(move |_| {
        let key = chosen.get();
        list.all.with(|all| all.is_some_and(|all| all.iter().any(|told| told.key == key))).then_some(key)
    });
    let details = move || match shown.get() {
        Some(name) => settle(view! { <Detail list name/> }),
        None if chosen.with(String::is_empty) || list.all.with(|all| all.is_none()) => settle(()),
        None => {
            let says = format!("No flag has the key {}.", chosen.get());
            settle(view! { <p class="muted">{says}</p> })
        }
    };
    reveal("flag", chosen);
    let count = move || list.all.read(Vec::len);
    settle(view! {
        <Card id="flags" title="Flags" class="acts" hint="Any OpenFeature client reads them over OFREP at this address.">{settle(view! {
            {list.all.doubt()}
            <Table head=&HEAD hidden=flag(move || count() == 0) each=Arc::new(move || list.keys()) row=Arc::new(move |at| one(list, at))/>
            <form class="acting" onsubmit="return false">
                <div class="actions">
                    {list.why.field("Reason for the change")}
                    {create(list)}
                </div>
            </form>
            <OutcomeLine outcome=list.outcome error="flag-error" done=list.done()/>
        })}</Card>
        {changing(Box::new(details))}
    })
}

const HEAD: [(&str, &str); 6] = [
    ("", "Flag"),
    ("", "Is"),
    ("third", "Everybody gets"),
    ("wide", "Where"),
    ("spare", "Changed"),
    ("", ""),
];

fn one(list: List, at: usize) -> Settled {
    let look = use_look();
    // By its name, not its place: what is above it may change between a look and a press.
    let key =
        StoredValue::new(list.all.peek(|all| all.get(at).map(|told| told.key.clone())).unwrap_or_default());
    let told = move || key.with_value(|key| list.flag(key));
    let of = move |read: fn(&Told) -> String| text(move || told().as_ref().map(read).unwrap_or_default());
    let name = text(move || key.get_value());
    let href = text(move || format!("/flags/{}{}", key.get_value(), query(look.range.get(), "")));
    let linked = settle(view! {
        {link(href, name, Some(list.chosen))}
        <small class="muted">{of(|told| told.description.clone())}</small>
    });
    let pill = settle(view! { <Pill tone=of(|told| told.tone.clone()) word=of(|told| told.word.clone())/> });
    let says = of(|told| if told.on { "Turn off" } else { "Turn on" }.to_owned());
    let label = text(move || format!("{} {}", says.get(), key.get_value()));
    let toggle = Callback::new(move |()| {
        let on = told().is_some_and(|told| told.on);
        key.with_value(|key| list.post(key, "toggle", &format!("\"on\":{}", !on)));
    });
    row(
        text(move || format!("flag-{}", key.get_value())),
        vec![
            holding("one", linked),
            holding("keep", pill),
            cell("whole", of(|told| told.serves.clone())),
            cell("muted wide", of(|told| told.r#where.clone())),
            cell("muted spare", of(|told| told.changed.clone())),
            holding("num acting", button(("", "toggle".to_owned()), says, label, list.busy(), toggle)),
        ],
    )
}
