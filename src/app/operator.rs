//! `unlock`: it changes a lock from outside, and holds nothing.

use std::io::{BufRead, IsTerminal};

use super::setup;
use crate::cli::Config;
use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use crate::lease::{Holder, Intervention, Lease, Pushed};
use crate::operate::{self, Done, Request};
use crate::report::event::{Event, Level};
use crate::report::{Reporter, SharedWriter, human};
use crate::supervisor::party;

/// What an operator orders.
pub(super) struct Order {
    pub(super) session: Option<String>,
    pub(super) recovered: bool,
    pub(super) state_lock: bool,
    pub(super) now: bool,
    pub(super) yes: bool,
    pub(super) reason: String,
}

/// Asks the holder to stop, or takes an entry out.
pub(super) async fn unlock(config: &Config, order: Order, reporter: &Reporter) -> Result<u8, Error> {
    let directory = setup::inspect_for(config)?;
    let target = setup::target(config, &directory, false)?;
    let site = target.only()?;
    let lock = &site.lock;
    if !order.yes && !confirmed(lock.as_str(), question(&order))? {
        reporter.emit(Event::say(Level::Info, format!("lock {lock}: nothing was changed")));
        return Ok(0);
    }
    let Some(store) = setup::open_to_look(&site.store, lock).await? else {
        reporter.emit(Event::say(Level::Info, format!("lock {lock} is free: nothing to do")));
        return Ok(0);
    };
    if order.recovered {
        let seed = crate::session::seed();
        let any = operate::recovered(store.as_ref(), lock, &Pushed::Any, &SystemClock, seed).await?;
        let text = if any { "no longer needs recovery" } else { "needs no recovery: nothing to do" };
        reporter.emit(Event::say(Level::Info, format!("lock {lock} {text}")));
        return Ok(0);
    }
    let me = setup::identity(None, None);
    let by = Intervention { by: human::identity(&me), reason: order.reason, at: SystemClock.now().wall };
    let request = Request { session: order.session, now: order.now, by: by.fitted() };
    let seed = crate::session::seed();
    let done = operate::unlock(store.as_ref(), lock, &request, &SystemClock, seed).await?;
    let wall = SystemClock.now().wall;
    let name = |holder: &Holder| human::holder(&party(holder), wall);
    let (level, text, detail) = match &done {
        Done::Free => (Level::Info, format!("lock {lock} is free: nothing to do"), None),
        Done::Asked(holders) => {
            let beat = holders.iter().map(|holder| holder.lease().heartbeat()).max();
            let patience = holders.iter().map(Holder::patience).max();
            let who: Vec<String> = holders.iter().map(name).collect();
            let detail = format!(
                "it sees that within {}, stops its command gracefully and releases; if it shows no sign of \
                 life, others take over {} after its last one. To remove it at once, whether its command \
                 still runs or not: --now",
                human::duration(beat.unwrap_or_else(|| Lease::default().heartbeat())),
                human::duration(patience.unwrap_or_else(|| Lease::default().patience()))
            );
            (Level::Info, format!("lock {lock}: asked to stop: {}", who.join("; ")), Some(detail))
        }
        Done::RemovedHolders(holders) => {
            let who: Vec<String> = holders.iter().map(name).collect();
            let detail = "its command may still run: make sure that it does not, or two runs overlap \
                          (Terraform's own state lock is the only guard now)";
            (Level::Warn, format!("lock {lock}: removed {}", who.join("; ")), Some(detail.to_owned()))
        }
        Done::RemovedWaiter(waiter) => {
            let who = human::identity(&waiter.identity);
            (Level::Info, format!("lock {lock}: took {who} out of the queue"), None)
        }
        Done::DeletedUnreadable => {
            (Level::Warn, format!("lock {lock}: its record could not be read and was deleted"), None)
        }
    };
    reporter.emit(Event::Diagnostic { level, summary: text, detail });
    Ok(0)
}

fn question(order: &Order) -> &'static str {
    if order.recovered {
        "Forget that a rescued state waits to be pushed?"
    } else if order.now {
        "Remove the holder at once, although its command may still run?"
    } else {
        "Ask the holder to stop and release?"
    }
}

/// Asks the person at the terminal about `lock`.
pub(super) fn confirmed(lock: &str, what: &str) -> Result<bool, Error> {
    asked("unlock", &format!("tfguard: lock {}: {what}", crate::escape::line(lock)))
}

/// Asks the person at the terminal on behalf of `command`. That there is one was checked with the
/// options.
pub(super) fn asked(command: &str, question: &str) -> Result<bool, Error> {
    if !std::io::stdin().is_terminal() {
        return Err(Error::Usage(format!(
            "{command} asks before it acts: give --yes where nobody can answer"
        )));
    }
    let _ = SharedWriter::stderr().write(format!("{question} [y/N] ").as_bytes());
    let mut answer = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(|error| Error::Usage(format!("no answer could be read: {error}")))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes" | "Yes"))
}
