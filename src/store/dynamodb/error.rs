//! What the SDK's errors mean to us, and how we say it.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

use crate::store::aws::{Answer, Target};
use crate::store::text::plain;
use crate::store::{StoreError, Unavailable};

/// The command that makes a table of the right shape where `target` is.
pub(super) fn create_command(target: &Target, table: &str) -> String {
    let option = |name: &str, value: &Option<String>| {
        value.as_ref().map(|value| format!(" --{name} {value}")).unwrap_or_default()
    };
    let region = option("region", &target.region);
    let endpoint = option("endpoint-url", &target.endpoint);
    format!("`tfguard setup --table {table}{region}{endpoint}`")
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
    target.asked().explain(error, |error, raw| {
        let said = plain(error.message().unwrap_or_default());
        refusal(target, action, &Answer { status: raw.status().as_u16(), code: error.code(), said })
    })
}

/// What an answer with an error in it means.
fn refusal(target: &Target, action: &str, answer: &Answer<'_>) -> StoreError {
    let Answer { code, said, .. } = answer;
    match code.unwrap_or_default() {
        "ResourceNotFoundException" => StoreError::Misconfigured {
            message: format!(
                "there is no {target}; create it with {}, or name another with --table or --region",
                create_command(target, &plain(&target.name))
            ),
        },
        // Both say that nothing was written because somebody else is writing the same item.
        code @ ("ReplicatedWriteConflictException" | "TransactionConflictException") => {
            StoreError::Unavailable {
                kind: Unavailable::Throttled,
                message: format!("{target} is being written by others ({code}): {said}"),
            }
        }
        "ValidationException" => StoreError::Misconfigured {
            message: format!("{target} does not accept the request; check --table: {said}"),
        },
        _ => target.asked().refused(action, answer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, code: &str) -> StoreError {
        let target = Target::table("locks", Some("eu-west-1"), None);
        let said = "the service's words".to_owned();
        refusal(&target, "dynamodb:PutItem", &Answer { status, code: Some(code), said })
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
        for part in ["locks", "tfguard setup --table locks --region eu-west-1"] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn what_is_not_allowed_is_named() {
        let text = answer(400, "AccessDeniedException").to_string();
        assert!(text.contains("dynamodb:PutItem") && text.contains("locks"), "{text}");
    }
}
