//! The rollouts in words.

use rad_model::Share;
use rad_model::format::{count, length};

use super::Standing;
use crate::rollout::verdict::sample_ratio::{Counted, FALSE_DOUBT, Mismatch};
use crate::rollout::{Cause, Hold, Phase, Switches, Tally, Verdict, Waits, because};

pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail(_) => "fail",
        Verdict::Undecided { .. } => "not_enough_evidence",
        Verdict::Shared => "legacy_fails_too",
    }
}

pub fn waits_for(waits: Waits) -> &'static str {
    match waits {
        Waits::Bake(_) => "bake",
        Waits::Verdict => "verdict",
        Waits::Hold(Hold::Sample(_)) => "fair_sample",
        Waits::Hold(Hold::Latency) => "latency",
        Waits::Hold(Hold::Calendar) => "window",
        Waits::Approval => "approval",
        Waits::Nothing => "nothing",
    }
}

/// The verdict, whether it is to be trusted, and what is missing for the next step.
pub fn says(standing: &Standing<'_>, seen: (Tally, Tally)) -> String {
    let target = standing.target();
    let verdict = match standing.verdict {
        Verdict::Pass => format!("The candidate reaches {target} %."),
        Verdict::Fail(failure) => {
            format!("The candidate fails: {}.", because(failure, seen, standing.rollout.criteria()))
        }
        Verdict::Shared => {
            "The candidate does not do what is asked, and neither does legacy: it is not to blame.".to_owned()
        }
        Verdict::Undecided { needed: Some(needed) } => {
            format!("Not enough evidence yet: about {} more requests.", count(needed))
        }
        Verdict::Undecided { needed: None } => {
            format!("Not enough evidence yet; going on like this it will not reach {target} %.")
        }
    };
    let doubt = match standing.hold {
        Some(Hold::Sample(mismatch)) => doubt(mismatch, standing),
        _ => String::new(),
    };
    let says = match standing.place.phase {
        // What convicted it is more than what is seen of it since: nothing.
        Phase::RolledBack => taken_back(standing),
        Phase::Manual if standing.place.share == Share::NONE => "Nothing goes to the candidate.".to_owned(),
        _ => verdict + &doubt + &missing(standing),
    };
    let unstored = match standing.rollout.is_unstored() {
        true => " This could not be stored yet, which is tried again: a restart would undo it.",
        false => "",
    };
    says + &planned(standing) + unstored
}

fn taken_back(standing: &Standing<'_>) -> String {
    match standing.rollout.moved() {
        Some(Cause { by, reason, .. }) if reason.is_empty() => format!("Taken back by {by}."),
        Some(Cause { by, reason, .. }) => format!("Taken back by {by}: {reason}."),
        None => "Taken back.".to_owned(),
    }
}

/// That the verdict is not to be trusted, and why.
fn doubt(mismatch: Mismatch, standing: &Standing<'_>) -> String {
    let share = standing.place.share;
    let of = |Counted { clients, candidate }| {
        format!(
            "of {} clients {} are the candidate's, where {share} % would be",
            count(clients),
            count(candidate)
        )
    };
    let (what, then) = match mismatch {
        Mismatch::Answered(counted) => (
            format!("{} of those that were answered", of(counted)),
            "something keeps the clients of one side away",
        ),
        Mismatch::Left(counted) => (
            format!("{} of those that went away before they were answered", of(counted)),
            "what they would have seen is not known",
        ),
    };
    format!(
        " It is not to be trusted: {what}; {then}. By chance so in less than {} % of all stages. Nothing is promoted by itself.",
        FALSE_DOUBT * 100.0
    )
}

fn missing(standing: &Standing<'_>) -> String {
    match standing.waits {
        Some(Waits::Bake(left)) => {
            let left = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
            format!(" Bakes for another {}.", length(left))
        }
        Some(Waits::Approval) => " Waits for approval.".to_owned(),
        Some(Waits::Hold(Hold::Latency)) => {
            " Waits until it is clear that it is fast enough: a minute of it at least.".to_owned()
        }
        Some(Waits::Hold(Hold::Calendar)) => format!(" Waits for its window{}.", opens(standing)),
        Some(Waits::Verdict | Waits::Nothing | Waits::Hold(Hold::Sample(_))) | None => String::new(),
    }
}

fn opens(standing: &Standing<'_>) -> String {
    match standing.opens_at {
        Some(at_ms) => format!(", which opens {}", standing.rollout.calendar().tell(at_ms)),
        None => ", which does not open within a year".to_owned(),
    }
}

fn planned(standing: &Standing<'_>) -> String {
    let is_still = matches!(standing.place.phase, Phase::Manual | Phase::RolledBack);
    let Some(at_ms) = standing.starts_at.filter(|_| is_still) else { return String::new() };
    // It may be a moment in a night or a holiday.
    let calendar = standing.rollout.calendar();
    let from = calendar.opens_at(at_ms.max(standing.now_ms)).unwrap_or(at_ms);
    let window = if from > at_ms { ", with its window" } else { "" };
    format!(" Starts by itself {}{window}.", calendar.tell(from))
}

/// What of it somebody has switched off.
pub fn switched_off(standing: &Standing<'_>, switches: &Switches) -> String {
    let (phase, rollout) = (standing.place.phase, standing.rollout);
    let stages = rollout.stages();
    let mut says = String::new();
    if matches!(phase, Phase::Stage(_)) && !stages.gated && !switches.promotes(rollout.name()) {
        says.push_str(" It is not promoted by itself: the flag rad.automatic-promotion is off for it.");
    }
    let is_out = matches!(phase, Phase::Manual | Phase::RolledBack);
    if !is_out && stages.rolls_back && !switches.rolls_back(rollout.name()) {
        says.push_str(" It is not rolled back by itself: the flag rad.automatic-rollback is off for it.");
    }
    says
}
