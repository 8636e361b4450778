//! A chart on the page. Paths are stretched to the width that there is; labels, marks and the cursor are
//! text and boxes over them, placed in percent: nothing has to be measured, neither by the server.

use std::sync::Arc;

use leptos::prelude::*;

use super::drawing::{Drawing, Label, Spec};
use super::marks::{self, Mark};
use super::past::Past;
use super::path::{Trace, WIDTH};
use super::pointer;
use super::scale::Span;
use crate::components::{Card, Rows};
use crate::format;
use crate::live::{Live, use_live};
use crate::look::{Look, use_look};
use crate::range::Range;
use crate::settled::settle;
use crate::signals::{flag, text};

/// A chart's signals: made once, read by its plot and its legend.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    spec: &'static Spec,
    live: Live,
    look: Look,
    drawing: Memo<Drawing>,
    span: Memo<Span>,
}

impl Model {
    /// The signals of a kind of chart.
    #[must_use]
    pub fn new(spec: &'static Spec) -> Self {
        let (live, look) = (use_live(), use_look());
        let drawing = Memo::new(move |_| {
            live.board.with(|board| (spec.draw)(&Past::new(board, look.range.get().ms())))
        });
        let span = Memo::new(move |_| drawing.with(|drawing| drawing.span));
        Self { spec, live, look, drawing, span }
    }

    fn past<T>(self, read: impl FnOnce(&Past<'_>) -> T) -> T {
        self.live.board.with(|board| read(&Past::new(board, self.look.range.get().ms())))
    }

    /// Moves the cursor by so many intervals, and says what is there.
    fn step(self, by: isize) -> String {
        let at = self.past(|past| {
            let here = self.look.cursor.get().and_then(|at| past.nearest(at));
            let here = here.or_else(|| past.history.len().checked_sub(1))?;
            let there = here.saturating_add_signed(by).clamp(past.from, past.history.len() - 1);
            Some((past.history.at_ms[there], (self.spec.read)(past, Some(there))))
        });
        let Some((at_ms, values)) = at else { return String::new() };
        self.look.cursor.set(Some(at_ms));
        let values: Vec<_> = self
            .spec
            .series
            .iter()
            .zip(values)
            .map(|(series, value)| format!("{} {value}", series.label))
            .collect();
        format!("{}: {}", format::clock(at_ms, self.live.zone()), values.join(", "))
    }
}

/// A chart in a card of its own.
#[component]
pub fn Chart(spec: &'static Spec) -> impl IntoView {
    let model = Model::new(spec);
    settle(view! {
        <Card id=spec.id title=spec.title hint=spec.hint aside=settle(view! { <Legend model/> })>{settle(view! {
            <Plot model/>
        })}</Card>
    })
}

/// Names and figures of the series: those under the cursor, or those of now.
#[component]
pub fn Legend(model: Model) -> impl IntoView {
    let values = Memo::new(move |_| {
        let cursor = model.look.cursor.get();
        model.past(|past| (model.spec.read)(past, cursor.and_then(|at_ms| past.nearest(at_ms))))
    });
    let entry = move |at: usize| {
        let series = &model.spec.series[at];
        settle(view! {
            <span>
                <i class=format!("key {}", series.tone)></i>
                {series.label}
                <b>{text(move || values.with(|values| values.get(at).cloned().unwrap_or_default()))}</b>
            </span>
        })
    };
    view! { <div class="legend">{(0..model.spec.series.len()).map(entry).collect::<Vec<_>>()}</div> }
}

/// The picture itself.
#[component]
pub fn Plot(model: Model) -> impl IntoView {
    let Model { spec, live, look, drawing, span } = model;
    let left = text(move || drawing.with(|drawing| scale_labels(&drawing.left)));
    let right = text(move || drawing.with(|drawing| scale_labels(&drawing.right)));
    let two_scales = flag(move || drawing.with(|drawing| !drawing.right.is_empty()));
    let grid = text(move || drawing.with(|drawing| grid_path(&drawing.left, spec.height)));
    let times = text(move || time_labels(span.get(), look.range.get(), live.zone()));
    let marks = Memo::new(move |_| live.events(|events| marks::marks(events, span.get())));
    let each_mark = move || {
        let name = |(at, mark): (usize, &Mark)| (format!("{} {}", mark.at_ms, mark.seq), at);
        marks.with(|marks| marks.iter().enumerate().map(name).collect())
    };
    let mark = move |at: usize| {
        let mark = marks.with_untracked(|marks| marks.get(at).cloned());
        mark.map_or_else(|| settle(()), |mark| settle(moment(mark, span)))
    };
    let empty = text(move || drawing.with(|drawing| drawing.empty.unwrap_or_default().to_owned()));
    let spoken = RwSignal::new(String::new());
    let layer = move |at: usize| {
        let tone = spec.series[at].tone;
        let area = text(move || {
            drawing.with(|drawing| drawing.layers.get(at).map(|layer| layer.area.clone()).unwrap_or_default())
        });
        settle(view! {
            <path class=format!("area {tone}") d=area></path>
            <Lines tone trace=Signal::derive(move || {
                drawing.with(|drawing| drawing.layers.get(at).map(|layer| layer.trace.clone()).unwrap_or_default())
            })/>
        })
    };
    let no_cursor = flag(move || look.cursor.get().is_none());
    let cursor_left =
        text(move || percent(look.cursor.get().map_or(0.0, |at_ms| span.get().position(at_ms))));
    let cursor_time =
        text(move || look.cursor.get().map(|at_ms| format::clock(at_ms, live.zone())).unwrap_or_default());
    let point = move |event: leptos::ev::PointerEvent| {
        if let Some(position) = pointer::position(&event) {
            let at_ms = span.get_untracked().at(position);
            look.cursor
                .set(untrack(|| model.past(|past| past.nearest(at_ms).map(|at| past.history.at_ms[at]))));
        }
    };
    let key = move |event: leptos::ev::KeyboardEvent| {
        let by = match event.key().as_str() {
            "ArrowLeft" if event.shift_key() => -10,
            "ArrowRight" if event.shift_key() => 10,
            "ArrowLeft" => -1,
            "ArrowRight" => 1,
            "Home" => -10_000,
            "End" => 10_000,
            "Escape" => return look.cursor.set(None),
            _ => return,
        };
        event.prevent_default();
        spoken.set(untrack(|| model.step(by)));
    };
    settle(view! {
        <div class="chart" class:two-scales=two_scales>
            <div class="scale" aria-hidden="true" inner_html=left></div>
            <div
                class="plot"
                style=format!("height:{}px", spec.height)
                tabindex="0"
                role="group"
                aria-label=format!("{}: left and right arrows read single moments", spec.title)
                on:pointermove=point
                on:pointerdown=point
                on:pointerleave=move |_| look.cursor.set(None)
                on:blur=move |_| look.cursor.set(None)
                on:keydown=key
            >
                <svg
                    viewBox=format!("0 0 {} {}", format::whole(WIDTH), spec.height)
                    preserveAspectRatio="none"
                    role="img"
                    aria-label=text(move || drawing.with(|drawing| drawing.summary.clone()))
                    data-testid=format!("chart-{}", spec.id)
                    data-points=text(move || drawing.with(|drawing| drawing.points.to_string()))
                    data-last-ms=text(move || span.get().right_ms.to_string())
                >
                    <path class="grid" d=grid></path>
                    {(0..spec.series.len()).map(layer).collect::<Vec<_>>()}
                </svg>
                <p class="empty">{empty}</p>
                <Rows each=Arc::new(each_mark) row=Arc::new(mark)/>
                <div class="cursor" hidden=no_cursor style:left=cursor_left>
                    <span>{cursor_time}</span>
                </div>
            </div>
            <div class="scale right" aria-hidden="true" inner_html=right></div>
            <div class="times" aria-hidden="true" inner_html=times></div>
            <output class="hidden">{spoken}</output>
        </div>
    })
}

/// The trace of a series in its colour.
#[component]
pub fn Lines(tone: &'static str, trace: Signal<Trace>) -> impl IntoView {
    view! {
        <path class=format!("line {tone}") d=text(move || trace.with(|trace| trace.line.clone()))></path>
        <path class=format!("line dots {tone}") d=text(move || trace.with(|trace| trace.dots.clone()))></path>
    }
}

fn moment(mark: Mark, span: Memo<Span>) -> impl IntoView {
    let at_ms = mark.at_ms;
    view! {
        <span
            class=format!("moment {}", mark.tone)
            title=mark.title
            style:left=text(move || percent(span.get().position(at_ms)))
        ></span>
    }
}

/// As HTML: numbers that this page has formatted itself, too many to be nodes of a view each.
fn scale_labels(labels: &[Label]) -> String {
    let label = |label: &Label| format!("<span style=\"bottom:{}\">{}</span>", percent(label.y), label.text);
    labels.iter().map(label).collect()
}

fn time_labels(span: Span, range: Range, zone_min: i32) -> String {
    let label = |at_ms| {
        let left = percent(span.position(at_ms));
        // The last one stays inside.
        format!("<span style=\"left:min({left},100% - 1.2em)\">{}</span>", time(at_ms, range, zone_min))
    };
    span.ticks().into_iter().map(label).collect()
}

fn grid_path(labels: &[Label], height: u32) -> String {
    labels
        .iter()
        .map(|label| format!("M0 {}h1000", format::fixed((1.0 - label.y) * f64::from(height), 1)))
        .collect()
}

fn time(at_ms: u64, range: Range, zone_min: i32) -> String {
    match range {
        Range::OneMinute => format::clock(at_ms, zone_min),
        Range::FiveMinutes | Range::FifteenMinutes => format::clock_minutes(at_ms, zone_min),
    }
}

fn percent(position: f64) -> String {
    format!("{}%", format::fixed(position * 100.0, 2))
}
