//! What one part of the examination came to, also where it did not come to an end.

use std::time::Duration;

use super::super::credentials;
use super::super::finding::{Area, Finding, Severity};
use super::super::permissions::{self, Try};
use crate::inventory::ServerTime;
use crate::lease::Record;
use crate::store::StoreError;

/// How long one part of the examination may take. Its calls have bounds of their own; this is for
/// whoever gives out credentials.
pub(super) const PART: Duration = Duration::from_secs(20);

/// What one part of it came to.
#[derive(Default)]
pub(super) struct Part {
    pub(super) findings: Vec<Finding>,
    pub(super) time: Option<ServerTime>,
    pub(super) keys: Option<credentials::Keys>,
    /// The locks' records, as far as they could be read.
    pub(super) records: Vec<Record>,
    /// What was tried of what a run may need.
    pub(super) tries: Vec<Try>,
}

/// What becomes of a part that does not come to an end.
pub(super) trait Late: Default {
    fn findings(&mut self) -> &mut Vec<Finding>;
}

impl Late for Part {
    fn findings(&mut self) -> &mut Vec<Finding> {
        &mut self.findings
    }
}

pub(super) async fn within<T: Late>(work: impl Future<Output = T>, what: &str, area: Area) -> T {
    match tokio::time::timeout(PART, work).await {
        Ok(done) => done,
        Err(_) => {
            let mut part = T::default();
            let text = format!("{what} could not be examined within {} s", PART.as_secs());
            part.findings().push(unreachable(area, &text));
            part
        }
    }
}

impl Part {
    /// Tells of a record that could not be read, if nothing else does.
    pub(super) fn blame(&mut self, error: &StoreError) {
        let told = match error {
            StoreError::BadRecord { .. } => true,
            StoreError::Unavailable { .. } => {
                self.findings.iter().any(|finding| finding.id == "store-reachable")
            }
            StoreError::Credentials { .. } => {
                let denied = |tried: &Try| matches!(tried.outcome, permissions::Outcome::Denied(_));
                self.keys.as_ref().is_some_and(|keys| keys.expiry.is_err()) || self.tries.iter().any(denied)
            }
            StoreError::Misconfigured { .. } => self.findings.iter().any(|finding| {
                finding.severity == Severity::Error && matches!(finding.area, Area::Store | Area::Bucket)
            }),
        };
        if told {
            return;
        }
        match (error, &mut self.keys) {
            (StoreError::Credentials { .. }, Some(keys)) => keys.expiry = Err(error.clone()),
            _ => self.findings.push(unreachable(Area::Store, &error.to_string())),
        }
    }

    /// A store that could not even be asked.
    pub(super) fn without(error: StoreError, source: String, fixed: bool) -> Self {
        let mut part = Self::default();
        match error {
            StoreError::Credentials { .. } => {
                part.keys = Some(credentials::Keys { source, expiry: Err(error), fixed });
            }
            error => part.findings.push(unreachable(Area::Store, &error.to_string())),
        }
        part
    }
}

pub(super) fn unreachable(area: Area, what: &str) -> Finding {
    let id = if area == Area::Store { "store-reachable" } else { "state-reachable" };
    let why = if area == Area::Store {
        "no run can take its lock; it gives up after a minute, with 69"
    } else {
        "Terraform will not reach its state either"
    };
    Finding::error(id, area, what).why(why).cure(
        "check region, endpoint, network and proxy: aws sts get-caller-identity shows whether AWS answers",
    )
}
