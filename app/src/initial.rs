//! The state that the page starts with: put into the HTML by the server, read from it in the browser, so
//! that both draw the same first picture.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use leptos::prelude::{SharedValue, StoredValue, UpdateValue, use_context};
use rad_model::{Hello, LabState, Resume, Snapshot};
use serde::{Deserialize, Serialize};

use crate::json::{self, Malformed};

/// What the server provides as context for every page that it renders.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Initial {
    /// What `/ws` would say to a client that knows nothing.
    pub hello: Arc<Hello>,
    /// The knobs of the sample upstreams, where they run.
    pub lab: Option<LabState>,
    /// What the page at hand would ask the API for: a path, its answer, the next path.
    pub answers: Vec<String>,
}

/// What the first page need not ask for: told once, since it grows old.
#[derive(Clone, Copy, Debug)]
pub struct Answers(StoredValue<Vec<String>>);

impl Answers {
    #[must_use]
    pub fn new(answers: Vec<String>) -> Self {
        Self(StoredValue::new(answers))
    }

    /// What the API would say to this.
    #[must_use]
    pub fn take(path: &str) -> Option<String> {
        let Self(answers) = use_context()?;
        let found = answers.try_update_value(|answers| {
            let at = answers.iter().position(|asked| asked == path)?;
            let answer = answers.get_mut(at + 1)?;
            Some(std::mem::take(answer)).filter(|answer| !answer.is_empty())
        });
        found.flatten()
    }
}

impl Initial {
    /// Takes the state over from the server's context (there) or from the HTML (in the browser).
    #[must_use]
    pub fn carried() -> Self {
        SharedValue::new_str(|| Written(use_context::<Self>().unwrap_or_else(Self::nothing))).into_inner().0
    }

    /// While the routes are listed, and in a browser without the server's HTML, nothing is known.
    fn nothing() -> Self {
        let resume = Resume::Snapshot(Box::<Snapshot>::default());
        let hello = Hello { epoch: String::new(), seq: 0, interval_ms: 1_000, resume };
        Self { hello: Arc::new(hello), lab: None, answers: vec![] }
    }
}

/// The state as it is in the HTML: JSON.
struct Written(Initial);

impl fmt::Display for Written {
    // The browser writes none; without the code that does, its bundle is smaller.
    #[cfg_attr(not(feature = "ssr"), allow(unused_variables))]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[cfg(feature = "ssr")]
        f.write_str(&serde_json::to_string(&self.0).map_err(|_| fmt::Error)?)?;
        Ok(())
    }
}

impl FromStr for Written {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        json::read(text).map(Self)
    }
}
