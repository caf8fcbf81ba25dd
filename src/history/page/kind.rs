//! What came of a run, in one of six kinds, each with a sign, a colour and a pattern of its own.

use crate::lease::{Outcome, PastRun};

/// What came of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// It did what it was to do.
    Good,
    /// Its command failed.
    Failed,
    /// Somebody stopped it, or said no.
    Stopped,
    /// It did not end by itself: crashed, lost, expired or removed.
    Broken,
    /// It holds the lock.
    Running,
    /// Nobody knows.
    Unknown,
}

impl Kind {
    /// In the order in which they are listed.
    pub(super) const ALL: [Self; 6] =
        [Self::Good, Self::Failed, Self::Stopped, Self::Broken, Self::Running, Self::Unknown];

    /// The kind of a run that is over. A result that a newer version has a word for is judged by
    /// the exit code.
    pub(super) fn of(past: &PastRun) -> Self {
        match (past.outcome, past.result.as_deref(), past.exit_code) {
            (Outcome::Crashed | Outcome::Expired | Outcome::Forced, ..) => Self::Broken,
            (Outcome::Released, Some("lost"), _) => Self::Broken,
            (Outcome::Released, Some("succeeded" | "no_changes" | "drift"), _) => Self::Good,
            (Outcome::Released, Some("failed"), _) => Self::Failed,
            (Outcome::Released, Some("cancelled" | "declined" | "refused"), _) => Self::Stopped,
            (Outcome::Released, _, Some(0)) => Self::Good,
            (Outcome::Released, _, Some(_)) => Self::Failed,
            (Outcome::Released, _, None) => Self::Unknown,
        }
    }

    /// The word in the legend.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Good => "succeeded",
            Self::Failed => "failed",
            Self::Stopped => "stopped or declined",
            Self::Broken => "crashed, lost or removed",
            Self::Running => "running",
            Self::Unknown => "not known",
        }
    }

    /// Its name in the style sheet and among the signs.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Broken => "broken",
            Self::Running => "running",
            Self::Unknown => "unknown",
        }
    }
}
