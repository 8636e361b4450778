//! A breaker's state over time, as a strip of cells. The worst state in a cell wins: a second of open
//! circuit must not vanish in a cell of fifteen.

use rad_model::history::BreakerCell;

use super::scale::Span;

/// How many cells a strip has.
pub const CELLS: usize = 60;

/// Cells of the span, oldest first. They are aligned to round times, so that they keep their content while
/// time goes on.
#[must_use]
pub fn cells(at_ms: &[u64], column: &[BreakerCell], span: Span) -> Vec<BreakerCell> {
    let mut cells = vec![BreakerCell::Unknown; CELLS];
    let width = (span.right_ms - span.left_ms).div_ceil(60).max(1);
    // Where the cell that is being filled begins; without a division for each of so many entries.
    let mut begins = span.right_ms / width * width;
    let mut index = CELLS - 1;
    for (at_ms, state) in at_ms.iter().zip(column).rev() {
        while *at_ms < begins {
            if index == 0 {
                return cells;
            }
            index -= 1;
            begins = begins.saturating_sub(width);
        }
        if rank(*state) > rank(cells[index]) {
            cells[index] = *state;
        }
    }
    cells
}

/// A layer of the strip: the cells that it covers, from where down to where (of 20), and its class.
#[derive(Clone, Copy, Debug)]
pub struct Layer {
    pub class: &'static str,
    pub covers: fn(BreakerCell) -> bool,
    pub top: u32,
    pub bottom: u32,
}

/// States differ by shape as well as by colour: failures are a red foot, half-open is half as high.
pub const LAYERS: [Layer; 6] = [
    layer("none", |cell| cell == BreakerCell::Unknown, 0, 20),
    layer("closed", |cell| matches!(cell, BreakerCell::Closed | BreakerCell::Failing), 0, 20),
    layer("open", |cell| cell == BreakerCell::Failing, 14, 20),
    layer("half", |cell| cell == BreakerCell::HalfOpen, 0, 11),
    layer("rest", |cell| cell == BreakerCell::HalfOpen, 11, 20),
    layer("open", |cell| cell == BreakerCell::Open, 0, 20),
];

const fn layer(class: &'static str, covers: fn(BreakerCell) -> bool, top: u32, bottom: u32) -> Layer {
    Layer { class, covers, top, bottom }
}

/// One path for all cells of a layer; a cell is 10 units wide with its gap.
#[must_use]
pub fn path(cells: &[BreakerCell], layer: Layer) -> String {
    let Layer { top, bottom, .. } = layer;
    let mut path = String::new();
    let mut x = 0;
    for cell in cells {
        if (layer.covers)(*cell) {
            path.push_str(&format!("M{x} {top}h8V{bottom}h-8z"));
        }
        x += 10;
    }
    path
}

/// In words, for those who cannot see it: `open for 4 of 60 cells`.
#[must_use]
pub fn summary(cells: &[BreakerCell]) -> String {
    let known = cells.iter().filter(|cell| **cell != BreakerCell::Unknown).count();
    if known == 0 {
        return "nothing known yet".to_owned();
    }
    let part = |state, word| {
        let count = cells.iter().filter(|cell| **cell == state).count();
        (count > 0).then(|| format!("{word} in {} % of the time", (count * 100).div_ceil(known)))
    };
    let parts = [
        part(BreakerCell::Open, "open"),
        part(BreakerCell::HalfOpen, "half-open"),
        part(BreakerCell::Failing, "closed with failures"),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "closed all the time".to_owned() } else { parts.join(", ") }
}

fn rank(cell: BreakerCell) -> u8 {
    match cell {
        BreakerCell::Unknown => 0,
        BreakerCell::Closed => 1,
        BreakerCell::Failing => 2,
        BreakerCell::HalfOpen => 3,
        BreakerCell::Open => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use BreakerCell::{Closed, Failing, Open, Unknown};

    #[test]
    fn the_worst_state_in_a_cell_wins() {
        let at: Vec<u64> = (1..=900).map(|second| second * 1_000).collect();
        let mut column = vec![Closed; 900];
        column[893] = Open;
        column[895] = Failing;
        let cells = cells(&at, &column, Span::until(900_000, 900_000));
        assert_eq!(cells.len(), CELLS);
        assert_eq!(cells[58], Open);
        assert_eq!(cells[57], Closed);
    }

    #[test]
    fn what_is_not_known_stays_empty() {
        let cells = cells(&[60_000], &[Closed], Span::until(60_000, 60_000));
        assert_eq!(cells[..59], [Unknown; 59]);
        assert_eq!(cells[59], Closed);
    }

    #[test]
    fn an_hour_of_nothing_is_said_in_words() {
        assert_eq!(summary(&[Unknown; 60]), "nothing known yet");
        assert_eq!(summary(&[Closed, Closed]), "closed all the time");
        assert_eq!(summary(&[Closed, Open]), "open in 50 % of the time");
    }

    #[test]
    fn cells_of_a_layer_share_a_path() {
        assert_eq!(path(&[Open, Closed, Open], LAYERS[5]), "M0 0h8V20h-8zM20 0h8V20h-8z");
        assert_eq!(path(&[Failing], LAYERS[2]), "M0 14h8V20h-8z");
    }
}
