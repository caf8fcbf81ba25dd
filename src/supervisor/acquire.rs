//! From asking for the locks to holding them all, or to knowing why not.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tracing::{Instrument, debug_span};

use crate::child::Arrival;
use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use crate::escape;
use crate::history;
use crate::lease::session::{Finish, Notice, Wait};
use crate::lease::{Holder, Instant, Last, Legacy, LockName, Tenure};
use crate::lock::{self, Lock, REACH, Update};
use crate::report::event::{Event, Level, Party, SignalAction};
use crate::report::{Reporter, human};
use crate::store::{Store, StoreError, StoreSpec};

use super::attend::ORPHANED;
use super::custody::Footing;
use super::keyring::{Hold, Keyring};
use super::run::Plan;
use super::telling::{Seen, Telling};
use super::verdict::cancelled;

/// How long a terminal may take to show that the wait is over.
const CLEARED: Duration = Duration::from_secs(1);

/// A lock that a run needs.
pub struct Need {
    /// The lock.
    pub name: LockName,
    /// Where it lives.
    pub store: Arc<dyn Store>,
    /// The same, for another process.
    pub spec: StoreSpec,
    /// The options that name lock and store, for advice.
    pub options: String,
    /// It is held by our ancestor: run under that.
    pub inherited: Option<Footing>,
}

/// What was found with a lock that is ours now.
pub(super) struct Found {
    pub(super) footing: Footing,
    /// How the run before ended, if that has to be told.
    pub(super) previous: Option<Last>,
}

/// Waiting for the locks of a run, one after the other.
pub(super) struct Waiting<'a> {
    pub(super) plan: &'a Plan,
    pub(super) clock: SystemClock,
    pub(super) reporter: &'a Reporter,
    /// When the first of them was asked for.
    pub(super) since: Instant,
    /// People were told that we wait.
    pub(super) told: Cell<bool>,
}

impl Waiting<'_> {
    /// Waits until all the locks are ours, in the order of the plan. Those that are ours already
    /// are kept alive while the next one is waited for, and are in `keys` also when this fails: to
    /// be given back. A signal or the run's deadline leaves the queue at once.
    pub(super) async fn acquire(
        &self,
        keys: &mut Keyring<'_>,
        arrivals: &mut UnboundedReceiver<Arrival>,
    ) -> Result<Vec<Found>, Error> {
        let mut found = Vec::new();
        for (place, need) in self.plan.needs.iter().enumerate() {
            let inherited = need.inherited.is_some();
            let one = match need.inherited.clone() {
                Some(footing) => Found { footing, previous: None },
                None => {
                    let span = debug_span!("lock", name = ?need.name.as_str());
                    self.take(place, need, keys, arrivals).instrument(span).await?
                }
            };
            self.reporter.emit(Event::LockAcquired {
                lock: need.name.clone(),
                session: self.plan.candidate.session.clone(),
                store: need.store.describe(),
                generation: one.footing.own.generation,
                waited: self.waited(),
                mode: self.plan.candidate.mode,
                inherited,
            });
            found.push(one);
        }
        if self.told.get() && self.reporter.is_live() {
            self.clear_the_terminal().await;
        }
        Ok(found)
    }

    /// A child writes to the terminal itself: what moves there has to be gone before. A terminal that
    /// takes nothing is not waited for, and meanwhile the locks are kept alive.
    async fn clear_the_terminal(&self) {
        let reporter = self.reporter.clone();
        // Without a thread for it the two may meet.
        let _ = tokio::task::spawn_blocking(move || reporter.flush(CLEARED)).await;
    }

    async fn take(
        &self,
        place: usize,
        need: &Need,
        keys: &mut Keyring<'_>,
        arrivals: &mut UnboundedReceiver<Arrival>,
    ) -> Result<Found, Error> {
        let plan = self.plan;
        if plan.guardian.is_some() {
            keys.prepare();
        }
        let mut lock = lock::start(
            plan.candidate.clone(),
            self.left(),
            need.name.clone(),
            need.store.clone(),
            self.clock,
            // Two sessions of one process write to two records, and yet no stamp is like another.
            plan.seed.wrapping_add(place as u64),
        );
        let one = OneLock { waiting: self, need, since: self.clock.mono() };
        let (tenure, previous, legacy) = match one.wait(&mut lock, keys, arrivals).await {
            Ok(got) => got,
            Err(Broken::Leave(error)) => {
                one.leave(&mut lock).await;
                return Err(error);
            }
            Err(Broken::Over(error)) => return Err(error),
        };
        let footing = Footing { own: tenure.own.clone(), legacy };
        let hold = Hold::new(place, need, lock, tenure, self.clock.mono());
        keys.add(hold, need, plan.guardian.as_ref(), &plan.token).await;
        Ok(Found { footing, previous })
    }

    /// What is left of the time that the user gave for all of them.
    fn left(&self) -> Wait {
        match self.plan.wait {
            Wait::AtMost(limit) => Wait::AtMost(limit.saturating_sub(self.clock.mono().since(self.since))),
            wait => wait,
        }
    }

    fn waited(&self) -> Duration {
        self.clock.mono().since(self.plan.started)
    }

    fn warn(&self, text: String) {
        self.reporter.emit(Event::say(Level::Warn, text));
    }
}

/// Why a lock is not waited for any longer.
enum Broken {
    /// Its session is under way and has to leave.
    Leave(Error),
    /// Its session is over.
    Over(Error),
}

/// Waiting for one of the locks.
struct OneLock<'a> {
    waiting: &'a Waiting<'a>,
    need: &'a Need,
    since: Instant,
}

impl OneLock<'_> {
    async fn wait(
        &self,
        lock: &mut Lock,
        keys: &mut Keyring<'_>,
        arrivals: &mut UnboundedReceiver<Arrival>,
    ) -> Result<(Tenure, Option<Last>, Legacy), Broken> {
        let Waiting { plan, clock, reporter, .. } = *self.waiting;
        let name = &self.need.name;
        let mut telling = Telling::new(plan.candidate.mode);
        // Given up, too, when it is over: nobody waits for it.
        let mut reading = JoinSet::new();
        let mut trouble_told = false;
        loop {
            let wake_at = [plan.limits.deadline, keys.risk_at(), telling.due()];
            let wake_at = wake_at.into_iter().flatten().reduce(Instant::min);
            tokio::select! {
                biased;
                arrival = arrivals.recv() => {
                    let signal = match arrival {
                        Some(Arrival::Stop(arrived)) => {
                            let action = SignalAction::Cancelled;
                            reporter.emit(Event::Signal { name: arrived.name, action });
                            arrived.name
                        }
                        Some(Arrival::Orphaned) => {
                            self.waiting.warn(ORPHANED.to_owned());
                            "SIGHUP"
                        }
                        Some(Arrival::Child) => {
                            keys.look_after_guardian();
                            continue;
                        }
                        None => continue,
                    };
                    return Err(Broken::Leave(cancelled(signal)));
                }
                (index, update) = keys.update(), if keys.any() => match update {
                    None => keys.revive(index),
                    Some(update) => {
                        keys.learn(index, update);
                        if let Some(lost) = keys.lost() {
                            return Err(Broken::Leave(Error::Lost(format!(
                                "lock {lost}: it was lost while lock {name} was waited for; nothing was run"
                            ))));
                        }
                    }
                },
                update = lock.update() => match update {
                    Some(Update::Notice(Notice::Acquired { previous, legacy, .. }, Some(tenure))) => {
                        if let Some(last) = &previous {
                            reporter.emit(Event::PreviousRun { lock: name.clone(), last: last.clone() });
                        }
                        return Ok((*tenure, previous, legacy));
                    }
                    Some(Update::Notice(notice, _)) => {
                        if let Notice::Waiting { position, holders, ahead, runs } = notice {
                            if telling.sees(Seen { position, holders, ahead }, clock.mono()) {
                                let (store, name) = (self.need.store.clone(), name.clone());
                                reading.spawn(async move { history::recent(&*store, &name, runs).await });
                            }
                            self.tell(&mut telling);
                        } else if notice == Notice::GrantMissed {
                            self.waiting.warn(format!(
                                "lock {name}: it was the turn of this run, which did not answer within 10 s; it queues again at the end"
                            ));
                        }
                    }
                    Some(Update::Trouble(error)) => {
                        if error.is_transient() && !trouble_told && plan.wait != Wait::Not {
                            trouble_told = true;
                            let reach = match self.waiting.left() {
                                Wait::AtMost(limit) => REACH.min(limit),
                                Wait::Forever | Wait::Not => REACH,
                            };
                            self.waiting.warn(format!(
                                "lock {name}: {error}; trying again for up to {}",
                                human::duration(reach)
                            ));
                        }
                    }
                    Some(Update::Finished(finish, error)) => {
                        return Err(Broken::Over(self.refusal(finish, error)));
                    }
                    None => return Err(Broken::Over(Error::Bug("the lock's task ended without a word".into()))),
                },
                Some(past) = reading.join_next() => {
                    telling.learns(past.ok().flatten(), clock.mono());
                    self.tell(&mut telling);
                }
                () = until(clock, wake_at) => {
                    let now = clock.mono();
                    if plan.limits.deadline.is_some_and(|deadline| now >= deadline) {
                        return Err(Broken::Leave(Error::NotAcquired(format!(
                            "lock {name}: the run's --deadline came before the lock was ours"
                        ))));
                    }
                    keys.tell_risks(now);
                    self.tell(&mut telling);
                }
            }
        }
    }

    fn tell(&self, telling: &mut Telling) {
        let Some(word) = telling.tell(self.waiting.clock.now()) else { return };
        self.waiting.told.set(true);
        self.waiting.reporter.emit(Event::LockWaiting {
            lock: self.need.name.clone(),
            session: self.waiting.plan.candidate.session.clone(),
            position: word.seen.position,
            holders: word.seen.holders.iter().map(party).collect(),
            waited: self.waiting.waited(),
            estimate: word.estimate,
            news: word.news,
        });
    }

    /// Out of the queue. The session bounds the time that this takes.
    async fn leave(&self, lock: &mut Lock) {
        lock.leave();
        while let Some(update) = lock.update().await {
            if let Update::Finished(finish, _) = update {
                if !finish.is_clean() {
                    self.waiting.warn(format!(
                        "lock {}: the store could not be told that this run left the queue; its place is passed over after 10 s",
                        self.need.name
                    ));
                }
                return;
            }
        }
    }

    /// Why the lock was not got, in words.
    fn refusal(&self, finish: Finish, error: Option<StoreError>) -> Error {
        let Need { name: lock, options, store, .. } = self.need;
        let waiting = self.waiting;
        match (finish, error) {
            (Finish::Held(holders), _) => {
                let waited = human::duration(waiting.waited());
                let how_long = if waiting.plan.wait == Wait::Not {
                    "not waiting (--no-wait)".to_owned()
                } else {
                    format!("gave up after {waited} (--wait-timeout)")
                };
                let wall = waiting.clock.now().wall;
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
                "lock {lock}: {} took this run out of the queue: {}",
                escape::line(&by.by),
                escape::line(&by.reason)
            )),
            (Finish::Unreachable, Some(source)) => Error::Store {
                lock: lock.to_string(),
                source,
                advice: format!(
                    "; tried for {}. Is {} there, and may this machine reach it?",
                    human::duration(waiting.clock.mono().since(self.since)),
                    store.describe()
                ),
            },
            (_, Some(source)) => Error::Store { lock: lock.to_string(), source, advice: String::new() },
            (finish, None) => Error::Bug(format!("lock {lock}: waiting ended as {finish:?}")),
        }
    }
}

async fn until(clock: SystemClock, instant: Option<Instant>) {
    match instant {
        Some(instant) => clock.sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// A holder, as events show it.
pub fn party(holder: &Holder) -> Party {
    Party {
        session: holder.session.clone(),
        mode: holder.mode,
        phase: Some(holder.phase),
        since: holder.granted_at,
        activity: holder.activity.clone(),
        identity: holder.identity.clone(),
    }
}
