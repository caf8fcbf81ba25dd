//! A store whose calls are traced, see [`crate::trace`].

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tracing::{Instrument, Level, debug_span};

use super::{Listing, Page, Store, StoreResult, Swap, Watch};
use crate::lease::{Found, LockName, PastRun, Record, Stamp};

struct Traced(Arc<dyn Store>);

/// `store`, traced where somebody wants to see it.
pub(super) fn traced(store: Arc<dyn Store>) -> Arc<dyn Store> {
    if tracing::enabled!(target: "tfguard::store", Level::DEBUG) { Arc::new(Traced(store)) } else { store }
}

#[async_trait]
impl Store for Traced {
    fn describe(&self) -> String {
        self.0.describe()
    }

    async fn read(&self, name: &LockName, timeout: Duration) -> StoreResult<Option<Record>> {
        self.0.read(name, timeout).instrument(debug_span!("store read", lock = ?name.as_str())).await
    }

    async fn swap(
        &self,
        name: &LockName,
        expected: Option<&Stamp>,
        record: &Record,
        timeout: Duration,
    ) -> StoreResult<Swap> {
        let span = debug_span!("store swap", lock = ?name.as_str());
        self.0.swap(name, expected, record, timeout).instrument(span).await
    }

    async fn list(&self, listing: Listing<'_>) -> StoreResult<Page> {
        self.0.list(listing).instrument(debug_span!("store list")).await
    }

    async fn delete(&self, name: &LockName, expected: Option<&Stamp>) -> StoreResult<()> {
        self.0.delete(name, expected).instrument(debug_span!("store delete", lock = ?name.as_str())).await
    }

    async fn record_run(&self, name: &LockName, past: &PastRun, timeout: Duration) -> StoreResult<()> {
        let span = debug_span!("store record run", lock = ?name.as_str());
        self.0.record_run(name, past, timeout).instrument(span).await
    }

    async fn runs(
        &self,
        name: &LockName,
        numbers: RangeInclusive<u64>,
        timeout: Duration,
    ) -> StoreResult<Vec<Found>> {
        let span = debug_span!("store runs", lock = ?name.as_str());
        self.0.runs(name, numbers, timeout).instrument(span).await
    }

    fn watch(&self, name: &LockName, changed: mpsc::Sender<()>) -> Option<Box<dyn Watch>> {
        self.0.watch(name, changed)
    }

    fn watch_all(&self, changed: mpsc::Sender<()>) -> Option<Box<dyn Watch>> {
        self.0.watch_all(changed)
    }
}
