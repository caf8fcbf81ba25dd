//! Clients to ask with: those of the stores, with an eye on the service's clock.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::{RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::primitives::ByteStream;

use super::date::{DateWatch, ServerTime};
use super::fact::{Fault, fault};
use crate::store::aws::{Keys, Service, is_foreign, link};
use crate::store::text::{chain, plain};
use crate::store::{Access, S3Config, StoreError, StoreResult, Unavailable};

/// How long one answer may take.
const BOUND: Duration = Duration::from_secs(5);

/// How long a body may take to come, once its answer has begun.
const BODY: Duration = Duration::from_secs(10);

/// What the clients of both services share.
struct Line {
    keys: Arc<Keys>,
    dates: DateWatch,
    region: String,
    endpoint: Option<String>,
    service: String,
}

impl Line {
    /// Runs one request that is called `action` in IAM policies.
    async fn ask<T, E>(
        &self,
        action: &'static str,
        bound: Duration,
        request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, Fault>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        self.keys.ensure().await.map_err(Fault::Failed)?;
        match tokio::time::timeout(bound, Box::pin(request)).await {
            Ok(answer) => answer.map_err(|error| fault(&self.service, action, &error)),
            Err(_) => Err(Fault::silent(&self.service, bound)),
        }
    }
}

macro_rules! line {
    ($client:ident) => {
        impl $client {
            /// Runs one request that is called `action` in IAM policies, for a few seconds at most.
            ///
            /// # Errors
            /// [`Fault`].
            pub async fn ask<T, E>(
                &self,
                action: &'static str,
                request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
            ) -> Result<T, Fault>
            where
                E: ProvideErrorMetadata + Error + 'static,
            {
                self.line.ask(action, BOUND, request).await
            }

            /// As `ask`, for requests that carry much.
            ///
            /// # Errors
            /// [`Fault`].
            pub async fn ask_within<T, E>(
                &self,
                action: &'static str,
                bound: Duration,
                request: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
            ) -> Result<T, Fault>
            where
                E: ProvideErrorMetadata + Error + 'static,
            {
                self.line.ask(action, bound, request).await
            }

            /// The region in force.
            pub fn region(&self) -> &str {
                &self.line.region
            }

            /// The endpoint, where it is not AWS's own.
            pub fn endpoint(&self) -> Option<&str> {
                self.line.endpoint.as_deref()
            }

            /// When the credentials in use expire; `None`: not by themselves, or it is not told.
            pub async fn expiry(&self) -> Option<jiff::Timestamp> {
                let credentials = self.line.keys.provider().provide_credentials().await.ok()?;
                jiff::Timestamp::try_from(credentials.expiry()?).ok()
            }

            /// The service's clock, as its newest answer told it.
            pub fn server_time(&self) -> Option<ServerTime> {
                self.line.dates.newest()
            }
        }
    };
}

/// DynamoDB, to ask.
pub struct DynamoClient {
    /// For requests to pass to `ask`.
    pub sdk: aws_sdk_dynamodb::Client,
    line: Line,
}

/// S3, to ask.
pub struct S3Client {
    /// For requests to pass to `ask`.
    pub sdk: aws_sdk_s3::Client,
    line: Line,
}

line!(DynamoClient);
line!(S3Client);

impl DynamoClient {
    /// Finds out region and credentials; the service is not asked yet. `whose` is what the region
    /// is needed for: `table "locks"`.
    ///
    /// # Errors
    /// [`StoreError`](crate::store::StoreError).
    pub async fn connect(access: &Access, whose: &str) -> StoreResult<Self> {
        let link = link(access, Service::Dynamodb, whose).await?;
        let dates = DateWatch::default();
        let config = aws_sdk_dynamodb::config::Builder::from(&link.sdk)
            .credentials_provider(link.keys.provider())
            .interceptor(dates.clone())
            .build();
        let line = line("DynamoDB", link.keys, dates, link.region.as_ref(), link.endpoint);
        Ok(Self { sdk: aws_sdk_dynamodb::Client::from_conf(config), line })
    }
}

impl S3Client {
    /// The whole of a body, within a bound of its own.
    ///
    /// # Errors
    /// [`Fault::Failed`].
    pub async fn body(&self, body: ByteStream) -> Result<Vec<u8>, Fault> {
        match tokio::time::timeout(BODY, body.collect()).await {
            Ok(Ok(body)) => Ok(body.to_vec()),
            Ok(Err(error)) => Err(Fault::Failed(StoreError::Unavailable {
                kind: Unavailable::Failed,
                message: format!("the answer of {} broke off: {}", self.line.service, chain(&error)),
            })),
            Err(_) => Err(Fault::silent(&self.line.service, BODY)),
        }
    }

    /// As [`DynamoClient::connect`].
    pub async fn connect(config: &S3Config) -> StoreResult<Self> {
        let whose = format!("bucket \"{}\"", config.bucket);
        let link = link(&config.access, Service::S3, &whose).await?;
        let dates = DateWatch::default();
        let foreign = link.endpoint.as_deref().is_some_and(is_foreign);
        let mut client = aws_sdk_s3::config::Builder::from(&link.sdk)
            .credentials_provider(link.keys.provider())
            .interceptor(dates.clone())
            .force_path_style(config.path_style || foreign);
        if foreign {
            // As the store does: not everybody who speaks S3 knows of the newer checksums.
            client = client
                .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
                .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        }
        let line = line("S3", link.keys, dates, link.region.as_ref(), link.endpoint);
        Ok(Self { sdk: aws_sdk_s3::Client::from_conf(client.build()), line })
    }
}

fn line(service: &str, keys: Arc<Keys>, dates: DateWatch, region: &str, endpoint: Option<String>) -> Line {
    let service = match &endpoint {
        Some(endpoint) => plain(endpoint),
        None => format!("{service} in {}", plain(region)),
    };
    Line { keys, dates, region: region.to_owned(), endpoint, service }
}
