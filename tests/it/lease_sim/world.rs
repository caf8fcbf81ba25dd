//! Many supervisors, one store, one line of events in virtual time.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::time::Duration;

use tfguard::lease::session::{Answer, Request};
use tfguard::lease::transition;
use tfguard::lease::{Intervention, Record};

use super::actor::{Actor, Plan};
use super::clock::{LocalClock, MS, Nanos};
use super::judge::{Author, Judge, Verdict};
use super::mutants::Mutant;
use super::network::{Fate, Network};

/// Something that happens at one moment.
#[derive(Debug, Clone)]
pub(super) enum Event {
    /// A supervisor begins.
    Start(usize),
    /// A request reaches the store; its answer, if one comes, takes `down`.
    Land { who: usize, request: u64, what: Request, down: Option<Nanos> },
    /// An answer, or a timeout, reaches a supervisor.
    Answer { who: usize, request: u64, answer: Answer },
    /// A supervisor's timers are due.
    Wake(usize),
    /// The child may have ended by itself.
    ChildEnds(usize),
    /// The guardian looks at its clock.
    Guard(usize),
    /// The supervisor is told to stop.
    Cancel(usize),
    /// The supervisor is no more. What it sent may still land, its child may still run.
    Crash(usize),
    /// The supervisor is stopped for this long; its guardian is not.
    Pause(usize, Nanos),
    /// The supervisor goes on.
    Resume(usize),
    /// Somebody deletes the record.
    Delete,
    /// An operator asks a holder to stop.
    Revoke(usize),
    /// An operator takes a session out at once.
    Remove(usize),
    /// From now on nothing goes wrong.
    Calm,
}

/// A span in which the store cannot be reached, by everyone or by one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outage {
    /// Its first moment.
    pub(super) from: Nanos,
    /// Its end.
    pub(super) until: Nanos,
    /// Whom it concerns; everyone if `None`.
    pub(super) who: Option<usize>,
    /// The store says that it is out of order, rather than nothing.
    pub(super) says_so: bool,
}

/// A request as a script sees it before it is sent.
#[derive(Debug)]
pub(super) struct Sent<'a> {
    /// Who sends it.
    pub(super) who: usize,
    /// What, with the record it would write.
    pub(super) what: &'a Request,
}

/// Decides how a request fares; `None` leaves it to the network.
pub(super) type Script = Box<dyn FnMut(&Sent<'_>) -> Option<Fate>>;

/// How many events a failure shows.
const TRACE: usize = 80;
/// How long a line of it may be.
const LINE: usize = 600;

/// See the module's text.
pub(super) struct World {
    /// True time.
    pub(super) now: Nanos,
    /// The store.
    pub(super) record: Option<Record>,
    /// Everyone.
    pub(super) actors: Vec<Actor>,
    /// The store's faults in time.
    pub(super) outages: Vec<Outage>,
    /// The way to the store.
    pub(super) network: Network,
    /// How one request fares in particular.
    pub(super) script: Option<Script>,
    /// The rules.
    pub(super) judge: Judge,
    /// Set to keep the last events as text.
    pub(super) trace: Option<VecDeque<String>>,
    /// A rule that is broken in this world.
    pub(super) mutant: Option<Mutant>,
    /// Nothing goes wrong any more.
    calm: bool,
    /// Boxed: the map moves what it holds, and a record is large.
    pub(super) events: BTreeMap<(Nanos, u64), Box<Event>>,
    pub(super) count: u64,
    rng: fastrand::Rng,
}

impl World {
    /// An empty world over a fast store.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            now: 0,
            record: None,
            actors: Vec::new(),
            outages: Vec::new(),
            network: Network::FAST,
            script: None,
            judge: Judge::default(),
            trace: None,
            mutant: None,
            calm: false,
            events: BTreeMap::new(),
            count: 0,
            rng: fastrand::Rng::with_seed(seed),
        }
    }

    /// Adds a supervisor; its number is the count of those before it.
    pub(super) fn add(&mut self, plan: Plan) -> usize {
        let who = self.actors.len();
        self.at(plan.start, Event::Start(who));
        self.actors.push(Actor::new(who, plan));
        who
    }

    /// Has something happen.
    pub(super) fn at(&mut self, when: Nanos, event: Event) {
        self.count += 1;
        self.events.insert((when, self.count), Box::new(event));
    }

    /// Goes on until `when`, or until nothing happens any more.
    pub(super) fn run_until(&mut self, when: Nanos) -> Verdict {
        while let Some(entry) = self.events.first_entry() {
            let at = entry.key().0;
            if at > when {
                break;
            }
            let event = *entry.remove();
            self.now = at;
            if !self.is_stale(&event) {
                self.note(|| format!("{event:?}"));
                self.handle(event)?;
            }
        }
        self.now = self.now.max(when);
        Ok(())
    }

    /// Goes on until everybody is through, at the latest until `limit`.
    pub(super) fn run_until_over(&mut self, limit: Nanos) -> Verdict {
        while self.actors.iter().any(|actor| !actor.is_over()) {
            let Some(((at, _), _)) = self.events.first_key_value() else { break };
            if *at > limit {
                break;
            }
            self.run_until(*at)?;
        }
        match self.actors.iter().find(|actor| !actor.is_over()) {
            Some(actor) => Err(format!("{} starved: still not over at the end", actor.name)),
            None => Ok(()),
        }
    }

    /// One supervisor cannot reach the store for a while.
    pub(super) fn cut_off(&mut self, who: usize, from: Nanos, until: Nanos) {
        self.outages.push(Outage { from, until, who: Some(who), says_so: false });
    }

    /// Does this, and fails the test with the last events if a rule was broken.
    pub(super) fn check(&mut self, go: impl FnOnce(&mut Self) -> Verdict) {
        self.trace.get_or_insert_default();
        let verdict = go(self);
        assert!(verdict.is_ok(), "{}{}", self.story(), verdict.unwrap_err());
    }

    /// Everybody gets through in this time, no rule is broken, and the lock is free at the end.
    pub(super) fn succeeds(&mut self, limit: Nanos) {
        self.check(|world| world.run_until_over(limit));
        let record = self.record.as_ref().unwrap();
        assert!(record.is_free() && record.queue.is_empty(), "{record:?}");
    }

    /// The last events, for a failure's message.
    pub(super) fn story(&self) -> String {
        let mut story = String::new();
        for line in self.trace.iter().flatten() {
            let _ = writeln!(story, "{line}");
        }
        story
    }

    pub(super) fn note(&mut self, text: impl FnOnce() -> String) {
        let now = self.now;
        if let Some(trace) = &mut self.trace {
            if trace.len() == TRACE {
                trace.pop_front();
            }
            let mut line = format!("{:>12.6} s  {}", now as f64 / 1e9, text());
            line.truncate(LINE);
            trace.push_back(line);
        }
    }

    /// An answer, mostly a timeout, to a request that nobody waits for any more.
    fn is_stale(&self, event: &Event) -> bool {
        matches!(event, Event::Answer { who, request, .. } if *request != self.actors[*who].request)
    }

    fn handle(&mut self, event: Event) -> Verdict {
        match event {
            Event::Start(who) => {
                let seed = self.rng.u64(..);
                self.actors[who].begin(self.now, seed);
                self.settle(who)
            }
            Event::Land { who, request, what, down } => self.land(who, request, what, down),
            Event::Answer { who, .. } | Event::Wake(who) | Event::Cancel(who) => {
                let actor = &mut self.actors[who];
                if actor.is_over() || actor.session.is_none() {
                    return Ok(());
                }
                if actor.paused.is_some() {
                    actor.backlog.push(event);
                    return Ok(());
                }
                self.tell(who, event);
                self.settle(who)
            }
            Event::ChildEnds(who) => self.child_ends(who),
            Event::Guard(who) => self.guard(who),
            Event::Crash(who) => {
                let actor = &mut self.actors[who];
                if actor.finished.is_none() {
                    actor.crashed = true;
                }
                Ok(())
            }
            Event::Pause(who, span) => {
                let until = self.now + span;
                self.actors[who].paused = Some(until);
                self.at(until, Event::Resume(who));
                Ok(())
            }
            Event::Resume(who) => self.resume(who),
            Event::Delete => {
                self.delete();
                Ok(())
            }
            Event::Revoke(who) => {
                let by = Self::operator(self.actors[who].now(self.now).wall);
                let name = self.actors[who].name.clone();
                self.operate(&name, |record| transition::revoke(record, &name, &by))
            }
            Event::Remove(who) => {
                let wall = self.actors[who].now(self.now).wall;
                let name = self.actors[who].name.clone();
                self.operate(&name, |record| transition::remove(record, &name, &Self::operator(wall), wall))
            }
            Event::Calm => {
                self.calm = true;
                self.network = self.network.calm();
                self.outages.clear();
                Ok(())
            }
        }
    }

    /// The record goes, once everyone has seen that it was held, and for how long it may be: those who have not
    /// cannot know, and the protocol promises nothing for them. With it goes every write-on-absence that was sent before and has not
    /// landed: no protocol can tell the second absence from the first one.
    fn delete(&mut self) {
        let held = self.record.iter().flat_map(|record| &record.holders);
        let longest = held.map(|holder| Duration::from_millis(holder.lease_ms)).max();
        let innocent = |actor: &Actor| {
            let knows = actor.seen.is_some_and(|seen| longest.is_none_or(|longest| seen >= longest));
            !actor.is_over() && actor.session.is_some() && !knows
        };
        if self.record.is_none() || self.actors.iter().any(innocent) {
            if !self.calm {
                self.at(self.now + 50 * MS, Event::Delete);
            }
            return;
        }
        self.record = None;
        self.events.retain(|_, event| {
            !matches!(**event, Event::Land { what: Request::Write { expected: None, .. }, .. })
        });
    }

    fn operator(at: jiff::Timestamp) -> Intervention {
        Intervention { by: "ops".into(), reason: "test".into(), at }
    }

    fn operate(&mut self, about: &str, change: impl FnOnce(&Record) -> Option<Record>) -> Verdict {
        let Some(before) = self.record.clone() else { return Ok(()) };
        let Some(mut after) = change(&before) else { return Ok(()) };
        self.count += 1;
        after.stamp = format!("ops/{}", self.count);
        self.record = Some(after.clone());
        self.judge.landed(self.now, Author::Operator(about), Some(&before), &after)
    }

    fn resume(&mut self, who: usize) -> Verdict {
        if self.actors[who].paused.is_none_or(|until| until > self.now) {
            return Ok(());
        }
        self.actors[who].paused = None;
        self.actors[who].wake = None;
        for event in std::mem::take(&mut self.actors[who].backlog) {
            if !self.actors[who].is_over() {
                self.tell(who, event);
                self.settle(who)?;
            }
        }
        if self.actors[who].session.is_some() { self.settle(who) } else { Ok(()) }
    }

    pub(super) fn send(&mut self, who: usize, what: Request, timeout: Duration) {
        let actor = &mut self.actors[who];
        actor.request += 1;
        actor.writes += u64::from(matches!(what, Request::Write { .. }));
        let request = actor.request;
        let clock: LocalClock = actor.plan.clock;
        let late = Answer::Failed { refused: false, transient: true };
        self.at(self.now + clock.span(timeout), Event::Answer { who, request, answer: late });
        let sent = Sent { who, what: &what };
        let scripted = self.script.as_mut().and_then(|script| script(&sent));
        let fate = scripted.unwrap_or_else(|| self.network.draw(&mut self.rng));
        self.note(|| format!("  s{who}: request {request} {fate:?}"));
        match fate {
            Fate::Answered { up, down } => {
                self.at(self.now + up, Event::Land { who, request, what, down: Some(down) });
            }
            Fate::AnswerLost { up } => {
                self.at(self.now + up, Event::Land { who, request, what, down: None });
            }
            Fate::Lost => {}
            Fate::Throttled { after } => {
                let answer = Answer::Failed { refused: true, transient: true };
                self.at(self.now + after, Event::Answer { who, request, answer });
            }
        }
    }

    /// A request reaches the store, or the wall in front of it.
    fn land(&mut self, who: usize, request: u64, what: Request, down: Option<Nanos>) -> Verdict {
        let outage = self.outages.iter().find(|outage| {
            (outage.from..outage.until).contains(&self.now) && outage.who.is_none_or(|one| one == who)
        });
        let answer = match outage {
            Some(Outage { says_so: false, .. }) => return Ok(()),
            Some(_) => Answer::Failed { refused: false, transient: true },
            None => self.serve(who, what)?,
        };
        if let Some(down) = down {
            self.at(self.now + down, Event::Answer { who, request, answer });
        }
        Ok(())
    }

    fn serve(&mut self, who: usize, what: Request) -> Result<Answer, String> {
        let Request::Write { expected, record: written } = what else {
            return Ok(Answer::Read(self.record.clone()));
        };
        if expected.as_ref() != self.record.as_ref().map(|record| &record.stamp) {
            return Ok(Answer::Conflict(self.record.clone()));
        }
        let name = self.actors[who].name.clone();
        let landing = match self.mutant {
            Some(mutant) => mutant.landing(&name, self.record.as_ref(), written),
            None => Some(written),
        };
        let Some(record) = landing else { return Ok(Answer::Written) };
        let before = self.record.replace(record);
        self.note(|| format!("  s{who}: landed"));
        let after = self.record.as_ref().unwrap();
        self.judge.landed(self.now, Author::Session(&name), before.as_ref(), after)?;
        Ok(Answer::Written)
    }
}
