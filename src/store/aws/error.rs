//! What the SDK's errors mean to us, as far as it is the same for every service.

use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};

use crate::store::text::{chain, plain};
use crate::store::{StoreError, Unavailable};

/// Who was asked, for messages.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Who should have answered: `S3 in eu-west-1`, or an endpoint.
    pub(crate) service: String,
    /// What is spoken there: `S3`.
    pub(crate) language: &'static str,
    /// What the request was about: `S3 bucket states in eu-west-1`.
    pub(crate) resource: String,
}

/// An error that a service answered with.
#[derive(Debug, Clone)]
pub(crate) struct Answer<'a> {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The service's word for it.
    pub(crate) code: Option<&'a str>,
    /// The service's sentence, fit for a message.
    pub(crate) said: String,
}

impl Asked {
    /// No answer came within `timeout`.
    pub(crate) fn silent(&self, timeout: Duration) -> StoreError {
        unavailable(
            Unavailable::Timeout,
            format!("{} did not answer within {} s", self.service, timeout.as_secs_f64()),
        )
    }

    /// Something else than the service answered, with this HTTP status.
    pub(crate) fn strange(&self, status: u16) -> StoreError {
        unavailable(
            Unavailable::Failed,
            format!(
                "{} answered HTTP {status} with something that is not {}'s; check the endpoint",
                self.service, self.language
            ),
        )
    }

    /// The answer broke off.
    pub(crate) fn broken(&self, cause: &dyn std::error::Error) -> StoreError {
        unavailable(
            Unavailable::Failed,
            format!("the connection to {} broke before the answer came: {}", self.service, chain(cause)),
        )
    }

    /// What went wrong with a request; one that was answered with an error is left to `refusal`.
    pub(crate) fn explain<E: std::error::Error + 'static>(
        &self,
        error: &SdkError<E, HttpResponse>,
        refusal: impl FnOnce(&E, &HttpResponse) -> StoreError,
    ) -> StoreError {
        let service = &self.service;
        match error {
            SdkError::ServiceError(answer) => refusal(answer.err(), answer.raw()),
            SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
                Some(cause) if cause.is_timeout() => {
                    unavailable(Unavailable::Timeout, format!("{service} did not answer: {}", chain(cause)))
                }
                Some(cause) if never_connected(cause) => unavailable(
                    Unavailable::Unreachable,
                    format!("{service} cannot be reached: {}", chain(cause)),
                ),
                Some(cause) => self.broken(cause),
                None => unavailable(Unavailable::Unreachable, format!("{service}: {}", chain(error))),
            },
            SdkError::TimeoutError(_) => {
                unavailable(Unavailable::Timeout, format!("{service} did not answer in time"))
            }
            SdkError::ResponseError(answer) => self.strange(answer.raw().status().as_u16()),
            // The request could not even be built: an endpoint that is no URI, a header that is none.
            _ => StoreError::Misconfigured {
                message: format!("no request can be made to {service}: {}", chain(error)),
            },
        }
    }

    /// What an error means that every service may answer with. `action` is what IAM policies call
    /// the request.
    pub(crate) fn refused(&self, action: &str, answer: &Answer<'_>) -> StoreError {
        let Self { service, language, resource } = self;
        let Answer { status, code, said } = answer;
        let credentials = |expired, advice: String| StoreError::Credentials {
            expired,
            message: format!("{said}; {advice}"),
        };
        let told = code.map(plain).unwrap_or_default();
        match code.unwrap_or_default() {
            "AccessDenied" | "AccessDeniedException" | "NotAuthorized" | "UnauthorizedOperation" => {
                StoreError::Credentials {
                    expired: false,
                    message: format!(
                        "the AWS credentials may not {action} on {resource}; allow it in their IAM policy ({said})"
                    ),
                }
            }
            "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" | "TokenRefreshRequired" => credentials(
                true,
                "the AWS credentials have expired: log in again, or let the CI mint ones that live as long \
                 as the run"
                    .to_owned(),
            ),
            "InvalidSignatureException" | "SignatureDoesNotMatch" | "RequestTimeTooSkewed" => credentials(
                false,
                format!(
                    "{language} does not accept the AWS credentials' signature: check the secret key and this \
                     machine's clock"
                ),
            ),
            "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "InvalidAccessKeyId"
            | "InvalidToken"
            | "InvalidSecurity"
            | "MissingAuthenticationToken"
            | "MissingAuthenticationTokenException"
            | "IncompleteSignature"
            | "IncompleteSignatureException" => credentials(
                false,
                format!(
                    "{language} does not know the AWS credentials: check the access key, the session token and \
                     the region"
                ),
            ),
            "Throttling"
            | "ThrottlingException"
            | "ThrottledException"
            | "ProvisionedThroughputExceededException"
            | "RequestLimitExceeded"
            | "TooManyRequests"
            | "TooManyRequestsException"
            | "SlowDown"
            | "SlowDownRead"
            | "SlowDownWrite" => {
                unavailable(Unavailable::Throttled, format!("{resource} asks to slow down ({told}): {said}"))
            }
            "" => unavailable(
                Unavailable::Failed,
                format!(
                    "{service} answered HTTP {status} without saying why; check that it is {language}"
                ),
            ),
            _ if *status >= 500 => unavailable(
                Unavailable::Failed,
                format!("{service} failed with HTTP {status} ({told}): {said}"),
            ),
            _ => unavailable(
                Unavailable::Failed,
                format!("{service} turned {action} away with HTTP {status} ({told}): {said}"),
            ),
        }
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

fn unavailable(kind: Unavailable, message: String) -> StoreError {
    StoreError::Unavailable { kind, message }
}
