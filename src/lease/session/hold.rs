//! Keeping the lock: heartbeats, a record that vanished, a lock that is lost.

use super::{Held, Intent, Loss, Next, Notice, Session, Tenure};
use crate::lease::record::{Holder, Record, Standing};
use crate::lease::time::Now;
use crate::lease::transition;

impl Session {
    pub(super) fn decide_hold(&mut self, view: Option<Record>, now: Now) {
        let Intent::Hold(Held { tenure, lost: false, .. }) = &self.intent else { return };
        let Tenure { own, base } = tenure.clone();
        let lease = self.params.candidate.lease;
        let alive = now.mono < lease.deadlines(base).kill;
        let Some(record) = view else {
            if alive {
                self.notice_recreating();
                let own = self.beyond_claims(own);
                self.send_claim(transition::recreate(&own, now.wall), own.beat + 1, now);
            } else {
                self.lose(Loss::Gone);
            }
            return;
        };
        match record.standing(&own.session) {
            Standing::Holder(entry) if entry.generation == own.generation => {
                if let Some(by) = entry.revoked.clone() {
                    self.lose(Loss::Revoked(by));
                    return;
                }
                let due = base + lease.heartbeat();
                // What it shows of us is older than what we do: the heartbeat that says so comes at
                // once. It is a heartbeat like any other.
                let news = self.activity.is_some() && entry.activity != self.activity;
                if now.mono < due && !news {
                    self.set_timer(due, Next::Decide);
                    return;
                }
                let beat = entry.beat + 1;
                let next = transition::renew(&record, &own.session, self.activity.as_ref(), now.wall);
                self.send_claim(next, beat, now);
            }
            _ => {
                let own = self.beyond_claims(own);
                match transition::rejoin(&record, &own, now.wall) {
                    Some(next) if alive => {
                        self.notice_recreating();
                        self.send_claim(next, own.beat + 1, now);
                    }
                    _ => self.lose(record.removal(&own.session).cloned().map_or(Loss::Gone, Loss::Removed)),
                }
            }
        }
    }

    /// Our entry with a beat that none of our writes has shown. The record that vanished may have
    /// held a beat that we were never told of: an observer that saw it there must see another one
    /// come back, or it counts from the older.
    fn beyond_claims(&self, own: Holder) -> Holder {
        let claimed = match self.claim {
            // The same try once more: it shows the same beat.
            Some(claim) if self.unanswered.any() => claim.beat - 1,
            Some(claim) => claim.beat,
            None => 0,
        };
        Holder { beat: own.beat.max(claimed), ..own }
    }

    /// Told once for a record that vanished, however many tries it takes to put it back.
    fn notice_recreating(&mut self) {
        if let Intent::Hold(held) = &mut self.intent
            && !std::mem::replace(&mut held.returning, true)
        {
            self.notice(Notice::Recreated);
        }
    }

    fn lose(&mut self, loss: Loss) {
        if let Intent::Hold(held) = &mut self.intent {
            held.lost = true;
        }
        self.timer = None;
        self.notice(Notice::Lost(loss));
    }
}
