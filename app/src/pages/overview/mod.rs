//! The page that a tired person reads at 3 a.m.: what matters now, and what has led to it.

mod events;
mod rollout;
mod share_change;
mod sides;
mod tiles;

use leptos::prelude::*;
use rad_model::{Destination, Route};

use crate::chart::Chart;
use crate::chart::latency::LATENCY;
use crate::chart::success::SUCCESS;
use crate::chart::traffic::TRAFFIC;
use crate::components::{Breakers, Limits};
use crate::live::use_live;
use crate::settled::settle;
use crate::signals::flag;
use events::Events;
use rollout::Rollouts;
use tiles::Tiles;

/// The overview.
#[component]
pub fn Overview() -> impl IntoView {
    settle(view! {
        <NoRoutes/>
        <Tiles/>
        <div class="columns">
            <div>
                <Chart spec=&TRAFFIC/>
                <div class="pair">
                    <Chart spec=&LATENCY/>
                    <Chart spec=&SUCCESS/>
                </div>
                <Breakers/>
                <Limits/>
            </div>
            <div>
                <Rollouts/>
                <Events/>
            </div>
        </div>
    })
}

/// What to do first, where the gateway has nothing to pass on to.
#[component]
fn NoRoutes() -> impl IntoView {
    let live = use_live();
    let leads = |route: &Route| route.to != Destination::Static;
    let there = flag(move || live.topology.with(|topology| topology.routes.iter().any(leads)));
    settle(view! {
        <section class="card" data-testid="no-routes" hidden=there>
            <h2>"No routes yet"</h2>
            <p class="lead">
                "The gateway answers every request with 404 until it knows where to send it. Add these to the "
                "configuration file (the one that --config names, here as an example), check it with "
                <code>"rad-monitor check"</code>", and start again:"
            </p>
            <pre>{EXAMPLE}</pre>
        </section>
    })
}

const EXAMPLE: &str = "[upstreams.search]
targets = [\"http://127.0.0.1:9200\"]

[[routes]]
path = \"/\"
upstream = \"search\"";
