//! Working as a role: credentials that AWS STS lends for an hour, against others or a token.

use std::time::{Duration, SystemTime};

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::config::SharedHttpClient;
use aws_sdk_sts::config::{Builder, IdentityCache};
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::types;

use super::login::RoleOptions;
use super::sources::LoadError;
use crate::store::Unavailable;
use crate::store::text::{chain, plain};

/// How long STS may take to answer one attempt.
const ATTEMPT: Duration = Duration::from_secs(3);
/// Attempts of one request: nothing is changed by asking again.
const ATTEMPTS: u32 = 3;
/// The longest name that STS takes.
const LONGEST_NAME: usize = 64;

/// The role, and the name under which its use is logged by AWS.
#[derive(Debug)]
pub(super) struct Role {
    arn: String,
    session: String,
    options: RoleOptions,
}

impl Role {
    pub(super) fn new(arn: String, options: &RoleOptions, env: &dyn Fn(&str) -> Option<String>) -> Self {
        let named = options.session_name.clone().or_else(|| env("AWS_ROLE_SESSION_NAME"));
        let session = named.or_else(|| env("GITHUB_RUN_ID").map(|run| format!("tfguard-{run}")));
        Self { arn, session: session_name(&session.unwrap_or_default()), options: options.clone() }
    }

    fn policies(&self) -> Option<Vec<types::PolicyDescriptorType>> {
        let arns = &self.options.policy_arns;
        let one = |arn: &String| types::PolicyDescriptorType::builder().arn(arn).build();
        (!arns.is_empty()).then(|| arns.iter().map(one).collect())
    }

    /// For messages.
    pub(super) fn shown(&self) -> String {
        plain(&self.arn)
    }
}

/// What STS takes as a name.
fn session_name(wish: &str) -> String {
    let kept = |c: &char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(*c);
    let name: String = wish.chars().filter(kept).take(LONGEST_NAME).collect();
    if name.len() < 2 { "tfguard".to_owned() } else { name }
}

/// AWS STS.
pub(super) struct Client {
    config: Builder,
}

impl Client {
    /// The endpoint may come from `AWS_ENDPOINT_URL_STS` or `AWS_ENDPOINT_URL`, as for every SDK.
    pub(super) async fn new(region: Region, endpoint: Option<&str>, http: SharedHttpClient) -> Self {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).build();
        let sdk = aws_config::defaults(BehaviorVersion::latest())
            .region(region)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(timeouts)
            .http_client(http)
            .no_credentials()
            .load()
            .await;
        let config = Builder::from(&sdk).identity_cache(IdentityCache::no_cache());
        Self {
            config: match endpoint {
                Some(url) => config.endpoint_url(url),
                None => config,
            },
        }
    }

    /// The role, for a token that says who we are.
    pub(super) async fn assume_with_identity(
        self,
        role: &Role,
        token: &str,
    ) -> Result<Credentials, LoadError> {
        let answer = aws_sdk_sts::Client::from_conf(self.config.build())
            .assume_role_with_web_identity()
            .role_arn(&role.arn)
            .role_session_name(&role.session)
            .web_identity_token(token)
            .set_duration_seconds(role.options.seconds)
            .set_policy(role.options.policy.clone())
            .set_policy_arns(role.policies())
            .send()
            .await;
        match answer {
            Ok(answer) => lent(role, answer.credentials),
            Err(error) => Err(explain(role, &error, token)),
        }
    }

    /// The role, for credentials that may assume it.
    pub(super) async fn assume_with_keys(
        self,
        role: &Role,
        keys: Credentials,
    ) -> Result<Credentials, LoadError> {
        let secret = keys.session_token().unwrap_or_else(|| keys.secret_access_key()).to_owned();
        let config = self.config.credentials_provider(SharedCredentialsProvider::new(keys)).build();
        let answer = aws_sdk_sts::Client::from_conf(config)
            .assume_role()
            .role_arn(&role.arn)
            .role_session_name(&role.session)
            .set_external_id(role.options.external_id.clone())
            .set_source_identity(role.options.source_identity.clone())
            .set_duration_seconds(role.options.seconds)
            .set_policy(role.options.policy.clone())
            .set_policy_arns(role.policies())
            .send()
            .await;
        match answer {
            Ok(answer) => lent(role, answer.credentials),
            Err(error) => Err(explain(role, &error, &secret)),
        }
    }
}

fn lent(role: &Role, credentials: Option<types::Credentials>) -> Result<Credentials, LoadError> {
    let useless =
        || LoadError::Refused(format!("AWS STS lent no usable credentials for role {}", role.shown()));
    let credentials = credentials.ok_or_else(useless)?;
    let expires = SystemTime::try_from(credentials.expiration).map_err(|_| useless())?;
    Ok(Credentials::new(
        credentials.access_key_id,
        credentials.secret_access_key,
        Some(credentials.session_token),
        Some(expires),
        "tfguard role",
    ))
}

/// `secret` is what was sent: an answer that repeats it is not passed on.
fn explain<E: ProvideErrorMetadata + std::error::Error + 'static>(
    role: &Role,
    error: &SdkError<E>,
    secret: &str,
) -> LoadError {
    let unavailable = |kind, what: &str| {
        LoadError::Unavailable(kind, format!("AWS STS, which lends role {}, {what}", role.shown()))
    };
    match error {
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            let code = plain(answer.err().code().unwrap_or_default());
            let said = plain(&answer.err().message().unwrap_or_default().replace(secret, "…"));
            match code.as_str() {
                "Throttling" | "ThrottlingException" | "RequestLimitExceeded" => {
                    unavailable(Unavailable::Throttled, &format!("asks to slow down: {said}"))
                }
                // STS could not ask GitHub for its keys.
                "IDPCommunicationError" => unavailable(Unavailable::Failed, &format!("failed: {said}")),
                _ if status >= 500 => {
                    unavailable(Unavailable::Failed, &format!("failed with HTTP {status} ({code}): {said}"))
                }
                _ => LoadError::Refused(format!(
                    "AWS STS does not lend role {} ({code}): {said}",
                    role.shown()
                )),
            }
        }
        SdkError::DispatchFailure(_) => unavailable(
            Unavailable::Unreachable,
            &format!("cannot be reached: {}", chain(error).replace(secret, "…")),
        ),
        SdkError::TimeoutError(_) => unavailable(Unavailable::Timeout, "did not answer in time"),
        _ => unavailable(Unavailable::Failed, "gave no answer that makes sense; check its endpoint"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(variables: &[(&str, &str)]) -> String {
        let env =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Role::new("arn".into(), &RoleOptions::default(), &env).session
    }

    #[test]
    fn the_use_of_the_role_is_logged_under_a_name_that_sts_takes() {
        assert_eq!(name(&[]), "tfguard");
        assert_eq!(name(&[("GITHUB_RUN_ID", "42")]), "tfguard-42");
        assert_eq!(name(&[("GITHUB_RUN_ID", "42"), ("AWS_ROLE_SESSION_NAME", "me@x")]), "me@x");
        assert_eq!(name(&[("AWS_ROLE_SESSION_NAME", "a b/c\n")]), "abc");
        assert_eq!(name(&[("AWS_ROLE_SESSION_NAME", "/")]), "tfguard");
        assert_eq!(name(&[("AWS_ROLE_SESSION_NAME", &"x".repeat(100))]).len(), 64);
    }
}
