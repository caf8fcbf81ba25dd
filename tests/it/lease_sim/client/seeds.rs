//! Random worlds of the real client.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tfguard::lease::Mode;
use tfguard::lease::session::{Finish, Wait};
use tokio::task::JoinSet;

use super::super::clock::{LocalClock, MS, Nanos, RATES, SEC};
use super::super::judge::Verdict;
use super::super::network::Network;
use super::super::range;
use super::super::world::Outage;
use super::guardian;
use super::machine::{Epoch, Flaw, Process, Span};
use super::supervisor::{Actor, Desk, Plan};
use super::world::{Faults, Tally, World};

/// How many worlds are looked at unless somebody says otherwise.
const SEEDS: u64 = 250;
/// When faults end.
const CALM: Nanos = 60 * SEC;
/// How far off a clock may be, in microseconds a second. The looks of a guardian are up to 28 ms apart, which is
/// what it takes from the 10 % that the protocol allows a lease of 10 s.
const OFF: u64 = 95_000;
/// How long what is still on its way may take.
const TAIL: Nanos = 100 * SEC;

#[test]
fn the_real_client_keeps_the_rules() {
    range::look("lease_sim::client::seeds::the_real", SEEDS, play);
}

#[test]
fn a_seed_plays_the_same_world_again() {
    for seed in 0..10 {
        let tell = || within(async { Scene::random(seed).tell().await });
        assert_eq!(tell(), tell(), "seed {seed}");
    }
}

#[test]
fn every_flaw_is_found_out() {
    let flaws = [
        (Flaw::NoKill, "after the last moment of its lease"),
        (Flaw::NoKill, "overlap"),
        (Flaw::NoVigil, "after the last moment of its lease"),
        (Flaw::LongSleep, "after the last moment of its lease"),
        (Flaw::ClockStops, "after the last moment of its lease"),
        (Flaw::EarlyRelease, "leaves the holders while its child runs"),
    ];
    for (flaw, word) in flaws {
        let verdict = |seed| within(async { Scene::random(seed).flawed(flaw).play(false).await.1 });
        let found = (0..SEEDS).find(|seed| verdict(*seed).is_err_and(|broken| broken.contains(word)));
        println!("{flaw:?}: found out by {found:?}");
        assert!(found.is_some(), "{flaw:?} is not found out in {SEEDS} seeds by {word:?}");
    }
}

#[test]
fn the_worlds_hold_what_they_are_made_for() {
    let mut sum = Tally::default();
    for seed in 0..100 {
        let tally = within(async { Scene::random(seed).play(false).await.0.tally() });
        sum.children += tally.children;
        sum.killed += tally.killed;
        sum.overtaken += tally.overtaken;
        sum.takeovers += tally.takeovers;
        sum.vigils += tally.vigils;
        sum.lost += tally.lost;
    }
    println!("{sum:?}");
    let Tally { children, killed, overtaken, takeovers, vigils, lost } = sum;
    assert!([children, killed, overtaken, takeovers, vigils, lost].iter().all(|count| *count > 0), "{sum:?}");
}

fn play(seed: u64, trace: bool) -> Verdict {
    within(async { Scene::random(seed).play(trace).await.1 })
}

fn within<T>(world: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(world)
}

/// A world that has not begun.
struct Scene {
    epoch: Epoch,
    actors: Vec<Arc<Actor>>,
    /// Whose machine goes dark, and when.
    dark: Vec<(usize, Nanos)>,
    revoked: Vec<(usize, Nanos)>,
    faults: Faults,
}

impl Scene {
    /// The world of a seed.
    fn random(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let faults = Faults {
            seed: rng.u64(..),
            network: Network::random(&mut rng),
            outages: Vec::new(),
            expired: Vec::new(),
            wakes: rng.bool(),
            hangs: [0, 0, 0, 200][rng.usize(0..4)],
        };
        let mut scene =
            Self { epoch: Epoch::start(), actors: Vec::new(), dark: Vec::new(), revoked: Vec::new(), faults };
        let contenders = rng.usize(2..=8);
        let shared = [0, 0, 30, 60][rng.usize(0..4)];
        let arrivals = [SEC, 30 * SEC][rng.usize(0..2)];
        let lease = [10, 10, 15, 30][rng.usize(0..4)];
        for _ in 0..contenders {
            let most = if rng.bool() { 60 * SEC } else { 5 * SEC };
            // Some children do not stop when told to.
            let longest = if rng.u8(0..3) == 0 { 100 * SEC } else { 5 * SEC };
            let mut plan = Plan {
                start: rng.u64(0..arrivals),
                mode: if rng.u8(0..100) < shared { Mode::Shared } else { Mode::Exclusive },
                wait: match rng.u8(0..10) {
                    0 => Wait::Not,
                    1 | 2 => Wait::AtMost(Duration::from_millis(rng.u64(0..40_000))),
                    _ => Wait::Forever,
                },
                lease: Duration::from_secs(if rng.u8(0..4) == 0 { lease * 2 } else { lease }),
                work: rng.u64(0..most),
                grace: rng.u64(0..longest),
                stop_timeout: (rng.u8(0..4) == 0).then(|| Duration::from_millis(rng.u64(0..10_000))),
                clock: LocalClock::random(&mut rng),
            };
            let truth = LocalClock::TRUE.rate;
            plan.clock.rate = plan.clock.rate.clamp(truth - OFF, truth + OFF);
            scene.add(plan, &mut rng);
        }
        if rng.bool() {
            for _ in 0..rng.u8(1..=3) {
                let (from, until) = span(&mut rng, 50 * SEC);
                scene.faults.outages.push(Outage { from, until, who: None, says_so: rng.bool() });
            }
        }
        // The one who comes last finds out whether the lock can still be had.
        scene.push(Plan { start: CALM + rng.u64(0..SEC), ..Plan::last() }, &mut rng, |_, _| {});
        scene
    }

    /// A run with all that may befall it.
    fn add(&mut self, plan: Plan, rng: &mut fastrand::Rng) {
        let who = self.actors.len();
        let one_in = |rng: &mut fastrand::Rng, n: u8| rng.u8(0..n) == 0;
        if one_in(rng, 5) {
            let (from, until) = span(rng, 40 * SEC);
            self.faults.outages.push(Outage { from, until, who: Some(who), says_so: rng.bool() });
        }
        if one_in(rng, 12) {
            let expired = span(rng, 20 * SEC);
            self.faults.expired.push((who, expired));
        }
        if one_in(rng, 20) {
            self.revoked.push((who, rng.u64(0..CALM)));
        }
        if one_in(rng, 12) {
            self.dark.push((who, rng.u64(0..CALM)));
        }
        self.push(plan, rng, |actor, rng| {
            let mut freeze = |n: u8| if one_in(rng, n) { vec![span(rng, 40 * SEC)] } else { Vec::new() };
            let (suspended, supervisor) = (freeze(4), freeze(4));
            let (guardian, child) = (freeze(6), freeze(8));
            let process = |old: &Process, stopped| {
                Arc::new(Process { suspended: suspended.clone(), stopped, ..old.clone() })
            };
            actor.child = process(&actor.child, child);
            actor.guardian = (!one_in(rng, 8)).then(|| process(&actor.child, guardian));
            actor.supervisor = process(&actor.supervisor, supervisor);
            actor.cancel = one_in(rng, 6).then(|| rng.u64(0..CALM));
            actor.crash = one_in(rng, 5).then(|| actor.machine_runs(rng.u64(0..CALM)));
        });
    }

    fn push(
        &mut self,
        plan: Plan,
        rng: &mut fastrand::Rng,
        change: impl FnOnce(&mut Actor, &mut fastrand::Rng),
    ) {
        let who = self.actors.len();
        let process = Arc::new(Process {
            epoch: self.epoch,
            clock: plan.clock,
            suspended: Vec::new(),
            stopped: Vec::new(),
            flaw: None,
        });
        let mut actor = Actor {
            who,
            name: format!("s{who}"),
            plan,
            supervisor: Arc::clone(&process),
            guardian: Some(Arc::clone(&process)),
            child: process,
            cancel: None,
            crash: None,
            seed: rng.u64(..),
            desk: Desk::default(),
        };
        change(&mut actor, rng);
        // A machine that goes dark takes its supervisor with it.
        if let Some((_, dark)) = self.dark.iter().find(|(dark, _)| *dark == who) {
            actor.crash = Some(actor.crash.map_or(*dark, |crash| crash.min(*dark)));
        }
        self.actors.push(Arc::new(actor));
    }

    /// The same, with this broken in every process.
    fn flawed(mut self, flaw: Flaw) -> Self {
        for actor in &mut self.actors {
            let actor = Arc::get_mut(actor).unwrap();
            let process = |old: &Process| Arc::new(Process { flaw: Some(flaw), ..old.clone() });
            actor.guardian = actor.guardian.as_deref().map(process);
            actor.supervisor = process(&actor.supervisor);
        }
        self
    }

    /// Runs to the end and asks what only the end can show.
    async fn play(self, trace: bool) -> (Arc<World>, Verdict) {
        let Self { epoch, actors, dark, revoked, faults } = self;
        let world = Arc::new(World::new(epoch, faults, trace));
        for (who, at) in revoked {
            let world = Arc::clone(&world);
            tokio::spawn(async move {
                epoch.until(at).await;
                world.revoke(who);
            });
        }
        let calm = Arc::clone(&world);
        tokio::spawn(async move {
            epoch.until(CALM).await;
            calm.calm();
        });
        let mut lives = JoinSet::new();
        for actor in &actors {
            let dark = dark.iter().find(|(who, _)| *who == actor.who).map(|(_, at)| *at);
            lives.spawn(Arc::clone(actor).live(Arc::clone(&world), dark));
        }
        let all = async {
            while let Some(life) = lives.join_next().await {
                life.unwrap();
            }
        };
        tokio::select! {
            biased;
            () = world.stopped.notified() => {}
            () = all => {
                epoch.after(TAIL).await;
                world.judge(world.is_free());
                actors.iter().for_each(|actor| world.judge(actor.judge(epoch)));
            }
            () = epoch.until(CALM + bound(&actors)) => {
                let waits = actors.iter().find(|actor| actor.desk.finish.lock().unwrap().is_none());
                let name = waits.map_or("nobody", |actor| &actor.name);
                world.judge(Err(format!("starved: {name} is not over at the end")));
            }
        }
        let verdict = world.verdict();
        (world, verdict)
    }

    /// What happens, as text.
    async fn tell(self) -> String {
        let (world, _) = self.play(true).await;
        world.story()
    }
}

impl Plan {
    fn last() -> Self {
        Self {
            start: CALM,
            mode: Mode::Exclusive,
            wait: Wait::Forever,
            lease: Duration::from_secs(30),
            work: MS,
            grace: MS,
            stop_timeout: None,
            clock: LocalClock::TRUE,
        }
    }
}

impl Actor {
    /// The first moment from `at` on at which its machine runs.
    fn machine_runs(&self, at: Nanos) -> Nanos {
        Process { stopped: Vec::new(), ..(*self.child).clone() }.thaw(at)
    }

    /// All of its processes, from the first to the last.
    async fn live(self: Arc<Self>, world: Arc<World>, dark: Option<Nanos>) {
        let epoch = self.supervisor.epoch;
        let mut run = tokio::spawn(Arc::clone(&self).run(Arc::clone(&world)));
        let mut guardian = tokio::spawn(guardian::guard(Arc::clone(&self), Arc::clone(&world)));
        let crash = async {
            match self.crash {
                Some(at) => epoch.until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            ended = &mut run => {
                ended.unwrap();
                self.desk.over.store(true, Ordering::Relaxed);
            }
            () = crash => {
                world.note(|| format!("{}: supervisor is killed", self.name));
                run.abort();
                let _ = run.await;
                self.desk.orphaned.store(true, Ordering::Relaxed);
            }
        }
        self.desk.said.notify_one();
        let darkness = async {
            match dark {
                Some(at) => epoch.until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = darkness => {
                world.note(|| format!("{}: machine goes dark", self.name));
                guardian.abort();
                let _ = guardian.await;
                self.desk.child().iter().for_each(|child| child.kill());
            }
            ended = &mut guardian => ended.unwrap(),
        }
        if let Some(child) = self.desk.child() {
            child.ended().await;
        }
    }

    /// What must be true of one who is through.
    fn judge(&self, epoch: Epoch) -> Verdict {
        let finish = self.desk.finish.lock().unwrap();
        match &*finish {
            None if self.crash.is_some_and(|crash| crash <= epoch.now()) => Ok(()),
            None => Err(format!("{} never ended", self.name)),
            Some(Finish::Held(_)) if self.plan.wait == Wait::Forever => {
                Err(format!("{} gave up, and was to wait for ever", self.name))
            }
            Some(finish) if self.plan.start >= CALM && *finish != Finish::Released => {
                Err(format!("{}, who came last, ended as {finish:?}", self.name))
            }
            Some(_) => Ok(()),
        }
    }
}

fn span(rng: &mut fastrand::Rng, longest: Nanos) -> Span {
    let from = rng.u64(0..CALM);
    let longest = [SEC, longest, longest][rng.usize(0..3)];
    (from, (from + rng.u64(0..longest)).min(CALM))
}

/// Nobody waits longer than this once faults are over: everyone works, or is dead and has to be watched for its patience.
fn bound(actors: &[Arc<Actor>]) -> Nanos {
    let slowest = LocalClock { rate: *RATES.start(), ..LocalClock::TRUE };
    let each = |actor: &Arc<Actor>| {
        let plan = &actor.plan;
        let takes = |work: Nanos| plan.clock.span(Duration::from_nanos(work));
        takes(plan.work) + takes(plan.grace) + slowest.span(plan.lease * 11 / 10) + 20 * SEC
    };
    actors.iter().map(each).sum()
}
