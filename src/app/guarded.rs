//! Commands under the lock: from the resolved options to a [`Plan`], and from its report to our
//! exit code.

use tokio::sync::mpsc::UnboundedReceiver;

use super::course::{self, Built};
use super::{care, inherit, setup};
use crate::child::{Arrival, Terminal};
use crate::cli::{Action, Config, Format};
use crate::clock::{Clock, SystemClock};
use crate::credentials::{Demands, Outlook};
use crate::error::Error;
use crate::guardian::{Setting, Token};
use crate::lease::LockName;
use crate::lease::transition::Candidate;
use crate::report::event::{Event, Level};
use crate::report::{Outlet, Reporter, SharedWriter};
use crate::supervisor::run::{Plan, Report, run as supervise};
use crate::supervisor::stop::Limits;

/// Runs the command of `config` under its lock and returns our exit code.
pub(super) async fn run(config: &Config, arrivals: UnboundedReceiver<Arrival>, reporter: &Reporter) -> u8 {
    let started = SystemClock.now();
    let outlet = match config.log.format {
        Format::Text => Outlet::text(),
        Format::Json => Outlet::json(SharedWriter::stdout(), setup::wall),
    };
    let mut lock = None;
    let mut report = match plan(config, reporter, started, &mut lock).await {
        Ok(plan) => supervise(&plan, arrivals, SystemClock, reporter, &outlet).await,
        Err(error) => Report::failed(error, SystemClock.mono().since(started.mono)),
    };
    if let Err(error) = &report.result {
        reporter.emit(Event::failure(error));
    }
    let exit_code = report.exit_code();
    let (changes, answer) = match report.result {
        Ok(ref mut verdict) => (verdict.counts, std::mem::take(&mut verdict.answer)),
        Err(_) => (None, Vec::new()),
    };
    reporter.emit(Event::RunSummary {
        lock,
        generation: report.generation,
        outcome: report.outcome(),
        exit_code,
        waited: report.waited,
        held: report.held,
        changes,
    });
    if let (Some(mut pumps), Some(mut arrivals)) = (report.pumps, report.arrivals) {
        let written = tokio::task::spawn_blocking(move || {
            // A reader that has gone wants no answer.
            let _ = SharedWriter::stdout().write(&answer);
        });
        // The lock is free, the child is dead: a slow reader may take all the time it wants.
        tokio::select! {
            _ = async { (pumps.all().await, written.await) } => {}
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
    lock: &mut Option<LockName>,
) -> Result<Plan, Error> {
    let terminal = Terminal::open_foreground().is_some() && config.log.format == Format::Text;
    let directory = setup::inspect(&config.directory)?;
    let session = crate::session::id();
    let Built { course, main, shown } = course::build(config, &directory, terminal, &session)?;
    let is_terraform = !matches!(config.action, Action::Exec { .. });
    let target = setup::target(config, &directory, is_terraform)?;
    let site = target.only()?.clone();
    *lock = Some(site.lock.clone());
    if !target.chosen.is_empty() {
        reporter.emit(Event::say(Level::Info, target.chosen.join("; ")));
    }
    for text in &target.warnings {
        reporter.emit(Event::say(Level::Warn, text.clone()));
    }
    // Before the lock is asked for: nobody is to wait for a run that cannot work.
    let outlook = outlook(config.credentials, &site.lock, reporter).await?;
    let store = setup::open(&site.store, &site.lock).await?;
    let inherited = inherit::footing(&site.lock, config.mode, store.as_ref()).await?;
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
        state: state.clone(),
        lock: site.lock.clone(),
        store: site.store.absolute(),
        stop_timeout: config.stop_timeout,
        on_lease_lost: config.on_lease_lost,
        json: config.log.format == Format::Json,
        log_file: config.log.file.clone(),
    };
    let options = site.options();
    Ok(Plan {
        name: site.lock,
        store,
        candidate,
        wait: config.wait,
        limits: Limits {
            stop_timeout: config.stop_timeout,
            on_lease_lost: config.on_lease_lost,
            deadline: config.deadline.map(|deadline| started.mono + deadline),
        },
        custody: care::custody(config, &main, &options),
        options,
        credentials: (config.credentials, outlook),
        course,
        inherited,
        started: started.mono,
        seed: crate::session::seed(),
        state,
        guardian: Some(guardian),
        token,
    })
}

/// How long the credentials last that the command will use.
async fn outlook(demands: Demands, lock: &LockName, reporter: &Reporter) -> Result<Outlook, Error> {
    let outlook = Outlook::find(&setup::env_text, demands.asks()).await;
    if let Some(why) = demands.shortfall(&outlook, setup::wall()) {
        return Err(Error::Credentials(format!("lock {lock}: {why}; nothing was locked or run")));
    }
    if let Some(text) = demands.uncheckable(&outlook) {
        reporter.emit(Event::say(Level::Warn, text));
    }
    Ok(outlook)
}
