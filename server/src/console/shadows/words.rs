//! Shadow traffic in words.

use app::format::{self, count, duration};
use rad_model::Share;
use serde::Serialize;

use crate::rollout::Rollout;
use crate::rollout::shadow::{Difference, Field, Findings, MOST_FIELDS, Shadow, Verdict};

/// The rollouts' page shows so many places; the API has all.
const SHOWN: usize = 30;

/// What the rollouts' page shows of it.
#[derive(Serialize)]
pub struct Part {
    tone: &'static str,
    word: String,
    says: String,
    /// Compared times; empty before there are any.
    latency: String,
    rows: Vec<Row>,
    /// What is not shown; empty if everything is.
    more: String,
}

#[derive(Serialize)]
struct Row {
    field: String,
    kind: &'static str,
    candidate: String,
    noise: String,
    verdict: &'static str,
    tone: &'static str,
}

pub fn part(rollout: &Rollout, shadow: &Shadow) -> Part {
    shadow.look(|findings, _| {
        let (judged, compared) = (findings.judged(), findings.compared());
        let is_withdrawn = shadow.is_withdrawn(rollout.rolled_back_ms());
        let share = shadow.share();
        let (tone, word) = match judged.first().map(|(.., verdict)| verdict) {
            _ if share == Share::NONE => ("off", "off".to_owned()),
            _ if is_withdrawn => ("off", "withdrawn".to_owned()),
            _ if compared == 0 => ("off", format!("{share} %")),
            Some(Verdict::Differs) => ("bad", "differs".to_owned()),
            Some(Verdict::Undecided) => ("warn", "not sure yet".to_owned()),
            Some(Verdict::Noise) | None => ("ok", "no difference".to_owned()),
        };
        let rows = judged.iter().take(SHOWN).map(|(difference, field, verdict)| Row {
            field: difference.path.clone(),
            kind: difference.kind.word(),
            candidate: format!("{} %", percent(field.counts.raw(compared))),
            noise: format!("{} %", percent(field.counts.noise(compared))),
            verdict: word_of(*verdict),
            tone: match verdict {
                Verdict::Differs => "bad",
                Verdict::Undecided => "warn",
                Verdict::Noise => "off",
            },
        });
        let beyond = judged.len().saturating_sub(SHOWN);
        let more = match beyond {
            0 => String::new(),
            _ => format!("And {} more: GET /api/rollouts/{}/shadow.", count(beyond as u64), rollout.name()),
        };
        Part {
            tone,
            word,
            says: says(rollout, shadow, findings),
            latency: latency(findings),
            rows: rows.collect(),
            more,
        }
    })
}

fn word_of(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Differs => "differs",
        Verdict::Undecided => "not sure yet",
        Verdict::Noise => "noise",
    }
}

/// How much is copied, and what came of it.
pub fn says(rollout: &Rollout, shadow: &Shadow, findings: &Findings) -> String {
    let share = shadow.share();
    let copied = if share == Share::NONE {
        "Nothing is copied to the candidate.".to_owned()
    } else if shadow.is_withdrawn(rollout.rolled_back_ms()) {
        "Nothing is copied since the rollback, until this share is set again.".to_owned()
    } else {
        format!("{share} % of the requests that legacy answers are copied to the candidate.")
    };
    let compared = findings.compared();
    if compared == 0 {
        return format!("{copied} Nothing has been compared yet.");
    }
    let equal = percent(ratio(findings.equal, compared));
    let itself = percent(ratio(findings.legacy_equal, compared));
    let mut says = format!(
        "{copied} Compared {}: {equal} % of the candidate's answers are legacy's to the last field; legacy's own \
         second answers, {itself} %. {}",
        requests(compared),
        found(findings)
    );
    if findings.failed > 0 {
        says += &format!(" The candidate did not answer {}.", requests(findings.failed));
    }
    if findings.unread > 0 {
        says += &format!(
            " Of {} the bodies were not compared: too long, or in a coding that is not understood.",
            requests(findings.unread)
        );
    }
    if findings.fields.len() >= MOST_FIELDS {
        says += &format!(" More than {MOST_FIELDS} fields differ: the others are counted together.");
    }
    says
}

/// What the fields come to.
fn found(findings: &Findings) -> String {
    let judged = findings.judged();
    let with = |wanted| judged.iter().filter(move |(.., verdict)| *verdict == wanted);
    let compared = findings.compared();
    let (differ, open) = (with(Verdict::Differs).count(), with(Verdict::Undecided).count());
    // At least so many answers: those of the field in which most do.
    let most = with(Verdict::Differs)
        .map(|(_, field, _)| field.counts.raw(compared) - field.counts.noise(compared))
        .fold(0.0, f64::max);
    match (differ, open) {
        (0, 0) if judged.is_empty() => "No field differs.".to_owned(),
        (0, 0) => "What differs is noise: legacy differs from itself as often.".to_owned(),
        (0, open) => format!("{} may differ; it is too early to say.", fields(open)),
        (differ, _) => {
            format!(
                "{} because of the candidate, on at least {} % of the requests.",
                differs(differ),
                percent(most)
            )
        }
    }
}

/// One field in a sentence.
pub fn of_field(difference: &Difference, field: &Field, verdict: Verdict, compared: u64) -> String {
    let (raw, noise) = (percent(field.counts.raw(compared)), percent(field.counts.noise(compared)));
    let Difference { path, kind } = difference;
    let what = match (path.as_str(), kind.word()) {
        ("answer", _) => "no answer".to_owned(),
        (path, kind) => format!("{path}: {kind}"),
    };
    let judged = match verdict {
        Verdict::Differs => "The candidate answers otherwise.",
        Verdict::Undecided => "That may still be chance.",
        Verdict::Noise => "Legacy differs from itself about as often, or it hardly ever happens.",
    };
    format!("{what}, on {raw} % of the requests; between two answers of legacy on {noise} %. {judged}")
}

fn latency(findings: &Findings) -> String {
    let [legacy, candidate] = findings.durations();
    if legacy.total() == 0 {
        return String::new();
    }
    let told = |us: u32| {
        let (figure, unit) = duration(f64::from(us));
        format!("{figure} {unit}")
    };
    format!(
        "To the same requests legacy answers after {} (p99 {}), the candidate after {} (p99 {}).",
        told(legacy.quantile_us(0.5)),
        told(legacy.quantile_us(0.99)),
        told(candidate.quantile_us(0.5)),
        told(candidate.quantile_us(0.99))
    )
}

/// A share of 0 to 1 in percent; nothing at all is no hundredths.
fn percent(share: f64) -> String {
    if share <= 0.0 { "0".to_owned() } else { format::percent(share) }
}

pub fn requests(of: u64) -> String {
    format!("{} {}", count(of), if of == 1 { "request" } else { "requests" })
}

fn fields(of: usize) -> String {
    format!("{} {}", count(of as u64), if of == 1 { "field" } else { "fields" })
}

fn differs(of: usize) -> String {
    format!("{} {}", fields(of), if of == 1 { "differs" } else { "differ" })
}

// Counts are far below 2^52.
#[allow(clippy::cast_precision_loss)]
fn ratio(of: u64, all: u64) -> f64 {
    of as f64 / all as f64
}
