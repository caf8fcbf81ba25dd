//! What a supervisor does with its session and its child.

use tfguard::lease::session::{Notice, Output};
use tfguard::lease::transition::Ending;
use tfguard::lease::{Outcome, Session};

use super::actor::Child;
use super::clock::Nanos;
use super::judge::Verdict;
use super::mutants::Mutant;
use super::world::{Event, World};

impl World {
    /// Hands one event to a supervisor's session.
    pub(super) fn tell(&mut self, who: usize, event: Event) {
        let actor = &mut self.actors[who];
        let now = actor.now(self.now);
        let Some(session) = &mut actor.session else { return };
        match event {
            Event::Answer { request, answer, .. } if request == actor.request => {
                // Answered: a timeout of the same request comes too late now.
                actor.request += 1;
                let told = self.mutant.map(|mutant| mutant.told(&actor.name, answer.clone()));
                session.answered(told.unwrap_or_else(|| answer.clone()), now);
                actor.see(&answer);
            }
            Event::Wake(_) if actor.wake == Some(self.now) => {
                actor.wake = None;
                session.tick(now);
            }
            Event::Wake(_) => session.tick(now),
            Event::Cancel(_) => {
                actor.cancelled = true;
                if !actor.acquired {
                    session.leave(now);
                }
            }
            _ => {}
        }
    }

    /// Does all that the session asks for, and what a supervisor owes its child.
    pub(super) fn settle(&mut self, who: usize) -> Verdict {
        loop {
            while let Some(output) = self.actors[who].session.as_mut().and_then(Session::poll) {
                self.note(|| format!("  s{who}: {output:?}"));
                match output {
                    Output::Send { request, timeout } => self.send(who, request, timeout),
                    Output::Notice(notice) => {
                        let actor = &mut self.actors[who];
                        actor.acquired |= matches!(notice, Notice::Acquired { .. });
                        actor.lost |= matches!(notice, Notice::Lost(_));
                        actor.notices.push((self.now, notice));
                    }
                    // For the history, which no guarantee rests on.
                    Output::Evicted(_) => {}
                    Output::Finished(finish) => {
                        let actor = &mut self.actors[who];
                        let clean = finish.is_clean();
                        actor.finished = Some((self.now, finish));
                        let name = actor.name.clone();
                        return self.judge.finished(&name, clean, self.record.as_ref());
                    }
                }
            }
            if !self.supervise(who)? {
                break;
            }
        }
        self.plan_wake(who);
        Ok(())
    }

    /// Starts, interrupts, kills the child; releases after its end. True when the session was
    /// told something.
    fn supervise(&mut self, who: usize) -> Result<bool, String> {
        let actor = &mut self.actors[who];
        let now = actor.now(self.now);
        let Some(session) = &mut actor.session else { return Ok(false) };
        let deadlines = self.mutant.map_or(session.deadlines(), |mutant| mutant.deadlines(session));
        if actor.acquired && !actor.settled {
            actor.settled = true;
            let in_time = deadlines.is_some_and(|deadlines| now.mono < deadlines.stop);
            if actor.lost || actor.cancelled || !in_time {
                actor.released = true;
                session.release(Ending::NOTHING_RAN, now);
                return Ok(true);
            }
            let ends = self.now + actor.plan.work;
            actor.child = Child::Running { ends, interrupted: false, guard: Nanos::MAX };
            let (name, mode) = (actor.name.clone(), actor.plan.mode);
            self.at(ends, Event::ChildEnds(who));
            self.judge.child_started(&name, mode)?;
        }
        let actor = &mut self.actors[who];
        let Some(session) = &mut actor.session else { return Ok(false) };
        if let (Child::Running { ends, interrupted, guard }, Some(deadlines)) = (&mut actor.child, deadlines)
        {
            if now.mono >= deadlines.kill {
                actor.child = Child::Dead { killed: true };
                self.judge.child_ended(&actor.name);
            } else {
                let stop = now.mono >= deadlines.stop || actor.lost || actor.cancelled;
                if stop && !*interrupted {
                    *interrupted = true;
                    *ends = (*ends).min(self.now + actor.plan.grace);
                    let when = *ends;
                    self.count += 1;
                    self.events.insert((when, self.count), Box::new(Event::ChildEnds(who)));
                }
                let kill = actor.plan.clock.reaches(deadlines.kill);
                if *guard != kill {
                    *guard = kill;
                    self.count += 1;
                    self.events.insert((kill, self.count), Box::new(Event::Guard(who)));
                }
            }
        }
        let stops = matches!(actor.child, Child::Running { interrupted: true, .. });
        if stops && !actor.released && self.mutant == Some(Mutant::ReleasesFirst) {
            actor.released = true;
            session.release(Ending::new(Outcome::Released, Some(0)), now);
            return Ok(true);
        }
        if let (Child::Dead { killed }, false) = (actor.child, actor.released) {
            actor.released = true;
            let outcome = if killed { Outcome::Crashed } else { Outcome::Released };
            session.release(Ending::new(outcome, (!killed).then_some(0)), now);
            return Ok(true);
        }
        Ok(false)
    }

    pub(super) fn child_ends(&mut self, who: usize) -> Verdict {
        let actor = &mut self.actors[who];
        match actor.child {
            Child::Running { ends, .. } if ends <= self.now => self.bury_child(who, false),
            _ => Ok(()),
        }
    }

    pub(super) fn guard(&mut self, who: usize) -> Verdict {
        let actor = &mut self.actors[who];
        match actor.child {
            Child::Running { guard, .. } if guard <= self.now => self.bury_child(who, true),
            _ => Ok(()),
        }
    }

    fn bury_child(&mut self, who: usize, killed: bool) -> Verdict {
        let actor = &mut self.actors[who];
        actor.child = Child::Dead { killed };
        self.judge.child_ended(&actor.name);
        if actor.crashed || actor.paused.is_some() {
            return Ok(());
        }
        self.settle(who)
    }

    /// When the supervisor has to look at its clock next.
    fn plan_wake(&mut self, who: usize) {
        let actor = &mut self.actors[who];
        let Some(session) = &actor.session else { return };
        let mut at = session.deadline().map(|at| actor.plan.clock.reaches(at));
        let deadlines = self.mutant.map_or(session.deadlines(), |mutant| mutant.deadlines(session));
        if let (Child::Running { interrupted, .. }, Some(deadlines)) = (actor.child, deadlines) {
            let next = if interrupted { deadlines.kill } else { deadlines.stop };
            let next = actor.plan.clock.reaches(next);
            at = Some(at.map_or(next, |at| at.min(next)));
        }
        let at = at.map(|at| at.max(self.now));
        if at != actor.wake {
            actor.wake = at;
            if let Some(at) = at {
                self.at(at, Event::Wake(who));
            }
        }
    }
}
