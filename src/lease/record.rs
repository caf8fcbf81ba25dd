//! The one record that a lock consists of.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::identity::{self, Identity};
use super::legacy::{Applied, Rescued};
use super::time::{GRANT_PATIENCE, Lease};

/// The only record layout this version reads and writes.
pub(super) const SCHEMA: u64 = 1;
/// More waiters than this are turned away.
pub const MAX_WAITERS: usize = 128;
/// A record whose JSON is larger takes no new waiter, so that a release always fits.
pub(super) const MAX_BYTES: usize = 128 * 1024;
/// No counter gets here by counting: beyond it a record is damaged, and adding would overflow.
const MAX_COUNT: u64 = 1 << 53;
/// Bytes of JSON that a phase's name may take.
const PHASE: usize = 12;
/// Removals by an operator that are remembered, so that whoever was removed is told.
pub(super) const MAX_REMOVED: usize = 16;
/// How long an untouched record is kept by the store before it is collected as garbage.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// Unique for every write, `<session>/<random per process>/<n>`; what compare-and-swap compares.
pub type Stamp = String;

/// Prefix of the key of every lock. A bucket name cannot contain `:`, so that the records of
/// Terraform's own S3 backend, which may share the table, are never met.
pub const KEY_PREFIX: &str = "tfguard:";

/// Why a name cannot be a lock's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing at all.
    #[error("a lock name cannot be empty")]
    Empty,
    /// `#` separates the lock from its history, control characters garble every listing.
    #[error("the lock name {0:?} contains {1:?}, which lock names may not")]
    Forbidden(String, char),
    /// A DynamoDB key holds 2048 bytes.
    #[error("the lock name has {0} bytes; at most 1024 are possible")]
    TooLong(usize),
}

/// A lock's name, checked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct LockName(String);

impl LockName {
    /// Checks a name: not empty, no `#`, no control characters, at most 1024 bytes.
    ///
    /// # Errors
    /// [`NameError`], a sentence for the user.
    pub fn new(name: impl Into<String>) -> Result<Self, NameError> {
        let name = name.into();
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if name.len() > 1024 {
            return Err(NameError::TooLong(name.len()));
        }
        match name.chars().find(|c| *c == '#' || c.is_control()) {
            Some(bad) => Err(NameError::Forbidden(name, bad)),
            None => Ok(Self(name)),
        }
    }

    /// The name as the user gave it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key of the lock's record in a store, `LockID`.
    pub fn key(&self) -> String {
        format!("{KEY_PREFIX}{}", self.0)
    }
}

impl std::fmt::Display for LockName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Alone.
    Exclusive,
    /// Together with others that are shared too.
    Shared,
}

/// How far a holder has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// It was given the lock by whoever left and has not said yet that it is there.
    Granted,
    /// It has confirmed; its child may run.
    Active,
}

/// An operator's hand: who did it, why, when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intervention {
    /// Who asked for it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When, by the operator's wall clock.
    pub at: Timestamp,
}

impl Intervention {
    /// Cut to what a record has room for.
    #[must_use]
    pub fn fitted(&self) -> Self {
        Self { by: identity::cut(&self.by, 80), reason: identity::cut(&self.reason, 160), at: self.at }
    }
}

/// A session that owns the lock, alone or with others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The session's id.
    pub session: String,
    /// Exclusive or shared.
    pub mode: Mode,
    /// Granted or active.
    pub phase: Phase,
    /// Rises with every confirmed sign of life.
    pub beat: u64,
    /// The length of the holder's lease, in milliseconds.
    pub lease_ms: u64,
    /// The fencing token of this ownership.
    pub generation: u64,
    /// The number of the run, once active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<u64>,
    /// Its command may change what the lock protects, so that plans made before it are stale.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub changes: bool,
    /// Set when an operator asked the holder to stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Intervention>,
    /// When it asked for the lock.
    pub asked_at: Timestamp,
    /// When it was given the lock.
    pub granted_at: Timestamp,
    /// When its newest beat was written.
    pub renewed_at: Timestamp,
    /// What it is doing, where that changes in the course of its run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity: Option<Activity>,
    /// Who it is.
    pub identity: Identity,
}

/// The phase that a run is in. For people; no decision is taken from it. In the record it is a pair,
/// since an entry has little room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(String, i64)", into = "(String, i64)")]
pub struct Activity {
    /// `init`, `plan`, `approval`, `apply`.
    pub phase: String,
    /// Since when, in epoch seconds by the holder's wall clock.
    pub since: i64,
}

impl From<(String, i64)> for Activity {
    fn from((phase, since): (String, i64)) -> Self {
        Self { phase, since }
    }
}

impl From<Activity> for (String, i64) {
    fn from(activity: Activity) -> Self {
        (activity.phase, activity.since)
    }
}

impl Activity {
    /// `phase` begins at `wall`.
    pub fn new(phase: &str, wall: Timestamp) -> Self {
        Self { phase: identity::cut(phase, PHASE), since: wall.as_second() }
    }

    /// Since when. A number that is no time counts as the beginning of time.
    pub fn since(&self) -> Timestamp {
        Timestamp::from_second(self.since).unwrap_or_default()
    }
}

impl Holder {
    /// What observers watch: while this stays the same the holder has shown no sign of life.
    pub fn key(&self) -> HolderKey {
        HolderKey {
            generation: self.generation,
            session: self.session.clone(),
            phase: self.phase,
            beat: self.beat,
        }
    }

    /// The holder's lease. A length that no lease has, which [`Record::check`] turns away, counts
    /// as the nearest one that has.
    pub fn lease(&self) -> Lease {
        let length = Duration::from_millis(self.lease_ms).clamp(Lease::MIN, Lease::MAX);
        Lease::new(length).unwrap_or_default()
    }

    /// How long the key must stay the same before the holder may be evicted.
    pub fn patience(&self) -> Duration {
        match self.phase {
            Phase::Granted => GRANT_PATIENCE,
            Phase::Active => self.lease().patience(),
        }
    }

    /// Whether the heartbeat looks long dead to the wall clock. A hint only: it decides whether
    /// somebody who does not wait takes the time to observe.
    pub fn looks_dead(&self, wall: Timestamp) -> bool {
        let age = wall.duration_since(self.renewed_at);
        let limit = match self.phase {
            Phase::Granted => 2 * GRANT_PATIENCE,
            Phase::Active => 2 * Duration::from_millis(self.lease_ms),
        };
        Duration::try_from(age).is_ok_and(|age| age > limit)
    }
}

/// See [`Holder::key`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HolderKey {
    pub(super) generation: u64,
    pub(super) session: String,
    pub(super) phase: Phase,
    pub(super) beat: u64,
}

/// A session in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiter {
    /// The session's id.
    pub session: String,
    /// What it asks for.
    pub mode: Mode,
    /// The length of the lease it will have, in milliseconds.
    pub lease_ms: u64,
    /// When it asked for the lock.
    pub asked_at: Timestamp,
    /// Who it is, in short.
    pub identity: Identity,
}

/// How an active holder ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It released the lock itself after its child had ended.
    Released,
    /// Its child was killed, or it died and its guardian released for it.
    Crashed,
    /// Its heartbeat stopped and somebody evicted it.
    Expired,
    /// An operator removed it.
    Forced,
}

/// How the last *active* holder ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    /// Number of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<u64>,
    /// The session's id.
    pub session: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The child's exit code, where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// When it was given the lock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted_at: Option<Timestamp>,
    /// When it ended or was found dead.
    pub at: Timestamp,
    /// The operator, for [`Outcome::Forced`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Intervention>,
    /// Whether a later run has been told of it.
    #[serde(default)]
    pub acknowledged: bool,
    /// Who it was, in short.
    pub identity: Identity,
}

impl Last {
    /// Whether the next run has to be told: it did not end well and nobody knows yet.
    pub fn needs_telling(&self) -> bool {
        !self.acknowledged && self.outcome != Outcome::Released
    }
}

/// A session that an operator took out of the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// The session's id.
    pub session: String,
    /// Who, why, when.
    #[serde(flatten)]
    pub by: Intervention,
}

/// The whole state of one lock. Every change replaces it whole, conditioned on `stamp`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Layout of the record, [`SCHEMA`].
    pub schema: u64,
    /// Unique for every write.
    pub stamp: Stamp,
    /// Fencing token: rises with every grant of exclusive ownership or of a group of shared owners.
    pub generation: u64,
    /// Owners. Never empty while someone waits.
    pub holders: Vec<Holder>,
    /// Waiters in order of arrival.
    pub queue: Vec<Waiter>,
    /// Runs that became active, ever.
    pub runs: u64,
    /// How the last active holder ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Last>,
    /// The newest removals by operators, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<Removed>,
    /// States that could not be written to their backend and wait to be pushed, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs_recovery: Vec<Rescued>,
    /// The newest run that may have changed what the lock protects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<Applied>,
    /// When this write was made, by the writer's wall clock.
    pub updated_at: Timestamp,
    /// Epoch seconds after which a store may collect the record as garbage. Never an expiry of
    /// the lock.
    pub expires_at: u64,
}

/// Where a session stands in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing<'a> {
    /// Among the holders.
    Holder(&'a Holder),
    /// In the queue; 1 is the head.
    Waiter(usize),
    /// Nowhere.
    Absent,
}

impl Record {
    /// A record in which nobody holds and nobody waits. Its generation starts at the current
    /// epoch second, so that tokens keep rising when the record before it was deleted.
    pub fn new(wall: Timestamp) -> Self {
        let seconds = epoch_seconds(wall);
        Self {
            schema: SCHEMA,
            stamp: Stamp::new(),
            generation: seconds,
            holders: Vec::new(),
            queue: Vec::new(),
            runs: 0,
            last: None,
            removed: Vec::new(),
            needs_recovery: Vec::new(),
            applied: None,
            updated_at: wall,
            expires_at: seconds.saturating_add(KEPT.as_secs()),
        }
    }

    /// Where `session` stands.
    pub fn standing(&self, session: &str) -> Standing<'_> {
        if let Some(holder) = self.holder(session) {
            return Standing::Holder(holder);
        }
        match self.queue.iter().position(|waiter| waiter.session == session) {
            Some(index) => Standing::Waiter(index + 1),
            None => Standing::Absent,
        }
    }

    /// The entry of `session` among the holders.
    pub fn holder(&self, session: &str) -> Option<&Holder> {
        self.holders.iter().find(|holder| holder.session == session)
    }

    /// The operator's hand that took `session` out, if one did.
    pub fn removal(&self, session: &str) -> Option<&Intervention> {
        self.removed.iter().rev().find(|removed| removed.session == session).map(|removed| &removed.by)
    }

    /// Whether nobody holds the lock.
    pub fn is_free(&self) -> bool {
        self.holders.is_empty()
    }

    /// The longest lease that anyone in the record has or will have.
    pub(super) fn longest_lease(&self) -> Option<Lease> {
        let holders = self.holders.iter().map(|holder| holder.lease_ms);
        let waiters = self.queue.iter().map(|waiter| waiter.lease_ms);
        let longest = holders.chain(waiters).max().map(Duration::from_millis);
        longest.map(|longest| Lease::new(longest).unwrap_or(Lease::LONGEST))
    }

    /// Marks a write: who made it, when, and how long the store keeps it at least.
    pub(crate) fn sealed(mut self, stamp: Stamp, wall: Timestamp) -> Self {
        self.stamp = stamp;
        self.updated_at = wall;
        let keep = epoch_seconds(wall).saturating_add(KEPT.as_secs());
        self.expires_at = self.expires_at.max(keep);
        self
    }

    /// Whether one more waiter fits: in number, and in bytes.
    pub(super) fn has_room(&self) -> bool {
        self.queue.len() < MAX_WAITERS && serde_json::to_vec(self).is_ok_and(|json| json.len() < MAX_BYTES)
    }

    /// What a record that came from a store must fulfil before any decision rests on it.
    ///
    /// # Errors
    /// [`RecordError`], naming what is wrong.
    pub fn check(self) -> Result<Self, RecordError> {
        if self.schema != SCHEMA {
            return Err(RecordError::Schema(self.schema));
        }
        let leases = self.holders.iter().map(|h| h.lease_ms).chain(self.queue.iter().map(|w| w.lease_ms));
        for lease_ms in leases {
            if Lease::new(Duration::from_millis(lease_ms)).is_none() {
                return Err(RecordError::Rubbish(format!("lease_ms is {lease_ms}")));
            }
        }
        let beats = self.holders.iter().map(|holder| holder.beat);
        if let Some(number) = [self.generation, self.runs].into_iter().chain(beats).find(|n| *n > MAX_COUNT) {
            return Err(RecordError::Rubbish(format!("a counter stands at {number}")));
        }
        if let Some(holder) = self.holders.iter().find(|holder| holder.generation > self.generation) {
            return Err(RecordError::Rubbish(format!("holder {:?} is ahead of its lock", holder.session)));
        }
        let mut sessions: Vec<&str> = self.holders.iter().map(|h| h.session.as_str()).collect();
        sessions.extend(self.queue.iter().map(|w| w.session.as_str()));
        sessions.sort_unstable();
        if let Some(pair) = sessions.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(RecordError::Rubbish(format!("session {:?} stands in it twice", pair[0])));
        }
        let exclusive = self.holders.iter().any(|holder| holder.mode == Mode::Exclusive);
        if exclusive && self.holders.len() > 1 {
            return Err(RecordError::Rubbish("an exclusive holder is not alone".into()));
        }
        if self.holders.is_empty() && !self.queue.is_empty() {
            return Err(RecordError::Rubbish("someone waits and nobody holds".into()));
        }
        if self.stamp.is_empty() {
            return Err(RecordError::Rubbish("it has no stamp".into()));
        }
        Ok(self)
    }

    /// Reads a record from JSON. The layout number is looked at before anything else, so that a
    /// newer layout is named as such whatever else it changed.
    ///
    /// # Errors
    /// [`RecordError`], naming what is wrong.
    pub fn from_json(value: serde_json::Value) -> Result<Self, RecordError> {
        match value.get("schema").and_then(serde_json::Value::as_u64) {
            Some(SCHEMA) => {}
            Some(other) => return Err(RecordError::Schema(other)),
            None => return Err(RecordError::Rubbish("it has no schema number".into())),
        }
        let record: Self =
            serde_json::from_value(value).map_err(|error| RecordError::Rubbish(error.to_string()))?;
        record.check()
    }
}

/// A record that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Written by a newer tfguard.
    #[error(
        "its layout is number {0}, and this tfguard knows number {SCHEMA} only; a newer tfguard wrote it"
    )]
    Schema(u64),
    /// Not written by any tfguard, or damaged.
    #[error("it is not a lock record: {0}")]
    Rubbish(String),
}

fn epoch_seconds(wall: Timestamp) -> u64 {
    u64::try_from(wall.as_second()).unwrap_or(0)
}
