//! What a session is made of, what it is told and what it answers.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::lease::legacy::Legacy;
use crate::lease::record::{Holder, Intervention, Last, Mode, Record, Stamp};
use crate::lease::time::{Deadlines, Instant};
use crate::lease::transition::Candidate;

/// A lock as its holder knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenure {
    /// The holder's entry as it last was known to stand in the record.
    pub own: Holder,
    /// The instant that the lease counts from: before the first send of the newest sign of life
    /// that took effect.
    pub base: Instant,
}

impl Tenure {
    /// The deadlines that follow.
    pub fn deadlines(&self) -> Deadlines {
        self.own.lease().deadlines(self.base)
    }
}

/// How long to wait for the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// As long as it takes.
    Forever,
    /// This long from the start.
    AtMost(Duration),
    /// Not at all behind a live holder.
    Not,
}

/// What a session is made of.
#[derive(Debug, Clone)]
pub struct Params {
    /// Who enters, and how.
    pub candidate: Candidate,
    /// Random per process, so that stamps are unique even if a session id were not.
    pub nonce: String,
    /// How long to wait.
    pub wait: Wait,
    /// How long an unreachable store is tried before the lock is held, at most.
    pub reach: Duration,
    /// How long the release of a held lock is tried; a leave is tried for at most 5 s of it.
    pub release: Duration,
    /// Seed of the jitter.
    pub seed: u64,
}

/// A request to the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Read the record.
    Read,
    /// Replace the record where its stamp is as expected (`None`: where there is none).
    Write {
        /// The condition.
        expected: Option<Stamp>,
        /// The whole new record.
        record: Record,
    },
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To a read: the record.
    Read(Option<Record>),
    /// To a write: it took effect.
    Written,
    /// To a write: the condition did not hold; this stands there.
    Conflict(Option<Record>),
    /// No usable answer.
    Failed {
        /// The store turned it away: it cannot take effect later.
        refused: bool,
        /// It may work in a moment.
        transient: bool,
    },
}

/// Something that the caller may want to tell people.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "a handful are made per run, and each is told at once")]
pub enum Notice {
    /// Our place in the queue, a holder or what it is doing has changed. Position 0: observing, not
    /// queueing.
    Waiting {
        /// 1 is the head.
        position: usize,
        /// Who holds.
        holders: Vec<Holder>,
        /// What those in front of us ask for, the head first.
        ahead: Vec<Mode>,
        /// Runs that became active under the lock, ever.
        runs: u64,
    },
    /// Our grant was taken away because we did not confirm it in time; we queue again.
    GrantMissed,
    /// The lock is ours.
    Acquired {
        /// The fencing token.
        generation: u64,
        /// How the run before ended, if nobody has been told yet that it did not end well.
        previous: Option<Last>,
        /// What earlier runs have left.
        legacy: Legacy,
    },
    /// A heartbeat took effect.
    Renewed {
        /// Its number.
        beat: u64,
    },
    /// The record had vanished; we put it back.
    Recreated,
    /// The lock is not ours any more.
    Lost(Loss),
}

/// How a lock was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loss {
    /// Our entry has gone: evicted, or the record was deleted and taken by someone else.
    Gone,
    /// An operator asked us to stop.
    Revoked(Intervention),
    /// An operator took us out at once.
    Removed(Intervention),
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finish {
    /// We held the lock and are out of the record.
    Released,
    /// We never held it and are out of the record.
    Left,
    /// Held by others, and we do not wait or have waited enough.
    Held(Vec<Holder>),
    /// The queue takes no more.
    QueueFull,
    /// An operator took us out before we had the lock.
    TurnedAway(Intervention),
    /// The store could not be reached for as long as we try; `Answer::Failed` tells why.
    Unreachable,
    /// The store turned us away for good; `Answer::Failed` tells why.
    Refused,
    /// The release or leave did not get through in its time. The record may still show us.
    Stranded,
}

/// What a session wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send this now; it replaces any request under way.
    Send {
        /// The request.
        request: Request,
        /// How long it may take.
        timeout: Duration,
    },
    /// Tell.
    Notice(Notice),
    /// Holders that we found dead are out of the record; nobody else tells their runs.
    Evicted(Vec<Holder>),
    /// The session is over.
    Finished(Finish),
}
