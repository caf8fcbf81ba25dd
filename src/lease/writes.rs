//! What is known of our own writes: which may still land, and since when the newest sign of life
//! that took effect counts.

use super::record::{Record, Stamp};
use super::time::Instant;

/// What a write was conditioned on: a stamp, or the record's absence.
pub(super) type Condition = Option<Stamp>;

/// Writes without an answer. Each may land at any time while the stamp that it was conditioned on
/// stands, and never again once that has gone.
#[derive(Debug, Clone, Default)]
pub(super) struct Unanswered {
    pub(super) conditions: Vec<Condition>,
}

impl Unanswered {
    /// A write was sent on this condition and nobody will tell what came of it.
    pub(super) fn push(&mut self, condition: Condition) {
        if !self.conditions.contains(&condition) {
            self.conditions.push(condition);
        }
    }

    /// The record stood like this after the writes were sent.
    pub(super) fn look(&mut self, record: Option<&Record>) {
        let stands = record.map(|record| &record.stamp);
        self.conditions.retain(|condition| condition.as_ref() == stands);
    }

    /// Whether a write of ours may still land.
    pub(super) fn any(&self) -> bool {
        !self.conditions.is_empty()
    }
}

/// A sign of life that we try to give: the beat that will show it, and the instant before it was
/// first sent. Observers can have seen it no earlier than that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) beat: u64,
    pub(super) first_sent: Instant,
}

impl Claim {
    /// The claim behind a write of `beat` that is about to be sent at `now`. An older try at the
    /// same beat counts from its own first send for as long as it may still have been the one that
    /// lands.
    pub(super) fn renewed(old: Option<Self>, beat: u64, now: Instant, unanswered: &Unanswered) -> Self {
        match old {
            Some(old) if old.beat == beat && unanswered.any() => old,
            _ => Self { beat, first_sent: now },
        }
    }
}
