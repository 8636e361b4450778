//! Holds the picture still while the figures go on in the background.

use leptos::prelude::*;

use super::Icon;
use crate::live::use_live;

const PAUSE: &str = "M5 3v10M11 3v10";
const RESUME: &str = "M4 3l9 5-9 5z";

/// Pause, or resume with the number of frames that wait.
#[component]
pub fn Pause() -> impl IntoView {
    let live = use_live();
    let held = live.held;
    view! {
        <button
            data-testid="pause"
            aria-pressed=move || held.get().is_some().to_string()
            title="Hold the picture still (p)"
            on:click=move |_| live.toggle_pause()
        >
            {move || if held.get().is_some() { view! { <Icon path=RESUME/> } } else { view! { <Icon path=PAUSE/> } }}
            <span class="word">{move || if held.get().is_some() { "Resume" } else { "Pause" }}</span>
            <span class="new">{move || held.get().map(|new| format!("+{new} new"))}</span>
        </button>
    }
}
