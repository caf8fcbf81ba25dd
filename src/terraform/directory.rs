//! The directory that Terraform will run in, as it is before anything has run.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::args::{self, Command};
use super::backend::{self, Configured, Difference, Given, S3, Saved, Settings, StateFile};
use super::configuration;
use crate::error::Error;
use crate::escape;

/// Where the configuration keeps its state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Backend {
    /// None is named: the state is a file in the directory.
    #[default]
    None,
    /// The type: `local`, `s3`, `gcs`…
    Type(String),
    /// HCP Terraform or Terraform Enterprise.
    Cloud,
    /// What would say it cannot be read: which file, and why.
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

    fn of(configured: &Configured) -> Self {
        match configured.kind.as_str() {
            "cloud" => Self::Cloud,
            name => Self::Type(name.to_owned()),
        }
    }
}

/// What a directory holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
    /// The backend that the command will use: the one that is initialised, else, and for `init
    /// -reconfigure`, the one that is written.
    pub backend: Backend,
    /// That backend with its settings; `None` where there is none, or none that can be read.
    pub in_force: Option<Configured>,
    /// Its settings, where it is an `s3` backend with a bucket and a key that are known.
    pub s3: Option<S3>,
    /// The backend that the last `init` set up.
    pub initialised_backend: Option<Configured>,
    /// What Terraform keeps about that.
    pub saved: Option<Saved>,
    /// The backend that is written, merged with what `-backend-config` gives.
    pub written_backend: Option<Configured>,
    /// The written backend alone.
    pub written_alone: Option<Configured>,
    /// Every file of the configuration could be read.
    pub complete: bool,
    /// What stands in the way of knowing the written backend: which file cannot be read, and why.
    pub unreadable: Option<String>,
    /// The arguments that may move a local state: `-state`, `-state-out`.
    pub state_args: Vec<OsString>,
    /// The selected workspace.
    pub workspace: String,
    /// Where that was said, for people; `None`: nowhere.
    pub workspace_origin: Option<String>,
    /// The configuration refers to something that `init` would fetch or set up.
    pub refers_outside: bool,
    /// The variables that no plan keeps the value of.
    pub ephemeral_variables: Vec<String>,
}

/// What a command line adds to what a directory says.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// The Terraform command, if it is one.
    pub command: Option<Command>,
    /// The user's arguments for it.
    pub args: &'a [OsString],
    /// The user's arguments for an `init` that runs before it.
    pub init: &'a [OsString],
}

/// Looks up an environment variable.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<OsString>;

impl Directory {
    /// Looks at `path`, which is absolute or relative to the current directory.
    ///
    /// # Errors
    /// [`Error::NoInput`] when it does not exist, is no directory or cannot be read.
    pub fn inspect(path: &Path, env: Lookup<'_>) -> Result<Self, Error> {
        Self::inspect_for(path, Asked::default(), env)
    }

    /// Looks at `path` with a command in mind.
    ///
    /// # Errors
    /// As [`Directory::inspect`].
    pub fn inspect_for(path: &Path, asked: Asked<'_>, env: Lookup<'_>) -> Result<Self, Error> {
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
        let given = Collected::from(asked, &canonical, env);
        let (initialised, garbage) = match initialised_backend(&data_dir, &canonical, env) {
            Ok(backend) => (backend, None),
            Err(cause) => (None, Some(cause)),
        };
        let (initialised_backend, saved) = initialised.unzip();
        let written_alone = written.backend.map(|written| (written.kind, written.settings, written.origin));
        let written_backend = written_alone.clone().map(|(kind, mut settings, origin)| {
            settings.override_with(given.settings.clone());
            Configured::new(&kind, settings, &origin, env)
        });
        let written_alone =
            written_alone.map(|(kind, settings, origin)| Configured { kind, settings, origin });
        let (workspace, workspace_origin) = workspace(&data_dir, &canonical, set("TF_WORKSPACE"));
        let has = |name: &str| canonical.join(name).exists();
        let directory = Self {
            configured: written.present,
            has_state: has("terraform.tfstate") || has("terraform.tfstate.d"),
            // `workspace new` leaves an `environment` file there, and nothing else.
            initialised: ["terraform.tfstate", "providers", "modules"]
                .iter()
                .any(|name| data_dir.join(name).exists()),
            has_data_dir: data_dir.is_dir(),
            has_locks: has_locks(&canonical.join(".tfguard")),
            complete: written.unreadable.is_none(),
            unreadable: if written_backend.is_some() { given.unreadable } else { written.unreadable },
            state_args: given.state_args,
            refers_outside: written.refers_outside,
            initialised_backend,
            saved,
            written_backend,
            written_alone,
            workspace,
            workspace_origin,
            ephemeral_variables: written.ephemeral_variables,
            data_dir,
            canonical,
            ..Self::default()
        };
        Ok(match (garbage, given.reconfigures) {
            (_, true) => directory.as_written(),
            (Some(cause), false) => Self { backend: Backend::Unreadable(cause), ..directory },
            (None, false) if directory.initialised_backend.is_some() => directory.as_initialised(),
            (None, false) => directory.as_written(),
        })
    }

    /// The same directory as it is with the written backend in force: after `init -reconfigure` or
    /// `init -migrate-state`.
    #[must_use]
    pub fn as_written(&self) -> Self {
        let backend = match (&self.unreadable, &self.written_backend) {
            (Some(cause), _) => Backend::Unreadable(cause.clone()),
            (None, Some(written)) => Backend::of(written),
            (None, None) => Backend::None,
        };
        self.with(backend, self.written_backend.as_ref().filter(|_| self.unreadable.is_none()))
    }

    /// The same directory as it is with the initialised backend in force, which is that of local
    /// state where none is.
    #[must_use]
    pub fn as_initialised(&self) -> Self {
        let initialised = self.initialised_backend.as_ref();
        self.with(initialised.map(Backend::of).unwrap_or_default(), initialised)
    }

    fn with(&self, backend: Backend, in_force: Option<&Configured>) -> Self {
        Self { backend, s3: in_force.and_then(Configured::s3), in_force: in_force.cloned(), ..self.clone() }
    }

    /// What was changed in the written backend since `init`, so that Terraform will refuse to plan or
    /// apply before another one. Empty where there is nothing, or where that is not sure.
    pub fn backend_changes(&self) -> Vec<Difference> {
        match (&self.initialised_backend, &self.saved) {
            (Some(initialised), Some(saved)) if self.complete => {
                backend::differences(initialised, saved, self.written_alone.as_ref())
            }
            _ => Vec::new(),
        }
    }

    /// What another `init` would change, with what `-backend-config` gives.
    pub fn init_changes(&self) -> Vec<Difference> {
        match (&self.initialised_backend, &self.written_backend) {
            (Some(initialised), Some(written)) if self.complete => backend::between(initialised, written),
            _ => Vec::new(),
        }
    }

    /// The state file, where the state is on this machine.
    pub fn state_file(&self) -> Option<StateFile> {
        let backend = self.in_force.as_ref().filter(|backend| backend.is_local());
        let find = || StateFile::find(&self.canonical, backend, &self.workspace, &self.state_args);
        self.backend.is_local().then(find)
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

/// What the last `init` set up.
///
/// # Errors
/// What is wrong with the file that says it.
fn initialised_backend(
    data_dir: &Path,
    directory: &Path,
    env: Lookup<'_>,
) -> Result<Option<(Configured, Saved)>, String> {
    let path = data_dir.join("terraform.tfstate");
    let shown = path.strip_prefix(directory).unwrap_or(&path).display().to_string();
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(format!("{shown}, which init writes: {error}")),
    };
    saved_backend(&text, &shown, env)
}

/// What the text of the file `shown` says that `init` set up.
pub(crate) fn saved_backend(
    text: &str,
    shown: &str,
    env: Lookup<'_>,
) -> Result<Option<(Configured, Saved)>, String> {
    // So it is for Terraform.
    if text.is_empty() {
        return Ok(None);
    }
    let mut value: Value =
        serde_json::from_str(text).map_err(|error| format!("{shown}, which init writes: {error}"))?;
    let Some(backend) = value.get_mut("backend") else { return Ok(None) };
    let Some(kind) = backend.get("type").and_then(Value::as_str).filter(|kind| !kind.is_empty()) else {
        return Ok(None);
    };
    let kind = kind.to_owned();
    let origin = format!("backend in {shown}");
    let hash = backend.get("hash").and_then(Value::as_u64);
    let saved = Saved { config: backend.get_mut("config").map(Value::take).unwrap_or_default(), hash };
    let mut settings = Settings::default();
    for (name, value) in saved.config.as_object().into_iter().flatten() {
        settings.set(name, Some(value.clone()), &origin);
    }
    Ok(Some((Configured::new(&kind, settings, &origin, env), saved)))
}

/// The selected workspace and where it was said.
fn workspace(data_dir: &Path, directory: &Path, selected: Option<OsString>) -> (String, Option<String>) {
    if let Some(name) = selected {
        return (name.to_string_lossy().into_owned(), Some("TF_WORKSPACE".to_owned()));
    }
    let path = data_dir.join("environment");
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    match stored.trim() {
        "" => ("default".to_owned(), None),
        name => {
            let shown = path.strip_prefix(directory).unwrap_or(&path).display().to_string();
            (name.to_owned(), Some(shown))
        }
    }
}

/// What a command line and `TF_CLI_ARGS…` give.
struct Collected {
    settings: Settings,
    unreadable: Option<String>,
    reconfigures: bool,
    state_args: Vec<OsString>,
}

impl Collected {
    fn from(asked: Asked<'_>, directory: &Path, env: Lookup<'_>) -> Self {
        let words = |name: &str| -> Vec<OsString> {
            env(name)
                .and_then(|text| text.into_string().ok())
                .map(|text| args::words(&text))
                .unwrap_or_default()
        };
        let own = if asked.command == Some(Command::Init) { asked.args } else { asked.init };
        let mut given = Given::default();
        // Terraform puts them before the user's own in this order; the last one counts.
        for variable in ["TF_CLI_ARGS_init", "TF_CLI_ARGS"] {
            backend::read_given(&mut given, &words(variable), Some(variable), directory);
        }
        backend::read_given(&mut given, own, None, directory);
        let reconfigures = asked.command == Some(Command::Init)
            && [&words("TF_CLI_ARGS_init"), &words("TF_CLI_ARGS"), own]
                .iter()
                .any(|args| args::is_on(args, "reconfigure"));
        let mut state_args = Vec::new();
        if let Some(command) = asked.command.filter(|command| *command != Command::Init) {
            state_args = words(&format!("TF_CLI_ARGS_{}", command.as_str()));
            state_args.extend(words("TF_CLI_ARGS"));
            state_args.extend(asked.args.iter().cloned());
        }
        Self { settings: given.settings, unreadable: given.unreadable, reconfigures, state_args }
    }
}
