//! From a configuration to a client: region, endpoint, HTTP, credentials.

use std::sync::Arc;
use std::time::Duration;

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::ProvideRegion;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{Builder, IdentityCache, StalledStreamProtectionConfig};
use serde::{Deserialize, Serialize};

use super::dynamodb_credentials::Keys;
use super::dynamodb_error::Target;
use super::dynamodb_http;
use super::dynamodb_sources::Sources;
use super::text::plain;
use super::{StoreError, StoreResult};

/// How long a connection may take to come about. Below the shortest lease's attempt timeout of
/// one second nothing changes; above it a dead address fails before the attempt's time is up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Where the table is and as whom to go there. What is `None` comes from the standard AWS
/// variables and files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DynamoConfig {
    /// Name of the table.
    pub table: String,
    /// AWS Region, such as `eu-west-1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// `http://…` or `https://…` of something that speaks DynamoDB's protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_url: Option<String>,
    /// Profile of the AWS configuration files. It goes before credentials in the environment,
    /// since whoever names one means it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// ARN of the role to work as. In a GitHub job that may mint identity tokens it is assumed with
    /// one of those, unless a profile is named; else with the credentials that are found otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
}

impl DynamoConfig {
    /// In words, as far as it is known before the environment was asked.
    pub fn describe(&self) -> String {
        Target::new(&self.table, self.region.as_deref(), self.endpoint_url.as_deref()).to_string()
    }
}

/// What [`connect`] makes.
pub(super) struct Connected {
    pub(super) client: Client,
    pub(super) keys: Arc<Keys>,
    pub(super) target: Target,
}

/// # Errors
/// [`StoreError::Misconfigured`], [`StoreError::Credentials`], or [`StoreError::Unavailable`] when
/// whoever gives out credentials does not answer.
pub(super) async fn connect(config: &DynamoConfig) -> StoreResult<Connected> {
    let region = region(config).await?;
    let http = dynamodb_http::client();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(region.clone())
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).build())
        .http_client(http.clone())
        .no_credentials();
    if let Some(profile) = given(config.profile.as_ref()) {
        loader = loader.profile_name(profile);
    }
    if let Some(url) = given(config.endpoint_url.as_ref()) {
        loader = loader.endpoint_url(url);
    }
    let sdk = loader.load().await;

    let endpoint = given(config.endpoint_url.as_ref())
        .map(str::to_owned)
        .or_else(|| std::env::var("AWS_ENDPOINT_URL_DYNAMODB").ok().filter(|url| !url.is_empty()))
        .or_else(|| sdk.endpoint_url().map(str::to_owned));
    let target = Target::new(&config.table, Some(region.as_ref()), endpoint.as_deref());
    check_endpoint(endpoint.as_deref())?;

    let owned = |option: &Option<String>| given(option.as_ref()).map(str::to_owned);
    let sources = Sources::new(owned(&config.profile), owned(&config.role_arn), region, http);
    let keys = Arc::new(Keys::new(sources));
    keys.ensure().await?;
    let builder = Builder::from(&sdk)
        .credentials_provider(keys.provider())
        // The keys keep themselves; a second cache would renew inside an attempt's time.
        .identity_cache(IdentityCache::no_cache())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    Ok(Connected { client: Client::from_conf(builder.build()), keys, target })
}

async fn region(config: &DynamoConfig) -> StoreResult<Region> {
    if let Some(region) = given(config.region.as_ref()) {
        return Ok(Region::new(region.to_owned()));
    }
    usual_region(given(config.profile.as_ref())).await.ok_or_else(|| StoreError::Misconfigured {
        message: format!(
            "no AWS region is known for table \"{}\"; give it with --region, set AWS_REGION, or add \
             region to the AWS profile",
            plain(&config.table)
        ),
    })
}

/// Variable, profile; never the instance's metadata, which takes seconds where there is none.
pub(super) async fn usual_region(profile: Option<&str>) -> Option<Region> {
    if let Some(region) = EnvironmentVariableRegionProvider::new().region().await {
        return Some(region);
    }
    let mut files = ProfileFileRegionProvider::builder();
    if let Some(name) = profile {
        files = files.profile_name(name);
    }
    files.build().region().await
}

fn check_endpoint(endpoint: Option<&str>) -> StoreResult<()> {
    match endpoint {
        Some(url) if !url.starts_with("http://") && !url.starts_with("https://") => {
            Err(StoreError::Misconfigured {
                message: format!(
                    "the endpoint \"{}\" is not a URL; give one that starts with http:// or https://",
                    plain(url)
                ),
            })
        }
        _ => Ok(()),
    }
}

fn given(option: Option<&String>) -> Option<&str> {
    option.map(String::as_str).filter(|text| !text.is_empty())
}
