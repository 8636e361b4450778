//! What a chart is, and what its picture is made of.

use super::past::Past;
use super::path::{self, Runs, Trace};
use super::scale::{Scale, Span};

/// A kind of chart.
#[derive(Debug)]
pub struct Spec {
    /// Names it in the page.
    pub id: &'static str,
    pub title: &'static str,
    /// What exactly its figures are.
    pub hint: &'static str,
    /// Of the plot, in pixels.
    pub height: u32,
    pub series: &'static [Series],
    pub draw: fn(&Past<'_>) -> Drawing,
    /// The figures of one interval, or those of the moment, in the order of the series.
    pub read: fn(&Past<'_>, Option<usize>) -> Vec<String>,
}

/// One of its series.
#[derive(Debug)]
pub struct Series {
    pub label: &'static str,
    /// The class that colours it.
    pub tone: &'static str,
}

/// Its picture at a moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drawing {
    pub span: Span,
    /// How many intervals it shows.
    pub points: usize,
    /// In the order of the series.
    pub layers: Vec<Layer>,
    /// Labels on the left, and on the right where there is a second scale.
    pub left: Vec<Label>,
    pub right: Vec<Label>,
    /// For those who cannot see it.
    pub summary: String,
    /// Words where there is nothing to see.
    pub empty: Option<&'static str>,
}

/// The paths of a series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layer {
    pub area: String,
    pub trace: Trace,
}

impl Layer {
    /// A series as a line.
    #[must_use]
    pub fn line(runs: &Runs, height: u32) -> Self {
        Self { area: String::new(), trace: path::trace(runs, f64::from(height)) }
    }
}

/// A label at a height of 0 (bottom) to 1 (top).
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    pub y: f64,
    pub text: String,
}

/// Labels for the lines of a scale.
#[must_use]
pub fn labels(scale: Scale, text: impl Fn(f64) -> String) -> Vec<Label> {
    scale.lines().into_iter().map(|value| Label { y: scale.position(value), text: text(value) }).collect()
}
