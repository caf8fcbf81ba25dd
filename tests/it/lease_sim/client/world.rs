//! What is true in a client's world, and the judge who sees it.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard};

use tfguard::lease::session::Finish;
use tfguard::lease::transition;
use tfguard::lease::{Intervention, Mode, Record};
use tfguard::store::{Swap, Unavailable};
use tokio::sync::Notify;

use super::super::clock::{MS, Nanos, SEC};
use super::super::judge::{Author, Judge, Verdict};
use super::super::network::{Fate, Network};
use super::super::world::Outage;
use super::machine::{Epoch, Process, Span};
use super::store::{Reply, Request, unavailable};
use super::supervisor::Actor;

/// How many lines a failure shows.
const TRACE: usize = 200;
/// How late what is left of a child is killed by somebody who runs: the looks of a guardian, which come
/// every 25 ms by its clock, and the grain of the runtime's timers.
const LATE: Nanos = 32 * MS;
/// How late by somebody who did not run just before: the longest sleep without a look at the clock by the slowest one, and that.
const SLICE: Nanos = 1_150 * MS;

/// See the module's text.
pub(super) struct World {
    pub(super) epoch: Epoch,
    /// The store tells of changes.
    pub(super) wakes: bool,
    /// One request of so many hangs, whatever its time limit says; 0: none.
    pub(super) hangs: u32,
    /// The first broken rule.
    pub(super) stopped: Notify,
    state: Mutex<State>,
}

/// What has happened in a world, to know that it does.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Tally {
    pub(super) children: u32,
    /// Children that were killed.
    pub(super) killed: u32,
    /// Children that others got past, since nobody was awake to stop them.
    pub(super) overtaken: u32,
    /// Guardians that took over.
    pub(super) takeovers: u32,
    /// Interrupts that a guardian sent to the child of a frozen supervisor.
    pub(super) vigils: u32,
    /// Locks that were found lost.
    pub(super) lost: u32,
}

/// A child that runs, and who is to stop it.
struct Running {
    actor: Arc<Actor>,
    /// Another may have begun: all who could have stopped it were not running.
    overtaken: bool,
}

struct State {
    record: Option<Record>,
    judge: Judge,
    network: Network,
    outages: Vec<Outage>,
    /// In which the credentials of one have expired.
    expired: Vec<(usize, Span)>,
    rng: fastrand::Rng,
    running: BTreeMap<String, Running>,
    writes: u64,
    /// Who wants to be told of a write.
    watchers: Vec<Arc<Notify>>,
    tally: Tally,
    broken: Option<String>,
    trace: Option<VecDeque<String>>,
}

/// The faults of a world's store.
#[derive(Debug)]
pub(super) struct Faults {
    pub(super) network: Network,
    pub(super) outages: Vec<Outage>,
    pub(super) expired: Vec<(usize, Span)>,
    pub(super) wakes: bool,
    pub(super) hangs: u32,
    pub(super) seed: u64,
}

impl World {
    pub(super) fn new(epoch: Epoch, faults: Faults, trace: bool) -> Self {
        let Faults { network, outages, expired, wakes, hangs, seed } = faults;
        let state = State {
            record: None,
            judge: Judge::default(),
            network,
            outages,
            expired,
            rng: fastrand::Rng::with_seed(seed),
            running: BTreeMap::new(),
            writes: 0,
            watchers: Vec::new(),
            tally: Tally::default(),
            broken: None,
            trace: trace.then(VecDeque::new),
        };
        Self { epoch, wakes, hangs, stopped: Notify::new(), state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// From now on nothing goes wrong.
    pub(super) fn calm(&self) {
        let mut state = self.state();
        state.network = state.network.calm();
        state.outages.clear();
        state.expired.clear();
    }

    pub(super) fn is_expired(&self, who: usize) -> bool {
        let now = self.epoch.now();
        self.state().expired.iter().any(|(one, (from, until))| *one == who && (*from..*until).contains(&now))
    }

    /// How the next request fares, and whether it hangs.
    pub(super) fn fate(&self) -> (Fate, bool) {
        let State { network, rng, .. } = &mut *self.state();
        (network.draw(rng), self.hangs > 0 && rng.u32(0..self.hangs) == 0)
    }

    /// A request reaches the store. `None`: it says nothing.
    pub(super) fn land(&self, who: usize, request: Request) -> Option<Reply> {
        let now = self.epoch.now();
        let mut state = self.state();
        let outage = state.outages.iter().find(|outage| {
            (outage.from..outage.until).contains(&now) && outage.who.is_none_or(|one| one == who)
        });
        match outage {
            Some(Outage { says_so: false, .. }) => return None,
            Some(_) => return Some(Reply::Fails(unavailable(Unavailable::Failed))),
            None => {}
        }
        let Request::Swap { expected, record } = request else {
            return Some(Reply::Read(state.record.clone()));
        };
        if expected.as_ref() != state.record.as_ref().map(|record| &record.stamp) {
            return Some(Reply::Swap(Swap::Conflict(state.record.clone())));
        }
        let name = format!("s{who}");
        let before = state.record.replace((*record).clone());
        let verdict = state.judge.landed(now, Author::Session(&name), before.as_ref(), &record);
        drop(state);
        self.note(|| format!("  s{who}: landed {}", record.stamp));
        self.tell_watchers();
        self.judge(verdict);
        Some(Reply::Swap(Swap::Written))
    }

    /// What is told whenever a write takes effect.
    pub(super) fn landed(&self) -> Arc<Notify> {
        let landed = Arc::new(Notify::new());
        self.state().watchers.push(Arc::clone(&landed));
        landed
    }

    fn tell_watchers(&self) {
        // In the order in which they came: a seed plays the same world again.
        self.state().watchers.iter().for_each(|watcher| watcher.notify_one());
    }

    pub(super) fn count(&self, what: impl FnOnce(&mut Tally)) {
        what(&mut self.state().tally);
    }

    pub(super) fn tally(&self) -> Tally {
        self.state().tally
    }

    /// An operator asks a holder to stop.
    pub(super) fn revoke(&self, who: usize) {
        let name = format!("s{who}");
        let mut state = self.state();
        let by = Intervention { by: "ops".into(), reason: "test".into(), at: jiff::Timestamp::UNIX_EPOCH };
        let Some(before) = state.record.clone() else { return };
        let Some(mut after) = transition::revoke(&before, &name, &by) else { return };
        state.writes += 1;
        after.stamp = format!("ops/{}", state.writes);
        state.record = Some(after.clone());
        let verdict = state.judge.landed(self.epoch.now(), Author::Operator(&name), Some(&before), &after);
        drop(state);
        self.note(|| format!("{name} is revoked"));
        self.tell_watchers();
        self.judge(verdict);
    }

    /// A child starts. One that nobody was awake to stop may still be there: it is not a rival, but must go soon.
    pub(super) fn child_started(&self, actor: &Arc<Actor>, mode: Mode) {
        self.note(|| format!("{}: child starts", actor.name));
        let now = self.epoch.now();
        let mut state = self.state();
        let State { running, judge, tally, .. } = &mut *state;
        tally.children += 1;
        for (name, other) in running.iter_mut().filter(|(_, other)| !other.overtaken) {
            if other.actor.overslept(now) {
                other.overtaken = true;
                tally.overtaken += 1;
                judge.child_ended(name);
            }
        }
        running.insert(actor.name.clone(), Running { actor: Arc::clone(actor), overtaken: false });
        let verdict = judge.child_started(&actor.name, mode);
        drop(state);
        self.judge(verdict);
    }

    /// A child has ended: in time by the newest lease that is known.
    pub(super) fn child_ended(&self, actor: &Actor) {
        self.note(|| format!("{}: child is dead", actor.name));
        let now = self.epoch.now();
        let mut state = self.state();
        state.running.remove(&actor.name);
        state.judge.child_ended(&actor.name);
        drop(state);
        self.judge(actor.dead_in_time(now));
    }

    /// A session is over.
    pub(super) fn finished(&self, who: usize, finish: &Finish) {
        let name = format!("s{who}");
        self.note(|| format!("{name}: over, {finish:?}"));
        let mut state = self.state();
        let State { judge, record, .. } = &mut *state;
        let verdict = judge.finished(&name, finish.is_clean(), record.as_ref());
        drop(state);
        self.judge(verdict);
    }

    /// Keeps the first rule that was broken.
    pub(super) fn judge(&self, verdict: Verdict) {
        let Err(broken) = verdict else { return };
        self.note(|| format!("BROKEN: {broken}"));
        self.state().broken.get_or_insert(broken);
        self.stopped.notify_one();
    }

    /// The verdict so far, with what happened before it.
    pub(super) fn verdict(&self) -> Verdict {
        let broken = self.state().broken.clone();
        broken.map_or(Ok(()), |broken| Err(format!("{}{broken}", self.story())))
    }

    /// What happened last.
    pub(super) fn story(&self) -> String {
        let mut story = String::new();
        for line in self.state().trace.iter().flatten() {
            let _ = writeln!(story, "{line}");
        }
        story
    }

    /// At the end nobody holds and nobody waits.
    pub(super) fn is_free(&self) -> Verdict {
        match &self.state().record {
            Some(record) if record.is_free() && record.queue.is_empty() => Ok(()),
            Some(record) => Err(format!("at the end the lock is not free: {record:?}")),
            None => Err("at the end there is no record".into()),
        }
    }

    pub(super) fn note(&self, text: impl FnOnce() -> String) {
        let now = self.epoch.now();
        if let Some(trace) = &mut self.state().trace {
            if trace.len() == TRACE {
                trace.pop_front();
            }
            trace.push_back(format!("{:>12.6} s  {}", now as f64 / 1e9, text()));
        }
    }
}

impl Actor {
    /// Whether its child should be dead by now, and nobody was awake to see to it.
    fn overslept(&self, now: Nanos) -> bool {
        let Some(kill) = self.kill_at() else { return false };
        let slept = |keeper: &Process| !keeper.runs_through(kill.saturating_sub(SLICE), now);
        now > kill && self.keepers(now).iter().all(|keeper| slept(keeper))
    }

    /// Whether a child that dies now was killed in time by those who could.
    fn dead_in_time(&self, now: Nanos) -> Verdict {
        let Some(kill) = self.kill_at() else { return Ok(()) };
        let limit = self.keepers(now).iter().map(|keeper| acts_by(keeper, kill)).min();
        match limit {
            Some(limit) if now > limit => Err(format!(
                "the child of {} died {} ms after the last moment of its lease, and {} ms after somebody could have \
                 killed it",
                self.name,
                (now - kill) / MS,
                (now - limit) / MS
            )),
            _ => Ok(()),
        }
    }
}

/// When at the latest a process does what is due at `due`.
fn acts_by(keeper: &Process, due: Nanos) -> Nanos {
    if keeper.runs_through(due.saturating_sub(SLICE), due + LATE) {
        return due + LATE;
    }
    let mut from = keeper.thaw(due);
    while !keeper.runs_through(from, from + SLICE + LATE) {
        from = keeper.thaw(from + SEC / 20).max(from + SEC / 20);
    }
    from + SLICE + LATE
}
