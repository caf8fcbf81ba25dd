//! Single requests to a bucket: their conditions, their time, and what their failures mean.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Builder, RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;

use super::config::S3Config;
use super::error::{self as errors, Condition};
use crate::clock::SystemClock;
use crate::lease::Instant;
use crate::store::aws::Target;
use crate::store::aws::{Keys, Service, is_foreign, link};
use crate::store::{StoreError, StoreResult};

/// No record is nearly as long. What is longer is not ours and is not fetched.
const LONGEST_BODY: i64 = 1 << 20;

/// A bucket and the way to it.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) client: Client,
    pub(super) target: Target,
    /// The endpoint is not AWS's own: somebody else's idea of S3.
    pub(super) foreign: bool,
    keys: Arc<Keys>,
}

/// The time that an operation has for all of its requests.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    whole: Duration,
    end: Instant,
}

/// On what condition an object is written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Only<'a> {
    /// On none: whatever stands there.
    Always,
    /// There is none.
    IfAbsent,
    /// It is still the one with this entity tag.
    IfStill(&'a str),
}

/// What came of a read.
#[derive(Debug)]
pub(super) enum Got {
    /// There is no such object.
    Absent,
    /// It is still the one that was known.
    Unchanged,
    /// An object, and the tag to write it by.
    Found { tag: String, bytes: Vec<u8> },
    /// An object of so many bytes, which no record has.
    TooLong(i64),
}

/// What came of a write or a deletion.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// It took effect; the tag of the new object, and nothing for one that was deleted.
    Yes(String),
    /// Its condition does not hold.
    No,
    /// Others were writing the same object. It took no effect, and may be tried again.
    Contended,
}

impl Budget {
    /// Starts to count.
    pub(super) fn start(whole: Duration) -> Self {
        Self { whole, end: SystemClock.mono() + whole }
    }

    pub(super) fn left(&self) -> Duration {
        self.end.since(SystemClock.mono())
    }
}

impl Bucket {
    /// Finds out region and credentials. The bucket is not asked yet.
    ///
    /// # Errors
    /// [`StoreError::Misconfigured`], [`StoreError::Credentials`], see [`link`].
    pub(super) async fn connect(config: &S3Config) -> StoreResult<Self> {
        let link = link(&config.access, Service::S3, &format!("bucket \"{}\"", config.bucket)).await?;
        let target = Target::bucket(&config.bucket, Some(link.region.as_ref()), link.endpoint.as_deref());
        let foreign = link.endpoint.as_deref().is_some_and(is_foreign);
        let mut client = Builder::from(&link.sdk)
            .credentials_provider(link.keys.provider())
            .force_path_style(config.path_style || foreign);
        if foreign {
            // Not everybody who speaks S3 knows of the newer checksums. AWS does, and asks for one
            // where a bucket has object lock.
            client = client
                .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
                .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        }
        Ok(Self { client: Client::from_conf(client.build()), target, foreign, keys: link.keys })
    }

    /// Starts the time of an operation. Credentials are renewed before it starts to count.
    pub(super) async fn begin(&self, timeout: Duration) -> StoreResult<Budget> {
        self.keys.ensure().await?;
        Ok(Budget::start(timeout))
    }

    /// Reads the object, unless it still has the tag `known`.
    pub(super) async fn get(&self, key: &str, known: Option<&str>, budget: Budget) -> StoreResult<Got> {
        let request = self.client.get_object().bucket(&self.target.name).key(key);
        let request = request.set_if_none_match(known.map(str::to_owned)).send();
        let answer = match self.within(budget, request).await? {
            Ok(answer) => answer,
            Err(error) => {
                return match errors::condition(&error) {
                    Condition::Absent => Ok(Got::Absent),
                    Condition::Unchanged if known.is_some() => Ok(Got::Unchanged),
                    _ => Err(self.explain("s3:GetObject", &error)),
                };
            }
        };
        if let Some(length) = answer.content_length.filter(|length| *length > LONGEST_BODY) {
            return Ok(Got::TooLong(length));
        }
        let Some(tag) = answer.e_tag else {
            return Err(self.target.asked().strange(200));
        };
        match self.within(budget, answer.body.collect()).await? {
            Ok(bytes) => Ok(Got::Found { tag, bytes: bytes.to_vec() }),
            Err(error) => Err(self.target.asked().broken(&error)),
        }
    }

    /// Writes the object on condition.
    pub(super) async fn put(
        &self,
        key: &str,
        bytes: Vec<u8>,
        only: Only<'_>,
        budget: Budget,
    ) -> StoreResult<Done> {
        let request = self
            .client
            .put_object()
            .bucket(&self.target.name)
            .key(key)
            .content_type("application/json")
            .cache_control("no-cache")
            .body(ByteStream::from(bytes));
        let request = match only {
            Only::Always => request,
            Only::IfAbsent => request.if_none_match("*"),
            Only::IfStill(tag) => request.if_match(tag),
        };
        match self.within(budget, request.send()).await? {
            // What answers without a tag is not S3, and may have written nothing.
            Ok(answer) => answer.e_tag.map(Done::Yes).ok_or_else(|| self.target.asked().strange(200)),
            Err(error) => self.undone("s3:PutObject", &error),
        }
    }

    /// Deletes the object, on condition that it still has the tag `only`. Who does not know that
    /// condition is asked without: the caller has looked a moment ago.
    pub(super) async fn delete(&self, key: &str, only: Option<&str>, budget: Budget) -> StoreResult<Done> {
        let request = self.client.delete_object().bucket(&self.target.name).key(key);
        let conditional = request.clone().set_if_match(only.map(str::to_owned)).send();
        let mut answer = self.within(budget, conditional).await?;
        if answer.as_ref().is_err_and(|error| errors::condition(error) == Condition::Unsupported) {
            answer = self.within(budget, request.send()).await?;
        }
        match answer {
            Ok(_) => Ok(Done::Yes(String::new())),
            Err(error) => self.undone("s3:DeleteObject", &error),
        }
    }

    fn undone<E>(&self, action: &str, error: &SdkError<E>) -> StoreResult<Done>
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        match errors::condition(error) {
            Condition::Failed | Condition::Absent => Ok(Done::No),
            Condition::Contended => Ok(Done::Contended),
            Condition::Unchanged | Condition::Unsupported | Condition::Untold => {
                Err(self.explain(action, error))
            }
        }
    }

    /// Waits for `request` as long as the budget allows.
    pub(super) async fn within<T>(&self, budget: Budget, request: impl Future<Output = T>) -> StoreResult<T> {
        let late = |_| self.target.asked().silent(budget.whole);
        tokio::time::timeout(budget.left(), request).await.map_err(late)
    }

    /// What a failed request means.
    pub(super) fn explain<E>(&self, action: &str, error: &SdkError<E>) -> StoreError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let error = errors::classify(&self.target, action, error);
        if matches!(error, StoreError::Credentials { expired: true, .. }) {
            self.keys.distrust();
        }
        error
    }
}
