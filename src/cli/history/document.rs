//! The history as JSON. Each type is one definition of what is written, of the published schema,
//! and of what its fields mean.

use serde::Serialize;

use super::View;
use crate::escape;
use crate::history::Row;
use crate::lease::{Counts, Holder, LockName, Mode, Outcome, PastRun, Teller};
use crate::report::json as ndjson;
use crate::report::parts::{self, Hand, Stamp, Who};

/// The last runs of a lock, or of several.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Answer<'a> {
    /// Of the only lock that was asked for.
    One(Document<'a>),
    /// Of several.
    Several(Documents<'a>),
}

/// The last runs of several locks.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Documents<'a> {
    /// One for each lock.
    locks: Vec<Document<'a>>,
}

/// The last runs of a lock.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Document<'a> {
    /// The lock.
    #[cfg_attr(test, schemars(with = "String"))]
    lock: &'a LockName,
    /// Its store, in words for people.
    store: String,
    /// Runs that ever became active, also those that are not kept any more.
    total: u64,
    /// Those that were asked for and are kept, the newest first.
    runs: Vec<Entry>,
}

/// One run.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
enum Entry {
    /// One that can be read.
    Run(Run),
    /// One that cannot.
    Unreadable(Unreadable),
}

/// A run that is over or holds the lock. What is not known, or not yet, is `null`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Run {
    /// Its number under the lock.
    run: u64,
    /// Whether it is over.
    state: State,
    /// Its fencing token.
    generation: u64,
    /// The session's id.
    session: String,
    /// How it held the lock.
    mode: Mode,
    /// Who it was and what it ran.
    identity: Who,
    /// When it asked for the lock.
    asked_at: Stamp,
    /// When it was given the lock.
    granted_at: Stamp,
    /// When it knew that the lock was its own, and began.
    active_at: Option<Stamp>,
    /// When it released, or was taken out.
    ended_at: Option<Stamp>,
    /// How long it waited, in milliseconds.
    waited_ms: Option<u64>,
    /// How long it held the lock, in milliseconds.
    held_ms: Option<u64>,
    /// How its hold ended.
    outcome: Option<Outcome>,
    /// What came of its command, in the word of the event `run_summary`: `succeeded`, `no_changes`,
    /// `drift`, `failed`, `cancelled`, `declined`, `refused`, `lost`. There may be others.
    result: Option<String>,
    /// The command's exit code.
    exit_code: Option<i32>,
    /// It may have changed what the lock protects.
    changed: Option<bool>,
    /// What Terraform said that it changes.
    counts: Option<Counts>,
    /// Where a state was saved that it could not write.
    rescued: Option<String>,
    /// The operator who took it out.
    by: Option<Hand>,
    /// Who wrote this down.
    told_by: Option<Teller>,
}

/// Whether a run is over.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
enum State {
    /// It is over.
    Over,
    /// It holds the lock.
    Running,
}

/// A run whose item cannot be read.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Unreadable {
    /// Its number under the lock.
    run: u64,
    /// That it is so.
    state: NotRead,
    /// Why.
    error: String,
}

/// The only state of what cannot be read.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
enum NotRead {
    /// Its item cannot be read.
    Unreadable,
}

/// One JSON document on one line, with its newline. Its fields are described in [`Answer`].
pub fn json(views: &[View<'_>]) -> Vec<u8> {
    let mut documents: Vec<Document<'_>> = views.iter().map(Document::new).collect();
    ndjson::document(&match documents.len() {
        1 => Answer::One(documents.remove(0)),
        _ => Answer::Several(Documents { locks: documents }),
    })
}

impl<'a> Document<'a> {
    fn new(view: &View<'a>) -> Self {
        Self {
            lock: view.lock,
            store: escape::line(view.store).into_owned(),
            total: view.total,
            runs: view.rows.iter().map(Entry::new).collect(),
        }
    }
}

impl Entry {
    fn new(row: &Row) -> Self {
        match row {
            Row::Over(past) => Self::Run(Run::over(past)),
            Row::Running(holder) => Self::Run(Run::running(holder)),
            Row::Unreadable(run, error) => Self::Unreadable(Unreadable {
                run: *run,
                state: NotRead::Unreadable,
                error: escape::line(&error.to_string()).into_owned(),
            }),
        }
    }
}

impl Run {
    fn over(past: &PastRun) -> Self {
        Self {
            run: past.run,
            state: State::Over,
            generation: past.generation,
            session: escape::field(&past.session).into_owned(),
            mode: past.mode,
            identity: Who::from(&past.identity),
            asked_at: Stamp(past.asked_at),
            granted_at: Stamp(past.granted_at),
            active_at: past.active_at.map(Stamp),
            ended_at: Some(Stamp(past.ended_at)),
            waited_ms: Some(past.waited_ms),
            held_ms: Some(past.held_ms),
            outcome: Some(past.outcome),
            result: parts::field(past.result.as_deref()),
            exit_code: past.exit_code,
            changed: Some(past.changed),
            counts: past.counts,
            rescued: parts::line(past.rescued.as_deref()),
            by: past.by.as_ref().map(Hand::from),
            told_by: Some(past.told_by),
        }
    }

    fn running(holder: &Holder) -> Self {
        Self {
            run: holder.run.unwrap_or_default(),
            state: State::Running,
            generation: holder.generation,
            session: escape::field(&holder.session).into_owned(),
            mode: holder.mode,
            identity: Who::from(&holder.identity),
            asked_at: Stamp(holder.asked_at),
            granted_at: Stamp(holder.granted_at),
            active_at: None,
            ended_at: None,
            waited_ms: None,
            held_ms: None,
            outcome: None,
            result: None,
            exit_code: None,
            changed: None,
            counts: None,
            rescued: None,
            by: None,
            told_by: None,
        }
    }
}
