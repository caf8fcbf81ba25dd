//! Getting out of the record: release, leave, and making sure that no write of ours lands later.

use std::time::Duration;

use super::{Finish, Intent, Leaving, Session};
use crate::lease::record::{Phase, Record, Standing};
use crate::lease::time::Now;
use crate::lease::transition::{self, Ending};

/// How long somebody who never held the lock tries to get out of the queue. What stays behind is
/// passed over after 10 s, and a cancelled CI job has no more time.
const LEAVE: Duration = Duration::from_secs(5);

impl Session {
    /// Drops what is under way and heads for the door.
    pub(super) fn set_out(&mut self, ending: Option<Ending>, then: Finish, now: Now) {
        if matches!(self.intent, Intent::Over | Intent::Leave(_)) {
            return;
        }
        // Its answer will not be waited for, so it counts as a write without one.
        if let Some(Some(condition)) = self.in_flight.take() {
            self.unanswered.push(condition);
        }
        self.proposed = None;
        self.timer = None;
        self.pausing = false;
        self.claim = None;
        self.conflicts = 0;
        self.succeeded();
        let held = matches!(self.intent, Intent::Hold(_));
        let patience = if held { self.params.release } else { self.params.release.min(LEAVE) };
        let until = now.mono + patience;
        self.intent = Intent::Leave(Leaving { ending, then, until });
        match self.view.clone() {
            Some(view) => self.decide_leave(view, now),
            // Nothing was ever read, so nothing was ever written.
            None => self.out(),
        }
    }

    pub(super) fn decide_leave(&mut self, view: Option<Record>, now: Now) {
        let Intent::Leave(leaving) = &self.intent else { return };
        let ending = leaving.ending.clone().unwrap_or(Ending::NOTHING_RAN);
        let session = self.params.candidate.session.clone();
        let Some(record) = view else {
            if self.unanswered.any() {
                self.send_write(self.fresh_record(now), now);
            } else {
                self.out();
            }
            return;
        };
        match record.standing(&session) {
            Standing::Holder(own) if own.phase == Phase::Active => {
                self.send_write(transition::release(&record, &session, &ending, now.wall), now);
            }
            Standing::Holder(_) | Standing::Waiter(_) => {
                self.send_write(transition::leave(&record, &session, now.wall), now);
            }
            // A write of ours may still land on this very stamp: replace it by one that says the
            // same, and it cannot.
            Standing::Absent if self.unanswered.any() => self.send_write(record, now),
            Standing::Absent => self.out(),
        }
    }

    fn out(&mut self) {
        if let Intent::Leave(leaving) = &self.intent {
            let then = leaving.then.clone();
            self.finish(then);
        }
    }
}

impl Finish {
    /// Whether the record is known not to show us any more.
    pub fn is_clean(&self) -> bool {
        !matches!(self, Self::Stranded | Self::Unreachable | Self::Refused)
    }
}
