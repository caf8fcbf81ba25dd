//! The release, after everything else is over.

use crate::clock::{Clock, SystemClock};
use crate::lease::transition::Ending;
use crate::lease::{Instant, LockName, Tenure};
use crate::lock::{Lock, Update};
use crate::report::event::{Event, Level};
use crate::report::{Reporter, human};

/// What a release needs to know.
pub(super) struct Leave<'a> {
    pub(super) name: &'a LockName,
    /// The options that name lock and store.
    pub(super) options: &'a str,
    pub(super) acquired_at: Instant,
    pub(super) clock: SystemClock,
    pub(super) reporter: &'a Reporter,
}

impl Leave<'_> {
    /// Releases the lock and tells how that went. Nothing of the run may be alive any more. Whether
    /// the record is known not to show us.
    pub(super) async fn release(&self, lock: &mut Lock, ending: Ending, tenure: &Tenure) -> bool {
        lock.release(ending);
        let mut deadlines = tenure.deadlines();
        let mut cause = None;
        while let Some(update) = lock.update().await {
            match update {
                Update::Notice(_, Some(newer)) => deadlines = newer.deadlines(),
                Update::Finished(finish, _) if finish.is_clean() => {
                    let held = self.clock.mono().since(self.acquired_at);
                    self.reporter.emit(Event::LockReleased { lock: self.name.clone(), held });
                    return true;
                }
                Update::Finished(_, error) => {
                    cause = error;
                    break;
                }
                Update::Trouble(error) => cause = Some(error),
                Update::Notice(..) => {}
            }
        }
        let left = deadlines.end.since(self.clock.mono());
        let why = cause.map_or_else(|| "the lock's task has ended".to_owned(), |error| error.to_string());
        let ends = self.clock.now().wall + left;
        let frees = format!("tfguard {} unlock --now --reason …", self.options);
        self.reporter.emit(Event::Diagnostic {
            level: Level::Error,
            summary: format!("lock {} could not be released: {why}", self.name),
            detail: Some(format!(
                "its lease ends in {} ({ends:.0}); after that whoever waits takes it over. To free it before: `{frees}`",
                human::duration(left)
            )),
        });
        false
    }
}
