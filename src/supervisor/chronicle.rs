//! What a run tells of itself once it is over.

use std::time::Duration;

use jiff::Timestamp;

use crate::clock::{Clock, SystemClock};
use crate::history;
use crate::lease::session::Loss;
use crate::lease::transition::Ending;
use crate::lease::{Counts, Holder, Identity, LockName, Outcome, PastRun, Teller};
use crate::report::Reporter;
use crate::report::event::{Event, Level};
use crate::store::Store;

/// A run that is over, as far as it is the same for every lock that it held.
pub(super) struct Chronicle<'a> {
    /// Who it was, in full; the record has less room.
    pub(super) identity: &'a Identity,
    /// When it began.
    pub(super) began: Timestamp,
    /// How long it waited.
    pub(super) waited: Duration,
    /// What came of it, in the word of the summary.
    pub(super) result: &'static str,
    /// How it ended.
    pub(super) ending: &'a Ending,
    /// What Terraform said that it changes.
    pub(super) counts: Option<Counts>,
    pub(super) reporter: &'a Reporter,
}

impl Chronicle<'_> {
    /// Writes the run down in the history of the lock `name`, of which nobody waits any more: it
    /// is released, or was lost as `loss` says. When that fails the history lacks a run.
    pub(super) async fn write(
        &self,
        store: &dyn Store,
        name: &LockName,
        own: &Holder,
        loss: Option<&Loss>,
        held: Duration,
    ) {
        let Some(past) = PastRun::of(own, self.ending, Teller::Run, SystemClock.now().wall) else { return };
        let past = PastRun {
            identity: self.identity.for_history(),
            active_at: Some(self.began),
            waited_ms: millis(self.waited),
            held_ms: millis(held),
            counts: self.counts,
            ..past.with_result(self.result)
        };
        let past = match loss {
            None => past,
            Some(Loss::Gone) => PastRun { outcome: Outcome::Expired, ..past },
            Some(Loss::Removed(by)) => PastRun { outcome: Outcome::Forced, ..past.with_operator(by) },
            // Asked to stop, it released like any other.
            Some(Loss::Revoked(by)) => past.with_operator(by),
        };
        if let Err(error) = history::write(store, name, &past).await {
            let text = format!("lock {name}: this run is missing in its history: {error}");
            self.reporter.emit(Event::say(Level::Warn, text));
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
