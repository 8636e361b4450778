//! The kill switch in the header.

use leptos::prelude::*;

use crate::live::use_live;
use crate::signals::aria;

/// On: the page is live. Off: legacy mode.
#[component]
pub fn KillSwitch() -> impl IntoView {
    let live = use_live();
    view! {
        <button
            class="switch"
            role="switch"
            data-testid="kill-switch"
            title="Off: no live connection, this browser's requests go to legacy, figures every 10 s"
            aria-checked=aria(move || live.connection.with(|machine| !machine.is_disabled()))
            on:click=move |_| live.toggle_integration()
        >
            <span>"Live integration"</span>
        </button>
    }
}
