//! What the tasks of the locks tell, and what it means for the child.

use super::keyring::Keyring;
use super::stop::Happening;
use crate::escape;
use crate::lease::Instant;
use crate::lease::session::{Loss, Notice};
use crate::lock::{self, Update};
use crate::report::event::{Event, Level};

impl Keyring<'_> {
    /// What an update of a lock means for the child, after it was told to people.
    pub(super) fn learn(&mut self, index: usize, update: Update) -> Option<Happening> {
        let hold = self.holds.get_mut(index)?;
        let lock = hold.name.clone();
        match update {
            Update::Trouble(error) => {
                hold.trouble = Some(error.to_string());
                let text = format!("lock {lock}: a heartbeat failed: {error}");
                self.emit(Event::say(Level::Debug, text));
                None
            }
            Update::Notice(notice, tenure) => {
                if let Some(tenure) = tenure {
                    if let Some(guardian) = &mut self.guardian {
                        guardian.renewed(index, &tenure);
                    }
                    hold.risk_told &= self.clock.mono() >= tenure.deadlines().warn;
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
                self.deadlines().map(Happening::Lease)
            }
            // Only a release or a leave ends a session that holds, and neither was asked for.
            Update::Finished(..) => None,
        }
    }

    /// The task that sends a lock's heartbeats has died, which is a bug: another one goes on from
    /// what is known. When that happens again and again the deadlines see to the child.
    pub(super) fn revive(&mut self, index: usize) {
        const MOST: u32 = 3;
        let clock = self.clock;
        let Some(hold) = self.holds.get_mut(index) else { return };
        hold.revived += 1;
        hold.lock = (hold.revived <= MOST).then(|| {
            let (tenure, name, store) = (hold.tenure.clone(), hold.name.clone(), hold.store.clone());
            lock::resume(tenure, name, store, clock, crate::session::seed())
        });
        let text = format!(
            "lock {}: the task that keeps it alive has died; this is a bug in tfguard, please report it",
            hold.name
        );
        self.emit(Event::say(Level::Error, text));
    }

    /// Tells of every lock whose heartbeat is late, once until the next one.
    pub(super) fn tell_risks(&mut self, now: Instant) {
        let mut told = Vec::new();
        for hold in self.holds.iter_mut().filter(|hold| !hold.risk_told && hold.lost.is_none()) {
            let deadlines = hold.tenure.deadlines();
            if now >= deadlines.warn {
                hold.risk_told = true;
                told.push(Event::LockAtRisk {
                    lock: hold.name.clone(),
                    silent: now.since(hold.tenure.base),
                    stop_in: deadlines.stop.since(now),
                    cause: hold.trouble.clone(),
                });
            }
        }
        told.into_iter().for_each(|event| self.emit(event));
    }
}

fn cause_of(loss: &Loss) -> String {
    match loss {
        Loss::Gone => {
            "this run has gone from its record: someone took it over, or the record was deleted".to_owned()
        }
        Loss::Revoked(by) => {
            format!("{} asked this run to stop: {}", escape::line(&by.by), escape::line(&by.reason))
        }
        Loss::Removed(by) => {
            format!("{} removed this run: {}", escape::line(&by.by), escape::line(&by.reason))
        }
    }
}
