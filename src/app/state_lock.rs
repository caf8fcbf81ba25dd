//! `unlock --state-lock`: frees Terraform's own lock on the state, as a person orders it.

use std::path::PathBuf;

use super::operator::{Order, confirmed};
use super::{course, setup};
use crate::cli::{self, Config, Site};
use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use crate::escape;
use crate::report::event::{Event, Level};
use crate::report::{Reporter, human};
use crate::state_lock::{Probed, Terraform};
use crate::supervisor::party;
use crate::terraform::lock_info::LockInfo;
use crate::terraform::{Backend, Directory};

/// How long the record may take to be read.
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);
/// Of Terraform's words at most this much is told.
const SAID: usize = 600;

/// Frees it, if nobody of ours can be using it. Only the very lock that was shown is freed: one that
/// somebody took in the meantime has another ID.
pub(super) async fn unlock(config: &Config, order: &Order, reporter: &Reporter) -> Result<u8, Error> {
    let directory = setup::inspect_for(config)?;
    let target = setup::target(config, &directory, false)?;
    let site = target.only()?;
    let lock = &site.lock;
    if directory.backend.is_local() {
        return Err(Error::Usage(
            "--state-lock is for a state in a backend: the lock on a local state ends with its Terraform"
                .into(),
        ));
    }
    nobody_holds(site).await?;
    let terraform = terraform(config, &directory)?;
    let found = find(&terraform, &directory).await?;
    let Some(first) = found.first() else {
        let text = format!("lock {lock}: Terraform's own lock on the state is free: nothing to do");
        reporter.emit(Event::say(Level::Info, text));
        return Ok(0);
    };
    let now = SystemClock.now().wall;
    let question = format!(
        "Free Terraform's own lock on {}, held by {} for {}? Its Terraform must be dead.",
        escape::field(&first.path),
        escape::field(&first.who),
        human::since(first.created, now)
    );
    if !order.yes && !confirmed(lock.as_str(), &question)? {
        reporter.emit(Event::say(Level::Info, format!("lock {lock}: nothing was changed")));
        return Ok(0);
    }
    // An answer takes its time.
    nobody_holds(site).await?;
    for info in found {
        free(&terraform, &directory, info, reporter).await?;
    }
    let reason = escape::field(&order.reason);
    reporter.emit(Event::say(
        Level::Info,
        format!("lock {lock}: its state lock was freed, because \"{reason}\""),
    ));
    Ok(0)
}

/// While a run of ours holds the lock, the state lock is its Terraform's.
async fn nobody_holds(site: &Site) -> Result<(), Error> {
    let lock = &site.lock;
    let Some(store) = setup::open_to_look(&site.store, lock).await? else { return Ok(()) };
    let read = store.read(lock, TIMEOUT).await;
    let record =
        read.map_err(|source| Error::Store { lock: lock.to_string(), source, advice: String::new() })?;
    let Some(holder) = record.as_ref().and_then(|record| record.holders.first()) else { return Ok(()) };
    let now = SystemClock.now().wall;
    let dead = if holder.looks_dead(now) {
        "; it looks dead: if it is, take it out first with unlock --now"
    } else {
        "; it frees its state lock itself"
    };
    Err(Error::NotAcquired(format!(
        "lock {lock} is held by {}, whose Terraform may hold the state lock; nothing was changed{dead}",
        human::holder(&party(holder), now)
    )))
}

fn terraform(config: &Config, directory: &Directory) -> Result<Terraform, Error> {
    let program: PathBuf = course::find_terraform(config)?;
    let compares_ids = directory.backend == Backend::Type("s3".into());
    Ok(Terraform { program, dir: directory.canonical.clone(), compares_ids })
}

/// The locks that are there: an `s3` backend may have one in each of two places, with one ID.
async fn find(terraform: &Terraform, directory: &Directory) -> Result<Vec<LockInfo>, Error> {
    let unknown = |why: &str| {
        Error::Config(format!(
            "whether the state is locked could not be found out: {}",
            escape::bounded(why.trim(), SAID)
        ))
    };
    let Some(place) = cli::state_place(directory) else {
        return match terraform.probe().await {
            Probed::Free => Ok(Vec::new()),
            Probed::Locked(info) => Ok(vec![info]),
            Probed::Unknown(printed) => Err(unknown(&printed)),
        };
    };
    let mut found: Vec<LockInfo> = Vec::new();
    for lock in place.locks().await.map_err(|why| unknown(&why))? {
        let Some(info) = lock.info else {
            return Err(Error::Config(format!(
                "the {} is no lock that Terraform wrote: look at it, and delete it by hand if nothing needs it",
                escape::line(&lock.place)
            )));
        };
        if found.iter().all(|other| other.id != info.id) {
            found.push(info);
        }
    }
    Ok(found)
}

async fn free(
    terraform: &Terraform,
    directory: &Directory,
    info: LockInfo,
    reporter: &Reporter,
) -> Result<(), Error> {
    let (freed, said) =
        terraform.force_unlock(&info.id).await.unwrap_or((false, "it gave no answer".to_owned()));
    // Where a backend has two places for it and only one is taken, Terraform frees that one and
    // fails at the other.
    if freed || find(terraform, directory).await.is_ok_and(|left| left.iter().all(|lock| lock.id != info.id))
    {
        let LockInfo { id, path, who, created, .. } = info;
        reporter.emit(Event::StateLockFreed { id, path, who, created });
        return Ok(());
    }
    Err(Error::Config(format!(
        "terraform force-unlock {} did not free the lock on {} of {}: {}",
        escape::field(&info.id),
        escape::field(&info.path),
        escape::field(&info.who),
        escape::bounded(said.trim(), SAID)
    )))
}
