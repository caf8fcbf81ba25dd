//! A change to a record by somebody who may not hold the lock.

use std::time::Duration;

use jiff::Timestamp;

use crate::clock::Clock;
use crate::error::Error;
use crate::lease::{Holder, LockName, Pushed, Record};
use crate::store::{Store, StoreError, Swap};

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long a change is tried.
const PATIENCE: Duration = Duration::from_secs(20);
/// The longest pause between two tries.
const PAUSE: Duration = Duration::from_millis(400);

/// Marks the lock for a state that was saved at `path` under the hold of `own`, unless it is
/// marked already. For those whose release cannot say it: the lock is an ancestor's, or was lost.
///
/// # Errors
/// [`Error::Store`], [`Error::NotAcquired`]: as [`recovered`].
pub async fn rescued(
    store: &dyn Store,
    name: &LockName,
    own: &Holder,
    path: &str,
    clock: &impl Clock,
    seed: u64,
) -> Result<(), Error> {
    amend(store, name, clock, seed, |record, wall| record.with_rescued(own, path, wall)).await.map(|_| ())
}

/// Clears the marks that `pushed` settles. Whether there were any.
///
/// # Errors
/// [`Error::Store`] when the store does not answer or refuses, [`Error::NotAcquired`] when the
/// record keeps changing under us.
pub async fn recovered(
    store: &dyn Store,
    name: &LockName,
    pushed: &Pushed,
    clock: &impl Clock,
    seed: u64,
) -> Result<bool, Error> {
    amend(store, name, clock, seed, |record, _| record.with_pushed(pushed)).await
}

/// Writes what `change` makes of the record, until that took effect or there is nothing to change.
/// Whether something was changed.
async fn amend(
    store: &dyn Store,
    name: &LockName,
    clock: &impl Clock,
    seed: u64,
    change: impl Fn(&Record, Timestamp) -> Option<Record>,
) -> Result<bool, Error> {
    let failed = |source| Error::Store { lock: name.to_string(), source, advice: String::new() };
    let mut rng = fastrand::Rng::with_seed(seed);
    let until = clock.now().mono + PATIENCE;
    let mut newest: Option<StoreError> = None;
    let mut sent = false;
    for attempt in 0u32.. {
        if attempt > 0 {
            if clock.now().mono >= until {
                break;
            }
            tokio::time::sleep(PAUSE.mul_f64(rng.f64())).await;
        }
        let record = match store.read(name, TIMEOUT).await {
            Ok(record) => record,
            Err(source) if source.is_transient() => {
                newest = Some(source);
                continue;
            }
            Err(source) => return Err(failed(source)),
        };
        let wall = clock.now().wall;
        let next = record.and_then(|record| Some((change(&record, wall)?, record.stamp)));
        // A write of ours whose answer was lost may be what left nothing to do.
        let Some((next, stamp)) = next else { return Ok(sent) };
        let next = next.sealed(format!("amend/{seed:016x}/{attempt}"), wall);
        match store.swap(name, Some(&stamp), &next, TIMEOUT).await {
            Ok(Swap::Written) => return Ok(true),
            Ok(Swap::Conflict(_)) => newest = None,
            Err(source) if source.is_transient() => {
                sent = true;
                newest = Some(source);
            }
            Err(source) => return Err(failed(source)),
        }
    }
    Err(newest.map_or_else(
        || {
            Error::NotAcquired(format!(
                "lock {name}: its record kept changing while we tried to change it; try again"
            ))
        },
        failed,
    ))
}
