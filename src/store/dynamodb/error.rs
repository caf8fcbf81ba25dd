//! What the SDK's errors mean to us, and how we say it.

use std::fmt;
use std::time::Duration;

use aws_sdk_dynamodb::error::{ConnectorError, ProvideErrorMetadata, SdkError};

use crate::store::text::{chain, plain};
use crate::store::{StoreError, Unavailable};

/// The table we mean, for messages.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// As given.
    pub(super) table: String,
    region: Option<String>,
    endpoint: Option<String>,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DynamoDB table {}", plain(&self.table))?;
        if let Some(region) = &self.region {
            write!(f, " in {region}")?;
        }
        if let Some(endpoint) = &self.endpoint {
            write!(f, " at {endpoint}")?;
        }
        Ok(())
    }
}

impl Target {
    pub(super) fn new(table: &str, region: Option<&str>, endpoint: Option<&str>) -> Self {
        Self { table: table.to_owned(), region: region.map(plain), endpoint: endpoint.map(plain) }
    }

    /// Who should have answered.
    fn service(&self) -> String {
        match (&self.endpoint, &self.region) {
            (Some(endpoint), _) => endpoint.clone(),
            (None, Some(region)) => format!("DynamoDB in {region}"),
            (None, None) => "DynamoDB".to_owned(),
        }
    }

    /// No answer came within `timeout`.
    pub(super) fn silent(&self, timeout: Duration) -> StoreError {
        let message = format!("{} did not answer within {timeout:?}", self.service());
        StoreError::Unavailable { kind: Unavailable::Timeout, message }
    }

    /// The command that makes a table of the right shape.
    pub(super) fn create_command(&self, table: &str) -> String {
        let option = |name: &str, value: &Option<String>| {
            value.as_ref().map(|value| format!(" --{name} {value}")).unwrap_or_default()
        };
        let region = option("region", &self.region);
        let endpoint = option("endpoint-url", &self.endpoint);
        format!(
            "`aws dynamodb create-table{region}{endpoint} --table-name {table} \
             --attribute-definitions AttributeName=LockID,AttributeType=S \
             --key-schema AttributeName=LockID,KeyType=HASH --billing-mode PAY_PER_REQUEST`"
        )
    }
}

/// What the service says of a request whose form it refuses, or `None` if the error is another. A key
/// that is not the table's is nearly always the reason.
pub(super) fn complaint<E: ProvideErrorMetadata>(error: &SdkError<E>) -> Option<String> {
    let answer = error.as_service_error()?;
    (answer.code() == Some("ValidationException")).then(|| plain(answer.message().unwrap_or_default()))
}

/// Whether a complaint is about the key. Writes name the attribute, reads say only that it does not
/// match.
pub(super) fn is_about_key(complaint: &str) -> bool {
    ["does not match the schema", "Missing the key", "Type mismatch for key"]
        .iter()
        .any(|text| complaint.contains(text))
}

/// What went wrong with a request that is called `action` in IAM policies.
pub(super) fn classify<E: ProvideErrorMetadata + std::error::Error + 'static>(
    target: &Target,
    action: &str,
    error: &SdkError<E>,
) -> StoreError {
    let unavailable = |kind, message| StoreError::Unavailable { kind, message };
    let service = target.service();
    match error {
        SdkError::ServiceError(answer) => refusal(
            target,
            action,
            answer.raw().status().as_u16(),
            answer.err().code(),
            &plain(answer.err().message().unwrap_or_default()),
        ),
        SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
            Some(cause) if cause.is_timeout() => {
                unavailable(Unavailable::Timeout, format!("{service} did not answer: {}", chain(cause)))
            }
            Some(cause) if never_connected(cause) => unavailable(
                Unavailable::Unreachable,
                format!("{service} cannot be reached: {}", chain(cause)),
            ),
            Some(cause) => unavailable(
                Unavailable::Failed,
                format!("the connection to {service} broke before the answer came: {}", chain(cause)),
            ),
            None => unavailable(Unavailable::Unreachable, format!("{service}: {}", chain(error))),
        },
        SdkError::TimeoutError(_) => {
            unavailable(Unavailable::Timeout, format!("{service} did not answer in time"))
        }
        SdkError::ResponseError(answer) => unavailable(
            Unavailable::Failed,
            format!(
                "{service} answered HTTP {} with something that is not DynamoDB's; check the endpoint",
                answer.raw().status().as_u16()
            ),
        ),
        // The request could not even be built: an endpoint that is no URI, a header that is none.
        _ => StoreError::Misconfigured {
            message: format!("no request can be made to {service}: {}", chain(error)),
        },
    }
}

/// Whether the error came before a single byte of the request went out: refused, no route, no such
/// host, a TLS handshake that failed.
fn never_connected(error: &ConnectorError) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = next {
        // The HTTP client's own word for it; its type is not public here.
        if cause.to_string().contains("client error (Connect)") {
            return true;
        }
        next = cause.source();
    }
    false
}

/// What an answer with an error in it means. `said` is fit for a message.
fn refusal(target: &Target, action: &str, status: u16, code: Option<&str>, said: &str) -> StoreError {
    let service = target.service();
    let credentials =
        |expired, advice: &str| StoreError::Credentials { expired, message: format!("{said}; {advice}") };
    let unavailable = |kind, message| StoreError::Unavailable { kind, message };
    let told = code.map(plain).unwrap_or_default();
    match code.unwrap_or_default() {
        "ResourceNotFoundException" => StoreError::Misconfigured {
            message: format!(
                "there is no {target}; create it with {}, or name another with --table or --region",
                target.create_command(&plain(&target.table))
            ),
        },
        "AccessDenied" | "AccessDeniedException" | "NotAuthorized" | "UnauthorizedOperation" => {
            StoreError::Credentials {
                expired: false,
                message: format!(
                    "the AWS credentials may not {action} on {target}; allow it in their IAM policy ({said})"
                ),
            }
        }
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => credentials(
            true,
            "the AWS credentials have expired: log in again, or let the CI mint ones that live as long as \
             the run",
        ),
        "InvalidSignatureException" | "SignatureDoesNotMatch" => credentials(
            false,
            "DynamoDB does not accept the AWS credentials' signature: check the secret key and this \
             machine's clock",
        ),
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidAccessKeyId"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "IncompleteSignature"
        | "IncompleteSignatureException" => credentials(
            false,
            "DynamoDB does not know the AWS credentials: check the access key, the session token and the \
             region",
        ),
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "ProvisionedThroughputExceededException"
        | "RequestLimitExceeded"
        | "TooManyRequestsException" => {
            unavailable(Unavailable::Throttled, format!("{target} asks to slow down ({told}): {said}"))
        }
        // Both say that nothing was written because somebody else is writing the same item.
        "ReplicatedWriteConflictException" | "TransactionConflictException" => unavailable(
            Unavailable::Throttled,
            format!("{target} is being written by others ({told}): {said}"),
        ),
        "ValidationException" => StoreError::Misconfigured {
            message: format!("{target} does not accept the request; check --table: {said}"),
        },
        "" => unavailable(
            Unavailable::Failed,
            format!("{service} answered HTTP {status} without saying why; check that it is DynamoDB"),
        ),
        _ if status >= 500 => {
            unavailable(Unavailable::Failed, format!("{service} failed with HTTP {status} ({told}): {said}"))
        }
        _ => unavailable(
            Unavailable::Failed,
            format!("{service} turned {action} away with HTTP {status} ({told}): {said}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, code: &str) -> StoreError {
        let target = Target::new("locks", Some("eu-west-1"), None);
        refusal(&target, "dynamodb:PutItem", status, Some(code), "the service's words")
    }

    #[test]
    fn only_refusals_count_as_refused() {
        for code in ["ThrottlingException", "ExpiredTokenException", "AccessDeniedException"] {
            assert!(answer(400, code).refused(), "{code}");
        }
        for code in ["InternalServerError", "ServiceUnavailable", ""] {
            assert!(!answer(500, code).refused(), "{code}");
        }
        assert!(!answer(400, "SomethingNew").refused());
    }

    #[test]
    fn a_missing_table_comes_with_the_command_that_makes_it() {
        let text = answer(400, "ResourceNotFoundException").to_string();
        for part in ["locks", "eu-west-1", "create-table", "AttributeName=LockID", "KeyType=HASH"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn what_is_not_allowed_is_named() {
        let text = answer(400, "AccessDeniedException").to_string();
        assert!(text.contains("dynamodb:PutItem") && text.contains("locks"), "{text}");
    }
}
