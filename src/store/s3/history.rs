//! The history in a bucket: one object for each run that is over, below our own folder, where a
//! lifecycle rule can let it expire.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::bucket::{S3Store, too_long};
use super::requests::{Done, Got, Only};
use super::{key, many};
use crate::lease::{Found, LockName, PastRun, RecordError, Teller};
use crate::store::StoreResult;
use crate::store::codec::bad;

impl S3Store {
    /// See [`Store::record_run`](crate::store::Store::record_run).
    pub(super) async fn put_run(
        &self,
        name: &LockName,
        past: &PastRun,
        timeout: Duration,
    ) -> StoreResult<()> {
        let rubbish = |error: serde_json::Error| bad(name, RecordError::Rubbish(error.to_string()));
        let mut bytes = serde_json::to_vec(past).map_err(rubbish)?;
        bytes.push(b'\n');
        let budget = self.bucket.begin(timeout).await?;
        let key = key::run(name, past.run);
        loop {
            // What the run itself says has no rival: no need to look.
            let known = match past.told_by {
                Teller::Run => None,
                _ => Some(self.bucket.get(&key, None, budget).await?),
            };
            let only = match &known {
                None => Only::Always,
                Some(Got::Found { bytes, .. }) if read(bytes).is_ok_and(|known| !past.replaces(&known)) => {
                    return Ok(());
                }
                Some(Got::Found { tag, .. }) => Only::IfStill(tag),
                Some(Got::Absent) => Only::IfAbsent,
                // Not ours to replace.
                Some(Got::TooLong(_) | Got::Unchanged) => return Ok(()),
            };
            if let Done::Yes(_) = self.bucket.put(&key, bytes.clone(), only, budget).await? {
                return Ok(());
            }
            // Another one told of it meanwhile: look again who knows more.
            self.pause(budget).await?;
        }
    }

    /// See [`Store::runs`](crate::store::Store::runs).
    pub(super) async fn get_runs(
        &self,
        name: &LockName,
        numbers: RangeInclusive<u64>,
        timeout: Duration,
    ) -> StoreResult<Vec<Found>> {
        let budget = self.bucket.begin(timeout).await?;
        let reads = numbers.map(|run| {
            let (bucket, key) = (Arc::clone(&self.bucket), key::run(name, run));
            async move {
                let past = match bucket.get(&key, None, budget).await? {
                    Got::Found { bytes, .. } => read(&bytes),
                    Got::TooLong(length) => Err(too_long(length)),
                    Got::Absent | Got::Unchanged => return Ok(None),
                };
                Ok(Some(Found { run, past }))
            }
        });
        let mut found = many::all(reads).await?;
        found.sort_by_key(|found| found.run);
        Ok(found)
    }
}

fn read(bytes: &[u8]) -> Result<PastRun, RecordError> {
    let value = serde_json::from_slice(bytes).map_err(|error| RecordError::Rubbish(error.to_string()))?;
    PastRun::from_json(value)
}
