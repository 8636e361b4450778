//! What the reader looks at: the range (in the URL) and the moment under the cursor, shared by all charts.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::range::Range;

/// One for each page, handed down as context.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    pub range: Memo<Range>,
    /// The end of the interval under the cursor, milliseconds since 1970.
    pub cursor: RwSignal<Option<u64>>,
}

/// Reads the range from the URL; call it inside the router.
pub fn provide_look() {
    let query = use_query_map();
    let range =
        Memo::new(move |_| query.with(|query| Range::from_query(&query.get("range").unwrap_or_default())));
    provide_context(Look { range, cursor: RwSignal::new(None) });
}

/// The look of this page.
#[must_use]
pub fn use_look() -> Look {
    use_context()
        .unwrap_or_else(|| Look { range: Memo::new(|_| Range::default()), cursor: RwSignal::new(None) })
}
