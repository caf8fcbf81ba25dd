//! A guardian: the loops of `guardian::process` and `guardian::takeover` for one lock and one child.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tfguard::clock::{Clock, SLICE};
use tfguard::guardian::Vigil;
use tfguard::lease::session::Notice;
use tfguard::lease::transition::Ending;
use tfguard::lease::{Deadlines, Outcome};
use tfguard::lock::{self, Update};
use tfguard::supervisor::stop::{Happening, Stop};

use super::machine::{Flaw, Process, SimClock};
use super::supervisor::Actor;
use super::world::World;

/// How often it looks whether the child is gone, as `guardian::takeover` does.
const LOOK: Duration = Duration::from_millis(25);

/// Guards a run until its supervisor takes leave, or in its place.
pub(super) async fn guard(actor: Arc<Actor>, world: Arc<World>) {
    let Some(process) = actor.guardian.clone() else { return };
    let (clock, desk) = (SimClock(Arc::clone(&process)), &actor.desk);
    let mut vigil = Vigil::default();
    loop {
        if desk.over.load(Ordering::Relaxed) {
            return;
        }
        if desk.orphaned.load(Ordering::Relaxed) {
            break;
        }
        let child = desk.child().filter(|child| child.dead().is_none());
        let lease = desk.tenure().map(|tenure| tenure.deadlines());
        let rest = match (&child, lease) {
            // Where no alarm of the system's counts during suspend.
            (Some(child), Some(lease)) => {
                vigil.rest(lease, clock.now().mono, || child.dead().is_none()).min(SLICE)
            }
            _ => SLICE,
        };
        tokio::select! {
            biased;
            // All that was said counts before the clock does.
            () = async { desk.said.notified().await; process.runs().await } => continue,
            () = clock.sleep(rest) => {}
        }
        if let (Some(child), Some(lease)) = (desk.child(), desk.tenure().map(|tenure| tenure.deadlines())) {
            let due = vigil.look(lease, clock.now().mono);
            if process.flaw == Some(Flaw::NoVigil) {
                continue;
            }
            if due.interrupt && desk.take_token() {
                world.count(|tally| tally.vigils += 1);
                child.interrupt();
            }
            if due.kill && process.flaw != Some(Flaw::NoKill) {
                child.kill();
            }
        }
    }
    take_over(&actor, &world, &process, clock).await;
}

async fn take_over(actor: &Arc<Actor>, world: &Arc<World>, process: &Arc<Process>, clock: SimClock) {
    let desk = &actor.desk;
    let Some(tenure) = desk.tenure() else { return };
    world.note(|| format!("{}: guardian takes over", actor.name));
    world.count(|tally| tally.takeovers += 1);
    let store = actor.store(world, process);
    let mut lock = lock::resume(tenure, Actor::lock_name(), store, clock.clone(), !actor.seed);
    let mut stop = Stop::new(actor.limits());
    let deadlines =
        |desk: &super::supervisor::Desk| -> Option<Deadlines> { Some(desk.tenure()?.deadlines()) };
    let mut handle = |happening| {
        desk.apply(stop.handle(happening, false, clock.now().mono), process.flaw);
    };
    deadlines(desk).into_iter().for_each(|lease| handle(Happening::Lease(lease)));
    handle(Happening::Orphaned);
    loop {
        while let Some(update) = lock.pending_update() {
            match update {
                Update::Notice(Notice::Lost(_), _) => handle(Happening::Lost),
                Update::Notice(_, Some(tenure)) => desk.renewed(&tenure),
                Update::Notice(..) | Update::Trouble(_) | Update::Finished(..) => {}
            }
        }
        deadlines(desk).into_iter().for_each(|lease| handle(Happening::Lease(lease)));
        if desk.child().is_none_or(|child| child.dead().is_some()) {
            break;
        }
        handle(Happening::Tick);
        clock.sleep(LOOK).await;
    }
    lock.release(Ending { changed: true, ..Ending::new(Outcome::Crashed, None) });
    actor.drain(world, &mut lock).await;
}
