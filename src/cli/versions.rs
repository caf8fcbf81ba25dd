//! What `state versions` shows. Nothing of a state's content is in it; what comes from the bucket
//! is escaped.

mod document;
mod table;
#[cfg(test)]
mod tests;

use jiff::Timestamp;

pub use self::document::{Document, json};
pub use self::table::text;
use crate::lease::PastRun;
use crate::versions::Version;

/// Seconds by which the times of a list may be off: S3 cuts them to whole seconds, and its clock is
/// not that of the machines that wrote the history.
const CLOCKS: i64 = 2;

/// The versions as they were found.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Where the state is.
    pub state: &'a str,
    /// The newest first.
    pub versions: &'a [Version],
    /// Runs of the lock, the newest first, as far as they are known.
    pub runs: &'a [PastRun],
}

/// The run during which something was written in the second that begins at `at`, as far as clocks
/// tell. Of several the newest that may have changed the state.
pub fn writer(runs: &[PastRun], at: Timestamp) -> Option<&PastRun> {
    let slack = jiff::SignedDuration::from_secs(CLOCKS);
    let during = |run: &&PastRun| {
        run.granted_at.saturating_sub(slack).is_ok_and(|from| from <= at)
            && run.ended_at.saturating_add(slack).is_ok_and(|to| at <= to)
    };
    let next = at.saturating_add(jiff::SignedDuration::from_secs(1)).unwrap_or(at);
    let within = |run: &&PastRun| run.granted_at < next && at <= run.ended_at;
    runs.iter()
        .filter(|run| run.changed)
        .find(within)
        .or_else(|| runs.iter().filter(|run| run.changed).find(during))
}
