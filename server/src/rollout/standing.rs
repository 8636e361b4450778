//! Where a rollout is at a moment: the figures and the words that the API, the live connection and the pages tell.

mod words;

use serde::Serialize;
use serde_json::{Value, json};

use super::verdict::sample_ratio::Counted;
use super::verdict::{FALSE_ALARM, MISS, interval};
use super::{Hold, Phase, Place, Rollout, Switches, Tally, Verdict, Waits};

/// The true share of failures is outside of what is told in at most so many cases.
const ERROR: f64 = 0.05;

/// A rollout at a moment.
#[derive(Debug)]
pub struct Standing<'a> {
    pub rollout: &'a Rollout,
    pub now_ms: u64,
    pub place: Place,
    pub verdict: Verdict,
    pub waits: Option<Waits>,
    pub hold: Option<Hold>,
    /// When it starts by itself, milliseconds since 1970.
    pub starts_at: Option<u64>,
    /// When it may go forwards by itself again; none if it may, or not within a year.
    pub opens_at: Option<u64>,
    /// Distinct clients that were answered, a sample of them.
    pub clients: Counted,
    pub candidate: Figures,
    pub legacy: Figures,
    pub says: String,
}

/// What was seen of a side since its share began, and where its success lies, in percent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figures {
    pub requests: u64,
    pub failed: u64,
    pub low: f64,
    /// None before there is a request.
    pub estimate: Option<f64>,
    pub high: f64,
}

impl<'a> Standing<'a> {
    #[must_use]
    pub fn of(rollout: &'a Rollout, switches: &Switches, now_ms: u64) -> Self {
        let course = rollout.course();
        let (candidate, legacy) = course.seen();
        let calendar = rollout.calendar();
        let mut standing = Self {
            rollout,
            now_ms,
            place: course.place(),
            verdict: course.verdict(),
            waits: course.waits(rollout.stages(), now_ms),
            hold: course.hold(),
            starts_at: course.starts_at(),
            opens_at: (!calendar.is_open(now_ms)).then(|| calendar.opens_at(now_ms)).flatten(),
            clients: course.clients(),
            candidate: Figures::of(candidate),
            legacy: Figures::of(legacy),
            says: String::new(),
        };
        standing.says =
            words::says(&standing, (candidate, legacy)) + &words::switched_off(&standing, switches);
        standing
    }

    /// What the candidate must reach, in percent.
    #[must_use]
    pub fn target(&self) -> f64 {
        tidy(self.rollout.criteria().target.share() * 100.0)
    }

    /// Where it is in its plan, in words.
    #[must_use]
    pub fn phase(&self) -> String {
        self.place.phase.words(self.place.share, self.rollout.stages())
    }

    /// How that is to be looked at: `ok`, `warn`, `bad` or `off`.
    #[must_use]
    pub fn tone(&self) -> &'static str {
        match self.place.phase {
            Phase::Manual => "off",
            Phase::RolledBack => "bad",
            Phase::Stage(_) if matches!(self.verdict, Verdict::Shared | Verdict::Fail(_)) => "bad",
            Phase::Stage(_) if matches!(self.hold, Some(Hold::Sample(_))) => "warn",
            Phase::Paused(_) => "warn",
            Phase::Stage(_) | Phase::Complete => "ok",
        }
    }

    /// As the API tells it.
    #[must_use]
    pub fn json(&self) -> Value {
        let Self { rollout, place, verdict, waits, .. } = self;
        let (phase, stage) = match place.phase {
            Phase::Manual => ("manual", None),
            Phase::Stage(at) => ("stage", Some(at)),
            Phase::Paused(at) => ("paused", Some(at)),
            Phase::Complete => ("complete", None),
            Phase::RolledBack => ("rolled_back", None),
        };
        let needed = match verdict {
            Verdict::Undecided { needed } => *needed,
            _ => None,
        };
        json!({
            "rollout": rollout.name(),
            "percent": place.share,
            "assigned_by": rollout.assign_by().to_string(),
            "phase": phase,
            "stage": stage.map(|at| at + 1),
            "stages": rollout.stages().shares(),
            "bake_ms": u64::try_from(rollout.stages().bake.as_millis()).unwrap_or(u64::MAX),
            "since_ms": place.since_ms,
            "starts_at_ms": self.starts_at,
            "opens_at_ms": self.opens_at,
            "waits_for": waits.map(words::waits_for),
            "verdict": words::verdict(*verdict),
            "is_trusted": !matches!(self.hold, Some(Hold::Sample(_))),
            "clients_counted": self.clients.clients,
            "clients_of_candidate": self.clients.candidate,
            "says": self.says,
            "requests_needed": needed,
            "target_success": rollout.criteria().target.share(),
            "target": self.target(),
            "false_alarm": FALSE_ALARM,
            "miss": MISS,
            "candidate": side(self.candidate),
            "legacy": side(self.legacy),
        })
    }
}

impl Figures {
    fn of(seen: Tally) -> Self {
        let Tally { requests, bad } = seen;
        let (least_bad, most_bad) = interval(bad, requests, ERROR);
        // Counts are far below 2^52.
        #[allow(clippy::cast_precision_loss)]
        let estimate = (requests > 0).then(|| tidy((1.0 - bad as f64 / requests as f64) * 100.0));
        let success = |bad: f64| tidy((1.0 - bad) * 100.0);
        Self { requests, failed: bad, low: success(most_bad), estimate, high: success(least_bad) }
    }
}

fn side(figures: Figures) -> Value {
    let Figures { requests, failed, low, estimate, high } = figures;
    json!({
        "requests": requests,
        "failed": failed,
        "success_from": share(low),
        "success_to": share(high),
        "success": { "low": low, "estimate": estimate, "high": high },
    })
}

fn share(percent: f64) -> f64 {
    (percent * 1e4).round() / 1e6
}

/// Without what is left over from counting in twos.
fn tidy(percent: f64) -> f64 {
    (percent * 1e4).round() / 1e4
}
