//! Situations as numbers, equal for those that go on alike: instants as distances from now, counters
//! as distances from their lowest, stamps by their first appearance, nothing that is for people only.

use super::time::{OLD, ceil};
use crate::lease::record::Stamp;
use crate::lease::{Holder, HolderKey, Instant, Mode, Phase, Record};

/// Counters of which only differences mean anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::lease) enum Counter {
    /// A session's beats.
    Beat(u32),
    /// Fencing tokens.
    Generation,
    /// Runs that became active.
    Runs,
}

/// See the module's text.
#[derive(Debug, Default)]
pub(in crate::lease) struct Encoder {
    words: Vec<u32>,
    stamps: Vec<Stamp>,
    counters: Vec<(usize, Counter)>,
    seekers: Vec<u32>,
}

impl Encoder {
    pub(in crate::lease) fn num(&mut self, number: impl TryInto<u32>) {
        self.words.push(number.try_into().unwrap_or(u32::MAX));
    }

    /// This session has not got the lock yet: should it enter once more, its beats begin at 0 or 1, so
    /// that they are no mere differences.
    pub(in crate::lease) fn seeks(&mut self, id: &str) {
        self.seekers.push(number(id));
    }

    /// The number of a session, whose ids are single letters here.
    pub(in crate::lease) fn session(&mut self, id: &str) {
        self.num(number(id));
    }

    /// How long ago; what is older than `most` quanta is all the same.
    pub(in crate::lease) fn age(&mut self, at: Instant, now: Instant, most: u64) {
        self.num(ceil(now.since(at)).min(most));
    }

    /// How long until then.
    pub(in crate::lease) fn until(&mut self, at: Instant, now: Instant) {
        self.num(ceil(at.since(now)).min(4 * OLD));
    }

    pub(in crate::lease) fn counter(&mut self, which: Counter, value: u64) {
        self.counters.push((self.words.len(), which));
        self.num(value);
    }

    pub(in crate::lease) fn beat(&mut self, session: &str, beat: u64) {
        self.counter(Counter::Beat(number(session)), beat);
    }

    /// A condition: a stamp, or that there is no record.
    pub(in crate::lease) fn condition(&mut self, condition: Option<&Stamp>) {
        let Some(stamp) = condition else { return self.num(0u32) };
        let known = self.stamps.iter().position(|known| known == stamp);
        let index = known.unwrap_or_else(|| {
            self.stamps.push(stamp.clone());
            self.stamps.len() - 1
        });
        self.num(index + 1);
    }

    pub(in crate::lease) fn key(&mut self, key: &HolderKey) {
        self.session(&key.session);
        self.num(phase(key.phase));
        self.counter(Counter::Generation, key.generation);
        self.beat(&key.session, key.beat);
    }

    pub(in crate::lease) fn holder(&mut self, holder: &Holder) {
        self.session(&holder.session);
        self.num(phase(holder.phase) | mode(holder.mode) << 1 | u32::from(holder.revoked.is_some()) << 2);
        self.counter(Counter::Generation, holder.generation);
        self.beat(&holder.session, holder.beat);
        // The number of its run is told by those who put a record back, which nobody does here.
    }

    pub(in crate::lease) fn record(&mut self, record: Option<&Record>) {
        self.condition(record.map(|record| &record.stamp));
        let Some(record) = record else { return };
        self.counter(Counter::Generation, record.generation);
        self.counter(Counter::Runs, record.runs);
        self.num(record.holders.len());
        record.holders.iter().for_each(|holder| self.holder(holder));
        self.num(record.queue.len());
        for waiter in &record.queue {
            self.session(&waiter.session);
            self.num(mode(waiter.mode));
        }
        self.num(record.removed.len());
        record.removed.iter().for_each(|removed| self.session(&removed.session));
    }

    /// All that was written, counters counted from the lowest value of each.
    pub(super) fn finish(mut self) -> Vec<u32> {
        let mut lowest: Vec<(Counter, u32)> = Vec::new();
        for (at, which) in &self.counters {
            let value = self.words[*at];
            match lowest.iter_mut().find(|(known, _)| known == which) {
                Some((_, least)) => *least = value.min(*least),
                None => lowest.push((*which, value)),
            }
        }
        for (at, which) in &self.counters {
            let least = lowest.iter().find(|(known, _)| known == which).map_or(0, |(_, least)| *least);
            let absolute = matches!(which, Counter::Beat(session) if self.seekers.contains(session));
            self.words[*at] -= if absolute { 0 } else { least };
        }
        self.words
    }
}

fn number(session: &str) -> u32 {
    session.bytes().next().map_or(0, |letter| u32::from(letter - b'a'))
}

fn phase(phase: Phase) -> u32 {
    u32::from(phase == Phase::Active)
}

pub(super) fn mode(mode: Mode) -> u32 {
    u32::from(mode == Mode::Shared)
}
