//! One breaker in full.

use leptos::prelude::*;
use leptos::task::spawn_local;
use rad_model::metrics::Figure;
use rad_model::{BreakerMode, BreakerState, BreakerTick};
use serde::Deserialize;

use super::switches::Switches;
use crate::components::{Card, Meter, Pill, address, tone, word};
use crate::format;
use crate::initial::Answers;
use crate::live::{Freshness, Live, http, poll, use_live};
use crate::settled::settle;
use crate::signals::{flag, text};

/// The most figures that decide in one state.
const MOST: usize = 4;

/// What the page reads of `GET /api/breakers/NAME`: what is in no frame.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Answer {
    pub state: BreakerState,
    #[serde(default)]
    pub mode: BreakerMode,
    says: String,
    figures: Vec<Figure>,
    trips: u64,
    rejected: u32,
    open_for_ms: u64,
}

/// What is known of the breaker.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    live: Live,
    name: StoredValue<String>,
    answer: RwSignal<Option<Answer>>,
    /// Counts the changes made here: what was asked before one is not believed after it.
    changes: StoredValue<u32>,
    fresh: Freshness,
}

impl Known {
    /// Where the API has it.
    pub fn url(self, what: &str) -> String {
        self.name.with_value(|name| format!("/api{}{what}", address(name)))
    }

    /// Something was changed here.
    pub fn changed(self) {
        self.changes.update_value(|changes| *changes += 1);
        self.ask();
    }

    fn ask(self) {
        let before = self.changes.try_get_value();
        spawn_local(async move {
            let Some(url) = self.name.try_get_value().map(|_| self.url("")) else { return };
            let new = http::get::<Answer>(&url).await;
            if before.is_none() || self.changes.try_get_value() != before {
                return;
            }
            self.fresh.heard(new.as_ref().err());
            let Ok(mut new) = new else { return };
            let old = self.answer.get_untracked();
            if let Some(old) = old.filter(|_| self.live.held.with_untracked(Option::is_some)) {
                // Figures stand still with the rest of the page; switches show what is in force.
                new = Answer { mode: new.mode, ..old };
            }
            if self.answer.with_untracked(|old| old.as_ref() != Some(&new)) {
                self.answer.set(Some(new));
            }
        });
    }
}

/// The card of a breaker.
#[component]
pub fn Standing(at: usize, name: String) -> impl IntoView {
    let live = use_live();
    let known = Known {
        live,
        name: StoredValue::new(name.clone()),
        answer: RwSignal::new(None),
        changes: StoredValue::new(0),
        fresh: Freshness::from_now(),
    };
    let first = Answers::take(&known.url("")).and_then(|text| http::understood(&text).ok());
    known.answer.set(first);
    poll(move || known.ask());
    let tick = Memo::new(move |_| {
        let tick = live.board.with(|board| board.snapshot.now.as_ref()?.breakers.get(at).cloned());
        BreakerTick { next_ms: None, ..tick.unwrap_or_default() }
    });
    // Frames are newer, while they come; modes are in both.
    let standing = move || {
        let (state, mode) = tick.with(|tick| (tick.state, tick.mode));
        known.answer.with(|answer| match answer {
            Some(answer) if live.stale.get() => (answer.state, answer.mode),
            Some(answer) => (state, answer.mode),
            None => (state, mode),
        })
    };
    let mode = Signal::derive(move || standing().1);
    let since = text(move || {
        let since_ms = tick.with(|tick| tick.since_ms);
        let zone = if live.zone_min.get().is_none() { " UTC" } else { "" };
        match since_ms {
            0 => String::new(),
            // The state underneath stands still, and is not what requests meet.
            _ if matches!(standing().1, BreakerMode::ForcedOpen | BreakerMode::Disabled) => String::new(),
            at_ms => format!("{} since {}{zone}", standing().0.word(), format::clock(at_ms, live.zone())),
        }
    });
    let of = move |read: fn(&Answer) -> String| {
        text(move || known.answer.with(|answer| answer.as_ref().map(read).unwrap_or_default()))
    };
    let pill = settle(view! {
        <Pill tone=text(move || tone(standing()).to_owned()) word=text(move || word(standing()))/>
    });
    let rows: Vec<_> = (0..MOST).map(|at| settle(view! { <Row known at/> })).collect();
    settle(view! {
        <Card id="breaker" title=name note=since class="acts" aside=pill>{settle(view! {
            {known.fresh.line(flag(move || known.answer.with(Option::is_some)))}
            <p class="says" data-testid="says">{of(|answer| answer.says.clone())}</p>
            <table class="rows figures"><tbody>{rows}</tbody></table>
            <p class="muted" data-testid="counts">{of(counts)}</p>
            <Switches known mode/>
        })}</Card>
    })
}

#[component]
fn Row(known: Known, at: usize) -> impl IntoView {
    // A figure changes with every answer anyway.
    let figure = move || known.answer.with(|answer| answer.as_ref()?.figures.get(at).cloned());
    let of = move |read: fn(&Figure) -> String| text(move || figure().as_ref().map(read).unwrap_or_default());
    let name = of(|figure| figure.name.clone());
    let share = Signal::derive(move || figure().map_or(0.0, |figure| figure.value / figure.limit));
    view! {
        <tr hidden=flag(move || figure().is_none())>
            <td>{name}</td>
            <td class="third"><Meter share label=name/></td>
            <td class="muted whole">{of(stands)}</td>
        </tr>
    }
}

fn counts(answer: &Answer) -> String {
    let (trips, rejected) = (format::count(answer.trips), format::count(u64::from(answer.rejected)));
    let times = if answer.trips == 1 { "time" } else { "times" };
    format!(
        "Opened {trips} {times} and rejected {rejected} since the start. Stays open for {}.",
        format::length(answer.open_for_ms)
    )
}

/// `3, opens at 5`.
fn stands(figure: &Figure) -> String {
    let Figure { value, limit, unit, then, .. } = figure;
    let told = |value: f64| match unit.as_str() {
        "" => format::plain(value),
        "s" => format::length(format::whole(value * 1_000.0)),
        unit => format!("{} {unit}", format::plain(value)),
    };
    format!("{}, {then} at {}", told(*value), told(*limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_says_where_it_stands_and_what_happens_at_its_limit() {
        let figure = |value, unit: &str| Figure {
            name: "Failure rate".to_owned(),
            value,
            limit: 50.0,
            unit: unit.to_owned(),
            then: "opens".to_owned(),
        };
        assert_eq!(stands(&figure(12.5, "%")), "12.5 %, opens at 50 %");
        assert_eq!(stands(&figure(3.0, "")), "3, opens at 50");
        assert_eq!(stands(&figure(75.0, "s")), "1 min 15 s, opens at 50 s");
    }

    #[test]
    fn counts_are_told_in_one_line() {
        let answer = Answer { trips: 1, rejected: 1_200, open_for_ms: 60_000, ..Answer::default() };
        assert_eq!(
            counts(&answer),
            "Opened 1 time and rejected 1,200 since the start. Stays open for 1 min."
        );
    }
}
