//! Who in the queue of the local store is told of changes.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tfguard::clock::SystemClock;
use tfguard::lease::session::{Notice, Wait};
use tfguard::lease::transition::Candidate;
use tfguard::lease::{Found, Identity, Lease, LockName, Mode, PastRun, Record, Stamp};
use tfguard::lock::{self, Lock, Update};
use tfguard::store::{Listing, LocalStore, Page, Store, StoreResult, Swap, Watch};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{PLENTY, busy, name};
use crate::support::folder::Folder;
use crate::support::isolated::block_on;

/// A store that counts who listens to it now.
struct Heard {
    store: LocalStore,
    listening: Arc<AtomicUsize>,
}

/// A watch, counted while it lives.
struct Counted {
    _watch: Box<dyn Watch>,
    listening: Arc<AtomicUsize>,
}

impl Watch for Counted {}

impl Drop for Counted {
    fn drop(&mut self) {
        self.listening.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Store for Heard {
    fn describe(&self) -> String {
        self.store.describe()
    }

    async fn read(&self, name: &LockName, timeout: Duration) -> StoreResult<Option<Record>> {
        self.store.read(name, timeout).await
    }

    async fn swap(
        &self,
        name: &LockName,
        expected: Option<&Stamp>,
        record: &Record,
        timeout: Duration,
    ) -> StoreResult<Swap> {
        self.store.swap(name, expected, record, timeout).await
    }

    async fn list(&self, listing: Listing<'_>) -> StoreResult<Page> {
        self.store.list(listing).await
    }

    async fn delete(&self, name: &LockName, expected: Option<&Stamp>) -> StoreResult<()> {
        self.store.delete(name, expected).await
    }

    async fn record_run(&self, name: &LockName, past: &PastRun, timeout: Duration) -> StoreResult<()> {
        self.store.record_run(name, past, timeout).await
    }

    async fn runs(
        &self,
        name: &LockName,
        numbers: RangeInclusive<u64>,
        timeout: Duration,
    ) -> StoreResult<Vec<Found>> {
        self.store.runs(name, numbers, timeout).await
    }

    fn watch(&self, name: &LockName, changed: mpsc::Sender<()>) -> Option<Box<dyn Watch>> {
        let watch = self.store.watch(name, changed)?;
        self.listening.fetch_add(1, Ordering::SeqCst);
        Some(Box::new(Counted { _watch: watch, listening: Arc::clone(&self.listening) }))
    }

    fn watch_all(&self, changed: mpsc::Sender<()>) -> Option<Box<dyn Watch>> {
        self.store.watch_all(changed)
    }
}

/// Its place in the queue, once it is told of one.
async fn place(lock: &mut Lock) -> usize {
    loop {
        match timeout(PLENTY, lock.update()).await.unwrap() {
            Some(Update::Notice(Notice::Waiting { position, .. }, _)) => return position,
            Some(_) => {}
            None => panic!("the lock's task is over"),
        }
    }
}

/// Every change wakes all who listen, and each of them keeps the next holder from its turn.
#[test]
fn who_stands_far_behind_listens_only_when_it_comes_near() {
    let folder = Folder::new();
    let store = LocalStore::open(folder.path()).unwrap();
    let listening = Arc::new(AtomicUsize::new(0));
    let heard = Heard { store: store.clone(), listening: Arc::clone(&listening) };
    block_on(async {
        let prod = name("prod");
        store.swap(&prod, None, &busy("a", 32, ""), PLENTY).await.unwrap();
        let candidate = Candidate {
            session: "me".into(),
            mode: Mode::Exclusive,
            changes: true,
            lease: Lease::new(Duration::from_secs(180)).unwrap(),
            asked_at: jiff::Timestamp::now(),
            identity: Identity::default(),
        };
        let clock = SystemClock;
        let mut lock = lock::start(candidate, Wait::Forever, prod.clone(), Arc::new(heard), clock, 7);
        assert_eq!(place(&mut lock).await, 33);
        assert_eq!(listening.load(Ordering::SeqCst), 0, "it is told of changes");

        let mut record = store.read(&prod, PLENTY).await.unwrap().unwrap();
        let stamp = std::mem::replace(&mut record.stamp, "b".into());
        record.queue.remove(0);
        assert_eq!(store.swap(&prod, Some(&stamp), &record, PLENTY).await, Ok(Swap::Written));
        assert_eq!(place(&mut lock).await, 32);
        assert_eq!(listening.load(Ordering::SeqCst), 1, "it is not told of changes");
    });
}
