//! Holds the picture still while the figures go on in the background.

use leptos::prelude::*;

use crate::live::use_live;
use crate::signals::{aria, flag, text};

const PAUSE: &str = "M5 3v10M11 3v10";
const RESUME: &str = "M4 3l9 5-9 5z";

/// Pause, or resume with the number of frames that wait.
#[component]
pub fn Pause() -> impl IntoView {
    let live = use_live();
    let held = live.held;
    let paused = move || live.is_paused();
    let icon = text(move || if paused() { RESUME } else { PAUSE }.to_owned());
    let word = text(move || if paused() { "Resume" } else { "Pause" }.to_owned());
    let new = text(move || held.get().map(|new| format!("+{new}")).unwrap_or_default());
    view! {
        <button
            data-testid="pause"
            aria-pressed=aria(paused)
            title="Hold the picture still (p)"
            on:click=move |_| live.toggle_pause()
        >
            <svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d=icon></path></svg>
            <span class="word">{word}</span>
            <span class="new" hidden=flag(move || !paused())>{new}<span class="wide">" new"</span></span>
        </button>
    }
}
