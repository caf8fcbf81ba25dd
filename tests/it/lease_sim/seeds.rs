//! Thousands of random worlds.

use std::collections::VecDeque;
use std::time::Duration;

use tfguard::lease::session::{Finish, Wait};

use super::actor::{Actor, Plan};
use super::clock::{LocalClock, MS, Nanos, RATES, SEC};
use super::network::Network;
use super::range;
use super::world::{Event, Outage, World};

/// How many worlds are looked at unless somebody says otherwise.
const SEEDS: u64 = 2000;
/// When faults end.
const CALM: Nanos = 60 * SEC;

#[test]
fn random_worlds_keep_the_rules() {
    range::look("lease_sim::seeds", SEEDS, |seed, trace| {
        let mut world = World::random(seed);
        world.trace = trace.then(VecDeque::new);
        world.play().map_err(|broken| format!("{}{broken}", world.story()))
    });
}

impl World {
    /// The world of a seed: its size, its network and its faults are drawn.
    pub(super) fn random(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut world = Self::new(rng.u64(..));
        world.network = Network::random(&mut rng);
        let vanishing = rng.u8(0..8) == 0;
        let contenders = rng.usize(2..=12);
        let shared = if vanishing { 0 } else { [0, 0, 30, 60][rng.usize(0..4)] };
        let arrivals = if vanishing { SEC } else { [SEC, 30 * SEC][rng.usize(0..2)] };
        let lease = [10, 10, 15, 30][rng.usize(0..4)];
        for _ in 0..contenders {
            let most = if rng.u8(0..4) == 0 { 60 * SEC } else { 5 * SEC };
            let mut plan = Plan::new(rng.u64(0..arrivals)).work(rng.u64(0..most));
            plan.clock = LocalClock::random(&mut rng);
            if vanishing {
                plan.clock.wall_skew = 0;
            }
            // Some children do not stop when told to.
            let most = if rng.u8(0..4) == 0 { 100 * SEC } else { 5 * SEC };
            plan.grace = rng.u64(0..most);
            plan.lease = Duration::from_secs(if rng.u8(0..4) == 0 { lease * 2 } else { lease });
            plan.reach = Duration::from_secs(rng.u64(5..120));
            plan.release = Duration::from_secs(rng.u64(5..60));
            if rng.u8(0..100) < shared {
                plan = plan.shared();
            }
            plan.wait = match rng.u8(0..10) {
                0 => Wait::Not,
                1 | 2 => Wait::AtMost(Duration::from_millis(rng.u64(0..40_000))),
                _ => Wait::Forever,
            };
            let who = world.add(plan);
            world.afflict(who, &mut rng);
        }
        if vanishing {
            world.at(rng.u64(3 * SEC..CALM / 2), Event::Delete);
        } else if rng.bool() {
            for _ in 0..rng.u8(1..=3) {
                world.outage(None, &mut rng);
            }
        }
        world.at(CALM, Event::Calm);
        // The one who comes last finds out whether the lock can still be had. It has seen no
        // holder, so it must not come while one may still have to put its record back.
        let last = if vanishing { CALM + 80 * SEC } else { CALM + rng.u64(0..SEC) };
        world.add(Plan::new(last).work(MS));
        world
    }

    /// What may befall one supervisor.
    fn afflict(&mut self, who: usize, rng: &mut fastrand::Rng) {
        let mut moment = || rng.u64(0..CALM);
        let (crash, pause, cancel, operator) = (moment(), moment(), moment(), moment());
        if rng.u8(0..6) == 0 {
            self.at(crash, Event::Crash(who));
        }
        if rng.u8(0..6) == 0 {
            self.at(pause, Event::Pause(who, rng.u64(0..40 * SEC).min(CALM - pause)));
        }
        if rng.u8(0..6) == 0 {
            self.at(cancel, Event::Cancel(who));
        }
        if rng.u8(0..5) == 0 {
            self.outage(Some(who), rng);
        }
        if rng.u8(0..20) == 0 {
            self.at(operator, Event::Revoke(who));
        }
    }

    fn outage(&mut self, who: Option<usize>, rng: &mut fastrand::Rng) {
        let from = rng.u64(0..CALM);
        let longest = [SEC, 20 * SEC, 50 * SEC][rng.usize(0..3)];
        let until = from + rng.u64(0..longest);
        self.outages.push(Outage { from, until, who, says_so: rng.bool() });
    }

    /// Runs to the end and asks what only the end can show.
    pub(super) fn play(&mut self) -> Result<(), String> {
        self.run_until(CALM + 2 * SEC)?;
        self.run_until_over(self.now + self.bound())?;
        // Whatever is still on its way has no effect any more.
        self.run_until(self.now + 120 * SEC)?;
        for actor in &self.actors {
            actor.judge()?;
        }
        match &self.record {
            Some(record) if record.is_free() && record.queue.is_empty() => Ok(()),
            Some(record) => Err(format!("at the end the lock is not free: {record:?}")),
            None => Err("at the end there is no record".into()),
        }
    }

    /// Nobody waits longer than this once faults are over: everyone works, or is dead and has to
    /// be watched for its patience.
    fn bound(&self) -> Nanos {
        let each = |actor: &Actor| {
            let plan = &actor.plan;
            // By the slowest clock that anybody has.
            let patience = LocalClock { rate: *RATES.start(), ..LocalClock::TRUE }.span(plan.lease * 11 / 10);
            plan.work + plan.grace + patience + 20 * SEC
        };
        self.actors.iter().map(each).sum()
    }
}

impl Actor {
    /// What must be true of one who is through.
    fn judge(&self) -> Result<(), String> {
        let acquired = self.acquired_at().is_some();
        match self.finish() {
            None if self.crashed => Ok(()),
            None => Err(format!("{} never ended", self.name)),
            Some(Finish::Left | Finish::QueueFull | Finish::Refused) if acquired => {
                Err(format!("{} held the lock and ended as {:?}", self.name, self.finish()))
            }
            Some(Finish::Released) if !acquired => Err(format!("{} released what it never held", self.name)),
            Some(Finish::Held(_)) if self.plan.wait == Wait::Forever => {
                Err(format!("{} gave up, and was to wait for ever", self.name))
            }
            _ => Ok(()),
        }
    }
}
