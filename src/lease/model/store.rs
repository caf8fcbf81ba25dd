//! The store: one record, replaced where its stamp is the expected one; and operators, who read and
//! replace it in one step, since they look again after a conflict.

use std::sync::Arc;

use super::mutant::Mutant;
use super::scope::Scope;
use super::world::{Life, Mail, World};
use crate::lease::record::Stamp;
use crate::lease::session::{Answer, Request};
use crate::lease::{Intervention, Phase, Record, Standing, transition};

impl World {
    /// A request reaches the store.
    pub(super) fn land(&mut self, scope: &Scope, who: usize) {
        let Mail::Sent(request) = std::mem::replace(&mut self.actor(who).mail, Mail::None) else { return };
        let answer = match request {
            Request::Read => Answer::Read(self.record().cloned()),
            Request::Write { expected, record } => {
                if self.swap(scope, who, expected.as_ref(), &record) {
                    Answer::Written
                } else {
                    Answer::Conflict(self.record().cloned())
                }
            }
        };
        // Only the answer of a write that took effect travels. Whoever acts on what stood a moment ago
        // sends a write that conflicts, as one does that is overtaken.
        if answer == Answer::Written || self.actors[who].life != Life::Up {
            self.actor(who).mail = Mail::Answered(answer);
        } else {
            self.hand_in(scope, who, answer);
        }
    }

    /// Compare and swap.
    pub(super) fn swap(
        &mut self,
        scope: &Scope,
        who: usize,
        expected: Option<&Stamp>,
        record: &Record,
    ) -> bool {
        if expected != self.stamp() && !scope.is(Mutant::IgnoresStamp) {
            return false;
        }
        self.replace(Some(who), who, record.clone());
        true
    }

    /// An operator's hand, about this session.
    pub(super) fn operate(&mut self, about: usize, now: bool) {
        let Some(before) = self.record.clone() else { return };
        let (id, wall) = (self.actors[about].id.clone(), self.actors[about].now().wall);
        let by = Intervention { by: "o".into(), reason: String::new(), at: wall };
        let next = if now {
            transition::remove(&before, &id, &by, wall)
        } else {
            transition::revoke(&before, &id, &by)
        };
        let Some(next) = next else { return };
        if now {
            self.actor(about).removed = true;
        }
        let stamp = format!("o/{}/{}", self.budget.revocations, self.budget.removals);
        self.replace(None, about, next.sealed(stamp, wall));
    }

    /// The record is replaced, by a session (`author`) or an operator, about `subject`.
    fn replace(&mut self, author: Option<usize>, subject: usize, after: Record) {
        let before = self.record.replace(Arc::new(after.clone()));
        self.forget_strays();
        self.judge(author, subject, before.as_deref(), &after);
        // What is seen of each holder from now on is as old as its key.
        for who in 0..self.actors.len() {
            let id = &self.actors[who].id;
            let key = |record: &Record| record.holder(id).map(crate::lease::Holder::key);
            let (old, new) = (before.as_deref().and_then(key), key(&after));
            if new.is_some() && new != old {
                self.actor(who).sign = self.now;
            }
        }
    }

    /// Whether the record shows it as granted, for a broken variant.
    pub(super) fn is_granted(&self, who: usize) -> bool {
        let standing = self.record().map(|record| record.standing(&self.actors[who].id));
        matches!(standing, Some(Standing::Holder(holder)) if holder.phase == Phase::Granted)
    }
}
