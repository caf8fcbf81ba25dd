//! Commands under their locks: from the resolved options to a [`Plan`], and from its report to our
//! exit code.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command as Process;

use tokio::sync::mpsc::UnboundedReceiver;

use super::inherit::Around;
use super::{care, migrate, setup};
use crate::child::{Arrival, Target as Aim, Terminal};
use crate::cli::{Action, Config, Format, Target};
use crate::clock::{Clock, SystemClock};
use crate::credentials::{Demands, Outlook};
use crate::error::Error;
use crate::guardian::{Setting, Token};
use crate::lease::Mode;
use crate::lease::transition::Candidate;
use crate::report::event::{Event, Level, Served};
use crate::report::{Outlet, Reporter, SharedWriter};
use crate::supervisor::run::{Course, Need, Plan, Report, Step, Work, run as supervise};
use crate::supervisor::stop::Limits;
use crate::terraform::args::{self, Command, Situation, Version};
use crate::terraform::find;
use crate::terraform::init;
use crate::terraform::redact;

/// Runs the command of `config` under its locks and returns our exit code.
pub(super) async fn run(config: &Config, arrivals: UnboundedReceiver<Arrival>, reporter: &Reporter) -> u8 {
    let started = SystemClock.now();
    let outlet = match config.log.format {
        Format::Text => Outlet::text(),
        Format::Json => Outlet::json(SharedWriter::stdout(), setup::wall),
    };
    let mut locks = Vec::new();
    let report = match plan(config, reporter, started, &mut locks).await {
        Ok(plan) => supervise(&plan, arrivals, SystemClock, reporter, &outlet).await,
        Err(error) => Report::failed(error, SystemClock.mono().since(started.mono)),
    };
    if let Err(error) = &report.result {
        reporter.emit(Event::failure(error));
    }
    let exit_code = report.exit_code();
    reporter.emit(Event::RunSummary {
        locks: if report.locks.is_empty() { locks } else { report.locks.clone() },
        outcome: report.outcome(),
        exit_code,
        waited: report.waited,
        held: report.held,
    });
    if let (Some(mut pumps), Some(mut arrivals)) = (report.pumps, report.arrivals) {
        // The lock is free, the child is dead: a slow reader may take all the time it wants.
        tokio::select! {
            () = pumps.all() => {}
            () = stopped(&mut arrivals) => {}
        }
    }
    exit_code
}

/// Completes when we are asked to stop.
async fn stopped(arrivals: &mut UnboundedReceiver<Arrival>) {
    while let Some(arrival) = arrivals.recv().await {
        if matches!(arrival, Arrival::Stop(_) | Arrival::Orphaned) {
            return;
        }
    }
}

async fn plan(
    config: &Config,
    reporter: &Reporter,
    started: crate::lease::Now,
    locks: &mut Vec<Served>,
) -> Result<Plan, Error> {
    let terminal = Terminal::open_foreground().is_some() && config.log.format == Format::Text;
    let directory = setup::inspect_for(config)?;
    let cwd = &config.directory;
    let (init, command) = match &config.action {
        Action::Terraform { command, args, init: policy } => {
            directory.require(*command, args)?;
            let tool = Tool::find(config, cwd)?;
            let plain: &[OsString] =
                if args::has_flag(args, "no-color") { &["-no-color".into()] } else { &[] };
            let init = init::needed(*policy, &directory)
                .then(|| tool.step(config, Command::Init, plain, false))
                .transpose()?;
            (init, tool.step(config, *command, args, terminal)?)
        }
        Action::Exec { argv } if config.stands_in_for.is_some() => {
            (None, Tool::find(config, cwd)?.called(argv))
        }
        Action::Exec { argv } => (None, exec(argv, cwd)?),
        Action::Status { .. } | Action::History { .. } | Action::Doctor { .. } | Action::Unlock { .. } => {
            return Err(Error::Bug("a command without a child was to be supervised".into()));
        }
    };
    setup::require_backend(config, &directory, init.as_ref().map(|_| [].as_slice()), reporter)?;
    let inits = init.is_some() || matches!(config.action, Action::Terraform { command: Command::Init, .. });
    let target = migrate::target(config, &directory, inits, reporter)?;
    locks.extend(target.sites.iter().map(|site| Served::nothing(&site.lock)));
    if !target.chosen.is_empty() {
        reporter.emit(Event::say(Level::Info, target.chosen.join("; ")));
    }
    for text in &target.warnings {
        reporter.emit(Event::say(Level::Warn, text.clone()));
    }
    // Before a lock is asked for: nobody is to wait for a run that cannot work.
    let outlook = outlook(config.credentials, &target.named(), reporter).await?;
    let around = Around::find(setup::env_text);
    let needs = needs(&target, config, &around).await?;
    let shown = command.shown.join(" ");
    let candidate = Candidate {
        session: crate::session::id(),
        mode: config.mode,
        changes: care::changes(config, &command),
        lease: config.lease,
        asked_at: started.wall,
        identity: setup::identity(Some(shown), config.reason.clone()),
    };
    let token = Token::new().map_err(|error| {
        Error::Bug(format!("the system gives no pipe for the interrupt's token: {error}"))
    })?;
    let state = care::state_lock(config, &directory, &command);
    let guardian = Setting {
        session: candidate.session.clone(),
        state: state.clone(),
        stop_timeout: config.stop_timeout,
        on_lease_lost: config.on_lease_lost,
        json: config.log.format == Format::Json,
        log_file: config.log.file.clone(),
    };
    Ok(Plan {
        needs,
        candidate,
        wait: config.wait,
        limits: Limits {
            stop_timeout: config.stop_timeout,
            on_lease_lost: config.on_lease_lost,
            deadline: config.deadline.map(|deadline| started.mono + deadline),
        },
        custody: care::custody(config, &command, &target.options()),
        credentials: (config.credentials, outlook),
        course: Course { init, work: Work::Command(command) },
        around: around.sessions,
        started: started.mono,
        seed: crate::session::seed(),
        state,
        guardian: Some(guardian),
        token,
    })
}

/// The locks of `target`, their stores open, in the order in which they are taken.
async fn needs(target: &Target, config: &Config, around: &Around) -> Result<Vec<Need>, Error> {
    let mut needs: Vec<Need> = Vec::new();
    for site in &target.sites {
        let spec = site.store.absolute();
        let store = match needs.iter().find(|need| need.spec == spec) {
            Some(need) => need.store.clone(),
            None => setup::open(&site.store, &site.lock).await?,
        };
        let inherited = around.footing(&site.lock, config.mode, store.as_ref()).await?;
        needs.push(Need { name: site.lock.clone(), store, spec, options: site.options(), inherited });
    }
    // An open store knows best what it is: two ways to name it are one store.
    let rank = |need: &Need| (need.name.key(), need.store.describe());
    needs.sort_by_cached_key(rank);
    needs.dedup_by_key(|need| rank(need));
    let asked: Vec<_> = needs.iter().map(|need| (&need.name, need.inherited.is_some())).collect();
    around.check_order(&asked, config.wait)?;
    Ok(needs)
}

/// How long the credentials last that the command will use.
async fn outlook(demands: Demands, locks: &str, reporter: &Reporter) -> Result<Outlook, Error> {
    let outlook = Outlook::find(&setup::env_text, demands.asks()).await;
    if let Some(why) = demands.shortfall(&outlook, setup::wall()) {
        return Err(Error::Credentials(format!("{locks}: {why}; nothing was locked or run")));
    }
    if let Some(text) = demands.uncheckable(&outlook) {
        reporter.emit(Event::say(Level::Warn, text));
    }
    Ok(outlook)
}

/// Terraform or OpenTofu, found.
struct Tool {
    program: PathBuf,
    dir: PathBuf,
}

impl Tool {
    fn find(config: &Config, dir: &Path) -> Result<Self, Error> {
        Ok(Self { program: find_terraform(config)?, dir: dir.to_path_buf() })
    }

    /// `interactive`: it has a terminal to ask at. A step that the user did not ask for has none.
    fn step(
        &self,
        config: &Config,
        command: Command,
        user: &[OsString],
        interactive: bool,
    ) -> Result<Step, Error> {
        let json = config.log.format == Format::Json;
        let ambient = args::ambient(command, &setup::env_text);
        let situation = Situation {
            interactive,
            json,
            shared: config.mode == Mode::Shared,
            version: if json && command == Command::Init { self.version() } else { None },
            ambient: &ambient,
        };
        let args = args::build(command, user, situation);
        let name =
            self.program.file_name().unwrap_or(self.program.as_os_str()).to_string_lossy().into_owned();
        let mut shown = vec![name];
        shown.extend(redact::terraform(&args));
        let requested =
            matches!(&config.action, Action::Terraform { command: asked, .. } if *asked == command);
        Ok(Step {
            program: self.program.clone(),
            args,
            dir: self.dir.clone(),
            shown,
            target: Aim::Process,
            interactive: requested,
        })
    }

    /// A command line that came to us under Terraform's name.
    fn called(&self, argv: &[OsString]) -> Step {
        Step {
            program: self.program.clone(),
            args: argv.get(1..).unwrap_or_default().to_vec(),
            dir: self.dir.clone(),
            shown: redact::command(argv),
            target: Aim::Process,
            interactive: true,
        }
    }

    /// Only asked where an argument depends on it: it costs a start of Terraform.
    fn version(&self) -> Option<Version> {
        let output = Process::new(&self.program).arg("version").current_dir(&self.dir).output().ok()?;
        Version::parse(&String::from_utf8_lossy(&output.stdout))
    }
}

fn exec(argv: &[OsString], dir: &Path) -> Result<Step, Error> {
    let Some((name, args)) = argv.split_first() else {
        return Err(Error::Usage("exec needs a command: tfguard exec -- CMD ARGS".into()));
    };
    Ok(Step {
        program: find::program(name, &setup::search(dir))?,
        args: args.to_vec(),
        dir: dir.to_path_buf(),
        shown: redact::command(argv),
        target: Aim::Group,
        interactive: true,
    })
}

/// The Terraform to run.
pub(super) fn find_terraform(config: &Config) -> Result<PathBuf, Error> {
    let cwd = std::env::current_dir().unwrap_or_else(|_| config.directory.clone());
    let product = config.stands_in_for.unwrap_or_default();
    find::terraform(config.terraform_bin.as_deref(), product, &setup::search(&cwd))
}
