//! What is told of one run.

use std::time::Duration;

use jiff::Timestamp;

use crate::escape;
use crate::history::Row;
use crate::history::words::{changes, ending};
use crate::lease::Identity;
use crate::report::human;

/// One run in words, escaped. What is not known is empty.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) run: String,
    /// When it got the lock.
    pub(super) started: Option<Timestamp>,
    pub(super) who: String,
    pub(super) command: String,
    pub(super) waited: String,
    pub(super) held: String,
    pub(super) outcome: String,
    pub(super) changes: String,
    /// Where to read more; of what cannot be read, why.
    pub(super) link: String,
}

impl Line {
    pub(super) fn of(row: &Row, now: Timestamp) -> Self {
        let run = row.run().to_string();
        match row {
            Row::Over(past) => Self {
                run,
                started: Some(past.active_at.unwrap_or(past.granted_at)),
                waited: span(past.waited_ms),
                held: span(past.held_ms),
                outcome: ending(past),
                changes: changes(past),
                ..Self::named(&past.identity)
            },
            Row::Running(holder) => {
                let waited = holder.granted_at.duration_since(holder.asked_at);
                Self {
                    run,
                    started: Some(holder.granted_at),
                    waited: human::duration(Duration::try_from(waited).unwrap_or_default()),
                    held: human::since(holder.granted_at, now),
                    outcome: "running".to_owned(),
                    ..Self::named(&holder.identity)
                }
            }
            Row::Unreadable(_, error) => Self {
                run,
                outcome: "unreadable".to_owned(),
                link: escape::line(&error.to_string()).into_owned(),
                ..Self::default()
            },
        }
    }

    fn named(identity: &Identity) -> Self {
        let shown = |text: &Option<String>| {
            text.as_deref().map(|text| escape::field(text).into_owned()).unwrap_or_default()
        };
        Self {
            who: shown(&identity.actor),
            command: shown(&identity.command),
            link: shown(&identity.url),
            ..Self::default()
        }
    }
}

fn span(millis: u64) -> String {
    human::duration(Duration::from_millis(millis))
}
