//! What a step does to the world.

use std::sync::Arc;

use super::action::Action;
use super::mutant::Mutant;
use super::scope::{Plan, Scope};
use super::time::{LEASE, QUANTUM};
use super::world::{Child, Life, Mail, Stray, World};
use crate::lease::session::{Answer, Params, Request};
use crate::lease::transition::Candidate;
use crate::lease::{Identity, Lease, Now, Session};

/// An unreachable store is given up after this many quanta in which every try failed.
const REACH: u32 = 2;
/// A release is tried for this many quanta.
const RELEASE: u32 = 2;
/// Nobody knows what came of it.
const NO_ANSWER: Answer = Answer::Failed { refused: false, transient: true };

impl World {
    pub(super) fn step(&mut self, scope: &Scope, action: Action) {
        match action {
            Action::Start(who) => {
                let plan = scope.plans.get(who).copied().unwrap_or(Plan::EXCLUSIVE);
                let actor = self.actor(who);
                let now = actor.now();
                actor.life = Life::Up;
                actor.session = Some(Session::new(params(&actor.id, plan, now), now));
                self.settle(scope, who);
            }
            Action::Land(who) => self.land(scope, who),
            Action::Answer(who) => {
                if let Mail::Answered(answer) = std::mem::replace(&mut self.actor(who).mail, Mail::None) {
                    self.hand_in(scope, who, answer);
                }
            }
            Action::ChildEnds(who) => {
                self.actor(who).child = Child::Dead { killed: false };
                self.settle(scope, who);
            }
            Action::Advance { wrong } => self.advance(scope, wrong),
            Action::LandLate(which) => {
                let stray = self.strays.remove(which);
                self.swap(scope, stray.who, stray.expected.as_ref(), &stray.record);
            }
            Action::Lose(who) => {
                self.budget.timeouts -= 1;
                self.lose(who);
            }
            Action::Break(who) => {
                self.budget.breaks -= 1;
                self.lose(who);
                self.no_answer(scope, who);
            }
            Action::Refuse(who) => {
                self.budget.refusals -= 1;
                self.actor(who).mail = Mail::None;
                self.hand_in(scope, who, Answer::Failed { refused: true, transient: true });
            }
            Action::Crash(who) => self.crash(scope, who),
            Action::Guard(who) => self.guard(scope, who),
            Action::Freeze(who) => {
                self.budget.freezes -= 1;
                self.actor(who).life = Life::Frozen(0);
            }
            Action::Thaw(who) => {
                self.actor(who).life = Life::Up;
                self.tick(scope, who);
            }
            Action::Cancel(who) => {
                self.budget.cancels -= 1;
                let actor = self.actor(who);
                let now = actor.now();
                actor.cancelled = true;
                if let Some(session) = &mut actor.session {
                    session.leave(now);
                }
                self.settle(scope, who);
            }
            Action::Revoke(who) => {
                self.budget.revocations -= 1;
                self.operate(who, false);
            }
            Action::Remove(who) => {
                self.budget.removals -= 1;
                self.operate(who, true);
            }
        }
        self.look();
        self.take_print();
    }

    /// Time passes for everyone. What is due at the new moment by one's own clock is done by everyone
    /// who runs: it sends, which is nobody else's business yet.
    fn advance(&mut self, scope: &Scope, wrong: u8) {
        self.now += 1;
        for who in 0..self.actors.len() {
            let errs = wrong & 1 << who != 0;
            let fast = scope.drift && scope.is_fast(who);
            let actor = self.actor(who);
            actor.clock += if !errs {
                1
            } else if fast {
                2
            } else {
                0
            };
            actor.errors += u8::from(errs);
            if let Life::Frozen(span) = &mut actor.life {
                *span += 1;
            }
            let (actor, now) = (&*actor, actor.now());
            let kill = actor.tenure().map(|tenure| scope.kill(tenure, actor.told));
            if actor.child == Child::Running && kill.is_some_and(|kill| now.mono >= kill) {
                self.actor(who).child = Child::Dead { killed: true };
            }
        }
        for who in 0..self.actors.len() {
            if self.actors[who].life != Life::Up {
                continue;
            }
            if matches!(self.actors[who].mail, Mail::Lost { .. }) {
                self.no_answer(scope, who);
            }
            self.tick(scope, who);
        }
    }

    /// A supervisor looks at its clock.
    fn tick(&mut self, scope: &Scope, who: usize) {
        let actor = self.actor(who);
        let now = actor.now();
        if let Some(session) = &mut actor.session {
            let waits = actor.child == Child::None && !actor.acquired;
            if !(scope.is(Mutant::StopsPolling) && waits && matches!(actor.mail, Mail::None)) {
                session.tick(now);
            }
        }
        self.settle(scope, who);
    }

    /// A request will stay without an answer.
    fn lose(&mut self, who: usize) {
        let write = match &self.actors[who].mail {
            Mail::Sent(request) => matches!(request, Request::Write { .. }),
            Mail::Answered(answer) => !matches!(answer, Answer::Read(_)),
            Mail::None | Mail::Lost { .. } => false,
        };
        self.give_up(who);
        self.actor(who).mail = Mail::Lost { write };
    }

    /// Its session is told that a request stayed without an answer.
    fn no_answer(&mut self, scope: &Scope, who: usize) {
        let write = matches!(self.actors[who].mail, Mail::Lost { write: true });
        self.actor(who).mail = Mail::None;
        let answer = match scope.mutant {
            Some(Mutant::ForgetsUnanswered) => Answer::Failed { refused: true, transient: true },
            Some(Mutant::BelievesUnanswered) if write => Answer::Written,
            _ => NO_ANSWER,
        };
        self.hand_in(scope, who, answer);
    }

    /// Nobody waits for its request any more. If it is a write that has not landed it may still do so.
    pub(super) fn give_up(&mut self, who: usize) {
        let mail = std::mem::replace(&mut self.actor(who).mail, Mail::None);
        if let Mail::Sent(Request::Write { expected, record }) = mail {
            self.strays.push(Arc::new(Stray { who, expected, record }));
            self.forget_strays();
        }
    }

    /// Writes whose condition is gone have no effect any more: stamps are never used twice.
    pub(super) fn forget_strays(&mut self) {
        let stands = self.record.as_ref().map(|record| record.stamp.clone());
        self.strays.retain(|stray| stray.expected == stands);
    }

    fn crash(&mut self, scope: &Scope, who: usize) {
        self.budget.crashes -= 1;
        self.give_up(who);
        let actor = self.actor(who);
        actor.life = Life::Dead;
        actor.session = None;
        // Its child goes on by what was known of its lease, and so does a guardian.
        actor.orphan = actor.known.take();
        if actor.child != Child::Running && (actor.guarded || !scope.guardians) {
            actor.orphan = None;
        }
    }

    /// A guardian goes on with what its supervisor knew.
    fn guard(&mut self, scope: &Scope, who: usize) {
        let plan = scope.plans[who];
        let actor = self.actor(who);
        let now = actor.now();
        let Some(tenure) = actor.orphan.take() else { return };
        let params = Params { nonce: "g".into(), ..params(&actor.id, plan, now) };
        actor.life = Life::Up;
        // Whether its supervisor got through with the release is for the record to say.
        (actor.acquired, actor.released, actor.lost, actor.guarded) = (true, false, false, true);
        actor.session = Some(Session::resume(params, tenure, now));
        self.settle(scope, who);
    }
}

fn params(id: &str, plan: Plan, now: Now) -> Params {
    let candidate = Candidate {
        session: id.to_owned(),
        mode: plan.mode,
        changes: true,
        lease: Lease::new(LEASE).unwrap(),
        asked_at: now.wall,
        identity: Identity::default(),
    };
    let (reach, release) = (QUANTUM * REACH, QUANTUM * RELEASE);
    Params { candidate, nonce: "n".into(), wait: plan.wait, reach, release, seed: 1 }
}
