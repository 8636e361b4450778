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

    /// `percent` rounded to a hundredth; `None` unless it is 0 or a number from 0.005 to 100.
    #[must_use]
    pub fn from_percent(percent: f64) -> Option<Self> {
        // In range, so that the cast below is exact.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let share = (0.0..=100.0).contains(&percent).then(|| Self((percent * 100.0).round() as u16))?;
        // What is more than nothing does not become nothing.
        (share != Self::NONE || percent == 0.0).then_some(share)
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
    // Not as a float: what writes those takes a fortieth of the browser's bundle.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, hundredths) = (self.0 / 100, self.0 % 100);
        match hundredths {
            0 => write!(f, "{whole}"),
            _ if hundredths.is_multiple_of(10) => write!(f, "{whole}.{}", hundredths / 10),
            _ => write!(f, "{whole}.{hundredths:02}"),
        }
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
            serde::de::Error::custom("a share is a number from 0 to 100, in percent and steps of 0.01")
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
    fn a_share_is_shown_as_the_shortest_number_that_it_is() {
        for (points, shown) in
            [(0, "0"), (10_000, "100"), (1, "0.01"), (1_250, "12.5"), (3_333, "33.33"), (7_505, "75.05")]
        {
            assert_eq!(Share(points).to_string(), shown);
        }
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
