//! What comparing has come to: places and counts. The answers themselves are gone by now.

use std::collections::BTreeMap;

use super::answer::Answer;
use super::diff::{Difference, Differences, compare};
use super::evidence::{Counts, Verdict};
use super::rules::Rules;
use crate::telemetry::histogram::{Counts as Durations, Histogram};

/// So many places are told apart; the others are counted together.
pub const MOST_FIELDS: usize = 500;

/// One request's answers, compared.
#[derive(Debug)]
pub struct Comparison {
    raw: Differences,
    noise: Differences,
    is_answered: bool,
    /// How long legacy and the candidate took to begin their answers, microseconds; unless one of them gave none.
    took_us: Option<[u64; 2]>,
}

/// How a request's copy did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The candidate's answer is the client's.
    Equal,
    Different,
    /// The candidate gave none.
    Failed,
}

impl Comparison {
    /// Compares what the client was answered with the candidate's answer and with legacy's second one.
    #[must_use]
    pub fn new(
        client: &Answer,
        candidate: Option<&Answer>,
        again: Option<&Answer>,
        took_us: Option<[u64; 2]>,
        rules: &Rules,
    ) -> Self {
        Self {
            raw: compare(client, candidate, rules),
            noise: compare(client, again, rules),
            is_answered: candidate.is_some(),
            took_us,
        }
    }

    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match (self.is_answered, self.raw.is_none()) {
            (false, _) => Outcome::Failed,
            (true, true) => Outcome::Equal,
            (true, false) => Outcome::Different,
        }
    }
}

/// A place in which answers differed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Field {
    pub counts: Counts,
    /// When a difference was first and last seen, milliseconds since 1970.
    pub first_ms: u64,
    pub last_ms: u64,
}

/// All comparisons since a moment.
#[derive(Debug, Default)]
pub struct Findings {
    /// Milliseconds since 1970.
    pub since_ms: u64,
    pub equal: u64,
    pub different: u64,
    pub failed: u64,
    /// Legacy's second answer was the client's.
    pub legacy_equal: u64,
    /// Bodies that were left out, because they are too long or in a coding that is not understood.
    pub unread: u64,
    pub fields: BTreeMap<Difference, Field>,
    /// Requests on which places differed for which there was no room.
    pub other: Counts,
    /// Legacy's and the candidate's times to the head of an answer, for the same requests.
    durations: [Histogram; 2],
}

impl Findings {
    #[must_use]
    pub fn since(now_ms: u64) -> Self {
        Self { since_ms: now_ms, ..Self::default() }
    }

    #[must_use]
    pub fn compared(&self) -> u64 {
        self.equal + self.different + self.failed
    }

    /// Takes a comparison in.
    pub fn add(&mut self, comparison: &Comparison, now_ms: u64) {
        let Comparison { raw, noise, took_us, .. } = comparison;
        match comparison.outcome() {
            Outcome::Equal => self.equal += 1,
            Outcome::Different => self.different += 1,
            Outcome::Failed => self.failed += 1,
        }
        self.legacy_equal += u64::from(noise.is_none());
        self.unread += u64::from(raw.is_partial || noise.is_partial);
        let mut beyond = (raw.is_cut, noise.is_cut);
        for difference in raw.found.union(&noise.found) {
            let where_seen = (raw.found.contains(difference), noise.found.contains(difference));
            match self.field(difference, now_ms) {
                Some(field) => {
                    count(&mut field.counts, where_seen);
                    field.last_ms = now_ms;
                }
                None => beyond = (beyond.0 || where_seen.0, beyond.1 || where_seen.1),
            }
        }
        count(&mut self.other, beyond);
        if let Some(took) = took_us {
            for (durations, us) in self.durations.iter().zip(took) {
                durations.record(*us);
            }
        }
    }

    fn field(&mut self, difference: &Difference, now_ms: u64) -> Option<&mut Field> {
        if !self.fields.contains_key(difference) {
            if self.fields.len() >= MOST_FIELDS {
                return None;
            }
            self.fields.insert(difference.clone(), Field { first_ms: now_ms, ..Field::default() });
        }
        self.fields.get_mut(difference)
    }

    /// The places with what is to be thought of them: what matters most first.
    #[must_use]
    pub fn judged(&self) -> Vec<(&Difference, &Field, Verdict)> {
        let compared = self.compared();
        let mut judged: Vec<_> = self
            .fields
            .iter()
            .map(|(difference, field)| (difference, field, field.counts.verdict(compared)))
            .collect();
        judged.sort_by_key(|(_, field, verdict)| {
            let Counts { candidate_only, legacy_only, both } = field.counts;
            (*verdict, std::cmp::Reverse((candidate_only.saturating_sub(legacy_only), both)))
        });
        judged
    }

    /// Legacy's and the candidate's times for the same requests.
    #[must_use]
    pub fn durations(&self) -> [Durations; 2] {
        self.durations.each_ref().map(|durations| {
            let mut counts = Durations::default();
            durations.add_to(&mut counts);
            counts
        })
    }
}

fn count(counts: &mut Counts, (raw, noise): (bool, bool)) {
    match (raw, noise) {
        (true, true) => counts.both += 1,
        (true, false) => counts.candidate_only += 1,
        (false, true) => counts.legacy_only += 1,
        (false, false) => {}
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};
    use serde_json::{Value, json};

    use super::super::answer::Content;
    use super::*;

    fn answer(document: Value) -> Answer {
        Answer { status: StatusCode::OK, headers: HeaderMap::new(), content: Content::Json(document) }
    }

    fn comparison(client: Value, candidate: Option<Value>, again: Value) -> Comparison {
        let (client, candidate, again) = (answer(client), candidate.map(answer), answer(again));
        let took = candidate.as_ref().map(|_| [1_000, 2_000]);
        Comparison::new(&client, candidate.as_ref(), Some(&again), took, &Rules::default())
    }

    fn told(findings: &Findings) -> Vec<(String, Verdict)> {
        findings.judged().into_iter().map(|(at, _, verdict)| (at.path.clone(), verdict)).collect()
    }

    #[test]
    fn noise_cancels_and_what_the_candidate_changes_stands_first() {
        let mut findings = Findings::since(5);
        let mut random = fastrand::Rng::with_seed(3);
        for at in 0..200_u64 {
            let mut draw = || random.u8(..4);
            let legacy = |draw: u8| json!({"id": at, "took": draw, "by": "x"});
            let candidate = json!({"id": at, "took": draw(), "by": "y"});
            findings.add(&comparison(legacy(draw()), Some(candidate), legacy(draw())), at);
        }
        let all = [("$.by".to_owned(), Verdict::Differs), ("$.took".to_owned(), Verdict::Noise)];
        assert_eq!(told(&findings), all);
        assert_eq!((findings.compared(), findings.equal, findings.different), (200, 0, 200));
        let by = findings.fields.values().next().unwrap();
        assert_eq!((by.first_ms, by.last_ms), (0, 199));
        assert!((by.counts.raw(200), by.counts.noise(200)) == (1.0, 0.0));
        // As often as four equally likely values are the same twice.
        assert!((30..70).contains(&findings.legacy_equal), "{}", findings.legacy_equal);
    }

    #[test]
    fn a_candidate_that_gives_no_answer_is_a_difference_like_others() {
        let mut findings = Findings::since(0);
        for at in 0..20 {
            findings.add(&comparison(json!(1), None, json!(1)), at);
        }
        assert_eq!(told(&findings), [("answer".to_owned(), Verdict::Differs)]);
        assert_eq!((findings.failed, findings.legacy_equal), (20, 20));
        assert_eq!(findings.durations()[1].total(), 0);
    }

    #[test]
    fn places_without_room_are_counted_together() {
        let name = |at: usize| at.to_string().bytes().map(|digit| char::from(digit + 49)).collect::<String>();
        let wide =
            |value: u8, from: usize| (from..from + 90).map(|at| (name(at), json!(value))).collect::<Value>();
        let mut findings = Findings::since(0);
        for block in 0..10 {
            let of = |value| wide(value, block * 90);
            findings.add(&comparison(of(1), Some(of(2)), of(1)), 0);
        }
        assert_eq!(findings.fields.len(), MOST_FIELDS);
        // The sixth finds room for half of it, the others for nothing.
        assert_eq!(findings.other, Counts { candidate_only: 5, legacy_only: 0, both: 0 });
    }

    #[test]
    fn the_times_are_those_of_the_same_requests() {
        let mut findings = Findings::since(0);
        findings.add(&comparison(json!(1), Some(json!(1)), json!(1)), 0);
        let [legacy, candidate] = findings.durations();
        assert_eq!((legacy.total(), candidate.total()), (1, 1));
        assert!(candidate.quantile_us(0.5) > legacy.quantile_us(0.5));
    }
}
