//! The history in a table: one item for each run that is over, under a key of its own.

use std::ops::RangeInclusive;
use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, ReturnValuesOnConditionCheckFailure};

use super::item::{self, Item};
use super::table::DynamoStore;
use crate::clock::SystemClock;
use crate::lease::{Found, LockName, PastRun, Teller};
use crate::store::codec::bad;
use crate::store::{StoreError, StoreResult, Unavailable};

/// The most items that one request may ask for.
const BATCH: u64 = 100;
/// The pause before items that a busy table has not sent are asked for again; it doubles.
const PAUSE: Duration = Duration::from_millis(50);
/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

impl DynamoStore {
    /// See [`Store::record_run`](crate::store::Store::record_run).
    pub(super) async fn put_run(
        &self,
        name: &LockName,
        past: &PastRun,
        timeout: Duration,
    ) -> StoreResult<()> {
        // What the run itself says has no rival: no need to look.
        if past.told_by != Teller::Run {
            match self.put_where_none_is(name, past, timeout).await? {
                None => return Ok(()),
                Some(known) if !past.replaces(&known) => return Ok(()),
                Some(_) => {}
            }
        }
        let item = item::to_run_item(name, past).map_err(|error| bad(name, error))?;
        let request = self.client.put_item().table_name(&self.target.name).set_item(Some(item));
        match self.send(timeout, request.send()).await? {
            Ok(_) => Ok(()),
            Err(error) => Err(self.explain("dynamodb:PutItem", &error).await),
        }
    }

    /// Writes the item where there is none. `None` when that is done, or what stands there instead
    /// cannot be read and stays.
    async fn put_where_none_is(
        &self,
        name: &LockName,
        past: &PastRun,
        timeout: Duration,
    ) -> StoreResult<Option<PastRun>> {
        let item = item::to_run_item(name, past).map_err(|error| bad(name, error))?;
        let request = self
            .client
            .put_item()
            .table_name(&self.target.name)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(LockID)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match self.send(timeout, request.send()).await? {
            Ok(_) => Ok(None),
            Err(SdkError::ServiceError(answer)) if answer.err().is_conditional_check_failed_exception() => {
                let known = match answer.into_err() {
                    PutItemError::ConditionalCheckFailedException(failed) => failed.item,
                    _ => None,
                };
                match known {
                    Some(known) if !known.is_empty() => Ok(item::from_run_item(known).ok()),
                    // A service that does not hand the item back is asked for it.
                    _ => {
                        let found = self.get_runs(name, past.run..=past.run, timeout).await?;
                        Ok(found.into_iter().find_map(|found| found.past.ok()))
                    }
                }
            }
            Err(error) => Err(self.explain("dynamodb:PutItem", &error).await),
        }
    }

    /// See [`Store::runs`](crate::store::Store::runs).
    pub(super) async fn get_runs(
        &self,
        name: &LockName,
        numbers: RangeInclusive<u64>,
        timeout: Duration,
    ) -> StoreResult<Vec<Found>> {
        let end = SystemClock.mono() + timeout;
        let mut found = Vec::new();
        let (mut from, to) = numbers.into_inner();
        while from <= to {
            let until = to.min(from.saturating_add(BATCH - 1));
            let keys = (from..=until).map(|number| name.run_key(number)).collect();
            let items = self.get_batch(keys, end).await?;
            found.extend(items.into_iter().filter_map(|item| entry(name, item)));
            match until.checked_add(1) {
                Some(next) => from = next,
                None => break,
            }
        }
        found.sort_by_key(|found: &Found| found.run);
        Ok(found)
    }

    /// The items under these keys, at most [`BATCH`]. A busy table sends some of them only when it
    /// is asked again.
    async fn get_batch(&self, keys: Vec<String>, end: crate::lease::Instant) -> StoreResult<Vec<Item>> {
        let mut items = Vec::new();
        let mut pause = PAUSE;
        let key = |key| Item::from([(item::KEY.to_owned(), AttributeValue::S(key))]);
        let mut open: Vec<Item> = keys.into_iter().map(key).collect();
        loop {
            let wanted = KeysAndAttributes::builder().set_keys(Some(open)).consistent_read(true).build();
            let wanted = wanted.map_err(|error| StoreError::Unavailable {
                kind: Unavailable::Failed,
                message: format!("the history cannot be asked for: {error}"),
            })?;
            let request = self.client.batch_get_item().request_items(&self.target.name, wanted);
            let left = end.since(SystemClock.mono());
            let answer = match self.send(left, request.send()).await? {
                Ok(answer) => answer,
                Err(error) => return Err(self.explain("dynamodb:BatchGetItem", &error).await),
            };
            // Answered under the table's name, or its ARN where that was given.
            items.extend(answer.responses.unwrap_or_default().into_values().flatten());
            let unsent = answer.unprocessed_keys.unwrap_or_default();
            open = unsent.into_values().flat_map(|wanted| wanted.keys).collect();
            if open.is_empty() {
                return Ok(items);
            }
            if end.since(SystemClock.mono()) <= pause {
                let message = format!("{} is busy and did not send the whole history", self.target);
                return Err(StoreError::Unavailable { kind: Unavailable::Throttled, message });
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

fn entry(name: &LockName, found: Item) -> Option<Found> {
    let key = found.get(item::KEY)?.as_s().ok()?;
    let run = key.strip_prefix(&name.key())?.strip_prefix('#')?.parse().ok()?;
    Some(Found { run, past: item::from_run_item(found) })
}
