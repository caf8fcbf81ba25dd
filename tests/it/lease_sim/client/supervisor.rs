//! A supervisor: the loops of `supervisor::acquire` and `supervisor::attend` for one lock and one child, without
//! terminals, output and words.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tfguard::clock::Clock;
use tfguard::lease::session::{Finish, Notice, Wait};
use tfguard::lease::transition::{Candidate, Ending};
use tfguard::lease::{Activity, Identity, Lease, LockName, Mode, Outcome, Tenure};
use tfguard::lock::{self, Lock, Update};
use tfguard::store::Store;
use tfguard::supervisor::stop::{Effect, Happening, Limits, Stop};
use tokio::sync::Notify;

use super::super::clock::{LocalClock, Nanos};
use super::child::Child;
use super::machine::{Flaw, Process, SimClock};
use super::store::SimStore;
use super::world::World;

/// What a run is going to do, and its processes.
#[derive(Debug)]
pub(super) struct Actor {
    pub(super) who: usize,
    pub(super) name: String,
    pub(super) plan: Plan,
    pub(super) supervisor: Arc<Process>,
    /// `None`: the run has none.
    pub(super) guardian: Option<Arc<Process>>,
    pub(super) child: Arc<Process>,
    /// When it is told to stop.
    pub(super) cancel: Option<Nanos>,
    /// When the supervisor is killed.
    pub(super) crash: Option<Nanos>,
    pub(super) seed: u64,
    pub(super) desk: Desk,
}

#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) start: Nanos,
    pub(super) mode: Mode,
    pub(super) wait: Wait,
    pub(super) lease: Duration,
    pub(super) work: Nanos,
    pub(super) grace: Nanos,
    pub(super) stop_timeout: Option<Duration>,
    pub(super) clock: LocalClock,
}

/// What supervisor and guardian share: the socket and the pipe between them.
#[derive(Debug, Default)]
pub(super) struct Desk {
    tenure: Mutex<Option<Tenure>>,
    child: Mutex<Option<Arc<Child>>>,
    /// The right to send the one interrupt was taken.
    token: AtomicBool,
    /// Something was said.
    pub(super) said: Notify,
    /// The supervisor took leave.
    pub(super) over: AtomicBool,
    /// The supervisor is dead.
    pub(super) orphaned: AtomicBool,
    /// How the run ended.
    pub(super) finish: Mutex<Option<Finish>>,
}

impl Desk {
    pub(super) fn tenure(&self) -> Option<Tenure> {
        self.tenure.lock().unwrap().clone()
    }

    pub(super) fn renewed(&self, tenure: &Tenure) {
        *self.tenure.lock().unwrap() = Some(tenure.clone());
    }

    pub(super) fn child(&self) -> Option<Arc<Child>> {
        self.child.lock().unwrap().clone()
    }

    pub(super) fn take_token(&self) -> bool {
        !self.token.swap(true, Ordering::Relaxed)
    }

    /// Does to the child what the policy wants.
    pub(super) fn apply(&self, effects: Vec<Effect>, flaw: Option<Flaw>) {
        let Some(child) = self.child() else { return };
        for effect in effects {
            match effect {
                Effect::Interrupt(_) => {
                    if self.take_token() {
                        child.interrupt();
                    }
                }
                Effect::Kill(_) if flaw == Some(Flaw::NoKill) => {}
                Effect::Kill(_) => child.kill(),
                Effect::Signal(..) | Effect::AtRisk | Effect::Continue(_) => {}
            }
        }
    }
}

impl Actor {
    pub(super) fn store(&self, world: &Arc<World>, process: &Arc<Process>) -> Arc<dyn Store> {
        Arc::new(SimStore { world: Arc::clone(world), who: self.who, process: Arc::clone(process) })
    }

    pub(super) fn lock_name() -> LockName {
        LockName::new("stage").unwrap()
    }

    pub(super) fn limits(&self) -> Limits {
        Limits { stop_timeout: self.plan.stop_timeout, ..Limits::default() }
    }

    /// When what is left of the child is to be dead, in true time.
    pub(super) fn kill_at(&self) -> Option<Nanos> {
        Some(self.plan.clock.reaches(self.desk.tenure()?.deadlines().kill))
    }

    /// Who is there at `now` to stop its child.
    pub(super) fn keepers(&self, now: Nanos) -> Vec<&Process> {
        let supervisor = self.crash.is_none_or(|crash| now < crash).then_some(self.supervisor.as_ref());
        supervisor.into_iter().chain(self.guardian.as_deref()).collect()
    }

    fn candidate(&self, clock: &SimClock) -> Candidate {
        Candidate {
            session: self.name.clone(),
            mode: self.plan.mode,
            changes: true,
            lease: Lease::new(self.plan.lease).unwrap(),
            asked_at: clock.now().wall,
            identity: Identity::default(),
        }
    }

    /// The whole run.
    pub(super) async fn run(self: Arc<Self>, world: Arc<World>) {
        let process = &self.supervisor;
        process.epoch.until(self.plan.start).await;
        process.runs().await;
        let clock = SimClock(Arc::clone(process));
        let store = self.store(&world, process);
        let mut lock = lock::start(
            self.candidate(&clock),
            self.plan.wait,
            Self::lock_name(),
            store,
            clock.clone(),
            self.seed,
        );
        let acquired = loop {
            tokio::select! {
                biased;
                () = self.cancelled() => break None,
                update = lock.update() => match update {
                    Some(Update::Notice(Notice::Acquired { .. }, Some(tenure))) => break Some(tenure),
                    Some(Update::Finished(finish, _)) => return self.over(&world, finish),
                    Some(_) => {}
                    None => return world.judge(Err(format!("the task of {} died", self.name))),
                },
            }
        };
        let Some(tenure) = acquired else {
            lock.leave();
            return self.drain(&world, &mut lock).await;
        };
        self.desk.renewed(&tenure);
        self.desk.said.notify_one();
        let ending = self.attend(&world, &clock, &mut lock, &tenure).await;
        lock.release(ending);
        self.drain(&world, &mut lock).await;
    }

    /// The child, from its start to its end.
    async fn attend(
        self: &Arc<Self>,
        world: &Arc<World>,
        clock: &SimClock,
        lock: &mut Lock,
        tenure: &Tenure,
    ) -> Ending {
        let mut stop = Stop::new(self.limits());
        let now = || clock.now().mono;
        stop.note(Happening::Lease(tenure.deadlines()), now());
        while let Some(update) = lock.pending_update() {
            if let Some(happening) = self.learn(world, update) {
                stop.note(happening, now());
            }
        }
        stop.note(Happening::Tick, now());
        let late = self.desk.tenure().is_some_and(|tenure| now() >= tenure.deadlines().stop);
        if stop.reason().is_some() || late || self.is_cancelled() {
            return Ending::NOTHING_RAN;
        }
        let child = Child::start(world, self);
        *self.desk.child.lock().unwrap() = Some(Arc::clone(&child));
        self.desk.said.notify_one();
        lock.engage(Activity::new("apply", clock.now().wall));
        stop.next_child();
        let mut cancelled = false;
        let killed = loop {
            if let Some(killed) = child.dead() {
                break killed;
            }
            let wake_at = stop.wake_at();
            let happening = tokio::select! {
                biased;
                () = async { match wake_at {
                    Some(at) => clock.sleep_until(at).await,
                    None => std::future::pending().await,
                }} => Some(Happening::Tick),
                () = self.cancelled(), if !cancelled => {
                    cancelled = true;
                    Some(Happening::Signal("SIGTERM"))
                }
                update = lock.update() => match update {
                    Some(update) => self.learn(world, update),
                    None => {
                        world.judge(Err(format!("the task of {} died", self.name)));
                        None
                    }
                },
                () = async { child.ended().await; self.supervisor.runs().await } => None,
            };
            if let Some(happening) = happening {
                let flaw = self.supervisor.flaw;
                self.desk.apply(stop.handle(happening, false, now()), flaw);
                if flaw == Some(Flaw::EarlyRelease) && stop.reason().is_some() {
                    break false;
                }
            }
        };
        let outcome = if killed { Outcome::Crashed } else { Outcome::Released };
        Ending { changed: true, ..Ending::new(outcome, (!killed).then_some(0)) }
    }

    /// What an update means for the child.
    fn learn(&self, world: &World, update: Update) -> Option<Happening> {
        let Update::Notice(notice, tenure) = update else { return None };
        if let Some(tenure) = tenure {
            self.desk.renewed(&tenure);
        }
        match notice {
            Notice::Lost(_) => {
                world.count(|tally| tally.lost += 1);
                Some(Happening::Lost)
            }
            _ => Some(Happening::Lease(self.desk.tenure()?.deadlines())),
        }
    }

    /// Waits for the end of the session.
    pub(super) async fn drain(&self, world: &World, lock: &mut Lock) {
        while let Some(update) = lock.update().await {
            if let Update::Finished(finish, _) = update {
                return self.over(world, finish);
            }
        }
        world.judge(Err(format!("the task of {} ended without a word", self.name)));
    }

    fn over(&self, world: &World, finish: Finish) {
        world.finished(self.who, &finish);
        *self.desk.finish.lock().unwrap() = Some(finish);
    }

    fn is_cancelled(&self) -> bool {
        self.cancel.is_some_and(|at| at <= self.supervisor.epoch.now())
    }

    async fn cancelled(&self) {
        match self.cancel {
            Some(at) => self.supervisor.epoch.until(at).await,
            None => std::future::pending().await,
        }
        self.supervisor.runs().await;
    }
}
