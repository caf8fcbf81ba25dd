//! A command that runs for a while, and takes its time to stop.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tfguard::clock::Clock;
use tokio::sync::Notify;

use super::super::clock::Nanos;
use super::machine::SimClock;
use super::supervisor::Actor;
use super::world::World;

/// See the module's text.
#[derive(Debug)]
pub(super) struct Child {
    interrupt: Notify,
    kill: Notify,
    /// How it ended: whether it was killed.
    dead: Mutex<Option<bool>>,
    ended: Notify,
}

impl Child {
    /// Starts it.
    pub(super) fn start(world: &Arc<World>, actor: &Arc<Actor>) -> Arc<Self> {
        let child = Arc::new(Self {
            interrupt: Notify::new(),
            kill: Notify::new(),
            dead: Mutex::new(None),
            ended: Notify::new(),
        });
        world.child_started(actor, actor.plan.mode);
        let (this, world, actor) = (Arc::clone(&child), Arc::clone(world), Arc::clone(actor));
        tokio::spawn(async move {
            let killed = this.live(&actor).await;
            world.child_ended(&actor);
            world.count(|tally| tally.killed += u32::from(killed));
            *this.dead.lock().unwrap() = Some(killed);
            this.ended.notify_waiters();
        });
        child
    }

    /// Whether it was killed. A kill reaches also what is stopped.
    async fn live(&self, actor: &Actor) -> bool {
        let clock = SimClock(Arc::clone(&actor.child));
        // By its own running time.
        let run = |span: Nanos| clock.sleep(Duration::from_nanos(span));
        tokio::select! {
            biased;
            () = self.kill.notified() => return true,
            () = run(actor.plan.work) => return false,
            () = self.interrupt.notified() => {}
        }
        tokio::select! {
            biased;
            () = self.kill.notified() => true,
            () = run(actor.plan.grace) => false,
        }
    }

    pub(super) fn interrupt(&self) {
        self.interrupt.notify_one();
    }

    pub(super) fn kill(&self) {
        self.kill.notify_one();
    }

    /// Whether it was killed, once it is dead.
    pub(super) fn dead(&self) -> Option<bool> {
        *self.dead.lock().unwrap()
    }

    /// Waits for its end.
    pub(super) async fn ended(&self) {
        let ended = self.ended.notified();
        if self.dead().is_none() {
            ended.await;
        }
    }
}
