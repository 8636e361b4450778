//! Whether a field differs because of the candidate, or because it always does.
//!
//! Every request is answered three times: by legacy for the client, by the candidate, and by legacy once more. If the
//! candidate behaves as legacy does, it differs from the client's answer as often as legacy differs from itself; a
//! request on which only one of the two differs is then as likely to be the one as the other. That is a fair coin,
//! whatever the field, and it is tested as one.
//!
//! Twitter's Diffy, which this is modelled on, compares the two rates alone (its two thresholds are kept here): with
//! few requests that calls many a noisy field a difference, because every look is another chance to be unlucky. The
//! test used here may be looked at after every request.

use serde::Serialize;

use crate::rollout::verdict::ln_beta;

/// A field in which the candidate behaves as legacy does is called a difference in at most so many cases, however
/// often one looks.
pub const FALSE_ALARM: f64 = 1e-4;
/// What is called a difference makes up at least this share of all in which either pair differs,
pub const RELATIVE: f64 = 0.2;
/// and this share of all requests.
pub const ABSOLUTE: f64 = 0.0003;

/// On how many requests a field differed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Only between legacy and the candidate.
    pub candidate_only: u64,
    /// Only between legacy and itself.
    pub legacy_only: u64,
    pub both: u64,
}

/// What is to be thought of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The candidate answers otherwise.
    Differs,
    /// More often between legacy and the candidate, but that may be chance.
    Undecided,
    /// As often between legacy and itself.
    Noise,
}

impl Counts {
    /// The share of so many requests on which candidate and legacy differ, 0 to 1.
    #[must_use]
    pub fn raw(&self, requests: u64) -> f64 {
        share(self.candidate_only + self.both, requests)
    }

    /// The same between legacy and itself.
    #[must_use]
    pub fn noise(&self, requests: u64) -> f64 {
        share(self.legacy_only + self.both, requests)
    }

    /// What is to be thought of it after so many requests.
    #[must_use]
    pub fn verdict(&self, requests: u64) -> Verdict {
        let (raw, noise) = (self.raw(requests), self.noise(requests));
        let beyond = raw - noise;
        if beyond <= 0.0 || beyond < ABSOLUTE || beyond < RELATIVE * (raw + noise) {
            Verdict::Noise
        } else if self.ln_evidence() >= -FALSE_ALARM.ln() {
            Verdict::Differs
        } else {
            Verdict::Undecided
        }
    }

    /// How many times likelier what was seen is if the coin is any than if it is fair: its logarithm. By Ville's
    /// inequality a fair coin ever exceeds 1 / α in at most a share α of all cases.
    fn ln_evidence(&self) -> f64 {
        let (one, other) = (float(self.candidate_only), float(self.legacy_only));
        ln_beta(one + 1.0, other + 1.0) + (one + other) * std::f64::consts::LN_2
    }
}

fn share(of: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { float(of) / float(all) }
}

// Counts are far below 2^52.
#[allow(clippy::cast_precision_loss)]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(candidate_only: u64, legacy_only: u64, both: u64) -> Counts {
        Counts { candidate_only, legacy_only, both }
    }

    #[test]
    fn a_field_that_only_the_candidate_has_otherwise_is_told_after_eighteen_requests() {
        assert_eq!(counts(17, 0, 0).verdict(17), Verdict::Undecided);
        assert_eq!(counts(18, 0, 0).verdict(18), Verdict::Differs);
        assert_eq!(counts(18, 0, 0).verdict(1_000), Verdict::Differs);
    }

    #[test]
    fn a_field_that_differs_everywhere_is_noise_from_the_first_request_on() {
        for requests in [1, 10, 100_000] {
            assert_eq!(counts(0, 0, requests).verdict(requests), Verdict::Noise);
        }
        assert_eq!(counts(0, 40, 0).verdict(100), Verdict::Noise);
        assert_eq!(counts(0, 0, 0).verdict(0), Verdict::Noise);
    }

    #[test]
    fn what_hardly_ever_happens_or_hardly_exceeds_the_noise_is_no_difference() {
        // Beyond doubt, but on 2 of 10,000 requests.
        assert_eq!(counts(20, 0, 0).verdict(100_000), Verdict::Noise);
        assert_eq!(counts(40, 0, 0).verdict(100_000), Verdict::Differs);
        // Beyond doubt, but little more often than legacy itself.
        assert_eq!(counts(2_000, 1_000, 8_000).verdict(20_000), Verdict::Noise);
        assert_eq!(counts(6_000, 1_000, 8_000).verdict(20_000), Verdict::Differs);
    }

    /// Looks after every request; at which request, if any, a field is called a difference.
    fn called(random: &mut fastrand::Rng, candidate: f64, legacy: f64, requests: u64) -> Option<u64> {
        let mut counts = Counts::default();
        (1..=requests).find(|seen| {
            match (random.f64() < candidate, random.f64() < legacy) {
                (true, true) => counts.both += 1,
                (true, false) => counts.candidate_only += 1,
                (false, true) => counts.legacy_only += 1,
                (false, false) => {}
            }
            counts.verdict(*seen) == Verdict::Differs
        })
    }

    #[test]
    fn a_field_that_is_random_on_both_sides_is_not_called_a_difference_however_often_one_looks() {
        let mut random = fastrand::Rng::with_seed(11);
        for rate in [0.01, 0.1, 0.5, 0.9, 1.0] {
            let wrong = (0..400).filter(|_| called(&mut random, rate, rate, 1_000).is_some()).count();
            // At most 1 in 10,000; with 400 more than one would be one in a thousand.
            assert!(wrong <= 1, "{wrong} of 400 at {rate}");
        }
    }

    /// The rule of rates alone, looked at as often, for comparison.
    #[test]
    fn rates_alone_would_call_nearly_every_random_field_one() {
        let mut random = fastrand::Rng::with_seed(11);
        let rates_alone = |random: &mut fastrand::Rng| {
            let (mut raw, mut noise) = (0.0, 0.0);
            (1..=1_000).any(|seen| {
                raw += f64::from(u8::from(random.f64() < 0.1));
                noise += f64::from(u8::from(random.f64() < 0.1));
                seen >= 20 && raw - noise > 0.2 * (raw + noise) && (raw - noise) / f64::from(seen) > ABSOLUTE
            })
        };
        let wrong = (0..400).filter(|_| rates_alone(&mut random)).count();
        assert!(wrong > 200, "{wrong} of 400");
    }

    #[test]
    fn a_field_that_the_candidate_changes_is_found_behind_noise_too() {
        let mut random = fastrand::Rng::with_seed(5);
        for (candidate, legacy, within) in
            [(1.0, 0.0, 18), (0.1, 0.0, 400), (0.8, 0.4, 200), (0.1, 0.02, 1_500)]
        {
            let missed =
                (0..200).filter(|_| called(&mut random, candidate, legacy, within).is_none()).count();
            assert!(missed <= 10, "{missed} of 200 missed at {candidate} against {legacy}");
        }
    }
}
