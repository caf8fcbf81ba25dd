//! The release, after everything else is over.

use crate::clock::{Clock, SystemClock};
use crate::lease::transition::Ending;
use crate::lease::{Instant, LockName, Tenure};
use crate::lock::{Lock, Update};
use crate::report::event::{Event, Level};
use crate::report::{Reporter, human};

/// Releases the lock and tells how that went. Nothing of the run may be alive any more. Whether the
/// record is known not to show us.
pub(super) async fn release(
    lock: &mut Lock,
    ending: Ending,
    name: &LockName,
    acquired_at: Instant,
    tenure: &Tenure,
    clock: SystemClock,
    reporter: &Reporter,
) -> bool {
    lock.release(ending);
    let mut deadlines = tenure.deadlines();
    let mut cause = None;
    while let Some(update) = lock.update().await {
        match update {
            Update::Notice(_, Some(newer)) => deadlines = newer.deadlines(),
            Update::Finished(finish, _) if finish.is_clean() => {
                let held = clock.mono().since(acquired_at);
                reporter.emit(Event::LockReleased { lock: name.clone(), held });
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
    let left = deadlines.end.since(clock.mono());
    let why = cause.map_or_else(|| "the lock's task has ended".to_owned(), |error| error.to_string());
    let ends = clock.now().wall + left;
    reporter.emit(Event::Diagnostic {
        level: Level::Error,
        summary: format!("lock {name} could not be released: {why}"),
        detail: Some(format!(
            "its lease ends in {} ({ends:.0}); after that whoever waits takes it over. To free it before: `tfguard unlock --lock {name} --now --reason …`",
            human::duration(left)
        )),
    });
    false
}
