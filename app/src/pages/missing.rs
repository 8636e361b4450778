//! What is shown where there is no page.

use leptos::prelude::*;

/// Says so, and leads back.
#[component]
pub fn Missing() -> impl IntoView {
    view! {
        <section class="card narrow">
            <h2>"There is no such page"</h2>
            <p class="muted">"The address may be mistyped, or the page may have moved."</p>
            <p><a class="button" href="/">"Go to the overview"</a></p>
        </section>
    }
}
