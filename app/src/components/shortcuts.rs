//! The keyboard: one letter each, listed by `?`.

use leptos::ev;
use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_location, use_navigate};

use super::{Dialog, theme};
use crate::live::{retry_now, use_live};
use crate::look::{address, query, use_look};
use crate::range::Range;
use crate::settled::settle;
use crate::signals::effect;

const LIST: [(&str, &str); 16] = [
    ("p", "Pause, or resume"),
    ("t", "Theme: auto, light, dark"),
    ("1 2 3", "Range: 1, 5, 15 minutes"),
    ("r", "Retry now, while the connection is lost"),
    ("Shift K", "Kill switch: live integration off or on"),
    ("g o", "Go to the overview"),
    ("g b", "Go to the breakers"),
    ("g r", "Go to the rollouts"),
    ("g i", "Go to the limits"),
    ("g u", "Go to the queues"),
    ("g c", "Go to the cache"),
    ("g s", "Go to the query page"),
    ("g a", "Go to the audit log"),
    ("g l", "Go to the Lab"),
    ("← →", "In a chart: read single moments"),
    ("?", "This list"),
];

/// Listens to the keyboard, and holds the list of shortcuts.
#[component]
pub fn Shortcuts() -> impl IntoView {
    let live = use_live();
    let theme = theme::use_theme();
    let open = RwSignal::new(false);
    let going = RwSignal::new(false);
    let path = use_location().pathname;
    let navigate = use_navigate();
    let go = move |to: &str, scroll: bool| {
        navigate(to, NavigateOptions { scroll, ..NavigateOptions::default() });
    };
    let look = use_look();
    let range = move |range: Range| {
        format!("{}{}", path.get_untracked(), look.route.with_untracked(|route| address(range, route)))
    };
    let to = move |page: &str| format!("{page}{}", query(look.range.get_untracked(), ""));
    let press = move |key: &str| {
        let went = going.get_untracked();
        going.set(key == "g");
        if open.get_untracked() {
            return;
        }
        match key {
            "o" if went => go(&to("/"), true),
            "b" if went => go(&to("/breakers"), true),
            "r" if went => go(&to("/rollouts"), true),
            "i" if went => go(&to("/limits"), true),
            "u" if went => go(&to("/queues"), true),
            "c" if went => go(&to("/cache"), true),
            "s" if went => go(&to("/query"), true),
            "a" if went => go(&to("/audit"), true),
            "l" if went => go(&to("/lab"), true),
            "p" => live.toggle_pause(),
            "t" => theme::switch(theme),
            "1" => go(&range(Range::OneMinute), false),
            "2" => go(&range(Range::FiveMinutes), false),
            "3" => go(&range(Range::FifteenMinutes), false),
            "r" => retry_now(),
            "K" => live.toggle_integration(),
            "?" => open.set(true),
            _ => {}
        }
    };
    effect(move || {
        let press = press.clone();
        let handle = window_event_listener(ev::keydown, move |event| {
            if !(event.ctrl_key() || event.meta_key() || event.alt_key() || writes(&event)) {
                press(&event.key());
            }
        });
        on_cleanup(move || handle.remove());
    });
    // As HTML: it never changes.
    let row = |(keys, what): (&str, &str)| {
        let keys: String = keys.split(' ').map(|key| format!("<kbd>{key}</kbd>")).collect();
        format!("<dt>{keys}</dt><dd>{what}</dd>")
    };
    let list: String = LIST.map(row).concat();
    settle(view! {
        <Dialog title="Shortcuts" open>{settle(view! {
            <dl class="keys" inner_html=list></dl>
        })}</Dialog>
    })
}

/// Whether a key press belongs to a field.
#[cfg(feature = "hydrate")]
fn writes(event: &ev::KeyboardEvent) -> bool {
    use wasm_bindgen::JsCast;

    let target = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    target.is_some_and(|element| matches!(element.tag_name().as_str(), "INPUT" | "TEXTAREA" | "SELECT"))
}

#[cfg(not(feature = "hydrate"))]
fn writes(_: &ev::KeyboardEvent) -> bool {
    true
}
