//! The choice of the range: links, so that it stands in the URL and works without JavaScript.

use leptos::prelude::*;

use crate::look::{address, use_look};
use crate::range::Range;
use crate::settled::settle;
use crate::signals::{aria, text};

/// How much of the past is shown.
#[component]
pub fn RangeSegments() -> impl IntoView {
    let look = use_look();
    let link = move |range: Range| {
        settle(view! {
            <a
                href=text(move || look.route.with(|route| address(range, route)))
                data-noscroll
                data-testid=format!("range-{}", range.query())
                aria-current=aria(move || look.range.get() == range)
            >
                {range.label()}
            </a>
        })
    };
    view! {
        <div class="segments" role="group" aria-label="Time range">
            {Range::ALL.map(link).into_iter().collect::<Vec<_>>()}
        </div>
    }
}
