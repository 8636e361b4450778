//! Tables of rows that change. Of few types, whatever stands in them: each type of a view is code of its own.

use std::sync::Arc;

use leptos::prelude::*;

use super::Rows;
use crate::settled::{Settled, settle};
use crate::signals::aria;

/// A table; not there while there is nothing in it.
#[component]
pub fn Table(
    /// The headings: class and text of each.
    head: &'static [(&'static str, &'static str)],
    hidden: Signal<bool>,
    /// Names and numbers of the rows.
    each: Arc<dyn Fn() -> Vec<(String, usize)> + Send + Sync>,
    row: Arc<dyn Fn(usize) -> Settled + Send + Sync>,
) -> impl IntoView {
    let heading = |(class, text): &(&str, &str)| match *text {
        "" => "<td></td>".to_owned(),
        text => format!("<th class=\"{class}\">{text}</th>"),
    };
    // As HTML: it never changes.
    let head = format!("<tr>{}</tr>", head.iter().map(heading).collect::<String>());
    settle(view! {
        <table class="rows" hidden=hidden>
            <thead inner_html=head></thead>
            <tbody>
                <Rows each row/>
            </tbody>
        </table>
    })
}

/// A row, named for tests.
pub fn row(name: Signal<String>, cells: Vec<Settled>) -> Settled {
    settle(view! { <tr data-testid=name>{cells}</tr> })
}

/// A cell that holds a text.
pub fn cell(class: &'static str, text: Signal<String>) -> Settled {
    settle(view! { <td class=class>{text}</td> })
}

/// A cell that holds something else.
pub fn holding(class: &'static str, content: Settled) -> Settled {
    settle(view! { <td class=class>{content}</td> })
}

/// A link to what explains a row; where that is on the same page, it tells which one is `chosen`.
pub fn link(href: Signal<String>, name: Signal<String>, chosen: Option<Signal<String>>) -> Settled {
    let is_chosen = move || chosen.is_some_and(|chosen| chosen.with(|chosen| *chosen == name.get()));
    settle(view! { <a href=href data-noscroll=chosen.is_some() aria-current=aria(is_chosen)>{name}</a> })
}
