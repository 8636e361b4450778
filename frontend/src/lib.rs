//! The WebAssembly entry point: takes over the page that the server has drawn.

// Views are deeply nested types.
#![recursion_limit = "256"]

use wasm_bindgen::prelude::wasm_bindgen;

/// Called by the script in the page's head.
#[wasm_bindgen]
pub fn hydrate() {
    app::hydrate();
}
