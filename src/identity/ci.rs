//! What each CI system calls things.

use super::Lookup;

/// What a CI tells about the run; nothing outside one.
#[derive(Debug, Default)]
pub(super) struct Run {
    pub(super) actor: Option<String>,
    pub(super) url: Option<String>,
    pub(super) repository: Option<String>,
    pub(super) commit: Option<String>,
    pub(super) change: Option<String>,
}

/// The variable that a CI system sets, and how to read its run.
type System = (&'static str, fn(Lookup<'_>) -> Run);

/// In the order they are looked for: those that other systems imitate come last.
const SYSTEMS: [System; 9] = [
    ("GITHUB_ACTIONS", github),
    ("GITLAB_CI", gitlab),
    ("CIRCLECI", circle),
    ("BUILDKITE", buildkite),
    ("TF_BUILD", azure),
    ("BITBUCKET_BUILD_NUMBER", bitbucket),
    ("TRAVIS", travis),
    ("JENKINS_URL", jenkins),
    ("ATLANTIS_TERRAFORM_VERSION", atlantis),
];

/// Whether this runs under a CI system: one that is known by name, or any that sets `CI`.
pub fn is_ci(env: Lookup<'_>) -> bool {
    on(env, "CI") || SYSTEMS.iter().any(|(marker, _)| on(env, marker))
}

pub(super) fn run(env: Lookup<'_>) -> Run {
    SYSTEMS.iter().find(|(marker, _)| on(env, marker)).map(|(_, read)| read(env)).unwrap_or_default()
}

fn on(env: Lookup<'_>, name: &str) -> bool {
    env(name).is_some_and(|value| !matches!(value.trim().to_ascii_lowercase().as_str(), "" | "0" | "false"))
}

fn github(env: Lookup<'_>) -> Run {
    let url = || {
        let run = format!(
            "{}/{}/actions/runs/{}",
            env("GITHUB_SERVER_URL")?,
            env("GITHUB_REPOSITORY")?,
            env("GITHUB_RUN_ID")?
        );
        Some(match env("GITHUB_RUN_ATTEMPT") {
            Some(attempt) => format!("{run}/attempts/{attempt}"),
            None => run,
        })
    };
    let pull = || Some(format!("#{}", env("GITHUB_REF")?.strip_prefix("refs/pull/")?.split('/').next()?));
    Run {
        // Whoever started a run again is the one to ask about it.
        actor: env("GITHUB_TRIGGERING_ACTOR").or_else(|| env("GITHUB_ACTOR")),
        url: url(),
        repository: env("GITHUB_REPOSITORY"),
        commit: env("GITHUB_SHA"),
        change: pull(),
    }
}

fn gitlab(env: Lookup<'_>) -> Run {
    Run {
        actor: env("GITLAB_USER_LOGIN"),
        url: env("CI_JOB_URL"),
        repository: env("CI_PROJECT_PATH"),
        commit: env("CI_COMMIT_SHA"),
        change: env("CI_MERGE_REQUEST_IID").map(|number| format!("!{number}")),
    }
}

fn jenkins(env: Lookup<'_>) -> Run {
    Run {
        actor: env("BUILD_USER_ID").or_else(|| env("CHANGE_AUTHOR")),
        url: env("BUILD_URL"),
        repository: env("GIT_URL").as_deref().and_then(repository),
        commit: env("GIT_COMMIT"),
        change: env("CHANGE_ID").map(|number| format!("#{number}")),
    }
}

fn circle(env: Lookup<'_>) -> Run {
    let name = || Some(format!("{}/{}", env("CIRCLE_PROJECT_USERNAME")?, env("CIRCLE_PROJECT_REPONAME")?));
    let number = || {
        env("CIRCLE_PR_NUMBER").or_else(|| env("CIRCLE_PULL_REQUEST")?.rsplit('/').next().map(str::to_owned))
    };
    Run {
        actor: env("CIRCLE_USERNAME"),
        url: env("CIRCLE_BUILD_URL"),
        repository: name(),
        commit: env("CIRCLE_SHA1"),
        change: number().map(|number| format!("#{number}")),
    }
}

fn buildkite(env: Lookup<'_>) -> Run {
    let url = || {
        let build = env("BUILDKITE_BUILD_URL")?;
        Some(match env("BUILDKITE_JOB_ID") {
            Some(job) => format!("{build}#{job}"),
            None => build,
        })
    };
    Run {
        actor: env("BUILDKITE_BUILD_CREATOR"),
        url: url(),
        repository: env("BUILDKITE_REPO").as_deref().and_then(repository),
        commit: env("BUILDKITE_COMMIT"),
        change: unless_false(env("BUILDKITE_PULL_REQUEST")),
    }
}

fn azure(env: Lookup<'_>) -> Run {
    let url = || {
        let collection = env("SYSTEM_TEAMFOUNDATIONCOLLECTIONURI")?;
        let project = env("SYSTEM_TEAMPROJECT")?.replace(' ', "%20");
        let build = env("BUILD_BUILDID")?;
        Some(format!("{}/{project}/_build/results?buildId={build}", collection.trim_end_matches('/')))
    };
    let change = || match env("SYSTEM_PULLREQUEST_PULLREQUESTNUMBER") {
        Some(number) => Some(format!("#{number}")),
        None => env("SYSTEM_PULLREQUEST_PULLREQUESTID").map(|id| format!("!{id}")),
    };
    Run {
        actor: env("BUILD_REQUESTEDFOR"),
        url: url(),
        repository: env("BUILD_REPOSITORY_NAME"),
        commit: env("BUILD_SOURCEVERSION"),
        change: change(),
    }
}

fn bitbucket(env: Lookup<'_>) -> Run {
    let url = || {
        Some(format!(
            "https://bitbucket.org/{}/pipelines/results/{}",
            env("BITBUCKET_REPO_FULL_NAME")?,
            env("BITBUCKET_BUILD_NUMBER")?
        ))
    };
    Run {
        // Bitbucket gives the id of who started it only, which says nothing to people.
        actor: None,
        url: url(),
        repository: env("BITBUCKET_REPO_FULL_NAME"),
        commit: env("BITBUCKET_COMMIT"),
        change: env("BITBUCKET_PR_ID").map(|number| format!("#{number}")),
    }
}

fn travis(env: Lookup<'_>) -> Run {
    Run {
        actor: None,
        url: env("TRAVIS_JOB_WEB_URL").or_else(|| env("TRAVIS_BUILD_WEB_URL")),
        repository: env("TRAVIS_REPO_SLUG"),
        commit: env("TRAVIS_COMMIT"),
        change: unless_false(env("TRAVIS_PULL_REQUEST")),
    }
}

/// The `run` steps of a workflow; its hooks have no version of Terraform's.
fn atlantis(env: Lookup<'_>) -> Run {
    let repository = || Some(format!("{}/{}", env("BASE_REPO_OWNER")?, env("BASE_REPO_NAME")?));
    Run {
        actor: env("USER_NAME").or_else(|| env("PULL_AUTHOR")),
        url: env("PULL_URL"),
        repository: repository(),
        commit: env("HEAD_COMMIT"),
        change: env("PULL_NUM").map(|number| format!("#{number}")),
    }
}

/// Some systems say `false` where there is no pull request.
fn unless_false(number: Option<String>) -> Option<String> {
    number.filter(|number| number != "false").map(|number| format!("#{number}"))
}

/// `owner/name` out of the address of a Git repository, of which nothing else is kept.
fn repository(address: &str) -> Option<String> {
    let path = match address.split_once("://") {
        Some((_, rest)) => rest.split_once('/')?.1,
        None => address.split_once(':')?.1,
    };
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    (!path.is_empty() && !path.contains(['@', '?', '#'])).then(|| path.to_owned())
}
