//! Who is logged in.
//!
//! The server draws it into the header, as a link and a form that need no script; the browser takes it over as it
//! finds it and has no code for it.

/// What the server provides as context for pages of somebody who is logged in.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// What stands in the header.
    pub html: String,
    /// What the style sheet hides from those who could not use it.
    pub role: &'static str,
}

/// What stands in the header; nothing where nobody has to log in.
#[cfg(feature = "ssr")]
pub fn html() -> String {
    leptos::prelude::use_context::<Visitor>().map(|visitor| visitor.html).unwrap_or_default()
}

#[cfg(not(feature = "ssr"))]
pub fn html() -> String {
    String::new()
}
