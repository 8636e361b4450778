//! A search through the whole pipeline: sent as anybody's would be, with what the cache and the limit said.

mod run;

use std::sync::Arc;

use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::components::{Card, Pill, Table, cell, holding, numbered, row};
use crate::format;
use crate::kept::{keep, kept};
use crate::live::http::{self, Abort};
use crate::live::{now_ms, use_live};
use crate::settled::{Settled, settle};
use crate::signals::{aria, effect, flag, text};
use run::{Run, cache, called_off, left, note, shown, standing, took};

/// What the page begins with.
const EXAMPLE: &str = "{\n  \"query\": { \"match_all\": {} },\n  \"size\": 5\n}";
/// The latest searches that are listed.
const LISTED: usize = 10;
/// Where a search is sent, and the route that takes it if there is an upstream for it.
const PATH: &str = "/api/fetch-kibana-data";
/// What is kept for the next visit.
const KEPT_TEXT: &str = "rad-monitor.query";
const KEPT_RUNS: &str = "rad-monitor.searches";

/// The query page.
pub fn page() -> Settled {
    let live = use_live();
    let area = NodeRef::<html::Textarea>::new();
    let under_way = RwSignal::new(false);
    let abort = StoredValue::new_local(None::<Abort>);
    // The latest first.
    let runs = RwSignal::new(Vec::<Run>::new());
    // What was written before this page came to life is there already, and stays.
    effect(move || {
        let Some(area) = area.get() else { return };
        match kept(KEPT_TEXT) {
            Some(text) if area.value() == EXAMPLE => area.set_value(&text),
            _ => keep(KEPT_TEXT, &area.value()),
        }
        runs.set(kept_runs());
    });
    let send = move || {
        let Some(asked) = area.get_untracked().map(|area| area.value()) else { return };
        if under_way.get_untracked() {
            return;
        }
        under_way.set(true);
        let breaks_off = Abort::new();
        abort.set_value(breaks_off.clone());
        spawn_local(async move {
            let (at_ms, from) = (now_ms(), moment_ms());
            let answer = http::fetch("POST", PATH, Some(asked.clone()), breaks_off).await;
            let took_ms = format::whole(moment_ms() - from);
            // In a page that is gone there is nothing to show it; it is kept all the same.
            let is_off = abort.try_get_value().is_some_and(|abort| abort.is_none());
            let answer = if is_off { Some(called_off()) } else { answer };
            let mut list = runs.try_get_untracked().unwrap_or_else(kept_runs);
            list.insert(0, Run::new(asked, at_ms, took_ms, answer));
            list.truncate(LISTED);
            keep(KEPT_RUNS, &serde_json::to_string(&list).unwrap_or_default());
            let _ = runs.try_set(list);
            let _ = under_way.try_set(false);
        });
    };
    let cancel = move |_| {
        if let Some(abort) = abort.try_update_value(Option::take).flatten() {
            abort.abort();
        }
    };
    let can_search =
        flag(move || live.topology.with(|topology| topology.routes.iter().any(|route| route.path == PATH)));
    let count = move || runs.with(Vec::len);
    let latest = move |read: fn(&Run) -> String| {
        text(move || runs.with(|runs| runs.first().map(read)).unwrap_or_default())
    };
    let pill = settle(view! {
        <span hidden=flag(move || count() == 0)>
            <Pill tone=latest(|run| standing(run).0.to_owned()) word=latest(|run| standing(run).1)/>
        </span>
    });
    settle(view! {
        <p class="lead">
            "A search as a client would send it: through limits, cache, breaker and retries to the upstream that is named search. "
            "It counts against your own limit."
        </p>
        <p class="banner" data-testid="no-search" hidden=can_search>
            <b>"There is nothing to search yet."</b>
            <span>"No upstream is named search; this in the configuration is one: "<code>"[upstreams.search]"</code>" with "<code>"targets = [\"http://HOST:PORT\"]"</code>"."</span>
        </p>
        <div class="pair">
            <Card id="query" title="Search" class="acts">{settle(view! {
                <form onsubmit="return false">
                    <textarea rows="12" spellcheck="false" aria-label="Body of the search, JSON" data-testid="query-body"
                        node_ref=area on:input=move |event| keep(KEPT_TEXT, &event_target_value(&event))
                        on:keydown=move |event| if event.key() == "Enter" && (event.ctrl_key() || event.meta_key()) { send() }>
                        {EXAMPLE}
                    </textarea>
                    <div class="actions">
                        <button type="submit" class="primary" data-testid="query-send" aria-disabled=aria(move || under_way.get()) on:click=move |_| send()>
                            {text(move || if under_way.get() { "Searching…" } else { "Search" }.to_owned())}
                        </button>
                        <button type="button" data-testid="query-cancel" hidden=flag(move || !under_way.get()) on:click=cancel>"Cancel"</button>
                        <span class="muted">"or Ctrl Enter"</span>
                    </div>
                </form>
            })}</Card>
            <Card id="runs" title="Latest searches" class="acts">{settle(view! {
                <p class="muted" hidden=flag(move || count() > 0)>"None yet."</p>
                <Table head=&HEAD hidden=flag(move || count() == 0) each=Arc::new(move || numbered(0..count())) row=Arc::new(move |at| listed(runs, at))/>
            })}</Card>
        </div>
        <Card id="answer" title="Answer" class="acts" aside=pill note=latest(note)>{settle(view! {
            <p class="muted" hidden=flag(move || count() > 0)>"Send the search above, and what comes back is shown here."</p>
            <pre class="answer" tabindex="0" aria-label="The answer" data-testid="query-answer" hidden=flag(move || count() == 0)>{latest(shown)}</pre>
        })}</Card>
    })
}

const HEAD: [(&str, &str); 6] = [
    ("", "At"),
    ("half", "Search"),
    ("", "Answer"),
    ("", "Cache"),
    ("num", "Took"),
    ("num wide", "Limit left"),
];

fn listed(runs: RwSignal<Vec<Run>>, at: usize) -> Settled {
    let live = use_live();
    let of = move |read: fn(&Run) -> String| {
        text(move || runs.with(|runs| runs.get(at).map(read)).unwrap_or_default())
    };
    let when = text(move || {
        let at_ms = runs.with(|runs| runs.get(at).map(|run| run.at_ms)).unwrap_or_default();
        format::clock(at_ms, live.zone())
    });
    let pill =
        settle(view! { <Pill tone=of(|run| standing(run).0.to_owned()) word=of(|run| standing(run).1)/> });
    row(
        text(|| "run".to_owned()),
        vec![
            cell("", when),
            cell("mono cut whole", of(|run| run.query.split_whitespace().collect::<Vec<_>>().join(" "))),
            holding("keep", pill),
            cell("keep", of(cache)),
            cell("num whole", of(|run| took(run.took_ms))),
            cell("num wide muted", of(left)),
        ],
    )
}

/// The searches of earlier visits.
fn kept_runs() -> Vec<Run> {
    kept(KEPT_RUNS).and_then(|text| http::understood(&text).ok()).unwrap_or_default()
}

/// For durations: not set back when the clock is.
#[cfg(feature = "hydrate")]
fn moment_ms() -> f64 {
    leptos::prelude::window().performance().map_or(0.0, |performance| performance.now())
}

#[cfg(not(feature = "hydrate"))]
fn moment_ms() -> f64 {
    0.0
}
