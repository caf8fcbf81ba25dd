//! From raw arguments to what the run needs: every value checked, with its origin in the error.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::args::{Args, Command as RawCommand, Options, Unlock};
use super::config::{Action, Colour, Config, Format, Log, Wait};
use super::file::{self, File};
use super::origin::{Given, Origins};
use super::target::{StoreChoice, Wish};
use crate::error::Error;
use crate::lease::{Lease, LockName, Mode};
use crate::report::Level;
use crate::terraform::args as terraform_args;
use crate::terraform::args::Command;
use crate::terraform::init::InitPolicy;

/// Everything outside the command line that takes part.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The environment.
    pub env: &'a dyn Fn(&str) -> Option<OsString>,
    /// The directory that we were started in, absolute.
    pub cwd: &'a Path,
    /// Somebody is there to answer a question.
    pub terminal: bool,
}

/// Resolves: a flag, else a variable, else `tfguard.toml`, else the default.
///
/// # Errors
/// [`Error::Usage`] for a wrong flag or variable, [`Error::Config`] for a wrong file; both name
/// the value and where it came from.
pub fn resolve(args: Args, surroundings: Surroundings<'_>) -> Result<Config, Error> {
    let Args { options: before, command } = args;
    let (after, raw) = take_options(command);
    let options = before.then(after);
    let env = |name: &str| (surroundings.env)(name).filter(|value| !value.is_empty());
    let chdir = options.chdir.clone().or_else(|| env("TFGUARD_CHDIR").map(PathBuf::from));
    let directory = surroundings.cwd.join(chdir.unwrap_or_default());
    let (path, file) = file::find(&directory)?.unzip();
    let file = file.unwrap_or_default();
    let origins = Origins::new(&env, path.as_deref());

    let log = log(&origins, &options, &file, surroundings.cwd)?;
    let reason = origins.text(options.reason.clone(), "--reason", "TFGUARD_REASON", None)?;
    let action = action(raw, &origins, &options, &file, &log, reason.as_ref(), surroundings)?;
    let lease = origins.duration(options.lease.clone(), "--lease", "TFGUARD_LEASE", file.lease.as_ref())?;
    Ok(Config {
        wish: wish(&origins, &options, &file, surroundings.cwd)?,
        mode: mode(&origins, &options, &action)?,
        lease: lease_of(lease)?,
        wait: wait(&origins, &options, &file)?,
        stop_timeout: origins
            .duration(
                options.stop_timeout.clone(),
                "--stop-timeout",
                "TFGUARD_STOP_TIMEOUT",
                file.stop_timeout.as_ref(),
            )?
            .map(|given| given.0),
        deadline: origins
            .duration(options.deadline.clone(), "--deadline", "TFGUARD_DEADLINE", file.deadline.as_ref())?
            .map(|given| given.0),
        terraform_bin: options
            .terraform_bin
            .clone()
            .or_else(|| env("TFGUARD_TERRAFORM_BIN").map(PathBuf::from))
            .or(file.terraform_bin)
            // A bare name is looked for on PATH.
            .map(|bin| if bin.components().count() > 1 { surroundings.cwd.join(bin) } else { bin }),
        log,
        reason: reason.map(|given| given.text),
        file: path,
        action,
        directory,
    })
}

/// The options after the command, and the command without them.
fn take_options(mut command: RawCommand) -> (Options, RawCommand) {
    let options = match &mut command {
        RawCommand::Init(run) | RawCommand::Plan(run) | RawCommand::Apply(run) | RawCommand::Destroy(run) => {
            std::mem::take(&mut run.options)
        }
        RawCommand::Exec(run) => std::mem::take(&mut run.options),
        RawCommand::Status(status) => std::mem::take(&mut status.options),
        RawCommand::Unlock(unlock) => std::mem::take(&mut unlock.options),
        RawCommand::Completions { .. } => Options::default(),
    };
    (options, command)
}

fn action(
    raw: RawCommand,
    origins: &Origins<'_>,
    options: &Options,
    file: &File,
    log: &Log,
    reason: Option<&Given>,
    surroundings: Surroundings<'_>,
) -> Result<Action, Error> {
    let runs_init_first = matches!(raw, RawCommand::Plan(_) | RawCommand::Apply(_) | RawCommand::Destroy(_));
    if options.init.is_some() && !runs_init_first {
        return Err(usage("--init is for plan, apply and destroy"));
    }
    let init = match origins.pick(options.init.clone(), "--init", None, file.init.clone())? {
        Some(given) => given.one_of(&[
            ("auto", InitPolicy::Auto),
            ("always", InitPolicy::Always),
            ("never", InitPolicy::Never),
        ])?,
        None => InitPolicy::Auto,
    };
    let terraform = |command, args: Vec<OsString>| {
        check_approval(command, &args, log.format, surroundings)?;
        let init = if command == Command::Init { InitPolicy::Never } else { init };
        Ok(Action::Terraform { command, args, init })
    };
    match raw {
        RawCommand::Init(run) => terraform(Command::Init, run.args),
        RawCommand::Plan(run) => terraform(Command::Plan, run.args),
        RawCommand::Apply(run) => terraform(Command::Apply, run.args),
        RawCommand::Destroy(run) => terraform(Command::Destroy, run.args),
        RawCommand::Exec(run) if run.argv.first().is_none_or(|program| program.is_empty()) => {
            Err(usage("exec needs a command to run: tfguard exec -- CMD ARGS"))
        }
        RawCommand::Exec(run) => Ok(Action::Exec { argv: run.argv }),
        RawCommand::Status(status) => {
            Ok(Action::Status { json: status.json || log.format == Format::Json, check: status.check })
        }
        RawCommand::Unlock(raw) => unlock(raw, log.format, reason, surroundings.terminal),
        RawCommand::Completions { .. } => Err(Error::Bug("completions needs no configuration".into())),
    }
}

/// In the NDJSON format nobody can answer Terraform's question.
fn check_approval(
    command: Command,
    args: &[OsString],
    format: Format,
    surroundings: Surroundings<'_>,
) -> Result<(), Error> {
    let asks = matches!(command, Command::Apply | Command::Destroy);
    if format != Format::Json || !asks {
        return Ok(());
    }
    let env = |name: &str| (surroundings.env)(name)?.into_string().ok();
    let ambient = terraform_args::ambient(command, &env);
    let approved = terraform_args::approves(args) || terraform_args::approves(&ambient);
    let planned = command == Command::Apply && terraform_args::plan_file(args).is_some();
    if approved || planned {
        return Ok(());
    }
    let name = command.as_str();
    let or_plan = if command == Command::Apply { " or a saved plan" } else { "" };
    Err(usage(format!(
        "{name} asks before it changes anything, and with --log-format json nobody can answer: give \
         -auto-approve{or_plan} (tfguard {name} --log-format json -- -auto-approve)"
    )))
}

fn unlock(raw: Unlock, format: Format, reason: Option<&Given>, terminal: bool) -> Result<Action, Error> {
    let Some(reason) = reason.map(|given| given.text.trim()).filter(|reason| !reason.is_empty()) else {
        return Err(usage("unlock needs --reason TEXT: whoever holds the lock will read it"));
    };
    if !raw.yes && (!terminal || format == Format::Json) {
        return Err(usage("unlock asks before it does anything, and there is no terminal: give --yes"));
    }
    if raw.session.as_deref().is_some_and(|session| session.trim().is_empty()) {
        return Err(usage("--session needs the id of an entry, as tfguard status shows it"));
    }
    Ok(Action::Unlock { session: raw.session, now: raw.now, yes: raw.yes, reason: reason.to_owned() })
}

fn mode(origins: &Origins<'_>, options: &Options, action: &Action) -> Result<Mode, Error> {
    let takes_no_lock = matches!(action, Action::Status { .. } | Action::Unlock { .. });
    let may_share = matches!(action, Action::Exec { .. } | Action::Terraform { command: Command::Plan, .. });
    let variable = origins.pick(None, "", Some("TFGUARD_SHARED"), None)?;
    let variable = match variable {
        Some(given) if !options.shared => Some((given.truth()?, given.origin)),
        _ => None,
    };
    let (shared, origin) = match (options.shared, variable) {
        (true, _) => (true, "--shared".to_owned()),
        // The variable is set for a whole job; what takes no lock is not concerned.
        (false, Some((shared, origin))) => (shared && !takes_no_lock, origin),
        (false, None) => (false, String::new()),
    };
    match (shared, may_share) {
        (false, _) => Ok(Mode::Exclusive),
        (true, true) => Ok(Mode::Shared),
        (true, false) => Err(usage(format!(
            "{origin} is for plan and exec only: everything else may change the state and needs the lock alone"
        ))),
    }
}

fn lease_of(given: Option<(Duration, Given)>) -> Result<Lease, Error> {
    let Some((length, given)) = given else {
        return Lease::new(Lease::DEFAULT)
            .ok_or_else(|| Error::Bug("the default lease is out of bounds".into()));
    };
    Lease::new(length).ok_or_else(|| given.wrong("a lease is at least 10s and at most 1h long"))
}

fn wait(origins: &Origins<'_>, options: &Options, file: &File) -> Result<Wait, Error> {
    if options.no_wait {
        return Ok(Wait::No);
    }
    let given = origins.duration(
        options.wait_timeout.clone(),
        "--wait-timeout",
        "TFGUARD_WAIT_TIMEOUT",
        file.wait_timeout.as_ref(),
    )?;
    Ok(match given {
        None => Wait::Forever,
        Some((Duration::ZERO, _)) => Wait::No,
        Some((limit, _)) => Wait::AtMost(limit),
    })
}

fn wish(origins: &Origins<'_>, options: &Options, file: &File, cwd: &Path) -> Result<Wish, Error> {
    if options.lock.len() > 1 {
        return Err(usage("--lock is given more than once; one run takes one lock"));
    }
    let text = |flag: &Option<String>, name, variable, file: &Option<String>| {
        Ok(origins.text(flag.clone(), name, variable, file.clone())?.map(|given| given.text))
    };
    let lock = origins.text(options.lock.first().cloned(), "--lock", "TFGUARD_LOCK", file.lock.clone())?;
    let store = origins.text(options.store.clone(), "--store", "TFGUARD_STORE", file.store.clone())?;
    Ok(Wish {
        lock: match lock {
            Some(given) => {
                Some(LockName::new(given.text.clone()).map_err(|error| given.wrong(&error.to_string()))?)
            }
            None => None,
        },
        store: match store {
            Some(given) => given.one_of(&[
                ("auto", StoreChoice::Auto),
                ("dynamodb", StoreChoice::Dynamodb),
                ("local", StoreChoice::Local),
            ])?,
            None => StoreChoice::Auto,
        },
        table: text(&options.table, "--table", "TFGUARD_TABLE", &file.table)?,
        region: text(&options.region, "--region", "TFGUARD_REGION", &file.region)?,
        endpoint_url: text(
            &options.endpoint_url,
            "--endpoint-url",
            "TFGUARD_ENDPOINT_URL",
            &file.endpoint_url,
        )?,
        profile: text(&options.profile, "--profile", "TFGUARD_PROFILE", &file.profile)?,
        local_dir: options
            .local_dir
            .clone()
            .or_else(|| origins.variable("TFGUARD_LOCAL_DIR").map(PathBuf::from))
            .or_else(|| file.local_dir.clone())
            .map(|dir| cwd.join(dir)),
    })
}

fn log(origins: &Origins<'_>, options: &Options, file: &File, cwd: &Path) -> Result<Log, Error> {
    let format = origins.text(
        options.log_format.clone(),
        "--log-format",
        "TFGUARD_LOG_FORMAT",
        file.log_format.clone(),
    )?;
    let colour = origins.pick(options.color.clone(), "--color", None, file.color.clone())?;
    Ok(Log {
        format: match format {
            Some(given) => given.one_of(&[("text", Format::Text), ("json", Format::Json)])?,
            None => Format::Text,
        },
        file: options
            .log_file
            .clone()
            .or_else(|| origins.variable("TFGUARD_LOG_FILE").map(PathBuf::from))
            .or_else(|| file.log_file.clone())
            .map(|path| cwd.join(path)),
        level: match (options.verbose, options.quiet) {
            (true, _) => Level::Debug,
            (_, true) => Level::Warn,
            _ => Level::Info,
        },
        colour: match colour {
            Some(given) => given.one_of(&[
                ("auto", Colour::Auto),
                ("always", Colour::Always),
                ("never", Colour::Never),
            ])?,
            None => Colour::Auto,
        },
    })
}

fn usage(text: impl Into<String>) -> Error {
    Error::Usage(text.into())
}
