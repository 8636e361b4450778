//! Making a flag, and writing another in its place.

use leptos::prelude::*;
use rad_model::Call;

use super::List;
use super::detail::Known;
use crate::components::{Card, Outcome, OutcomeLine, act, button, line};
use crate::settled::{Settled, settle};
use crate::signals::{effect, flag, text};

/// How a flag begins that is made here: nobody notices it before somebody turns it on.
const BEGINNING: &str =
    "{\"on\":false,\"variants\":{\"off\":false,\"on\":true},\"off_variant\":\"off\",\"default\":\"on\"}";

/// A long text to be written.
pub fn area(
    value: Signal<String>,
    change: Callback<String>,
    label: &'static str,
    rows: &'static str,
) -> Settled {
    settle(view! {
        <textarea rows=rows spellcheck="false" aria-label=label prop:value=value
            on:input=move |event| change.run(event_target_value(&event))>
            {value.get_untracked()}
        </textarea>
    })
}

fn put(list: List, key: &str, flag: &str, version: u64) {
    let Some(why) = list.why.given(list.outcome) else { return };
    let body = format!("{{\"flag\":{flag},\"version\":{version},\"reason\":{why}}}");
    let call = Call { method: "PUT".to_owned(), path: format!("/api/flags/{key}"), body };
    act(list.outcome, call, list.done());
}

/// Makes a flag that is off.
pub fn create(list: List) -> Settled {
    let key = RwSignal::new(String::new());
    let says = text(|| "New flag".to_owned());
    let make = Callback::new(move |()| {
        let name = key.get_untracked().trim().to_owned();
        if name.is_empty() {
            list.outcome.set(Outcome::Failed("Which key? Write one such as new-checkout.".to_owned()));
            return;
        }
        // What has no place in a path has none in a key either: the server says what is allowed.
        put(list, &name.replace(['/', '?', '#', '%'], "%20"), BEGINNING, 0);
        key.set(String::new());
    });
    settle(view! {
        {line(key, "Key of a new flag", "Key of a new flag", "64")}
        {button(("", "create".to_owned()), says, says, list.busy(), make)}
    })
}

/// The card in which a flag is written.
pub fn edit(list: List, known: Known, key: StoredValue<String>) -> Settled {
    // What was typed, and over which version; nothing while what is in force is shown.
    let typed = RwSignal::new(None::<(String, u64)>);
    let shown = text(move || match typed.get() {
        Some((typed, _)) => typed,
        None => known.read(|flag| flag.text.clone()),
    });
    let over = move || typed.with_untracked(|typed| typed.as_ref().map(|(_, version)| *version));
    let change = Callback::new(move |text| {
        let version = over().unwrap_or_else(|| known.peek(|flag| flag.version));
        typed.set(Some((text, version)));
    });
    let as_it_is = flag(move || typed.with(Option::is_none));
    let save = Callback::new(move |()| {
        if let Some((text, version)) = typed.get_untracked() {
            key.with_value(|key| put(list, key, &text, version));
        }
    });
    // What is in force now is what was typed, or somebody has taken it back.
    effect(move || {
        if list.changes.get() > 0 {
            typed.set(None);
        }
    });
    let archive = Callback::new(move |()| {
        let Some(why) = list.why.given(list.outcome) else { return };
        let body = format!("{{\"version\":{},\"reason\":{why}}}", known.peek(|flag| flag.version));
        let path = key.with_value(|key| format!("/api/flags/{key}"));
        act(list.outcome, Call { method: "DELETE".to_owned(), path, body }, list.done());
    });
    let (saves, archives) = (text(|| "Save".to_owned()), text(|| "Archive".to_owned()));
    let own = flag(move || known.read(|flag| flag.is_own));
    settle(view! {
        <Card id="flag-edit" title="As it is written" class="acts" hint="Rules, variants and all: saved as a new version, which can be taken back.">{settle(view! {
            <form class="acting" onsubmit="return false">
                {area(shown, change, "The flag, JSON", "16")}
                <div class="actions wrap">
                    <span hidden=as_it_is>{button(("primary", "save".to_owned()), saves, saves, list.busy(), save)}</span>
                    <button data-testid="discard" hidden=as_it_is on:click=move |_| typed.set(None)>"Discard changes"</button>
                    <span hidden=own>{button(("danger", "archive".to_owned()), archives, archives, list.busy(), archive)}</span>
                </div>
            </form>
            <OutcomeLine outcome=list.outcome error="save-error" done=list.done()/>
        })}</Card>
    })
}
