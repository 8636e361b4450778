//! What is known of both sides' success, drawn: the range in which each lies, and the target.
//!
//! A share of few requests says little; a range shows how little. The picture is stretched to the width that there
//! is, and its strokes are not.

use rad_model::{RolloutTick, SideTick};

use super::scale::Scale;
use crate::format;

/// Height of the picture.
pub const HEIGHT: u32 = 44;
/// Where the sides are in it.
const MIDDLES: [u32; 2] = [11, 33];
const MILLION: f64 = 1_000_000.0;

/// The picture on a width of 1,000, as HTML: numbers that this page has written itself. Of a side of which nothing is
/// known there is nothing in it.
#[must_use]
pub fn picture(tick: &RolloutTick, target: f64) -> String {
    let scale = scale(tick, target);
    let x = |share: f64| format::whole(scale.position(share) * 1_000.0);
    let mut picture = format!("<path class=\"target\" d=\"M{} 0V{HEIGHT}\"/>", x(target));
    for (side, class, y) in [(tick.legacy, "l", MIDDLES[0]), (tick.candidate, "c", MIDDLES[1])] {
        if side.total_requests > 0 {
            let (from, to, seen) = (x(share(side.success_from)), x(share(side.success_to)), x(seen(&side)));
            picture += &format!(
                "<path class=\"range {class}\" d=\"M{from} {y}H{to}\"/><path class=\"dot {class}\" d=\"M{seen} {y}h0\"/>"
            );
        }
    }
    picture
}

/// How far right the target is, for its label: never so far that it would be cut.
#[must_use]
pub fn target_left(tick: &RolloutTick, target: f64) -> String {
    format!("clamp(3em, {}%, 100% - 3em)", format::whole(scale(tick, target).position(target) * 100.0))
}

/// What it shows, for those who do not see it.
#[must_use]
pub fn words(tick: &RolloutTick, target: f64) -> String {
    let side = |name: &str, side: SideTick| match side.total_requests {
        0 => format!("{name}: nothing known"),
        _ => {
            let (from, to) = (share(side.success_from), share(side.success_to));
            format!("{name}: between {} and {} %", format::percent(from), format::percent(to))
        }
    };
    let (legacy, candidate) = (side("legacy", tick.legacy), side("candidate", tick.candidate));
    format!("Success of {legacy}; {candidate}; target {} %", format::target(target))
}

fn scale(tick: &RolloutTick, target: f64) -> Scale {
    let known = [tick.legacy, tick.candidate].into_iter().filter(|side| side.total_requests > 0);
    Scale::near_one(known.map(|side| share(side.success_from)).fold(target, f64::min))
}

fn share(millionths: u32) -> f64 {
    f64::from(millionths) / MILLION
}

fn seen(side: &SideTick) -> f64 {
    1.0 - format::approximate(side.total_failed) / format::approximate(side.total_requests)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(requests: u64, failed: u64, from: u32, to: u32) -> SideTick {
        let (total_requests, total_failed, success_from, success_to) = (requests, failed, from, to);
        SideTick { total_requests, total_failed, success_from, success_to, ..SideTick::default() }
    }

    #[test]
    fn ranges_and_target_lie_on_one_scale_as_fine_as_they_allow() {
        let tick = RolloutTick {
            legacy: side(1_000, 5, 991_000, 998_000),
            candidate: side(100, 0, 990_000, 1_000_000),
            ..RolloutTick::default()
        };
        let drawn = picture(&tick, 0.995);
        for d in ["M500 0V44", "M100 11H800", "M500 11h0", "M0 33H1000", "M1000 33h0"] {
            assert!(drawn.contains(&format!("d=\"{d}\"")), "{d}: {drawn}");
        }
        assert_eq!(target_left(&tick, 0.995), "clamp(3em, 50%, 100% - 3em)");
        let worse = RolloutTick { candidate: side(10, 5, 200_000, 800_000), ..tick };
        assert!(picture(&worse, 0.995).contains("M200 33H800"));
    }

    #[test]
    fn of_a_side_without_requests_nothing_is_drawn_and_that_is_said() {
        let tick = RolloutTick { legacy: side(10, 0, 700_000, 1_000_000), ..RolloutTick::default() };
        assert!(!picture(&tick, 0.995).contains("class=\"range c\""));
        assert!(!picture(&tick, 0.995).contains("class=\"dot c\""));
        assert_eq!(
            words(&tick, 0.995),
            "Success of legacy: between 70.00 and 100 %; candidate: nothing known; target 99.5 %"
        );
    }
}
