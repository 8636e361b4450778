//! One flag in full: who gets what, what somebody would get, how it is written, and how it came to be so.

use std::sync::Arc;

use leptos::prelude::*;
use serde::Deserialize;

use super::List;
use crate::components::parts::{area, block, card, form, outcome_line, pill, says, table};
use crate::components::{Outcome, act, button, cell, holding, line, post, row};
use crate::live::Asked;
use crate::settled::{Settled, settle};
use crate::signals::{effect, flag, text};

/// What the page reads of `GET /api/flags/KEY`, in the server's words.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Answer {
    version: u64,
    is_own: bool,
    tone: String,
    word: String,
    says: String,
    needs: String,
    shared: String,
    share: String,
    text: String,
    /// Rows of tables; the first cell of each names it.
    variant_rows: Rows,
    rule_rows: Rows,
    history_rows: Rows,
}

type Known = Asked<Answer>;
type Rows = Vec<Vec<String>>;
/// Headings of a table; a cell is of the class of its heading.
type Head = &'static [(&'static str, &'static str)];

const VARIANTS: Head = &[("keep", "Variant"), ("num", "Share"), ("half whole", "Value")];
const RULES: Head = &[("whole", "Rules: the first that matches decides")];
const PAST: Head = &[
    ("num wide", "Version"),
    ("keep", "When"),
    ("keep", "What"),
    ("muted wide", "By"),
    ("whole", "Why"),
    ("", ""),
];

/// What somebody may ask it with at first.
const CONTEXT: &str = "{\n  \"targetingKey\": \"user-1\",\n  \"country\": \"CH\"\n}";

/// The cards of a flag.
pub fn cards(list: List, name: String) -> Settled {
    let known = Known::new(&format!("/api/flags/{name}"));
    let key = StoredValue::new(name.clone());
    // The list tells that it is another one now, and does not hold it any more when it is gone.
    let version = Memo::new(move |_| {
        let told = key.with_value(|key| list.flag(key));
        told.map(|told| told.version.to_string()).unwrap_or_default()
    });
    effect(move || {
        if !version.get().is_empty() {
            known.again();
        }
    });
    let (here, past) = (list.apart(), list.apart());
    let of = move |read: fn(&Answer) -> &String| text(move || known.read(|flag| read(flag).clone()));
    let standing = pill(of(|flag| &flag.tone), of(|flag| &flag.word));
    let back = Callback::new(move |version: String| {
        let now = known.peek(|flag| flag.version);
        let says = format!("\"to\":{version},\"version\":{now}");
        past.send("POST", &format!("{}/revert", key.get_value()), &says);
    });
    let parts = vec![
        known.doubt(),
        says("says", "flag-says", of(|flag| &flag.says)),
        says("muted", "flag-needs", of(|flag| &flag.needs)),
        listed(known, VARIANTS, |flag| &flag.variant_rows, None),
        listed(known, RULES, |flag| &flag.rule_rows, None),
        share(here, known, key),
        outcome_line(here.outcome, "share-error", here.done()),
    ];
    let history = vec![
        listed(known, PAST, |flag| &flag.history_rows, Some((past, back))),
        outcome_line(past.outcome, "revert-error", past.done()),
    ];
    let history = card("flag-history".to_owned(), "What changed it".to_owned(), settle(()), history);
    settle(vec![
        card("flag".to_owned(), name, standing, parts),
        block("pair", vec![trial(list.apart(), key), history]),
        edit(list, known, key),
    ])
}

/// A table of rows as the server has written them, with a button that goes back to one.
fn listed(
    known: Known,
    head: Head,
    rows: fn(&Answer) -> &Rows,
    back: Option<(List, Callback<String>)>,
) -> Settled {
    let each = move || {
        known.read(|flag| {
            rows(flag).iter().map(|row| row.first().cloned().unwrap_or_default()).zip(0..).collect()
        })
    };
    let one = move |at: usize| {
        // By its name, not its place, which changes.
        let name =
            known.peek(|flag| rows(flag).get(at).and_then(|row| row.first()).cloned()).unwrap_or_default();
        let name = StoredValue::new(name);
        let of = move |cell: usize| {
            text(move || {
                known.read(|flag| {
                    let row = name.with_value(|name| rows(flag).iter().find(|row| row.first() == Some(name)));
                    row.and_then(|row| row.get(cell)).cloned().unwrap_or_default()
                })
            })
        };
        let cells = head.iter().enumerate().filter(|(_, (_, word))| !word.is_empty());
        let mut cells: Vec<_> = cells.map(|(at, (class, _))| cell(class, of(at))).collect();
        cells.extend(back.map(|(list, back)| {
            let is_now = move || name.with_value(|name| *name == known.read(|flag| flag.version).to_string());
            let busy = list.busy();
            let idle = flag(move || busy.get() || is_now());
            let label = text(move || format!("Back to version {}", name.get_value()));
            let press = Callback::new(move |()| back.run(name.get_value()));
            let says = text(|| "Back to this".to_owned());
            holding("num acting", button(("", "revert".to_owned()), says, label, idle, press))
        }));
        row(of(0), cells)
    };
    table(head, Arc::new(each), Arc::new(one))
}

/// The share of those whom no rule matches.
fn share(list: List, known: Known, key: StoredValue<String>) -> Settled {
    let percent = RwSignal::new(String::new());
    let verb = text(move || known.read(|flag| format!("Set the share of {}", flag.shared)));
    let set = Callback::new(move |()| {
        let wanted = percent.get_untracked().trim().trim_end_matches([' ', '%']).to_owned();
        // What is no number is for the server to refuse, as long as it can be read at all.
        if wanted.is_empty() || wanted.contains(|c: char| !c.is_ascii_digit() && c != '.') {
            return list.fails("How many percent? Write a number from 0 to 100.");
        }
        list.send("POST", &format!("{}/share", key.get_value()), &format!("\"percent\":{wanted}"));
        percent.set(String::new());
    });
    let now = text(move || known.read(|flag| format!("{} % now, of those whom no rule matches", flag.share)));
    let none = flag(move || known.read(|flag| flag.shared.is_empty()));
    form(
        "actions wrap acting",
        none,
        vec![
            line(percent, "Percent, 0 to 100", "Share in percent", "6"),
            button(("", "share".to_owned()), verb, verb, list.busy(), set),
            says("muted", "share-now", now),
        ],
    )
}

/// What somebody would get, and why; nothing is changed.
fn trial(list: List, key: StoredValue<String>) -> Settled {
    let context = RwSignal::new(CONTEXT.to_owned());
    let ask = Callback::new(move |()| {
        let (path, body) = (format!("/api/flags/{}/evaluate", key.get_value()), context.get_untracked());
        list.outcome.set(Outcome::Nothing);
        act(list.outcome, post(path, format!("{{\"context\":{body}}}")), Callback::new(|_| {}));
    });
    let verb = text(|| "Try it".to_owned());
    let write = Callback::new(move |text| context.set(text));
    let press = block("actions", vec![button(("", "try".to_owned()), verb, verb, list.busy(), ask)]);
    let parts = vec![
        form("acting", false.into(), vec![area("Context, JSON", "6", context.into(), write), press]),
        outcome_line(list.outcome, "try-error", list.done()),
    ];
    card("flag-trial".to_owned(), "Try it".to_owned(), settle(()), parts)
}

/// The card in which a flag is written.
fn edit(list: List, known: Known, key: StoredValue<String>) -> Settled {
    let here = list.apart();
    // What was typed, and over which version; none while what is in force is shown.
    let (draft, over) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let is_typed = move || !over.get().is_empty();
    let shown = text(move || if is_typed() { draft.get() } else { known.read(|flag| flag.text.clone()) });
    let write = Callback::new(move |text| {
        draft.set(text);
        if over.with_untracked(String::is_empty) {
            over.set(known.peek(|flag| flag.version).to_string());
        }
    });
    // What is in force now is what was typed, or somebody has taken it back.
    effect(move || {
        list.changed.track();
        over.set(String::new());
    });
    let says = |word: &'static str| text(move || word.to_owned());
    let press = |(class, name): (&'static str, &'static str), word, busy, press: Callback<()>| {
        button((class, name.to_owned()), says(word), says(word), busy, press)
    };
    let save = Callback::new(move |()| {
        if is_typed() {
            let body = format!("\"flag\":{},\"version\":{}", draft.get_untracked(), over.get_untracked());
            here.send("PUT", &key.get_value(), &body);
        }
    });
    let busy = here.busy();
    let idle = flag(move || busy.get() || !is_typed());
    // What became of it is told where the flag was: this card goes with it.
    let archive = Callback::new(move |()| {
        let version = known.peek(|flag| flag.version);
        list.send("DELETE", &key.get_value(), &format!("\"version\":{version}"));
    });
    let own = flag(move || list.busy().get() || known.read(|flag| flag.is_own));
    let presses = vec![
        press(("primary", "save"), "Save", idle, save),
        press(("", "discard"), "Discard changes", idle, Callback::new(move |()| over.set(String::new()))),
        press(("danger", "archive"), "Archive", own, archive),
    ];
    let parts = vec![
        form(
            "acting",
            false.into(),
            vec![area("The flag, JSON", "16", shown, write), block("actions wrap", presses)],
        ),
        outcome_line(here.outcome, "save-error", here.done()),
    ];
    card("flag-edit".to_owned(), "As it is written".to_owned(), settle(()), parts)
}
