//! The CI system's desk: what it is made of, and what is written down at the end of a run.

use std::path::Path;

use super::setup;
use crate::ci::desk::Site;
use crate::ci::summary::Subject;
use crate::ci::{Desk, System, section};
use crate::cli::{Action, Config, Format};
use crate::escape;
use crate::lease::Counts;
use crate::report::Reporter;
use crate::report::event::{Event, Level};
use crate::terraform::args::Command;

/// The desk that `config` asks for.
pub(super) fn desk(config: &Config) -> Option<Desk> {
    let system = config.ci.system?;
    let github = |name| setup::env(name).filter(|path| !path.is_empty() && system == System::GitHub);
    let top = match system {
        System::GitHub => setup::env("GITHUB_WORKSPACE"),
        System::GitLab => setup::env("CI_PROJECT_DIR"),
    };
    Some(Desk::new(Site {
        system,
        subject: Subject {
            command: command(&config.action).to_owned(),
            directory: within(&config.directory, top.as_deref().map(Path::new)),
        },
        json: config.log.format == Format::Json,
        summary: github("GITHUB_STEP_SUMMARY").map(Into::into),
        commands: github("TFGUARD_CI_COMMANDS").map(Into::into),
        token: crate::session::token(),
        now: setup::wall,
    }))
}

/// The directory as seen from the top of the repository; empty where it is the top, or the top is not
/// known; as it is where it is elsewhere.
fn within(directory: &Path, top: Option<&Path>) -> String {
    let Some(top) = top.filter(|top| top.is_absolute()) else { return String::new() };
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let directory = real(directory);
    let inside = directory.strip_prefix(real(top)).unwrap_or(&directory);
    inside.to_string_lossy().into_owned()
}

fn command(action: &Action) -> &'static str {
    match action {
        Action::Terraform { command: Command::Init, .. } => "init",
        Action::Terraform { command: Command::Plan, .. } => "plan",
        Action::Terraform { command: Command::Apply, .. } => "apply",
        Action::Terraform { command: Command::Destroy, .. } => "destroy",
        Action::Run { .. } => "run",
        Action::Drift { .. } => "drift",
        Action::Restore { .. } => "state restore",
        _ => "exec",
    }
}

/// Writes the page of the run and the report for GitLab. The lock is free: what fails is a warning.
pub(super) fn write_down(config: &Config, desk: Option<&Desk>, counts: Option<Counts>, reporter: &Reporter) {
    let warn = |text| reporter.emit(Event::say(Level::Warn, text));
    if let Some(Err(text)) = desk.map(Desk::write_summary) {
        warn(text);
    }
    let Some(path) = &config.ci.report else { return };
    let shown = path.to_string_lossy();
    match counts.map(|counts| std::fs::write(path, section::report(counts))) {
        Some(Ok(())) => {}
        Some(Err(error)) => warn(format!("the report {} cannot be written: {error}", escape::field(&shown))),
        None => warn(format!(
            "there is no report {}: Terraform did not say what it changes",
            escape::field(&shown)
        )),
    }
}
