//! What somebody gets: a variant, or one of several by chance.

use std::fmt;

use rad_model::Share;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// Written as the name of a variant, or as a list of `{"variant": …, "percent": …}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Serve {
    Variant(String),
    Split(Vec<Portion>),
}

/// A variant's share of a split.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Portion {
    pub variant: String,
    pub percent: Share,
}

impl Serve {
    /// The share that a variant has of it.
    #[must_use]
    pub fn share(&self, variant: &str) -> Share {
        match self {
            Self::Variant(only) if only == variant => Share::ALL,
            Self::Variant(_) => Share::NONE,
            Self::Split(portions) => {
                let own = portions.iter().find(|portion| portion.variant == variant);
                own.map_or(Share::NONE, |portion| portion.percent)
            }
        }
    }

    /// The same with another share of one variant, which the variant `against` gives or takes; `None` if that one has
    /// less to give.
    #[must_use]
    pub fn shifted(&self, variant: &str, to: Share, against: &str) -> Option<Self> {
        let mut shares: Vec<(String, u16)> = match self {
            Self::Variant(only) => vec![(only.clone(), Share::ALL.basis_points())],
            Self::Split(portions) => {
                let share = |portion: &Portion| (portion.variant.clone(), portion.percent.basis_points());
                portions.iter().map(share).collect()
            }
        };
        for name in [variant, against] {
            if !shares.iter().any(|(known, _)| known == name) {
                shares.push((name.to_owned(), 0));
            }
        }
        let from = self.share(variant).basis_points();
        let pool = self.share(against).basis_points() + from;
        let rest = pool.checked_sub(to.basis_points())?;
        for (name, share) in &mut shares {
            if name == variant {
                *share = to.basis_points();
            } else if name == against {
                *share = rest;
            }
        }
        let portions = shares.into_iter().filter_map(|(variant, points)| {
            Some(Portion { variant, percent: Share::from_basis_points(points)? })
        });
        Some(Self::Split(portions.collect()))
    }
}

impl<'de> Deserialize<'de> for Serve {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Serve;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a variant, or a list of {\"variant\": …, \"percent\": …}")
            }

            fn visit_str<E>(self, name: &str) -> Result<Serve, E> {
                Ok(Serve::Variant(name.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, portions: A) -> Result<Serve, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(portions)).map(Serve::Split)
            }
        }

        deserializer.deserialize_any(Either)
    }
}
