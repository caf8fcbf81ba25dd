//! What S3's errors mean to us, and how we say it.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use crate::store::aws::{Answer, Target};
use crate::store::text::plain;
use crate::store::{StoreError, Unavailable};

/// Where S3 says which region a bucket is in.
const REGION_HEADER: &str = "x-amz-bucket-region";

/// What the failure of a request says about its condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// It does not hold (any more).
    Failed,
    /// The object that it speaks of does not exist.
    Absent,
    /// Others are writing the same object: nothing was decided, try again.
    Contended,
    /// The object is still the one that is known.
    Unchanged,
    /// Whoever answers does not know it.
    Unsupported,
    /// Nothing: the failure is another.
    Untold,
}

/// What `error` says about the condition of its request.
pub(super) fn condition<E: ProvideErrorMetadata>(error: &SdkError<E>) -> Condition {
    let SdkError::ServiceError(answer) = error else { return Condition::Untold };
    let code = answer.err().code();
    match (answer.raw().status().as_u16(), code) {
        (304, _) => Condition::Unchanged,
        (412, _) => Condition::Failed,
        (501, Some("NotImplemented")) => Condition::Unsupported,
        (409, Some("ConditionalRequestConflict" | "OperationAborted")) => Condition::Contended,
        // Only in S3's own word: whatever else stands in between may answer 404 too.
        (404, Some("NoSuchKey")) => Condition::Absent,
        _ => Condition::Untold,
    }
}

/// What went wrong with a request that is called `action` in IAM policies.
pub(super) fn classify<E: ProvideErrorMetadata + std::error::Error + 'static>(
    target: &Target,
    action: &str,
    error: &SdkError<E>,
) -> StoreError {
    target.asked().explain(error, |error, raw: &HttpResponse| {
        let said = plain(error.message().unwrap_or_default());
        let answer = Answer { status: raw.status().as_u16(), code: error.code(), said };
        refusal(target, action, &answer, raw.headers().get(REGION_HEADER))
    })
}

/// What an answer with an error in it means. `region` is where the bucket is said to be.
fn refusal(target: &Target, action: &str, answer: &Answer<'_>, region: Option<&str>) -> StoreError {
    let Answer { status, code, said } = answer;
    let misconfigured = |message| StoreError::Misconfigured { message };
    match (status, code.unwrap_or_default()) {
        (_, "NoSuchBucket") => misconfigured(format!(
            "there is no {target}; create it, or name another with --bucket or --region"
        )),
        (_, "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException")
        | (301, _) => misconfigured(match region {
            Some(region) => {
                let (bucket, region) = (plain(&target.name), plain(region));
                format!("S3 bucket {bucket} is in {region}: give --region {region}")
            }
            None => format!("{target} is not in that region: give its own with --region ({said})"),
        }),
        (_, "InvalidBucketName") => misconfigured(format!("{target} cannot exist; check --bucket: {said}")),
        (_, code) if code.starts_with("KMS.") => misconfigured(format!(
            "{target} cannot be used with its encryption key ({code}): {said}; let the AWS credentials use \
             that key"
        )),
        (403, "AccessDenied" | "" | "Forbidden") => denied(target, action, said),
        (405 | 501, code) => misconfigured(format!(
            "{target} does not do what a lock needs, {action} with a condition ({code}): {said}; name another \
             store with --store"
        )),
        (409, code) => StoreError::Unavailable {
            kind: Unavailable::Throttled,
            message: format!("{target} is being written by others ({}): {said}", plain(code)),
        },
        _ => target.asked().refused(action, answer),
    }
}

/// A refusal for want of permission. Whoever may not list a bucket gets it for an object that does
/// not exist, too.
fn denied(target: &Target, action: &str, said: &str) -> StoreError {
    let said = if said.is_empty() { "access denied" } else { said };
    let absent = match action {
        "s3:GetObject" => {
            ", and s3:ListBucket on the bucket: without that S3 answers the same where there is no lock yet"
        }
        _ => "",
    };
    StoreError::Credentials {
        expired: false,
        message: format!(
            "the AWS credentials may not {action} on {target}; allow it in their IAM policy{absent} ({said})"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, code: &str, action: &str, region: Option<&str>) -> StoreError {
        let target = Target::bucket("states", Some("eu-west-1"), None);
        let said = "the service's words".to_owned();
        refusal(&target, action, &Answer { status, code: Some(code), said }, region)
    }

    #[test]
    fn only_refusals_count_as_refused() {
        for (status, code) in [
            (503, "SlowDown"),
            (400, "ExpiredToken"),
            (403, "AccessDenied"),
            (409, "OperationAborted"),
            (404, "NoSuchBucket"),
            (403, "InvalidAccessKeyId"),
        ] {
            assert!(answer(status, code, "s3:PutObject", None).refused(), "{code}");
        }
        for (status, code) in
            [(500, "InternalError"), (503, "ServiceUnavailable"), (400, "RequestTimeout"), (500, "")]
        {
            assert!(!answer(status, code, "s3:PutObject", None).refused(), "{code}");
        }
    }

    #[test]
    fn a_wrong_region_is_told_the_right_one() {
        for (status, code) in [(301, "PermanentRedirect"), (400, "AuthorizationHeaderMalformed"), (301, "")] {
            let error = answer(status, code, "s3:GetObject", Some("us-east-2"));
            assert!(matches!(error, StoreError::Misconfigured { .. }), "{error:?}");
            assert!(error.to_string().contains("--region us-east-2"), "{error}");
        }
    }

    #[test]
    fn what_is_not_allowed_is_named() {
        let text = answer(403, "AccessDenied", "s3:PutObject", None).to_string();
        assert!(text.contains("s3:PutObject") && !text.contains("s3:ListBucket"), "{text}");
        let text = answer(403, "AccessDenied", "s3:GetObject", None).to_string();
        assert!(text.contains("s3:GetObject") && text.contains("s3:ListBucket"), "{text}");
    }
}
