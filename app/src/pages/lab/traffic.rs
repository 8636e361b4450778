//! How much sample traffic flows.

use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;
use rad_model::LabState;

use super::Bench;
use super::side::number;
use crate::components::Card;
use crate::live::http;
use crate::settled::settle;
use crate::signals::aria;

const SETTLE: Duration = Duration::from_millis(250);
const RATES: [u32; 5] = [0, 20, 100, 300, LabState::MAX_RATE];

/// The rate of the sample traffic.
#[component]
pub fn TrafficKnob(bench: Bench) -> impl IntoView {
    let rate = move || bench.state.get().map_or(0, |state| state.requests_per_second);
    // Memos: what is being typed is only overwritten by a change.
    let value = Memo::new(move |_| rate().to_string());
    let set = move |requests_per_second: u32| {
        let body = format!("{{\"requests_per_second\":{requests_per_second}}}");
        spawn_local(async move { bench.take(http::send("PATCH", "/api/lab/traffic", body).await) });
    };
    let mut typed = debounce(SETTLE, move |text: String| {
        if let Some(rate) = number(&text, LabState::MAX_RATE) {
            set(rate);
        }
    });
    let preset = move |wanted: u32| {
        view! {
            <button
                data-testid=format!("lab-traffic-{wanted}")
                aria-pressed=aria(move || rate() == wanted)
                on:click=move |_| set(wanted)
            >
                {crate::format::count(u64::from(wanted))}
            </button>
        }
    };
    settle(view! {
        <Card id="lab-traffic" title="traffic" class="acts">{settle(view! {
            <div class="segments fill" role="group" aria-label="Requests a second">
                {RATES.map(preset).into_iter().collect_view()}
            </div>
            <label class="knob">
                <span>"Requests"</span>
                <span class="grow"></span>
                <input
                    type="number" min="0" max=LabState::MAX_RATE.to_string() step="1"
                    data-testid="lab-traffic"
                    aria-label="Requests a second"
                    prop:value=value
                    on:input=move |event| typed(event_target_value(&event))
                />
                <span class="muted">"/s"</span>
            </label>
        })}</Card>
    })
}
