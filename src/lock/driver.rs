//! The loop between a session and its store.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::{Update, Wish};
use crate::clock::Clock;
use crate::history;
use crate::lease::session::{Answer, Notice, Output, Request};
use crate::lease::transition::Ending;
use crate::lease::{Holder, Instant, LockName, Outcome, PastRun, Session, Teller};
use crate::store::{Store, StoreError, StoreResult, Swap, Unavailable, Watch};

/// A request under way and its answer to be.
type Flight = Pin<Box<dyn Future<Output = (Answer, Option<StoreError>)> + Send>>;

/// How long after its own timeout a request is given up, whatever its store does. Stores keep
/// their timeouts; the difference is what they may spend on fresh credentials.
const GRACE: Duration = Duration::from_secs(10);
/// How long a lock is held before its changes are watched for again: a holder is told of them only when
/// somebody asks it to stop, and to close a watch takes Linux 10 to 20 ms, which keep a short run's
/// process.
const SETTLED: Duration = Duration::from_secs(1);

pub(super) async fn drive<C: Clock + Clone + Send + Sync + 'static>(
    mut session: Session,
    name: LockName,
    store: Arc<dyn Store>,
    clock: C,
    mut wishes: UnboundedReceiver<Wish>,
    updates: UnboundedSender<Update>,
) {
    let (notify, mut changed) = mpsc::channel(1);
    let mut watch: Option<Box<dyn Watch>> = None;
    let mut watch_from = None;
    let mut flight: Option<Flight> = None;
    let mut newest_error = None;
    let listen = |session: &mut Session| {
        let watch = store.watch(&name, notify.clone());
        if watch.is_some() {
            // What changed before is not told of.
            session.changed(clock.now());
        }
        watch
    };
    loop {
        while let Some(output) = session.poll() {
            match output {
                Output::Send { request, timeout } => {
                    let (store, name, clock) = (store.clone(), name.clone(), clock.clone());
                    flight = Some(Box::pin(perform(store, name, request, timeout, clock)));
                }
                Output::Notice(notice) => {
                    // A wake-up is worth its price to those who wait, and to a holder that may be
                    // asked to stop.
                    match notice {
                        Notice::Waiting { .. } if !session.listens() => watch = None,
                        Notice::Waiting { .. } if watch.is_none() => watch = listen(&mut session),
                        Notice::Acquired { .. } => {
                            watch = None;
                            watch_from = Some(clock.now().mono + SETTLED);
                        }
                        _ => {}
                    }
                    tell(&updates, Update::Notice(notice, session.tenure().cloned().map(Box::new)));
                }
                Output::Evicted(holders) => write_down(&holders, &store, &name, clock.now().wall),
                Output::Finished(finish) => {
                    let error = (!finish.is_clean()).then_some(newest_error).flatten();
                    tell(&updates, Update::Finished(finish, error));
                    return;
                }
            }
        }
        tokio::select! {
            biased;
            wish = wishes.recv() => match wish {
                Some(Wish::Engage(activity)) => session.engage(activity, clock.now()),
                Some(Wish::Release(ending)) => session.release(ending, clock.now()),
                Some(Wish::Leave) => session.leave(clock.now()),
                // Whoever asked for the lock is gone. Its child may be alive, so that a release
                // is not ours to decide: the lease runs out.
                None => return,
            },
            (answer, error) = landed(&mut flight) => {
                flight = None;
                if let Some(error) = error {
                    tell(&updates, Update::Trouble(error.clone()));
                    newest_error = Some(error);
                }
                session.answered(answer, clock.now());
            }
            () = until(&clock, session.deadline()) => session.tick(clock.now()),
            () = until(&clock, watch_from) => if watch_from.is_some_and(|from| from <= clock.now().mono) {
                watch_from = None;
                watch = listen(&mut session);
            },
            Some(()) = changed.recv() => session.changed(clock.now()),
        }
    }
}

/// Writes down the runs of holders that were found dead, beside everything else: nobody waits for
/// it, and a run that cannot be written down is missing in the history and nowhere else.
fn write_down(holders: &[Holder], store: &Arc<dyn Store>, name: &LockName, wall: Timestamp) {
    // Nobody knows how far they came.
    let ending = Ending { changed: true, ..Ending::new(Outcome::Expired, None) };
    for past in holders.iter().filter_map(|holder| PastRun::of(holder, &ending, Teller::Other, wall)) {
        let (store, name) = (Arc::clone(store), name.clone());
        tokio::spawn(async move { history::write(store.as_ref(), &name, &past).await });
    }
}

fn tell(updates: &UnboundedSender<Update>, update: Update) {
    // Nobody listens any more: the wishes' end says so too, and ends the loop.
    let _ = updates.send(update);
}

async fn landed(flight: &mut Option<Flight>) -> (Answer, Option<StoreError>) {
    match flight {
        Some(flight) => flight.await,
        None => std::future::pending().await,
    }
}

async fn until<C: Clock + Sync>(clock: &C, instant: Option<Instant>) {
    match instant {
        Some(deadline) => clock.sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

async fn perform<C: Clock>(
    store: Arc<dyn Store>,
    name: LockName,
    request: Request,
    timeout: Duration,
    clock: C,
) -> (Answer, Option<StoreError>) {
    let result = match request {
        Request::Read => bounded(store.read(&name, timeout), timeout, &clock).await.map(Answer::Read),
        Request::Write { expected, record } => {
            let swap = store.swap(&name, expected.as_ref(), &record, timeout);
            bounded(swap, timeout, &clock).await.map(|swap| match swap {
                Swap::Written => Answer::Written,
                Swap::Conflict(record) => Answer::Conflict(record),
            })
        }
    };
    match result {
        Ok(answer) => (answer, None),
        Err(error) => {
            let answer = Answer::Failed { refused: error.refused(), transient: error.is_transient() };
            (answer, Some(error))
        }
    }
}

async fn bounded<T>(
    request: impl Future<Output = StoreResult<T>>,
    timeout: Duration,
    clock: &impl Clock,
) -> StoreResult<T> {
    let limit = timeout + GRACE;
    tokio::select! {
        biased;
        result = request => result,
        () = clock.sleep(limit) => Err(StoreError::Unavailable {
            kind: Unavailable::Timeout,
            message: format!("the store gave no answer within {} s", limit.as_secs()),
        }),
    }
}
