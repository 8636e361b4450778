//! Where in a plot the pointer is.

use leptos::ev::PointerEvent;

/// The pointer's position in the element that listens: 0 left, 1 right.
#[cfg(feature = "hydrate")]
pub fn position(event: &PointerEvent) -> Option<f64> {
    use wasm_bindgen::JsCast;

    let plot = event.current_target()?.dyn_into::<web_sys::Element>().ok()?;
    let frame = plot.get_bounding_client_rect();
    (frame.width() > 0.0).then(|| (f64::from(event.client_x()) - frame.left()) / frame.width())
}

/// The server has no pointer.
#[cfg(not(feature = "hydrate"))]
pub fn position(_: &PointerEvent) -> Option<f64> {
    None
}
