//! What cards of pages are put together from: each of one type, so that it is in the bundle once, where the same in
//! `view!` is code of its own each time.

use std::sync::Arc;

use leptos::prelude::*;

use super::{Card, Outcome, OutcomeLine, Pill, Table};
use crate::settled::{Settled, settle};
use crate::signals::flag;

/// Entries of a list, by name and number, and how one is drawn.
pub type Entries = Arc<dyn Fn() -> Vec<(String, usize)> + Send + Sync>;
/// Draws an entry.
pub type Drawing = Arc<dyn Fn(usize) -> Settled + Send + Sync>;

/// A card in which something is done.
pub fn card(id: String, title: String, aside: Settled, parts: Vec<Settled>) -> Settled {
    settle(view! { <Card id title class="acts" aside>{parts}</Card> })
}

/// What belongs together.
pub fn block(class: &'static str, parts: Vec<Settled>) -> Settled {
    settle(view! { <div class=class>{parts}</div> })
}

/// What is pressed; not there for readers without a script, and hidden while it has no sense.
pub fn form(class: &'static str, hidden: Signal<bool>, parts: Vec<Settled>) -> Settled {
    settle(view! { <form class=class hidden=hidden onsubmit="return false">{parts}</form> })
}

/// A sentence; `name` names it in tests. There is nothing of it while it is empty.
pub fn says(class: &'static str, name: &'static str, text: Signal<String>) -> Settled {
    let none = flag(move || text.with(String::is_empty));
    settle(view! { <p class=class data-testid=name hidden=none>{text}</p> })
}

/// A state, by colour and word.
pub fn pill(tone: Signal<String>, word: Signal<String>) -> Settled {
    settle(view! { <Pill tone word/> })
}

/// A long text to be written.
pub fn area(
    name: &'static str,
    rows: &'static str,
    text: Signal<String>,
    write: Callback<String>,
) -> Settled {
    settle(view! {
        <textarea rows=rows spellcheck="false" aria-label=name prop:value=text
            on:input=move |event| write.run(event_target_value(&event))>
            {text.get_untracked()}
        </textarea>
    })
}

/// A table; not there while nothing is in it.
pub fn table(head: &'static [(&'static str, &'static str)], each: Entries, row: Drawing) -> Settled {
    let hidden = {
        let each = Arc::clone(&each);
        flag(move || each().is_empty())
    };
    settle(view! { <Table head hidden each row/> })
}

/// What became of the last press.
pub fn outcome_line(outcome: RwSignal<Outcome>, error: &'static str, done: Callback<String>) -> Settled {
    settle(view! { <OutcomeLine outcome error done/> })
}
