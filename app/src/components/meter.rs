//! How full something is.

use leptos::prelude::*;

use crate::format;
use crate::signals::text;

/// A bar of 0 to 1 with its figure; it warns from 80 % on, unless it is `calm`: much is good then.
#[component]
pub fn Meter(share: Signal<f64>, label: Signal<String>, #[prop(optional)] calm: bool) -> impl IntoView {
    let percent = move || format::whole(share.get().clamp(0.0, 1.0) * 100.0);
    let class = text(move || {
        let tone = match percent() {
            _ if calm => "meter",
            100.. => "meter full",
            80..100 => "meter near",
            _ => "meter",
        };
        tone.to_owned()
    });
    view! {
        <div class="metered">
            <div
                class=class
                role="meter"
                aria-label=label
                aria-valuemin="0"
                aria-valuemax="100"
                aria-valuenow=text(move || percent().to_string())
            >
                <i style:width=text(move || format!("{}%", percent()))></i>
            </div>
            <span class="num">{text(move || format!("{} %", percent()))}</span>
        </div>
    }
}
