//! The CI system's desk: what it is made of, and what is written down at the end of a run.

use std::path::Path;

use super::setup;
use crate::ci::desk::Site;
use crate::ci::summary::Subject;
use crate::ci::{Desk, System, section};
use crate::cli::{Action, Config, Format};
use crate::error::Error;
use crate::escape;
use crate::lease::Counts;
use crate::report::Reporter;
use crate::report::event::{Event, Level};
use crate::terraform::args::{self, Command};

/// Commands whose pages are worth a look also where nothing but the name is known.
const COMMANDS: [&str; 7] = ["init", "plan", "apply", "destroy", "run", "drift", "exec"];

/// The desk that `config` asks for.
pub(super) fn desk(config: &Config) -> Option<Desk> {
    let system = config.ci.system?;
    let top = match system {
        System::GitHub => setup::env("GITHUB_WORKSPACE"),
        System::GitLab => setup::env("CI_PROJECT_DIR"),
    };
    let subject = Subject {
        command: command(&config.action).to_owned(),
        directory: within(&config.directory, top.as_deref().map(Path::new)),
    };
    Some(Desk::new(site(system, subject, config.log.format == Format::Json)))
}

fn site(system: System, subject: Subject, json: bool) -> Site {
    let github = |name| setup::env(name).filter(|path| !path.is_empty() && system == System::GitHub);
    Site {
        system,
        subject,
        json,
        summary: github("GITHUB_STEP_SUMMARY").map(Into::into),
        page: github("TFGUARD_CI_SUMMARY").map(Into::into),
        commands: github("TFGUARD_CI_COMMANDS").map(Into::into),
        token: crate::session::token(),
        now: setup::wall,
    }
}

/// The system, where the command line was not understood.
pub(super) fn wanted() -> Option<System> {
    crate::ci::wanted(words().iter().map(String::as_str), setup::env_text)
}

/// The command line, as far as it is text.
fn words() -> Vec<String> {
    std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect()
}

/// Shows an error that came before there was anything to report with: who looks at the job, and not
/// into its log, is to see it too. Gives back what went wrong with that.
pub(super) fn refuse(error: &Error) -> Result<(), String> {
    let Some(system) = wanted() else { return Ok(()) };
    let mut words = words().into_iter().take_while(|arg| arg != "--");
    let named = words.find(|arg| COMMANDS.contains(&arg.as_str()));
    let subject = Subject { command: named.unwrap_or_default(), directory: String::new() };
    Desk::new(site(system, subject, false)).refuse(error)
}

/// Shows the error of a command that only looks or mends.
pub(super) fn complain(config: &Config, event: &Event) {
    if let Some(desk) = desk(config) {
        desk.hear(event);
        desk.complain();
    }
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
/// `counts`: what Terraform said that it changes.
pub(super) fn write_down(
    config: &Config,
    desk: Option<&Desk>,
    counts: Option<Counts>,
    exit_code: u8,
    reporter: &Reporter,
) {
    let warn = |text| reporter.emit(Event::say(Level::Warn, text));
    if let Some(Err(text)) = desk.map(Desk::write_summary) {
        warn(text);
    }
    let Some(path) = &config.ci.report else { return };
    let shown = path.to_string_lossy();
    let (plans, detailed) = match &config.action {
        Action::Run { args, .. } | Action::Terraform { command: Command::Plan, args, .. } => {
            let ambient = args::ambient(Command::Plan, &setup::env_text);
            (true, args::tells_changes(args, &ambient))
        }
        _ => (false, false),
    };
    let succeeded = exit_code == 0 || (exit_code == 2 && detailed);
    // Of a plan that changes nothing but outputs it says no counts.
    let counts = counts.or_else(|| (plans && succeeded).then(Counts::default));
    match counts.map(|counts| std::fs::write(path, section::report(counts))) {
        Some(Ok(())) => {}
        Some(Err(error)) => warn(format!("the report {} cannot be written: {error}", escape::field(&shown))),
        // Of a failure enough is said.
        None if !succeeded => {}
        None => warn(format!(
            "there is no report {}: Terraform did not say what it changes",
            escape::field(&shown)
        )),
    }
}
