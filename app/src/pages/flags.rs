//! Every feature flag with its switch, and one of them in full, named by the address.

mod detail;

use std::sync::Arc;

use leptos::prelude::*;
use leptos_router::hooks::use_location;
use rad_model::Call;
use serde::Deserialize;

use crate::components::parts::{block, card, form, outcome_line, pill, says, table};
use crate::components::{Outcome, Why, act, button, cell, holding, line, link, reveal, row};
use crate::live::Asked;
use crate::look::{query, use_look};
use crate::settled::{Settled, changing, settle};
use crate::signals::{flag, text};

/// What the page reads of one of `GET /api/flags`, in the server's words.
#[derive(Clone, Debug, Deserialize)]
struct Told {
    key: String,
    version: u64,
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
    /// Tells that something was changed here.
    changed: RwSignal<()>,
    chosen: Signal<String>,
}

impl List {
    fn flag(self, key: &str) -> Option<Told> {
        self.all.read(|all| all.iter().find(|told| told.key == key).cloned())
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
            self.changed.set(());
            self.all.again();
        })
    }

    fn fails(self, why: &str) {
        self.outcome.set(Outcome::Failed(why.to_owned()));
    }

    /// Sends a change to a path below that of a flag; the reason is added to what it says.
    fn send(self, method: &str, path: &str, says: &str) {
        let Some(why) = self.why.given(self.outcome) else { return };
        let body = format!("{{{says},\"reason\":{why}}}");
        act(
            self.outcome,
            Call { method: method.to_owned(), path: format!("/api/flags/{path}"), body },
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
        changed: RwSignal::new(()),
        chosen,
    };
    // As long as the same one is shown, it is drawn once.
    let shown = Memo::new(move |_| {
        let key = chosen.get();
        if list.flag(&key).is_some() { key } else { String::new() }
    });
    let details = move || match shown.get() {
        key if key.is_empty() => says("muted", "no-flag", absent(list)),
        key => detail::cards(list, key),
    };
    reveal("flag", chosen);
    let each = move || list.all.read(|all| all.iter().map(|told| told.key.clone()).zip(0..).collect());
    let [name, make] = create(list);
    let acting = block("actions wrap", vec![list.why.field("Reason for the change"), name, make]);
    let parts = vec![
        list.all.doubt(),
        table(&HEAD, Arc::new(each), Arc::new(move |at| one(list, at))),
        form("acting", false.into(), vec![acting]),
        outcome_line(list.outcome, "flag-error", list.done()),
    ];
    settle(vec![card("flags".to_owned(), "Flags".to_owned(), settle(()), parts), changing(Box::new(details))])
}

/// That there is no such flag, once it is known which there are.
fn absent(list: List) -> Signal<String> {
    text(move || match list.chosen.get() {
        key if key.is_empty() || list.all.with(|all| all.is_none()) => String::new(),
        key => format!("No flag has the key {key}."),
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
    let of = move |read: fn(Told) -> String| text(move || told().map(read).unwrap_or_default());
    let name = text(move || key.get_value());
    let href = text(move || format!("/flags/{}{}", key.get_value(), query(look.range.get(), "")));
    let linked = block(
        "",
        vec![link(href, name, Some(list.chosen)), says("muted", "description", of(|told| told.description))],
    );
    let verb = of(|told| if told.on { "Turn off" } else { "Turn on" }.to_owned());
    let label = text(move || format!("{} {}", verb.get(), key.get_value()));
    let toggle = Callback::new(move |()| {
        let on = !told().is_some_and(|told| told.on);
        list.send("POST", &format!("{}/toggle", key.get_value()), &format!("\"on\":{on}"));
    });
    row(
        text(move || format!("flag-{}", key.get_value())),
        vec![
            holding("one", linked),
            holding("keep", pill(of(|told| told.tone), of(|told| told.word))),
            cell("whole", of(|told| told.serves)),
            cell("muted wide", of(|told| told.r#where)),
            cell("muted spare", of(|told| told.changed)),
            holding("num acting", button(("", "toggle".to_owned()), verb, label, list.busy(), toggle)),
        ],
    )
}

/// How a flag begins that is made here: nobody notices it before somebody turns it on.
const BEGINNING: &str = "\"flag\":{\"on\":false,\"variants\":{\"off\":false,\"on\":true},\"off_variant\":\"off\",\"default\":\"on\"},\"version\":0";

/// Makes a flag that is off.
fn create(list: List) -> [Settled; 2] {
    let key = RwSignal::new(String::new());
    let says = text(|| "New flag".to_owned());
    let make = Callback::new(move |()| match key.get_untracked().trim() {
        "" => list.fails("Which key? Write one such as new-checkout."),
        name if name.contains(['/', '?', '#', '%']) => {
            list.fails("A key holds letters, digits, '-', '_' and '.' only.");
        }
        name => {
            list.send("PUT", name, BEGINNING);
            key.set(String::new());
        }
    });
    let name = line(key, "Key of a new flag", "Key of a new flag", "64");
    [name, button(("", "create".to_owned()), says, says, list.busy(), make)]
}
