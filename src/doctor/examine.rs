//! The whole examination: asks everything at once, and has each area judged.

mod part;
mod state;
mod store;

use std::path::PathBuf;

use self::part::{PART, within};
use super::ask::terraform as program;
use super::finding::{Area, Finding, Severity};
use super::{backend, clock, credentials, permissions, terraform};
use crate::cli::Target;
use crate::clock::{Clock, SystemClock};
use crate::credentials::{Demands, Outlook, Source};
use crate::lease::Lease;
use crate::state_lock::StatePlace;
use crate::terraform::Directory;

/// What is examined.
pub struct Subject<'a> {
    /// The directory that Terraform runs in.
    pub directory: &'a Directory,
    /// Its state and how Terraform reaches it, where that is in an `s3` backend.
    pub state: Option<&'a StatePlace>,
    /// The locks and their store, or why none could be chosen.
    pub target: Result<&'a Target, String>,
    /// The program, or why it cannot be run.
    pub terraform: Result<PathBuf, String>,
    /// `--log-format json`
    pub json: bool,
    /// What the user asks of the child's credentials.
    pub demands: Demands,
    /// The length of the lease.
    pub lease: Lease,
    /// Other machines run the same.
    pub ci: bool,
    /// The environment.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// `tfguard`, with the directory where it is not the present one, for a shell.
    pub tfguard: String,
}

/// Examines. Nothing is changed, but for a file that is made in the local store's folder and removed
/// again.
pub async fn examine(subject: &Subject<'_>) -> Vec<Finding> {
    let directory = subject.directory;
    let (version, store, state, childs) = tokio::join!(
        version(subject),
        within(Box::pin(store::of_store(subject)), "the lock store", Area::Store),
        within(Box::pin(state::of_state(subject.state)), "the state's bucket", Area::Bucket),
        childs(subject),
    );
    let now = SystemClock.now().wall;
    let mut findings = terraform::check(terraform::Case {
        found: &subject.terraform,
        version: &version,
        json: subject.json,
        s3: directory.s3.as_ref(),
    });
    let undecided = subject.target.as_ref().err().map(String::as_str);
    findings.extend(backend::check(backend::Case { directory, undecided }));
    findings.extend(credentials::check(&credentials::Case {
        ours: store.keys.as_ref(),
        childs: childs.as_ref(),
        demands: subject.demands,
        lease: subject.lease,
        now,
    }));
    findings.extend(clock::check(store.time.or(state.part.time)));
    findings.extend(store.findings);
    findings.extend(state.part.findings);
    let mut tries = store.tries;
    tries.extend(state.part.tries);
    findings.extend(permissions::check(&tries));
    if let Some(found) = &state.found {
        let held_by_us =
            store.records.iter().flat_map(|record| &record.holders).any(|holder| !holder.looks_dead(now));
        let site = subject.target.as_ref().ok().and_then(|target| target.sites.first());
        let tfguard = match site {
            Some(site) => format!("{} {}", subject.tfguard, site.options()),
            None => subject.tfguard.clone(),
        };
        findings.extend(super::state::check(&super::state::Case {
            path: &found.path,
            locks: &found.locks,
            digest: found.digest.as_ref(),
            held_by_us,
            tfguard: &tfguard,
            table: found
                .table
                .as_ref()
                .map(|(table, region, endpoint)| (table.as_str(), region.as_str(), endpoint.as_deref())),
            now,
        }));
    }
    told_once(findings)
}

/// One cause, such as credentials that nobody gives out, stops every part with the same words.
fn told_once(findings: Vec<Finding>) -> Vec<Finding> {
    let mut kept: Vec<Finding> = Vec::with_capacity(findings.len());
    for finding in findings {
        let repeats = |other: &Finding| other.severity == Severity::Error && other.what == finding.what;
        if !kept.iter().any(repeats) {
            kept.push(finding);
        }
    }
    kept
}

async fn version(subject: &Subject<'_>) -> Result<crate::terraform::version::Version, String> {
    match &subject.terraform {
        Ok(program) => program::version(program, &subject.directory.canonical).await,
        Err(why) => Err(why.clone()),
    }
}

/// The credentials that Terraform will find, where anything speaks of AWS.
async fn childs(subject: &Subject<'_>) -> Option<Outlook> {
    let ask = subject.directory.s3.is_some() || subject.demands.asks();
    let outlook = tokio::time::timeout(PART, Outlook::find(subject.env, ask)).await.ok()?;
    (ask || outlook.source != Source::Elsewhere).then_some(outlook)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_that_stops_several_parts_is_told_once() {
        let none = |id, area| Finding::error(id, area, "no AWS credentials were found");
        let fine = || Finding::ok("a", Area::Store, "fine");
        let findings = vec![fine(), none("credentials", Area::Credentials), none("b", Area::State), fine()];
        let ids: Vec<_> = told_once(findings).iter().map(|finding| finding.id).collect();
        assert_eq!(ids, ["a", "credentials", "a"]);
    }
}
