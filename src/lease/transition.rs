//! What may be done to a record. Each function takes the record as it stands and answers with the
//! record to be written; whether that write takes effect is the store's to say.
//!
//! *Serving the queue* is part of every removal, so that holders are never empty while someone
//! waits. Nothing but [`evict`], [`revoke`] and [`remove`] touches another session's entry.

use jiff::Timestamp;

use super::identity::Identity;
use super::legacy::Pushed;
use super::record::{
    Activity, Holder, Intervention, Last, MAX_REMOVED, Mode, Outcome, Phase, Record, Removed, Waiter,
};
use super::time::Lease;

/// A session as it enters a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The session's id, unique for ever.
    pub session: String,
    /// What it asks for.
    pub mode: Mode,
    /// Its command may change what the lock protects.
    pub changes: bool,
    /// The lease it will have.
    pub lease: Lease,
    /// When it first asked.
    pub asked_at: Timestamp,
    /// Who it is; cut to size here.
    pub identity: Identity,
}

impl Candidate {
    fn holder(&self, generation: u64, run: u64, wall: Timestamp) -> Holder {
        Holder {
            session: self.session.clone(),
            mode: self.mode,
            phase: Phase::Active,
            beat: 1,
            lease_ms: self.lease.millis(),
            generation,
            run: Some(run),
            changes: self.changes,
            revoked: None,
            asked_at: self.asked_at,
            granted_at: wall,
            renewed_at: wall,
            activity: None,
            identity: self.identity.for_holder(),
        }
    }

    fn waiter(&self) -> Waiter {
        Waiter {
            session: self.session.clone(),
            mode: self.mode,
            lease_ms: self.lease.millis(),
            asked_at: self.asked_at,
            identity: self.identity.for_waiter(),
        }
    }
}

/// Whether a session asking for `mode` would hold the lock at once.
pub fn may_enter(record: Option<&Record>, mode: Mode) -> bool {
    record.is_none_or(|record| record.queue.is_empty() && admits(record, mode))
}

/// Whether `mode` goes together with those who hold.
fn admits(record: &Record, mode: Mode) -> bool {
    record.is_free()
        || (mode == Mode::Shared && record.holders.iter().all(|holder| holder.mode == Mode::Shared))
}

/// **acquire**: takes the lock where [`may_enter`] says so, else joins the end of the queue.
/// `None` when the queue is full.
pub fn acquire(record: Option<&Record>, me: &Candidate, wall: Timestamp) -> Option<Record> {
    let mut next = record.cloned().unwrap_or_else(|| Record::new(wall));
    if may_enter(record, me.mode) {
        if next.is_free() {
            next.generation += 1;
        }
        let run = start_run(&mut next);
        next.holders.push(me.holder(next.generation, run, wall));
    } else {
        if !next.has_room() {
            return None;
        }
        next.queue.push(me.waiter());
    }
    Some(next)
}

/// **confirm**: a granted session says that it is there. Only after this write may a child start.
pub fn confirm(record: &Record, me: &Candidate, wall: Timestamp) -> Record {
    let mut next = record.clone();
    let run = start_run(&mut next);
    if let Some(holder) = next.holders.iter_mut().find(|holder| holder.session == me.session) {
        holder.phase = Phase::Active;
        holder.beat += 1;
        holder.run = Some(run);
        holder.changes = me.changes;
        holder.renewed_at = wall;
        holder.identity = me.identity.for_holder();
    }
    next
}

/// **renew**: an active holder shows that it lives, and what it is doing, where that is known.
pub fn renew(record: &Record, session: &str, activity: Option<&Activity>, wall: Timestamp) -> Record {
    let mut next = record.clone();
    if let Some(holder) = next.holders.iter_mut().find(|holder| holder.session == session) {
        if activity.is_some() {
            holder.activity = activity.cloned();
        }
        holder.beat += 1;
        holder.renewed_at = wall;
    }
    next
}

/// How a holder's run ended, as it reports at [`release`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// Released or crashed.
    pub outcome: Outcome,
    /// The child's exit code, where it had one.
    pub exit_code: Option<i32>,
    /// The command ran: one that may change things counts as having done so, however it ended.
    pub changed: bool,
    /// Where a state was saved that the command could not write.
    pub rescued: Option<String>,
    /// A saved state that the command has pushed.
    pub pushed: Option<Pushed>,
}

impl Ending {
    /// The lock was acquired and nothing ran under it.
    pub const NOTHING_RAN: Self = Self::new(Outcome::Released, None);

    /// An end that leaves nothing behind.
    pub const fn new(outcome: Outcome, exit_code: Option<i32>) -> Self {
        Self { outcome, exit_code, changed: false, rescued: None, pushed: None }
    }
}

/// **release**: a holder leaves after its run. The same write serves the queue.
pub fn release(record: &Record, session: &str, ending: &Ending, wall: Timestamp) -> Record {
    let mut next = record.clone();
    for holder in take(&mut next, |holder| holder.session == session) {
        bury(&mut next, holder, ending, None, wall);
    }
    serve(&mut next, wall);
    next
}

/// **leave**: a waiter, or a holder that never started, goes. Nothing is said in `last`.
pub fn leave(record: &Record, session: &str, wall: Timestamp) -> Record {
    let mut next = record.clone();
    next.holders.retain(|holder| holder.session != session);
    next.queue.retain(|waiter| waiter.session != session);
    serve(&mut next, wall);
    next
}

/// **evict**: holders that showed no sign of life for the whole of their patience go. With nobody
/// left and nobody waiting, the observer takes the lock in the same write.
pub fn evict(record: &Record, dead: &[String], observer: &Candidate, wall: Timestamp) -> Record {
    let next = evict_only(record, dead, wall);
    if next.is_free() && next.queue.is_empty() {
        return acquire(Some(&next), observer, wall).unwrap_or(next);
    }
    next
}

/// The part of [`evict`] that concerns the dead.
pub(super) fn evict_only(record: &Record, dead: &[String], wall: Timestamp) -> Record {
    let mut next = record.clone();
    // Nobody knows how far it came.
    let ending = Ending { changed: true, ..Ending::new(Outcome::Expired, None) };
    for holder in take(&mut next, |holder| dead.contains(&holder.session)) {
        bury(&mut next, holder, &ending, None, wall);
    }
    serve(&mut next, wall);
    next
}

/// **revoke**: an operator asks a holder to stop. Its beat no longer rises; it stops its child and
/// releases, or is evicted after its patience. `None` when no such holder is there.
pub fn revoke(record: &Record, session: &str, by: &Intervention) -> Option<Record> {
    let mut next = record.clone();
    let holder = next.holders.iter_mut().find(|holder| holder.session == session)?;
    holder.revoked.get_or_insert_with(|| by.fitted());
    Some(next)
}

/// **remove**: an operator takes a waiter or a holder out at once. The child of a removed holder
/// may still run. `None` when no such session is there.
pub fn remove(record: &Record, session: &str, by: &Intervention, wall: Timestamp) -> Option<Record> {
    let mut next = record.clone();
    let by = by.fitted();
    let waiters = next.queue.len();
    next.queue.retain(|waiter| waiter.session != session);
    let holders = take(&mut next, |holder| holder.session == session);
    if holders.is_empty() && next.queue.len() == waiters {
        return None;
    }
    for holder in holders {
        let ending = Ending { changed: true, ..Ending::new(Outcome::Forced, None) };
        bury(&mut next, holder, &ending, Some(by.clone()), wall);
    }
    next.removed.push(Removed { session: session.to_owned(), by });
    let surplus = next.removed.len().saturating_sub(MAX_REMOVED);
    next.removed.drain(..surplus);
    serve(&mut next, wall);
    Some(next)
}

/// A record that vanished under a live holder, with that holder in it again. Its generation goes
/// on from the holder's, so that it never falls.
pub fn recreate(own: &Holder, wall: Timestamp) -> Record {
    let mut next = Record::new(wall);
    next.generation = own.generation;
    next.runs = own.run.unwrap_or(0);
    next.holders.push(Holder { beat: own.beat + 1, renewed_at: wall, ..own.clone() });
    next
}

/// A shared holder comes back into a record that another of its group re-created: same
/// generation, so that no exclusive owner was granted in between. `None` where that is not so.
pub fn rejoin(record: &Record, own: &Holder, wall: Timestamp) -> Option<Record> {
    let same_group = own.mode == Mode::Shared
        && !record.is_free()
        && record.holders.iter().all(|holder| holder.generation == own.generation)
        && admits(record, Mode::Shared)
        && record.removal(&own.session).is_none();
    same_group.then(|| {
        let mut next = record.clone();
        next.runs = next.runs.max(own.run.unwrap_or(0));
        next.holders.push(Holder { beat: own.beat + 1, renewed_at: wall, ..own.clone() });
        next
    })
}

/// Counts one more active run. Whoever becomes active has been shown how the last one ended.
fn start_run(record: &mut Record) -> u64 {
    record.runs += 1;
    if let Some(last) = &mut record.last {
        last.acknowledged = true;
    }
    record.runs
}

fn take(record: &mut Record, goes: impl Fn(&Holder) -> bool) -> Vec<Holder> {
    let (gone, stay) = std::mem::take(&mut record.holders).into_iter().partition(|holder| goes(holder));
    record.holders = stay;
    gone
}

/// Writes down how an active holder ended. What went wrong stays until a later run was told of
/// it: a good end does not cover it up.
fn bury(record: &mut Record, holder: Holder, ending: &Ending, by: Option<Intervention>, wall: Timestamp) {
    if holder.phase != Phase::Active {
        return;
    }
    record.bequeath(&holder, ending, wall);
    let unseen = record.last.as_ref().is_some_and(Last::needs_telling);
    if unseen && ending.outcome == Outcome::Released {
        return;
    }
    record.last = Some(Last {
        run: holder.run,
        session: holder.session,
        outcome: ending.outcome,
        exit_code: ending.exit_code,
        granted_at: Some(holder.granted_at),
        at: wall,
        by,
        acknowledged: false,
        identity: holder.identity.for_waiter(),
    });
}

/// Grants the head of the queue what it waits for, and the shared waiters directly behind a
/// shared head together with it.
fn serve(record: &mut Record, wall: Timestamp) {
    while let Some(head) = record.queue.first() {
        if !admits(record, head.mode) {
            break;
        }
        if record.is_free() {
            record.generation += 1;
        }
        let head = record.queue.remove(0);
        record.holders.push(Holder {
            session: head.session,
            mode: head.mode,
            phase: Phase::Granted,
            beat: 0,
            lease_ms: head.lease_ms,
            generation: record.generation,
            run: None,
            changes: false,
            revoked: None,
            asked_at: head.asked_at,
            granted_at: wall,
            renewed_at: wall,
            activity: None,
            identity: head.identity,
        });
    }
}
