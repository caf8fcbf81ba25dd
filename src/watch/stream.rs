//! Without a screen: a JSON document for every lock, and again whenever one has changed.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::ops::ControlFlow;

use jiff::Timestamp;
use tokio::sync::mpsc::channel;

use super::feed::{Source, read};
use super::rhythm::Rhythm;
use crate::cli::source::Sources;
use crate::clock::{Clock, SystemClock};
use crate::lease::{Record, RecordError};
use crate::report::SharedWriter;
use crate::report::json as ndjson;
use crate::status::document::Lock;
use crate::status::{View, sweep};
use crate::store::{Listed, StoreError, StoreResult};

/// What is known of each lock, so that what has changed is told apart.
#[derive(Debug, Default)]
pub struct Changes {
    known: HashMap<String, Known>,
    round: u64,
}

#[derive(Debug)]
struct Known {
    print: u64,
    round: u64,
}

impl Changes {
    /// Whether a lock is new or has changed. A sign of life is no change; to look dead is one.
    pub fn is_new(
        &mut self,
        lock: &str,
        record: &Result<Option<Record>, RecordError>,
        now: Timestamp,
    ) -> bool {
        let print = print(record, now);
        let known = Known { print, round: self.round };
        self.known.insert(lock.to_owned(), known).is_none_or(|before| before.print != print)
    }

    /// The locks of which nothing was told since the last time this was called: they are gone.
    pub fn gone(&mut self) -> Vec<String> {
        let round = self.round;
        self.round += 1;
        let gone = self.known.extract_if(|_, known| known.round != round);
        gone.map(|(lock, _)| lock).collect()
    }
}

/// Everything of a record but its signs of life.
fn print(record: &Result<Option<Record>, RecordError>, now: Timestamp) -> u64 {
    let mut hasher = DefaultHasher::new();
    match record {
        Ok(Some(record)) => {
            let mut record = record.clone();
            for holder in &mut record.holders {
                holder.looks_dead(now).hash(&mut hasher);
                (holder.beat, holder.renewed_at) = (0, Timestamp::UNIX_EPOCH);
            }
            (record.updated_at, record.expires_at) = (Timestamp::UNIX_EPOCH, 0);
            record.stamp.clear();
            ndjson::to_bytes(&record).hash(&mut hasher);
        }
        Ok(None) => 0.hash(&mut hasher),
        Err(error) => error.to_string().hash(&mut hasher),
    }
    hasher.finish()
}

/// A stream of changes.
pub struct Stream {
    /// Where locks are.
    pub source: Source,
    /// The store in words.
    pub store: String,
    /// Where its name came from.
    pub sources: Sources,
}

impl Stream {
    /// Writes until `out` is closed. Trouble with the store is told to `trouble`, which says whether
    /// to go on; `None` when it is over.
    ///
    /// # Errors
    /// What `trouble` makes of the store's.
    pub async fn run<E>(
        &self,
        out: &SharedWriter,
        mut trouble: impl FnMut(Option<StoreError>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (told, mut changed) = channel(1);
        let _watches = self.source.watches(&told);
        let mut changes = Changes::default();
        let mut rhythm = Rhythm::default();
        loop {
            let start = SystemClock.mono();
            match self.round(&mut changes, out).await {
                Ok(None) => return Ok(()),
                Ok(Some(pages)) => {
                    rhythm.looked(pages, SystemClock.mono().since(start));
                    trouble(None)?;
                }
                Err(error) => {
                    rhythm.failed();
                    trouble(Some(error))?;
                }
            }
            let mut due = SystemClock.mono() + rhythm.pause();
            let soon = SystemClock.mono() + rhythm.told();
            while SystemClock.mono() < due {
                tokio::select! {
                    Some(()) = changed.recv() => due = soon.min(due),
                    () = SystemClock.sleep_until(due) => {}
                }
            }
        }
    }

    /// Looks once, and writes what has changed. How many pages that were; `None` when nobody reads.
    async fn round(&self, changes: &mut Changes, out: &SharedWriter) -> StoreResult<Option<u32>> {
        let mut open = true;
        let mut tell = |lock: &str, record: &Result<Option<Record>, RecordError>| {
            let now = SystemClock.now().wall;
            if changes.is_new(lock, record, now) {
                open &= self.write(out, lock, record, now);
            }
        };
        let pages = match &self.source {
            Source::Named(named) => {
                for (lock, store) in named {
                    tell(lock.as_str(), &read(store.as_ref(), lock).await?);
                }
                1
            }
            Source::All(store, prefix) => {
                let each = |page: Vec<Listed>| {
                    for listed in page {
                        tell(&listed.name, &listed.record.map(Some));
                    }
                    ControlFlow::Continue(())
                };
                sweep(store.as_ref(), prefix, true, each).await?
            }
        };
        for lock in changes.gone() {
            open &= self.write(out, &lock, &Ok(None), SystemClock.now().wall);
        }
        Ok(open.then_some(pages))
    }

    fn write(
        &self,
        out: &SharedWriter,
        lock: &str,
        record: &Result<Option<Record>, RecordError>,
        now: Timestamp,
    ) -> bool {
        let record = record.as_ref().map(Option::as_ref);
        let view = View { lock, store: &self.store, sources: &self.sources, record, past: None, now };
        let mut line = ndjson::to_bytes(&Lock::new(view));
        line.push(b'\n');
        out.write(&line).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::at;
    use crate::status::testing::{self, NOW};

    #[test]
    fn a_sign_of_life_is_no_change_and_everything_else_is() {
        let mut changes = Changes::default();
        let mut new =
            |record: &Record, second: i64| changes.is_new("x", &Ok(Some(record.clone())), at(second));
        let mut record = testing::held();
        assert!(new(&record, NOW));
        assert!(!new(&record, NOW + 1));
        record.holders[0].beat += 1;
        record.holders[0].renewed_at = at(NOW + 30);
        let record = record.sealed("another".into(), at(NOW + 30));
        assert!(!new(&record, NOW + 31));
        assert!(new(&record, NOW + 3000), "it looks dead");
        assert!(!new(&record, NOW + 3001));
        let mut phase = record.clone();
        phase.holders[0].activity = None;
        assert!(new(&phase, NOW + 3001));
        let mut alone = phase.clone();
        alone.queue.clear();
        assert!(new(&alone, NOW + 3001));
    }

    #[test]
    fn what_is_not_met_any_more_is_gone_once() {
        let mut changes = Changes::default();
        for lock in ["a", "b"] {
            assert!(changes.is_new(lock, &Ok(None), at(NOW)));
        }
        assert!(changes.gone().is_empty());
        assert!(!changes.is_new("b", &Ok(None), at(NOW)));
        assert_eq!(changes.gone(), ["a"]);
        changes.is_new("b", &Ok(None), at(NOW));
        assert!(changes.gone().is_empty());
    }
}
