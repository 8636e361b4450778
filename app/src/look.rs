//! What the reader looks at: the range and the route (both in the URL), and the moment under the cursor,
//! shared by all charts.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::range::Range;

/// One for each page, handed down as context.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    pub range: Memo<Range>,
    /// The route that is shown in full; empty if none is named.
    pub route: Memo<String>,
    /// The end of the interval under the cursor, milliseconds since 1970.
    pub cursor: RwSignal<Option<u64>>,
}

/// Reads the URL; call it inside the router.
pub fn provide_look() {
    let query = use_query_map();
    let named = move |name: &'static str| query.with(|query| query.get(name).unwrap_or_default());
    provide_context(Look {
        range: Memo::new(move |_| Range::from_query(&named("range"))),
        route: Memo::new(move |_| named("route")),
        cursor: RwSignal::new(None),
    });
}

/// The look of this page.
#[must_use]
pub fn use_look() -> Look {
    use_context().unwrap_or_else(|| Look {
        range: Memo::new(|_| Range::default()),
        route: Memo::new(|_| String::new()),
        cursor: RwSignal::new(None),
    })
}

/// What stands in the URL for a range and a route, with its `?`; empty for what a page shows anyway.
#[must_use]
pub fn query(range: Range, route: &str) -> String {
    if range == Range::default() && route.is_empty() { String::new() } else { address(range, route) }
}

/// The same, but whole: a link to it leads away from any other range.
#[must_use]
pub fn address(range: Range, route: &str) -> String {
    let mut query = format!("?range={}", range.query());
    if !route.is_empty() {
        query.push_str("&route=");
    }
    for letter in route.chars() {
        // What a query cannot say as it is; of the rest, paths of routes hold what URLs may.
        match letter {
            '%' => query.push_str("%25"),
            '&' => query.push_str("%26"),
            '+' => query.push_str("%2B"),
            '#' => query.push_str("%23"),
            ' ' => query.push_str("%20"),
            letter => query.push(letter),
        }
    }
    query
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_names_what_is_not_shown_anyway() {
        assert_eq!(query(Range::default(), ""), "");
        assert_eq!(query(Range::OneMinute, ""), "?range=1m");
        assert!(query(Range::default(), "/a&b").ends_with("&route=/a%26b"));
    }
}
