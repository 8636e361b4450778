//! The Lab: knobs of the sample upstreams, next to what turning them does.

mod side;
mod traffic;

use leptos::prelude::*;
use leptos::task::spawn_local;
use rad_model::LabState;

use crate::chart::Chart;
use crate::chart::traffic::TRAFFIC;
use crate::components::{Breakers, Card};
use crate::live::{Live, http, poll, use_live};
use crate::settled::{Settled, changing, settle};
use crate::signals::{flag, text};
use side::{Side, SideKnobs};
use traffic::TrafficKnob;

/// What the Lab knows: the knobs as the server has them, and the last error.
#[derive(Clone, Copy, Debug)]
pub struct Bench {
    live: Live,
    pub state: RwSignal<Option<LabState>>,
    pub error: RwSignal<Option<String>>,
}

impl Bench {
    /// Takes the server's answer to a change or a question.
    pub fn take(self, answer: Result<LabState, String>) {
        match answer {
            Ok(mut state) => {
                self.error.set(None);
                let shown = self.state.get_untracked();
                if let Some(shown) = shown.filter(|_| self.live.held.with_untracked(Option::is_some)) {
                    // Counts stand still with the rest of the page; knobs show what is in force.
                    state.legacy_received = shown.legacy_received;
                    state.candidate_received = shown.candidate_received;
                }
                if shown != Some(state) {
                    self.state.set(Some(state));
                }
            }
            Err(error) => self.error.set(Some(error)),
        }
    }

    fn ask(self) {
        spawn_local(async move { self.take(http::get("/api/lab").await) });
    }
}

/// The Lab page.
pub fn page() -> Settled {
    let live = use_live();
    let here = Memo::new(move |_| live.topology.with(|topology| topology.lab));
    changing(Box::new(
        move || {
            if here.get() { settle(view! { <Knobs/> }) } else { settle(view! { <Absent/> }) }
        },
    ))
}

#[component]
fn Knobs() -> impl IntoView {
    let initial = use_context::<Option<LabState>>().flatten();
    let bench = Bench { live: use_live(), state: RwSignal::new(initial), error: RwSignal::new(None) };
    poll(move || bench.ask());
    view! {
        <p class="lead">
            "Break the candidate and watch its breaker open: five failures in a row are enough. "
            "These knobs turn the built-in sample upstreams only."
        </p>
        <p class="bad-text" role="alert" hidden=flag(move || bench.error.with(Option::is_none))>{text(move || bench.error.get().unwrap_or_default())}</p>
        <div class="lab">
            <SideKnobs side=Side::Legacy bench/>
            <SideKnobs side=Side::Candidate bench/>
            <TrafficKnob bench/>
        </div>
        <Breakers/>
        <Chart spec=&TRAFFIC/>
    }
}

#[component]
fn Absent() -> impl IntoView {
    view! {
        <Card id="lab" title="The Lab is closed" class="narrow">{settle(view! {
            <p class="muted">"It turns the knobs of the sample upstreams, and none run here: the configuration has no [sample] table."</p>
        })}</Card>
    }
}
