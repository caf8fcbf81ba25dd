//! The state file of local state, and what it decides about the lock.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use super::Configured;
use crate::terraform::flags::flags;

/// The name of a state file, if nothing else is said.
const FILE: &str = "terraform.tfstate";
/// The folder of the workspaces' states, if nothing else is said.
const WORKSPACES: &str = "terraform.tfstate.d";

/// A state file of this machine. Whoever works on it gets the same lock in the same folder, from
/// whichever directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateFile {
    /// Absolute, without links as far as it exists.
    pub path: PathBuf,
    /// Where it was said, for people; `None`: the usual place.
    pub origin: Option<String>,
    /// Beside what the locks are kept.
    beside: PathBuf,
}

impl StateFile {
    /// The state that a command works on in `directory`, in `workspace`, with the arguments `args`.
    /// `backend`: the `local` one, if there is one.
    pub(in crate::terraform) fn find(
        directory: &Path,
        backend: Option<&Configured>,
        workspace: &str,
        args: &[OsString],
    ) -> Self {
        if let Some((path, origin)) = from_flags(args) {
            let path = real(&directory.join(path));
            let beside = Self::usual_place(&path);
            return Self { path, origin: Some(origin), beside };
        }
        let setting = |name: &str| {
            let settings = &backend?.settings;
            Some((settings.text(name)?, settings.origin(name)?.to_owned()))
        };
        if workspace == "default" {
            let (path, origin) = setting("path").unzip();
            let path = real(&directory.join(path.unwrap_or(FILE)));
            let beside = Self::usual_place(&path);
            return Self { path, origin, beside };
        }
        let (folder, origin) = setting("workspace_dir").unzip();
        let folder = real(&directory.join(folder.unwrap_or(WORKSPACES)));
        let beside = folder.parent().unwrap_or(&folder).to_owned();
        Self { path: folder.join(workspace).join(FILE), origin, beside }
    }

    /// The state of a workspace has its lock beside the folder of the workspaces, where no
    /// `workspace delete` takes it away; every other one has it beside itself.
    fn usual_place(path: &Path) -> PathBuf {
        let folder = path.parent().unwrap_or(path);
        let workspaces =
            folder.parent().filter(|parent| parent.file_name().is_some_and(|name| name == WORKSPACES));
        workspaces.and_then(Path::parent).unwrap_or(folder).to_owned()
    }

    /// The folder for its locks.
    pub fn lock_folder(&self) -> PathBuf {
        self.beside.join(".tfguard")
    }

    /// What its lock is named after: the folder in which a state has its usual name, else the file.
    pub fn lock_path(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if self.path.file_name().is_some_and(|name| name == FILE) => folder,
            _ => &self.path,
        }
    }
}

/// What `-state-out` and `-state` say: the file that is written, and locked by Terraform.
fn from_flags(args: &[OsString]) -> Option<(PathBuf, String)> {
    let last = |name: &str| {
        let flag = flags(args).filter(|flag| flag.name == name).last()?;
        let value = flag.value?.into_os();
        (!value.is_empty()).then(|| (value.into(), format!("-{name}")))
    };
    last("state-out").or_else(|| last("state"))
}

/// The path without links and `..`, as far as it exists.
fn real(path: &Path) -> PathBuf {
    let mut missing: Vec<OsString> = Vec::new();
    let mut existing = path.to_path_buf();
    loop {
        if let Ok(real) = existing.canonicalize() {
            return missing.iter().rev().fold(real, |path, name| path.join(name));
        }
        match existing.components().next_back() {
            Some(Component::Normal(name)) => missing.push(name.to_owned()),
            // What does not exist has no links to follow.
            Some(Component::ParentDir) => return lexical(path),
            _ => return path.to_path_buf(),
        }
        existing.pop();
    }
}

fn lexical(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                clean.pop();
            }
            Component::CurDir => {}
            other => clean.push(other),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Settings;
    use super::*;

    fn find(settings: serde_json::Value, workspace: &str, args: &str) -> (String, String) {
        let mut read = Settings::default();
        for (name, value) in settings.as_object().unwrap() {
            read.set(name, Some(value.clone()), "main.tf:3");
        }
        let backend = Configured { kind: "local".into(), settings: read, origin: String::new() };
        let args: Vec<OsString> = args.split_whitespace().map(OsString::from).collect();
        let file = StateFile::find(Path::new("/nowhere/infra"), Some(&backend), workspace, &args);
        (file.lock_path().display().to_string(), file.lock_folder().display().to_string())
    }

    #[test]
    fn the_lock_goes_with_the_state() {
        for (settings, workspace, args, lock, folder) in [
            (json!({}), "default", "", "/nowhere/infra", "/nowhere/infra/.tfguard"),
            (json!({}), "dev", "", "/nowhere/infra/terraform.tfstate.d/dev", "/nowhere/infra/.tfguard"),
            (
                json!({"path": "s/prod.tfstate"}),
                "default",
                "",
                "/nowhere/infra/s/prod.tfstate",
                "/nowhere/infra/s/.tfguard",
            ),
            (json!({"path": "../b/terraform.tfstate"}), "default", "", "/nowhere/b", "/nowhere/b/.tfguard"),
            (
                json!({"path": "x"}),
                "dev",
                "",
                "/nowhere/infra/terraform.tfstate.d/dev",
                "/nowhere/infra/.tfguard",
            ),
            (json!({"workspace_dir": "/w/all"}), "dev", "", "/w/all/dev", "/w/.tfguard"),
            (json!({"path": "x"}), "dev", "-state=/w/y.tfstate", "/w/y.tfstate", "/w/.tfguard"),
            (json!({}), "default", "-state a -state-out=/w/out", "/w/out", "/w/.tfguard"),
            (
                json!({}),
                "default",
                "-state=terraform.tfstate.d/dev/terraform.tfstate",
                "/nowhere/infra/terraform.tfstate.d/dev",
                "/nowhere/infra/.tfguard",
            ),
        ] {
            assert_eq!(find(settings, workspace, args), (lock.to_owned(), folder.to_owned()), "{args}");
        }
    }
}
