//! `init` that moves the state to another backend: the locks of both the old and the new state.

use std::collections::HashSet;

use super::setup;
use crate::cli::{Action, Config, MOST_LOCKS, Target, in_order};
use crate::error::Error;
use crate::lease::Mode;
use crate::report::Reporter;
use crate::report::event::{Event, Level};
use crate::terraform::args::{self, Command};
use crate::terraform::{Backend, Directory};

/// The locks that `config` needs in `directory`. `inits`: an `init` runs, alone or before the
/// command.
///
/// # Errors
/// As [`setup::target`]; where the state is to be moved it says so, since either side may be what
/// names no lock.
pub(super) fn target(
    config: &Config,
    directory: &Directory,
    inits: bool,
    reporter: &Reporter,
) -> Result<Target, Error> {
    let is_terraform = !matches!(config.action, Action::Exec { .. });
    if !inits || !moves(config, directory) {
        return setup::target(config, directory, is_terraform);
    }
    let (old, new) = (directory.as_initialised(), directory.as_written());
    let workspaces = workspaces(&old);
    let mut both: Option<Target> = None;
    for side in [&new, &old] {
        for workspace in &workspaces {
            let place = Directory { workspace: workspace.clone(), ..side.clone() };
            let target =
                setup::target(config, &place, is_terraform).map_err(|error| in_words(error, &old, &new))?;
            both = Some(match both {
                None => target,
                Some(known) => joined(known, target),
            });
        }
    }
    let Some(both) = both else { return Err(Error::Bug("a migration without a workspace".into())) };
    if both.sites.len() > MOST_LOCKS {
        return Err(Error::Usage(format!(
            "init moves the states of {} workspaces, which have {} locks; a run takes at most {MOST_LOCKS}: give one \
             --lock NAME, and the same to every other run that works on these states",
            workspaces.len(),
            both.sites.len()
        )));
    }
    if both.sites.len() > 1 && config.mode == Mode::Shared {
        return Err(Error::Usage(
            "init is to move the state first, which needs the locks alone: run `tfguard init` before this, with the \
             same arguments for it"
                .into(),
        ));
    }
    if both.sites.len() > 1 {
        let text =
            format!("init moves the state from {} to {}, and both are locked", named(&old), named(&new));
        reporter.emit(Event::say(Level::Info, text));
    }
    if !old.backend.is_local() && config.wish.locks.is_empty() {
        let text = format!(
            "the locks are those of workspace {}: init moves the states of all workspaces, and what works on another \
             one is not kept out",
            crate::escape::line(&directory.workspace)
        );
        reporter.emit(Event::say(Level::Info, text));
    }
    Ok(both)
}

/// Whether `init` will move a state from where it was set up to where it is written. Terraform
/// asks about the state of a directory that had no backend also where nobody told it to move it.
fn moves(config: &Config, directory: &Directory) -> bool {
    let alone = match &config.action {
        Action::Terraform { command: Command::Init, args, .. } => Some(args),
        // Before another command it has the arguments that the environment gives it.
        _ => None,
    };
    let user = alone.map_or(&[][..], Vec::as_slice);
    let ambient = args::ambient(Command::Init, &setup::env_text);
    let is_on = |name: &str| args::is_on(user, name) || args::is_on(&ambient, name);
    if is_on("reconfigure") || matches!(directory.backend, Backend::Unreadable(_)) {
        return false;
    }
    let nothing_before = directory.initialised_backend.is_none();
    let leaves_local = nothing_before && !directory.as_written().backend.is_local();
    let told = is_on("migrate-state") || is_on("force-copy");
    let is_state = !nothing_before || directory.has_state;
    is_state && (told || (leaves_local && alone.is_some()))
}

/// The workspaces whose states are moved, as far as that is known without asking the backend: the
/// selected one, and all of a local backend.
fn workspaces(old: &Directory) -> Vec<String> {
    let mut all = vec![old.workspace.clone()];
    // The folder of all, by the path of one.
    let any = Directory { workspace: "any".into(), ..old.clone() };
    let folder = any.state_file().and_then(|state| Some(state.path.parent()?.parent()?.to_owned()));
    let Some(folder) = folder else { return all };
    all.push("default".to_owned());
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().join("terraform.tfstate").is_file()
            && let Ok(name) = entry.file_name().into_string()
        {
            all.push(name);
        }
    }
    let mut seen = HashSet::new();
    all.retain(|name| seen.insert(name.clone()));
    all
}

fn joined(mut known: Target, other: Target) -> Target {
    known.sites.extend(other.sites);
    known.sites = in_order(known.sites);
    for (ours, theirs) in [(&mut known.chosen, other.chosen), (&mut known.warnings, other.warnings)] {
        let new: Vec<String> = theirs.into_iter().filter(|text| !ours.contains(text)).collect();
        ours.extend(new);
    }
    known
}

fn in_words(error: Error, old: &Directory, new: &Directory) -> Error {
    let say = |text| {
        format!(
            "init moves the state from {} to {} and needs the locks of both: {text}",
            named(old),
            named(new)
        )
    };
    match error {
        Error::Usage(text) => Error::Usage(say(text)),
        Error::Config(text) => Error::Config(say(text)),
        other => other,
    }
}

fn named(side: &Directory) -> String {
    match &side.in_force {
        Some(backend) => backend.shown(),
        None => "local state".to_owned(),
    }
}
