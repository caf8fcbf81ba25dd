//! What supervisor and keeper say to each other: one JSON object a line.

use std::io::{self, Write};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::settings::Settings;
use super::tap::Firing;
use crate::report::event::{Hook, HookEnd};

/// From the supervisor.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Order {
    /// First of all.
    Begin {
        settings: Settings,
        /// The run's session.
        session: String,
    },
    /// A hook to be run.
    Fire(Firing),
    /// No more will come; what is left has this long.
    Close { within: Duration },
    /// Nothing is to run any more.
    Stop,
}

/// From the keeper: a hook is over.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Word {
    pub(super) hook: Hook,
    pub(super) lock: String,
    pub(super) end: HookEnd,
    pub(super) took: Duration,
    /// The last lines that it printed, escaped.
    pub(super) output: Vec<String>,
    /// Bytes before these.
    pub(super) omitted: u64,
}

/// Says it. A text has no line break of its own in JSON.
pub(super) fn say(mut to: impl Write, what: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    to.write_all(&line)
}
