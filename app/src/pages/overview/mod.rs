//! The page that a tired person reads at 3 a.m.: what matters now, and what has led to it.

mod breakers;
mod events;
mod limits;
mod rollout;
mod share_change;
mod sides;
mod tiles;

pub use breakers::Breakers;

use leptos::prelude::*;

use crate::chart::Chart;
use crate::chart::latency::LATENCY;
use crate::chart::success::SUCCESS;
use crate::chart::traffic::TRAFFIC;
use crate::settled::settle;
use events::Events;
use limits::Limits;
use rollout::Rollouts;
use tiles::Tiles;

/// The overview.
#[component]
pub fn Overview() -> impl IntoView {
    settle(view! {
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
