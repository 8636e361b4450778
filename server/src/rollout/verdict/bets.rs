//! Bets against a claim: that outcomes, whatever their distribution, are no more than nothing on average.
//!
//! Who bets a part of his stake on each outcome, and loses or wins in proportion to it, does not become rich in the long
//! run if the claim is true, whatever the outcomes depend on (Waudby-Smith and Ramdas: *Estimating means of bounded
//! random variables by betting*, 2024). Several bets of different boldness are made at once, because nobody knows which
//! suits; and each begins anew when it has less than it began with, so that what turns bad late is found as well: the
//! claim is then doubted by mistake at most once in so many outcomes as the stake is multiplied by (Shin, Ramdas and
//! Rinaldo: *E-detectors*, 2023).

/// The most bets that are made at once.
const MOST: usize = 5;

/// Bets, and how they stand.
#[derive(Clone, Copy, Debug)]
pub struct Bets {
    boldness: [f64; MOST],
    /// Logarithms of what each stake was multiplied by.
    stakes: [f64; MOST],
    count: usize,
    /// The logarithm of the most that a stake becomes: what was long ago is not to be paid off for ever.
    most: f64,
}

impl Bets {
    /// Bets of these kinds, at most five: an outcome `x` multiplies a stake by `1 + boldness · x`, which must be above
    /// nothing for every outcome that there can be, and never by more than `most` in all.
    #[must_use]
    pub fn on(boldness: &[f64], most: f64) -> Self {
        let mut bets = Self {
            most: most.ln(),
            boldness: [0.0; MOST],
            stakes: [0.0; MOST],
            count: boldness.len().min(MOST),
        };
        bets.boldness.iter_mut().zip(boldness).for_each(|(own, given)| *own = *given);
        bets
    }

    pub fn add(&mut self, outcome: f64) {
        for (stake, boldness) in self.stakes.iter_mut().zip(self.boldness).take(self.count) {
            *stake = (stake.max(0.0) + (boldness * outcome).ln_1p()).min(self.most);
        }
    }

    /// Whether all stakes together were multiplied by so much.
    #[must_use]
    pub fn at_least(&self, times: f64) -> bool {
        let most = self.stakes.iter().take(self.count).copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = self.stakes.iter().take(self.count).map(|stake| (stake - most).exp()).sum();
        // Counts are small.
        #[allow(clippy::cast_precision_loss)]
        let mean = most + (sum / self.count.max(1) as f64).ln();
        mean >= times.ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_true_claim_is_doubted_more_seldom_than_is_said() {
        let mut random = fastrand::Rng::with_seed(11);
        let (mut bets, mut doubts) = (Bets::on(&[0.5, 1.0, 4.0, 16.0], 1e4), 0);
        for _ in 0..300_000 {
            // One in fifty is 0.5, and the others nothing: 0.01 on average.
            bets.add(if random.f64() < 0.02 { 0.5 } else { 0.0 } - 0.01);
            if bets.at_least(1_000.0) {
                doubts += 1;
                bets = Bets::on(&[0.5, 1.0, 4.0, 16.0], 1e4);
            }
        }
        assert!(doubts <= 300, "{doubts} in 300,000, once in a thousand is allowed");
    }

    #[test]
    fn a_false_claim_is_doubted_soon_also_after_it_was_true_for_long() {
        let mut bets = Bets::on(&[1.0, 4.0, 16.0], 3e5);
        (0..10_000).for_each(|_| bets.add(-0.01));
        assert!(!bets.at_least(1.5));
        let needed = (1..100).find(|_| {
            bets.add(0.99);
            bets.at_least(1e5)
        });
        assert!(needed.is_some_and(|needed| (4..=7).contains(&needed)), "{needed:?}");
    }
}
