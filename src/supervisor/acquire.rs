//! From asking for the lock to holding it, or to knowing why not.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use crate::child::Arrival;
use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use crate::escape;
use crate::lease::session::{Finish, Notice, Wait};
use crate::lease::{Holder, Instant, Last, Legacy, LockName, Tenure};
use crate::lock::{Lock, REACH, Update};
use crate::report::event::{Event, Level, Party, SignalAction};
use crate::report::{Reporter, human};
use crate::store::StoreError;

use super::attend::ORPHANED;
use super::verdict::cancelled;

/// How often somebody who waits says so.
const SAY_AGAIN: Duration = Duration::from_secs(30);

/// What waiting needs to know.
pub(super) struct Waiting<'a> {
    pub(super) name: &'a LockName,
    /// Our session.
    pub(super) session: &'a str,
    pub(super) store: &'a str,
    /// The options that name lock and store.
    pub(super) options: &'a str,
    pub(super) clock: SystemClock,
    pub(super) reporter: &'a Reporter,
    pub(super) started: Instant,
    /// When the whole run is to stop.
    pub(super) deadline: Option<Instant>,
    /// How long the user wants to wait.
    pub(super) wait: Wait,
}

impl Waiting<'_> {
    /// Waits until the lock is ours; with how the run before ended, if that has to be told. A signal or the run's deadline leaves the queue at once.
    pub(super) async fn acquire(
        &self,
        lock: &mut Lock,
        arrivals: &mut UnboundedReceiver<Arrival>,
    ) -> Result<(Tenure, Option<Last>, Legacy), Error> {
        let mut told: Option<(usize, Vec<Holder>)> = None;
        let mut say_at = self.started + SAY_AGAIN;
        let mut trouble_told = false;
        loop {
            let wake_at = self.deadline.map_or(say_at, |deadline| deadline.min(say_at));
            tokio::select! {
                biased;
                arrival = arrivals.recv() => {
                    let name = match arrival {
                        Some(Arrival::Stop(arrived)) => {
                            let action = SignalAction::Cancelled;
                            self.reporter.emit(Event::Signal { name: arrived.name, action });
                            arrived.name
                        }
                        Some(Arrival::Orphaned) => {
                            self.warn(ORPHANED.to_owned());
                            "SIGHUP"
                        }
                        Some(Arrival::Child) | None => continue,
                    };
                    self.leave(lock).await;
                    return Err(cancelled(name));
                }
                update = lock.update() => match update {
                    Some(Update::Notice(Notice::Acquired { previous, legacy, .. }, Some(tenure))) => {
                        if let Some(last) = &previous {
                            let (lock, last) = (self.name.clone(), last.clone());
                            self.reporter.emit(Event::PreviousRun { lock, last });
                        }
                        return Ok((*tenure, previous, legacy));
                    }
                    Some(Update::Notice(notice, _)) => {
                        if let Notice::Waiting { position, holders } = notice {
                            self.tell(position, &holders);
                            say_at = self.clock.mono() + SAY_AGAIN;
                            told = Some((position, holders));
                        } else if notice == Notice::GrantMissed {
                            self.warn(format!(
                                "lock {}: it was our turn and we did not answer within 10 s; we queue again at the end",
                                self.name
                            ));
                        }
                    }
                    Some(Update::Trouble(error)) => {
                        if error.is_transient() && !trouble_told && self.wait != Wait::Not {
                            trouble_told = true;
                            let reach = match self.wait {
                                Wait::AtMost(limit) => REACH.min(limit),
                                Wait::Forever | Wait::Not => REACH,
                            };
                            self.warn(format!(
                                "lock {}: {error}; trying again for up to {}",
                                self.name,
                                human::duration(reach)
                            ));
                        }
                    }
                    Some(Update::Finished(finish, error)) => return Err(self.refusal(finish, error)),
                    None => return Err(Error::Bug("the lock's task ended without a word".into())),
                },
                () = self.clock.sleep_until(wake_at) => {
                    let now = self.clock.mono();
                    if self.deadline.is_some_and(|deadline| now >= deadline) {
                        self.leave(lock).await;
                        return Err(Error::NotAcquired(format!(
                            "lock {}: the run's --deadline came before the lock was ours",
                            self.name
                        )));
                    }
                    if now >= say_at {
                        say_at = now + SAY_AGAIN;
                        if let Some((position, holders)) = &told {
                            self.tell(*position, holders);
                        }
                    }
                }
            }
        }
    }

    fn tell(&self, position: usize, holders: &[Holder]) {
        self.reporter.emit(Event::LockWaiting {
            lock: self.name.clone(),
            session: self.session.to_owned(),
            position,
            holders: holders.iter().map(party).collect(),
            waited: self.waited(),
        });
    }

    fn warn(&self, text: String) {
        self.reporter.emit(Event::say(Level::Warn, text));
    }

    fn waited(&self) -> Duration {
        self.clock.mono().since(self.started)
    }

    /// Out of the queue. The session bounds the time that this takes.
    async fn leave(&self, lock: &mut Lock) {
        lock.leave();
        while let Some(update) = lock.update().await {
            if let Update::Finished(finish, _) = update {
                if !finish.is_clean() {
                    self.warn(format!(
                        "lock {}: the store could not be told that we left the queue; our place is passed over after 10 s",
                        self.name
                    ));
                }
                return;
            }
        }
    }

    /// Why the lock was not got, in words.
    fn refusal(&self, finish: Finish, error: Option<StoreError>) -> Error {
        let (lock, options) = (self.name, self.options);
        match (finish, error) {
            (Finish::Held(holders), _) => {
                let waited = human::duration(self.waited());
                let how_long = if self.wait == Wait::Not {
                    "not waiting (--no-wait)".to_owned()
                } else {
                    format!("gave up after {waited} (--wait-timeout)")
                };
                let wall = self.clock.now().wall;
                let who: Vec<String> =
                    holders.iter().map(|holder| human::holder(&party(holder), wall)).collect();
                let who =
                    if who.is_empty() { "someone whose record vanished".to_owned() } else { who.join("; ") };
                Error::NotAcquired(format!(
                    "lock {lock} is held by {who}; {how_long}. `tfguard {options} status` shows the queue"
                ))
            }
            (Finish::QueueFull, _) => Error::NotAcquired(format!(
                "lock {lock}: its queue is full; try again later, or look for jobs that pile up with `tfguard {options} status`"
            )),
            (Finish::TurnedAway(by), _) => Error::NotAcquired(format!(
                "lock {lock}: {} took us out of the queue: {}",
                escape::line(&by.by),
                escape::line(&by.reason)
            )),
            (Finish::Unreachable, Some(source)) => Error::Store {
                lock: lock.to_string(),
                source,
                advice: format!(
                    "; tried for {}. Is {} there, and may this machine reach it?",
                    human::duration(self.waited()),
                    self.store
                ),
            },
            (_, Some(source)) => Error::Store { lock: lock.to_string(), source, advice: String::new() },
            (finish, None) => Error::Bug(format!("lock {lock}: waiting ended as {finish:?}")),
        }
    }
}

/// A holder, as events show it.
pub fn party(holder: &Holder) -> Party {
    Party {
        session: holder.session.clone(),
        mode: holder.mode,
        phase: Some(holder.phase),
        since: holder.granted_at,
        identity: holder.identity.clone(),
    }
}
