//! The messages of the live connection, subprotocol `rad.v1+json`.
//!
//! One sequence numbers ticks and events alike. A client that knows the epoch and the last number it saw
//! asks for what follows, and gets either just that or, if too much time has passed or the server is
//! another one, a whole snapshot.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::{Event, History, LimitUse, Rejections, RouteTick, Tick, Topology};

/// The name of the subprotocol.
pub const SUBPROTOCOL: &str = "rad.v1+json";

/// What the server sends. Its `type` is the first member.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Frame {
    /// First, and again when a slow client has to start afresh.
    Hello(Box<Hello>),
    /// Once an interval.
    Tick(Tick),
    /// At once.
    Event(Event),
    /// Last.
    Bye(Bye),
}

impl Frame {
    /// The frame's number, if it has one.
    #[must_use]
    pub fn seq(&self) -> Option<u64> {
        match self {
            Self::Tick(tick) => Some(tick.seq),
            Self::Event(event) => Some(event.seq),
            Self::Hello(_) | Self::Bye(_) => None,
        }
    }
}

/// By hand: the derived form reads every frame into a tree first, which costs time in each tick, and in the
/// browser's bundle a second copy of all that reads.
impl<'de> Deserialize<'de> for Frame {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FrameVisitor)
    }
}

struct FrameVisitor;

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Member {
    Type,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Type {
    Hello,
    Tick,
    Event,
    Bye,
}

impl<'de> Visitor<'de> for FrameVisitor {
    type Value = Frame;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a frame, its type first")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Frame, A::Error> {
        let Some(Member::Type) = map.next_key()? else { return Err(A::Error::missing_field("type")) };
        let kind = map.next_value()?;
        let rest = MapAccessDeserializer::new(map);
        Ok(match kind {
            Type::Hello => Frame::Hello(Box::new(Hello::deserialize(rest)?)),
            Type::Tick => Frame::Tick(Tick::deserialize(rest)?),
            Type::Event => Frame::Event(Event::deserialize(rest)?),
            Type::Bye => Frame::Bye(Bye::deserialize(rest)?),
        })
    }
}

/// The first message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// Names this run of the server.
    pub epoch: String,
    /// The number of the last frame that is contained here.
    pub seq: u64,
    /// Time between ticks, milliseconds.
    pub interval_ms: u32,
    pub resume: Resume,
}

/// What the client gets to begin with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resume {
    /// Everything.
    Snapshot(Box<Snapshot>),
    /// Only what came after the client's number, in order: ticks and events.
    Missed(Vec<Frame>),
}

/// Everything that a dashboard shows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    pub topology: Topology,
    /// The last interval; `None` before the first is over.
    pub now: Option<Tick>,
    /// The last known figures of each route that was not quiet, whatever the interval.
    pub routes: Vec<RouteTick>,
    #[serde(default)]
    pub rejections: Rejections,
    pub history: History,
    /// The latest events, oldest first.
    pub events: Vec<Event>,
}

impl Snapshot {
    /// Takes in a frame that follows: the one rule for server and browser of how state moves on.
    pub fn apply(&mut self, frame: &Frame) {
        match frame {
            Frame::Tick(tick) => {
                self.history.push(tick);
                self.rejections.push(tick);
                for route in &tick.routes {
                    match self.routes.iter_mut().find(|known| known.route == route.route) {
                        Some(known) => known.clone_from(route),
                        None => self.routes.push(route.clone()),
                    }
                }
                for known in &mut self.routes {
                    if !tick.routes.iter().any(|route| route.route == known.route) {
                        let fullest: Option<LimitUse> = known.fullest.take();
                        *known = RouteTick {
                            route: known.route,
                            requests: 0,
                            limited: 0,
                            failed: 0,
                            p99_us: 0,
                            fullest,
                        };
                    }
                }
                self.now = Some(tick.clone());
            }
            Frame::Event(event) => {
                self.events.push(event.clone());
                if self.events.len() > Self::EVENTS {
                    self.events.remove(0);
                }
            }
            Frame::Hello(_) | Frame::Bye(_) => {}
        }
    }

    /// Keeps what an earlier run of the server had told: it happened, whoever tells of the present.
    pub fn continue_from(&mut self, earlier: &Self) {
        let names = |topology: &Topology| {
            let breakers = topology.breakers.iter().map(|breaker| breaker.name.clone());
            breakers.chain(topology.rollouts.iter().map(|rollout| rollout.name.clone())).collect::<Vec<_>>()
        };
        let same = names(&self.topology) == names(&earlier.topology);
        self.history.continue_from(&earlier.history, same);
        let first = self.events.first().map_or(u64::MAX, |event| event.at_ms);
        let known = earlier.events.partition_point(|event| event.at_ms < first);
        let from = (known + self.events.len()).saturating_sub(Self::EVENTS).min(known);
        self.events.splice(..0, earlier.events[from..known].iter().cloned());
    }

    /// How many events are kept.
    pub const EVENTS: usize = 200;
}

/// The server leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bye {
    pub reason: String,
    /// Clients come back at a moment spread evenly over this window, milliseconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconnect_ms: Option<(u32, u32)>,
}

/// What a client may send.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum ClientMessage {
    /// How the connection came about, sent once after each hello.
    Report {
        /// Attempts that it took, at least 1.
        attempts: u32,
        /// How long the previous connection lived, milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        connected_ms: Option<u64>,
        /// The backoff delays that were waited, milliseconds; at most 100.
        #[serde(default)]
        delays_ms: Vec<u32>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EventKind;

    #[test]
    fn every_frame_reads_what_it_writes() {
        let hello = |resume| Hello { epoch: "a".to_owned(), seq: 1, interval_ms: 1_000, resume };
        let event = Frame::Event(Event {
            seq: 3,
            at_ms: 4,
            kind: EventKind::TrafficChanged { requests_per_second: 5 },
        });
        let frames = [
            Frame::Hello(Box::new(hello(Resume::Snapshot(Box::default())))),
            Frame::Hello(Box::new(hello(Resume::Missed(vec![Frame::Tick(Tick::default()), event.clone()])))),
            Frame::Tick(Tick { seq: 2, at_ms: 2_000, ..Tick::default() }),
            event,
            Frame::Bye(Bye { reason: "restart".to_owned(), reconnect_ms: Some((0, 9)) }),
        ];
        for frame in frames {
            let text = serde_json::to_string(&frame).unwrap();
            assert_eq!(serde_json::from_str::<Frame>(&text).unwrap(), frame, "{text}");
        }
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        for text in ["{}", "[]", r#"{"seq":1,"type":"tick"}"#, r#"{"type":"nonsense"}"#, r#"{"type":"tick"}"#]
        {
            assert!(serde_json::from_str::<Frame>(text).is_err(), "{text}");
        }
    }
}
