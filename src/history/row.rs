//! A run as it is found in the history: over, under way, or not to be read.

use crate::lease::{Found, Holder, PastRun, RecordError};

/// One run of a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "there are as many as are shown")]
pub enum Row {
    /// It is over.
    Over(PastRun),
    /// It holds the lock.
    Running(Holder),
    /// Its item cannot be read.
    Unreadable(u64, RecordError),
}

impl Row {
    /// The run's number.
    pub fn run(&self) -> u64 {
        match self {
            Self::Over(past) => past.run,
            Self::Running(holder) => holder.run.unwrap_or_default(),
            Self::Unreadable(run, _) => *run,
        }
    }
}

impl From<Found> for Row {
    fn from(found: Found) -> Self {
        match found.past {
            Ok(past) => Self::Over(past),
            Err(error) => Self::Unreadable(found.run, error),
        }
    }
}
