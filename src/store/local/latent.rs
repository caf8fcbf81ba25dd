//! A folder that may not be there yet, for those who look again and again and make nothing.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::folder::LocalStore;
use crate::lease::{Found, LockName, PastRun, Record, Stamp};
use crate::store::text::plain;
use crate::store::{Listing, Page, Store, StoreResult, Swap, Watch};

/// The store of a folder that is made by the first who writes. Until then it is empty.
#[derive(Debug)]
pub struct LatentStore {
    dir: PathBuf,
}

impl LatentStore {
    /// Of a folder that need not be there.
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    fn there(&self) -> StoreResult<Option<LocalStore>> {
        if self.dir.exists() { LocalStore::open(&self.dir).map(Some) } else { Ok(None) }
    }
}

#[async_trait]
impl Store for LatentStore {
    fn describe(&self) -> String {
        format!("folder {}", plain(&self.dir.display().to_string()))
    }

    async fn read(&self, name: &LockName, timeout: Duration) -> StoreResult<Option<Record>> {
        match self.there()? {
            Some(store) => store.read(name, timeout).await,
            None => Ok(None),
        }
    }

    async fn swap(
        &self,
        name: &LockName,
        expected: Option<&Stamp>,
        record: &Record,
        timeout: Duration,
    ) -> StoreResult<Swap> {
        LocalStore::open(&self.dir)?.swap(name, expected, record, timeout).await
    }

    async fn list(&self, listing: Listing<'_>) -> StoreResult<Page> {
        match self.there()? {
            Some(store) => store.list(listing).await,
            None => Ok(Page { locks: Vec::new(), next: None }),
        }
    }

    async fn delete(&self, name: &LockName, expected: Option<&Stamp>) -> StoreResult<()> {
        match self.there()? {
            Some(store) => store.delete(name, expected).await,
            None => Ok(()),
        }
    }

    async fn record_run(&self, name: &LockName, past: &PastRun, timeout: Duration) -> StoreResult<()> {
        LocalStore::open(&self.dir)?.record_run(name, past, timeout).await
    }

    async fn runs(
        &self,
        name: &LockName,
        numbers: RangeInclusive<u64>,
        timeout: Duration,
    ) -> StoreResult<Vec<Found>> {
        match self.there()? {
            Some(store) => store.runs(name, numbers, timeout).await,
            None => Ok(Vec::new()),
        }
    }

    fn watch(&self, name: &LockName, changed: mpsc::Sender<()>) -> Option<Box<dyn Watch>> {
        self.there().ok()??.watch(name, changed)
    }

    fn watch_all(&self, changed: mpsc::Sender<()>) -> Option<Box<dyn Watch>> {
        self.there().ok()??.watch_all(changed)
    }
}
