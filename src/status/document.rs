//! A lock as a JSON document. Stable: fields are added, never changed. The schema in
//! `docs/schema/status.json` is made from these types.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::view::View;
use super::words;
use crate::cli::source::Sources;
use crate::escape;
use crate::history::Estimate;
use crate::lease::{Activity, Applied, Holder, Last, Mode, Outcome, Phase, Record, Rescued, Waiter};
use crate::report::json as ndjson;
use crate::report::parts::{self, Hand, Stamp, Who};

/// What `status --json` prints: the document of the only lock, or, where several were named, an
/// object with that of each. With `--all` or `--watch` there is one of a lock on each line.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
#[allow(clippy::large_enum_variant, reason = "there are as many as are printed")]
pub enum Printed {
    /// One lock.
    One(Lock),
    /// Several.
    Several {
        /// Each lock that was named, in the order in which a run takes them.
        locks: Vec<Lock>,
    },
}

/// A lock as it was found. What is unknown is `null`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Lock {
    /// Its name.
    lock: String,
    /// Its store in words.
    store: String,
    /// Whether somebody holds it.
    state: State,
    /// Why its record cannot be read; only with `state` `unreadable`.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The fencing token: rises with every grant. `null` where it was never held.
    generation: Option<u64>,
    /// Runs that became active, ever.
    runs: u64,
    /// Who holds it: one, or several that share it.
    holders: Vec<Held>,
    /// Who waits, the next one first.
    queue: Vec<Waiting>,
    /// How the last run ended.
    last: Option<Ended>,
    /// States that could not be written and wait to be pushed, the oldest first.
    needs_recovery: Vec<Saved>,
    /// The newest run that may have changed what the lock protects.
    applied: Option<Change>,
    /// Where values came from, by their names: `lock`, `workspace`, `backend` (its type), `store` (`dynamodb`, `s3`,
    /// `local`), `table`, `bucket`, `region`, `endpoint_url`, `profile`, `role_arn`, `local_dir`, as far as they take part.
    origins: BTreeMap<&'static str, Origin>,
}

/// Whether somebody holds a lock.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
enum State {
    /// Nobody does.
    Free,
    /// Somebody does.
    Held,
    /// Its record cannot be read.
    Unreadable,
}

/// Whoever holds a lock.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Held {
    /// The session's ID, as `unlock --session` takes it.
    session: String,
    /// Alone, or with others.
    mode: Mode,
    /// How far it has come.
    phase: Phase,
    /// The number of the run, once it is active.
    run: Option<u64>,
    /// Its fencing token.
    generation: u64,
    /// Rises with every sign of life.
    beat: u64,
    /// The length of its lease.
    lease_ms: u64,
    /// What is left of its lease, by this machine's clock and its own, which may differ.
    lease_left_ms: u64,
    /// When it asked for the lock.
    asked_at: Stamp,
    /// When it was given the lock.
    granted_at: Stamp,
    /// Its last sign of life.
    renewed_at: Stamp,
    /// It has shown no sign of life for two leases, by clocks that may differ.
    looks_dead: bool,
    /// The phase of its run, where it tells.
    activity: Option<Doing>,
    /// The operator who asked it to stop.
    revoked: Option<Hand>,
    /// Who it is.
    identity: Who,
}

/// The phase that a run is in.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Doing {
    /// `init`, `plan`, `approval`, `apply`…
    phase: String,
    /// Since when.
    since: Stamp,
}

/// Somebody in the queue.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Waiting {
    /// Its place; 1 is the next one.
    position: usize,
    /// The session's ID, as `unlock --session` takes it.
    session: String,
    /// What it asks for.
    mode: Mode,
    /// When it asked for the lock.
    asked_at: Stamp,
    /// How long it may still have to wait, by how long the lock was held before. `null` where too little is known, and
    /// with `--all`, which does not read the history.
    estimate: Option<Expected>,
    /// Who it is.
    identity: Who,
}

/// How long a wait may take.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Expected {
    /// As likely longer as shorter. `null` where the lock is held for longer than ever before.
    median_ms: Option<u64>,
    /// Longer in one of ten cases. `null` likewise.
    p90_ms: Option<u64>,
    /// The past runs that this rests on.
    runs: usize,
}

/// How the last active holder ended.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Ended {
    /// The number of the run.
    run: Option<u64>,
    /// The session's ID.
    session: String,
    /// How it ended.
    outcome: Outcome,
    /// Its command's exit code.
    exit_code: Option<i32>,
    /// When it was given the lock.
    granted_at: Option<Stamp>,
    /// When it ended, or was found dead.
    at: Stamp,
    /// The operator who took it out.
    by: Option<Hand>,
    /// Whether a later run was told of it.
    acknowledged: bool,
    /// Who it was.
    identity: Who,
}

/// A state that could not be written.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Saved {
    /// The number of the run.
    run: Option<u64>,
    /// The session's ID.
    session: String,
    /// Where the state is kept, on the machine of `identity`.
    path: String,
    /// When it was put there.
    at: Stamp,
    /// Whose run it was.
    identity: Who,
}

/// A run that may have changed what the lock protects.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Change {
    /// Its fencing token.
    generation: u64,
    /// Its number.
    run: Option<u64>,
    /// When it ended.
    at: Stamp,
    /// Whose run it was.
    identity: Who,
}

/// Where a value came from.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Origin {
    /// The value.
    value: String,
    /// The option, the variable, `tfguard.toml: key` with its path, the file of the backend, `-backend-config…`, or
    /// `default`.
    from: String,
}

impl Lock {
    /// Of a lock as it was found.
    pub fn new(view: View<'_>) -> Self {
        let name = escape::bounded(view.lock, 1024).into_owned();
        let mut lock = Self {
            origins: origins(view.sources, &name),
            lock: name,
            store: escape::line(view.store).into_owned(),
            state: State::Free,
            error: None,
            generation: None,
            runs: 0,
            holders: Vec::new(),
            queue: Vec::new(),
            last: None,
            needs_recovery: Vec::new(),
            applied: None,
        };
        match view.record {
            Err(error) => {
                lock.state = State::Unreadable;
                lock.error = Some(escape::line(&error.to_string()).into_owned());
            }
            Ok(None) => {}
            Ok(Some(record)) => lock.fill(view, record),
        }
        lock
    }

    fn fill(&mut self, view: View<'_>, record: &Record) {
        if !record.is_free() {
            self.state = State::Held;
        }
        self.generation = Some(record.generation);
        self.runs = record.runs;
        self.holders = record.holders.iter().map(|holder| held(holder, view.now)).collect();
        let queue = record.queue.iter().enumerate();
        self.queue = queue.map(|(place, waiter)| waiting(place, waiter, view.estimate(place))).collect();
        self.last = record.last.as_ref().map(ended);
        self.needs_recovery = record.needs_recovery.iter().map(saved).collect();
        self.applied = record.applied.as_ref().map(change);
    }
}

/// One JSON document on one line, with its newline.
pub fn json(views: &[View<'_>]) -> Vec<u8> {
    let mut locks: Vec<Lock> = views.iter().map(|view| Lock::new(*view)).collect();
    let printed = match locks.len() {
        1 => Printed::One(locks.remove(0)),
        _ => Printed::Several { locks },
    };
    let mut line = ndjson::to_bytes(&printed);
    line.push(b'\n');
    line
}

fn origins(sources: &Sources, lock: &str) -> BTreeMap<&'static str, Origin> {
    let one = |source: &crate::cli::source::Source| {
        let value = match source.name {
            // One of several that were named in one place.
            "lock" => lock.to_owned(),
            _ => escape::bounded(&source.value, 1024).into_owned(),
        };
        (source.name, Origin { value, from: escape::field(&source.from).into_owned() })
    };
    sources.iter().map(one).collect()
}

fn held(holder: &Holder, now: Timestamp) -> Held {
    Held {
        session: text(&holder.session),
        mode: holder.mode,
        phase: holder.phase,
        run: holder.run,
        generation: holder.generation,
        beat: holder.beat,
        lease_ms: holder.lease_ms,
        lease_left_ms: u64::try_from(words::lease_left(holder, now).as_millis()).unwrap_or(u64::MAX),
        asked_at: Stamp(holder.asked_at),
        granted_at: Stamp(holder.granted_at),
        renewed_at: Stamp(holder.renewed_at),
        looks_dead: holder.looks_dead(now),
        activity: holder.activity.as_ref().map(doing),
        revoked: holder.revoked.as_ref().map(Hand::from),
        identity: Who::from(&holder.identity),
    }
}

fn doing(activity: &Activity) -> Doing {
    Doing { phase: text(&activity.phase), since: Stamp(activity.since()) }
}

fn waiting(place: usize, waiter: &Waiter, estimate: Option<Estimate>) -> Waiting {
    Waiting {
        position: place + 1,
        session: text(&waiter.session),
        mode: waiter.mode,
        asked_at: Stamp(waiter.asked_at),
        estimate: estimate.map(expected),
        identity: Who::from(&waiter.identity),
    }
}

fn expected(estimate: Estimate) -> Expected {
    let millis = |length: std::time::Duration| u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    Expected {
        median_ms: estimate.until.map(|until| millis(until.median)),
        p90_ms: estimate.until.map(|until| millis(until.p90)),
        runs: estimate.runs,
    }
}

fn ended(last: &Last) -> Ended {
    Ended {
        run: last.run,
        session: text(&last.session),
        outcome: last.outcome,
        exit_code: last.exit_code,
        granted_at: last.granted_at.map(Stamp),
        at: Stamp(last.at),
        by: last.by.as_ref().map(Hand::from),
        acknowledged: last.acknowledged,
        identity: Who::from(&last.identity),
    }
}

fn saved(rescued: &Rescued) -> Saved {
    Saved {
        run: rescued.run,
        session: text(&rescued.session),
        path: escape::line(&rescued.path).into_owned(),
        at: Stamp(rescued.at),
        identity: Who::from(&rescued.identity),
    }
}

fn change(applied: &Applied) -> Change {
    Change {
        generation: applied.generation,
        run: applied.run,
        at: Stamp(applied.at),
        identity: Who::from(&applied.identity),
    }
}

fn text(text: &str) -> String {
    parts::field(Some(text)).unwrap_or_default()
}
