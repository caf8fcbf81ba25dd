//! What the AWS configuration files would give a program that we start.

use std::time::Duration;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use jiff::Timestamp;

use super::access::usual_region;
use super::http;
use crate::store::text::chain;

/// How long an SSO portal, a credential process or STS may take.
const BOUND: Duration = Duration::from_secs(30);

/// What the profile that is in force gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AwsFiles {
    /// Nothing: there are no files, or no such profile in them.
    Nothing,
    /// Keys that say when they expire: from SSO, a credential process, an assumed role.
    Until(Timestamp),
    /// Temporary keys that do not say when they expire.
    Untold,
    /// Keys that do not expire.
    Lasting,
    /// Nothing, though it should: a clause that says why.
    Failed(String),
}

/// Asks the profile in `AWS_PROFILE`, or the default one, as a program that is started now would.
/// That may run a credential process, or ask an SSO portal or STS.
pub async fn ask_aws_files() -> AwsFiles {
    let config = ProviderConfig::without_region()
        .with_region(usual_region(None, None).await)
        .with_http_client(http::client());
    let provider = ProfileFileCredentialsProvider::builder().configure(&config).build();
    match tokio::time::timeout(BOUND, provider.provide_credentials()).await {
        Ok(Ok(credentials)) => {
            let expiry = credentials.expiry().and_then(|expiry| Timestamp::try_from(expiry).ok());
            match (expiry, credentials.session_token()) {
                (Some(expiry), _) => AwsFiles::Until(expiry),
                (None, Some(_)) => AwsFiles::Untold,
                (None, None) => AwsFiles::Lasting,
            }
        }
        Ok(Err(CredentialsError::CredentialsNotLoaded(_))) => AwsFiles::Nothing,
        Ok(Err(error)) => AwsFiles::Failed(chain(&error)),
        Err(_) => AwsFiles::Failed(format!("no answer came within {} s", BOUND.as_secs())),
    }
}
