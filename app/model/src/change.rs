//! What everything answers that changes something: what was done, and how to take it back.

use serde::{Deserialize, Serialize};

/// A part of the answer to a change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// What was done, for people.
    pub says: String,
    /// What takes it back, if anything does. It is refused (409) once somebody else has decided otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Call>,
}

/// A call of the console's API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    pub method: String,
    /// As it stands in a URL.
    pub path: String,
    /// JSON, or nothing.
    #[serde(default)]
    pub body: String,
}
