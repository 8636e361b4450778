//! How much sample traffic flows.

use leptos::prelude::*;
use leptos::task::spawn_local;
use rad_model::LabState;

use super::Bench;
use crate::components::{Card, Choices, Knob};
use crate::format;
use crate::live::http;
use crate::settled::settle;

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
    let preset = |rate| (format!("lab-traffic-{rate}"), format::count(u64::from(rate)));
    let each = RATES.map(preset).to_vec();
    let in_force = Signal::derive(move || RATES.iter().position(|preset| *preset == rate()));
    settle(view! {
        <Card id="lab-traffic" title="traffic" class="acts">{settle(view! {
            <Choices
                label="Requests a second"
                each
                in_force
                press=Callback::new(move |at: usize| set(RATES[at]))
            />
            <Knob
                word="Requests"
                unit="/s"
                name="lab-traffic".to_owned()
                label="Requests a second".to_owned()
                max=LabState::MAX_RATE
                value=value
                change=Callback::new(set)
            />
        })}</Card>
    })
}
