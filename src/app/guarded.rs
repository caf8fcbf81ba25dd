//! Commands under their locks: from the resolved options to a [`Plan`], and from its report to our
//! exit code.

use tokio::sync::mpsc::UnboundedReceiver;
use tracing::{Instrument, debug_span};

use super::course::{self, Built};
use super::inherit::Around;
use super::telemetry::Watching;
use super::{care, ci, migrate, setup, state};
use crate::child::{Arrival, Terminal};
use crate::ci::Desk;
use crate::cli::{Action, Config, Format, Target};
use crate::clock::{Clock, SystemClock};
use crate::credentials::{Demands, Outlook};
use crate::error::Error;
use crate::guardian::{Setting, Token};
use crate::hooks::Hooks;
use crate::lease::transition::Candidate;
use crate::report::event::{Event, Level, Served};
use crate::report::{Outlet, Reporter, SharedWriter};
use crate::supervisor::run::{Need, Plan, Report, Work, run as supervise};
use crate::supervisor::stop::Limits;
use crate::terraform::args::Command;

/// Runs the command of `config` under its locks and returns our exit code.
pub(super) async fn run(config: &Config, arrivals: UnboundedReceiver<Arrival>, reporter: &Reporter) -> u8 {
    let started = SystemClock.now();
    let outlet = match config.log.format {
        Format::Text => Outlet::text(),
        Format::Json => Outlet::json(SharedWriter::wide_stdout(), setup::wall),
    };
    let desk = ci::desk(config);
    let outlet = outlet.beside(desk.clone());
    let reporter = &desk.as_ref().map_or_else(|| reporter.clone(), |desk| desk.hears(reporter));
    let watching = Watching::start(config, started.wall, reporter);
    let reporter = &watching.hears(reporter);
    let (mut locks, mut session, mut hooks) = (Vec::new(), None, None);
    let mut report = match plan(config, reporter, started, &mut locks).await {
        Ok(mut plan) => {
            session = Some(plan.candidate.session.clone());
            reporter.emit(begins(&plan));
            reporter.record(super::FLUSH);
            hooks = start_hooks(config, &plan.candidate.session, reporter);
            plan.keeper = hooks.as_ref().map(Hooks::keeper);
            let reporter = &hooks.as_ref().map_or_else(|| reporter.clone(), |hooks| hooks.hears(reporter));
            supervise(&plan, arrivals, SystemClock, reporter, &outlet).await
        }
        Err(error) => Report::failed(error, SystemClock.mono().since(started.mono)),
    };
    match &report.result {
        // The signal has been told already, with what follows from it.
        Ok(_) | Err(Error::Cancelled { .. }) => {}
        Err(error) => reporter.emit(Event::failure(error)),
    }
    let stopped_since = finish(hooks, &mut report.arrivals).await;
    let exit_code = report.exit_code();
    let (changes, answer) = match report.result {
        Ok(ref mut verdict) => (verdict.counts, std::mem::take(&mut verdict.answer)),
        Err(_) => (None, Vec::new()),
    };
    reporter.emit(Event::RunSummary {
        session,
        locks: if report.locks.is_empty() { locks } else { report.locks.clone() },
        outcome: report.outcome(),
        exit_code,
        waited: report.waited,
        held: report.held,
        changes,
    });
    ci::write_down(config, desk.as_ref(), changes, exit_code, reporter);
    if let (Some(mut pumps), Some(mut arrivals), false) = (report.pumps, report.arrivals, stopped_since) {
        let written = tokio::task::spawn_blocking(move || {
            // A reader that has gone wants no answer.
            let _ = SharedWriter::stdout().write(&answer);
        });
        // The lock is free, the child is dead: a slow reader may take all the time it wants.
        tokio::select! {
            _ = async { (pumps.all().await, written.await) } => desk.iter().for_each(Desk::all_is_written),
            () = stopped(&mut arrivals) => {}
        }
    }
    if let Some(desk) = desk {
        desk.finish(reporter).await;
    }
    watching.finish().await;
    exit_code
}

/// Who we are and what we are about to do. Whoever cleans up after us knows our entries by it.
fn begins(plan: &Plan) -> Event {
    Event::RunStarted {
        session: plan.candidate.session.clone(),
        pid: std::process::id(),
        locks: plan.names().cloned().collect(),
        command: plan.candidate.identity.command.clone().unwrap_or_default(),
    }
}

/// What the user wants to be run at events of the locks; a run goes without it where it cannot be had.
fn start_hooks(config: &Config, session: &str, reporter: &Reporter) -> Option<Hooks> {
    let settings = config.hooks.clone()?;
    Hooks::start(settings, session, reporter)
        .inspect_err(|error| {
            let text = format!("the hooks cannot be run: {error}");
            reporter.emit(Event::say(Level::Warn, text));
        })
        .ok()
}

/// Lets the last hooks come to their end, which is bounded; a signal ends them at once. Whether one has.
async fn finish(hooks: Option<Hooks>, arrivals: &mut Option<UnboundedReceiver<Arrival>>) -> bool {
    let (Some(hooks), mut was_stopped) = (hooks, false) else { return false };
    let signal = async {
        match arrivals {
            Some(arrivals) => stopped(arrivals).await,
            None => std::future::pending().await,
        }
        was_stopped = true;
    };
    hooks.finish(signal).await;
    was_stopped
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
    let directory = debug_span!("directory").in_scope(|| setup::inspect_for(config))?;
    let session = crate::session::id();
    let built = debug_span!("course").in_scope(|| course::build(config, &directory, terminal, &session))?;
    let Built { mut course, main, shown } = built;
    setup::require_backend(config, &directory, course.init.as_ref().map(|_| [].as_slice()), reporter)?;
    let inits =
        course.init.is_some() || matches!(config.action, Action::Terraform { command: Command::Init, .. });
    let target =
        debug_span!("lock and store").in_scope(|| migrate::target(config, &directory, inits, reporter))?;
    locks.extend(target.sites.iter().map(|site| Served::nothing(&site.lock)));
    if !target.chosen.is_empty() {
        reporter.emit(Event::say(Level::Info, target.chosen.join("; ")));
    }
    for text in &target.warnings {
        reporter.emit(Event::say(Level::Warn, text.clone()));
    }
    // Before a lock is asked for: nobody is to wait for a run that cannot work.
    let named = target.named();
    let span = debug_span!("credentials");
    let outlook = outlook(config.credentials, &named, reporter).instrument(span).await?;
    let around = Around::find(setup::env_text);
    let needs = needs(&target, config, &around).instrument(debug_span!("stores")).await?;
    let custody = care::custody(config, &main, &target.options());
    if let Action::Restore { version, yes, .. } = &config.action {
        let order = state::Order { wanted: version, yes: *yes, push: main.clone(), rescue: &custody.rescue };
        let restore = state::restore(config, &directory, &target, order, reporter).await?;
        course.work = Work::Restore(Box::new(restore));
    }
    let candidate = Candidate {
        session,
        mode: config.mode,
        changes: care::changes(config, &main),
        lease: config.lease,
        asked_at: started.wall,
        identity: setup::identity(Some(shown), config.reason.clone()),
    };
    let token = Token::new().map_err(|error| {
        Error::Bug(format!("the system gives no pipe for the interrupt's token: {error}"))
    })?;
    let state = care::state_lock(config, &directory, &main);
    let guardian = Setting {
        session: candidate.session.clone(),
        state: state.clone(),
        stop_timeout: config.stop_timeout,
        on_lease_lost: config.on_lease_lost,
        json: config.log.format == Format::Json,
        log_file: config.log.file.clone(),
        hooks: config.hooks.clone(),
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
        custody,
        credentials: (config.credentials, outlook),
        course,
        around: around.sessions,
        started: started.mono,
        seed: crate::session::seed(),
        state,
        guardian: Some(guardian),
        keeper: None,
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
