//! The share of requests that succeed.

use std::ops::Range;

use super::drawing::{Drawing, Layer, Series, Spec, labels};
use super::past::Past;
use super::scale::Scale;
use crate::format;

/// The chart.
pub static SUCCESS: Spec = Spec {
    id: "success",
    title: "Success",
    hint: "Answered out of all that the limits let in, over the ten seconds up to each moment.",
    height: 132,
    series: &[Series { label: "answered", tone: "ok" }],
    draw,
    read,
};

fn draw(past: &Past<'_>) -> Drawing {
    let steps = past.steps();
    let value = |step: Range<usize>| past.success(step.end - 1);
    let lowest = steps.iter().filter_map(|step| value(step.clone())).reduce(f64::min);
    let scale = Scale::near_one(lowest.unwrap_or(1.0));
    Drawing {
        span: past.span,
        points: past.points(),
        // No area: the scale need not begin at 0.
        layers: vec![Layer::line(&past.runs(&steps, value, scale), SUCCESS.height)],
        left: labels(scale, |share| label(share, scale)),
        right: vec![],
        summary: lowest.map_or("Success: no requests yet.".to_owned(), |lowest| {
            format!("Success: now {}, at worst {} %.", read(past, None)[0], format::percent(lowest))
        }),
        empty: lowest.is_none().then_some("No requests yet"),
    }
}

/// The top says the unit.
fn label(share: f64, scale: Scale) -> String {
    let decimals = if scale.low >= 0.95 { 1 } else { 0 };
    let unit = if share >= 1.0 { " %" } else { "" };
    let decimals = if share >= 1.0 { 0 } else { decimals };
    format!("{}{unit}", format::fixed(share * 100.0, decimals))
}

fn read(past: &Past<'_>, at: Option<usize>) -> Vec<String> {
    let at = at.or_else(|| past.history.len().checked_sub(1));
    let share = at.and_then(|at| past.success(at));
    vec![share.map_or("–".to_owned(), |share| format!("{} %", format::percent(share)))]
}
