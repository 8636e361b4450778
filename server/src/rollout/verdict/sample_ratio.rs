//! Whether those who are judged are a fair sample of those who were assigned.
//!
//! A client's side is drawn by hash, so of any set of clients that has nothing to do with the sides, the candidate
//! has its share. Where it has not, something filters by side: what stands in front, clients that give the candidate up
//! before it answers, browsers that their users pin to legacy. What is judged then are survivors, and a good verdict on
//! them says little.
//!
//! Requests do not tell it: one client sends many. So distinct clients are counted, a sample of them in bounded memory:
//! of each of [`BINS`] parts of all hashes the least one is remembered (one-permutation min-hashing; Li, Owen and Zhang
//! 2012), and a client is counted when it is less than all before it in its part. Each is so counted at most once; and
//! which are counted is decided by other bits of the hash than the side, so that each is a draw of its own. About
//! `BINS · (1 + ln(clients / BINS))` are counted. Asked is, at every look, whether the share is within the confidence
//! sequence of what was counted: a test that holds for any number of looks ([`super::interval`]).

use rad_model::Share;

use super::interval::excludes;
use crate::rollout::ClientHash;

/// Parts of all hashes, of which each remembers its least.
pub const BINS: usize = 1_024;
/// A fair sample is doubted in at most so many stages, in one of the two questions.
pub const FALSE_DOUBT: f64 = 0.001;

/// The part of a client, and its rank there: the less, the sooner it is remembered. The side is decided by the
/// highest bits of a hash, the part by the lowest, the rank from there upwards.
#[must_use]
pub fn place(client: ClientHash) -> (usize, u64) {
    // Below the number of parts.
    #[allow(clippy::cast_possible_truncation)]
    let bin = client.0 as usize % BINS;
    (bin, client.0.swap_bytes())
}

/// What is known of some clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Clients that were counted, and those of them that the candidate has.
    pub clients: u64,
    pub candidate: u64,
}

/// How the sample is not fair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// Of the clients that were answered, the candidate has not its share.
    Answered(Counted),
    /// Of the clients that went away unanswered, the candidate has more than its share.
    Left(Counted),
}

/// Distinct clients by side, since a share began.
#[derive(Clone, Debug)]
struct Sample {
    least: Box<[u64]>,
    counted: Counted,
}

impl Sample {
    fn new() -> Self {
        Self { least: vec![u64::MAX; BINS].into(), counted: Counted::default() }
    }

    fn see(&mut self, share: Share, bin: usize, rank: u64) {
        let Some(least) = self.least.get_mut(bin).filter(|least| rank < **least) else { return };
        *least = rank;
        self.counted.clients += 1;
        let client = ClientHash(rank.swap_bytes());
        self.counted.candidate += u64::from(client.bucket() < share.basis_points());
    }

    /// Whether the candidate's share is another than it should be, and in which direction.
    fn doubt(&self, share: Share) -> Option<std::cmp::Ordering> {
        let Counted { clients, candidate } = self.counted;
        let share = f64::from(share.basis_points()) / f64::from(Share::ALL.basis_points());
        // Below 2^53 both.
        #[allow(clippy::cast_precision_loss)]
        let seen = candidate as f64 / clients.max(1) as f64;
        excludes(candidate, clients, FALSE_DOUBT / 2.0, share).then(|| seen.total_cmp(&share))
    }
}

/// The check of one share.
#[derive(Clone, Debug)]
pub struct SampleRatio {
    share: Share,
    answered: Sample,
    left: Sample,
    mismatch: Option<Mismatch>,
}

impl SampleRatio {
    #[must_use]
    pub fn new(share: Share) -> Self {
        Self { share, answered: Sample::new(), left: Sample::new(), mismatch: None }
    }

    /// Sees the least rank of a part, of clients that were answered, and of those that went away.
    pub fn see(&mut self, bin: usize, answered: u64, left: u64) {
        self.answered.see(self.share, bin, answered);
        self.left.see(self.share, bin, left);
    }

    /// Judges what was seen.
    pub fn judge(&mut self) {
        // Where one side has all there is no share to check.
        if self.share == Share::NONE || self.share == Share::ALL {
            return;
        }
        let (answered, left) = (self.answered.doubt(self.share), self.left.doubt(self.share));
        self.mismatch = match (answered, left) {
            (Some(_), _) => Some(Mismatch::Answered(self.answered.counted)),
            // That legacy loses more is no reason to doubt the candidate.
            (None, Some(std::cmp::Ordering::Greater)) => Some(Mismatch::Left(self.left.counted)),
            _ => None,
        };
    }

    #[must_use]
    pub fn mismatch(&self) -> Option<Mismatch> {
        self.mismatch
    }

    /// Clients that were answered.
    #[must_use]
    pub fn answered(&self) -> Counted {
        self.answered.counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::Seed;

    fn share(percent: f64) -> Share {
        Share::from_percent(percent).unwrap()
    }

    /// Clients of a stage, many requests of each; `keeps` says with which chance a client of the candidate is
    /// answered at all. Asked after every hundredth of all.
    fn is_doubted(seed: u64, share: Share, clients: u32, keeps: f64) -> bool {
        let seed = Seed::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut random = fastrand::Rng::with_seed(7);
        let mut check = SampleRatio::new(share);
        let mut was = false;
        for at in 0..clients {
            let client = seed.hash(&at.to_be_bytes());
            let is_candidate = client.bucket() < share.basis_points();
            let (bin, rank) = place(client);
            if !is_candidate || random.f64() < keeps {
                // The more often it asks, the more often it is seen: that counts for nothing.
                for _ in 0..if is_candidate { 7 } else { 1 } {
                    check.see(bin, rank, u64::MAX);
                }
            } else {
                check.see(bin, u64::MAX, rank);
            }
            if at % (clients / 100).max(1) == 0 {
                check.judge();
                was |= check.mismatch().is_some();
            }
        }
        was
    }

    #[test]
    fn a_fair_sample_is_seldom_doubted_and_one_that_loses_clients_soon_is() {
        let doubted = |percent: f64, clients, keeps, runs: u64| {
            let is = (0..runs).filter(|seed| is_doubted(*seed, share(percent), clients, keeps)).count();
            println!(
                "{percent:5} % of {clients:6} clients, {keeps:4} of the candidate's answered: {is} of {runs} doubted"
            );
            is
        };
        for (percent, clients) in [(10.0, 3_000), (50.0, 3_000), (1.0, 3_000), (25.0, 40)] {
            // Of 400 at most 0.4 are expected.
            assert!(doubted(percent, clients, 1.0, 400) <= 3);
        }
        assert!(doubted(10.0, 20_000, 0.5, 20) == 20);
        assert!(doubted(50.0, 5_000, 0.8, 20) == 20);
        assert!(doubted(50.0, 200_000, 0.9, 20) >= 18);
    }

    #[test]
    fn each_client_is_counted_once_however_often_and_in_whatever_order_it_is_seen() {
        let (seed, mut check) = (Seed::new(3), SampleRatio::new(share(50.0)));
        for _ in 0..3 {
            for at in (0..100_u32).rev() {
                let (bin, rank) = place(seed.hash(&at.to_be_bytes()));
                check.see(bin, rank, u64::MAX);
            }
        }
        let Counted { clients, candidate } = check.answered();
        assert!((80..=100).contains(&clients) && (25..=75).contains(&candidate), "{:?}", check.answered());
    }

    #[test]
    fn clients_that_go_away_from_the_candidate_alone_are_a_doubt_and_from_legacy_alone_are_none() {
        let lost = |of_candidate| {
            let (seed, share) = (Seed::new(9), share(25.0));
            let mut check = SampleRatio::new(share);
            for at in 0..5_000_u32 {
                let client = seed.hash(&at.to_be_bytes());
                let (bin, rank) = place(client);
                let leaves = at % 10 == 0 && (client.bucket() < share.basis_points()) == of_candidate;
                check.see(bin, rank, if leaves { rank } else { u64::MAX });
            }
            check.judge();
            check.mismatch()
        };
        assert!(
            matches!(lost(true), Some(Mismatch::Left(Counted { clients, candidate })) if clients == candidate)
        );
        assert_eq!(lost(false), None);
    }

    #[test]
    fn where_one_side_has_all_there_is_nothing_to_doubt() {
        for share in [Share::NONE, Share::ALL] {
            let mut check = SampleRatio::new(share);
            (0..1_000_u32).map(|at| place(Seed::new(1).hash(&at.to_be_bytes()))).for_each(|(bin, rank)| {
                check.see(bin, rank, rank);
            });
            check.judge();
            assert_eq!(check.mismatch(), None);
        }
    }
}
