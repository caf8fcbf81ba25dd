//! The locks that a guardian keeps after its supervisor's death: each on its own, so that a store
//! that does not answer costs no other lock its lease.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::wire::Charge;
use crate::clock::{Clock, SystemClock};
use crate::history;
use crate::lease::session::Notice;
use crate::lease::transition::Ending;
use crate::lease::{Deadlines, LockName, PastRun, Teller, Tenure};
use crate::lock::{self, Lock, Update};
use crate::operate;
use crate::report::Reporter;
use crate::report::event::{Event, Level};
use crate::store::{Store, StoreResult};

/// The pause between two tries to open the store.
const REOPEN: Duration = Duration::from_secs(1);

/// One lock, on its way from the supervisor's hands to being released.
pub(super) struct Keep {
    pub(super) name: LockName,
    pub(super) tenure: Tenure,
    opening: Opening,
    open: Option<(Lock, Arc<dyn Store>)>,
}

impl Keep {
    /// `None`: the name is none.
    pub(super) fn start(charge: Charge) -> Option<Self> {
        let name = LockName::new(charge.lock.clone()).ok()?;
        let opening = Opening::start(&charge);
        Some(Self { name, tenure: charge.tenure, opening, open: None })
    }

    /// Takes in what has happened. Whether the lock is known to be lost.
    pub(super) async fn attend(&mut self) -> bool {
        if self.opening.is_done() {
            self.arrive().await;
        }
        let mut lost = false;
        while let Some(update) = self.open.as_mut().and_then(|(lock, _)| lock.pending_update()) {
            match update {
                Update::Notice(Notice::Lost(_), _) => lost = true,
                Update::Notice(_, Some(tenure)) => self.tenure = *tenure,
                Update::Notice(..) | Update::Trouble(_) | Update::Finished(..) => {}
            }
        }
        lost
    }

    pub(super) fn deadlines(&self) -> Deadlines {
        self.tenure.deadlines()
    }

    /// Releases the lock and tells how that went. `rescued`: where a state is that the command left;
    /// the record is to show it also where the release cannot have said so, since a lock that was
    /// lost shows nothing of its last holder.
    pub(super) async fn release(mut self, ending: Ending, reporter: &Reporter) {
        self.arrive().await;
        let name = &self.name;
        let Some((mut lock, store)) = self.open else {
            let text =
                format!("lock {name}: the store could not be reached; the lock stays until its lease ends");
            return reporter.emit(Event::say(Level::Error, text));
        };
        lock.release(ending.clone());
        while let Some(update) = lock.update().await {
            let Update::Finished(finish, _) = update else { continue };
            if !finish.is_clean() {
                let text = format!("lock {name} could not be released; it stays until its lease ends");
                return reporter.emit(Event::say(Level::Error, text));
            }
            let own = &self.tenure.own;
            let held = SystemClock.now().wall.duration_since(own.granted_at);
            let held = Duration::try_from(held).unwrap_or_default();
            reporter.emit(Event::LockReleased { lock: name.clone(), held });
            let seed = crate::session::seed();
            if let Some(path) = &ending.rescued
                && let Err(error) =
                    operate::rescued(store.as_ref(), name, own, path, &SystemClock, seed).await
            {
                let text = format!("the lock's record could not be told of the rescued state: {error}");
                reporter.emit(Event::say(Level::Warn, text));
            }
            // Unless the supervisor has done that itself before it died.
            let past = PastRun::of(own, &ending, Teller::Guardian, SystemClock.now().wall);
            if let Some(past) = past
                && let Err(error) = history::write(store.as_ref(), name, &past).await
            {
                let text = format!("lock {name}: the run is missing in its history: {error}");
                reporter.emit(Event::say(Level::Warn, text));
            }
            return;
        }
    }

    /// Goes on with the session as soon as the store is open; waits for that.
    async fn arrive(&mut self) {
        if let Some(store) = self.opening.result().await {
            let (tenure, name) = (self.tenure.clone(), self.name.clone());
            let lock = lock::resume(tenure, name, Arc::clone(&store), SystemClock, crate::session::seed());
            self.open = Some((lock, store));
        }
    }
}

/// The store on its way to being open. It is tried again and again until the lease is over: then
/// nothing is left to be kept.
struct Opening(Option<JoinHandle<StoreResult<Arc<dyn Store>>>>);

impl Opening {
    fn start(charge: &Charge) -> Self {
        let spec = charge.store.clone();
        let end = charge.tenure.deadlines().end;
        Self(Some(tokio::spawn(async move {
            loop {
                match spec.open().await {
                    Err(_) if SystemClock.mono() < end => tokio::time::sleep(REOPEN).await,
                    result => return result,
                }
            }
        })))
    }

    fn is_done(&self) -> bool {
        self.0.as_ref().is_some_and(JoinHandle::is_finished)
    }

    /// The store, once.
    async fn result(&mut self) -> Option<Arc<dyn Store>> {
        self.0.take()?.await.ok()?.ok()
    }
}
