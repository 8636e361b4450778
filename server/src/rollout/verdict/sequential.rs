//! Tests that may be looked at after every request.
//!
//! A ratio that is compared with a target whenever somebody looks is wrong far more often than its sample
//! size says: each look is another chance to be. These tests sum, request by request, how much likelier
//! what was seen is under one hypothesis than under another, and stop at bounds that hold for any number of
//! looks.

/// A sum of log-likelihood ratios for outcomes that are good or bad: positive speaks for `bad_if`, negative
/// for `good_if`, the shares of bad outcomes under the two hypotheses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Likelihood {
    per_bad: f64,
    per_good: f64,
}

impl Likelihood {
    /// Both shares are within 0 and 1, exclusive, and `good_if` is the smaller.
    #[must_use]
    pub fn new(good_if: f64, bad_if: f64) -> Self {
        Self { per_bad: (bad_if / good_if).ln(), per_good: ((1.0 - bad_if) / (1.0 - good_if)).ln() }
    }

    #[must_use]
    pub fn of(&self, good: f64, bad: f64) -> f64 {
        bad * self.per_bad + good * self.per_good
    }

    /// What a request adds on average if this share of them is bad.
    #[must_use]
    pub fn drift(&self, bad: f64) -> f64 {
        self.of(1.0 - bad, bad)
    }
}

/// What a test says so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    Undecided,
    Good,
    Bad,
}

/// Wald's sequential probability ratio test (Wald: *Sequential Tests of Statistical Hypotheses*, 1945): of all
/// tests with its error rates, the one that needs the fewest requests on average.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RatioTest {
    sum: f64,
    good_at: f64,
    bad_at: f64,
    finding: Finding,
}

impl RatioTest {
    /// A test that calls what is good bad in at most `false_alarm` of all cases, and what is bad good in at
    /// most `miss`: shares within 0 and 1/2, exclusive.
    #[must_use]
    pub fn new(false_alarm: f64, miss: f64) -> Self {
        let bad_at = ((1.0 - miss) / false_alarm).ln();
        let good_at = (miss / (1.0 - false_alarm)).ln();
        Self { sum: 0.0, good_at, bad_at, finding: Finding::Undecided }
    }

    /// Adds to the sum. What was found stays found.
    pub fn add(&mut self, likelihood: f64) {
        self.sum += likelihood;
        if self.finding == Finding::Undecided {
            if self.sum >= self.bad_at {
                self.finding = Finding::Bad;
            } else if self.sum <= self.good_at {
                self.finding = Finding::Good;
            }
        }
    }

    #[must_use]
    pub fn finding(&self) -> Finding {
        self.finding
    }

    /// What is still missing in the sum for a good finding: 0 or more.
    #[must_use]
    pub fn missing(&self) -> f64 {
        (self.sum - self.good_at).max(0.0)
    }
}

/// Page's cumulative sum (Page: *Continuous Inspection Schemes*, 1954): watches without an end for the moment at
/// which something good turns bad. Where nothing does, it alarms once in about `e^alarm_at` requests or more
/// seldom, whatever their number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Watch {
    sum: f64,
    alarm_at: f64,
}

impl Watch {
    /// Alarms by mistake at most once in so many requests, on average.
    #[must_use]
    pub fn once_in(requests: f64) -> Self {
        Self { sum: 0.0, alarm_at: requests.ln() }
    }

    /// Adds to the sum, which never falls below nothing.
    pub fn add(&mut self, likelihood: f64) {
        self.sum = (self.sum + likelihood).max(0.0);
    }

    #[must_use]
    pub fn alarms(&self) -> bool {
        self.sum >= self.alarm_at
    }
}
