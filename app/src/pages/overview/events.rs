//! What happened, latest first, each with its reason.

use std::sync::Arc;

use leptos::prelude::*;
use rad_model::Event;

use crate::components::{Card, Rows};
use crate::events;
use crate::format;
use crate::live::use_live;
use crate::settled::settle;
use crate::signals::{flag, text};

/// More than these are shown on demand.
const FEW: usize = 12;

/// The event feed.
#[component]
pub fn Events() -> impl IntoView {
    let live = use_live();
    let all = RwSignal::new(false);
    let list = Memo::new(move |_| {
        let most = if all.get() { usize::MAX } else { FEW };
        live.events(|events| events.iter().rev().take(most).cloned().collect::<Vec<_>>())
    });
    let each = move || {
        let name = |event: &Event| format!("{:?}", events::key(event));
        list.with(|list| list.iter().map(name).enumerate().map(|(at, name)| (name, at)).collect())
    };
    let row = move |at: usize| {
        let event = list.with_untracked(|list| list.get(at).cloned());
        event.map_or_else(|| settle(()), |event| settle(view! { <Line event/> }))
    };
    let count = move || live.events(<[Event]>::len);
    let note = text(move || if live.zone_min.get().is_none() { "times in UTC" } else { "" }.to_owned());
    let more = text(move || if all.get() { "Show the latest only" } else { "Show older events" }.to_owned());
    settle(view! {
        <Card id="events" title="Events" note=note>{settle(view! {
            <p class="muted" hidden=flag(move || count() > 0)>"Nothing has happened yet."</p>
            <ul class="events" data-testid="events" hidden=flag(move || count() == 0)>
                <Rows each=Arc::new(each) row=Arc::new(row)/>
            </ul>
            <button class="more" hidden=flag(move || count() <= FEW) on:click=move |_| all.update(|all| *all = !*all)>
                {more}
            </button>
        })}</Card>
    })
}

#[component]
fn Line(event: Event) -> impl IntoView {
    let live = use_live();
    let (who, what) = events::headline(&event.kind);
    let at_ms = event.at_ms;
    view! {
        <li>
            <time>{text(move || format::clock(at_ms, live.zone()))}</time>
            <span class=format!("mark {}", events::tone(&event.kind))></span>
            <span>
                <b>{who}</b>
                " "
                {what}
                <small>{events::reason(&event.kind)}</small>
            </span>
        </li>
    }
}
