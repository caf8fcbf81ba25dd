//! The whole program, put together: arguments, environment and streams come in here and nowhere
//! else.

mod care;
mod ci;
mod course;
mod doctor;
mod guarded;
mod inherit;
mod migrate;
mod operator;
mod pass;
mod past;
mod provision;
mod setup;
mod state;
mod state_lock;
mod status;
mod telemetry;
mod watch;

use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tracing::debug_span;

use crate::child::{Arrival, Arrived, Parent, Signals};
use crate::cli::{self, Action, Config, DropIn, Parsed, Surroundings};
use crate::error::{Error, exit};
use crate::identity;
use crate::report::event::{Event, Level};
use crate::report::{Look, Reporter, SharedWriter, text};
use crate::trace;

/// How long our last words may take to be written when nobody reads them.
const FLUSH: Duration = Duration::from_secs(2);

/// Runs the program with the process's own arguments. Returns the exit code.
pub fn main() -> u8 {
    std::panic::set_hook(Box::new(|info| {
        let text = format!("{info}").replace('\n', " ");
        let error = Error::Bug(text);
        let _ = SharedWriter::stderr().write(text::error_lines(&error, Look::PLAIN).as_bytes());
    }));
    match std::env::args_os().nth(1) {
        Some(argument) if argument == crate::guardian::ARGUMENT => return crate::guardian::main(),
        Some(argument) if argument == crate::child::sentinel::ARGUMENT => {
            return crate::child::sentinel::main();
        }
        Some(argument) if argument == crate::hooks::ARGUMENT => return crate::hooks::main(),
        _ => {}
    }
    trace::start(setup::env_text(trace::VARIABLE).as_deref());
    let argv: Vec<_> = std::env::args_os().collect();
    match cli::dropin::read(&argv) {
        Some(DropIn::Passed(passed)) => {
            return match pass::pass(&passed) {
                Ok(never) => match never {},
                Err(error) => complain(&error),
            };
        }
        Some(DropIn::Guarded(args)) => {
            return configure(*args).map_or_else(|error| complain(&error), run);
        }
        None => {}
    }
    let parsed = debug_span!("arguments").in_scope(|| cli::parse(argv));
    match parsed {
        Ok(Parsed::Print(text)) => {
            // A reader that has gone needs no help text.
            let _ = SharedWriter::stdout().write(text.as_bytes());
            0
        }
        Ok(Parsed::Show(page)) => {
            let text = page.text(page.colour().on_stdout());
            let _ = SharedWriter::stdout().write(text.as_bytes());
            0
        }
        Ok(Parsed::Run(args)) => match configure(*args) {
            Ok(config) => run(config),
            Err(error) => complain(&error),
        },
        Err(error) => complain(&error),
    }
}

fn configure(args: cli::Args) -> Result<Config, Error> {
    let _span = debug_span!("configuration").entered();
    let cwd = setup::cwd()?;
    let terminal = crate::child::Terminal::open_foreground().is_some();
    cli::resolve(args, Surroundings { env: &setup::env, cwd: &cwd, terminal })
}

fn run(config: Config) -> u8 {
    let begins = debug_span!("signals, reporter, runtime").entered();
    // Before it can have died, and before SIGHUP is ours.
    let parent = Parent::of_ours();
    // First of all: a signal that arrives from here on is an event and not our end.
    let (signals, arrivals) = match Signals::install() {
        Ok(installed) => installed,
        Err(error) => return complain(&Error::Bug(format!("signals cannot be caught: {error}"))),
    };
    let reporter = match setup::reporter(&config) {
        Ok(reporter) => reporter,
        Err(error) => return complain(&error),
    };
    if identity::is_ci(&setup::env_text)
        && let Some(parent) = parent
        && let Err(error) = parent.watch(signals.line())
    {
        let text = format!("the process that started tfguard cannot be watched: {error}");
        reporter.emit(Event::say(Level::Debug, text));
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&Error::Bug(format!("the runtime cannot start: {error}"))),
    };
    drop(begins);
    let work = std::panic::AssertUnwindSafe(|| runtime.block_on(dispatch(&config, arrivals, &reporter)));
    // A panic says so by itself. The child and the lock are the guardian's now, as after any death.
    let code = std::panic::catch_unwind(work).unwrap_or(exit::SOFTWARE);
    reporter.flush(FLUSH);
    // A thread that is stuck in a write must not keep the process.
    runtime.shutdown_background();
    code
}

async fn dispatch(config: &Config, arrivals: UnboundedReceiver<Arrival>, reporter: &Reporter) -> u8 {
    match &config.action {
        Action::Terraform { .. }
        | Action::Run { .. }
        | Action::Drift { .. }
        | Action::Exec { .. }
        | Action::Restore { .. } => guarded::run(config, arrivals, reporter).await,
        Action::Status(look) => {
            let shown = match look.watch {
                true => watch::watch(config, look, arrivals, reporter).await,
                false => interruptible(Box::pin(status::status(config, look)), arrivals).await,
            };
            told(shown, config, reporter)
        }
        Action::History { last, since, form } => {
            let asked = past::Asked { last: *last, since: *since, form };
            told(past::history(config, asked, reporter).await, config, reporter)
        }
        Action::Versions { last, json } => {
            told(state::versions(config, *last, *json, reporter).await, config, reporter)
        }
        Action::Doctor { json } => {
            let examined = Box::pin(doctor::run(config, *json));
            told(interruptible(examined, arrivals).await, config, reporter)
        }
        Action::Unlock { session, recovered, state_lock, now, yes, reason } => {
            let order = operator::Order {
                session: session.clone(),
                recovered: *recovered,
                state_lock: *state_lock,
                now: *now,
                yes: *yes,
                reason: reason.clone(),
            };
            let done = match order.state_lock {
                true => state_lock::unlock(config, &order, reporter).await,
                false => operator::unlock(config, order, reporter).await,
            };
            told(done, config, reporter)
        }
        Action::Setup { print, repair, tags } => {
            let order = provision::Order { print: *print, repair: *repair, tags: tags.clone() };
            told(provision::setup(config, order, arrivals, reporter).await, config, reporter)
        }
        Action::Policy { roles, account, key_prefix } => {
            let (account, prefix) = (account.clone(), key_prefix.as_deref());
            told(provision::policy(config, roles, account, prefix, reporter).await, config, reporter)
        }
    }
}

/// What only looks stops at the first signal.
async fn interruptible(
    looking: impl Future<Output = Result<u8, Error>>,
    mut arrivals: UnboundedReceiver<Arrival>,
) -> Result<u8, Error> {
    tokio::select! {
        result = looking => result,
        error = stopped(&mut arrivals) => Err(error),
    }
}

/// Completes when somebody wants us to stop. Safe to drop and call again.
async fn stopped(arrivals: &mut UnboundedReceiver<Arrival>) -> Error {
    loop {
        match arrivals.recv().await {
            Some(Arrival::Stop(Arrived { name, number, .. })) => {
                return Error::Cancelled { name, number: u8::try_from(number).unwrap_or_default() };
            }
            Some(Arrival::Orphaned) => return Error::Cancelled { name: "SIGHUP", number: 1 },
            Some(Arrival::Child) => {}
            None => std::future::pending().await,
        }
    }
}

/// An operator's command: its code, or its error said.
fn told(result: Result<u8, Error>, config: &Config, reporter: &Reporter) -> u8 {
    result.unwrap_or_else(|error| {
        let event = Event::failure(&error);
        reporter.emit(event.clone());
        reporter.flush(FLUSH);
        ci::complain(config, &event);
        error.exit_code()
    })
}

/// An error before there is a reporter.
fn complain(error: &Error) -> u8 {
    let look = Look::of_stderr(setup::colour(cli::Colour::Auto, ci::wanted()));
    let say = |text: String| SharedWriter::stderr().write(text.as_bytes());
    // A closed stream has nobody to say it to.
    let _ = say(text::error_lines(error, look));
    if let Err(trouble) = ci::refuse(error) {
        let event = Event::say(Level::Warn, trouble);
        let _ = say(text::lines(&event, setup::wall(), look));
    }
    error.exit_code()
}
