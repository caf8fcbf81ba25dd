//! A run as plain facts: what all drawings and the table are made from.

use std::time::Duration;

use jiff::Timestamp;

use super::kind::Kind;
use crate::escape;
use crate::history::Row;
use crate::history::words;
use crate::lease::{Counts, Holder, Identity, Mode, Waiter};

/// When a run waited and held, by the wall clocks of those who wrote it down: an end that would lie
/// before its beginning is put there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    /// When it asked.
    pub(super) asked: Timestamp,
    /// When it was given the lock; `None`: it waits.
    pub(super) granted: Option<Timestamp>,
    /// When it ended, or the present for one that goes on.
    pub(super) end: Timestamp,
}

impl Times {
    fn new(asked: Timestamp, granted: Option<Timestamp>, end: Timestamp) -> Self {
        let granted = granted.map(|granted| granted.max(asked));
        Self { asked, granted, end: end.max(granted.unwrap_or(asked)) }
    }
}

/// From one time to another, or nothing where that would be back.
pub(super) fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

/// Who ran what: safe to show, empty where it is unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Who {
    pub(super) name: String,
    /// Machine, repository, change.
    pub(super) place: String,
    pub(super) command: String,
    pub(super) reason: String,
    /// As it is in the record.
    pub(super) url: Option<String>,
}

impl Who {
    fn new(identity: &Identity) -> Self {
        let known = |text: &Option<String>| {
            text.as_deref().map(|text| escape::field(text).into_owned()).unwrap_or_default()
        };
        let place = [&identity.host, &identity.repository, &identity.change].map(known);
        let place: Vec<String> = place.into_iter().filter(|text| !text.is_empty()).collect();
        let name = match known(&identity.actor) {
            name if name.is_empty() => "someone".to_owned(),
            name => name,
        };
        Self {
            name,
            place: place.join(" · "),
            command: known(&identity.command),
            reason: known(&identity.reason),
            url: identity.url.clone(),
        }
    }
}

/// One run of a lock, or a session that waits for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    /// Its number; `None` for one that waits or has not begun.
    pub(super) number: Option<u64>,
    /// `None` where its item cannot be read.
    pub(super) times: Option<Times>,
    /// How long it waited, by its own clock.
    pub(super) waited: Duration,
    /// How long it held, likewise.
    pub(super) held: Duration,
    pub(super) who: Who,
    pub(super) session: String,
    pub(super) shared: bool,
    pub(super) kind: Kind,
    /// It is not over.
    pub(super) open: bool,
    /// What came of it, in words.
    pub(super) ending: String,
    /// `+1 ~2 -3`, `?` or `none`; empty for one that goes on.
    pub(super) changes: String,
    /// The numbers behind that, where they are known.
    pub(super) counts: Option<Counts>,
}

impl Run {
    /// A run of the history.
    pub(super) fn of(row: &Row, now: Timestamp) -> Self {
        match row {
            Row::Over(past) => Self {
                number: Some(past.run),
                times: Some(Times::new(past.asked_at, Some(past.granted_at), past.ended_at)),
                waited: Duration::from_millis(past.waited_ms),
                held: Duration::from_millis(past.held_ms),
                who: Who::new(&past.identity),
                session: past.session.clone(),
                shared: past.mode == Mode::Shared,
                kind: Kind::of(past),
                open: false,
                ending: words::ending(past),
                changes: words::changes(past),
                counts: past.counts,
            },
            Row::Running(holder) => Self::holding(holder, now),
            Row::Unreadable(number, error) => Self {
                number: Some(*number),
                times: None,
                waited: Duration::ZERO,
                held: Duration::ZERO,
                who: Who::default(),
                session: String::new(),
                shared: false,
                kind: Kind::Unknown,
                open: false,
                ending: format!("unreadable: {}", escape::line(&error.to_string())),
                changes: String::new(),
                counts: None,
            },
        }
    }

    /// A session that holds the lock.
    pub(super) fn holding(holder: &Holder, now: Timestamp) -> Self {
        let phase =
            holder.activity.as_ref().map(|activity| format!(", in phase {}", escape::field(&activity.phase)));
        let silent = match holder.looks_dead(now) {
            true => ", no sign of life",
            false => "",
        };
        Self {
            number: holder.run,
            times: Some(Times::new(holder.asked_at, Some(holder.granted_at), now)),
            waited: between(holder.asked_at, holder.granted_at),
            held: between(holder.granted_at, now),
            who: Who::new(&holder.identity),
            session: holder.session.clone(),
            shared: holder.mode == Mode::Shared,
            kind: Kind::Running,
            open: true,
            ending: format!("running{}{silent}", phase.unwrap_or_default()),
            changes: String::new(),
            counts: None,
        }
    }

    /// A session that waits for the lock, at this place of the queue, the first being 1.
    pub(super) fn waiting(waiter: &Waiter, place: usize, now: Timestamp) -> Self {
        Self {
            number: None,
            times: Some(Times::new(waiter.asked_at, None, now)),
            waited: between(waiter.asked_at, now),
            held: Duration::ZERO,
            who: Who::new(&waiter.identity),
            session: waiter.session.clone(),
            shared: waiter.mode == Mode::Shared,
            kind: Kind::Running,
            open: true,
            ending: format!("waiting, number {place} in the queue"),
            changes: String::new(),
            counts: None,
        }
    }
}
