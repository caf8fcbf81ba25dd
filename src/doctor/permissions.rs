//! The calls that are needed, each tried.
//!
//! A call is tried with the very parameters of a run, in a form that changes nothing: a read as it
//! is, a write under a condition that can never hold. What IAM answers to the try is what it will
//! answer to the run. How that is safe is told where the calls are made.

use super::finding::{Area, Finding, Severity};
use crate::inventory::Fault;

/// Who needs a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Every run: without it none can work.
    Run,
    /// Terraform itself, in every run.
    Terraform,
    /// What comes after a run or beside it, named.
    Also(&'static str),
}

/// What came of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is allowed.
    Allowed,
    /// It is not; the service's words.
    Denied(String),
    /// It was not tried; a clause says why.
    NotTried(String),
    /// The try says nothing about permissions: no table, no answer. Told elsewhere.
    Unclear,
}

/// A call that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Try {
    /// Its name in IAM policies.
    pub action: &'static str,
    /// What it was tried on: `item tfguard:prod of table locks`.
    pub on: String,
    /// Who needs it.
    pub need: Need,
    /// What came of it.
    pub outcome: Outcome,
}

impl Outcome {
    /// From the answer to a call on something that has to be there.
    pub(super) fn of<T>(answer: &Result<T, Fault>) -> Self {
        match answer {
            // Whether the condition holds is looked at only after the permission.
            Ok(_) | Err(Fault::Condition) => Self::Allowed,
            Err(Fault::Denied { said, .. }) => Self::Denied(said.clone()),
            Err(Fault::Unsupported) => Self::NotTried("the service does not know the call".to_owned()),
            Err(Fault::Missing | Fault::Invalid(_) | Fault::Elsewhere(_) | Fault::Failed(_)) => Self::Unclear,
        }
    }

    /// From the answer to a call on an object, in a bucket that is there: the object need not be.
    pub(super) fn of_object<T>(answer: &Result<T, Fault>) -> Self {
        match answer {
            Err(Fault::Missing) => Self::Allowed,
            answer => Self::of(answer),
        }
    }
}

/// A finding for each try that says something.
pub(super) fn check(tries: &[Try]) -> Vec<Finding> {
    tries.iter().filter_map(finding).collect()
}

fn finding(tried: &Try) -> Option<Finding> {
    let Try { action, on, need, outcome } = tried;
    let id = "permission";
    let finding = match outcome {
        Outcome::Unclear => return None,
        Outcome::Allowed => Finding::ok(id, Area::Permissions, format!("{action} on {on} is allowed")),
        Outcome::NotTried(why) => {
            Finding::info(id, Area::Permissions, format!("{action} on {on} was not tried: {why}"))
                .why(need.why())
        }
        Outcome::Denied(said) => {
            let what = format!("{action} on {on} is not allowed");
            let mut finding = match need.severity() {
                Severity::Error => Finding::error(id, Area::Permissions, what),
                _ => Finding::warning(id, Area::Permissions, what),
            };
            finding = finding.why(need.why()).cure("tfguard policy prints the least policy that allows it");
            finding.with("said", said.as_str())
        }
    };
    Some(finding.with("action", *action).with("on", on.as_str()).with("needed_for", need.name()))
}

impl Need {
    fn severity(self) -> Severity {
        match self {
            Self::Run | Self::Terraform => Severity::Error,
            Self::Also(_) => Severity::Warning,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Terraform => "terraform",
            Self::Also(name) => name,
        }
    }

    fn why(self) -> String {
        match self {
            Self::Run => "every run needs it for its lock".to_owned(),
            Self::Terraform => "Terraform needs it in every run for its state".to_owned(),
            Self::Also(name) => format!("runs work without it; {name} needs it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{StoreError, Unavailable};

    #[test]
    fn only_a_denial_of_what_a_run_needs_fails() {
        let denied = || Outcome::Denied("no".into());
        for (need, outcome, wanted) in [
            (Need::Run, Outcome::Allowed, Some(Severity::Ok)),
            (Need::Run, denied(), Some(Severity::Error)),
            (Need::Terraform, denied(), Some(Severity::Error)),
            (Need::Also("status --all"), denied(), Some(Severity::Warning)),
            (Need::Run, Outcome::NotTried("x".into()), Some(Severity::Info)),
            (Need::Run, Outcome::Unclear, None),
        ] {
            let tried = Try { action: "dynamodb:PutItem", on: "item x".into(), need, outcome };
            let found = finding(&tried);
            assert_eq!(found.as_ref().map(|finding| finding.severity), wanted, "{tried:?}");
            assert!(found.is_none_or(|finding| finding.what.contains("dynamodb:PutItem on item x")));
        }
    }

    #[test]
    fn an_answer_is_read_for_permission_only() {
        let denied = Fault::Denied { action: "a:B", said: "no".into() };
        let silent = StoreError::Unavailable { kind: Unavailable::Timeout, message: String::new() };
        for (answer, wanted) in [
            (Ok(()), Outcome::Allowed),
            (Err(Fault::Condition), Outcome::Allowed),
            (Err(Fault::Missing), Outcome::Unclear),
            (Err(denied), Outcome::Denied("no".into())),
            (Err(Fault::Failed(silent)), Outcome::Unclear),
            (Err(Fault::Invalid("key".into())), Outcome::Unclear),
        ] {
            assert_eq!(Outcome::of(&answer), wanted);
        }
        assert_eq!(Outcome::of_object(&Err::<(), _>(Fault::Missing)), Outcome::Allowed);
    }
}
