//! How full the fullest limit is, and how many requests limits reject.

use std::ops::Range;

use super::drawing::{Drawing, Label, Layer, Series, Spec, labels};
use super::past::{Past, mean};
use super::path;
use super::scale::Scale;
use crate::format;

/// The chart. Two scales: shares on the left, rejections on the right.
pub static LIMITS: Spec = Spec {
    id: "limits",
    title: "Limit use",
    hint: "How full the fullest limit of all routes is (left scale), and how many requests limits reject a \
           second (right scale).",
    height: 104,
    series: &[Series { label: "rejected", tone: "warn" }, Series { label: "fullest limit", tone: "accent" }],
    draw,
    read,
};

const FULL: Scale = Scale { low: 0.0, high: 1_000.0, step: 500.0 };

fn draw(past: &Past<'_>) -> Drawing {
    let history = past.history;
    let steps = past.steps();
    let rejected = |step: Range<usize>| past.rate(mean(&history.limited, step));
    let highest = steps.iter().map(|step| rejected(step.clone())).fold(0.0, f64::max);
    let scale = Scale::from_zero(highest, 2, 1.0);
    let bars = past.runs(&steps, |step| Some(rejected(step)), scale);
    let mut layer = Layer::default();
    if highest > 0.0 {
        layer = Layer::line(&bars, LIMITS.height);
        layer.area = path::area(&bars, &path::floor(&bars), f64::from(LIMITS.height));
    }
    let usage = past.runs(&steps, |step| fullest(past, step).map(f64::from), FULL);
    let mut right: Vec<Label> = if highest > 0.0 { labels(scale, format::plain) } else { vec![] };
    if let Some(top) = right.last_mut() {
        top.text.push_str("/s");
    }
    let now = read(past, None);
    Drawing {
        span: past.span,
        points: past.points(),
        layers: vec![layer, Layer::line(&usage, LIMITS.height)],
        left: labels(FULL, |permille| {
            format!("{}{}", format::fixed(permille / 10.0, 0), if permille >= 1_000.0 { " %" } else { "" })
        }),
        right,
        summary: format!("Limits: the fullest is {} used, {} requests are rejected.", now[1], now[0]),
        empty: None,
    }
}

fn fullest(past: &Past<'_>, step: Range<usize>) -> Option<u16> {
    past.history.limit_use.get(step).unwrap_or_default().iter().copied().max()
}

fn read(past: &Past<'_>, at: Option<usize>) -> Vec<String> {
    let last = past.history.len().saturating_sub(1)..past.history.len();
    let (rejected, used) = match at.map(|at| past.step_of(at)) {
        Some(step) => (mean(&past.history.limited, step.clone()), fullest(past, step)),
        None => (mean(&past.history.limited, past.latest()), fullest(past, last)),
    };
    let used = used.map_or("–".to_owned(), |permille| format!("{} %", permille / 10));
    vec![format!("{}/s", format::rate(past.rate(rejected))), used]
}
