//! Where AWS credentials come from, asked anew each time.

use std::time::Duration;

use aws_config::Region;
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::imds;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials};
use aws_sdk_dynamodb::config::SharedHttpClient;

use super::github_token::Issuer;
use super::login::{Login, Secret};
use super::role::{self, Role};
use crate::store::text::{chain, plain};
use crate::store::{StoreError, Unavailable};

/// Why no credentials came.
#[derive(Debug)]
pub(super) enum LoadError {
    /// Nothing gives any.
    Missing,
    /// It may work in a moment. A sentence for people.
    Unavailable(Unavailable, String),
    /// Somebody who could give them does not. A clause for people.
    Refused(String),
}

impl From<CredentialsError> for LoadError {
    fn from(error: CredentialsError) -> Self {
        let cause = chain(&error);
        match error {
            CredentialsError::ProviderTimedOut(_) => Self::Unavailable(
                Unavailable::Timeout,
                format!("whoever gives out AWS credentials does not answer: {cause}"),
            ),
            CredentialsError::ProviderError(_) if cause.contains("dispatch failure") => Self::Unavailable(
                Unavailable::Unreachable,
                format!("whoever gives out AWS credentials cannot be reached: {cause}"),
            ),
            CredentialsError::CredentialsNotLoaded(_) => Self::Missing,
            // The end of the chain, on a machine that gives nothing away: there is simply none.
            CredentialsError::ProviderError(_) if cause.contains("IMDS is disabled") => Self::Missing,
            _ => Self::Refused(cause),
        }
    }
}

/// What to ask.
#[derive(Debug)]
pub(super) struct Sources {
    profile: Option<String>,
    role: Option<Role>,
    login: Login,
    region: Region,
    http: SharedHttpClient,
}

impl Sources {
    pub(super) fn new(
        profile: Option<String>,
        role_arn: Option<String>,
        login: Login,
        region: Region,
        http: SharedHttpClient,
    ) -> Self {
        let role = role_arn.map(|arn| Role::new(arn, &login.role, &variable));
        Self { profile, role, login, region, http }
    }

    /// Asks. The providers are built anew each time: they keep what they read, and somebody may
    /// have logged in again meanwhile.
    pub(super) async fn load(&self) -> Result<Credentials, LoadError> {
        let Some(role) = &self.role else { return Ok(self.ordinary().await?) };
        let sts = self.login.sts_endpoint.as_deref();
        let client = || role::Client::new(self.region.clone(), sts, self.http.clone());
        if let Some(token) = self.token()? {
            return client().await.assume_with_identity(role, token.expose()).await;
        }
        match self.issuer() {
            Some(issuer) => {
                let token = issuer.mint().await?;
                client().await.assume_with_identity(role, token.expose()).await
            }
            None => {
                let own = self.ordinary().await?;
                client().await.assume_with_keys(role, own).await
            }
        }
    }

    /// The identity token that the backend names.
    fn token(&self) -> Result<Option<Secret>, LoadError> {
        let Some(file) = &self.login.identity_token_file else {
            return Ok(self.login.identity_token.clone());
        };
        let text = std::fs::read_to_string(file).map_err(|error| {
            let file = plain(&file.to_string_lossy());
            LoadError::Refused(format!("the identity token in {file} cannot be read: {error}"))
        })?;
        Ok(Some(text.trim().to_owned().into()))
    }

    /// A profile that is named goes before what the job could mint: whoever names one means it. A
    /// role of the backend's is assumed as Terraform assumes it.
    fn issuer(&self) -> Option<Issuer> {
        Issuer::from_env(&variable).filter(|_| self.profile.is_none() && !self.login.role.by_backend)
    }

    /// The named profile, or the standard chain.
    async fn ordinary(&self) -> provider::Result {
        if let Some(keys) = &self.login.keys {
            let token = keys.token.as_ref().map(|token| token.expose().to_owned());
            let secret = keys.secret.expose();
            return Ok(Credentials::new(&keys.id, secret, token, None, "Terraform's backend"));
        }
        let config = ProviderConfig::without_region()
            .with_region(Some(self.region.clone()))
            .with_http_client(self.http.clone());
        if let Some(profile) = &self.profile {
            return self.profile(&config, Some(profile)).await;
        }
        // The standard chain has no way to be told of other files: keys in the environment go before
        // those, all the rest comes after them.
        if self.login.files().is_some() && variable("AWS_ACCESS_KEY_ID").is_none() {
            match self.profile(&config, None).await {
                Err(CredentialsError::CredentialsNotLoaded(_)) => {}
                answer => return answer,
            }
        }
        // Where there is no instance metadata this is what it costs to find out. The service is on
        // the same machine: it answers in milliseconds or not at all.
        let imds = imds::Client::builder()
            .configure(&config)
            .max_attempts(2)
            .connect_timeout(Duration::from_secs(1))
            .read_timeout(Duration::from_secs(1))
            .operation_timeout(Duration::from_millis(1500))
            .build();
        DefaultCredentialsChain::builder()
            .configure(config)
            .region(self.region.clone())
            .imds_client(imds)
            .build()
            .await
            .provide_credentials()
            .await
    }

    /// A profile of the files that count; `None`: that of `AWS_PROFILE`, or the default one.
    async fn profile(&self, config: &ProviderConfig, name: Option<&str>) -> provider::Result {
        let mut provider = ProfileFileCredentialsProvider::builder().configure(config);
        if let Some(name) = name {
            provider = provider.profile_name(name);
        }
        if let Some(files) = self.login.files() {
            provider = provider.profile_files(files);
        }
        provider.build().provide_credentials().await
    }

    /// What a failure to load means. `had_some`: there were credentials before.
    pub(super) fn failure(&self, error: LoadError, had_some: bool) -> StoreError {
        let advice = self.advice();
        let message = match error {
            LoadError::Unavailable(kind, message) => return StoreError::Unavailable { kind, message },
            LoadError::Missing if had_some => {
                format!("the AWS credentials have expired and no new ones were found; {advice}")
            }
            LoadError::Refused(cause) if had_some => {
                format!("the AWS credentials have expired and cannot be renewed: {cause}; {advice}")
            }
            LoadError::Missing => match &self.profile {
                Some(profile) => {
                    format!("profile \"{}\" gives no AWS credentials; {advice}", plain(profile))
                }
                None => format!("no AWS credentials were found; {advice}"),
            },
            LoadError::Refused(cause) => format!("the AWS credentials cannot be loaded: {cause}; {advice}"),
        };
        StoreError::Credentials { expired: had_some, message }
    }

    fn advice(&self) -> String {
        if let Some(profile) = &self.profile {
            return format!("check profile \"{}\", or log in with `aws sso login`", plain(profile));
        }
        if self.login.keys.is_some() {
            return "check access_key, secret_key and token of Terraform's backend".to_owned();
        }
        if let Some(role) = self.role.as_ref().filter(|_| self.login.role.by_backend) {
            return format!("check the role {} of Terraform's backend, and who may assume it", role.shown());
        }
        match (&self.role, self.issuer()) {
            (Some(role), Some(_)) => format!(
                "the trust policy of role {} must name GitHub's OIDC provider, the audience sts.amazonaws.com \
                 and this repository as subject",
                role.shown()
            ),
            (Some(_), None) if variable("GITHUB_ACTIONS").is_some() => {
                "give the job `permissions: id-token: write`, so that it may mint identity tokens for \
                 --role-arn"
                    .to_owned()
            }
            (Some(role), None) => format!(
                "--role-arn needs AWS credentials that may assume role {}: set AWS_ACCESS_KEY_ID and \
                 AWS_SECRET_ACCESS_KEY, or name a profile with --profile",
                role.shown()
            ),
            (None, _) => {
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile with --profile, or give \
                 the job or machine a role"
                    .to_owned()
            }
        }
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
