//! A number of the Lab that can be turned.

use leptos::prelude::*;

use super::Field;
use crate::settled::settle;

/// A number with its name and unit; with a slider where one is asked for.
#[component]
pub fn Knob(
    word: &'static str,
    unit: &'static str,
    /// Names it in tests.
    name: String,
    /// What it is, for those who do not see what stands around it.
    label: String,
    max: u32,
    value: Memo<String>,
    change: Callback<u32>,
    #[prop(optional)] slider: bool,
) -> impl IntoView {
    let slide = slider.then(|| {
        let (name, label) = (format!("{name}-slider"), format!("{label}, slider"));
        settle(view! { <Field kind="range" name label max value change/> })
    });
    settle(view! {
        <label class="knob">
            <span>{word}</span>
            {slide.unwrap_or_else(|| settle(view! { <span class="grow"></span> }))}
            <Field kind="number" name label max value change/>
            <span class="muted">{unit}</span>
        </label>
    })
}
