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
            // Whoever goes on for a dead process holds a lock whose record it has not seen yet.
            None if held => self.send_read(now),
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

#[cfg(test)]
mod tests {
    use super::super::{Answer, Output, Params, Request, Tenure, Wait};
    use super::*;
    use crate::lease::time::{Instant, Lease};
    use crate::lease::transition::Candidate;
    use crate::lease::{Identity, Mode, Outcome};

    /// A supervisor that was killed while no child ran: its guardian has nothing to wait for and
    /// releases before the first look at the record has come back.
    #[test]
    fn a_resumed_lock_is_released_in_the_record_and_not_only_in_words() {
        let now = Now { mono: Instant::from_nanos(1_000_000_000), wall: jiff::Timestamp::UNIX_EPOCH };
        let candidate = Candidate {
            session: "s".into(),
            mode: Mode::Exclusive,
            changes: true,
            lease: Lease::default(),
            asked_at: now.wall,
            identity: Identity::default(),
        };
        let record = transition::acquire(None, &candidate, now.wall).unwrap();
        let own = record.holder("s").unwrap().clone();
        let second = Duration::from_secs(1);
        let params =
            Params { candidate, nonce: "n".into(), wait: Wait::Not, reach: second, release: second, seed: 1 };
        let mut session = Session::resume(params, Tenure { own, base: now.mono }, now);
        session.release(Ending::new(Outcome::Crashed, None), now);
        let sent: Vec<Output> = std::iter::from_fn(|| session.poll()).collect();
        let reads = |output: &Output| matches!(output, Output::Send { request: Request::Read, .. });
        assert!(sent.iter().all(reads), "{sent:?}");
        session.answered(Answer::Read(Some(record)), now);
        let written = std::iter::from_fn(|| session.poll()).find_map(|output| match output {
            Output::Send { request: Request::Write { record, .. }, .. } => Some(record),
            _ => None,
        });
        assert!(written.is_some_and(|record| record.is_free()), "the holder was not taken out");
    }
}
