//! One of several: buttons in a row of segments.

use leptos::prelude::*;

use crate::settled::settle;
use crate::signals::aria;

/// Segments; pressed is the one that is in force.
#[component]
pub fn Choices(
    #[prop(into)] label: String,
    /// The name of each in tests, and what it says.
    each: Vec<(String, String)>,
    /// The position of the one in force, if it is among them.
    in_force: Signal<Option<usize>>,
    /// Whether they take no press just now.
    #[prop(optional, into)]
    busy: Signal<bool>,
    /// Takes the position of the one that is wanted.
    press: Callback<usize>,
) -> impl IntoView {
    let choice = |(at, (name, says)): (usize, (String, String))| {
        settle(view! {
            <button
                type="button"
                data-testid=name
                aria-pressed=aria(move || in_force.get() == Some(at))
                aria-disabled=aria(move || busy.get())
                on:click=move |_| press.run(at)
            >
                {says}
            </button>
        })
    };
    settle(view! {
        <div class="segments fill" role="group" aria-label=label>
            {each.into_iter().enumerate().map(choice).collect::<Vec<_>>()}
        </div>
    })
}
