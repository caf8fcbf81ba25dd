//! Who runs this, and where: from the CI's variables, else from the user and the machine.

mod ci;
mod machine;
mod url;

pub use ci::is_ci;
pub use machine::{host, user};
pub use url::without_userinfo;

use crate::lease::Identity;

/// Looks up an environment variable. Values that are not UTF-8 count as absent.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What the environment's variables do not tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Name of the machine.
    pub host: Option<String>,
    /// Name of the user, for when neither the CI nor `USER`/`LOGNAME` has one.
    pub user: Option<String>,
    /// Our own process id.
    pub pid: u32,
    /// The command under the lock, already redacted.
    pub command: Option<String>,
    /// The text of `--reason`.
    pub reason: Option<String>,
}

/// The identity of this run. It holds no secrets: user names and passwords in links are left out.
pub fn identify(env: Lookup<'_>, facts: Facts) -> Identity {
    let present = |name: &str| env(name).filter(|value| !value.trim().is_empty());
    let run = ci::run(&present);
    let user = facts.user;
    let actor = run.actor.or_else(|| present("USER")).or_else(|| present("LOGNAME")).or_else(|| user.clone());
    Identity {
        user: user.filter(|user| actor.as_ref() != Some(user)),
        actor,
        host: facts.host,
        pid: Some(facts.pid),
        url: run.url.and_then(|url| url::link(&url)),
        repository: run.repository,
        commit: run.commit,
        change: run.change,
        command: facts.command,
        reason: facts.reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Identity {
        let env =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let facts = Facts {
            host: Some("box".into()),
            user: Some("uid1000".into()),
            pid: 7,
            command: Some("terraform apply".into()),
            reason: None,
        };
        identify(&env, facts)
    }

    /// actor, url, repository, commit, change
    fn texts(identity: &Identity) -> [&str; 5] {
        [&identity.actor, &identity.url, &identity.repository, &identity.commit, &identity.change]
            .map(|text| text.as_deref().unwrap_or(""))
    }

    #[test]
    fn github_names_the_attempt_and_the_pull_request() {
        let github = of(&[
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_ACTOR", "alice"),
            ("GITHUB_TRIGGERING_ACTOR", "bob"),
            ("GITHUB_SERVER_URL", "https://github.com"),
            ("GITHUB_REPOSITORY", "acme/infra"),
            ("GITHUB_RUN_ID", "42"),
            ("GITHUB_RUN_ATTEMPT", "2"),
            ("GITHUB_SHA", "abc"),
            ("GITHUB_REF", "refs/pull/12/merge"),
            ("USER", "runner"),
        ]);
        let url = "https://github.com/acme/infra/actions/runs/42/attempts/2";
        assert_eq!(texts(&github), ["bob", url, "acme/infra", "abc", "#12"]);
        assert_eq!((github.host.as_deref(), github.pid), (Some("box"), Some(7)));
    }

    #[test]
    fn gitlab_names_the_job_and_the_merge_request() {
        let gitlab = of(&[
            ("GITLAB_CI", "true"),
            ("CI", "true"),
            ("GITLAB_USER_LOGIN", "carol"),
            ("CI_JOB_URL", "https://gitlab.example/acme/infra/-/jobs/9"),
            ("CI_PROJECT_PATH", "acme/infra"),
            ("CI_COMMIT_SHA", "def"),
            ("CI_MERGE_REQUEST_IID", "3"),
        ]);
        let url = "https://gitlab.example/acme/infra/-/jobs/9";
        assert_eq!(texts(&gitlab), ["carol", url, "acme/infra", "def", "!3"]);
    }

    #[test]
    fn other_ci_systems() {
        let jenkins = of(&[
            ("JENKINS_URL", "https://j/"),
            ("BUILD_URL", "https://j/job/infra/5/"),
            ("GIT_URL", "git@github.com:acme/infra.git"),
            ("GIT_COMMIT", "1"),
            ("CHANGE_ID", "8"),
            ("BUILD_USER_ID", "dan"),
        ]);
        assert_eq!(texts(&jenkins), ["dan", "https://j/job/infra/5/", "acme/infra", "1", "#8"]);
        let circle = of(&[
            ("CIRCLECI", "true"),
            ("CIRCLE_USERNAME", "eve"),
            ("CIRCLE_BUILD_URL", "https://circleci.com/gh/acme/infra/1"),
            ("CIRCLE_PROJECT_USERNAME", "acme"),
            ("CIRCLE_PROJECT_REPONAME", "infra"),
            ("CIRCLE_SHA1", "2"),
            ("CIRCLE_PULL_REQUEST", "https://github.com/acme/infra/pull/77"),
        ]);
        let url = "https://circleci.com/gh/acme/infra/1";
        assert_eq!(texts(&circle), ["eve", url, "acme/infra", "2", "#77"]);
        let buildkite = of(&[
            ("BUILDKITE", "true"),
            ("BUILDKITE_BUILD_CREATOR", "Fay"),
            ("BUILDKITE_BUILD_URL", "https://buildkite.com/acme/infra/builds/4"),
            ("BUILDKITE_JOB_ID", "j-1"),
            ("BUILDKITE_REPO", "https://token:x@github.com/acme/infra.git"),
            ("BUILDKITE_COMMIT", "3"),
            ("BUILDKITE_PULL_REQUEST", "false"),
        ]);
        let url = "https://buildkite.com/acme/infra/builds/4#j-1";
        assert_eq!(texts(&buildkite), ["Fay", url, "acme/infra", "3", ""]);
        let azure = of(&[
            ("TF_BUILD", "True"),
            ("BUILD_REQUESTEDFOR", "Gus G"),
            ("SYSTEM_TEAMFOUNDATIONCOLLECTIONURI", "https://dev.azure.com/acme/"),
            ("SYSTEM_TEAMPROJECT", "my infra"),
            ("BUILD_BUILDID", "15"),
            ("BUILD_REPOSITORY_NAME", "infra"),
            ("BUILD_SOURCEVERSION", "4"),
            ("SYSTEM_PULLREQUEST_PULLREQUESTID", "6"),
        ]);
        let url = "https://dev.azure.com/acme/my%20infra/_build/results?buildId=15";
        assert_eq!(texts(&azure), ["Gus G", url, "infra", "4", "!6"]);
        let bitbucket = of(&[
            ("BITBUCKET_BUILD_NUMBER", "21"),
            ("BITBUCKET_REPO_FULL_NAME", "acme/infra"),
            ("BITBUCKET_COMMIT", "5"),
            ("BITBUCKET_PR_ID", "2"),
        ]);
        let url = "https://bitbucket.org/acme/infra/pipelines/results/21";
        assert_eq!(texts(&bitbucket), ["uid1000", url, "acme/infra", "5", "#2"]);
        let travis = of(&[
            ("TRAVIS", "true"),
            ("CI", "true"),
            ("TRAVIS_JOB_WEB_URL", "https://app.travis-ci.com/acme/infra/jobs/1"),
            ("TRAVIS_REPO_SLUG", "acme/infra"),
            ("TRAVIS_COMMIT", "6"),
            ("TRAVIS_PULL_REQUEST", "5"),
        ]);
        let url = "https://app.travis-ci.com/acme/infra/jobs/1";
        assert_eq!(texts(&travis), ["uid1000", url, "acme/infra", "6", "#5"]);
    }

    #[test]
    fn atlantis_names_who_commented_and_the_pull_request() {
        let atlantis = of(&[
            ("ATLANTIS_TERRAFORM_VERSION", "1.11.4"),
            ("BASE_REPO_OWNER", "acme"),
            ("BASE_REPO_NAME", "infra"),
            ("HEAD_COMMIT", "7"),
            ("PULL_NUM", "31"),
            ("PULL_URL", "https://github.com/acme/infra/pull/31"),
            ("PULL_AUTHOR", "kim"),
            ("USER_NAME", "lea"),
            ("USER", "atlantis"),
        ]);
        let url = "https://github.com/acme/infra/pull/31";
        assert_eq!(texts(&atlantis), ["lea", url, "acme/infra", "7", "#31"]);
    }

    #[test]
    fn without_a_ci_it_is_the_user() {
        assert_eq!(texts(&of(&[("USER", "hal"), ("LOGNAME", "x")])), ["hal", "", "", "", ""]);
        assert_eq!(texts(&of(&[("LOGNAME", "ida"), ("USER", " ")])), ["ida", "", "", "", ""]);
        assert_eq!(texts(&of(&[])), ["uid1000", "", "", "", ""]);
    }

    #[test]
    fn a_password_in_a_link_is_left_out() {
        let job = of(&[("GITLAB_CI", "1"), ("CI_JOB_URL", "https://me:hunter2@gitlab.example/j/1")]);
        assert_eq!(job.url.as_deref(), Some("https://gitlab.example/j/1"));
        let script = of(&[("GITLAB_CI", "1"), ("CI_JOB_URL", "javascript:alert(1)")]);
        assert_eq!(script.url, None);
    }

    #[test]
    fn ci_is_known_by_its_variables() {
        let env = |pair: (&'static str, &'static str)| {
            move |name: &str| (name == pair.0).then(|| pair.1.to_owned())
        };
        for yes in [
            ("CI", "true"),
            ("CI", "1"),
            ("GITHUB_ACTIONS", "true"),
            ("TF_BUILD", "True"),
            ("JENKINS_URL", "x"),
        ] {
            assert!(is_ci(&env(yes)), "{yes:?}");
        }
        for no in [("CI", "false"), ("CI", "0"), ("CI", ""), ("GITHUB_ACTIONS", "false"), ("HOME", "/x")] {
            assert!(!is_ci(&env(no)), "{no:?}");
        }
    }
}
