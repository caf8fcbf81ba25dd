//! The rules of the protocol, looked at from outside with the true time.

use super::time::{GRANT, PATIENCE};
use super::world::{Life, World};
use crate::lease::{Holder, Mode, Phase, Record, Standing};

/// What must never be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    Overlap,
    Generation,
    Order,
    Entry,
    Out,
    Revoked,
    Sound,
    Served,
    Free,
}

impl Rule {
    pub(super) const ALL: [Self; 9] = [
        Self::Overlap,
        Self::Generation,
        Self::Order,
        Self::Entry,
        Self::Out,
        Self::Revoked,
        Self::Sound,
        Self::Served,
        Self::Free,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Overlap => "no two conflicting holders believe in their lease at once",
            Self::Generation => "the generation rises with every ownership",
            Self::Order => "the queue is served in order",
            Self::Entry => "no one removes another's entry but an eviction that is due or an operator",
            Self::Out => "who says that it is out stays out",
            Self::Revoked => "who was asked to stop does not renew",
            Self::Sound => "the record is sound: nobody waits while nobody holds",
            Self::Served => "every live waiter is served",
            Self::Free => "a free lock is never stuck",
        }
    }
}

impl World {
    /// Looks at everyone after a step.
    pub(super) fn look(&mut self) {
        let conflict = |one: usize, other: usize| {
            let (one, other) = (&self.actors[one], &self.actors[other]);
            let alone = |actor: &super::world::Actor| {
                actor.tenure().is_none_or(|tenure| tenure.own.mode == Mode::Exclusive)
            };
            // Whoever removes a holder at once is told that two may then overlap.
            let forced = one.removed || other.removed;
            one.believes() && other.believes() && (alone(one) || alone(other)) && !forced
        };
        let everyone = 0..self.actors.len();
        if everyone.clone().any(|one| everyone.clone().skip(one + 1).any(|other| conflict(one, other))) {
            self.breaks(Rule::Overlap);
        }
    }

    /// Looks at a record that has just replaced another one; written by a session (`author`) or an
    /// operator, about `subject`.
    pub(super) fn judge(
        &mut self,
        author: Option<usize>,
        subject: usize,
        before: Option<&Record>,
        after: &Record,
    ) {
        let empty = Record { holders: vec![], queue: vec![], removed: vec![], ..after.clone() };
        let (fresh, before) = (before.is_none(), before.unwrap_or(&empty));
        let subject = self.actors[subject].id.clone();
        let broken = [
            (after.clone().check().is_err(), Rule::Sound),
            (self.returns(after), Rule::Out),
            (disobeys(author.is_some(), &subject, before, after), Rule::Revoked),
            (!fresh && falls(before, after), Rule::Generation),
            (self.robs(&subject, before, after), Rule::Entry),
            (!in_order(author.is_some(), &subject, before, after), Rule::Order),
        ];
        if let Some((_, rule)) = broken.into_iter().find(|(broken, _)| *broken) {
            self.breaks(rule);
        }
    }

    /// Somebody is in the record who said that it was out.
    fn returns(&self, after: &Record) -> bool {
        let out = |actor: &super::world::Actor| actor.life == Life::Over { clean: true };
        self.actors.iter().any(|actor| out(actor) && after.standing(&actor.id) != Standing::Absent)
    }

    /// An entry that is not the subject's is gone or another, and that was not due.
    fn robs(&self, subject: &str, before: &Record, after: &Record) -> bool {
        let holder = |holder: &Holder| match after.holder(&holder.session) {
            Some(next) => next != holder,
            None => !self.is_due(holder),
        };
        let waiter = |session: &str| after.standing(session) == Standing::Absent;
        before.holders.iter().any(|old| old.session != subject && holder(old))
            || before.queue.iter().any(|old| old.session != subject && waiter(&old.session))
    }

    /// Whether a holder was silent for its patience in truth, as the fastest clock measures it.
    fn is_due(&self, holder: &Holder) -> bool {
        let Some(actor) = self.actors.iter().find(|actor| actor.id == holder.session) else { return false };
        let patience = if holder.phase == Phase::Active { PATIENCE } else { GRANT };
        self.now - actor.sign >= patience - u64::from(self.drifts)
    }
}

/// A session that was asked to stop gives a sign of life, or forgets that it was asked.
fn disobeys(by_itself: bool, subject: &str, before: &Record, after: &Record) -> bool {
    let Some(old) = before.holder(subject).filter(|old| old.revoked.is_some()) else { return false };
    by_itself && after.holder(subject).is_some_and(|new| new.beat > old.beat || new.revoked.is_none())
}

/// The token falls, is given twice, or changes under its owner.
fn falls(before: &Record, after: &Record) -> bool {
    let stays = |holder: &&Holder| before.holder(&holder.session).is_some();
    let group = after.holders.iter().find(stays).map(|holder| holder.generation);
    let wrong = |holder: &Holder| match (before.holder(&holder.session), group) {
        (Some(old), _) => old.generation != holder.generation,
        (None, Some(group)) => holder.generation != group,
        (None, None) => holder.generation <= before.generation,
    };
    after.generation < before.generation || after.holders.iter().any(wrong)
}

/// The queue loses its head to the holders and its subject to nothing, and gains its author at the
/// end; who did not wait comes in where nobody waits.
fn in_order(by_itself: bool, subject: &str, before: &Record, after: &Record) -> bool {
    let new = |holder: &&Holder| before.holder(&holder.session).is_none();
    let granted: Vec<&str> = after
        .holders
        .iter()
        .filter(new)
        .filter(|holder| holder.phase == Phase::Granted)
        .map(|holder| holder.session.as_str())
        .collect();
    let waiting = before.queue.iter().map(|waiter| waiter.session.as_str());
    let stays = |id: &&str| *id != subject || after.standing(id) != Standing::Absent;
    let mut expected: Vec<&str> = waiting.filter(stays).collect();
    if expected.get(..granted.len()) != Some(&granted[..]) {
        return false;
    }
    let mut rest = expected.split_off(granted.len());
    let mut entered = after.holders.iter().filter(new).filter(|holder| holder.phase == Phase::Active);
    if entered.any(|holder| !by_itself || holder.session != subject || !before.queue.is_empty()) {
        return false;
    }
    let arrives = before.standing(subject) == Standing::Absent;
    if arrives && matches!(after.standing(subject), Standing::Waiter(_)) {
        rest.push(subject);
    }
    after.queue.iter().map(|waiter| waiter.session.as_str()).eq(rest)
}
