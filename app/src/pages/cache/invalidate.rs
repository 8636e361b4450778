//! Invalidation: by tag, by organisation, or everything. There is no way back but the next request, so that
//! everything takes two presses.

use std::sync::Arc;
use std::time::Duration;

use leptos::ev;
use leptos::prelude::*;

use super::Known;
use crate::components::{Card, Outcome, OutcomeLine, Rows, Why, act, button, line, post, quoted};
use crate::settled::settle;
use crate::signals::{flag, text};

/// How long the second press may come after the first.
const ARMED: Duration = Duration::from_secs(5);

/// The card that invalidates.
#[component]
pub fn Invalidate(cache: Known) -> impl IntoView {
    let outcome = RwSignal::new(Outcome::default());
    let organisation = RwSignal::new(String::new());
    let why = Why::new();
    let sure = RwSignal::new(false);
    let busy = flag(move || outcome.with(|outcome| *outcome == Outcome::Under));
    let done = Callback::new(move |_| {
        sure.set(false);
        organisation.set(String::new());
        why.clear();
        cache.again();
    });
    let invalidate = move |kind: &str, what: &str| {
        let what = if kind == "all" { "true".to_owned() } else { quoted(what) };
        let Some(reason) = why.given(outcome) else { return };
        let body = format!("{{\"{kind}\":{what},\"reason\":{reason}}}");
        act(outcome, post("/api/cache/invalidate".to_owned(), body), done);
    };
    let tags = move || {
        let mut tags: Vec<String> =
            cache.read(|cache| cache.routes.iter().flat_map(|route| route.tags.clone()).collect());
        tags.sort_unstable();
        tags.dedup();
        tags
    };
    let each = move || {
        let named = tags().into_iter().enumerate();
        named.map(|(at, tag)| (tag, at)).collect()
    };
    let tag = move |at: usize| {
        // A row lives for as long as its name is in the list, at whatever place.
        let tag = tags().get(at).cloned().unwrap_or_default();
        let (shown, test) = (format!("Invalidate {tag}"), format!("invalidate-tag-{tag}"));
        let says = text(move || shown.clone());
        button(("", test), says, says, busy, Callback::new(move |()| invalidate("tag", &tag)))
    };
    let none = flag(move || !tags().is_empty() || cache.with(|cache| cache.is_none()));
    let by_organisation = move |()| match organisation.get_untracked().trim() {
        "" => outcome.set(Outcome::Failed("Which organisation? Write it as X-Org-Id names it.".to_owned())),
        organisation => invalidate("organisation", organisation),
    };
    // Nobody is to find the second press ready who did not make the first.
    let armed = StoredValue::new(0_u32);
    let all = move |()| {
        if sure.get_untracked() {
            invalidate("all", "");
            return;
        }
        sure.set(true);
        armed.update_value(|armed| *armed = armed.wrapping_add(1));
        let number = armed.try_get_value();
        let disarm = move || {
            if armed.try_get_value() == number {
                let _ = sure.try_set(false);
            }
        };
        set_timeout(disarm, ARMED);
    };
    let says = text(|| "Invalidate organisation".to_owned());
    let everything = text(move || {
        if sure.get() { "Invalidate everything now" } else { "Invalidate everything…" }.to_owned()
    });
    settle(view! {
        <Card id="invalidate" title="Invalidate" class="acts" hint="What is invalidated is asked of the upstream again with the next request.">{settle(view! {
            <p class="muted" hidden=none>"No route has tags: cache = { ttl = \"30s\", tags = [\"counts\"] } gives it one."</p>
            <div class="actions wrap" role="group" aria-label="Invalidate by tag">
                <Rows each=Arc::new(each) row=Arc::new(tag)/>
            </div>
            <form class="actions acting" onsubmit="return false">
                {line(organisation, "Organisation", "Organisation to invalidate", "200")}
                {button(("", "invalidate-organisation".to_owned()), says, says, busy, Callback::new(by_organisation))}
            </form>
            <div class="actions acting">{why.field("Reason for invalidating")}</div>
            <div class="actions sure" on:keydown=move |event| if event.key() == "Escape" { sure.set(false) }
                on:focusout=move |event| if leaves(&event) { sure.set(false) }>
                {button(("danger", "invalidate-all".to_owned()), everything, everything, busy, Callback::new(all))}
                <button data-testid="invalidate-not" hidden=flag(move || !sure.get()) on:click=move |_| sure.set(false)>"Cancel"</button>
            </div>
            <OutcomeLine outcome error="invalidate-error" done/>
        })}</Card>
    })
}

/// Whether the focus goes elsewhere than to the other button.
#[cfg(feature = "hydrate")]
fn leaves(event: &ev::FocusEvent) -> bool {
    use wasm_bindgen::JsCast;

    let to = event.related_target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    !to.is_some_and(|element| matches!(element.closest(".sure"), Ok(Some(_))))
}

#[cfg(not(feature = "hydrate"))]
fn leaves(_: &ev::FocusEvent) -> bool {
    false
}
