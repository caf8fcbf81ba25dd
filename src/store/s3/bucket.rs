//! Lock records as objects of a bucket: one each, replaced on the condition that it is still the one
//! that was read.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{OnceCell, mpsc};
use tokio::time::sleep;

use super::config::S3Config;
use super::list::Known;
use super::requests::{Bucket, Budget, Done, Got, Only};
use super::{key, list, trial};
use crate::lease::{Found, LockName, PastRun, Record, RecordError, Stamp};
use crate::session;
use crate::store::codec::{bad, decode, encode};
use crate::store::{Listing, Page, Store, StoreError, StoreResult, Swap, Unavailable, Watch};

/// How long an operator's request may take; those of the protocol say it themselves.
const OPERATOR_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest pause before a request is made again that met another one on the same object.
const LONGEST_PAUSE_MS: u64 = 100;
/// What has to be left for another attempt: one that is cut short may or may not take effect, and
/// giving up before it leaves no doubt.
const ATTEMPT: Duration = Duration::from_millis(300);

/// An S3 bucket that holds lock records, maybe beside the states.
///
/// Nothing is retried below it but what S3 calls contended, which took no effect.
#[derive(Debug)]
pub struct S3Store {
    pub(super) bucket: Arc<Bucket>,
    /// The newest that was seen of each lock.
    seen: Mutex<HashMap<LockName, Seen>>,
    /// What the objects of the last listing held, for those who watch.
    listed: Known,
    /// Somebody else's S3 was found to keep to conditions.
    proven: OnceCell<()>,
    /// Spreads those who met on an object.
    random: Mutex<fastrand::Rng>,
}

/// A record, and the entity tag of the very object that it was read from or written to.
#[derive(Debug, Clone)]
struct Seen {
    tag: String,
    record: Record,
}

impl S3Store {
    /// Finds out region and credentials, and is ready for requests. The bucket is not asked yet.
    ///
    /// # Errors
    /// [`StoreError::Misconfigured`] at once where no region is known, and
    /// [`StoreError::Credentials`] within two seconds where no credentials are.
    pub async fn connect(config: &S3Config) -> StoreResult<Self> {
        Ok(Self {
            bucket: Arc::new(Bucket::connect(config).await?),
            seen: Mutex::default(),
            listed: Known::default(),
            proven: OnceCell::new(),
            random: Mutex::new(fastrand::Rng::with_seed(session::seed())),
        })
    }

    /// Tries somebody else's S3 before the first write. The time for that is not the write's.
    async fn prove(&self) -> StoreResult<()> {
        if self.bucket.foreign {
            self.proven.get_or_try_init(|| trial::run(&self.bucket)).await?;
        }
        Ok(())
    }

    fn key(&self, name: &LockName) -> String {
        key::object(&self.bucket.target.name, name)
    }

    /// What stands there now. An object that has not changed since it was seen is not sent again.
    async fn look(&self, name: &LockName, budget: Budget) -> StoreResult<Option<Seen>> {
        let known = self.seen(name);
        let known_tag = known.as_ref().map(|seen| seen.tag.as_str());
        match self.bucket.get(&self.key(name), known_tag, budget).await? {
            Got::Unchanged => Ok(known),
            Got::Found { tag, bytes } => {
                let record = decode(&bytes).map_err(|error| bad(name, error))?;
                let seen = Seen { tag, record };
                self.remember(name, Some(seen.clone()));
                Ok(Some(seen))
            }
            Got::TooLong(length) => Err(bad(name, too_long(length))),
            Got::Absent => {
                self.remember(name, None);
                Ok(None)
            }
        }
    }

    fn seen(&self, name: &LockName) -> Option<Seen> {
        self.lock().get(name).cloned()
    }

    fn remember(&self, name: &LockName, seen: Option<Seen>) {
        match seen {
            Some(seen) => self.lock().insert(name.clone(), seen),
            None => self.lock().remove(name),
        };
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<LockName, Seen>> {
        // Nothing panics while it is held, and a half-made change cannot exist.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits a moment before a contended request is made again.
    pub(super) async fn pause(&self, budget: Budget) -> StoreResult<()> {
        let random = self.random.lock().unwrap_or_else(PoisonError::into_inner).u64(1..=LONGEST_PAUSE_MS);
        let pause = Duration::from_millis(random);
        if budget.left() <= pause + ATTEMPT {
            // Nothing was written and nothing will be, which is what this kind says.
            let message = format!("{} is busy: others keep writing the same object", self.bucket.target);
            return Err(StoreError::Unavailable { kind: Unavailable::Throttled, message });
        }
        sleep(pause).await;
        Ok(())
    }
}

/// What is said of an object that is longer than any record.
pub(super) fn too_long(length: i64) -> RecordError {
    RecordError::Rubbish(format!("it is {length} bytes long"))
}

#[async_trait]
impl Store for S3Store {
    fn describe(&self) -> String {
        self.bucket.target.to_string()
    }

    async fn read(&self, name: &LockName, timeout: Duration) -> StoreResult<Option<Record>> {
        let budget = self.bucket.begin(timeout).await?;
        Ok(self.look(name, budget).await?.map(|seen| seen.record))
    }

    async fn swap(
        &self,
        name: &LockName,
        expected: Option<&Stamp>,
        record: &Record,
        timeout: Duration,
    ) -> StoreResult<Swap> {
        let bytes = encode(name, record).map_err(|error| bad(name, error))?;
        let key = self.key(name);
        self.prove().await?;
        let budget = self.bucket.begin(timeout).await?;
        loop {
            // A stamp is of one write only, so its object's tag stands for it. Whoever made the
            // last write, or saw it, knows the tag and need not read.
            let base = match (expected, self.seen(name)) {
                (None, _) => None,
                (Some(stamp), Some(seen)) if seen.record.stamp == *stamp => Some(seen),
                (Some(stamp), _) => match self.look(name, budget).await? {
                    Some(seen) if seen.record.stamp == *stamp => Some(seen),
                    other => return Ok(Swap::Conflict(other.map(|seen| seen.record))),
                },
            };
            let only = base.as_ref().map_or(Only::IfAbsent, |seen| Only::IfStill(&seen.tag));
            match self.bucket.put(&key, bytes.clone(), only, budget).await? {
                Done::Yes(tag) => {
                    self.remember(name, Some(Seen { tag, record: record.clone() }));
                    return Ok(Swap::Written);
                }
                Done::Contended => {}
                Done::No => {
                    let current = self.look(name, budget).await?;
                    let stamp = current.as_ref().map(|seen| &seen.record.stamp);
                    // The very record in another object, such as a copy onto itself under another
                    // key of encryption: the condition holds after all, by the new tag.
                    if stamp.is_none() || stamp != expected {
                        return Ok(Swap::Conflict(current.map(|seen| seen.record)));
                    }
                }
            }
            self.pause(budget).await?;
        }
    }

    async fn list(&self, listing: Listing<'_>) -> StoreResult<Page> {
        list::page(&self.bucket, &self.listed, listing, OPERATOR_TIMEOUT).await
    }

    async fn delete(&self, name: &LockName, expected: Option<&Stamp>) -> StoreResult<()> {
        let budget = self.bucket.begin(OPERATOR_TIMEOUT).await?;
        let key = self.key(name);
        loop {
            let seen = match expected {
                None => None,
                Some(stamp) => match self.look(name, budget).await? {
                    Some(seen) if seen.record.stamp == *stamp => Some(seen),
                    // Another record stands there by now, and stays.
                    _ => return Ok(()),
                },
            };
            let only = seen.as_ref().map(|seen| seen.tag.as_str());
            match self.bucket.delete(&key, only, budget).await? {
                Done::Yes(_) => {
                    self.remember(name, None);
                    return Ok(());
                }
                // Looks again who stands there.
                Done::No | Done::Contended => self.pause(budget).await?,
            }
        }
    }

    async fn record_run(&self, name: &LockName, past: &PastRun, timeout: Duration) -> StoreResult<()> {
        self.put_run(name, past, timeout).await
    }

    async fn runs(
        &self,
        name: &LockName,
        numbers: RangeInclusive<u64>,
        timeout: Duration,
    ) -> StoreResult<Vec<Found>> {
        self.get_runs(name, numbers, timeout).await
    }

    fn watch(&self, _: &LockName, _: mpsc::Sender<()>) -> Option<Box<dyn Watch>> {
        None
    }

    fn watch_all(&self, _: mpsc::Sender<()>) -> Option<Box<dyn Watch>> {
        None
    }
}
