//! A store in memory at the end of a bad line.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tfguard::clock::Clock;
use tfguard::lease::{Found, LockName, PastRun, Record, Stamp};
use tfguard::store::{Cursor, Listing, Page, Store, StoreError, StoreResult, Swap, Unavailable, Watch};
use tokio::sync::{mpsc, oneshot};

use super::super::clock::MS;
use super::super::network::Fate;
use super::machine::{Process, SimClock};
use super::world::World;

/// What a request asks for.
#[derive(Debug, Clone)]
pub(super) enum Request {
    Read,
    Swap { expected: Option<Stamp>, record: Box<Record> },
}

/// What the store makes of it.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    Read(Option<Record>),
    Swap(Swap),
    Fails(StoreError),
}

/// The way of one process to the store.
pub(super) struct SimStore {
    pub(super) world: Arc<World>,
    /// Whose supervisor, or guardian, this is.
    pub(super) who: usize,
    pub(super) process: Arc<Process>,
}

struct Watcher;

impl Watch for Watcher {}

impl SimStore {
    async fn ask(&self, request: Request, timeout: Duration) -> Reply {
        let (world, who, epoch) = (&self.world, self.who, self.process.epoch);
        world.note(|| format!("  s{who}: {}", shown(&request)));
        if world.is_expired(who) {
            epoch.after(MS).await;
            self.process.runs().await;
            return Reply::Fails(expired());
        }
        let (sender, mut receiver) = oneshot::channel();
        let (fate, hangs) = world.fate();
        let land = {
            let world = Arc::clone(world);
            async move |up, down: Option<u64>| {
                epoch.after(up).await;
                let Some(reply) = world.land(who, request) else { return };
                if let Some(down) = down {
                    epoch.after(down).await;
                    let _ = sender.send(reply);
                }
            }
        };
        // What is on its way lands, whatever becomes of who sent it.
        match fate {
            Fate::Answered { up, down } => drop(tokio::spawn(land(up, Some(down)))),
            Fate::AnswerLost { up } => drop(tokio::spawn(land(up, None))),
            Fate::Lost => drop(land),
            Fate::Throttled { after } => {
                epoch.after(after).await;
                self.process.runs().await;
                return Reply::Fails(unavailable(Unavailable::Throttled));
            }
        }
        let answer = async {
            let Ok(reply) = (&mut receiver).await else { return std::future::pending().await };
            self.process.runs().await;
            reply
        };
        let late = async {
            if hangs {
                std::future::pending::<()>().await;
            }
            SimClock(Arc::clone(&self.process)).sleep(timeout).await;
        };
        tokio::select! {
            biased;
            reply = answer => reply,
            () = late => Reply::Fails(unavailable(Unavailable::Timeout)),
        }
    }
}

/// For the story.
fn shown(request: &Request) -> String {
    match request {
        Request::Read => "reads".into(),
        Request::Swap { expected, record } => {
            let holders: Vec<String> = record
                .holders
                .iter()
                .map(|one| format!("{} {:?} beat {}", one.session, one.phase, one.beat))
                .collect();
            let queue: Vec<&str> = record.queue.iter().map(|one| one.session.as_str()).collect();
            format!("writes {} onto {expected:?}: {holders:?} {queue:?}", record.stamp)
        }
    }
}

pub(super) fn unavailable(kind: Unavailable) -> StoreError {
    StoreError::Unavailable { kind, message: format!("played: {kind:?}") }
}

fn expired() -> StoreError {
    StoreError::Credentials { expired: true, message: "played: they have expired".into() }
}

#[async_trait]
impl Store for SimStore {
    fn describe(&self) -> String {
        "a store that is played".into()
    }

    async fn read(&self, _name: &LockName, timeout: Duration) -> StoreResult<Option<Record>> {
        match self.ask(Request::Read, timeout).await {
            Reply::Read(record) => Ok(record),
            Reply::Fails(error) => Err(error),
            Reply::Swap(_) => unreachable!("a read was asked for"),
        }
    }

    async fn swap(
        &self,
        _name: &LockName,
        expected: Option<&Stamp>,
        record: &Record,
        timeout: Duration,
    ) -> StoreResult<Swap> {
        let request = Request::Swap { expected: expected.cloned(), record: Box::new(record.clone()) };
        match self.ask(request, timeout).await {
            Reply::Swap(swap) => Ok(swap),
            Reply::Fails(error) => Err(error),
            Reply::Read(_) => unreachable!("a write was asked for"),
        }
    }

    async fn list(&self, _listing: Listing<'_>) -> StoreResult<Page> {
        Ok(Page { locks: Vec::new(), next: None::<Cursor> })
    }

    async fn delete(&self, _name: &LockName, _expected: Option<&Stamp>) -> StoreResult<()> {
        Ok(())
    }

    async fn record_run(&self, _name: &LockName, _past: &PastRun, _timeout: Duration) -> StoreResult<()> {
        Ok(())
    }

    async fn runs(
        &self,
        _name: &LockName,
        _numbers: RangeInclusive<u64>,
        _timeout: Duration,
    ) -> StoreResult<Vec<Found>> {
        Ok(Vec::new())
    }

    fn watch(&self, _name: &LockName, changed: mpsc::Sender<()>) -> Option<Box<dyn Watch>> {
        if !self.world.wakes {
            return None;
        }
        let landed = self.world.landed();
        let process = Arc::clone(&self.process);
        // Ends with its process, which drops the receiver.
        tokio::spawn(async move {
            while !changed.is_closed() {
                landed.notified().await;
                process.epoch.after(MS).await;
                process.runs().await;
                let _ = changed.try_send(());
            }
        });
        Some(Box::new(Watcher))
    }

    fn watch_all(&self, _changed: mpsc::Sender<()>) -> Option<Box<dyn Watch>> {
        None
    }
}
