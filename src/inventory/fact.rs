//! One thing that was asked for, and why it is not known when it is not.

use std::error::Error;
use std::time::Duration;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::config::http::HttpResponse;

use crate::store::text::{chain, plain};
use crate::store::{StoreError, Unavailable};

/// Something that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact<T> {
    /// It is so.
    Known(T),
    /// It was not told.
    Untold(Fault),
}

/// Why a call did not give what it was made for. Texts are fit to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The credentials may not make this call.
    Denied {
        /// Its name in IAM policies, such as `dynamodb:DescribeTable`.
        action: &'static str,
        /// The service's words; may be empty.
        said: String,
    },
    /// What was asked about does not exist.
    Missing,
    /// The condition of a write did not hold: nothing was written.
    Condition,
    /// The service refuses the form of the request: a key that is not the table's, nearly always.
    /// Its words.
    Invalid(String),
    /// The service does not know the call: not AWS, but something that speaks its language.
    Unsupported,
    /// Another region is the place to ask, named if the service named it.
    Elsewhere(Option<String>),
    /// No answer, or credentials that nobody accepts, or an answer that makes no sense.
    Failed(StoreError),
}

impl<T> Fact<T> {
    /// What is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Untold(_) => None,
        }
    }

    /// Why it is not known.
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Known(_) => None,
            Self::Untold(fault) => Some(fault),
        }
    }
}

impl<T> From<Result<T, Fault>> for Fact<T> {
    fn from(result: Result<T, Fault>) -> Self {
        match result {
            Ok(value) => Self::Known(value),
            Err(fault) => Self::Untold(fault),
        }
    }
}

impl Fault {
    /// No answer came from `service` within `bound`.
    pub(super) fn silent(service: &str, bound: Duration) -> Self {
        let message = format!("{service} did not answer within {} s", bound.as_secs());
        Self::Failed(StoreError::Unavailable { kind: Unavailable::Timeout, message })
    }

    /// A clause that says it.
    pub fn text(&self) -> String {
        match self {
            Self::Denied { action, said } if said.is_empty() => format!("{action} is not allowed"),
            Self::Denied { action, said } => format!("{action} is not allowed: {said}"),
            Self::Missing => "it does not exist".to_owned(),
            Self::Condition => "the condition did not hold".to_owned(),
            Self::Invalid(said) => format!("the request is refused: {said}"),
            Self::Unsupported => "the service does not know the call".to_owned(),
            Self::Elsewhere(Some(region)) => format!("it is in {region}"),
            Self::Elsewhere(None) => "it is in another region".to_owned(),
            Self::Failed(error) => error.to_string(),
        }
    }
}

/// What the failure of a call means that is called `action` in IAM policies. `service` is who was
/// asked, fit to be shown.
pub(super) fn fault<E>(service: &str, action: &'static str, error: &SdkError<E, HttpResponse>) -> Fault
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let failed =
        |kind, message: String| Fault::Failed(StoreError::Unavailable { kind, message: plain(&message) });
    match error {
        SdkError::ServiceError(answer) => {
            let region = answer.raw().headers().get("x-amz-bucket-region").map(plain);
            let status = answer.raw().status().as_u16();
            let said = plain(answer.err().message().unwrap_or_default());
            refusal(service, action, status, answer.err().code(), said, region)
        }
        SdkError::TimeoutError(_) => {
            failed(Unavailable::Timeout, format!("{service} did not answer in time"))
        }
        SdkError::DispatchFailure(cause) => {
            let timeout = cause.is_timeout();
            let kind = if timeout { Unavailable::Timeout } else { Unavailable::Unreachable };
            let cause = cause.as_connector_error().map_or_else(|| chain(error), |cause| chain(cause));
            failed(kind, format!("{service} cannot be reached: {cause}"))
        }
        SdkError::ResponseError(answer) => failed(
            Unavailable::Failed,
            format!(
                "{service} answered HTTP {} with something that is not AWS's; check the endpoint",
                answer.raw().status().as_u16()
            ),
        ),
        _ => Fault::Failed(StoreError::Misconfigured {
            message: format!("no request can be made to {service}: {}", chain(error)),
        }),
    }
}

/// What an answer with an error in it means. An answer to HEAD has no body and so no code: there
/// the status decides.
fn refusal(
    service: &str,
    action: &'static str,
    status: u16,
    code: Option<&str>,
    said: String,
    region: Option<String>,
) -> Fault {
    let told = code.map(plain).unwrap_or_default();
    let credentials = |expired, advice: &str| {
        let message = format!("{service} does not accept the AWS credentials ({told}); {advice}");
        Fault::Failed(StoreError::Credentials { expired, message })
    };
    match (code.unwrap_or_default(), status) {
        ("ExpiredToken" | "ExpiredTokenException" | "RequestExpired", _) => credentials(true, "log in again"),
        ("InvalidSignatureException" | "SignatureDoesNotMatch" | "RequestTimeTooSkewed", _) => {
            credentials(false, "check the secret key and this machine's clock")
        }
        (
            "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "InvalidAccessKeyId"
            | "InvalidToken"
            | "MissingAuthenticationToken"
            | "MissingAuthenticationTokenException"
            | "IncompleteSignature"
            | "IncompleteSignatureException",
            _,
        ) => credentials(false, "check the access key, the session token and the region"),
        (
            "AccessDenied"
            | "AccessDeniedException"
            | "AllAccessDisabled"
            | "NotAuthorized"
            | "UnauthorizedOperation",
            _,
        ) => Fault::Denied { action, said },
        ("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException", _)
        | (_, 301) => Fault::Elsewhere(region),
        ("" | "BadRequest", 400) if region.is_some() => Fault::Elsewhere(region),
        (
            "UnknownOperationException"
            | "NotImplemented"
            | "UnsupportedOperation"
            | "UnsupportedOperationException",
            _,
        )
        | (_, 501) => Fault::Unsupported,
        ("ConditionalCheckFailedException" | "PreconditionFailed" | "BadDigest" | "InvalidDigest", _)
        | (_, 412) => Fault::Condition,
        ("ValidationException", _) => Fault::Invalid(said),
        (code, status) if is_missing(code, status) => Fault::Missing,
        ("" | "Forbidden", 403) => Fault::Denied { action, said },
        _ => {
            let code = if told.is_empty() { String::new() } else { format!(" ({told})") };
            let said = if said.is_empty() { said } else { format!(": {said}") };
            Fault::Failed(StoreError::Unavailable {
                kind: Unavailable::Failed,
                message: format!("{service} turned {action} away with HTTP {status}{code}{said}"),
            })
        }
    }
}

fn is_missing(code: &str, status: u16) -> bool {
    let named = [
        "ResourceNotFoundException",
        "TableNotFoundException",
        "NoSuchBucket",
        "NoSuchKey",
        "NotFound",
        "ServerSideEncryptionConfigurationNotFoundError",
        "NoSuchPublicAccessBlockConfiguration",
    ];
    named.contains(&code) || (code.is_empty() && status == 404)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(status: u16, code: &str) -> Fault {
        let code = (!code.is_empty()).then_some(code);
        refusal("S3", "s3:ListBucket", status, code, String::new(), None)
    }

    #[test]
    fn what_helps_tells_the_faults_apart() {
        let denied = Fault::Denied { action: "s3:ListBucket", said: String::new() };
        for (status, code, expected) in [
            (403, "", denied.clone()),
            (403, "AccessDenied", denied.clone()),
            (400, "AccessDeniedException", denied),
            (404, "", Fault::Missing),
            (404, "NoSuchBucket", Fault::Missing),
            (400, "ResourceNotFoundException", Fault::Missing),
            (301, "PermanentRedirect", Fault::Elsewhere(None)),
            (501, "NotImplemented", Fault::Unsupported),
            (400, "ValidationException", Fault::Invalid(String::new())),
            (400, "ConditionalCheckFailedException", Fault::Condition),
            (412, "", Fault::Condition),
            (400, "BadDigest", Fault::Condition),
            (400, "UnknownOperationException", Fault::Unsupported),
        ] {
            assert_eq!(meaning(status, code), expected, "{status} {code}");
        }
        for code in ["ExpiredToken", "InvalidAccessKeyId", "RequestTimeTooSkewed"] {
            let fault = meaning(403, code);
            assert!(matches!(fault, Fault::Failed(StoreError::Credentials { .. })), "{code}: {fault:?}");
        }
        let fault = meaning(503, "SlowDown");
        assert!(matches!(fault, Fault::Failed(StoreError::Unavailable { .. })), "{fault:?}");
    }
}
