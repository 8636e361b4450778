//! A share of traffic in percent, exact to a hundredth.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A share of traffic, 0 % to 100 % in steps of 0.01 %. Serialised as a number of percent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u16);

impl Share {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Everything.
    pub const ALL: Self = Self(10_000);

    /// `percent` rounded to a hundredth; `None` unless it is a number from 0 to 100.
    #[must_use]
    pub fn from_percent(percent: f64) -> Option<Self> {
        // In range, so that the cast below is exact.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        (0.0..=100.0).contains(&percent).then(|| Self((percent * 100.0).round() as u16))
    }

    /// A share of `points` hundredths of a percent; `None` over 10,000.
    #[must_use]
    pub fn from_basis_points(points: u16) -> Option<Self> {
        (points <= Self::ALL.0).then_some(Self(points))
    }

    /// Hundredths of a percent, 0 to 10,000.
    #[must_use]
    pub fn basis_points(self) -> u16 {
        self.0
    }

    /// Percent, 0 to 100.
    #[must_use]
    pub fn percent(self) -> f64 {
        f64::from(self.0) / 100.0
    }

    /// What is left for the other side.
    #[must_use]
    pub fn rest(self) -> Self {
        Self(Self::ALL.0 - self.0)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.percent().fmt(f)
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_multiple_of(100) {
            serializer.serialize_u16(self.0 / 100)
        } else {
            serializer.serialize_f64(self.percent())
        }
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let percent = f64::deserialize(deserializer)?;
        Self::from_percent(percent).ok_or_else(|| {
            serde::de::Error::custom(format_args!("{percent} is no share: 0 to 100 percent are allowed"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_written_as_percent() {
        assert_eq!(serde_json::to_string(&Share::from_percent(10.0)).unwrap(), "10");
        assert_eq!(serde_json::to_string(&Share::from_percent(0.25)).unwrap(), "0.25");
        assert_eq!(serde_json::from_str::<Share>("12.5").unwrap().basis_points(), 1_250);
    }

    #[test]
    fn a_share_outside_0_to_100_is_refused() {
        for text in ["-0.1", "100.01", "1e300"] {
            let error = serde_json::from_str::<Share>(text).expect_err(text).to_string();
            assert!(error.contains("0 to 100"), "{error}");
        }
        assert_eq!(Share::from_percent(f64::NAN), None);
    }
}
