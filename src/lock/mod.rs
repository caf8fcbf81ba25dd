//! A lease session at work: the pure [`Session`] driven over a real [`Store`] and a real clock.
//!
//! [`start`] spawns one task. It owns the session for good; whoever runs something under the lock
//! talks to it through a [`Lock`] and learns of everything through [`Update`]s.

mod driver;

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::lease::session::{Finish, Notice, Params, Wait};
use crate::lease::transition::{Candidate, Ending};
use crate::lease::{Activity, LockName, Now, Session, Tenure};
use crate::store::{Store, StoreError};

/// How long an unreachable store is tried before the lock is held.
pub const REACH: Duration = Duration::from_secs(60);
/// How long a release is tried.
pub const RELEASE: Duration = Duration::from_secs(30);

/// What the lock's task tells.
#[derive(Debug)]
pub enum Update {
    /// Something happened to the lease; with the lock as we hold it from now on, while we do.
    Notice(Notice, Option<Box<Tenure>>),
    /// A request to the store failed; the session carries on.
    Trouble(StoreError),
    /// The session is over; with the newest failure, where failing is what ended it.
    Finished(Finish, Option<StoreError>),
}

/// What the task is told.
enum Wish {
    Engage(Activity),
    Release(Ending),
    Leave,
}

/// A session under way.
#[derive(Debug)]
pub struct Lock {
    wishes: mpsc::UnboundedSender<Wish>,
    updates: mpsc::UnboundedReceiver<Update>,
}

impl Lock {
    /// The next thing that happened. `None` after [`Update::Finished`], or when the task died.
    pub async fn update(&mut self) -> Option<Update> {
        self.updates.recv().await
    }

    /// As [`Lock::update`], for who waits for several locks at once.
    pub fn poll_update(&mut self, context: &mut Context<'_>) -> Poll<Option<Update>> {
        self.updates.poll_recv(context)
    }

    /// What has happened already, without waiting.
    pub fn pending_update(&mut self) -> Option<Update> {
        self.updates.try_recv().ok()
    }

    /// Shows in the record what the run is doing, with a heartbeat of its own.
    pub fn engage(&self, activity: Activity) {
        let _ = self.wishes.send(Wish::Engage(activity));
    }

    /// Asks for the release of a lock that is held. [`Update::Finished`] tells how it went.
    pub fn release(&self, ending: Ending) {
        // A task that has ended has nothing left to release.
        let _ = self.wishes.send(Wish::Release(ending));
    }

    /// Asks to get out of the queue. [`Update::Finished`] tells how it went.
    pub fn leave(&self) {
        let _ = self.wishes.send(Wish::Leave);
    }
}

/// Starts to get the lock `name` of `store` for `candidate`.
///
/// `seed` feeds the jitter and the nonce in the stamps.
pub fn start<C: Clock + Clone + Send + Sync + 'static>(
    candidate: Candidate,
    wait: Wait,
    name: LockName,
    store: Arc<dyn Store>,
    clock: C,
    seed: u64,
) -> Lock {
    let params = params(candidate, wait, seed);
    spawn(|now| Session::new(params, now), name, store, clock)
}

/// Goes on with a lock whose holder's process has died: keeps it alive until it is released.
pub fn resume<C: Clock + Clone + Send + Sync + 'static>(
    tenure: Tenure,
    name: LockName,
    store: Arc<dyn Store>,
    clock: C,
    seed: u64,
) -> Lock {
    let own = &tenure.own;
    let candidate = Candidate {
        session: own.session.clone(),
        mode: own.mode,
        changes: own.changes,
        lease: own.lease(),
        asked_at: own.asked_at,
        identity: own.identity.clone(),
    };
    let params = params(candidate, Wait::Not, seed);
    spawn(|now| Session::resume(params, tenure, now), name, store, clock)
}

fn params(candidate: Candidate, wait: Wait, seed: u64) -> Params {
    Params { candidate, nonce: format!("{seed:016x}"), wait, reach: REACH, release: RELEASE, seed }
}

fn spawn<C: Clock + Clone + Send + Sync + 'static>(
    session: impl FnOnce(Now) -> Session,
    name: LockName,
    store: Arc<dyn Store>,
    clock: C,
) -> Lock {
    let (wishes, heard) = mpsc::unbounded_channel();
    let (told, updates) = mpsc::unbounded_channel();
    let session = session(clock.now());
    tokio::spawn(driver::drive(session, name, store, clock, heard, told));
    Lock { wishes, updates }
}
