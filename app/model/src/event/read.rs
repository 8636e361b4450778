//! Reads events in one pass. The derived form would put everything that belongs to a kind into a tree
//! first, which costs the browser's bundle a second copy of all that reads.

use std::fmt;

use serde::de::value::{EnumAccessDeserializer, StrDeserializer};
use serde::de::{DeserializeSeed, EnumAccess, Error, IgnoredAny, MapAccess, VariantAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{Event, EventKind, OpenReason};
use crate::{BreakerMode, BreakerState, Knobs, Quota, Share};

/// [`EventKind`] again, as what the derived reading expects in a [`Kind`].
#[derive(Deserialize)]
#[serde(remote = "EventKind", rename_all = "snake_case")]
enum Tagged {
    Started {
        version: String,
    },
    BreakerOpened {
        breaker: String,
        reason: OpenReason,
        open_for_ms: u64,
    },
    BreakerHalfOpen {
        breaker: String,
        after_ms: u64,
    },
    BreakerClosed {
        breaker: String,
        successes: u32,
    },
    BreakerReset {
        breaker: String,
        from: BreakerState,
        by: String,
        #[serde(default)]
        reason: String,
    },
    BreakerModeChanged {
        breaker: String,
        from: BreakerMode,
        to: BreakerMode,
        by: String,
        #[serde(default)]
        reason: String,
    },
    RolloutChanged {
        rollout: String,
        from: Share,
        to: Share,
        #[serde(default)]
        phase: String,
        by: String,
        #[serde(default)]
        reason: String,
    },
    ShadowChanged {
        rollout: String,
        from: Share,
        to: Share,
        by: String,
        #[serde(default)]
        reason: String,
    },
    ShadowReset {
        rollout: String,
        by: String,
        #[serde(default)]
        reason: String,
    },
    AddressBlocked {
        address: String,
        #[serde(default)]
        for_ms: Option<u64>,
        by: String,
        #[serde(default)]
        reason: String,
    },
    AddressUnblocked {
        address: String,
        by: String,
    },
    LimitReached {
        route: String,
        key: String,
        limit: Quota,
    },
    KnobsTurned {
        upstream: String,
        knobs: Knobs,
    },
    TrafficChanged {
        requests_per_second: u32,
    },
    MetricsReset,
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EventVisitor)
    }
}

struct EventVisitor;

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Member {
    Seq,
    AtMs,
    Kind,
}

impl<'de> Visitor<'de> for EventVisitor {
    type Value = Event;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event: seq, at_ms, kind, and what belongs to the kind")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Event, A::Error> {
        let (mut seq, mut at_ms) = (None, None);
        while let Some(member) = map.next_key()? {
            match member {
                Member::Seq => seq = Some(map.next_value()?),
                Member::AtMs => at_ms = Some(map.next_value()?),
                Member::Kind => {
                    let name: String = map.next_value()?;
                    let seq = seq.ok_or_else(|| A::Error::missing_field("seq"))?;
                    let at_ms = at_ms.ok_or_else(|| A::Error::missing_field("at_ms"))?;
                    let kind = EnumAccessDeserializer::new(Kind { name: &name, rest: map });
                    return Ok(Event { seq, at_ms, kind: Tagged::deserialize(kind)? });
                }
            }
        }
        Err(A::Error::missing_field("kind"))
    }
}

/// The name of a kind, and the members that follow.
struct Kind<'a, A> {
    name: &'a str,
    rest: A,
}

impl<'de, A: MapAccess<'de>> EnumAccess<'de> for Kind<'_, A> {
    type Error = A::Error;
    type Variant = Rest<A>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Rest<A>), A::Error> {
        Ok((seed.deserialize(StrDeserializer::new(self.name))?, Rest(self.rest)))
    }
}

struct Rest<A>(A);

impl<'de, A: MapAccess<'de>> VariantAccess<'de> for Rest<A> {
    type Error = A::Error;

    fn unit_variant(mut self) -> Result<(), A::Error> {
        while self.0.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        visitor.visit_map(self.0)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, A::Error> {
        Err(A::Error::custom("kinds of events have named members"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, A::Error> {
        Err(A::Error::custom("kinds of events have named members"))
    }
}
