//! What is known of the pipeline and the repository around a run, in the words of OpenTelemetry's
//! conventions for CI/CD and version control.

use super::words::{Attribute, text};
use crate::lease::Identity;

type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Attributes for every span. Not for metrics: a time series for each run is nobody's wish.
pub(super) fn attributes(identity: &Identity, env: Env<'_>) -> Vec<Attribute> {
    let first = |names: &[&str]| names.iter().find_map(|name| env(name).filter(|value| !value.is_empty()));
    let (owner, name) = match identity.repository.as_deref().and_then(|full| full.rsplit_once('/')) {
        Some((owner, name)) => (Some(owner.to_owned()), Some(name.to_owned())),
        None => (None, identity.repository.clone()),
    };
    let change = identity.change.as_deref().map(|change| change.trim_start_matches(['#', '!']).to_owned());
    let provider =
        [("GITHUB_ACTIONS", "github"), ("GITLAB_CI", "gitlab"), ("BITBUCKET_BUILD_NUMBER", "bitbucket")];
    let provider = provider.into_iter().find(|(marker, _)| env(marker).is_some());
    let known = [
        (
            "cicd.pipeline.name",
            first(&["GITHUB_WORKFLOW", "CI_PIPELINE_NAME", "JOB_NAME", "BUILDKITE_PIPELINE_SLUG"]),
        ),
        (
            "cicd.pipeline.run.id",
            first(&["GITHUB_RUN_ID", "CI_PIPELINE_ID", "BUILD_ID", "BUILDKITE_BUILD_ID"]),
        ),
        ("cicd.pipeline.run.url.full", first(&["CI_PIPELINE_URL"]).or_else(|| identity.url.clone())),
        ("cicd.pipeline.task.name", first(&["GITHUB_JOB", "CI_JOB_NAME", "BUILDKITE_LABEL"])),
        ("cicd.pipeline.task.run.id", first(&["CI_JOB_ID", "BUILDKITE_JOB_ID"])),
        ("cicd.pipeline.task.run.url.full", first(&["CI_JOB_URL"])),
        ("cicd.worker.name", first(&["RUNNER_NAME", "CI_RUNNER_DESCRIPTION", "NODE_NAME"])),
        ("vcs.provider.name", provider.map(|(_, name)| name.to_owned())),
        ("vcs.owner.name", owner),
        ("vcs.repository.name", name),
        (
            "vcs.ref.head.name",
            first(&["GITHUB_HEAD_REF", "GITHUB_REF_NAME", "CI_COMMIT_REF_NAME", "BRANCH_NAME"]),
        ),
        ("vcs.ref.head.revision", identity.commit.clone()),
        ("vcs.change.id", change),
        ("host.name", identity.host.clone()),
    ];
    known.into_iter().filter_map(|(name, value)| Some(text(name, value?))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::words::Value;
    use super::*;

    #[test]
    fn a_job_is_told_in_the_words_of_the_conventions() {
        let identity = Identity {
            repository: Some("acme/network/core".into()),
            commit: Some("abc".into()),
            change: Some("!12".into()),
            url: Some("https://ci/job".into()),
            ..Identity::default()
        };
        let env = |name: &str| {
            [
                ("GITLAB_CI", "true"),
                ("CI_PIPELINE_ID", "7"),
                ("CI_JOB_NAME", "apply"),
                ("CI_COMMIT_REF_NAME", ""),
            ]
            .into_iter()
            .find_map(|(key, value)| (key == name).then(|| value.to_owned()))
        };
        let found = attributes(&identity, &env);
        let of = |name: &str| {
            found.iter().find(|(key, _)| *key == name).map(|(_, value)| match value {
                Value::Text(text) => text.as_str(),
                _ => "no text",
            })
        };
        assert_eq!(of("cicd.pipeline.run.id"), Some("7"));
        assert_eq!(of("cicd.pipeline.run.url.full"), Some("https://ci/job"));
        assert_eq!(of("cicd.pipeline.task.name"), Some("apply"));
        assert_eq!((of("vcs.owner.name"), of("vcs.repository.name")), (Some("acme/network"), Some("core")));
        assert_eq!((of("vcs.change.id"), of("vcs.ref.head.revision")), (Some("12"), Some("abc")));
        assert_eq!(of("vcs.provider.name"), Some("gitlab"));
        assert_eq!(of("vcs.ref.head.name"), None);
        assert_eq!(attributes(&Identity::default(), &|_| None), []);
    }
}
