//! How much sample traffic flows.

use leptos::prelude::*;
use leptos::task::spawn_local;
use rad_model::LabState;

use super::Bench;
use crate::components::{Card, Choice, Field};
use crate::live::http;
use crate::settled::settle;
use crate::signals::aria;

const RATES: [u32; 5] = [0, 20, 100, 300, LabState::MAX_RATE];

/// The rate of the sample traffic.
#[component]
pub fn TrafficKnob(bench: Bench) -> impl IntoView {
    let rate = move || bench.state.get().map_or(0, |state| state.requests_per_second);
    let value = Memo::new(move |_| rate().to_string());
    let set = move |requests_per_second: u32| {
        let body = format!("{{\"requests_per_second\":{requests_per_second}}}");
        spawn_local(async move { bench.take(http::send("PATCH", "/api/lab/traffic", body).await) });
    };
    let preset = move |wanted: u32| {
        view! {
            <Choice
                name=format!("lab-traffic-{wanted}")
                label=crate::format::count(u64::from(wanted))
                pressed=aria(move || rate() == wanted)
                press=Callback::new(move |()| set(wanted))
            />
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
                <Field
                    kind="number"
                    name="lab-traffic".to_owned()
                    label="Requests a second".to_owned()
                    max=LabState::MAX_RATE
                    value=value
                    change=Callback::new(set)
                />
                <span class="muted">"/s"</span>
            </label>
        })}</Card>
    })
}
