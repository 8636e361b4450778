//! One flag in full: who gets what, what somebody would get, and how it came to be so.

use std::sync::Arc;

use leptos::prelude::*;
use serde::Deserialize;

use super::List;
use super::edit::{area, edit};
use crate::components::{
    Card, Outcome, OutcomeLine, Pill, Table, act, button, cell, holding, line, numbered, post, row,
};
use crate::live::Asked;
use crate::settled::{Settled, settle};
use crate::signals::{effect, flag, text};

/// What the page reads of `GET /api/flags/KEY`, in the server's words.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Answer {
    pub version: u64,
    tone: String,
    word: String,
    says: String,
    needs: String,
    rules: Vec<String>,
    variants: Vec<Variant>,
    shared: String,
    share: String,
    history: Vec<Past>,
    pub text: String,
    pub is_own: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Variant {
    name: String,
    value: String,
    share: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Past {
    version: u64,
    when: String,
    what: String,
    by: String,
    reason: String,
}

pub type Known = Asked<Answer>;

/// What somebody may ask it with at first.
const CONTEXT: &str = "{\n  \"targetingKey\": \"user-1\",\n  \"country\": \"CH\"\n}";

/// The cards of a flag.
#[component]
pub fn Detail(list: List, name: String) -> impl IntoView {
    let known = Known::new(&format!("/api/flags/{name}"));
    effect(move || {
        if list.changes.get() > 0 {
            known.again();
        }
    });
    let (here, past_of) = (list.apart(), list.apart());
    let key = StoredValue::new(name.clone());
    let of = move |read: fn(&Answer) -> &String| text(move || known.read(|flag| read(flag).clone()));
    let pill = settle(view! { <Pill tone=of(|flag| &flag.tone) word=of(|flag| &flag.word)/> });
    let variants = move || known.read(|flag| flag.variants.len());
    let rules = move || known.read(|flag| flag.rules.len());
    let past = move || {
        known.read(|flag| flag.history.iter().map(|past| past.version.to_string()).zip(0..).collect())
    };
    let rule = move |at: usize| {
        let words = text(move || known.read(|flag| flag.rules.get(at).cloned()).unwrap_or_default());
        row(text(|| "rule".to_owned()), vec![cell("whole", words)])
    };
    settle(view! {
        <Card id="flag" title=name class="acts" aside=pill>{settle(view! {
            {known.doubt()}
            <p class="says" data-testid="flag-says">{of(|flag| &flag.says)}</p>
            <p class="muted">{of(|flag| &flag.needs)}</p>
            <Table head=&VARIANTS hidden=flag(move || variants() == 0) each=Arc::new(move || numbered(0..variants())) row=Arc::new(move |at| variant(known, at))/>
            <Table head=&RULES hidden=flag(move || rules() == 0) each=Arc::new(move || numbered(0..rules())) row=Arc::new(rule)/>
            {shares(here, known, key)}
            <OutcomeLine outcome=here.outcome error="share-error" done=here.done()/>
        })}</Card>
        <div class="pair">
            {trial(key)}
            <Card id="flag-history" title="What changed it" class="acts">{settle(view! {
                <Table head=&PAST hidden=flag(move || variants() == 0) each=Arc::new(past) row=Arc::new(move |at| change(past_of, known, key, at))/>
                <OutcomeLine outcome=past_of.outcome error="revert-error" done=past_of.done()/>
            })}</Card>
        </div>
        {edit(list.apart(), known, key)}
    })
}

const VARIANTS: [(&str, &str); 3] = [("", "Variant"), ("num", "Share"), ("half", "Value")];
const RULES: [(&str, &str); 1] = [("", "Rules: the first that matches decides")];
const PAST: [(&str, &str); 5] = [("", "At"), ("", "What"), ("wide", "By"), ("third", "Why"), ("", "")];

fn variant(known: Known, at: usize) -> Settled {
    let of = move |read: fn(&Variant) -> &String| {
        text(move || {
            known.read(|flag| flag.variants.get(at).map(|variant| read(variant).clone())).unwrap_or_default()
        })
    };
    row(
        text(|| "variant".to_owned()),
        vec![
            cell("keep", of(|variant| &variant.name)),
            cell("num", of(|variant| &variant.share)),
            cell("mono whole", of(|variant| &variant.value)),
        ],
    )
}

/// The share of those whom no rule matches.
fn shares(list: List, known: Known, key: StoredValue<String>) -> Settled {
    let percent = RwSignal::new(String::new());
    let none = flag(move || known.read(|flag| flag.shared.is_empty()));
    let says = text(move || known.read(|flag| format!("Set the share of {}", flag.shared)));
    let set = Callback::new(move |()| {
        let wanted = percent.get_untracked().trim().trim_end_matches('%').trim().to_owned();
        if wanted.parse::<f64>().is_err() {
            list.outcome.set(Outcome::Failed("How many percent? Write a number from 0 to 100.".to_owned()));
            return;
        }
        key.with_value(|key| list.post(key, "share", &format!("\"percent\":{wanted}")));
        percent.set(String::new());
    });
    let now = text(move || known.read(|flag| format!("{} % now, of those whom no rule matches", flag.share)));
    settle(view! {
        <form class="actions acting" onsubmit="return false" hidden=none>
            {line(percent, "Percent, 0 to 100", "Share in percent", "6")}
            {button(("", "share".to_owned()), says, says, list.busy(), set)}
            <span class="muted">{now}</span>
        </form>
    })
}

/// What somebody would get, and why.
fn trial(key: StoredValue<String>) -> Settled {
    let context = RwSignal::new(CONTEXT.to_owned());
    let outcome = RwSignal::new(Outcome::default());
    let busy = flag(move || outcome.with(|outcome| *outcome == Outcome::Under));
    let nothing = Callback::new(|_| {});
    let ask = Callback::new(move |()| {
        let path = key.with_value(|key| format!("/api/flags/{key}/evaluate"));
        act(outcome, post(path, format!("{{\"context\":{}}}", context.get_untracked())), nothing);
    });
    let says = text(|| "Try it".to_owned());
    settle(view! {
        <Card id="flag-trial" title="Try it" class="acts" hint="Asks as a client with this context would; nothing is changed.">{settle(view! {
            <form class="acting" onsubmit="return false">
                {area(context.into(), Callback::new(move |text| context.set(text)), "Context, JSON", "6")}
                <div class="actions">{button(("", "try".to_owned()), says, says, busy, ask)}</div>
            </form>
            <OutcomeLine outcome error="try-error" done=nothing/>
        })}</Card>
    })
}

fn change(list: List, known: Known, key: StoredValue<String>, at: usize) -> Settled {
    // By its number, not its place, which changes.
    let version = known.peek(|flag| flag.history.get(at).map(|past| past.version)).unwrap_or_default();
    let find = move |flag: &Answer| flag.history.iter().find(|past| past.version == version).cloned();
    let of = move |read: fn(&Past) -> String| {
        text(move || known.read(find).as_ref().map(read).unwrap_or_default())
    };
    let revert = Callback::new(move |()| {
        let from = known.peek(|flag| flag.version);
        key.with_value(|key| list.post(key, "revert", &format!("\"to\":{version},\"version\":{from}")));
    });
    let says = text(|| "Back to this".to_owned());
    let label = text(move || format!("Back to version {version}"));
    let back = button(("", "revert".to_owned()), says, label, list.busy(), revert);
    let is_now = flag(move || known.read(|flag| flag.version) == version);
    row(
        text(move || format!("version-{version}")),
        vec![
            cell("", of(|past| past.when.clone())),
            cell("keep", of(|past| past.what.clone())),
            cell("muted wide", of(|past| past.by.clone())),
            cell("whole", of(|past| past.reason.clone())),
            holding("num acting", settle(view! { <span hidden=is_now>{back}</span> })),
        ],
    )
}
