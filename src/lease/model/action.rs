//! Everything that can happen next.

use std::sync::Arc;

use super::scope::Scope;
use super::time::OLD;
use super::world::{Actor, Child, Life, Mail, World};
use crate::lease::session::Request;
use crate::lease::{Phase, Standing};

/// One step. Where it goes wrong it is paid for from the budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// A supervisor begins.
    Start(usize),
    /// Its request reaches the store.
    Land(usize),
    /// The answer reaches its session.
    Answer(usize),
    /// Its child ends.
    ChildEnds(usize),
    /// Time passes: the next quantum, in which the clocks of these (a bit for each) are wrong by one.
    Advance { wrong: u8 },
    /// A write that was given up lands after all.
    LandLate(usize),
    /// Its request stays without an answer until its time is over: it never arrived, or arrives late, or
    /// the answer was lost.
    Lose(usize),
    /// The same, and it knows at once.
    Break(usize),
    /// The store turns its write away.
    Refuse(usize),
    /// Its supervisor is killed.
    Crash(usize),
    /// A guardian goes on for a killed supervisor.
    Guard(usize),
    /// Its supervisor is stopped.
    Freeze(usize),
    /// Its supervisor goes on.
    Thaw(usize),
    /// Somebody cancels its wait.
    Cancel(usize),
    /// An operator asks it to stop.
    Revoke(usize),
    /// An operator takes it out at once.
    Remove(usize),
}

impl World {
    /// What can happen next; nothing more once a rule is broken.
    pub(super) fn possible(&self, scope: &Scope, to: &mut Vec<Action>) {
        if self.broken.is_some() {
            return;
        }
        // An answer on its way home matters to nobody else, whoever acts first: it needs no other order
        // than this one, with all that may befall its receiver.
        let home = |who: &usize| {
            let actor = &self.actors[*who];
            actor.life == Life::Up && matches!(actor.mail, Mail::Answered(_))
        };
        if let Some(who) = (0..self.actors.len()).find(home) {
            return self.possible_for(who, scope, to);
        }
        for who in 0..self.actors.len() {
            self.possible_for(who, scope, to);
            self.possible_about(who, to);
        }
        to.extend((0..self.strays.len()).map(Action::LandLate));
        if self.waits_for_answers() || self.frozen_too_long() || self.is_early(scope) {
            return;
        }
        let wrong =
            |wrong: u8| (0..self.actors.len()).all(|who| wrong & 1 << who == 0 || self.may_err(who, scope));
        let most = if scope.drift { 1 << self.actors.len() } else { 1 };
        to.extend((0..most).filter(|set| wrong(*set)).map(|wrong| Action::Advance { wrong }));
    }

    fn possible_for(&self, who: usize, scope: &Scope, to: &mut Vec<Action>) {
        let actor = &self.actors[who];
        let budget = &self.budget;
        let up = actor.life == Life::Up;
        match (&actor.mail, actor.life) {
            (Mail::Sent(request), Life::Up | Life::Frozen(_)) => {
                to.push(Action::Land(who));
                if up && budget.timeouts > 0 {
                    to.push(Action::Lose(who));
                }
                if up && budget.breaks > 0 {
                    to.push(Action::Break(who));
                }
                if up && budget.refusals > 0 && matches!(request, Request::Write { .. }) {
                    to.push(Action::Refuse(who));
                }
            }
            (Mail::Answered(_), Life::Up) => {
                to.push(Action::Answer(who));
                if budget.timeouts > 0 {
                    to.push(Action::Lose(who));
                }
                if budget.breaks > 0 {
                    to.push(Action::Break(who));
                }
            }
            _ => {}
        }
        if actor.child == Child::Running {
            to.push(Action::ChildEnds(who));
        }
        match actor.life {
            Life::Off if !scope.comes_after(who) || self.actors[who - 1].life != Life::Off => {
                to.push(Action::Start(who));
            }
            Life::Up => {
                // Something of ours stays alive beside the child.
                let last = actor.guarded && actor.child == Child::Running;
                if budget.crashes > 0 && !last {
                    to.push(Action::Crash(who));
                }
                if budget.freezes > 0 {
                    to.push(Action::Freeze(who));
                }
                if budget.cancels > 0 && !actor.acquired && !actor.cancelled {
                    to.push(Action::Cancel(who));
                }
            }
            Life::Frozen(_) => to.push(Action::Thaw(who)),
            Life::Dead if scope.guardians && actor.orphan.is_some() => to.push(Action::Guard(who)),
            _ => {}
        }
    }

    /// What operators may do about somebody.
    fn possible_about(&self, who: usize, to: &mut Vec<Action>) {
        let (actor, budget) = (&self.actors[who], &self.budget);
        let standing = self.record().map_or(Standing::Absent, |record| record.standing(&actor.id));
        if let Standing::Holder(holder) = standing
            && holder.revoked.is_none()
            && holder.phase == Phase::Active
            && budget.revocations > 0
        {
            to.push(Action::Revoke(who));
        }
        if standing != Standing::Absent && budget.removals > 0 {
            to.push(Action::Remove(who));
        }
    }

    /// Whether a request is under way that will be answered, which takes no time.
    fn waits_for_answers(&self) -> bool {
        let waits = |actor: &Arc<Actor>| {
            actor.life == Life::Up && matches!(actor.mail, Mail::Sent(_) | Mail::Answered(_))
        };
        self.actors.iter().any(waits)
    }

    /// Whether somebody has not begun who is to come at the same moment as everyone.
    fn is_early(&self, scope: &Scope) -> bool {
        scope.together && self.actors.iter().any(|actor| actor.life == Life::Off)
    }

    /// Beyond this a stop makes no difference by being longer.
    fn frozen_too_long(&self) -> bool {
        self.actors.iter().any(|actor| matches!(actor.life, Life::Frozen(span) if u64::from(span) >= OLD))
    }

    /// Whether its clock may be wrong by one in the next quantum.
    fn may_err(&self, who: usize, scope: &Scope) -> bool {
        let actor = &self.actors[who];
        actor.errors < scope.errors(who) && !matches!(actor.life, Life::Off | Life::Over { .. })
    }

    /// What happens next where nothing goes wrong any more and nobody dawdles: the one run that tells
    /// whether all come through from here. `None` when there is nothing left to do.
    pub(super) fn next_in_peace(&self, scope: &Scope) -> Option<Action> {
        let first = |is: &dyn Fn(usize) -> bool| (0..self.actors.len()).find(|who| is(*who));
        let life = |who: usize| self.actors[who].life;
        let mail = |who: usize| &self.actors[who].mail;
        let orphaned =
            |who: usize| scope.guardians && life(who) == Life::Dead && self.actors[who].orphan.is_some();
        if let Some(who) = first(&|who| matches!(life(who), Life::Frozen(_))) {
            return Some(Action::Thaw(who));
        }
        if let Some(who) = first(&orphaned) {
            return Some(Action::Guard(who));
        }
        if let Some(who) = first(&|who| life(who) == Life::Off) {
            return Some(Action::Start(who));
        }
        if let Some(who) = first(&|who| life(who) == Life::Up && matches!(mail(who), Mail::Answered(_))) {
            return Some(Action::Answer(who));
        }
        if let Some(who) = first(&|who| life(who) == Life::Up && matches!(mail(who), Mail::Sent(_))) {
            return Some(Action::Land(who));
        }
        if let Some(who) = first(&|who| self.actors[who].child == Child::Running) {
            return Some(Action::ChildEnds(who));
        }
        first(&|who| life(who) == Life::Up).map(|_| Action::Advance { wrong: 0 })
    }
}
