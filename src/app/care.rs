//! What a command does to the state, read from its command line.

use std::path::Path;

use super::setup;
use crate::cli::{Action, Config};
use crate::identity;
use crate::lease::{Mode, Pushed};
use crate::rescue;
use crate::state_lock::{Care, Terraform};
use crate::supervisor::custody::{Custody, SavedPlan};
use crate::supervisor::run::Step;
use crate::terraform::args::{self, Command};
use crate::terraform::directory::{Backend, Directory};
use crate::terraform::invocation::{Invocation, Push};

/// Whether the command may change what the lock protects, so that plans made before it are stale.
/// Of what is not known to read, everybody must think so; who holds the lock shared says that it
/// does not.
pub(super) fn changes(config: &Config, command: &Step) -> bool {
    match &config.action {
        _ if config.mode == Mode::Shared => false,
        Action::Terraform { command, .. } => matches!(command, Command::Apply | Command::Destroy),
        Action::Run { .. } => true,
        _ => !invocation(command).is_some_and(|invocation| invocation.only_reads()),
    }
}

/// What is done for the state around the command. `options` name lock and store, for a shell.
pub(super) fn custody(config: &Config, command: &Step, options: &str) -> Custody {
    let invocation = invocation(command);
    let pushes = match &config.action {
        Action::Exec { .. } => invocation.as_ref().and_then(Invocation::pushes),
        _ => None,
    };
    let initialises = matches!(&config.action, Action::Terraform { command: Command::Init, .. });
    // None of them depends on the state, and all are needed to mend it.
    let restores = matches!(&config.action, Action::Restore { .. });
    let may_be_unclean = initialises || restores || pushes.is_some();
    Custody {
        rescue: rescue(config, command, invocation.as_ref(), options),
        pushes: pushes.map(pushed),
        require_clean: config.require_clean && !may_be_unclean,
        saved_plan: saved_plan(config),
    }
}

/// How to look after the state lock. The lock on a local state ends with its process, and a
/// command without Terraform's lock leaves none.
pub(super) fn state_lock(config: &Config, directory: &Directory, command: &Step) -> Option<Care> {
    if !matches!(&config.action, Action::Terraform { .. } | Action::Run { .. } | Action::Restore { .. }) {
        return None;
    }
    if directory.backend.is_local() || config.mode == Mode::Shared {
        return None;
    }
    Some(Care {
        terraform: Terraform {
            program: command.program.clone(),
            dir: command.dir.clone(),
            compares_ids: directory.backend == Backend::Type("s3".into()),
        },
        policy: config.free_state_lock,
        detailed_exitcode: command.tells_changes,
    })
}

fn invocation(command: &Step) -> Option<Invocation> {
    Invocation::of(command.program.as_os_str(), &command.args)
}

fn pushed(push: Push) -> Pushed {
    match push {
        Push::File(path) => {
            path.file_name().map_or(Pushed::Any, |name| Pushed::Named(name.to_string_lossy().into()))
        }
        Push::Stdin => Pushed::Any,
    }
}

fn saved_plan(config: &Config) -> SavedPlan {
    let Action::Terraform { command, args: user, .. } = &config.action else { return SavedPlan::None };
    let ambient = args::ambient(*command, &setup::env_text);
    let file = |name: &Path| config.directory.join(name);
    match command {
        Command::Plan => match args::plan_out(user, &ambient) {
            Some(name) => SavedPlan::Made { file: file(Path::new(&name)) },
            None => SavedPlan::None,
        },
        Command::Apply => match args::plan_file(user) {
            Some(name) => {
                SavedPlan::Applied { file: file(Path::new(name)), allow_stale: config.allow_stale_plan }
            }
            None => SavedPlan::None,
        },
        Command::Init | Command::Destroy => SavedPlan::None,
    }
}

fn rescue(
    config: &Config,
    command: &Step,
    invocation: Option<&Invocation>,
    options: &str,
) -> rescue::Setting {
    let chdir = invocation.and_then(|invocation| invocation.chdir.clone());
    let from = match &chdir {
        Some(below) => command.dir.join(below),
        None => command.dir.clone(),
    };
    let mut words = Vec::new();
    let here = std::env::current_dir().is_ok_and(|here| config.directory == here);
    if !here {
        words.extend(["-C".into(), text(&config.directory)]);
    }
    words.extend(["exec".into(), "--".into()]);
    words.push(match (invocation, &config.terraform_bin) {
        (_, Some(given)) => text(given),
        // The name by which it is found on PATH again.
        (Some(_), None) => {
            command.program.file_name().map_or("terraform".into(), |name| text(Path::new(name)))
        }
        (None, None) => "terraform".into(),
    });
    words.extend(chdir.map(|below| format!("-chdir={}", text(&below))));
    words.extend(["state".into(), "push".into()]);
    // Only a NUL cannot be quoted, and none can be in an argument.
    let words = shlex::try_join(words.iter().map(String::as_str)).unwrap_or_default();
    let push = format!("tfguard {options} {words}");
    let into = config.rescue_dir.clone().unwrap_or_else(|| config.directory.join(".tfguard/rescue"));
    rescue::Setting {
        into: absolute(&into),
        from: absolute(&from),
        push,
        ci: identity::is_ci(&setup::env_text),
    }
}

fn absolute(path: &Path) -> std::path::PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
