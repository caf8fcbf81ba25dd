//! From raw arguments to what the run needs: every value checked, with its origin in the error.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::args::{Args, Command as RawCommand, Options, Unlock};
use super::config::{Action, All, Colour, Config, Format, Log, Look};
use super::file::{self, File, Names};
use super::hooks;
use super::origin::{Given, Origins};
use super::queries::{Restore, State, StateCommand};
use super::raise;
use super::since::{self, Since};
use super::target::{StoreChoice, Wish};
use crate::ci;
use crate::credentials::Demands;
use crate::error::Error;
use crate::lease::session::Wait;
use crate::lease::{Lease, LockName, Mode};
use crate::report::Level;
use crate::state_lock::Policy;
use crate::store::Access;
use crate::supervisor::stop::OnLeaseLost;
use crate::terraform::args as terraform_args;
use crate::terraform::args::Command;
use crate::terraform::init::InitPolicy;
use crate::terraform::stages;
use crate::versions::Wanted;

/// As many locks as one run may take. Each has a session of its own, and the guardian is told of
/// all of them before it can read.
pub const MOST_LOCKS: usize = 32;

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
        on_lease_lost: on_lease_lost(&origins, &options, &file)?,
        deadline: origins
            .duration(options.deadline.clone(), "--deadline", "TFGUARD_DEADLINE", file.deadline.as_ref())?
            .map(|given| given.0),
        rescue_dir: options
            .rescue_dir
            .clone()
            .or_else(|| env("TFGUARD_RESCUE_DIR").map(PathBuf::from))
            .or_else(|| file.rescue_dir.clone())
            .map(|dir| surroundings.cwd.join(dir)),
        require_clean: options.require_clean
            || match origins.pick(None, "", Some("TFGUARD_REQUIRE_CLEAN"), None)? {
                Some(given) => given.truth()?,
                None => file.require_clean.unwrap_or_default(),
            },
        allow_stale_plan: options.allow_stale_plan,
        credentials: credentials(&origins, &options, &file)?,
        terraform_bin: terraform_bin(options.terraform_bin.clone(), &env, &file, surroundings.cwd),
        stands_in_for: options.stands_in_for,
        free_state_lock: free_state_lock(&origins, &options, &file)?,
        ci: ci_wish(&origins, &options, &file, surroundings)?,
        log,
        hooks: hooks::hooks(&origins, &options, &file, surroundings.cwd, &directory)?,
        reason: reason.map(|given| given.text),
        file: path,
        action,
        directory,
    })
}

/// The Terraform that a variable or the file names for a command that is passed on unguarded.
///
/// # Errors
/// [`Error::Config`] for a wrong file.
pub fn real_terraform(
    chdir: Option<&Path>,
    surroundings: Surroundings<'_>,
) -> Result<Option<PathBuf>, Error> {
    let env = |name: &str| (surroundings.env)(name).filter(|value| !value.is_empty());
    let directory = surroundings.cwd.join(chdir.unwrap_or(Path::new("")));
    let file = file::find(&directory)?.map(|(_, file)| file).unwrap_or_default();
    Ok(terraform_bin(None, &env, &file, surroundings.cwd))
}

fn terraform_bin(
    flag: Option<PathBuf>,
    env: &dyn Fn(&str) -> Option<OsString>,
    file: &File,
    cwd: &Path,
) -> Option<PathBuf> {
    flag.or_else(|| env("TFGUARD_TERRAFORM_BIN").map(PathBuf::from))
        .or_else(|| file.terraform_bin.clone())
        // A bare name is looked for on PATH.
        .map(|bin| if bin.components().count() > 1 { cwd.join(bin) } else { bin })
}

/// The options after the command, and the command without them.
fn take_options(mut command: RawCommand) -> (Options, RawCommand) {
    let options = match &mut command {
        RawCommand::Init(run) | RawCommand::Plan(run) | RawCommand::Apply(run) | RawCommand::Destroy(run) => {
            std::mem::take(&mut run.options)
        }
        RawCommand::Run(run) => std::mem::take(&mut run.options),
        RawCommand::Drift(drift) => std::mem::take(&mut drift.options),
        RawCommand::Exec(run) => std::mem::take(&mut run.options),
        RawCommand::Status(status) => std::mem::take(&mut status.options),
        RawCommand::History(history) => std::mem::take(&mut history.options),
        RawCommand::State(state) => {
            let below = match &mut state.command {
                StateCommand::Versions(versions) => std::mem::take(&mut versions.options),
                StateCommand::Restore(restore) => std::mem::take(&mut restore.options),
            };
            std::mem::take(&mut state.options).then(below)
        }
        RawCommand::Unlock(unlock) => std::mem::take(&mut unlock.options),
        RawCommand::Setup(setup) => std::mem::take(&mut setup.options),
        RawCommand::Policy(policy) => std::mem::take(&mut policy.options),
        RawCommand::Doctor(doctor) => std::mem::take(&mut doctor.options),
        RawCommand::Help { .. } | RawCommand::Man { .. } | RawCommand::Completions { .. } => {
            Options::default()
        }
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
    let runs_init_first = matches!(
        raw,
        RawCommand::Plan(_)
            | RawCommand::Apply(_)
            | RawCommand::Destroy(_)
            | RawCommand::Run(_)
            | RawCommand::Drift(_)
    );
    if options.init.is_some() && !runs_init_first {
        return Err(usage("--init is for plan, apply, destroy, run and drift"));
    }
    if options.allow_stale_plan && !matches!(raw, RawCommand::Apply(_)) {
        return Err(usage("--allow-stale-plan is for apply"));
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
        RawCommand::Run(run) => {
            check_plan_args("run", &run.args, surroundings)?;
            check_somebody_approves(run.auto_approve, log.format, surroundings.terminal)?;
            Ok(Action::Run { args: run.args, init, auto_approve: run.auto_approve })
        }
        RawCommand::Drift(drift) => {
            check_plan_args("drift", &drift.args, surroundings)?;
            Ok(Action::Drift { args: drift.args, init, json: drift.json })
        }
        RawCommand::Exec(run) if run.argv.first().is_none_or(|program| program.is_empty()) => {
            Err(usage("exec needs a command to run: `tfguard exec -- CMD ARGS`"))
        }
        RawCommand::Exec(run) => Ok(Action::Exec { argv: run.argv }),
        RawCommand::Status(status) => {
            if status.all && !options.lock.is_empty() {
                return Err(usage(
                    "--all shows every lock of the store: leave --lock away, or give --prefix",
                ));
            }
            let all = status.all.then(|| All {
                prefix: status.prefix.unwrap_or_default(),
                free: status.free,
                limit: status.limit.and_then(|limit| usize::try_from(limit).ok()),
            });
            let json = status.json || log.format == Format::Json;
            Ok(Action::Status(Look { json, check: status.check, watch: status.watch, all }))
        }
        RawCommand::History(raw) => {
            let form = since::form(&raw, log.format, surroundings.cwd)?;
            let since = match origins.pick(raw.since, "--since", None, None)? {
                Some(given) => Some(Since::parse(&given.text).map_err(|why| given.wrong(&why))?),
                None => None,
            };
            Ok(Action::History { last: raw.last, since, form })
        }
        RawCommand::State(State { command: StateCommand::Versions(raw), .. }) => {
            Ok(Action::Versions { last: raw.last, json: raw.json || log.format == Format::Json })
        }
        RawCommand::State(State { command: StateCommand::Restore(raw), .. }) => {
            restore(raw, log.format, init, surroundings.terminal)
        }
        RawCommand::Doctor(doctor) => Ok(Action::Doctor { json: doctor.json || log.format == Format::Json }),
        RawCommand::Unlock(raw) => unlock(raw, log.format, reason, surroundings.terminal),
        RawCommand::Setup(raw) => raise::setup(&raw),
        RawCommand::Policy(raw) => raise::policy(raw),
        RawCommand::Help { .. } | RawCommand::Man { .. } | RawCommand::Completions { .. } => {
            Err(Error::Bug("what is only printed needs no configuration".into()))
        }
    }
}

/// Refuses arguments of a plan that a run of several phases cannot work with.
fn check_plan_args(command: &str, args: &[OsString], surroundings: Surroundings<'_>) -> Result<(), Error> {
    let env = |name: &str| (surroundings.env)(name)?.into_string().ok();
    let ambient = terraform_args::ambient(Command::Plan, &env);
    stages::unfit(command, args, &ambient).map_or(Ok(()), |why| Err(usage(why)))
}

/// Before the lock is asked for: nobody is to wait for a run that cannot end well.
fn check_somebody_approves(auto_approve: bool, format: Format, terminal: bool) -> Result<(), Error> {
    let why = match (auto_approve, format) {
        (true, _) => return Ok(()),
        (false, Format::Json) => "with --log-format json nobody can answer",
        (false, Format::Text) if !terminal => "there is no terminal to ask at",
        (false, Format::Text) => return Ok(()),
    };
    Err(usage(format!(
        "run asks before it applies, and {why}: give --auto-approve (`tfguard run --auto-approve`), or plan and apply \
         in two steps (`tfguard plan -- -out=FILE`, `tfguard apply -- FILE`)"
    )))
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
         -auto-approve{or_plan} (`tfguard {name} --log-format json -- -auto-approve`)"
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
        return Err(usage("--session needs the id of an entry, as `tfguard status` shows it"));
    }
    Ok(Action::Unlock {
        session: raw.session,
        recovered: raw.recovered,
        state_lock: raw.state_lock,
        now: raw.now,
        yes: raw.yes,
        reason: reason.to_owned(),
    })
}

fn restore(raw: Restore, format: Format, init: InitPolicy, terminal: bool) -> Result<Action, Error> {
    let version = Wanted::parse(&raw.version)?;
    if !raw.yes && (!terminal || format == Format::Json) {
        return Err(usage(
            "state restore asks before it does anything, and there is no terminal: give --yes",
        ));
    }
    Ok(Action::Restore { version, named: raw.version.trim().to_owned(), yes: raw.yes, init })
}

fn mode(origins: &Origins<'_>, options: &Options, action: &Action) -> Result<Mode, Error> {
    let may_share = matches!(
        action,
        Action::Exec { .. } | Action::Drift { .. } | Action::Terraform { command: Command::Plan, .. }
    );
    let variable = origins.pick(None, "", Some("TFGUARD_SHARED"), None)?;
    let variable = match variable {
        Some(given) if !options.shared => Some((given.truth()?, given.origin)),
        _ => None,
    };
    let (shared, origin) = match (options.shared, variable) {
        (true, _) => (true, "--shared".to_owned()),
        // The variable is set for a whole job; what takes no lock is not concerned.
        (false, Some((shared, origin))) => (shared && !action.runs_nothing(), origin),
        (false, None) => (false, String::new()),
    };
    match (shared, may_share) {
        // It never changes anything.
        _ if matches!(action, Action::Drift { .. }) => Ok(Mode::Shared),
        (false, _) => Ok(Mode::Exclusive),
        (true, true) => Ok(Mode::Shared),
        (true, false) => Err(usage(format!(
            "{origin} is for plan, drift and exec only: everything else may change the state and needs the lock alone"
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

fn on_lease_lost(origins: &Origins<'_>, options: &Options, file: &File) -> Result<OnLeaseLost, Error> {
    let given = origins.text(
        options.on_lease_lost.clone(),
        "--on-lease-lost",
        "TFGUARD_ON_LEASE_LOST",
        file.on_lease_lost.clone(),
    )?;
    match given {
        Some(given) => given.one_of(&[("stop", OnLeaseLost::Stop), ("continue", OnLeaseLost::Continue)]),
        None => Ok(OnLeaseLost::default()),
    }
}

fn wait(origins: &Origins<'_>, options: &Options, file: &File) -> Result<Wait, Error> {
    if options.no_wait {
        return Ok(Wait::Not);
    }
    let given = origins.duration(
        options.wait_timeout.clone(),
        "--wait-timeout",
        "TFGUARD_WAIT_TIMEOUT",
        file.wait_timeout.as_ref(),
    )?;
    Ok(match given {
        None => Wait::Forever,
        Some((Duration::ZERO, _)) => Wait::Not,
        Some((limit, _)) => Wait::AtMost(limit),
    })
}

fn wish(origins: &Origins<'_>, options: &Options, file: &File, cwd: &Path) -> Result<Wish, Error> {
    let mut wish = Wish { locks: Vec::new(), ..Wish::default() };
    let mut from = BTreeMap::new();
    let mut note = |name: &'static str, given: Option<Given>| {
        given.map(|given| {
            from.insert(name, given.origin);
            given.text
        })
    };
    let text = |flag: &Option<String>, name, variable, file: &Option<String>| {
        origins.text(flag.clone(), name, variable, file.clone())
    };
    for given in locks(origins, options, file)? {
        wish.locks.push(given.0);
        note("lock", Some(given.1));
    }
    if let Some(given) = text(&options.store, "--store", "TFGUARD_STORE", &file.store)? {
        wish.store = given.one_of(&[
            ("auto", StoreChoice::Auto),
            ("dynamodb", StoreChoice::Dynamodb),
            ("s3", StoreChoice::S3),
            ("local", StoreChoice::Local),
        ])?;
        if wish.store != StoreChoice::Auto {
            note("store", Some(given));
        }
    }
    wish.table = note("table", text(&options.table, "--table", "TFGUARD_TABLE", &file.table)?);
    wish.bucket = note("bucket", text(&options.bucket, "--bucket", "TFGUARD_BUCKET", &file.bucket)?);
    let endpoint = text(&options.endpoint_url, "--endpoint-url", "TFGUARD_ENDPOINT_URL", &file.endpoint_url)?;
    wish.access = Access {
        region: note("region", text(&options.region, "--region", "TFGUARD_REGION", &file.region)?),
        endpoint_url: note("endpoint_url", endpoint),
        profile: note("profile", text(&options.profile, "--profile", "TFGUARD_PROFILE", &file.profile)?),
        role_arn: note("role_arn", role_arn(origins, options, file)?),
        ..Access::default()
    };
    let local_dir = origins.path(
        options.local_dir.as_deref(),
        "--local-dir",
        "TFGUARD_LOCAL_DIR",
        file.local_dir.as_deref(),
    );
    if let Some((dir, origin)) = local_dir {
        wish.local_dir = Some(cwd.join(dir));
        from.insert("local_dir", origin);
    }
    wish.origins = from;
    Ok(wish)
}

/// The names of the locks. A variable holds one: a name may have any sign that could separate two.
fn locks(origins: &Origins<'_>, options: &Options, file: &File) -> Result<Vec<(LockName, Given)>, Error> {
    let names = file.lock.as_ref().map(Names::all).unwrap_or_default();
    let given = origins.texts(&options.lock, "--lock", "TFGUARD_LOCK", names)?;
    if let Some(first) = given.first().filter(|_| given.len() > MOST_LOCKS) {
        return Err(
            first.wrong(&format!("{} locks are given; a run takes at most {MOST_LOCKS}", given.len()))
        );
    }
    given
        .into_iter()
        .map(|given| {
            let name = LockName::new(given.text.clone()).map_err(|error| given.wrong(&error.to_string()))?;
            Ok((name, given))
        })
        .collect()
}

fn role_arn(origins: &Origins<'_>, options: &Options, file: &File) -> Result<Option<Given>, Error> {
    let given =
        origins.text(options.role_arn.clone(), "--role-arn", "TFGUARD_ROLE_ARN", file.role_arn.clone())?;
    match given {
        Some(given) if !(given.text.starts_with("arn:") && given.text.contains(":role/")) => {
            Err(given.wrong("it is not the ARN of a role, such as arn:aws:iam::123456789012:role/ci"))
        }
        given => Ok(given),
    }
}

fn credentials(origins: &Origins<'_>, options: &Options, file: &File) -> Result<Demands, Error> {
    let min_session = origins.duration(
        options.min_session.clone(),
        "--min-session",
        "TFGUARD_MIN_SESSION",
        file.min_session.as_ref(),
    )?;
    let stop_before = origins.duration(
        options.stop_before_expiry.clone(),
        "--stop-before-expiry",
        "TFGUARD_STOP_BEFORE_EXPIRY",
        file.stop_before_expiry.as_ref(),
    )?;
    Ok(Demands {
        min_session: min_session.map(|given| given.0),
        stop_before: stop_before.map(|given| given.0),
    })
}

fn free_state_lock(origins: &Origins<'_>, options: &Options, file: &File) -> Result<Policy, Error> {
    let given = origins.text(
        options.free_state_lock.clone(),
        "--free-state-lock",
        "TFGUARD_FREE_STATE_LOCK",
        file.free_state_lock.clone(),
    )?;
    match given {
        Some(given) => {
            given.one_of(&[("own", Policy::Own), ("never", Policy::Never), ("takeover", Policy::Takeover)])
        }
        None => Ok(Policy::Own),
    }
}

fn ci_wish(
    origins: &Origins<'_>,
    options: &Options,
    file: &File,
    surroundings: Surroundings<'_>,
) -> Result<ci::Wish, Error> {
    let given = origins.text(options.ci.clone(), "--ci", "TFGUARD_CI", file.ci.clone())?;
    let auto = || ci::detect(|name| (surroundings.env)(name)?.into_string().ok());
    let report = origins.path(
        options.ci_report.as_deref(),
        "--ci-report",
        "TFGUARD_CI_REPORT",
        file.ci_report.as_deref(),
    );
    Ok(ci::Wish {
        system: match given {
            Some(given) => given.one_of(&[
                ("github", Some(Some(ci::System::GitHub))),
                ("gitlab", Some(Some(ci::System::GitLab))),
                ("auto", None),
                ("none", Some(None)),
            ])?,
            None => None,
        }
        .unwrap_or_else(auto),
        report: report.map(|(path, _)| surroundings.cwd.join(path)),
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

#[cfg(test)]
mod tests;
