//! A dialog that lies over the page until it is closed.

use leptos::html;
use leptos::prelude::*;

use crate::signals::effect;

/// A modal dialog, shown while `open`; Escape closes it.
#[component]
pub fn Dialog(title: &'static str, open: RwSignal<bool>, children: Children) -> impl IntoView {
    let element = NodeRef::<html::Dialog>::new();
    effect(move || {
        let open = open.get();
        if let Some(dialog) = element.get() {
            if open && !dialog.open() {
                let _ = dialog.show_modal();
            } else if !open {
                dialog.close();
            }
        }
    });
    view! {
        <dialog node_ref=element aria-label=title on:close=move |_| open.set(false)>
            <header>
                <h2>{title}</h2>
                <span class="grow"></span>
                <button on:click=move |_| open.set(false)>"Close"</button>
            </header>
            {children()}
        </dialog>
    }
}
