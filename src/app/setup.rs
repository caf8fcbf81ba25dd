//! The parts that several commands are made of.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::{self, Config, Format, Log, Target};
use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use crate::identity::{self, Facts};
use crate::lease::{Identity, LockName};
use crate::report::{Destination, Reporter, SharedWriter, open_log_file};
use crate::store::{Store, StoreSpec};
use crate::terraform::directory::Directory;
use crate::terraform::find::Search;

/// One variable of our environment.
pub(super) fn env(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// One variable of our environment, as text.
pub(super) fn env_text(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The directory that we were started in.
pub(super) fn cwd() -> Result<PathBuf, Error> {
    std::env::current_dir()
        .map_err(|error| Error::NoInput(format!("the current directory cannot be used: {error}")))
}

/// Where programs are looked for.
pub(super) fn search(base: &Path) -> Search<'_> {
    let own = std::env::current_exe().and_then(|path| path.canonicalize()).ok();
    Search { path: env("PATH"), base, own }
}

/// The reporter that the options ask for.
pub(super) fn reporter(log: &Log) -> Result<Reporter, Error> {
    let file = log.file.as_deref().map(open_log_file).transpose()?;
    Reporter::start(destination(log), log.level, file, wall)
}

fn destination(log: &Log) -> Destination {
    match log.format {
        Format::Text => Destination::Text { out: SharedWriter::stderr(), colour: log.colour.on_stderr() },
        Format::Json => Destination::Json { out: SharedWriter::stdout() },
    }
}

/// The time, for what is written down.
pub(super) fn wall() -> jiff::Timestamp {
    SystemClock.now().wall
}

/// The lock and the store that `config` means in `directory`.
pub(super) fn target(config: &Config, directory: &Directory, terraform: bool) -> Result<Target, Error> {
    let user_state = cli::user_state_dir();
    let place = cli::Place {
        directory,
        terraform,
        user_state: user_state.as_deref(),
        ci: identity::is_ci(&env_text),
    };
    cli::choose(&config.wish, place)
}

/// Who we are, running `command`.
pub(super) fn identity(command: Option<String>, reason: Option<String>) -> Identity {
    let facts = Facts {
        host: identity::host(),
        user: Some(identity::user()),
        pid: std::process::id(),
        command,
        reason,
    };
    identity::identify(&env_text, facts)
}

/// Opens the store of `lock` to look at it; `None` where there is no store yet, which looking does
/// not create.
pub(super) async fn open_to_look(spec: &StoreSpec, lock: &LockName) -> Result<Option<Arc<dyn Store>>, Error> {
    match spec {
        StoreSpec::Local { dir } if !dir.exists() => Ok(None),
        _ => open(spec, lock).await.map(Some),
    }
}

/// Opens the store of `lock`.
pub(super) async fn open(spec: &StoreSpec, lock: &LockName) -> Result<Arc<dyn Store>, Error> {
    spec.open().await.map_err(|source| Error::Store { lock: lock.to_string(), source, advice: String::new() })
}

/// Looks at the directory that the run is about.
pub(super) fn inspect(path: &Path) -> Result<Directory, Error> {
    Directory::inspect(path, &env)
}
