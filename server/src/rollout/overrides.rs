//! Testers who choose their side.
//!
//! With a secret, what a tester shows has been signed here, for one rollout and one side, and ends by itself:
//! `candidate.EXPIRY.SIGNATURE`. A value that is forged, has expired or means nothing is as good as none: it must
//! not tell whoever guesses how near a guess was.

use std::fmt;

use hmac::{Hmac, Mac};
use http::HeaderName;
use sha2::Sha256;

use super::Side;

/// The longest time for which a side is signed, seconds: 30 days.
pub const LONGEST_S: u64 = 30 * 24 * 3_600;
/// Bytes of a signature.
const SIGNED: usize = 32;

/// By what a tester chooses a side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overrides {
    pub header: Option<HeaderName>,
    pub cookie: Option<String>,
    /// Without it, whoever knows the name may choose.
    pub secret: Option<Secret>,
}

/// What signatures are made with. Not shown to anybody.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// Shorter ones can be guessed, bytes.
    pub const SHORTEST: usize = 16;

    /// None if it is too short.
    #[must_use]
    pub fn new(secret: &[u8]) -> Option<Self> {
        (secret.len() >= Self::SHORTEST).then(|| Self(secret.into()))
    }

    fn signing(&self, rollout: &str, side: Side, until_s: u64) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        // No part can run into the next: names hold no line break.
        mac.update(format!("rad-override\n{rollout}\n{}\n{until_s}", side.word()).as_bytes());
        Some(mac)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret hidden)")
    }
}

impl Overrides {
    /// The side that a value asks for at a moment, seconds since 1970; none if it has no right to.
    #[must_use]
    pub fn side(&self, rollout: &str, value: &[u8], now_s: u64) -> Option<Side> {
        let Some(secret) = &self.secret else { return Side::named(value) };
        // Cheap questions first: anybody may send anything.
        let mut parts = value.splitn(3, |byte| *byte == b'.');
        let side = Side::named(parts.next()?)?;
        let until_s: u64 = std::str::from_utf8(parts.next()?).ok()?.parse().ok()?;
        let signature = unhex(parts.next()?)?;
        if until_s <= now_s || until_s > now_s.saturating_add(LONGEST_S) {
            return None;
        }
        secret.signing(rollout, side, until_s)?.verify_slice(&signature).ok()?;
        Some(side)
    }

    /// What a tester shows until a moment, seconds since 1970; the side alone where nothing is signed.
    #[must_use]
    pub fn value(&self, rollout: &str, side: Side, until_s: u64) -> Option<String> {
        let Some(secret) = &self.secret else { return Some(side.word().to_owned()) };
        let signature = secret.signing(rollout, side, until_s)?.finalize().into_bytes();
        Some(format!("{}.{until_s}.{signature:x}", side.word()))
    }
}

fn unhex(text: &[u8]) -> Option<[u8; SIGNED]> {
    let mut bytes = [0; SIGNED];
    if text.len() != 2 * SIGNED {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let digit = |at: usize| char::from(*pair.get(at)?).to_digit(16);
        *byte = u8::try_from(digit(0)? << 4 | digit(1)?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: u64 = 1_800_000_000;

    fn overrides(secret: Option<&[u8]>) -> Overrides {
        Overrides { header: None, cookie: None, secret: secret.and_then(Secret::new) }
    }

    #[test]
    fn without_a_secret_the_name_of_a_side_is_enough() {
        let open = overrides(None);
        assert_eq!(open.side("r", b"candidate", NOW_S), Some(Side::Candidate));
        assert_eq!(open.side("r", b"legacy", NOW_S), Some(Side::Legacy));
        for other in ["", "Candidate", "candidate ", "candidate.1.2", "both"] {
            assert_eq!(open.side("r", other.as_bytes(), NOW_S), None, "{other:?}");
        }
    }

    #[test]
    fn with_a_secret_only_what_was_signed_with_it_for_this_rollout_and_in_time_counts() {
        let signed = overrides(Some(b"a secret of some length"));
        let until_s = NOW_S + 60;
        let value = signed.value("r", Side::Candidate, until_s).unwrap();
        let ask = |value: &str, now_s| signed.side("r", value.as_bytes(), now_s);
        assert_eq!(ask(&value, NOW_S), Some(Side::Candidate));
        assert_eq!(
            ask(&value.to_uppercase().replace("CANDIDATE", "candidate"), NOW_S),
            Some(Side::Candidate)
        );
        assert_eq!(ask(&value, until_s), None, "it has expired");
        assert_eq!(signed.side("other", value.as_bytes(), NOW_S), None, "it is another rollout's");
        let another = overrides(Some(b"another secret of some length"));
        assert_eq!(another.side("r", value.as_bytes(), NOW_S), None);

        let other_side = value.replace("candidate", "legacy");
        let longer = value.replace(&until_s.to_string(), &(until_s + 1).to_string());
        let mut flipped = value.clone().into_bytes();
        *flipped.last_mut().unwrap() ^= 1;
        assert_eq!(signed.side("r", &flipped, NOW_S), None);
        let forever = signed.value("r", Side::Candidate, NOW_S + LONGEST_S + 1).unwrap();
        let cut = &value[..value.len() - 1];
        let more = format!("{value}0");
        for forged in [
            &*other_side,
            &longer,
            cut,
            &more,
            &forever,
            "candidate",
            "candidate.",
            "candidate..",
            "..",
            "",
            "candidate.-1.00",
        ] {
            assert_eq!(ask(forged, NOW_S), None, "{forged:?}");
        }
    }

    #[test]
    fn a_secret_is_neither_short_nor_shown() {
        assert!(Secret::new(&[7; Secret::SHORTEST - 1]).is_none());
        assert_eq!(format!("{:?}", Secret::new(b"a secret of some length")), "Some((secret hidden))");
    }
}
