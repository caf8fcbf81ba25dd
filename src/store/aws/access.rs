//! From options to what a client of an AWS service needs: region, endpoint, HTTP, credentials.

use std::sync::Arc;
use std::time::Duration;

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::identity::IdentityCache;
use aws_config::meta::region::ProvideRegion;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::service_config::ServiceConfigKey;
use serde::{Deserialize, Serialize};

use super::http;
use super::keys::Keys;
use super::login::Login;
use super::sources::Sources;
use crate::store::text::plain;
use crate::store::{StoreError, StoreResult};

/// How long a connection may take to come about. Below the shortest lease's attempt timeout of
/// one second nothing changes; above it a dead address fails before the attempt's time is up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How to reach AWS and as whom. What is `None` comes from the standard AWS variables and files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// AWS Region, such as `eu-west-1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// `http://…` or `https://…` of something that speaks the service's protocol.
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
    /// What else a Terraform backend says about who to work as.
    #[serde(default, skip_serializing_if = "Login::is_default")]
    pub login: Login,
}

impl Access {
    /// The region in force, as far as it is known; nobody is asked for it.
    pub async fn region_in_force(&self) -> Option<String> {
        match given(self.region.as_ref()) {
            Some(region) => Some(region.to_owned()),
            None => {
                let files = self.login.files();
                let usual = usual_region(given(self.profile.as_ref()), files.as_ref()).await;
                usual.map(|region| region.to_string())
            }
        }
    }
}

/// The services that are spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Dynamodb,
    S3,
}

impl Service {
    /// Its name in the settings of AWS's variables and files: `AWS_ENDPOINT_URL_S3`, and `s3` in a
    /// profile's `services`.
    fn id(self) -> &'static str {
        match self {
            Self::Dynamodb => "DynamoDB",
            Self::S3 => "S3",
        }
    }
}

/// What every client of a service is made from.
pub(crate) struct Link {
    /// Region, endpoint, HTTP client and timeouts; retries are off and no credentials are in it.
    pub(crate) sdk: SdkConfig,
    /// The credentials: [`Keys::ensure`] before each request, [`Keys::provider`] for the client.
    pub(crate) keys: Arc<Keys>,
    /// The region in force.
    pub(crate) region: Region,
    /// The endpoint, where it is not AWS's own.
    pub(crate) endpoint: Option<String>,
}

/// Finds out region, endpoint and credentials; nothing is asked of `service` itself. `whose` is
/// what the region is needed for, in the error: `table "locks"`.
///
/// # Errors
/// [`StoreError::Misconfigured`], [`StoreError::Credentials`], or [`StoreError::Unavailable`] when
/// whoever gives out credentials does not answer.
pub(crate) async fn link(access: &Access, service: Service, whose: &str) -> StoreResult<Link> {
    let files = access.login.files();
    let region = region(access, files.as_ref(), whose).await?;
    let http = http::client();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(region.clone())
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).build())
        .http_client(http.clone())
        // The keys keep themselves; a second cache would renew inside an attempt's time.
        .identity_cache(IdentityCache::no_cache())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .no_credentials();
    if let Some(profile) = given(access.profile.as_ref()) {
        loader = loader.profile_name(profile);
    }
    if let Some(files) = files {
        loader = loader.profile_files(files);
    }
    if let Some(url) = given(access.endpoint_url.as_ref()) {
        loader = loader.endpoint_url(url);
    }
    let sdk = loader.load().await;

    let endpoint = given(access.endpoint_url.as_ref())
        .map(str::to_owned)
        .or_else(|| usual_endpoint(&sdk, service))
        .or_else(|| sdk.endpoint_url().map(str::to_owned));
    check_endpoint(endpoint.as_deref())?;

    let owned = |option: &Option<String>| given(option.as_ref()).map(str::to_owned);
    let sources = Sources::new(
        owned(&access.profile),
        owned(&access.role_arn),
        access.login.clone(),
        region.clone(),
        http,
    );
    let keys = Arc::new(Keys::new(sources));
    keys.ensure().await?;
    Ok(Link { sdk, keys, region, endpoint })
}

/// What variables and files say of the endpoint of one service, as its client will find it.
fn usual_endpoint(sdk: &SdkConfig, service: Service) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id(service.id())
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .ok()?;
    sdk.service_config()?.load_config(key).filter(|url| !url.is_empty())
}

async fn region(access: &Access, files: Option<&EnvConfigFiles>, whose: &str) -> StoreResult<Region> {
    if let Some(region) = given(access.region.as_ref()) {
        return Ok(Region::new(region.to_owned()));
    }
    usual_region(given(access.profile.as_ref()), files).await.ok_or_else(|| StoreError::Misconfigured {
        message: format!(
            "no AWS region is known for {}; give it with --region, set AWS_REGION, or add region to the \
             AWS profile",
            plain(whose)
        ),
    })
}

/// Variable, profile; never the instance's metadata, which takes seconds where there is none.
pub(super) async fn usual_region(profile: Option<&str>, from: Option<&EnvConfigFiles>) -> Option<Region> {
    if let Some(region) = EnvironmentVariableRegionProvider::new().region().await {
        return Some(region);
    }
    let mut files = ProfileFileRegionProvider::builder();
    if let Some(name) = profile {
        files = files.profile_name(name);
    }
    if let Some(from) = from {
        files = files.profile_files(from.clone());
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

/// Whether an endpoint is not AWS's own, but of somebody who speaks the same protocol.
pub(crate) fn is_foreign(endpoint: &str) -> bool {
    let rest = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
    ![".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".api.aws"]
        .iter()
        .any(|own| host.ends_with(own))
}

fn given(option: Option<&String>) -> Option<&str> {
    option.map(String::as_str).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoints_of_aws_are_told_from_others() {
        for own in [
            "https://s3.eu-west-1.amazonaws.com",
            "https://bucket.vpce-1a2b-5e6f.s3.us-east-1.vpce.amazonaws.com:443/x",
            "https://s3.cn-north-1.amazonaws.com.cn/",
            "https://s3.dualstack.eu-west-1.API.aws",
        ] {
            assert!(!is_foreign(own), "{own}");
        }
        for other in [
            "http://127.0.0.1:9000",
            "https://minio.example.com/amazonaws.com",
            "https://s3.amazonaws.com@example.com",
            "https://evilamazonaws.com",
            "http://[::1]:9000",
        ] {
            assert!(is_foreign(other), "{other}");
        }
    }
}
