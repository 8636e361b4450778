//! Charts: pure geometry under thin views. Drawn as SVG by the server, updated in place in the browser.

pub mod bounds;
pub mod cache;
pub mod drawing;
pub mod latency;
pub mod limits;
pub mod marks;
pub mod past;
pub mod path;
pub mod plot;
mod pointer;
pub mod queue;
pub mod scale;
pub mod spark;
pub mod stack;
pub mod strip;
pub mod success;
pub mod traffic;

pub use plot::Chart;
