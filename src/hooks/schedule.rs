//! Which hook is started next, and which one is killed when. Pure: it is told the time.
//!
//! Every kind of hook has a lane of its own, in which one runs at a time, in the order of the events.
//! A hook that hangs so keeps the later ones of its kind waiting, and nothing else. What has not
//! been started yet and is overtaken by what happened since is never started.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::tap::Firing;
use crate::lease::Instant;
use crate::report::event::Hook;

/// What is to be done. A [`Effect::Start`] is answered with [`Schedule::ended`] when that hook has
/// ended, at once where it cannot be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Start this one.
    Start(Firing),
    /// Kill the one that runs in this lane.
    Kill(Hook, Why),
    /// This one will not be started.
    Drop(Firing),
}

/// Why a hook is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Its time is up.
    TimedOut,
    /// The run is over.
    Stopped,
}

/// The lanes.
#[derive(Debug)]
pub struct Schedule {
    timeout: Duration,
    lanes: BTreeMap<Hook, Lane>,
    /// When everything has to be over.
    over: Option<Instant>,
    stopped: bool,
}

#[derive(Debug, Default)]
struct Lane {
    running: Option<Run>,
    queue: VecDeque<Firing>,
}

#[derive(Debug)]
struct Run {
    kill_at: Instant,
    killed: bool,
}

impl Schedule {
    /// Each hook may take `timeout`.
    pub fn new(timeout: Duration) -> Self {
        Self { timeout, lanes: BTreeMap::new(), over: None, stopped: false }
    }

    /// Something has happened.
    #[must_use]
    pub fn fire(&mut self, firing: Firing, now: Instant) -> Vec<Effect> {
        if self.stopped {
            return vec![Effect::Drop(firing)];
        }
        // Nobody has to be told of a wait that is over.
        if firing.hook != Hook::Waiting
            && let Some(waiting) = self.lanes.get_mut(&Hook::Waiting)
        {
            waiting.queue.retain(|waits| waits.lock != firing.lock);
        }
        let lane = self.lanes.entry(firing.hook).or_default();
        let newest_only = matches!(firing.hook, Hook::Waiting | Hook::AtRisk);
        match lane.queue.iter_mut().find(|queued| newest_only && queued.lock == firing.lock) {
            Some(queued) => *queued = firing,
            None => lane.queue.push_back(firing),
        }
        self.start(now)
    }

    /// The hook that ran in this lane has ended, with all that it left.
    #[must_use]
    pub fn ended(&mut self, hook: Hook, now: Instant) -> Vec<Effect> {
        if let Some(lane) = self.lanes.get_mut(&hook) {
            lane.running = None;
        }
        self.start(now)
    }

    /// Time has passed.
    #[must_use]
    pub fn tick(&mut self, now: Instant) -> Vec<Effect> {
        if self.over.is_some_and(|over| now >= over) {
            return self.stop();
        }
        let mut effects = Vec::new();
        for (hook, lane) in &mut self.lanes {
            if let Some(run) = lane.running.as_mut().filter(|run| !run.killed && now >= run.kill_at) {
                run.killed = true;
                effects.push(Effect::Kill(*hook, Why::TimedOut));
            }
        }
        effects
    }

    /// The run is over: what is left has `within` from here, all of it together.
    pub fn close(&mut self, within: Duration, now: Instant) {
        self.over.get_or_insert(now + within);
        if let Some(waiting) = self.lanes.get_mut(&Hook::Waiting) {
            waiting.queue.clear();
        }
    }

    /// Nothing is started any more, and what runs is killed.
    #[must_use]
    pub fn stop(&mut self) -> Vec<Effect> {
        self.stopped = true;
        self.over = None;
        let mut effects = Vec::new();
        for (hook, lane) in &mut self.lanes {
            if let Some(run) = lane.running.as_mut().filter(|run| !run.killed) {
                run.killed = true;
                effects.push(Effect::Kill(*hook, Why::Stopped));
            }
            effects.extend(lane.queue.drain(..).map(Effect::Drop));
        }
        effects
    }

    /// When [`Schedule::tick`] is due.
    pub fn wake_at(&self) -> Option<Instant> {
        let runs = self.lanes.values().filter_map(|lane| lane.running.as_ref());
        runs.filter(|run| !run.killed).map(|run| run.kill_at).chain(self.over).min()
    }

    /// Nothing runs and nothing waits to.
    pub fn is_idle(&self) -> bool {
        self.lanes.values().all(|lane| lane.running.is_none() && lane.queue.is_empty())
    }

    fn start(&mut self, now: Instant) -> Vec<Effect> {
        let kill_at = now + self.timeout;
        let mut effects = Vec::new();
        for lane in self.lanes.values_mut().filter(|lane| lane.running.is_none()) {
            if let Some(firing) = lane.queue.pop_front() {
                lane.running = Some(Run { kill_at, killed: false });
                effects.push(Effect::Start(firing));
            }
        }
        effects
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const TEN: Duration = Duration::from_secs(10);

    fn at(second: u64) -> Instant {
        Instant::from_nanos(0) + SECOND * u32::try_from(second).unwrap()
    }

    fn firing(hook: Hook, lock: &str, line: &str) -> Firing {
        Firing { hook, lock: lock.into(), generation: None, line: line.into() }
    }

    fn schedule() -> Schedule {
        Schedule::new(TEN)
    }

    /// The lines of those that are started.
    fn started(effects: Vec<Effect>) -> Vec<String> {
        let line = |effect| match effect {
            Effect::Start(firing) => firing.line,
            other => format!("{other:?}"),
        };
        effects.into_iter().map(line).collect()
    }

    #[test]
    fn one_of_a_kind_runs_at_a_time_and_in_order() {
        let mut schedule = schedule();
        assert_eq!(started(schedule.fire(firing(Hook::Released, "b", "1"), at(0))), ["1"]);
        assert_eq!(started(schedule.fire(firing(Hook::Released, "a", "2"), at(1))), [""; 0]);
        assert_eq!(started(schedule.fire(firing(Hook::Released, "c", "3"), at(1))), [""; 0]);
        assert_eq!(started(schedule.ended(Hook::Released, at(2))), ["2"]);
        assert_eq!(started(schedule.ended(Hook::Released, at(3))), ["3"]);
        assert!(!schedule.is_idle());
        assert_eq!(schedule.ended(Hook::Released, at(4)), []);
        assert!(schedule.is_idle());
    }

    #[test]
    fn one_that_hangs_keeps_no_other_kind_waiting() {
        let mut schedule = schedule();
        assert_eq!(started(schedule.fire(firing(Hook::Waiting, "a", "w"), at(0))), ["w"]);
        assert_eq!(started(schedule.fire(firing(Hook::Acquired, "a", "a"), at(1))), ["a"]);
        assert_eq!(schedule.tick(at(9)), []);
        assert_eq!(schedule.wake_at(), Some(at(10)));
        assert_eq!(schedule.tick(at(10)), [Effect::Kill(Hook::Waiting, Why::TimedOut)]);
        // Once.
        assert_eq!(schedule.tick(at(10)), []);
        assert_eq!(schedule.wake_at(), Some(at(11)));
        assert_eq!(schedule.tick(at(11)), [Effect::Kill(Hook::Acquired, Why::TimedOut)]);
        assert_eq!(schedule.wake_at(), None);
    }

    #[test]
    fn waits_do_not_pile_up() {
        let mut schedule = schedule();
        assert_eq!(started(schedule.fire(firing(Hook::Waiting, "a", "1"), at(0))), ["1"]);
        for line in ["2", "3", "4"] {
            assert_eq!(schedule.fire(firing(Hook::Waiting, "a", line), at(1)), []);
        }
        assert_eq!(started(schedule.ended(Hook::Waiting, at(2))), ["4"]);
        assert_eq!(schedule.ended(Hook::Waiting, at(3)), []);
    }

    #[test]
    fn a_wait_that_is_over_is_not_told_any_more() {
        let mut schedule = schedule();
        assert_eq!(started(schedule.fire(firing(Hook::Waiting, "a", "1"), at(0))), ["1"]);
        assert_eq!(schedule.fire(firing(Hook::Waiting, "a", "2"), at(1)), []);
        assert_eq!(started(schedule.fire(firing(Hook::Acquired, "a", "got"), at(2))), ["got"]);
        assert_eq!(schedule.ended(Hook::Waiting, at(3)), []);
    }

    #[test]
    fn at_the_end_all_have_one_timeout_together() {
        let mut schedule = schedule();
        assert_eq!(started(schedule.fire(firing(Hook::Released, "b", "1"), at(0))), ["1"]);
        assert_eq!(schedule.fire(firing(Hook::Released, "a", "2"), at(0)), []);
        assert_eq!(schedule.fire(firing(Hook::Released, "c", "3"), at(0)), []);
        schedule.close(TEN, at(5));
        // A second time changes nothing.
        schedule.close(TEN, at(9));
        assert_eq!(started(schedule.ended(Hook::Released, at(8))), ["2"]);
        assert_eq!(schedule.wake_at(), Some(at(15)));
        let killed = Effect::Kill(Hook::Released, Why::Stopped);
        assert_eq!(schedule.tick(at(15)), [killed, Effect::Drop(firing(Hook::Released, "c", "3"))]);
        assert_eq!(schedule.ended(Hook::Released, at(15)), []);
        assert!(schedule.is_idle());
    }

    #[test]
    fn after_a_stop_nothing_is_started() {
        let mut schedule = schedule();
        assert_eq!(started(schedule.fire(firing(Hook::Acquired, "a", "1"), at(0))), ["1"]);
        assert_eq!(schedule.stop(), [Effect::Kill(Hook::Acquired, Why::Stopped)]);
        let late = firing(Hook::Released, "a", "2");
        assert_eq!(schedule.fire(late.clone(), at(1)), [Effect::Drop(late)]);
        assert_eq!(schedule.ended(Hook::Acquired, at(1)), []);
        assert!(schedule.is_idle());
    }
}
