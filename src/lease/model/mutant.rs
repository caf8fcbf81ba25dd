//! Broken variants. The sessions are the real ones: a rule is broken at their border, by changing what
//! they send, what they are told, or what their supervisor makes of it.

use super::scope::Scope;
use super::time::{LEASE, local};
use super::world::Actor;
use crate::lease::session::{Answer, Request};
use crate::lease::transition::{self, Candidate};
use crate::lease::{Identity, Instant, Lease, Mode, Phase, Record, Standing, Tenure};

/// A rule that is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mutant {
    /// A write lands whatever stands there.
    IgnoresStamp,
    /// An observer's patience runs twice as fast.
    EvictsEarly,
    /// With every look an observer's patience begins anew.
    CountsAnew,
    /// Nobody evicts anyone.
    NeverEvicts,
    /// A grant that is not confirmed stays for ever.
    GrantStays,
    /// Whoever evicts takes the lock, past those who waited longer.
    TakesOver,
    /// The child is killed after 1.3 leases.
    NoMargin,
    /// The lease counts from when a sign of life was known to have taken effect, not from its first send.
    CountsFromAnswer,
    /// A clock loses three quanta.
    SlowClock,
    /// The child starts on a grant that is not confirmed.
    StartsOnGrant,
    /// The lock is released while the child runs.
    ReleasesFirst,
    /// A write without an answer counts as one that took effect.
    BelievesUnanswered,
    /// A write without an answer counts as one that never takes effect.
    ForgetsUnanswered,
    /// A newcomer stands at the head of the queue.
    JumpsQueue,
    /// A shared newcomer joins those who hold, past those who wait.
    SharedJumpsQueue,
    /// A shared newcomer joins an exclusive holder.
    SharedJoinsExclusive,
    /// The generation stays.
    KeepsGeneration,
    /// A release empties the record.
    ReleasesAll,
    /// A release changes nothing.
    ReleasesNothing,
    /// A release serves nobody.
    ServesNobody,
    /// A waiter looks no more.
    StopsPolling,
    /// A holder does not see that it was asked to stop.
    IgnoresRevocation,
}

impl Scope {
    /// What is sent instead of what a session wants to send, where `stands` is in the store.
    pub(super) fn request(&self, actor: &Actor, request: Request, stands: Option<&Record>) -> Request {
        let (Some(mutant), Request::Write { expected, record }) = (self.mutant, &request) else {
            return request;
        };
        // A write that is going to conflict needs no breaking.
        let Some(before) = stands.filter(|stands| Some(&stands.stamp) == expected.as_ref()) else {
            return request;
        };
        match mutant.rewrite(self, actor, before, record) {
            Some(changed) => {
                let record = changed.sealed(record.stamp.clone(), record.updated_at);
                Request::Write { expected: expected.clone(), record }
            }
            None if mutant.suppresses(actor, before, record) => Request::Read,
            None => request,
        }
    }

    /// What a session is told instead of `answer`.
    pub(super) fn answer(&self, actor: &Actor, mut answer: Answer) -> Answer {
        if let (true, Answer::Read(Some(record)) | Answer::Conflict(Some(record))) =
            (self.is(Mutant::IgnoresRevocation), &mut answer)
        {
            let own = record.holders.iter_mut().find(|holder| holder.session == actor.id);
            own.into_iter().for_each(|own| own.revoked = None);
        }
        answer
    }

    /// When the child is killed; `told` is when the newest sign of life was known, on the same clock.
    pub(super) fn kill(&self, tenure: &Tenure, told: Option<u64>) -> Instant {
        match (self.mutant, told) {
            (Some(Mutant::NoMargin), _) => tenure.base + LEASE * 13 / 10,
            (Some(Mutant::CountsFromAnswer), Some(told)) => {
                tenure.own.lease().deadlines(local(told).mono).kill
            }
            _ => tenure.deadlines().kill,
        }
    }

    /// How often a clock may be wrong by one quantum.
    pub(super) fn errors(&self, who: usize) -> u8 {
        if self.is(Mutant::SlowClock) && !self.is_fast(who) { 3 } else { u8::from(self.drift) }
    }

    /// The first clock may lose time, the second one gain it, and so on.
    pub(super) fn is_fast(&self, who: usize) -> bool {
        who % 2 == 1
    }
}

impl Mutant {
    /// The record that is written instead, where this rule is at stake.
    fn rewrite(self, scope: &Scope, actor: &Actor, before: &Record, after: &Record) -> Option<Record> {
        let id = actor.id.as_str();
        let wall = after.updated_at;
        let held = before.holder(id).is_some();
        let leaves = held && after.standing(id) == Standing::Absent;
        let arrives =
            before.standing(id) == Standing::Absent && matches!(after.standing(id), Standing::Waiter(_));
        let shared = after.queue.last().is_some_and(|waiter| waiter.mode == Mode::Shared);
        let mut next = after.clone();
        match self {
            Self::JumpsQueue if arrives => next.queue.rotate_right(1),
            Self::SharedJumpsQueue if arrives && shared && before.holders[0].mode == Mode::Shared => {
                let open = Record { queue: vec![], ..before.clone() };
                next = transition::acquire(Some(&open), &candidate(scope, actor), wall)?;
                next.queue.clone_from(&before.queue);
            }
            Self::SharedJoinsExclusive if arrives && shared && before.holders[0].mode == Mode::Exclusive => {
                let open = Record { queue: vec![], holders: vec![], ..before.clone() };
                next = transition::acquire(Some(&open), &candidate(scope, actor), wall)?;
                next.holders.extend(before.holders.iter().cloned());
                next.queue.clone_from(&before.queue);
            }
            Self::TakesOver if !evicted(id, before, after).is_empty() => {
                let queue = before.queue.iter().filter(|waiter| waiter.session != id).cloned().collect();
                let open = Record { queue: vec![], ..before.clone() };
                let dead: Vec<String> = evicted(id, before, after);
                next = transition::evict(&open, &dead, &candidate(scope, actor), wall);
                next.queue = queue;
            }
            Self::KeepsGeneration => {
                next.generation = before.generation;
                next.holders.iter_mut().for_each(|holder| holder.generation = before.generation);
            }
            Self::ReleasesAll if leaves => (next.holders, next.queue) = (vec![], vec![]),
            Self::ReleasesNothing if leaves => next = before.clone(),
            Self::ServesNobody if leaves => {
                next.holders = before.holders.iter().filter(|holder| holder.session != id).cloned().collect();
                next.queue.clone_from(&before.queue);
            }
            _ => return None,
        }
        Some(next)
    }

    /// Whether the write is not made at all.
    fn suppresses(self, actor: &Actor, before: &Record, after: &Record) -> bool {
        let gone = evicted(&actor.id, before, after);
        let granted = |id: &String| before.holder(id).is_some_and(|holder| holder.phase == Phase::Granted);
        match self {
            Self::NeverEvicts => !gone.is_empty(),
            Self::GrantStays => gone.iter().any(granted),
            _ => false,
        }
    }
}

/// The holders other than the author that a write takes out.
fn evicted(author: &str, before: &Record, after: &Record) -> Vec<String> {
    let gone = before.holders.iter().filter(|old| after.standing(&old.session) == Standing::Absent);
    gone.map(|old| old.session.clone()).filter(|id| id != author).collect()
}

fn candidate(scope: &Scope, actor: &Actor) -> Candidate {
    let plan = scope.plans.iter().zip('a'..).find(|(_, letter)| actor.id == letter.to_string());
    Candidate {
        session: actor.id.clone(),
        mode: plan.map_or(Mode::Exclusive, |(plan, _)| plan.mode),
        changes: true,
        lease: Lease::new(LEASE).unwrap(),
        asked_at: actor.now().wall,
        identity: Identity::default(),
    }
}
