//! Where lock records live: one small trait, and the stores behind it.
//!
//! A store does three things for the protocol (read, compare-and-swap, wake), two for operators
//! (list, delete), and keeps the history beside the records. It knows nothing of leases: a record is
//! replaced whole or not at all.

pub(crate) mod aws;
pub(crate) mod codec;
pub(crate) mod dynamodb;
mod error;
mod local;
pub(crate) mod s3;
mod spec;
pub(crate) mod text;
mod traced;

use std::ops::RangeInclusive;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;

pub use aws::{Access, AwsFiles, Login, RoleOptions, Secret, StaticKeys, ask_aws_files};
pub use dynamodb::{DynamoConfig, DynamoStore, KeyFault, KeyPart};
pub use error::{StoreError, StoreResult, Unavailable};
pub use local::{LatentStore, LocalStore};
pub use s3::{S3Config, S3Store};
pub use spec::StoreSpec;

#[cfg(feature = "otel")]
/// The HTTP client of the stores, for what else is sent: one TLS stack for all. It keeps no time.
pub(crate) fn http_connector(url: &str) -> aws_smithy_runtime_api::client::http::SharedHttpConnector {
    aws::connector(url)
}

use crate::lease::{Found, LockName, PastRun, Record, Stamp};

/// What came of a compare-and-swap whose answer arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Swap {
    /// The record is now the one that was written.
    Written,
    /// The condition did not hold; this is what stands there instead.
    Conflict(Option<Record>),
}

/// What is listed, and from where on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Listing<'a> {
    /// Only locks whose names start with this.
    pub prefix: &'a str,
    /// Where the page before ended; `None` for the first.
    pub after: Option<&'a Cursor>,
    /// It is one of many looks: an answer may be a second old, and the store may keep what spares
    /// it requests at the next one.
    pub watching: bool,
}

/// Where a page of a listing ended, as the store writes it down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cursor {
    /// Behind this key.
    After(String),
    /// The service's own mark.
    Token(String),
}

/// A part of a listing.
#[derive(Debug)]
pub struct Page {
    /// Locks, in no order. There may be none, and more on the next page.
    pub locks: Vec<Listed>,
    /// Where the next page starts; `None` behind the last one.
    pub next: Option<Cursor>,
}

/// A record as an operator meets it in a listing: readable or not, it has a name.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The lock's name, as stored. It may hold anything: escape it before showing it.
    pub name: String,
    /// The record, or why it cannot be read.
    pub record: Result<Record, crate::lease::RecordError>,
}

/// A place for lock records.
///
/// Reads are strongly consistent. No method retries a write: an error leaves it open whether the
/// write took effect, and the protocol deals with that.
#[async_trait]
pub trait Store: Send + Sync {
    /// What people know it by, such as `dynamodb table terraform-lock in eu-west-1`.
    fn describe(&self) -> String;

    /// The record of `name`, or `None` where there is none.
    ///
    /// # Errors
    /// [`StoreError`]; the record, if there is one, is unchanged.
    async fn read(&self, name: &LockName, timeout: Duration) -> StoreResult<Option<Record>>;

    /// Replaces the record of `name` by `record` if its stamp is `expected`, or, where `expected`
    /// is `None`, if there is none.
    ///
    /// # Errors
    /// [`StoreError`]; whether the write took effect is unknown, now and later, unless
    /// [`StoreError::refused`] says that it was turned away.
    async fn swap(
        &self,
        name: &LockName,
        expected: Option<&Stamp>,
        record: &Record,
        timeout: Duration,
    ) -> StoreResult<Swap>;

    /// A page of the store's lock records, as large as the store gives them out: a megabyte of a
    /// table, a thousand objects of a bucket. Records of others in the same table are left out, and
    /// so is the history. A lock that is made or deleted between two pages may be missed.
    ///
    /// # Errors
    /// [`StoreError`]; the same page may be asked for again.
    async fn list(&self, listing: Listing<'_>) -> StoreResult<Page>;

    /// Deletes the record of `name`, if its stamp is still `expected` (`None`: whatever it holds,
    /// also one that cannot be read). For operators: the protocol never deletes.
    ///
    /// # Errors
    /// [`StoreError`]; whether it was deleted is unknown.
    async fn delete(&self, name: &LockName, expected: Option<&Stamp>) -> StoreResult<()>;

    /// Writes down a run that is over, as one item beside the record of `name`, unless an item of
    /// the run is there that knows more ([`PastRun::replaces`]). Also where there is no record. The
    /// store may drop the item once its `expires_at` has passed.
    ///
    /// # Errors
    /// [`StoreError`]; whether it is written is unknown. Writing it again does no harm.
    async fn record_run(&self, name: &LockName, past: &PastRun, timeout: Duration) -> StoreResult<()>;

    /// The items of the runs with these numbers, in rising order; those that are not there are left
    /// out. Never a search: what it costs depends on how many are asked for.
    ///
    /// # Errors
    /// [`StoreError`]. An item that cannot be read is no error, but says so itself.
    async fn runs(
        &self,
        name: &LockName,
        numbers: RangeInclusive<u64>,
        timeout: Duration,
    ) -> StoreResult<Vec<Found>>;

    /// Starts to send a message into `changed` whenever the record of `name` may have changed,
    /// until the returned guard is dropped. `None` where the store cannot tell: poll it.
    fn watch(&self, name: &LockName, changed: mpsc::Sender<()>) -> Option<Box<dyn Watch>>;

    /// As [`Store::watch`], for every record of the store.
    fn watch_all(&self, changed: mpsc::Sender<()>) -> Option<Box<dyn Watch>>;
}

/// Keeps a subscription of [`Store::watch`] or [`Store::watch_all`] alive; dropping it ends it.
pub trait Watch: Send {}
