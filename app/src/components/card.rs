//! A titled part of a page.

use crate::settled::{Settled, settle};
use leptos::prelude::*;

/// A card with its heading, a note or a legend beside it, and its content.
#[component]
pub fn Card(
    /// Names it: links lead here.
    #[prop(into)]
    id: String,
    #[prop(into)] title: String,
    /// Explains the title.
    #[prop(optional, into)]
    hint: Option<String>,
    /// Beside the title, muted.
    #[prop(optional, into)]
    note: Option<Signal<String>>,
    /// At the right end of the header.
    #[prop(optional)]
    aside: Option<Settled>,
    /// Further classes.
    #[prop(optional)]
    class: &'static str,
    children: Children,
) -> impl IntoView {
    let heading = format!("{id}-title");
    let labelled = heading.clone();
    settle(view! {
        <section class=format!("card {class}") id=id aria-labelledby=labelled>
            <header>
                <h2 id=heading title=hint>{title}</h2>
                {note.map(|note| settle(view! { <span class="muted">{note}</span> }))}
                <span class="grow"></span>
                {aside}
            </header>
            {children()}
        </section>
    })
}
