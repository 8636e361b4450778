//! SVG path strings. Coordinates are in tenths, written by hand: paths are made anew every second.

use crate::format;

/// Charts are drawn this wide, and stretched to the width that there is.
pub const WIDTH: f64 = 1_000.0;

/// A point: time as a position of 0 to 1, height as a position of 0 (bottom) to 1 (top).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub x: f64,
    pub y: f64,
}

/// Runs of points without a gap between them.
pub type Runs = Vec<Vec<Point>>;

/// Cuts a series into runs: where two times that have a value are more than `gap_ms` apart.
pub fn runs(
    series: impl Iterator<Item = (u64, Option<f64>)>,
    gap_ms: u64,
    place: impl Fn(u64, f64) -> Point,
) -> Runs {
    let mut runs: Runs = vec![];
    let mut last = None;
    for (at_ms, value) in series {
        let Some(value) = value else { continue };
        let point = place(at_ms, value);
        let joined = last.is_some_and(|last| at_ms.saturating_sub(last) <= gap_ms);
        match runs.last_mut() {
            Some(run) if joined => run.push(point),
            _ => runs.push(vec![point]),
        }
        last = Some(at_ms);
    }
    runs
}

/// What a series leaves on paper.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// Through the points of each run.
    pub line: String,
    /// Points that stand alone, as lines of no length: a wide pen with a round nib makes dots of them.
    pub dots: String,
}

/// The trace of each run.
#[must_use]
pub fn trace(runs: &[Vec<Point>], height: f64) -> Trace {
    let mut line = Pen::new(runs, height);
    let mut dots = Pen::new(&[], height);
    for run in runs {
        if let [point] = &run[..] {
            dots.go('M', point);
            dots.text.push_str("h0");
        } else {
            line.stroke(run.iter());
        }
    }
    Trace { line: line.text, dots: dots.text }
}

/// The area between each run and the run below it (of the same points in time).
#[must_use]
pub fn area(runs: &[Vec<Point>], below: &[Vec<Point>], height: f64) -> String {
    let mut pen = Pen::new(runs, height);
    for (top, bottom) in runs.iter().zip(below) {
        pen.stroke(top.iter());
        for point in bottom.iter().rev() {
            pen.go('L', point);
        }
        pen.text.push('Z');
    }
    pen.text
}

/// The same points on the bottom: what an area without another below stands on.
#[must_use]
pub fn floor(runs: &[Vec<Point>]) -> Runs {
    runs.iter().map(|run| run.iter().map(|point| Point { x: point.x, y: 0.0 }).collect()).collect()
}

struct Pen {
    text: String,
    height: f64,
}

impl Pen {
    fn new(runs: &[Vec<Point>], height: f64) -> Self {
        let points: usize = runs.iter().map(Vec::len).sum();
        Self { text: String::with_capacity(points * 12), height }
    }

    fn stroke<'a>(&mut self, points: impl Iterator<Item = &'a Point>) {
        let mut command = 'M';
        for point in points {
            self.go(command, point);
            command = 'L';
        }
    }

    fn go(&mut self, command: char, point: &Point) {
        self.text.push(command);
        self.number(point.x * WIDTH);
        self.text.push(' ');
        self.number((1.0 - point.y) * self.height);
    }

    fn number(&mut self, value: f64) {
        if value < 0.0 {
            self.text.push('-');
        }
        let tenths = format::whole(value.abs() * 10.0);
        self.digits(tenths / 10);
        if !tenths.is_multiple_of(10) {
            self.text.push('.');
            self.digits(tenths % 10);
        }
    }

    fn digits(&mut self, value: u64) {
        if value >= 10 {
            self.digits(value / 10);
        }
        // A digit fits.
        #[allow(clippy::cast_possible_truncation)]
        self.text.push(char::from(b'0' + (value % 10) as u8));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(at_ms: u64, value: f64) -> Point {
        Point { x: format::approximate(at_ms) / 10_000.0, y: value }
    }

    fn drawn(series: &[(u64, Option<f64>)]) -> [String; 2] {
        let Trace { line, dots } = trace(&runs(series.iter().copied(), 2_500, place), 100.0);
        [line, dots]
    }

    #[test]
    fn a_line_goes_through_its_points() {
        assert_eq!(
            drawn(&[(0, Some(0.0)), (1_000, Some(0.5)), (2_000, Some(0.999))]),
            ["M0 100L100 50L200 0.1", ""]
        );
    }

    #[test]
    fn points_more_than_two_and_a_half_intervals_apart_are_not_joined() {
        assert_eq!(
            drawn(&[(0, Some(1.0)), (2_500, Some(1.0)), (5_001, Some(1.0))]),
            ["M0 0L250 0", "M500.1 0h0"]
        );
    }

    #[test]
    fn one_missing_value_is_bridged_and_three_are_a_gap() {
        assert_eq!(drawn(&[(0, Some(1.0)), (1_000, None), (2_000, Some(1.0))]), ["M0 0L200 0", ""]);
        let hole = [(0, Some(1.0)), (1_000, None), (2_000, None), (3_000, None), (4_000, Some(1.0))];
        assert_eq!(drawn(&hole), ["", "M0 0h0M400 0h0"]);
    }

    #[test]
    fn an_area_returns_along_what_lies_below() {
        let top = runs([(0, Some(1.0)), (1_000, Some(1.0))].into_iter(), 2_500, place);
        assert_eq!(area(&top, &floor(&top), 10.0), "M0 0L100 0L100 10L0 10Z");
    }
}
