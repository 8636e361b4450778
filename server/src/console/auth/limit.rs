//! How often somebody may try to log in.
//!
//! Three counts, each against another attack, and each by a part of the gateway's own trade:
//!
//! - one account from one address: five tries, then a block that doubles each time. Guessing ends here.
//! - one address, whatever the accounts: who tries one password on every name it can think of.
//! - one account, whatever the addresses: who guesses from a thousand machines. This one could lock out the
//!   account's owner as well, so it is generous, lets somebody through again each half minute, and does not hold
//!   for addresses from which the account has logged in before.
//!
//! A try is charged before its password is looked at: a hundred tries at once are no way around. A login that
//! succeeds gives back what it was charged.

use std::net::IpAddr;
use std::time::Duration;

use rad_model::Quota;
use rad_resilience::{
    BlockPolicy, Blocklist, InvalidBlockPolicy, InvalidPolicy, Limiter, Policy, Strategy, Timestamp,
};

/// Tries of one account from one address,
const TRIES: u32 = 5;
/// in so long, block the two
const WINDOW: Duration = Duration::from_mins(15);
/// for so long at first,
const BLOCK: Duration = Duration::from_mins(1);
/// and at most for so long.
const LONGEST: Duration = Duration::from_hours(1);
/// Tries from one address, and the seconds in which as many come back.
const ADDRESS: (u32, u32) = (30, 600);
/// Tries of one account from addresses that are new to it.
const ACCOUNT: (u32, u32) = (60, 1_800);
/// So many pairs, addresses and names are remembered: some megabytes at most.
const KEYS: usize = 10_000;

/// Why there can be no limits.
#[derive(Debug, thiserror::Error)]
pub enum InvalidLimits {
    #[error(transparent)]
    Block(#[from] InvalidBlockPolicy),
    #[error(transparent)]
    Policy(#[from] InvalidPolicy),
}

/// Who tries to log in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pair {
    /// Empty for what cannot be the name of one.
    pub account: String,
    /// The client, IPv6 by its /64.
    pub address: IpAddr,
}

/// The counts.
#[derive(Debug)]
pub struct LoginLimits {
    pairs: Blocklist<Pair>,
    addresses: Limiter<IpAddr>,
    accounts: Limiter<String>,
}

impl LoginLimits {
    /// # Errors
    /// None as long as the constants above are sound.
    pub fn new() -> Result<Self, InvalidLimits> {
        let pairs = BlockPolicy::new(TRIES, WINDOW, BLOCK)?.growing(2, LONGEST)?;
        Ok(Self {
            pairs: Blocklist::new(pairs, KEYS),
            addresses: Limiter::new(bucket(ADDRESS)?, KEYS),
            accounts: Limiter::new(bucket(ACCOUNT)?, KEYS),
        })
    }

    /// Charges a try; `is_known`: the account has logged in from there before.
    ///
    /// # Errors
    /// How long to wait before the next try, if this one is too many. Then it is not charged.
    pub fn charge(&self, pair: &Pair, is_known: bool, now: Timestamp) -> Result<(), Duration> {
        if let Some(blocked) = self.pairs.check(pair, now) {
            return Err(blocked.retry_after(now).unwrap_or(LONGEST));
        }
        let address = self.addresses.check(&pair.address, now);
        if !address.allowed {
            return Err(address.retry_after);
        }
        if !is_known {
            let account = self.accounts.check(&pair.account, now);
            if !account.allowed {
                self.addresses.refund(&pair.address, 1, now);
                return Err(account.retry_after);
            }
        }
        self.pairs.reject(pair, now);
        Ok(())
    }

    /// Gives a try back, because the password was right.
    pub fn forgive(&self, pair: &Pair, is_known: bool, now: Timestamp) {
        self.pairs.unblock(pair, now);
        self.addresses.refund(&pair.address, 1, now);
        if !is_known {
            self.accounts.refund(&pair.account, 1, now);
        }
    }

    /// Forgets what is over.
    pub fn sweep(&self, now: Timestamp) {
        self.pairs.sweep(now);
        self.addresses.sweep(now);
        self.accounts.sweep(now);
    }
}

fn bucket((requests, window_s): (u32, u32)) -> Result<Policy, InvalidPolicy> {
    Policy::new(Strategy::TokenBucket, Quota::new(requests, window_s).as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_nanos(1_000_000_000_000);

    fn pair(account: &str, address: u32) -> Pair {
        Pair { account: account.to_owned(), address: IpAddr::V4(address.into()) }
    }

    /// Tries until it is refused: after how many, and for how long.
    fn exhaust(mut attempt: impl FnMut(u32) -> Result<(), Duration>) -> (u32, Duration) {
        (0..100_000).find_map(|tried| attempt(tried).err().map(|wait| (tried, wait))).expect("a refusal")
    }

    #[test]
    fn an_account_is_tried_five_times_from_an_address_and_waits_twice_as_long_each_time() {
        let limits = LoginLimits::new().unwrap();
        let mut now = START;
        for minutes in [1, 2, 4, 8, 16, 32, 60, 60] {
            let (tried, wait) = exhaust(|_| limits.charge(&pair("ada", 1), false, now));
            assert_eq!((tried, wait), (TRIES, Duration::from_mins(minutes)));
            now = now.after(wait);
        }
        // From elsewhere the account is not locked.
        assert_eq!(limits.charge(&pair("ada", 2), false, now), Ok(()));
    }

    #[test]
    fn a_right_password_wipes_the_slate_of_its_pair() {
        let limits = LoginLimits::new().unwrap();
        for _ in 0..1_000 {
            assert_eq!(limits.charge(&pair("ada", 1), false, START), Ok(()));
            limits.forgive(&pair("ada", 1), false, START);
        }
    }

    #[test]
    fn an_address_that_goes_through_the_names_is_stopped() {
        let limits = LoginLimits::new().unwrap();
        let (tried, wait) = exhaust(|at| limits.charge(&pair(&format!("name-{at}"), 1), false, START));
        assert_eq!((tried, wait), (ADDRESS.0, Duration::from_secs(20)));
        assert_eq!(limits.charge(&pair("ada", 2), false, START), Ok(()));
    }

    #[test]
    fn many_addresses_slow_an_account_down_but_not_for_its_owner_and_never_for_long() {
        let limits = LoginLimits::new().unwrap();
        let (tried, wait) = exhaust(|at| limits.charge(&pair("ada", at / 4), false, START));
        assert_eq!((tried, wait), (ACCOUNT.0, Duration::from_secs(30)));
        assert_eq!(limits.charge(&pair("ada", 9_999), true, START), Ok(()), "where it was before");
        assert_eq!(limits.charge(&pair("bob", 9_998), false, START), Ok(()));
        assert_eq!(limits.charge(&pair("ada", 9_997), false, START.after(wait)), Ok(()));
    }

    #[test]
    fn a_try_that_is_refused_for_its_account_costs_its_address_nothing() {
        let limits = LoginLimits::new().unwrap();
        exhaust(|at| limits.charge(&pair("ada", at / 4), false, START));
        for _ in 0..100 {
            assert!(limits.charge(&pair("ada", 7_777), false, START).is_err());
        }
        assert_eq!(limits.charge(&pair("bob", 7_777), false, START), Ok(()));
    }

    #[test]
    fn a_flood_of_names_and_addresses_takes_bounded_memory() {
        let limits = LoginLimits::new().unwrap();
        for at in 0..40_000 {
            let _ = limits.charge(&pair(&format!("name-{at}"), at), false, START);
        }
        assert!(limits.pairs.remembered() <= KEYS);
        assert!(limits.addresses.len() <= KEYS && limits.accounts.len() <= KEYS);
        limits.sweep(START.after(Duration::from_hours(48)));
        assert_eq!((limits.pairs.remembered(), limits.addresses.len(), limits.accounts.len()), (0, 0, 0));
    }
}
