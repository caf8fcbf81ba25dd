//! The directory that Terraform will run in, as it is before anything has run.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::args::{self, Command};
use super::backend::S3;
use super::configuration;
use crate::error::Error;
use crate::escape;

/// Where the configuration keeps its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backend {
    /// None is named: the state is a file in the directory.
    None,
    /// The type: `local`, `s3`, `gcs`…
    Type(String),
    /// HCP Terraform or Terraform Enterprise.
    Cloud,
    /// The configuration cannot be read; why.
    Unreadable(String),
}

impl Backend {
    /// Whether the state is a file on this machine.
    pub fn is_local(&self) -> bool {
        match self {
            Self::None => true,
            Self::Type(name) => name == "local",
            Self::Cloud | Self::Unreadable(_) => false,
        }
    }

    fn named(name: &str) -> Self {
        if name == "cloud" { Self::Cloud } else { Self::Type(name.to_owned()) }
    }
}

/// What a directory holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// Its path without links and `..`, the same from wherever it is reached.
    pub canonical: PathBuf,
    /// There are configuration files.
    pub configured: bool,
    /// There is local state: `terraform.tfstate` or `terraform.tfstate.d`.
    pub has_state: bool,
    /// `TF_DATA_DIR` or `.terraform`, absolute.
    pub data_dir: PathBuf,
    /// The data directory holds something that `init` put there.
    pub initialised: bool,
    /// There is a data directory.
    pub has_data_dir: bool,
    /// There is a `.tfguard` folder: somebody has locked here before.
    pub has_locks: bool,
    /// The backend: the one that is initialised, else the one that is written.
    pub backend: Backend,
    /// Its settings, where it is an initialised `s3` backend.
    pub s3: Option<S3>,
    /// The selected workspace.
    pub workspace: String,
    /// The configuration refers to something that `init` would fetch or set up.
    pub refers_outside: bool,
}

/// Looks up an environment variable.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<OsString>;

impl Directory {
    /// Looks at `path`, which is absolute or relative to the current directory.
    ///
    /// # Errors
    /// [`Error::NoInput`] when it does not exist, is no directory or cannot be read.
    pub fn inspect(path: &Path, env: Lookup<'_>) -> Result<Self, Error> {
        let shown = escape::field(&path.to_string_lossy()).into_owned();
        let canonical = path.canonicalize().map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::NoInput(format!("the directory {shown} does not exist")),
            _ => Error::NoInput(format!("the directory {shown} cannot be read: {error}")),
        })?;
        if !canonical.is_dir() {
            return Err(Error::NoInput(format!("{shown} is not a directory")));
        }
        let written = configuration::read(&canonical)
            .map_err(|error| Error::NoInput(format!("the directory {shown} cannot be read: {error}")))?;
        let set = |name: &str| env(name).filter(|value| !value.is_empty());
        let data_dir = canonical.join(set("TF_DATA_DIR").unwrap_or_else(|| ".terraform".into()));
        let initialised = initialised_backend(&data_dir);
        let s3 = initialised
            .as_ref()
            .and_then(|(name, settings)| (name == "s3").then(|| S3::from_settings(settings))?);
        let initialised = initialised.map(|(name, _)| name);
        let backend = match (initialised, written.backend, written.unreadable) {
            (Some(name), _, _) | (None, Some(name), _) => Backend::named(&name),
            (None, None, Some(cause)) => Backend::Unreadable(cause),
            (None, None, None) => Backend::None,
        };
        let has = |name: &str| canonical.join(name).exists();
        Ok(Self {
            configured: written.present,
            has_state: has("terraform.tfstate") || has("terraform.tfstate.d"),
            // `workspace new` leaves an `environment` file there, and nothing else.
            initialised: ["terraform.tfstate", "providers", "modules"]
                .iter()
                .any(|name| data_dir.join(name).exists()),
            has_data_dir: data_dir.is_dir(),
            has_locks: has_locks(&canonical.join(".tfguard")),
            backend,
            s3,
            workspace: workspace(&data_dir, set("TF_WORKSPACE")),
            refers_outside: written.refers_outside,
            data_dir,
            canonical,
        })
    }

    /// Whether anything here is Terraform's: configuration, state or its data directory.
    pub fn is_terraforms(&self) -> bool {
        self.configured || self.has_state || self.has_data_dir
    }

    /// Refuses a directory in which `command` has nothing to work on, before the lock is taken.
    ///
    /// # Errors
    /// [`Error::NoInput`].
    pub fn require(&self, command: Command, user: &[OsString]) -> Result<(), Error> {
        let brings_its_own = match command {
            Command::Init => args::has_flag(user, "from-module"),
            Command::Apply => args::plan_file(user).is_some(),
            Command::Plan | Command::Destroy => false,
        };
        if brings_its_own || self.is_terraforms() {
            return Ok(());
        }
        Err(Error::NoInput(format!(
            "there is no Terraform configuration (*.tf, *.tf.json, *.tofu) in {}; go to the directory that \
             has it, or give it with -C DIR",
            escape::field(&self.canonical.to_string_lossy())
        )))
    }
}

/// Whether a folder of ours is there for more than a rescued state.
fn has_locks(folder: &Path) -> bool {
    let besides = |name: &OsString| name != "rescue" && name != ".gitignore";
    let names = || std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
    folder.exists() && (names().any(|name| besides(&name)) || !folder.join("rescue").exists())
}

/// The backend that the last `init` set up, which is the one that commands will use, and its
/// settings.
fn initialised_backend(data_dir: &Path) -> Option<(String, Map<String, Value>)> {
    let text = std::fs::read_to_string(data_dir.join("terraform.tfstate")).ok()?;
    let mut value: Value = serde_json::from_str(&text).ok()?;
    let backend = value.get_mut("backend")?;
    let name = backend.get("type")?.as_str().filter(|name| !name.is_empty())?.to_owned();
    let settings = backend.get_mut("config").map(Value::take);
    Some((name, settings.and_then(|value| value.as_object().cloned()).unwrap_or_default()))
}

fn workspace(data_dir: &Path, selected: Option<OsString>) -> String {
    let stored = || std::fs::read_to_string(data_dir.join("environment")).ok();
    selected
        .map(|name| name.to_string_lossy().into_owned())
        .or_else(stored)
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "default".to_owned())
}
