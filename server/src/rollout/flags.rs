//! Feature flags: what they say, and to whom.
//!
//! A [`Flag`] is what a person wrote, as it is stored and as the API takes it. [`Flag::check`] says everything that
//! is wrong with it. A [`Snapshot`] is all of them made ready: names are positions, versions are read, nothing is
//! looked up twice; an evaluation takes no lock and no memory. Nothing here does I/O or reads a clock, and the same
//! flag, seed and context give the same answer always.

mod check;
mod context;
mod definition;
mod evaluation;
mod operator;
mod ready;
mod serve;
mod steps;
mod words;

#[cfg(test)]
mod tests;

pub use check::{MAX_FLAGS, Wrong, check_key, unmet_by};
pub use context::{Attribute, Context, Facts, JsonContext, TARGETING_KEY};
pub use definition::{Condition, Environment, Flag, Prerequisite, Rule};
pub use evaluation::{ErrorCode, Evaluation, Failure, Reason};
pub use operator::Operator;
pub use ready::{Kept, Snapshot};
pub use serve::Serve;
pub use words::{Because, list};
