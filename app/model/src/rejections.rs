//! Whom limits rejected in the last minute, by route.

use serde::{Deserialize, Serialize};

use crate::Tick;

/// Columns with an entry for each interval and route in which something was rejected, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rejections {
    /// When the interval ended, milliseconds since 1970.
    at_ms: Vec<u64>,
    /// Positions in [`crate::Topology::routes`].
    route: Vec<u32>,
    count: Vec<u32>,
}

impl Rejections {
    /// How long they are remembered.
    const KEPT_MS: u64 = 60_000;

    /// Takes in an interval, and forgets what is over a minute old by then.
    pub fn push(&mut self, tick: &Tick) {
        while self.at_ms.first().is_some_and(|at_ms| at_ms.saturating_add(Self::KEPT_MS) <= tick.at_ms) {
            self.at_ms.remove(0);
            for column in [&mut self.route, &mut self.count] {
                if !column.is_empty() {
                    column.remove(0);
                }
            }
        }
        for route in tick.routes.iter().filter(|route| route.limited > 0) {
            self.at_ms.push(tick.at_ms);
            self.route.push(route.route);
            self.count.push(route.limited);
        }
    }

    /// Those of a route.
    #[must_use]
    pub fn of(&self, route: u32) -> u32 {
        let counts = self.route.iter().zip(&self.count).filter(|(at, _)| **at == route);
        counts.fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RouteTick;

    fn tick(at_ms: u64, rejected: &[(u32, u32)]) -> Tick {
        let route = |(route, limited): &(u32, u32)| RouteTick {
            route: *route,
            requests: 9,
            limited: *limited,
            failed: 0,
            p99_us: 0,
            fullest: None,
        };
        Tick { at_ms, routes: rejected.iter().map(route).collect(), ..Tick::default() }
    }

    #[test]
    fn a_rejection_counts_for_a_minute_and_for_its_route_alone() {
        let mut rejections = Rejections::default();
        rejections.push(&tick(1_000, &[(0, 3), (2, 1)]));
        rejections.push(&tick(2_000, &[(0, 4), (1, 0)]));
        assert_eq!([rejections.of(0), rejections.of(1), rejections.of(2)], [7, 0, 1]);
        rejections.push(&tick(61_000, &[]));
        assert_eq!([rejections.of(0), rejections.of(2)], [4, 0]);
    }

    #[test]
    fn columns_of_different_lengths_are_no_reason_to_stop() {
        let mut rejections = Rejections { at_ms: vec![1, 2], route: vec![0], count: vec![] };
        rejections.push(&tick(90_000, &[]));
        assert_eq!(rejections.of(0), 0);
    }
}
