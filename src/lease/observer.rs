//! Watching the holders of a lock for signs of life.

use super::record::{Holder, HolderKey, Record};
use super::time::Instant;

/// Since when each holder's key has been the same, by this process's own clock. Other sessions'
/// writes change the record's stamp and not this, so that a busy queue keeps no dead holder alive.
#[derive(Debug, Clone, Default)]
pub(super) struct Observer {
    pub(super) seen: Vec<(HolderKey, Instant)>,
}

impl Observer {
    /// Takes in a record whose answer has just arrived at `now`.
    pub(super) fn look(&mut self, record: &Record, now: Instant) {
        let before = std::mem::take(&mut self.seen);
        self.seen = record
            .holders
            .iter()
            .map(|holder| {
                let key = holder.key();
                let since = before.iter().find(|(old, _)| *old == key).map_or(now, |(_, since)| *since);
                (key, since)
            })
            .collect();
    }

    /// When `holder` may be evicted if it shows no sign of life until then.
    pub(super) fn ripe_at(&self, holder: &Holder) -> Option<Instant> {
        let key = holder.key();
        self.seen.iter().find(|(seen, _)| *seen == key).map(|(_, since)| *since + holder.patience())
    }

    /// The sessions other than `own` that may be evicted now.
    pub(super) fn dead(&self, record: &Record, own: &str, now: Instant) -> Vec<String> {
        record
            .holders
            .iter()
            .filter(|holder| holder.session != own)
            .filter(|holder| self.ripe_at(holder).is_some_and(|ripe| ripe <= now))
            .map(|holder| holder.session.clone())
            .collect()
    }

    /// The next instant at which somebody may be evicted.
    pub(super) fn next_ripe(&self, record: &Record) -> Option<Instant> {
        record.holders.iter().filter_map(|holder| self.ripe_at(holder)).min()
    }
}
