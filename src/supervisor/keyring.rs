//! The locks of a run while it holds them. To the rest of the supervisor they are one: it is as
//! good as the one that was heard of least recently, and losing one is losing all.

use std::io;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::acquire::Need;
use crate::child::HoldTheLine;
use crate::clock::SystemClock;
use crate::guardian::{Charge, Guardian, Recruit, Relief, Setting, Token};
use crate::lease::session::Loss;
use crate::lease::{Deadlines, Instant, LockName, Tenure};
use crate::lock::{Lock, Update};
use crate::report::Reporter;
use crate::report::event::{Event, Level};
use crate::store::Store;

/// A lock that is held, and what tells of it.
pub(super) struct Hold {
    /// Its place among the needs of the run.
    pub(super) need: usize,
    pub(super) name: LockName,
    /// The options that name lock and store.
    pub(super) options: String,
    pub(super) store: Arc<dyn Store>,
    /// `None`: its task has died too often.
    pub(super) lock: Option<Lock>,
    pub(super) tenure: Tenure,
    pub(super) acquired_at: Instant,
    /// The newest failure of a heartbeat.
    pub(super) trouble: Option<String>,
    /// How often the lock's task had to be replaced.
    pub(super) revived: u32,
    /// How it was lost, when it is known not to be ours any more.
    pub(super) lost: Option<Loss>,
    /// It was told that its heartbeat is late.
    pub(super) risk_told: bool,
    /// How long it was held, once it is released.
    pub(super) held: Option<Duration>,
}

impl Hold {
    pub(super) fn new(place: usize, need: &Need, lock: Lock, tenure: Tenure, now: Instant) -> Self {
        Self {
            need: place,
            name: need.name.clone(),
            options: need.options.clone(),
            store: need.store.clone(),
            lock: Some(lock),
            tenure,
            acquired_at: now,
            trouble: None,
            revived: 0,
            lost: None,
            risk_told: false,
            held: None,
        }
    }
}

/// `lock a`, or `locks a, b`.
pub(super) fn named(names: &[&LockName]) -> String {
    let noun = if names.len() == 1 { "lock" } else { "locks" };
    let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
    format!("{noun} {}", names.join(", "))
}

/// The locks that are held by the run itself, in the order in which they were taken, and the
/// guardian that keeps them when we are killed.
pub(super) struct Keyring<'a> {
    pub(super) holds: Vec<Hold>,
    pub(super) guardian: Option<Guardian>,
    pub(super) clock: SystemClock,
    pub(super) reporter: &'a Reporter,
    /// The guardian's process, on its way.
    recruit: Option<JoinHandle<io::Result<Recruit>>>,
    /// A stopped supervisor would lose its leases while its child goes on.
    line: Option<HoldTheLine>,
}

impl<'a> Keyring<'a> {
    pub(super) fn new(clock: SystemClock, reporter: &'a Reporter) -> Self {
        Self { holds: Vec::new(), guardian: None, clock, reporter, recruit: None, line: None }
    }

    /// A lock is asked for: starts the guardian's process meanwhile, so that it keeps no child waiting.
    pub(super) fn prepare(&mut self) {
        if self.recruit.is_none() && self.holds.is_empty() {
            self.recruit = Some(tokio::task::spawn_blocking(Recruit::start));
        }
    }

    /// Takes a lock in. With the first one a guardian is posted: a run without one is a run all the
    /// same, and says so.
    pub(super) async fn add(&mut self, hold: Hold, need: &Need, setting: Option<&Setting>, token: &Token) {
        self.hold_the_line();
        let charge =
            Charge { lock: need.name.to_string(), store: need.spec.clone(), tenure: hold.tenure.clone() };
        match (&mut self.guardian, setting) {
            (Some(guardian), _) => guardian.charge(charge),
            (None, Some(setting)) if self.holds.is_empty() => {
                match Guardian::post(setting.clone(), charge, token, self.recruited().await) {
                    Ok(guardian) => self.guardian = Some(guardian),
                    Err(error) => {
                        let text = format!(
                            "no guardian could be started ({error}): if tfguard itself is killed, lock {} stays until \
                             its lease ends",
                            need.name
                        );
                        self.emit(Event::say(Level::Warn, text));
                    }
                }
            }
            (None, _) => {}
        }
        self.holds.push(hold);
    }

    /// The process that is to be a guardian. One that could not be started is tried for once more.
    async fn recruited(&mut self) -> Option<Recruit> {
        self.recruit.take()?.await.ok()?.ok()
    }

    /// From here on nobody stops us as a job is stopped at a terminal.
    pub(super) fn hold_the_line(&mut self) {
        if self.line.is_none() {
            self.line = HoldTheLine::new().ok();
        }
    }

    /// Whether anything is held.
    pub(super) fn any(&self) -> bool {
        !self.holds.is_empty()
    }

    /// The earliest deadlines of all. `None` where nothing is held.
    pub(super) fn deadlines(&self) -> Option<Deadlines> {
        self.holds.iter().map(|hold| hold.tenure.deadlines()).reduce(Deadlines::earliest)
    }

    /// When somebody has to be told that a heartbeat is late.
    pub(super) fn risk_at(&self) -> Option<Instant> {
        let quiet = self.holds.iter().filter(|hold| !hold.risk_told && hold.lost.is_none());
        quiet.map(|hold| hold.tenure.deadlines().warn).min()
    }

    /// The next thing that happened, and to which of the holds. `None` in place of an update: the
    /// task of that lock has died.
    pub(super) async fn update(&mut self) -> (usize, Option<Update>) {
        std::future::poll_fn(|context| {
            for (index, hold) in self.holds.iter_mut().enumerate() {
                if let Some(lock) = &mut hold.lock
                    && let Poll::Ready(update) = lock.poll_update(context)
                {
                    return Poll::Ready((index, update));
                }
            }
            Poll::Pending
        })
        .await
    }

    /// What has happened already, without waiting.
    pub(super) fn pending_update(&mut self) -> Option<(usize, Update)> {
        let mut holds = self.holds.iter_mut().enumerate();
        holds.find_map(|(index, hold)| Some((index, hold.lock.as_mut()?.pending_update()?)))
    }

    /// The first of them, for people.
    pub(super) fn lost(&self) -> Option<&LockName> {
        self.holds.iter().find(|hold| hold.lost.is_some()).map(|hold| &hold.name)
    }

    /// Everything is over. What nobody here can release any more is the guardian's, which takes
    /// over when it is left without a word.
    pub(super) async fn close(&mut self) {
        if let Some(recruit) = self.recruited().await {
            recruit.dismiss();
        }
        let Some(guardian) = self.guardian.take() else { return };
        if self.holds.iter().all(|hold| hold.lock.is_some()) {
            guardian.dismiss();
        } else {
            drop(guardian);
        }
    }

    /// Puts another guardian in the place of one that died.
    pub(super) fn look_after_guardian(&mut self) {
        let relief = self.guardian.as_mut().and_then(Guardian::look_after);
        let text = match relief {
            None => return,
            Some(Relief::Posted) => "the guardian has died; another one took its post".to_owned(),
            Some(Relief::Unguarded(error)) => format!(
                "the guardian has died, and no other could be posted ({error}): if tfguard itself is killed, {} until its \
                 lease ends",
                self.stays()
            ),
        };
        self.emit(Event::say(Level::Warn, text));
    }

    fn stays(&self) -> String {
        let names: Vec<&LockName> = self.holds.iter().map(|hold| &hold.name).collect();
        match names.as_slice() {
            [_] => format!("{} stays", named(&names)),
            _ => format!("each of {} stays", named(&names)),
        }
    }

    pub(super) fn emit(&self, event: Event) {
        self.reporter.emit(event);
    }
}
