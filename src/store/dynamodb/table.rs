//! Lock records as items of a DynamoDB table: one item each, no transactions, no index.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::delete_item::DeleteItemError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use tokio::sync::mpsc;

use super::config::DynamoConfig;
use super::error as errors;
use super::item::{self, Item};
use super::shape;
use crate::lease::KEY_PREFIX;
use crate::lease::{Found, LockName, PastRun, Record, Stamp};
use crate::store::aws::{Keys, Service, Target, link};
use crate::store::codec::bad;
use crate::store::{Cursor, Listed, Listing, Page, Store, StoreError, StoreResult, Swap, Watch};

/// How long an operator's request may take; those of the protocol say it themselves.
const OPERATOR_TIMEOUT: Duration = Duration::from_secs(10);

/// A DynamoDB table that holds lock records, maybe beside Terraform's own.
///
/// Nothing is retried below it: the SDK's retries would answer our own landed write with a failed
/// condition.
#[derive(Debug)]
pub struct DynamoStore {
    pub(super) client: Client,
    keys: Arc<Keys>,
    pub(super) target: Target,
}

impl DynamoStore {
    /// Finds out region and credentials, and is ready for requests. The table is not asked yet.
    ///
    /// # Errors
    /// [`StoreError::Misconfigured`] at once where no region is known, and
    /// [`StoreError::Credentials`] within two seconds where no credentials are.
    pub async fn connect(config: &DynamoConfig) -> StoreResult<Self> {
        let whose = format!("table \"{}\"", config.table);
        let link = link(&config.access, Service::Dynamodb, &whose).await?;
        let target = Target::table(&config.table, Some(link.region.as_ref()), link.endpoint.as_deref());
        let client = Builder::from(&link.sdk).credentials_provider(link.keys.provider()).build();
        Ok(Self { client: Client::from_conf(client), keys: link.keys, target })
    }

    /// Runs one request within `timeout`. Credentials are renewed before the time starts to count,
    /// so that a slow renewal is not taken for a slow table.
    pub(super) async fn send<T, E>(
        &self,
        timeout: Duration,
        request: impl Future<Output = Result<T, SdkError<E>>>,
    ) -> StoreResult<Result<T, SdkError<E>>> {
        self.keys.ensure().await?;
        tokio::time::timeout(timeout, request).await.map_err(|_| self.target.asked().silent(timeout))
    }

    /// What a failed request means.
    pub(super) async fn explain<E: ProvideErrorMetadata + std::error::Error + 'static>(
        &self,
        action: &str,
        error: &SdkError<E>,
    ) -> StoreError {
        if let Some(complaint) = errors::complaint(error)
            && let Some(explained) = shape::explain(&self.client, &self.target, &complaint).await
        {
            return explained;
        }
        let error = errors::classify(&self.target, action, error);
        if matches!(error, StoreError::Credentials { expired: true, .. }) {
            self.keys.distrust();
        }
        error
    }

    /// What stands there instead. A service that does not hand the item back is asked for it.
    async fn conflict(
        &self,
        name: &LockName,
        item: Option<Item>,
        timeout: Duration,
    ) -> StoreResult<Option<Record>> {
        match item {
            Some(item) if !item.is_empty() => decode(name, item).map(Some),
            _ => self.read(name, timeout).await,
        }
    }
}

fn decode(name: &LockName, found: Item) -> StoreResult<Record> {
    item::from_item(found).map_err(|error| bad(name, error))
}

#[async_trait]
impl Store for DynamoStore {
    fn describe(&self) -> String {
        self.target.to_string()
    }

    async fn read(&self, name: &LockName, timeout: Duration) -> StoreResult<Option<Record>> {
        let request = self
            .client
            .get_item()
            .table_name(&self.target.name)
            .key(item::KEY, item::key(name))
            .consistent_read(true);
        match self.send(timeout, request.send()).await? {
            Ok(answer) => answer.item.map(|item| decode(name, item)).transpose(),
            Err(error) => Err(self.explain("dynamodb:GetItem", &error).await),
        }
    }

    async fn swap(
        &self,
        name: &LockName,
        expected: Option<&Stamp>,
        record: &Record,
        timeout: Duration,
    ) -> StoreResult<Swap> {
        let request = self
            .client
            .put_item()
            .table_name(&self.target.name)
            .set_item(Some(item::to_item(name, record).map_err(|error| bad(name, error))?))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let request = match expected {
            Some(stamp) => request
                .condition_expression("stamp = :expected")
                .expression_attribute_values(":expected", AttributeValue::S(stamp.clone())),
            None => request.condition_expression("attribute_not_exists(LockID)"),
        };
        match self.send(timeout, request.send()).await? {
            Ok(_) => Ok(Swap::Written),
            Err(SdkError::ServiceError(answer)) if answer.err().is_conditional_check_failed_exception() => {
                let item = match answer.into_err() {
                    PutItemError::ConditionalCheckFailedException(failed) => failed.item,
                    _ => None,
                };
                Ok(Swap::Conflict(self.conflict(name, item, timeout).await?))
            }
            Err(error) => Err(self.explain("dynamodb:PutItem", &error).await),
        }
    }

    async fn list(&self, listing: Listing<'_>) -> StoreResult<Page> {
        let start = listing.after.map(|cursor| {
            let (Cursor::After(key) | Cursor::Token(key)) = cursor;
            Item::from([(item::KEY.to_owned(), AttributeValue::S(key.clone()))])
        });
        let ours = format!("{KEY_PREFIX}{}", listing.prefix);
        let request = self
            .client
            .scan()
            .table_name(&self.target.name)
            // Half the price, where the next look comes in a moment.
            .consistent_read(!listing.watching)
            .filter_expression("begins_with(LockID, :ours) AND NOT contains(LockID, :history)")
            .expression_attribute_values(":ours", AttributeValue::S(ours))
            .expression_attribute_values(":history", AttributeValue::S("#".to_owned()))
            .set_exclusive_start_key(start);
        let page = match self.send(OPERATOR_TIMEOUT, request.send()).await? {
            Ok(page) => page,
            Err(error) => return Err(self.explain("dynamodb:Scan", &error).await),
        };
        let last = page.last_evaluated_key.unwrap_or_default().remove(item::KEY);
        let next = last.and_then(|key| key.as_s().ok().cloned()).map(Cursor::After);
        let locks = page.items.unwrap_or_default().into_iter().filter_map(entry).collect();
        Ok(Page { locks, next })
    }

    async fn delete(&self, name: &LockName, expected: Option<&Stamp>) -> StoreResult<()> {
        let request = self.client.delete_item().table_name(&self.target.name).key(item::KEY, item::key(name));
        let request = match expected {
            Some(stamp) => request
                .condition_expression("stamp = :expected")
                .expression_attribute_values(":expected", AttributeValue::S(stamp.clone())),
            None => request,
        };
        match self.send(OPERATOR_TIMEOUT, request.send()).await? {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                // Another record stands there by now, and stays.
                Some(DeleteItemError::ConditionalCheckFailedException(_)) => Ok(()),
                _ => Err(self.explain("dynamodb:DeleteItem", &error).await),
            },
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

fn entry(found: Item) -> Option<Listed> {
    let name = found.get(item::KEY)?.as_s().ok()?.strip_prefix(KEY_PREFIX)?.to_owned();
    Some(Listed { name, record: item::from_item(found) })
}
