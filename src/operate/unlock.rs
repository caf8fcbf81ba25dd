//! `unlock`: asks a holder to stop and release, or removes an entry at once.

use std::time::Duration;

use jiff::Timestamp;

use crate::clock::Clock;
use crate::error::Error;
use crate::history;
use crate::lease::transition::Ending;
use crate::lease::{
    Holder, Intervention, LockName, Outcome, PastRun, Record, Standing, Teller, Waiter, transition,
};
use crate::store::{Store, StoreError, Swap};

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How often a change is tried before we give up.
const TRIES: u32 = 40;
/// The longest pause between two tries.
const PAUSE: Duration = Duration::from_millis(400);

/// What the operator asks for.
#[derive(Debug, Clone)]
pub struct Request {
    /// Only this session; without it, every holder.
    pub session: Option<String>,
    /// Take it out at once instead of asking it to stop.
    pub now: bool,
    /// Who, why, when.
    pub by: Intervention,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// Nobody holds the lock.
    Free,
    /// These holders were asked to stop, now or before.
    Asked(Vec<Holder>),
    /// These holders were taken out; their commands may still run.
    RemovedHolders(Vec<Holder>),
    /// This waiter was taken out of the queue.
    RemovedWaiter(Box<Waiter>),
    /// The record could not be read and was deleted.
    DeletedUnreadable,
}

/// Carries out `request` on the lock `name`. `seed` makes the stamps unique and spreads the tries.
///
/// # Errors
/// [`Error::Usage`] when the session is not in the record; [`Error::Store`] when the store cannot
/// be reached, or the record cannot be read and `--now` was not given.
pub async fn unlock(
    store: &dyn Store,
    name: &LockName,
    request: &Request,
    clock: &impl Clock,
    seed: u64,
) -> Result<Done, Error> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut newest = None;
    for attempt in 0..TRIES {
        if attempt > 0 {
            tokio::time::sleep(PAUSE.mul_f64(rng.f64())).await;
        }
        let record = match store.read(name, TIMEOUT).await {
            Ok(Some(record)) => record,
            Ok(None) => return Ok(Done::Free),
            Err(StoreError::BadRecord { .. }) if request.now && request.session.is_none() => {
                store.delete(name, None).await.map_err(|source| failed(name, source))?;
                return Ok(Done::DeletedUnreadable);
            }
            Err(source @ StoreError::BadRecord { .. }) => {
                let advice = "; `unlock --now` deletes it, once nothing runs under it any more".to_owned();
                return Err(Error::Store { lock: name.to_string(), source, advice });
            }
            Err(source) if source.is_transient() => {
                newest = Some(source);
                continue;
            }
            Err(source) => return Err(failed(name, source)),
        };
        let wall = clock.now().wall;
        let Some((next, done)) = plan(&record, name, request, wall)? else {
            return Ok(already(&record, request));
        };
        let stamp = format!("unlock/{seed:016x}/{attempt}");
        match store.swap(name, Some(&record.stamp), &next.sealed(stamp, wall), TIMEOUT).await {
            Ok(Swap::Written) => {
                if let Done::RemovedHolders(holders) = &done {
                    write_down(store, name, holders, &request.by, wall).await;
                }
                return Ok(done);
            }
            // Somebody was faster, or nobody knows: look again at what stands there now.
            Ok(Swap::Conflict(_)) => {}
            Err(source) if source.is_transient() => newest = Some(source),
            Err(source) => return Err(failed(name, source)),
        }
    }
    match newest {
        Some(source) => Err(failed(name, source)),
        None => Err(Error::NotAcquired(format!(
            "lock {name}: its record changed {TRIES} times while we tried to change it; try again"
        ))),
    }
}

/// Writes down the runs that were taken out. What cannot be written is missing in the history, and
/// the runs themselves may still write it, since they know more.
async fn write_down(store: &dyn Store, name: &LockName, gone: &[Holder], by: &Intervention, wall: Timestamp) {
    let ending = Ending { changed: true, ..Ending::new(Outcome::Forced, None) };
    for past in gone.iter().filter_map(|holder| PastRun::of(holder, &ending, Teller::Other, wall)) {
        let _ = history::write(store, name, &past.with_operator(by)).await;
    }
}

/// The record with the request carried out, or `None` when there is nothing left to do.
fn plan(
    record: &Record,
    name: &LockName,
    request: &Request,
    wall: Timestamp,
) -> Result<Option<(Record, Done)>, Error> {
    let holders: Vec<Holder> = match &request.session {
        None => record.holders.clone(),
        Some(session) => match record.standing(session) {
            Standing::Holder(holder) => vec![holder.clone()],
            Standing::Waiter(place) => {
                let waiter = Box::new(record.queue[place - 1].clone());
                let next = transition::remove(record, session, &request.by, wall);
                return Ok(next.map(|next| (next, Done::RemovedWaiter(waiter))));
            }
            Standing::Absent if record.removal(session) == Some(&request.by) => return Ok(None),
            Standing::Absent => {
                return Err(Error::Usage(format!(
                    "lock {name}: no session {session:?} holds it or waits for it; `tfguard status --json` lists them"
                )));
            }
        },
    };
    let mut next = record.clone();
    let mut changed = false;
    for holder in &holders {
        let step = if request.now {
            transition::remove(&next, &holder.session, &request.by, wall)
        } else if holder.revoked.is_none() {
            transition::revoke(&next, &holder.session, &request.by)
        } else {
            None
        };
        if let Some(step) = step {
            next = step;
            changed = true;
        }
    }
    let done = if request.now { Done::RemovedHolders(holders) } else { Done::Asked(holders) };
    Ok(changed.then_some((next, done)))
}

/// Nothing had to be done: nobody holds, all were asked before, or an earlier try of ours landed.
fn already(record: &Record, request: &Request) -> Done {
    let asked: Vec<Holder> = record
        .holders
        .iter()
        .filter(|holder| request.session.as_ref().is_none_or(|session| *session == holder.session))
        .cloned()
        .collect();
    if asked.is_empty() { Done::Free } else { Done::Asked(asked) }
}

fn failed(name: &LockName, source: StoreError) -> Error {
    Error::Store { lock: name.to_string(), source, advice: String::new() }
}
