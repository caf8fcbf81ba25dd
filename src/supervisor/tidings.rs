//! What the lock's task tells, and what it means for the child.

use super::attend::Scene;
use super::stop::Happening;
use crate::escape;
use crate::lease::session::{Loss, Notice};
use crate::lease::{Instant, Tenure};
use crate::lock::{self, Update};
use crate::report::event::{Event, Level};

impl Scene<'_> {
    /// What an update of the lock means for the child, after it was told to people.
    pub(super) fn learn(&mut self, update: Update) -> Option<Happening> {
        let hold = self.hold.as_mut()?;
        let lock = self.name.clone();
        match update {
            Update::Trouble(error) => {
                hold.trouble = Some(error.to_string());
                let text = format!("lock {lock}: a heartbeat failed: {error}");
                self.emit(Event::say(Level::Debug, text));
                None
            }
            Update::Notice(notice, tenure) => {
                let deadlines = tenure.as_ref().map(|tenure| tenure.deadlines());
                if let Some(tenure) = tenure {
                    if let Some(guardian) = &mut self.guardian {
                        guardian.renewed(&tenure);
                    }
                    hold.tenure = *tenure;
                }
                match notice {
                    Notice::Renewed { beat } => {
                        hold.trouble = None;
                        self.emit(Event::LockRenewed { lock, beat });
                    }
                    Notice::Recreated => self.emit(Event::say(
                        Level::Warn,
                        format!("lock {lock}: its record had vanished from the store; putting it back"),
                    )),
                    Notice::Lost(loss) => {
                        hold.lost = Some(loss.clone());
                        self.emit(Event::LockLost { lock, cause: cause_of(&loss) });
                        return Some(Happening::Lost);
                    }
                    Notice::Waiting { .. } | Notice::GrantMissed | Notice::Acquired { .. } => {}
                }
                deadlines.map(Happening::Lease)
            }
            // Only a release or a leave ends a session that holds, and neither was asked for.
            Update::Finished(..) => None,
        }
    }

    /// The task that sends the heartbeats has died, which is a bug: another one goes on from what
    /// is known. When that happens again and again the deadlines see to the child.
    pub(super) fn revive(&mut self) {
        const MOST: u32 = 3;
        let Some(hold) = &mut self.hold else { return };
        hold.revived += 1;
        let text = "the task that keeps it alive has died; this is a bug in tfguard, please report it";
        if hold.revived <= MOST {
            let (name, store) = (self.name.clone(), self.store.clone());
            hold.lock = lock::resume(hold.tenure.clone(), name, store, self.clock, crate::session::seed());
        } else {
            self.hold = None;
        }
        self.emit(Event::say(Level::Error, format!("lock {}: {text}", self.name)));
    }

    pub(super) fn at_risk(&self, now: Instant) {
        let Some(hold) = &self.hold else { return };
        let Tenure { own: _, base } = hold.tenure;
        self.emit(Event::LockAtRisk {
            lock: self.name.clone(),
            silent: now.since(base),
            stop_in: hold.tenure.deadlines().stop.since(now),
            cause: hold.trouble.clone(),
        });
    }
}

pub(super) fn cause_of(loss: &Loss) -> String {
    match loss {
        Loss::Gone => {
            "our entry has gone from its record: someone took it over, or the record was deleted".to_owned()
        }
        Loss::Revoked(by) => {
            format!("{} asked us to stop: {}", escape::line(&by.by), escape::line(&by.reason))
        }
        Loss::Removed(by) => {
            format!("{} removed us: {}", escape::line(&by.by), escape::line(&by.reason))
        }
    }
}
