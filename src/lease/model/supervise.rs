//! What a supervisor does with its session and its child.

use super::judge::Rule;
use super::mutant::Mutant;
use super::scope::Scope;
use super::time::QUANTUM;
use super::world::{Child, Life, Mail, World};
use crate::lease::session::{Answer, Finish, Notice, Output, Wait};
use crate::lease::transition::Ending;
use crate::lease::{Outcome, Session};

impl World {
    /// An answer, or the lack of one, reaches a session.
    pub(super) fn hand_in(&mut self, scope: &Scope, who: usize, answer: Answer) {
        let answer = scope.answer(&self.actors[who], answer);
        let actor = self.actor(who);
        let now = actor.now();
        if let Some(session) = &mut actor.session {
            match scope.mutant {
                Some(Mutant::EvictsEarly) => session.misremember(Some(QUANTUM)),
                Some(Mutant::CountsAnew) => session.misremember(None),
                _ => {}
            }
            session.answered(answer, now);
        }
        self.settle(scope, who);
    }

    /// Does all that a session asks for, and what its supervisor owes the child.
    pub(super) fn settle(&mut self, scope: &Scope, who: usize) {
        if self.actors[who].life != Life::Up {
            return;
        }
        loop {
            while let Some(output) = self.actor(who).session.as_mut().and_then(Session::poll) {
                match output {
                    Output::Send { request, .. } => {
                        self.give_up(who);
                        let request = scope.request(&self.actors[who], request, self.record());
                        self.actor(who).mail = Mail::Sent(request);
                    }
                    Output::Notice(notice) => self.hear(scope, who, &notice),
                    // For the history, which no guarantee rests on.
                    Output::Evicted(_) => {}
                    Output::Finished(finish) => return self.finish(scope, who, &finish),
                }
            }
            let actor = self.actor(who);
            if let Some(tenure) = actor.session.as_ref().and_then(Session::tenure) {
                actor.known = Some(tenure.clone());
            }
            if !self.supervise(scope, who) {
                return;
            }
        }
    }

    fn hear(&mut self, scope: &Scope, who: usize, notice: &Notice) {
        let actor = self.actor(who);
        let sign = matches!(notice, Notice::Acquired { .. } | Notice::Renewed { .. });
        if scope.is(Mutant::CountsFromAnswer) && sign {
            actor.told = Some(actor.clock);
        }
        match notice {
            Notice::Acquired { .. } => actor.acquired = true,
            Notice::Lost(_) => actor.lost = true,
            Notice::Waiting { .. } | Notice::GrantMissed | Notice::Renewed { .. } | Notice::Recreated => {}
        }
    }

    /// Starts the child, and releases after its end. True when the session was told something.
    fn supervise(&mut self, scope: &Scope, who: usize) -> bool {
        let early = scope.is(Mutant::StartsOnGrant) && self.is_granted(who);
        let actor = self.actor(who);
        let now = actor.now();
        let Some(session) = &mut actor.session else { return false };
        let ending = match actor.child {
            _ if actor.released => return false,
            Child::None if actor.acquired => {
                let in_time = session.deadlines().is_some_and(|deadlines| now.mono < deadlines.stop);
                if in_time && !actor.lost {
                    actor.child = Child::Running;
                    return false;
                }
                Ending::NOTHING_RAN
            }
            Child::Running if scope.is(Mutant::ReleasesFirst) => Ending::NOTHING_RAN,
            Child::None if early => {
                actor.child = Child::Running;
                return false;
            }
            Child::Dead { killed } if session.tenure().is_some() => {
                let outcome = if killed { Outcome::Crashed } else { Outcome::Released };
                Ending::new(outcome, (!killed).then_some(0))
            }
            _ => return false,
        };
        actor.released = true;
        session.release(ending, now);
        true
    }

    fn finish(&mut self, scope: &Scope, who: usize, finish: &Finish) {
        self.give_up(who);
        let actor = self.actor(who);
        let clean = finish.is_clean();
        actor.life = Life::Over { clean };
        actor.session = None;
        let forever = scope.plans.get(who).is_none_or(|plan| plan.wait == Wait::Forever);
        if forever && matches!(finish, Finish::Held(_) | Finish::QueueFull) {
            self.breaks(Rule::Served);
        }
        if clean && self.stands(who) {
            self.breaks(Rule::Out);
        }
    }
}
