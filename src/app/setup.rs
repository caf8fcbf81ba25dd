//! The parts that several commands are made of.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::ci::System;
use crate::cli::{self, Action, Colour, Config, Format, Log, Target};
use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use crate::identity::{self, Facts};
use crate::lease::{Identity, LockName};
use crate::report::event::{Event, Level};
use crate::report::{Destination, Reporter, Screen, SharedWriter, open_log_file};
use crate::store::{Store, StoreSpec};
use crate::terraform::args::{self, Command};
use crate::terraform::directory::{Asked, Directory};
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
pub(super) fn reporter(config: &Config) -> Result<Reporter, Error> {
    let Log { format, file, level, colour } = &config.log;
    let file = file.as_deref().map(open_log_file).transpose()?;
    let destination = match format {
        Format::Text => {
            let screen = screen(self::colour(*colour, config.ci.system));
            Destination::Text { out: SharedWriter::stderr(), screen }
        }
        Format::Json => Destination::Json { out: SharedWriter::stdout() },
    };
    Reporter::start(destination, *level, file, wall)
}

/// Whether our lines on stderr have colour. GitLab has no annotations; its log shows colours, though
/// it is no terminal, and an error is found by its red.
pub(super) fn colour(wish: Colour, system: Option<System>) -> bool {
    match (wish, system) {
        (Colour::Auto, Some(System::GitLab)) => env("NO_COLOR").is_none_or(|value| value.is_empty()),
        _ => wish.on_stderr(),
    }
}

/// Our stderr. A job's log keeps what a line that is written anew was before, and a dumb terminal
/// cannot erase.
fn screen(colour: bool) -> Screen {
    let able = env_text("TERM").is_some_and(|kind| !kind.is_empty() && kind != "dumb");
    Screen::stderr(colour, able && !identity::is_ci(&env_text))
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

/// Notes what the AWS SDK takes from its own variables where nothing else was said.
pub(super) fn ambient_sources(target: &mut Target) {
    let service = match target.sites.first().map(|site| &site.store) {
        Some(StoreSpec::Dynamodb(_)) => "AWS_ENDPOINT_URL_DYNAMODB",
        Some(StoreSpec::S3(_)) => "AWS_ENDPOINT_URL_S3",
        _ => return,
    };
    for (name, variables) in [
        ("region", &["AWS_REGION", "AWS_DEFAULT_REGION"][..]),
        ("endpoint_url", &[service, "AWS_ENDPOINT_URL"]),
        ("profile", &["AWS_PROFILE"]),
    ] {
        let found = variables
            .iter()
            .find_map(|variable| Some((variable, env_text(variable).filter(|value| !value.is_empty())?)));
        if let Some((variable, value)) = found {
            target.sources.note(name, &value, variable);
        }
    }
}

/// Looks at the directory that the run is about, as the command will find it.
pub(super) fn inspect_for(config: &Config) -> Result<Directory, Error> {
    let asked = match &config.action {
        Action::Terraform { command, args, .. } => Asked { command: Some(*command), args, init: &[] },
        Action::Run { args, .. } | Action::Drift { args, .. } => {
            Asked { command: Some(Command::Plan), args, init: &[] }
        }
        _ => Asked::default(),
    };
    Directory::inspect_for(&config.directory, asked, &env)
}

/// Refuses what Terraform will refuse too, because the backend was changed since `init`: nobody is
/// to wait for a lock that belongs to the wrong state. `init`: the arguments of an `init` that runs
/// first, if one does.
pub(super) fn require_backend(
    config: &Config,
    directory: &Directory,
    init: Option<&[OsString]>,
    reporter: &Reporter,
) -> Result<(), Error> {
    let (command, args) = match &config.action {
        Action::Terraform { command, args, .. } => (command, args.as_slice()),
        Action::Run { args, .. } | Action::Drift { args, .. } => (&Command::Plan, args.as_slice()),
        Action::Restore { .. } => (&Command::Plan, [].as_slice()),
        _ => return Ok(()),
    };
    let decides = |args: &[OsString]| {
        ["reconfigure", "migrate-state", "force-copy"].iter().any(|name| args::is_on(args, name))
    };
    let ambient = args::ambient(Command::Init, &env_text);
    if *command == Command::Init {
        let changes = directory.init_changes();
        if !changes.is_empty() && !decides(args) && !decides(&ambient) {
            let detail = "Terraform will want to know: -migrate-state moves the state to the new place (`tfguard \
                          init -- -migrate-state`), -reconfigure leaves it where it is (`tfguard init -- \
                          -reconfigure`)";
            reporter.emit(Event::Diagnostic {
                level: Level::Warn,
                summary: format!("the backend was changed since init: {}", told(&changes)),
                detail: Some(detail.into()),
            });
        }
        return Ok(());
    }
    // A saved plan knows its backend by itself.
    let planned = *command == Command::Apply && args::plan_file(args).is_some();
    let settled = init.is_some_and(|init| decides(init) || decides(&ambient));
    let changes = directory.backend_changes();
    if changes.is_empty() || planned || settled {
        return Ok(());
    }
    Err(Error::Config(format!(
        "the backend was changed since init: {}; nothing was locked or run. To move the state to the new place: \
         `tfguard init -- -migrate-state`. To leave it where it is and start with what is in the new place: `tfguard \
         init -- -reconfigure`",
        told(&changes)
    )))
}

fn told(changes: &[String]) -> String {
    crate::escape::bounded(&changes.join(", "), 1000).into_owned()
}
