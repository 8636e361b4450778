//! How full something is.

use leptos::prelude::*;

use crate::format;

/// A bar of 0 to 1 with its figure; it warns from 80 % on.
#[component]
pub fn Meter(#[prop(into)] share: Signal<f64>, #[prop(into)] label: String) -> impl IntoView {
    let percent = Memo::new(move |_| format::whole(share.get().clamp(0.0, 1.0) * 100.0));
    let tone = move || match percent.get() {
        100.. => "meter full",
        80..100 => "meter near",
        _ => "meter",
    };
    view! {
        <div class="metered">
            <div
                class=tone
                role="meter"
                aria-label=label
                aria-valuemin="0"
                aria-valuemax="100"
                aria-valuenow=move || percent.get().to_string()
            >
                <i style:width=move || format!("{}%", percent.get())></i>
            </div>
            <span class="num">{move || format!("{} %", percent.get())}</span>
        </div>
    }
}
