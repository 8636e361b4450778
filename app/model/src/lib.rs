//! The words that the gateway, the console and the browser share.
//!
//! No I/O, no clock, no framework: types with their serialised form, and the few pure rules (backoff,
//! history, shares) that both sides must apply alike. The JSON written by these types *is* the protocol
//! `rad.v1+json` on `/ws` and the answers under `/api/`.

pub mod backoff;
pub mod change;
pub mod close;
pub mod event;
pub mod format;
pub mod frame;
pub mod history;
pub mod lab;
pub mod metrics;
pub mod quota;
pub mod rejections;
pub mod share;
pub mod tick;
pub mod topology;

pub use backoff::Backoff;
pub use change::{Call, Receipt};
pub use event::{Event, EventKind};
pub use frame::{Bye, ClientMessage, Frame, Hello, Resume, Snapshot};
pub use history::History;
pub use lab::{Knobs, KnobsPatch, LabState};
pub use quota::Quota;
pub use rejections::Rejections;
pub use share::Share;
pub use tick::{
    BreakerMode, BreakerState, BreakerTick, LimitUse, RolloutTick, RouteTick, SideTick, Tick, Totals,
};
pub use topology::{BreakerInfo, Destination, RolloutInfo, Route, Topology};
