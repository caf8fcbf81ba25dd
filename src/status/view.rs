//! A lock as it was found.

use jiff::Timestamp;

use crate::cli::source::Sources;
use crate::history::{Estimate, Past, estimate_at};
use crate::lease::{Record, RecordError};

/// A lock as it was found.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The lock.
    pub lock: &'a str,
    /// Its store in words.
    pub store: &'a str,
    /// Where lock, store and the like came from.
    pub sources: &'a Sources,
    /// Its record, `None` where it was never taken, or why it cannot be read.
    pub record: Result<Option<&'a Record>, &'a RecordError>,
    /// How long it was held before, where that was asked for.
    pub past: Option<&'a Past>,
    /// The time by this machine's wall clock.
    pub now: Timestamp,
}

impl View<'_> {
    /// How long the waiter at `place` of the queue may have to wait, where 0 is the head.
    pub fn estimate(&self, place: usize) -> Option<Estimate> {
        estimate_at(self.past?, self.record.ok()??, place, self.now)
    }
}
