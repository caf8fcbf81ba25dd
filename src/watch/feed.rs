//! Asks the store for what is on the screen, and goes on asking.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::{Receiver, Sender, UnboundedReceiver, UnboundedSender, channel};

use super::model::Event;
use super::rhythm::Rhythm;
use crate::clock::{Clock, SystemClock};
use crate::history::RECENT;
use crate::lease::{LockName, Record, RecordError};
use crate::status::{Brief, sweep};
use crate::store::{Listed, Store, StoreError, StoreResult, Watch};

/// How long one lock may take to be read.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where locks are, and which are watched.
#[derive(Clone)]
pub enum Source {
    /// These, each in its store.
    Named(Vec<(LockName, Arc<dyn Store>)>),
    /// All of a store whose names start with this.
    All(Arc<dyn Store>, String),
}

impl Source {
    /// What the stores tell by themselves.
    pub fn watches(&self, told: &Sender<()>) -> Vec<Box<dyn Watch>> {
        match self {
            Self::Named(locks) => {
                locks.iter().filter_map(|(lock, store)| store.watch(lock, told.clone())).collect()
            }
            Self::All(store, _) => store.watch_all(told.clone()).into_iter().collect(),
        }
    }
}

/// What the store is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// All that is watched.
    List,
    /// One lock, and its history.
    Lock(String),
}

/// A wish of whoever looks at the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Ask at once.
    Refresh,
    /// Ask for this from now on.
    Want(Wanted),
}

/// What asks.
pub struct Feed {
    source: Source,
    wanted: Wanted,
    rhythm: Rhythm,
    /// What the lock had when its history was read.
    history: Option<Counted>,
    /// How often the newest run was missing in it: it is written after its release.
    missed: u8,
}

/// By this it is seen that a lock's history has grown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counted {
    runs: u64,
    ended: Option<Timestamp>,
}

/// As often is a history read again in which the newest run is missing.
const MISSED: u8 = 3;

impl Feed {
    /// Asks for `wanted` of `source`.
    pub fn new(source: Source, wanted: Wanted) -> Self {
        Self { source, wanted, rhythm: Rhythm::default(), history: None, missed: 0 }
    }

    /// Goes on asking, after a pause, and tells until nobody listens.
    pub async fn run(mut self, mut orders: UnboundedReceiver<Order>, events: UnboundedSender<Event>) {
        let (told, mut changed) = channel(1);
        let _watches = self.source.watches(&told);
        while self.pause(&mut orders, &mut changed).await {
            for event in self.look().await {
                if events.send(event).is_err() {
                    return;
                }
            }
        }
    }

    /// Waits until it is time to ask again. False when nobody listens any more.
    async fn pause(&mut self, orders: &mut UnboundedReceiver<Order>, changed: &mut Receiver<()>) -> bool {
        let next = SystemClock.mono() + self.rhythm.pause();
        let soon = SystemClock.mono() + self.rhythm.told();
        let mut due = next;
        while SystemClock.mono() < due {
            tokio::select! {
                order = orders.recv() => match order {
                    Some(Order::Refresh) => return true,
                    Some(Order::Want(wanted)) => {
                        self.want(wanted);
                        return true;
                    }
                    None => return false,
                },
                Some(()) = changed.recv() => due = soon.min(due),
                () = SystemClock.sleep_until(due) => {}
            }
        }
        true
    }

    fn want(&mut self, wanted: Wanted) {
        self.wanted = wanted;
        (self.history, self.missed) = (None, 0);
    }

    /// Asks once. What came of it.
    async fn look(&mut self) -> Vec<Event> {
        match self.ask().await {
            Ok(events) => events,
            Err(error) => vec![self.failed(&error)],
        }
    }

    /// Asks once.
    ///
    /// # Errors
    /// The store's.
    pub async fn ask(&mut self) -> StoreResult<Vec<Event>> {
        let start = SystemClock.now();
        let (pages, events) = match self.wanted.clone() {
            Wanted::List => self.list(start.wall).await.map(|(pages, event)| (pages, vec![event])),
            Wanted::Lock(lock) => self.lock(&lock, start.wall).await.map(|events| (1, events)),
        }?;
        self.rhythm.looked(pages, SystemClock.mono().since(start.mono));
        Ok(events)
    }

    /// What is told of an error of the store; the next pause is longer.
    pub fn failed(&mut self, error: &StoreError) -> Event {
        self.rhythm.failed();
        let at = SystemClock.now().wall;
        let again = at.checked_add(self.rhythm.pause()).unwrap_or(at);
        Event::Failed { text: error.to_string(), again, at }
    }

    async fn list(&self, at: Timestamp) -> StoreResult<(u32, Event)> {
        let mut locks = Vec::new();
        let pages = match &self.source {
            Source::Named(named) => {
                for (lock, store) in named {
                    let record = read(store.as_ref(), lock).await?;
                    locks.push(Brief::new(lock.as_str(), record.as_ref().map(Option::as_ref)));
                }
                1
            }
            Source::All(store, prefix) => {
                let keep = |page: Vec<Listed>| {
                    locks.extend(page.iter().map(Brief::of));
                    ControlFlow::Continue(())
                };
                sweep(store.as_ref(), prefix, true, keep).await?
            }
        };
        Ok((pages, Event::Listed { locks, at }))
    }

    async fn lock(&mut self, lock: &str, at: Timestamp) -> StoreResult<Vec<Event>> {
        let looked = |record| Event::Looked { lock: lock.to_owned(), record, at };
        let store = match &self.source {
            Source::All(store, _) => store,
            Source::Named(named) => match named.iter().find(|(known, _)| known.as_str() == lock) {
                Some((_, store)) => store,
                None => return Ok(Vec::new()),
            },
        };
        let name = match LockName::new(lock) {
            Ok(name) => name,
            // Listed all the same: somebody else wrote it.
            Err(error) => return Ok(vec![looked(Err(RecordError::Rubbish(error.to_string())))]),
        };
        let record = read(store.as_ref(), &name).await?;
        let last = record.as_ref().ok().and_then(Option::as_ref).and_then(|record| record.last.as_ref());
        let newest = last.and_then(|last| last.run);
        let ended = last.map(|last| last.at);
        let runs = record.as_ref().ok().and_then(Option::as_ref).map(|record| record.runs);
        let counted = runs.map(|runs| Counted { runs, ended });
        let mut events = vec![looked(record)];
        if counted != self.history
            && let Some(runs) = runs
        {
            let numbers = runs.saturating_sub(RECENT - 1).max(1)..=runs;
            // Where it cannot be read there is none to show, and nothing else is lost.
            let found = store.runs(&name, numbers, TIMEOUT).await.unwrap_or_default();
            let whole = newest.is_none_or(|newest| found.iter().any(|found| found.run == newest));
            if whole || self.missed >= MISSED {
                (self.history, self.missed) = (counted, 0);
            } else {
                self.missed += 1;
            }
            events.push(Event::Past { lock: lock.to_owned(), runs: found });
        }
        Ok(events)
    }
}

/// One lock, readable or not.
pub(super) async fn read(
    store: &dyn Store,
    lock: &LockName,
) -> StoreResult<Result<Option<Record>, RecordError>> {
    match store.read(lock, TIMEOUT).await {
        Ok(record) => Ok(Ok(record)),
        Err(StoreError::BadRecord { error, .. }) => Ok(Err(error)),
        Err(error) => Err(error),
    }
}
