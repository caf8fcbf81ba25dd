//! At home in a CI system: sections around what runs, annotations with file and line, a summary of
//! the run, and the counts that a merge request shows.
//!
//! [`desk`] gathers what is said and printed while a run goes on; what is made of it is pure:
//! [`command`] (GitHub's workflow commands), [`section`] (GitLab's sections and report),
//! [`summary`] and [`mermaid`] (the page of the run). [`diagnostic`] and [`change`] read it off
//! Terraform's output.
//!
//! All of it goes to stderr, beside our own lines: stdout is the child's, and may be captured by
//! whoever started us.

pub mod change;
pub mod command;
pub mod desk;
pub mod diagnostic;
mod listen;
pub mod markup;
pub mod mermaid;
pub mod note;
mod pipe;
pub mod section;
pub mod summary;

use std::path::PathBuf;

pub use desk::{Desk, Scope};
pub use note::Note;

/// A CI system that more is done for than to name it in the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// GitHub Actions.
    GitHub,
    /// GitLab CI.
    GitLab,
}

/// What was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wish {
    /// The system to speak to.
    pub system: Option<System>,
    /// Where the counts go that GitLab shows in a merge request, absolute.
    pub report: Option<PathBuf>,
}

/// The system to speak to, where nothing but the words of the command line and the variables are
/// known: what is wrong may be anything else. `args` without what is passed on.
pub fn wanted<'a>(
    args: impl IntoIterator<Item = &'a str>,
    env: impl Fn(&str) -> Option<String>,
) -> Option<System> {
    let mut args = args.into_iter().take_while(|arg| *arg != "--");
    let mut given = None;
    while let Some(arg) = args.next() {
        match arg.strip_prefix("--ci") {
            Some("") => given = args.next(),
            Some(value) => given = value.strip_prefix('=').or(given),
            None => {}
        }
    }
    match given.map(str::to_owned).or_else(|| env("TFGUARD_CI")).as_deref() {
        Some("github") => Some(System::GitHub),
        Some("gitlab") => Some(System::GitLab),
        Some("none") => None,
        _ => detect(env),
    }
}

/// The system that we run under. Inside another tfguard's run it is that one's to speak.
pub fn detect(env: impl Fn(&str) -> Option<String>) -> Option<System> {
    let on = |name: &str| env(name).is_some_and(|value| value == "true");
    if env("TFGUARD_SESSION").is_some() {
        return None;
    }
    match (on("GITHUB_ACTIONS"), on("GITLAB_CI")) {
        (true, _) => Some(System::GitHub),
        (_, true) => Some(System::GitLab),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_known_by_its_variable() {
        let with = |set: &'static [(&str, &str)]| {
            move |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        assert_eq!(detect(with(&[("GITHUB_ACTIONS", "true")])), Some(System::GitHub));
        assert_eq!(detect(with(&[("GITLAB_CI", "true")])), Some(System::GitLab));
        assert_eq!(detect(with(&[("GITHUB_ACTIONS", "false"), ("CI", "true")])), None);
        assert_eq!(detect(with(&[("GITHUB_ACTIONS", "true"), ("TFGUARD_SESSION", "x")])), None);
        assert_eq!(detect(with(&[])), None);
    }

    #[test]
    fn a_wish_counts_also_where_the_rest_is_wrong() {
        let wanted = |args: &[&'static str], ci: &'static str| {
            wanted(args.iter().copied(), |name| match name {
                "TFGUARD_CI" if !ci.is_empty() => Some(ci.to_owned()),
                "GITHUB_ACTIONS" => Some("true".to_owned()),
                _ => None,
            })
        };
        assert_eq!(wanted(&["plan", "--lokc", "a"], ""), Some(System::GitHub));
        assert_eq!(wanted(&["plan", "--ci", "none"], ""), None);
        assert_eq!(wanted(&["plan", "--ci=gitlab", "--ci-report=x"], "none"), Some(System::GitLab));
        assert_eq!(wanted(&["plan", "--ci-report", "x"], "none"), None);
        assert_eq!(wanted(&["plan", "--", "--ci=none"], ""), Some(System::GitHub));
        assert_eq!(wanted(&["plan", "--ci"], "jenkins"), Some(System::GitHub));
    }
}
