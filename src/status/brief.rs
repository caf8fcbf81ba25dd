//! What stays of a lock in a list of all: small, since there may be thousands.

use std::cmp::Reverse;
use std::time::Duration;

use jiff::Timestamp;

use super::words;
use crate::escape;
use crate::lease::{Activity, Holder, Last, Mode, Outcome, Phase, Record, RecordError};
use crate::store::Listed;

/// A lock in a list. Texts from its record are escaped, its name is as it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brief {
    /// The lock's name, as stored.
    pub lock: String,
    /// Held, free, or not to be read.
    pub condition: Condition,
    /// How many wait.
    pub queue: usize,
    /// Since when the head of the queue waits.
    pub waiting_since: Option<Timestamp>,
    /// States that wait to be pushed.
    pub needs_recovery: usize,
}

/// What a lock in a list is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Somebody holds it.
    Held(Held),
    /// Nobody does; how the last holder ended.
    Free(Option<Ended>),
    /// Why its record cannot be read.
    Unreadable(String),
}

/// Whoever holds a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The first of them.
    pub who: String,
    /// The link to its job.
    pub link: Option<String>,
    /// How many there are.
    pub holders: usize,
    /// They share it.
    pub shared: bool,
    /// Since when it is held.
    pub since: Timestamp,
    /// What the first is doing.
    pub activity: Option<Activity>,
    /// The first has not confirmed its grant yet.
    pub granted: bool,
    /// One of them was asked to stop.
    pub revoked: bool,
    /// When all of them look dead, if none shows a sign of life before.
    pub dead_at: Timestamp,
}

/// How the last holder of a free lock ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Who it was.
    pub who: String,
    /// The link to its job.
    pub link: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// Its command's exit code.
    pub exit_code: Option<i32>,
    /// When it ended.
    pub at: Timestamp,
    /// It did not end well, and no run has been told yet.
    pub untold: bool,
}

/// The place of a lock in a list.
pub type Rank = (u8, Reverse<usize>, Timestamp, Reverse<Timestamp>, String);

impl Brief {
    /// Of what a listing gives.
    pub fn of(listed: &Listed) -> Self {
        Self::new(&listed.name, listed.record.as_ref().map(Some))
    }

    /// Of a record, or of one that is not there.
    pub fn new(lock: &str, record: Result<Option<&Record>, &RecordError>) -> Self {
        let none = |condition| Self {
            lock: lock.to_owned(),
            condition,
            queue: 0,
            waiting_since: None,
            needs_recovery: 0,
        };
        let record = match record {
            Ok(Some(record)) => record,
            Ok(None) => return none(Condition::Free(None)),
            Err(error) => {
                return none(Condition::Unreadable(escape::field(&error.to_string()).into_owned()));
            }
        };
        Self {
            lock: lock.to_owned(),
            condition: match held(&record.holders) {
                Some(held) => Condition::Held(held),
                None => Condition::Free(record.last.as_ref().map(ended)),
            },
            queue: record.queue.len(),
            waiting_since: record.queue.first().map(|waiter| waiter.asked_at),
            needs_recovery: record.needs_recovery.len(),
        }
    }

    /// Whether somebody holds it.
    pub fn is_held(&self) -> bool {
        matches!(self.condition, Condition::Held(_))
    }

    /// Whether its record cannot be read.
    pub fn is_unreadable(&self) -> bool {
        matches!(self.condition, Condition::Unreadable(_))
    }

    /// Whether nobody needs to know of it: it is free, and nothing is wrong with it.
    pub fn is_quiet(&self) -> bool {
        let told = match &self.condition {
            Condition::Free(last) => last.as_ref().is_none_or(|last| !last.untold),
            Condition::Held(_) | Condition::Unreadable(_) => false,
        };
        told && self.needs_recovery == 0
    }

    /// Whether whoever holds it looks dead at `now`.
    pub fn looks_dead(&self, now: Timestamp) -> bool {
        matches!(&self.condition, Condition::Held(held) if now > held.dead_at)
    }

    /// By this a list is sorted: what cannot be read; what is held, by how many wait and then by
    /// how long; what is free and not in order; what is free, the last used first.
    pub fn rank(&self) -> Rank {
        let (class, queue, since, ended) = match &self.condition {
            Condition::Unreadable(_) => (0, 0, Timestamp::MIN, Timestamp::MIN),
            Condition::Held(held) => (1, self.queue, held.since, Timestamp::MIN),
            Condition::Free(last) => {
                let at = last.as_ref().map_or(Timestamp::MIN, |last| last.at);
                (if self.is_quiet() { 3 } else { 2 }, 0, Timestamp::MIN, at)
            }
        };
        (class, Reverse(queue), since, Reverse(ended), self.lock.clone())
    }
}

fn held(holders: &[Holder]) -> Option<Held> {
    let first = holders.first()?;
    Some(Held {
        who: words::name(&first.identity),
        link: words::link(&first.identity),
        holders: holders.len(),
        shared: first.mode == Mode::Shared,
        since: holders.iter().map(|holder| holder.granted_at).min().unwrap_or(first.granted_at),
        activity: first
            .activity
            .clone()
            .map(|activity| Activity { phase: escape::field(&activity.phase).into_owned(), ..activity }),
        granted: first.phase == Phase::Granted,
        revoked: holders.iter().any(|holder| holder.revoked.is_some()),
        dead_at: holders.iter().map(dead_at).max().unwrap_or(Timestamp::MAX),
    })
}

/// The instant after which [`Holder::looks_dead`] is true.
fn dead_at(holder: &Holder) -> Timestamp {
    let limit = 2 * match holder.phase {
        Phase::Granted => crate::lease::GRANT_PATIENCE,
        Phase::Active => Duration::from_millis(holder.lease_ms),
    };
    holder.renewed_at.checked_add(limit).unwrap_or(Timestamp::MAX)
}

fn ended(last: &Last) -> Ended {
    Ended {
        who: words::name(&last.identity),
        link: words::link(&last.identity),
        outcome: last.outcome,
        exit_code: last.exit_code,
        at: last.at,
        untold: last.needs_telling(),
    }
}

/// How many of a store's locks are what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Held.
    pub held: usize,
    /// Waiters, of all queues.
    pub waiting: usize,
    /// Free.
    pub free: usize,
    /// Needing recovery, held or free.
    pub needs_recovery: usize,
    /// Not to be read.
    pub unreadable: usize,
}

impl Tally {
    /// Counts one more.
    pub fn add(&mut self, brief: &Brief) {
        match &brief.condition {
            Condition::Held(_) => self.held += 1,
            Condition::Free(_) => self.free += 1,
            Condition::Unreadable(_) => self.unreadable += 1,
        }
        self.waiting += brief.queue;
        self.needs_recovery += usize::from(brief.needs_recovery > 0);
    }

    /// Counts these.
    pub fn of<'a>(briefs: impl IntoIterator<Item = &'a Brief>) -> Self {
        let mut tally = Self::default();
        briefs.into_iter().for_each(|brief| tally.add(brief));
        tally
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} held, {} waiting, {} free", self.held, self.waiting, self.free)?;
        if self.needs_recovery > 0 {
            write!(f, ", {} needing recovery", self.needs_recovery)?;
        }
        if self.unreadable > 0 {
            write!(f, ", {} unreadable", self.unreadable)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::at;
    use crate::status::testing::{self, NOW};

    #[test]
    fn a_holder_looks_dead_in_a_list_when_it_does_by_itself() {
        for phase in [Phase::Active, Phase::Granted] {
            let mut record = testing::held();
            record.holders[0].phase = phase;
            let brief = Brief::new("x", Ok(Some(&record)));
            for second in [0, 7, 8, 9, 347, 348, 349, 10_000] {
                let now = at(NOW + second);
                assert_eq!(brief.looks_dead(now), record.holders[0].looks_dead(now), "{phase:?} {second}");
            }
        }
    }

    #[test]
    fn long_queues_come_first_then_long_holds_then_what_is_not_in_order() {
        let of = |name: &str, record: &Record| Brief::new(name, Ok(Some(record)));
        let (mut longer, mut older) = (testing::held(), testing::held());
        longer.queue.push(longer.queue[0].clone());
        older.holders[0].granted_at = at(1);
        let mut briefs = [
            of("quiet", &testing::free()),
            of("recover", &testing::needs_recovery()),
            of("held", &testing::held()),
            of("nobody waits", &testing::dead()),
            Brief::new("unreadable", Err(&RecordError::Schema(2))),
            of("older", &older),
            of("longer", &longer),
        ];
        briefs.sort_by_cached_key(Brief::rank);
        let order: Vec<&str> = briefs.iter().map(|brief| brief.lock.as_str()).collect();
        assert_eq!(order, ["unreadable", "longer", "older", "held", "nobody waits", "recover", "quiet"]);
    }
}
