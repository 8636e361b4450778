//! Where a share lies, as far as what was seen tells.

/// The share of bad outcomes of which all that was seen is compatible, at every look: a confidence sequence.
/// The chance that the true share is ever outside, at any of all the looks, is at most `error`.
///
/// Robbins' mixture for Bernoulli trials (Robbins: *Statistical Methods Related to the Law of the Iterated
/// Logarithm*, 1970) with a Beta(1/2, 1/2) prior: those shares under which what was seen is not 1 / `error`
/// times less likely than under the mixture.
#[must_use]
pub fn interval(bad: u64, requests: u64, error: f64) -> (f64, f64) {
    if requests == 0 {
        return (0.0, 1.0);
    }
    let excluded = exclusion(bad, requests, error);
    // Counts are far below 2^52.
    #[allow(clippy::cast_precision_loss)]
    let seen = bad.min(requests) as f64 / requests as f64;
    // The likelihood falls on both sides of what was seen.
    let edge = |mut inside: f64, mut outside: f64| {
        if !excluded(outside) {
            return outside;
        }
        for _ in 0..60 {
            let middle = f64::midpoint(inside, outside);
            if excluded(middle) { outside = middle } else { inside = middle }
        }
        inside
    };
    (edge(seen, 0.0), edge(seen, 1.0))
}

/// Whether a share is outside of [`interval`].
#[must_use]
pub fn excludes(bad: u64, requests: u64, error: f64, share: f64) -> bool {
    requests > 0 && exclusion(bad, requests, error)(share)
}

/// Says of shares whether what was seen is too unlikely under them.
fn exclusion(bad: u64, requests: u64, error: f64) -> impl Fn(f64) -> bool {
    // Counts are far below 2^52.
    #[allow(clippy::cast_precision_loss)]
    let (bad, good) = (bad as f64, requests.saturating_sub(bad) as f64);
    let mixture = ln_beta(bad + 0.5, good + 0.5) - ln_beta(0.5, 0.5);
    move |share| {
        let of = |count: f64, share: f64| if count > 0.0 { count * share.ln() } else { 0.0 };
        mixture - of(bad, share) - of(good, 1.0 - share) > -error.ln()
    }
}

/// The logarithm of the beta function, of numbers above 0.
pub(in crate::rollout) fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

/// Stirling's series after shifting the argument above 8: 12 digits.
fn ln_gamma(mut x: f64) -> f64 {
    let mut shift = 0.0;
    while x < 8.0 {
        shift -= x.ln();
        x += 1.0;
    }
    let inverse = 1.0 / (x * x);
    let series = (1.0 / 12.0 - inverse * (1.0 / 360.0 - inverse * (1.0 / 1_260.0 - inverse / 1_680.0))) / x;
    shift + (x - 0.5) * x.ln() - x + 0.5 * (2.0 * std::f64::consts::PI).ln() + series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_of_gamma_is_that_of_the_factorials() {
        let mut factorial = 1.0_f64;
        for n in 1..30_u32 {
            factorial *= f64::from(n);
            let error = ln_gamma(f64::from(n) + 1.0) - factorial.ln();
            assert!(error.abs() < 1e-9, "{n}: {error}");
        }
        assert!((ln_gamma(0.5) - std::f64::consts::PI.sqrt().ln()).abs() < 1e-9);
    }

    #[test]
    fn an_interval_holds_what_was_seen_and_shrinks_with_more_of_it() {
        assert_eq!(interval(0, 0, 0.05), (0.0, 1.0));
        let mut width = 1.0;
        for n in [10_u64, 100, 1_000, 10_000, 1_000_000] {
            let (low, high) = interval(n / 10, n, 0.05);
            assert!(low < 0.1 && 0.1 < high && high - low < width, "{n}: {low}–{high}");
            width = high - low;
        }
        assert!(width < 0.003);
        let (low, high) = interval(0, 1_000, 0.05);
        assert!(low == 0.0 && high > 0.003 && high < 0.01, "{high}");
        let (low, high) = interval(7, 7, 0.05);
        assert!(high == 1.0 && low > 0.3, "{low}");
    }

    #[test]
    fn the_true_share_is_seldom_ever_outside_however_often_one_looks() {
        let mut random = fastrand::Rng::with_seed(7);
        let runs = 200;
        let mut outside = 0;
        for _ in 0..runs {
            let mut bad = 0;
            let left = (1..=2_000_u64).any(|n| {
                bad += u64::from(random.f64() < 0.05);
                let (low, high) = interval(bad, n, 0.05);
                n % 20 == 0 && !(low..=high).contains(&0.05)
            });
            outside += u32::from(left);
        }
        assert!(outside <= runs / 20, "{outside} of {runs}");
    }
}
