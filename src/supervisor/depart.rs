//! The release, after everything else is over.

use std::time::Duration;

use super::keyring::{Hold, Keyring};
use crate::clock::{Clock, SystemClock};
use crate::lease::transition::Ending;
use crate::lock::Update;
use crate::report::event::{Event, Level};
use crate::report::{Reporter, human};
use crate::store::StoreError;

/// How long one release may keep the next one waiting. A store that does not answer is tried for
/// longer than a cancelled CI job has time.
const HEAD_START: Duration = Duration::from_secs(2);

impl Keyring<'_> {
    /// Releases the locks, the newest first, and tells how that went: one that cannot be released
    /// keeps no other. Nothing of the run may be alive any more. Which needs' records are known not
    /// to show us.
    pub(super) async fn release(&mut self, ending: &Ending) -> Vec<usize> {
        let (clock, reporter) = (self.clock, self.reporter);
        let mut leaving: Vec<Leaving<'_>> = Vec::new();
        for (index, hold) in self.holds.iter_mut().enumerate().rev() {
            let Some(lock) = &hold.lock else { continue };
            lock.release(ending.clone());
            let mut next = Leaving { index, hold, cause: None, clean: None, clock, reporter };
            // What is cut off here goes on below.
            let _ = tokio::time::timeout(HEAD_START, next.settle()).await;
            leaving.push(next);
        }
        let mut released = Vec::new();
        for mut last in leaving {
            if last.settle().await {
                released.push((last.index, last.hold.need));
            }
        }
        if let Some(guardian) = &mut self.guardian {
            released.iter().for_each(|(index, _)| guardian.relieve(*index));
        }
        released.into_iter().map(|(_, need)| need).collect()
    }
}

/// One lock on its way to being released.
struct Leaving<'a> {
    index: usize,
    hold: &'a mut Hold,
    cause: Option<StoreError>,
    /// How it ended, once it has.
    clean: Option<bool>,
    clock: SystemClock,
    reporter: &'a Reporter,
}

impl Leaving<'_> {
    /// Whether the record is known not to show us. May be dropped and called again.
    async fn settle(&mut self) -> bool {
        if let Some(clean) = self.clean {
            return clean;
        }
        let clean = self.wait().await;
        self.clean = Some(clean);
        if clean {
            let held = self.clock.mono().since(self.hold.acquired_at);
            self.hold.held = Some(held);
            self.reporter.emit(Event::LockReleased { lock: self.hold.name.clone(), held });
        } else {
            self.advise();
        }
        clean
    }

    async fn wait(&mut self) -> bool {
        while let Some(lock) = &mut self.hold.lock
            && let Some(update) = lock.update().await
        {
            match update {
                Update::Notice(_, Some(newer)) => self.hold.tenure = *newer,
                Update::Finished(finish, _) if finish.is_clean() => return true,
                Update::Finished(_, error) => {
                    self.cause = error;
                    return false;
                }
                Update::Trouble(error) => self.cause = Some(error),
                Update::Notice(..) => {}
            }
        }
        false
    }

    fn advise(&self) {
        let Hold { name, options, tenure, .. } = &*self.hold;
        let left = tenure.deadlines().end.since(self.clock.mono());
        let task = || "the lock's task has ended".to_owned();
        let why = self.cause.as_ref().map_or_else(task, ToString::to_string);
        let now = self.clock.now().wall;
        let ends = human::time(now + left, now);
        let frees = format!("tfguard {options} unlock --now --reason …");
        self.reporter.emit(Event::Diagnostic {
            level: Level::Error,
            summary: format!("lock {name} could not be released: {why}"),
            detail: Some(format!(
                "its lease ends in {} ({ends}); after that whoever waits takes it over. To free it before: `{frees}`",
                human::duration(left)
            )),
        });
    }
}
